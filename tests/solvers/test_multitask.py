"""Tasks that share their features: certificates, and every route to the answer."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import (
    block_descent,
    centred,
    multi_task_lasso_gap,
    multi_task_objective,
    sparse_regression,
)

from sparselearn import penalties
from sparselearn._solvers import _multitask
from sparselearn._solvers._certificates import Certifier
from sparselearn._solvers._multitask import TaskSolver
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._task_path import solve_task_path, solve_to_rows
from sparselearn._solvers._tasks import (
    TaskCertifier,
    critical_task_alpha,
    make_tasks,
)
from sparselearn._validation import column_major


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 50, 30)
    Y = np.column_stack([y, X[:, 0] - X[:, 6] + rng.standard_normal(50), np.cos(y)])
    weights = rng.uniform(size=50)
    weights[:2] = 0.0
    return X, Y, weights / weights.sum()


def problem_of(X, Y, weights=None, *, intercept=True):
    weights = np.full(1, 1 / len(Y)) if weights is None else weights
    design = make_problem(column_major(X), weights, fit_intercept=intercept)
    return make_tasks(design, Y)


def solve(problem, penalty, **options):
    return TaskSolver(problem, penalty, **options).solve(
        penalty, tol=1e-13, max_iter=10**5
    )


# -- certificates ----------------------------------------------------------------


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [True, False])
def test_lasso_gap_by_hand(data, storage, dtype, intercept, rng):
    X, Y, s = data
    X = X.astype(dtype)
    problem = problem_of(storage(X), Y, s, intercept=intercept)
    X = X.astype(float)
    _, Xc = centred(X, s, intercept)
    Yc = Y - s @ Y if intercept else Y
    W = rng.standard_normal((30, 3)) * (rng.uniform(size=(30, 1)) < 0.5)
    penalty = penalties.L1(0.3)
    found = TaskCertifier(problem, penalty)(penalty, W)
    assert found.gap == pytest.approx(multi_task_lasso_gap(Xc, Yc, s, W, 0.3), rel=1e-9)
    objective = multi_task_objective(X, Y, s, W, problem.intercept(W), 0.3, 0.0)
    assert found.objective == pytest.approx(objective, rel=1e-12)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("weighting", [None, "some", "free"])
def test_the_gap_bounds_the_suboptimality(data, l1_ratio, weighting, rng):
    """P(W) - P(W*) <= gap for any W, and the gap closes at the optimum."""
    X, Y, s = data
    X = X[:, :8]
    problem = problem_of(X, Y, s)
    omega = np.ones(8) if weighting is None else rng.uniform(0.5, 2.0, 8)
    if weighting == "free":
        omega[:2] = 0.0
    penalty = penalties.WeightedElasticNet(0.2, l1_ratio, omega)
    l1, l2 = 0.2 * l1_ratio * omega, 0.2 * (1 - l1_ratio) * omega
    _, Xc = centred(X, s, True)
    best = block_descent(Xc, Y - s @ Y, s, l1, l2, n_epochs=3000)
    certify = TaskCertifier(problem, penalty)
    optimum = certify(penalty, best)
    assert optimum.gap <= 1e-12 * problem.null_value
    for size in (1.0, 0.1, 0.01):
        W = best + size * rng.standard_normal(best.shape) * best.any(axis=1)[:, None]
        certificate = certify(penalty, W)
        assert certificate.gap >= certificate.objective - optimum.objective - 1e-13
        # In another direction than its correlations a row has a gap of its own.
        assert certificate.gap > 1e-7


@pytest.mark.parametrize("omega", [np.ones(30), np.r_[0.0, np.linspace(0.5, 2, 29)]])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_one_task_has_the_certificate_of_one_task(data, omega, l1_ratio, rng):
    X, Y, s = data
    penalty = penalties.WeightedElasticNet(0.2, l1_ratio, omega)
    problem = problem_of(X, Y[:, :1], s)
    alone = problem.design.with_target(Y[:, 0])
    w = rng.standard_normal(30) * (rng.uniform(size=30) < 0.5)
    several = TaskCertifier(problem, penalty)(penalty, w[:, None])
    one = Certifier(alone, penalty)(penalty, w)
    assert several.gap == pytest.approx(one.gap, rel=1e-9)
    assert several.objective == pytest.approx(one.objective, rel=1e-12)


@pytest.mark.parametrize("omega", [np.ones(30), np.r_[0.0, np.inf, np.ones(28)]])
def test_critical_alpha_separates(data, omega):
    """Just above it only unpenalised features are active, just below one more is."""
    problem = problem_of(*data)
    critical = critical_task_alpha(
        problem, penalties.WeightedElasticNet(1.0, 0.5, omega)
    )

    def support(alpha):
        coef = solve(problem, penalties.WeightedElasticNet(alpha, 0.5, omega)).coef
        return np.setdiff1d(
            np.flatnonzero(coef.any(axis=1)), np.flatnonzero(omega == 0)
        )

    assert support(1.001 * critical).size == 0
    assert support(0.999 * critical).size == 1


# -- solutions -------------------------------------------------------------------


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("newton", [True, False])
def test_it_minimises(data, storage, l1_ratio, newton, monkeypatch):
    X, Y, s = data
    if not newton:
        # As if every support were singular: descent alone.
        monkeypatch.setattr(_multitask, "_cholesky", lambda matrix: None)
    problem = problem_of(storage(X), Y, s)
    alpha = 0.1 * critical_task_alpha(problem, penalties.L1(1.0))
    penalty = penalties.ElasticNet(alpha, l1_ratio)
    tol = 1e-14 if l1_ratio == 1.0 else 1e-20
    solution = TaskSolver(problem, penalty).solve(penalty, tol=tol, max_iter=10**5)
    _, Xc = centred(X, s, True)
    l1, l2 = np.full(30, alpha * l1_ratio), np.full(30, alpha * (1 - l1_ratio))
    slow = block_descent(Xc, Y - s @ Y, s, l1, l2, n_epochs=800)
    assert solution.converged
    np.testing.assert_allclose(solution.coef, slow, atol=1e-7)


def test_newton_steps_solve_the_whole_system(data):
    """By its Hessian over all unknowns, from differences of the gradient."""
    X, Y, s = data
    problem = problem_of(X, Y, s)
    alpha = 0.1 * critical_task_alpha(problem, penalties.L1(1.0))
    penalty = penalties.WeightedElasticNet(alpha, 0.7, np.linspace(0.0, 2.0, 30))
    coef = 1.1 * solve(problem, penalty).coef
    working = _multitask.RowWorkingSet(problem, problem.correlation(problem.targets))
    working.grow(np.arange(30))
    rows = _multitask._Rows(working._columns, penalty, coef, working._moment)
    inside = np.flatnonzero(coef.any(axis=1))
    l1, l2 = rows.l1[inside, None], rows.l2[inside, None]

    def gradient(W):
        lengths = np.linalg.norm(W, axis=1, keepdims=True)
        gram = rows.gram[np.ix_(inside, inside)]
        return gram @ W - rows.moment[inside] + l1 * W / lengths + l2 * W

    W = coef[inside]
    hessian = np.empty((W.size, W.size))
    for k in range(W.size):
        step = np.zeros(W.size)
        step[k] = 1e-6
        step = step.reshape(W.shape)
        difference = gradient(W + step) - gradient(W - step)
        hessian[:, k] = difference.ravel() / 2e-6
    expected = -np.linalg.solve(hessian, gradient(W).ravel()).reshape(W.shape)
    step, decrement = rows._newton_step(inside)
    np.testing.assert_allclose(step, expected, rtol=1e-5, atol=1e-7)
    assert decrement == pytest.approx(-np.sum(gradient(W) * expected), rel=1e-5)


def test_a_row_that_would_turn_around_becomes_zero(data):
    problem = problem_of(*data)
    penalty = penalties.L1(1.0)
    working = _multitask.RowWorkingSet(problem, problem.correlation(problem.targets))
    working.grow(np.arange(30))
    coef = np.zeros((30, 3))
    coef[[0, 1]] = problem.targets[0], -problem.targets[0]
    rows = _multitask._Rows(working._columns, penalty, coef, working._moment)
    step = np.stack([np.zeros(3), 1.5 * problem.targets[0]])
    assert rows._move(np.array([0, 1]), step) == (True, True)
    assert not rows.coef[1].any()
    np.testing.assert_array_equal(rows.coef[0], coef[0])
    expected = working._moment - rows.gram @ rows.coef
    np.testing.assert_allclose(rows.correlation, expected, atol=1e-12)


def test_newton_steps_spare_epochs(data):
    """To a gap of rounding in a handful, and it is what descent alone finds."""
    problem = problem_of(*data)
    alpha = 0.05 * critical_task_alpha(problem, penalties.L1(1.0))
    assert solve(problem, penalties.L1(alpha)).n_iter < 60


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_singular_supports_are_certified(storage, rng):
    """Duplicate columns, and more active columns than rows can tell apart."""
    X = rng.standard_normal((12, 6))
    X = np.hstack([X, X, X[:, :3] @ rng.standard_normal((3, 6))])
    Y = X @ rng.standard_normal((18, 2))
    problem = problem_of(storage(X), Y, intercept=False)
    largest = critical_task_alpha(problem, penalties.L1(1.0))
    solver = TaskSolver(problem, penalties.L1(1.0), n_solves=20)
    for alpha in largest * np.geomspace(1, 1e-3, 20):
        penalty = penalties.L1(alpha)
        assert solver.solve(penalty, tol=1e-7, max_iter=10**5).converged


@pytest.mark.parametrize("shape", [(40, 200), (400, 20)])
def test_a_path_takes_about_one_pass_a_point(rng, shape):
    """At most two; and none where the Gram matrix of all columns is at hand."""
    X, y = sparse_regression(rng, *shape)
    Y = np.column_stack([y, X[:, :3].sum(axis=1) + rng.standard_normal(shape[0])])
    problem = problem_of(X, Y)
    largest = critical_task_alpha(problem, penalties.L1(1.0))
    alphas = largest * np.geomspace(1, 0.05, 30)
    solver = TaskSolver(problem, penalties.L1(1.0), n_solves=30)
    for alpha in alphas:
        found = solver.solve(penalties.L1(alpha), tol=1e-10, max_iter=10**4)
        assert found.converged
    assert solver.n_passes <= (2 * alphas.size if shape[0] < shape[1] else 1)
    exact = solver.certifier(penalties.L1(alpha), solver.coef)
    assert exact.gap <= 1e-10 * problem.null_value
    assert exact.objective == pytest.approx(found.certificate.objective, rel=1e-10)


def test_any_order_of_penalties(data):
    """Up, down, or repeated: the state that is kept is right for each."""
    problem = problem_of(*data)
    largest = critical_task_alpha(problem, penalties.L1(1.0))
    solver = TaskSolver(problem, penalties.L1(1.0))
    for share in (0.5, 0.01, 0.01, 0.3, 2.0, 0.1):
        penalty = penalties.L1(share * largest)
        found = solver.solve(penalty, tol=1e-13, max_iter=10**5)
        fresh = solve(problem, penalty)
        np.testing.assert_allclose(found.coef, fresh.coef, atol=1e-7)


def test_a_working_set_too_large_makes_room(data, monkeypatch):
    problem = problem_of(*data)
    penalty = penalties.L1(0.1 * critical_task_alpha(problem, penalties.L1(1.0)))
    expected = solve(problem, penalty)
    n_active = np.count_nonzero(expected.coef.any(axis=1))
    monkeypatch.setattr(_multitask, "LARGEST_GRAM", n_active + 5)
    monkeypatch.setattr(_multitask, "SMALLEST_WORKING_SET", 3)
    solver = TaskSolver(problem, penalty)
    # What was active elsewhere on the path is in the way here.
    solver._join(np.setdiff1d(np.arange(n_active + 6), [0, 1, 2]))
    solution = solver.solve(penalty, tol=1e-13, max_iter=10**5)
    assert solution.converged
    assert solver.n_members <= n_active + 5
    np.testing.assert_allclose(solution.coef, expected.coef, atol=1e-7)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_each_point_of_a_path_is_a_fit(data, storage):
    X, Y, s = data
    problem = problem_of(storage(X), Y, s)
    largest = critical_task_alpha(problem, penalties.L1(1.0))
    alphas = largest * np.array([1.0, 0.3, 0.1, 0.0])
    path = solve_task_path(problem, penalties.L1, alphas, tol=1e-13, max_iter=10**5)
    np.testing.assert_array_equal(path.alphas, alphas)
    assert path.n_iter[0] == 0
    for k, alpha in enumerate(alphas):
        found = solve(problem, penalties.L1(alpha))
        np.testing.assert_allclose(path.coefs[k].toarray(), found.coef, atol=1e-6)
        np.testing.assert_allclose(
            path.intercepts[k], problem.intercept(found.coef), atol=1e-6
        )
        assert path.converged[k]
        assert path.dual_gaps[k] <= 1e-13 * problem.null_value


def test_the_least_penalised_of_a_size(data):
    problem = problem_of(*data)
    for wanted in (0, 1, 4):
        alpha, solution = solve_to_rows(
            problem, penalties.L1, wanted, tol=1e-10, max_iter=10**5
        )
        assert np.count_nonzero(solution.coef.any(axis=1)) <= wanted
        less = solve(problem, penalties.L1(0.999 * alpha))
        assert np.count_nonzero(less.coef.any(axis=1)) > wanted
