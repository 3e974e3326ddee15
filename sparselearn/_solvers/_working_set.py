"""Working sets: the columns that may be active, and descent on them alone.

Two kinds with one interface. Each keeps `features`, the indices of its columns in
order of arrival, and minimises the objective over their coefficients:

- `GramWorkingSet` forms the Gram matrix of its columns once. Descent then costs
  nothing of n, and serves only to find the signs: on a support A with signs sigma
  the solution is that of a linear system,

      (G_AA + diag(l2_A)) w_A = c_A - l1_A sigma_A,

  solved by one Cholesky factorisation. Where the next penalty differs in l1 alone,
  the same factor moves w_A along its path, before any descent (Larsson and Wallin,
  2022, for the idea).
- `DesignWorkingSet` descends on the columns themselves: for sparse columns, of which
  an epoch is cheaper than anything with the Gram matrix, and for penalties that are
  not elastic nets.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrf, dpotrs

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import descend
from sparselearn._kernels._gram import (
    descend_gram,
    gather_centred,
    gather_upper,
    gram_rows_compressed,
)
from sparselearn._kernels._jit import for_specs
from sparselearn._solvers._moments import MomentProblem

__all__ = ["DesignWorkingSet", "GramWorkingSet"]

EPOCHS_TO_SETTLE = 30
EPOCHS_A_ROUND = 1000
# Rows of dense columns are gathered in blocks of about this many numbers.
BLOCK = 2**21
# A pivot below this share of the largest diagonal entry is dependence, not data.
SINGULAR = 1e-12


class DesignWorkingSet:
    """Descends on the columns of the design.

    Parameters
    ----------
    problem : Problem
    """

    def __init__(self, problem):
        self.problem = problem
        self.features = np.empty(0, dtype=np.int64)

    def grow(self, new):
        """Take in the features `new`, none of them in yet."""
        self.features = np.concatenate([self.features, new])

    def minimise(self, penalty, coef, fit, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        Parameters
        ----------
        fit : Fit
            Of `coef`.
        accuracy : float
            What may be left to gain, in units of the objective.
        max_epochs : int

        Returns
        -------
        n_epochs : int
        """
        problem = self.problem
        epochs, _ = for_specs(descend, penalty)(
            problem.design,
            penalty,
            problem.curvature,
            self.features,
            coef,
            problem.weights * fit.residual,
            0.0,
            min(max_epochs, EPOCHS_A_ROUND),
            accuracy / self.features.size,
        )
        return epochs


class GramWorkingSet:
    """Descends on the Gram matrix of its columns, and solves on their support.

    Parameters
    ----------
    problem : Problem or MomentProblem
    moment : ndarray (n_features,)
        ``X' S y``.
    """

    def __init__(self, problem, moment):
        self.problem = problem
        self.features = np.empty(0, dtype=np.int64)
        self._moment = moment
        self._buffer = np.empty((0, 0))
        self._factor = None

    @property
    def gram(self):
        """The Gram matrix of the columns, (m, m)."""
        return self._buffer[: self.features.size, : self.features.size]

    @property
    def storage(self):
        """The array of which `gram` is the first rows and columns, for kernels.

        It is contiguous whatever m is, so that one signature serves all.
        """
        return self._buffer

    def grow(self, new):
        """Take in the features `new`, none of them in yet."""
        old = self.features.size
        self.features = np.concatenate([self.features, new])
        size = self.features.size
        if size > self._buffer.shape[0]:
            # An odd number of cache lines a row: powers of two would collide.
            room = (size + size // 4 + 8) // 16 * 16 + 8
            buffer = np.empty((room, room))
            buffer[:old, :old] = self._buffer[:old, :old]
            self._buffer = buffer
        rows = self._products(new)
        self._buffer[old:size, :size] = rows
        self._buffer[:old, old:size] = rows[:, :old].T

    def _products(self, new):
        """Gram products of the features `new`, the last ones, with all."""
        problem, features = self.problem, self.features
        if isinstance(problem, MomentProblem):
            return problem.gram[np.ix_(new, features)]
        n_samples = problem.matrix.shape[0]
        products = np.zeros((new.size, features.size))
        if sp.issparse(problem.matrix):
            scratch = np.zeros(n_samples)
            gram_rows_compressed(problem.design, new, features, scratch, products)
            return products
        root = np.sqrt(problem.weights)
        n_rows = min(n_samples, max(1, BLOCK // features.size))
        buffer = np.empty((n_rows, features.size), order="F")
        for start in range(0, n_samples, n_rows):
            block = buffer[: n_samples - start]
            values, means = problem.design.values, problem.design.means
            gather_centred(values, means, root, features, start, block)
            products += block[:, -new.size :].T @ block
        return products

    def minimise(self, penalty, coef, fit, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        The interface is that of `DesignWorkingSet.minimise`; here `fit` is not
        needed. Up to rounding the result is exact unless the support is singular.
        """
        features = self.features
        w = coef[features]
        moment = self._moment[features]
        w = self._moved(penalty, w, moment)
        g = moment - self.gram @ w
        n_epochs = 0
        while n_epochs < max_epochs:
            budget = min(max_epochs - n_epochs, EPOCHS_TO_SETTLE)
            n_epochs += self._descend(penalty, w, g, budget, 0.0, True)
            solved, clean = self._solve_on_support(penalty, w, moment)
            if solved is None:
                budget = min(max(max_epochs - n_epochs, 1), EPOCHS_A_ROUND)
                n_epochs += self._descend(penalty, w, g, budget, accuracy, False)
                break
            g_solved = moment - self.gram @ solved
            if clean or self._value(penalty, solved, g_solved, moment) <= self._value(
                penalty, w, g, moment
            ):
                w, g = solved, g_solved
            else:
                # Cut off at 0 the step may rise, which descent alone never does.
                n_epochs += self._descend(penalty, w, g, EPOCHS_TO_SETTLE, 0.0, False)
            if clean and self._missing(penalty, w, g) <= accuracy:
                break
        coef[features] = w
        return n_epochs

    def _descend(self, penalty, w, g, max_epochs, tol, until_settled):
        return for_specs(descend_gram, penalty)(
            self._buffer, penalty, self.features, w, g, max_epochs, tol, until_settled
        )

    def _value(self, penalty, w, g, moment):
        """The objective, less that of w = 0."""
        inside = np.flatnonzero(w)
        sizes = penalties.value(penalty, w[inside], self.features[inside])
        return np.sum(sizes) - 0.5 * (w @ (moment + g))

    def _missing(self, penalty, w, g):
        """What steps on the zero coefficients would gain, at most."""
        distance = penalties.subdifferential_distance(penalty, w, g, self.features)
        curvature = np.diagonal(self.gram)
        outside = (w == 0.0) & (curvature > 0.0)
        return np.sum(distance[outside] ** 2 / curvature[outside])

    def _solve_on_support(self, penalty, w, moment):
        """The solution on the support and signs of `w`.

        Returns
        -------
        solved : ndarray or None
            With coefficients that left their sign set to 0; None if singular.
        clean : bool
            Whether none did.
        """
        inside = np.flatnonzero(w)
        if not inside.size:
            self._factor = None
            return np.zeros_like(w), True
        signs = np.sign(w[inside])
        _, l2 = _strengths(penalty, self.features[inside])
        factor = np.empty((inside.size, inside.size), order="F")
        gather_upper(self._buffer, inside, factor)
        largest = np.max(np.diagonal(factor), initial=0.0)
        factor[np.diag_indices_from(factor)] += l2
        factor, failed = dpotrf(factor, overwrite_a=True, clean=False)
        if failed or np.min(np.diagonal(factor), initial=np.inf) ** 2 < (
            SINGULAR * largest
        ):
            self._factor = None
            return None, False
        self._factor = factor, inside, signs, l2
        return self._on_factor(penalty, w, moment)

    def _on_factor(self, penalty, w, moment):
        """Solve with the factor at hand; see `_solve_on_support`."""
        factor, inside, signs, _ = self._factor
        l1, _ = _strengths(penalty, self.features[inside])
        solution, _ = dpotrs(factor, moment[inside] - l1 * signs)
        # Unpenalised coefficients may change sign, unless they are bound to be >= 0.
        left = (np.sign(solution) != signs) & ((l1 > 0.0) | penalty.positive)
        solution[left] = 0.0
        solved = np.zeros_like(w)
        solved[inside] = solution
        return solved, not left.any()

    def _moved(self, penalty, w, moment):
        """`w`, the last solution, moved to where its support solves `penalty`."""
        if self._factor is None:
            return w
        _, inside, signs, l2 = self._factor
        same = np.array_equal(np.sign(w[inside]), signs)
        _, new_l2 = _strengths(penalty, self.features[inside])
        if not same or np.count_nonzero(w) != inside.size:
            return w
        if not np.array_equal(l2, new_l2):
            return w
        return self._on_factor(penalty, w, moment)[0]


def _strengths(penalty, features):
    l1, l2 = penalties.strengths(penalty, features)
    return np.broadcast_to(l1, features.shape), np.broadcast_to(l2, features.shape)
