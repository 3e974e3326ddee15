"""What all learners of dictionaries share: atoms that move, kept apart, in order.

A dictionary D (K, n_features) has atoms as rows, each on the unit sphere or, for sparse
atoms, on the elastic-net sphere (:mod:`sparselearn._kernels._dictionary`); hence only
codes carry the units of X, and every threshold here is a share of something.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _dictionary as kernels
from sparselearn._solvers._slices import slices

__all__ = [
    "SAME",
    "ZERO",
    "AtomSet",
    "Drawn",
    "Learned",
    "badly_coded",
    "canonical",
    "coherence",
    "dead_atoms",
    "dense_rows",
    "distinct_atoms",
    "draw",
    "new_atoms",
    "update_dictionary",
]

# Samples of a larger |cosine| are one atom to start from.
SAME = 0.99
# Atoms come to be one where they are so many times nearer to one another than the
# median atom is to its nearest, in 1 - |cosine|: in few dimensions, or where all
# samples are much alike, all atoms are close. This within bounds on the |cosine|.
NEARER = 4.0
CLOSE = 0.9
# An atom of less than this share of the mean energy A_jj is unused.
UNUSED = 1e-4
# Rows of a smaller share of the largest length are zero.
ZERO = 1e-12
# What a sample may weigh when it is drawn for its error: no more than this quantile.
CLIP = 0.95
# Atoms updated at a time: small enough that most of the work is matrix products.
BLOCK = 32


class Learned(NamedTuple):
    """What a learner found.

    Attributes
    ----------
    atoms : float64 ndarray (n_components, n_features)
    usage : float64 ndarray (n_components,)
        How much the samples used each atom, in any unit: orders the atoms.
    objective_path : list of float
        Mean objective of a sample, after each pass over the samples.
    n_iter : int
        Passes over the samples.
    n_replaced : int
        How often an atom was replaced.
    converged : bool
        False where passes ended before the objective was steady, though asked to.
    state : object
        What a learner needs to go on from here, if it can; has an `arranged` too.
    """

    atoms: np.ndarray
    usage: np.ndarray
    objective_path: list
    n_iter: int
    n_replaced: int
    converged: bool
    state: object = None

    def arranged(self, *, keep_signs):
        """The same with atoms as :func:`canonical` has them."""
        order, signs = canonical(self.usage, self.atoms, keep_signs=keep_signs)
        return self._replace(
            atoms=self.atoms[order] * signs[:, None],
            usage=self.usage[order],
            state=self.state and self.state.arranged(order, signs),
        )


@dataclass(frozen=True)
class AtomSet:
    """The set that atoms are in.

    Parameters
    ----------
    positive : bool
        Whether atoms have no negative entry.
    l1_ratio : float in [0, 1]
        rho of the elastic-net sphere; 0 is the unit sphere.
    """

    positive: bool = False
    l1_ratio: float = 0.0

    def project(self, rows):
        """The points of the set nearest to `rows`, and which rows have one.

        Parameters
        ----------
        rows : ndarray (n, n_features)

        Returns
        -------
        atoms : float64 ndarray (n, n_features)
            A copy; rows that have none are as they were.
        usable : ndarray of bool (n,)
        """
        atoms = np.array(rows, dtype=np.float64, order="C")
        if self.l1_ratio > 0.0:
            # What to shrink must not depend on units: from a length of 1.
            lengths = np.sqrt(np.einsum("ij,ij->i", atoms, atoms))
            atoms /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
        usable = np.empty(atoms.shape[0], dtype=np.bool_)
        sizes = np.empty(atoms.shape[1])
        kernels.project_atoms(atoms, self.positive, self.l1_ratio, sizes, usable)
        return atoms, usable


def update_dictionary(atoms, products, moments, atom_set):
    """Move each atom once to the best of its set, overwriting `atoms`.

    Blocks of atoms: what is left for them, ``B - A D``, by a matrix product, and what
    the moves of one change for the next ones within the block by a kernel.

    Parameters
    ----------
    atoms : float64 ndarray (n_components, n_features), C-ordered
    products, moments : float64 ndarrays
        A and B.
    atom_set : AtomSet
    """
    # What sums are after those of an older window were taken off may be rounding.
    floor = UNUSED**2 * np.mean(np.diagonal(products))
    scratch = np.empty((2, atoms.shape[1]))
    for block in slices(0, atoms.shape[0], BLOCK):
        rest = moments[block] - products[block] @ atoms
        kernels.update_atoms(
            rest,
            np.ascontiguousarray(products[block, block]),
            atoms[block],
            floor,
            atom_set.positive,
            float(atom_set.l1_ratio),
            scratch,
        )


# -- samples ------------------------------------------------------------------


def dense_rows(X, samples):
    """Some rows of X, dense and float64; what is NaN is 0."""
    some = X[samples]
    some = some.toarray() if sp.issparse(some) else some
    return np.nan_to_num(some.astype(np.float64))


class Drawn(NamedTuple):
    """Rows drawn in proportion to a mass, without replacement, in that order.

    By the largest m_i-th roots of uniform numbers (Efraimidis and Spirakis, 2006): so
    what is drawn of some rows and of others gives, by a sum, what is drawn of all.

    Attributes
    ----------
    keys : ndarray (n_drawn,)
        Descending.
    places : ndarray of int (n_drawn,)
    n_most : int
    """

    keys: np.ndarray
    places: np.ndarray
    n_most: int

    @classmethod
    def of(cls, mass, n_most, random_state, *, largest=None, first=0):
        """Of rows that are at `first` and after it.

        Parameters
        ----------
        mass : ndarray (n_rows,)
            All positive.
        n_most : int
            Of fewer rows all are drawn.
        largest : float, optional
            That of all masses; None is that of these.
        """
        relative = mass / (mass.max() if largest is None else largest)
        keys = np.log(1.0 - random_state.random_sample(mass.size)) / relative
        return cls(keys, np.arange(first, first + mass.size), n_most)._first()

    def __add__(self, other):
        keys = np.concatenate([self.keys, other.keys])
        places = np.concatenate([self.places, other.places])
        return Drawn(keys, places, self.n_most)._first()

    def _first(self):
        order = np.argsort(-self.keys, kind="stable")[: self.n_most]
        return self._replace(keys=self.keys[order], places=self.places[order])


def draw(mass, n_most, random_state):
    """Where `mass` is not 0: `Drawn` so many times."""
    candidates = np.flatnonzero(mass > 0.0)
    return candidates[Drawn.of(mass[candidates], n_most, random_state).places]


def distinct_atoms(atoms):
    """Those of `atoms` that are not nearly one before them, in order."""
    gram = np.ascontiguousarray(atoms @ atoms.T)
    twins = np.empty(atoms.shape[0], dtype=np.int64)
    kernels.find_twins(gram, np.diagonal(gram).copy(), SAME, twins)
    return atoms[twins < 0]


# -- atoms kept apart ---------------------------------------------------------


def dead_atoms(gram, energies, ages=None):
    """Atoms to replace: those that nearly repeat another one, and those unused.

    Parameters
    ----------
    gram : float64 ndarray (n_components, n_components)
        Products of the atoms.
    energies : float64 ndarray (n_components,)
        A_jj, or another measure of use.
    ages : ndarray of bool, optional
        Which atoms are old enough to have been used; None: all.

    Returns
    -------
    dead : ndarray of int
        In ascending order.
    twins : ndarray of int
        Of each of these the atom, not dead itself, that it repeats; -1 if none.
    """
    n_components = energies.size
    twin_of = np.empty(n_components, dtype=np.int64)
    squares = np.diagonal(gram).copy()
    kernels.find_twins(gram, squares, _twin_cosine(gram, squares), twin_of)
    unused = energies < UNUSED * np.mean(energies)
    if ages is not None:
        unused &= ages
    heirs = np.where(unused, -1, np.arange(n_components))
    for j in np.flatnonzero((twin_of >= 0) & ~unused):
        i = _survivor(heirs, twin_of[j])
        if i >= 0:
            less, more = (i, j) if energies[i] < energies[j] else (j, i)
            heirs[less] = more
    dead = np.flatnonzero(heirs != np.arange(n_components))
    return dead, np.array([_survivor(heirs, j) for j in dead], dtype=np.intp)


def _twin_cosine(gram, squares):
    """The absolute cosine beyond which atoms nearly repeat one another."""
    inverses = np.divide(1.0, squares, out=np.zeros(squares.size), where=squares > 0.0)
    cosines = np.empty(squares.size)
    kernels.nearest_cosines(gram, inverses, cosines)
    return float(np.clip(1.0 - np.median(1.0 - cosines) / NEARER, CLOSE, SAME))


def _survivor(heirs, j):
    """Who has what was j's, in the end; -1 if nobody."""
    while j >= 0 and heirs[j] != j:
        j = heirs[j]
    return j


def badly_coded(errors, squares, weights, n_most, random_state):
    """Samples to become atoms: drawn by their squared error, without replacement.

    Errors count up to their 95th percentile, so that outliers are no likelier than
    the worst of the others.

    Parameters
    ----------
    errors, squares : ndarray (n_samples,)
        Squared errors of the codes, and squared lengths of the samples.
    weights : ndarray (n_samples,)
    n_most : int
        Fewer are drawn where few samples have an error.
    random_state : RandomState

    Returns
    -------
    samples : ndarray of int
    """
    bad = errors > ZERO * squares
    if not np.any(weights[bad] > 0.0):
        return np.empty(0, dtype=np.intp)
    mass = np.where(bad, np.minimum(errors, np.quantile(errors[bad], CLIP)), 0.0)
    return draw(mass * weights, n_most, random_state)


def new_atoms(atoms, others):
    """Those of `atoms` that nearly repeat neither one of `others` nor one before."""
    squares, limits = (np.einsum("ij,ij->i", some, some) for some in (atoms, others))
    products = atoms @ others.T
    known = products**2 > SAME**2 * squares[:, None] * limits
    return distinct_atoms(atoms[~known.any(axis=1)])


# -- atoms in order -----------------------------------------------------------


def canonical(usage, atoms, *, keep_signs):
    """The order and the signs that make equal dictionaries the same.

    Parameters
    ----------
    usage : ndarray (n_components,)
    atoms : ndarray (n_components, n_features)
    keep_signs : bool
        Whether signs stay, as codes that must not be negative need.

    Returns
    -------
    order : ndarray of int (n_components,)
        The most used atom first.
    signs : float64 ndarray (n_components,)
        Of the atoms in that order: makes the entry of the largest size positive, the
        first of those equal but for rounding.
    """
    order = np.argsort(-usage, kind="stable")
    if keep_signs:
        return order, np.ones(order.size)
    atoms = atoms[order]
    sizes = np.abs(atoms)
    largest = sizes >= (1.0 - 1e-9) * sizes.max(axis=1, keepdims=True)
    entries = atoms[np.arange(order.size), np.argmax(largest, axis=1)]
    return order, np.where(entries < 0.0, -1.0, 1.0)


def coherence(atoms):
    """The largest absolute cosine between two atoms; 0 for a single one."""
    atoms = np.asarray(atoms, dtype=np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", atoms, atoms))
    atoms = atoms / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    cosines = np.abs(atoms @ atoms.T)
    np.fill_diagonal(cosines, 0.0)
    return float(min(cosines.max(initial=0.0), 1.0))
