"""Certificates recomputed by hand, and laws that every bound obeys."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, coordinate_descent, elastic_net_objective, lasso_gap

from sparselearn import penalties
from sparselearn._solvers._certificates import Certifier, critical_alpha, free_features
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._squared_loss import Solver
from sparselearn._validation import column_major


def solve(problem, penalty, **stopping):
    return Solver(problem, penalty).solve(penalty, **stopping)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((30, 8)) + 1.0
    y = X @ np.array([2.0, -1.0, 0, 0, 0, 0.5, 0, 0]) + rng.standard_normal(30)
    weights = rng.uniform(0.2, 1.0, 30)
    return X, y, weights / weights.sum()


def problem_of(data, *, intercept=True, storage=np.asarray):
    X, y, weights = data
    X = column_major(storage(X))
    return make_problem(X, weights, fit_intercept=intercept).with_target(y)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("intercept", [True, False])
def test_lasso_gap_by_hand(data, intercept, storage, rng):
    X, y, weights = data
    problem = problem_of(data, intercept=intercept, storage=storage)
    _, Xc = centred(X, weights, intercept)
    yc = y - weights @ y if intercept else y
    coef = rng.standard_normal(8) * (rng.uniform(size=8) < 0.5)
    found = Certifier(problem, penalties.L1(0.3))(penalties.L1(0.3), coef)
    assert found.gap == pytest.approx(lasso_gap(Xc, yc, weights, coef, 0.3), rel=1e-9)
    objective = elastic_net_objective(
        X, y, weights, coef, problem.intercept(coef), 0.3, 0.0
    )
    assert found.objective == pytest.approx(objective, rel=1e-12)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("weighting", [None, "some", "free"])
def test_the_gap_bounds_the_suboptimality(data, positive, l1_ratio, weighting, rng):
    """P(w) - P(w*) <= gap for any w, and the gap closes at the optimum."""
    X, y, weights = data
    problem = problem_of(data)
    penalty_weights = np.ones(8)
    if weighting is not None:
        penalty_weights = rng.uniform(0.5, 2.0, 8)
    if weighting == "free":
        penalty_weights[:2] = 0.0
    penalty = penalties.WeightedElasticNet(0.2, l1_ratio, penalty_weights, positive)
    l1 = 0.2 * l1_ratio * penalty_weights
    l2 = 0.2 * (1 - l1_ratio) * penalty_weights
    _, Xc = centred(X, weights, True)
    best = coordinate_descent(
        Xc, y - weights @ y, weights, l1, l2, positive=positive, n_epochs=3000
    )
    certify = Certifier(problem, penalty)
    optimum = certify(penalty, best)
    assert optimum.gap <= 1e-12 * problem.null_value
    for size in (1.0, 0.1, 0.01):
        coef = best + size * rng.standard_normal(8) * (best != 0.0)
        coef = np.maximum(coef, 0.0) if positive else coef
        certificate = certify(penalty, coef)
        assert certificate.gap >= certificate.objective - optimum.objective - 1e-13


@pytest.mark.parametrize("positive", [False, True])
def test_gap_is_finite_and_falls_with_free_features(data, positive):
    """Unpenalised columns are projected out of the dual point, not scaled away."""
    problem = problem_of(data)
    penalty = penalties.WeightedL1(0.1, [0, 0, 1, 1, 1, 1, 1, 1], positive)
    assert list(free_features(penalty, 8)) == [0, 1]
    solution = solve(problem, penalty, tol=1e-13, max_iter=10000)
    assert solution.converged
    assert solution.certificate.gap <= 1e-13 * problem.null_value


def test_alpha_zero_is_least_squares(data):
    X, y, weights = data
    solution = solve(problem_of(data), penalties.L1(0.0), tol=1e-14, max_iter=10000)
    root = np.sqrt(weights)[:, None]
    _, Xc = centred(X, weights, True)
    exact = np.linalg.lstsq(root * Xc, root[:, 0] * (y - weights @ y))[0]
    np.testing.assert_allclose(solution.coef, exact, atol=1e-6)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [np.ones(8), [0.0, 1, 2, 1, 1, np.inf, 1, 1]])
def test_critical_alpha_separates(data, positive, weights):
    """Just above it only unpenalised features are active, just below one more is."""
    problem = problem_of(data)

    def penalty_at(alpha):
        return penalties.WeightedElasticNet(alpha, 0.5, weights, positive)

    critical = critical_alpha(problem, penalty_at(1.0))
    free = free_features(penalty_at(1.0), 8)

    def penalised_support(alpha):
        coef = solve(problem, penalty_at(alpha), tol=1e-14, max_iter=10000).coef
        return np.setdiff1d(np.flatnonzero(coef), free)

    assert penalised_support(1.001 * critical).size == 0
    assert penalised_support(0.999 * critical).size == 1
