"""Least squares for the values of codes, on the support that they have already.

For a row x and the atoms d_j of its support S ::

    min_z  ||x - sum_{j in S} z_j d_j||^2 / 2,    z >= 0 if so wanted,

on the Gram matrix of these atoms, with no penalty (`_support.py`).
"""

import math

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel
from sparselearn._kernels._support import Quadratic, Support, settle

__all__ = ["refine_rows"]

# A correlation with what is left of a row is rounding below this cosine.
ROUNDING = 1e-12
# Supports to try at most, beyond ten for each atom.
ROUNDS = 100


@inlined(fastmath=REASSOCIATE)
def _gather(row, atoms, gram, moment, floor):
    """Products of `atoms` (s, p) with one another and with `row`; what is rounding."""
    square = 0.0
    for f in range(row.size):
        square += row[f] * row[f]
    for a in range(moment.size):
        for b in range(a + 1):
            dot = 0.0
            for f in range(row.size):
                dot += atoms[a, f] * atoms[b, f]
            gram[a, b] = gram[b, a] = dot
        dot = 0.0
        for f in range(row.size):
            dot += atoms[a, f] * row[f]
        moment[a] = dot
        floor[a] = ROUNDING * math.sqrt(square * gram[a, a])


@kernel
def refine_rows(rows, indices, lengths, decoder, positive, data):
    """Overwrite `data`, the values of compressed rows, by those of least squares.

    Parameters
    ----------
    rows : float64 (n, p)
        Less what is added to the atoms.
    indices : int (n_nonzero,)
    lengths : int (n,)
        Non-zeros of each row.
    decoder : (K, p)
        Of any float dtype.
    positive : bool
    data : (n_nonzero,)
        0 where an atom depends on others of its row, or a value would be negative.
    """
    n_rows, n_features = rows.shape
    room = 0
    for i in range(n_rows):
        room = max(room, lengths[i])
    atoms, gram = np.empty((room, n_features)), np.empty((room, room))
    support = Support(
        np.empty(room, dtype=np.int64),
        np.empty(room),
        np.empty((room + 4, room)),
        np.empty((3, room)),
    )
    vectors = np.empty((5, room))
    start = 0
    for i in range(n_rows):
        size = lengths[i]
        for a in range(size):
            atom = decoder[indices[start + a]]
            for f in range(n_features):
                atoms[a, f] = atom[f]
        moment, floor = vectors[0, :size], vectors[1, :size]
        coef, correlation, nothing = (
            vectors[2, :size],
            vectors[3, :size],
            vectors[4, :size],
        )
        _gather(rows[i], atoms, gram, moment, floor)
        for a in range(size):
            coef[a] = nothing[a] = support.signs[a] = 0.0
            correlation[a] = moment[a]
        problem = Quadratic(gram, moment, nothing, nothing, floor, positive)
        settle(problem, support, 0, coef, correlation, ROUNDS + 10 * size)
        for a in range(size):
            data[start + a] = coef[a]
        start += size
