"""Groups: certificates by hand, solutions against a slow twin, both ways of descent."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, group_descent, group_objective, sparse_regression

from sparselearn import penalties
from sparselearn._solvers import _blocks, _groups
from sparselearn._solvers import _group_working_set as _descent
from sparselearn._solvers._certificates import GroupCertifier, critical_alpha
from sparselearn._solvers._groups import GroupSolver
from sparselearn._solvers._moments import moments_of
from sparselearn._solvers._path import solve_path, solve_to_size
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._squared_loss import Solver
from sparselearn._validation import column_major

SIZES = np.array([1, 4, 2, 5, 3, 9, 6])
ORDER = np.random.default_rng(7).permutation(30)
GROUPS = penalties.Groups(ORDER, np.concatenate([[0], np.cumsum(SIZES)]))
INDICES = np.split(ORDER, np.cumsum(SIZES)[:-1])
WEIGHTS = {
    "roots": np.sqrt(SIZES),
    "free": np.r_[0.0, 2.0, 1.0, 0.0, 1.5, 3.0, 2.0],
    "dropped": np.r_[1.0, 2.0, 1.0, np.inf, 1.5, 3.0, 2.0],
}
each_weighting = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
each_ratio = pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
each_sign = pytest.mark.parametrize("positive", [False, True])
each_storage = pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])


@pytest.fixture
def seed():
    """One, as the tables of penalties are long."""
    return 0


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 40, 30)
    weights = rng.uniform(size=40)
    weights[:2] = 0.0
    return X, y, weights / weights.sum()


@pytest.fixture(params=["gram", "columns", "sums"])
def way(request, monkeypatch):
    """Of descending; each is made to hold for all sizes."""
    by_columns = request.param == "columns"
    monkeypatch.setattr(
        _descent.GroupWorkingSet, "_gram_is_costly", lambda self: by_columns
    )
    return request.param


def problem_of(X, y, weights=None, *, intercept=True, way="gram"):
    weights = np.full(1, 1 / len(y)) if weights is None else weights
    if way == "sums":
        X = X.toarray() if sp.issparse(X) else X
        sums = moments_of(np.asfortranarray(X), y, weights)
        return sums.problem(fit_intercept=intercept)
    design = make_problem(column_major(X), weights, fit_intercept=intercept)
    return design.with_target(y)


def penalty_of(alpha, l1_ratio=0.0, weights=WEIGHTS["roots"], positive=False):
    if l1_ratio == 0.0:
        return penalties.GroupL2(alpha, GROUPS, weights, positive)
    return penalties.SparseGroup(alpha, l1_ratio, GROUPS, weights, positive)


def solve(problem, penalty, tol=1e-13, **options):
    solver = GroupSolver(problem, penalty, **options)
    return solver.solve(penalty, tol=tol, max_iter=10**5)


def slow_solution(X, y, s, penalty, *, intercept=True, n_steps=1500):
    """Of a slow solver, with its objective."""
    _, Xc = centred(X, s, intercept)
    yc = y - s @ y if intercept else y
    strengths = penalties.group_strengths(penalty, np.arange(SIZES.size))
    coef = group_descent(
        Xc, yc, s, INDICES, *strengths, positive=penalty.positive, n_steps=n_steps
    )
    return coef, group_objective(Xc, yc, s, coef, INDICES, *strengths)


# -- certificates ----------------------------------------------------------------


@each_storage
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [True, False])
def test_gap_by_hand(data, storage, dtype, intercept, rng):
    X, y, s = data
    X = X.astype(dtype)
    problem = problem_of(storage(X), y, s, intercept=intercept)
    X = X.astype(float)
    _, Xc = centred(X, s, intercept)
    yc = y - s @ y if intercept else y
    w = rng.standard_normal(30) * np.repeat(rng.uniform(size=10) < 0.5, 3)
    found = GroupCertifier(problem, penalty_of(0.3))(penalty_of(0.3), w)
    r = yc - Xc @ w
    lam = 0.3 * np.sqrt(SIZES)
    primal = group_objective(Xc, yc, s, w, INDICES, lam, 0.0 * lam)
    pulls = [np.linalg.norm(Xc[:, group].T @ (s * r)) for group in INDICES]
    theta = r * min(1.0, np.min(lam / pulls))
    dual = s @ (theta * yc - 0.5 * theta**2)
    assert found.objective == pytest.approx(primal, rel=1e-12)
    assert found.gap == pytest.approx(primal - dual, rel=1e-9)


@each_ratio
@each_weighting
@each_sign
def test_the_gap_bounds_the_suboptimality(data, l1_ratio, weights, positive, rng):
    """P(w) - P(w*) <= gap for any w, and the gap closes at the optimum."""
    X, y, s = data
    problem = problem_of(X, y, s)
    penalty = penalty_of(0.1, l1_ratio, weights, positive)
    best, least = slow_solution(X, y, s, penalty)
    certify = GroupCertifier(problem, penalty)
    optimum = certify(penalty, best)
    assert optimum.objective == pytest.approx(least, rel=1e-10)
    assert optimum.gap <= 1e-8 * problem.null_value
    for size in (1.0, 0.1, 0.01):
        w = best + size * rng.standard_normal(30) * (best != 0.0)
        w = np.maximum(w, 0.0) if positive else w
        certificate = certify(penalty, w)
        assert certificate.gap >= certificate.objective - least - 1e-13


@each_weighting
@each_ratio
@each_sign
def test_critical_alpha_separates(data, weights, l1_ratio, positive):
    """Just above it only unpenalised groups are active, just below one more is."""
    X, y, s = data
    problem = problem_of(X, y, s)
    critical = critical_alpha(problem, penalty_of(1.0, l1_ratio, weights, positive))

    def active(alpha):
        coef = solve(problem, penalty_of(alpha, l1_ratio, weights, positive)).coef
        return sum(coef[group].any() for group, w in zip(INDICES, weights) if w > 0.0)

    assert active(1.001 * critical) == 0
    assert active(0.999 * critical) == 1


# -- solutions -------------------------------------------------------------------


@each_storage
@each_ratio
@each_sign
@each_weighting
def test_it_minimises(data, storage, l1_ratio, positive, weights, way):
    X, y, s = data
    problem = problem_of(storage(X), y, s, way=way)
    alpha = 0.05 * critical_alpha(problem, penalty_of(1.0, l1_ratio, weights, positive))
    penalty = penalty_of(alpha, l1_ratio, weights, positive)
    solution = solve(problem, penalty)
    slow, least = slow_solution(X, y, s, penalty)
    assert solution.converged
    assert solution.certificate.objective <= least * (1 + 1e-12)
    np.testing.assert_allclose(solution.coef, slow, atol=1e-5)
    assert solution.route.solver == way


@pytest.mark.parametrize("weights", [np.ones(30), np.r_[0.0, np.inf, np.ones(28)]])
@each_sign
def test_groups_of_one_are_the_lasso(data, weights, positive, way):
    X, y, s = data
    problem = problem_of(X, y, s, way=way)
    alone = penalties.Groups(np.arange(30), np.arange(31))
    lasso = penalties.WeightedL1(0.05, weights, positive)
    expected = Solver(problem, lasso).solve(lasso, tol=1e-13, max_iter=10**4)
    found = solve(problem, penalties.GroupL2(0.05, alone, weights, positive))
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-7)
    assert found.certificate.objective == pytest.approx(expected.certificate.objective)


@each_ratio
def test_newton_steps_solve_the_whole_system(data, l1_ratio):
    """By its Hessian, from differences of the gradient."""
    X, y, s = data
    problem = problem_of(X, y, s)
    penalty = penalty_of(0.02, l1_ratio, WEIGHTS["free"])
    coef = 1.1 * solve(problem, penalty).coef
    moment = problem.correlation(problem.weights * problem.target)
    working = _descent.GroupWorkingSet(problem, moment, penalty.groups, l1_ratio == 0.0)
    working.grow(np.arange(7))
    state = _descent._ByGram(working, penalty, coef[working.features])
    state.start(None)
    inside = state._inside()
    lam, mu = state.blocks.lam, state.blocks.mu

    def gradient(w):
        whole = np.zeros(30)
        whole[inside] = w
        slope = state.gram @ whole - state.moment
        for b in range(7):
            own = slice(state.blocks.starts[b], state.blocks.starts[b + 1])
            length = np.linalg.norm(whole[own])
            if length > 0.0:
                slope[own] += lam[b] * whole[own] / length
            slope[own] += mu[b] * np.sign(whole[own])
        return slope[inside]

    w = state.coef[inside]
    steps = 1e-6 * np.eye(w.size)
    hessian = [(gradient(w + d) - gradient(w - d)) / 2e-6 for d in steps]
    expected = -np.linalg.solve(np.array(hessian), gradient(w))
    step, decrement = state._newton_step(inside)
    np.testing.assert_allclose(step, expected, rtol=1e-5, atol=1e-7)
    assert decrement == pytest.approx(-gradient(w) @ expected, rel=1e-5)


def test_newton_steps_spare_epochs(data, monkeypatch):
    """To a gap of rounding in a handful; without them it takes descent to get there."""
    X, y, s = data
    problem = problem_of(X, y, s)
    penalty = penalty_of(0.01 * critical_alpha(problem, penalty_of(1.0)))
    quick = solve(problem, penalty)
    assert quick.n_iter < 60
    monkeypatch.setattr(_descent, "cholesky", lambda matrix: None)
    slow = solve(problem, penalty)
    assert slow.n_iter > 2 * quick.n_iter
    np.testing.assert_allclose(slow.coef, quick.coef, atol=1e-6)


def test_what_turns_around_becomes_zero(data):
    X, y, s = data
    problem = problem_of(X, y, s)
    moment = problem.correlation(problem.weights * problem.target)
    for l1_ratio in (0.0, 0.4):
        penalty = penalty_of(0.02, l1_ratio)
        exact = l1_ratio == 0.0
        working = _descent.GroupWorkingSet(problem, moment, penalty.groups, exact)
        working.grow(np.array([1, 2]))
        state = _descent._ByGram(working, penalty, np.array([1.0, 1, -1, 2, 1, 0]))
        state.start(None)
        inside, start = state._inside(), state.coef[state._inside()]
        step = np.array([-1.5, 0.0, 0.0, 0.0, -2.0])
        there, left = state._landed(inside, start, step)
        assert left
        # A coefficient passes 0 only where it has no penalty of its own.
        expected = [-0.5 if exact else 0.0, 1.0, -1.0, 2.0, 0.0]
        np.testing.assert_array_equal(there, expected)
        # Where nothing turns, nothing is left.
        assert not state._landed(inside, start, 0.1 * step)[1]


def test_combinations_of_iterates_spare_epochs(rng, monkeypatch):
    X = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 30))
    X += 0.05 * rng.standard_normal((30, 30))
    y = X @ rng.standard_normal(30) + rng.standard_normal(30)
    problem = problem_of(X, y)
    monkeypatch.setattr(_descent.GroupWorkingSet, "_gram_is_costly", lambda self: True)
    penalty = penalty_of(1e-3 * critical_alpha(problem, penalty_of(1.0)))
    quick = solve(problem, penalty, tol=1e-8)
    monkeypatch.setattr(_descent, "_combination", lambda past: None)
    slow = solve(problem, penalty, tol=1e-8)
    assert slow.n_iter > 1.5 * quick.n_iter
    for solution in (quick, slow):
        assert solution.converged


@each_storage
@each_sign
@each_ratio
def test_singular_supports_are_certified(storage, positive, l1_ratio, way, rng):
    """Duplicates in and among groups, and more columns active than there are rows."""
    X = rng.standard_normal((12, 10))
    X = np.hstack([X, X, X[:, :3] @ rng.standard_normal((3, 10))])
    y = X @ rng.standard_normal(30)
    problem = problem_of(storage(X), y, intercept=False, way=way)
    penalty_at = partial(penalty_of, l1_ratio=l1_ratio, positive=positive)
    largest = critical_alpha(problem, penalty_at(1.0))
    alphas = largest * np.geomspace(1, 1e-3, 12)
    path = solve_path(problem, penalty_at, alphas, tol=1e-7, max_iter=10**5)
    assert np.all(path.converged)
    assert np.count_nonzero(path.coefs.toarray()[:, -1]) > (5 if positive else 12)


@pytest.mark.parametrize("shape", [(40, 300), (400, 30)])
def test_a_path_takes_about_one_pass_a_point(rng, shape):
    """At most one and a half; one for all where sums over rows are formed."""
    X, y = sparse_regression(rng, *shape)
    problem = problem_of(X, y)
    starts = np.arange(0, shape[1] + 1, 3)
    groups = penalties.Groups(np.arange(shape[1]), starts)
    penalty_at = partial(
        penalties.GroupL2, groups=groups, weights=np.ones(starts.size - 1)
    )
    alphas = critical_alpha(problem, penalty_at(1.0)) * np.geomspace(1, 0.05, 30)
    solver = GroupSolver(problem, penalty_at(1.0), n_solves=30)
    for alpha in alphas:
        found = solver.solve(penalty_at(alpha), tol=1e-8, max_iter=10**4)
        assert found.converged
        exact = GroupCertifier(problem, penalty_at(alpha))(
            penalty_at(alpha), found.coef
        )
        assert exact.gap <= 1.1e-8 * problem.null_value
    most = 1.5 * alphas.size if shape[0] < shape[1] else 1.0
    assert solver.route.n_passes <= most
    assert solver.route.screened_share == pytest.approx(
        1.0 - solver.n_members / shape[1]
    )


def test_any_order_of_penalties(data, way):
    """Up, down, or repeated: the state that is kept is right for each."""
    X, y, s = data
    problem = problem_of(X, y, s, way=way)
    largest = critical_alpha(problem, penalty_of(1.0))
    solver = GroupSolver(problem, penalty_of(1.0))
    for share in (0.5, 0.01, 0.01, 0.3, 2.0, 0.1):
        penalty = penalty_of(share * largest)
        found = solver.solve(penalty, tol=1e-13, max_iter=10**5)
        fresh = solve(problem, penalty)
        np.testing.assert_allclose(found.coef, fresh.coef, atol=1e-6)


def test_a_start_is_used_unless_it_is_worse_than_nothing(data):
    X, y, s = data
    problem = problem_of(X, y, s)
    penalty = penalty_of(0.05)
    best = solve(problem, penalty)
    again = solve(problem, penalty, start=best.coef)
    assert again.n_iter == 0
    np.testing.assert_array_equal(again.coef, best.coef)
    solver = GroupSolver(problem, penalty, start=np.full(30, 1e6))
    assert not solver.coef.any()
    far = solver.solve(penalty, tol=1e-13, max_iter=10**5)
    np.testing.assert_allclose(far.coef, best.coef, atol=1e-6)


def test_descent_moves_from_gram_to_columns(data, monkeypatch):
    """Where the working set outgrows it, in the middle of a path."""
    X, y, s = data
    problem = problem_of(X, y, s)
    largest = critical_alpha(problem, penalty_of(1.0))
    monkeypatch.setattr(_descent, "LARGEST_GRAM", 12)
    monkeypatch.setattr(_groups, "SMALLEST_WORKING_SET", 4)
    solver = GroupSolver(problem, penalty_of(1.0))
    ways = []
    for share in (0.9, 0.5, 0.2, 0.02):
        penalty = penalty_of(share * largest)
        found = solver.solve(penalty, tol=1e-13, max_iter=10**5)
        ways.append(found.route.solver)
        fresh = slow_solution(X, y, s, penalty)[0]
        np.testing.assert_allclose(found.coef, fresh, atol=1e-6)
    assert ways[0] == "gram"
    assert ways[-1] == "columns"


def test_the_least_penalised_of_a_size(data):
    """It counts coefficients: groups join as a whole."""
    X, y, s = data
    problem = problem_of(X, y, s)
    for wanted in (0, 3, 12):
        alpha, solution = solve_to_size(
            problem, penalty_of, wanted, tol=1e-10, max_iter=10**5
        )
        assert np.count_nonzero(solution.coef) <= wanted
        less = solve(problem, penalty_of(0.999 * alpha))
        assert np.count_nonzero(less.coef) > wanted


def test_it_stops_where_nothing_improves(data, monkeypatch):
    """A tolerance below rounding ends by itself, at the best there is."""
    X, y, s = data
    problem = problem_of(X, y, s)
    monkeypatch.setattr(_blocks, "IDLE_ROUNDS", 3)
    solution = solve(problem, penalty_of(0.05), tol=0.0)
    assert solution.n_iter < 10**5
    assert solution.certificate.gap <= 1e-14 * problem.null_value
