r"""Codes of rows under a penalty of groups of atoms, by Gram products.

.. math:: \tfrac12 \|x - D'z\|^2 + \sum_g \lambda_g \|z_g\|_2

Blocks are solved as in ``_blocks.py``, with the correlations ``r = c - G z`` of all
atoms kept up to date. Descent stops at the duality gap that these give, as a sum of
terms >= 0,

    (1 - t)^2 rho^2 / 2 + sum_g (lambda_g ||z_g|| - t r_g'z_g),
    t = min(1, min_g lambda_g / ||r_g||),    rho^2 = ||x - D'z||^2.

With codes >= 0 it is the positive part of r_g that counts in t. No dual point answers
for groups without a penalty: what correlation they have left counts as if ||z_g|| were
wrong by as much as it is, and ||x|| over the largest singular value.
"""

import numpy as np

from sparselearn._kernels._blocks import descend_groups
from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = ["encode_groups"]

# Sweeps over the blocks that are not 0, or should not be, before all are looked at.
EPOCHS = 10
# A sweep no step of which is worth this share of the gap asked for is the last.
WORTH = 0.01
# How far to go on at most, in changes of so many sweeps.
FARTHEST = 1e6


@kernel(fastmath=REASSOCIATE)
def _pulls(blocks, correlation, out):
    """Write the length of what pulls each group from 0 to `out`; return the largest."""
    for b in range(out.size):
        total = 0.0
        for k in range(blocks.starts[b], blocks.starts[b + 1]):
            r = correlation[k]
            if blocks.positive:
                r = max(r, 0.0)
            total += r * r
        out[b] = np.sqrt(total)


@kernel(fastmath=REASSOCIATE)
def _certify(blocks, inner, square, codes, correlation, pulls):
    """What a code is worth; overwrites `pulls`.

    Returns
    -------
    error, penalty, gap
    """
    _pulls(blocks, correlation, pulls)
    scale, fitted, penalty, slackness, unpenalised = 1.0, 0.0, 0.0, 0.0, 0.0
    for b in range(pulls.size):
        if pulls[b] > blocks.lam[b] > 0.0:
            scale = min(scale, blocks.lam[b] / pulls[b])
    for b in range(pulls.size):
        lam, last = blocks.lam[b], blocks.starts[b + 1]
        length, inside, along = 0.0, 0.0, 0.0
        for k in range(blocks.starts[b], last):
            length += codes[k] * codes[k]
            inside += codes[k] * inner[k]
            along += codes[k] * correlation[k]
        length = np.sqrt(length)
        fitted += inside + along
        penalty += lam * length
        if lam > 0.0:
            slackness += lam * length - scale * along
        elif blocks.values[last - 1] > 0.0:
            reach = np.sqrt(square / blocks.values[last - 1])
            unpenalised += pulls[b] * (length + reach) + abs(along)
    error = max(square - fitted, 0.0)
    gap = 0.5 * (1.0 - scale) ** 2 * error + slackness + unpenalised
    return error, penalty, gap


@kernel(fastmath=REASSOCIATE)
def _gain(blocks, codes, change, step):
    """What ``sum_g lambda_g ||z_g||`` grows by on a step along `change`."""
    total = 0.0
    for b in range(blocks.lam.size):
        here, there = 0.0, 0.0
        for k in range(blocks.starts[b], blocks.starts[b + 1]):
            z = codes[k] + step * change[k]
            here += codes[k] * codes[k]
            there += z * z
        total += blocks.lam[b] * (np.sqrt(there) - np.sqrt(here))
    return total


@kernel(fastmath=REASSOCIATE)
def _go_on(blocks, codes, correlation, before):
    """Go on the way of the last sweeps, twice as far as long as that is downhill.

    Where atoms are nearly dependent each sweep is a small part of a long way. What it
    is worth needs no Gram product: with the changes d and ``e = G d`` known the error
    is a parabola.

    Parameters
    ----------
    before : (2, K)
        Codes and correlations before these sweeps; overwritten.
    """
    slope, curve, step, least = 0.0, 0.0, 0.0, 0.0
    longest = np.inf
    for k in range(codes.size):
        before[0, k] = codes[k] - before[0, k]
        before[1, k] -= correlation[k]
        slope += before[0, k] * correlation[k]
        curve += before[0, k] * before[1, k]
        if blocks.positive and before[0, k] < 0.0:
            longest = min(longest, -codes[k] / before[0, k])
    trial = 1.0
    while trial <= longest and trial < FARTHEST:
        value = 0.5 * trial * trial * curve - trial * slope
        value += _gain(blocks, codes, before[0], trial)
        if not value < least:
            break
        step, least = trial, value
        trial *= 2.0
    if step > 0.0:
        for k in range(codes.size):
            codes[k] += step * before[0, k]
            correlation[k] -= step * before[1, k]


@kernel
def encode_groups(
    gram, blocks, weights, alpha, relative, tol, max_iter, products, lengths, out
):
    """Overwrite `products`, ``X D'``, by codes.

    Parameters
    ----------
    gram : (K, K)
    blocks : Blocks
        All atoms, group after group; its `lam` is overwritten.
    weights : (n_groups,)
        ``lambda_g = alpha weights[g]``.
    relative : bool
        Whether `alpha` is a share of the least one that makes a row's code 0.
    tol : float
        Duality gap to reach, in units of ``||x||^2 / 2``.
    max_iter : int
        Sweeps over the groups at most.
    products : (n_rows, K)
    lengths : (n_rows,)
        ``||x||^2``.
    out : (3, n_rows)
        Of each row the squared error, the penalty, and whether the gap was missed.
    """
    n_groups, n_atoms = weights.size, products.shape[1]
    codes, correlation = np.empty(n_atoms), np.empty(n_atoms)
    pulls, visits = np.empty(n_groups), np.empty(n_groups, dtype=np.int64)
    before = np.empty((2, n_atoms))
    for i in range(lengths.size):
        codes[:], correlation[:] = 0.0, products[i]
        level = alpha
        if relative:
            _pulls(blocks, correlation, pulls)
            level *= np.max(pulls / weights)
        blocks.lam[:] = level * weights
        enough, n_epochs = tol * 0.5 * lengths[i], 0
        while True:
            found = _certify(blocks, products[i], lengths[i], codes, correlation, pulls)
            if found[2] <= enough or n_epochs >= max_iter:
                break
            n = 0
            for b in range(n_groups):
                first, last = blocks.starts[b], blocks.starts[b + 1]
                visits[n] = b
                n += pulls[b] > blocks.lam[b] or np.any(codes[first:last] != 0.0)
            before[0], before[1] = codes, correlation
            n_epochs += descend_groups(
                gram,
                blocks,
                visits[:n],
                codes,
                correlation,
                min(EPOCHS, max_iter - n_epochs),
                WORTH * enough,
                False,
            )
            _go_on(blocks, codes, correlation, before)
        products[i] = codes
        out[0, i], out[1, i], out[2, i] = found[0], found[1], found[2] > enough
