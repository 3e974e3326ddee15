r"""A sample of rows in chunks that stands for all in K-means: a lightweight coreset.

Of a wanted number m of rows each is drawn by itself with the probability
:math:`\min(1, m q_i)`,

.. math:: q_i = \frac{1}{2} \frac{w_i}{\sum_l w_l} +
    \frac{1}{2} \frac{w_i \|x_i - c\|^2}{\sum_l w_l \|x_l - c\|^2},

where c is the mean of all rows, or 0 if centroids are directions, and weighs
:math:`w_i` over that (Bachem, Lucic and Krause, 2018): sums over such a sample are in
the mean those over all rows, and a small heap far away is not missed, as it is by rows
that are drawn alike. It takes one round and no products with centroids, where k-means||
takes several, which cost a few passes.

Whether a row is drawn is up to its number among all rows, not to its chunk.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._slices import slices

__all__ = ["Drawn", "draw_rows", "n_wanted"]

# Rows in a sample: so many if they are no more than so many numbers, but some, and a
# few for each centroid.
ROWS = 2**14
NUMBERS = 2**24
SOME = 2**9
FOR_EACH = 8
# Rows at a time that are made dense in another space.
BLOCK = 4096


def n_wanted(n_components, n_features, *, is_sparse=False):
    """How many rows to draw; if there are no more, all of them."""
    fitting = ROWS if is_sparse else min(ROWS, NUMBERS // n_features)
    return max(FOR_EACH * n_components, SOME, fitting)


class Drawn(NamedTuple):
    """Rows, and what each weighs.

    Attributes
    ----------
    rows : ndarray or csr_array (n_rows, n_features)
    weights : float64 ndarray (n_rows,)
    """

    rows: np.ndarray
    weights: np.ndarray

    def __add__(self, other):
        parts = self.rows, other.rows
        if any(map(sp.issparse, parts)):
            rows = sp.vstack(list(map(sp.csr_array, parts)), format="csr")
        else:
            rows = np.concatenate(parts)
        return Drawn(rows, np.concatenate([self.weights, other.weights]))


def draw_rows(X, weights, start, *, n_rows, seed, spread, spherical, space=None):
    """The `Drawn` rows of a chunk.

    Parameters
    ----------
    X : ndarray or csr_array
    weights : ndarray (n_rows,)
    start : int
        The number of the first row among those of all chunks.
    n_rows : int or None
        Rows that are wanted of all chunks; None is all with weight.
    seed : int
        Less than 2**64.
    spread : Spread
        Of all rows, in the space of centroids.
    spherical : bool
    space : Whitening or None
        The map to that space.
    """
    chances = np.where(weights > 0.0, 1.0, 0.0)
    if n_rows is not None:
        shares = 0.5 * weights / spread.weight
        total = spread.weight * (spread.energy if spherical else spread.variance)
        if total > 0.0:
            mean = 0.0 if spherical else spread.mean
            squares = _squares_from(mean, X, space)
            shares += 0.5 * weights * squares / total
        chances = np.minimum(1.0, n_rows * shares)
    some = np.flatnonzero(_uniform(seed, start, X.shape[0]) < chances)
    return Drawn(X[some], weights[some] / chances[some])


def _squares_from(mean, X, space):
    """Squared distances of rows from a mean in a space, or from 0."""
    found = np.empty(X.shape[0])
    for block in slices(0, X.shape[0], BLOCK):
        rows = X[block] if space is None else space.apply(X[block])
        if not sp.issparse(rows):
            rows = rows - mean
            found[block] = np.einsum("ij,ij->i", rows, rows)
            continue
        rows = rows.astype(np.float64)
        found[block] = rows.power(2).sum(axis=1)
        if np.ndim(mean):
            found[block] += mean @ mean - 2.0 * (rows @ mean)
    return np.maximum(0.0, found)


def _uniform(seed, start, n_rows):
    """Numbers in [0, 1) of rows from number `start` on."""
    # Four of them are made from a counter and the seed.
    skipped = start % 4
    numbers = np.random.Philox(key=seed, counter=start // 4)
    return np.random.Generator(numbers).random(skipped + n_rows)[skipped:]
