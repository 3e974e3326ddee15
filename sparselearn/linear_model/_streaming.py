"""Fits by batches of rows: what they say of a squared loss is kept as sums."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length

from sparselearn._compat import fit_context
from sparselearn._dask import chunks_of, is_collection, reduced
from sparselearn._parallel import team
from sparselearn._solvers._cross_validation import DealtSums
from sparselearn._solvers._maps import is_mapped
from sparselearn._solvers._moments import Moments, batch_moments
from sparselearn._validation import FLOATS, check_weights, validate_batch

__all__ = ["Streamed", "lies_by_rows"]

# Sums of so many bytes are kept at most; while a batch is added there are three.
LARGEST = 2**31
MEBIBYTE = 2**20
# Rows of a file are read in blocks of about so many numbers.
BLOCK = 2**22


class Stream(NamedTuple):
    """What is known of the rows of a chain of batches.

    Attributes
    ----------
    sums : Moments or DealtSums
        With a column a target.
    n_samples : int
    single : bool
        Whether y has one dimension.
    dtype : dtype
        Of X in the first batch.
    names : tuple of str or None
        Of the features, where X has some.
    weighted : bool
        Whether rows were given weights.
    """

    sums: Moments | DealtSums
    n_samples: int
    single: bool
    dtype: np.dtype
    names: tuple | None
    weighted: bool

    def __add__(self, other):
        """Both, as of the first; ValueError if they are of different things."""
        for what, mine, theirs in zip(_KINDS, self._kind(), other._kind()):
            if mine != theirs:
                raise ValueError(f"{what} differ: earlier {mine}, now {theirs}.")
        return self._replace(
            sums=self.sums + other.sums,
            n_samples=self.n_samples + other.n_samples,
            weighted=self.weighted or other.weighted,
        )

    def _kind(self):
        n_features, n_targets = self.sums.cross.shape
        return n_features, self.names, None if self.single else n_targets


_KINDS = (
    "Numbers of features",
    "Names of features",
    "Columns of y (None: one dimension)",
)


class Streamed:
    """`partial_fit` and `merge` of a linear model with squared loss.

    It stands before the estimator's other bases.
    """

    _several_targets = True

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Fit the model to all rows so far and those of a batch.

        All that a squared loss asks of the rows is kept, as sums in float64: their
        number, means and products of two columns at a time, ``8 n_features^2`` bytes
        altogether. So the model is that of one `fit` to all rows, to the accuracy of
        `tol`, whatever the batches and their order. Sums are formed in
        ``O(n_rows n_features^2)``, and the model is solved anew after each batch. The
        first batch after `fit`, which keeps no sums, begins anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            A batch, of one row or more. Of a memory map of rows sums are formed in
            blocks, of a dask array or data frame where its chunks lie.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative, not all zero; 1 for each row by default.

        Returns
        -------
        self : object
            Fitted to all rows so far.

        Raises
        ------
        ValueError
            Where sums would take more than 2 GiB. As after any other error, the
            estimator is then as it was.
        """
        seen = getattr(self, "_stream", None)
        start = 0 if seen is None else seen.n_samples
        stream = self._read(X, y, sample_weight, first=seen is None, start=start)
        stream = stream if seen is None else seen + stream
        self._warn_unless_converged(*self._go_on(stream))
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def merge(self, other):
        """Fit the model to all rows that this one and another have seen.

        Parameters
        ----------
        other : estimator
            Of the same class, fitted by `partial_fit` to other rows, on another
            machine, say; it is left as it is.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If either has seen no batch, or they have seen different features or
            targets.
        """
        mine, theirs = getattr(self, "_stream", None), getattr(other, "_stream", None)
        if mine is None or theirs is None:
            raise ValueError("merge needs two models that partial_fit has fitted.")
        self._warn_unless_converged(*self._go_on(mine + theirs))
        return self

    def _go_on(self, stream):
        """Fit to a stream, and keep it."""
        solved = self._fit_stream(stream)
        self._stream, self.n_samples_seen_ = stream, stream.n_samples
        return solved

    def _lies_elsewhere(self, X):
        return is_collection(X) or lies_by_rows(X)

    def _fit_parts(self, X, y, sample_weight):
        return self._fit_stream(self._read(X, y, sample_weight, first=True))

    def _read(self, X, y, sample_weight, *, first, start=0):
        """The `Stream` of some rows, of a chain that has `start` rows before them."""
        if is_collection(X):
            return self._read_chunks(X, y, sample_weight, first=first)
        if lies_by_rows(X):
            return self._read_blocks(X, y, sample_weight, first=first, start=start)
        return self._read_rows(X, y, sample_weight, first=first, start=start)

    def _read_rows(self, X, y, sample_weight, *, first, start, folds=None):
        """Of rows in memory."""
        X, y, weights = validate_batch(
            self, X, y, sample_weight, reset=first, multi_output=self._several_targets
        )
        _check_size(type(self).__name__, X.shape[1])
        with team() as run:
            targets = y.reshape(y.shape[0], -1)
            sums = self._sums_of(X, targets, weights, start, folds, run)
        names = getattr(self, "feature_names_in_", None)
        return Stream(
            sums,
            X.shape[0],
            y.ndim == 1,
            X.dtype,
            None if names is None else tuple(names),
            weights.size > 1,
        )

    def _sums_of(self, X, y, weights, start, folds, run):
        return batch_moments(X, y, weights, run=run)

    def _read_blocks(self, X, y, sample_weight, *, first, start=0, folds=None):
        """Of a file of rows, which by columns would have to be copied whole.

        `folds`, if given, are the `Folds` of the rows.
        """
        y = np.asarray(y)
        check_consistent_length(X, y)
        weights = check_weights(sample_weight, X)
        stream, size = None, max(1, BLOCK // X.shape[1])
        for begin in range(0, X.shape[0], size):
            part = slice(begin, begin + size)
            if weights[part].any():
                batch = X[part], y[part], weights[part]
                found = self._read_rows(
                    *batch,
                    first=first and stream is None,
                    start=start + begin,
                    folds=None if folds is None else folds.part(part),
                )
                stream = found if stream is None else stream + found
        weighted = sample_weight is not None
        return stream._replace(n_samples=X.shape[0], weighted=weighted)

    def _read_chunks(self, X, y, sample_weight, *, first):
        """Of a dask collection, chunk by chunk."""
        apart = clone(self)

        def read(X, y, weights):
            if weights is not None and not np.any(weights):
                return None
            return clone(apart)._read(X, y, weights, first=True)

        stream = reduced(read, chunks_of(X, y, sample_weight))
        if first:
            self.n_features_in_ = stream.sums.cross.shape[0]
            if stream.names is not None:
                self.feature_names_in_ = np.array(stream.names, dtype=object)
        return stream

    def _fit_stream(self, stream):
        """Solve the problem of all rows of a stream.

        Returns
        -------
        problems, solutions : sequences
            One a target.
        """
        sums = stream.sums
        penalty_at = self._penalty_at(sums.x_mean.size)
        problems = [
            sums.of_target(k).problem(fit_intercept=self.fit_intercept)
            for k in range(sums.y_mean.size)
        ]
        # From nowhere: what is found depends on the sums alone.
        found = [self._solve(problem, penalty_at, None) for problem in problems]
        alphas, solutions = zip(*found)
        self._store(problems, alphas, solutions, stream.dtype, single=stream.single)
        return problems, solutions

    def _store(self, *args, **options):
        super()._store(*args, **options)
        # Whatever chain there was, these coefficients are of other rows.
        self.__dict__.pop("_stream", None)
        self.__dict__.pop("n_samples_seen_", None)


def lies_by_rows(X, n_sums=1):
    """Whether X is a file of rows of which sums are to be formed block by block.

    `n_sums` is how many are kept.
    """
    return (
        is_mapped(X)
        and X.ndim == 2
        and X.dtype in FLOATS
        and not X.flags.f_contiguous
        and X.shape[0] > X.shape[1]
        and 8 * X.shape[1] ** 2 * n_sums <= LARGEST
    )


def _check_size(name, n_features):
    size = 8 * n_features**2
    if size > LARGEST:
        raise ValueError(
            f"{name}.partial_fit keeps sums of {n_features} x {n_features} numbers, "
            f"{size // MEBIBYTE} MiB; at most {LARGEST // MEBIBYTE} MiB are allowed. "
            "Select or hash features first; or give fit all rows as a sparse matrix "
            "or a memory map in Fortran order, which it reads in place."
        )
