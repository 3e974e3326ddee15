"""Several tasks with one support: working sets of rows, stopped by a duality gap.

The loop is that of ``_blocks.py``. Descent on the Gram matrix finds the rows that are
not zero; on these, A, the objective is smooth, and Newton steps D solve

    (P (x) I - sum_j k_j (e_j e_j') (x) (u_j u_j')) D = -gradient,
    P = G_AA + diag(l2 + k),    k_j = l1_j / ||W_j||,    u_j = W_j / ||W_j||.

The system has |A| n_tasks unknowns, but is P for every task at once, less one rank for
each row: by the formula of Sherman, Morrison and Woodbury two factorisations of order
|A| solve it.
"""

import numpy as np
from scipy.linalg.lapack import dpotri, dpotrs

from sparselearn import penalties
from sparselearn._kernels._multitask import descend_rows
from sparselearn._solvers._blocks import BlockSolver, SmoothSupport
from sparselearn._solvers._blocks import cholesky as _cholesky
from sparselearn._solvers._certificates import Fit
from sparselearn._solvers._engine import Route
from sparselearn._solvers._tasks import TaskCertifier, row_lengths
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["TaskSolver"]

SMALLEST_WORKING_SET = 50
# A Gram matrix of so many columns takes half a gigabyte.
LARGEST_GRAM = 8192
EPOCHS_TO_SETTLE = 30
EPOCHS_A_ROUND = 1000


class RowWorkingSet:
    """The rows of coefficients that may be non-zero, and descent on them.

    Parameters
    ----------
    problem : TaskProblem
    moment : ndarray (n_features, n_tasks)
        ``X' S Y``.
    """

    def __init__(self, problem, moment):
        self._columns = GramWorkingSet(problem.design, moment)
        self._moment = moment

    @property
    def features(self):
        """Indices of the features, in order of arrival."""
        return self._columns.features

    def grow(self, new):
        """Take in the features `new`, none of them in yet."""
        self._columns.grow(new)

    def correlation(self, coef):
        """Correlations of the features with the residual, from sums over rows."""
        moment = self._moment[self.features]
        return moment - self._columns.gram @ coef[self.features]

    def minimise(self, penalty, coef, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features, n_tasks), in place.

        Parameters
        ----------
        accuracy : float
            What may be left to gain, in units of the objective.
        max_epochs : int

        Returns
        -------
        n_epochs : int
        """
        features = self.features
        state = _Rows(self._columns, penalty, coef[features], self._moment[features])
        state.solve_on_support(accuracy)
        n_epochs = 0
        while n_epochs < max_epochs:
            budget = min(max_epochs - n_epochs, EPOCHS_TO_SETTLE)
            n_epochs += state.descend(budget, 0.0, True)
            if not state.solve_on_support(accuracy):
                budget = min(max_epochs - n_epochs, EPOCHS_A_ROUND)
                n_epochs += state.descend(budget, accuracy, False) if budget else 0
                break
            if state.missing() <= accuracy:
                break
        coef[features] = state.coef
        return n_epochs


class _Rows(SmoothSupport):
    """Rows of coefficients under one penalty, with their correlations."""

    def __init__(self, columns, penalty, coef, moment):
        self.gram, self.storage = columns.gram, columns.storage
        self.features, self.penalty = columns.features, penalty
        self.coef, self.moment = coef, moment
        self.correlation = moment - self.gram @ coef
        l1, l2 = penalties.strengths(penalty, self.features)
        self.l1 = np.broadcast_to(l1, self.features.shape)
        self.l2 = np.broadcast_to(l2, self.features.shape)

    def descend(self, max_epochs, tol, until_settled):
        return descend_rows(
            self.storage,
            self.penalty,
            self.features,
            self.coef,
            self.correlation,
            max_epochs,
            tol,
            until_settled,
        )

    def value(self, coef, correlation):
        """The objective, less that of W = 0."""
        sizes = penalties.value(self.penalty, row_lengths(coef), self.features)
        return np.sum(sizes) - 0.5 * np.sum(coef * (self.moment + correlation))

    def missing(self):
        """What steps on the rows that are zero would gain, at most."""
        curvature = np.diagonal(self.gram)
        outside = ~self.coef.any(axis=1) & (curvature > 0.0)
        distance = row_lengths(self.correlation[outside]) - self.l1[outside]
        return np.sum(np.maximum(distance, 0.0) ** 2 / curvature[outside])

    def _inside(self):
        return np.flatnonzero(self.coef.any(axis=1))

    def _newton_step(self, inside):
        """The step on the rows `inside`, and twice what it gains; None if singular."""
        W, l1, l2 = self.coef[inside], self.l1[inside], self.l2[inside]
        lengths = row_lengths(W)
        u, k = W / lengths[:, None], l1 / lengths
        descent = self.correlation[inside] - l2[:, None] * W - l1[:, None] * u
        P = self.gram[np.ix_(inside, inside)]
        P[np.diag_indices_from(P)] += l2 + k
        factor = _cholesky(P)
        if factor is None:
            return None, 0.0
        inverse, _ = dpotri(factor)
        inverse = np.triu(inverse) + np.triu(inverse, 1).T
        # Woodbury: only steps along u_j feel the ranks that are taken off.
        root = np.sqrt(k)
        inner = -inverse * (u @ u.T) * root * root[:, None]
        inner[np.diag_indices_from(inner)] += 1.0
        inner = _cholesky(inner)
        if inner is None:
            return None, 0.0
        step = inverse @ descent
        along, _ = dpotrs(inner, root * np.einsum("ij,ij->i", u, step))
        step += inverse @ ((root * along)[:, None] * u)
        return step, np.sum(descent * step)

    def _landed(self, inside, start, step):
        """Rows that would turn around become zero."""
        rows = start + step
        turned = np.einsum("ij,ij->i", rows, start) <= 0.0
        rows[turned] = 0.0
        return rows, turned.any()


class TaskSolver(BlockSolver):
    """Solves one problem of several tasks under one penalty after another.

    Parameters
    ----------
    problem : TaskProblem
    penalty : spec
        An elastic net, any of those to come.
    start : ndarray (n_features, n_tasks), optional
        Coefficients to start from; not written to.
    n_solves : int
        How many penalties are to come, about.
    """

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        design = problem.design
        self.problem, self._intercept = problem, problem.intercept
        self.certifier = TaskCertifier(problem, penalty)
        self.coef = np.zeros(problem.shape)
        # Of a constant column only rounding is left: it never joins.
        self._eligible = design.curvature > 0.0
        self._member = np.zeros(design.curvature.size, dtype=bool)
        self.fit = self.certifier.measure(self.coef)
        self.n_passes = 1
        self._moment = self.fit.correlation
        self._working = RowWorkingSet(problem, self._moment)
        n_samples, n_features = design.matrix.shape
        if n_features <= min(n_samples, 12 * n_solves, LARGEST_GRAM):
            # Forming the whole Gram matrix costs less than the passes it spares.
            self._join(np.flatnonzero(self._eligible))
        if start is not None and np.any(start):
            self.coef[self._eligible] = start[self._eligible]
            rows = self.coef.any(axis=1)
            self._join(np.flatnonzero(rows & ~self._member))
            self._measure()
            # From worse than 0 it is nearer from 0.
            objective = self.certifier.bound(penalty, self.coef, self.fit).objective
            if objective > problem.null_value:
                self.coef[:] = 0.0
                self._measure()

    @property
    def n_members(self):
        """The size of the working set."""
        return self._working.features.size

    def _minimise(self, penalty, accuracy, max_epochs):
        return self._working.minimise(penalty, self.coef, accuracy, max_epochs)

    @property
    def route(self):
        """The `Route` so far."""
        everyone = self.n_members == np.count_nonzero(self._eligible)
        solver = "sums" if everyone else "gram"
        return Route(solver, float(self.n_passes), 1.0 - np.mean(self._member))

    def _measure(self):
        """The fit of the coefficients, without a pass over X where that can be."""
        everyone = self.n_members == np.count_nonzero(self._eligible)
        if everyone and not self.certifier.free.size:
            correlation = np.zeros_like(self.coef)
            correlation[self._working.features] = self._working.correlation(self.coef)
            square = 2.0 * self.problem.null_value
            square -= np.sum(self.coef * (self._moment + correlation))
            self.fit = Fit(correlation, max(square, 0.0), None, correlation, 0.0)
            return
        self.fit = self.certifier.measure(self.coef)
        self.n_passes += 1

    def _join(self, new):
        """Take the features `new` into the working set; return how many."""
        active = np.flatnonzero(self.coef.any(axis=1))
        fits = active.size + new.size <= LARGEST_GRAM
        if new.size and fits and self.n_members + new.size > LARGEST_GRAM:
            # Those that are not active make room.
            new = np.union1d(new, active)
            self._working = RowWorkingSet(self.problem, self._moment)
            self._member[:] = False
        if new.size:
            self._member[new] = True
            self._working.grow(new)
        return new.size

    def _worst(self, penalty):
        """The features of the largest violations, as many again as are active.

        On a path the sequential strong rule, which would look further ahead, spared no
        pass in measurements, and made the working set larger.
        """
        violations = penalties.subdifferential_distance(
            penalty, 0.0, row_lengths(self.fit.correlation), slice(None)
        )
        worst = np.flatnonzero((violations > 0.0) & self._eligible & ~self._member)
        n_active = np.count_nonzero(self.coef.any(axis=1))
        room = max(SMALLEST_WORKING_SET, n_active, self.n_members // 2)
        if worst.size > room:
            gain = violations[worst] ** 2 / self.problem.design.curvature[worst]
            worst = worst[np.argpartition(gain, -room)[-room:]]
        return worst
