"""Stationary points under folded concave penalties: the loop, of any loss.

The penalties are those of ``penalties.FoldedConcave``. Each coordinate's own problem is
strictly convex where a penalty bends by less than the loss does, but the sum need not
be: there may be many stationary points, and no duality gap tells how far from the best
one is. So a path is followed (Zhang, 2010; Mazumder, Friedman and Hastie, 2011): from
the null model down, each solution the start of the next, where the objective is convex
for long.

At every alpha working sets grow as for convex penalties (``_engine.py``), since a
coefficient of 0 is stationary under the same condition, ``|g_j| <= l1_j``. On the
working set descent and linear algebra take turns (``_concave_working_set.py``).

How far a point is from stationary is the distance d_j of each correlation to the
subdifferential, in units in which neither the scale of a feature nor that of y matters,

    max_j (d_j / sqrt(L_j)) / max_k (|x_k' S r| / sqrt(L_k)),

with r the residual of the model without features. Nothing but the fit of a solver
(``_folded_concave.py``, ``_concave_glm.py``) is of a loss.
"""

from dataclasses import dataclass

import numpy as np

from sparselearn import penalties
from sparselearn._solvers._certificates import exposed
from sparselearn._solvers._engine import IDLE_ROUNDS, Route, between

__all__ = [
    "StationaryPoint",
    "StationarySolver",
    "convex_twin",
    "correlation_unit",
    "penalised",
    "violation_of",
]

# Correlations with y below this share of its length are rounding.
NOTHING = 1e-10


@dataclass(frozen=True)
class StationaryPoint:
    """Coefficients, and how far they are from stationary.

    Attributes
    ----------
    coef : float64 ndarray (n_features,)
    intercept : float
    objective : float
    violation : float
        Relative; see above.
    n_iter : int
        Epochs of descent over the working set, and supports tried.
    converged : bool
        Whether the violation met the tolerance.
    route : Route
        Of the solver so far.
    """

    coef: np.ndarray
    intercept: float
    objective: float
    violation: float
    n_iter: int
    converged: bool
    route: Route


class StationarySolver:
    """Finds stationary points under one folded concave penalty after another.

    It goes before a `WorkingSetSolver` among the bases of a class, which is made for
    the `convex_twin` of a penalty and says in `_unit` and `_nothing` what correlations
    and the objective of the model without features are.
    """

    _stride = 1.2
    _unit = _nothing = np.nan

    def solve(self, penalty, *, tol, max_iter):
        """Descend to a stationary point under `penalty`, from where the last one was.

        Parameters
        ----------
        penalty : spec
        tol : float
            Stop at a violation of at most `tol`.
        max_iter : int
            At most so many rounds.

        Returns
        -------
        StationaryPoint
        """
        n_iter, idle, precision, best, violation = 0, 0, 1.0, np.inf, np.inf
        if self._knows_all:
            violation = self._violation(penalty)
        candidates = self._expected(penalty)
        while violation > tol and n_iter < max_iter and idle < IDLE_ROUNDS:
            if candidates is None:
                candidates = self._violations(penalty)
            grown = self._join(self._worst(*candidates))
            candidates = None
            if not grown:
                precision *= 0.1
            accuracy = precision * (tol * self._unit) ** 2
            n_iter += self._minimise(penalty, accuracy, max_iter - n_iter)
            violation = self._violation(penalty)
            idle = 0 if grown or violation < 0.9 * best else idle + 1
            best = min(best, violation)
        self._alpha = penalty.alpha
        return StationaryPoint(
            coef=self.coef.copy(),
            intercept=self.intercept,
            objective=self.objective(penalty),
            violation=violation,
            n_iter=n_iter,
            converged=bool(violation <= tol),
            route=self.route,
        )

    def restart(self, coef, alpha):
        """Go on from `coef`, the solution at `alpha`."""
        self.coef[:] = coef
        self._join(np.flatnonzero((self.coef != 0.0) & self._outside))
        self._measure()
        self._alpha = alpha

    def waypoints(self, penalty):
        """The penalties from the null model to `penalty`, that included."""
        if self._alpha is None or penalty.alpha >= self._alpha:
            return [penalty]
        return [*between(self._alpha, penalty, self._stride), penalty]

    def objective(self, penalty):
        """That of `coef` under `penalty`."""
        return self.fit.loss + penalised(penalty, self.coef)

    def is_worse_than_nothing(self, penalty):
        """Whether all coefficients had better be 0."""
        return not self.objective(penalty) <= self._nothing

    @property
    def _knows_all(self):
        """Whether all correlations are of `coef`."""
        return self._correlations.complete

    def _violation(self, penalty):
        return violation_of(
            penalty,
            self.coef,
            self.support,
            self.fit.correlation,
            self.problem.curvature,
            self._unit,
        )


def convex_twin(penalty):
    """The L1 penalty that `penalty` begins as: it shares the null model."""
    return penalties.WeightedL1(penalty.alpha, penalty.weights, penalty.positive)


def penalised(penalty, coef):
    """``sum_j h_j(w_j)``."""
    support = np.flatnonzero(coef != 0.0)
    return np.sum(penalties.value(penalty, coef[support], support))


def correlation_unit(curvature, moment, length):
    """The largest correlation of a residual with a feature of unit variance.

    Parameters
    ----------
    curvature, moment : ndarray (n_features,)
        Of the features, and their correlations.
    length : float
        Of the residual.
    """
    varies = curvature > 0.0
    sizes = np.abs(moment[varies]) / np.sqrt(curvature[varies])
    return max(np.max(sizes, initial=0.0), NOTHING * length)


def violation_of(penalty, coef, support, correlation, curvature, unit):
    """How far `coef` is from stationary; see above."""
    matter = exposed(penalty, correlation, support)
    matter = matter[curvature[matter] > 0.0]
    distances = penalties.subdifferential_distance(
        penalty, coef[matter], correlation[matter], matter
    )
    largest = np.max(distances / np.sqrt(curvature[matter]), initial=0.0)
    return float(largest / unit) if largest > 0.0 else 0.0
