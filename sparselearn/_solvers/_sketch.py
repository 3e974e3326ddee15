r"""Fewer coordinates for rough products: those in which rows differ most.

In a basis of principal directions rows and centroids have most of their length in the
leading d coordinates. A product of these, with the lengths of the rests as one more, is
no smaller than the product of all; so a centroid whose bound is too low is out, after d
multiplications and not n_features. The fewer they are the more centroids are left, each
of which must be measured. How many are left is seen on a few rows.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["BYTES", "SHORTS", "Integers", "Sketch", "choose_products", "rests"]

# Rows that principal directions are made of, and rows that are tried, at most.
ROWS = 4096
TRIED = 256
# Shares of the coordinates that are tried.
SHARES = np.arange(0.1, 0.8, 0.05)
# A centroid that is measured takes as long as so many multiplications of a product do
# for each feature, and so many features more.
DEAR = 8.0
MORE = 100
# In the passes that follow so many are, of those that are measured at the start.
LATER = 0.5
# A sketch pays from so small a share of the time on.
ENOUGH = 0.9
# Coordinates whose products of bytes have a sum in int32.
MOST_BYTES = 2**16
# What rounding may add to a length, relatively.
ROUNDED = 1.0 + 1e-6


class Sketch(NamedTuple):
    """An orthonormal basis of leading coordinates.

    Attributes
    ----------
    basis : float64 ndarray (n_features, n_coordinates)
    cost : float
        Multiplications for a row and a centroid, what is measured among them.
    """

    basis: np.ndarray
    cost: float

    def rounding(self, rounding):
        """`rounding`, of a product of all coordinates, for those of the basis."""
        # Each coordinate of a row is a product of its own.
        return 3.0 * (1.0 + np.sqrt(self.basis.shape[1])) * rounding


def rests(squares, coordinates, rounding):
    """The reach of rows, of which squared lengths and some coordinates are known."""
    known = np.einsum("ij,ij->i", coordinates, coordinates, dtype=np.float64)
    return np.sqrt(np.maximum(0.0, squares - known) + rounding * squares)


class Integers(NamedTuple):
    """A kind of integers that coordinates are rounded to.

    Attributes
    ----------
    dtype, signed : dtype
        Of rows and of centroids.
    most : int
    offset : int
        Added to those of rows.
    price : float
        Of a product, in those of float32.
    """

    dtype: np.dtype
    signed: np.dtype
    most: int
    offset: int
    price: float

    @property
    def n_in_lane(self):
        return 4 // np.dtype(self.dtype).itemsize

    def top(self, n_coordinates):
        """The largest so that a sum of so many products fits into int32."""
        if self.offset:
            return self.most
        return min(self.most, int(np.sqrt((2**31 - 1) // n_coordinates)))

    def round(self, rows):
        """Float64 rows as integers; their units and lengths, and k.

        The unit of each is a number of float32, and the largest error of a row is k
        times its length.
        """
        top = self.top(rows.shape[1])
        units = np.abs(rows).max(axis=1, initial=0.0, keepdims=True) / top
        units = units.astype(np.float32).astype(np.float64)
        whole = np.rint(rows / np.where(units > 0.0, units, 1.0)).clip(-top, top)
        errors = np.linalg.norm(rows - units * whole, axis=1)
        lengths = np.linalg.norm(rows, axis=1) * ROUNDED
        share = np.divide(errors, lengths, out=np.zeros_like(errors), where=lengths > 0)
        return whole, units[:, 0], lengths, float(share.max()) * ROUNDED


BYTES = Integers(np.uint8, np.int8, 127, 128, 0.25)
SHORTS = Integers(np.int16, np.int16, 2**15 - 1, 0, 0.5)


def choose_products(rows, n_rows, centroids, *, spherical, whole):
    """What makes passes the fastest: the `integers` and the `sketch` of a frame.

    Parameters
    ----------
    rows : callable
        ``rows(numbers)`` gives some rows in float64, in a unit and from an origin of
        the caller's.
    n_rows : int
    centroids : float64 ndarray (n_components, n_features)
        In the same unit and from the same origin; with `spherical` of length 1.
    spherical : bool
    whole : bool
        Whether products of integers may be made.
    """
    n_components, n_features = centroids.shape
    kinds = [SHORTS] if whole else [None]
    if whole and n_features <= MOST_BYTES:
        kinds.append(BYTES)
    if n_rows * n_components < n_features**2 or n_features < 8:
        return {"integers": kinds[0], "sketch": None}
    some = rows(np.linspace(0, n_rows - 1, min(n_rows, ROWS)).astype(int))
    _, basis = np.linalg.eigh(some.T @ some)
    basis = basis[:, ::-1]
    tried = rows(np.linspace(0, n_rows - 1, min(n_rows, TRIED)).astype(int))
    squares = np.square(tried).sum(axis=1)
    centroid_squares = np.square(centroids).sum(axis=1)

    def least(products):
        if spherical:
            return np.abs(products)
        return products - 0.5 * centroid_squares

    needed = least(tried @ centroids.T).max(axis=1, keepdims=True)

    def cost(kind, z, c):
        reaches = np.outer(rests(squares, z, 0.0), rests(centroid_squares, c, 0.0))
        if kind is None:
            bounds = least(z @ c.T)
        else:
            bounds, slacks = _whole_products(kind, z, c)
            bounds = least(bounds) + slacks
        n_measured = np.count_nonzero(bounds + reaches >= needed) / len(tried) - 1.0
        n_measured *= LATER * DEAR * (n_features + MORE) / n_components
        return _price(kind) * (z.shape[1] + 2) + n_measured

    plain = {kind: cost(kind, tried, centroids) for kind in kinds}
    integers = min(plain, key=plain.get)
    best, sketch = ENOUGH * plain[integers], None
    z, c = tried @ basis, centroids @ basis
    for d in sorted({max(1, round(share * n_features)) for share in SHARES}):
        for kind in kinds:
            if _price(kind) * d >= best:
                continue
            spent = cost(kind, z[:, :d], c[:, :d])
            if spent < best:
                best, integers = spent, kind
                sketch = Sketch(basis[:, :d].copy(), spent)
    return {"integers": integers, "sketch": sketch}


def _price(kind):
    return 1.0 if kind is None else kind.price


def _whole_products(kind, z, c):
    """Products of rounded coordinates, and what these may differ from others by."""
    rounded, units, _, _ = kind.round(z)
    others, other_units, lengths, share = kind.round(c)
    rounded, others = rounded * units[:, None], others * other_units[:, None]
    slacks = np.linalg.norm(z - rounded, axis=1)
    slacks += share * np.linalg.norm(rounded, axis=1)
    return rounded @ others.T, np.outer(slacks, lengths)
