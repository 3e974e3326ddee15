r"""Whitening: the linear map after which features have no covariance and one variance.

Rows x of weights w have the mean m and the covariance

.. math:: C = \frac{1}{\sum_i w_i} \sum_i w_i (x_i - m)(x_i - m)^T = V \Lambda V^T,

of whose eigenvalues :math:`\bar\lambda` is the mean. With
:math:`S = (\Lambda + \epsilon \bar\lambda)^{-1/2}` a row is whitened by

.. math:: x \mapsto (x - m) V S \;\text{("pca")}, \qquad
    x \mapsto (x - m) V S V^T \;\text{("zca")}.

For an epsilon of 0 the covariance of the result is the identity; a larger one damps
directions in which rows hardly vary, as those of noise. In directions in which they do
not vary at all the result is 0. Epsilon is a share, so the units of X do not matter.

Covariances are summed in float64 by chunks of rows, each about its own mean, and joined
in the order of the rows: no digits are lost far from the origin, and the bits do not
depend on the number of threads.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = ["KINDS", "Covariance", "Whitening", "covariance_of", "whitening"]

KINDS = ("zca", "pca")
# Rows in a chunk, at least; and as many as there are features, so that the covariance
# of a chunk is made of no fewer numbers than it has.
CHUNK = 1024
# Features of a standard deviation below this share of their mean are constant.
ROUNDING = 1e-13
EPS = np.finfo(np.float64).eps


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
        """The moments of no rows."""
        return cls(0.0, np.zeros(n_features), np.zeros((n_features, n_features)))

    def __add__(self, other):
        """The moments of these rows and `other` ones (Chan, Golub and LeVeque, 1983).

        A new object: neither of the two changes.
        """
        if self.weight == 0.0 or other.weight == 0.0:
            return self if other.weight == 0.0 else other
        weight = self.weight + other.weight
        share = other.weight / weight
        apart = other.mean - self.mean
        mean = self.mean + share * apart
        scatter = np.multiply.outer(self.weight * share * apart, apart)
        scatter += self.scatter
        scatter += other.scatter
        return Covariance(weight, mean, scatter)


class Whitening(NamedTuple):
    """A whitening map and the way back.

    Attributes
    ----------
    mean : float64 ndarray (n_features,)
    matrix : float64 ndarray (n_features, n_out)
        A row x is whitened to ``(x - mean) @ matrix``.
    inverse : float64 ndarray (n_out, n_features)
        The pseudo-inverse of `matrix`: ``mean + z @ inverse`` is the row of z, up to
        the directions in which no row varied.
    variances : float64 ndarray (n_features,)
        The eigenvalues of the covariance, falling; those of rounding are 0.
    """

    mean: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray
    variances: np.ndarray

    def apply(self, rows):
        """The whitened `rows`, an ndarray of their dtype (float32 or float64).

        Sparse rows are not densified: their mean is subtracted after the product.
        """
        if sp.issparse(rows):
            # In float64, which has digits to spare for the difference.
            whitened = rows.astype(np.float64) @ self.matrix - self.mean @ self.matrix
            return whitened.astype(rows.dtype, copy=False)
        centred = np.empty(rows.shape, dtype=rows.dtype)
        np.subtract(rows, self.mean, out=centred, casting="same_kind")
        return centred @ self.matrix.astype(rows.dtype, copy=False)

    def undo(self, rows):
        """The rows that whitened `rows` stand for, of their dtype."""
        inverse = self.inverse.astype(rows.dtype, copy=False)
        return rows @ inverse + self.mean.astype(rows.dtype, copy=False)


def covariance_of(X, weights=None, run=map):
    """The `Covariance` of the rows of X.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features), of any float dtype
        Sparse X stays so; its products are summed about 0 and centred after that.
    weights : ndarray (n_rows,), default=None
        Not negative; None gives each row a weight of 1.
    run : callable, default=map
        ``run(function, items)`` gives results in the order of `items`, as that of
        :func:`sparselearn._parallel.stream` does in threads.

    Returns
    -------
    covariance : Covariance
    """
    n_rows, n_features = X.shape
    weights = np.ones(n_rows) if weights is None else weights
    step = max(CHUNK, n_features)
    chunks = [slice(start, start + step) for start in range(0, n_rows, step)]
    covariance = Covariance.of_none(n_features)
    for part in run(partial(_of_chunk, X, weights), chunks):
        covariance = covariance + part
    return covariance


def _of_chunk(X, weights, chunk):
    weights = weights[chunk]
    weight = float(weights.sum())
    if weight == 0.0:
        return Covariance.of_none(X.shape[1])
    rows = X[chunk].astype(np.float64)  # a copy, to be centred in place
    mean = weights @ rows / weight
    roots = np.sqrt(weights)
    if sp.issparse(rows):
        rows.data *= np.repeat(roots, np.diff(rows.indptr))
        scatter = (rows.T @ rows).toarray() - np.multiply.outer(weight * mean, mean)
        # What is left of a constant feature is rounding.
        constant = np.diagonal(scatter) <= 1e-12 * weight * mean**2
        scatter[constant] = scatter[:, constant] = 0.0
    else:
        rows -= mean
        rows *= roots[:, None]
        scatter = rows.T @ rows
    return Covariance(weight, mean, scatter)


def whitening(covariance, kind="zca", *, eps=0.1, n_components=None, dtype=np.float64):
    """The `Whitening` of rows with the given `covariance`.

    Call it inside `bounded` of ``_parallel``: its bits depend on the threads of BLAS.

    Parameters
    ----------
    covariance : Covariance
        Of a positive weight.
    kind : {"zca", "pca"}, default="zca"
        Whether to turn back to the features, so that whitened rows are as near to the
        rows as can be, or to leave results by variance, the largest first.
    eps : float >= 0, default=0.1
        What is added to each eigenvalue of the covariance, as a share of their mean.
    n_components : int, default=None
        Directions of largest variance to keep; None, or more than there are, keeps all.
        The number of results with "pca"; with "zca" there are n_features of lower rank.
    dtype : dtype, default=float64
        That of the rows, whose rounding is no variance.

    Returns
    -------
    whitening : Whitening
    """
    scatter, mean = covariance.scatter / covariance.weight, covariance.mean
    constant = np.diagonal(scatter) <= (ROUNDING * mean) ** 2
    scatter[constant] = scatter[:, constant] = 0.0
    variances, axes = np.linalg.eigh(scatter)
    variances, axes = variances[::-1], axes[:, ::-1]
    axes[constant] = 0.0
    noise = max(mean.size * EPS, 16.0 * np.finfo(dtype).eps ** 2)
    variances = np.where(variances > noise * variances[0], variances, 0.0)
    kept = mean.size if n_components is None else min(n_components, mean.size)
    used = variances > 0.0
    used[kept:] = False
    damped = np.where(used, np.sqrt(variances + eps * variances.mean()), 0.0)
    scales = np.divide(1.0, damped, out=np.zeros(mean.size), where=used)
    if kind == "pca":
        axes, scales, damped = axes[:, :kept], scales[:kept], damped[:kept]
        # The sign of an axis is chance: its largest entry shall be positive.
        largest = np.abs(axes).argmax(axis=0)
        axes = axes * np.where(axes[largest, np.arange(kept)] < 0.0, -1.0, 1.0)
        matrix, inverse = axes * scales, (axes * damped).T
    else:
        matrix, inverse = (axes * scales) @ axes.T, (axes * damped) @ axes.T
    return Whitening(
        mean, np.ascontiguousarray(matrix), np.ascontiguousarray(inverse), variances
    )
