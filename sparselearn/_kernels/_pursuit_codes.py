r"""Codes of a chunk of rows by matching pursuit, at several numbers of non-zeros.

A row x is pursued (`_omp.py`) among the atoms d_j that it is to be coded by, from its
products ``c = D x`` with them and theirs with one another, ``G = D D'``. The first time
that it has so many atoms as a level wants, its code at that level is written; a row
that ends before has the code at which it ended.

Of a row with missing entries all is meant by those observed. Few atoms are ever taken,
so their rows of G are formed when they are (Mairal, Elad and Sapiro, 2008, for masks):

    G_j = sum_f d_jf D_.f,   f observed,   or   G_j - sum_f d_jf D_.f,   f missing.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel
from sparselearn._kernels._omp import (
    DONE,
    SPENT,
    Goal,
    back_substitute,
    largest_gain,
    pursue,
    write_code,
)

__all__ = ["Dictionary", "Found", "Wish", "form_errors", "pursue_rows"]


class Dictionary(NamedTuple):
    """Atoms (K, p), as rows with and without missing entries need them.

    Attributes
    ----------
    rows : (K, K), or (M, K) for scratch
        G; with missing entries room for as many of its rows as atoms are taken.
    slots : int (K,)
        Where in `rows` those of an atom are: ``arange(K)``, or -1.
    held : int (M,)
        With missing entries, scratch: the atoms whose rows of G are formed.
    scale : (1, K) or (n, K)
        ``1 / sqrt(G_jj)`` and 0 for atoms of length 0, of all rows or of each.
    novelty : as `scale`
        ``G_jj`` and inf for atoms of length 0; (1, 0) unless the choice is optimised.
    components : (K, p)
        D, with missing entries; else (K, 0), as the two that follow.
    transposed : (p, K)
    missing : bool (n, p)
    gram : (K, K)
        G by all entries; (0, 0) where no row subtracts from it.
    subtract : bool (n,)
        Whether a row's G_j are formed by what is missing.
    """

    rows: np.ndarray
    slots: np.ndarray
    held: np.ndarray
    scale: np.ndarray
    novelty: np.ndarray
    components: np.ndarray
    transposed: np.ndarray
    missing: np.ndarray
    gram: np.ndarray
    subtract: np.ndarray


class Wish(NamedTuple):
    """What codes are to be, as the coder's options say; shares are of ``||x||^2``.

    Attributes
    ----------
    levels : int (n_levels,)
        Numbers of non-zeros, ascending.
    enough : float
        The share of squared error that is small enough; below 0, none is.
    alpha : float
        Weight of the number of non-zeros against half the squared error.
    relative : bool
        Whether `alpha` is a share of the least that leaves a row without an atom.
    floor : float
        The share that is rounding.
    positive, optimised : bool
        As in `Goal`.
    """

    levels: np.ndarray
    enough: float
    alpha: float
    relative: bool
    floor: float
    positive: bool
    optimised: bool


class Found(NamedTuple):
    """Codes at each level, as parts of compressed rows.

    Attributes
    ----------
    data, indices : (n_levels, n * M)
        One row's after another's, indices ascending in each.
    lengths : int (n_levels, n)
    errors : (n_levels, n)
        Squared, by subtraction from ``||x||^2``.
    penalties : (n_levels, n)
    spent : bool (n_levels, n)
        Whether no atom was left that explains any of the row.
    filled : int (n_levels,)
        Scratch: how much of `data` is written.
    """

    data: np.ndarray
    indices: np.ndarray
    lengths: np.ndarray
    errors: np.ndarray
    penalties: np.ndarray
    spent: np.ndarray
    filled: np.ndarray


@kernel(fastmath=REASSOCIATE, borrowing=True)
def pursue_rows(products, squares, dictionary, wish, pursuit, found):
    """Write the codes of rows, at all levels, to `found`.

    Parameters
    ----------
    products : (n, K)
        c of each row.
    squares : (n,)
        ``||x||^2`` of each row.
    dictionary : Dictionary
    wish : Wish
    pursuit : Pursuit
        Scratch, with room for as many atoms as the last level wants.
    found : Found
        Overwritten.
    """
    n_rows, levels = squares.size, wish.levels
    scale, novelty = dictionary.scale, dictionary.novelty
    n_formed = 0
    filled = found.filled
    for level in range(levels.size):
        filled[level] = 0
    for i in range(n_rows):
        for k in range(pursuit.scale.size):
            pursuit.correlation[k] = products[i, k]
            pursuit.scale[k] = scale[min(i, scale.shape[0] - 1), k]
        for k in range(pursuit.novelty.size):
            pursuit.novelty[k] = novelty[min(i, novelty.shape[0] - 1), k]
        goal = Goal(0, 0.0, 0.0, 0.0, wish.positive, wish.optimised, levels.size == 1)
        worth = 2.0 * wish.alpha
        if wish.relative:
            worth = wish.alpha * largest_gain(pursuit, goal)
        for a in range(n_formed):
            dictionary.slots[dictionary.held[a]] = -1
        n_formed = size = 0
        square, ended = squares[i], DONE
        for level in range(levels.size):
            goal = Goal(
                levels[level],
                wish.enough * squares[i],
                worth,
                wish.floor * squares[i],
                wish.positive,
                wish.optimised,
                level == levels.size - 1,
            )
            # A row that stopped short of the level before has stopped for good.
            if level == 0 or (ended == DONE and size == levels[level - 1]):
                while True:
                    ended, size, square = pursue(
                        dictionary.rows, dictionary.slots, pursuit, size, square, goal
                    )
                    if ended < 0:
                        break
                    n_formed = _form(dictionary, pursuit, i, ended, size, n_formed)
            found.spent[level, i] = ended == SPENT
            found.errors[level, i] = square
            z = pursuit.coef[1]
            back_substitute(pursuit.factor, pursuit.steps, size, z)
            length = write_code(
                pursuit.chosen,
                z,
                size,
                found.indices[level, filled[level] :],
                found.data[level, filled[level] :],
            )
            filled[level] += length
            found.lengths[level, i] = length
            found.penalties[level, i] = 0.5 * worth * length


@inlined(fastmath=REASSOCIATE)
def _form(dictionary, pursuit, i, j, size, n_formed):
    """Form the Gram row of atom j on what is observed of row i; return how many are."""
    slots, held = dictionary.slots, dictionary.held
    slot = n_formed
    if n_formed == held.size:
        # Of an atom that has left: fewer are taken than there is room for.
        slot = 0
        while _is_among(held[slot], pursuit.chosen, size):
            slot += 1
        slots[held[slot]] = -1
    else:
        n_formed += 1
    slots[j], held[slot] = slot, j
    out, atom = dictionary.rows[slot], dictionary.components[j]
    subtract = dictionary.subtract[i]
    sign = -1.0 if subtract else 1.0
    for k in range(out.size):
        out[k] = dictionary.gram[j, k] if subtract else 0.0
    for f in range(atom.size):
        if dictionary.missing[i, f] == subtract:
            value, column = sign * atom[f], dictionary.transposed[f]
            for k in range(out.size):
                out[k] += value * column[k]
    # The diagonal by which the choice was scaled.
    out[j] = dictionary.scale[i, j] ** -2
    return n_formed


@inlined
def _is_among(j, chosen, size):
    found = False
    for a in range(size):
        found |= chosen[a] == j
    return found


@kernel(fastmath=REASSOCIATE, borrowing=True)
def form_errors(rows, seen, which, starts, found, level, components, residual):
    """Overwrite the errors of some rows by what their residuals say.

    Parameters
    ----------
    rows : (m, p)
    seen : bool (m, p)
        Which entries count; (0, p) if all do.
    which : int (m,)
        The rows' numbers among all n.
    starts : int (n,)
        Where in `found.data[level]` the code of each of all rows starts.
    found : Found
        Its errors are overwritten.
    level : int
    components : (K, p)
    residual : (p,)
        Scratch.
    """
    for m in range(which.size):
        i = which[m]
        for f in range(residual.size):
            residual[f] = rows[m, f]
        for a in range(starts[i], starts[i] + found.lengths[level, i]):
            z, atom = found.data[level, a], components[found.indices[level, a]]
            for f in range(residual.size):
                residual[f] -= z * atom[f]
        error = 0.0
        for f in range(residual.size):
            if seen.shape[0] == 0 or seen[m, f]:
                error += residual[f] * residual[f]
        found.errors[level, i] = error
