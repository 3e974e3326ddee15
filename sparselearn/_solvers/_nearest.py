r"""The nearest centroid of each row, exactly, at the cost of rough products.

Nearest is the centroid c_j with the least :math:`\|x - c_j\|^2`; or, `spherical`, the
one of length 1 with the least :math:`\min_s \|x - s c_j\|^2`, which is that of the
largest :math:`|c_j^T x|`. Rows are dense or sparse.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _assignment
from sparselearn._kernels import _lloyd as kernels

__all__ = ["Assignment", "make_targets", "nearest_centroids", "tasks"]

# Rows whose products with the centroids are made at a time: they stay in the cache.
BLOCK = 512
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
        """One to be overwritten by targets."""
        labels = np.zeros(n_rows, dtype=np.int32)
        return cls(labels, np.zeros(n_rows), np.ones(n_rows))

    def part(self, rows):
        """The same of the slice `rows`, as views."""
        return Assignment(*[values[rows] for values in self])


def blocks(n_rows):
    for start in range(0, n_rows, BLOCK):
        yield slice(start, min(start + BLOCK, n_rows))


class DenseTargets(NamedTuple):
    """Centroids, as dense rows are held against them.

    Attributes
    ----------
    centroids : float64 ndarray (n_components, n_features)
    spherical : bool
    shift : ndarray (n_features,)
    scale : number
        Rows and centroids become ``scale * (row - shift)`` for rough products.
    rough : ndarray (n_components, n_features)
        These centroids; of the dtype of the rows, as are the three arrays below.
    halves, errors, slacks : ndarray (n_components,)
        As :func:`sparselearn._kernels._lloyd.settle` has them.
    """

    centroids: np.ndarray
    spherical: bool
    shift: np.ndarray
    scale: np.floating
    rough: np.ndarray
    halves: np.ndarray
    errors: np.ndarray
    slacks: np.ndarray

    @classmethod
    def of(cls, centroids, spherical, dtype):
        n_features = centroids.shape[1]
        # An origin near the rows: the nearer, the fewer are measured a second time.
        shift = np.zeros(n_features) if spherical else centroids.mean(axis=0)
        shift = shift.astype(dtype)
        moved = centroids - shift
        # By a power of two, so that no digit changes.
        scale = np.ldexp(1.0, -np.frexp(np.abs(moved).max(initial=0.0))[1])
        moved *= scale
        squares = np.einsum("ij,ij->i", moved, moved)
        unit = np.finfo(dtype).eps
        # Of rounding rows and centroids and of each addition of a product, in the worst
        # case and doubled: `unit` is twice the largest error of one operation.
        errors = (n_features + 8) * unit * np.sqrt(squares)
        slacks = np.zeros_like(squares) if spherical else 4.0 * unit * squares
        halves = np.zeros_like(squares) if spherical else 0.5 * squares - slacks
        rough = (x.astype(dtype) for x in (moved, halves, errors, 2.0 * slacks))
        return cls(centroids, spherical, shift, np.dtype(dtype).type(scale), *rough)

    def assign(self, rows, found):
        """Write to `found`, an `Assignment`, what is nearest to each of some rows."""
        for block in blocks(rows.shape[0]):
            self._assign_block(rows[block], found.part(block))

    def _assign_block(self, rows, found):
        centred = np.empty(rows.shape, dtype=rows.dtype)
        lengths, best, second = np.empty((3, rows.shape[0]), dtype=rows.dtype)
        kernels.centre(rows, self.shift, self.scale, centred, lengths)
        bounds = self.rough @ centred.T, self.halves, self.errors
        kernels.two_nearest(
            *bounds, lengths, self.spherical, best, second, found.labels
        )
        near = lengths, best, second, self.spherical
        kernels.settle(rows, self.centroids, *bounds, self.slacks, *near, *found)


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
        squares = np.einsum("ij,ij->i", centroids, centroids)
        return cls(np.ascontiguousarray(centroids.T), spherical, squares)

    def assign(self, rows, found):
        """Write to `found`, an `Assignment`, what is nearest to each of some rows."""
        for block in blocks(rows.shape[0]):
            part = rows[block].astype(np.float64)
            self._assign_block(part, part.power(2).sum(axis=1), *found.part(block))

    def _assign_block(self, rows, lengths, labels, squares, sizes):
        products = rows @ self.transposed
        every = np.arange(labels.size)
        if self.spherical:
            labels[:] = np.abs(products).argmax(axis=1)
            sizes[:] = products[every, labels]
            # Directions that are rounded to float32 are not quite of length 1.
            further = sizes**2 * (self.squares[labels] - 2.0)
            squares[:] = np.maximum(0.0, lengths + further)
            return
        _assignment.nearest(products, self.squares, labels)
        further = self.squares[labels] - 2.0 * products[every, labels]
        squares[:] = np.maximum(0.0, lengths + further)


def make_targets(centroids, *, spherical, like):
    """What rows of the kind of X, `like`, are held against.

    Parameters
    ----------
    centroids : array (n_components, n_features)
        With `spherical` of length 1, or 0.
    spherical : bool
    like : ndarray or csr_array
    """
    centroids = np.ascontiguousarray(centroids, dtype=np.float64)
    if sp.issparse(like):
        return SparseTargets.of(centroids, spherical)
    return DenseTargets.of(centroids, spherical, like.dtype)


def tasks(n_rows):
    """Slices of rows, a task each: the same whatever the threads."""
    step = max(TASK, -(-n_rows // TASKS))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]


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
    targets = make_targets(centroids, spherical=spherical, like=X)

    def assign(rows):
        targets.assign(X[rows], found.part(rows))

    for _ in run(assign, tasks(X.shape[0])):
        pass
    return found
