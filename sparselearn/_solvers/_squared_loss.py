"""The squared loss with a convex penalty: working sets, stopped by a duality gap.

1. Bound the gap of the coefficients; if gap <= tol * (objective of w = 0), stop.
2. Take into the working set the features that violate optimality most.
3. Minimise over the working set (``_working_set.py``).
4. Measure the fit, which gives all correlations; go to 1.

On a path the `Solver` keeps its coefficients, its working set and all that was
formed for it, and step 2 begins with the features whose correlations are on their way
to the threshold (Johnson and Guestrin, 2015; Massias, Gramfort and Salmon, 2018;
Larsson and Wallin, 2022). Step 4 reads those columns only of which the last
correlations do not say enough (``_screening.py``).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._jit import registered
from sparselearn._solvers._certificates import Certificate, Certifier, Fit, exposed
from sparselearn._solvers._moments import MomentProblem, moments_of
from sparselearn._solvers._screening import Correlations
from sparselearn._solvers._working_set import DesignWorkingSet, GramWorkingSet

__all__ = ["Route", "Solution", "Solver", "sums_pay"]

SMALLEST_WORKING_SET = 50
# Alphas further apart than this have others put between them.
STRIDE = 1.2
# How far ahead of a straight line correlations may be, in steps of alpha.
AHEAD = 0.3
# A Gram matrix of so many columns takes half a gigabyte.
LARGEST_GRAM = 8192
# Rounds without a new feature and without a smaller gap: what is left is rounding.
IDLE_ROUNDS = 5
# A number that is looked up costs so many times one that is next in memory.
LOOKUP = 5


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


class Solver:
    """Solves one problem under one penalty after another.

    Parameters
    ----------
    problem : Problem with a target, or MomentProblem
    penalty : spec
        Any of the penalties to come. Convex, with `prox`, `value`, `conjugate`,
        `dual_scale` and `subdifferential_distance` registered; TypeError otherwise.
    start : ndarray (n_features,), optional
        Coefficients to start from; not written to.
    n_solves : int
        How many penalties are to come, about.
    """

    # The smallest alpha at which the null model is optimal; None if no alpha is.
    alpha_max = None
    # How near to come to a waypoint, in units of the gap to reach.
    _waypoint_accuracy = 1.0
    # How accurately to minimise over a working set, likewise.
    _precision = 1e-2
    # Of Gram matrices; a subclass may know another.
    _gram_kind = GramWorkingSet

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        require_formulas(penalty)
        # Sums over rows are of centred targets: they do not know the mean.
        self._intercept = problem.intercept
        # Sums that are given were not formed here.
        self._sums_formed = 0.0
        by_rows = not isinstance(problem, MomentProblem)
        if by_rows and sums_pay(problem.matrix, penalty, n_solves):
            data = problem.matrix, problem.target, problem.weights
            sums = moments_of(*data, run=problem.run)
            problem = sums.problem(fit_intercept=problem.fit_intercept)
            self._sums_formed = 1.0
        n_features = problem.curvature.size
        self.problem = problem
        self.certifier = Certifier(problem, penalty)
        self.coef, self.support = np.zeros(n_features), np.empty(0, dtype=np.int64)
        # What may yet join; of a constant column only rounding is left, it never does.
        self._outside = problem.curvature > 0.0
        self.fit = self.certifier.measure(self.coef)
        self._moment = moment = self.fit.correlation
        self._working = self._working_set(penalty)
        # The alpha that `coef` belongs to: the largest that leaves it at 0.
        self._alpha = None
        if isinstance(penalty, penalties.ElasticNetFamily) and penalty.alpha > 0.0:
            unit = penalty._replace(alpha=1.0)
            self._alpha = self.certifier.critical(unit, self.fit)
            self.alpha_max = self._alpha
        self._correlations = Correlations(
            problem, moment.copy(), self.fit.residual, self._alpha
        )
        if isinstance(problem, MomentProblem):
            self._join(np.flatnonzero(self._outside))
        if start is not None and np.any(start):
            self.coef[:] = np.where(problem.curvature > 0.0, start, 0.0)
            self._join(np.flatnonzero((self.coef != 0.0) & self._outside))
            self._alpha = None
            self._measure()

    @property
    def n_members(self):
        """The size of the working set."""
        return self._working.features.size

    @property
    def route(self):
        """The `Route` so far."""
        by_gram = isinstance(self._working, GramWorkingSet)
        solver = "gram" if by_gram else "columns"
        n_passes = self._correlations.n_passes
        if isinstance(self.problem, MomentProblem):
            solver, n_passes = "sums", self._sums_formed
        return Route(solver, n_passes, 1.0 - self.n_members / self.coef.size)

    @property
    def intercept(self):
        """The optimal intercept for `coef`."""
        return self._intercept(self.coef, self.support)

    @property
    def start(self):
        """What to start another solver from."""
        return self.coef

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

    def _working_set(self, penalty):
        """The kind of working set to begin with."""
        if isinstance(penalty, penalties.ElasticNetFamily):
            return self._gram_kind(self.problem, self._moment)
        return DesignWorkingSet(self.problem)

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
        far = self._alpha is not None and self._alpha > STRIDE * penalty.alpha > 0.0
        if not far or not isinstance(self._working, GramWorkingSet):
            return []
        n_strides = np.ceil(np.log(self._alpha / penalty.alpha) / np.log(STRIDE))
        alphas = np.geomspace(self._alpha, penalty.alpha, int(n_strides) + 1)[1:-1]
        return [penalty._replace(alpha=alpha) for alpha in alphas]

    def _minimise(self, penalty, accuracy, max_epochs):
        """Minimise over the working set, and see what it leaves out."""
        if not self.n_members:
            return 0
        features = self._working.features
        if self._alpha is None:
            expected = self.fit.correlation[features]
        else:
            expected = self._correlations.expected(penalty.alpha, features)
        n_epochs = self._working.minimise(
            penalty, self.coef, self.fit, expected, accuracy, max_epochs
        )
        self._measure(penalty)
        return n_epochs

    def _measure(self, penalty=None):
        """The fit of `coef`, for certificates under `penalty` only if that is given."""
        features = self._working.features
        self.support = np.sort(features[self.coef[features] != 0.0])
        alpha = getattr(penalty, "alpha", np.inf)
        by_gram = isinstance(self._working, GramWorkingSet)
        by_sums = isinstance(self.problem, MomentProblem)
        if penalty is None or not by_gram or by_sums or self.certifier.free.size:
            self.fit = self.certifier.measure(self.coef)
            correlation, residual = self.fit.correlation, self.fit.residual
            self._correlations.replace(correlation.copy(), residual, alpha)
            return
        residual = self.problem.residual(self.coef, self.support)
        square = np.sum(self.problem.weights * residual**2)
        correlation = self._correlations.update(residual, penalty, self.support)
        self.fit = Fit(correlation, square, residual, correlation, 0.0)

    def _join(self, new):
        """Take the features `new` into the working set; return how many."""
        if new.size:
            self._outside[new] = False
            self._working.grow(new)
        if isinstance(self._working, GramWorkingSet) and self._gram_is_costly():
            features = self._working.features
            self._working = DesignWorkingSet(self.problem)
            self._working.grow(features)
        return new.size

    def _gram_is_costly(self):
        """Whether descent on the columns costs less from here on.

        That is where columns are sparse and many are active, or the Gram matrix does
        not fit. Work is counted roughly, in numbers read one after another: two
        products with the Gram matrix, and one change of the factor for each 60
        active; against that, numbers looked up count `LOOKUP`: 20 epochs on the
        working set and two passes over X.
        """
        if isinstance(self.problem, MomentProblem):
            return False
        if self.n_members > LARGEST_GRAM:
            return True
        X = self.problem.matrix
        if not sp.issparse(X):
            return False
        n_active = self.support.size
        with_gram = 2 * n_active * self.n_members + n_active**3 / 120
        stored = X.nnz / X.shape[1] * self.n_members
        return with_gram > LOOKUP * (20 * stored + 2 * X.nnz)

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


def _distances(penalty, correlation, features):
    """How far a coefficient of 0 is from optimal for `features`."""
    zero = np.zeros(features.size)
    return penalties.subdifferential_distance(penalty, zero, correlation, features)


def sums_pay(X, penalty, n_solves):
    """Whether one pass for all sums over rows costs less than one a solution."""
    families = penalties.ElasticNetFamily, penalties.GroupFamily
    if sp.issparse(X) or not isinstance(penalty, families):
        return False
    n_samples, n_features = X.shape
    return n_samples > n_features and n_features <= 12 * n_solves


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
