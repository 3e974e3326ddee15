"""Working sets under folded concave penalties: supports and pieces, and descent.

The objective over the working set is that of a Gram matrix, whatever loss it comes
from: the squared one (``_folded_concave.py``), or Newton's model of another
(``_newton.py``).
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

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
