"""The soft-max loss over rows, ``f(y, z) = log sum_k exp(z_k) - z_y``.

Arrays of rows and classes are (n_rows, n_classes), Fortran-ordered; `target` holds the
share of each class in each row, here 1 for one and 0 for the others.
"""

import numpy as np

from sparselearn._kernels._jit import kernel

__all__ = ["class_gap", "class_slopes", "log_sum_of_others", "measure_classes"]


@kernel
def measure_classes(target, predictor, weights, start, stop, residual, curvatures):
    """Write ``y - p`` and ``p (1 - p)`` of the rows `start` to `stop`, p the soft-max.

    Rows that weigh nothing get 0.

    Returns
    -------
    total : float
        Their ``sum_i s_i f(y_i, z_i)``.
    """
    n_classes = target.shape[1]
    total = 0.0
    for i in range(start, stop):
        weight = weights[i if weights.size > 1 else 0]
        if weight == 0.0:
            residual[i], curvatures[i] = 0.0, 0.0
            continue
        largest = predictor[i, 0]
        for k in range(1, n_classes):
            largest = max(largest, predictor[i, k])
        size = 0.0
        for k in range(n_classes):
            e = np.exp(predictor[i, k] - largest)
            curvatures[i, k] = e
            size += e
        loss = np.log(size)
        for k in range(n_classes):
            e = curvatures[i, k]
            # 1 - p as the share of the others, without cancellation.
            others = size - e
            if others < 0.5 * size:
                others = 0.0
                for other in range(n_classes):
                    if other != k:
                        others += np.exp(predictor[i, other] - largest)
            p, rest = e / size, others / size
            y = target[i, k]
            residual[i, k] = y * rest - (1.0 - y) * p
            loss -= y * (predictor[i, k] - largest)
            curvatures[i, k] = p * rest
        total += weight * loss
    return total


@kernel
def log_sum_of_others(predictor, k, out):
    """Write ``log sum_{l != k} exp(z_l)`` of every row."""
    for i in range(out.size):
        largest = -np.inf
        for other in range(predictor.shape[1]):
            if other != k:
                largest = max(largest, predictor[i, other])
        size = 0.0
        for other in range(predictor.shape[1]):
            if other != k:
                size += np.exp(predictor[i, other] - largest)
        out[i] = largest + np.log(size)


@kernel
def class_slopes(residual, target, weights, slope, hessian):
    """Write ``sum_i s_i r_i`` and ``sum_i s_i (diag(p_i) - p_i p_i')``, p = y - r."""
    n_classes = target.shape[1]
    slope[:] = 0.0
    hessian[:] = 0.0
    for i in range(target.shape[0]):
        weight = weights[i if weights.size > 1 else 0]
        for k in range(n_classes):
            p = target[i, k] - residual[i, k]
            slope[k] += weight * residual[i, k]
            hessian[k, k] += weight * p
            for other in range(n_classes):
                q = target[i, other] - residual[i, other]
                hessian[k, other] -= weight * p * q


@kernel
def class_gap(target, predictor, theta, scale, weights):
    """``sum_i s_i KL(q_i || p_i)``, with ``q = y - scale theta`` and p the soft-max.

    Infinite where q is outside the simplex by more than rounding.
    """
    n_classes = target.shape[1]
    total = 0.0
    for i in range(target.shape[0]):
        weight = weights[i if weights.size > 1 else 0]
        if weight == 0.0:
            continue
        largest = predictor[i, 0]
        for k in range(1, n_classes):
            largest = max(largest, predictor[i, k])
        size = 0.0
        for k in range(n_classes):
            size += np.exp(predictor[i, k] - largest)
        log_size = largest + np.log(size)
        gap = 0.0
        for k in range(n_classes):
            q = target[i, k] - scale * theta[i, k]
            if q < -1e-12:
                return np.inf
            if q > 0.0:
                gap += q * (np.log(q) - predictor[i, k] + log_size)
        total += weight * max(gap, 0.0)
    return total
