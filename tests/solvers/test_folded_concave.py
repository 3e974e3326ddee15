"""Stationary points along paths, and what the working set does."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, folded_descent, mcp, scad, sparse_regression

from sparselearn import penalties
from sparselearn._kernels._gram import descend_gram
from sparselearn._solvers import _concave_working_set
from sparselearn._solvers._certificates import exposed
from sparselearn._solvers._folded_concave import (
    ConcaveSolver,
    certify,
    follow_path,
    solve_concave,
    solve_concave_to_size,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

FORMULAS = {penalties.MCP: mcp, penalties.SCAD: scad}
each_kind = pytest.mark.parametrize("kind", FORMULAS)
each_shape = pytest.mark.parametrize("shape", [(60, 12), (40, 60)], ids=str)


def problem_of(X, y):
    weights = np.full(1, 1 / len(y))
    return make_problem(column_major(X), weights, fit_intercept=True).with_target(y)


def penalty_of(kind, problem, alpha, gamma=3.7, **options):
    ones = np.ones(problem.curvature.size)
    return kind(alpha, gamma, ones, problem.curvature, **options)


@each_kind
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("gamma", [2.3, 3.7, 50.0])
def test_descent_takes_the_steps_of_its_slow_twin(rng, kind, positive, gamma):
    X, y = sparse_regression(rng, 40, 9)
    problem = problem_of(X, y)
    penalty = penalty_of(kind, problem, 0.1, gamma, positive=positive)
    _, Xc = centred(X, np.full(40, 1 / 40), True)
    gram, coef, slow = Xc.T @ Xc / 40, np.zeros(9), np.zeros(9)
    correlation = Xc.T @ problem.target / 40
    for n_epochs in (1, 2):
        descend_gram(gram, penalty, np.arange(9), coef, correlation, n_epochs, -1.0)
        slow = folded_descent(
            Xc,
            problem.target,
            np.full(40, 1 / 40),
            np.full(9, 0.1),
            gamma,
            FORMULAS[kind],
            coef=slow,
            positive=positive,
            n_epochs=n_epochs,
        )
        np.testing.assert_allclose(coef, slow, atol=1e-12)
    assert np.count_nonzero(coef) > 2


@each_kind
@each_shape
@pytest.mark.parametrize("settles", [True, False])
def test_paths_are_stationary_at_each_alpha(rng, kind, shape, settles, monkeypatch):
    """By linear algebra and descent, or by descent alone."""
    if not settles:
        monkeypatch.setattr(
            _concave_working_set.Pieces,
            "settle",
            lambda self, w, pull, most: (w, 0, False),
        )
    X, y = sparse_regression(rng, *shape)
    problem = problem_of(X, y)
    largest = ConcaveSolver(problem, penalty_of(kind, problem, 1.0))._alpha
    alphas = largest * np.geomspace(1.0, 0.02, 12)
    path = follow_path(
        problem,
        lambda alpha: penalty_of(kind, problem, alpha),
        alphas,
        tol=1e-7,
        max_iter=10**5,
    )
    assert path.converged.all()
    assert path.coefs.shape == (shape[1], 12)
    np.testing.assert_array_equal(path.alphas, alphas)
    for k, alpha in enumerate(alphas):
        coef = path.coefs[:, [k]].toarray()[:, 0]
        objective, violation = certify(problem, penalty_of(kind, problem, alpha), coef)
        assert violation <= 1.01e-7
        assert path.violations[k] == pytest.approx(violation, rel=1e-4, abs=1e-13)
        intercept = np.mean(y - X @ coef)
        assert path.intercepts[k] == pytest.approx(intercept)
        assert objective <= problem.null_value * (1 + 1e-12)
    if settles:
        assert np.max(path.violations) < 1e-12


@each_kind
def test_the_certificate_measures_a_step_away(rng, kind):
    """Moved by t, coordinate j of unit variance is off by t and more for the others."""
    X, y = sparse_regression(rng, 60, 12)
    problem = problem_of(X, y)
    penalty = penalty_of(kind, problem, 0.1)
    point = solve_concave(problem, penalty, tol=1e-12, max_iter=1000)
    unit = np.max(np.abs((X - X.mean(axis=0)).T @ problem.target / 60) / X.std(axis=0))
    j = int(np.argmax(np.abs(point.coef) * X.std(axis=0)))
    moved = point.coef.copy()
    moved[j] += 0.01 / X[:, j].std()
    # Its piece is the constant one: nothing but the loss pulls.
    objective, violation = certify(problem, penalty, moved)
    assert violation == pytest.approx(0.01 / unit, rel=1e-6)
    assert objective - point.objective == pytest.approx(0.5 * 0.01**2, rel=1e-6)


@each_kind
def test_waypoints(rng, kind):
    """As many as the documentation says, none further apart than a stride."""
    X, y = sparse_regression(rng, 60, 12)
    problem = problem_of(X, y)
    solver = ConcaveSolver(problem, penalty_of(kind, problem, 1.0))
    for share, n in ((1.0, 1), (0.9, 1), (0.1, 13), (0.01, 26)):
        penalty = penalty_of(kind, problem, share * solver._alpha)
        alphas = [waypoint.alpha for waypoint in solver.waypoints(penalty)]
        assert len(alphas) == n
        assert alphas[-1] == penalty.alpha
        steps = np.array([solver._alpha, *alphas[:-1]]) / alphas
        assert np.max(steps) <= ConcaveSolver._stride * (1 + 1e-12)


@each_kind
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_uphill_is_not_gone(rng, kind, storage, monkeypatch):
    """A settling that leads uphill is dropped, and descent goes on instead."""
    X, y = sparse_regression(rng, 40, 60)
    problem = problem_of(storage(X), y)
    penalty = penalty_of(kind, problem, 0.1)
    expected = solve_concave(problem, penalty, tol=1e-9, max_iter=10**5)
    monkeypatch.setattr(
        _concave_working_set.Pieces,
        "settle",
        lambda self, w, pull, most: (w + 9.0, 1, True),
    )
    found = solve_concave(problem, penalty, tol=1e-9, max_iter=10**5)
    assert found.converged
    assert found.objective == pytest.approx(expected.objective, rel=0.05)


@each_kind
def test_a_number_of_features_is_approached_from_larger_alphas(rng, kind, monkeypatch):
    """Bisection goes up and down, but each point begins at the one before it."""
    X, y = sparse_regression(rng, 40, 60)
    problem = problem_of(X, y)
    seen, solve = {}, ConcaveSolver.solve

    def watched(self, penalty, **options):
        larger = [alpha for alpha in seen if alpha > penalty.alpha]
        if larger:
            np.testing.assert_array_equal(self.coef, seen[min(larger)])
        point = solve(self, penalty, **options)
        seen[penalty.alpha] = point.coef
        return point

    monkeypatch.setattr(ConcaveSolver, "solve", watched)
    alpha, point = solve_concave_to_size(
        problem,
        lambda alpha: penalty_of(kind, problem, alpha),
        5,
        tol=1e-6,
        max_iter=10**4,
    )
    assert len(seen) > 15
    assert np.count_nonzero(point.coef) <= 5
    assert min(seen) < alpha


@each_kind
def test_only_what_may_leave_zero_is_looked_at(rng, kind):
    X, y = sparse_regression(rng, 40, 9)
    penalty = penalty_of(kind, problem_of(X, y), 0.5)
    correlation = np.array([0.4, -0.6, 0.6, 0.1, 0.0, -0.49, 0.51, 0.2, 9.0])
    np.testing.assert_array_equal(exposed(penalty, correlation), [1, 2, 6, 8])
    support = np.array([4])
    np.testing.assert_array_equal(
        exposed(penalty, correlation, support), [1, 2, 4, 6, 8]
    )
