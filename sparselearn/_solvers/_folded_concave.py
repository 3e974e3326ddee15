"""The squared loss with a folded concave penalty: stationary points along a path.

The loop is that of ``_stationary.py``.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._concave_glm import ConcaveGlmSolver, ConcaveMultinomialSolver
from sparselearn._solvers._concave_working_set import ConcaveWorkingSet
from sparselearn._solvers._engine import Route
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._multinomial import MultinomialProblem
from sparselearn._solvers._path import EXACT, alpha_grid, least_penalised
from sparselearn._solvers._problem import multiply
from sparselearn._solvers._squared_loss import Solver
from sparselearn._solvers._stationary import (
    StationarySolver,
    convex_twin,
    correlation_unit,
    penalised,
    violation_of,
)

__all__ = [
    "ALPHAS",
    "ConcaveSolver",
    "StationaryPath",
    "certify",
    "follow_path",
    "solve_concave",
    "solve_concave_to_size",
]

# Alphas of a path to one that is not known yet, about.
ALPHAS = 20


@dataclass(frozen=True)
class StationaryPath:
    """Stationary points along a path; as `_path.PathResult`, but without gaps.

    Attributes
    ----------
    alphas : ndarray (n_alphas,)
        Decreasing.
    coefs : csc_array (n_features, n_alphas)
    intercepts : ndarray (n_alphas,)
    violations : ndarray (n_alphas,)
    n_iter : ndarray of int (n_alphas,)
    converged : ndarray of bool (n_alphas,)
    route : Route
    """

    alphas: np.ndarray
    coefs: sp.csc_array
    intercepts: np.ndarray
    violations: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
    route: Route


class ConcaveSolver(StationarySolver, Solver):
    """Finds stationary points of the squared loss; see `StationarySolver`.

    Parameters
    ----------
    problem, start, n_solves : as for `Solver`
    penalty : spec
        Any of the penalties to come, of the family `penalties.FoldedConcave`.
    """

    _gram_kind = ConcaveWorkingSet

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        super().__init__(problem, convex_twin(penalty), start=start, n_solves=n_solves)
        self._nothing = self.problem.null_value
        length = np.sqrt(2.0 * self._nothing)
        self._unit = correlation_unit(self.problem.curvature, self._moment, length)


def certify(problem, penalty, coef):
    """The objective and the violation of `coef`, from the data alone.

    Nothing that kernels computed along the way goes into it but the curvatures, which
    are units.

    Parameters
    ----------
    problem : Problem
    penalty : spec
    coef : ndarray (n_features,)

    Returns
    -------
    objective, violation : float
    """
    weights = problem.weights
    support = np.flatnonzero(coef != 0.0)
    residual = problem.target - multiply(problem.matrix, coef[support], support)
    if problem.fit_intercept:
        residual -= np.broadcast_to(weights, residual.shape) @ residual
    moment = problem.correlation(weights * problem.target)
    correlation = problem.correlation(weights * residual)
    square = np.sum(weights * residual**2)
    curvature = problem.curvature
    unit = correlation_unit(curvature, moment, np.sqrt(2.0 * problem.null_value))
    violation = violation_of(penalty, coef, support, correlation, curvature, unit)
    return 0.5 * square + penalised(penalty, coef), violation


def _make_solver(problem, penalty, **options):
    """The solver for problems of this kind."""
    if isinstance(problem, MultinomialProblem):
        kind = ConcaveMultinomialSolver
    else:
        kind = ConcaveGlmSolver if isinstance(problem, GlmProblem) else ConcaveSolver
    return kind(problem, penalty, **options)


def solve_concave(problem, penalty, *, start=None, tol, max_iter):
    """The stationary point at the end of the path from the null model to `penalty`.

    Or that which descent reaches from `start`, if that is better than nothing.

    Parameters
    ----------
    problem : Problem, MomentProblem, GlmProblem or MultinomialProblem
    penalty : spec
        A `penalties.FoldedConcave`, with an alpha > 0.
    start : optional
        As the solver for such problems takes it.
    tol : float
        The largest violation to be left at each alpha.
    max_iter : int
        At most so many rounds in all.

    Returns
    -------
    StationaryPoint
    """
    n_solves = ALPHAS if start is None else 1
    solver = _make_solver(problem, penalty, start=start, n_solves=n_solves)
    if start is not None and solver.is_worse_than_nothing(penalty):
        solver = _make_solver(problem, penalty, n_solves=ALPHAS)
    n_iter = 0
    for waypoint in solver.waypoints(penalty):
        point = solver.solve(waypoint, tol=tol, max_iter=max(max_iter - n_iter, 0))
        n_iter += point.n_iter
    return replace(point, n_iter=n_iter)


def solve_concave_to_size(problem, penalty_at, n_nonzero, *, tol, max_iter):
    """The least-penalised point of the path with at most `n_nonzero` coefficients.

    Each is reached from the one at the next larger alpha, as on a path.

    Returns
    -------
    alpha : float
    point : StationaryPoint
    """
    solver = _make_solver(problem, penalty_at(1.0), n_solves=100)
    alphas = alpha_grid(solver.alpha_max)
    points = {}

    def solve(alpha):
        larger = [other for other in points if other > alpha]
        if larger and min(larger) != min(points):
            solver.restart(points[min(larger)].coef, min(larger))
        points[alpha] = solver.solve(
            penalty_at(alpha), tol=min(tol, EXACT), max_iter=max_iter
        )
        return points[alpha]

    return least_penalised(
        solve, alphas, lambda coef: np.count_nonzero(coef != 0.0) <= n_nonzero
    )


def follow_path(problem, penalty_at, alphas, *, tol, max_iter, dtype=np.float64):
    """Follow the path through the decreasing `alphas`.

    Returns
    -------
    StationaryPath
        With coefficients of `dtype`.
    """
    solver = ConcaveSolver(problem, penalty_at(alphas[0]), n_solves=len(alphas))
    points = [
        solver.solve(penalty_at(alpha), tol=tol, max_iter=max_iter) for alpha in alphas
    ]
    coefs = sp.hstack(
        [sp.csc_array(point.coef.astype(dtype)[:, None]) for point in points],
        format="csc",
    )
    return StationaryPath(
        alphas=np.asarray(alphas, dtype=np.float64),
        coefs=coefs,
        intercepts=np.array([point.intercept for point in points], dtype=dtype),
        violations=np.array([point.violation for point in points]),
        n_iter=np.array([point.n_iter for point in points]),
        converged=np.array([point.converged for point in points]),
        route=solver.route,
    )
