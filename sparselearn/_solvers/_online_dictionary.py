r"""Online dictionary learning: codes of a batch, their statistics, a step of atoms.

Of the samples seen only the statistics

.. math:: A = \sum_i w_i z_i z_i^T, \quad B = \sum_i w_i z_i x_i^T

are kept, and after each batch every atom moves once to the best that they ask for
(Mairal, Bach, Ponce and Sapiro, 2010). Codes grow stale: older atoms made them. So the
statistics are a window of two halves: when the newer one is full the older one is
dropped. After t samples a half is of

.. math:: \max(\min(t, m), t / 8)

samples, where m is how many it takes for the mean atom to be used twice as often as it
has entries, but no fewer than a few batches and no more than one pass: the window
doubles while all codes are bad, then waits until the atoms have followed, and in the
end is of two passes. Long windows make few errors, short ones make fast progress; with
one of two passes from the start the objective falls several times more slowly.
"""

import copy
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _dictionary as kernels
from sparselearn._solvers._coding import Atoms, has_gaps, join_codes, stack_rows
from sparselearn._solvers._dictionary import (
    AtomSet,
    Learned,
    badly_coded,
    dead_atoms,
    dense_rows,
    new_atoms,
    update_dictionary,
)

__all__ = ["OnlineDictionary", "Tally", "learn_dictionary"]

# Batches in a half of the window, at least.
FEWEST = 4
# Uses of the mean atom in a half of the window, for each of its entries, that let the
# half wait for better atoms; and the share of all samples from which it grows again.
USES = 2
SHARE = 0.125
# Samples that a new atom is given before it counts as unused: as many as would use
# the mean atom so many times.
CHANCES = 20

# Passes without progress, or with little, after which the objective is steady.
PATIENCE = 5


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

    def arranged(self, order, signs):
        """The same with atoms in `order`, and with `signs`."""
        return Statistics(
            self.products[np.ix_(order, order)] * np.outer(signs, signs),
            self.moments[order] * signs[:, None],
            self.usage[order],
        )


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
        # Samples in the newer half of the window.
        self.n_newer = 0

    def learn(self, X, samples, weights, encode, *, longest=None):
        """Learn from some samples, a batch at each step of the iteration.

        Parameters
        ----------
        X : ndarray or csr_array (n_rows, n_features)
            NaN is a missing entry: what the code makes of it counts.
        samples : ndarray of int (n_samples,)
            Rows of X, in the order in which to learn from them.
        weights : float64 ndarray (n_samples,)
            Of these.
        encode : callable
            ``encode(rows, atoms)`` gives the `Codes` of chunks of rows, in order.
        longest : int, optional
            Samples in a half of the window, at most.

        Yields
        ------
        weights : float64 ndarray
            Those of the batch.
        codes : Codes
            Of the batch, by the atoms before they moved.
        """
        start = 0
        while start < samples.size:
            batch = slice(start, start + self.batch_size)
            codes = self._learn_batch(X[samples[batch]], weights[batch], encode)
            self._slide(codes, longest)
            yield weights[batch], codes
            start = batch.stop

    def _learn_batch(self, rows, weights, encode):
        atoms = Atoms(self.atoms)
        gram = atoms.gram  # before threads ask for it
        parts, filled = [], []
        start = 0
        for codes in encode(rows, atoms):
            part = slice(start, start + codes.lengths.size)
            filled.append(_fill_gaps(rows[part], codes, self.atoms))
            self.total.add(filled[-1], weights[part], codes)
            parts.append(codes)
            start = part.stop
        codes = join_codes(parts)
        if codes.data.size:
            self._replace_dead(gram, filled, weights, codes)
            update_dictionary(
                self.atoms, self.total.products, self.total.moments, self.atom_set
            )
        return codes

    def _replace_dead(self, gram, filled, weights, codes):
        """Put badly coded samples, the list `filled` of them, in the place of atoms."""
        chances = CHANCES * self.births.size * codes.lengths.size / codes.data.size
        energies = np.diagonal(self.total.products)
        dead, heirs = dead_atoms(gram, energies, self.n_seen - self.births > chances)
        if dead.size == 0:
            return
        rows = _stack(filled)
        samples = badly_coded(
            codes.errors, _squares(rows), weights, dead.size, self.random_state
        )
        atoms, usable = self.atom_set.project(dense_rows(rows, samples))
        atoms = new_atoms(atoms[usable], self.atoms)
        # As many as there are samples for; the others have another chance.
        dead, heirs = dead[: len(atoms)], heirs[: len(atoms)]
        for j, heir in zip(dead, heirs):
            if heir >= 0:
                sign = 1.0 if gram[j, heir] > 0.0 else -1.0
                self.total.bequeath(j, heir, sign)
                self.older.bequeath(j, heir, sign)
        self.total.forget(dead)
        self.older.forget(dead)
        self.atoms[dead] = atoms[: dead.size]
        self.births[dead] = self.n_seen
        self.n_replaced += dead.size

    def _slide(self, codes, longest):
        """Count the samples of `codes`; drop the older half of the window in time."""
        n_samples = codes.lengths.size
        self.n_seen += n_samples
        self.n_newer += n_samples
        # Were no code other than 0, it would take for ever.
        enough = USES * self.atoms.size * n_samples / max(codes.data.size, 1)
        half = max(min(self.n_seen, enough), SHARE * self.n_seen)
        half = max(half, FEWEST * self.batch_size)
        if self.n_newer >= (half if longest is None else min(half, longest)):
            self.total.rotate(self.older)
            self.n_newer = 0

    def arranged(self, order, signs):
        """The same with atoms in `order`, and with `signs`."""
        other = copy.copy(self)
        other.atoms = self.atoms[order] * signs[:, None]
        other.births = self.births[order]
        other.total = self.total.arranged(order, signs)
        other.older = self.older.arranged(order, signs)
        return other


def _fill_gaps(rows, codes, components):
    """`rows` with what their codes make of what is NaN."""
    if not has_gaps(rows):
        return rows
    stacked = stack_rows(codes.data, codes.indices, codes.lengths, components.shape[0])
    return np.where(np.isnan(rows), stacked @ components, rows)


def _stack(parts):
    return sp.vstack(parts, "csr") if sp.issparse(parts[0]) else np.concatenate(parts)


def _squares(rows):
    """Squared lengths of rows."""
    squares = rows.multiply(rows) if sp.issparse(rows) else np.square(rows)
    return squares.sum(axis=1, dtype=np.float64)


def learn_dictionary(
    state, X, samples, weights, encode, *, max_iter, tol, shuffle, go_on
):
    """Pass over the samples until the objective is steady.

    Parameters
    ----------
    state : OnlineDictionary
        Overwritten.
    X, samples, weights, encode
        As in `OnlineDictionary.learn`.
    max_iter : int
        Passes, at most.
    tol : float
        Stop when the least objective of a few passes is lower than that of all before
        by no more than this share of it; 0 goes on.
    shuffle : bool
        Whether each pass takes the samples in an order of its own.
    go_on : callable
        Asked after each batch whether to.

    Yields
    ------
    Learned
        What there is after each pass. The last one is `converged`, or the
        `max_iter`-th.
    """
    path = []
    for n_iter in range(1, max_iter + 1):
        order = np.arange(samples.size)
        if shuffle:
            state.random_state.shuffle(order)
        tally = Tally()
        for batch in state.learn(
            X, samples[order], weights[order], encode, longest=samples.size
        ):
            tally.add(*batch)
            if not go_on():
                break
        path.append(tally.mean)
        before = min(path[:-PATIENCE], default=np.inf)
        steady = before - min(path[-PATIENCE:]) <= tol * before < np.inf
        # Without codes atoms never move; a user who gives a time wants no more.
        done = (tol > 0.0 and steady) or tally.n_nonzero == 0 or not go_on()
        # One for whom no tolerance is good enough wants all passes.
        converged = done or (tol == 0.0 and n_iter == max_iter)
        usage = state.total.usage
        yield Learned(
            state.atoms, usage, path, n_iter, state.n_replaced, converged, state
        )
        if done:
            return
