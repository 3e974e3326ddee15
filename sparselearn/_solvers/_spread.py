r"""Weighted rows by their mean and how far they lie about it; parts of rows add up.

Rows x of weights w have the weight W, the mean m and the scatter

.. math:: S = \sum_i w_i (x_i - m)(x_i - m)^T,

of which `Covariance` has all entries and `Spread` those of the diagonal. Each chunk of
rows has sums about its own mean, and those of two make those of both (Chan, Golub and
LeVeque, 1983),

.. math:: m = m_1 + \frac{W_2}{W} d, \quad
    S = S_1 + S_2 + \frac{W_1 W_2}{W} d d^T, \quad d = m_2 - m_1,

in the order of the rows: no digits are lost far from the origin, and the bits do not
depend on the number of threads. All sums are in float64.
"""

import functools
import operator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._slices import slices

__all__ = [
    "CHUNK",
    "Covariance",
    "Spread",
    "centre",
    "covariance_of",
    "is_constant",
    "joint",
    "products_about_zero",
    "spread_of",
]

# Rows in a chunk, at least; and as many as there are features, so that the covariance
# of a chunk is made of no fewer numbers than it has.
CHUNK = 1024
# Numbers of a chunk of which only squares are summed, and rows, within limits.
NUMBERS = 2**18
FEWEST, MOST = 16, 4096
# The spread of what is constant is not 0 but the rounding error of its mean.
CONSTANT = (64.0 * np.finfo(np.float64).eps) ** 2
# Where less than this is left of a sum of squares about 0 when it is taken about the
# mean, rounding is.
CANCELLED = 1e-3


def joint(weight, other):
    """For rows of two weights: the sum, the second's share, and the factor of dd'.

    Those of the second are taken from the first if `other` is negative.
    """
    share = other / (weight + other)
    return weight + other, share, weight * share


def centre(rows, weights):
    """Bring float64 `rows` to their mean, in place; the mean is returned."""
    weight = weights.sum()
    mean = weights @ rows / weight
    rows -= mean
    # What the mean has been rounded by is the mean of what is left.
    rest = weights @ rows / weight
    rows -= rest
    return mean + rest


def is_constant(variance, mean):
    """Whether nothing but rounding varies in what has this variance and this mean."""
    return variance <= CONSTANT * mean**2


def products_about_zero(rows, weights):
    """The mean and the scatter of sparse rows by their products about 0.

    They stay sparse. None where too many digits would cancel, as those of a feature
    that is nearly constant.
    """
    weight = weights.sum()
    mean = rows.T @ weights / weight
    roots, scaled = np.sqrt(weights), rows.tocsr(copy=True)
    scaled.data *= np.repeat(roots, np.diff(scaled.indptr))
    scatter = (scaled.T @ scaled).toarray()
    squares = np.diagonal(scatter).copy()
    between = np.multiply.outer(mean, mean)
    between *= weight
    scatter -= between
    if np.any(np.diagonal(scatter) < CANCELLED * squares):
        return None
    return mean, scatter


def _joined(one, other, product):
    if one.weight == 0.0 or other.weight == 0.0:
        return one if other.weight == 0.0 else other
    weight, share, between = joint(one.weight, other.weight)
    apart = other.mean - one.mean
    scatter = product(apart, apart)
    scatter *= between
    scatter += one.scatter
    scatter += other.scatter
    return type(one)(weight, one.mean + share * apart, scatter)


class Spread(NamedTuple):
    """Weighted rows, feature by feature.

    Attributes
    ----------
    weight : float
        The sum of the weights.
    mean : float64 ndarray (n_features,)
    scatter : float64 ndarray (n_features,)
        The sum of ``w_i (x_i - mean)**2``.
    """

    weight: float
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of_none(cls, n_features):
        """That of no rows."""
        return cls(0.0, np.zeros(n_features), np.zeros(n_features))

    @classmethod
    def of(cls, rows, weights):
        """That of a chunk, an ndarray or csr_array."""
        weight = float(weights.sum())
        if weight == 0.0:
            return cls.of_none(rows.shape[1])
        if sp.issparse(rows):
            mean = rows.T @ weights / weight
            inside = np.repeat(weights, np.diff(rows.indptr))
            apart = rows.data - mean[rows.indices]

            def summed(values):
                return np.bincount(rows.indices, values, mean.size)

            zeros = np.maximum(weight - summed(inside), 0.0)
            rest = summed(inside * apart) - zeros * mean
            scatter = summed(inside * apart**2) + zeros * mean**2
        else:
            rows = np.array(rows, dtype=np.float64)
            mean = weights @ rows / weight
            rows -= mean
            rest = weights @ rows
            scatter = weights @ np.square(rows, out=rows)
        # What the mean has been rounded by is the mean of what is left.
        rest /= weight
        return cls(weight, mean + rest, np.maximum(scatter - weight * rest**2, 0.0))

    def __add__(self, other):
        """That of these rows and `other` ones; neither of the two changes."""
        return _joined(self, other, np.multiply)

    @property
    def variance(self):
        """The mean squared distance from the mean."""
        return float(self.scatter.sum()) / self.weight

    @property
    def energy(self):
        """The mean squared length."""
        return self.variance + float(self.mean @ self.mean)

    @property
    def deviations(self):
        """Standard deviations of the features."""
        return np.sqrt(self.scatter / self.weight)

    def size(self, dtype):
        """The root mean variance of the features; 1 where nothing but rounding varies.

        Parameters
        ----------
        dtype : dtype
            Of the rows.
        """
        size = np.sqrt(self.variance / self.mean.size)
        rounding = 64 * np.finfo(dtype).eps
        rounding *= np.sqrt(self.mean @ self.mean / self.mean.size)
        return float(size) if size > rounding else 1.0


class Covariance(NamedTuple):
    """The first two moments of weighted rows: all that whitening has to know of them.

    Attributes
    ----------
    weight : float
        The sum of the weights.
    mean : float64 ndarray (n_features,)
    scatter : float64 ndarray (n_features, n_features)
        The sum of ``w_i (x_i - mean)(x_i - mean)'``.
    """

    weight: float
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of_none(cls, n_features):
        """That of no rows."""
        return cls(0.0, np.zeros(n_features), np.zeros((n_features, n_features)))

    @classmethod
    def of(cls, rows, weights):
        """That of a chunk, an ndarray or csr_array."""
        weight = float(weights.sum())
        if weight == 0.0:
            return cls.of_none(rows.shape[1])
        if sp.issparse(rows):
            rows = rows.astype(np.float64)
            found = products_about_zero(rows, weights)
            if found is not None:
                return cls(weight, *found)
            rows = rows.toarray()
        rows = np.array(rows, dtype=np.float64)
        mean = centre(rows, weights)
        rows *= np.sqrt(weights)[:, None]
        return cls(weight, mean, rows.T @ rows)

    def __add__(self, other):
        """That of these rows and `other` ones; neither of the two changes."""
        return _joined(self, other, np.multiply.outer)


def covariance_of(X, weights=None, run=map):
    """The `Covariance` of the rows of X.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features), of any float dtype
        Sparse X stays so, but for chunks in which digits would cancel.
    weights : ndarray (n_rows,), default=None
        Not negative; None gives each row a weight of 1.
    run : callable, default=map
        ``run(function, items)`` gives results in the order of `items`, as that of
        :func:`sparselearn._parallel.stream` does in threads.
    """
    return _summed(Covariance, X, weights, max(CHUNK, X.shape[1]), run)


def spread_of(X, weights=None, run=map):
    """The `Spread` of the rows of X; parameters are those of `covariance_of`."""
    n_features = X.shape[1]
    if sp.issparse(X):
        step = max(CHUNK, n_features)
    else:
        step = int(np.clip(NUMBERS // max(1, n_features), FEWEST, MOST))
    return _summed(Spread, X, weights, step, run)


def _summed(kind, X, weights, step, run):
    n_rows, n_features = X.shape
    weights = np.ones(n_rows) if weights is None else weights
    chunks = slices(0, n_rows, step)
    parts = run(lambda chunk: kind.of(X[chunk], weights[chunk]), chunks)
    return functools.reduce(operator.add, parts, kind.of_none(n_features))
