"""`Pruner` prunes exactly, touches nothing that it is given, and works as any other."""

import copy
import pickle
import warnings
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import skops.io
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    Lars,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
)
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparselearn.pruning import Pruner, importance, prune
from sparselearn.pruning._criteria import CRITERIA, Criterion
from sparselearn.pruning._procedure import observe

ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)
CHECKED = [
    Pruner(Ridge(), sparsity=0.5, criterion="magnitude", scope="layer", refit="none"),
    Pruner(
        MLPRegressor(
            hidden_layer_sizes=(8,), solver="lbfgs", max_iter=40, random_state=0
        ),
        sparsity=0.5,
        criterion="lamp",
    ),
]


@parametrize_with_checks(CHECKED)
@ignore_convergence
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def X(rng):
    return rng.normal(loc=1.0, scale=[1.0, 3.0, 0.1, 1.0, 20.0, 1.0], size=(60, 6))


@pytest.fixture
def y(X, rng):
    return X @ [3.0, -1.0, 2.0, 0.0, 0.01, 0.4] + 0.1 * rng.normal(size=len(X))


@pytest.fixture
def network(X, y):
    """A small perceptron, fitted."""
    network = MLPRegressor(
        hidden_layer_sizes=(10, 5), solver="lbfgs", max_iter=60, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return network.fit(X, y)


def state(estimator):
    """Everything that an estimator holds, as a hash and as bytes."""
    return joblib.hash(estimator), pickle.dumps(estimator)


def weights_of(estimator):
    return getattr(estimator, "coefs_", None) or [estimator.coef_]


def intercepts_of(estimator):
    if hasattr(estimator, "intercepts_"):
        return estimator.intercepts_
    return [np.asarray(estimator.intercept_)]


# How much is pruned


@pytest.mark.parametrize("sparsity", [0.1, 0.25, 0.5, 0.77, 0.8])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_counts_are_exact(X, network, sparsity, scope):
    pruner = Pruner(
        FrozenEstimator(network), sparsity=sparsity, scope=scope, refit="none"
    ).fit(X)
    n_total = sum(W.size for W in network.coefs_)
    n_kept = n_total - round(sparsity * n_total)
    assert sum(mask.sum() for mask in pruner.masks_) == n_kept
    assert pruner.n_nonzero_coefs_ == n_kept
    assert pruner.sparsity_ == (n_total - n_kept) / n_total
    triples = zip(pruner.estimator_.coefs_, network.coefs_, pruner.masks_)
    for after, before, mask in triples:
        np.testing.assert_array_equal(after, np.where(mask, before, 0.0))


def test_scope_layer_prunes_every_layer_alike(X, network):
    pruner = Pruner(FrozenEstimator(network), sparsity=0.6, scope="layer").fit(X)
    for mask in pruner.masks_:
        assert abs(mask.sum() - 0.4 * mask.size) <= 1
    other = Pruner(FrozenEstimator(network), sparsity=0.6, scope="global").fit(X)
    assert any(np.any(a != b) for a, b in zip(pruner.masks_, other.masks_))


def test_zeros_of_the_fit_go_first(X, y):
    pruner = Pruner(Lasso(alpha=0.5), sparsity=0.3).fit(X, y)
    fitted = Lasso(alpha=0.5).fit(X, y)
    n_zero = np.count_nonzero(fitted.coef_ == 0)
    assert n_zero >= 2
    # They are more than were asked for: nothing else is cut.
    np.testing.assert_array_equal(pruner.estimator_.coef_, fitted.coef_)
    assert pruner.masks_[0].sum() == 6 - round(0.3 * 6)
    assert pruner.sparsity_ == n_zero / 6
    assert pruner.n_nonzero_coefs_ == 6 - n_zero


def test_equal_importances_keep_the_lower_index():
    X = np.vstack([np.eye(4), -np.eye(4)])
    model = LinearRegression().fit(X, X.sum(axis=1))
    model.coef_ = np.ones(4)
    for n in range(5):
        coef = prune(model, X, n_nonzero_coefs=n).coef_
        np.testing.assert_array_equal(coef, np.arange(4) < n)


@pytest.mark.parametrize("refit", ["fold", "none"])
def test_sparsity_zero_is_the_identity(X, y, network, refit):
    labels = y > np.median(y)
    negative_zero = Ridge().fit(X, y)
    negative_zero.intercept_ = -0.0
    for estimator, target in [
        (Ridge(), y),
        (FrozenEstimator(negative_zero), None),
        (Lasso(alpha=0.5), y),
        (LogisticRegression(max_iter=5000), labels),
        (FrozenEstimator(network), None),
    ]:
        pruner = Pruner(estimator, sparsity=0.0, refit=refit).fit(X, target)
        plain = clone(estimator).fit(X, target)
        plain = getattr(plain, "estimator", plain)
        for ours, theirs in zip(weights_of(pruner.estimator_), weights_of(plain)):
            assert ours.tobytes() == theirs.tobytes()
        for ours, theirs in zip(intercepts_of(pruner.estimator_), intercepts_of(plain)):
            assert ours.tobytes() == theirs.tobytes()
        assert all(mask.all() for mask in pruner.masks_)


@pytest.mark.filterwarnings("ignore:Pruning removed every weight:UserWarning")
def test_kept_at_high_sparsity_is_kept_at_low(X, network):
    for scope in ("global", "layer"):
        pruner = Pruner(FrozenEstimator(network), scope=scope)
        masks = [
            pruner.set_params(sparsity=sparsity).fit(X).masks_
            for sparsity in (0.99, 0.95, 0.8, 0.5, 0.2, 0.0)
        ]
        for fewer, more in pairwise(masks):
            for inner, outer in zip(fewer, more):
                assert np.all(outer[inner])


def test_a_network_cut_through_is_reported_once(X, network):
    with pytest.warns(UserWarning, match=r"every weight of coefs_\[0\]") as caught:
        Pruner(FrozenEstimator(network), n_nonzero_coefs=0).fit(X)
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(UserWarning, match="depend on X") as caught:
        prune(network, X, n_nonzero_coefs=0)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_linear_model_may_be_emptied(X, y):
    pruner = Pruner(Ridge(), n_nonzero_coefs=0).fit(X, y)
    assert pruner.sparsity_ == 1.0
    assert pruner.threshold_ == np.inf
    assert pruner.get_support(indices=True).size == 0
    np.testing.assert_allclose(pruner.predict(X), y.mean())


def test_counts_beyond_the_weights_keep_all(X, y):
    pruner = Pruner(Ridge(), n_nonzero_coefs=1000).fit(X, y)
    np.testing.assert_array_equal(pruner.estimator_.coef_, Ridge().fit(X, y).coef_)


def test_threshold_selects_by_importance(X, y):
    (values,) = importance(Ridge().fit(X, y), X)
    limit = np.sort(values)[2]
    pruner = Pruner(Ridge(), threshold=limit).fit(X, y)
    np.testing.assert_array_equal(pruner.masks_[0], values >= limit)
    np.testing.assert_array_equal(pruner.importances_[0], values)
    assert pruner.threshold_ == limit
    # The threshold of a count gives the same, where nothing ties.
    counted = Pruner(Ridge(), n_nonzero_coefs=4).fit(X, y)
    assert counted.threshold_ == limit
    np.testing.assert_array_equal(counted.masks_[0], pruner.masks_[0])


def test_half_is_pruned_unless_told(X, y):
    assert np.count_nonzero(prune(Ridge().fit(X, y), X).coef_ == 0) == 3


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"sparsity": 0.5, "threshold": 0.1}, r"sparsity=0.5, threshold=0.1"),
        ({"sparsity": 0.5, "n_nonzero_coefs": 3}, "Give one of"),
        ({"sparsity": 1.0}, "sparsity"),
        ({"sparsity": -0.1}, "sparsity"),
        ({"n_nonzero_coefs": -1}, "n_nonzero_coefs"),
        ({"n_nonzero_coefs": 0.5}, "n_nonzero_coefs"),
        ({"threshold": "mean"}, "threshold"),
        ({"criterion": "best"}, "criterion"),
        ({"scope": "row"}, "scope"),
        ({"refit": "lasso"}, "refit"),
    ],
)
def test_wrong_parameters_are_named(X, y, params, message):
    with pytest.raises(ValueError, match=message):
        Pruner(Ridge(), **params).fit(X, y)
    with pytest.raises(ValueError, match=message):
        prune(Ridge().fit(X, y), X, **params)


# What is pruned


def test_units_of_features_do_not_matter(X, y, rng):
    scale = 10.0 ** rng.uniform(-6, 6, size=X.shape[1])
    model = LinearRegression().fit(X, y)
    scaled = copy.deepcopy(model)
    scaled.coef_ = model.coef_ / scale
    for sparsity in (0.2, 0.4, 0.6, 0.8):
        ours = prune(model, X, sparsity=sparsity)
        theirs = prune(scaled, X * scale, sparsity=sparsity)
        np.testing.assert_array_equal(theirs.coef_ == 0, ours.coef_ == 0)
        np.testing.assert_allclose(
            theirs.predict(X * scale), ours.predict(X), rtol=1e-9
        )
    # By raw coefficients the order is another.
    assert np.any(np.argsort(np.abs(scaled.coef_)) != np.argsort(np.abs(model.coef_)))


@pytest.mark.parametrize("estimator", [Ridge(), LogisticRegression(C=0.5, tol=1e-10)])
def test_sparse_equals_dense(X, y, rng, estimator):
    X = np.where(rng.random(X.shape) < 0.5, 0.0, X)
    target = y > np.median(y) if is_classifier(estimator) else y
    estimator = clone(estimator).set_params(
        **(
            {"solver": "sparse_cg", "tol": 1e-12}
            if not is_classifier(estimator)
            else {}
        )
    )
    dense = Pruner(estimator, sparsity=0.5).fit(X, target)
    for storage in (sp.csr_array, sp.csc_array):
        sparse = Pruner(estimator, sparsity=0.5).fit(storage(X), target)
        np.testing.assert_array_equal(sparse.masks_[0], dense.masks_[0])
        method = "predict_proba" if is_classifier(estimator) else "predict"
        np.testing.assert_allclose(
            getattr(sparse, method)(storage(X)), getattr(dense, method)(X), rtol=1e-5
        )


def test_weights_equal_repeated_rows(X, y, rng):
    counts = rng.integers(0, 4, size=len(X))
    repeated = [np.repeat(a, counts, axis=0) for a in (X, y)]
    ours = Pruner(Ridge()).fit(X, y, sample_weight=counts)
    theirs = Pruner(Ridge()).fit(*repeated)
    np.testing.assert_array_equal(ours.masks_[0], theirs.masks_[0])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    assert ours.score(X, y, sample_weight=counts) == pytest.approx(
        theirs.score(*repeated), rel=1e-12
    )
    unweighted = Pruner(Ridge()).fit(X, y)
    assert not np.allclose(ours.predict(X), unweighted.predict(X), rtol=1e-9)


@ignore_convergence
def test_magnitude_beats_chance_on_digits(monkeypatch):
    X, y = load_digits(return_X_y=True)
    X = X / 16.0
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:1200], order[1200:]
    network = MLPClassifier(hidden_layer_sizes=(32,), random_state=0, max_iter=60)
    frozen = FrozenEstimator(network.fit(X[train], y[train]))
    pruner = Pruner(frozen, sparsity=0.6, criterion="magnitude", refit="fold")
    by_magnitude = pruner.fit(X[train]).score(X[test], y[test])

    def by_chance(blocks, data, shuffle):
        values = magnitude(blocks, data)
        return [shuffle.permuted(v.ravel()).reshape(v.shape) for v in values]

    magnitude = CRITERIA["magnitude"].element
    shuffled = []
    for seed in range(3):
        shuffle = np.random.default_rng(seed)
        monkeypatch.setitem(
            CRITERIA,
            "magnitude",
            Criterion(lambda blocks, data, by=shuffle: by_chance(blocks, data, by)),
        )
        shuffled.append(pruner.fit(X[train]).score(X[test], y[test]))
    assert by_magnitude > 0.9
    assert by_magnitude > max(shuffled) + 0.15


# What is not touched


def test_frozen_estimators_stay(X, y, network):
    scaled = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    half_frozen = make_pipeline(
        StandardScaler(), FrozenEstimator(Ridge().fit(scaled[:-1].transform(X), y))
    )
    for estimator in (
        FrozenEstimator(network),
        FrozenEstimator(Ridge().fit(X, y)),
        FrozenEstimator(scaled),
        half_frozen,
    ):
        before = state(estimator)
        pruner = Pruner(estimator, sparsity=0.5).fit(X, y)
        assert pruner.sparsity_ >= 0.5
        # In this process, where all candidates and folds share the frozen estimator.
        GridSearchCV(pruner, {"sparsity": [0.2, 0.7]}).fit(X, y)
        assert state(estimator) == before


def test_the_fitted_weights_of_a_frozen_estimator_are_kept(X, y):
    model = Ridge().fit(X[:30], y[:30])
    pruner = Pruner(FrozenEstimator(model), sparsity=0.5).fit(X[30:])
    mask = pruner.masks_[0]
    np.testing.assert_array_equal(pruner.estimator_.coef_[mask], model.coef_[mask])
    assert type(pruner.estimator_) is Ridge


def test_estimators_data_and_weights_stay(X, y, rng):
    weight = rng.random(len(X))
    estimator = Ridge()
    before = state([estimator, X, y, weight])
    Pruner(estimator).fit(X, y, sample_weight=weight)
    assert state([estimator, X, y, weight]) == before
    assert not hasattr(estimator, "coef_")


def test_prune_copies(X, y, network):
    ridge = Ridge().fit(X, y)
    for model in (ridge, network, FrozenEstimator(ridge), make_pipeline(ridge)):
        before = state(model)
        prune(model, X, sparsity=0.5)
        assert state(model) == before


def test_prune_and_Pruner_agree(X, y):
    pipeline = make_pipeline(MaxAbsScaler(), Ridge()).fit(X, y)
    predictions = []
    for refit in ("fold", "none"):
        pruner = Pruner(pipeline, sparsity=0.7, refit=refit).fit(X, y)
        pruned = prune(pipeline, X, sparsity=0.7, refit=refit)
        np.testing.assert_array_equal(pruned.predict(X), pruner.predict(X))
        predictions.append(pruner.predict(X))
    assert not np.allclose(*predictions)
    (values,) = importance(pipeline, X)
    np.testing.assert_array_equal(values, pruner.importances_[0])


def test_a_failed_fit_leaves_the_last_one(X, y):
    pruner = Pruner(Ridge()).fit(X, y)
    expected = pruner.predict(X)
    with pytest.raises(ValueError, match="NaN"):
        pruner.fit(np.full_like(X, np.nan), y)
    np.testing.assert_array_equal(pruner.predict(X), expected)


# As a scikit-learn estimator


def test_fitted_estimator_works_without_us(X, y):
    pruner = Pruner(Ridge()).fit(X, y)
    assert type(pruner.estimator_) is Ridge
    assert "sparselearn" not in str(pickle.dumps(pruner.estimator_))
    np.testing.assert_array_equal(pruner.estimator_.predict(X), pruner.predict(X))


def test_features_by_name_and_index(X, y):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    pruner = Pruner(Ridge(), n_nonzero_coefs=3).fit(frame, y)
    mask = pruner.get_support()
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, pruner.estimator_.coef_ != 0)
    np.testing.assert_array_equal(np.flatnonzero(mask), pruner.support_)
    np.testing.assert_array_equal(pruner.get_support(indices=True), pruner.support_)
    assert list(pruner.feature_names_in_) == list("abcdef")
    assert pruner.n_features_in_ == 6


def test_support_of_a_network_is_that_of_its_first_layer(X, network):
    network = copy.deepcopy(network)
    network.coefs_[0][3] *= 1e-9
    pruner = Pruner(FrozenEstimator(network), sparsity=0.3).fit(X)
    np.testing.assert_array_equal(pruner.support_, [0, 1, 2, 4, 5])
    np.testing.assert_array_equal(pruner.get_support(), np.arange(6) != 3)


def test_methods_and_tags_are_those_of_the_estimator(X, y):
    labels = y > np.median(y)
    classifier = Pruner(LogisticRegression()).fit(X, labels)
    for method in (
        "predict",
        "predict_proba",
        "predict_log_proba",
        "decision_function",
    ):
        np.testing.assert_array_equal(
            getattr(classifier, method)(X), getattr(classifier.estimator_, method)(X)
        )
    np.testing.assert_array_equal(classifier.classes_, [False, True])
    assert classifier.score(X, labels) == classifier.estimator_.score(X, labels)
    assert is_classifier(classifier)
    regressor = Pruner(Ridge())
    assert is_regressor(regressor)
    assert not is_classifier(regressor)
    for method in ("predict_proba", "decision_function", "transform", "classes_"):
        assert not hasattr(regressor, method)
        assert not hasattr(regressor.fit(X, y), method)
    assert get_tags(Pruner(Lars())).input_tags.sparse is False
    assert get_tags(Pruner(Ridge())).input_tags.sparse is True
    assert get_tags(Ridge()).array_api_support
    assert not get_tags(Pruner(Ridge())).array_api_support


def test_unfitted():
    pruner = Pruner(Ridge())
    for call in (lambda: pruner.predict([[1.0]]), pruner.get_support):
        with pytest.raises(NotFittedError):
            call()
    for name in ("n_features_in_", "feature_names_in_", "classes_"):
        assert not hasattr(pruner, name)


@pytest.mark.parametrize("fitted", [False, True])
def test_clone_and_pickle(X, y, network, tmp_path, fitted):
    for estimator in (Ridge(), make_pipeline(StandardScaler(), Ridge())):
        pruner = Pruner(estimator, sparsity=0.25, scope="layer", refit="none")
        if fitted:
            pruner.fit(X, y)
        for name, value in clone(pruner).get_params(deep=False).items():
            if name != "estimator":
                assert value == getattr(pruner, name)
        joblib.dump(pruner, tmp_path / "pruner")
        dumped = skops.io.dumps(pruner)
        trusted = skops.io.get_untrusted_types(data=dumped)
        assert trusted in ([], ["sparselearn.pruning._pruner.Pruner"])
        for copied in (
            clone(pruner),
            copy.deepcopy(pruner),
            pickle.loads(pickle.dumps(pruner)),
            joblib.load(tmp_path / "pruner"),
            skops.io.loads(dumped, trusted=trusted),
        ):
            if not hasattr(copied, "estimator_"):
                copied.fit(X, y)
            again = clone(pruner).fit(X, y)
            np.testing.assert_array_equal(copied.predict(X), again.predict(X))
            np.testing.assert_array_equal(copied.masks_[0], again.masks_[0])
            np.testing.assert_array_equal(copied.get_support(), again.get_support())


def test_search_over_sparsity_in_a_pipeline():
    X, y = load_diabetes(return_X_y=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("prune", Pruner(Ridge()))])
    grid = {"prune__sparsity": [0.0, 0.3, 0.9], "prune__estimator__alpha": [1.0, 1e5]}
    search = GridSearchCV(pipeline, grid, n_jobs=2).fit(X, y)
    best = search.best_estimator_["prune"]
    assert best.sparsity_ == search.best_params_["prune__sparsity"]
    assert (
        best.estimator_.alpha == search.best_params_["prune__estimator__alpha"] == 1.0
    )
    scores = search.cv_results_["mean_test_score"]
    by_params = {
        tuple(params.values()): score
        for params, score in zip(search.cv_results_["params"], scores)
    }
    assert by_params[1.0, 0.3] > by_params[1.0, 0.9] + 0.05
    counts = GridSearchCV(pipeline, {"prune__n_nonzero_coefs": [3, 99]}).fit(X, y)
    assert np.isfinite(counts.cv_results_["mean_test_score"]).all()


def test_set_params_reaches_the_estimator(X, y):
    pruner = Pruner(Ridge()).set_params(estimator__alpha=1e9)
    assert np.abs(pruner.fit(X, y).estimator_.coef_).max() < 1e-3


def test_pipeline_inside(X, y):
    names = list("abcdef")
    frame = pd.DataFrame(X, columns=names)
    for estimator in (
        make_pipeline(StandardScaler(), Ridge()),
        make_pipeline("passthrough", make_pipeline(StandardScaler(), Ridge())),
        make_pipeline(StandardScaler(), None, "passthrough", Ridge()),
    ):
        pruner = Pruner(estimator, n_nonzero_coefs=2).fit(frame, y)
        plain = clone(estimator).fit(frame, y)
        inner = pruner.estimator_
        while isinstance(inner, Pipeline):
            inner, plain = inner[-1], plain[-1]
        # Of scaled features the coefficients themselves are the importances.
        np.testing.assert_allclose(pruner.importances_[0], np.abs(plain.coef_))
        np.testing.assert_array_equal(
            inner.coef_, np.where(pruner.masks_[0], plain.coef_, 0.0)
        )
        np.testing.assert_allclose(inner.intercept_, plain.intercept_)
        np.testing.assert_allclose(pruner.predict(frame).mean(), y.mean())
        if estimator.steps[0][1] != "passthrough":
            assert list(pruner.feature_names_in_) == names


# Metadata


@pytest.fixture
def weight(X, rng):
    return rng.random(len(X)) ** 4


def weighted(pruner, X, y, weight):
    """Whether the fit, and whether the calibration, of `pruner` used the weights."""
    model = pruner.estimator_
    model = model[-1] if isinstance(model, Pipeline) else model
    mask = pruner.masks_[0]
    fits = {
        used: np.allclose(model.coef_, np.where(mask, Ridge().fit(X, y, w).coef_, 0.0))
        for used, w in ((True, weight), (False, None))
    }
    assert sum(fits.values()) == 1
    fitted = Ridge().fit(X, y, weight if fits[True] else None)
    calibrations = {
        used: np.allclose(pruner.importances_, importance(fitted, X, sample_weight=w))
        for used, w in ((True, weight), (False, None))
    }
    assert sum(calibrations.values()) == 1
    return fits[True], calibrations[True]


def test_weights_without_routing(X, y, weight):
    both = (True, True)
    pipeline = make_pipeline("passthrough", make_pipeline("passthrough", Ridge()))
    pruner = Pruner(Ridge()).fit(X, y)
    assert weighted(pruner, X, y, weight) == (False, False)
    assert weighted(pruner.fit(X, y, weight), X, y, weight) == both
    pruner = Pruner(pipeline[-1])
    assert weighted(pruner.fit(X, y, sample_weight=weight), X, y, weight) == both
    pruner.fit(X, y, ridge__sample_weight=weight)
    assert weighted(pruner, X, y, weight) == both
    nested = Pruner(pipeline).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(nested.predict(X), pruner.predict(X))
    frozen = Pruner(FrozenEstimator(Ridge().fit(X, y)))
    assert weighted(frozen.fit(X, y, weight), X, y, weight) == (False, True)
    with pytest.raises(TypeError, match="sample_weight"):
        Pruner(Lars()).fit(X, y, sample_weight=weight)


def test_weights_with_routing(X, y, weight):
    with config_context(enable_metadata_routing=True):
        asking = Ridge().set_fit_request(sample_weight=True)
        pruner = Pruner(asking).fit(X, y, sample_weight=weight)
        assert weighted(pruner, X, y, weight) == (True, True)
        pruner = Pruner(Ridge().set_fit_request(sample_weight=False))
        pruner.fit(X, y, sample_weight=weight)
        assert weighted(pruner, X, y, weight) == (False, True)
        pruner = Pruner(Ridge().set_fit_request(sample_weight="w"))
        assert weighted(pruner.fit(X, y, w=weight), X, y, weight) == (True, False)
        frozen = Pruner(FrozenEstimator(Ridge().fit(X, y)))
        frozen.fit(X, y, sample_weight=weight)
        assert weighted(frozen, X, y, weight) == (False, True)
        pipeline = Pruner(make_pipeline("passthrough", asking))
        pipeline.fit(X, y, sample_weight=weight)
        assert weighted(pipeline, X, y, weight) == (True, True)
        with pytest.raises(UnsetMetadataPassedError, match=r"Ridge\.fit"):
            Pruner(Ridge()).fit(X, y, sample_weight=weight)
        with pytest.raises(TypeError, match="speed"):
            Pruner(asking).fit(X, y, speed=3)


def test_weights_are_routed_through_a_search(X, y, weight):
    with config_context(enable_metadata_routing=True):
        asking = Ridge().set_fit_request(sample_weight=True)
        scoring = get_scorer("r2").set_score_request(sample_weight=True)
        pruner = Pruner(asking).set_fit_request(sample_weight=True)
        for estimator, name in (
            (pruner, "sparsity"),
            (make_pipeline("passthrough", pruner), "pruner__sparsity"),
        ):
            search = GridSearchCV(estimator, {name: [0.5]}, scoring=scoring)
            best = search.fit(X, y, sample_weight=weight).best_estimator_
            best = best[-1] if isinstance(best, Pipeline) else best
            assert weighted(best, X, y, weight) == (True, True)
        search = GridSearchCV(Pruner(asking), {"sparsity": [0.5]}, scoring=scoring)
        with pytest.raises(UnsetMetadataPassedError, match=r"Pruner\.fit"):
            search.fit(X, y, sample_weight=weight)


def test_score_weights(X, y, weight):
    plain = Pruner(Ridge()).fit(X, y)
    expected = plain.estimator_.score(X, y, sample_weight=weight)
    assert plain.score(X, y, sample_weight=weight) == expected
    assert plain.score(X, y) != expected
    with config_context(enable_metadata_routing=True):
        routed = Pruner(Ridge().set_score_request(sample_weight=True)).fit(X, y)
        assert routed.score(X, y, sample_weight=weight) == expected
        renamed = Pruner(Ridge().set_score_request(sample_weight="w")).fit(X, y)
        assert renamed.score(X, y, w=weight) == expected
        with pytest.raises(UnsetMetadataPassedError):
            Pruner(Ridge()).fit(X, y).score(X, y, sample_weight=weight)


# Calibration


def test_calibration_on_a_sample(X, y, weight):
    frozen = FrozenEstimator(Ridge().fit(X, y))
    everything = Pruner(frozen, calibration_size=None).fit(X, y, weight)
    at_least = Pruner(frozen, calibration_size=len(X)).fit(X, y, weight)
    sample = Pruner(frozen, calibration_size=20, random_state=0).fit(X, y, weight)
    again = Pruner(frozen, calibration_size=20, random_state=0).fit(X, y, weight)
    np.testing.assert_array_equal(again.importances_, sample.importances_)
    np.testing.assert_array_equal(at_least.importances_, everything.importances_)
    assert not np.allclose(sample.importances_, everything.importances_)
    subject = observe(frozen.estimator, X, y, weight, size=20)
    rows = [np.flatnonzero((row == X).all(axis=1)).item() for row in subject.data.X]
    np.testing.assert_array_equal(subject.data.y, y[rows])
    np.testing.assert_allclose(subject.data.weights, weight[rows] / weight[rows].sum())
    for found, given in zip(subject.data.training(), (X, y, weight)):
        assert found is given
