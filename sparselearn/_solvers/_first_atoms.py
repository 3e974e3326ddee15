"""Atoms to start from, of samples wherever these lie."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from sparselearn._solvers._dictionary import (
    SAME,
    ZERO,
    dense_rows,
    distinct_atoms,
    draw,
)

__all__ = ["Samples", "initial_atoms"]

# Samples looked at for each initial atom, and in all at least.
CANDIDATES = 10
MANY = 1000


class Samples(NamedTuple):
    """Samples in memory.

    Another class may stand for samples elsewhere, with this `size` and these methods.

    Attributes
    ----------
    X : ndarray or csr_array (n_rows, n_features)
        NaN counts as 0.
    rows : ndarray of int (n_samples,)
        Rows of X that are samples.
    weights : ndarray (n_samples,)
        Samples are drawn in proportion; one of weight 0 is absent.
    """

    X: np.ndarray
    rows: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, X, weights):
        """All rows of X."""
        return cls(X, np.arange(X.shape[0]), weights)

    @property
    def size(self):
        return self.rows.size

    def draw(self, n_most, random_state):
        """So many samples, dense and float64, drawn by weight without replacement."""
        return dense_rows(self.X, self.rows[draw(self.weights, n_most, random_state)])

    def weighted(self, n_most, random_state):
        """Rows with the singular vectors of the weighted samples.

        Where samples lie elsewhere these are `n_most` of them, drawn by weight.
        """
        present = self.weights > 0.0
        rows = self.X[self.rows[present]]
        scale = np.sqrt(self.weights[present] / self.weights.max())[:, None]
        if sp.issparse(rows):
            return rows.multiply(scale).tocsr()
        return np.nan_to_num(rows) * scale


def initial_atoms(samples, n_components, init, atom_set, random_state):
    """Atoms to start from.

    Parameters
    ----------
    samples : Samples
    n_components : int
        May exceed the number of samples: what samples do not give is random.
    init : {"data", "k-means++", "svd"} or ndarray (n_components, n_features)
        Samples, as different as their order permits; samples that those before
        explain badly; singular vectors of X, and samples where it has too few; or
        these atoms.
    atom_set : AtomSet
    random_state : RandomState

    Returns
    -------
    atoms : float64 ndarray (n_components, n_features)
    """
    if isinstance(init, str):
        drawn = (samples, n_components, atom_set, random_state)
        found = STARTS[init](*drawn)
        if found.shape[0] < n_components and init != "data":
            others = _samples(*drawn)
            found = distinct_atoms(np.concatenate([found, others]))[:n_components]
        return _fill_up(found, n_components, atom_set, random_state)
    atoms, usable = atom_set.project(init)
    atoms[~usable] = _random(np.count_nonzero(~usable), atoms, atom_set, random_state)
    return atoms


def _fill_up(atoms, n_components, atom_set, random_state):
    missing = n_components - atoms.shape[0]
    return np.concatenate([atoms, _random(missing, atoms, atom_set, random_state)])


def _random(n, atoms, atom_set, random_state):
    """`n` random atoms, of as many features as `atoms` has."""
    rows = random_state.standard_normal((n, atoms.shape[1]))
    return atom_set.project(np.abs(rows) if atom_set.positive else rows)[0]


def _candidates(samples, n_most, atom_set, random_state):
    """Usable samples as atoms, drawn by weight, and their squared lengths."""
    rows = samples.draw(n_most, random_state)
    squares = np.einsum("ij,ij->i", rows, rows)
    atoms, usable = atom_set.project(rows)
    usable &= squares > ZERO**2 * squares.max(initial=0.0)
    return atoms[usable], squares[usable]


def _samples(samples, n_components, atom_set, random_state):
    # Most often the first samples do.
    for n_most in (n_components, max(CANDIDATES * n_components, MANY)):
        atoms, _ = _candidates(samples, n_most, atom_set, random_state)
        atoms = distinct_atoms(atoms)[:n_components]
        if atoms.shape[0] == n_components or n_most >= samples.size:
            break
    return atoms


def _far_samples(samples, n_components, atom_set, random_state):
    """Samples drawn by what the atoms before leave of them (Arthur, 2007, for points).

    That is ``||x||^2 - max_j (d_j'x)^2 / ||d_j||^2``: here atoms stand for lines.
    """
    n_most = max(CANDIDATES * n_components, MANY)
    atoms, squares = _candidates(samples, n_most, atom_set, random_state)
    lengths = np.einsum("ij,ij->i", atoms, atoms)
    left = squares.copy()
    chosen = []
    while len(chosen) < n_components:
        mass = np.cumsum(np.where(left > (1.0 - SAME**2) * squares, left, 0.0))
        if mass.size == 0 or not mass[-1] > 0.0:
            break
        j = int(np.searchsorted(mass, random_state.random_sample() * mass[-1], "right"))
        chosen.append(j)
        cosines = (atoms @ atoms[j]) ** 2 / (lengths * lengths[j])
        left = np.minimum(left, squares * np.maximum(1.0 - cosines, 0.0))
    return atoms[chosen]


def _singular_vectors(samples, n_components, atom_set, random_state):
    rows = samples.weighted(max(CANDIDATES * n_components, MANY), random_state)
    n_most = min(n_components, *rows.shape)
    _, values, vectors = randomized_svd(rows, n_most, random_state=random_state)
    vectors = vectors[values > ZERO * values.max(initial=0.0)]
    atoms, usable = atom_set.project(vectors)
    return distinct_atoms(atoms[usable])


STARTS = {"data": _samples, "k-means++": _far_samples, "svd": _singular_vectors}
