"""Newton steps for generalised linear problems, on the engine of the squared loss.

Near a predictor the loss is a weighted squared loss: with ``V = diag(s_i f''_i)`` and
kappa its trace,

    loss(w + d) ~ loss(w) - c' d + kappa d' G d / 2,    G = (X - m)' V (X - m) / kappa,

m the means under V, which is what is left of the loss if the intercept follows. A step
minimises that and the penalty over the working set, as for the squared loss
(``_working_set.py``), and halves where it overshoots. V may be that of an earlier
predictor: its Gram matrix, and the factor of its support, serve several steps and
alphas, and are formed anew once V has changed by more than `STALE` (Lee, Sun and
Saunders, 2014, for Newton steps with a penalty; Larsson and Wallin, 2022, for paths).
"""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import add_product, descend
from sparselearn._kernels._glm import chosen_curvatures, chosen_products
from sparselearn._kernels._jit import for_specs
from sparselearn._solvers._glm import GlmCertifier, mean_over
from sparselearn._solvers._screening import Correlations
from sparselearn._solvers._squared_loss import (
    LARGEST_GRAM,
    Route,
    Solver,
    require_formulas,
)
from sparselearn._solvers._working_set import (
    EPOCHS_A_ROUND,
    DesignWorkingSet,
    GramWorkingSet,
)

__all__ = ["NewtonSolver"]

# By what share curvatures may change before they are taken anew.
STALE = 0.1
NEWTON_STEPS = 30
HALVINGS = 40
# An increase of the objective by this share of it is rounding.
ROUNDING = 1e-13
# Up to so many features, all are in the working set from the start.
FEW = 128
# Waypoints of a path are so far apart.
STRIDE = 1.5
# Of sparse columns up to so many are worth a Gram matrix.
MANY_SPARSE = 200
# A step that leaves more than this share of the gap has a poor model.
SLOW = 0.25
# Less curvature than this, in the mean, is none.
FLAT = 1e-10
DAMPING = 1e-2


class Curved:
    """The quadratic model of a loss at a predictor, for working sets to read.

    Attributes
    ----------
    matrix : as that of the problem
    design : the same as kernels take it, with weights ``s f'' / total`` and the means
        under these weights; known of the features that were asked for only
    curvature : ndarray (n_features,)
        Of the columns under these weights, likewise.
    total : float
        ``sum_i s_i f''_i``.
    null_value : float
        The scale of the objective, over `total`.
    """

    def __init__(self, problem, curvature):
        weighted = problem.weights * curvature
        self.total = np.sum(weighted)
        self.at = curvature
        self.weights = _frozen(weighted / self.total)
        self.matrix, self._centred = problem.matrix, problem.fit_intercept
        self.null_value = problem.null_value / self.total
        n_features = problem.curvature.size
        self._means, self.curvature = np.zeros((2, n_features))
        self._plain = problem.design._replace(means=_frozen(np.zeros(n_features)))
        self.design = problem.design._replace(
            weights=self.weights, means=_frozen(self._means)
        )

    def learn(self, features):
        """Form the means and curvatures of the columns `features`."""
        if self._centred:
            means = np.empty(features.size)
            chosen_products(self._plain, features, self.weights, 0.0, means)
            self._means[features] = means
        chosen_curvatures(self.design, features, self.curvature)

    def age(self, problem, curvature):
        """By what share the weights have changed since."""
        change = np.abs(curvature - self.at)
        return mean_over(problem.weights, change) / self.total


class CurvedGram(GramWorkingSet):
    """`GramWorkingSet` of a `Curved` problem, whose moment moves with every step."""

    def __init__(self, curved):
        super().__init__(curved, np.zeros(curved.curvature.size))

    def grow(self, new):
        self.problem.learn(new)
        super().grow(new)

    def step(self, penalty, coef, correlation, u, accuracy, max_epochs):
        """Improve `coef` in place; `correlation` is that of the working set."""
        features = self.features
        self._moment[features] = correlation + self.gram @ coef[features]
        expected = np.empty_like(self._moment)
        expected[features] = correlation
        return self.minimise(penalty, coef, None, expected, accuracy, max_epochs)


class CurvedColumns(DesignWorkingSet):
    """`DesignWorkingSet` of a `Curved` problem."""

    def grow(self, new):
        self.problem.learn(new)
        super().grow(new)

    def step(self, penalty, coef, correlation, u, accuracy, max_epochs):
        """Improve `coef` in place; `u` is the weighted residual."""
        epochs, _ = for_specs(descend, penalty)(
            self.problem.design,
            penalty,
            self.problem.curvature,
            self.features,
            coef,
            u.copy(),
            np.sum(u),
            min(max_epochs, EPOCHS_A_ROUND),
            accuracy / self.features.size,
        )
        return epochs


class NewtonSolver(Solver):
    """Solves one `GlmProblem` under one penalty after another; see `Solver`.

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

    _waypoint_accuracy = np.inf

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        require_formulas(penalty)
        n_features = problem.curvature.size
        self.problem = problem
        self.certifier = GlmCertifier(problem, penalty)
        self._elastic = isinstance(penalty, penalties.ElasticNetFamily)
        self.coef = np.zeros(n_features)
        self._eligible = problem.curvature > 0.0
        self._member = np.zeros(n_features, dtype=bool)
        self._members = np.empty(0, dtype=np.int64)
        self._working, self._fresh, self._damping = None, False, 0.0
        self._rows = problem.null
        self._alpha = None
        self._correlations = None
        self._measure()
        self._join(self.certifier.free[self._eligible[self.certifier.free]])
        if self._elastic and penalty.alpha > 0.0:
            self._fit_free(penalty)
            self._alpha = self.certifier.critical(penalty._replace(alpha=1.0), self.fit)
            self._begin_path()
        if n_features <= FEW:
            self._join(np.flatnonzero(self._eligible & ~self._member))
        if start is not None and np.any(start[0]):
            coef, intercept = start
            self.coef[self._eligible] = coef[self._eligible]
            self._join(np.flatnonzero((self.coef != 0.0) & ~self._member))
            self._rows = problem.rows(self.coef, intercept)
            self._alpha = None
            self._measure()

    @property
    def n_members(self):
        """The size of the working set."""
        return self._members.size

    @property
    def route(self):
        """The `Route` so far."""
        solver = "columns" if self._by_columns() else "gram"
        share = 1.0 - self.n_members / self.coef.size
        return Route(solver, self._correlations.n_passes, share)

    def solve(self, penalty, *, tol, max_iter):
        """Minimise under `penalty`; see `Solver.solve`."""
        solution = super().solve(penalty, tol=tol, max_iter=max_iter)
        return replace(solution, intercept=self.fit.rows.intercept)

    def _begin_path(self):
        """Take the fit at hand for that of the largest alpha."""
        self._correlations = Correlations(
            self.problem,
            self.fit.correlation.copy(),
            self.fit.rows.residual,
            self._alpha,
        )

    def _fit_free(self, penalty):
        """Fit the unpenalised features alone: that is the null model."""
        if not self.n_members:
            return
        weights = np.full(self.coef.size, np.inf)
        weights[self.certifier.free] = 0.0
        alone = penalties.WeightedL1(1.0, weights, penalty.positive)
        self._minimise(alone, ROUNDING * self.problem.null_value, EPOCHS_A_ROUND)

    def _waypoints(self, penalty):
        """Penalties between the one at hand and `penalty`."""
        far = self._alpha is not None and self._alpha > STRIDE * penalty.alpha > 0.0
        if not far:
            return []
        n_strides = np.ceil(np.log(self._alpha / penalty.alpha) / np.log(STRIDE))
        alphas = np.geomspace(self._alpha, penalty.alpha, int(n_strides) + 1)[1:-1]
        return [penalty._replace(alpha=alpha) for alpha in alphas]

    def _measure(self, penalty=None):
        """The fit of `coef`, for certificates under `penalty` only if that is given."""
        rows = self._rows = self.problem.rows(self.coef, self._rows.intercept)
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
        active = np.flatnonzero(self.coef != 0.0)
        correlation = self._correlations.update(rows.residual, penalty, active)
        self.fit = self.certifier.fit(correlation, rows)

    def _join(self, new):
        """Take the features `new` into the working set; return how many."""
        if new.size:
            self._member[new] = True
            self._members = np.concatenate([self._members, new])
            if self._working is not None:
                self._working.grow(new)
        return new.size

    def _by_columns(self):
        """Whether to descend on columns rather than on their Gram matrix."""
        if not self._elastic or self.n_members > LARGEST_GRAM:
            return True
        return sp.issparse(self.problem.matrix) and self.n_members > MANY_SPARSE

    def _minimise(self, penalty, accuracy, max_epochs):
        """Newton steps over the working set; then see what it leaves out."""
        n_epochs, before = 0, np.inf
        for _ in range(NEWTON_STEPS if self.n_members else 0):
            correlation = self._member_correlations()
            left = self._left(penalty, correlation)
            first = n_epochs == 0
            if (not first and left <= accuracy) or n_epochs >= max_epochs:
                break
            if self._is_stale(slow=left > SLOW * before):
                self._curve()
            before = left
            epochs, moved = self._step(
                penalty, correlation, min(accuracy, 0.01 * left), max_epochs - n_epochs
            )
            n_epochs += epochs
            if not moved:
                break
        self._measure(penalty)
        return n_epochs

    def _member_correlations(self):
        """Correlations of the working set with the residual."""
        u = self.problem.weights * self._rows.residual
        correlation = np.empty(self.n_members)
        chosen_products(self.problem.design, self._members, u, np.sum(u), correlation)
        return correlation

    def _left(self, penalty, correlation):
        """About the gap over the working set."""
        features = self._members
        coef = self.coef[features]
        distance = penalties.subdifferential_distance(
            penalty, coef, correlation, features
        )
        left = np.sum(np.abs(coef) * distance)
        left += np.sum(distance**2 / self.problem.curvature[features])
        if self._elastic:
            l1 = np.broadcast_to(
                penalties.threshold(penalty, features), features.shape
            )
            asks = l1 > 0.0
            shrink = np.max(distance[asks] / l1[asks], initial=0.0)
            left += shrink * np.sum(l1 * np.abs(coef))
        return left

    def _is_stale(self, slow):
        """Whether the quadratic model is to be formed anew."""
        if self._working is None or slow:
            return True
        if self._by_columns() != isinstance(self._working, CurvedColumns):
            return True
        return self._curved.age(self.problem, self._rows.curvature) > STALE

    def _curve(self):
        """Form the quadratic model of the loss at the predictor at hand."""
        curvature = self._rows.curvature + self._damping
        if not mean_over(self.problem.weights, curvature) > FLAT:
            curvature = curvature + 1.0
        self._curved = Curved(self.problem, curvature)
        kind = CurvedColumns if self._by_columns() else CurvedGram
        self._working = kind(self._curved)
        self._working.grow(self._members)
        self._fresh = True

    def _step(self, penalty, correlation, accuracy, max_epochs):
        """One Newton step.

        Returns
        -------
        n_epochs : int
        moved : bool
        """
        members, curved, rows = self._members, self._curved, self._rows
        total = curved.total
        scaled = _divided(penalty, total)
        old = self.coef[members]
        u = self.problem.weights * rows.residual / total
        n_epochs = self._working.step(
            scaled, self.coef, correlation / total, u, accuracy / total, max_epochs
        )
        change = self.coef[members] - old
        changed = np.flatnonzero(change)
        if not changed.size:
            return n_epochs, False
        along = np.zeros(rows.predictor.size)
        add_product(self.problem.design, members[changed], change[changed], along)
        drift = -curved.design.means[members[changed]] @ change[changed]
        along += drift

        def penalised(coef):
            return np.sum(penalties.value(penalty, coef, members))

        start = rows.value + penalised(old)
        most = start + ROUNDING * max(abs(start), self.problem.null_value)
        share = 1.0
        for _ in range(HALVINGS):
            coef = self.coef[members] if share == 1.0 else old + share * change
            found = self.problem.rows_at(
                rows.predictor + share * along, rows.intercept + share * drift
            )
            if found.value + penalised(coef) <= most:
                break
            if not self._fresh:
                # The model is to blame: try again with that of this very point.
                self.coef[members] = old
                self._curve()
                epochs, moved = self._step(penalty, correlation, accuracy, max_epochs)
                return n_epochs + epochs, moved
            share *= 0.5
        else:
            self.coef[members] = old
            return n_epochs, False
        self._damping = 0.0 if share == 1.0 else max(2.0 * self._damping, DAMPING)
        self.coef[members] = coef
        self._rows, self._fresh = found, False
        return n_epochs, True


def _divided(penalty, total):
    """`penalty` over `total`."""
    if isinstance(penalty, penalties.ElasticNetFamily):
        return penalty._replace(alpha=penalty.alpha / total)
    return penalties.Scaled(penalty, 1.0 / total)


def _frozen(array):
    view = array.view()
    view.flags.writeable = False
    return view
