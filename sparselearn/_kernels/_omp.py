"""Orthogonal matching pursuit on Gram products, resumable, with an optional sign.

Columns x_j of a design, or atoms of a dictionary, span a target step by step: each
step takes the column of the largest correlation with the residual, over its own
length, and fits all that are taken by least squares. With the products
``rows[slots[j]] = G_j`` of a taken column with all columns at hand a step costs
O(K t) for K columns of which t are taken, whatever the number of rows.

With I the columns taken, ``G_II = L L'`` and u_t the t-th direction that they add,
the pursuit keeps ``q_t = X' u_t`` of *all* columns. For a new column j the row of L is
then ``w_t = q_t[j]``, at hand without a triangular solve, and (Rubinstein, Zibulevsky
and Elad, 2008, for the idea)

    d^2 = G_jj - w'w,    q = (G_j - sum_t w_t q_t) / d,    y_t = r_j / d,
    r <- r - y_t q,      ||residual||^2 <- ||residual||^2 - y_t^2.

The coefficients solve ``L' z = y``. Those of every shorter pursuit solve the leading
block of the same system.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["DONE", "FULL", "Pursuit", "pursue"]

DONE = -1
FULL = -2
# Columns are updated in blocks that stay in the first-level cache.
BLOCK = 1024
# A column of which less than this share is new depends on those taken.
DEPENDENT = 1e-10


class Pursuit(NamedTuple):
    """The state of one pursuit, among K columns with room for M of them.

    Attributes
    ----------
    correlation : (K,)
        r, the products of the columns with the residual; at first, with the target.
    scale : (K,)
        ``1 / sqrt(G_jj)``; 0 for a column that must not be taken, or is.
    basis : (M, K)
        The rows q_t.
    factor : (M, M)
        L, in its lower triangle.
    steps : (M,)
        y.
    chosen : int (M,)
        The columns taken, in order.
    coef : (2, M)
        Where signs are constrained: z, and the next z.
    """

    correlation: np.ndarray
    scale: np.ndarray
    basis: np.ndarray
    factor: np.ndarray
    steps: np.ndarray
    chosen: np.ndarray
    coef: np.ndarray


@kernel(fastmath=REASSOCIATE)
def pursue(rows, slots, pursuit, size, square, most, enough, floor, positive):
    """Go on with a pursuit, overwriting its state, until it ends or lacks something.

    It ends at `most` columns, at a squared residual of at most `enough`, or where no
    column that may be taken explains more than `floor` of it. A column that depends
    on those taken is passed over.

    Parameters
    ----------
    rows : (m, K)
        Gram products of some columns with all.
    slots : int (K,)
        Where in `rows` those of a column are; -1 if nowhere.
    pursuit : Pursuit
    size : int
        How many columns are taken.
    square : float
        The squared length of the residual.
    positive : bool
        Whether coefficients are >= 0: least squares is then followed to the first
        coefficient that would change its sign, which leaves (Lawson and Hanson, 1974).

    Returns
    -------
    wanted : int
        `DONE`, `FULL` if there is no room, or the column whose row is wanted.
    size, square
    """
    correlation, scale, basis, factor, steps, chosen, coef = pursuit
    n_columns = correlation.size
    while size < most and square > enough:
        best, j = 0.0, -1
        for i in range(n_columns):
            score = correlation[i] * scale[i]
            if not positive:
                score = abs(score)
            if score > best:
                best, j = score, i
        if j < 0 or best * best <= floor:
            break
        if size == basis.shape[0]:
            return FULL, size, square
        if slots[j] < 0:
            return j, size, square

        row, new = rows[slots[j]], basis[size]
        rest = row[j]
        for t in range(size):
            factor[size, t] = basis[t, j]
            rest -= basis[t, j] ** 2
        scale[j] = 0.0
        if rest <= DEPENDENT * row[j]:
            continue
        length = np.sqrt(rest)
        factor[size, size] = length
        step = correlation[j] / length
        for start in range(0, n_columns, BLOCK):
            stop = min(start + BLOCK, n_columns)
            for i in range(start, stop):
                new[i] = row[i] / length
            for t in range(size):
                share = factor[size, t] / length
                for i in range(start, stop):
                    new[i] -= share * basis[t, i]
            for i in range(start, stop):
                correlation[i] -= step * new[i]
        steps[size] = step
        chosen[size] = j
        size += 1
        before = square
        square -= step * step
        if positive:
            coef[0, size - 1] = 0.0
            size, square = _keep_signs(rows, slots, pursuit, size, square)
            if not square < before:  # what is left is rounding
                break
    return DONE, size, square


@inlined
def _back_substitute(factor, steps, size, out):
    """Solve ``L' z = y`` for the first `size` columns taken; write z to `out`."""
    for a in range(size - 1, -1, -1):
        rest = steps[a]
        for b in range(a + 1, size):
            rest -= factor[b, a] * out[b]
        out[a] = rest / factor[a, a]


@inlined
def _keep_signs(rows, slots, pursuit, size, square):
    """Move to least squares with coefficients >= 0; the last column is new."""
    scale, factor, steps, chosen, coef = (
        pursuit.scale,
        pursuit.factor,
        pursuit.steps,
        pursuit.chosen,
        pursuit.coef,
    )
    new = chosen[size - 1]
    while size > 0:
        _back_substitute(factor, steps, size, coef[1])
        share, worst = 1.0, -1
        for a in range(size):
            now, then = coef[0, a], coef[1, a]
            if then <= 0.0:
                ratio = now / (now - then) if now > 0.0 else 0.0
                if worst < 0 or ratio < share:
                    share, worst = ratio, a
        for a in range(size):
            coef[0, a] += share * (coef[1, a] - coef[0, a])
        if worst < 0:
            break
        leaving = chosen[worst]
        square = _drop(pursuit, worst, size, square)
        size -= 1
        # One that leaves as it comes is rounding: it stays barred.
        if leaving != new:
            scale[leaving] = 1.0 / np.sqrt(rows[slots[leaving], leaving])
    return size, square


@inlined
def _drop(pursuit, position, size, square):
    """Undo the choice at `position` of `size`; return the squared residual.

    Without its row, L has entries above its diagonal. Rotations of neighbouring
    columns remove them; the same rotations of the rows q_t and of y leave what the
    column alone had added in the last of these.
    """
    correlation, basis, factor, steps, chosen = (
        pursuit.correlation,
        pursuit.basis,
        pursuit.factor,
        pursuit.steps,
        pursuit.chosen,
    )
    last = size - 1
    for a in range(position, last):
        chosen[a] = chosen[a + 1]
        pursuit.coef[0, a] = pursuit.coef[0, a + 1]
        for b in range(a + 2):
            factor[a, b] = factor[a + 1, b]
    for a in range(position, last):
        length = np.hypot(factor[a, a], factor[a, a + 1])
        c, s = factor[a, a] / length, factor[a, a + 1] / length
        for b in range(a, last):
            left, right = factor[b, a], factor[b, a + 1]
            factor[b, a] = c * left + s * right
            factor[b, a + 1] = c * right - s * left
        left, right = steps[a], steps[a + 1]
        steps[a] = c * left + s * right
        steps[a + 1] = c * right - s * left
        for i in range(correlation.size):
            left, right = basis[a, i], basis[a + 1, i]
            basis[a, i] = c * left + s * right
            basis[a + 1, i] = c * right - s * left
    for i in range(correlation.size):
        correlation[i] += steps[last] * basis[last, i]
    return square + steps[last] ** 2
