r"""The nearest centroid of each row, exactly, at the cost of rough products.

Nearest is the centroid c_j with the least :math:`\|x - c_j\|^2`; or, `spherical`, the
one of length 1 with the least :math:`\min_s \|x - s c_j\|^2`, which is that of the
largest :math:`|c_j^T x|`. Rows are dense or sparse.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _assignment
from sparselearn._kernels import _lloyd as kernels
from sparselearn._solvers._frame import (
    BLOCK,
    Coordinates,
    Frame,
    dense,
    frame_near,
)
from sparselearn._solvers._sketch import choose_integers, choose_products
from sparselearn._solvers._slices import slices
from sparselearn._solvers._whole import WholeTargets, keep_whole, whole_rows

__all__ = [
    "Assignment",
    "DenseRows",
    "Frame",
    "SparseRows",
    "dense",
    "make_targets",
    "nearest_centroids",
    "room_for",
    "rows_near",
    "slices",
    "tasks",
]

# Rows that are assigned and added to sums at a time.
CALL = 2048
# Products of a row are so many times the number in a few vectors of a processor.
WIDTH = 64
# Rows a task, at least; and tasks, at most. They do not depend on the threads.
TASK = 4096
TASKS = 32
# Rows of which a few are tried first.
MANY = 2**12


class Assignment(NamedTuple):
    """What is known of each row.

    Attributes
    ----------
    labels : int32 ndarray (n_rows,)
        The nearest centroid, the first one among equals.
    squares : float64 ndarray (n_rows,)
        The squared distance from it; with `spherical` from s c, where s is the size.
    sizes : float64 ndarray (n_rows,)
        1; with `spherical` the s that is best, which may be negative.
    """

    labels: np.ndarray
    squares: np.ndarray
    sizes: np.ndarray

    @classmethod
    def empty(cls, n_rows):
        """One of which nothing is known."""
        labels = np.full(n_rows, -1, dtype=np.int32)
        return cls(labels, np.zeros(n_rows), np.ones(n_rows))

    def part(self, rows):
        """The same of the slice `rows`, as views."""
        return Assignment(*[values[rows] for values in self])


def tasks(n_rows, least=None):
    """Slices of rows, a task each, of `least` or more: the same for any threads."""
    step = max(least or TASK, -(-n_rows // TASKS))
    return slices(0, n_rows, step)


class DenseTargets:
    """Centroids, as dense rows are held against them by products of floats.

    Parameters
    ----------
    centroids : array (n_components, n_features)
    frame : Frame
    """

    def __init__(self, centroids, frame):
        self.frame = frame
        self.centroids = np.ascontiguousarray(centroids, dtype=np.float64)
        squares, moved, reaches = frame.targets(self.centroids)
        if not frame.spherical:
            halves = (0.5 - frame.rounding) * squares
            moved = np.column_stack([moved, reaches, -halves])
        reaches = np.concatenate([reaches, np.zeros(-len(moved) % WIDTH)])
        self.coordinates = moved.astype(frame.dtype)
        self.reaches = reaches.astype(frame.dtype)
        self._scratch = deque()

    def assign(self, rows, found, known=None):
        """Write to `found`, an `Assignment`, what is nearest to each of some rows.

        The faster the better the labels are that it holds already, if these are known.
        `known` are the `Coordinates` of the rows, if they are kept.
        """
        products, room = scratch = self._borrow()
        frame = self.frame
        for block in slices(0, rows.shape[0], BLOCK):
            some = rows[block]
            if known is None:
                coordinates = room.part(slice(0, some.shape[0]))
                frame.coordinates(some, coordinates)
            else:
                coordinates = known.part(block)
            wide = products[: some.shape[0]]
            inner = wide[:, : len(self.centroids)]
            np.matmul(coordinates.values, self.coordinates.T, out=inner)
            near = found.part(block)
            unknown = near.labels < 0
            if unknown.any():
                guess = (abs(inner) if frame.spherical else inner).argmax(1)
                near.labels[unknown] = guess[unknown]
            kernels.settle(
                some,
                self.centroids,
                wide,
                coordinates.lengths,
                coordinates.reaches,
                self.reaches,
                frame.scale,
                frame.rounding,
                frame.spherical,
                *near,
            )
        self._scratch.append(scratch)

    def _borrow(self):
        """Room for a block of products and coordinates, to be given back."""
        try:
            return self._scratch.pop()
        except IndexError:  # as many as there are threads
            # Low enough beyond the centroids.
            lowest = 0.0 if self.frame.spherical else -np.inf
            shape = BLOCK, self.reaches.size
            products = np.full(shape, lowest, dtype=self.frame.dtype)
            return products, Coordinates.empty(BLOCK, self.frame)


def dense_targets(centroids, frame):
    kind = DenseTargets if frame.integers is None else WholeTargets
    return kind(centroids, frame)


def room_for(n_rows, frame):
    """Room for what products of the frame are made of; None if for rows themselves."""
    if frame.integers is not None:
        return whole_rows(n_rows, frame)
    return None if frame.sketch is None else Coordinates.empty(n_rows, frame)


class SparseTargets(NamedTuple):
    """Centroids, as sparse rows are held against them: in float64, from the origin 0.

    Attributes
    ----------
    transposed : float64 ndarray (n_features, n_components), C-ordered
    spherical : bool
    squares : float64 ndarray (n_components,)
        Squared lengths.
    """

    transposed: np.ndarray
    spherical: bool
    squares: np.ndarray

    @classmethod
    def of(cls, centroids, spherical):
        transposed = np.ascontiguousarray(centroids.T, dtype=np.float64)
        return cls(transposed, spherical, np.einsum("ij,ij->j", transposed, transposed))

    def assign(self, rows, found):
        """Write to `found`, an `Assignment`, what is nearest to each of some rows."""
        for block in slices(0, rows.shape[0], BLOCK):
            self._assign(rows[block].astype(np.float64), *found.part(block))

    def _assign(self, rows, labels, squares, sizes):
        products, lengths = rows @ self.transposed, rows.power(2).sum(axis=1)
        every = np.arange(labels.size)
        if self.spherical:
            labels[:] = np.abs(products).argmax(axis=1)
            sizes[:] = products[every, labels]
            # Directions that are rounded to float32 are not quite of length 1.
            further = sizes**2 * (self.squares[labels] - 2.0)
        else:
            _assignment.nearest(products, self.squares, labels)
            further = self.squares[labels] - 2.0 * products[every, labels]
        squares[:] = np.maximum(0.0, lengths + further)


def make_targets(centroids, *, spherical, like):
    """What rows of the kind of X, `like`, are held against: has an ``assign``.

    Parameters
    ----------
    centroids : array (n_components, n_features)
        With `spherical` of length 1, or 0.
    spherical : bool
    like : ndarray or csr_array
        Or what has the rows of an ndarray if it is asked for some, its dtype and shape.
    """
    if sp.issparse(like):
        return SparseTargets.of(centroids, spherical)
    return dense_targets(centroids, frame_near(centroids, spherical, like.dtype))


class DenseRows:
    """Dense rows, and how rough products with them are made.

    Parameters
    ----------
    X : ndarray (n_rows, n_features)
        C-ordered and read-only. Or what gives slices of such rows, as `make_targets`.
    frame : Frame
    """

    def __init__(self, X, frame):
        self.X, self.frame, self.known = X, frame, None

    def keep(self, centroids, *, run):
        """Make products the fastest way from now on, for the passes that follow.

        What they are made of is kept: so many numbers a row. Rows that are made when
        they are asked for, so that they need not be kept, are not.

        Parameters
        ----------
        centroids
            Those of now; that they change does no harm.
        run : callable
        """
        if not isinstance(self.X, np.ndarray):
            return
        frame = self.frame
        moved = dense(centroids) if frame.spherical else frame.moved(centroids)
        frame = frame._replace(
            **choose_products(
                lambda rows: frame.moved(self.X[rows]),
                self.X.shape[0],
                moved,
                **frame.options,
            )
        )
        self.frame = frame
        self.fill(run=run)

    def fill(self, *, run):
        """Keep what products of the frame are made of."""
        frame, n_rows = self.frame, self.X.shape[0]
        self.known = room_for(n_rows, frame)
        if self.known is None:
            return

        def keep(rows):
            if frame.integers is not None:
                room = Coordinates.empty(BLOCK, frame)
                keep_whole(self.X[rows], frame, self.known.part(rows), room)
                return
            for block in slices(rows.start, rows.stop, BLOCK):
                frame.coordinates(self.X[block], self.known.part(block))

        deque(run(keep, tasks(n_rows)), maxlen=0)

    def targets(self, centroids):
        return dense_targets(centroids, self.frame)

    def assign(self, rows, targets, found, weights, sums):
        """Write to `found` what is nearest to each of the slice `rows`.

        Then add the rows, times weights and sizes, to the sums of their labels.
        """
        for block in slices(rows.start, rows.stop, CALL):
            part = slice(block.start - rows.start, block.stop - rows.start)
            some, near = self.X[block], found.part(part)
            known = None if self.known is None else self.known.part(block)
            targets.assign(some, near, known)
            kernels.add_rows(some, weights[part] * near.sizes, near.labels, sums)


class SparseRows:
    """Sparse rows.

    Parameters
    ----------
    X : csr_array (n_rows, n_features)
        Without duplicate entries.
    spherical : bool
    """

    def __init__(self, X, spherical):
        self.X, self.spherical = X, spherical

    def keep(self, centroids, *, run):
        """Nothing: products are made of what is not 0."""

    def targets(self, centroids):
        return SparseTargets.of(centroids, self.spherical)

    def assign(self, rows, targets, found, weights, sums):
        """As that of dense rows."""
        some = self.X[rows]
        targets.assign(some, found)
        parts = some.data, some.indices, some.indptr
        kernels.add_sparse_rows(*parts, weights * found.sizes, found.labels, sums)


def rows_near(X, centroids, *, spherical):
    """`DenseRows` or `SparseRows` of X, which are about where the centroids are."""
    if sp.issparse(X):
        return SparseRows(X, spherical)
    return DenseRows(X, frame_near(centroids, spherical, X.dtype))


def nearest_centroids(X, centroids, *, spherical=False, labels=None, run=map):
    """The `Assignment` of the rows of X.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features)
        By rows as :func:`sparselearn._validation.column_major` has X by columns:
        C-ordered and read-only, or without duplicate entries. Or what gives slices of
        such rows, as `make_targets`.
    centroids : array (n_components, n_features)
        With `spherical` of length 1, or 0.
    spherical : bool
    labels : ndarray (n_rows,) or None
        Guesses, -1 where there is none: the better they are, the faster it is.
    run : callable
        ``run(function, items)`` does ``map(function, items)``, in threads perhaps:
        what :func:`sparselearn._parallel.stream` gives.
    """
    found = Assignment.empty(X.shape[0])
    if labels is not None:
        found.labels[:] = labels
    targets = make_targets(centroids, spherical=spherical, like=X)
    if not sp.issparse(X) and X.shape[0] > MANY:
        frame = targets.frame
        moved = dense(centroids) if spherical else frame.moved(centroids)
        integers = choose_integers(
            lambda rows: frame.moved(X[rows]), X.shape[0], moved, **frame.options
        )
        targets = dense_targets(centroids, frame._replace(integers=integers))

    def assign(rows):
        for part in slices(rows.start, rows.stop, CALL):
            targets.assign(X[part], found.part(part))

    deque(run(assign, tasks(X.shape[0])), maxlen=0)
    return found
