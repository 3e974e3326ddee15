"""The squared loss with a convex penalty: working sets, stopped by a duality gap.

1. Bound the gap of the coefficients; if gap <= tol * (objective of w = 0), stop.
2. Take into the working set the features that violate optimality most.
3. Minimise over the working set (``_working_set.py``).
4. Measure the fit, one pass over X, which gives all correlations; go to 1.

On a path the `Solver` keeps its coefficients, its working set and all that was
formed for it, and step 2 begins with the features that the sequential strong rule
keeps (Tibshirani et al., 2012; Johnson and Guestrin, 2015; Massias, Gramfort and
Salmon, 2018; Larsson and Wallin, 2022).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._jit import registered
from sparselearn._solvers._certificates import Certificate, Certifier
from sparselearn._solvers._moments import MomentProblem, moments_of
from sparselearn._solvers._working_set import DesignWorkingSet, GramWorkingSet

__all__ = ["Solution", "Solver", "sums_pay"]

SMALLEST_WORKING_SET = 50
# Alphas further apart than this have others put between them.
STRIDE = 1.2
# How far ahead of a straight line correlations may be, in steps of alpha.
AHEAD = 0.3
# A Gram matrix of so many columns takes half a gigabyte.
LARGEST_GRAM = 8192
# Rounds without a new feature and without a smaller gap: what is left is rounding.
IDLE_ROUNDS = 5
# Rough speeds a second: of a factorisation, and of products whose numbers are read.
FLOPS, SCALARS = 2e10, 5e8


@dataclass(frozen=True)
class Solution:
    """Coefficients with their certificate.

    Attributes
    ----------
    coef : float64 ndarray (n_features,)
    certificate : Certificate
    n_iter : int
        Epochs of descent over the working set.
    converged : bool
        Whether the gap met the tolerance.
    """

    coef: np.ndarray
    certificate: Certificate
    n_iter: int
    converged: bool


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

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        require_formulas(penalty)
        by_rows = not isinstance(problem, MomentProblem)
        if by_rows and sums_pay(problem.matrix, penalty, n_solves):
            sums = moments_of(problem.matrix, problem.target, problem.weights)
            problem = sums.problem(fit_intercept=problem.fit_intercept)
        n_features = problem.curvature.size
        self.problem = problem
        self.certifier = Certifier(problem, penalty)
        self.coef = np.zeros(n_features)
        # Of a constant column only rounding is left: it never joins.
        self._eligible = problem.curvature > 0.0
        self._member = np.zeros(n_features, dtype=bool)
        self._previous = self._older = None
        self.fit = self.certifier.measure(self.coef)
        self._working = _working_set(problem, penalty, self.fit.correlation)
        if isinstance(problem, MomentProblem):
            self._join(np.flatnonzero(self._eligible))
        self.n_passes = 1
        if start is not None and np.any(start):
            self.coef[self._eligible] = start[self._eligible]
            self._join(np.flatnonzero((self.coef != 0.0) & ~self._member))
            self._measure()

    @property
    def n_members(self):
        """The size of the working set."""
        return self._working.features.size

    def solve(self, penalty, *, tol, max_iter):
        """Minimise under `penalty`, from where the last one ended.

        Parameters
        ----------
        penalty : spec
        tol : float
            Stop at a duality gap of `tol` times the objective of w = 0.
        max_iter : int
            At most so many epochs of descent.

        Returns
        -------
        Solution
        """
        target = tol * self.problem.null_value
        certificate = self.certifier.bound(penalty, self.coef, self.fit)
        best, idle, n_iter, precision = np.inf, 0, 0, 1e-2
        if certificate.gap > target:
            n_iter += self._approach(penalty, target, max_iter)
        candidates = self._expected(penalty)
        while certificate.gap > target and n_iter < max_iter and idle < IDLE_ROUNDS:
            if candidates is None:
                candidates = self._violations(penalty, self.coef, self.fit.correlation)
            grown = self._join(self._worst(candidates))
            candidates = None
            if not grown:
                precision *= 0.1
            # On a path the working set is most likely right at once.
            worth = certificate.gap if self._previous is None else target
            n_iter += self._minimise(
                penalty, precision * max(worth, target), max_iter - n_iter
            )
            certificate = self.certifier.bound(penalty, self.coef, self.fit)
            idle = 0 if grown or certificate.gap < 0.9 * best else idle + 1
            best = min(best, certificate.gap)
        self._previous = penalty
        return Solution(
            self.coef.copy(), certificate, n_iter, bool(certificate.gap <= target)
        )

    def _approach(self, penalty, target, max_iter):
        """Come near `penalty` by waypoints, `STRIDE` apart; return the epochs spent.

        From far away a support takes many rounds to settle, each of them with most
        of it wrong; along a path it never is. A waypoint costs one pass.
        """
        n_iter = 0
        for waypoint in self._waypoints(penalty):
            candidates = self._expected(waypoint)
            if candidates is None:
                candidates = self._violations(waypoint, self.coef, self.fit.correlation)
            self._join(self._worst(candidates))
            if n_iter < max_iter and self.n_members:
                n_iter += self._minimise(waypoint, target, max_iter - n_iter)
            self._previous = waypoint
        return n_iter

    def _waypoints(self, penalty):
        """Penalties between the last, or the smallest that leaves 0, and `penalty`."""
        if not isinstance(self._working, GramWorkingSet) or penalty.alpha == 0.0:
            return []
        if self._previous is not None:
            start = self._previous.alpha
        elif not self.coef.any():
            start = self.certifier.critical(penalty._replace(alpha=1.0), self.fit)
        else:
            return []
        if not start > penalty.alpha:
            return []
        n_strides = np.ceil(np.log(start / penalty.alpha) / np.log(STRIDE))
        alphas = np.geomspace(start, penalty.alpha, int(n_strides) + 1)[1:-1]
        return [penalty._replace(alpha=alpha) for alpha in alphas]

    def _minimise(self, penalty, accuracy, max_epochs):
        """Minimise over the working set, and see what it leaves: one pass."""
        n_epochs = self._working.minimise(
            penalty, self.coef, self.fit, accuracy, max_epochs
        )
        self._measure()
        return n_epochs

    def _measure(self):
        self.fit = self.certifier.measure(self.coef)
        self.n_passes += not isinstance(self.problem, MomentProblem)

    def _join(self, new):
        """Take the features `new` into the working set; return how many."""
        if new.size:
            self._member[new] = True
            self._working.grow(new)
        if isinstance(self._working, GramWorkingSet) and self._gram_is_costly():
            features = self._working.features
            self._working = DesignWorkingSet(self.problem)
            self._working.grow(features)
        return new.size

    def _gram_is_costly(self):
        """Whether descent on the columns costs less from here on.

        That is where columns are sparse and many are active, or the Gram matrix does
        not fit. Times are rough: a factorisation, two products with the Gram matrix;
        against that two passes over X and ten epochs on the working set.
        """
        if isinstance(self.problem, MomentProblem):
            return False
        if self.n_members > LARGEST_GRAM:
            return True
        X = self.problem.matrix
        if not sp.issparse(X):
            return False
        n_active = np.count_nonzero(self.coef)
        with_gram = n_active**3 / 3 / FLOPS + 2 * self.n_members**2 / SCALARS
        stored = X.nnz / X.shape[1] * self.n_members
        return with_gram > (2 * X.nnz + 10 * stored) / SCALARS

    def _violations(self, penalty, coef, correlation):
        """How far each feature outside the working set is from optimal; else 0."""
        distance = penalties.subdifferential_distance(
            penalty, coef, correlation, slice(None)
        )
        return np.where(self._member | ~self._eligible, 0.0, distance)

    def _expected(self, penalty):
        """Violations that are to be expected where the path reaches `penalty`.

        Correlations are carried on from the last two solutions along straight lines,
        as they move while the support stays; `AHEAD` steps more, since it does not.
        After one solution only, the strong rule bounds them: a correlation moves no
        faster than the threshold.
        """
        before, older = self._previous, self._older
        if before is None or not hasattr(penalty, "alpha"):
            return None
        correlation, ahead = self.fit.correlation, 1.0
        self._older = before.alpha, correlation
        step = before.alpha - penalty.alpha
        if older is not None and older[0] != before.alpha:
            slope = (older[1] - correlation) / (older[0] - before.alpha)
            correlation, ahead = correlation - step * slope, AHEAD
        bound = penalty._replace(alpha=max(penalty.alpha - ahead * abs(step), 0.0))
        return self._violations(bound, np.zeros_like(self.coef), correlation)

    def _worst(self, violations):
        """The features of the largest violations, as many again as are active."""
        room = max(
            SMALLEST_WORKING_SET, np.count_nonzero(self.coef), self.n_members // 2
        )
        worst = np.flatnonzero(violations)
        if worst.size > room:
            # In units of the objective: a step along x_j gains d_j^2 / (2 L_j).
            gain = violations[worst] ** 2 / self.problem.curvature[worst]
            worst = worst[np.argpartition(gain, -room)[-room:]]
        return worst


def sums_pay(X, penalty, n_solves):
    """Whether one pass for all sums over rows costs less than one a solution."""
    if sp.issparse(X) or not isinstance(penalty, penalties.ElasticNetFamily):
        return False
    n_samples, n_features = X.shape
    return n_samples > n_features and n_features <= 12 * n_solves


def _working_set(problem, penalty, moment):
    """The kind of working set to begin with."""
    if isinstance(penalty, penalties.ElasticNetFamily):
        return GramWorkingSet(problem, moment)
    return DesignWorkingSet(problem)


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
