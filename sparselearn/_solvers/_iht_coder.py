r"""Codes by iterative hard thresholding: the best support of a size, step by step.

.. math:: \min_z \|x - D^T z\|^2 \quad\text{such that}\quad \|z\|_0 \le k

A step along the gradient, in units of the atoms' lengths, says which k atoms to keep,
and least squares on these says by what (Blumensath and Davies, 2008; Foucart, 2011).
Least squares saves many steps that would but come nearer to it, and lets a row end
exactly where its support no longer changes.
"""

from dataclasses import dataclass

import numpy as np

from sparselearn._kernels._iht import Thresholding, threshold_rows
from sparselearn._solvers._coding import Coder
from sparselearn._solvers._pursuit_coder import (
    codes_of,
    inverse_lengths,
    room_for,
    rounding_of,
    scratch_for,
)

__all__ = ["IHTCoder"]


@dataclass(frozen=True)
class IHTCoder(Coder):
    """Keep so many atoms, and exchange them while that lowers the squared error.

    Parameters
    ----------
    n_nonzero : int
        Non-zeros of a code, at most; no more than there are atoms or features.
    positive : bool
        Coefficients are >= 0.
    max_iter : int
        Steps for a row. The status of one that would take more is 1.
    """

    n_nonzero: int
    positive: bool = False
    max_iter: int = 1000

    counts_only = True

    def prepare(self, atoms):
        return atoms.gram

    def encode(self, rows, atoms):
        inner, squares = atoms.products(rows)
        most = min(self.n_nonzero, *atoms.components.shape)
        scratch = Thresholding(
            correlation=np.empty(atoms.size),
            score=np.empty(atoms.size),
            support=np.empty(most, dtype=np.int64),
            proposal=np.empty(most, dtype=np.int64),
            coef=np.empty(most),
            gram=np.empty((most, most)),
            slots=np.arange(most),
            pursuit=scratch_for(most, most, optimised=False),
        )
        found = room_for(1, squares.size, most)
        threshold_rows(
            inner,
            squares,
            atoms.gram,
            inverse_lengths(atoms.squares),
            rounding_of(rows),
            self.max_iter,
            self.positive,
            scratch,
            found,
        )
        codes = codes_of(found, 0, rows, atoms, squares)
        return codes._replace(status=found.spent[0].astype(np.int8))
