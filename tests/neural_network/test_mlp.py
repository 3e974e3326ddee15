"""Laws of the perceptrons: right gradients, exact zeros, held masks, the same fit."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn._solvers._sparse_network import PenalisedLearner
from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor

KINDS = ["binary", "multiclass", "labels", "number", "numbers"]


def data(kind, rng, n_rows=60, n_features=6):
    """X, and a y of this kind that depends on it."""
    X = rng.standard_normal((n_rows, n_features))
    z = X @ rng.standard_normal((n_features, 3)) + 0.1 * rng.standard_normal(
        (n_rows, 3)
    )
    ys = {
        "binary": np.where(z[:, 0] > 0.0, "yes", "no"),
        "multiclass": np.array([7, 3, 5])[z.argmax(axis=1)],
        "labels": (z > 0.3).astype(int),
        "number": z[:, 0],
        "numbers": z,
    }
    return X, ys[kind]


def network(kind, **options):
    """A small perceptron for such a y."""
    cls = SparseMLPRegressor if kind.startswith("number") else SparseMLPClassifier
    defaults = {"batch_size": 16, "max_iter": 8, "random_state": 0}
    patience = {"tol": 0.0, "n_iter_no_change": 999}
    return cls((5, 4), **(defaults | patience | options))


def outputs(model, X):
    if is_classifier(model):
        return np.asarray(model.predict_proba(X))
    return model.predict(X)


def same_fit(a, b, *, rtol=0.0, atol=0.0):
    for left, right in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_):
        np.testing.assert_allclose(left, right, rtol=rtol, atol=atol)


every_kind = pytest.mark.parametrize("kind", KINDS)
two_kinds = pytest.mark.parametrize("kind", ["multiclass", "numbers"])


# -- the same as scikit-learn's -------------------------------------------------


def scikit_twin(model, kind, X, y):
    """scikit-learn's perceptron with the weights of the fitted `model`."""
    cls = MLPRegressor if kind.startswith("number") else MLPClassifier
    names = "activation", "alpha", "solver", "beta_1", "beta_2", "epsilon", "momentum"
    options = {name: getattr(model, name) for name in names}
    twin = cls(hidden_layer_sizes=(5, 4), warm_start=True, max_iter=1, **options)
    with pytest.warns(ConvergenceWarning):
        twin.fit(X, y)
    twin.coefs_ = [w.copy() for w in model.coefs_]
    twin.intercepts_ = [b.copy() for b in model.intercepts_]
    return twin


@every_kind
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_steps_are_those_of_scikit_learn(kind, activation, solver, rng):
    X, y = data(kind, rng)
    start = network(kind, activation=activation, max_iter=1).fit(X, y)
    options = {
        "solver": solver,
        "alpha": 0.3,
        "epsilon": 1e-13,  # whose correction for the start differs
        "max_iter": 4,
        "shuffle": False,
        "learning_rate": "constant",
        "warm_start": True,
        "tol": 0.0,
    }
    model = start.set_params(**options)
    twin = scikit_twin(model, kind, X, y)
    twin.set_params(
        batch_size=16, shuffle=False, max_iter=4, tol=0.0, n_iter_no_change=99
    )
    with pytest.warns(ConvergenceWarning):
        twin.fit(X, y)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    same_fit(model, twin, atol=1e-9)
    expected = outputs(twin, X)
    np.testing.assert_allclose(outputs(model, X), expected, atol=1e-9)


@pytest.mark.parametrize("learning_rate", ["invscaling", "adaptive"])
def test_rates_fall_as_those_of_scikit_learn(learning_rate, rng):
    X, y = data("number", rng)
    options = {"solver": "sgd", "alpha": 0.0, "learning_rate_init": 0.05}
    options |= {"learning_rate": learning_rate, "power_t": 0.3, "shuffle": False}
    options |= {"max_iter": 36, "warm_start": True}
    model = network("number", max_iter=1).fit(X, y).set_params(**options)
    twin = scikit_twin(model, "number", X, y)
    # What scikit-learn's takes for progress is absolute, and it waits an epoch more.
    tol, n_epochs = 1e-3, 2
    twin.set_params(batch_size=16, tol=tol, n_iter_no_change=n_epochs - 1, **options)
    vars(twin).update(t_=0, loss_curve_=[], best_loss_=np.inf, _no_improvement_count=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        twin.fit(X, y)
        model.set_params(tol=tol / twin.loss_curve_[0], n_iter_no_change=n_epochs)
        model.fit(X, y)
    rates = model.history_["learning_rate"]
    assert len(rates) == 36
    assert rates[-1] < 0.2 * rates[0]
    np.testing.assert_allclose(model.loss_curve_, twin.loss_curve_, rtol=1e-9)
    same_fit(model, twin, atol=1e-9)


# scikit-learn divides the loss of several numbers by how many, but not its gradient.
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_lbfgs_is_that_of_scikit_learn(kind, rng):
    X, y = data(kind, rng)
    options = {
        "activation": "tanh",
        "solver": "lbfgs",
        "alpha": 1.0,
        "warm_start": True,
    }
    model = network(kind, max_iter=1, activation="tanh").fit(X, y)
    model.set_params(**options)
    twin = scikit_twin(model, kind, X, y)
    weights = rng.integers(1, 3, len(y)).astype(float)
    model.set_params(max_iter=2000, tol=1e-9, n_iter_no_change=10)
    twin.set_params(max_iter=2000, tol=1e-9)
    for estimator in (model, twin):
        estimator.fit(X, y, weights)
    # scipy's ends where the loss falls by less than 2e-9 of it, here or there in a flat
    # valley; but where this one ends, it stays.
    found = outputs(model, X)
    np.testing.assert_allclose(outputs(twin, X), found, atol=5e-2)
    twin.coefs_ = [w.copy() for w in model.coefs_]
    twin.intercepts_ = [b.copy() for b in model.intercepts_]
    np.testing.assert_allclose(outputs(twin.fit(X, y, weights), X), found, atol=2e-3)
    assert 10 < model.n_iter_ < 2000
    objective = np.add(model.history_["loss"], model.history_["penalty"])
    assert np.all(np.diff(objective) < 1e-12 * objective[0])
    squares = sum(float(np.sum(w * w)) for w in model.coefs_)
    assert model.history_["penalty"][-1] == pytest.approx(squares / 2 / weights.sum())


def test_lbfgs_warns_of_too_few_iterations(rng):
    X, y = data("number", rng)
    with pytest.warns(ConvergenceWarning, match="max_iter=3 epochs. Raise max_iter or"):
        network("number", solver="lbfgs", max_iter=3, refit_epochs=3).fit(X, y)


# -- zeros ----------------------------------------------------------------------


@two_kinds
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_l1_makes_zeros_and_more_of_it_more(kind, solver, rng):
    X, y = data(kind, rng)
    rate = {"adam": 0.01, "sgd": 0.1}[solver]
    options = {"solver": solver, "max_iter": 60, "learning_rate_init": rate}
    sparsities = []
    for l1 in (0.0, 0.003, 0.03):
        model = network(kind, l1=l1, **options).fit(X, y)
        zeros = np.concatenate([(w == 0.0).ravel() for w in model.coefs_])
        assert model.sparsity_ == pytest.approx(zeros.mean())
        assert model.n_nonzero_coefs_ == np.sum(~zeros)
        np.testing.assert_allclose(
            model.layer_sparsity_, [(w == 0.0).mean() for w in model.coefs_]
        )
        assert model.history_["sparsity"][-1] == pytest.approx(model.sparsity_)
        sparsities.append(model.sparsity_)
    assert sparsities[0] == 0.0
    assert 0.02 < sparsities[1] < sparsities[2]


@every_kind
def test_intercepts_are_not_penalised(kind, rng):
    """Without any weights left, predictions are the means of y."""
    X, y = data(kind, rng)
    model = network(kind, l1=10.0, max_iter=600, learning_rate_init=0.02, batch_size=60)
    model.fit(X, y)
    assert model.n_nonzero_coefs_ == 0
    assert model.sparsity_ == 1.0
    if kind in ("binary", "multiclass"):
        expected = (y[:, None] == model.classes_).mean(axis=0)
    else:
        expected = y.mean(axis=0)
    expected = np.broadcast_to(expected, outputs(model, X).shape)
    np.testing.assert_allclose(outputs(model, X), expected, atol=1e-3)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_group_l1_removes_whole_units(solver, rng):
    X, y = data("multiclass", rng)
    rate = {"adam": 0.01, "sgd": 0.1}[solver]
    model = network(
        "multiclass",
        solver=solver,
        group_l1=0.02,
        max_iter=80,
        learning_rate_init=rate,
    ).fit(X, y)
    for weights, active in zip(model.coefs_[:-1], model.active_units_):
        columns = weights != 0.0
        np.testing.assert_array_equal(columns.any(axis=0), columns.all(axis=0))
        np.testing.assert_array_equal(np.flatnonzero(columns.any(axis=0)), active)
    assert 0 < sum(active.size for active in model.active_units_) < 9
    assert (model.coefs_[-1] != 0.0).any()


def test_features_without_weights_are_not_read(rng):
    X, y = data("number", rng)
    X = np.column_stack([X, 1e-3 * rng.standard_normal((60, 4))])
    model = network("number", l1=0.05, max_iter=60, learning_rate_init=0.02).fit(X, y)
    assert 0 < model.support_.size < 10
    np.testing.assert_array_equal(model.get_support(indices=True), model.support_)
    np.testing.assert_array_equal(np.flatnonzero(model.get_support()), model.support_)
    noise = rng.standard_normal(X.shape)
    noise[:, model.support_] = 0.0
    np.testing.assert_array_equal(model.predict(X + noise), model.predict(X))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_refit_keeps_the_zeros_and_shrinks_no_more(early_stopping, rng):
    X, y = data("multiclass", rng, n_rows=120)
    options = {
        "l1": 0.01,
        "max_iter": 30,
        "learning_rate_init": 0.01,
        "learning_rate": "constant",
        "early_stopping": early_stopping,
    }
    with pytest.warns(ConvergenceWarning, match="max_iter=30"):
        shrunk = network("multiclass", **options).fit(X, y)
    model = network("multiclass", refit_epochs=20, **options).fit(X, y)
    assert model.n_iter_ == 50
    assert shrunk.n_iter_ == 30
    for a, b, mask in zip(shrunk.coefs_, model.coefs_, model.masks_):
        np.testing.assert_array_equal(a != 0.0, b != 0.0)
        np.testing.assert_array_equal(mask, b != 0.0)
    np.testing.assert_array_equal(model.history_["loss"][:30], shrunk.history_["loss"])
    assert model.history_["penalty"][29] > 0.0
    assert not any(model.history_["penalty"][30:])
    assert model.history_["learning_rate"][-1] < 0.01
    assert np.all(np.diff(model.history_["seconds"]) >= 0.0)
    if early_stopping:
        assert model.best_epoch_ > 30
    else:
        assert model.loss_ < 0.8 * shrunk.loss_


def test_refit_begins_where_the_first_phase_converges(rng):
    X, y = data("number", rng)
    options = {"l1": 0.3, "tol": 0.05, "n_iter_no_change": 2, "max_iter": 50}
    alone = network("number", **options).fit(X, y)
    assert alone.n_iter_ < 50
    for early_stopping in (False, True):
        options["early_stopping"] = early_stopping
        model = network("number", refit_epochs=7, **options).fit(X, y)
        n_first = len([p for p in model.history_["penalty"] if p > 0.0])
        assert n_first < 50
        assert model.n_iter_ == n_first + 7


# -- masks ----------------------------------------------------------------------


def held(model, masks):
    for weights, mask in zip(model.coefs_, masks):
        assert not weights[~mask].any()
        assert weights[mask].all()


@every_kind
def test_masks_stay_exactly_zero(kind, rng):
    X, y = data(kind, rng)
    model = network(kind).fit(X, y)
    assert model.masks_ is None
    masks = [rng.random(w.shape) < 0.5 for w in model.coefs_]
    assert model.set_masks(masks) is model
    assert not any(np.shares_memory(a, b) for a, b in zip(masks, model.masks_))
    held(model, masks)
    before = model.sparsity_
    model.partial_fit(X, y).partial_fit(X, y)
    held(model, masks)
    assert model.sparsity_ == before
    model.set_params(warm_start=True).fit(X, y)
    held(model, masks)
    held(pickle.loads(pickle.dumps(model)).partial_fit(X, y), masks)
    model.set_masks(None).partial_fit(X, y)
    assert model.sparsity_ == 0.0
    model.set_masks(masks).set_params(warm_start=False).fit(X, y)
    assert model.masks_ is None
    assert model.sparsity_ == 0.0


def test_masks_are_checked(rng):
    X, y = data("number", rng)
    model = network("number")
    with pytest.raises(NotFittedError):
        model.set_masks(None)
    model.fit(X, y)
    masks = [w > 0.0 for w in model.coefs_]
    with pytest.raises(ValueError, match="have shapes"):
        model.set_masks(masks[:2])
    with pytest.raises(ValueError, match=r"masks\[1\] has dtype int64"):
        model.set_masks([masks[0], masks[1].astype(int), masks[2]])
    assert model.sparsity_ == 0.0


# -- laws -----------------------------------------------------------------------

SPARSE = {"l1": 0.003, "learning_rate_init": 0.01}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@two_kinds
def test_storage_of_x_does_not_matter(kind, dtype, rng, tmp_path):
    X, y = data(kind, rng)
    X = np.where(X > 0.3, X, 0.0).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    forms = [
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        sp.csr_array(X),
        sp.csc_matrix(X),
    ]
    big = sp.csr_array(X)
    big.indices, big.indptr = big.indices.astype(np.int64), big.indptr.astype(np.int64)
    dense = network(kind, shuffle=False, **SPARSE).fit(X, y)
    expected = dense.predict(X)
    assert dense.coefs_[0].dtype == dense.intercepts_[0].dtype == dtype
    if kind == "numbers":
        assert expected.dtype == dtype
    for form in [*forms, big]:
        model = network(kind, shuffle=False, **SPARSE).fit(form, y)
        same_fit(model, dense, rtol=1e-5)
        np.testing.assert_array_equal(dense.predict(form), expected)


@every_kind
def test_single_precision_agrees_with_double(kind, rng):
    X, y = data(kind, rng)
    double = network(kind, **SPARSE).fit(X, y)
    single = network(kind, **SPARSE).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(outputs(single, X), outputs(double, X), atol=1e-4)


@every_kind
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weights_are_repeated_rows(kind, solver, rng):
    X, y = data(kind, rng)
    weights = rng.integers(0, 3, len(y))
    options = {"solver": solver, "shuffle": False, "batch_size": 999, "alpha": 0.3}
    if solver == "lbfgs":
        options |= {"tol": 1e-3, "n_iter_no_change": 3, "max_iter": 500}
    else:
        options |= {"l1": 0.001}
    repeated = network(kind, **options).fit(
        np.repeat(X, weights, axis=0), np.repeat(y, weights, axis=0)
    )
    weighted = network(kind, **options).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(
        outputs(weighted, X), outputs(repeated, X), rtol=1e-4, atol=1e-6
    )


def test_rates_fall_with_the_weight_of_rows(rng):
    """A row of weight 2 counts as two, one of weight 0 as none."""
    X, y = data("number", rng)
    weights = rng.integers(0, 3, len(y))
    model = network("number", learning_rate="invscaling", max_iter=3)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, weights)
    expected = 1e-3 / np.sqrt(np.arange(3) * weights.sum() + 1.0)
    np.testing.assert_allclose(model.history_["learning_rate"], expected)


@two_kinds
def test_rows_of_weight_zero_are_absent(kind, rng):
    X, y = data(kind, rng)
    X = np.vstack([X, 1e3 * X[:5]])
    weights = np.r_[np.ones(60), np.zeros(5)]
    extra = np.full((5, *y.shape[1:]), 99)
    everything = np.concatenate([y, extra])
    for options in ({}, {"early_stopping": True}):
        model = network(kind, **options).fit(X, everything, sample_weight=weights)
        same_fit(model, network(kind, **options).fit(X[:60], y, np.ones(60)))


@two_kinds
def test_order_of_rows_does_not_matter_to_all_of_them(kind, rng):
    X, y = data(kind, rng)
    order = rng.permutation(len(y))
    a = network(kind, batch_size=60, **SPARSE).fit(X, y)
    b = network(kind, batch_size=60, **SPARSE).fit(X[order], y[order])
    same_fit(a, b, rtol=1e-6, atol=1e-9)


@two_kinds
@pytest.mark.parametrize("options", [{}, {"group_l1": 0.003}, {"solver": "sgd"}])
def test_same_bits_for_any_number_of_threads(kind, options, rng):
    X, y = data(kind, rng, n_rows=1200)
    fits = [
        network(kind, batch_size=300, max_iter=2, n_jobs=n, **SPARSE, **options)
        for n in (1, 2)
    ]
    one, two = (model.fit(X, y) for model in fits)
    same_fit(one, two)
    np.testing.assert_array_equal(outputs(one, X), outputs(two, X))


@two_kinds
def test_predictions_do_not_depend_on_other_rows(kind, rng):
    X, y = data(kind, rng)
    model = network(kind).fit(X, y)
    expected = outputs(model, X)
    np.testing.assert_array_equal(outputs(model, X[17:18]), expected[17:18])
    np.testing.assert_array_equal(outputs(model, X[::-1])[::-1], expected)


@every_kind
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_chain_of_partial_fits_is_one_pass(kind, solver, rng):
    X, y = data(kind, rng)
    options = {"solver": solver, "shuffle": False, "max_iter": 1, **SPARSE}
    options |= {"learning_rate": "constant", "batch_size": 10}
    with pytest.warns(ConvergenceWarning):
        whole = network(kind, **options).fit(X, y)
    known = {"classes": np.unique(y)} if kind in ("binary", "multiclass") else {}
    model = network(kind, **options)
    for start in range(0, 60, 20):
        rows = slice(start, start + 20)
        model.partial_fit(X[rows], y[rows], **known)
        model = pickle.loads(pickle.dumps(model))
    same_fit(model, whole)
    assert model.n_iter_ == 3
    assert np.mean(model.loss_curve_) == pytest.approx(whole.loss_curve_[0])


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_partial_fit_goes_on_after_fit(learning_rate, rng):
    """A fit of two epochs and a call of partial_fit are a fit of three."""
    X, y = data("number", rng)
    options = {"learning_rate": learning_rate, **SPARSE}
    two, three = (network("number", max_iter=n, **options) for n in (2, 3))
    for model in (two, three):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)
    same_fit(two.partial_fit(X, y), three)
    assert two.loss_curve_ == three.loss_curve_
    assert two.history_["learning_rate"] == three.history_["learning_rate"]


def test_weights_that_others_set_are_gone_on_from(rng):
    X, y = data("number", rng)
    a, b = (network("number", shuffle=False).fit(X, y) for _ in range(2))
    a.coefs_ = [2.0 * w for w in a.coefs_]
    expected = a.predict(X)
    a.partial_fit(X, y)
    assert a.loss_curve_[-1] == pytest.approx(
        0.5 * np.mean((expected - y) ** 2), rel=0.3
    )
    assert abs(a.coefs_[0] - b.coefs_[0]).max() > 0.1


@pytest.mark.parametrize("kind", ["multiclass", "numbers", "labels"])
def test_early_stopping_keeps_the_best_epoch(kind, rng):
    X, y = data(kind, rng, n_rows=200)
    options = {"early_stopping": True, "validation_fraction": 0.3, "max_iter": 30}
    options |= {"learning_rate_init": 0.05, "n_iter_no_change": 5}
    options |= {"learning_rate": "constant", "max_iter": 60}
    model = network(kind, **options).fit(X, y)
    scores = model.validation_scores_
    assert model.best_validation_score_ == max(scores)
    assert model.best_epoch_ == 1 + int(np.argmax(scores))
    assert model.best_epoch_ < model.n_iter_
    assert model.best_loss_ is None
    assert model.loss_ == model.loss_curve_[model.best_epoch_ - 1]
    shorter = clone(model).set_params(max_iter=model.best_epoch_)
    with pytest.warns(ConvergenceWarning):
        shorter.fit(X, y)
    same_fit(shorter, model)


def test_classes_are_weighed(rng):
    X, y = data("multiclass", rng)
    weights = rng.uniform(0.5, 2.0, 60)
    factors = {3: 2.0, 5: 0.5, 7: 3.0}
    expected = network("multiclass").fit(X, y, weights * [factors[c] for c in y])
    model = network("multiclass", class_weight=factors).fit(X, y, weights)
    same_fit(model, expected)
    counts = {c: 60 / (3 * np.sum(y == c)) for c in (3, 5, 7)}
    model = network("multiclass", class_weight="balanced").fit(X, y)
    same_fit(model, network("multiclass", class_weight=counts).fit(X, y), rtol=1e-9)
    with pytest.raises(ValueError, match="leave no row any weight"):
        network("multiclass", class_weight={3: 0, 5: 0, 7: 0}).fit(X, y)
    with pytest.raises(ValueError, match="partial_fit sees some"):
        model.partial_fit(X, y)
    # A class of no weight is none.
    model = network("multiclass", class_weight={3: 0}).fit(X, y)
    np.testing.assert_array_equal(model.classes_, [5, 7])
    same_fit(model, network("multiclass").fit(X[y > 3], y[y > 3]), rtol=1e-12)
    X, y = data("labels", rng)
    with pytest.raises(ValueError, match="class_weight='balanced' is for classes"):
        network("labels", class_weight="balanced").fit(X, y)
    with pytest.raises(ValueError, match="class 1 has -1"):
        network("binary", class_weight={0: 1, 1: -1}).fit(X, y[:, 0])


@every_kind
def test_probabilities_and_decisions_agree(kind, rng):
    X, y = data(kind, rng)
    model = network(kind, max_iter=30, learning_rate_init=0.02).fit(X, y)
    score = model.score(X, y)
    assert score > (0.5 if kind != "labels" else 0.3)
    if kind.startswith("number"):
        assert model.predict(X).shape == y.shape
        return
    p, z = model.predict_proba(X), model.decision_function(X)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p)
    if kind == "labels":
        np.testing.assert_array_equal(model.predict(X), p > 0.5)
        np.testing.assert_array_equal(model.predict(X), z > 0.0)
        return
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    np.testing.assert_allclose(z, np.log(p[:, 1] / p[:, 0]) if kind == "binary" else z)


def test_log_probabilities_far_from_the_boundary_are_finite(rng):
    X, y = data("binary", rng)
    model = network("binary", activation="identity").fit(X, y)
    logs = model.predict_log_proba(1e6 * X)
    assert np.isfinite(logs).all()
    assert logs.min() < -1e3


# -- what goes wrong --------------------------------------------------------------


def everything(model):
    return {k: repr(v) for k, v in vars(model).items()}


@two_kinds
def test_an_interrupted_fit_changes_nothing(kind, rng, monkeypatch):
    X, y = data(kind, rng)
    fresh, fitted = network(kind), network(kind).fit(X, y)
    before = everything(fresh), everything(fitted)
    n_epochs = []

    def interrupt(self, run):
        n_epochs.append(1)
        if len(n_epochs) == 2:
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(PenalisedLearner, "end_epoch", interrupt)
    for model in (fresh, fitted):
        n_epochs.clear()
        with pytest.raises(KeyboardInterrupt):
            model.fit(X[:, :4], y)
    n_epochs[:] = [1]
    with pytest.raises(KeyboardInterrupt):
        fitted.partial_fit(X, y)
    assert (everything(fresh), everything(fitted)) == before
    with pytest.raises(NotFittedError):
        fresh.predict(X)


@two_kinds
def test_a_bad_batch_changes_nothing(kind, rng):
    X, y = data(kind, rng)
    model = network(kind).fit(X, y)
    before = everything(model)
    bad = X.copy()
    bad[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(bad, y)
    with pytest.raises(ValueError, match="features"):
        model.partial_fit(X[:, 1:], y)
    early = clone(model).set_params(early_stopping=True)
    known = {"classes": [3, 5, 7]} if kind == "multiclass" else {}
    with pytest.raises(ValueError, match="early_stopping=False"):
        early.partial_fit(X, y, **known)
    if kind == "numbers":
        with pytest.raises(ValueError, match="y has 1 columns"):
            model.partial_fit(X, y[:, 0])
    else:
        with pytest.raises(ValueError, match="y has a class"):
            model.partial_fit(X, y + 1)
        with pytest.raises(ValueError, match="are not those of the first call"):
            model.partial_fit(X, y, classes=[3, 5])
    assert everything(model) == before


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"solver": "lbfgs", "l1": 0.1}, "l1=0.1"),
        ({"solver": "lbfgs", "group_l1": 0.1}, "group_l1=0.1"),
        ({"hidden_layer_sizes": (3, 0)}, "has 0"),
        ({"hidden_layer_sizes": (2.5,)}, "has 2.5"),
        ({"activation": "step"}, "'activation'"),
        ({"l1": -1.0}, "'l1'"),
        ({"batch_size": 0}, "'batch_size'"),
        ({"learning_rate_init": 1e30, "solver": "sgd"}, "learning_rate_init"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_errors_name_the_parameter(options, match, rng):
    X, y = data("number", rng)
    model = network("number")
    with pytest.raises(ValueError, match=match):
        model.set_params(**options).fit(X, y)
    assert not hasattr(model, "coefs_")


def test_targets_that_make_no_sense(rng):
    X, y = data("multiclass", rng)
    model = network("multiclass")
    with pytest.raises(ValueError, match="one class: \\[3\\]"):
        model.fit(X, np.full(60, 3))
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="several columns"):
        model.fit(X, rng.integers(0, 3, (60, 2)))
    with pytest.raises(ValueError, match="classes has to be given"):
        model.partial_fit(X, y)
    with pytest.raises(AttributeError, match="partial_fit"):
        model.set_params(solver="lbfgs").partial_fit(X, y)
    with pytest.raises(ValueError, match="none of classes_"):
        network("multiclass").partial_fit(X, y, classes=[3, 5])
    model = network("multiclass", warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(4,\) makes layers"):
        model.set_params(hidden_layer_sizes=(4,)).fit(X, y)


def test_constant_and_tiny_data(rng):
    X, y = data("number", rng)
    options = {"max_iter": 300, "learning_rate_init": 0.05}
    model = network("number", **options).fit(X, np.full(60, 3.0))
    np.testing.assert_allclose(model.predict(X), 3.0, atol=0.05)
    model = network("number", **options).fit(X[:1], y[:1])
    np.testing.assert_allclose(model.predict(X[:1]), y[:1], atol=0.05)
    model = network("number").fit(np.zeros((5, 1)), np.arange(5.0))
    assert np.isfinite(model.predict([[1.0]])).all()


# -- parameters -------------------------------------------------------------------

ALIVE = {
    "hidden_layer_sizes": (3,),
    "activation": "tanh",
    "solver": "sgd",
    "alpha": 1.0,
    "l1": 0.01,
    "group_l1": 0.01,
    "refit_epochs": 2,
    "batch_size": 7,
    "learning_rate": "annealed",
    "learning_rate_init": 1e-2,
    "power_t": 0.1,
    "max_iter": 5,
    "max_time": 1e-9,
    "shuffle": False,
    "random_state": 1,
    "tol": 1e3,
    "early_stopping": True,
    "validation_fraction": 0.3,
    "beta_1": 0.5,
    "beta_2": 0.9,
    "epsilon": 0.1,
    "n_iter_no_change": 1,
    "momentum": 0.1,
    "nesterovs_momentum": False,
    "class_weight": {3: 5.0},
}
NEEDED = {
    "validation_fraction": {"early_stopping": True},
    "momentum": {"solver": "sgd"},
    "nesterovs_momentum": {"solver": "sgd"},
    "n_iter_no_change": {"tol": 1e3},
    "power_t": {"learning_rate": "invscaling"},
}


@pytest.mark.parametrize("name", ALIVE)
def test_every_parameter_is_alive(name, rng):
    X, y = data("multiclass", rng)
    options = {"learning_rate": "constant", **NEEDED.get(name, {})}

    def weights(**changed):
        model = SparseMLPClassifier(
            **{"hidden_layer_sizes": (5,), "batch_size": 16, "max_iter": 4}
            | {"random_state": 0, "tol": 0.0, "n_iter_no_change": 2, **options}
            | changed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X, y)
        return np.concatenate([w.ravel() for w in model.coefs_])

    before, after = weights(), weights(**{name: ALIVE[name]})
    assert before.shape != after.shape or not np.array_equal(before, after)


def test_the_table_of_parameters_is_whole():
    names = set(SparseMLPClassifier().get_params())
    # Of these other tests tell: bits do not change with n_jobs.
    assert names == set(ALIVE) | {"warm_start", "n_jobs"}
    assert names - {"class_weight"} == set(SparseMLPRegressor().get_params())


def test_warm_start_goes_on_from_the_weights(rng):
    X, y = data("number", rng)
    options = {"warm_start": True, "learning_rate": "constant", "shuffle": False}
    model = network("number", **options)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    first = model.loss_curve_
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    assert len(model.loss_curve_) == 8
    assert model.loss_curve_[0] < first[-1]


def test_no_time_is_one_epoch_at_most(rng):
    X, y = data("number", rng)
    model = network("number", max_time=1e-9, refit_epochs=5).fit(X, y)
    assert model.n_iter_ == 1
    assert len(model.history_["loss"]) == 1


def test_a_warning_says_what_to_do(rng):
    X, y = data("number", rng)
    model = network("number", learning_rate="constant")
    with pytest.warns(ConvergenceWarning, match="Raise max_iter or tol") as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_search_over_l1_in_a_pipeline():
    X, y = load_digits(n_class=3, return_X_y=True)
    model = SparseMLPClassifier((8,), max_iter=15, batch_size=32, random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {"sparsemlpclassifier__l1": [1e-3, 1e-2]}
    one, two = (GridSearchCV(pipeline, grid, cv=2, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )
    assert one.best_score_ > 0.9
    assert one.best_estimator_[-1].sparsity_ > 0.1
