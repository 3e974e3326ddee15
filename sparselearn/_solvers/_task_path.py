"""A path of penalties for several tasks; see ``_path.py``."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._multitask import TaskSolver
from sparselearn._solvers._path import EXACT, alpha_grid, least_penalised
from sparselearn._solvers._tasks import critical_task_alpha

__all__ = ["TaskPath", "solve_task_path", "solve_to_rows"]


@dataclass(frozen=True)
class TaskPath:
    """Solutions along a path of penalties; see `_path.PathResult`.

    Attributes
    ----------
    alphas : ndarray (n_alphas,)
        Decreasing.
    coefs : list of n_alphas csc_array (n_features, n_tasks)
    intercepts : ndarray (n_alphas, n_tasks)
    dual_gaps : ndarray (n_alphas,)
    n_iter : ndarray of int (n_alphas,)
    converged : ndarray of bool (n_alphas,)
    """

    alphas: np.ndarray
    coefs: list
    intercepts: np.ndarray
    dual_gaps: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray


def solve_task_path(problem, penalty_at, alphas, *, tol, max_iter):
    """Solve ``penalty_at(alpha)`` for each of the decreasing `alphas`.

    Returns
    -------
    TaskPath
    """
    solver, coefs, records = None, [], []
    for alpha in alphas:
        penalty = penalty_at(alpha)
        # At alpha = 0 every feature is unpenalised: a problem of another kind.
        if solver is None or alpha == 0.0:
            start = None if solver is None else solver.coef
            solver = TaskSolver(problem, penalty, start=start, n_solves=len(alphas))
        solution = solver.solve(penalty, tol=tol, max_iter=max_iter)
        # One dense array for each alpha would soon be larger than X.
        coefs.append(sp.csc_array(solution.coef))
        records.append(
            (
                problem.intercept(solution.coef),
                solution.certificate.gap,
                solution.n_iter,
                solution.converged,
            )
        )
    intercepts, dual_gaps, n_iter, converged = map(np.array, zip(*records))
    return TaskPath(
        alphas=np.asarray(alphas, dtype=np.float64),
        coefs=coefs,
        intercepts=intercepts,
        dual_gaps=dual_gaps,
        n_iter=n_iter,
        converged=converged,
    )


def solve_to_rows(problem, penalty_at, n_rows, *, tol, max_iter):
    """The least-penalised solution of the path with at most `n_rows` features.

    See `_path.least_penalised`.
    """
    alphas = alpha_grid(critical_task_alpha(problem, penalty_at(1.0)))
    solver = TaskSolver(problem, penalty_at(alphas[0]), n_solves=alphas.size)

    def solve(alpha):
        return solver.solve(penalty_at(alpha), tol=min(tol, EXACT), max_iter=max_iter)

    return least_penalised(
        solve, alphas, lambda coef: np.count_nonzero(coef.any(axis=1)) <= n_rows
    )
