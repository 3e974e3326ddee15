"""Block descent on groups of coefficients, each block solved as a whole.

With everything else fixed, the block w of a group minimises

    w' G w / 2 - v' w + lam ||w||_2 + mu ||w||_1,    v = g + G w_before,

G the Gram matrix of the group's columns, g their correlations with the residual. It
is 0 if what of v exceeds mu is no longer than lam. Otherwise, for mu = 0 and without a
sign constraint, in the eigenvectors of G, with eigenvalues d, all is a matter of the
length h = ||w|| (Yang and Hastie, 2024),

    w = h v / (d h + lam),    sum_k v_k^2 / (d_k h + lam)^2 = 1,

and else the block takes a few proximal steps.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = ["Blocks", "block_step", "descend_groups", "largest_block", "move"]

# Of a block that has no solution in closed form: more take longer than they spare.
PROXIMAL_STEPS = 3
NEWTON_STEPS = 50


class Blocks(NamedTuple):
    """The groups of a working set, their features one after another.

    Attributes
    ----------
    starts : ndarray of int (n_blocks + 1,)
        Positions in the working set.
    lam, mu : ndarray (n_blocks,)
        Strengths of the penalty.
    values : ndarray (n_positions,)
        Eigenvalues of each block's Gram matrix; 0 for those of rounding.
    matrices : ndarray
        Of each block, by rows, its eigenvectors if blocks are solved exactly, else its
        Gram matrix.
    places : ndarray of int (n_blocks + 1,)
        Where these are in `matrices`.
    exact : bool
        Whether no block has an L1 part or a sign constraint.
    positive : bool
    """

    starts: np.ndarray
    lam: np.ndarray
    mu: np.ndarray
    values: np.ndarray
    matrices: np.ndarray
    places: np.ndarray
    exact: bool
    positive: bool


@kernel(fastmath=REASSOCIATE)
def _exact_step(values, vectors, lam, coef, correlation, change, spare):
    """Write the step to the minimum of a block without an L1 part to `change`.

    Returns
    -------
    worth : float
        ``change' G change``.
    """
    size = coef.size
    v, w = spare[0], spare[1]
    for k in range(size):
        v[k] = w[k] = 0.0
    for i in range(size):
        c, x, row = correlation[i], coef[i], vectors[i * size : (i + 1) * size]
        for k in range(size):
            v[k] += row[k] * c
            w[k] += row[k] * x
    square, length = 0.0, 0.0
    for k in range(size):
        # Along what has no spread there is nothing to correlate with.
        v[k] = v[k] + values[k] * w[k] if values[k] > 0.0 else 0.0
        square += v[k] * v[k]
        length += w[k] * w[k]
    worth = 0.0
    if lam == 0.0:
        for k in range(size):
            v[k] = v[k] / values[k] - w[k] if values[k] > 0.0 else 0.0
            worth += values[k] * v[k] * v[k]
    else:
        h = 0.0
        if square > lam * lam:
            h = _root(values[:size], v[:size], lam, np.sqrt(square), np.sqrt(length))
        for k in range(size):
            v[k] = h * v[k] / (values[k] * h + lam) - w[k]
            worth += values[k] * v[k] * v[k]
    for i in range(size):
        total, row = 0.0, vectors[i * size : (i + 1) * size]
        for k in range(size):
            total += row[k] * v[k]
        change[i] = total
    if lam > 0.0 and h == 0.0:
        for i in range(size):
            change[i] = -coef[i]
    return worth


@kernel(fastmath=REASSOCIATE)
def _root(values, v, lam, length, h):
    """The h > 0 with ``sum_k v_k^2 / (values_k h + lam)^2 = 1``, from a guess.

    One over the root of that sum is concave in h and grows: after one Newton step the
    next ones go up to the solution. `length` is that of v.
    """
    largest = 0.0
    for k in range(v.size):
        largest = max(largest, values[k])
    # As if all were the largest.
    least = (length - lam) / largest
    h = max(h, least)
    for _ in range(NEWTON_STEPS):
        total, slope = 0.0, 0.0
        for k in range(v.size):
            bottom = 1.0 / (values[k] * h + lam)
            term = v[k] * v[k] * bottom * bottom
            total += term
            slope += term * values[k] * bottom
        # phi(h) = total^(-1/2) - 1, and its derivative is slope total^(-3/2).
        if slope <= 0.0:
            break
        step = (total * np.sqrt(total) - total) / slope
        new = max(h + step, least)
        done = abs(new - h) <= 4e-16 * new
        h = new
        if done:
            break
    return h


@kernel(fastmath=REASSOCIATE)
def _proximal_steps(
    gram, largest, lam, mu, positive, coef, correlation, change, spare, again
):
    """Write a few proximal steps of a block, in all, to `change`; see `_exact_step`."""
    size = coef.size
    z, g = spare[0], spare[1]
    for i in range(size):
        change[i], g[i] = 0.0, correlation[i]
    if largest == 0.0:
        return 0.0
    step, first = 1.0 / largest, 0.0
    worth = 0.0
    for _ in range(again):
        square = 0.0
        for i in range(size):
            target = coef[i] + change[i] + step * g[i]
            if gram[i * size + i] == 0.0:  # a constant column
                target = 0.0
            beyond = max(abs(target) - step * mu, 0.0)
            if target < 0.0:
                beyond = 0.0 if positive else -beyond
            z[i] = beyond
            square += beyond * beyond
        share = 0.0
        if square > step * step * lam * lam:
            share = 1.0 - step * lam / np.sqrt(square)
        moved = 0.0
        for i in range(size):
            z[i] = share * z[i] - coef[i] - change[i]
            moved += z[i] * z[i]
        if moved == 0.0:
            break
        for i in range(size):
            change[i] += z[i]
        for i in range(size):
            d, row = z[i], gram[i * size : (i + 1) * size]
            for k in range(size):
                g[k] -= d * row[k]
        worth += largest * moved
        first = max(first, moved)
        if moved <= 1e-4 * first:
            break
    return worth


@kernel
def block_step(blocks, b, coef, correlation, change, spare):
    """The step of block b, into `change`; see `_exact_step`."""
    first, last = blocks.starts[b], blocks.starts[b + 1]
    values = blocks.values[first:last]
    matrix = blocks.matrices[blocks.places[b] : blocks.places[b + 1]]
    lam, mu = blocks.lam[b], blocks.mu[b]
    if blocks.exact:
        return _exact_step(values, matrix, lam, coef, correlation, change, spare)
    return _proximal_steps(
        matrix,
        values[-1],
        lam,
        mu,
        blocks.positive,
        coef,
        correlation,
        change,
        spare,
        PROXIMAL_STEPS,
    )


@kernel
def move(coef, change, size):
    """Add `change`; whether anything became zero or ceased to be."""
    settled = True
    for k in range(size):
        new = coef[k] + change[k]
        if (new == 0.0) != (coef[k] == 0.0):
            settled = False
        coef[k] = new
    return settled


@kernel
def largest_block(blocks):
    size = 1
    for b in range(blocks.starts.size - 1):
        size = max(size, blocks.starts[b + 1] - blocks.starts[b])
    return size


@kernel(fastmath=REASSOCIATE)
def _subtract_rows(gram, first, change, size, correlation):
    """``correlation -= change' gram[first : first + size]``, four rows at a time."""
    for k in range(0, size, 4):
        k1, k2, k3 = min(k + 1, size - 1), min(k + 2, size - 1), min(k + 3, size - 1)
        c0 = change[k]
        c1 = change[k1] if k1 > k else 0.0
        c2 = change[k2] if k2 > k1 else 0.0
        c3 = change[k3] if k3 > k2 else 0.0
        r0, r1, r2, r3 = (
            gram[first + k],
            gram[first + k1],
            gram[first + k2],
            gram[first + k3],
        )
        for i in range(correlation.size):
            correlation[i] -= c0 * r0[i] + c1 * r1[i] + c2 * r2[i] + c3 * r3[i]


@kernel
def descend_groups(gram, blocks, visits, coef, correlation, max_epochs, tol, settling):
    """Minimise over a working set by its Gram matrix; overwrite `coef`, `correlation`.

    `gram` may be larger than the working set, which its first rows and columns are. An
    epoch visits the blocks `visits`. Descent ends after `max_epochs`, after an epoch
    with no step worth more than `tol`, or, if `settling`, after one in which no
    coefficient became zero or ceased to be.

    Returns
    -------
    n_epochs : int
    """
    room = largest_block(blocks)
    change, spare = np.empty(room), np.empty((2, room))
    n_epochs = 0
    for _ in range(max_epochs):
        n_epochs += 1
        settled, largest = True, 0.0
        for b in visits:
            first, last = blocks.starts[b], blocks.starts[b + 1]
            block = coef[first:last]
            worth = block_step(blocks, b, block, correlation[first:last], change, spare)
            if worth == 0.0:
                continue
            settled = move(block, change, last - first) and settled
            _subtract_rows(gram, first, change, last - first, correlation)
            largest = max(largest, worth)
        if largest <= tol or (settled and settling):
            break
    return n_epochs
