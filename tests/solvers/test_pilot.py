"""Pilot estimates, and the weights made of them."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, sparse_regression

from sparselearn._solvers import _pilot
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._pilot import (
    adaptive_weights,
    lasso_pilot,
    least_squares_pilot,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major
from sparselearn.penalties import WeightedL1


@pytest.fixture(params=[(50, 12), (20, 30)], ids=str)
def data(request, rng):
    n, p = request.param
    X, y = sparse_regression(rng, n, p)
    weights = rng.uniform(size=n)
    weights[:2] = 0.0
    return X, y, weights / weights.sum()


def problem_of(X, y, weights, *, intercept=True):
    design = make_problem(column_major(X), weights, fit_intercept=intercept)
    return design.with_target(y)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("block", [40, 2**21])
def test_least_squares_on_columns_of_unit_variance(
    data, storage, intercept, ridge, block, monkeypatch
):
    """Of minimal norm among equals, with more columns than rows or dependent ones."""
    monkeypatch.setattr(_pilot, "BLOCK", block)
    X, y, s = data
    X = X.copy()
    X[:, 3], X[:, 4] = X[:, 1], 7.0 * X[:, 2]
    problem = problem_of(storage(X), y, s, intercept=intercept)
    features = np.delete(np.arange(X.shape[1]), 5)
    found = least_squares_pilot(problem, features, ridge)
    _, Xc = centred(X, s, intercept)
    target = np.sqrt(s) * (y - s @ y * intercept)
    lengths = np.sqrt(s @ Xc[:, features] ** 2)
    Z = np.sqrt(s)[:, None] * Xc[:, features] / lengths
    exact = np.linalg.pinv(Z.T @ Z + ridge * np.eye(features.size), 1e-10)
    exact = exact @ (Z.T @ target)
    np.testing.assert_allclose(found[features] * lengths, exact, atol=1e-8)
    assert found[5] == 0.0
    if ridge == 0.0:
        assert found[3] == pytest.approx(found[1])


def test_more_columns_than_rows_need_no_eigenvectors(rng, monkeypatch):
    """Though centred rows are dependent, one factorisation is enough."""
    monkeypatch.delattr(np.linalg, "eigh")
    X, y = sparse_regression(rng, 20, 30)
    problem = problem_of(X, y, np.full(1, 0.05))
    coef = least_squares_pilot(problem, np.arange(30), 0.0)
    assert problem.measure(coef)[1] <= 1e-20 * y.var()


def test_nothing_to_estimate_is_zero(data):
    problem = problem_of(*data)
    assert not least_squares_pilot(problem, np.arange(0), 0.0).any()


@pytest.mark.parametrize("positive", [False, True])
def test_the_lasso_pilot_is_on_the_scales_of_the_columns(data, positive):
    X, y, s = data
    omega = np.ones(X.shape[1])
    omega[2] = np.inf
    stopping = {"positive": positive, "tol": 1e-12, "max_iter": 10**5}
    found = lasso_pilot(problem_of(X, y, s), omega, **stopping)
    factors = np.geomspace(1e-3, 1e3, X.shape[1])
    other = lasso_pilot(problem_of(X * factors, y, s), omega, **stopping)
    np.testing.assert_allclose(other.coef * factors, found.coef, atol=1e-6)
    assert found.coef[2] == 0.0
    # Its largest correlation, over that of a column of unit variance, is the alpha.
    problem = problem_of(X, y, s)
    root = np.sqrt(problem.curvature)
    left = problem.measure(found.coef)[0] / root
    left = np.delete(left if positive else np.abs(left), 2)
    largest = critical_alpha(problem, WeightedL1(1.0, omega * root, positive))
    assert np.max(left) == pytest.approx(0.01 * largest, rel=1e-3)


def test_weights_by_hand(data):
    problem = problem_of(*data)
    root = np.sqrt(problem.curvature)
    p = root.size
    pilot, omega = np.zeros(p), np.ones(p)
    pilot[:5] = np.array([4.0, -2.0, 1.0, 8.0, 16.0]) / root[:5]
    omega[3], omega[4] = np.inf, 0.0
    omega[2], omega[7] = 3.0, 0.0
    found = adaptive_weights(problem, pilot, omega, 2.0)
    # Of the penalised, dropped or not, the largest effect is 8.
    by_hand = root[:3] * np.array([4.0, 16.0, 3.0 * 64.0])
    np.testing.assert_allclose(found[:3], by_hand)
    assert found[3] == np.inf
    assert found[4] == found[7] == 0.0
    assert np.all(np.delete(found, [7])[5:] == np.inf)
