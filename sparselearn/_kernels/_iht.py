r"""Codes of a chunk of rows by iterative hard thresholding with least squares.

For coefficients u in units of the atoms' lengths, ``u_j = ||d_j|| z_j``, and the
correlation r of atoms of length 1 with the residual, a step of length mu goes to

    S = the k largest |u + mu r|,    z = least squares on S

(Blumensath and Davies, 2008; with least squares, Foucart, 2011). It is taken if it
lowers the squared error, else mu is halved. Of a mu below ``1 / ||G||`` thresholding
alone lowers the error, unless S does not change: so a row ends where no such step
changes its support, after finitely many.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel
from sparselearn._kernels._omp import (
    Goal,
    Pursuit,
    back_substitute,
    largest_score,
    pursue,
    write_code,
)

__all__ = ["Thresholding", "threshold_rows"]

# Of the squared length of a row: a gain of less is rounding.
GAIN = 1e-12
# A support that dependent atoms alone would change is found out by halving.
HALVINGS = 40


class Thresholding(NamedTuple):
    """Scratch for one row, among K atoms of which k are taken.

    Attributes
    ----------
    correlation, score : (K,)
    support, proposal : int (k,)
    coef : (k,)
        z on the support.
    gram : (k, k)
        G of the proposal.
    slots : int (k,)
        ``arange(k)``.
    pursuit : Pursuit
        Least squares on the proposal: of k columns, with room for k.
    """

    correlation: np.ndarray
    score: np.ndarray
    support: np.ndarray
    proposal: np.ndarray
    coef: np.ndarray
    gram: np.ndarray
    slots: np.ndarray
    pursuit: Pursuit


@kernel(fastmath=REASSOCIATE)
def threshold_rows(
    products, squares, gram, scale, floor, max_iter, positive, scratch, found
):
    """Write the codes of rows to the first level of `found`.

    Parameters
    ----------
    products : (n, K)
        ``D x`` of each row.
    squares : (n,)
        ``||x||^2`` of each row.
    gram : (K, K)
    scale : (K,)
        ``1 / ||d_j||``, or 0.
    floor : float
        The share of ``||x||^2`` that is rounding.
    max_iter : int
        Steps for a row.
    positive : bool
        Whether z >= 0.
    scratch : Thresholding
    found : Found
        Overwritten; `spent` becomes true where `max_iter` was too few.
    """
    filled = 0
    for i in range(squares.size):
        scratch.correlation[:] = products[i]
        size, square, late = 0, squares[i], True
        for _ in range(max_iter):
            size, left = _step(
                products[i],
                squares[i],
                gram,
                scale,
                floor,
                positive,
                scratch,
                size,
                square,
            )
            late = left < square
            square = left
            if not late:
                break
        found.spent[0, i] = late
        found.errors[0, i] = square
        length = write_code(
            scratch.support,
            scratch.coef,
            size,
            found.indices[0, filled:],
            found.data[0, filled:],
        )
        filled += length
        found.lengths[0, i] = length
        found.penalties[0, i] = 0.0


@inlined(fastmath=REASSOCIATE)
def _step(moment, total, gram, scale, floor, positive, scratch, size, square):
    """Take one step; return the size of the support and the squared error after it.

    `moment` is ``D x`` and `total` ``||x||^2``; `size` and `square` are those before,
    returned where no step lowers the error.
    """
    goal = Goal(scratch.support.size, -1.0, 0.0, floor * total, positive, False, True)
    length = 1.0
    for _ in range(HALVINGS):
        n_proposed = _propose(scale, floor * total, length, size, positive, scratch)
        if n_proposed == 0:
            break
        state = scratch.pursuit
        for a in range(n_proposed):
            i = scratch.proposal[a]
            state.correlation[a], state.scale[a] = moment[i], scale[i]
            for b in range(n_proposed):
                scratch.gram[a, b] = gram[i, scratch.proposal[b]]
        # A shorter proposal has no more columns than it has atoms.
        state.correlation[n_proposed:] = 0.0
        state.scale[n_proposed:] = 0.0
        _, n_taken, left = pursue(scratch.gram, scratch.slots, state, 0, total, goal)
        if left < square - GAIN * total:
            back_substitute(state.factor, state.steps, n_taken, scratch.coef)
            scratch.correlation[:] = moment
            for a in range(n_taken):
                j = scratch.proposal[state.chosen[a]]
                scratch.support[a] = j
                z, row = scratch.coef[a], gram[j]
                for i in range(row.size):
                    scratch.correlation[i] -= z * row[i]
            return n_taken, left
        length *= 0.5
    return size, square


@inlined(fastmath=REASSOCIATE)
def _propose(scale, floor, length, size, positive, scratch):
    """Write the atoms that are largest after a step; return how many, 0 if the same."""
    score, correlation, support = scratch.score, scratch.correlation, scratch.support
    for i in range(score.size):
        share = correlation[i] * scale[i]
        gain = share if positive else abs(share)
        score[i] = length * gain if share * share > floor else 0.0
    for a in range(size):
        j = support[a]
        u = scratch.coef[a] / scale[j] + length * correlation[j] * scale[j]
        score[j] = u if positive else abs(u)
    n_new, count = 0, 0
    for a in range(scratch.proposal.size):
        j = largest_score(score)
        if j < 0:
            break
        score[j] = 0.0
        scratch.proposal[a] = j
        n_new += j not in support[:size]
        count += 1
    return count if n_new else 0
