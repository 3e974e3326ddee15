"""A path of penalties, each solution the start of the next."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._solvers._engine import Route
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._glm_solver import GlmSolver
from sparselearn._solvers._groups import GroupSolver
from sparselearn._solvers._multinomial import MultinomialProblem, MultinomialSolver
from sparselearn._solvers._squared_loss import Solver

__all__ = [
    "EXACT",
    "PathResult",
    "alpha_grid",
    "check_alphas",
    "least_penalised",
    "make_solver",
    "solve_path",
    "solve_to_size",
]

# Two alphas of a path are 7% apart; so many halvings bring them to 1e-5.
N_ALPHAS = 100
BISECTIONS = 12
# The gap at which the number of non-zeros is taken: bisection is finer than most tol.
EXACT = 1e-9


@dataclass(frozen=True)
class PathResult:
    """Solutions along a path of penalties.

    Attributes
    ----------
    alphas : ndarray (n_alphas,)
        Decreasing.
    coefs : csc_array (n_features, n_alphas)
    intercepts : ndarray (n_alphas,)
    dual_gaps : ndarray (n_alphas,)
        In units of the objective.
    n_iter : ndarray of int (n_alphas,)
        Epochs of coordinate descent.
    converged : ndarray of bool (n_alphas,)
        Whether the gap met the tolerance.
    route : Route
        How the solutions were come by: `solver`, `n_passes` and `screened_share`.
    penalty_at : callable or None
        The penalty's spec as a function of alpha.
    loss : spec or None
        None is the squared loss.
    fit_intercept : bool
    """

    alphas: np.ndarray
    coefs: sp.csc_array
    intercepts: np.ndarray
    dual_gaps: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
    route: Route
    penalty_at: Callable = None
    loss: object = None
    fit_intercept: bool = True


def make_solver(problem, penalty, *, start=None, n_solves=1):
    """The solver for problems and penalties of these kinds; see `Solver`."""
    if isinstance(problem, MultinomialProblem):
        kind = MultinomialSolver
    elif isinstance(problem, GlmProblem):
        kind = GlmSolver
    elif isinstance(penalty, penalties.GroupFamily):
        kind = GroupSolver
    else:
        kind = Solver
    return kind(problem, penalty, start=start, n_solves=n_solves)


def solve_path(problem, penalty_at, alphas, *, tol, max_iter, dtype=np.float64):
    """Solve ``penalty_at(alpha)`` for each of the decreasing `alphas`.

    Returns
    -------
    PathResult
        With coefficients of `dtype`.
    """
    solver, supports, values, records = None, [], [], []
    for alpha in alphas:
        penalty = penalty_at(alpha)
        # At alpha = 0 every feature is unpenalised: a problem of another kind.
        if solver is None or alpha == 0.0:
            solver = make_solver(
                problem,
                penalty,
                start=None if solver is None else solver.start,
                n_solves=len(alphas),
            )
        certificate, *rest = solver.advance(penalty, tol=tol, max_iter=max_iter)
        supports.append(solver.support)
        values.append(solver.coef[solver.support].astype(dtype))
        records.append((solver.intercept, certificate.gap, *rest))
    intercepts, dual_gaps, n_iter, converged = map(np.array, zip(*records))
    ends = np.cumsum([0, *(support.size for support in supports)])
    parts = np.concatenate(values), np.concatenate(supports), ends
    return PathResult(
        alphas=np.asarray(alphas, dtype=np.float64),
        coefs=sp.csc_array(parts, shape=(solver.coef.size, len(alphas))),
        intercepts=intercepts.astype(dtype),
        dual_gaps=dual_gaps,
        n_iter=n_iter,
        converged=converged,
        route=solver.route,
        penalty_at=penalty_at,
        loss=getattr(problem, "loss", None),
        fit_intercept=getattr(problem, "fit_intercept", True),
    )


def alpha_grid(largest, n_alphas=N_ALPHAS, eps=1e-3):
    """`n_alphas` in geometric progression from `largest` down to `eps` times it."""
    if largest == 0.0:  # nothing correlates with y: every alpha gives the same
        largest = np.finfo(np.float64).tiny / eps
    return np.geomspace(largest, largest * eps, n_alphas)


def check_alphas(alphas):
    """`alphas` as a decreasing float64 ndarray; ValueError if it cannot be one."""
    alphas = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]
    if alphas.ndim != 1 or not alphas.size or not alphas[-1] >= 0.0:
        raise ValueError(
            f"alphas must be a non-empty sequence of numbers >= 0; got {alphas!r}."
        )
    return alphas


def solve_to_size(problem, penalty_at, n_nonzero, *, tol, max_iter):
    """The least-penalised solution of the path with at most `n_nonzero` coefficients.

    Unpenalised coefficients count; see `least_penalised`.
    """
    solver = make_solver(problem, penalty_at(1.0), n_solves=N_ALPHAS)
    alphas = alpha_grid(solver.alpha_max, N_ALPHAS)

    def solve(alpha):
        return solver.solve(penalty_at(alpha), tol=min(tol, EXACT), max_iter=max_iter)

    return least_penalised(
        solve, alphas, lambda coef: np.count_nonzero(coef != 0.0) <= n_nonzero
    )


def least_penalised(solve, alphas, is_small):
    """The solution of the smallest alpha that is small, and that alpha.

    The decreasing `alphas` are followed until a solution is not small; between it and
    the one before, alpha is bisected.

    Parameters
    ----------
    solve : callable
        alpha -> Solution, to a gap that tells solutions apart (`EXACT`).
    alphas : ndarray
    is_small : callable
        Coefficients -> bool.

    Returns
    -------
    alpha : float
    solution : Solution
        That of ``alphas[0]`` where even it is not small.
    """
    alpha, solution = alphas[0], solve(alphas[0])
    for candidate in alphas[1:]:
        found = solve(candidate)
        if not is_small(found.coef):
            break
        alpha, solution = candidate, found
    else:
        return alpha, solution
    larger = candidate
    for _ in range(BISECTIONS):
        candidate = np.sqrt(alpha * larger)
        found = solve(candidate)
        if is_small(found.coef):
            alpha, solution = candidate, found
        else:
            larger = candidate
    return alpha, solution
