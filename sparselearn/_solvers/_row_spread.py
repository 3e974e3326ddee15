"""The mean of rows and how far they are from it, of parts of the rows that add up."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = ["RowSpread", "spread_of"]

# Rows that are averaged at a time.
BLOCK = 1024


class RowSpread(NamedTuple):
    """Weighted sums of rows.

    Attributes
    ----------
    mass : float
        Of the weights.
    mean : float64 ndarray (n_features,)
    scatter : float64 ndarray (n_features,)
        Sums of squares about the mean.
    """

    mass: float
    mean: np.ndarray
    scatter: np.ndarray

    def __add__(self, other):
        """Those of both (Chan, Golub and LeVeque, 1983)."""
        mass, step = self.mass + other.mass, other.mean - self.mean
        between = self.mass * other.mass / mass
        return RowSpread(
            mass,
            self.mean + other.mass / mass * step,
            self.scatter + other.scatter + between * step**2,
        )

    @property
    def deviations(self):
        """Standard deviations of the features."""
        return np.sqrt(self.scatter / self.mass)

    def size(self, dtype):
        """The root mean variance of the features; 1 where nothing but rounding varies.

        Parameters
        ----------
        dtype : dtype
            Of the rows.
        """
        deviations, mean = self.deviations, self.mean
        size = np.sqrt(deviations @ deviations / mean.size)
        rounding = 64 * np.finfo(dtype).eps * np.sqrt(mean @ mean / mean.size)
        return float(size) if size > rounding else 1.0


def spread_of(X, weights):
    """The `RowSpread` of rows.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features)
    weights : float64 ndarray (n_rows,)
        Not all zero.
    """
    total = weights.sum()
    if sp.issparse(X):
        mean = X.T @ weights / total
        inside = np.repeat(weights, np.diff(X.indptr))
        squares = inside * (X.data - mean[X.indices]) ** 2
        stored = np.bincount(X.indices, squares, minlength=mean.size)
        outside = total - np.bincount(X.indices, inside, minlength=mean.size)
        scatter = stored + np.maximum(outside, 0.0) * mean**2
    else:
        starts = range(0, X.shape[0], BLOCK)
        blocks = [slice(start, start + BLOCK) for start in starts]
        mean = sum(weights[rows] @ X[rows] for rows in blocks) / total
        # What the mean has been rounded by is the mean of what is left.
        mean += sum(weights[rows] @ (X[rows] - mean) for rows in blocks) / total
        scatter = sum(weights[rows] @ np.square(X[rows] - mean) for rows in blocks)
    return RowSpread(total, mean, scatter)
