"""How far from optimal: duality gaps in float64, from the data and coefficients.

Fenchel duality for ``P(w) = sum_i s_i (y_i - x_i' w)^2 / 2 + sum_j h_j(w_j)`` gives,
for every theta in R^n (orthogonal to s if there is an intercept),

    P(w) >= D(theta) = sum_i s_i (theta_i y_i - theta_i^2 / 2) - sum_j h*_j(v_j),
    v = X' S theta.

With the residual r = y - X w the gap P - D is a sum of terms that are each >= 0,

    sum_i s_i (r_i - theta_i)^2 / 2 + sum_j (h_j(w_j) + h*_j(v_j) - w_j v_j),

and is summed as such: the difference of P and D itself would be rounding long before.

At the optimum theta = r; elsewhere ``theta = c r``, and c <= 1 brings v into the
domain of h* (Fercoq, Gramfort and Salmon, 2015). Unpenalised columns demand v_j = 0:
their part of r is projected out first.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import orth
from scipy.optimize import nnls

from sparselearn import penalties
from sparselearn._kernels._groups import certify_groups, pulls_on_groups
from sparselearn._kernels._jit import for_specs, registered
from sparselearn._solvers._moments import MomentProblem

__all__ = [
    "Certificate",
    "Certifier",
    "Fit",
    "GroupCertifier",
    "bound_of_groups",
    "critical_alpha",
    "exposed",
    "free_features",
]


@dataclass(frozen=True)
class Fit:
    """What a coefficient vector leaves over; no penalty is involved.

    Attributes
    ----------
    correlation : ndarray (n_features,)
        ``X' S r``, minus the gradient of the loss.
    square : float
        ``sum_i s_i r_i^2``.
    residual : ndarray (n_samples,) or None
        r, centred if there is an intercept; None if only sums over rows are at hand.
    projected : ndarray (n_features,)
        ``X' S theta`` with theta the residual less its part along the free columns.
    removed : float
        ``sum_i s_i (r_i - theta_i)^2``.
    """

    correlation: np.ndarray
    square: float
    residual: np.ndarray
    projected: np.ndarray
    removed: float

    @property
    def loss(self):
        """The loss of the coefficients."""
        return 0.5 * self.square

    def loss_gap(self, scale):
        """What the rows add to the gap with the dual point ``scale * theta``."""
        kept = max(self.square - self.removed, 0.0)
        return 0.5 * ((1.0 - scale) ** 2 * kept + self.removed)


@dataclass(frozen=True)
class Certificate:
    """How good a coefficient vector is.

    Attributes
    ----------
    objective : float
        P(w).
    gap : float
        P(w) - D(theta): an upper bound of P(w) - min P.
    """

    objective: float
    gap: float


class Certifier:
    """Certifies coefficients of one problem under penalties of one kind.

    Parameters
    ----------
    problem : Problem or MomentProblem
        Of the latter, fits are sums over rows too, and cost no pass.
    penalty : spec
        Any of the penalties to come; which coefficients it leaves unpenalised must
        not change among them.
    """

    def __init__(self, problem, penalty):
        self.problem = problem
        self.free = self._free_features(penalty)
        free, positive = self.free, getattr(penalty, "positive", False)
        self._project = self._projection(positive) if free.size else None

    def _projection(self, positive):
        """What takes the part along the free columns out of a residual."""
        if isinstance(self.problem, MomentProblem):
            return _MomentProjection(self.problem.gram, self.free, positive)
        return _RowProjection(self.problem, self.free, positive)

    def _free_features(self, penalty):
        return free_features(penalty, self.problem.curvature.size)

    def __call__(self, penalty, coef):
        """Certify `coef`, an ndarray (n_features,), from scratch."""
        return self.bound(penalty, coef, self.measure(coef))

    def measure(self, coef):
        """The `Fit` of `coef`: one pass over X, two if there are free features."""
        correlation, square, residual = self.problem.measure(coef)
        if not self.free.size:
            return Fit(correlation, square, residual, correlation, 0.0)
        projected, removed = self._project(correlation, residual)
        return Fit(correlation, square, residual, projected, removed)

    def bound(self, penalty, coef, fit, support=None):
        """The `Certificate` of `coef` under `penalty`, from its `Fit`.

        `support`, if given, are the features whose `coef` is not 0.
        """
        if support is None:
            support = np.flatnonzero(coef != 0.0)
        # The terms of all others are 0, and ask for no scale.
        matter = exposed(penalty, fit.projected, support)
        objective = fit.loss
        objective += np.sum(penalties.value(penalty, coef[support], support))

        def gap(scale, features):
            v = scale * fit.projected[features]
            gaps = _fenchel_gap(penalty, coef[features], v, features)
            return fit.loss_gap(scale) + np.sum(gaps)

        scales = penalties.dual_scale(
            penalty, coef[matter], fit.projected[matter], matter
        )
        scale = np.min(scales, initial=1.0)
        # It makes v_j a subgradient of h_j at 0 wherever w_j = 0: their terms are 0.
        smallest = gap(scale, support)
        # Where h* is finite everywhere, theta = r may bound better.
        if scale < 1.0 and _is_smooth(penalty):
            smallest = min(smallest, gap(1.0, matter))
        return Certificate(objective, smallest)

    def critical(self, penalty, fit):
        """The smallest multiple of `penalty` to leave all penalised coefficients at 0.

        `fit` is that of coefficients of 0.
        """
        correlation = fit.projected
        if not getattr(penalty, "positive", False):
            correlation = np.abs(correlation)
        thresholds = np.broadcast_to(
            penalties.threshold(penalty, slice(None)), correlation.shape
        )
        # Of the correlation with a constant column only rounding is left.
        asks = (thresholds > 0.0) & (self.problem.curvature > 0.0)
        return np.max(correlation[asks] / thresholds[asks], initial=0.0)


class GroupCertifier(Certifier):
    """The same for penalties of groups."""

    def _free_features(self, penalty):
        features, starts = penalty.groups
        lam, mu = penalties.group_strengths(penalty, np.arange(starts.size - 1))
        return np.sort(features[np.repeat(lam + mu == 0.0, np.diff(starts))])

    def bound(self, penalty, coef, fit):
        """The `Certificate` of `coef` under `penalty`, from its `Fit`."""
        return bound_of_groups(penalty, coef, fit)

    def pulls(self, penalty, correlation):
        """The dual norms of all groups, and their violations at coefficients of 0."""
        # Of the correlation with a constant column only rounding is left.
        correlation = np.where(self.problem.curvature > 0.0, correlation, 0.0)
        norms, distances = np.empty((2, penalty.groups.starts.size - 1))
        for_specs(pulls_on_groups, penalty)(penalty, correlation, norms, distances)
        return norms, distances

    def critical(self, penalty, fit):
        """The smallest multiple of `penalty` to leave all penalised coefficients at 0.

        `fit` is that of coefficients of 0.
        """
        norms, _ = self.pulls(penalty, fit.projected)
        return np.max(norms[np.isfinite(norms)], initial=0.0)


def bound_of_groups(penalty, coef, fit):
    """The `Certificate` of `coef` under a `penalty` of groups, from its `Fit`."""
    values, _, terms = parts = np.empty((3, penalty.groups.starts.size - 1))
    scale = for_specs(certify_groups, penalty)(penalty, coef, fit.projected, parts)
    objective = fit.loss + np.sum(values)
    return Certificate(objective, fit.loss_gap(scale) + np.sum(terms))


class _RowProjection:
    """Takes the part along the free columns out of a residual.

    Under a sign constraint, "orthogonal to the columns" becomes "at most 0 along
    them", which is what the residual of non-negative least squares is.
    """

    def __init__(self, problem, free, positive):
        self.problem, self.free, self.positive = problem, free, positive
        self._root = np.sqrt(np.broadcast_to(problem.weights, problem.target.shape))
        self._columns = self._root[:, None] * problem.centred_columns(free)
        if not positive:
            self._basis = orth(self._columns)

    def __call__(self, correlation, residual):
        """The correlations of what is left, and the square of what was taken out."""
        theta = self.theta(residual)
        projected = self.problem.correlation(self.problem.weights * theta)
        projected[self.free] = _feasible(projected[self.free], self.positive)
        return projected, np.sum(self.problem.weights * (residual - theta) ** 2)

    def theta(self, residual):
        """`residual` less its part along the free columns."""
        scaled = self._root * residual
        if self.positive:
            fitted = self._columns @ nnls(self._columns, scaled)[0]
        else:
            fitted = self._basis @ (self._basis.T @ scaled)
        out = np.zeros_like(residual)
        return residual - np.divide(fitted, self._root, out, where=self._root > 0.0)


class _MomentProjection:
    """The same from sums over rows; see `_RowProjection`."""

    def __init__(self, gram, free, positive):
        self.free, self.positive = free, positive
        self._rows = gram[free]
        values, vectors = np.linalg.eigh(self._rows[:, free])
        kept = values > 1e-12 * max(values[-1], 0.0)
        # G_FF = R' R for the positive, and its pseudo-inverse H H'.
        self._R = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
        self._H = vectors[:, kept] / np.sqrt(values[kept])

    def __call__(self, correlation, residual=None):
        """The correlations of what is left, and the square of what was taken out."""
        target = self._H.T @ correlation[self.free]
        if self.positive:
            step = nnls(self._R, target)[0]
        else:
            step = self._H @ target
        projected = correlation - step @ self._rows
        projected[self.free] = _feasible(projected[self.free], self.positive)
        return projected, np.sum((self._R @ step) ** 2)


def _feasible(correlation, positive):
    """The correlations left with free columns, without rounding."""
    return np.minimum(correlation, 0.0) if positive else np.zeros_like(correlation)


def exposed(penalty, correlation, support=()):
    """Indices of the features that a coefficient of 0 may not be optimal for.

    Those whose correlation exceeds its threshold, and those of `support`; all, if the
    penalty has no threshold.
    """
    if not registered(penalties.threshold, type(penalty)):
        return np.arange(correlation.size)
    exposed = np.abs(correlation) > penalties.threshold(penalty, slice(None))
    exposed[np.asarray(support, dtype=np.int64)] = True
    return np.flatnonzero(exposed)


def _is_smooth(penalty):
    """Whether the conjugates are finite, but for those of free features."""
    if not isinstance(penalty, penalties.ElasticNetFamily):
        return True  # it may be; an infinite gap does no harm
    l1, l2 = penalties.strengths(penalty, slice(None))
    return np.all((l2 > np.zeros(1)) | (l1 == np.zeros(1)))


def _fenchel_gap(penalty, w, v, j):
    if registered(penalties.fenchel_gap, type(penalty)):
        return penalties.fenchel_gap(penalty, w, v, j)
    direct = penalties.value(penalty, w, j) + penalties.conjugate(penalty, v, j) - w * v
    return np.maximum(direct, 0.0)


def free_features(penalty, n_features):
    """Indices of the features that `penalty` leaves unpenalised."""
    shrunk = penalties.prox(penalty, np.ones(n_features), 1.0, slice(None))
    return np.flatnonzero(shrunk == 1.0)


def critical_alpha(problem, penalty):
    """The smallest multiple of `penalty` under which the null model is optimal.

    With a `penalty` of alpha = 1 this is alpha_max.
    """
    of_groups = isinstance(penalty, penalties.GroupFamily)
    certifier = (GroupCertifier if of_groups else Certifier)(problem, penalty)
    fit = certifier.measure(np.zeros(problem.curvature.size))
    return certifier.critical(penalty, fit)
