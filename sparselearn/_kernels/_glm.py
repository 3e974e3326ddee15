"""Losses over rows: what a Newton step needs of each."""

import numpy as np

from sparselearn._kernels._design import column_curvature, columns_dot
from sparselearn._kernels._jit import kernel
from sparselearn.losses import curvature, fenchel_gap, gradient, value

__all__ = [
    "chosen_curvatures",
    "chosen_products",
    "gap_between",
    "measure_rows",
    "slope_at",
]


@kernel
def measure_rows(loss, target, predictor, weights, start, stop, residual, curvatures):
    """Write ``-f'(y_i, z_i)`` and ``f''(y_i, z_i)`` of the rows `start` to `stop`.

    Rows that weigh nothing get 0: theirs may be infinite.

    Returns
    -------
    total : float
        Their ``sum_i s_i f(y_i, z_i)``; `weights` has length n_rows, or 1 for all rows.
    """
    total = 0.0
    for i in range(start, stop):
        weight = weights[i if weights.size > 1 else 0]
        if weight == 0.0:
            residual[i], curvatures[i] = 0.0, 0.0
            continue
        y, z = target[i], predictor[i]
        residual[i] = -gradient(loss, y, z)
        curvatures[i] = curvature(loss, y, z)
        total += weight * value(loss, y, z)
    return total


@kernel
def slope_at(loss, target, predictor, weights, shift, start, stop):
    """Sums over the rows `start` to `stop`, with their predictors shifted.

    Returns
    -------
    slope, size, bend : float
        ``sum_i s_i f'_i``, ``sum_i s_i |f'_i|`` and ``sum_i s_i f''_i``.
    """
    slope, size, bend = 0.0, 0.0, 0.0
    for i in range(start, stop):
        weight = weights[i if weights.size > 1 else 0]
        if weight == 0.0:
            continue
        g = weight * gradient(loss, target[i], predictor[i] + shift)
        slope += g
        size += np.abs(g)
        bend += weight * curvature(loss, target[i], predictor[i] + shift)
    return slope, size, bend


@kernel
def gap_between(loss, target, predictor, theta, scale, weights, start, stop):
    """``sum_i s_i (f(y_i, z_i) + f*(y_i, -c theta_i) + c z_i theta_i)``, c the `scale`.

    Over the rows `start` to `stop`.
    """
    total = 0.0
    for i in range(start, stop):
        weight = weights[i if weights.size > 1 else 0]
        if weight > 0.0:
            v = -scale * theta[i]
            total += weight * fenchel_gap(loss, target[i], predictor[i], v)
    return total


@kernel
def chosen_curvatures(design, features, out):
    """Write the curvature of each column j of `features` to ``out[j]``."""
    for j in features:
        out[j] = column_curvature(design, j)


@kernel
def chosen_products(design, features, u, total, out):
    """Write ``(x_j - means_j)' u`` of the columns `features` to `out`."""
    columns_dot(design, features, u, total, out)
