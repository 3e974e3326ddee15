"""How far from optimal: duality gaps in numpy float64, trusting no kernel.

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
from sparselearn._kernels._jit import registered

__all__ = ["Certificate", "Certifier", "Fit", "critical_alpha", "free_features"]


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
    problem : Problem
    penalty : spec
        Any of the penalties to come; which coefficients it leaves unpenalised must
        not change among them.
    """

    def __init__(self, problem, penalty):
        self.problem = problem
        self.free = free_features(penalty, problem.curvature.size)
        self.positive = getattr(penalty, "positive", False)
        if self.free.size:
            root = np.sqrt(problem.weights).reshape(-1, 1)
            self._columns = root * problem.centred_columns(self.free)
            if not self.positive:
                self._basis = orth(self._columns)

    def __call__(self, penalty, coef):
        """Certify `coef`, an ndarray (n_features,), from scratch."""
        return self.bound(penalty, coef, self.measure(coef))

    def measure(self, coef):
        """The `Fit` of `coef`: one pass over X, two if there are free features."""
        problem = self.problem
        residual = problem.residual(coef)
        correlation = problem.correlation(problem.weights * residual)
        square = np.sum(problem.weights * residual**2)
        if not self.free.size:
            return Fit(correlation, square, residual, correlation, 0.0)
        theta = self._without_free(residual)
        projected = problem.correlation(problem.weights * theta)
        along = projected[self.free]
        projected[self.free] = np.minimum(along, 0.0) if self.positive else 0.0
        removed = np.sum(problem.weights * (residual - theta) ** 2)
        return Fit(correlation, square, residual, projected, removed)

    def bound(self, penalty, coef, fit):
        """The `Certificate` of `coef` under `penalty`, from its `Fit`."""
        everything = slice(None)
        support = np.flatnonzero(coef)
        objective = 0.5 * fit.square
        objective += np.sum(penalties.value(penalty, coef[support], support))
        kept = max(fit.square - fit.removed, 0.0)

        def gap(scale):
            rows = 0.5 * ((1.0 - scale) ** 2 * kept + fit.removed)
            features = _fenchel_gap(penalty, coef, scale * fit.projected, everything)
            return rows + np.sum(features)

        scales = penalties.dual_scale(penalty, coef, fit.projected, everything)
        scale = np.min(scales, initial=1.0)
        smallest = gap(scale)
        # Where h* is finite everywhere, theta = r may bound better.
        if scale < 1.0:
            smallest = min(smallest, gap(1.0))
        return Certificate(objective, smallest)

    def null_residual(self):
        """The residual of the fitted null model, least squares on the free features."""
        return self._without_free(self.problem.target)

    def _without_free(self, residual):
        """`residual` less its part along the free columns, rows weighted by s.

        Under a sign constraint, "orthogonal to the columns" becomes "at most 0 along
        them", which is what the residual of non-negative least squares is.
        """
        if not self.free.size:
            return residual
        root = np.sqrt(self.problem.weights)
        scaled = root * residual
        if self.positive:
            fitted = self._columns @ nnls(self._columns, scaled)[0]
        else:
            fitted = self._basis @ (self._basis.T @ scaled)
        weighted = root > 0.0
        return residual - np.divide(fitted, root, where=weighted, out=0.0 * residual)


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
    residual = Certifier(problem, penalty).null_residual()
    correlation = problem.correlation(problem.weights * residual)
    if not getattr(penalty, "positive", False):
        correlation = np.abs(correlation)
    thresholds = np.broadcast_to(
        penalties.threshold(penalty, slice(None)), correlation.shape
    )
    # Of the correlation with a constant column only rounding is left.
    asks = (thresholds > 0.0) & (problem.curvature > 0.0)
    return np.max(correlation[asks] / thresholds[asks], initial=0.0)
