"""Groups of coefficients that are zero or not as a whole, stopped by a duality gap.

The loop is that of ``_blocks.py``, with groups for features; how it descends on the
working set is in ``_group_working_set.py``. On a path coefficients and correlations are
carried on along straight lines: the former to start from, the latter to say which
groups are about to join.
"""

import numpy as np

from sparselearn import penalties
from sparselearn._solvers._blocks import BlockSolver
from sparselearn._solvers._certificates import GroupCertifier
from sparselearn._solvers._engine import Route
from sparselearn._solvers._group_working_set import GroupWorkingSet
from sparselearn._solvers._moments import MomentProblem
from sparselearn._solvers._squared_loss import summed_up

__all__ = ["GroupSolver"]

SMALLEST_WORKING_SET = 50
# How far ahead of a straight line correlations may be, in steps of alpha.
AHEAD = 0.3


class GroupSolver(BlockSolver):
    """Solves one problem under one penalty of groups after another.

    Parameters
    ----------
    problem : Problem with a target, or MomentProblem
    penalty : spec
        Any of the penalties to come, which differ in alpha.
    start : ndarray (n_features,), optional
        Coefficients to start from; not written to.
    n_solves : int
        How many penalties are to come, about.
    """

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        self._intercept = problem.intercept
        problem, self._sums_formed = summed_up(problem, penalty, n_solves)
        self.problem = problem
        self.certifier = GroupCertifier(problem, penalty)
        features, starts = self.groups = penalty.groups
        self._sizes = np.diff(starts)
        lam, mu = penalties.group_strengths(penalty, np.arange(self._sizes.size))
        self._free = lam + mu == 0.0
        self.coef = np.zeros(features.size)
        spread = np.add.reduceat(problem.curvature[features], starts[:-1])
        # Groups of constant columns never join.
        self._eligible, self._spread = spread > 0.0, spread
        self._member = np.zeros(self._sizes.size, dtype=bool)
        self.fit = self.certifier.measure(self.coef)
        self.n_passes, self.alpha_max = 1.0, None
        if penalty.alpha > 0.0:
            unit = penalty._replace(alpha=1.0)
            self.alpha_max = self.certifier.critical(unit, self.fit)
        self._trail = []
        self._guess = None
        exact = not penalty.positive and not np.any(mu)
        moment = self.fit.correlation
        self._working = GroupWorkingSet(problem, moment, self.groups, exact)
        if isinstance(problem, MomentProblem):
            self._join(np.flatnonzero(self._eligible))
        if start is not None and np.any(start):
            self.coef[:] = np.where(problem.curvature > 0.0, start, 0.0)
            self._join(np.flatnonzero(self._active() & ~self._member))
            self._measure()
            # From worse than 0 it is nearer from 0.
            objective = self.certifier.bound(penalty, self.coef, self.fit).objective
            if not objective <= problem.null_value:
                self.coef[:] = 0.0
                self._measure()

    @property
    def n_members(self):
        """The number of features in the working set."""
        return self._working.features.size

    @property
    def route(self):
        """The `Route` so far."""
        solver = "columns" if self._working.by_columns else "gram"
        n_passes = self.n_passes
        if isinstance(self.problem, MomentProblem):
            solver, n_passes = "sums", self._sums_formed
        return Route(solver, n_passes, 1.0 - self.n_members / self.coef.size)

    def advance(self, penalty, *, tol, max_iter):
        """See `BlockSolver.advance`."""
        found = super().advance(penalty, tol=tol, max_iter=max_iter)
        here = penalty.alpha, self.coef.copy(), self.fit.projected
        self._trail = [*self._trail[-1:], here]
        return found

    def _active(self):
        return np.logical_or.reduceat(
            self.coef[self.groups.features] != 0.0, self.groups.starts[:-1]
        )

    def _ahead(self, penalty):
        """Groups that are to be expected to join; sets where to start from, too."""
        if not self._trail or not self.coef.any():
            return None
        alpha, coef, pull = self._trail[-1]
        ahead, step = 0.0, alpha - penalty.alpha
        if len(self._trail) > 1:
            before, old_coef, old_pull = self._trail[0]
            stride = before - alpha
            if stride != 0.0 and 0.0 < step / stride <= 2.0:
                share, ahead = step / stride, AHEAD * step
                guess = coef + share * (coef - old_coef)
                guess[(coef == 0.0) | (guess * coef <= 0.0)] = 0.0
                self._guess = guess
                pull = pull + share * (pull - old_pull)
        bound = penalty._replace(alpha=max(penalty.alpha - ahead, 0.0))
        return self._violating(bound, pull)

    def _worst(self, penalty):
        return self._violating(penalty, self.fit.projected)

    def _violating(self, penalty, pull):
        """Groups outside the working set of the largest violations.

        As many features again as are active, at most, or one group.
        """
        _, distances = self.certifier.pulls(penalty, pull)
        distances[self._member | ~self._eligible] = 0.0
        if self.certifier.free.size:
            distances[self._free & ~self._member & self._eligible] = np.inf
        worst = np.flatnonzero(distances)
        n_active = np.count_nonzero(self.coef)
        room = max(SMALLEST_WORKING_SET, n_active, self.n_members // 2)
        if np.sum(self._sizes[worst]) > room:
            gain = distances[worst] ** 2 / self._spread[worst]
            worst = worst[np.argsort(-gain)]
            fits = np.cumsum(self._sizes[worst]) <= room
            fits[0] = True
            worst = worst[fits]
        return worst

    def _join(self, new):
        if new.size:
            self._member[new] = True
            self._working.grow(new)
        return new.size

    def _minimise(self, penalty, accuracy, max_epochs):
        guess, self._guess = self._guess, None
        if not self.n_members:
            return 0
        return self._working.minimise(
            penalty, self.coef, self.fit, guess, accuracy, max_epochs
        )

    def _measure(self):
        self.fit = self.certifier.measure(self.coef)
        self.n_passes += 1.0
