"""The distinct rows of X, so that what is learned does not depend on their order."""

import numpy as np
import scipy.sparse as sp

__all__ = ["distinct_rows", "project"]

# Numbers that are compared at a time.
BLOCK = 2**20


def project(rows, direction):
    """``rows @ direction`` in float64: the same bits for equal rows, wherever."""
    rows = rows.astype(np.float64, copy=False)
    if sp.issparse(rows):
        return rows @ direction
    # A dense product may sum the last rows of a block in another order.
    return (rows * direction).sum(axis=1)


def distinct_rows(X, weights, keys):
    """Where X has its distinct rows, in an order that only their values decide.

    K-means of these, weighted by `masses`, is the same to the bit for repeated rows
    as for rows of whole weights, with rows of no weight or without them, and in
    whatever order they came.

    Parameters
    ----------
    X : ndarray or csr_array (n_samples, n_features)
    weights : ndarray (n_samples,)
        Rows of weight 0 are left out.
    keys : ndarray (n_samples,)
        Numbers that are equal for equal rows, and else different almost surely.

    Returns
    -------
    chosen : ndarray of int
        The first of the rows that are the same.
    masses : ndarray
        The summed weight of these.
    """
    order = np.argsort(keys, kind="stable")
    order = order[weights[order] > 0.0]
    sorted_keys = keys[order]
    is_first = np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1]))
    suspects = np.flatnonzero(~is_first)
    step = max(1, BLOCK // X.shape[1])
    for start in range(0, suspects.size, step):
        some = suspects[start : start + step]
        differences = X[order[some]] != X[order[some - 1]]
        is_first[some] = differences.sum(axis=1) > 0
    starts = np.flatnonzero(is_first)
    return order[starts], np.add.reduceat(weights[order], starts)
