"""A path of penalties, each solution the start of the next."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._squared_loss import Solver

__all__ = ["PathResult", "solve_path"]


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
    """

    alphas: np.ndarray
    coefs: sp.csc_array
    intercepts: np.ndarray
    dual_gaps: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray


def solve_path(problem, penalty_at, alphas, *, tol, max_iter, dtype=np.float64):
    """Solve ``penalty_at(alpha)`` for each of the decreasing `alphas`.

    Returns
    -------
    PathResult
        With coefficients of `dtype`.
    """
    solver, columns, records = None, [], []
    for alpha in alphas:
        penalty = penalty_at(alpha)
        # At alpha = 0 every feature is unpenalised: a problem of another kind.
        if solver is None or alpha == 0.0:
            solver = Solver(
                problem,
                penalty,
                start=None if solver is None else solver.coef,
                n_solves=len(alphas),
            )
        solution = solver.solve(penalty, tol=tol, max_iter=max_iter)
        columns.append(sp.csc_array(solution.coef.astype(dtype).reshape(-1, 1)))
        records.append(
            (
                problem.intercept(solution.coef),
                solution.certificate.gap,
                solution.n_iter,
                solution.converged,
            )
        )
    intercepts, dual_gaps, n_iter, converged = map(np.array, zip(*records))
    return PathResult(
        alphas=np.asarray(alphas, dtype=np.float64),
        coefs=sp.hstack(columns, format="csc"),
        intercepts=intercepts.astype(dtype),
        dual_gaps=dual_gaps,
        n_iter=n_iter,
        converged=converged,
    )
