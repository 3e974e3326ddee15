"""Generalised linear problems: a loss of the linear predictor, and its certificate.

    P(w, b) = sum_i s_i f(y_i, z_i) + sum_j h_j(w_j),    z_i = o_i + b + x_i' w,

with row weights s, sum(s) = 1, an unpenalised intercept b and offsets o. Fenchel
duality gives for every theta in R^n with ``sum_i s_i theta_i = 0`` (if there is an
intercept)

    P(w, b) >= D(theta) = sum_i s_i (theta_i o_i - f*(y_i, -theta_i)) - sum_j h*_j(v_j),
    v = X' S theta,

and the gap is a sum of terms >= 0, those of the rows and those of the coefficients,

    sum_i s_i (f(y_i, z_i) + f*(y_i, -theta_i) + z_i theta_i)
    + sum_j (h_j(w_j) + h*_j(v_j) - w_j v_j).

At the optimum theta_i = r_i = -f'(y_i, z_i); elsewhere ``theta = c r`` with c <= 1,
which stays where f* is finite. Unpenalised columns F demand v_F = 0: a Newton step
along them takes their part out of r, ``r - f'' * (X_F d)``, and for a step that is
small against 1 that stays inside too.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import nnls

from sparselearn import losses
from sparselearn._kernels._coordinate_descent import add_product
from sparselearn._kernels._glm import gap_between, measure_rows, slope_at
from sparselearn._kernels._jit import for_specs, registered
from sparselearn._solvers._certificates import Certifier
from sparselearn._solvers._problem import Problem

__all__ = ["GlmCertifier", "GlmFit", "GlmProblem", "require_loss"]

SHIFT_STEPS = 200
# Of a sum that should be 0, the share of its terms' sizes that is rounding, times the
# root of their number.
ROUNDING = 4 * np.finfo(np.float64).eps
# Rows are spread over threads in pieces, where there are so many.
PIECES, WORTH_SPREADING = 4, 2**14
# Eigenvalues below this share of the largest are dependence, not data.
DEPENDENT = 1e-12
# Of correlations that should be 0, the share of |x_j| |theta| that is rounding.
LEFT = 1e-10


@dataclass(frozen=True)
class GlmProblem:
    """A design with a loss, a target and offsets.

    Attributes
    ----------
    columns : Problem without a target
    loss : spec of ``losses``
    target : float64 ndarray (n_samples,)
    offset : float64 ndarray (n_samples,) or None
        Added to the predictor.
    """

    columns: Problem
    loss: object
    target: np.ndarray
    offset: np.ndarray = None

    matrix = property(lambda self: self.columns.matrix)
    design = property(lambda self: self.columns.design)
    weights = property(lambda self: self.columns.weights)
    curvature = property(lambda self: self.columns.curvature)
    run = property(lambda self: self.columns.run)
    fit_intercept = property(lambda self: self.columns.fit_intercept)

    def correlation(self, u):
        """``(X - means)' u``; see `Problem.correlation`."""
        return self.columns.correlation(u)

    def rows(self, coef, intercept=0.0):
        """The `Rows` of `coef` with its best intercept, sought from `intercept`."""
        predictor = np.zeros(self.target.size)
        if self.offset is not None:
            predictor += self.offset
        support = np.flatnonzero(coef != 0.0)
        add_product(self.design, support, coef[support], predictor)
        return self.rows_at(predictor + intercept, intercept)

    def rows_at(self, predictor, intercept, *, best=True):
        """The same from the `predictor`, of which `intercept` is a part.

        Unless `best`, the intercept is left as it is.
        """
        data = self.loss, self.target
        if best and self.fit_intercept:
            shift = self._best_shift(predictor)
            predictor, intercept = predictor + shift, intercept + shift
        residual, curvature = np.empty((2, self.target.size))

        def measure(piece):
            return for_specs(measure_rows, self.loss)(
                *data, predictor, self.weights, *piece, residual, curvature
            )

        value = sum(self.run(measure, self.pieces))
        return Rows(predictor, intercept, residual, curvature, value)

    def safe_curvature(self, predictor):
        """Curvatures of the rows for steps that need not be short."""
        if not registered(losses.safe_curvature, type(self.loss)):
            return np.ones(self.target.size)
        with np.errstate(over="ignore"):
            bend = losses.safe_curvature(self.loss, self.target, predictor)
        return np.where(self.weights > 0.0, bend, 0.0)

    def _best_shift(self, predictor):
        """The b that minimises ``sum_i s_i f(y_i, z_i + b)``.

        Newton steps, between the ends of an interval that holds b: where one would
        leave it, is not half as long as the last but one, or has no curvature, the
        interval is halved, or doubled if it has one end only.
        """
        low, high, shift, reach = -np.inf, np.inf, 0.0, 4.0
        longest = [np.inf, np.inf]
        for _ in range(SHIFT_STEPS):

            def sums(piece, shift=shift):
                return for_specs(slope_at, self.loss)(
                    self.loss, self.target, predictor, self.weights, shift, *piece
                )

            slope, size, bend = np.sum(self.run(sums, self.pieces), axis=0)
            if abs(slope) <= ROUNDING * np.sqrt(predictor.size) * size < np.inf:
                break
            low, high = (low, shift) if slope > 0.0 else (shift, high)
            with np.errstate(all="ignore"):
                new = shift - slope / bend
            quick = abs(new - shift) <= 0.5 * longest.pop(0)
            if np.isfinite(low) and np.isfinite(high):
                new = new if quick and low < new < high else 0.5 * (low + high)
            elif not (quick and abs(new - shift) <= reach):
                new = shift - np.sign(slope) * reach
                reach *= 2.0
            longest.append(abs(new - shift))
            if new == shift:
                break
            shift = new
        return shift

    @cached_property
    def pieces(self):
        """The rows in pieces, (start, stop), that threads may share."""
        n_rows = self.target.size
        n_pieces = PIECES if n_rows > WORTH_SPREADING else 1
        ends = np.linspace(0, n_rows, n_pieces + 1, dtype=np.int64).tolist()
        return list(itertools.pairwise(ends))

    @cached_property
    def null(self):
        """The `Rows` of w = 0."""
        return self.rows(np.zeros(self.curvature.size))

    @cached_property
    def null_value(self):
        """Half the null deviance: the loss of w = 0 less that of perfect fits."""
        return self.gap(self.null.predictor, np.zeros(self.target.size))

    def gap(self, predictor, theta, scale=1.0):
        """What the rows add to the gap with the dual point ``scale * theta``."""

        def gap(piece):
            return for_specs(gap_between, self.loss)(
                self.loss, self.target, predictor, theta, scale, self.weights, *piece
            )

        return sum(self.run(gap, self.pieces))


@dataclass(frozen=True)
class Rows:
    """What a linear predictor makes of every row.

    Attributes
    ----------
    predictor, residual, curvature : ndarray (n_samples,)
        z, ``-f'(y, z)`` and ``f''(y, z)``.
    intercept : float
        The part of the predictor that is the intercept.
    value : float
        ``sum_i s_i f(y_i, z_i)``.
    """

    predictor: np.ndarray
    intercept: float
    residual: np.ndarray
    curvature: np.ndarray
    value: float


@dataclass(frozen=True)
class GlmFit:
    """What a coefficient vector leaves over; see `_certificates.Fit`.

    Attributes
    ----------
    correlation : ndarray (n_features,)
        ``X' S r``.
    projected : ndarray (n_features,)
        ``X' S theta``, theta being r less its part along the free columns.
    rows : Rows
    theta : ndarray (n_samples,)
    problem : GlmProblem
    """

    correlation: np.ndarray
    projected: np.ndarray
    rows: Rows
    theta: np.ndarray
    problem: GlmProblem

    @property
    def loss(self):
        """The loss of the coefficients."""
        return self.rows.value

    def loss_gap(self, scale):
        """What the rows add to the gap with the dual point ``scale * theta``."""
        return self.problem.gap(self.rows.predictor, self.theta, scale)


class GlmCertifier(Certifier):
    """Certifies coefficients of one `GlmProblem`; see `_certificates.Certifier`."""

    def _projection(self, positive):
        return _FreePart(self.problem, self.free, positive)

    def measure(self, coef, intercept=0.0):
        """The `GlmFit` of `coef`, its intercept sought from `intercept`."""
        problem = self.problem
        rows = problem.rows(coef, intercept)
        correlation = problem.correlation(problem.weights * rows.residual)
        return self.fit(correlation, rows)

    def fit(self, correlation, rows):
        """The `GlmFit` of `rows` with the correlations of their residual."""
        projected, theta = correlation, rows.residual
        if self.free.size:
            projected, theta = self._project(correlation, rows)
        return GlmFit(correlation, projected, rows, theta, self.problem)


class _FreePart:
    """Takes the part along the free columns out of a residual, in Newton's metric."""

    def __init__(self, problem, free, positive):
        self.problem, self.free, self.positive = problem, free, positive
        self._columns = problem.columns.centred_columns(free)

    def __call__(self, correlation, rows):
        """``X' S theta`` and theta."""
        problem, free = self.problem, self.free
        weights = problem.weights * rows.curvature
        columns = self._columns
        if problem.fit_intercept and np.sum(weights) > 0.0:
            columns = columns - weights @ columns / np.sum(weights)
        hessian = columns.T @ (weights[:, None] * columns)
        step = newton_step(hessian, correlation[free], positive=self.positive)
        theta = rows.residual - rows.curvature * (columns @ step)
        projected = problem.correlation(problem.weights * theta)
        size = np.sqrt(np.sum(problem.weights * theta**2))
        clear_rounding(projected, free, problem, size, positive=self.positive)
        return projected, theta


def newton_step(hessian, slope, *, positive):
    """The minimiser d of ``d' H d / 2 - slope' d``, >= 0 if `positive`."""
    values, vectors = np.linalg.eigh(hessian)
    kept = values > DEPENDENT * np.max(values, initial=0.0)
    values, vectors = values[kept], vectors[:, kept]
    along = vectors.T @ slope
    if positive:
        root = np.sqrt(values)
        return nnls(root[:, None] * vectors.T, along / root)[0]
    return vectors @ (along / values)


def require_loss(loss):
    """Raise the TypeError that names what `loss` lacks, before any kernel does."""
    for formula in (
        losses.value,
        losses.gradient,
        losses.curvature,
        losses.fenchel_gap,
    ):
        if not registered(formula, type(loss)):
            formula(loss)


def clear_rounding(projected, free, problem, size, *, positive):
    """Set what is rounding of the correlations of `free` columns to 0.

    More than that is left where the rows have no curvature to take it out by: then
    the dual point is none, and the penalty's conjugate, infinite, says so.

    Parameters
    ----------
    projected : ndarray
        Changed in place.
    size : float
        Of the dual point, ``(sum_i s_i theta_i^2)^0.5``.
    positive : bool
        Whether correlations below 0 may stay.
    """
    means = np.resize(problem.design.means, projected.shape)[free]
    reach = np.sqrt(problem.curvature[free]) + 1e-5 * np.abs(means)
    left = projected[free]
    below = np.minimum(left, 0.0) if positive else 0.0
    projected[free] = np.where(np.abs(left - below) <= LEFT * size * reach, below, left)


def mean_over(weights, values):
    """``sum_i s_i values_i``; rows that weigh nothing count for nothing."""
    if weights.size == 1:
        return weights[0] * np.sum(values)
    return weights @ np.where(weights > 0.0, values, 0.0)
