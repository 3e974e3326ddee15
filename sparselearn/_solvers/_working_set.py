"""Working sets: the columns that may be active, and descent on them alone.

Two kinds with one interface. Each keeps `features`, the indices of its columns in
order of arrival, and minimises the objective over their coefficients:

- `GramWorkingSet` forms the Gram matrix of its columns once, and solves on their
  support by linear algebra alone (``_kernels/_support.py``). From one penalty of a path
  to the next the support changes little, and its factor with it (Larsson and Wallin,
  2022, for the idea).
- `DesignWorkingSet` descends on the columns themselves: for sparse columns, of which
  an epoch is cheaper than anything with the Gram matrix, and for penalties that are
  not elastic nets.
"""

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import descend
from sparselearn._kernels._gram import (
    descend_gram,
    gather_centred,
    gram_rows_compressed,
    gram_rows_dense,
)
from sparselearn._kernels._jit import for_specs
from sparselearn._kernels._support import Quadratic, Support, join_many, settle
from sparselearn._solvers._moments import MomentProblem

__all__ = ["DesignWorkingSet", "GramWorkingSet"]

EPOCHS_A_ROUND = 1000
# Columns to have room for at first.
ROOM = 2048
# Rows of dense columns are gathered in blocks of about this many numbers.
BLOCK = 2**21
# Up to so many new columns, copies of the old ones cost more than the products.
FEW = 64
# Correlations are known to this share of the threshold, or of |x_j| |y|.
ROUNDING, ROUNDING_OF_SCALE = 1e-10, 1e-13


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

    def minimise(self, penalty, coef, fit, expected, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        Parameters
        ----------
        fit : Fit
            Of `coef`.
        expected : ndarray (m,)
            Correlations of the working set to be expected at the solution; may be
            written to.
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
    """Solves on the support, with the Gram matrix of its columns.

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
        self._support, self._size, self._l2 = None, 0, np.empty(0)

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
            # What is not written to takes no memory, and to move takes longer than to
            # fill. An odd number of cache lines a row: powers of two would collide.
            room = min(max(2 * size, ROOM), self._moment.shape[0]) // 16 * 16 + 24
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
            gram_rows_compressed(problem.design, new, features, products)
            return products
        values, means = problem.design.values, problem.design.means
        if new.size <= FEW:
            columns = np.empty((n_samples, new.size), order="F")
            gather_centred(values, means, problem.weights, new, 0, columns)
            gram_rows_dense(values, means, columns.T, features, products)
            return products
        root = np.sqrt(problem.weights)
        n_rows = min(n_samples, max(1, BLOCK // features.size))
        buffer = np.empty((n_rows, features.size), order="F")
        for start in range(0, n_samples, n_rows):
            block = buffer[: n_samples - start]
            gather_centred(values, means, root, features, start, block)
            products += block[:, -new.size :].T @ block
        return products

    def minimise(self, penalty, coef, fit, expected, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        The interface is that of `DesignWorkingSet.minimise`; here `fit` is not
        needed, and the result is exact up to rounding.
        """
        problem = self._quadratic(penalty)
        w = coef[self.features]
        self._factorise(problem, w)
        self._size, n_epochs, settled = settle(
            problem, self._support, self._size, w, expected, max_epochs
        )
        if not settled and n_epochs < max_epochs:
            # Rounding keeps the support from settling: descent is above that.
            n_epochs += for_specs(descend_gram, penalty)(
                self._buffer,
                penalty,
                self.features,
                w,
                expected,
                min(max_epochs - n_epochs, EPOCHS_A_ROUND),
                accuracy,
            )
        coef[self.features] = w
        return n_epochs

    def floor(self, l1):
        """Excesses of correlations over the thresholds `l1` that are rounding."""
        curvature = self.problem.curvature[self.features]
        scale = np.sqrt(2.0 * self.problem.null_value * curvature)
        return np.maximum(ROUNDING * l1, ROUNDING_OF_SCALE * scale)

    def _quadratic(self, penalty):
        """The problem over the working set, as kernels take it."""
        features = self.features
        zero = np.zeros(features.size)
        l1, l2 = (zero + s for s in penalties.strengths(penalty, features))
        return Quadratic(
            gram=self._buffer,
            moment=self._moment[features],
            l1=l1,
            l2=l2,
            floor=self.floor(l1),
            positive=bool(penalty.positive),
        )

    def _factorise(self, problem, w):
        """Bring the factor to the support of `w`, and `w` to what has a factor."""
        room = self._buffer.shape[0]
        signs = np.sign(w)
        if self._support is None or self._support.signs.size < room:
            self._support = _roomier(self._support, self._size, room)
        known = self._l2.size
        same_l2 = self._size == 0 or np.array_equal(problem.l2[:known], self._l2)
        self._l2, support = problem.l2, self._support
        if same_l2 and np.array_equal(signs, support.signs[: w.size]):
            return
        support.signs[:] = 0.0
        inside = np.flatnonzero(w != 0.0)
        self._size = join_many(problem, support, 0, inside, signs[inside])
        w[support.signs[: w.size] == 0.0] = 0.0


def _roomier(support, size, room):
    """A support with room for more, and what is in `support`, if any."""
    roomier = Support(
        order=np.zeros(room, dtype=np.int64),
        signs=np.zeros(room),
        factor=np.empty((room, room)),
        spare=np.empty((3, room)),
    )
    if support is not None:
        roomier.order[:size] = support.order[:size]
        roomier.signs[: support.signs.size] = support.signs
        roomier.factor[:size, :size] = support.factor[:size, :size]
    return roomier
