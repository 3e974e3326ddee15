"""Correlations brought up to date where they may matter."""

import numpy as np

from sparselearn._kernels._design import columns_dot
from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = ["combine_centres", "extrapolate", "refresh"]

# Squares of distances are differences, known to this share of the residual's square.
ROUNDING = 1e-14


@kernel(fastmath=REASSOCIATE)
def combine_centres(weights, centres, now, products, first, second, distances):
    """How residual `now` is best combined from every two of the `centres`.

    Updates ``products[a, b] = sum_i s_i centres[a, i] centres[b, i]`` for `now`, and
    writes to ``first[a, b], second[a, b]`` the coefficients of the combination of
    centres a and b that is nearest to ``centres[now]``, and to ``distances[a, b]`` how
    far it is at most. `weights` has length n_rows, or 1 for all.
    """
    n = centres.shape[0]
    residual = centres[now]
    for a in range(n):
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


@kernel
def extrapolate(current, values, last, before, alphas, step, out):
    """Write where the `current` correlations will be a `step` of alpha further.

    They go as from ``values[1]``, of residual ``before[j]``, to ``values[0]``, of
    ``last[j]``.
    """
    for j in range(out.size):
        run = alphas[last[j]] - alphas[before[j]]
        out[j] = current[j]
        if run != 0.0 and np.isfinite(step) and np.isfinite(run):
            out[j] += step * (values[0, j] - values[1, j]) / run


@kernel
def refresh(
    design,
    u,
    total,
    limits,
    lengths,
    values,
    last,
    before,
    first,
    second,
    distances,
    now,
    most,
    start,
    stop,
    out,
):
    """Write correlations with residual `now` to `out`, read where they may matter.

    Of feature j two are known, ``values[0, j]`` and ``values[1, j]``, with the
    residuals ``last[j]`` and ``before[j]``; so the one with their combination nearest
    to residual `now` is known too, and the new one lies within ``lengths[j]`` times
    the distance of it. Where that interval stays below the limit, it is written.
    Elsewhere ``(x_j - means_j)' u`` is, and becomes the last one known. Columns from
    `start` to `stop` are looked at, in order; all are read, if more than `most` ask.

    Returns
    -------
    n_read : int
    """
    stale = np.empty(stop - start, dtype=np.int64)
    n_read = 0
    for j in range(start, stop):
        a, b = last[j], before[j]
        if b == now:
            b = before[j] = a
            values[1, j] = values[0, j]
        guess = first[a, b] * values[0, j] + second[a, b] * values[1, j]
        out[j] = guess
        if a == now or abs(guess) + lengths[j] * distances[a, b] >= limits[j]:
            stale[n_read] = j
            n_read += 1
    if n_read > most:
        n_read = stop - start
        for k in range(n_read):
            stale[k] = start + k
    stale = stale[:n_read]
    fresh = np.empty(n_read)
    columns_dot(design, stale, u, total, fresh)
    for k in range(n_read):
        j = stale[k]
        if last[j] != now:
            values[1, j], before[j] = values[0, j], last[j]
        values[0, j], last[j] = fresh[k], now
        out[j] = fresh[k]
    return n_read
