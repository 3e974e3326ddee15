"""Orthogonal matching pursuit of one design, for one target after another.

The kernel works on Gram products. Of these only the rows of columns that are taken
are needed, and one pass over X forms several for little more than the price of one:
when a row is wanted, those of the next best candidates are formed with it. They are
kept for the targets to come.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_solve, solve_triangular

from sparselearn._kernels._gram import gather_centred, gram_rows_compressed
from sparselearn._kernels._omp import DONE, FULL, SPENT, Goal, Pursuit, pursue
from sparselearn._solvers._problem import correlate
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["Code", "GramRows", "Matcher"]

# Rows formed in one pass over X.
AHEAD = 16
# Rows kept from one target to the next, in numbers: half a gigabyte.
KEPT = 2**26
# A correlation of less than this share of the target's length is rounding.
FLOOR = 1e-9


@dataclass(frozen=True)
class Code:
    """What a pursuit found.

    Attributes
    ----------
    coef : float64 ndarray (n_features,)
    order : ndarray of int (n_chosen,)
        The features in the order in which they were chosen.
    """

    coef: np.ndarray
    order: np.ndarray


class GramRows:
    """Gram products of some columns of a design with all, formed when asked for.

    Parameters
    ----------
    problem : Problem
        Needs no target.

    Attributes
    ----------
    rows : ndarray (at least n_formed, n_features)
    slots : ndarray of int (n_features,)
        Where in `rows` those of a feature are; -1 if nowhere.
    """

    def __init__(self, problem):
        n_features = problem.curvature.size
        self.problem = problem
        self.rows = np.empty((0, n_features))
        self.slots = np.full(n_features, -1, dtype=np.int64)
        self.n_formed = 0

    def form_all(self):
        """Form all rows, symmetric as they are."""
        n_features = self.slots.size
        everyone = np.arange(n_features)
        working = GramWorkingSet(self.problem, np.zeros(n_features))
        working.grow(everyone)
        self.rows = np.ascontiguousarray(working.gram)
        self.slots, self.n_formed = everyone, n_features

    def form(self, features):
        """Form the rows of `features`, none of them formed yet."""
        start, stop = self.n_formed, self.n_formed + features.size
        if stop > self.rows.shape[0]:
            self.rows = _with_room(self.rows, start, 2 * stop)
        problem, out = self.problem, self.rows[start:stop]
        n_samples, n_features = problem.matrix.shape
        if sp.issparse(problem.matrix):
            gram_rows_compressed(problem.design, features, np.arange(n_features), out)
        else:
            columns = np.empty((n_samples, features.size), order="F")
            values, means = problem.design.values, problem.design.means
            # Writable, as a working set's are: one signature.
            scale = problem.weights.copy()
            gather_centred(values, means, scale, features, 0, columns)
            out[:] = problem.correlation(columns).T
        self.slots[features] = np.arange(start, stop)
        self.n_formed = stop


class Matcher:
    """Pursues one target after another on the columns of one design.

    Parameters
    ----------
    problem : Problem
        Needs no target.
    most : int
        Of features to choose for a target.
    tol : float
        Stop where the squared residual is at most `tol` times that of the null model.
    positive : bool
    n_targets : int
        How many are to come, about.
    """

    def __init__(self, problem, *, most, tol=0.0, positive=False, n_targets=1):
        self.gram = GramRows(problem)
        n_samples, n_features = problem.matrix.shape
        fits = n_features <= n_samples and n_features**2 <= KEPT
        if fits and n_features <= 4 * most * n_targets:
            self.gram.form_all()
        self.most = most
        self.tol = tol
        self.positive = positive
        eligible = problem.curvature > _rounding(problem)
        self._scale = np.zeros(problem.curvature.size)
        self._scale[eligible] = problem.curvature[eligible] ** -0.5
        self._floor = max(FLOOR, 8 * np.finfo(problem.matrix.dtype).eps) ** 2
        self._room = min(most, 2 * AHEAD)

    def solve(self, problem):
        """The `Code` of the target of `problem`, whose design is the one at hand."""
        return self.solve_levels(problem, [self.most])[0]

    def solve_levels(self, problem, levels):
        """What `solve` would find if `most` were each of the ascending `levels`.

        Returns
        -------
        list of Code
        """
        if self.gram.n_formed * problem.curvature.size > KEPT:
            self.gram = GramRows(problem)
        correlation = problem.correlation(problem.weights * problem.target)
        state = self._state(correlation)
        square = null = 2.0 * problem.null_value
        goal = Goal(
            most=0,
            enough=self.tol * null,
            worth=0.0,
            floor=self._floor * null,
            positive=self.positive,
            optimised=False,
            closing=True,
        )
        size, wanted, codes = 0, None, []
        for level in levels:
            goal = goal._replace(most=level, closing=level == levels[-1])
            while wanted != SPENT:
                rows, slots = self.gram.rows, self.gram.slots
                wanted, size, square = pursue(rows, slots, state, size, square, goal)
                if wanted == DONE:
                    break
                if wanted == FULL:
                    self._room = min(self.most, 2 * self._room)
                    state = _enlarged(state, size, self._room)
                elif wanted >= 0:
                    self.gram.form(self._candidates(state, wanted, self.most - size))
            codes.append(self._code(problem, state, size))
        return codes

    def _state(self, correlation):
        n_features, room = correlation.size, self._room
        return Pursuit(
            correlation=correlation,
            scale=self._scale.copy(),
            novelty=np.ones(0),
            score=np.empty(n_features),
            basis=np.empty((room, n_features)),
            factor=np.empty((room, room)),
            steps=np.empty(room),
            chosen=np.empty(room, dtype=np.int64),
            coef=np.empty((2, room)),
        )

    def _candidates(self, state, wanted, missing):
        """The column `wanted`, and some that may be next."""
        score = state.correlation * state.scale
        if not self.positive:
            score = np.abs(score)
        score[self.gram.slots >= 0] = 0.0
        score[wanted] = np.inf
        ahead = max(AHEAD, min(missing // 4, 4 * AHEAD))
        n_rows = min(ahead, missing, np.count_nonzero(score > 0.0))
        return np.argpartition(score, -n_rows)[-n_rows:]

    def _code(self, problem, state, size):
        coef = np.zeros(state.correlation.size)
        order, factor = state.chosen[:size].copy(), state.factor[:size, :size]
        if not size:
            return Code(coef, order)
        # The upper triangle holds whatever it held.
        z = solve_triangular(
            factor, state.steps[:size], trans=1, lower=True, check_finite=False
        )
        coef[order] = z
        # The Gram matrix squares the condition number; one look at the residual
        # itself takes that back.
        u = problem.weights * problem.residual(coef)
        rest = correlate(problem.matrix[:, order], u)
        rest -= problem.design.means[order] * np.sum(u)
        refined = z + cho_solve((factor, True), rest, check_finite=False)
        if not self.positive or np.all(refined > 0.0):
            coef[order] = refined
        return Code(coef, order)


def _rounding(problem):
    """What the curvature of a constant column may be for all that is known."""
    if not sp.issparse(problem.matrix):
        return 0.0
    # The weights of stored rows sum to 1 up to rounding, the rest to what that leaves.
    return 64 * np.finfo(np.float64).eps * problem.design.means**2


def _with_room(rows, n_used, room):
    larger = np.empty((room, *rows.shape[1:]), dtype=rows.dtype)
    larger[:n_used] = rows[:n_used]
    return larger


def _enlarged(state, size, room):
    """`state` with room for more columns."""
    factor, coef = np.empty((room, room)), np.empty((2, room))
    factor[:size, :size] = state.factor[:size, :size]
    coef[:, :size] = state.coef[:, :size]
    return state._replace(
        basis=_with_room(state.basis, size, room),
        factor=factor,
        steps=_with_room(state.steps, size, room),
        chosen=_with_room(state.chosen, size, room),
        coef=coef,
    )
