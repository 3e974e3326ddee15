"""Correlations brought up to date where they may matter."""

import numpy as np

from sparselearn._kernels._design import columns_dot
from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = ["approaching", "combine_centres", "expect", "read", "renew", "screen"]

# Squares of distances are differences, known to this share of the residual's square.
ROUNDING = 1e-14


@kernel(fastmath=REASSOCIATE)
def combine_centres(weights, centres, uses, now, products, first, second, distances):
    """How residual `now` is best combined from every two of the `centres`.

    Updates ``products[a, b] = sum_i s_i centres[a, i] centres[b, i]`` for `now`, and
    writes to ``first[a, b], second[a, b]`` the coefficients of the combination of
    centres a and b that is nearest to ``centres[now]``, and to ``distances[a, b]`` how
    far it is at most. Of what was known about the residual that `now` takes the place
    of nothing is: there the distance is inf. `weights` has length n_rows, or 1 for all;
    centres without `uses` are left out.
    """
    n = centres.shape[0]
    residual = centres[now]
    for a in range(n):
        if uses[a] == 0 and a != now:
            continue
        centre, total = centres[a], 0.0
        if weights.size == 1:
            for i in range(residual.size):
                total += residual[i] * centre[i]
            total *= weights[0]
        else:
            for i in range(residual.size):
                total += weights[i] * residual[i] * centre[i]
        products[a, now] = products[now, a] = total
    square = products[now, now]
    for a in range(n):
        for b in range(n):
            if uses[a] == 0 or uses[b] == 0:
                continue
            aa, ab, bb = products[a, a], products[a, b], products[b, b]
            ar, br = products[a, now], products[b, now]
            determinant = aa * bb - ab * ab
            if determinant > 1e-10 * aa * bb:
                first[a, b] = (bb * ar - ab * br) / determinant
                second[a, b] = (aa * br - ab * ar) / determinant
            else:
                # Of one direction a single centre says it all.
                first[a, b] = ar / aa if aa > 0.0 else 0.0
                second[a, b] = 0.0
            left = square
            left += first[a, b] * (first[a, b] * aa - 2.0 * ar)
            left += second[a, b] * (second[a, b] * bb - 2.0 * br)
            left += 2.0 * first[a, b] * second[a, b] * ab
            sizes = first[a, b] ** 2 * aa + second[a, b] ** 2 * bb + square
            distances[a, b] = np.sqrt(max(left, 0.0) + ROUNDING * sizes)
    distances[now] = np.inf


@kernel
def screen(
    limits,
    lengths,
    active,
    values,
    last,
    before,
    uses,
    first,
    second,
    distances,
    now,
    out,
    stale,
):
    """Write to `stale` which correlations with residual `now` are to be read.

    Of feature j two are known, ``values[0, j]`` and ``values[1, j]``, with the
    residuals ``last[j]`` and ``before[j]``; so the one with their combination nearest
    to residual `now` is known too, and is written to `out`. The new one lies within
    ``lengths[j]`` times the distance of it. Where that interval does not stay below
    the limit, and for the features `active`, in order, it is to be read. `limits` has
    length n_features, or 1 for all; ``uses[a]`` counts how often a is the `last` one or
    the one `before`.

    Returns
    -------
    n_stale : int
    """
    own = 0 if limits.size == 1 else 1
    n_stale, k = 0, 0
    next_active = active[0] if active.size else -1
    for j in range(out.size):
        a, b = last[j], before[j]
        if b == now:
            b = before[j] = a
            values[1, j] = values[0, j]
            uses[now] -= 1
            uses[a] += 1
        guess = first[a, b] * values[0, j] + second[a, b] * values[1, j]
        out[j] = guess
        reach = abs(guess) + lengths[j] * distances[a, b]
        if j == next_active:
            k += 1
            next_active = active[k] if k < active.size else -1
        elif reach < limits[own * j]:
            continue
        stale[n_stale] = j
        n_stale += 1
    return n_stale


@kernel
def read(design, features, u, total, out):
    """Write ``(x_j - means_j)' u`` of the `features` to `out`."""
    columns_dot(design, features, u, total, out)


@kernel
def renew(features, fresh, now, values, last, before, uses, out):
    """Take `fresh` correlations of `features` with residual `now` for the last ones."""
    for k in range(features.size):
        j = features[k]
        a, b = last[j], before[j]
        if a != now:
            values[1, j], before[j] = values[0, j], a
            last[j] = now
            uses[b] -= 1
            uses[now] += 1
        values[0, j] = out[j] = fresh[k]


@kernel
def _slopes(alphas, step):
    """How far correlations go with a `step` of alpha, in units of their last change.

    Nowhere, if that was none of alpha.
    """
    n = alphas.size
    slopes = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            run = alphas[a] - alphas[b]
            if run != 0.0 and np.isfinite(run) and np.isfinite(step):
                slopes[a, b] = step / run
    return slopes


@kernel
def expect(current, values, last, before, alphas, step, features, out):
    """Write where correlations of `features` will be a `step` of alpha further.

    From where they are, they go on as from ``values[1]``, of the residual
    ``before[j]``, to ``values[0]``, of ``last[j]``.
    """
    slopes = _slopes(alphas, step)
    for k in range(features.size):
        j = features[k]
        change = values[0, j] - values[1, j]
        out[k] = current[j] + slopes[last[j], before[j]] * change


@kernel
def approaching(
    current, values, last, before, alphas, step, bounds, outside, found, ahead
):
    """Find features `outside` that are expected to exceed their `bounds`.

    See :func:`expect`. They are written to `found`, their correlations to `ahead`;
    `bounds` has length n_features, or 1 for all.

    Returns
    -------
    n_found : int
    """
    slopes = _slopes(alphas, step)
    own = 0 if bounds.size == 1 else 1
    n_found = 0
    for j in range(current.size):
        change = values[0, j] - values[1, j]
        expected = current[j] + slopes[last[j], before[j]] * change
        if abs(expected) > bounds[own * j] and outside[j]:
            found[n_found], ahead[n_found] = j, expected
            n_found += 1
    return n_found
