"""Least squares on a selected support, which undoes the penalty's shrinkage."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, lstsq
from scipy.optimize import nnls

from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["RIDGE", "refit_on_support"]

# Of the mean variance of the selected columns.
RIDGE = 1e-2


def refit_on_support(problem, coef, kind, *, positive=False):
    """Minimise the squared loss over the non-zero entries of `coef`.

    Parameters
    ----------
    problem : Problem or MomentProblem
    coef : ndarray (n_features,)
        Not written to.
    kind : {"ols", "ridge"}
        "ridge" adds ``RIDGE * v ||w||^2 / 2`` with v the mean variance of the selected
        columns.
    positive : bool

    Returns
    -------
    coef : ndarray (n_features,)
        Of minimal norm where columns are dependent.
    """
    support = np.flatnonzero(coef)
    refitted = np.zeros_like(coef)
    if not support.size:
        return refitted
    working = GramWorkingSet(problem, problem.moment)
    working.grow(support)
    gram, moment = working.gram.copy(), problem.moment[support]
    if kind == "ridge":
        gram[np.diag_indices_from(gram)] += RIDGE * np.mean(np.diagonal(gram))
    if positive:
        # ||R w - q||^2 with R'R = gram and R'q = moment, R from the eigenvectors.
        values, vectors = np.linalg.eigh(gram)
        kept = values > values[-1] * 1e-12
        root = np.sqrt(values[kept])
        R = root[:, None] * vectors[:, kept].T
        refitted[support] = nnls(R, (vectors[:, kept].T @ moment) / root)[0]
        return refitted
    try:
        refitted[support] = cho_solve(cho_factor(gram), moment)
    except LinAlgError:
        refitted[support] = lstsq(gram, moment)[0]
    return refitted
