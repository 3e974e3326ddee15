"""Chunks of rows that lie elsewhere, as learning sees them: by sums over all."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn import config_context, get_config

from sparselearn._dask import chunks_of, folded, reduced, row_like, starts_of
from sparselearn._parallel import bounded
from sparselearn._solvers._codebook import WhitenedRows
from sparselearn._solvers._whitening import Whitening
from sparselearn._validation import check_part_weights, check_rows, read_only

__all__ = ["Chunks", "Form"]


class Form(NamedTuple):
    """How a chunk is read, wherever it lies.

    Attributes
    ----------
    bare : estimator
        Knows parameters, and the features that X has.
    dtype : dtype
        That of rows.
    space : Whitening or None
        The map to the space of what is done to rows.
    is_finite : bool
        Whether a look has been taken at the numbers before.
    """

    bare: Any
    dtype: np.dtype
    space: Whitening | None = None
    is_finite: bool = False

    def read(self, X, sample_weight):
        """The rows of a chunk, as kernels read them, and their weights."""
        with config_context(
            assume_finite=self.is_finite or get_config()["assume_finite"]
        ):
            X = check_rows(self.bare, X)
        if X.dtype != self.dtype:  # of the collection
            X = check_rows(self.bare, X.astype(self.dtype))
        weights = check_part_weights(sample_weight, X)
        if self.space is not None:
            whitened = WhitenedRows(X, self.space)
            X = whitened if hasattr(X, "indptr") else read_only(whitened[:])
        return X, weights


class Chunks:
    """The chunks of a dask collection and their weights.

    Attributes
    ----------
    X : dask collection
    chunks : list of tuples
    form : Form
    row : ndarray (1, n_features)
        A row of zeros of the kind of theirs.
    """

    def __init__(self, X, chunks, form, row):
        self.X, self.chunks, self.form, self.row = X, chunks, form, row

    @classmethod
    def of(cls, estimator, X, sample_weight):
        """Those of X, for the first fit of an estimator."""
        chunks = chunks_of(X, sample_weight)
        # What need not travel stays here.
        own = {"init": "k-means++", "random_state": None}
        bare = type(estimator)(**(estimator.get_params(deep=False) | own))
        row = check_rows(bare, row_like(X), reset=True)
        return cls(X, chunks, Form(bare, row.dtype), row)

    def in_form(self, **changes):
        """The same, read in another `Form`."""
        return Chunks(self.X, self.chunks, self.form._replace(**changes), self.row)

    def sum(self, function):
        """The sum of ``function(rows, weights)``, with what is kept as the third."""
        return reduced(partial(_on_rows, function, self.form), self.chunks)

    def sum_numbered(self, function):
        """The sum of ``function(rows, weights, start)``, from row number `start` on."""
        notes = starts_of(self.X, self.chunks)
        return reduced(partial(_on_rows, function, self.form), self.chunks, notes)

    def sum_keeping(self, function):
        """The sum of the first of two things that ``function(rows, weights)`` gives.

        And the same chunks, with the second beside each of them.
        """
        step = partial(_on_rows, function, self.form)
        total, kept = reduced(step, self.chunks, beside=True)
        chunks = [(*chunk, one) for chunk, one in zip(self.chunks, kept)]
        return total, Chunks(self.X, chunks, self.form, self.row)

    def fold(self, function, state, order):
        """``state = function(state, rows, weights)`` of one chunk after another."""
        step = partial(_on_rows_after, function, self.form)
        return folded(step, state, self.chunks, order)


def _on_rows_after(function, form, state, X, sample_weight):
    return _on_rows(partial(function, state), form, X, sample_weight)


def _on_rows(function, form, X, sample_weight, *others, note=None):
    """``function`` of the rows of a chunk, in one thread."""
    X, weights = form.read(X, sample_weight)
    if note is not None:
        others = *others, note
    return bounded(function, X, weights, *others)
