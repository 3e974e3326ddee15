"""Design matrices as kernels see them: dense or compressed, weighted, centred.

A design stands for the centred matrix ``X - means`` and the weights ``s`` of its
rows, sum(s) = 1, without forming either product. Descent on it keeps the weighted
residual ``u = s * r`` and one number, ``total``:

- `Dense`: r is centred, ``u = s * (y - (X - means) w)``, and total stays 0.
- `Compressed`: r is not, ``u = s * (y - X w)``, and ``total = sum(u)``; the
  correlation of the centred column with the centred residual is then
  ``x_j' u - means_j * total``, and a step costs O(nnz_j).

Both give the same number from :func:`column_dot`; without an intercept means = 0.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, by_spec

__all__ = [
    "Compressed",
    "Dense",
    "add_columns",
    "column_axpy",
    "column_curvature",
    "column_dot",
    "columns_axpy",
    "columns_dot",
]


# Signed indices count from the end if negative, and to ask costs half of the time.
UNSIGNED = np.uint64
# Rows whose numbers of a few columns fit into the smallest cache.
ROWS = 1024
# Weights sum to 1 up to this.
ROUNDING = 1e-13


class Dense(NamedTuple):
    """Fortran-ordered `values` (n_rows, n_columns) with `weights` and `means`.

    `weights` has length n_rows, or 1 where all rows weigh the same.
    """

    values: np.ndarray
    weights: np.ndarray
    means: np.ndarray


class Compressed(NamedTuple):
    """Compressed sparse columns (`data`, `indices`, `indptr`), no duplicate entries.

    `weights` has length `n_rows`, or 1 where all rows weigh the same.
    """

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_rows: int
    weights: np.ndarray
    means: np.ndarray


@by_spec(fastmath=REASSOCIATE)
def column_dot(design, j, u, total):
    """The correlation ``(x_j - means_j)' u`` of centred column j with u."""


@column_dot.register(Dense)
def _column_dot_dense(design, j, u, total):
    # sum(u) = 0, but only up to rounding, which a large mean would blow up.
    values, mean = design.values, design.means[j]
    dot = 0.0
    for i in range(values.shape[0]):
        dot += (values[i, j] - mean) * u[i]
    return dot


@column_dot.register(Compressed)
def _column_dot_compressed(design, j, u, total):
    data, indices = design.data, design.indices
    dot = -design.means[j] * total
    for k in range(UNSIGNED(design.indptr[j]), UNSIGNED(design.indptr[j + 1])):
        dot += data[k] * u[UNSIGNED(indices[k])]
    return dot


@by_spec(fastmath=REASSOCIATE)
def columns_dot(design, features, u, total, out):
    """Write :func:`column_dot` of the columns `features` to `out`."""


@columns_dot.register(Dense)
def _columns_dot_dense(design, features, u, total, out):
    # Four columns at a time share what is loaded of u.
    values, means = design.values, design.means
    last = features.size - 1
    for k in range(0, features.size, 4):
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        j0, j1, j2, j3 = features[k], features[k1], features[k2], features[k3]
        x0, x1, x2, x3 = values[:, j0], values[:, j1], values[:, j2], values[:, j3]
        m0, m1, m2, m3 = means[j0], means[j1], means[j2], means[j3]
        dot0 = dot1 = dot2 = dot3 = 0.0
        for i in range(values.shape[0]):
            dot0 += (x0[i] - m0) * u[i]
            dot1 += (x1[i] - m1) * u[i]
            dot2 += (x2[i] - m2) * u[i]
            dot3 += (x3[i] - m3) * u[i]
        out[k], out[k1], out[k2], out[k3] = dot0, dot1, dot2, dot3


@columns_dot.register(Compressed)
def _columns_dot_compressed(design, features, u, total, out):
    data, indices, indptr = design.data, design.indices, design.indptr
    for k in range(features.size):
        j = features[k]
        dot = -design.means[j] * total
        for q in range(UNSIGNED(indptr[j]), UNSIGNED(indptr[j + 1])):
            dot += data[q] * u[UNSIGNED(indices[q])]
        out[k] = dot


@by_spec(fastmath=REASSOCIATE)
def column_axpy(design, j, step, u, total):
    """Add ``step * s * (x_j - means_j)`` to `u` in place; return the new `total`."""


@column_axpy.register(Dense)
def _column_axpy_dense(design, j, step, u, total):
    values, weights, mean = design.values, design.weights, design.means[j]
    n_rows = values.shape[0]
    if weights.size == n_rows:
        for i in range(n_rows):
            u[i] += step * weights[i] * (values[i, j] - mean)
    else:
        step *= weights[0]
        for i in range(n_rows):
            u[i] += step * (values[i, j] - mean)
    return total


@column_axpy.register(Compressed)
def _column_axpy_compressed(design, j, step, u, total):
    data, indices, weights = design.data, design.indices, design.weights
    total += step * design.means[j]
    if weights.size == design.n_rows:
        for k in range(UNSIGNED(design.indptr[j]), UNSIGNED(design.indptr[j + 1])):
            i = UNSIGNED(indices[k])
            u[i] += step * weights[i] * data[k]
    else:
        step *= weights[0]
        for k in range(UNSIGNED(design.indptr[j]), UNSIGNED(design.indptr[j + 1])):
            u[UNSIGNED(indices[k])] += step * data[k]
    return total


@by_spec(fastmath=REASSOCIATE)
def columns_axpy(design, features, steps, u, total):
    """:func:`column_axpy` of the columns `features`, each with its own step."""


@columns_axpy.register(Dense)
def _columns_axpy_dense(design, features, steps, u, total):
    # Four columns at a time, past the end the last one again, times 0.
    values, weights, means = design.values, design.weights, design.means
    n_rows, last = values.shape[0], features.size - 1
    for k in range(0, features.size, 4):
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        j0, j1, j2, j3 = features[k], features[k1], features[k2], features[k3]
        c0 = steps[k]
        c1 = steps[k1] if k1 > k else 0.0
        c2 = steps[k2] if k2 > k1 else 0.0
        c3 = steps[k3] if k3 > k2 else 0.0
        shift = c0 * means[j0] + c1 * means[j1] + c2 * means[j2] + c3 * means[j3]
        x0, x1, x2, x3 = values[:, j0], values[:, j1], values[:, j2], values[:, j3]
        if weights.size == n_rows:
            for i in range(n_rows):
                sum_i = c0 * x0[i] + c1 * x1[i] + c2 * x2[i] + c3 * x3[i]
                u[i] += weights[i] * (sum_i - shift)
        else:
            weight = weights[0]
            for i in range(n_rows):
                sum_i = c0 * x0[i] + c1 * x1[i] + c2 * x2[i] + c3 * x3[i]
                u[i] += weight * (sum_i - shift)
    return total


@columns_axpy.register(Compressed)
def _columns_axpy_compressed(design, features, steps, u, total):
    for k in range(features.size):
        total = column_axpy(design, features[k], steps[k], u, total)
    return total


@by_spec(fastmath=REASSOCIATE)
def add_columns(design, features, coef, out):
    """Add ``sum_k coef[k] x_features[k]`` to `out`, of columns as they are stored."""


@add_columns.register(Dense)
def _add_columns_dense(design, features, coef, out):
    # Four columns at a time, past the end the last one again, times 0.
    values = design.values
    last = features.size - 1
    for start in range(0, values.shape[0], ROWS):
        stop = min(start + ROWS, values.shape[0])
        sums = out[start:stop]
        for k in range(0, features.size, 4):
            k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
            c0 = coef[k]
            c1 = coef[k1] if k1 > k else 0.0
            c2 = coef[k2] if k2 > k1 else 0.0
            c3 = coef[k3] if k3 > k2 else 0.0
            x0, x1 = values[start:stop, features[k]], values[start:stop, features[k1]]
            x2, x3 = values[start:stop, features[k2]], values[start:stop, features[k3]]
            for i in range(stop - start):
                sums[i] += c0 * x0[i] + c1 * x1[i] + c2 * x2[i] + c3 * x3[i]


@add_columns.register(Compressed)
def _add_columns_compressed(design, features, coef, out):
    data, indices, indptr = design.data, design.indices, design.indptr
    for k in range(features.size):
        j, step = features[k], coef[k]
        for q in range(UNSIGNED(indptr[j]), UNSIGNED(indptr[j + 1])):
            out[UNSIGNED(indices[q])] += step * data[q]


@by_spec(fastmath=REASSOCIATE)
def column_curvature(design, j):
    """The curvature ``sum_i s_i (x_ij - means_j)^2``, without cancellation."""


@column_curvature.register(Dense)
def _column_curvature_dense(design, j):
    values, weights, mean = design.values, design.weights, design.means[j]
    n_rows = values.shape[0]
    total = 0.0
    if weights.size == n_rows:
        for i in range(n_rows):
            total += weights[i] * (values[i, j] - mean) ** 2
        return total
    for i in range(n_rows):
        total += (values[i, j] - mean) ** 2
    return total * weights[0]


@column_curvature.register(Compressed)
def _column_curvature_compressed(design, j):
    data, indices, weights = design.data, design.indices, design.weights
    weighted = weights.size == design.n_rows
    mean = design.means[j]
    total, stored = 0.0, 0.0
    for k in range(UNSIGNED(design.indptr[j]), UNSIGNED(design.indptr[j + 1])):
        weight = weights[UNSIGNED(indices[k])] if weighted else weights[0]
        total += weight * (data[k] - mean) ** 2
        stored += weight
    # The entries that are not stored are 0, so each is -mean from the mean.
    missing = 1.0 - stored
    if design.indptr[j + 1] - design.indptr[j] == design.n_rows or missing < ROUNDING:
        missing = 0.0
    return total + missing * mean**2
