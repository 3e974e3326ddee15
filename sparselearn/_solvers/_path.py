"""A path of penalties, each solution the start of the next."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._solvers._certificates import Certifier
from sparselearn._solvers._coordinate_descent import solve

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

    The first working set at alpha' holds the features that the sequential strong
    rule keeps: those that would violate optimality at ``2 alpha' - alpha`` with the
    correlations at alpha (Tibshirani et al., 2012).

    Returns
    -------
    PathResult
        With coefficients of `dtype`.
    """
    shared = Certifier(problem, penalty_at(1.0))
    columns, records = [], []
    coef, correlation, previous = None, None, np.inf
    for alpha in alphas:
        solution = solve(
            problem,
            penalty_at(alpha),
            tol=tol,
            max_iter=max_iter,
            start=coef,
            candidates=_strong(penalty_at, alpha, previous, correlation),
            # At alpha = 0 every feature is unpenalised.
            certifier=shared if alpha > 0.0 else None,
        )
        coef, certificate = solution.coef, solution.certificate
        correlation, previous = certificate.correlation, alpha
        columns.append(sp.csc_array(coef.astype(dtype).reshape(-1, 1)))
        records.append(
            (
                problem.intercept(coef),
                certificate.gap,
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


def _strong(penalty_at, alpha, previous, correlation):
    """Indices that the sequential strong rule keeps; None at the first alpha."""
    if correlation is None:
        return None
    bound = penalty_at(max(2.0 * alpha - previous, 0.0))
    at_zero = np.zeros_like(correlation)
    return np.flatnonzero(
        penalties.subdifferential_distance(bound, at_zero, correlation, slice(None))
    )
