"""The quadratic model of a loss near a predictor, and working sets that minimise it.

With ``V = diag(s_i f''_i)`` and kappa its trace,

    loss(w + d) ~ loss(w) - c' d + kappa d' G d / 2,    G = (X - m)' V (X - m) / kappa,

m the means under V, which is what is left of the loss if the intercept follows. That is
a weighted squared loss, and its working sets are those of ``_working_set.py``.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.blas import dsyrk

from sparselearn._kernels._coordinate_descent import descend
from sparselearn._kernels._glm import chosen_curvatures, chosen_products
from sparselearn._kernels._gram import gather_centred
from sparselearn._kernels._jit import for_specs
from sparselearn._kernels._newton import REFUSED, Model, take_newton_steps
from sparselearn._solvers._concave_working_set import ConcaveWorkingSet
from sparselearn._solvers._glm import mean_over
from sparselearn._solvers._problem import frozen
from sparselearn._solvers._working_set import (
    EPOCHS_A_ROUND,
    ROUNDING,
    DesignWorkingSet,
    GramWorkingSet,
)

__all__ = ["Curved", "CurvedColumns", "CurvedConcaveGram", "CurvedGram"]

# Rows are gathered in blocks of about this many numbers.
BLOCK = 2**16


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
        self.weights = frozen(weighted / self.total)
        self.matrix, self._centred = problem.matrix, problem.fit_intercept
        self.run, self.pieces = problem.run, problem.pieces
        self.null_value = problem.null_value / self.total
        n_features = problem.curvature.size
        self._means, self.curvature = np.zeros((2, n_features))
        self._plain = problem.design._replace(means=frozen(np.zeros(n_features)))
        self.design = problem.design._replace(
            weights=self.weights, means=frozen(self._means)
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
        total = mean_over(problem.weights, curvature)
        if not total > 0.0:
            return np.inf
        change = np.abs(curvature / total - self.at / self.total)
        return mean_over(problem.weights, change)


class CurvedGram(GramWorkingSet):
    """`GramWorkingSet` of a `Curved` problem, whose moment moves with every step."""

    def __init__(self, curved):
        super().__init__(curved, np.zeros(curved.curvature.size))

    def grow(self, new):
        self.problem.learn(new)
        super().grow(new)

    @property
    def support(self):
        """The features of `lower`, in its order."""
        if self._support is None:
            return np.empty(0, dtype=np.int64)
        return self.features[self._support.order[: self._size]]

    @property
    def lower(self):
        """The factor of the Hessian of the support, over its total."""
        return np.asfortranarray(self._support.factor[: self._size, : self._size])

    def _products(self, new):
        matrix = self.problem.matrix
        if new.size < self.features.size or sp.issparse(matrix):
            return super()._products(new)
        return _weighted_gram(self.problem, new)

    def step(self, penalty, coef, correlation, u, accuracy, max_epochs):
        """Improve `coef` in place; `correlation` is that of the working set."""
        features = self.features
        self._moment[features] = correlation + self.gram @ coef[features]
        expected = correlation.copy()
        return self.minimise(penalty, coef, None, expected, accuracy, max_epochs)

    def take_steps(self, loss, data, penalty, limits, start, w, rows, known):
        """Newton steps in one kernel, which overwrites `w` and the arrays of `rows`.

        Parameters
        ----------
        data, limits : as `take_newton_steps` takes them
        start : tuple of float
            What the model bends more than the loss, its scale, and the loss.
        w : ndarray (m,)
        rows : list of three ndarray (n_rows,)
            Predictor, residual and curvatures.
        known : ndarray (m,) or None
            Correlations.

        Returns
        -------
        why, n_steps, n_rounds, scale, drift, loss
        """
        added, scale, value = start
        before = w.copy()
        self._factorise(self._quadratic(penalty), w)
        if not np.array_equal(before, w):  # not all of it has a factor
            w[:] = before
            return REFUSED, 0, 0, scale, 0.0, value
        curved = self.problem
        model = Model(
            curved.design,
            self._buffer,
            curved.at,
            curved.total,
            added,
            self.floor(np.zeros(w.size)),
            ROUNDING,
        )
        why, steps, rounds, self._size, *rest = take_newton_steps(
            loss,
            data,
            model,
            limits,
            self._support,
            self._size,
            scale,
            w,
            *rows,
            np.empty(w.size) if known is None else known.copy(),
            known is not None,
            value,
        )
        return why, steps, rounds, *rest


class CurvedConcaveGram(ConcaveWorkingSet, CurvedGram):
    """`CurvedGram` for folded concave penalties."""


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


def _weighted_gram(curved, features):
    """The Gram matrix of dense columns, block by block of rows, so that each is read
    once and is still in the cache when it is multiplied.
    """
    design = curved.design
    root = np.sqrt(curved.weights)
    size = max(1, BLOCK // features.size)

    def products(piece):
        gram = np.zeros((features.size, features.size), order="F")
        buffer = np.empty((size, features.size), order="F")
        for start in range(*piece, size):
            block = buffer[: min(size, piece[1] - start)]
            gather_centred(design.values, design.means, root, features, start, block)
            gram = dsyrk(1.0, block, 1.0, gram, trans=1, overwrite_c=1)
        return gram

    gram = sum(curved.run(products, curved.pieces))
    return np.triu(gram) + np.triu(gram, 1).T
