"""The loop of the solvers: working sets, stopped by a duality gap.

1. Bound the gap of the coefficients; if gap <= tol * (that of the null model), stop.
2. Take into the working set the features that violate optimality most.
3. Minimise over the working set.
4. Measure the fit, which gives all correlations; go to 1.

On a path a solver keeps its coefficients, its working set and all that was formed for
it, and step 2 begins with the features whose correlations are on their way to the
threshold (Johnson and Guestrin, 2015; Massias, Gramfort and Salmon, 2018; Larsson and
Wallin, 2022). Steps 3 and 4 are of a loss: the squared one (``_squared_loss.py``), any
(``_glm_solver.py``), that of several classes (``_multinomial.py``).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from sparselearn import penalties
from sparselearn._kernels._jit import registered
from sparselearn._solvers._certificates import Certificate, exposed

__all__ = [
    "Route",
    "Solution",
    "WorkingSetSolver",
    "between",
    "require_formulas",
]

SMALLEST_WORKING_SET = 50
# How far ahead of a straight line correlations may be, in steps of alpha.
AHEAD = 0.3
# Rounds without a new feature and without a smaller gap: what is left is rounding.
IDLE_ROUNDS = 5


@dataclass(frozen=True)
class Route:
    """How solutions were come by, and at what cost.

    Attributes
    ----------
    solver : {"sums", "gram", "columns"}
        On sums over rows, formed in one pass; on the Gram matrix of the working set;
        by descent on its columns.
    n_passes : float
        Columns of X read, in units of all of them.
    screened_share : float
        The share of features that never were in the working set.
    """

    solver: str
    n_passes: float
    screened_share: float


@dataclass(frozen=True)
class Solution:
    """Coefficients with their certificate.

    Attributes
    ----------
    coef : float64 ndarray (n_features,)
    intercept : float
    certificate : Certificate
    n_iter : int
        Epochs of descent over the working set, or supports tried.
    converged : bool
        Whether the gap met the tolerance.
    route : Route
        Of the solver so far.
    """

    coef: np.ndarray
    intercept: float
    certificate: Certificate
    n_iter: int
    converged: bool
    route: Route


class WorkingSetSolver(ABC):
    """Solves one problem under one penalty after another.

    A subclass has a `problem`, its `certifier`, `coef`, their `support` and `fit`, the
    `_correlations` of a path and the mask `_outside` of what may yet join; and it says
    what is declared below.
    """

    # The smallest alpha at which the null model is optimal; None if no alpha is.
    alpha_max = None
    # Waypoints of a path are so far apart.
    _stride = 1.2
    # How near to come to a waypoint, in units of the gap to reach.
    _waypoint_accuracy = 1.0
    # How accurately to minimise over a working set, likewise.
    _precision = 1e-2

    @property
    def n_members(self):
        """The size of the working set."""
        return self._working.features.size

    @property
    @abstractmethod
    def intercept(self):
        """The optimal intercept for `coef`."""

    @property
    @abstractmethod
    def start(self):
        """What to start another solver from."""

    @property
    @abstractmethod
    def route(self):
        """The `Route` so far."""

    @abstractmethod
    def _join(self, new):
        """Take the features `new` into the working set; return how many."""

    @abstractmethod
    def _minimise(self, penalty, accuracy, max_epochs):
        """Minimise over the working set, and see what it leaves out."""

    @abstractmethod
    def _measure(self, penalty=None):
        """The fit of `coef`, for certificates under `penalty` only if that is given."""

    @property
    def _by_waypoints(self):
        """Whether a far penalty is approached by others."""
        return True

    def solve(self, penalty, *, tol, max_iter):
        """The `Solution` under `penalty`; see :meth:`advance`."""
        found = self.advance(penalty, tol=tol, max_iter=max_iter)
        return Solution(self.coef.copy(), self.intercept, *found, self.route)

    def advance(self, penalty, *, tol, max_iter):
        """Minimise under `penalty`, from where the last one ended.

        Coefficients are left in `coef`, and where they are not 0 in `support`.

        Parameters
        ----------
        penalty : spec
        tol : float
            Stop at a duality gap of `tol` times the objective of w = 0.
        max_iter : int
            At most so many epochs of descent.

        Returns
        -------
        certificate, n_iter, converged
            As of a `Solution`.
        """
        target = tol * self.problem.null_value
        n_iter, idle, precision, best = 0, 0, self._precision, np.inf
        certificate = self._certificate_at_hand(penalty)
        if certificate.gap > target:
            n_iter += self._approach(penalty, target, max_iter)
            if n_iter:
                certificate = Certificate(np.inf, np.inf)
        on_path = not np.isfinite(certificate.gap)
        candidates = self._expected(penalty)
        while certificate.gap > target and n_iter < max_iter and idle < IDLE_ROUNDS:
            if candidates is None:
                candidates = self._violations(penalty)
            grown = self._join(self._worst(*candidates))
            candidates = None
            if not grown and np.isfinite(best):
                precision *= 0.1
            # On a path the working set is most likely right at once.
            accuracy = precision * (target if on_path else certificate.gap)
            n_iter += self._minimise(penalty, accuracy, max_iter - n_iter)
            certificate = self._certify(penalty)
            idle = 0 if grown or certificate.gap < 0.9 * best else idle + 1
            best = min(best, certificate.gap)
        if not np.isfinite(certificate.gap):
            self._measure()
            certificate = self._certify(penalty)
        self._alpha = getattr(penalty, "alpha", None)
        return certificate, n_iter, bool(certificate.gap <= target)

    def _certify(self, penalty):
        return self.certifier.bound(penalty, self.coef, self.fit, self.support)

    def _certificate_at_hand(self, penalty):
        """The certificate of `coef` under `penalty`, if it may be one to stop at.

        Once a path has left 0 its next solution is another one, and not all
        correlations are known that it takes to say so.
        """
        on_path = self._alpha is not None and self.support.size
        if self._correlations.complete and not on_path:
            return self._certify(penalty)
        return Certificate(np.inf, np.inf)

    def _approach(self, penalty, target, max_iter):
        """Come near `penalty` by waypoints, `STRIDE` apart; return the epochs spent.

        From far away a support takes many rounds to settle, each of them with most
        of it wrong; along a path it never is. A waypoint costs one pass.
        """
        n_iter, accuracy = 0, self._waypoint_accuracy * target
        for waypoint in self._waypoints(penalty):
            if n_iter >= max_iter:
                break
            self._join(self._worst(*self._expected(waypoint)))
            n_iter += self._minimise(waypoint, accuracy, max_iter - n_iter)
            self._alpha = waypoint.alpha
        return n_iter

    def _waypoints(self, penalty):
        """Penalties between the one at hand and `penalty`."""
        stride = self._stride
        far = self._alpha is not None and self._alpha > stride * penalty.alpha > 0.0
        if not far or not self._by_waypoints:
            return []
        return between(self._alpha, penalty, stride)

    def _violations(self, penalty):
        """Features outside the working set that violate optimality, and how far."""
        features = exposed(penalty, self.fit.correlation)
        features = features[self._outside[features]]
        return features, _distances(penalty, self.fit.correlation[features], features)

    def _expected(self, penalty):
        """Violations that are to be expected where the path reaches `penalty`.

        Correlations are carried on along straight lines, as they move while the
        support stays; and `AHEAD` steps more, since it does not. None if `coef` is no
        point of a path.
        """
        if self._alpha is None:
            return None
        step = abs(self._alpha - penalty.alpha)
        bound = penalty._replace(alpha=max(penalty.alpha - AHEAD * step, 0.0))
        features, expected = self._correlations.approaching(
            penalty.alpha, bound, self._outside
        )
        return features, _distances(bound, expected, features)

    def _worst(self, features, distances):
        """Of the violations the largest, as many again as are active."""
        room = max(SMALLEST_WORKING_SET, self.support.size, self.n_members // 2)
        if features.size > room:
            # In units of the objective: a step along x_j gains d_j^2 / (2 L_j).
            gain = distances**2 / self.problem.curvature[features]
            features = features[np.argpartition(gain, -room)[-room:]]
        return features


def between(alpha, penalty, stride):
    """The penalties between `alpha` and `penalty`, at most a factor `stride` apart."""
    n_strides = np.ceil(np.log(alpha / penalty.alpha) / np.log(stride))
    alphas = np.geomspace(alpha, penalty.alpha, int(n_strides) + 1)[1:-1]
    return [penalty._replace(alpha=alpha) for alpha in alphas]


def _distances(penalty, correlation, features):
    """How far a coefficient of 0 is from optimal for `features`."""
    zero = np.zeros(features.size)
    return penalties.subdifferential_distance(penalty, zero, correlation, features)


def require_formulas(penalty):
    """Raise the TypeError that names what `penalty` lacks, before any kernel does."""
    for formula in (
        penalties.prox,
        penalties.value,
        penalties.conjugate,
        penalties.dual_scale,
        penalties.subdifferential_distance,
    ):
        if not registered(formula, type(penalty)):
            formula(penalty)
