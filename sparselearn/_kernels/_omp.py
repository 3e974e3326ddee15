r"""Orthogonal matching pursuit on Gram products, resumable, with an optional sign.

Columns x_j of a design, or atoms of a dictionary, span a target step by step: each
step takes one column and fits all that are taken by least squares. With the products
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

Plain pursuit takes the column of the largest correlation with the residual over its
own length, ``|r_j| / sqrt(G_jj)``. The optimised one (Rebollo-Neira and Lowe, 2002)
takes that which lowers the squared residual most, by ``r_j^2 / h_j`` for the squared
length h_j of what is new in column j: ``h <- h - q^2``.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = [
    "DONE",
    "FULL",
    "SPENT",
    "Goal",
    "Pursuit",
    "back_substitute",
    "largest_gain",
    "largest_score",
    "pursue",
    "write_code",
]

DONE = -1
FULL = -2
SPENT = -3
# Columns are updated in blocks that stay in the first-level cache.
BLOCK = 512
# The best of so many scores is found before the best of all.
FEW = 64
# A column of which less than this share is new depends on those taken.
DEPENDENT = 1e-10
# A gain that exceeds what is worth it by a smaller share is the same but for rounding,
TIE = 1e-12
# and so is a score that exceeds another by fewer units in the last place, 2e-10.
ULPS = 2**20


class Pursuit(NamedTuple):
    """The state of one pursuit, among K columns with room for M of them.

    Attributes
    ----------
    correlation : (K,)
        r, the products of the columns with the residual; at first, with the target.
    scale : (K,)
        ``1 / sqrt(G_jj)``; 0 for a column that must not be taken, or is.
    novelty : (K,)
        Of an optimised pursuit, h; at first G_jj. It is inf where `scale` is 0.
    score : (K,)
        Scratch: what the choice goes by.
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
    novelty: np.ndarray
    score: np.ndarray
    basis: np.ndarray
    factor: np.ndarray
    steps: np.ndarray
    chosen: np.ndarray
    coef: np.ndarray


class Goal(NamedTuple):
    """Where a pursuit ends, and how it chooses.

    Attributes
    ----------
    most : int
        Of columns to take.
    enough : float
        A squared residual that is small enough.
    worth : float
        By how much a column must lower the squared residual to be worth taking.
    floor : float
        A gain that is rounding.
    positive : bool
        Whether coefficients are >= 0: least squares is then followed to the first
        coefficient that would change its sign, which leaves (Lawson and Hanson, 1974).
    optimised : bool
        Whether the choice is the optimised one.
    closing : bool
        Whether a pursuit that has taken `most` columns will not be gone on with. What
        it would need for that is then not computed, unless it is `positive`.
    """

    most: int
    enough: float
    worth: float
    floor: float
    positive: bool
    optimised: bool
    closing: bool


@kernel(fastmath=REASSOCIATE, borrowing=True)
def pursue(rows, slots, pursuit, size, square, goal):
    """Go on with a pursuit, overwriting its state, until it ends or lacks something.

    It ends at its goal, or where no column that may be taken lowers the squared
    residual by more than the floor. A column that depends on those taken is passed
    over.

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
    goal : Goal

    Returns
    -------
    wanted : int
        `DONE` at the goal, `SPENT` where no column is left, `FULL` if there is no
        room, or the column whose row is wanted.
    size, square
    """
    correlation, scale, novelty, score, basis, factor, steps, chosen, coef = pursuit
    _rate(pursuit, size, goal)
    while size < goal.most and square > goal.enough:
        j = largest_score(score)
        if j < 0 or _gain(score[j], goal) <= goal.floor:
            return SPENT, size, square
        if size == basis.shape[0]:
            return FULL, size, square
        if slots[j] < 0:
            return j, size, square

        row = rows[slots[j]]
        rest = row[j]
        for t in range(size):
            factor[size, t] = basis[t, j]
            rest -= basis[t, j] ** 2
        if rest <= DEPENDENT * row[j]:
            scale[j] = score[j] = 0.0
            if goal.optimised:
                novelty[j] = np.inf
            continue
        length = np.sqrt(rest)
        step = correlation[j] / length
        if step * step <= goal.worth * (1.0 + TIE):
            break
        factor[size, size] = length
        steps[size] = step
        chosen[size] = j
        scale[j] = 0.0
        if goal.optimised:
            novelty[j] = np.inf
        size += 1
        before = square
        square -= step * step
        if goal.positive:
            coef[0, size - 1] = 0.0
        elif goal.closing and (size == goal.most or square <= goal.enough):
            break
        _add_direction(row, pursuit, size - 1, goal)
        if goal.positive:
            new_size, square = _keep_signs(rows, slots, pursuit, size, square, goal)
            if new_size < size:
                size = new_size
                _rate(pursuit, size, goal)
            if not square < before:  # what is left is rounding
                return SPENT, size, square
    return DONE, size, square


@inlined(fastmath=REASSOCIATE)
def largest_gain(pursuit, goal):
    """By how much the best single column, by its score, lowers the squared residual."""
    _rate(pursuit, 0, goal)
    j = largest_score(pursuit.score)
    return 0.0 if j < 0 else _gain(pursuit.score[j], goal)


@inlined
def _gain(score, goal):
    return score if goal.optimised else score * score


@inlined(fastmath=REASSOCIATE)
def _rate(pursuit, size, goal):
    """Write the scores of all columns, where `size` are taken.

    In the optimised one a column that depends on those taken may have any score, as
    both r and h are rounding; it is found out where it is chosen.
    """
    correlation, scale, score = pursuit.correlation, pursuit.scale, pursuit.score
    if goal.optimised and size == 0:
        # All of each column is new, so that no division is needed.
        for i in range(score.size):
            share = correlation[i] * scale[i]
            score[i] = share * share if share > 0.0 or not goal.positive else 0.0
    elif goal.optimised:
        novelty = pursuit.novelty
        for i in range(score.size):
            share = max(correlation[i], 0.0) if goal.positive else correlation[i]
            score[i] = share * share / novelty[i] if novelty[i] > 0.0 else 0.0
    elif goal.positive:
        for i in range(score.size):
            score[i] = correlation[i] * scale[i]
    else:
        for i in range(score.size):
            score[i] = abs(correlation[i] * scale[i])


@inlined
def largest_score(score):
    """The index of the largest positive score, -1 if none.

    Among those that are equal but for rounding it is the first: equal atoms then make
    the same codes in other units, on other machines, and in other chunks.
    """
    # Positive floats are ordered as the integers of the same bits, and a maximum of
    # integers is vectorised, since none of them is NaN.
    bits = score.view(np.int64)
    top, where = 0, -1
    for start in range(0, bits.size, FEW):
        some = bits[start : start + FEW]
        most = 0
        for i in range(some.size):
            most = max(most, some[i])
        if most > top + ULPS:
            top, where = most, start
    if where < 0:
        return -1
    while bits[where] < top - ULPS:
        where += 1
    return where


# Loops over blocks count in unsigned integers: of others numba would have to ask for
# each entry whether it counts from the end, and would not vectorise.
@inlined(fastmath=REASSOCIATE)
def _add_direction(row, pursuit, position, goal):
    """Form q of the column taken last, at `position`; update r, h and the scores."""
    correlation, scale, basis = pursuit.correlation, pursuit.scale, pursuit.basis
    score, shares = pursuit.score, pursuit.coef[1]
    inverse = 1.0 / pursuit.factor[position, position]
    for t in range(position):
        shares[t] = pursuit.factor[position, t] * inverse
    step = pursuit.steps[position]
    for block in range(0, row.size, BLOCK):
        start, stop = np.uint64(block), np.uint64(min(block + BLOCK, row.size))
        _combine(row, inverse, basis, shares, position, start, stop)
        if goal.optimised:
            _renew(pursuit, position, goal.positive, start, stop)
        elif goal.positive:
            for i in range(start, stop):
                rest = correlation[i] - step * basis[position, i]
                correlation[i] = rest
                score[i] = rest * scale[i]
        else:
            for i in range(start, stop):
                rest = correlation[i] - step * basis[position, i]
                correlation[i] = rest
                score[i] = abs(rest * scale[i])


@inlined(fastmath=REASSOCIATE)
def _renew(pursuit, position, positive, start, stop):
    """Take a direction from r and h, and write the scores by what is left."""
    correlation, novelty, basis = pursuit.correlation, pursuit.novelty, pursuit.basis
    score, step = pursuit.score, pursuit.steps[position]
    for i in range(start, stop):
        part = basis[position, i]
        rest = correlation[i] - step * part
        correlation[i] = rest
        new = novelty[i] - part * part
        novelty[i] = new
        share = max(rest, 0.0) if positive else rest
        score[i] = share * share / new if new > 0.0 else 0.0


@inlined(fastmath=REASSOCIATE)
def _combine(row, inverse, basis, shares, size, start, stop):
    """Write ``inverse * row - shares' basis[:size]`` to ``basis[size]``.

    From `start` to `stop`, with up to four rows of the basis in a pass.
    """
    t = size % 4
    if t == 0:
        for i in range(start, stop):
            basis[size, i] = inverse * row[i]
    elif t == 1:
        a = shares[0]
        for i in range(start, stop):
            basis[size, i] = inverse * row[i] - a * basis[0, i]
    elif t == 2:
        a, b = shares[0], shares[1]
        for i in range(start, stop):
            basis[size, i] = inverse * row[i] - a * basis[0, i] - b * basis[1, i]
    else:
        a, b, c = shares[0], shares[1], shares[2]
        for i in range(start, stop):
            known = a * basis[0, i] + b * basis[1, i] + c * basis[2, i]
            basis[size, i] = inverse * row[i] - known
    while t < size:
        a, b, c, d = shares[t], shares[t + 1], shares[t + 2], shares[t + 3]
        for i in range(start, stop):
            basis[size, i] -= (
                a * basis[t, i]
                + b * basis[t + 1, i]
                + c * basis[t + 2, i]
                + d * basis[t + 3, i]
            )
        t += 4


@inlined(fastmath=REASSOCIATE)
def back_substitute(factor, steps, size, out):
    """Solve ``L' z = y`` for the first `size` columns taken; write z to `out`."""
    for a in range(size):
        out[a] = steps[a]
    for a in range(size - 1, -1, -1):
        row = factor[a]
        z = out[a] / row[a]
        out[a] = z
        for b in range(a):
            out[b] -= row[b] * z


@inlined
def write_code(chosen, z, size, indices, data):
    """Write the non-zeros of z with ascending indices; return how many they are."""
    count = 0
    for a in range(size):
        if z[a] == 0.0:
            continue
        j, at = chosen[a], count
        while at > 0 and indices[at - 1] > j:
            indices[at], data[at] = indices[at - 1], data[at - 1]
            at -= 1
        indices[at], data[at] = j, z[a]
        count += 1
    return count


@inlined(fastmath=REASSOCIATE)
def _keep_signs(rows, slots, pursuit, size, square, goal):
    """Move to least squares with coefficients >= 0; the last column is new."""
    scale, chosen, coef = pursuit.scale, pursuit.chosen, pursuit.coef
    new = chosen[size - 1]
    while size > 0:
        back_substitute(pursuit.factor, pursuit.steps, size, coef[1])
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
        square = _drop(pursuit, worst, size, square, goal)
        size -= 1
        # One that leaves as it comes is rounding: it stays barred.
        if leaving != new:
            scale[leaving] = 1.0 / np.sqrt(rows[slots[leaving], leaving])
            if goal.optimised:
                rest = rows[slots[leaving], leaving]
                for t in range(size):
                    rest -= pursuit.basis[t, leaving] ** 2
                pursuit.novelty[leaving] = rest
    return size, square


@inlined(fastmath=REASSOCIATE)
def _drop(pursuit, position, size, square, goal):
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
        one, two = basis[a], basis[a + 1]
        for i in range(correlation.size):
            left, right = one[i], two[i]
            one[i] = c * left + s * right
            two[i] = c * right - s * left
    gone = basis[last]
    for i in range(correlation.size):
        correlation[i] += steps[last] * gone[i]
    if goal.optimised:
        for i in range(correlation.size):
            pursuit.novelty[i] += gone[i] ** 2
    return square + steps[last] ** 2
