r"""Fewer coordinates for rough products: those in which rows differ most.

In a basis of principal directions rows and centroids have most of their length in the
leading d coordinates. A product of these, with the lengths of the rests as one more, is
no smaller than the product of all; so a centroid whose bound is too low is out, after d
multiplications and not n_features. The fewer they are the more centroids are left, each
of which must be measured. How many are left is seen on a few rows.
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "BYTES",
    "SHORTS",
    "Integers",
    "Sketch",
    "choose_integers",
    "choose_products",
    "rests",
]

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
    n_most : int
        Coordinates whose products have a sum in int32.
    """

    dtype: np.dtype
    signed: np.dtype
    most: int
    offset: int
    price: float
    n_most: int

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


BYTES = Integers(np.uint8, np.int8, 127, 128, 0.25, 2**16)
SHORTS = Integers(np.int16, np.int16, 2**15 - 1, 0, 0.5, 2**31)


class Choice:
    """What products of each kind would cost, by a few rows that are tried.

    Parameters
    ----------
    rows : callable
        ``rows(numbers)`` gives some rows in float64, in a unit and from an origin of
        the caller's.
    n_rows : int
    centroids : float64 ndarray (n_components, n_features)
        In the same unit and from the same origin; with `spherical` of length 1.
    spherical : bool
    prices : dict
        Of a product of `Integers`, and of floats: of None.
    """

    def __init__(self, rows, n_rows, centroids, *, spherical, prices):
        self.rows = rows(np.linspace(0, n_rows - 1, min(n_rows, TRIED)).astype(int))
        self.centroids, self.spherical, self.prices = centroids, spherical, prices
        self.squares = np.square(self.rows).sum(axis=1)
        self.centroid_squares = np.square(centroids).sum(axis=1)
        products = self._least(self.rows @ centroids.T)
        self.needed = products.max(axis=1, keepdims=True)

    def _least(self, products):
        if self.spherical:
            return np.abs(products)
        return products - 0.5 * self.centroid_squares

    def cost(self, kind, z, c):
        """Multiplications of floats for a row and a centroid with some coordinates."""
        if kind is None:
            bounds = self._least(z @ c.T)
        else:
            bounds, slacks = _whole_products(kind, z, c)
            bounds = self._least(bounds) + slacks
        bounds += np.outer(
            rests(self.squares, z, 0.0), rests(self.centroid_squares, c, 0.0)
        )
        n_measured = np.count_nonzero(bounds >= self.needed) / len(z) - 1.0
        n_components, n_features = self.centroids.shape
        n_measured *= LATER * DEAR * (n_features + MORE) / n_components
        return self.prices[kind] * (z.shape[1] + 2) + n_measured

    def integers(self):
        """The cheapest kind for all coordinates, and its cost."""
        costs = {
            kind: self.cost(kind, self.rows, self.centroids) for kind in self.prices
        }
        best = min(costs, key=costs.get)
        return best, costs[best]


def choose_integers(rows, n_rows, centroids, **options):
    """What makes one pass the fastest, of a `Choice` with all coordinates."""
    return Choice(rows, n_rows, centroids, **options).integers()[0]


def choose_products(rows, n_rows, centroids, **options):
    """What makes many passes the fastest: the `integers` and the `sketch` of a frame.

    All parameters are those of `Choice`.
    """
    choice = Choice(rows, n_rows, centroids, **options)
    integers, cost = choice.integers()
    n_components, n_features = centroids.shape
    if n_rows * n_components < n_features**2 or n_features < 8:
        return {"integers": integers, "sketch": None}
    some = rows(np.linspace(0, n_rows - 1, min(n_rows, ROWS)).astype(int))
    _, basis = np.linalg.eigh(some.T @ some)
    basis = basis[:, ::-1]
    z, c = choice.rows @ basis, centroids @ basis
    best, sketch = ENOUGH * cost, None
    for d in sorted({max(1, round(share * n_features)) for share in SHARES}):
        for kind, price in choice.prices.items():
            if price * d >= best:
                continue
            cost = choice.cost(kind, z[:, :d], c[:, :d])
            if cost < best:
                best, integers = cost, kind
                sketch = Sketch(basis[:, :d].copy(), cost)
    return {"integers": integers, "sketch": sketch}


def _whole_products(kind, z, c):
    """Products of rounded coordinates, and what these may differ from others by."""
    rounded, units, _, _ = kind.round(z)
    others, other_units, lengths, share = kind.round(c)
    rounded, others = rounded * units[:, None], others * other_units[:, None]
    slacks = np.linalg.norm(z - rounded, axis=1)
    slacks += share * np.linalg.norm(rounded, axis=1)
    return rounded @ others.T, np.outer(slacks, lengths)
