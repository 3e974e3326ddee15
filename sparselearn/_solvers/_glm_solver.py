"""Generalised linear models with a penalty: by Newton steps.

The loop is that of ``_engine.py``. The residual is that of the loss,
``r_i = -f'(y_i, z_i)``, and minimising over the working set takes a few Newton steps
(``_newton.py``).
"""

import numpy as np

from sparselearn import penalties
from sparselearn._solvers._engine import Route, WorkingSetSolver, require_formulas
from sparselearn._solvers._glm import GlmCertifier, require_loss
from sparselearn._solvers._newton import NewtonWorkingSet
from sparselearn._solvers._screening import Correlations

__all__ = ["GlmSolver"]

# The null model is fitted to this share of its deviance.
NULL = 1e-13
NULL_EPOCHS = 1000


class GlmSolver(WorkingSetSolver):
    """Solves one `GlmProblem` under one penalty after another; see `WorkingSetSolver`.

    Parameters
    ----------
    problem : GlmProblem
    penalty : spec
        Any of those to come.
    start : tuple of ndarray (n_features,) and float, optional
        Coefficients and intercept to start from; not written to.
    n_solves : int
        How many penalties are to come, about.
    """

    _stride, _waypoint_accuracy, _precision = 1.5, np.inf, 1.0

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        require_formulas(penalty)
        require_loss(problem.loss)
        n_features = problem.curvature.size
        self.problem = problem
        self.certifier = GlmCertifier(problem, penalty)
        self._elastic = isinstance(penalty, penalties.ElasticNetFamily)
        self.coef, self.support = np.zeros(n_features), np.empty(0, dtype=np.int64)
        # What may yet join; of a constant column only rounding is left, it never does.
        self._outside = problem.curvature > 0.0
        self._working = NewtonWorkingSet(problem)
        self._rows = problem.null
        self._alpha = None
        self._correlations = None
        self._measure()
        self._join(self.certifier.free[self._outside[self.certifier.free]])
        if self._elastic and penalty.alpha > 0.0:
            self._fit_free(penalty)
            self._alpha = self.certifier.critical(penalty._replace(alpha=1.0), self.fit)
            self._begin_path()
            self.alpha_max = self._alpha
        if start is not None:
            self._begin_at(*start, penalty)

    @property
    def route(self):
        """The `Route` so far."""
        solver = "columns" if self._working.by_columns else "gram"
        share = 1.0 - self.n_members / self.coef.size
        return Route(solver, self._correlations.n_passes, share)

    @property
    def intercept(self):
        """The optimal intercept for `coef`."""
        return self.fit.rows.intercept

    @property
    def start(self):
        """What to start another solver from."""
        return self.coef, self.intercept

    def _begin_path(self):
        """Take the fit at hand for that of the largest alpha."""
        self._correlations = Correlations(
            self.problem,
            self.fit.correlation.copy(),
            self.fit.rows.residual,
            self._alpha,
        )

    def _begin_at(self, coef, intercept, penalty):
        """Begin at coefficients, unless the null model is better under `penalty`."""
        coef = np.where(self.problem.curvature > 0.0, np.ravel(coef), 0.0)
        support = np.flatnonzero(coef)
        if not support.size:
            return
        rows = self.problem.rows(coef, intercept)
        value = rows.value + np.sum(penalties.value(penalty, coef[support], support))
        if not value <= self.problem.null.value:
            return
        self.coef[:] = coef
        self._join(support[self._outside[support]])
        self._rows, self._alpha = rows, None
        self._measure()

    def _fit_free(self, penalty):
        """Fit the unpenalised features alone: that is the null model."""
        if not self.n_members:
            return
        weights = np.full(self.coef.size, np.inf)
        weights[self.certifier.free] = 0.0
        alone = penalties.WeightedL1(1.0, weights, penalty.positive)
        self._minimise(alone, NULL * self.problem.null_value, NULL_EPOCHS)

    def _measure(self, penalty=None):
        """The fit of `coef`, for certificates under `penalty` only if that is given."""
        features = self._working.features
        self.support = np.sort(features[self.coef[features] != 0.0])
        rows = self._rows = self.problem.rows(self.coef, self._rows.intercept)
        self._n_measured = self.n_members
        if penalty is None or not self._elastic or self.certifier.free.size:
            weighted = self.problem.weights * rows.residual
            correlation = self.problem.correlation(weighted)
            self.fit = self.certifier.fit(correlation, rows)
            if self._correlations is None:
                self._begin_path()
            else:
                alpha = getattr(penalty, "alpha", np.inf)
                self._correlations.replace(correlation.copy(), rows.residual, alpha)
            return
        correlation = self._correlations.update(
            rows.residual, penalty, np.sort(features)
        )
        self.fit = self.certifier.fit(correlation, rows)

    def _join(self, new):
        """Take the features `new` into the working set; return how many."""
        if new.size:
            self._outside[new] = False
            self._working.grow(new)
        return new.size

    def _minimise(self, penalty, accuracy, max_epochs):
        """Minimise over the working set, and see what it leaves out."""
        if not self.n_members:
            return 0
        known = None
        if self._n_measured == self.n_members:
            known = self.fit.correlation[self._working.features]
        n_epochs, self._rows = self._working.minimise(
            penalty, self.coef, self._rows, accuracy, max_epochs, known
        )
        self._measure(penalty)
        return n_epochs
