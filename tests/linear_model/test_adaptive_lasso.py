"""AdaptiveLasso: a pilot, then a Lasso with the weights that it gives."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import centred, coordinate_descent, sparse_regression
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparselearn.linear_model import AdaptiveLasso, Lasso

STORAGES = {"dense": np.asarray, "csr": sp.csr_array}
each_storage = pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
each_pilot = pytest.mark.parametrize("pilot", ["ols", "ridge", "lasso"])


@pytest.fixture(params=[(60, 12), (25, 40)], ids=str)
def data(request, rng):
    return sparse_regression(rng, *request.param)


@pytest.fixture
def weights(data, rng):
    weights = rng.uniform(0.1, 2.0, data[1].size)
    weights[:3] = 0.0
    return weights


@each_storage
@each_pilot
@pytest.mark.parametrize("positive", [False, True])
def test_the_second_stage_is_a_lasso(data, weights, storage, pilot, positive):
    X, y = data
    options = {"alpha": 0.05, "positive": positive, "tol": 1e-13}
    model = AdaptiveLasso(pilot=pilot, **options).fit(storage(X), y, weights)
    lasso = Lasso(penalty_weights=model.penalty_weights_, **options)
    lasso.fit(storage(X), y, weights)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-9)
    assert model.intercept_ == pytest.approx(lasso.intercept_)
    assert model.objective_ == pytest.approx(lasso.objective_)
    assert model.dual_gap_ <= 1e-13 * y.var()
    assert 0 < model.n_nonzero_coefs_ < X.shape[1]


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_both_stages_by_hand(gamma, rng):
    """Zou's, on features of unit variance."""
    X, y = sparse_regression(rng, 60, 12)
    _, Xc = centred(X, np.full(60, 1 / 60), True)
    scale = Xc.std(axis=0)
    Z, yc = Xc / scale, y - y.mean()
    pilot = np.abs(np.linalg.lstsq(Z, yc)[0])
    model = AdaptiveLasso(0.05, gamma=gamma, tol=1e-13).fit(X, y)
    l1 = 0.05 * (pilot.max() / pilot) ** gamma
    slow = coordinate_descent(Z, yc, np.full(60, 1 / 60), l1, np.zeros(12))
    np.testing.assert_allclose(model.coef_ * scale, slow, atol=1e-7)
    np.testing.assert_allclose(model.penalty_weights_, l1 / 0.05 * scale, rtol=1e-9)


@each_pilot
@each_storage
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_units_do_not_matter(data, storage, pilot, scale):
    """alpha is in units of y, whatever those of X or of a single column are."""
    X, y = data
    p = X.shape[1]
    model = AdaptiveLasso(0.1, gamma=1.5, pilot=pilot, tol=1e-12)
    expected = model.fit(storage(X), y).coef_
    tolerance = 1e-5 * np.max(np.abs(expected))
    on_y = clone(model).set_params(alpha=0.1 * scale).fit(storage(X), y * scale)
    np.testing.assert_allclose(on_y.coef_ / scale, expected, atol=tolerance)
    for factors in (np.full(p, scale), np.where(np.arange(p) % 2, scale, 1.0)):
        on_X = clone(model).fit(storage(X * factors), y)
        np.testing.assert_allclose(on_X.coef_ * factors, expected, atol=tolerance)


@each_storage
@each_pilot
def test_weights_are_repeated_rows(data, storage, pilot, rng):
    X, y = data
    counts = rng.integers(1, 4, y.size)
    repeated = storage(np.repeat(X, counts, axis=0)), np.repeat(y, counts)
    model = AdaptiveLasso(0.1, pilot=pilot, tol=1e-13).fit(storage(X), y, counts)
    other = clone(model).fit(*repeated)
    # With more features than samples "ols" is exact up to their dependence.
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)


def test_it_shrinks_less_for_the_same_support(rng):
    """The oracle property, in kind: what matters is nearly least squares."""
    X = rng.standard_normal((300, 20)) * rng.uniform(0.1, 10.0, 20)
    scale = X.std(axis=0)
    y = (X[:, :3] / scale[:3]) @ [3.0, -2.0, 1.5] + rng.standard_normal(300)
    options = {"n_nonzero_coefs": 3, "tol": 1e-10}
    adaptive = AdaptiveLasso(**options).fit(X, y)
    lasso = Lasso(penalty_weights=scale, **options).fit(X, y)
    exact = sklearn.linear_model.LinearRegression().fit(X[:, :3], y).coef_
    shrinkage = []
    for model in (adaptive, lasso):
        assert list(model.support_) == [0, 1, 2]
        shrinkage.append(np.abs(exact - model.coef_[:3]) @ scale[:3])
    assert shrinkage[0] < 0.3 * shrinkage[1]


def test_a_pilot_of_ones_own(data):
    X, y = data
    pilot = np.zeros(X.shape[1])
    pilot[[0, 1, 5]] = 1.0, -2.0, 1e-3
    model = AdaptiveLasso(1e-3, pilot=pilot).fit(X, y)
    assert set(model.support_) <= {0, 1, 5}
    assert list(np.flatnonzero(np.isfinite(model.penalty_weights_))) == [0, 1, 5]
    for wrong in (pilot[:3], np.full_like(pilot, np.nan)):
        with pytest.raises(ValueError, match="pilot must be 'ols', 'ridge', 'lasso'"):
            AdaptiveLasso(pilot=wrong).fit(X, y)


@each_pilot
def test_penalty_weights_on_top(data, pilot):
    """0 leaves a feature free, inf drops it from both stages."""
    X, y = data
    omega = np.ones(X.shape[1])
    omega[[0, 3]] = 0.0
    free = AdaptiveLasso(1e6, pilot=pilot, penalty_weights=omega, tol=1e-12).fit(X, y)
    exact = sklearn.linear_model.LinearRegression().fit(X[:, [0, 3]], y).coef_
    assert list(free.support_) == [0, 3]
    np.testing.assert_allclose(free.coef_[[0, 3]], exact, atol=1e-6)
    omega = np.ones(X.shape[1])
    omega[0] = np.inf
    model = AdaptiveLasso(0.1, pilot=pilot, tol=1e-13)
    dropped = clone(model).set_params(penalty_weights=omega).fit(X, y)
    without = clone(model).fit(X[:, 1:], y)
    assert dropped.coef_[0] == 0.0
    np.testing.assert_allclose(dropped.coef_[1:], without.coef_, atol=1e-7)


@each_storage
def test_targets_are_independent(data, weights, storage):
    X, y = data
    both = np.column_stack([y, np.cos(y)])
    model = AdaptiveLasso(0.02, pilot="ridge", tol=1e-12)
    together = clone(model).fit(storage(X), both, weights)
    assert together.penalty_weights_.shape == together.coef_.shape == (2, X.shape[1])
    for k in range(2):
        alone = clone(model).fit(storage(X), both[:, k], weights)
        np.testing.assert_array_equal(together.coef_[k], alone.coef_)
        np.testing.assert_array_equal(
            together.penalty_weights_[k], alone.penalty_weights_
        )


@each_pilot
def test_n_nonzero_coefs_and_refit(data, pilot):
    X, y = data
    for wanted in (0, 2, 5):
        model = AdaptiveLasso(n_nonzero_coefs=wanted, pilot=pilot, refit_support="ols")
        model.fit(X, y)
        chosen = model.support_
        assert chosen.size <= wanted
        if wanted:
            exact = sklearn.linear_model.LinearRegression().fit(X[:, chosen], y)
            np.testing.assert_allclose(model.coef_[chosen], exact.coef_, atol=1e-7)


@each_pilot
def test_degenerate_data(data, pilot):
    """Constant targets and columns, duplicates, a single row: zeros or the answer."""
    X, y = data
    constant = AdaptiveLasso(0.1, pilot=pilot).fit(X, np.full(y.size, 0.1))
    assert not constant.coef_.any()
    X = X.copy()
    X[:, 6], X[:, 7] = 0.1, X[:, 0]
    model = AdaptiveLasso(0.05, pilot=pilot, tol=1e-12).fit(X, y)
    assert model.coef_[6] == 0.0
    assert model.penalty_weights_[6] == np.inf
    assert model.dual_gap_ <= 1e-12 * y.var()
    assert not AdaptiveLasso(pilot=pilot).fit(X[:1], y[:1]).coef_.any()


def test_float32_agrees_with_float64(data):
    X, y = data
    model = AdaptiveLasso(0.1, pilot="ridge", tol=1e-12)
    double = clone(model).fit(X, y)
    single = clone(model).fit(X.astype(np.float32), y.astype(np.float32))
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-3)


def test_warm_start_and_warning(data):
    X, y = data
    model = AdaptiveLasso(0.05, pilot="ridge", warm_start=True, tol=1e-12).fit(X, y)
    assert model.n_iter_ > 2 >= model.fit(X, y).n_iter_
    hopeless = AdaptiveLasso(1e-4, pilot="ridge", tol=1e-30, max_iter=3)
    with pytest.warns(ConvergenceWarning, match=r"> tol=1.00e-30") as caught:
        hopeless.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("alpha", 0.5),
        ("gamma", 2.0),
        ("pilot", "lasso"),
        ("penalty_weights", np.linspace(0.0, 5.0, 12)),
        ("n_nonzero_coefs", 2),
        ("fit_intercept", False),
        ("positive", True),
        ("refit_support", "ols"),
        ("tol", 1.0),
        ("max_iter", 1),
    ],
)
def test_each_parameter_is_alive(parameter, value):
    X, y = sparse_regression(np.random.default_rng(0), 60, 12)
    base = AdaptiveLasso(0.1, tol=1e-12).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        other = clone(base).set_params(**{parameter: value}).fit(X, y)
    assert parameter == "max_iter" or np.max(np.abs(base.coef_ - other.coef_)) > 1e-6
    assert parameter != "max_iter" or other.n_iter_ < base.n_iter_
