"""Working sets under folded concave penalties: supports and pieces, and descent.

The objective over the working set is that of a Gram matrix, whatever loss it comes
from: the squared one (``_folded_concave.py``), or Newton's model of another
(``_newton.py``).
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from sparselearn import penalties
from sparselearn._kernels._gram import (
    correlate_gram,
    descend_gram,
    gather_triangle,
)
from sparselearn._kernels._jit import for_specs
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["ConcaveWorkingSet", "Pieces"]

# Supports tried by linear algebra before descent takes its turn, and epochs of it.
TRIES, EPOCHS = 12, 10
# After so many epochs without an end columns are nearly dependent.
MANY_EPOCHS = 40
# Less curvature than this share of the largest is none.
FLAT = 1e-13
# So many times as far as the last change of pieces is anywhere.
FAR = 1e3


class ConcaveWorkingSet(GramWorkingSet):
    """Minimises under a folded concave penalty, with the Gram matrix of its columns.

    While the coefficients of a support A keep their signs and each its piece of the
    penalty, the objective is quadratic: with D the diagonal of what h_j bends by, where
    it does, a stationary point solves

        (G_AA - D) w_A = c_A - sign(w_A) (l1_A, l1_A + bend_A straight_A, or 0),

    and is a minimum where that matrix is positive definite. So supports and pieces are
    tried as in a primal-dual active set method; should that not settle, or lead
    uphill, a few epochs of descent bring better ones. Where columns are nearly
    dependent neither ends; then steps of Newton go downhill.
    """

    def minimise(self, penalty, coef, fit, expected, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        The interface is that of `DesignWorkingSet.minimise`; `fit` is not needed.
        """
        problem = Pieces(self, penalty, self._moment[self.features])
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
            if not little and epochs >= MANY_EPOCHS:
                n_rounds += problem.go_downhill(w, min(TRIES, max_epochs - n_rounds))
            epochs *= 2
            pull = problem.correlation(w)
            value = problem.objective(w, pull)
        coef[self.features] = w
        return n_rounds


class Pieces:
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

    def go_downhill(self, w, max_rounds):
        """Newton steps, each to the lowest point of its line, in place.

        With eigenvalues of either sign taken for their sizes they lead downhill from
        saddles too. Coefficients that reach 0 there stay; others join one at a time.

        Returns
        -------
        n_rounds : int
        """
        for n_rounds in range(1, max_rounds + 1):
            correlation = self.correlation(w)
            joining = np.flatnonzero(self.joining(w, correlation))
            if joining.size:
                curvature = self.gram[joining, joining]
                excess = np.abs(correlation[joining]) - self.l1[joining]
                j = joining[np.argmax(excess**2 / curvature)]
                step = 1.0 / self.gram[j, j]
                w[j] = penalties.prox(
                    self._penalty, step * correlation[j], step, self._features[j]
                )
                correlation = self.correlation(w)
            active = np.flatnonzero(w)
            direction = self._direction(w, correlation, active)
            if not np.any(direction):
                return n_rounds
            new = self._lowest(w[active], correlation, active, direction)
            if new is None:
                return n_rounds
            w[active] = new
        return max_rounds

    def _direction(self, w, correlation, active):
        """Of a Newton step on the pieces at hand."""
        size = np.abs(w[active])
        bent, constant = self._piece(size, active)
        beyond = np.maximum(size - self.straight[active], 0.0)
        slope = self.l1[active] - self.bend[active] * beyond
        slope[constant] = 0.0
        hessian = self.gram[np.ix_(active, active)]
        hessian -= np.diag(np.where(bent, self.bend[active], 0.0))
        values, vectors = eigh(hessian, check_finite=False)
        values = np.abs(values)
        values = np.maximum(values, FLAT * np.max(values, initial=0.0))
        pull = correlation[active] - np.sign(w[active]) * slope
        return vectors @ ((vectors.T @ pull) / values)

    def _lowest(self, w, correlation, active, direction):
        """The lowest point on a line from w; None if that is w, but for rounding.

        On it the objective is a parabola between any two points at which a coefficient
        comes to another piece: of each the ends and the vertex are looked at.
        """
        zeros, ends = self._crossings(w, active, direction)
        features = self._features[active]
        along = direction @ correlation[active]
        bend = direction @ self.gram[np.ix_(active, active)] @ direction

        def gain(t):
            h = penalties.value(self._penalty, w + t[:, None] * direction, features)
            return t * (along - 0.5 * t * bend) - np.sum(h, axis=1)

        low, high = ends[:-1], ends[1:]
        start, end = gain(low), gain(high)
        second = start - 2.0 * gain(0.5 * (low + high)) + end
        falls = second < 0.0
        share = np.full(low.size, 0.5)
        share[falls] -= 0.25 * (end - start)[falls] / second[falls]
        inside = falls & (share > 0.0) & (share < 1.0)
        tried = np.concatenate([ends, (low + share * (high - low))[inside]])
        gains = gain(tried) - start[0]
        best = np.argmax(gains)
        if gains[best] <= 1e-14 * abs(start[0]):
            return None
        return np.where(zeros == tried[best], 0.0, w + tried[best] * direction)

    def _crossings(self, w, active, direction):
        """Where each coefficient is 0 on a line from w, and the ends of its pieces.

        The last one is where a coefficient would have the wrong sign, or far away.
        """
        moves = direction != 0.0
        zeros = np.full(w.size, np.inf)
        zeros[moves] = -w[moves] / direction[moves]
        ends = [zeros]
        for place in (self.straight[active], self.end[active]):
            known = moves & np.isfinite(place)
            for side in (place, -place):
                ends.append((side - w)[known] / direction[known])
        ends = np.concatenate(ends)
        ends = np.unique(ends[(ends > 0.0) & np.isfinite(ends)])
        far = FAR * max(1.0, np.max(ends, initial=0.0))
        if self.positive:
            far = np.min(zeros[zeros > 0.0], initial=far)
        return zeros, np.concatenate([[0.0], ends[ends < far], [far]])

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
