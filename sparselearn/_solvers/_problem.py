"""The squared-loss problem that every linear solver shares.

    min_w  sum_i s_i f(y_i, b + x_i' w) + sum_j h_j(w_j),     sum_i s_i = 1,

with f the squared loss, b the unpenalised intercept. The optimal b for a given w
is ``ybar - xbar' w`` (weighted means), so solvers see centred columns and a centred
target, implicitly: X is neither copied nor, when sparse, filled in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels._coordinate_descent import add_product, column_curvatures
from sparselearn._kernels._design import Compressed, Dense
from sparselearn._solvers._slices import slices

__all__ = ["Problem", "correlate", "frozen", "make_problem", "multiply", "serially"]

# Columns are brought to float64 in blocks of about this many numbers.
BLOCK = 2**18
# The spread of a constant column is not 0 but the rounding error of its mean.
CONSTANT = (64 * np.finfo(np.float64).eps) ** 2


def serially(function, items):
    """``[function(item) for item in items]``."""
    return [function(item) for item in items]


@dataclass(frozen=True)
class Problem:
    """A design with a target.

    Attributes
    ----------
    matrix : read-only Fortran-ordered ndarray or csc_array (n_samples, n_features)
    design : the same as kernels take it, with row weights s and column means
    target : float64 ndarray (n_samples,), of weighted mean 0 if `fit_intercept`
    target_mean : float
    curvature : float64 ndarray (n_features,), 0 exactly for a constant column
    fit_intercept : bool
    run : callable
        ``run(function, items)``, a `map` over which passes over X may spread.
    """

    matrix: object
    design: Dense | Compressed
    curvature: np.ndarray
    fit_intercept: bool
    run: Callable = serially
    target: np.ndarray = None
    target_mean: float = 0.0

    @property
    def weights(self):
        """Row weights s, of shape (n_samples,) or (1,)."""
        return self.design.weights

    @cached_property
    def null_value(self):
        """The objective of w = 0: half the weighted variance of the target."""
        return 0.5 * np.sum(self.weights * self.target**2)

    @cached_property
    def moment(self):
        """``X' S y`` of the centred columns."""
        return self.correlation(self.weights * self.target)

    def with_target(self, y):
        """The same design with the target `y`, a float64 array of (n_samples,)."""
        mean = 0.0
        if self.fit_intercept:
            mean = _weighted_sum(self.weights, y)
            y = y - mean
            # A constant target is its mean up to rounding: then there is no signal.
            if np.max(np.abs(y), initial=0.0) <= 8 * np.finfo(float).eps * abs(mean):
                y = np.zeros_like(y)
        problem = replace(self, target=y, target_mean=mean)
        with np.errstate(over="ignore"):
            finite = np.isfinite(problem.null_value)
        if not finite:
            raise ValueError("y is too large: squares of its numbers are not finite.")
        return problem

    def residual(self, coef, support=None):
        """``y - X w`` in float64, centred by the optimal intercept.

        `support`, if given, has all features whose `coef` is not 0.
        """
        if support is None:
            support = np.flatnonzero(coef != 0.0)
        residual = np.zeros_like(self.target)
        add_product(self.design, support, -coef[support], residual)
        residual += self.target
        if self.fit_intercept:
            residual -= _weighted_sum(self.weights, residual)
        return residual

    def measure(self, coef):
        """``X' S r``, ``sum_i s_i r_i^2`` and r, the residual of `coef`."""
        residual = self.residual(coef)
        weighted = self.weights * residual
        return self.correlation(weighted), weighted @ residual, residual

    def correlation(self, u):
        """``(X - means)' u`` in float64, for u of shape (n_samples,) or (n_samples, k).

        The sum of u is 0 up to rounding at most, which large means would blow up.
        """
        shift = np.multiply.outer(self.design.means, np.sum(u, axis=0))
        return correlate(self.matrix, u) - shift

    def intercept(self, coef, support=slice(None)):
        """The optimal intercept for `coef`, of which all but `support` are 0."""
        return self.target_mean - self.design.means[support] @ coef[support]

    def centred_columns(self, features):
        """The centred columns `features` as a dense float64 array."""
        columns = self.matrix[:, features]
        columns = columns.toarray() if sp.issparse(columns) else columns
        return columns.astype(np.float64) - self.design.means[features]


def make_problem(X, weights, *, fit_intercept, run=serially):
    """Build the target-free `Problem` of a validated X and normalised row weights.

    Parameters
    ----------
    X : as `_validation.column_major` returns it
    weights : float64 ndarray of shape (n_samples,) or (1,), summing to 1 over rows
    fit_intercept : bool
    run : callable
        See `Problem`.
    """
    n_samples, n_features = X.shape
    means = np.zeros(n_features)
    if fit_intercept:
        means = correlate(X, np.broadcast_to(weights, (n_samples,)))
    parts = frozen(weights), frozen(means)
    if sp.issparse(X):
        design = Compressed(X.data, X.indices, X.indptr, n_samples, *parts)
    else:
        design = Dense(X, *parts)
    curvature = np.empty(n_features)
    column_curvatures(design, curvature)
    if not np.all(np.isfinite(curvature)):
        raise ValueError("X is too large: squares of its numbers are not finite.")
    curvature[curvature <= CONSTANT * means**2] = 0.0
    return Problem(X, design, curvature, fit_intercept, run)


def multiply(X, coef, features):
    """``X[:, features] @ coef`` in float64, without a second copy of X.

    `coef` has shape (n_chosen,) or (n_chosen, k).
    """
    if sp.issparse(X):
        return X[:, features].astype(np.float64) @ coef
    product = np.zeros((X.shape[0], *coef.shape[1:]))
    for block in _blocks(features.size, X.shape[0]):
        # The rows of X.T are contiguous.
        columns = X.T[features[block]].astype(np.float64, copy=False)
        product += columns.T @ coef[block]
    return product


def correlate(X, u):
    """``X' u`` in float64, without a second copy of X; u as in `correlation`."""
    if sp.issparse(X) or X.dtype == np.float64:
        return X.T @ u
    result = np.empty((X.shape[1], *u.shape[1:]))
    for block in _blocks(X.shape[1], X.shape[0]):
        result[block] = X[:, block].T.astype(np.float64) @ u
    return result


def _blocks(n_columns, n_rows):
    return slices(0, n_columns, max(1, BLOCK // n_rows))


def _weighted_sum(weights, y):
    return weights[0] * np.sum(y) if weights.size == 1 else weights @ y


def frozen(array):
    """A contiguous view of `array` that is not written through."""
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array
