r"""Centroids, and what rows are held against to be coded by them.

Distances are products, :math:`\|x - c\|^2 = \|x\|^2 - 2 c^T x + \|c\|^2`, where half of
the digits cancel that float32 has. Dense rows are therefore measured from the mean of
the centroids, and kernels form small distances anew; what is float32 may then stay so.
Products of sparse rows are in float64, and sparse rows stay so, but where distances are
those of whitened rows, which are dense: a chunk of them at a time.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._lloyd import directions
from sparselearn._solvers._nearest import Assignment, make_targets
from sparselearn._solvers._whitening import Whitening

__all__ = [
    "LONG",
    "SHORT",
    "Codebook",
    "Directions",
    "Distances",
    "Nearest",
    "WhitenedRows",
]

# Lengths whose squares float32 can hold, and the sums of many of these.
SHORT, LONG = 1e-12, 1e12


class Codebook(NamedTuple):
    """Centroids, and the space in which they were learned.

    Attributes
    ----------
    centroids : ndarray (n_components, n_dimensions)
        In that space.
    spherical : bool
        Whether they are directions of length 1, or 0, that samples are multiples of.
    whitening : Whitening or None
        The map from rows to the space; None where it is that of the rows.
    gains : float64 ndarray (n_components,) or None
        With `spherical` the mean absolute multiple.
    mean : float64 ndarray (n_dimensions,)
        What a code stands for that says nothing.
    """

    centroids: np.ndarray
    spherical: bool
    whitening: Whitening | None
    gains: np.ndarray | None
    mean: np.ndarray

    @property
    def n_components(self):
        return self.centroids.shape[0]

    @property
    def atoms(self):
        """A float64 copy; with `spherical`, of length 1 to its last digit."""
        if self.spherical:
            return directions(self.centroids)
        return np.array(self.centroids, dtype=np.float64, order="C")


def _whiten(rows, whitening):
    """`rows` in the space of a `Whitening`, read-only; as they are if it is None."""
    if whitening is None:
        return rows
    if sp.issparse(rows):
        rows = rows.astype(np.float64)
    rows = whitening.apply(rows)
    rows.flags.writeable = False
    return rows


class WhitenedRows:
    """The rows of X in the space of a `Whitening`, whitened when they are asked for.

    Solvers that read slices of rows, or some rows, read it as an ndarray. Of sparse X
    never more than that is dense.
    """

    def __init__(self, X, whitening):
        self.dtype = np.dtype(np.float64) if sp.issparse(X) else X.dtype
        self.shape = X.shape[0], whitening.matrix.shape[1]
        self._X = X
        # Once, not for each chunk.
        self._whitening = whitening._replace(matrix=whitening.matrix.astype(self.dtype))

    def __getitem__(self, rows):
        return _whiten(self._X[rows], self._whitening)


def _is_single(like, exact=False):
    return not exact and not sp.issparse(like) and like.dtype == np.float32


def _fitting(out, dtype):
    return out if out is not None and out.dtype == dtype else None


class Nearest(NamedTuple):
    """Centroids, as rows are held against them to find the nearest one.

    Attributes
    ----------
    targets : object
        What :func:`sparselearn._solvers._nearest.make_targets` makes.
    whitening : Whitening or None
    """

    targets: NamedTuple
    whitening: Whitening | None

    @classmethod
    def of(cls, book, like):
        rows = like[:0]
        if book.whitening is not None:
            rows = WhitenedRows(rows, book.whitening)
        targets = make_targets(book.atoms, spherical=book.spherical, like=rows)
        return cls(targets, book.whitening)

    def assigned(self, rows):
        """The `Assignment` of `rows`."""
        found = Assignment.empty(rows.shape[0])
        if self.whitening is not None:
            rows = WhitenedRows(rows, self.whitening)[:]
        self.targets.assign(rows, found)
        return found


class Directions(NamedTuple):
    """Directions of centroids, as rows are multiplied by them.

    Whitening is a part of them, :math:`d^T W^T (x - m) = (W d)^T (x - m)`, and costs
    no product of its own.

    Attributes
    ----------
    factor : ndarray (n_features, n_components)
    shift : ndarray (n_features,) or None
        Subtracted from dense rows before the product.
    offset : float64 ndarray (n_components,) or None
        Subtracted from the products of sparse rows.
    """

    factor: np.ndarray
    shift: np.ndarray | None
    offset: np.ndarray | None

    @classmethod
    def of(cls, book, like):
        factor, shift, offset = directions(book.centroids).T, None, None
        if book.whitening is not None:
            factor = book.whitening.matrix @ factor
            shift = book.whitening.mean
        if sp.issparse(like):
            offset = None if shift is None else shift @ factor
            # scipy's product of a sparse and a dense matrix wants the latter C-ordered.
            return cls(np.ascontiguousarray(factor), None, offset)
        dtype = np.float32 if _is_single(like) else np.float64
        shift = None if shift is None else shift.astype(dtype)
        return cls(factor.astype(dtype), shift, offset)

    def products(self, rows, out=None):
        """(n_rows, n_components), C-ordered, for a kernel to overwrite; maybe `out`."""
        if sp.issparse(rows):
            products = rows.astype(np.float64) @ self.factor
            return products if self.offset is None else products - self.offset
        dtype = self.factor.dtype
        rows = rows.astype(dtype, copy=False)
        rows = rows if self.shift is None else rows - self.shift
        return np.matmul(rows, self.factor, out=_fitting(out, dtype))


class Distances(NamedTuple):
    """Centroids, as rows are multiplied by them to find distances.

    Attributes
    ----------
    atoms : ndarray (n_components, n_dimensions)
        The centroids, less the shift.
    factor : ndarray (n_dimensions, n_components)
        The same.
    lengths : ndarray (n_components,)
        Squared lengths of the atoms; 0 with `is_line`.
    is_line : bool
        Whether distances are from the lines through 0 along the atoms, of length 1.
    shift : ndarray (n_dimensions,) or None
        Subtracted from the rows. None where these stay sparse.
    whitening : Whitening or None
    """

    atoms: np.ndarray
    factor: np.ndarray
    lengths: np.ndarray
    is_line: bool
    shift: np.ndarray | None
    whitening: Whitening | None

    @classmethod
    def of(cls, book, like, *, exact=False):
        """With `exact` in float64, whatever the rows `like` are."""
        atoms, whitening, is_line = book.atoms, book.whitening, book.spherical
        if sp.issparse(like) and whitening is None:
            factor, shift = np.ascontiguousarray(atoms.T), None
        else:
            single = _is_single(like, exact)
            shift = np.zeros(atoms.shape[1]) if is_line else atoms.mean(axis=0)
            shift = shift.astype(np.float32 if single else np.float64)
            atoms = atoms - shift
            longest = np.sqrt(np.einsum("ij,ij->i", atoms, atoms).max())
            if single and SHORT < longest < LONG:
                atoms = atoms.astype(np.float32)
            factor, shift = atoms.T, shift.astype(atoms.dtype)
        if whitening is not None:
            matrix = whitening.matrix.astype(atoms.dtype)
            whitening = whitening._replace(matrix=matrix)
        lengths = np.einsum("ij,ij->i", atoms, atoms)
        if is_line:
            lengths[:] = 0.0
        return cls(atoms, factor, lengths, is_line, shift, whitening)

    def products(self, rows, out=None):
        """What the distances of `rows` are made of.

        Returns
        -------
        products : ndarray (n_rows, n_components)
            C-ordered, for a kernel to overwrite; maybe `out`.
        squares : ndarray (n_rows,)
            Squared lengths of the rows, less the shift.
        rows : ndarray (n_rows, n_dimensions)
            These rows; (n_rows, 0) where they are sparse.
        """
        if self.shift is None:
            rows = rows.astype(np.float64)
            squares = rows.power(2).sum(axis=1)
            return rows @ self.factor, squares, np.empty((squares.size, 0))
        dtype = self.atoms.dtype
        rows = rows.astype(dtype, copy=False)
        rows = _whiten(rows, self.whitening) - self.shift
        products = np.matmul(rows, self.factor, out=_fitting(out, dtype))
        return products, np.einsum("ij,ij->i", rows, rows), rows
