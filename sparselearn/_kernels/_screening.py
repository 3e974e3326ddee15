"""Correlations brought up to date where they may matter."""

import numpy as np

from sparselearn._kernels._design import columns_dot
from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = ["extrapolate", "measure_distances", "refresh"]


@kernel(fastmath=REASSOCIATE)
def measure_distances(residual, weights, centres, out):
    """Write ``sqrt(sum_i s_i (residual_i - centres[k, i])^2)`` to ``out[k]``.

    `weights` has length n_rows, or 1 for all.
    """
    for k in range(centres.shape[0]):
        centre = centres[k]
        total = 0.0
        if weights.size == 1:
            for i in range(residual.size):
                total += (residual[i] - centre[i]) ** 2
            total *= weights[0]
        else:
            for i in range(residual.size):
                total += weights[i] * (residual[i] - centre[i]) ** 2
        out[k] = np.sqrt(total)


@kernel
def extrapolate(values, slopes, origin, alphas, alpha, out):
    """Write ``values + (alpha - alphas[origin]) slopes``; where inf, `values`."""
    for j in range(values.size):
        step = alpha - alphas[origin[j]]
        out[j] = values[j] + (step * slopes[j] if np.isfinite(step) else 0.0)


@kernel
def refresh(
    design,
    u,
    total,
    limits,
    lengths,
    values,
    slopes,
    origin,
    alphas,
    distances,
    now,
    most,
    start,
    stop,
):
    """Overwrite ``values[j]`` with ``(x_j - means_j)' u`` where it may exceed a limit.

    The value at hand is of the residual ``k = origin[j]``, which is ``distances[k]``
    away from the one of `u`; so the new one lies within ``lengths[j] distances[k]`` of
    it. Columns are read in order, and only those; all, if these are more than `most`.
    What is read is of residual `now`;
    ``slopes[j]`` becomes its change over that of ``alphas``. `limits` has length
    n_columns, or 1 for all. Only columns from `start` to `stop` are looked at.

    Returns
    -------
    n_read : int
    """
    stale = np.empty(stop - start, dtype=np.int64)
    n_read = 0
    for j in range(start, stop):
        limit = limits[0] if limits.size == 1 else limits[j]
        k = origin[j]
        if k == now or abs(values[j]) + lengths[j] * distances[k] >= limit:
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
        step = alphas[now] - alphas[origin[j]]
        if step != 0.0:
            slopes[j] = (fresh[k] - values[j]) / step
        values[j] = fresh[k]
        origin[j] = now
    return n_read
