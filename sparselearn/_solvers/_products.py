"""Products of a design with several vectors at once, centred and in float64."""

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._problem import BLOCK

__all__ = ["correlate_many", "multiply_many"]


def correlate_many(problem, U):
    """``(X - means)' U`` of shape (n_features, k), for U of shape (n_samples, k)."""
    X = problem.matrix
    if sp.issparse(X):
        products = X.T @ U
    elif X.dtype == np.float64:
        products = (U.T @ X).T
    else:
        products = np.empty((X.shape[1], U.shape[1]))
        for columns in _blocks(X):
            products[columns] = X[:, columns].T.astype(np.float64) @ U
    products -= np.outer(problem.design.means, U.sum(axis=0))
    return products


def multiply_many(problem, coef, features):
    """``X[:, features] @ coef``, not centred, for coef of shape (n_chosen, k)."""
    X = problem.matrix
    if sp.issparse(X):
        return X[:, features].astype(np.float64) @ coef
    product = np.zeros((X.shape[0], coef.shape[1]))
    for chosen in _blocks(X, features.size):
        # The rows of X.T are contiguous.
        columns = X.T[features[chosen]].astype(np.float64, copy=False)
        product += columns.T @ coef[chosen]
    return product


def _blocks(X, n_columns=None):
    size = max(1, BLOCK // X.shape[0])
    stop = X.shape[1] if n_columns is None else n_columns
    return [slice(start, start + size) for start in range(0, stop, size)]
