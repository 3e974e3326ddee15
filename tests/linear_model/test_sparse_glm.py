"""Any loss with any penalty, of the package or of one's own."""

import pickle
import runpy
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp
from reference import minimise_on_grid, proximal_gradient, sparse_regression
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sparselearn import losses, penalties
from sparselearn.linear_model import (
    ElasticNet,
    SparseGLMRegressor,
    SparseHuberRegressor,
    SparsePoissonRegressor,
)

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EXACT = {"tol": 1e-12}


@pytest.fixture
def seed():
    return 0


def from_example(name):
    """What an example defines; a module's worth, run once."""
    matplotlib.use("agg")
    found = runpy.run_path(str(EXAMPLES / f"{name}.py"))
    matplotlib.pyplot.close("all")
    return found


@pytest.fixture(scope="module")
def expectile():
    return from_example("plot_own_loss")["Expectile"]


@pytest.fixture(scope="module")
def two_sided():
    return from_example("plot_own_penalty")["TwoSided"]


def test_it_is_the_estimator_of_each_loss(rng):
    X, y = sparse_regression(rng, 60, 10)
    counts = np.rint(np.exp((y - y.mean()) / y.std()))
    weights = rng.uniform(0.2, 2.0, 60)
    penalty = penalties.ElasticNet(0.1, 0.7)
    options = {"l1_ratio": 0.7, **EXACT}
    for loss, target, expected in (
        (losses.Quadratic(), y, ElasticNet(0.1, **options)),
        (losses.Poisson(), counts, SparsePoissonRegressor(0.1, **options)),
        (losses.Huber(1.35), y, SparseHuberRegressor(0.1, scale=1.0, **options)),
    ):
        expected.fit(X, target, weights)
        for storage in (np.asarray, sp.csr_array):
            model = SparseGLMRegressor(loss, penalty=penalty, **EXACT)
            model.fit(storage(X), target, weights)
            np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
            assert model.intercept_ == pytest.approx(expected.intercept_, abs=1e-6)
            assert model.objective_ == pytest.approx(expected.objective_, rel=1e-9)
            z = X @ model.coef_ + model.intercept_
            np.testing.assert_allclose(model.predict(storage(X)), z, atol=1e-9)
    default = SparseGLMRegressor(**EXACT).fit(X, y)
    lasso = ElasticNet(0.1, l1_ratio=1.0, **EXACT).fit(X, y)
    np.testing.assert_allclose(default.coef_, lasso.coef_, atol=1e-7)


def test_the_loss_of_the_example_is_one(expectile, rng):
    """Its derivatives, its conjugate, and the gap that is their sum."""
    loss, h = expectile(0.8), 1e-6
    y, z, v = rng.standard_normal((3, 30))
    rise = losses.value(loss, y, z + h) - losses.value(loss, y, z - h)
    np.testing.assert_allclose(losses.gradient(loss, y, z), rise / (2 * h), atol=1e-8)
    rise = losses.gradient(loss, y, z + h) - losses.gradient(loss, y, z - h)
    np.testing.assert_allclose(losses.curvature(loss, y, z), rise / (2 * h), atol=1e-8)
    for yi, vi in zip(y[:5], v):

        def less_linear(z, yi=yi, vi=vi):
            return losses.value(loss, yi, z) - vi * z

        _, lowest = minimise_on_grid(less_linear)
        assert losses.conjugate(loss, yi, vi) == pytest.approx(-lowest, abs=1e-6)
    direct = losses.value(loss, y, z) + losses.conjugate(loss, y, v) - z * v
    np.testing.assert_allclose(losses.fenchel_gap(loss, y, z, v), direct, atol=1e-13)


@pytest.mark.parametrize("shape", [(60, 8), (30, 40)])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_a_loss_of_ones_own_is_minimised(expectile, shape, storage, rng):
    X, y = sparse_regression(rng, *shape)
    s = rng.uniform(0.2, 2.0, len(y))
    s /= s.sum()
    model = SparseGLMRegressor(expectile(0.9), penalty=penalties.L1(0.1), **EXACT)
    model.fit(storage(X), y, s)
    residual = y - model.predict(X)
    weight = np.where(residual > 0.0, 0.9, 0.1)
    # Optimal by the slopes, and by weighted least squares with these very weights.
    pull = X.T @ (s * weight * residual)
    assert s @ (weight * residual) == pytest.approx(0.0, abs=1e-9)
    on = model.coef_ != 0.0
    np.testing.assert_allclose(pull[on], 0.1 * np.sign(model.coef_[on]), atol=1e-6)
    assert np.all(np.abs(pull[~on]) <= 0.1 + 1e-9)
    assert 0 < model.n_nonzero_coefs_ < X.shape[1]
    assert model.dual_gap_ <= 1e-12 * np.var(y)
    value = s @ losses.value(expectile(0.9), y, model.predict(X))
    value += 0.1 * np.abs(model.coef_).sum()
    assert model.objective_ == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("loss", [losses.Quadratic(), losses.Huber(1.0)], ids=repr)
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_a_penalty_of_ones_own_is_minimised(two_sided, loss, storage, rng):
    """Split into two signs it is a sign-constrained problem of twice the features."""
    X, y = sparse_regression(rng, 50, 8)
    penalty = two_sided(0.1, 0.4)
    model = SparseGLMRegressor(loss, penalty=penalty, tol=1e-10).fit(storage(X), y)
    both = np.hstack([X, -X])
    kind = {"delta": 1.0 if isinstance(loss, losses.Huber) else 1e6}
    strengths = np.repeat([0.1, 0.4], 8)
    w, b = proximal_gradient(
        "huber", both, y, np.ones(50), strengths, 0.0, positive=True, **kind
    )
    np.testing.assert_allclose(model.coef_, w[:8] - w[8:], atol=1e-4)
    assert model.intercept_ == pytest.approx(b, abs=1e-3)
    assert model.dual_gap_ <= 1e-10 * np.var(y)
    assert np.any(model.coef_ == 0.0)


def test_both_of_ones_own(expectile, two_sided, rng):
    X, y = sparse_regression(rng, 50, 6)
    loss, penalty = expectile(0.3), two_sided(0.2, 0.1)
    model = SparseGLMRegressor(loss, penalty=penalty, fit_intercept=False, tol=1e-10)
    model.fit(X, y)

    def objective(w):
        value = np.mean(losses.value(loss, y, X @ w))
        return value + np.sum(penalties.value(penalty, w, slice(None)))

    best = min(
        minimize(objective, start, method="Nelder-Mead", options={"maxiter": 5000}).fun
        for start in (model.coef_, np.zeros(6))
    )
    assert objective(model.coef_) <= best + 1e-9
    assert model.objective_ == pytest.approx(objective(model.coef_), rel=1e-12)


def test_specs_are_parameters_like_others(expectile, rng):
    X, y = sparse_regression(rng, 60, 10)
    model = SparseGLMRegressor(losses.Huber(2.0), penalty=penalties.L1(0.2))
    assert clone(model).get_params() == model.get_params()
    model.set_params(warm_start=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.fit(X, y).n_iter_ == 0
    grid = {
        "loss": [losses.Quadratic(), losses.Huber(1.0)],
        "penalty": [penalties.L1(alpha) for alpha in (3.0, 0.1)],
    }
    search = GridSearchCV(SparseGLMRegressor(), grid, cv=3).fit(X, y)
    assert search.best_params_["penalty"].alpha == 0.1
    for name, value in {
        "loss": expectile(0.9),
        "penalty": penalties.L1(1.0),
        "fit_intercept": False,
    }.items():
        changed = clone(model).set_params(**{name: value}).fit(X, y)
        assert np.max(np.abs(changed.coef_ - model.coef_)) > 1e-3


def test_what_is_missing_is_named(rng):
    class Half(NamedTuple):
        alpha: float

    X, y = sparse_regression(rng, 20, 6)
    with pytest.raises(TypeError, match="value has no formula for Half"):
        SparseGLMRegressor(Half(1.0)).fit(X, y)
    losses.value.register(Half)(lambda loss, y, z: 0.5 * (y - z) ** 2)
    losses.gradient.register(Half)(lambda loss, y, z: z - y)
    losses.curvature.register(Half)(lambda loss, y, z: 1.0 + 0.0 * z)
    with pytest.raises(TypeError, match="fenchel_gap has no formula for Half"):
        SparseGLMRegressor(Half(1.0)).fit(X, y)
    with pytest.raises(TypeError, match="prox has no formula for Half"):
        SparseGLMRegressor(penalty=Half(1.0)).fit(X, y)
    folded = penalties.MCP(0.1, 3.0, np.ones(6), np.ones(6))
    with pytest.raises(TypeError, match="conjugate has no formula for MCP"):
        SparseGLMRegressor(penalty=folded).fit(X, y)
    groups = penalties.Groups(np.arange(6), np.array([0, 2, 6]))
    penalty = penalties.GroupL2(0.1, groups, np.ones(2))
    with pytest.raises(TypeError, match="single coefficients; got GroupL2"):
        SparseGLMRegressor(penalty=penalty).fit(X, y)
    for bad in ({"loss": "huber"}, {"penalty": 1.0}, {"tol": -1.0}):
        with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
            SparseGLMRegressor(**bad).fit(X, y)
