r"""Batch dictionary learning: the codes of all samples and all atoms in turn, downhill.

.. math:: F(D, Z) = \frac{1}{\sum_i w_i} \sum_i w_i
          \left( \tfrac12 \|x_i - D^T z_i\|^2 + P(z_i) \right)

for samples x_i, rows of X (n_samples, n_features), their weights w, and the penalty P
of a coder: its codes are the best for a convex P, and a guess for a pursuit. F never
rises. With the update of the atoms it falls, the codes or their supports given. What
comes then is taken if F falls by both steps together, else

- atoms that few samples use, or that nearly repeat another one, are not replaced from
  then on; only unused ones are, on which no code depends;
- a sample keeps its old code where that is better, with the new atoms, than the one
  that the coder finds;
- if F still does not fall, since only rounding is left, all stays as it was.

Old codes only where they are needed: a pursuit that may lose on some samples, as long
as it gains on all, finds better dictionaries.

Where X lacks entries (NaN) errors are over the others, and atoms are updated as if
those that lack were what the codes give: that is a function above F which touches it
where it stands, so what lowers the one lowers the other.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._coding import (
    Atoms,
    has_gaps,
    join_codes,
    squared_errors,
    stack_rows,
    take_rows,
)
from sparselearn._solvers._dictionary import (
    AtomSet,
    Learned,
    badly_coded,
    dead_atoms,
)

__all__ = ["Alternation", "costs", "learn"]

# An atom that less than this share of the mean number of samples use is rarely used.
RARE = 0.2


class Alternation(NamedTuple):
    """How to alternate.

    Attributes
    ----------
    encode : callable
        ``encode(X, atoms)`` gives the `Codes` of rows.
    update : callable
        ``update(X, weights, atoms, codes)`` gives new atoms, and codes with their
        errors; it overwrites neither.
    atom_set : AtomSet
        What replaced atoms are in.
    downhill : bool
        Whether F is one function. It is not where the penalty depends on the atoms, as
        with a relative alpha, nor where a coder stops at an error: then the coder's
        codes are taken as they are, and F may rise.
    max_iter : int
    max_time : float or None
        Seconds after which no further iteration begins.
    tol : float
        Stop when F changes by no more than this share of it, or than the square of this
        share of what codes of zeros give, where F goes to 0.
    """

    encode: Callable
    update: Callable
    atom_set: AtomSet
    downhill: bool
    max_iter: int
    max_time: float | None
    tol: float


def costs(codes):
    """What each sample adds to F."""
    return 0.5 * codes.errors + codes.penalties


def learn(X, weights, atoms, how, random_state):
    """Alternate from the atoms given, until F is steady.

    Parameters
    ----------
    X : ndarray or csr_array (n_samples, n_features)
    weights : float64 ndarray (n_samples,)
        All positive.
    atoms : float64 ndarray (n_components, n_features)
        Of the set of atoms.
    how : Alternation
    random_state : RandomState
        Draws the samples that replace atoms.

    Yields
    ------
    Learned
        What there is after each iteration. The last one is `converged`, or the
        `max_iter`-th.
    """
    begin = time.perf_counter()
    alternator = _Alternator(X, weights, how, random_state)
    codes = how.encode(X, atoms)
    path = [alternator.objective(codes)]
    n_replaced = 0
    for n_iter in range(1, how.max_iter + 1):
        atoms, codes, value, n_new = alternator.step(atoms, codes, path[-1])
        n_replaced += n_new
        path.append(value)
        scale = max(path[-2], how.tol * alternator.null_value)
        converged = abs(path[-2] - value) <= how.tol * scale
        late = how.max_time is not None and time.perf_counter() - begin > how.max_time
        usage = np.bincount(
            codes.indices,
            np.repeat(weights, codes.lengths) * codes.data**2,
            minlength=atoms.shape[0],
        )
        done = converged or late
        yield Learned(atoms, usage, path[1:], n_iter, n_replaced, done)
        if done:
            return


class _Alternator:
    """Alternations on some data."""

    def __init__(self, X, weights, how, random_state):
        self.X = X
        self.weights = weights
        self.how = how
        self.random_state = random_state
        self._squares = _squared_lengths(X)
        # Whether atoms are replaced that some code uses.
        self._bold = True

    @property
    def null_value(self):
        """F of codes of zeros."""
        return self._mean(0.5 * self._squares)

    def objective(self, codes):
        """F."""
        return self._mean(costs(codes))

    def _mean(self, values):
        return float(self.weights @ values / self.weights.sum())

    def step(self, atoms, codes, value):
        """One alternation.

        Parameters
        ----------
        atoms, codes, value
            Where it begins, and F there.

        Returns
        -------
        atoms, codes, value
            Where it ends; the same if F would not fall.
        n_new : int
            Atoms replaced.
        """
        how = self.how
        updated, old = how.update(self.X, self.weights, atoms, codes)
        attempts = self._replaceable(updated, old)
        for dead in attempts:
            trial, n_new = self._replace(updated, old, dead)
            found = how.encode(self.X, trial)
            if how.downhill and not self.objective(found) < value:
                found = _better(_without(old, dead[:n_new]), found)
            reached = self.objective(found)
            if reached < value or (dead is attempts[-1] and not how.downhill):
                return trial, found, reached, n_new
            self._bold = False
        return atoms, codes, value, 0

    def _replaceable(self, atoms, codes):
        """Atoms to replace, with little and then with no risk: ndarrays of int."""
        used = codes.data != 0.0
        mass = np.repeat(self.weights, codes.lengths)
        usage = np.bincount(codes.indices[used], mass[used], minlength=atoms.shape[0])
        unused = np.flatnonzero(usage == 0.0)
        if not self._bold:
            return [unused]
        twins, _ = dead_atoms(atoms @ atoms.T, usage)
        rare = np.flatnonzero(usage <= RARE * usage.mean())
        risky = np.union1d(twins, rare)
        return [risky, unused] if risky.size > unused.size else [unused]

    def _replace(self, atoms, codes, dead):
        """Samples with large errors in place of `dead` atoms, the first so many."""
        if dead.size == 0:
            return atoms, 0
        samples = badly_coded(
            codes.errors, self._squares, self.weights, dead.size, self.random_state
        )
        new, usable = self.how.atom_set.project(self._rows(samples, atoms, codes))
        new = new[usable]
        atoms = atoms.copy()
        atoms[dead[: new.shape[0]]] = new
        return atoms, new.shape[0]

    def _rows(self, samples, atoms, codes):
        """Some rows of X, dense; what is NaN as the codes give it."""
        rows = self.X[samples]
        rows = rows.toarray() if sp.issparse(rows) else rows
        old = take_rows(codes, samples)
        fits = stack_rows(old.data, old.indices, old.lengths, atoms.shape[0]) @ atoms
        return np.where(np.isnan(rows), fits, rows)


def _squared_lengths(X):
    """Sums of squares of the rows, over what is not NaN."""
    nothing = sp.csr_array((X.shape[0], 1))
    observed = ~np.isnan(X) if has_gaps(X) else None
    return squared_errors(X, nothing, Atoms(np.zeros((1, X.shape[1]))), observed)


def _without(codes, dead):
    """`codes`, of infinite error where they use one of the `dead` atoms."""
    if dead.size == 0:
        return codes
    rows = np.repeat(np.arange(codes.lengths.size), codes.lengths)
    errors = codes.errors.copy()
    errors[rows[np.isin(codes.indices, dead) & (codes.data != 0.0)]] = np.inf
    return codes._replace(errors=errors)


def _better(codes, others):
    """Of two `Codes` of the same rows each row's better one."""
    theirs = costs(others) <= costs(codes)
    if theirs.all():
        return others
    n_rows = theirs.size
    rows = np.arange(n_rows) + n_rows * theirs
    return take_rows(join_codes([codes, others]), rows)
