"""Newton steps for generalised linear problems, on the engine of the squared loss.

A step minimises the penalty and the quadratic model of the loss (``_curved.py``) over
the working set, and halves where it overshoots. The model may be that of an earlier
predictor: its Gram matrix, and the factor of its support, serve several steps and
alphas, and are formed anew once the curvatures of the rows have changed by more than
`STALE` (Lee, Sun and Saunders, 2014, for Newton steps with a penalty; Larsson and
Wallin, 2022, for paths).
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrs

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import add_product
from sparselearn._kernels._glm import chosen_products
from sparselearn._kernels._jit import for_specs
from sparselearn._kernels._newton import ENOUGH, Data, Limits, take_newton_steps
from sparselearn._kernels._newton import STALE as STALE_MODEL
from sparselearn._solvers._curved import (
    Curved,
    CurvedColumns,
    CurvedConcaveGram,
    CurvedGram,
)
from sparselearn._solvers._glm import Rows, mean_over
from sparselearn._solvers._problem import frozen
from sparselearn._solvers._squared_loss import LARGEST_GRAM

__all__ = ["NewtonWorkingSet"]

# By what share curvatures may change before they are taken anew.
STALE = 0.05
# The same for waypoints, of which any neighbourhood will do.
STALE_ON_THE_WAY = 0.3
NEWTON_STEPS = 30
# How accurately to solve the model, in units of what is left.
INNER = 1e-2
HALVINGS = 40
# An increase of the objective by this share of it is rounding.
ROUNDING = 1e-13
# Of sparse columns up to so many are worth a Gram matrix.
MANY_SPARSE = 200
# A step that leaves more than this share of the gap has a poor model.
SLOW = 0.25
# A smaller share of the safe curvature than this is none.
FLAT = 1e-10
# By which factor damping falls after a step that did not overshoot.
RELIEF = 0.1
# Passes are spread over threads in pieces, where they read so many numbers.
PIECES, WORTH_SPREADING = 4, 2**20
# With more rows than this each step is worth its threads.
FEW_ROWS = 2**14


class NewtonWorkingSet:
    """The coefficients of a linear predictor that may be non-zero, and Newton steps.

    Parameters
    ----------
    problem : GlmProblem

    Attributes
    ----------
    features : ndarray of int
        In order of arrival.
    """

    def __init__(self, problem):
        self.problem = problem
        self.features = np.empty(0, dtype=np.int64)
        self._model = self._curved = None
        # Whether the model is that of the predictor at hand.
        self._fresh, self._damping, self._bend, self._added = False, 0.0, 1.0, 0.0
        # The last step, and how much more the loss bends along it than the model does.
        self._last, self._scale = None, 1.0

    @property
    def by_columns(self):
        """Whether the last model was of columns rather than of their Gram matrix."""
        return isinstance(self._model, CurvedColumns)

    def _kind(self, penalty):
        """The class of models for `penalty`."""
        size = self.features.size
        many = sp.issparse(self.problem.matrix) and size > MANY_SPARSE
        if not (many or size > LARGEST_GRAM):
            if isinstance(penalty, penalties.ElasticNetFamily):
                return CurvedGram
            if isinstance(penalty, penalties.FoldedConcave):
                return CurvedConcaveGram
        return CurvedColumns

    @property
    def design(self):
        """The design, columns of the working set centred as in the model."""
        return self.problem.design if self._curved is None else self._curved.design

    def grow(self, new):
        """Take in the features `new`, none of them in yet."""
        self.features = np.concatenate([self.features, new])
        if self._model is not None:
            self._model.grow(new)

    def minimise(
        self,
        penalty,
        coef,
        rows,
        accuracy,
        max_epochs,
        known=None,
        most_steps=NEWTON_STEPS,
    ):
        """Improve `coef`, an ndarray (n_features,), in place.

        Parameters
        ----------
        rows : Rows
            Of `coef`.
        accuracy : float
            About the gap to be left, in units of the objective.
        max_epochs : int
        known : ndarray (n_members,), optional
            Correlations of the working set, where they are known.
        most_steps : int
            Newton steps.

        Returns
        -------
        n_epochs : int
        rows : Rows
            Of the new `coef`.
        """
        n_epochs, n_steps, before = 0, 0, np.inf
        if self._fits_a_kernel(penalty):
            enough, n_epochs, n_steps, rows = self._take_steps(
                penalty, coef, rows, accuracy, max_epochs, known, most_steps
            )
            if enough:
                return n_epochs, rows
            known = None
        while n_steps < most_steps and self.features.size:
            correlation = self._correlations(rows) if known is None else known
            known = None
            self._learn_scale(coef, correlation)
            left = self._left(penalty, coef, correlation)
            # At least one step where any accuracy will do.
            accurate = left <= accuracy < np.inf or (n_steps and accuracy == np.inf)
            if accurate or n_epochs >= max_epochs:
                break
            oldest = STALE if accuracy < np.inf else STALE_ON_THE_WAY
            if self._is_stale(penalty, rows, oldest, slow=left > SLOW * before):
                self._curve(penalty, rows)
                # Of centred columns, by other means now.
                correlation = self._correlations(rows)
            before = left
            inner = min(accuracy, INNER * left)
            epochs, moved = self._step(
                penalty, coef, rows, correlation, inner, max_epochs - n_epochs
            )
            n_epochs += epochs
            if moved is None:
                break
            n_steps, rows = n_steps + 1, moved
        return n_epochs, rows

    def _fits_a_kernel(self, penalty):
        """Whether steps are so short that they are better taken in one call."""
        n_rows, n_members = self.problem.target.size, self.features.size
        small = 0 < n_members * n_rows <= WORTH_SPREADING and n_rows <= FEW_ROWS
        if not small or self._kind(penalty) is not CurvedGram:
            return False
        l2 = penalties.strengths(penalty, self.features)[1]
        return not np.any(l2) and for_specs(take_newton_steps, self.problem.loss) is (
            take_newton_steps
        )

    def _take_steps(self, penalty, coef, rows, accuracy, max_epochs, known, most_steps):
        """Steps in one kernel, while its model is good; see `minimise`.

        Returns
        -------
        enough : bool
            Whether there is nothing more to do.
        n_epochs, n_steps : int
        rows : Rows
        """
        problem, features = self.problem, self.features
        n_epochs = n_steps = 0
        oldest = STALE if accuracy < np.inf else STALE_ON_THE_WAY
        w = coef[features]
        l1 = np.zeros(features.size) + penalties.threshold(penalty, features)
        data = Data(
            problem.target,
            problem.weights,
            features,
            problem.curvature[features],
            l1,
            bool(penalty.positive),
            problem.fit_intercept,
        )
        state = [rows.predictor, rows.residual, rows.curvature]
        while True:
            if type(self._model) is not CurvedGram:
                self._curve(penalty, rows)
                known = None
            limits = Limits(
                accuracy,
                most_steps - n_steps,
                max_epochs - n_epochs,
                np.inf if self._fresh else oldest,
                SLOW,
                ROUNDING * max(abs(rows.value), problem.null_value),
            )
            state = [part.copy() for part in state]
            start = self._added, self._scale, rows.value
            why, steps, rounds, self._scale, drift, value = self._model.take_steps(
                problem.loss, data, penalty, limits, start, w, state, known
            )
            n_steps, n_epochs, known = n_steps + steps, n_epochs + rounds, None
            if steps:
                intercept = rows.intercept + drift
                rows = Rows(state[0], intercept, state[1], state[2], value)
                coef[features] = w
                self._fresh, self._last = False, None
                self._damping *= RELIEF
            if why != STALE_MODEL or self._fresh:
                return why == ENOUGH, n_epochs, n_steps, rows
            self._curve(penalty, rows)

    def factor(self, coef):
        """What solves, about, with the Hessian of the non-zero coefficients of `coef`.

        Returns
        -------
        solve : callable
            ``solve(b, total)`` with b in the order of the features; `total` is that
            of the curvatures.
        """
        support = np.flatnonzero(coef)
        by_gram = isinstance(self._model, CurvedGram) and self._model.support.size
        if by_gram and np.array_equal(np.sort(self._model.support), support):
            order = np.searchsorted(support, self._model.support)
            lower = self._model.lower

            def solve(b, total):
                out = np.empty_like(b)
                out[order] = dpotrs(lower, b[order], lower=True)[0] / total
                return out

            return solve
        curvature = self.problem.curvature[support]
        return lambda b, total: b / (curvature * total)

    def _correlations(self, rows):
        """Correlations of the working set with the residual."""
        u = self.problem.weights * rows.residual
        design = self.design
        correlation, total = np.empty(self.features.size), np.sum(u)

        def products(piece):
            chosen_products(design, self.features[piece], u, total, correlation[piece])

        n_pieces = PIECES if correlation.size * u.size > WORTH_SPREADING else 1
        ends = np.linspace(0, correlation.size, n_pieces + 1, dtype=np.int64)
        self.problem.run(products, list(map(slice, ends[:-1], ends[1:])))
        return correlation

    def _left(self, penalty, coef, correlation):
        """About the gap over the working set.

        Under a penalty that is not convex there is none: then the sum of the squares
        of what stationarity is off by.
        """
        features = self.features
        coef = coef[features]
        distance = penalties.subdifferential_distance(
            penalty, coef, correlation, features
        )
        left = np.sum(distance**2 / self.problem.curvature[features])
        if isinstance(penalty, penalties.FoldedConcave):
            return left
        left += np.sum(np.abs(coef) * distance)
        if isinstance(penalty, penalties.ElasticNetFamily):
            l1 = np.broadcast_to(penalties.threshold(penalty, features), features.shape)
            asks = l1 > 0.0
            shrink = np.max(distance[asks] / l1[asks], initial=0.0)
            left += shrink * np.sum(l1 * np.abs(coef))
        return left

    def _is_stale(self, penalty, rows, oldest, *, slow):
        """Whether the quadratic model is to be formed anew."""
        if slow or type(self._model) is not self._kind(penalty):
            return True
        return self._curved.age(self.problem, rows.curvature) > oldest

    def _curve(self, penalty, rows):
        """Form the quadratic model of the loss at `rows`, for steps under `penalty`."""
        weights, curvature = self.problem.weights, rows.curvature
        safe = self.problem.safe_curvature(rows.predictor)
        mean_safe = mean_over(weights, safe)
        self._bend = mean_over(weights, curvature) / mean_safe
        damping = 1.0 if self._bend <= FLAT else self._damping
        self._added = damping * mean_safe
        if damping:
            curvature = curvature + damping * safe
        self._curved = Curved(self.problem, curvature)
        self._model = self._kind(penalty)(self._curved)
        self._model.grow(self.features)
        self._fresh, self._last, self._scale = True, None, 1.0

    def _learn_scale(self, coef, correlation):
        """Compare what the last step did to the correlations with what it should."""
        last, self._last = self._last, None
        if last is None or not isinstance(self._model, CurvedGram):
            return
        old, before, total = last
        if old.size != self.features.size:
            return
        change = coef[self.features] - old
        foreseen = total * (change @ (self._model.gram @ change))
        if foreseen > 0.0:
            ratio = change @ (before - correlation) / foreseen
            self._scale *= min(max(ratio, 0.5), 2.0)

    # A step may be as long as what has no curvature lets it: it is tried, and refused.
    @np.errstate(over="ignore", invalid="ignore")
    def _step(
        self, penalty, coef, rows, correlation, accuracy, max_epochs, *, tangent=False
    ):
        """One Newton step, under `penalty` or, if `tangent`, its `_tangent`.

        Returns
        -------
        n_epochs : int
        rows : Rows or None
            Of the new `coef`; None if there is no step that descends.
        """
        problem, features, curved = self.problem, self.features, self._curved
        # Curvatures change together more than one against another.
        total = mean_over(problem.weights, rows.curvature) + self._added
        total *= self._scale
        old = coef[features]
        u = problem.weights * rows.residual / total
        by = _tangent(penalty, old, features) if tangent else penalty
        n_epochs = self._model.step(
            _divided(by, total),
            coef,
            correlation / total,
            u,
            accuracy / total,
            max_epochs,
        )
        new = coef[features]
        changed = np.flatnonzero(new != old)
        change = new - old
        along = np.zeros(rows.predictor.size)
        add_product(problem.design, features[changed], change[changed], along)
        drift = 0.0
        if problem.fit_intercept:
            drift = np.sum(u) - curved.design.means[features[changed]] @ change[changed]
            along += drift

        def penalised(coef):
            return np.sum(penalties.value(penalty, coef, features))

        start = rows.value + penalised(old)
        most = start + ROUNDING * max(abs(start), problem.null_value)
        # To another valley of the model: the way there may lead uphill at first.
        jumpy = isinstance(penalty, penalties.FoldedConcave) and not tangent
        share = 1.0
        for _ in range(HALVINGS if changed.size else 0):
            tried = new if share == 1.0 else old + share * change
            found = problem.rows_at(
                rows.predictor + share * along,
                rows.intercept + share * drift,
                best=False,
            )
            if found.value + penalised(tried) <= most:
                coef[features] = tried
                self._fresh, self._last = False, (old, correlation, total)
                if share == 1.0:
                    self._damping *= RELIEF
                else:
                    # So that the step would have been so long.
                    longer = self._damping + (1.0 - share) * self._bend
                    self._damping = min(longer / share, 1.0)
                return n_epochs, found
            if jumpy or not self._fresh:
                break
            share *= 0.5
        coef[features] = old
        if jumpy and n_epochs < max_epochs:
            epochs, found = self._step(
                penalty,
                coef,
                rows,
                correlation,
                accuracy,
                max_epochs - n_epochs,
                tangent=True,
            )
            return n_epochs + epochs, found
        # The model is to blame: try again with that of this very point, or a safe one.
        if n_epochs >= max_epochs or (self._fresh and self._damping == 1.0):
            return n_epochs, None
        if self._fresh:
            self._damping = 1.0
        self._curve(penalty, rows)
        correlation = self._correlations(rows)
        epochs, found = self._step(
            penalty, coef, rows, correlation, accuracy, max_epochs - n_epochs
        )
        return n_epochs + epochs, found


def _tangent(penalty, w, features):
    """The L1 penalty that touches a folded concave `penalty` at w from above.

    With it the model of a step is convex (Zou and Li, 2008).
    """
    l1, straight, bend = penalties.pieces(penalty, features)
    slopes = np.zeros(penalty.weights.size)
    beyond = np.maximum(np.abs(w) - straight, 0.0)
    slopes[features] = np.maximum(l1 - bend * beyond, 0.0)
    return penalty._replace(alpha=1.0, gamma=np.inf, weights=frozen(slopes))


def _divided(penalty, total):
    """`penalty` over `total`."""
    if isinstance(penalty, penalties.ElasticNetFamily):
        return penalty._replace(alpha=penalty.alpha / total)
    if isinstance(penalty, penalties.FoldedConcave):
        curvatures = frozen(penalty.curvatures / total)
        return penalty._replace(alpha=penalty.alpha / total, curvatures=curvatures)
    return penalties.Scaled(penalty, 1.0 / total)
