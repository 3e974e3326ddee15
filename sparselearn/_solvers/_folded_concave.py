"""The squared loss with a folded concave penalty: stationary points along a path.

The penalties are those of ``penalties.FoldedConcave``. Each coordinate's own problem is
strictly convex where a penalty bends by less than the curvature L_j, but the sum need
not be: there may be many stationary points, and no duality gap tells how far from the
best one is. So a path is followed (Zhang, 2010; Mazumder, Friedman and Hastie, 2011):
from the null model down, each solution the start of the next, where the objective is
convex for long.

At every alpha working sets grow as for convex penalties (``_engine.py``), since a
coefficient of 0 is stationary under the same condition, ``|g_j| <= l1_j``. On the
working set descent and linear algebra take turns (`ConcaveWorkingSet`).

How far a point is from stationary is the distance d_j of each correlation to the
subdifferential, in units in which neither the scale of a feature nor that of y matters,

    max_j (d_j / sqrt(L_j)) / max_k (|x_k' S y| / sqrt(L_k)).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sparselearn import penalties
from sparselearn._kernels._gram import (
    correlate_gram,
    descend_gram,
    gather_triangle,
)
from sparselearn._kernels._jit import for_specs
from sparselearn._solvers._certificates import exposed
from sparselearn._solvers._engine import IDLE_ROUNDS, Route
from sparselearn._solvers._path import EXACT, alpha_grid, least_penalised
from sparselearn._solvers._problem import multiply
from sparselearn._solvers._squared_loss import Solver
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = [
    "ALPHAS",
    "ConcaveSolver",
    "ConcaveWorkingSet",
    "StationaryPath",
    "StationaryPoint",
    "certify",
    "follow_path",
    "solve_concave",
    "solve_concave_to_size",
]

# Alphas of a path to one that is not known yet, about.
ALPHAS = 20
# Supports tried by linear algebra before descent takes its turn, and epochs of it.
TRIES, EPOCHS = 12, 10
# Correlations with y below this share of its length are rounding.
NOTHING = 1e-10


@dataclass(frozen=True)
class StationaryPoint:
    """Coefficients, and how far they are from stationary.

    Attributes
    ----------
    coef : float64 ndarray (n_features,)
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
    objective: float
    violation: float
    n_iter: int
    converged: bool
    route: Route


@dataclass(frozen=True)
class StationaryPath:
    """Stationary points along a path; as `_path.PathResult`, but without gaps.

    Attributes
    ----------
    alphas : ndarray (n_alphas,)
        Decreasing.
    coefs : csc_array (n_features, n_alphas)
    intercepts : ndarray (n_alphas,)
    violations : ndarray (n_alphas,)
    n_iter : ndarray of int (n_alphas,)
    converged : ndarray of bool (n_alphas,)
    route : Route
    """

    alphas: np.ndarray
    coefs: sp.csc_array
    intercepts: np.ndarray
    violations: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
    route: Route


class ConcaveWorkingSet(GramWorkingSet):
    """Minimises under a folded concave penalty, with the Gram matrix of its columns.

    While the coefficients of a support A keep their signs and each its piece of the
    penalty, the objective is quadratic: with D the diagonal of what h_j bends by, where
    it does, a stationary point solves

        (G_AA - D) w_A = c_A - sign(w_A) (l1_A, l1_A + bend_A straight_A, or 0),

    and is a minimum where that matrix is positive definite. So supports and pieces are
    tried as in a primal-dual active set method; should that not settle, or lead
    uphill, a few epochs of descent bring better ones.
    """

    def minimise(self, penalty, coef, fit, expected, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        The interface is that of `DesignWorkingSet.minimise`; `fit` is not needed.
        """
        problem = _Pieces(self, penalty, self._moment[self.features])
        w, pull = coef[self.features], expected
        value = problem.objective(w, problem.correlation(w))
        n_rounds, epochs, little = 0, EPOCHS, False
        while True:
            tries = min(TRIES, max_epochs - n_rounds)
            found, n_tried, settled = problem.settle(w, pull, tries)
            n_rounds += n_tried
            pull = problem.correlation(found)
            objective = problem.objective(found, pull)
            if objective <= value + 1e-14 * abs(value):
                w, value = found, objective
            else:
                pull, settled = problem.correlation(w), False
            if settled or little or n_rounds >= max_epochs:
                break
            done, little = problem.descend(
                w, pull, accuracy, epochs, max_epochs - n_rounds
            )
            n_rounds += done
            epochs *= 2
            pull = problem.correlation(w)
            value = problem.objective(w, pull)
        coef[self.features] = w
        return n_rounds


class _Pieces:
    """The problem over a working set, by the pieces of its penalty."""

    def __init__(self, working, penalty, moment):
        features = working.features
        self.gram, self.moment = working.storage, moment
        self.l1, self.straight, self.bend = (
            np.broadcast_to(part, features.shape)
            for part in penalties.pieces(penalty, features)
        )
        self.end = np.full(features.size, np.inf)
        np.divide(self.l1, self.bend, self.end, where=self.bend > 0.0)
        self.end += self.straight
        self.positive = penalty.positive
        self._penalty, self._features = penalty, features
        self.floor = working.floor(self.l1)
        self._curved = np.diagonal(working.gram) > 0.0

    def correlation(self, w):
        """``moment - gram w``."""
        out = np.empty_like(w)
        correlate_gram(self.gram, self.moment, w, np.flatnonzero(w), out)
        return out

    def objective(self, w, correlation):
        """Less that of w = 0."""
        active = np.flatnonzero(w != 0.0)
        h = penalties.value(self._penalty, w[active], self._features[active])
        return np.sum(h) - 0.5 * (w @ (self.moment + correlation))

    def joining(self, w, correlation):
        """Which of the others violate stationarity."""
        size = correlation if self.positive else np.abs(correlation)
        return (w == 0.0) & self._curved & (size > self.l1 + self.floor)

    def _piece(self, size, active):
        """Where the penalty bends, and where it is constant."""
        constant = size >= self.end[active]
        return (size >= self.straight[active]) & ~constant, constant

    def descend(self, w, correlation, accuracy, epochs, max_epochs):
        """Descend on what is active or joins, in place, until pieces stay.

        They are looked at every so many `epochs`: linear algebra is dear where they
        are not found yet.

        Returns
        -------
        n_epochs : int
        little : bool
            Whether no step was worth more than `accuracy` any more.
        """
        on = np.flatnonzero((w != 0.0) | self.joining(w, correlation))
        gram = self.gram[np.ix_(on, on)]
        part, pull = w[on], correlation[on]
        n_epochs, little, cell, before = 0, False, self._cell(part, on), None
        while n_epochs < max_epochs and not (little or np.array_equal(cell, before)):
            most = min(epochs, max_epochs - n_epochs)
            done = for_specs(descend_gram, self._penalty)(
                gram, self._penalty, self._features[on], part, pull, most, accuracy
            )
            n_epochs, little = n_epochs + done, done < most
            cell, before = self._cell(part, on), cell
        w[on] = part
        return n_epochs, little

    def _cell(self, w, features):
        """Signs, and which piece of the penalty each coefficient is on."""
        size = np.abs(w)
        further = size >= self.end[features]
        return np.sign(w) * (1.0 + (size >= self.straight[features]) + further)

    def settle(self, w, correlation, max_rounds):
        """Solve for the support and the pieces at hand until these stay as they are.

        Returns
        -------
        w : ndarray (m,)
        n_rounds : int
        settled : bool
        """
        joining = self.joining(w, correlation)
        for n_rounds in range(1, max_rounds + 1):
            signs = np.where(joining, np.sign(correlation), np.sign(w))
            active = np.flatnonzero(signs)
            bent, constant = self._piece(np.abs(w[active]), active)
            bend = np.where(bent, self.bend[active], 0.0)
            slope = self.l1[active] + bend * self.straight[active]
            slope[constant] = 0.0
            hessian = np.empty((active.size, active.size))
            gather_triangle(self.gram, active, bend, hessian)
            try:
                # Its rows are the columns that LAPACK wants.
                factor = cho_factor(hessian.T, overwrite_a=True, check_finite=False)
            except LinAlgError:
                return w, n_rounds, False
            signs = signs[active]
            moment = self.moment[active] - signs * slope
            # The other triangle was never written to.
            solution = cho_solve(factor, moment, check_finite=False)
            leaving = solution * signs <= 0.0
            solution[leaving] = 0.0
            w = np.zeros_like(w)
            w[active] = solution
            correlation = self.correlation(w)
            joining = self.joining(w, correlation)
            if not leaving.any() and not joining.any():
                again = self._piece(np.abs(solution), active)
                if np.array_equal(again, (bent, constant)):
                    return w, n_rounds, True
        return w, max_rounds, False


class ConcaveSolver(Solver):
    """Finds stationary points under one folded concave penalty after another.

    Parameters
    ----------
    problem, start, n_solves : as for `Solver`
    penalty : spec
        Any of the penalties to come, of the family `penalties.FoldedConcave`.
    """

    _gram_kind = ConcaveWorkingSet

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        # With the L1 penalty that it begins as it shares the null model.
        twin = penalties.WeightedL1(penalty.alpha, penalty.weights, penalty.positive)
        super().__init__(problem, twin, start=start, n_solves=n_solves)
        self._unit = correlation_unit(self.problem, self._moment)

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
        if self._correlations.complete:
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
            objective=_objective(penalty, self.coef, self.fit.square),
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
        if penalty.alpha >= self._alpha:
            return [penalty]
        stride = self._stride
        n_strides = np.ceil(np.log(self._alpha / penalty.alpha) / np.log(stride))
        alphas = np.geomspace(self._alpha, penalty.alpha, int(n_strides) + 1)[1:-1]
        return [*(penalty._replace(alpha=alpha) for alpha in alphas), penalty]

    def _violation(self, penalty):
        return _violation(
            penalty,
            self.coef,
            self.support,
            self.fit.correlation,
            self.problem,
            self._unit,
        )


def correlation_unit(problem, moment):
    """The largest correlation of y with a feature of unit variance."""
    varies = problem.curvature > 0.0
    sizes = np.abs(moment[varies]) / np.sqrt(problem.curvature[varies])
    return max(np.max(sizes, initial=0.0), NOTHING * np.sqrt(2.0 * problem.null_value))


def _violation(penalty, coef, support, correlation, problem, unit):
    matter = exposed(penalty, correlation, support)
    matter = matter[problem.curvature[matter] > 0.0]
    distances = penalties.subdifferential_distance(
        penalty, coef[matter], correlation[matter], matter
    )
    largest = np.max(distances / np.sqrt(problem.curvature[matter]), initial=0.0)
    return float(largest / unit) if largest > 0.0 else 0.0


def _objective(penalty, coef, square):
    support = np.flatnonzero(coef != 0.0)
    return 0.5 * square + np.sum(penalties.value(penalty, coef[support], support))


def certify(problem, penalty, coef):
    """The objective and the violation of `coef`, from the data alone.

    Nothing that kernels computed along the way goes into it but the curvatures, which
    are units.

    Parameters
    ----------
    problem : Problem
    penalty : spec
    coef : ndarray (n_features,)

    Returns
    -------
    objective, violation : float
    """
    weights = problem.weights
    support = np.flatnonzero(coef != 0.0)
    residual = problem.target - multiply(problem.matrix, coef[support], support)
    if problem.fit_intercept:
        residual -= np.broadcast_to(weights, residual.shape) @ residual
    moment = problem.correlation(weights * problem.target)
    correlation = problem.correlation(weights * residual)
    square = np.sum(weights * residual**2)
    unit = correlation_unit(problem, moment)
    violation = _violation(penalty, coef, support, correlation, problem, unit)
    return _objective(penalty, coef, square), violation


def solve_concave(problem, penalty, *, start=None, tol, max_iter):
    """The stationary point at the end of the path from the null model to `penalty`.

    Or that which descent reaches from `start`, if that is better than nothing.

    Parameters
    ----------
    problem : Problem or MomentProblem
    penalty : spec
        A `penalties.FoldedConcave`, with an alpha > 0.
    start : ndarray (n_features,), optional
    tol : float
        The largest violation to be left at each alpha.
    max_iter : int
        At most so many rounds in all.

    Returns
    -------
    StationaryPoint
    """
    n_solves = ALPHAS if start is None else 1
    solver = ConcaveSolver(problem, penalty, start=start, n_solves=n_solves)
    if start is not None and solver.coef.any():
        here = _objective(penalty, solver.coef, solver.fit.square)
        if here <= problem.null_value:
            return solver.solve(penalty, tol=tol, max_iter=max_iter)
        solver = ConcaveSolver(problem, penalty, n_solves=ALPHAS)
    n_iter = 0
    for waypoint in solver.waypoints(penalty):
        point = solver.solve(waypoint, tol=tol, max_iter=max(max_iter - n_iter, 0))
        n_iter += point.n_iter
    return StationaryPoint(**(vars(point) | {"n_iter": n_iter}))


def solve_concave_to_size(problem, penalty_at, n_nonzero, *, tol, max_iter):
    """The least-penalised point of the path with at most `n_nonzero` coefficients.

    Each is reached from the one at the next larger alpha, as on a path.

    Returns
    -------
    alpha : float
    point : StationaryPoint
    """
    solver = ConcaveSolver(problem, penalty_at(1.0), n_solves=100)
    alphas = alpha_grid(solver._alpha)
    points = {}

    def solve(alpha):
        larger = [other for other in points if other > alpha]
        if larger and min(larger) != min(points):
            solver.restart(points[min(larger)].coef, min(larger))
        points[alpha] = solver.solve(
            penalty_at(alpha), tol=min(tol, EXACT), max_iter=max_iter
        )
        return points[alpha]

    return least_penalised(
        solve, alphas, lambda coef: np.count_nonzero(coef != 0.0) <= n_nonzero
    )


def follow_path(problem, penalty_at, alphas, *, tol, max_iter, dtype=np.float64):
    """Follow the path through the decreasing `alphas`.

    Returns
    -------
    StationaryPath
        With coefficients of `dtype`.
    """
    solver = ConcaveSolver(problem, penalty_at(alphas[0]), n_solves=len(alphas))
    points = [
        solver.solve(penalty_at(alpha), tol=tol, max_iter=max_iter) for alpha in alphas
    ]
    coefs = sp.hstack(
        [sp.csc_array(point.coef.astype(dtype)[:, None]) for point in points],
        format="csc",
    )
    return StationaryPath(
        alphas=np.asarray(alphas, dtype=np.float64),
        coefs=coefs,
        intercepts=np.array([problem.intercept(p.coef) for p in points], dtype=dtype),
        violations=np.array([point.violation for point in points]),
        n_iter=np.array([point.n_iter for point in points]),
        converged=np.array([point.converged for point in points]),
        route=solver.route,
    )
