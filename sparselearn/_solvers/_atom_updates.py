r"""Better atoms for given codes, three ways: descent, least squares, K-SVD.

.. math:: \sum_i w_i \|x_i - D^T z_i\|^2

falls, for samples x_i, rows of X (n_samples, n_features), weights w and codes z_i, rows
of Z, by

- *descent*: each atom in turn becomes the best of its set, the others fixed. The codes
  stay as they are, whatever their penalty is.
- *least squares*, the method of optimal directions (Engan, Aase and Husoy, 1999):
  ``D = (Z'WZ)^-1 Z'WX``, its rows then brought to length 1 and codes scaled so that
  their products stay. Where that may not be, since it would change the penalty, or
  raises the error, since atoms must be >= 0, it is descent instead.
- *K-SVD* (Aharon, Elad and Bruckstein, 2006): each atom in turn together with its
  entries in the codes, see :mod:`sparselearn._kernels._ksvd`.

An update is called with X, weights, atoms and `Codes`, and gives new atoms and codes
with their errors; it overwrites none. Where X is NaN the codes say what is updated for.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from sparselearn._kernels import _dictionary, _ksvd
from sparselearn._solvers._coding import Atoms, has_gaps, squared_errors, stack_rows
from sparselearn._solvers._dictionary import AtomSet, update_dictionary
from sparselearn._solvers._slices import slices

__all__ = [
    "DescentUpdate",
    "KSVDUpdate",
    "LeastSquaresUpdate",
    "entries_by_atoms",
    "residuals",
]

# Numbers in a chunk of rows that is dense for the moment.
CHUNK = 2**18
# Passes over the atoms for one set of codes.
PASSES = 3


def _stacked(codes, atoms):
    return stack_rows(codes.data, codes.indices, codes.lengths, atoms.shape[0])


def residuals(X, codes, atoms):
    """``X - Z D``, float64; 0 where X is NaN.

    Parameters
    ----------
    X : ndarray (n_samples, n_features)
    codes : csr_array (n_samples, n_components)
    atoms : ndarray (n_components, n_features)
    """
    rest = codes @ atoms
    np.subtract(X, rest, out=rest)
    rest[np.isnan(rest)] = 0.0
    return rest


def _errors(X, stacked, atoms):
    observed = ~np.isnan(X) if has_gaps(X) else None
    return squared_errors(X, stacked, Atoms(atoms), observed)


def _row_chunks(X):
    return slices(0, X.shape[0], max(1, CHUNK // X.shape[1]))


def _moments(X, weights, atoms, codes):
    """``Z'WZ`` and ``Z'WX``."""
    n_components = atoms.shape[0]
    products = np.zeros((n_components, n_components))
    moments = np.zeros((n_components, X.shape[1]))
    stacked = _stacked(codes, atoms)
    parts = stacked.data, stacked.indices, stacked.indptr, weights
    _dictionary.add_products(*parts, products)
    if sp.issparse(X):
        _dictionary.add_sparse_moments(*parts, X.data, X.indices, X.indptr, moments)
        return products, moments
    for rows in _row_chunks(X):
        some, seen = stacked[rows], X[rows]
        gaps = np.isnan(seen)
        if gaps.any():
            seen = np.where(gaps, some @ atoms, seen)
        seen.flags.writeable = False  # as X is: one signature
        _dictionary.add_dense_moments(
            some.data, some.indices, some.indptr, weights[rows], seen, moments
        )
    return products, moments


@dataclass(frozen=True)
class DescentUpdate:
    """Block coordinate descent on the atoms.

    Parameters
    ----------
    atom_set : AtomSet
    """

    atom_set: AtomSet

    def __call__(self, X, weights, atoms, codes):
        return self._descend(X, atoms, codes, *_moments(X, weights, atoms, codes))

    def _descend(self, X, atoms, codes, products, moments):
        atoms = atoms.copy()
        for _ in range(PASSES):
            update_dictionary(atoms, products, moments, self.atom_set)
        errors = _errors(X, _stacked(codes, atoms), atoms)
        return atoms, codes._replace(errors=errors)


@dataclass(frozen=True)
class LeastSquaresUpdate(DescentUpdate):
    """The method of optimal directions.

    Parameters
    ----------
    atom_set : AtomSet
    scale_codes : bool
        Whether the penalty lets codes be scaled.
    """

    scale_codes: bool = False

    def __call__(self, X, weights, atoms, codes):
        products, moments = _moments(X, weights, atoms, codes)
        used = np.diagonal(products) > 0.0
        best = atoms.copy()
        best[used] = _solve(products[np.ix_(used, used)], moments[used])
        if self.atom_set.positive:
            best = np.maximum(best, 0.0)
        lengths = np.sqrt(np.einsum("ij,ij->i", best, best))
        best, usable = self.atom_set.project(best)
        best[~usable] = atoms[~usable]
        lengths[~usable] = 1.0
        data = codes.data * lengths[codes.indices] if self.scale_codes else codes.data
        found = codes._replace(data=data)
        errors = _errors(X, _stacked(found, best), best)
        if weights @ errors <= weights @ codes.errors:
            return best, found._replace(errors=errors)
        return self._descend(X, atoms, codes, products, moments)


def _solve(products, moments):
    """Least squares by its normal equations, singular or not."""
    try:
        return scipy.linalg.cho_solve(scipy.linalg.cho_factor(products), moments)
    except np.linalg.LinAlgError:
        return scipy.linalg.lstsq(products, moments, cond=1e-12)[0]


@dataclass(frozen=True)
class KSVDUpdate:
    """Approximate K-SVD.

    Parameters
    ----------
    positive, positive_atoms : bool
        Whether entries of codes, and of atoms, are kept >= 0.
    """

    positive: bool = False
    positive_atoms: bool = False

    def __call__(self, X, weights, atoms, codes):
        atoms = atoms.copy()
        stacked = _stacked(codes._replace(data=codes.data.copy()), atoms)
        entries = entries_by_atoms(stacked)
        options = self.positive, self.positive_atoms
        scratch = np.empty(atoms.shape[1])
        if sp.issparse(X):
            _ksvd.sweep_sparse(
                (X.data, X.indices, X.indptr),
                weights,
                (stacked.data, stacked.indices, stacked.indptr),
                *entries,
                atoms,
                scratch,
                *np.empty((2, atoms.shape[0])),
                *options,
            )
            errors = _errors(X, stacked, atoms)
        else:
            rest = residuals(X, stacked, atoms)
            _ksvd.sweep(rest, weights, stacked.data, *entries, atoms, scratch, *options)
            if has_gaps(X):
                rest[np.isnan(X)] = 0.0
            errors = np.einsum("ij,ij->i", rest, rest)
        return atoms, codes._replace(data=stacked.data, errors=errors)


def entries_by_atoms(codes):
    """Where the entries of each atom are in compressed rows.

    Parameters
    ----------
    codes : csr_array (n_samples, n_components)

    Returns
    -------
    firsts : ndarray of int (n_components + 1,)
        The entries of atom j are those from ``firsts[j]`` to ``firsts[j + 1]``.
    rows : ndarray of int (n_nonzero,)
        The row of each.
    places : ndarray of int (n_nonzero,)
        Where it is in ``codes.data``.
    """
    places = np.arange(codes.indices.size, dtype=codes.indptr.dtype)
    where = sp.csr_array((places, codes.indices, codes.indptr), shape=codes.shape)
    where = where.tocsc()
    return where.indptr, where.indices, where.data
