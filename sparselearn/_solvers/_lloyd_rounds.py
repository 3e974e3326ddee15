r"""K-means of rows in chunks: passes are rounds of sums, formed where chunks lie.

A round sends the centroids to the chunks. Each gives the sums and the weights of the
rows that are nearest to each centroid and the sum of their squared distances; these
are added up, and centroids move as in :mod:`sparselearn._solvers._lloyd`, to where they
would with all rows at hand. Only a round after which a centroid is left without rows is
followed by one for the rows that are represented worst.

What is found faster by what the round before has found is kept beside the chunk, as far
as `KEPT` bytes go: labels, which are guesses then, and rounded rows. Nothing depends on
it but the time, so it may be lost, or be as old as it likes.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._distinct_rows import distinct_rows, project
from sparselearn._solvers._frame import Frame
from sparselearn._solvers._lloyd import Moves
from sparselearn._solvers._nearest import (
    Assignment,
    DenseRows,
    SparseRows,
    dense,
    room_for,
)
from sparselearn._solvers._sketch import choose_integers, choose_products
from sparselearn._solvers._spread import Covariance, Spread, covariance_of, spread_of

__all__ = ["Rounds", "Survey", "survey_of"]

# Bytes that are kept beside all chunks together, at most.
KEPT = 2**30
LABEL = 4


class Survey(NamedTuple):
    """What is asked of rows before anything is learned from them.

    Attributes
    ----------
    n_rows : int
        Those with weight.
    spread : Spread
    covariance : Covariance or None
    keys : float64 ndarray
        Numbers of distinct rows with weight, `enough` of them at most.
    enough : int
    is_sparse : bool
        Whether some are.
    """

    n_rows: int
    spread: Spread
    covariance: Covariance | None
    keys: np.ndarray
    enough: int
    is_sparse: bool

    def __add__(self, other):
        covariance = self.covariance
        if covariance is not None:
            covariance = covariance + other.covariance
        return Survey(
            self.n_rows + other.n_rows,
            self.spread + other.spread,
            covariance,
            np.union1d(self.keys, other.keys)[: self.enough],
            self.enough,
            self.is_sparse or other.is_sparse,
        )

    def spread_in(self, space):
        """The `Spread` of the rows in the space of a `Whitening`, or None."""
        if space is None:
            return self.spread
        weight, _, scatter = self.covariance
        squares = np.einsum("ij,ij->j", space.matrix, scatter @ space.matrix)
        return Spread(weight, np.zeros(squares.size), np.maximum(0.0, squares))


def survey_of(X, weights, *, enough, with_covariance):
    """The `Survey` of some rows: an ndarray or csr_array, and weights, maybe all 0."""
    with_weight = weights > 0.0
    keys = project(X, _direction(X.shape[1]))[with_weight]
    return Survey(
        np.count_nonzero(with_weight),
        spread_of(X, weights),
        covariance_of(X, weights) if with_covariance else None,
        np.unique(keys)[:enough],
        enough,
        sp.issparse(X),
    )


def _direction(n_features):
    return np.random.default_rng(0).standard_normal(n_features)


class Sums(NamedTuple):
    """What a round gives: see `Moves`."""

    sums: np.ndarray
    counts: np.ndarray
    objective: float

    def __add__(self, other):
        return Sums(*[a + b for a, b in zip(self, other)])


class Worst(NamedTuple):
    """Different rows that are represented worst, the worst first.

    Attributes
    ----------
    rows : float64 ndarray (n_rows, n_features)
    squares, keys : ndarray (n_rows,)
        Squared distances, and numbers by which equal rows are told.
    most : int
        As many are of interest.
    """

    rows: np.ndarray
    squares: np.ndarray
    keys: np.ndarray
    most: int

    @classmethod
    def of(cls, rows, squares, keys, most):
        chosen, _ = distinct_rows(rows, np.ones(len(keys)), keys)
        order = chosen[np.lexsort((keys[chosen], -squares[chosen]))][:most]
        return cls(dense(rows[order]), squares[order], keys[order], most)

    def __add__(self, other):
        if not len(self.keys) or not len(other.keys):
            return self if len(self.keys) else other
        joined = [np.concatenate(pair) for pair in zip(self[:3], other[:3])]
        return Worst.of(*joined, self.most)


class Kept:
    """What is kept beside a chunk: labels that may be right, and rounded rows or None.

    Its length is that of the chunk.
    """

    def __init__(self, labels, known):
        self.labels, self.known = labels, known

    def __len__(self):
        return len(self.labels)

    @property
    def is_at_home(self):
        """Whether it may be written to, as not always after a journey."""
        return self.labels.flags.writeable


class Nearness(NamedTuple):
    """Centroids as they are sent to a chunk: finds what is nearest to each row."""

    atoms: np.ndarray
    frame: Frame

    def found(self, X, weights, kept, sums):
        """The `Assignment` of a chunk, whose rows are added to the sums of labels."""
        if sp.issparse(X):
            rows = SparseRows(X, self.frame.spherical)
        else:
            # Copies: kernels are compiled for what may be written to.
            frame = self.frame._replace(shift=self.frame.shift.copy())
            rows = DenseRows(X, frame)
        found = Assignment.empty(X.shape[0])
        kept = kept if kept is not None and kept.is_at_home else None
        if kept is not None:
            found.labels[:], rows.known = kept.labels, kept.known
        every = slice(0, X.shape[0])
        rows.assign(every, rows.targets(self.atoms.copy()), found, weights, sums)
        if kept is not None:
            kept.labels[:] = found.labels
        return found


def sums_of(X, weights, kept=None, *, near):
    sums = np.zeros(near.atoms.shape)
    found = near.found(X, weights, kept, sums)
    counts = np.bincount(found.labels, weights, len(sums))
    return Sums(sums, counts, float(weights @ found.squares))


def sums_and_kept(X, weights, *, near, with_rows):
    """The same, and what to keep beside the chunk."""
    kept = Kept(np.full(X.shape[0], -1, dtype=np.int32), None)
    if with_rows:
        rows = DenseRows(X, near.frame)
        rows.fill(run=map)
        kept.known = rows.known
    return sums_of(X, weights, kept, near=near), kept


def worst_of(X, weights, kept=None, *, near, most, perfect):
    """The rows of a chunk with weight that are represented `Worst`, if badly."""
    found = near.found(X, weights, kept, np.zeros(near.atoms.shape))
    some = np.flatnonzero((found.squares > perfect) & (weights > 0.0))
    rows, squares = X[some], found.squares[some]
    if some.size == 0:
        return Worst(dense(rows), squares, squares, most)
    keys = project(rows, _direction(rows.shape[1]))
    return Worst.of(rows, squares, keys, most)


class Rounds(Moves):
    """One pass after another over chunks of rows.

    Parameters
    ----------
    chunks : object
        ``chunks.sum(function)`` is the sum of ``function(X, weights)`` of all chunks.
        ``chunks.sum_keeping(function)`` is that of the first of two things, and the
        same chunks, whose functions get the second as a third argument.
    spread : Spread
        Of the rows.
    few : ndarray (n_few, n_features)
        Some of the rows, by which the fastest products are chosen.
    n_rows : int
    is_sparse, spherical : bool
    dtype : dtype
        Of the rows.
    """

    def __init__(self, chunks, spread, few, *, n_rows, is_sparse, spherical, dtype):
        super().__init__(spread, dtype, spherical=spherical, is_sparse=is_sparse)
        self.chunks, self.few, self.n_rows = chunks, few, n_rows
        self.is_sparse = is_sparse
        self.keeps = False

    def keep(self, atoms):
        """Choose the products of the passes that follow, and what to keep for them."""
        if self.is_sparse:
            return
        frame, few = self.frame, self.few
        moved = dense(atoms) if self.spherical else frame.moved(atoms)

        def some(rows):
            return frame.moved(few[rows])

        trial = some, few.shape[0], moved
        best = frame._replace(**choose_products(*trial, **frame.options))
        room = room_for(1, best)
        size = LABEL + (0 if room is None else sum(part.nbytes for part in room))
        with_rows = size * self.n_rows <= KEPT
        if not with_rows:  # which are rounded in each pass
            integers = choose_integers(*trial, **frame.options)
            best = frame._replace(integers=integers)
        self.frame = best
        self.keeps, self.with_rows = LABEL * self.n_rows <= KEPT, with_rows

    def assign(self, atoms):
        """Find the sums of what is nearest to `atoms`; give whether they have changed.

        Spherical, where sums change with each step, whether the counts have.
        """
        self.near = Nearness(atoms, self.frame)
        before = (self.counts, self.sums)
        if self.keeps:
            how = {"near": self.near, "with_rows": self.with_rows}
            function = partial(sums_and_kept, **how)
            found, self.chunks = self.chunks.sum_keeping(function)
            self.keeps = False  # they do now
        else:
            found = self.chunks.sum(partial(sums_of, near=self.near))
        self.sums, self.counts, self.objective = found
        same = np.array_equal(before[0], self.counts)
        return not (same and (self.spherical or np.array_equal(before[1], self.sums)))

    def _worst(self, n_rows):
        if n_rows == 0:
            return np.zeros((0, self.sums.shape[1]))
        how = {"near": self.near, "most": n_rows, "perfect": self.perfect}
        return self.chunks.sum(partial(worst_of, **how)).rows
