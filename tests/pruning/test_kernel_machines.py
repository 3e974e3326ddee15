"""Kernel machines keep some support vectors, and predict by these alone."""

import pickle
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.frozen import FrozenEstimator
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from sparselearn.pruning import Pruner, importance, prune

GAMMA = 0.3
VECTORS = {"granularity": "support_vector"}


@pytest.fixture
def X(rng):
    return rng.normal(size=(120, 3))


@pytest.fixture
def y(X, rng):
    return np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] + 0.2 * rng.normal(size=len(X))


def labels_of(y, n_classes):
    cuts = np.quantile(y, np.arange(1, n_classes) / n_classes)
    return np.array(["b", "a", "d", "c"])[np.digitize(y, cuts)]


MACHINES = {
    "SVC-2": (SVC(gamma=GAMMA), 2),
    "SVC-3": (SVC(gamma=GAMMA, decision_function_shape="ovo"), 3),
    "NuSVC-4": (NuSVC(nu=0.3, gamma=GAMMA, decision_function_shape="ovo"), 4),
    "SVR": (SVR(gamma=GAMMA), None),
    "NuSVR": (NuSVR(gamma=GAMMA), None),
    "OneClassSVM": (OneClassSVM(gamma=GAMMA, nu=0.3), None),
}


@pytest.fixture(params=list(MACHINES))
def machine(request, X, y):
    """A fitted kernel machine."""
    model, n_classes = MACHINES[request.param]
    return model.fit(X, y if n_classes is None else labels_of(y, n_classes))


def terms(machine):
    """(vectors, coefficients, constant) of each decision, from public attributes."""
    duals, vectors = machine.dual_coef_, machine.support_vectors_
    if sp.issparse(vectors):
        duals, vectors = duals.toarray(), vectors.toarray()
    if len(duals) == 1:
        return [(vectors, duals[0], machine.intercept_[0])]
    of_class = np.repeat(np.arange(len(machine.n_support_)), machine.n_support_)
    found = []
    for k, (i, j) in enumerate(combinations(range(len(duals) + 1), 2)):
        first, second = of_class == i, of_class == j
        coefs = np.concatenate([duals[j - 1, first], duals[i, second]])
        both = np.concatenate([vectors[first], vectors[second]])
        found.append((both, coefs, machine.intercept_[k]))
    return found


def by_expansion(machine, X):
    """Decisions as sums over support vectors."""
    columns = [
        constant + (rbf_kernel(X, vectors, gamma=GAMMA) @ coefs if len(coefs) else 0)
        for vectors, coefs, constant in terms(machine)
    ]
    return np.squeeze(np.column_stack([np.broadcast_to(c, len(X)) for c in columns]))


def decisions(machine, X):
    if hasattr(machine, "decision_function"):
        return machine.decision_function(X)
    return machine.predict(X)


@pytest.mark.parametrize("criterion", ["magnitude", "obs", "random"])
@pytest.mark.parametrize("refit", ["fold", "none", "obs"])
def test_predictions_are_those_of_the_kernel_expansion(X, machine, criterion, refit):
    n_before = machine.support_.size
    before = pickle.dumps(machine)
    n_kept = n_before // 4
    pruned = prune(
        machine, X, criterion=criterion, refit=refit, n_nonzero_coefs=n_kept, **VECTORS
    )
    assert pickle.dumps(machine) == before
    assert pruned.support_.size == len(pruned.support_vectors_) == n_kept
    assert pruned.dual_coef_.shape == (len(machine.dual_coef_), n_kept)
    assert pruned.n_support_.sum() == n_kept
    np.testing.assert_array_equal(pruned.support_vectors_, X[pruned.support_])
    assert set(pruned.support_) <= set(machine.support_)
    values = decisions(pruned, X)
    np.testing.assert_allclose(values, by_expansion(pruned, X), atol=1e-10)
    copied = pickle.loads(pickle.dumps(pruned))
    np.testing.assert_array_equal(decisions(copied, X), values)
    assert not np.allclose(values, decisions(machine, X), atol=1e-3)
    if hasattr(machine, "classes_"):
        np.testing.assert_array_equal(pruned.classes_, machine.classes_)
        assert set(pruned.predict(X)) <= set(machine.classes_)
    if isinstance(machine, OneClassSVM):
        np.testing.assert_allclose(pruned.score_samples(X), values + pruned.offset_)
        np.testing.assert_array_equal(pruned.predict(X), np.where(values > 0, 1, -1))


def test_sparsity_zero_is_the_identity(X, machine):
    pruned = prune(machine, X, sparsity=0.0, refit="obs", **VECTORS)
    np.testing.assert_array_equal(decisions(pruned, X), decisions(machine, X))
    np.testing.assert_array_equal(pruned.dual_coef_, machine.dual_coef_)


def test_nothing_is_left_but_the_constant(X, machine):
    frozen = FrozenEstimator(machine)
    pruner = Pruner(frozen, n_nonzero_coefs=0, refit="fold", **VECTORS).fit(X)
    values = decisions(pruner.estimator_, X)
    np.testing.assert_allclose(values - values[0], 0.0, atol=1e-12)
    assert pruner.sparsity_ == 1.0
    assert pruner.support_.size == 0
    dense = decisions(machine, X)
    np.testing.assert_allclose(values.mean(axis=0), dense.mean(axis=0), atol=1e-10)


def test_projection_is_the_nearest_function(X, y):
    """Of all with these vectors, in the kernel's Hilbert space; so its slope is 0."""
    for n_classes in (2, 3):
        machine = SVC(gamma=GAMMA).fit(X, labels_of(y, n_classes))
        pruned = prune(machine, refit="obs", sparsity=0.7, **VECTORS)
        pairs = zip(terms(machine), terms(pruned))
        for (v, a, constant), (kept, b, after) in pairs:
            slope = rbf_kernel(kept, kept, GAMMA) @ b - rbf_kernel(kept, v, GAMMA) @ a
            np.testing.assert_allclose(slope, 0.0, atol=1e-5)
            assert constant == after


def test_importances_are_their_formulas(X, y):
    machine = SVC(kernel="poly", degree=2, coef0=1.0).fit(X, labels_of(y, 3))
    (lengths,) = importance(machine, **VECTORS)
    norms = (machine._gamma * (machine.support_vectors_**2).sum(axis=1) + 1.0) ** 2
    sizes = np.sqrt((machine.dual_coef_**2).sum(axis=0))
    np.testing.assert_allclose(lengths, sizes * np.sqrt(norms), rtol=1e-10)

    machine = SVR(gamma=5.0).fit(X, y)
    (ranks,) = importance(machine, criterion="obs", **VECTORS)
    inverse = np.linalg.inv(rbf_kernel(machine.support_vectors_, gamma=5.0))
    costs = machine.dual_coef_[0] ** 2 / np.diagonal(inverse)
    assert np.argmin(ranks) == np.argmin(costs)
    np.testing.assert_array_equal(np.sort(ranks), np.arange(1, ranks.size + 1))


def test_obs_beats_magnitude_beats_chance(X, y):
    for machine, target in ((SVR(gamma=GAMMA), y), (SVC(gamma=GAMMA), labels_of(y, 3))):
        dense = decisions(machine.fit(X, target), X)
        gaps = {}
        for criterion in ("obs", "magnitude", "random"):
            pruned = prune(
                machine,
                X,
                criterion=criterion,
                refit="obs",
                sparsity=0.8,
                random_state=0,
                **VECTORS,
            )
            gaps[criterion] = np.mean((decisions(pruned, X) - dense) ** 2)
        assert gaps["obs"] < 0.5 * gaps["magnitude"]
        assert gaps["obs"] < 0.5 * gaps["random"]


def test_sparse_vectors_stay_sparse(X, y, rng):
    X = np.where(rng.random(X.shape) < 0.4, 0.0, X)
    for n_classes in (2, 3):
        labels = labels_of(y, n_classes)
        model = SVC(gamma=GAMMA, decision_function_shape="ovo", tol=1e-8)
        for refit in ("fold", "obs"):
            options = {"n_nonzero_coefs": 12, "refit": refit, **VECTORS}
            dense = prune(model.fit(X, labels), X, **options)
            S = sp.csr_array(X)
            sparse = prune(model.fit(S, labels), S, **options)
            assert sp.issparse(sparse.support_vectors_)
            assert type(sparse.dual_coef_) is type(model.dual_coef_)
            np.testing.assert_allclose(
                sparse.decision_function(S), by_expansion(sparse, X), atol=1e-9
            )
            np.testing.assert_allclose(
                sparse.decision_function(S), dense.decision_function(X), atol=1e-4
            )
            np.testing.assert_array_equal(
                pickle.loads(pickle.dumps(sparse)).predict(S), sparse.predict(S)
            )


@pytest.mark.parametrize("kernel", ["linear", "poly", "sigmoid"])
def test_other_kernels(X, y, kernel):
    machine = SVC(kernel=kernel, gamma=0.1).fit(X, labels_of(y, 2))
    pruned = prune(machine, X, sparsity=0.5, **VECTORS)
    gap = pruned.decision_function(X) - machine.decision_function(X)
    np.testing.assert_allclose(gap.mean(), 0.0, atol=1e-10)
    if kernel == "linear":
        np.testing.assert_allclose(
            pruned.coef_, pruned.dual_coef_ @ pruned.support_vectors_
        )
        # Three dimensions: three vectors span the whole model.
        three = prune(machine, X, n_nonzero_coefs=3, refit="obs", **VECTORS)
        np.testing.assert_allclose(three.coef_, machine.coef_, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_probabilities_follow_the_decisions(X, y):
    labels = labels_of(y, 2)
    machine = SVC(gamma=GAMMA, probability=True, random_state=0).fit(X, labels)
    pruned = prune(machine, X, sparsity=0.6, **VECTORS)
    order = np.argsort(pruned.decision_function(X))
    probabilities = pruned.predict_proba(X)[order, 1]
    assert np.all(np.diff(probabilities) >= 0.0)
    assert np.ptp(probabilities) > 0.3


@pytest.mark.parametrize("granularity", ["element", "feature", "neuron"])
def test_features_of_kernel_machines_are_refused_with_a_way_out(X, y, granularity):
    for kernel, way_out in (
        ("linear", "fit a LinearSVC"),
        ("rbf", "by its support vectors"),
    ):
        with pytest.raises(TypeError, match=way_out) as error:
            Pruner(SVC(kernel=kernel), granularity=granularity).fit(X, y)
        assert "granularity='support_vector'" in str(error.value)
    with pytest.raises(TypeError, match="fit a LinearSVR"):
        Pruner(SVR(kernel="linear"), granularity=granularity).fit(X, y)


@pytest.mark.parametrize("kernel", ["precomputed", rbf_kernel])
def test_kernels_that_want_every_training_row_are_refused(X, y, kernel):
    with pytest.raises(TypeError, match="every training row"):
        Pruner(SVC(kernel=kernel), **VECTORS).fit(X, y)


def test_what_vectors_cannot_be_scored_by(X, y):
    machine = SVR().fit(X, y)
    with pytest.raises(ValueError, match="magnitude, obs, random"):
        prune(machine, X, criterion="wanda", **VECTORS)
    sigmoid = SVC(kernel="sigmoid", gamma=5.0).fit(X, y > 0)
    with pytest.raises(ValueError, match=r"indefinite.*criterion='magnitude'"):
        prune(sigmoid, X, criterion="obs", **VECTORS)


def test_least_squares_of_one_decision_and_a_refusal_of_several(X, y):
    machine = SVR(gamma=GAMMA).fit(X, y)
    options = {"sparsity": 0.8, **VECTORS}
    dense = machine.predict(X)
    gaps = [
        np.mean((prune(machine, X, refit=refit, **options).predict(X) - dense) ** 2)
        for refit in ("lstsq", "obs", "fold")
    ]
    assert gaps[0] < gaps[1] < gaps[2]
    several = SVC(gamma=GAMMA).fit(X, labels_of(y, 3))
    with pytest.raises(ValueError, match="refit='obs'"):
        prune(several, X, refit="lstsq", **options)


def test_in_a_search_over_counts(X, y):
    pipeline = make_pipeline(StandardScaler(), SVC(gamma=GAMMA))
    pruner = Pruner(pipeline, refit="obs", criterion="obs", **VECTORS)
    grid = {"sparsity": [0.5, 0.98]}
    search = GridSearchCV(pruner, grid).fit(X, labels_of(y, 2))
    assert search.best_params_ == {"sparsity": 0.5}
    best = search.best_estimator_
    assert best.n_nonzero_coefs_ == best.estimator_[-1].support_.size
    assert best.get_support().all()
    assert abs(best.sparsity_ - 0.5) < 0.02
