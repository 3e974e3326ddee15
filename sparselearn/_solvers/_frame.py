"""The unit, the origin and the basis in which rough products of rows are made."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _lloyd as kernels
from sparselearn._kernels._tiles import multiplies_integers
from sparselearn._solvers._sketch import BYTES, SHORTS, Integers, Sketch, rests

__all__ = ["BLOCK", "Coordinates", "Frame", "dense", "frame_near"]

# Rows whose coordinates are made at a time: they stay in the cache.
BLOCK = 512


def dense(rows):
    """Some rows as a float64 ndarray."""
    rows = rows.toarray() if sp.issparse(rows) else rows
    return rows.astype(np.float64)


class Coordinates(NamedTuple):
    """Rows in the other unit.

    Attributes
    ----------
    values : ndarray (n_rows, n_coordinates or 2 more)
        Products of float that are not `spherical` have the reach and 1 as well.
    lengths, reaches : ndarray (n_rows,)
        See :mod:`sparselearn._kernels._lloyd`.
    """

    values: np.ndarray
    lengths: np.ndarray
    reaches: np.ndarray

    @classmethod
    def empty(cls, n_rows, frame):
        """To be overwritten, but for the 1."""
        width = frame.n_coordinates + 2 * frame.has_reaches
        values = np.ones((n_rows, width), dtype=frame.dtype)
        return cls(values, *np.empty((2, n_rows), dtype=frame.dtype))

    def part(self, rows):
        """The same of the slice `rows`, as views."""
        return Coordinates(*[values[rows] for values in self])


class Frame(NamedTuple):
    """The unit, the origin and the basis in which rough products are made.

    Attributes
    ----------
    spherical : bool
    shift : ndarray (n_features,)
        The origin, of the dtype of the rows: the nearer to them, the fewer centroids
        are measured. 0 if `spherical`.
    scale : float
        Rows become ``scale * (row - shift)``; a power of two, so that no digit changes.
    integers : Integers or None
        What coordinates are rounded to; None for products of floats.
    sketch : Sketch or None
    """

    spherical: bool
    shift: np.ndarray
    scale: float
    integers: Integers | None = None
    sketch: Sketch | None = None

    @classmethod
    def of(cls, spherical, origin, size, dtype):
        """The frame about `origin` where what is `size` from there is about 1."""
        origin = np.zeros_like(origin) if spherical else origin
        integers = SHORTS if multiplies_integers() else None
        scale = 2.0 ** -np.frexp(size)[1]
        return cls(spherical, origin.astype(dtype), scale, integers)

    @property
    def dtype(self):
        """That of coordinates."""
        single = np.dtype(np.float32)
        return self.shift.dtype if self.integers is None else single

    @property
    def rounding(self):
        """Twice what rounding can make in a sum of so many products, relatively."""
        return (self.shift.size + 8) * float(np.finfo(self.dtype).eps)

    @property
    def n_coordinates(self):
        return self.shift.size if self.sketch is None else self.sketch.basis.shape[1]

    @property
    def has_reaches(self):
        """Whether they are coordinates, beside the leading ones."""
        return self.integers is None and not self.spherical

    @property
    def options(self):
        """What there is to choose from, for a `Choice`."""
        floats = {None: self.shift.itemsize / 4}
        kinds = () if self.integers is None else (SHORTS, BYTES)
        prices = {k: k.price for k in kinds if self.shift.size <= k.n_most}
        return {"spherical": self.spherical, "prices": prices | floats}

    def moved(self, rows):
        """Rows in the other unit, in float64."""
        return (dense(rows) - self.shift) * self.scale

    def coordinates(self, rows, found):
        """Write to `found` the `Coordinates` of up to `BLOCK` rows."""
        values, lengths, reaches = found
        scale = self.shift.dtype.type(self.scale)
        if self.sketch is None:
            kernels.centre(rows, self.shift, scale, values, lengths)
            np.multiply(lengths, np.sqrt(self.rounding), out=reaches)
        else:
            centred = np.empty(rows.shape, dtype=self.dtype)
            kernels.centre(rows, self.shift, scale, centred, lengths)
            leading = values[:, : self.n_coordinates]
            np.matmul(centred, self.sketch.basis.astype(self.dtype), out=leading)
            rounding = self.sketch.rounding(self.rounding)
            squares = np.square(lengths, dtype=np.float64)
            reaches[:] = rests(squares, leading, rounding)
        if self.has_reaches:
            values[:, -2] = reaches

    def targets(self, centroids):
        """Squared lengths of centroids, their coordinates and reaches, in float64."""
        # Directions have no unit.
        moved = centroids if self.spherical else self.moved(centroids)
        squares = np.einsum("ij,ij->i", moved, moved)
        if self.sketch is None:
            return squares, moved, np.sqrt(self.rounding * squares)
        moved = moved @ self.sketch.basis
        rounding = self.sketch.rounding(self.rounding)
        return squares, moved, rests(squares, moved, rounding)


def frame_near(centroids, spherical, dtype):
    """The `Frame` for rows that are about where the centroids are."""
    origin = np.mean(centroids, axis=0, dtype=np.float64)
    size = 1.0 if spherical else np.abs(centroids - origin).max(initial=0.0)
    return Frame.of(spherical, origin, size, dtype)
