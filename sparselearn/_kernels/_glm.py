"""Losses over rows: what a Newton step needs of each, and the best intercept."""

import numpy as np

from sparselearn._kernels._design import column_curvature, columns_dot
from sparselearn._kernels._jit import kernel
from sparselearn.losses import curvature, gradient, value

__all__ = ["best_shift", "chosen_curvatures", "chosen_products", "measure_rows"]

# Of a sum that should be 0, the share of its terms' sizes that is rounding, times the
# root of their number.
ROUNDING = 4 * np.finfo(np.float64).eps


@kernel
def measure_rows(loss, target, predictor, weights, residual, curvatures):
    """Write ``-f'(y_i, z_i)`` and ``f''(y_i, z_i)`` of every row.

    Returns
    -------
    total : float
        ``sum_i s_i f(y_i, z_i)``; `weights` has length n_rows, or 1 for all rows.
    """
    total = 0.0
    for i in range(target.size):
        y, z = target[i], predictor[i]
        residual[i] = -gradient(loss, y, z)
        curvatures[i] = curvature(loss, y, z)
        weight = weights[i if weights.size > 1 else 0]
        # Of rows that weigh nothing the loss may be infinite.
        if weight > 0.0:
            total += weight * value(loss, y, z)
    return total


@kernel
def best_shift(loss, target, predictor, weights, max_iter):
    """The b that minimises ``sum_i s_i f(y_i, z_i + b)``.

    Newton steps, between the ends of an interval that holds b: where one would leave
    it, or where there is no curvature, the interval is halved, or doubled if it has
    one end only.
    """
    low, high, shift, reach = -np.inf, np.inf, 0.0, 4.0
    for _ in range(max_iter):
        slope, size, bend = 0.0, 0.0, 0.0
        for i in range(target.size):
            weight = weights[i if weights.size > 1 else 0]
            if weight == 0.0:
                continue
            g = weight * gradient(loss, target[i], predictor[i] + shift)
            slope += g
            size += np.abs(g)
            bend += weight * curvature(loss, target[i], predictor[i] + shift)
        if np.abs(slope) <= ROUNDING * np.sqrt(target.size) * size:
            break
        if slope > 0.0:
            high = shift
        else:
            low = shift
        new = shift - slope / bend if bend > 0.0 else np.nan
        if np.isfinite(low) and np.isfinite(high):
            if not low < new < high:
                new = 0.5 * (low + high)
        elif not np.abs(new - shift) <= reach:
            new = shift - np.sign(slope) * reach
            reach *= 2.0
        if new == shift:
            break
        shift = new
    return shift


@kernel
def chosen_curvatures(design, features, out):
    """Write the curvature of each column j of `features` to ``out[j]``."""
    for j in features:
        out[j] = column_curvature(design, j)


@kernel
def chosen_products(design, features, u, total, out):
    """Write ``(x_j - means_j)' u`` of the columns `features` to `out`."""
    columns_dot(design, features, u, total, out)
