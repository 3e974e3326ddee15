"""The squared loss with a convex penalty, on the loop of ``_engine.py``.

Working sets are those of ``_working_set.py``; of the correlations those columns only
are read of which the last ones do not say enough (``_screening.py``).
"""

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._solvers._certificates import Certifier, Fit
from sparselearn._solvers._engine import Route, WorkingSetSolver, require_formulas
from sparselearn._solvers._moments import MomentProblem, moments_of
from sparselearn._solvers._screening import Correlations
from sparselearn._solvers._working_set import DesignWorkingSet, GramWorkingSet

__all__ = ["Solver", "summed_up", "sums_pay"]

# A Gram matrix of so many columns takes half a gigabyte.
LARGEST_GRAM = 8192
# A number that is looked up costs so many times one that is next in memory.
LOOKUP = 5


class Solver(WorkingSetSolver):
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

    # Of Gram matrices; a subclass may know another.
    _gram_kind = GramWorkingSet

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        require_formulas(penalty)
        # Sums over rows are of centred targets: they do not know the mean.
        self._intercept = problem.intercept
        problem, self._sums_formed = summed_up(problem, penalty, n_solves)
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

    def _working_set(self, penalty):
        """The kind of working set to begin with."""
        if isinstance(penalty, penalties.ElasticNetFamily):
            return self._gram_kind(self.problem, self._moment)
        return DesignWorkingSet(self.problem)

    @property
    def _by_waypoints(self):
        return isinstance(self._working, GramWorkingSet)

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


def sums_pay(X, penalty, n_solves):
    """Whether one pass for all sums over rows costs less than one a solution."""
    families = penalties.ElasticNetFamily, penalties.GroupFamily
    if sp.issparse(X) or not isinstance(penalty, families):
        return False
    n_samples, n_features = X.shape
    return n_samples > n_features and n_features <= 12 * n_solves


def summed_up(problem, penalty, n_solves):
    """A problem by its sums over rows, where they pay; how often they were formed.

    Sums that are given were not formed here.
    """
    given = isinstance(problem, MomentProblem)
    if given or not sums_pay(problem.matrix, penalty, n_solves):
        return problem, 0.0
    data = problem.matrix, problem.target, problem.weights
    sums = moments_of(*data, run=problem.run)
    return sums.problem(fit_intercept=problem.fit_intercept), 1.0
