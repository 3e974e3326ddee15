"""The squared-loss problem of several tasks that share their features.

    min_W  sum_i s_i ||y_i - b - W' x_i||^2 / 2 + sum_j h_j(||W_j||),    sum_i s_i = 1,

with one row W_j for each feature and one column for each task. The penalties are
those of one task, of the length of a row: h_j is even, so that its conjugate as a
function of a row is h*_j of the row's length, and the gap of ``_certificates.py``
becomes a sum of

    h_j(||W_j||) + h*_j(||V_j||) - <W_j, V_j>
        = [h_j(||W_j||) + h*_j(||V_j||) - ||W_j|| ||V_j||]
        + ||W_j|| ||V_j|| ||W_j / ||W_j|| - V_j / ||V_j|| ||^2 / 2,

two terms that are each >= 0: that of one task, and one for the angle.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import orth

from sparselearn import penalties
from sparselearn._solvers._certificates import Certificate, Fit, free_features
from sparselearn._solvers._problem import Problem, multiply

__all__ = [
    "TaskCertifier",
    "TaskProblem",
    "critical_task_alpha",
    "make_tasks",
    "row_lengths",
]


def row_lengths(rows):
    """The Euclidean length of each row."""
    return np.sqrt(np.einsum("ij,ij->i", rows, rows))


@dataclass(frozen=True)
class TaskProblem:
    """A design with several targets.

    Attributes
    ----------
    design : Problem
        Without a target.
    targets : float64 ndarray (n_samples, n_tasks), of weighted mean 0 with intercepts
    target_means : ndarray (n_tasks,)
    """

    design: Problem
    targets: np.ndarray
    target_means: np.ndarray

    @cached_property
    def weights(self):
        """Row weights s, of shape (n_samples, 1) or (1, 1)."""
        return self.design.weights.reshape(-1, 1)

    @cached_property
    def null_value(self):
        """The objective of W = 0."""
        return 0.5 * np.sum(self.weights * self.targets**2)

    @property
    def shape(self):
        """Of the coefficients: (n_features, n_tasks)."""
        return self.design.curvature.size, self.targets.shape[1]

    def residual(self, coef):
        """``Y - X W`` in float64, centred by the optimal intercepts."""
        support = np.flatnonzero(coef.any(axis=1))
        residual = self.targets - multiply(self.design.matrix, coef[support], support)
        if self.design.fit_intercept:
            # With equal weights these hold one number for all rows.
            weights = np.broadcast_to(self.weights[:, 0], residual.shape[:1])
            residual -= weights @ residual
        return residual

    def correlation(self, residual):
        """``(X - means)' S R``, of shape (n_features, n_tasks)."""
        return self.design.correlation(self.weights * residual)

    def intercept(self, coef):
        """The optimal intercepts for `coef`, an ndarray (n_tasks,)."""
        return self.target_means - self.design.design.means @ coef


def make_tasks(design, Y):
    """The `TaskProblem` of a design and targets Y, float64 (n_samples, n_tasks)."""
    problems = [design.with_target(y) for y in np.ascontiguousarray(Y.T)]
    targets = np.stack([problem.target for problem in problems], axis=1)
    return TaskProblem(design, targets, np.array([p.target_mean for p in problems]))


class TaskCertifier:
    """Certifies coefficients of one problem; see `_certificates.Certifier`.

    Parameters
    ----------
    problem : TaskProblem
    penalty : spec
        An elastic net, any of those to come; which features it leaves unpenalised
        must not change among them.
    """

    def __init__(self, problem, penalty):
        self.problem = problem
        self.free = free_features(penalty, problem.shape[0])
        if self.free.size:
            n_samples = problem.targets.shape[0]
            self._root = np.sqrt(np.broadcast_to(problem.weights, (n_samples, 1)))
            self._basis = orth(self._root * problem.design.centred_columns(self.free))

    def __call__(self, penalty, coef):
        """Certify `coef`, an ndarray (n_features, n_tasks), from scratch."""
        return self.bound(penalty, coef, self.measure(coef))

    def measure(self, coef):
        """The `Fit` of `coef`: one pass over X, two if there are free features."""
        problem = self.problem
        residual = problem.residual(coef)
        correlation = problem.correlation(residual)
        square = np.sum(problem.weights * residual**2)
        if not self.free.size:
            return Fit(correlation, square, residual, correlation, 0.0)
        fitted = self._basis @ (self._basis.T @ (self._root * residual))
        out = np.zeros_like(residual)
        theta = residual - np.divide(fitted, self._root, out, where=self._root > 0.0)
        projected = problem.correlation(theta)
        projected[self.free] = 0.0
        return Fit(correlation, square, residual, projected, np.sum(fitted**2))

    def bound(self, penalty, coef, fit):
        """The `Certificate` of `coef` under `penalty`, from its `Fit`."""
        everything = slice(None)
        support = np.flatnonzero(coef.any(axis=1))
        sizes, pulls = np.zeros(coef.shape[0]), row_lengths(fit.projected)
        sizes[support] = row_lengths(coef[support])
        objective = 0.5 * fit.square
        objective += np.sum(penalties.value(penalty, sizes[support], support))
        kept = max(fit.square - fit.removed, 0.0)
        angles = np.zeros_like(sizes)
        angles[support] = _angle_terms(coef[support], fit.projected[support])

        def gap(scale):
            rows = 0.5 * ((1.0 - scale) ** 2 * kept + fit.removed)
            lengths = penalties.fenchel_gap(penalty, sizes, scale * pulls, everything)
            return rows + np.sum(lengths) + scale * np.sum(angles)

        _, l2 = penalties.strengths(penalty, everything)
        slopes = fit.projected - np.reshape(l2, (-1, 1)) * coef
        slopes = row_lengths(slopes)
        scale = np.min(penalties.dual_scale(penalty, 0.0, slopes, everything))
        smallest = gap(scale)
        # Where h* is finite everywhere, theta = r may bound better.
        if scale < 1.0:
            smallest = min(smallest, gap(1.0))
        return Certificate(objective, smallest)


def _angle_terms(W, V):
    """``||W_j|| ||V_j|| - <W_j, V_j>`` of rows, without cancellation."""
    w, v = row_lengths(W)[:, None], row_lengths(V)[:, None]
    apart = W / np.where(w > 0.0, w, 1.0) - V / np.where(v > 0.0, v, 1.0)
    return 0.5 * (w * v)[:, 0] * np.einsum("ij,ij->i", apart, apart)


def critical_task_alpha(problem, penalty):
    """The smallest multiple of `penalty` under which the null model is optimal."""
    fit = TaskCertifier(problem, penalty).measure(np.zeros(problem.shape))
    pulls = row_lengths(fit.projected)
    thresholds = np.broadcast_to(penalties.threshold(penalty, slice(None)), pulls.shape)
    asks = (thresholds > 0.0) & (problem.design.curvature > 0.0)
    return np.max(pulls[asks] / thresholds[asks], initial=0.0)
