"""The solver's laws: every route gives the certified answer."""

from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, coordinate_descent, sparse_regression

from sparselearn import penalties
from sparselearn._solvers import _engine, _squared_loss, _working_set
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._squared_loss import Solver
from sparselearn._solvers._working_set import DesignWorkingSet, GramWorkingSet
from sparselearn._validation import column_major


def problem_of(X, y, weights=None, *, intercept=True):
    if weights is None:
        weights = np.full(1, 1 / y.size)
    problem = make_problem(column_major(X), weights, fit_intercept=intercept)
    return problem.with_target(y)


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 50, 30)
    weights = rng.uniform(size=50)
    weights[:2] = 0.0
    return X, y, weights / weights.sum()


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("block", [10, 10**6])
@pytest.mark.parametrize("weighted", [False, True])
def test_gram_grows_to_the_gram(data, storage, block, weighted, monkeypatch):
    """However the columns arrive, and in however many blocks of rows."""
    monkeypatch.setattr(_working_set, "BLOCK", block)
    X, y, weights = data
    s = weights if weighted else np.full(50, 1 / 50)
    problem = problem_of(storage(X), y, weights if weighted else None)
    _, Xc = centred(X, s, True)
    working = GramWorkingSet(problem, Xc.T @ (s * problem.target))
    for new in ([4], [0, 7, 2], range(8, 30)):
        working.grow(np.array(new))
    columns = Xc[:, working.features]
    expected = columns.T @ (s[:, None] * columns)
    np.testing.assert_allclose(working.gram, expected, atol=1e-13)


@pytest.mark.parametrize("kind", [GramWorkingSet, DesignWorkingSet])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_both_kinds_minimise(data, kind, positive, l1_ratio, monkeypatch):
    X, y, weights = data
    problem = problem_of(X, y, weights)
    alpha = 0.1 * critical_alpha(problem, penalties.L1(1.0))
    penalty = penalties.ElasticNet(alpha, l1_ratio, positive)
    monkeypatch.setattr(
        Solver,
        "_working_set",
        lambda self, penalty: (
            kind(problem, self._moment) if kind is GramWorkingSet else kind(problem)
        ),
    )
    tol = 1e-14 if l1_ratio == 1.0 else 1e-20
    solution = Solver(problem, penalty).solve(penalty, tol=tol, max_iter=10**5)
    _, Xc = centred(X, weights, True)
    l1, l2 = np.full(30, alpha * l1_ratio), np.full(30, alpha * (1 - l1_ratio))
    slow = coordinate_descent(
        Xc, problem.target, weights, l1, l2, positive=positive, n_epochs=3000
    )
    assert solution.converged
    np.testing.assert_allclose(solution.coef, slow, atol=1e-7)


def test_a_gram_too_large_is_left_on_the_way(data, monkeypatch):
    X, y, weights = data
    problem = problem_of(X, y, weights)
    penalty = penalties.L1(0.01 * critical_alpha(problem, penalties.L1(1.0)))
    expected = Solver(problem, penalty).solve(penalty, tol=1e-12, max_iter=10**5)
    monkeypatch.setattr(_squared_loss, "LARGEST_GRAM", 4)
    monkeypatch.setattr(_engine, "SMALLEST_WORKING_SET", 3)
    solver = Solver(problem, penalty)
    assert isinstance(solver._working, GramWorkingSet)
    solution = solver.solve(penalty, tol=1e-12, max_iter=10**5)
    assert isinstance(solver._working, DesignWorkingSet)
    np.testing.assert_allclose(solution.coef, expected.coef, atol=1e-6)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_singular_supports_are_certified(storage, rng):
    """Duplicate columns, and more active columns than rows can tell apart."""
    X = rng.standard_normal((12, 6))
    X = np.hstack([X, X, X[:, :3] @ rng.standard_normal((3, 6))])
    y = X @ rng.standard_normal(18)
    problem = problem_of(storage(X), y, intercept=False)
    largest = critical_alpha(problem, penalties.L1(1.0))
    solver = Solver(problem, penalties.L1(1.0), n_solves=20)
    for alpha in largest * np.geomspace(1, 1e-3, 20):
        penalty = penalties.L1(alpha)
        solution = solver.solve(penalty, tol=1e-7, max_iter=10**5)
        assert solution.converged


def test_a_path_takes_about_one_pass_a_point(rng):
    """And none where the Gram matrix of all columns is at hand."""
    wide = problem_of(*sparse_regression(rng, 40, 200))
    tall = problem_of(*sparse_regression(rng, 400, 20))
    for problem, most in ((wide, 45), (tall, 1)):
        largest = critical_alpha(problem, penalties.L1(1.0))
        solver = Solver(problem, penalties.L1(1.0), n_solves=30)
        for alpha in largest * np.geomspace(1, 0.05, 30):
            solver.solve(penalties.L1(alpha), tol=1e-10, max_iter=10**4)
        assert solver.route.n_passes <= most
        exact = solver.certifier(penalties.L1(alpha), solver.coef)
        assert exact.gap <= 1e-10 * problem.null_value


def test_the_order_of_penalties_does_not_matter(data):
    """Up, down or repeated: the state that is kept is right for each."""
    X, y, weights = data
    problem = problem_of(X, y, weights)
    largest = critical_alpha(problem, penalties.L1(1.0))
    solver = Solver(problem, penalties.L1(1.0))
    for share in (0.5, 0.01, 0.01, 0.3, 2.0, 0.1):
        penalty = penalties.L1(share * largest)
        found = solver.solve(penalty, tol=1e-13, max_iter=10**5)
        fresh = Solver(problem, penalty).solve(penalty, tol=1e-13, max_iter=10**5)
        np.testing.assert_allclose(found.coef, fresh.coef, atol=1e-8)


def path_of(problem, penalty_at, alphas, tol):
    """The solutions of a path, each certified from scratch, and its solver."""
    solver = Solver(problem, penalty_at(alphas[0]), n_solves=len(alphas))
    coefs = []
    for alpha in alphas:
        penalty = penalty_at(alpha)
        solution = solver.solve(penalty, tol=tol, max_iter=10**5)
        assert solution.converged
        exact = solver.certifier(penalty, solution.coef)
        assert exact.gap <= 2.0 * tol * problem.null_value
        objective = solution.certificate.objective
        assert objective == pytest.approx(exact.objective, rel=1e-9)
        coefs.append(solution.coef)
    return coefs, solver


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("positive", [False, True])
def test_far_from_the_largest_alpha_is_the_end_of_a_path(storage, positive, rng):
    """One solve goes there by waypoints of its own."""
    X, y = sparse_regression(rng, 40, 120)
    problem = problem_of(storage(X), y)
    unit = penalties.L1(1.0, positive)
    alphas = critical_alpha(problem, unit) * np.geomspace(1, 0.01, 30)
    coefs, _ = path_of(problem, lambda a: unit._replace(alpha=a), alphas, 1e-13)
    penalty = unit._replace(alpha=alphas[-1])
    solver = Solver(problem, penalty)
    assert len(solver._waypoints(penalty)) > 20
    alone = solver.solve(penalty, tol=1e-13, max_iter=10**5)
    assert alone.converged
    np.testing.assert_allclose(alone.coef, coefs[-1], atol=1e-9)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("shape", [(40, 150), (300, 20), (30, 31)])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.9])
def test_coarse_paths_are_certified(storage, shape, l1_ratio, rng):
    """Ten times less alpha at each step, down to where most features are active."""
    X, y = sparse_regression(rng, *shape)
    problem = problem_of(storage(X), y)
    unit = penalties.ElasticNet(1.0, l1_ratio)
    alphas = critical_alpha(problem, unit) * np.geomspace(1, 1e-4, 5)
    path_of(problem, lambda a: unit._replace(alpha=a), alphas, 1e-12)


@pytest.mark.parametrize("shape", [(40, 100), (200, 15)])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_ridge_may_change_along_a_path(shape, weighted, rng):
    """Also where the support stays: its factor is then of another matrix."""
    problem = problem_of(*sparse_regression(rng, *shape))
    omega = rng.uniform(0.5, 2.0, shape[1]) if weighted else np.ones(shape[1])
    unit = penalties.WeightedElasticNet(1.0, 0.5, omega)
    largest = critical_alpha(problem, unit)
    alphas = largest * np.array([0.5, 0.2, 0.199, 0.198, 0.05, 0.0499])
    coefs, _ = path_of(problem, lambda a: unit._replace(alpha=a), alphas, 1e-13)
    assert np.array_equal(coefs[1] != 0.0, coefs[2] != 0.0)
    for alpha, coef in zip(alphas, coefs):
        penalty = unit._replace(alpha=alpha)
        fresh = Solver(problem, penalty).solve(penalty, tol=1e-13, max_iter=10**5)
        np.testing.assert_allclose(coef, fresh.coef, atol=1e-10)
    # And the ratio alone: the same alpha, the same support.
    solver = Solver(problem, unit)
    for l1_ratio in (0.5, 0.499, 0.9):
        penalty = unit._replace(alpha=alphas[1], l1_ratio=l1_ratio)
        found = solver.solve(penalty, tol=1e-13, max_iter=10**5)
        fresh = Solver(problem, penalty).solve(penalty, tol=1e-13, max_iter=10**5)
        np.testing.assert_allclose(found.coef, fresh.coef, atol=1e-10)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_paths_outgrow_their_room(storage, rng, monkeypatch):
    """More than twice, and go on with the support that they have."""
    monkeypatch.setattr(_engine, "SMALLEST_WORKING_SET", 3)
    monkeypatch.setattr(_squared_loss, "LOOKUP", 10**6)
    monkeypatch.setattr(_working_set, "ROOM", 1)
    X = rng.standard_normal((100, 120))
    y = X @ rng.standard_normal(120)
    problem = problem_of(storage(X), y)
    rooms, grow = set(), GramWorkingSet.grow

    def watched(self, new):
        grow(self, new)
        rooms.add(self.storage.shape[0])

    monkeypatch.setattr(GramWorkingSet, "grow", watched)
    alphas = critical_alpha(problem, penalties.L1(1.0)) * np.geomspace(1, 0.02, 40)
    coefs, solver = path_of(problem, penalties.L1, alphas, 1e-12)
    assert len(rooms) > 2
    assert np.count_nonzero(coefs[-1]) > 60
    columns = problem.centred_columns(solver._working.features)
    np.testing.assert_allclose(
        solver._working.gram, columns.T @ columns / 100, atol=1e-12
    )


def test_routes(rng):
    """By sums where X is tall, by columns where it is sparse and much is active."""
    tall = problem_of(*sparse_regression(rng, 300, 20))
    wide = problem_of(*sparse_regression(rng, 40, 400))
    X = sp.random_array((300, 200), density=0.02, random_state=rng, format="csc")
    y = X @ rng.standard_normal(200) + 0.1 * rng.standard_normal(300)
    thin = problem_of(X, y)
    routes = {}
    for name, problem, end in (
        ("sums", tall, 0.01),
        ("gram", wide, 0.1),
        ("columns", thin, 1e-3),
    ):
        largest = critical_alpha(problem, penalties.L1(1.0))
        alphas = largest * np.geomspace(1, end, 30)
        _, solver = path_of(problem, penalties.L1, alphas, 1e-9)
        routes[name] = solver.route
        assert solver.route.solver == name
        members = solver._working.features
        assert np.unique(members).size == members.size
        share = 1.0 - members.size / problem.curvature.size
        assert solver.route.screened_share == pytest.approx(share)
    assert routes["sums"].n_passes == 1.0
    assert routes["sums"].screened_share == 0.0
    assert 1.0 < routes["gram"].n_passes < 25
    assert 0.5 < routes["gram"].screened_share < 1.0


class Mine(NamedTuple):
    """An L1 penalty of a user's own, with the formulas that are asked for."""

    alpha: float


@penalties.value.register(Mine)
def _(penalty, w, j):
    return penalty.alpha * np.abs(w)


@penalties.prox.register(Mine)
def _(penalty, z, step, j):
    return np.sign(z) * np.maximum(np.abs(z) - step * penalty.alpha, 0.0)


@penalties.conjugate.register(Mine)
def _(penalty, v, j):
    return np.where(np.abs(v) > penalty.alpha * (1 + 1e-12), np.inf, 0.0)


@penalties.dual_scale.register(Mine)
def _(penalty, w, g, j):
    return np.minimum(penalty.alpha / np.maximum(np.abs(g), 1e-300), 1.0)


@penalties.subdifferential_distance.register(Mine)
def _(penalty, w, g, j):
    outside = np.maximum(np.abs(g) - penalty.alpha, 0.0)
    return np.where(w == 0.0, outside, np.abs(g - penalty.alpha * np.sign(w)))


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_a_penalty_of_ones_own(data, storage):
    X, y, weights = data
    problem = problem_of(storage(X), y, weights)
    solver = Solver(problem, Mine(1.0))
    for alpha in (0.5, 0.1):
        own = solver.solve(Mine(alpha), tol=1e-11, max_iter=10**5)
        l1 = penalties.L1(alpha)
        ours = Solver(problem, l1).solve(l1, tol=1e-11, max_iter=10**5)
        assert own.converged
        np.testing.assert_allclose(own.coef, ours.coef, atol=1e-5)


@pytest.mark.parametrize("max_iter", [1, 2, 5, 9])
def test_out_of_epochs_the_certificate_is_of_what_is_returned(max_iter, rng):
    """Also where they end before the penalty that was asked for is reached."""
    problem = problem_of(*sparse_regression(rng, 40, 200))
    penalty = penalties.L1(1e-3 * critical_alpha(problem, penalties.L1(1.0)))
    solver = Solver(problem, penalty)
    solution = solver.solve(penalty, tol=1e-9, max_iter=max_iter)
    full = solver.certifier(penalty, solution.coef)
    assert not solution.converged
    assert solution.certificate.gap == pytest.approx(full.gap, rel=1e-9)
    assert solution.certificate.objective == pytest.approx(full.objective, rel=1e-12)
