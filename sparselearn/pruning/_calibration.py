"""The rows on which a fitted estimator is observed before it is pruned."""

import copy
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import get_tags

from sparselearn._parallel import row_chunks
from sparselearn._validation import column_major, row_weights, validate_data

__all__ = ["Calibration", "Subject"]

FLOATS = (np.float64, np.float32)
CONSTANT = 64 * np.finfo(np.float64).eps  # spread over mean that is but rounding
CHUNK_ROWS = 4096  # rows that are centred, or brought to float64, at a time


class Calibration:
    """Data on which the blocks of a fitted estimator are observed.

    Parameters
    ----------
    adapter : Adapter
        That of `estimator`.
    estimator : estimator
        Fitted, no pipeline.
    X : array-like of shape (n_samples, n_features) or None
        As `estimator` sees it; None where there are no data.
    y : array-like or None
        Targets as the user gave them; only some criteria and refits need them.
    sample_weight : array-like of shape (n_samples,) or None
    seed : int
        Of what is drawn at random; :meth:`generator` starts anew from it, so that
        nothing depends on what was asked for before.
    training : callable, default=None
        ``training()`` gives X, y and sample_weight of all rows there are to train on,
        where X is but a sample of them.
    total_weight : float, default=None
        The sum of the weights of these rows, with which a penalty of the estimator's
        is to be compared.
    """

    def __init__(
        self,
        adapter,
        estimator,
        X,
        y=None,
        sample_weight=None,
        seed=0,
        training=None,
        total_weight=None,
    ):
        self.adapter = adapter
        self.estimator = estimator
        self.y = y
        self.sample_weight = sample_weight
        self.seed = seed
        self.training = training or (lambda: (X, y, sample_weight))
        self.total_weight = total_weight
        self.X = None
        if X is not None:
            allows_nan = get_tags(estimator).input_tags.allow_nan
            self.X = validate_data(
                estimator,
                X,
                accept_sparse=("csr", "csc"),
                dtype=FLOATS,
                ensure_all_finite="allow-nan" if allows_nan else True,
                reset=False,
            )
            self.weights = np.broadcast_to(
                row_weights(sample_weight, self.X), self.X.shape[0]
            )

    def of(self, estimator):
        """The same rows, to observe what has become of the estimator."""
        data = copy.copy(self)
        data.estimator = estimator
        return data

    def generator(self):
        """A new random generator of the same seed."""
        return np.random.default_rng(self.seed)

    def inputs(self, blocks):
        """Iterate over what each of `blocks` reads; see :meth:`Adapter.inputs`."""
        if self.X is None:
            raise ValueError(
                "X is needed: the criterion, or the refit, observes the estimator on "
                "it (the magnitude of a linear model's weights takes the spread of "
                "the features from it, refit='fold' the means of what is removed; a "
                "perceptron with criterion='magnitude' and refit='none' does without)."
            )
        return self.adapter.inputs(self.estimator, blocks, self.X)

    def mean(self, a):
        """Weighted means of the columns of `a`, in float64."""
        if sp.issparse(a):
            return a.T @ self.weights
        return self._sum(a, lambda rows: rows)

    def std(self, a):
        """Weighted standard deviations of the columns of `a`, in float64.

        Around the mean, not E a² - (E a)², which cancels; for sparse `a` the entries
        that are not stored contribute mean² times their weight, so that it is never
        centred. Those of constant columns are 0, not the rounding error of the mean.
        """
        mean = self.mean(a)
        spread = np.sqrt(self._square_around(a, mean))
        return np.where(spread > CONSTANT * np.abs(mean), spread, 0.0)

    def _square_around(self, a, mean):
        if not sp.issparse(a):
            return self._sum(a, lambda rows: (rows - mean) ** 2)
        a = column_major(a)
        n_columns = a.shape[1]
        column = np.repeat(np.arange(n_columns), np.diff(a.indptr))
        weights = self.weights[a.indices]
        stored = np.bincount(column, weights, n_columns)
        squares = weights * (a.data - mean[column]) ** 2
        within = np.bincount(column, squares, n_columns)
        # A full column stores all the weight, up to rounding.
        return within + np.maximum(1.0 - stored, 0.0) * mean**2

    def mean_square(self, a):
        """Weighted means of the squares of the columns of `a`, in float64."""
        if sp.issparse(a):
            return a.multiply(a).T @ self.weights
        return self._sum(a, lambda rows: np.square(rows, dtype=np.float64))

    def _sum(self, a, function):
        return sum(
            self.weights[rows] @ function(a[rows])
            for rows in row_chunks(a.shape[0], CHUNK_ROWS)
        )


class Subject(NamedTuple):
    """A fitted estimator under observation: its blocks, and the data they see."""

    blocks: list
    data: Calibration
