r"""Which centroid is nearest, proved by products of small integers.

What :mod:`sparselearn._kernels._lloyd` does with products of float32, at four times the
speed. The leading coordinates z of a row are rounded to multiples of a unit a of the
row's own, those of a centroid likewise to multiples of b, ::

    z = a q + e,    z_c = b q_c + e_c,    ||e_c|| <= k ||z_c||

so that, with the reaches r of the rests, by the inequality of Cauchy and Schwarz ::

    x'c <= z'z_c + r r_c,
    z'z_c <= a b q'q_c + (||e|| + k ||a q||) ||z_c||

and ``|x'c|`` by the same of ``|q'q_c|``. The sum q'q_c of integers has no rounding. A
centroid is measured in float64 if its bound reaches what the nearest one so far has;
the row's nearest one of the pass before is the first that is measured.
"""

import math
from typing import NamedTuple

import numpy as np

from sparselearn._kernels._distances import product, square_apart
from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel
from sparselearn._kernels._tiles import (
    TILE_COLUMNS,
    TILE_ROWS,
    bound_products,
)

__all__ = ["Panels", "Room", "WholeRows", "round_rows", "settle_whole"]

# Rows whose bounds are made before one of them is settled: they stay in the cache.
FEW = 64
# Of a panel's columns.
BITS = (np.uint32(1) << np.arange(TILE_COLUMNS, dtype=np.uint32)).view(np.int32)
EVERY = np.int64(2**TILE_COLUMNS - 1)
# Which column a bit is of, at 1 less than the power of two modulo 37: these differ.
COLUMNS = np.argsort(2 ** np.arange(36) % 37, kind="stable")
# What rounding may add to a length that is summed in float32, relatively.
ROUNDED = 1.0 + 1e-6


class WholeRows(NamedTuple):
    """Rows in integers.

    Attributes
    ----------
    lanes : int32 ndarray (n_rows, n_lanes)
        q, as :func:`sparselearn._kernels._tiles.bound_products` has it.
    terms : float32 ndarray (n_rows, 4)
        The unit a, ``||e||``, ``||a q||`` and the reach.
    lengths : float32 ndarray (n_rows,)
        ``||x||``.
    """

    lanes: np.ndarray
    terms: np.ndarray
    lengths: np.ndarray

    def part(self, rows):
        """The same of the slice `rows`, as views."""
        return WholeRows(*[values[rows] for values in self])


class Panels(NamedTuple):
    """Centroids in integers, by panels of columns.

    Attributes
    ----------
    lanes : int32 ndarray (n_panels, n_lanes, TILE_COLUMNS)
    starts : int32 ndarray (n_panels, TILE_COLUMNS)
        Minus the product with what is added to a row for it not to be negative.
    terms : float32 ndarray (n_panels, 4, TILE_COLUMNS)
        The unit b, ``||z_c||``, the reach, and minus half the squared length or, if
        `spherical`, 0. Minus infinity beyond the last centroid.
    share : float
        k.
    """

    lanes: np.ndarray
    starts: np.ndarray
    terms: np.ndarray
    share: float


class Room(NamedTuple):
    """Where a kernel keeps what it needs meanwhile.

    Attributes
    ----------
    places : intp ndarray (TILE_ROWS,)
    factors : float32 ndarray (FEW, 3)
    limits : float32 ndarray (FEW,)
    bounds : float32 ndarray (n_panels, FEW, TILE_COLUMNS)
    near : int32 ndarray (FEW, n_panels)
        Bits of the columns that may be the nearest.
    """

    places: np.ndarray
    factors: np.ndarray
    limits: np.ndarray
    bounds: np.ndarray
    near: np.ndarray

    @classmethod
    def of(cls, n_panels):
        return cls(
            np.zeros(TILE_ROWS, dtype=np.intp),
            np.zeros((FEW, 3), dtype=np.float32),
            np.zeros(FEW, dtype=np.float32),
            np.zeros((n_panels, FEW, TILE_COLUMNS), dtype=np.float32),
            np.zeros((FEW, n_panels), dtype=np.int32),
        )


@kernel(fastmath=REASSOCIATE)
def round_rows(values, reaches, top, offset, integers, terms):
    """Round coordinates to integers of at most `top`, to which `offset` is added.

    Parameters
    ----------
    values : float32 ndarray (n_rows, n_coordinates)
    reaches : float32 ndarray (n_rows,)
    integers : uint8 or int16 ndarray (n_rows, n_coordinates or more)
        q + offset.
    terms : float32 ndarray (n_rows, 4)
        As `WholeRows` has them.
    """
    n_rows, n_coordinates = values.shape
    for i in range(n_rows):
        row, whole = values[i], integers[i]
        largest = np.float32(0.0)
        for k in range(n_coordinates):
            size = abs(row[k])
            largest = size if size > largest else largest
        unit = largest / np.float32(top)
        # A row so short that its unit has no inverse is all error.
        inverse = np.float32(1.0) / unit if unit > np.float32(1e-37) else np.float32(0)
        error = length = 0.0
        for k in range(n_coordinates):
            number = np.float32(np.rint(row[k] * inverse))
            whole[k] = np.int32(number) + offset
            near = np.float64(unit) * number
            error += (row[k] - near) * (row[k] - near)
            length += near * near
        terms[i, 0] = unit
        terms[i, 1] = math.sqrt(error) * ROUNDED
        terms[i, 2] = math.sqrt(length) * ROUNDED
        terms[i, 3] = reaches[i]
        if not largest < np.inf:  # nor is it one of integers
            terms[i] = np.inf


@kernel
def _measure(row, centroid, spherical):
    """What the nearest centroid has the least of, and the size."""
    if spherical:
        size = product(row, centroid)
        return -abs(size), size
    return square_apart(row, centroid, 1.0), 1.0


@inlined
def _least_product(measure, length, scale, rounding, spherical):
    """What a centroid's ``x'c - ||c||^2 / 2`` must reach to be as near as `measure`.

    Or ``|x'c|``; in the other unit, and a little less.
    """
    if spherical:
        return np.float32(-measure * scale * (1.0 - rounding))
    square = np.float64(length) * length * (1.0 - rounding)
    return np.float32(0.5 * (square - measure * scale * scale * (1.0 + rounding)))


@kernel
def _reaching(bounds, limit):
    """The bits of the bounds of a panel that are not below the limit."""
    bits = np.int32(0)
    for j in range(TILE_COLUMNS):
        bits |= np.int32(0) if bounds[j] < limit else BITS[j]
    return np.int64(bits) & EVERY


@inlined
def _column(bits):
    """The first column of which there is a bit."""
    return COLUMNS[(bits & -bits) % 37 - 1]


@kernel
def _first(bounds):
    """Where a row has its largest bound, or one that is no number."""
    best, most = 0, -np.inf
    for p in range(bounds.shape[0]):
        bits = _reaching(bounds[p], most)
        while bits != 0:  # a few times, as the most so far goes up
            column = _column(bits)
            bits &= bits - 1
            if not bounds[p, column] <= most:
                best, most = p * TILE_COLUMNS + column, bounds[p, column]
    return best


@kernel
def _bound_few(known, panels, room, are_bytes, spherical, start, some):
    """Write to `room` the bounds of some rows from `start` on.

    Compiled by itself: once, whatever the precision of the rows is.
    """
    places, factors, limits, bounds, near = room
    for p in range(panels.lanes.shape[0]):
        panel, starts, terms = panels.lanes[p], panels.starts[p], panels.terms[p]
        out, bits = bounds[p], near[:, p]
        for first in range(0, some, TILE_ROWS):
            for r in range(TILE_ROWS):
                places[r] = start + min(first + r, some - 1)
            bound_products(
                are_bytes,
                spherical,
                known.lanes,
                places,
                factors,
                first,
                panel,
                starts,
                terms,
                limits,
                out,
                bits,
            )


@kernel(fastmath=REASSOCIATE)
def settle_whole(
    rows,
    centroids,
    known,
    panels,
    room,
    are_bytes,
    scale,
    rounding,
    spherical,
    labels,
    squares,
    sizes,
):
    """Find the nearest centroid of each row, beginning with the one that was nearest.

    Parameters
    ----------
    rows : ndarray (n_rows, n_features)
        As the user gave them.
    centroids : float64 ndarray (n_components, n_features)
        In the same unit and from the same origin; with `spherical` of length 1, or 0.
    known : WholeRows
    panels : Panels
    room : Room
        Overwritten.
    are_bytes : bool
        Whether the integers are.
    scale, rounding : float
        The other unit; the relative error of the square of a length.
    spherical : bool
    labels, squares, sizes : ndarray (n_rows,)
        As :func:`sparselearn._kernels._lloyd.settle` has them, but for labels of -1:
        nothing is known of these rows.
    """
    terms, lengths = known.terms, known.lengths
    _, factors, limits, bounds, near = room
    n_rows, n_components = rows.shape[0], centroids.shape[0]
    n_panels = panels.lanes.shape[0]
    for start in range(0, n_rows, FEW):
        some = min(FEW, n_rows - start)
        for r in range(some):
            i = start + r
            factors[r, 0] = terms[i, 0]
            factors[r, 1] = terms[i, 1] + np.float32(panels.share) * terms[i, 2]
            factors[r, 2] = terms[i, 3]
            limits[r] = -np.inf
            if labels[i] >= 0:
                measure, sizes[i] = _measure(rows[i], centroids[labels[i]], spherical)
                limits[r] = _least_product(
                    measure, lengths[i], scale, rounding, spherical
                )
                squares[i] = measure
        _bound_few(known, panels, room, are_bytes, spherical, start, some)
        for r in range(some):
            i = start + r
            row, label, length = rows[i], labels[i], lengths[i]
            unknown = label < 0
            if unknown:
                label = min(_first(bounds[:, r]), n_components - 1)
                squares[i], sizes[i] = _measure(row, centroids[label], spherical)
            least, size = squares[i], sizes[i]
            needed = _least_product(least, length, scale, rounding, spherical)
            if unknown:
                for p in range(n_panels):
                    near[r, p] = _reaching(bounds[p, r], needed)
            # Measured already.
            near[r, label // TILE_COLUMNS] &= ~BITS[label % TILE_COLUMNS]
            for p in range(n_panels):
                bits = np.int64(near[r, p]) & EVERY
                while bits != 0:
                    column = _column(bits)
                    bits &= bits - 1
                    j = p * TILE_COLUMNS + column
                    if j >= n_components or bounds[p, r, column] < needed:
                        continue
                    measure, along = _measure(row, centroids[j], spherical)
                    if measure < least or (measure == least and j < label):
                        least, label, size = measure, j, along
                        needed = _least_product(
                            least, length, scale, rounding, spherical
                        )
            labels[i], squares[i], sizes[i] = label, least, size
            if spherical:
                squares[i] = square_apart(row, centroids[label], size)
