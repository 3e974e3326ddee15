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

from sparselearn._solvers._code_statistics import (
    Statistics,
    Tally,
    add_codes,
    squared_lengths,
    stack_parts,
)
from sparselearn._solvers._coding import Atoms
from sparselearn._solvers._dictionary import (
    AtomSet,
    Learned,
    badly_coded,
    dead_atoms,
    dense_rows,
    new_atoms,
    update_dictionary,
)

__all__ = ["OnlineDictionary", "learn_dictionary", "pass_until_steady"]

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
            self._slide(codes.lengths.size, codes.data.size, longest)
            yield weights[batch], codes
            start = batch.stop

    def _learn_batch(self, rows, weights, encode):
        atoms = Atoms(self.atoms)
        gram = atoms.gram  # before threads ask for it
        codes, filled = add_codes(self.total, rows, weights, atoms, encode)

        def draw_bad(n_most):
            rows = stack_parts(filled)
            coded = codes.errors, squared_lengths(rows), weights
            return dense_rows(rows, badly_coded(*coded, n_most, self.random_state))

        self._move(gram, codes.lengths.size, codes.data.size, draw_bad)
        return codes

    def learn_elsewhere(self, code, bad_rows, *, longest=None):
        """Learn from a batch whose rows lie elsewhere.

        Parameters
        ----------
        code : callable
            ``code(atoms)`` gives the `Coded` of the batch, by `Atoms`.
        bad_rows : callable
            ``bad_rows(atoms, n_most, random_state)`` gives the rows of it that
            `badly_coded` draws, dense and float64; what is NaN as codes give it.
        longest : int, optional
            As in `learn`.

        Returns
        -------
        Coded
        """
        atoms = Atoms(self.atoms)
        gram = atoms.gram  # before it is sent to several places
        batch = code(atoms)
        self.total.take(batch.sums)

        def draw_bad(n_most):
            return bad_rows(atoms, n_most, self.random_state)

        n_samples, n_nonzero = batch.n_samples, batch.tally.n_nonzero
        self._move(gram, n_samples, n_nonzero, draw_bad)
        self._slide(n_samples, n_nonzero, longest)
        return batch

    def _move(self, gram, n_samples, n_nonzero, draw_bad):
        """Move the atoms to where the statistics want them, after a batch."""
        if n_nonzero:
            self._replace_dead(gram, n_samples / n_nonzero, draw_bad)
            update_dictionary(
                self.atoms, self.total.products, self.total.moments, self.atom_set
            )

    def _replace_dead(self, gram, samples_per_use, draw_bad):
        """Put badly coded samples, ``draw_bad(n_most)``, in the place of atoms."""
        chances = CHANCES * self.births.size * samples_per_use
        energies = np.diagonal(self.total.products)
        dead, heirs = dead_atoms(gram, energies, self.n_seen - self.births > chances)
        if dead.size == 0:
            return
        atoms, usable = self.atom_set.project(draw_bad(dead.size))
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

    def _slide(self, n_samples, n_nonzero, longest):
        """Count the samples of a batch; drop the older half of the window in time."""
        self.n_seen += n_samples
        self.n_newer += n_samples
        # Were no code other than 0, it would take for ever.
        enough = USES * self.atoms.size * n_samples / max(n_nonzero, 1)
        half = max(min(self.n_seen, enough), SHARE * self.n_seen)
        # Of rows elsewhere a batch may be larger than asked for.
        half = max(half, FEWEST * max(self.batch_size, n_samples))
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


def learn_dictionary(
    state, X, samples, weights, encode, *, max_iter, tol, shuffle, go_on
):
    """Pass over samples in memory until the objective is steady.

    Parameters
    ----------
    state, max_iter, tol, go_on
        As in `pass_until_steady`.
    X, samples, weights, encode
        As in `OnlineDictionary.learn`.
    shuffle : bool
        Whether each pass takes the samples in an order of its own.

    Yields
    ------
    Learned
    """

    def one_pass():
        order = np.arange(samples.size)
        if shuffle:
            state.random_state.shuffle(order)
        for batch in state.learn(
            X, samples[order], weights[order], encode, longest=samples.size
        ):
            yield Tally.of(*batch)

    yield from pass_until_steady(
        state, one_pass, max_iter=max_iter, tol=tol, go_on=go_on
    )


def pass_until_steady(state, one_pass, *, max_iter, tol, go_on):
    """Pass over the samples until the objective is steady.

    Parameters
    ----------
    state : OnlineDictionary
        Overwritten.
    one_pass : callable
        Begins a pass in which `state` learns: an iterable of the `Tally` of each batch.
    max_iter : int
        Passes, at most.
    tol : float
        Stop when the least objective of a few passes is lower than that of all before
        by no more than this share of it; 0 goes on.
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
        tally = Tally()
        for batch in one_pass():
            tally += batch
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
