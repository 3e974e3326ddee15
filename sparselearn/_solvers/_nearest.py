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
from sparselearn._solvers._sketch import choose_sketch, rests

__all__ = [
    "Assignment",
    "DenseRows",
    "SparseRows",
    "dense",
    "nearest_centroids",
    "rows_near",
    "tasks",
]

# Rows whose products with the centroids are made at a time: they stay in the cache.
BLOCK = 512
# Products of a row are so many times the number in a few vectors of a processor.
WIDTH = 64
# Rows a task, at least; and tasks, at most. They do not depend on the threads.
TASK = 2048
TASKS = 64


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
        """One to be overwritten."""
        labels = np.zeros(n_rows, dtype=np.int32)
        return cls(labels, np.zeros(n_rows), np.ones(n_rows))

    def part(self, rows):
        """The same of the slice `rows`, as views."""
        return Assignment(*[values[rows] for values in self])


def tasks(n_rows, least=None):
    """Slices of rows, a task each, of `least` or more: the same for any threads."""
    step = max(least or TASK, -(-n_rows // TASKS))
    return slices(0, n_rows, step)


def slices(start, stop, step):
    return [slice(i, min(i + step, stop)) for i in range(start, stop, step)]


def dense(rows):
    """Some rows as a float64 ndarray."""
    rows = rows.toarray() if sp.issparse(rows) else rows
    return rows.astype(np.float64)


class Targets(NamedTuple):
    """Centroids, as dense rows are held against them.

    Attributes
    ----------
    centroids : float64 ndarray (n_components, n_features)
    coordinates : ndarray (n_components, n_coordinates)
        In the other unit, of the dtype of the rows. Not `spherical`: then the reach,
        and half the squared length, negative.
    reaches : ndarray (width,)
        See :mod:`sparselearn._kernels._lloyd`; 0 beyond the n_components.
    """

    centroids: np.ndarray
    coordinates: np.ndarray
    reaches: np.ndarray


class Coordinates(NamedTuple):
    """Rows in the other unit.

    Attributes
    ----------
    values : ndarray (n_rows, n_coordinates)
        Not `spherical`: then the reach, and 1.
    lengths, reaches : ndarray (n_rows,)
    """

    values: np.ndarray
    lengths: np.ndarray
    reaches: np.ndarray

    def part(self, rows):
        """The same of the slice `rows`, as views."""
        return Coordinates(*[values[rows] for values in self])


class DenseRows:
    """Dense rows, and how rough products with them are made.

    Parameters
    ----------
    X : ndarray (n_rows, n_features)
        C-ordered and read-only.
    spherical : bool
    origin : float64 ndarray (n_features,)
        A point amid the rows: the nearer, the fewer centroids are measured. Not used
        if `spherical`.
    size : float
        How far they are from it, about.
    """

    def __init__(self, X, *, spherical, origin, size):
        self.X, self.spherical = X, spherical
        dtype, n_features = X.dtype, X.shape[1]
        origin = np.zeros(n_features) if spherical else origin
        self.shift = origin.astype(dtype)
        # A power of two, so that no digit changes.
        self.scale = float(np.ldexp(1.0, -np.frexp(size)[1]))
        # Twice the error that rounding can make in a sum of so many products.
        self.rounding = (n_features + 8) * float(np.finfo(dtype).eps)
        self._scratch = deque()
        self._sketch = self._known = None

    def _moved(self, rows):
        return (dense(rows) - self.shift) * self.scale

    def sketch(self, centroids, labels, *, run):
        """Make products with fewer coordinates from now on, if that is faster.

        These are kept: so many numbers a row.

        Parameters
        ----------
        centroids, labels
            Of now; that they change does no harm.
        run : callable
        """
        moved = dense(centroids) if self.spherical else self._moved(centroids)
        sketch = choose_sketch(
            lambda rows: self._moved(self.X[rows]),
            labels,
            moved,
            spherical=self.spherical,
        )
        if sketch is None:
            return
        self._scratch.clear()
        known = self._room(self.X.shape[0], sketch.basis.shape[1] + self._extra)
        basis = sketch.basis.astype(self.X.dtype)
        rounding = sketch.rounding(self.rounding)

        def project(rows):
            room = self._room(BLOCK, self.X.shape[1])
            for block in slices(rows.start, rows.stop, BLOCK):
                centred, lengths, _ = room.part(slice(0, block.stop - block.start))
                self._centre(block, centred, lengths)
                values, known_lengths, reaches = known.part(block)
                leading = values[:, : basis.shape[1]]
                np.matmul(centred, basis, out=leading)
                known_lengths[:] = lengths
                reaches[:] = rests(np.square(lengths), leading, rounding)
                if not self.spherical:
                    values[:, -2] = reaches

        for _ in run(project, tasks(self.X.shape[0])):
            pass
        self._sketch, self._known = sketch, known

    @property
    def _extra(self):
        """Coordinates beyond those of rows: the reach, and 1."""
        return 0 if self.spherical else 2

    def _room(self, n_rows, n_coordinates):
        values = np.ones((n_rows, n_coordinates), dtype=self.X.dtype)
        return Coordinates(values, *np.empty((2, n_rows), dtype=self.X.dtype))

    def targets(self, centroids):
        """The `Targets` of `centroids` (n_components, n_features)."""
        centroids = np.ascontiguousarray(centroids, dtype=np.float64)
        # Directions have no unit.
        moved = centroids if self.spherical else self._moved(centroids)
        squares = np.einsum("ij,ij->i", moved, moved)
        if self._sketch is None:
            reaches = np.sqrt(self.rounding * squares)
        else:
            moved = moved @ self._sketch.basis
            reaches = rests(squares, moved, self._sketch.rounding(self.rounding))
        if not self.spherical:
            halves = (0.5 - self.rounding) * squares
            moved = np.column_stack([moved, reaches, -halves])
        reaches = np.concatenate([reaches, np.zeros(-len(centroids) % WIDTH)])
        dtype = self.X.dtype
        return Targets(centroids, moved.astype(dtype), reaches.astype(dtype))

    def _centre(self, rows, values, lengths):
        scale = self.X.dtype.type(self.scale)
        kernels.centre(self.X[rows], self.shift, scale, values, lengths)

    def _coordinates(self, rows, room):
        """The `Coordinates` of the slice `rows`; in `room`, if they are not known."""
        if self._known is not None:
            return self._known.part(rows)
        found = room.part(slice(0, rows.stop - rows.start))
        self._centre(rows, found.values, found.lengths)
        np.multiply(found.lengths, np.sqrt(self.rounding), out=found.reaches)
        if not self.spherical:
            found.values[:, -2] = found.reaches
        return found

    def assign(self, rows, targets, found):
        """Write to `found` what is nearest to each of the slice `rows`.

        The faster the better the labels are that it holds already.
        """
        products, room = scratch = self._borrow(targets)
        n_components = len(targets.centroids)
        for block in slices(rows.start, rows.stop, BLOCK):
            coordinates = self._coordinates(block, room)
            some = products[: block.stop - block.start]
            inner = some[:, :n_components]
            np.matmul(coordinates.values, targets.coordinates.T, out=inner)
            kernels.settle(
                self.X[block],
                targets.centroids,
                some,
                coordinates.lengths,
                coordinates.reaches,
                targets.reaches,
                self.scale,
                self.rounding,
                self.spherical,
                *found.part(slice(block.start - rows.start, block.stop - rows.start)),
            )
        self._scratch.append(scratch)

    def _borrow(self, targets):
        """Room for a block of products and coordinates, to be given back."""
        try:
            return self._scratch.pop()
        except IndexError:  # as many as there are threads
            # Low enough beyond the centroids.
            lowest = 0.0 if self.spherical else -np.inf
            shape = BLOCK, targets.reaches.size
            products = np.full(shape, lowest, dtype=self.X.dtype)
            return products, self._room(BLOCK, targets.coordinates.shape[1])

    def add(self, rows, weights, labels, sums):
        """Add the slice `rows`, times weights, to the sums of their labels."""
        kernels.add_rows(self.X[rows], weights, labels, sums)


class SparseRows:
    """Sparse rows, held against centroids in float64 and from the origin 0.

    Parameters
    ----------
    X : csr_array (n_rows, n_features)
        Without duplicate entries.
    spherical : bool
    """

    def __init__(self, X, *, spherical):
        self.X, self.spherical = X, spherical

    def sketch(self, centroids, labels, *, run):
        """Nothing: products are made of what is not 0."""

    def targets(self, centroids):
        """`centroids` (n_components, n_features) transposed, their squared lengths."""
        transposed = np.ascontiguousarray(centroids.T, dtype=np.float64)
        return transposed, np.einsum("ij,ij->j", transposed, transposed)

    def assign(self, rows, targets, found):
        """Write to `found` what is nearest to each of the slice `rows`."""
        for block in slices(rows.start, rows.stop, BLOCK):
            part = slice(block.start - rows.start, block.stop - rows.start)
            some = self.X[block].astype(np.float64)
            self._assign(some, *targets, *found.part(part))

    def _assign(self, rows, transposed, centroid_squares, labels, squares, sizes):
        products, lengths = rows @ transposed, rows.power(2).sum(axis=1)
        every = np.arange(labels.size)
        if self.spherical:
            labels[:] = np.abs(products).argmax(axis=1)
            sizes[:] = products[every, labels]
            # Directions that are rounded to float32 are not quite of length 1.
            further = sizes**2 * (centroid_squares[labels] - 2.0)
        else:
            _assignment.nearest(products, centroid_squares, labels)
            further = centroid_squares[labels] - 2.0 * products[every, labels]
        squares[:] = np.maximum(0.0, lengths + further)

    def add(self, rows, weights, labels, sums):
        """Add the slice `rows`, times weights, to the sums of their labels."""
        some = self.X[rows]
        parts = some.data, some.indices, some.indptr
        kernels.add_sparse_rows(*parts, weights, labels, sums)


def rows_near(X, centroids, *, spherical):
    """`DenseRows` or `SparseRows` of X, which are about where the centroids are."""
    if sp.issparse(X):
        return SparseRows(X, spherical=spherical)
    origin = np.mean(centroids, axis=0, dtype=np.float64)
    if spherical:
        size = max(X.max(initial=0.0), -X.min(initial=0.0))
    else:
        size = np.abs(centroids - origin).max(initial=0.0)
    return DenseRows(X, spherical=spherical, origin=origin, size=size)


def nearest_centroids(X, centroids, *, spherical=False, run=map):
    """The `Assignment` of the rows of X.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features)
        By rows as :func:`sparselearn._validation.column_major` has X by columns:
        C-ordered and read-only, or without duplicate entries.
    centroids : array (n_components, n_features)
        With `spherical` of length 1, or 0.
    spherical : bool
    run : callable
        ``run(function, items)`` does ``map(function, items)``, in threads perhaps:
        what :func:`sparselearn._parallel.stream` gives.
    """
    found = Assignment.empty(X.shape[0])
    held = rows_near(X, centroids, spherical=spherical)
    targets = held.targets(centroids)

    def assign(rows):
        held.assign(rows, targets, found.part(rows))

    for _ in run(assign, tasks(X.shape[0])):
        pass
    return found
