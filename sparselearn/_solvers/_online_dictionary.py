r"""Online dictionary learning: codes of a batch, their statistics, one step of the atoms.

Of the samples seen only the statistics

.. math:: A = \sum_i w_i z_i z_i^T, \quad B = \sum_i w_i z_i x_i^T

are kept, and after each batch every atom moves once to the best that they ask for
(Mairal, Bach, Ponce and Sapiro, 2010). Codes grow stale: they were made by older atoms.
So the statistics are a window of two halves. When the newer one is full the older one
is dropped; halves double in length, from a few batches to one pass over the samples,
and statistics thus forget what is older than the last half of all, and in the long
run what is older than two passes.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _dictionary as kernels
from sparselearn._solvers._coding import Atoms, stack_rows
from sparselearn._solvers._dictionary import (
    AtomSet,
    badly_coded,
    dead_atoms,
    update_dictionary,
)

__all__ = ["OnlineDictionary", "Statistics", "Tally"]

# Batches in the first half of the window.
FIRST_HALF = 4
# Samples that a new atom is given before it counts as unused: as many as would use
# the mean atom so many times.
CHANCES = 20


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

    def arrange(self, order, signs):
        """Put atoms into `order` and give them `signs`."""
        self.products = self.products[np.ix_(order, order)] * np.outer(signs, signs)
        self.moments = self.moments[order] * signs[:, None]
        self.usage = self.usage[order]


@dataclass
class Tally:
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

    def add(self, weights, codes):
        self.weight += weights.sum()
        self.objective += weights @ (0.5 * codes.errors + codes.penalties)
        self.n_nonzero += codes.data.size

    @property
    def mean(self):
        return float(self.objective / self.weight)


@dataclass
class OnlineDictionary:
    """The state of online learning. It pickles, and goes on as if it had not stopped.

    Attributes
    ----------
    atoms : float64 ndarray (n_components, n_features)
    atom_set : AtomSet
    batch_size : int
    random_state : RandomState
        Its own.
    n_seen : int
        Samples so far.
    n_replaced : int
        Atoms replaced so far.
    """

    atoms: np.ndarray
    atom_set: AtomSet
    batch_size: int
    random_state: np.random.RandomState
    n_seen: int = 0
    n_replaced: int = 0
    total: Statistics = field(init=False)
    older: Statistics = field(init=False)
    births: np.ndarray = field(init=False)

    def __post_init__(self):
        self.total = Statistics.zeros(*self.atoms.shape)
        self.older = Statistics.zeros(*self.atoms.shape)
        self.births = np.zeros(self.atoms.shape[0], dtype=np.int64)
        # Samples in the newer half of the window, and how many it takes.
        self.n_newer = 0
        self.half = FIRST_HALF * self.batch_size

    def learn(self, X, samples, weights, encode, *, longest=None, go_on=None):
        """Learn from some samples, in batches.

        Parameters
        ----------
        X : ndarray or csr_array (n_rows, n_features)
            NaN is a missing entry.
        samples : ndarray of int (n_samples,)
            Rows of X, in the order in which to learn from them.
        weights : float64 ndarray (n_samples,)
            Of these.
        encode : callable
            ``encode(rows, atoms)`` yields the `Codes` of consecutive chunks of rows.
        longest : int, optional
            Samples in a half of the window, at most.
        go_on : callable, optional
            Asked after each batch whether to.

        Yields
        ------
        codes : list of Codes
            Of a batch.
        """
        start = 0
        while start < samples.size:
            batch = slice(start, start + self.batch_size)
            rows = X[samples[batch]]
            yield self._learn_batch(rows, weights[batch], encode)
            start = batch.stop
            self._slide(rows.shape[0], longest)

    def _learn_batch(self, rows, weights, encode):
        atoms = Atoms(self.atoms)
        gram = atoms.gram  # before threads ask for it
        parts, filled = [], []
        start = 0
        for codes in encode(rows, atoms):
            part = slice(start, start + codes.lengths.size)
            start = part.stop
            parts.append(codes)
            filled.append(_fill_gaps(rows[part], codes, self.atoms))
            self.total.add(filled[-1], weights[part], codes)
        n_nonzero = sum(codes.data.size for codes in parts)
        if n_nonzero:
            self._replace_dead(gram, filled, weights, parts, n_nonzero)
            update_dictionary(
                self.atoms, self.total.products, self.total.moments, self.atom_set
            )
        self.n_seen += start
        return parts
