"""The squared-loss problem by its sums over rows.

Weighted sums of a block of rows are all that descent, selection and certificates
need: the total weight a, the means m and M of x and y, and about these means the
scatters

    S = sum_i s_i (x_i - m)(x_i - m)',  c = sum_i s_i (x_i - m)(y_i - M),
    q = sum_i s_i (y_i - M)^2.

Blocks add and subtract (Chan, Golub and LeVeque, 1983), so that one pass over the
data serves every fold of a cross-validation: its training sums are the total's less
the fold's.
"""

import functools
import operator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels._gram import gather_rows
from sparselearn._solvers._problem import serially
from sparselearn._solvers._spread import centre, is_constant, joint, products_about_zero

__all__ = ["MomentProblem", "Moments", "batch_moments", "moments_of"]

# Rows are gathered in blocks of about this many numbers.
BLOCK = 2**20
# Parts for threads, each with sums of its own: in all at most an eighth of X.
PARTS = 8


# Not a `Covariance` of rows (x, y): it would have all products of targets, and take
# nothing off.
@dataclass(frozen=True)
class Moments:
    """Weighted sums of a block of rows, about its own means.

    Attributes
    ----------
    weight : float
    x_mean : ndarray (n_features,)
    y_mean : float or ndarray (n_targets,)
    scatter : ndarray (n_features, n_features)
    cross : ndarray (n_features,) or (n_features, n_targets)
    square : float or ndarray (n_targets,)
    """

    weight: float
    x_mean: np.ndarray
    y_mean: float
    scatter: np.ndarray
    cross: np.ndarray
    square: float

    def _joined(self, other, sign):
        """The sums of both blocks, or of this one without `other` (sign = -1)."""
        weight, share, between = joint(self.weight, sign * other.weight)
        x_step = other.x_mean - self.x_mean
        y_step = other.y_mean - self.y_mean
        scatter = self.scatter + sign * other.scatter
        scatter += between * np.outer(x_step, x_step)
        if sign < 0:
            # What is left of a column that is constant now is rounding.
            rounding = np.diagonal(scatter) <= 1e-13 * np.diagonal(self.scatter)
            scatter[rounding, rounding] = 0.0
        return Moments(
            weight=weight,
            x_mean=self.x_mean + share * x_step,
            y_mean=self.y_mean + share * y_step,
            scatter=scatter,
            cross=self.cross
            + sign * other.cross
            + between * np.multiply.outer(x_step, y_step),
            square=self.square + sign * other.square + between * y_step**2,
        )

    def __add__(self, other):
        """The sums of both blocks."""
        return self._joined(other, 1.0)

    def __sub__(self, other):
        """The sums of this block without `other`, a part of it."""
        return self._joined(other, -1.0)

    def of_target(self, k):
        """The same of one target, where there are several."""
        return replace(
            self,
            y_mean=self.y_mean[k],
            cross=np.ascontiguousarray(self.cross[:, k]),
            square=self.square[k],
        )

    def problem(self, *, fit_intercept):
        """The `MomentProblem` of these rows."""
        scale = 1.0 / self.weight
        gram, moment = scale * self.scatter, scale * self.cross
        square = scale * self.square
        if not fit_intercept:
            gram += np.outer(self.x_mean, self.x_mean)
            moment = moment + self.y_mean * self.x_mean
            square += self.y_mean**2
        curvature = np.diagonal(gram).copy()
        if fit_intercept:
            curvature[is_constant(curvature, self.x_mean)] = 0.0
            if is_constant(square, self.y_mean):
                moment, square = np.zeros_like(moment), 0.0
        return MomentProblem(
            gram=gram,
            moment=moment,
            null_value=0.5 * max(square, 0.0),
            curvature=curvature,
            x_mean=self.x_mean if fit_intercept else np.zeros_like(self.x_mean),
            target_mean=self.y_mean if fit_intercept else 0.0,
        )

    def mean_squared_error(self, coef, intercept):
        """Weighted mean of ``(y - intercept - x' coef)^2`` over these rows."""
        offset = self.y_mean - intercept - self.x_mean @ coef
        within = self.square - 2.0 * (self.cross @ coef) + coef @ self.scatter @ coef
        return offset**2 + max(within, 0.0) / self.weight


@dataclass(frozen=True)
class MomentProblem:
    """What a `Solver` needs of a problem whose rows are summed up.

    Attributes
    ----------
    gram : ndarray (n_features, n_features)
        ``X' S X`` of the centred columns, sum(s) = 1.
    moment : ndarray (n_features,)
        ``X' S y``.
    null_value : float
        ``sum_i s_i y_i^2 / 2``, the objective of w = 0.
    curvature : ndarray (n_features,)
        The diagonal of `gram`, 0 exactly for a constant column.
    x_mean : ndarray (n_features,)
        0 without an intercept.
    target_mean : float
    """

    gram: np.ndarray
    moment: np.ndarray
    null_value: float
    curvature: np.ndarray
    x_mean: np.ndarray
    target_mean: float

    def measure(self, coef):
        """As `Problem.measure`, without a residual."""
        correlation = self.moment - self.gram @ coef
        square = 2.0 * self.null_value - coef @ (self.moment + correlation)
        return correlation, max(square, 0.0), None

    def intercept(self, coef, support=slice(None)):
        """The optimal intercept for `coef`, of which all but `support` are 0."""
        return self.target_mean - self.x_mean[support] @ coef[support]


def moments_of(X, y, weights, rows=None, run=serially):
    """The `Moments` of some rows of a dense X.

    Parameters
    ----------
    X : ndarray (n_samples, n_features), Fortran-ordered, float32 or float64
    y : float64 ndarray (n_samples,) or (n_samples, n_targets)
    weights : float64 ndarray (n_samples,) or (1,)
    rows : ndarray of int, optional
        Which rows; all by default.
    run : callable
        ``run(function, items)``, a `map`.
    """
    rows = np.arange(X.shape[0]) if rows is None else np.asarray(rows)
    rows = rows[np.broadcast_to(weights, y.shape[:1])[rows] > 0.0]
    n_parts = min(max(rows.size // (PARTS * X.shape[1]), 1), PARTS)
    parts = run(
        lambda part: _part_moments(X, y, weights, part), np.array_split(rows, n_parts)
    )
    return functools.reduce(operator.add, parts)


def batch_moments(X, y, weights, run=serially):
    """The `Moments` of all rows, also of a sparse X (csc_array).

    Products of sparse columns are about 0, and brought to the means then; if that
    leaves little of one, as of a column that is nearly constant, rows are made dense, a
    block at a time.
    """
    if not sp.issparse(X):
        return moments_of(X, y, weights, run=run)
    s = np.broadcast_to(weights, y.shape[:1])
    columns = X.astype(np.float64)
    found = products_about_zero(columns, s)
    if found is None:
        return _part_moments(columns.tocsr(), y, weights, np.flatnonzero(s > 0.0))
    x_mean, scatter = found
    target = np.array(y)
    y_mean = centre(target, s)
    weighted = (s * target.T).T
    return Moments(
        weight=s.sum(),
        x_mean=x_mean,
        y_mean=y_mean,
        scatter=scatter,
        cross=columns.T @ weighted,
        square=np.sum(weighted * target, axis=0),
    )


def _part_moments(X, y, weights, rows):
    n_features = X.shape[1]
    size = max(1, BLOCK // n_features)
    total = None
    buffer = np.empty((min(size, rows.size), n_features), order="F")
    for start in range(0, rows.size, size):
        chosen = rows[start : start + size]
        part = _block_moments(X, y, weights, chosen, buffer[: chosen.size])
        total = part if total is None else total + part
    return total


def _block_moments(X, y, weights, rows, block):
    s = np.broadcast_to(weights, y.shape[:1])[rows]
    if sp.issparse(X):
        block[:] = X[rows].toarray()
    else:
        gather_rows(X, rows, block)
    target = y[rows]
    x_mean, y_mean = centre(block, s), centre(target, s)
    root = np.sqrt(s)
    block *= root[:, None]
    target = (root * target.T).T
    return Moments(
        weight=s.sum(),
        x_mean=x_mean,
        y_mean=y_mean,
        scatter=block.T @ block,
        cross=block.T @ target,
        square=np.sum(target**2, axis=0),
    )
