"""Least squares on a support."""

import numpy as np
import pytest

from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._refit import refit_on_support
from sparselearn._validation import column_major


@pytest.mark.parametrize("positive", [False, True])
def test_dependent_columns_are_fitted_all_the_same(positive, rng):
    X = np.abs(rng.standard_normal((30, 4)))
    X[:, 3] = X[:, 0]
    y = X[:, 0] - X[:, 1] + 0.1 * rng.standard_normal(30)
    problem = make_problem(column_major(X), np.full(1, 1 / 30), fit_intercept=True)
    problem = problem.with_target(y)
    start = np.array([1.0, 1.0, 0.0, 1.0])
    coef = refit_on_support(problem, start, "ols", positive=positive)
    slope = problem.correlation(problem.weights * problem.residual(coef))
    assert coef[2] == 0.0
    # Orthogonal to what is in use, and no gain from a positive step elsewhere.
    np.testing.assert_allclose(slope[coef != 0.0], 0.0, atol=1e-9)
    if positive:
        assert coef.min() >= 0.0
        assert slope[[0, 1, 3]].max() <= 1e-9
    else:
        assert coef[0] == pytest.approx(coef[3])


def test_nothing_selected_stays_nothing(rng):
    X = column_major(rng.standard_normal((10, 3)))
    problem = make_problem(X, np.full(1, 0.1), fit_intercept=True).with_target(X[:, 0])
    assert not refit_on_support(problem, np.zeros(3), "ols").any()
