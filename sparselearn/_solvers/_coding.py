r"""Codes of rows by the atoms of a dictionary: what all coders share.

A row x of X (n_samples, n_features) has a code z of K numbers, most of them zero,
such that ``x ~ D' z`` for the dictionary D (K, n_features), whose rows d_j are atoms.
Coders see a row through its products with the atoms, and the atoms through theirs
with one another,

.. math:: c = D x, \quad G = D D^T, \quad \|x - D^T z\|^2 = \|x\|^2 - 2 c'z + z'G z,

so that after one matrix product for a chunk of rows nothing depends on n_features.
All is computed in float64, whatever the dtype of the rows: differences of products
lose half of the digits.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = ["Atoms", "Coder", "Codes", "stack_rows"]


class Atoms:
    """The atoms of a dictionary, with what coders need of them.

    Parameters
    ----------
    components : array (n_components, n_features)
        Of any lengths; an atom of length 0 is in no code.

    Attributes
    ----------
    components : float64 ndarray (n_components, n_features), C-ordered
    squares : float64 ndarray (n_components,)
        Squared lengths of the atoms.
    """

    def __init__(self, components):
        self.components = np.ascontiguousarray(components, dtype=np.float64)
        self.squares = np.einsum("ij,ij->i", self.components, self.components)
        self._made = {}

    @property
    def size(self):
        """The number K of atoms."""
        return self.squares.size

    @cached_property
    def gram(self):
        """G, C-ordered; its diagonal is `squares`, to the bit."""
        gram = np.ascontiguousarray(self.components @ self.components.T)
        np.fill_diagonal(gram, self.squares)
        return gram

    def once(self, key, make):
        """``make()`` the first time, and what that was from then on: a coder's own."""
        if key not in self._made:
            # Of two threads that are here together both get what the first has made.
            return self._made.setdefault(key, make())
        return self._made[key]

    @cached_property
    def transposed(self):
        """D', C-ordered."""
        # scipy's product of a sparse and a dense matrix wants the latter C-ordered.
        return np.ascontiguousarray(self.components.T)

    def products(self, rows):
        """The products of `rows` with the atoms, and the rows' squared lengths.

        Parameters
        ----------
        rows : ndarray or csr_array (n_rows, n_features), of any float dtype

        Returns
        -------
        inner : float64 ndarray (n_rows, n_components)
            C-ordered, for a kernel to overwrite.
        squares : float64 ndarray (n_rows,)
        """
        rows = rows.astype(np.float64, copy=False)
        if sp.issparse(rows):
            squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
            return np.ascontiguousarray(rows @ self.transposed), squares
        return rows @ self.components.T, np.einsum("ij,ij->i", rows, rows)

    def observed(self, mask):
        """These atoms on the features where `mask` is true."""
        return Atoms(self.components[:, mask])


class Codes(NamedTuple):
    """Codes of some rows, as parts of compressed rows.

    Attributes
    ----------
    data : float64 ndarray (n_nonzero,)
    indices : int32 ndarray (n_nonzero,)
        Ascending in each row.
    lengths : int64 ndarray (n_rows,)
        Non-zeros of each row.
    errors : float64 ndarray (n_rows,)
        Squared errors, ``||x - D' z||^2``, over the observed features.
    penalties : float64 ndarray (n_rows,)
        What the coder adds to half the squared error to give its objective; 0 for a
        coder that has no penalty.
    status : int8 ndarray (n_rows,)
        0 where the code is as good as asked for; 1 where it is not, since the coder
        ran out of iterations; 2 where a pursuit ended before what was asked for, since
        no atom that is left explains any of the row.
    """

    data: np.ndarray
    indices: np.ndarray
    lengths: np.ndarray
    errors: np.ndarray
    penalties: np.ndarray
    status: np.ndarray


class Coder(ABC):
    """A way to turn rows into codes, whatever the dictionary.

    Coders are frozen dataclasses of options; they may be shared by threads.
    """

    @abstractmethod
    def encode(self, rows, atoms):
        """The codes of `rows`, none of whose entries is missing.

        Parameters
        ----------
        rows : ndarray or csr_array (n_rows, n_features)
        atoms : Atoms

        Returns
        -------
        Codes
        """

    def encode_observed(self, rows, atoms):
        """The codes of dense `rows` by what is not NaN in them.

        Rows that lack the same entries are encoded together, by the atoms without
        these; a coder whose work does not need all Gram products does better.
        """
        observed = ~np.isnan(rows)
        masks, group = np.unique(observed, axis=0, return_inverse=True)
        group = group.ravel()  # numpy 2.0 gives it another shape
        order = np.argsort(group, kind="stable")
        parts = []
        for k, mask in enumerate(masks):
            some = rows[group == k][:, mask]
            parts.append(self.encode(some, atoms.observed(mask)))
        return _reordered(parts, order)


def _reordered(parts, order):
    """The `Codes` of all `parts`, whose i-th row is the ``order[i]``-th wanted."""
    data, indices, lengths, *rest = (np.concatenate(part) for part in zip(*parts))
    starts = np.cumsum(lengths) - lengths
    position = np.argsort(order)
    lengths, starts = lengths[position], starts[position]
    # Entry k of a row at `start` moves to where the rows before it now end.
    offsets = np.cumsum(lengths) - lengths
    places = np.repeat(starts - offsets, lengths) + np.arange(lengths.sum())
    rest = (values[position] for values in rest)
    return Codes(data[places], indices[places], lengths, *rest)


def stack_rows(data, indices, lengths, n_components):
    """The csr_array of compressed rows that have so many `lengths` entries each."""
    small = data.size < np.iinfo(np.int32).max
    starts = np.zeros(lengths.size + 1, dtype=np.int32 if small else np.int64)
    np.cumsum(lengths, out=starts[1:])
    codes = sp.csr_array(
        (data, indices, starts), shape=(lengths.size, n_components), copy=False
    )
    codes.has_canonical_format = True
    return codes
