"""Distilled weights: the formula, a strength that rows choose, and "pratt"."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor

from sparselearn._solvers._ridge_strengths import STRENGTHS, by_cross_validation
from sparselearn.pruning import Pruner, importance, prune
from sparselearn.pruning._refits._least_squares import RIDGE
from tests.reference import cross_validated_ridge

STORAGES = [np.asarray, sp.csr_array, sp.csc_array]


@pytest.fixture
def X(rng):
    """More features than rows, which go together, in units of their own."""
    hidden = rng.normal(size=(30, 4))
    X = hidden @ rng.normal(size=(4, 50)) + rng.normal(size=(30, 50))
    return X * rng.uniform(0.1, 10.0, size=50) + rng.normal(size=50)


@pytest.fixture
def y(X, rng):
    return X[:, 0] / X[:, 0].std() + X[:, 1] / X[:, 1].std() + rng.normal(size=len(X))


def strengths_for(a, ridge, weights):
    """In units of the mean eigenvalue of what the rows are to each other."""
    scaled = np.sqrt(weights)[:, None] * a / np.sqrt(ridge)
    return np.sum(scaled**2) / min(a.shape) * STRENGTHS


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("n_rows", [9, 25])
def test_strength_is_that_of_the_least_cross_validation_error(rng, n_rows, centred):
    a = rng.normal(size=(n_rows, 11)) + rng.normal(size=11)
    weights = rng.random(n_rows)
    weights[2] = 0.0
    weights /= weights.sum()
    # One that the inputs tell all of, one that they tell some of, and four of noise.
    residuals = a @ rng.normal(size=(11, 6)) * [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    residuals += rng.normal(size=(n_rows, 6)) * [0.0, 3.0, 1.0, 1.0, 1.0, 1.0]
    ridge = 0.1 + rng.random(11)
    mean = weights @ a if centred else np.zeros(11)
    if centred:
        residuals -= weights @ residuals
    options = {"centred": centred}
    delta, strengths = by_cross_validation(
        a, mean, weights, residuals, ridge, **options
    )
    assert np.unique(strengths).size > 1
    for k, r in enumerate(residuals.T):
        tried = strengths_for(a - mean, ridge, weights)
        wanted = cross_validated_ridge(a - mean, r, ridge, tried, weights, **options)
        np.testing.assert_allclose(strengths[k], wanted[1], rtol=1e-9)
        np.testing.assert_allclose(delta[:, k], wanted[0], rtol=1e-6, atol=1e-9)
    sparse = by_cross_validation(
        sp.csr_array(a), mean, weights, residuals, ridge, **options
    )
    np.testing.assert_allclose(sparse[0], delta, rtol=1e-7, atol=1e-10)


def test_nothing_to_fit_gives_nothing():
    a, weights = np.zeros((4, 2)), np.full(4, 0.25)
    delta, strengths = by_cross_validation(
        a, np.zeros(2), weights, np.ones((4, 1)), np.ones(2), centred=True
    )
    assert not delta.any()
    assert np.isinf(strengths).all()


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("storage", STORAGES)
def test_a_linear_model_is_the_formula(X, y, rng, storage, constant):
    weights = rng.random(len(X))
    model = Ridge(fit_intercept=constant).fit(X, y)
    options = {"sparsity": 0.8, "sample_weight": weights}
    found = prune(model, storage(X), refit="distill", **options)
    cut = prune(model, X, refit="none", **options)
    kept = cut.coef_ != 0.0
    np.testing.assert_array_equal(found.coef_ != 0.0, kept)
    weights /= weights.sum()
    a, w = X[:, kept], cut.coef_[kept]
    mean = weights @ a if constant else 0.0 * a[0]
    z = X @ model.coef_
    offset = weights @ z if constant else 0.0
    # Longer by the factor of least squares first.
    own = (a - mean) @ w
    w = w * ((weights * own) @ (z - offset)) / ((weights * own) @ own)
    ridge = RIDGE * (weights @ (a - mean) ** 2)
    delta, _ = cross_validated_ridge(
        a - mean,
        z - offset - (a - mean) @ w,
        ridge,
        strengths_for(a - mean, ridge, weights),
        weights,
        centred=constant,
    )
    np.testing.assert_allclose(found.coef_[kept], w + delta, rtol=1e-6)
    constants = model.intercept_ + offset - mean @ (w + delta)
    np.testing.assert_allclose(found.intercept_, constants, rtol=1e-6)


def test_what_the_kept_features_say_in_full_is_given_back(rng):
    """Twins of features that go: theirs is what is lost, to rounding."""
    X = rng.normal(size=(40, 3))
    X = np.column_stack([X, 2.0 * X + [0.0, 1.0, -5.0]])
    model = LinearRegression().fit(X[:, :3], X[:, 0])
    model.coef_ = np.array([3.0, 2.0, 4.0, 0.1, 0.2, -0.3])
    model.n_features_in_ = 6
    found = prune(model, X, sparsity=0.5, refit="distill")
    np.testing.assert_array_equal(np.flatnonzero(found.coef_), [0, 1, 2])
    z = X @ model.coef_ + model.intercept_
    np.testing.assert_allclose(found.predict(X), z, atol=1e-4 * z.std())


@pytest.mark.parametrize("storage", STORAGES)
def test_the_unit_of_a_feature_does_not_matter(X, y, storage):
    model = Ridge().fit(X, y)
    scale = 10.0 ** np.resize([-6.0, 0.0, 6.0], X.shape[1])
    other = Ridge().fit(X, y)
    other.coef_ = model.coef_ / scale
    options = {"criterion": "pratt", "refit": "distill", "schedule": "cubic"}
    pruned = prune(model, storage(X), sparsity=0.9, **options)
    moved = prune(other, storage(X * scale), sparsity=0.9, **options)
    np.testing.assert_allclose(moved.coef_ * scale, pruned.coef_, rtol=1e-6)
    np.testing.assert_allclose(moved.intercept_, pruned.intercept_, rtol=1e-6)


def test_dtype_is_kept_and_float32_agrees(X, y):
    model = Ridge().fit(X, y)
    small = Ridge().fit(X.astype(np.float32), y.astype(np.float32))
    options = {"criterion": "pratt", "refit": "distill", "n_nonzero_coefs": 5}
    found, wanted = (
        prune(m, rows, **options)
        for m, rows in ((small, X.astype(np.float32)), (model, X))
    )
    assert found.coef_.dtype == np.float32
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-3, atol=1e-5)


def test_classes_have_features_of_their_own(X, y):
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = LogisticRegression().fit(X / X.std(axis=0), labels)
    X = X / X.std(axis=0)
    found = prune(model, X, sparsity=0.9, criterion="pratt", refit="distill")
    folded = prune(model, X, sparsity=0.9, criterion="pratt", refit="fold")
    supports = found.coef_ != 0.0
    assert np.any(supports != supports[0])
    np.testing.assert_array_equal(supports, folded.coef_ != 0.0)
    z = model.decision_function(X)
    lost, left = (np.mean((m.decision_function(X) - z) ** 2) for m in (folded, found))
    assert left < 0.5 * lost


def test_pratt_sums_to_the_variance(X, y):
    """As signs have it: of a model whose every weight goes with its feature."""
    model = Ridge().fit(X, y)
    model.coef_ = np.cov(X.T, bias=True)[0]  # of one sign with the covariances
    z = X @ model.coef_
    covariances = (X - X.mean(axis=0)).T @ (z - z.mean()) / len(X)
    (values,) = importance(model, X, criterion="pratt")
    np.testing.assert_allclose(values, np.abs(model.coef_ * covariances), rtol=1e-9)
    np.testing.assert_allclose((model.coef_ * covariances).sum(), z.var(), rtol=1e-9)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_constant_feature_is_worth_nothing_to_pratt(rng, storage):
    X = np.column_stack([rng.normal(size=30), np.full(30, 0.1 + 1e6)])
    model = LinearRegression().fit(X, X[:, 0])
    model.coef_ = np.array([1.0, 1.0])
    (values,) = importance(model, storage(X), criterion="pratt")
    assert values[1] < 1e-8 * values[0]


def test_in_a_grid_and_by_parts(X, y):
    labels = y > np.median(y)
    pruner = Pruner(
        LogisticRegression(max_iter=1000), criterion="pratt", refit="distill"
    ).set_params(sparsity=0.9, schedule="cubic", n_steps=3)
    grid = GridSearchCV(pruner, {"estimator__C": [0.01, 1.0]}, cv=2)
    fitted = grid.fit(X / X.std(axis=0), labels).best_estimator_
    assert fitted.n_nonzero_coefs_ == 5
    by_feature = prune(
        fitted.unpruned_,
        X / X.std(axis=0),
        granularity="feature",
        n_nonzero_coefs=7,
        criterion="pratt",
        refit="distill",
    )
    assert np.count_nonzero(by_feature.coef_) == 7


def test_a_network_is_refused_by_name(rng):
    X = rng.normal(size=(20, 3))
    net = MLPRegressor(hidden_layer_sizes=(2,), max_iter=5000, solver="lbfgs")
    net.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="'distill' is for linear models; got MLPR"):
        prune(net, X, sparsity=0.5, refit="distill")
