"""Loops on the Gram matrix of a working set.

The working set lists m columns of the design; ``gram[a, b]`` is the product
``sum_i s_i (x_ia - means_a)(x_ib - means_b)`` of two of them. With the correlations
``g = c - gram w`` at hand a visit costs O(1), and a step O(m), whatever the number of
rows.
"""

import numpy as np

from sparselearn._kernels._design import ROWS, UNSIGNED
from sparselearn._kernels._jit import REASSOCIATE, kernel
from sparselearn.penalties import prox

__all__ = [
    "correlate_gram",
    "descend_gram",
    "gather_centred",
    "gather_rows",
    "gather_triangle",
    "gram_rows_compressed",
    "gram_rows_dense",
]


@kernel
def descend_gram(gram, penalty, features, coef, correlation, max_epochs, tol):
    """Minimise over the working set; overwrite `coef` and `correlation`.

    The step at position k, with j = features[k] and L = gram[k, k], is ::

        w_k <- prox_{h_j / L}(w_k + g_k / L),    g <- g - dw_k gram[k]

    `gram` may be larger than the working set, which its first rows and columns are.
    An epoch visits all positions. Descent ends after `max_epochs`, or after an epoch
    with no step worth more than `tol`, max_k L (dw_k)^2 <= tol.

    Returns
    -------
    n_epochs : int
    """
    n_epochs = 0
    for _ in range(max_epochs):
        n_epochs += 1
        largest = 0.0
        for k in range(coef.size):
            curvature = gram[k, k]
            if curvature == 0.0:
                continue
            old = coef[k]
            step = 1.0 / curvature
            new = prox(penalty, old + step * correlation[k], step, features[k])
            change = new - old
            if change != 0.0:
                coef[k] = new
                for i in range(coef.size):
                    correlation[i] -= change * gram[k, i]
                largest = max(largest, curvature * change**2)
        if largest <= tol:
            break
    return n_epochs


@kernel(fastmath=REASSOCIATE)
def correlate_gram(gram, moment, coef, active, out):
    """Write ``moment - gram coef`` to `out`, with `coef` 0 but at `active`.

    `gram` may be larger than the working set.
    """
    out[:] = moment
    last = active.size - 1
    for k in range(0, active.size, 4):
        # Past the end the last one again, times 0.
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        g0, g1 = gram[active[k]], gram[active[k1]]
        g2, g3 = gram[active[k2]], gram[active[k3]]
        w0 = coef[active[k]]
        w1 = coef[active[k1]] if k1 > k else 0.0
        w2 = coef[active[k2]] if k2 > k1 else 0.0
        w3 = coef[active[k3]] if k3 > k2 else 0.0
        for i in range(out.size):
            out[i] -= w0 * g0[i] + w1 * g1[i] + w2 * g2[i] + w3 * g3[i]


@kernel
def gather_triangle(gram, active, bend, out):
    """Write the lower triangle of ``gram[active, active] - diag(bend)`` to `out`."""
    for i in range(active.size):
        row, target = gram[active[i]], out[i]
        for k in range(i + 1):
            target[k] = row[active[k]]
        target[i] -= bend[i]


@kernel
def gather_centred(values, means, scale, features, start, out):
    """Write ``scale_i (x_ij - means_j)`` of some rows and columns to `out`.

    Row i of `out`, Fortran-ordered, is row ``start + i`` of `values`; column k is
    column ``features[k]``. `scale` has length n_rows, or 1 for all rows.
    """
    for k in range(features.size):
        j = features[k]
        mean = means[j]
        if scale.size == 1:
            for i in range(out.shape[0]):
                out[i, k] = scale[0] * (values[start + i, j] - mean)
        else:
            for i in range(out.shape[0]):
                out[i, k] = scale[start + i] * (values[start + i, j] - mean)


@kernel
def gather_rows(values, rows, out):
    """Write ``values[rows]`` to `out`, both Fortran-ordered."""
    for j in range(values.shape[1]):
        for i in range(rows.size):
            out[i, j] = values[rows[i], j]


@kernel(fastmath=REASSOCIATE)
def gram_rows_dense(values, means, new, features, out):
    """Add ``new[k]' (x_features[a] - means)`` to ``out[k, a]``.

    `new` (n_new, n_rows) holds columns that are centred and weighted already. Four of
    them meet two others at a time: what is loaded is used in several products, which
    makes this as fast as a matrix product, without a copy of the other columns.
    """
    n_new, n_features = new.shape[0], features.size
    for start in range(0, values.shape[0], ROWS):
        stop = min(start + ROWS, values.shape[0])
        for a in range(0, n_features, 2):
            b = min(a + 1, n_features - 1)
            x, x_mean = values[start:stop, features[a]], means[features[a]]
            y, y_mean = values[start:stop, features[b]], means[features[b]]
            for k in range(0, n_new, 4):
                # Past the end the last one is done again, and not added.
                l0, l1 = min(k + 1, n_new - 1), min(k + 2, n_new - 1)
                l2 = min(k + 3, n_new - 1)
                z0, z1 = new[k, start:stop], new[l0, start:stop]
                z2, z3 = new[l1, start:stop], new[l2, start:stop]
                x0 = x1 = x2 = x3 = y0 = y1 = y2 = y3 = 0.0
                for i in range(stop - start):
                    u, v = x[i] - x_mean, y[i] - y_mean
                    x0 += z0[i] * u
                    x1 += z1[i] * u
                    x2 += z2[i] * u
                    x3 += z3[i] * u
                    y0 += z0[i] * v
                    y1 += z1[i] * v
                    y2 += z2[i] * v
                    y3 += z3[i] * v
                for extra, first, second in (
                    (0, x0, y0),
                    (1, x1, y1),
                    (2, x2, y2),
                    (3, x3, y3),
                ):
                    if k + extra < n_new:
                        out[k + extra, a] += first
                        if a + 1 < n_features:
                            out[k + extra, a + 1] += second


@kernel
def gram_rows_compressed(design, new, features, out):
    """Write the Gram products of the columns `new` with the columns `features`.

    ``out[k, a] = x_new[k]' S x_features[a] - means means``. The entries of `new` are
    listed by rows first; then one look at every entry of `features` serves all of
    `new`, and costs what they have in common, which of sparse columns is little.
    """
    data, indices, indptr = design.data, design.indices, design.indptr
    means, weights = design.means, design.weights
    weighted = weights.size == design.n_rows
    # Where the entries of a row begin, and for now where its next one goes.
    begin = np.zeros(design.n_rows + 1, dtype=np.int64)
    for j in new:
        for q in range(UNSIGNED(indptr[j]), UNSIGNED(indptr[j + 1])):
            begin[UNSIGNED(indices[q]) + UNSIGNED(1)] += 1
    for i in range(design.n_rows):
        begin[i + 1] += begin[i]
    end, places = begin[:-1].copy(), np.empty(begin[-1], dtype=np.int32)
    numbers = np.empty(begin[-1])
    for k in range(new.size):
        for q in range(UNSIGNED(indptr[new[k]]), UNSIGNED(indptr[new[k] + 1])):
            i = UNSIGNED(indices[q])
            weight = weights[i] if weighted else weights[0]
            places[end[i]], numbers[end[i]] = k, weight * data[q]
            end[i] += 1
    for a in range(features.size):
        j = features[a]
        for k in range(new.size):
            out[k, a] = -means[new[k]] * means[j]
        for q in range(UNSIGNED(indptr[j]), UNSIGNED(indptr[j + 1])):
            i = UNSIGNED(indices[q])
            for entry in range(UNSIGNED(begin[i]), UNSIGNED(end[i])):
                out[places[entry], a] += data[q] * numbers[entry]
