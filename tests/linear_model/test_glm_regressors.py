"""Poisson and Huber regression, against scikit-learn and by what they promise."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import glm_objective, sparse_regression
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import d2_tweedie_score, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sparselearn.linear_model import (
    Lasso,
    SparseHuberRegressor,
    SparsePoissonRegressor,
)

EXACT = {"tol": 1e-13}
each_storage = pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
KINDS = {"poisson": SparsePoissonRegressor, "huber": SparseHuberRegressor}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def seed():
    return 0


def data_of(kind, rng, shape=(80, 10)):
    """X with counts, or with a line of heavy noise."""
    X, z = sparse_regression(rng, *shape)
    z = (z - z.mean()) / z.std()
    if kind == "poisson":
        return X, rng.poisson(np.exp(0.5 + z)).astype(float)
    return X, 5.0 * z + rng.standard_t(1.5, len(z)) + 3.0


# -- numbers of scikit-learn -----------------------------------------------------


@each_storage
@pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_without_an_l1_part_it_is_poisson_regression(rng, storage, alpha, intercept):
    X, y = data_of("poisson", rng)
    weights = rng.uniform(0.2, 2.0, len(y))
    theirs = sklearn.linear_model.PoissonRegressor(
        alpha=alpha, fit_intercept=intercept, solver="newton-cholesky", tol=1e-12
    ).fit(X, y, weights)
    ours = SparsePoissonRegressor(
        alpha, l1_ratio=0.0, fit_intercept=intercept, **EXACT
    ).fit(storage(X), y, weights)
    size = np.max(np.abs(theirs.coef_))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6 * size)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-6)
    np.testing.assert_allclose(ours.predict(storage(X)), theirs.predict(X), rtol=1e-5)
    assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights))


def test_the_score_is_the_explained_deviance(rng):
    X, y = data_of("poisson", rng)
    model = SparsePoissonRegressor(0.05).fit(X, y)
    weights = rng.uniform(size=len(y))
    expected = d2_tweedie_score(y, model.predict(X), sample_weight=weights, power=1)
    assert model.score(X, y, weights) == expected
    assert 0.3 < model.score(X, y) < 1.0
    assert SparsePoissonRegressor(10.0).fit(X, y).score(X, y) == pytest.approx(0.0)
    X, y = data_of("huber", rng)
    model = SparseHuberRegressor(0.05).fit(X, y)
    assert model.score(X, y) == r2_score(y, model.predict(X))


@pytest.mark.parametrize("penalty", [1e-4, 1.0, 100.0])
def test_at_its_scale_it_is_scikit_learns_huber(rng, penalty):
    """There the scale is fitted too; given that, both minimise the same."""
    X, y = data_of("huber", rng)
    theirs = sklearn.linear_model.HuberRegressor(
        alpha=penalty, epsilon=1.35, tol=1e-10, max_iter=10**4
    ).fit(X, y)
    # There sum_i scale H(r_i / scale) + penalty |w|^2, H being r^2 near 0.
    ours = SparseHuberRegressor(
        penalty * theirs.scale_ / len(y),
        scale=theirs.scale_,
        epsilon=1.35,
        l1_ratio=0.0,
        **EXACT,
    ).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-3, atol=1e-3)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, rel=1e-3)


def test_where_nothing_is_an_outlier_it_is_the_lasso(rng):
    X, y = data_of("huber", rng)
    weights = rng.uniform(0.2, 2.0, len(y))
    lasso = Lasso(0.2, **EXACT).fit(X, y, weights)
    model = SparseHuberRegressor(0.2, scale=1e3, **EXACT).fit(X, y, weights)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-7)
    assert model.intercept_ == pytest.approx(lasso.intercept_)
    assert model.objective_ == pytest.approx(lasso.objective_)


# -- Huber: outliers and scale ---------------------------------------------------


def test_one_outlier_moves_it_no_further_than_another(rng):
    """However far it is; that is what the loss is for."""
    X = rng.standard_normal((60, 5))
    y = X @ [2.0, -1.0, 0.0, 0.0, 1.0] + 0.1 * rng.standard_normal(60)
    y[7] = 1e2
    near = SparseHuberRegressor(0.01, scale=0.1, **EXACT).fit(X, y)
    y[7] = 1e8
    # The tolerance is relative to what a null model loses, by the outlier mostly.
    far = SparseHuberRegressor(0.01, scale=0.1, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(far.coef_, near.coef_, atol=1e-6)
    np.testing.assert_allclose(far.coef_, [2.0, -1.0, 0.0, 0.0, 1.0], atol=0.1)
    assert np.max(np.abs(Lasso(0.01).fit(X, y).coef_)) > 1e3


def test_the_scale_is_the_median_distance_from_the_median(rng):
    X = rng.standard_normal((2001, 1))
    y = 3.0 * rng.standard_normal(2001) + 7.0
    model = SparseHuberRegressor(0.1).fit(X, y)
    distance = np.median(np.abs(y - np.median(y)))
    assert model.scale_ == pytest.approx(distance / 0.6744897501960817)
    assert model.scale_ == pytest.approx(3.0, rel=0.1)
    assert SparseHuberRegressor(0.1, scale=5).fit(X, y).scale_ == 5.0
    # Outliers of a third do not rule it.
    y[::3] = 1e6
    assert SparseHuberRegressor(0.1).fit(X, y).scale_ < 15.0
    # Where more than half are the same, the mean distance stands for it.
    y = np.append(np.zeros(8), [1.0, 3.0])
    assert SparseHuberRegressor(0.1).fit(X[:10], y).scale_ == pytest.approx(0.4)
    assert SparseHuberRegressor(0.1).fit(X[:10], np.ones(10)).scale_ == 1.0


def test_the_scale_counts_weights(rng):
    X, y = data_of("huber", rng)
    times = rng.integers(0, 4, len(y))
    model = SparseHuberRegressor(0.1, **EXACT).fit(X, y, times)
    again = SparseHuberRegressor(0.1, **EXACT)
    again.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert model.scale_ == pytest.approx(again.scale_, rel=1e-12)
    np.testing.assert_allclose(model.coef_, again.coef_, atol=1e-7)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_y(rng, unit):
    X, y = data_of("huber", rng)
    expected = SparseHuberRegressor(0.1, **EXACT).fit(X, y)
    model = SparseHuberRegressor(0.1 * unit, **EXACT).fit(X, unit * y)
    np.testing.assert_allclose(model.coef_ / unit, expected.coef_, atol=1e-7)
    assert model.intercept_ / unit == pytest.approx(expected.intercept_)
    assert model.scale_ / unit == pytest.approx(expected.scale_)
    assert model.n_nonzero_coefs_ == expected.n_nonzero_coefs_ > 0
    # Counts in other units are other counts, but the coefficients are the same.
    X, y = data_of("poisson", rng)
    expected = SparsePoissonRegressor(0.1, **EXACT).fit(X, y)
    model = SparsePoissonRegressor(0.1 * unit, tol=1e-11).fit(X, unit * y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6])
def test_constant_y(rng, value):
    X, _ = data_of("huber", rng)
    model = SparseHuberRegressor(0.1).fit(X, np.full(80, value))
    assert not model.coef_.any()
    assert model.n_iter_ == 0
    np.testing.assert_allclose(model.predict(X), value, rtol=1e-15)
    if value > 0.0:
        model = SparsePoissonRegressor(0.1).fit(X, np.full(80, value))
        assert not model.coef_.any()
        np.testing.assert_allclose(model.predict(X), value, rtol=1e-14)


# -- Poisson: counts -------------------------------------------------------------


def test_counts_of_any_size(rng):
    """Their mean is predicted, as it has to be at the best intercept."""
    X, z = sparse_regression(rng, 200, 6)
    z = (z - z.mean()) / z.std()
    for shift in (-6.0, 0.0, 12.0):
        y = rng.poisson(np.exp(z + shift)).astype(float)
        y[0] = max(y[0], 1.0)
        model = SparsePoissonRegressor(0.01 * np.mean(y)).fit(X, y)
        assert np.mean(model.predict(X)) == pytest.approx(np.mean(y), rel=1e-9)
        assert model.support_.size


def test_zero_counts(rng):
    X, y = data_of("poisson", rng)
    y[:] = 0.0
    with pytest.raises(ValueError, match="at least one positive count"):
        SparsePoissonRegressor().fit(X, y)
    y[3] = 2.0
    with pytest.raises(ValueError, match="at least one positive count"):
        SparsePoissonRegressor().fit(X, y, (y == 0.0) * 1.0)
    assert SparsePoissonRegressor(1.0).fit(X, y).intercept_ == pytest.approx(
        np.log(2.0 / 80)
    )
    y[3] = -1.0
    with pytest.raises(ValueError, match=r"y must be >= 0 .* its least is -1"):
        SparsePoissonRegressor().fit(X, y)


# -- both ------------------------------------------------------------------------


@each_kind
@each_storage
def test_weights_are_repeated_rows(rng, kind, storage):
    X, y = data_of(kind, rng)
    times = rng.integers(0, 4, len(y))
    expected = KINDS[kind](0.1, **EXACT)
    expected.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    model = KINDS[kind](0.1, **EXACT).fit(storage(X), y, times)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
    assert model.intercept_ == pytest.approx(expected.intercept_, abs=1e-7)
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-10)


@each_kind
def test_the_objective_is_as_documented(rng, kind):
    X, y = data_of(kind, rng)
    omega = rng.uniform(0.5, 2.0, 10)
    options = {"l1_ratio": 0.7, "penalty_weights": omega}
    model = KINDS[kind](0.05, **options).fit(X, y)
    delta = 1.35 * model.scale_ if kind == "huber" else 1.0
    data = kind, X, y, np.ones(80), model.coef_
    strengths = 0.05 * 0.7 * omega, 0.05 * 0.3 * omega

    def at(intercept):
        return glm_objective(*data, intercept, *strengths, delta)

    assert model.objective_ == pytest.approx(at(model.intercept_), rel=1e-12)
    best = minimize_scalar(at, options={"xtol": 1e-12})
    assert model.intercept_ == pytest.approx(best.x, abs=1e-5)


@each_kind
def test_each_parameter_is_alive(rng, kind):
    X, y = data_of(kind, rng)
    base = KINDS[kind](0.1).fit(X, y)
    changes = {
        "alpha": 0.3,
        "l1_ratio": 0.5,
        "penalty_weights": np.arange(1.0, 11.0),
        "n_nonzero_coefs": 2,
        "fit_intercept": False,
        "positive": True,
    }
    if kind == "huber":
        changes |= {"epsilon": 0.5, "scale": 0.3}
    for name, value in changes.items():
        model = clone(base).set_params(**{name: value}).fit(X, y)
        assert np.max(np.abs(model.coef_ - base.coef_)) > 1e-3, name
    assert clone(base).set_params(tol=1e-13).fit(X, y).dual_gap_ <= base.dual_gap_
    with pytest.warns(ConvergenceWarning, match=r"after . epochs"):
        clone(base).set_params(max_iter=1, tol=1e-15, alpha=1e-3).fit(X, y)


@each_kind
def test_warm_starts_across_alphas(rng, kind):
    X, y = data_of(kind, rng)
    model = KINDS[kind](warm_start=True, **EXACT)
    for alpha in (0.3, 0.05, 0.048, 0.5, 0.1):
        cold = KINDS[kind](alpha, **EXACT).fit(X, y)
        model.set_params(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-7)


@each_kind
@pytest.mark.parametrize("wanted", [0, 1, 3, 10**6])
def test_a_number_of_coefficients(rng, kind, wanted):
    X, y = data_of(kind, rng)
    model = KINDS[kind](n_nonzero_coefs=wanted).fit(X, y)
    assert min(wanted, 6) - 1 <= model.n_nonzero_coefs_ <= wanted
    again = KINDS[kind](model.alpha_, **EXACT).fit(X, y)
    np.testing.assert_allclose(again.coef_, model.coef_, atol=1e-3)


@each_kind
def test_in_use(rng, kind):
    X, y = data_of(kind, rng)
    grid = {f"{KINDS[kind].__name__.lower()}__alpha": [1.0, 0.3, 0.1, 0.03]}
    for storage in (np.asarray, sp.csr_array):
        pipeline = make_pipeline(MaxAbsScaler(), KINDS[kind]())
        search = GridSearchCV(pipeline, grid, cv=3).fit(storage(X), y)
        assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    model = KINDS[kind](0.1, warm_start=True).fit(X, y)
    found = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found.fit(X, y).n_iter_ == 0


@each_kind
def test_what_is_refused(rng, kind):
    X, y = data_of(kind, rng)
    with pytest.raises(ValueError, match="y is too large"):
        KINDS[kind]().fit(X, 1e200 * y)
    with pytest.raises(ValueError, match="X is too large"):
        KINDS[kind]().fit(1e200 * X, y)
    with pytest.raises(ValueError, match="1d array"):
        KINDS[kind]().fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="contains NaN"):
        KINDS[kind]().fit(X, np.where(y[3] == y, np.nan, y))
    with pytest.raises(ValueError, match="penalty_weights must be >= 0"):
        KINDS[kind](penalty_weights=-np.ones(10)).fit(X, y)
    with pytest.raises(ValueError, match="l1_ratio=0 makes no coefficient zero"):
        KINDS[kind](l1_ratio=0.0, n_nonzero_coefs=3).fit(X, y)
    bad = {"alpha": -1.0, "l1_ratio": 2.0, "max_iter": 0, "tol": -1.0}
    if kind == "huber":
        bad |= {"epsilon": 0.0, "scale": -1.0}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            KINDS[kind](**{name: value}).fit(X, y)
