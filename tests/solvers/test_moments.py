"""Sums over rows: they add, subtract, and say what the rows would."""

import numpy as np
import pytest
from reference import sparse_regression

from sparselearn import penalties
from sparselearn._solvers import _moments
from sparselearn._solvers._certificates import Certifier
from sparselearn._solvers._moments import moments_of
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 60, 8)
    X[:, 3] = 2.5
    weights = rng.uniform(size=60)
    weights[:4] = 0.0
    return column_major(X + 100.0), y - 50.0, weights / weights.sum()


def assert_same(found, expected):
    for name, value in vars(expected).items():
        np.testing.assert_allclose(
            getattr(found, name), value, atol=1e-10, err_msg=name
        )


def by_hand(X, y, weights):
    total = weights.sum()
    x_mean, y_mean = weights @ X / total, weights @ y / total
    Xc, yc = X - x_mean, y - y_mean
    return {
        "weight": total,
        "x_mean": x_mean,
        "y_mean": y_mean,
        "scatter": Xc.T @ (weights[:, None] * Xc),
        "cross": Xc.T @ (weights * yc),
        "square": weights @ yc**2,
    }


@pytest.mark.parametrize("block", [1, 100, 10**6])
def test_sums_by_hand(data, block, monkeypatch):
    monkeypatch.setattr(_moments, "BLOCK", block)
    X, y, weights = data
    found = moments_of(X, y, weights)
    for name, value in by_hand(X, y, weights).items():
        np.testing.assert_allclose(
            getattr(found, name), value, atol=1e-10, err_msg=name
        )


def test_blocks_add_and_subtract(data, rng):
    X, y, weights = data
    order = rng.permutation(60)
    first, second = order[:23], order[23:]
    total = moments_of(X, y, weights)
    one, other = (moments_of(X, y, weights, rows) for rows in (first, second))
    assert_same(one + other, total)
    assert_same(total - other, one)


def test_a_column_constant_in_what_is_left_is_constant(data):
    X, y, weights = data
    X = X.copy(order="F")
    X[10:, 5] = 0.1
    total = moments_of(X, y, weights)
    left = (total - moments_of(X, y, weights, np.arange(10))).problem(
        fit_intercept=True
    )
    assert list(np.flatnonzero(left.curvature == 0.0)) == [3, 5]


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize("free", [[], [0, 6]])
def test_problem_and_certificate_are_those_of_the_rows(
    data, fit_intercept, positive, free, rng
):
    X, y, weights = data
    rows = make_problem(X, weights, fit_intercept=fit_intercept).with_target(y)
    sums = moments_of(X, y, weights).problem(fit_intercept=fit_intercept)
    assert sums.null_value == pytest.approx(rows.null_value)
    np.testing.assert_allclose(sums.curvature, rows.curvature, rtol=1e-9)
    omega = np.ones(8)
    omega[free] = 0.0
    penalty = penalties.WeightedElasticNet(0.3, 0.8, omega, positive)
    coef = np.abs(rng.standard_normal(8)) * (rng.uniform(size=8) < 0.6)
    coef[3] = 0.0
    assert sums.intercept(coef) == pytest.approx(rows.intercept(coef))
    found = Certifier(sums, penalty)(penalty, coef)
    expected = Certifier(rows, penalty)(penalty, coef)
    assert found.objective == pytest.approx(expected.objective)
    assert found.gap == pytest.approx(expected.gap, rel=1e-6)


def test_mean_squared_error(data, rng):
    X, y, weights = data
    coef = rng.standard_normal(8)
    expected = np.average((y - 3.0 - X @ coef) ** 2, weights=weights)
    found = moments_of(X, y, weights).mean_squared_error(coef, 3.0)
    assert found == pytest.approx(expected)


def test_a_constant_target_has_no_moment(rng):
    """Also where its folds' means round differently, and parts are taken off."""
    X, y = np.asfortranarray(rng.standard_normal((45, 4))), np.full(45, 0.1)
    parts = [
        moments_of(X, y, np.full(1, 1 / 45), rows)
        for rows in np.split(np.arange(45), 3)
    ]
    total = parts[0] + parts[1] + parts[2]
    for sums in (*parts, total, total - parts[1]):
        problem = sums.problem(fit_intercept=True)
        assert problem.null_value == 0.0
        assert not problem.moment.any()
        assert sums.problem(fit_intercept=False).null_value == pytest.approx(0.005)
