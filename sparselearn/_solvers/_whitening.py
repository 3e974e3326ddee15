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
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._spread import is_constant

__all__ = ["KINDS", "Whitening", "whitening"]

KINDS = ("zca", "pca")
EPS = np.finfo(np.float64).eps


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
    constant = is_constant(np.diagonal(scatter), mean)
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
