"""How far from optimal: duality gaps in numpy float64, trusting no kernel.

Fenchel duality for ``P(w) = sum_i s_i f(y_i, x_i' w) + sum_j h_j(w_j)`` gives, for
every theta in R^n (orthogonal to s if there is an intercept),

    P(w) >= D(theta) = - sum_i s_i f*(y_i, -theta_i) - sum_j h*_j(x_j' (s theta)).

The gap P - D is a sum over rows and features of Fenchel-Young terms, each >= 0, and
is summed as such: the difference of P and D itself would be rounding long before.

At the optimum theta is minus the derivative of the loss, for the squared loss the
residual r; elsewhere ``theta = c r`` with c <= 1 brings the correlations into the
domain of h*. Unpenalised columns demand ``x_j' (s theta) = 0``: their part of r is
projected out first (Fercoq, Gramfort and Salmon, 2015, for the scaling).
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import orth
from scipy.optimize import nnls

from sparselearn import losses, penalties
from sparselearn._kernels._jit import registered

__all__ = ["Certificate", "Certifier", "critical_alpha"]


@dataclass(frozen=True)
class Certificate:
    """What is known about a coefficient vector.

    Attributes
    ----------
    objective : float
        P(w).
    gap : float
        P(w) - D(theta): an upper bound of P(w) - min P.
    residual : ndarray (n_samples,)
        ``y - X w``, centred if there is an intercept.
    correlation : ndarray (n_features,)
        ``X' (s r)``, minus the gradient of the loss.
    """

    objective: float
    gap: float
    residual: np.ndarray
    correlation: np.ndarray


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
        self._positive = getattr(penalty, "positive", False)
        if self.free.size:
            root = np.sqrt(problem.weights).reshape(-1, 1)
            self._columns = root * problem.centred_columns(self.free)
            if not self._positive:
                self._basis = orth(self._columns)

    def __call__(self, penalty, coef):
        """Certify `coef`, an ndarray (n_features,), from scratch."""
        problem, loss, everything = self.problem, losses.Quadratic(), slice(None)
        weights, target = problem.weights, problem.target
        support = np.flatnonzero(coef)
        residual = problem.residual(coef)
        correlation = problem.correlation(weights * residual)
        objective = np.sum(weights * losses.value(loss, residual, 0.0))
        objective += np.sum(penalties.value(penalty, coef[support], support))

        theta, projected = residual, correlation
        if self.free.size:
            theta = self._without_free(residual)
            projected = problem.correlation(weights * theta)
            projected[self.free] = self._feasible(projected[self.free])

        def gap(scale):
            rows = losses.fenchel_gap(loss, target, target - residual, -scale * theta)
            features = _fenchel_gap(penalty, coef, scale * projected, everything)
            return np.sum(weights * rows) + np.sum(features)

        scale = penalties.dual_scale(penalty, coef, projected, everything)
        smallest = min(gap(1.0), gap(np.min(scale, initial=1.0)))
        return Certificate(objective, smallest, residual, correlation)

    def null_residual(self):
        """The residual of the fitted null model, least squares on the free features."""
        return self._without_free(self.problem.target)

    def _feasible(self, correlation):
        """The correlations with free columns, less rounding: at most 0, or 0."""
        return np.minimum(correlation, 0.0) if self._positive else 0.0

    def _without_free(self, residual):
        """`residual` less its part along the free columns, rows weighted by s.

        Under a sign constraint, "orthogonal to the columns" becomes "at most 0 along
        them", which is what the residual of non-negative least squares is.
        """
        if not self.free.size:
            return residual
        root = np.sqrt(self.problem.weights)
        scaled = root * residual
        if self._positive:
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
