r"""Codes by orthogonal matching pursuit: atoms taken one by one, fitted by all taken.

.. math:: \min_z \tfrac{1}{2} \|x - D^T z\|^2 + \alpha \|z\|_0
          \quad\text{or}\quad \min_z \|z\|_0 : \|x - D^T z\|^2 \le \tau \|x\|^2

or the least squared error with so many non-zeros, greedily. The pursuits are in
`_kernels/_omp.py`; here is what is asked of them, and what became of it.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels._omp import Pursuit
from sparselearn._kernels._pursuit_codes import (
    Dictionary,
    Found,
    Wish,
    form_errors,
    pursue_rows,
)
from sparselearn._solvers._coding import Coder, Codes, aligned

__all__ = [
    "PursuitCoder",
    "codes_of",
    "inverse_lengths",
    "room_for",
    "rounding_of",
    "scratch_for",
]

# A product of an atom of length 1 with the residual that is less than this share of
# the row's length is rounding.
FLOOR = 1e-9
# So many times more than that, squared, is more than rounding.
ROUNDING = 1e4
# Below this share of the squared length a squared error is worth a look at the row.
NEAR = 1e-6
# So many rows are looked at together.
FEW = 128
# Of an atom's squared length at least so much must be observed of a row for products
# to be formed by what is missing: what is left has two digits less.
OBSERVED = 1e-4


@dataclass(frozen=True)
class PursuitCoder(Coder):
    """Take atoms one by one, until the first of the criteria given is met.

    Parameters
    ----------
    n_nonzero : int or None
        Atoms to take. None, or more than there are atoms or features, means the least
        of the numbers of these.
    tol : float or None
        Stop where the squared error is at most `tol` times the row's squared length.
    alpha : float
        Stop where the next atom does not lower ``0.5 ||x - D'z||^2 + alpha ||z||_0``.
    relative : bool
        Whether `alpha` is a share of the least alpha that makes a row's code 0,
        ``max_j (d_j'x)^2 / (2 ||d_j||^2)``.
    positive : bool
        Coefficients are >= 0: least squares with that constraint, from which atoms may
        leave again. The code of k non-zeros is then the first that has k.
    optimised : bool
        Take the atom that lowers the squared error most (Rebollo-Neira and Lowe, 2002),
        not the one of the largest product with the residual.
    """

    n_nonzero: int | None = None
    tol: float | None = None
    alpha: float = 0.0
    relative: bool = False
    positive: bool = False
    optimised: bool = False

    counts_only = True

    @property
    def has_objective(self):
        return self.tol is None and not (self.relative and self.alpha > 0.0)

    def prepare(self, atoms):
        return atoms.gram  # which `atoms` keep

    def encode(self, rows, atoms):
        return self.encode_levels(rows, atoms, [self.n_nonzero])[0]

    def encode_levels(self, rows, atoms, levels):
        """What `encode` gives for each `n_nonzero` of `levels`, from one pass."""
        inner, squares = atoms.products(rows)
        none = np.empty((0, 0))
        dictionary = Dictionary(
            rows=atoms.gram,
            slots=np.arange(atoms.size),
            held=np.empty(0, dtype=np.int64),
            scale=inverse_lengths(atoms.squares)[None],
            novelty=self._novelty(atoms.squares[None]),
            components=none,
            transposed=none,
            missing=np.empty((0, 0), dtype=bool),
            gram=none,
            subtract=np.empty(0, dtype=bool),
        )
        return self._pursue(rows, atoms, inner, squares, dictionary, levels)

    def encode_observed(self, rows, atoms):
        missing = np.isnan(rows)
        rows = np.where(missing, 0.0, rows)
        inner, squares = atoms.products(rows)
        lengths = (~missing).astype(np.float64) @ atoms.components.T**2
        subtract = np.all(lengths >= OBSERVED * atoms.squares, axis=1)
        subtract &= 2 * np.count_nonzero(missing, axis=1) < missing.shape[1]
        room = self._level(self.n_nonzero, atoms)
        dictionary = Dictionary(
            rows=np.empty((room, atoms.size)),
            slots=np.full(atoms.size, -1),
            held=np.empty(room, dtype=np.int64),
            scale=inverse_lengths(lengths),
            novelty=self._novelty(lengths),
            components=atoms.components,
            transposed=np.ascontiguousarray(atoms.components.T),
            missing=missing,
            gram=atoms.gram,
            subtract=subtract,
        )
        levels = [self.n_nonzero]
        return self._pursue(
            rows, atoms, inner, squares, dictionary, levels, observed=~missing
        )[0]

    def _novelty(self, squares):
        if not self.optimised:
            return np.empty((1, 0))
        return np.where(squares > 0.0, squares, np.inf)

    def _level(self, n_nonzero, atoms):
        most = min(atoms.components.shape)
        return most if n_nonzero is None else min(n_nonzero, most)

    def _pursue(self, rows, atoms, inner, squares, dictionary, levels, observed=None):
        sizes = [self._level(level, atoms) for level in levels]
        distinct = np.unique(sizes)
        wish = Wish(
            levels=distinct,
            enough=float(self.tol or -1.0),
            alpha=float(self.alpha),
            relative=self.relative,
            floor=rounding_of(rows),
            positive=self.positive,
            optimised=self.optimised,
        )
        found = room_for(distinct.size, squares.size, distinct[-1])
        scratch = scratch_for(distinct[-1], atoms.size, optimised=self.optimised)
        pursue_rows(inner, squares, dictionary, wish, scratch, found)
        result = []
        for n_nonzero, size in zip(levels, sizes):
            k = np.searchsorted(distinct, size)
            codes = codes_of(found, k, rows, atoms, squares, observed)
            short = found.spent[k]
            if n_nonzero is None and self.tol is not None:
                short = short | (codes.lengths == size)
            result.append(self._judged(codes, short, rows, squares))
        return result

    def _judged(self, codes, short, rows, squares):
        """`codes` with the status of rows that ended `short` of their goal."""
        if self.alpha > 0.0:  # then no more is asked for than that no atom is worth it
            return codes
        enough = max(self.tol or 0.0, ROUNDING * rounding_of(rows))
        short = short & (codes.errors > enough * squares)
        return codes._replace(status=short.astype(np.int8) * 2)


def codes_of(found, level, rows, atoms, squares, observed=None):
    """`Codes` of one level of what was found, with exact errors and of status 0.

    Parameters
    ----------
    found : Found
    level : int
    rows : ndarray or csr_array (n_rows, n_features)
    atoms : Atoms
    squares : float64 ndarray (n_rows,)
        Squared lengths of the rows.
    observed : bool ndarray (n_rows, n_features) or None
        Which entries count; all if None.

    Returns
    -------
    Codes
    """
    lengths, errors = found.lengths[level], found.errors[level]
    stop = lengths.sum()
    data, indices = found.data[level, :stop], found.indices[level, :stop]
    near = np.flatnonzero(errors < NEAR * squares)
    starts = np.cumsum(lengths) - lengths
    # A few at a time, since sparse rows become dense.
    for start in range(0, near.size, FEW):
        some = near[start : start + FEW]
        part = rows[some].toarray() if sp.issparse(rows) else rows[some]
        form_errors(
            part.astype(np.float64, copy=False),
            np.empty((0, part.shape[1]), bool) if observed is None else observed[some],
            some,
            starts,
            found,
            level,
            atoms.components,
            np.empty(part.shape[1]),
        )
    status = np.zeros(lengths.size, dtype=np.int8)
    return Codes(data, indices, lengths, errors, found.penalties[level], status)


def rounding_of(rows):
    """A share of the squared length of `rows` that is rounding."""
    return max(FLOOR, 8 * np.finfo(rows.dtype).eps) ** 2


def inverse_lengths(squares):
    lengths = np.sqrt(squares)
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)


def room_for(n_levels, n_rows, most):
    return Found(
        data=np.empty((n_levels, n_rows * most)),
        indices=np.empty((n_levels, n_rows * most), dtype=np.int32),
        lengths=np.empty((n_levels, n_rows), dtype=np.int64),
        errors=np.empty((n_levels, n_rows)),
        penalties=np.empty((n_levels, n_rows)),
        spent=np.empty((n_levels, n_rows), dtype=bool),
        filled=np.empty(n_levels, dtype=np.int64),
    )


def scratch_for(most, n_components, *, optimised):
    return Pursuit(
        correlation=aligned(n_components),
        scale=aligned(n_components),
        novelty=aligned(n_components if optimised else 0),
        score=aligned(n_components),
        basis=aligned(most, n_components),
        factor=np.empty((most, most)),
        steps=np.empty(most),
        chosen=np.empty(most, dtype=np.int64),
        coef=np.empty((2, most)),
    )
