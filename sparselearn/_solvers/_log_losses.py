"""Test errors of logistic paths, fold by fold; see ``_cross_validation.py``."""

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from sparselearn import losses
from sparselearn._solvers._path import solve_path
from sparselearn._solvers._slices import slices

__all__ = ["log_losses"]

# Errors are formed for blocks of rows of about this many numbers.
BLOCK = 2**18


def log_losses(problem, penalty_at, alphas, test, weights, **stopping):
    """Mean losses of one fold's test rows along the path, an ndarray (n_alphas,).

    Parameters
    ----------
    problem : GlmProblem of the logistic loss, or MultinomialProblem
        Its row weights are those of training; rows are all rows.
    test : ndarray of int
        The test rows.
    weights : ndarray (n_samples,)
        Of the rows in the mean.
    """
    path = solve_path(problem, penalty_at, alphas, **stopping)
    n_classes = path.intercepts.reshape(len(alphas), -1).shape[1]
    X, targets = problem.columns.matrix, problem.target.reshape(len(problem.target), -1)
    # A row of coefficients for each alpha and class, in this order.
    coefs = path.coefs.T.reshape((len(alphas) * n_classes, -1)).tocsc()
    support = np.flatnonzero(np.diff(coefs.indptr))
    coefs = coefs[:, support].T.toarray()
    rows = X[:, support].tocsr()[test] if sp.issparse(X) else X[np.ix_(test, support)]
    errors = np.zeros(len(alphas))
    size = max(1, BLOCK // coefs.shape[1])
    for block in slices(0, test.size, size):
        z = rows[block].astype(np.float64) @ coefs + path.intercepts.ravel()
        z = z.reshape(-1, len(alphas), n_classes)
        errors += weights[test[block]] @ _losses(targets[test[block]], z)
    return errors / np.sum(weights[test])


def _losses(target, z):
    """The loss of each row and alpha; z is (n_rows, n_alphas, n_classes or 1)."""
    if z.shape[2] == 1:
        return losses.value(losses.Logistic(), target, z[:, :, 0])
    return logsumexp(z, axis=2) - np.einsum("ik,iak->ia", target, z)
