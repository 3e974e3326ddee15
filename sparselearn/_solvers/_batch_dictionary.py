r"""Batch dictionary learning: the codes of all samples and all atoms in turn, downhill.

.. math:: F(D, Z) = \frac{1}{\sum_i w_i} \sum_i w_i
          \left( \tfrac12 \|x_i - D^T z_i\|^2 + P(z_i) \right)

for samples x_i, rows of X (n_samples, n_features), their weights w, and the penalty P
of a coder: its codes are the best for a convex P, and a guess for a pursuit. F never
rises:

- an update of the atoms lowers F with the codes given, or with their supports;
- unused atoms are replaced, which changes no code; double ones are if the samples
  whose codes that changes gain by it together;
- a sample whose old code is better, with the new atoms, than what the coder finds keeps
  it;
- a step by which F does not fall, since only rounding is left, is undone and the last.

Where X lacks entries (NaN) errors are over the others, and atoms are updated as if
those that lack were what the codes give: that is a function above F which touches it
where it stands, so what lowers the one lowers the other.
"""

import time
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._atom_updates import squared_errors
from sparselearn._solvers._coding import join_codes, stack_rows, take_rows
from sparselearn._solvers._dictionary import Learned, badly_coded, dead_atoms

__all__ = ["Alternation", "costs", "learn"]


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
        Stop when F changes by less than this share.
    """

    encode: callable
    update: callable
    atom_set: object
    downhill: bool
    max_iter: int
    max_time: float | None
    tol: float


def costs(codes):
    """What each sample adds to F."""
    return 0.5 * codes.errors + codes.penalties


def learn(X, weights, atoms, how, random_state):
    """Alternate from the atoms given.

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

    Returns
    -------
    Learned
        Its `objective_path` has F after each iteration.
    """
    begin = time.perf_counter()
    nursery = _Nursery(X, weights, how, random_state)
    codes = how.encode(X, atoms)
    path = [_mean(costs(codes), weights)]
    n_replaced = 0
    for _ in range(how.max_iter):
        before = atoms, codes
        atoms, codes = how.update(X, weights, atoms, codes)
        atoms, codes, n_new = nursery.replace(atoms, codes)
        found = how.encode(X, atoms)
        codes = _better(codes, found) if how.downhill else found
        value = _mean(costs(codes), weights)
        if how.downhill and not value < path[-1]:
            (atoms, codes), value, n_new = before, path[-1], 0
        n_replaced += n_new
        path.append(value)
        converged = abs(path[-2] - value) <= how.tol * path[-2]
        late = how.max_time is not None and time.perf_counter() - begin > how.max_time
        if converged or late:
            break
    usage = _energies(codes, weights, atoms.shape[0])
    return Learned(atoms, usage, path[1:], len(path) - 1, n_replaced, converged or late)


def _mean(values, weights):
    return float(weights @ values / weights.sum())


def _better(codes, others):
    """Of two `Codes` of the same rows each row's better one."""
    theirs = costs(others) <= costs(codes)
    if theirs.all():
        return others
    n_rows = theirs.size
    return take_rows(join_codes([codes, others]), np.arange(n_rows) + n_rows * theirs)


def _energies(codes, weights, n_components):
    """``A_jj``: the weighted sums of squared entries of each atom."""
    mass = np.repeat(weights, codes.lengths) * codes.data**2
    return np.bincount(codes.indices, mass, minlength=n_components)


class _Nursery:
    """Puts samples with large errors in place of unused atoms, and of double ones."""

    def __init__(self, X, weights, how, random_state):
        self.X = X
        self.weights = weights
        self.how = how
        self.random_state = random_state
        nothing = sp.csr_array((X.shape[0], 1)), np.zeros((1, X.shape[1]))
        self._squares = squared_errors(X, *nothing)

    def replace(self, atoms, codes):
        """New atoms and codes, or those given; and how many atoms are new."""
        energies = _energies(codes, self.weights, atoms.shape[0])
        dead, _ = dead_atoms(atoms @ atoms.T, energies)
        unused = dead[energies[dead] == 0.0]
        for some in (dead, unused):
            if some.size:
                found = self._trial(atoms, codes, some)
                if found is not None:
                    return found
        return atoms, codes, 0

    def _trial(self, atoms, codes, dead):
        """Replace `dead` atoms; None if the samples that are coded anew lose by it."""
        weights = self.weights
        samples = badly_coded(
            codes.errors, self._squares, weights, dead.size, self.random_state
        )
        new, usable = self.how.atom_set.project(self._rows(samples, atoms, codes))
        new, samples = new[usable], samples[usable]
        dead = dead[: samples.size]
        if dead.size == 0:
            return None
        atoms = atoms.copy()
        atoms[dead] = new
        entries = np.isin(codes.indices, dead) & (codes.data != 0.0)
        loses = np.zeros(weights.size, dtype=bool)
        loses[np.repeat(np.arange(weights.size), codes.lengths)[entries]] = True
        rows = np.union1d(np.flatnonzero(loses), samples)
        old = take_rows(codes, rows)
        # A code that uses none of these atoms is as good as it was.
        kept = old._replace(errors=np.where(loses[rows], np.inf, old.errors))
        found = _better(kept, self.how.encode(self.X[rows], atoms))
        if weights[rows] @ (costs(found) - costs(old)) > 0.0:
            return None
        position = np.arange(weights.size)
        position[rows] = weights.size + np.arange(rows.size)
        return atoms, take_rows(join_codes([codes, found]), position), dead.size

    def _rows(self, samples, atoms, codes):
        """Some rows of X, dense; what is NaN as the codes give it."""
        rows = self.X[samples]
        rows = rows.toarray() if sp.issparse(rows) else rows
        old = take_rows(codes, samples)
        fits = stack_rows(old.data, old.indices, old.lengths, atoms.shape[0]) @ atoms
        return np.where(np.isnan(rows), fits, rows)
