"""Distances in float64 of rows of either precision, shared by kernels of K-means."""

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined

__all__ = ["product", "square_apart"]


@inlined(fastmath=REASSOCIATE)
def square_apart(row, centroid, size):
    """``||row - size centroid||^2``: exactly 0 for equals."""
    total = 0.0
    for k in range(row.shape[0]):
        difference = np.float64(row[k]) - size * centroid[k]
        total += difference * difference
    return total


@inlined(fastmath=REASSOCIATE)
def product(row, direction):
    """The product of a row and a direction."""
    total = 0.0
    for k in range(row.shape[0]):
        total += np.float64(row[k]) * direction[k]
    return total
