"""Fits by batches of rows: what they say of a squared loss is kept as sums."""

from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_consistent_length

from sparselearn._compat import fit_context
from sparselearn._parallel import team
from sparselearn._solvers._batches import is_mapped
from sparselearn._solvers._moments import Moments, batch_moments
from sparselearn._validation import FLOATS, check_weights, validate_batch
from sparselearn.linear_model._base import SquaredLossRegressor

__all__ = ["Streamed"]

# Sums of so many bytes are kept at most; while a batch is added there are three.
LARGEST = 2**31
MEBIBYTE = 2**20
# Rows of a file are read in blocks of about so many numbers.
BLOCK = 2**22


class Stream(NamedTuple):
    """What is known of the rows of a chain of batches.

    Attributes
    ----------
    sums : Moments
        With a column a target.
    n_samples : int
    single : bool
        Whether y has one dimension.
    dtype : dtype
        Of X in the first batch.
    """

    sums: Moments
    n_samples: int
    single: bool
    dtype: np.dtype

    def __add__(self, other):
        """Both, as of the first."""
        return self._replace(
            sums=self.sums + other.sums, n_samples=self.n_samples + other.n_samples
        )


class Streamed:
    """`partial_fit` and `merge` of a linear model with squared loss.

    It stands before the estimator's other bases.
    """

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
            A batch, of one row or more.
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
        stream = self._read(X, y, sample_weight, first=seen is None)
        if seen is not None:
            _check_targets(seen, stream)
            stream = seen + stream
        self._fit_stream(stream)
        self._stream, self.n_samples_seen_ = stream, stream.n_samples
        return self

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
        names = [getattr(e, "feature_names_in_", None) for e in (self, other)]
        shapes = mine.sums.cross.shape, theirs.sums.cross.shape
        if shapes[0] != shapes[1] or not np.array_equal(*names):
            raise ValueError(
                "merge needs models of the same features and targets; these have "
                f"(n_features, n_targets) {shapes[0]} and {shapes[1]}."
            )
        stream = mine + theirs
        self._fit_stream(stream)
        self._stream, self.n_samples_seen_ = stream, stream.n_samples
        return self

    def fit(self, X, y, sample_weight=None):
        if not _lies_by_rows(X):
            return super().fit(X, y, sample_weight)
        return self._fit_blocks(X, y, sample_weight)

    fit.__doc__ = SquaredLossRegressor.fit.__doc__

    @fit_context(prefer_skip_nested_validation=True)
    def _fit_blocks(self, X, y, sample_weight):
        """Fit to a file of rows, which by columns would have to be copied whole."""
        y = np.asarray(y)
        check_consistent_length(X, y)
        weights = check_weights(sample_weight, X)
        stream, size = None, max(1, BLOCK // X.shape[1])
        for start in range(0, X.shape[0], size):
            part = slice(start, start + size)
            if weights[part].any():
                found = self._read(
                    X[part], y[part], weights[part], first=stream is None
                )
                stream = found if stream is None else stream + found
        self._fit_stream(stream)
        return self

    def _read(self, X, y, sample_weight, *, first):
        """The `Stream` of a batch."""
        X, y, weights = validate_batch(self, X, y, sample_weight, reset=first)
        _check_size(type(self).__name__, X.shape[1])
        with team() as run:
            sums = batch_moments(X, y.reshape(y.shape[0], -1), weights, run=run)
        return Stream(sums, X.shape[0], y.ndim == 1, X.dtype)

    def _fit_stream(self, stream):
        """Solve the problem of all rows of a stream."""
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
        self._warn_unless_converged(problems, solutions)

    def _store(self, *args, **options):
        super()._store(*args, **options)
        # Whatever chain there was, these coefficients are of other rows.
        self.__dict__.pop("_stream", None)
        self.__dict__.pop("n_samples_seen_", None)


def _lies_by_rows(X):
    """Whether X is a file of rows of which sums are to be formed block by block."""
    return (
        is_mapped(X)
        and X.ndim == 2
        and X.dtype in FLOATS
        and not X.flags.f_contiguous
        and X.shape[0] > X.shape[1]
        and 8 * X.shape[1] ** 2 <= LARGEST
    )


def _check_targets(seen, new):
    """Refuse a batch whose y is of another kind than before."""
    counts = [0 if s.single else s.sums.y_mean.size for s in (seen, new)]
    if counts[0] != counts[1]:
        words = [f"{n} columns" if n else "one dimension" for n in counts]
        raise ValueError(f"y has {words[1]}, and in earlier batches it had {words[0]}.")


def _check_size(name, n_features):
    size = 8 * n_features**2
    if size > LARGEST:
        raise ValueError(
            f"{name}.partial_fit keeps sums of {n_features} x {n_features} numbers, "
            f"{size // MEBIBYTE} MiB; at most {LARGEST // MEBIBYTE} MiB are allowed. "
            "Select or hash features first; or give fit all rows as a sparse matrix "
            "or a memory map in Fortran order, which it reads in place."
        )
