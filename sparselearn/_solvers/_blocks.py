"""What the solvers share whose coefficients come in blocks: rows, or groups.

The loop is that of ``_engine.py``, with the lengths of blocks for absolute
values. Descent finds the blocks that are not zero; on these the objective is smooth,
and Newton steps finish.
"""

from abc import ABC, abstractmethod

import numpy as np
from scipy.linalg.lapack import dpotrf

from sparselearn._solvers._engine import IDLE_ROUNDS, Solution

__all__ = ["BlockSolver", "SmoothSupport", "cholesky"]

NEWTON_STEPS = 10
HALVINGS = 3
# What may be left to gain where the next look is expected to be the last.
ON_PATH = 0.5
SINGULAR = 1e-12


class SmoothSupport(ABC):
    """Newton steps on the coefficients that are not zero.

    A subclass has `coef`, and by a Gram matrix `gram` the `correlation`, which is
    ``moment - gram @ coef``.
    """

    @abstractmethod
    def _inside(self):
        """Where coefficients are not zero, along the first axis."""

    @abstractmethod
    def _newton_step(self, inside):
        """The step on those `inside`, and twice what it gains; None if singular."""

    @abstractmethod
    def _landed(self, inside, start, step):
        """Where `step` leads from `start`, and whether anything became zero there."""

    @abstractmethod
    def value(self, coef, correlation):
        """The objective, less that of coefficients of 0."""

    def solve_on_support(self, accuracy):
        """Newton steps on what is not zero, until what is left to gain is small.

        Returns
        -------
        reliable : bool
            False if the system is singular, or a step does not descend.
        """
        for _ in range(NEWTON_STEPS):
            inside = self._inside()
            if not inside.size:
                return True
            step, decrement = self._newton_step(inside)
            if step is None:
                return False
            moved, left = self._move(inside, step)
            if not moved:
                # What a step would still gain may be less than its rounding.
                return decrement <= accuracy
            if left or decrement <= accuracy:
                return True
        return False

    def _move(self, inside, step):
        """Go along `step` as far as that descends.

        Returns
        -------
        moved, left : bool
            Whether it did, and whether anything became zero.
        """
        value = self.value(self.coef, self.correlation)
        start = self.coef[inside]
        for halving in range(HALVINGS + 1):
            there, left = self._landed(inside, start, 0.5**halving * step)
            coef = np.zeros_like(self.coef)
            coef[inside] = there
            correlation = self.moment - self.gram[:, inside] @ there
            if self.value(coef, correlation) <= value:
                self.coef, self.correlation = coef, correlation
                return True, left
        return False, False


def cholesky(matrix):
    """The upper factor, or None if `matrix` is singular up to rounding."""
    largest = np.max(np.diagonal(matrix))
    factor, failed = dpotrf(matrix, clean=False)
    if failed or np.min(np.diagonal(factor)) ** 2 < SINGULAR * largest:
        return None
    return factor


class BlockSolver(ABC):
    """Solves one problem under one penalty after another; see `WorkingSetSolver`.

    A subclass has a `problem`, a `certifier`, `coef` and their `fit`, and a `route`.
    """

    @abstractmethod
    def _worst(self, penalty):
        """What is to join the working set, by the fit at hand."""

    def _ahead(self, penalty):
        """What is to join on the way to `penalty`; None where no path leads there."""
        return None

    @abstractmethod
    def _join(self, new):
        """Take `new` into the working set; return how many."""

    @abstractmethod
    def _minimise(self, penalty, accuracy, max_epochs):
        """Improve `coef` over the working set; return the epochs spent."""

    @abstractmethod
    def _measure(self):
        """Bring `fit` up to date with `coef`."""

    @property
    def support(self):
        """Where coefficients are not 0."""
        return np.flatnonzero(self.coef)

    @property
    def intercept(self):
        """The optimal intercept for `coef`."""
        return self._intercept(self.coef)

    @property
    def start(self):
        """What to start another solver from."""
        return self.coef

    def solve(self, penalty, *, tol, max_iter):
        """The `Solution` under `penalty`; see :meth:`advance`."""
        found = self.advance(penalty, tol=tol, max_iter=max_iter)
        return Solution(self.coef.copy(), self.intercept, *found, self.route)

    def advance(self, penalty, *, tol, max_iter):
        """Minimise under `penalty`, from where the last one ended.

        Parameters
        ----------
        penalty : spec
        tol : float
            Stop at a duality gap of `tol` times the objective of coefficients of 0.
        max_iter : int
            At most so many epochs of descent.

        Returns
        -------
        certificate, n_iter, converged
            As of a `Solution`.
        """
        target = tol * self.problem.null_value
        certificate = self.certifier.bound(penalty, self.coef, self.fit)
        best, idle, n_iter, precision = np.inf, 0, 0, 1e-2
        new = self._ahead(penalty) if certificate.gap > target else None
        while certificate.gap > target and n_iter < max_iter and idle < IDLE_ROUNDS:
            if new is None:
                grown = self._join(self._worst(penalty))
                precision *= 1.0 if grown else 0.1
                accuracy = precision * max(certificate.gap, target)
            else:
                # On a path the working set is most likely right at once.
                grown, accuracy = self._join(new), ON_PATH * target
            n_iter += self._minimise(penalty, accuracy, max_iter - n_iter)
            new = None
            self._measure()
            certificate = self.certifier.bound(penalty, self.coef, self.fit)
            idle = 0 if grown or certificate.gap < 0.9 * best else idle + 1
            best = min(best, certificate.gap)
        return certificate, n_iter, bool(certificate.gap <= target)
