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

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._slices import slices

__all__ = [
    "Atoms",
    "Coder",
    "Codes",
    "aligned",
    "apart",
    "has_gaps",
    "join_codes",
    "merge_signs",
    "split_names",
    "split_signs",
    "spread_rows",
    "squared_errors",
    "stack_rows",
    "take_rows",
]

CACHE_LINE = 64
# Addresses that are equal modulo a page share a set of the first-level cache, of which
# there are eight lines. Vectors are put so many bytes apart there: any eight of them
# that are next to one another lie in different sets.
PAGE = 4096
STAGGER = 9 * CACHE_LINE
# Numbers in the residuals formed at once: those of sparse rows are dense.
NUMBERS = 2**15


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

    def __setstate__(self, state):
        vars(self).update(state)
        if "gram" in state:  # a pickle has not kept it where lines of the cache start
            self.gram = aligned(self.size, self.size)
            self.gram[:] = state["gram"]

    @property
    def size(self):
        """The number K of atoms."""
        return self.squares.size

    @cached_property
    def gram(self):
        """G, C-ordered; its diagonal is `squares`, to the bit."""
        gram = aligned(self.size, self.size)
        np.matmul(self.components, self.components.T, out=gram)
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
        inner = aligned(rows.shape[0], self.size)
        np.matmul(rows, self.components.T, out=inner)
        return inner, np.einsum("ij,ij->i", rows, rows)

    def observed(self, mask):
        """These atoms on the features where `mask` is true."""
        return Atoms(self.components[:, mask])


def aligned(*shape):
    """An empty float64 ndarray that starts where a line of the cache does.

    A vector of a modern processor is as long as a line: where each one that a kernel
    reads lies across two, reading takes up to twice as long.
    """
    size = 8 * math.prod(shape)
    memory = np.empty(size + CACHE_LINE, dtype=np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(np.float64).reshape(shape)


def apart(n_vectors, size):
    """Empty float64 vectors for loops that go through all of them in step.

    No two have entries of one index in the same set of the first-level cache. For 1024
    atoms a pursuit takes up to 1.6 times as long where they have.
    """
    step = math.ceil(8 * size / PAGE) * PAGE + STAGGER
    return [row[:size] for row in aligned(n_vectors, step // 8)]


def spread_rows(n_rows, size):
    """An empty float64 ndarray of rows of `size` or more, for loops over several rows.

    As `apart` for rows that are next to one another, but of the least memory.
    """
    step = math.ceil(8 * size / CACHE_LINE) * CACHE_LINE
    beyond = step % PAGE
    if beyond < STAGGER:
        step += STAGGER - beyond
    elif beyond > PAGE - STAGGER:
        step += PAGE + STAGGER - beyond
    return aligned(n_rows, step // 8)


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

    Attributes
    ----------
    counts_only : bool
        Whether what a code costs beyond its error depends on its support alone, so
        that its entries may be scaled, or fitted anew.
    has_objective : bool
        Whether half the error plus the penalty is what codes are to make small, and
        the penalty a function of the code alone. It depends on the atoms as well where
        an alpha is relative.
    """

    counts_only = False

    @property
    def has_objective(self):
        return not getattr(self, "relative", False)

    def prepare(self, atoms):  # noqa: B027, most have something to do, none has to
        """Form what all rows need of `atoms`, once and before threads share them."""

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
        return take_rows(join_codes(parts), np.argsort(order))

    def encode_rows(self, rows, atoms):
        """The codes of `rows`, some of which may lack entries.

        The others are encoded as if these were not there.
        """
        if not has_gaps(rows):
            return self.encode(rows, atoms)
        lacking = np.isnan(rows).any(axis=1)
        order = np.argsort(lacking, kind="stable")
        parts = [self.encode_observed(rows[lacking], atoms)]
        if not lacking.all():
            parts.insert(0, self.encode(rows[~lacking], atoms))
        return take_rows(join_codes(parts), np.argsort(order))

    def at_level(self, n_nonzero):
        """The same coder with another `n_nonzero`, a field that it must have."""
        return replace(self, n_nonzero=n_nonzero)

    def encode_levels(self, rows, atoms, levels):
        """The codes of `rows`, none of whose entries is missing, at each level.

        A coder whose short codes are parts of its longer ones does better.

        Parameters
        ----------
        rows : ndarray or csr_array (n_rows, n_features)
        atoms : Atoms
        levels : sequence of int
            Numbers of non-zeros.

        Returns
        -------
        list of Codes
            For each level what ``at_level(level)`` encodes.
        """
        return [self.at_level(level).encode(rows, atoms) for level in levels]


def has_gaps(rows):
    """Whether an entry of `rows` is NaN; of sparse ones none is."""
    if sp.issparse(rows) or not rows.size:
        return False
    return bool(np.isnan(rows.min()))  # which NaN is, with no array of its own


def join_codes(parts):
    """`Codes` of all rows of the list `parts`, one after another; empties `parts`."""
    fields = list(zip(*parts))
    parts.clear()
    # Field by field, so that no more than one of them is held twice.
    return Codes(*[np.concatenate(fields.pop(0)) for _ in Codes._fields])


def take_rows(codes, rows):
    """The `Codes` of some rows, in the order of `rows`, an ndarray of int."""
    data, indices, lengths, *rest = codes
    starts = (np.cumsum(lengths) - lengths)[rows]
    lengths = lengths[rows]
    # Entry k of a row at `start` moves to where the rows before it now end.
    offsets = np.cumsum(lengths) - lengths
    places = np.repeat(starts - offsets, lengths) + np.arange(lengths.sum())
    return Codes(data[places], indices[places], lengths, *(v[rows] for v in rest))


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


def split_signs(codes):
    """Codes in twice the columns: what is positive, then minus what is negative.

    Parameters
    ----------
    codes : csr_array or ndarray (n_rows, n_components)
    """
    if not sp.issparse(codes):
        positive = np.maximum(codes, 0.0)
        return np.hstack([positive, positive - codes])
    n_rows, n_components = codes.shape
    negative = (codes.data < 0.0).astype(codes.indices.dtype)
    parts = np.abs(codes.data), codes.indices + negative * n_components, codes.indptr
    split = sp.csr_array(parts, shape=(n_rows, 2 * n_components))
    split.sort_indices()
    return split


def split_names(names):
    """The names of the columns that `split_signs` makes of those with `names`."""
    return np.concatenate([names + "_positive", names + "_negative"])


def merge_signs(codes):
    """The codes that `split_signs` has split."""
    half = codes.shape[1] // 2
    return codes[:, :half] - codes[:, half:]


def squared_errors(rows, codes, atoms, observed=None):
    """``||x - D' z||^2`` of each row, from the residual itself.

    Parameters
    ----------
    rows : ndarray or csr_array (n_rows, n_features)
    codes : csr_array (n_rows, n_components)
    atoms : Atoms
    observed : bool ndarray (n_rows, n_features) or None
        Which entries count; all if None.

    Returns
    -------
    errors : float64 ndarray (n_rows,)
    """
    errors = np.empty(rows.shape[0])
    few = max(1, NUMBERS // max(1, rows.shape[1]))
    for part in slices(0, errors.size, few):
        residuals = np.asarray(rows[part] - codes[part] @ atoms.components)
        if observed is not None:
            residuals[~observed[part]] = 0.0
        errors[part] = np.einsum("ij,ij->i", residuals, residuals)
    return errors
