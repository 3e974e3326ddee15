r"""Codes by a threshold on the products with the atoms.

.. math:: z_j = S(c_j), \quad c_j = d_j'x / \|d_j\|^2

with the soft threshold ``S(c) = sign(c) max(0, |c| - alpha)``, the hard one that is c
where ``|c| > alpha`` and else 0, or none; then the largest are kept. For atoms of
length 1 the soft threshold is one step of proximal gradient descent from 0.
"""

from dataclasses import dataclass

import numpy as np

from sparselearn._kernels import _thresholds
from sparselearn._solvers._coding import Coder, Codes, squared_errors, stack_rows

__all__ = ["ThresholdCoder", "compressed"]


@dataclass(frozen=True)
class ThresholdCoder(Coder):
    """Keep what exceeds a threshold.

    Parameters
    ----------
    alpha : float
        The threshold.
    relative : bool
        Whether `alpha` is a share of the least threshold that makes a row's code 0.
    hard : bool
        Whether what exceeds the threshold is kept as it is.
    n_nonzero : int or None
        Keep the so many largest entries; None keeps all.
    positive : bool
        Drop negative entries.
    """

    alpha: float = 0.0
    relative: bool = False
    hard: bool = False
    n_nonzero: int | None = None
    positive: bool = False

    @property
    def counts_only(self):
        return self.hard or self.alpha == 0.0

    def encode(self, rows, atoms):
        inner, squares = atoms.products(rows)
        codes = inner / np.where(atoms.squares > 0.0, atoms.squares, 1.0)
        thresholds = np.full(squares.size, float(self.alpha))
        if self.relative:
            sizes = codes if self.positive else np.abs(codes)
            thresholds *= sizes.max(axis=1, initial=0.0)
        counts = np.empty(squares.size, dtype=np.int64)
        _thresholds.shrink(codes, thresholds, self.hard, self.positive, counts)
        if self.n_nonzero is not None and self.n_nonzero < atoms.size:
            _thresholds.keep_top(codes, np.empty(self.n_nonzero), counts)
        return compressed(codes, counts, rows, atoms, np.zeros(squares.size, np.int8))


def compressed(codes, counts, rows, atoms, status):
    """`Codes` without penalties of dense `codes` with `counts` non-zeros a row."""
    data = np.empty(counts.sum())
    indices = np.empty(data.size, dtype=np.int32)
    _thresholds.compress(codes, data, indices)
    errors = squared_errors(rows, stack_rows(data, indices, counts, atoms.size), atoms)
    return Codes(data, indices, counts, errors, np.zeros(errors.size), status)
