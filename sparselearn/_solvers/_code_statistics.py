r"""What codes of samples ask of the atoms that made them, as sums.

.. math:: A = \sum_i w_i z_i z_i^T, \quad B = \sum_i w_i z_i x_i^T

for samples x_i of weight w_i and their codes z_i.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _dictionary as kernels
from sparselearn._solvers._coding import has_gaps, join_codes, stack_rows

__all__ = [
    "Coded",
    "Fits",
    "Statistics",
    "Tally",
    "add_codes",
    "code_rows",
    "fill_gaps",
    "squared_lengths",
    "stack_parts",
]


@dataclass
class Statistics:
    """What is kept of samples and codes.

    Attributes
    ----------
    products : float64 ndarray (n_components, n_components)
        A.
    moments : float64 ndarray (n_components, n_features)
        B.
    usage : float64 ndarray (n_components,)
        Weight of the samples that use each atom.
    """

    products: np.ndarray
    moments: np.ndarray
    usage: np.ndarray

    @classmethod
    def zeros(cls, n_components, n_features):
        square = np.zeros((n_components, n_components))
        return cls(square, np.zeros((n_components, n_features)), np.zeros(n_components))

    def add(self, rows, weights, codes):
        """Add some samples: `rows` (n_rows, n_features) and their `Codes`."""
        starts = np.concatenate([[0], np.cumsum(codes.lengths)])
        parts = (codes.data, codes.indices, starts, weights)
        kernels.add_products(*parts, self.products)
        if sp.issparse(rows):
            compressed = (rows.data, rows.indices, rows.indptr)
            kernels.add_sparse_moments(*parts, *compressed, self.moments)
        else:
            kernels.add_dense_moments(*parts, rows, self.moments)
        mass = np.repeat(weights, codes.lengths)
        self.usage += np.bincount(codes.indices, mass, minlength=self.usage.size)

    def __add__(self, other):
        return Statistics(
            self.products + other.products,
            self.moments + other.moments,
            self.usage + other.usage,
        )

    def take(self, other):
        """Add another's in place."""
        self.products += other.products
        self.moments += other.moments
        self.usage += other.usage

    def rotate(self, older):
        """Drop what `older` holds; it then holds what is left."""
        self.products -= older.products
        self.moments -= older.moments
        self.usage -= older.usage
        older.products[:] = self.products
        older.moments[:] = self.moments
        older.usage[:] = self.usage

    def bequeath(self, j, heir, sign):
        """Count what atom j was used for as uses of `heir`, its twin but for `sign`."""
        self.products[heir] += sign * self.products[j]
        self.products[:, heir] += sign * self.products[:, j]
        self.moments[heir] += sign * self.moments[j]
        self.usage[heir] += self.usage[j]

    def forget(self, atoms):
        self.products[atoms] = 0.0
        self.products[:, atoms] = 0.0
        self.moments[atoms] = 0.0
        self.usage[atoms] = 0.0

    def arranged(self, order, signs):
        """The same with atoms in `order`, and with `signs`."""
        return Statistics(
            self.products[np.ix_(order, order)] * np.outer(signs, signs),
            self.moments[order] * signs[:, None],
            self.usage[order],
        )


class Tally(NamedTuple):
    """Sums over samples as they were coded, before the atoms moved.

    Attributes
    ----------
    weight : float
    objective : float
        Weighted sum of half the squared error and the penalty.
    n_nonzero : int
    """

    weight: float = 0.0
    objective: float = 0.0
    n_nonzero: int = 0

    @classmethod
    def of(cls, weights, codes):
        objective = weights @ (0.5 * codes.errors + codes.penalties)
        return cls(weights.sum(), objective, codes.data.size)

    def __add__(self, other):
        return Tally(*(mine + theirs for mine, theirs in zip(self, other)))

    @property
    def mean(self):
        return float(self.objective / self.weight)


class Coded(NamedTuple):
    """What the codes of some rows ask of the atoms that made them.

    Attributes
    ----------
    sums : Statistics
    tally : Tally
    n_samples : int
    """

    sums: Statistics
    tally: Tally
    n_samples: int

    def __add__(self, other):
        return Coded(*(mine + theirs for mine, theirs in zip(self, other)))


class Fits(NamedTuple):
    """How well codes fit some rows, one after another.

    Attributes
    ----------
    errors, squares, weights : float64 ndarrays (n_rows,)
        Squared errors, squared lengths and weights.
    """

    errors: np.ndarray
    squares: np.ndarray
    weights: np.ndarray

    def __add__(self, other):
        return Fits(*map(np.concatenate, zip(self, other)))


def code_rows(rows, weights, atoms, encode):
    """Encode rows that lie elsewhere than the state of learning does.

    Parameters
    ----------
    rows, weights
        Of the rows.
    atoms : Atoms
    encode : callable
        ``encode(rows, atoms)`` gives the `Codes` of chunks of rows, in order.

    Returns
    -------
    coded : Coded
    fits : Fits
    codes : Codes
    """
    sums = Statistics.zeros(*atoms.components.shape)
    codes, filled = add_codes(sums, rows, weights, atoms, encode)
    coded = Coded(sums, Tally.of(weights, codes), codes.errors.size)
    return (
        coded,
        Fits(codes.errors, squared_lengths(stack_parts(filled)), weights),
        codes,
    )


def add_codes(sums, rows, weights, atoms, encode):
    """Encode rows, and add what comes of it to `sums`.

    Returns
    -------
    codes : Codes
    filled : list
        Parts of the rows, as they were added.
    """
    parts, filled = [], []
    start = 0
    for codes in encode(rows, atoms):
        part = slice(start, start + codes.lengths.size)
        filled.append(fill_gaps(rows[part], codes, atoms.components))
        sums.add(filled[-1], weights[part], codes)
        parts.append(codes)
        start = part.stop
    return join_codes(parts), filled


def fill_gaps(rows, codes, components):
    """`rows` with what their codes make of what is NaN."""
    if not has_gaps(rows):
        return rows
    stacked = stack_rows(codes.data, codes.indices, codes.lengths, components.shape[0])
    return np.where(np.isnan(rows), stacked @ components, rows)


def stack_parts(parts):
    return sp.vstack(parts, "csr") if sp.issparse(parts[0]) else np.concatenate(parts)


def squared_lengths(rows):
    """Squared lengths of rows."""
    squares = rows.multiply(rows) if sp.issparse(rows) else np.square(rows)
    return squares.sum(axis=1, dtype=np.float64)
