r"""Fewer coordinates for rough products: those in which rows differ most.

In a basis of principal directions rows and centroids have most of their length in the
leading d coordinates. A product of these, with the lengths of the rests as one more, is
no smaller than the product of all; so a centroid whose bound is too low is out, after d
multiplications and not n_features. The fewer they are the more centroids are left, each
of which must be measured. How many are left is seen on a few rows.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["Sketch", "choose_sketch"]

# Rows that principal directions are made of, and rows that are tried, at most.
ROWS = 4096
TRIED = 256
# Shares of the coordinates that are tried.
SHARES = np.arange(0.1, 0.8, 0.05)
# A centroid that is measured takes as long as so many multiplications of a product do
# for each feature, and so many features more.
DEAR = 5.0
MORE = 100
# In the passes that follow so many are, of those that are measured at the start.
LATER = 0.5
# A sketch pays from so small a share of the time on.
ENOUGH = 0.9


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


def choose_sketch(rows, n_rows, centroids, *, spherical):
    """The `Sketch` that makes passes the fastest, or None if none makes them faster.

    Parameters
    ----------
    rows : callable
        ``rows(numbers)`` gives some rows in float64, in a unit and from an origin of
        the caller's.
    n_rows : int
    centroids : float64 ndarray (n_components, n_features)
        In the same unit and from the same origin; with `spherical` of length 1.
    spherical : bool
    """
    n_components, n_features = centroids.shape
    if n_rows * n_components < n_features**2 or n_features < 8:
        return None
    some = rows(np.linspace(0, n_rows - 1, min(n_rows, ROWS)).astype(int))
    _, basis = np.linalg.eigh(some.T @ some)
    basis = basis[:, ::-1]
    tried = np.linspace(0, n_rows - 1, min(n_rows, TRIED)).astype(int)
    z, c = rows(tried) @ basis, centroids @ basis
    squares, centroid_squares = np.square(z).sum(axis=1), np.square(c).sum(axis=1)

    def least(products):
        if spherical:
            return np.abs(products)
        return products - 0.5 * centroid_squares

    needed = least(z @ c.T).max(axis=1, keepdims=True)
    best = None
    for d in sorted({max(1, round(share * n_features)) for share in SHARES}):
        reaches = np.outer(
            rests(squares, z[:, :d], 0.0), rests(centroid_squares, c[:, :d], 0.0)
        )
        bounds = least(z[:, :d] @ c[:, :d].T) + reaches
        n_measured = np.count_nonzero(bounds >= needed) / tried.size - 1.0
        n_measured *= LATER * DEAR * (n_features + MORE) / n_components
        cost = d + 2 + n_measured
        if best is None or cost < best.cost:
            best = Sketch(basis[:, :d].copy(), cost)
    return best if best.cost <= ENOUGH * n_features else None
