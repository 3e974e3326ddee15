"""Which centroid is nearest, proved by rough products; and the sums of its rows.

Products of a block of rows with the centroids are made in the precision of the rows,
which is float32 mostly, and perhaps in fewer dimensions than they have. That bounds how
near a centroid may be at most. What may be nearer than the nearest known, and that is
one centroid or two of hundreds, is measured in float64. So what comes out is what
float64 gives, at the cost of float32 in a part of the dimensions.

Rows and centroids are taken in another unit and from another origin, so that no product
overflows and few digits cancel: ``x = scale * (row - shift)``, c likewise. In an
orthonormal basis x has the leading coordinates z, and a rest of length t: by the
inequality of Cauchy and Schwarz, with rounding e, ::

    |x'c - z_x'z_c| <= t_x t_c + e ||x|| ||c|| <= r_x r_c,    r^2 = t^2 + e ||.||^2

so that r, the reach, of both is one more coordinate of a product that is no smaller.
"""

import math

import numpy as np

from sparselearn._kernels._distances import product, square_apart
from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["add_rows", "add_sparse_rows", "centre", "least_errors", "settle"]

# Products looked at together: most such sets hold none that matters.
SET = 64
# Features after which a distance may be seen to be too long.
FEATURES = 64


@kernel(fastmath=REASSOCIATE)
def centre(rows, shift, scale, centred, lengths):
    """Write ``scale * (rows - shift)`` to `centred`, and how long these rows are."""
    n_rows, n_features = rows.shape
    for i in range(n_rows):
        row, new = rows[i], centred[i]
        total = 0.0  # float64: rows of no unit in particular may be long
        for k in range(n_features):
            value = (row[k] - shift[k]) * scale
            new[k] = value
            total += np.float64(value) * value
        lengths[i] = math.sqrt(total)


@inlined(fastmath=REASSOCIATE)
def _measure(row, centroid, spherical):
    """What the nearest centroid has the least of."""
    if spherical:
        return -abs(product(row, centroid))
    return square_apart(row, centroid, 1.0)


@inlined
def _least_product(measure, length, scale, rounding, spherical):
    """What a centroid's ``x'c - ||c||^2 / 2`` must reach to be as near as `measure`.

    Or ``|x'c|``; in the other unit, and a little less.
    """
    if spherical:
        return -measure * scale * (1.0 - rounding)
    square = length * length * (1.0 - rounding)
    return 0.5 * (square - measure * scale * scale * (1.0 + rounding))


@kernel(fastmath=REASSOCIATE)
def settle(
    rows,
    centroids,
    products,
    lengths,
    row_reaches,
    reaches,
    scale,
    rounding,
    spherical,
    labels,
    squares,
    sizes,
):
    r"""Find the nearest centroid of each row, beginning with the one that was nearest.

    A centroid j is measured if it may be as near as the nearest so far, that is, in the
    other unit, where ::

        P_ij >= (||x_i||^2 - d_i^2) / 2,    P_ij >= x_i'c_j - ||c_j||^2 / 2
        |P_ij| + r_i r_j >= |s_i|                                    (spherical)

    Parameters
    ----------
    rows : ndarray (n_rows, n_features)
        As the user gave them.
    centroids : float64 ndarray (n_components, n_features)
        In the same unit and from the same origin; with `spherical` of length 1, or 0.
    products : ndarray (n_rows, n_components or more), C-ordered
        P. Overwritten. Columns beyond are so low that they do not matter.
    lengths : ndarray (n_rows,)
        ||x_i||.
    row_reaches, reaches : ndarray (n_rows,), ndarray (n_components or more,)
        r_i and r_j; for `spherical` only, as otherwise P is with them.
    scale, rounding : float
        The other unit; the relative error of the square of a length.
    spherical : bool
    labels : int32 ndarray (n_rows,)
        Any centroid, the faster the nearer it is. Overwritten by the nearest one, the
        first among equals.
    squares : float64 ndarray (n_rows,)
        Overwritten by the squared distance from it; with `spherical` from s c, where
        s = c'x.
    sizes : float64 ndarray (n_rows,)
        Overwritten by s; or untouched.
    """
    n_rows, width = products.shape
    for i in range(n_rows):
        row, inner, label = rows[i], products[i], labels[i]
        least = _measure(row, centroids[label], spherical)
        needed = _least_product(least, lengths[i], scale, rounding, spherical)
        # Known already: too low a product to be looked at.
        inner[label] = 0.0 if spherical else -np.inf
        for start in range(0, width, SET):
            # Of slices, whose indices begin at 0, loops vectorise.
            near, reach = inner[start : start + SET], reaches[start : start + SET]
            limit, some = products.dtype.type(needed), np.int32(0)
            if spherical:
                for j in range(near.shape[0]):
                    near[j] = abs(near[j]) + row_reaches[i] * reach[j]
            for j in range(near.shape[0]):
                some |= np.int32(0) if near[j] < limit else np.int32(1)  # 1 for NaN
            if some == 0:
                continue
            for j in range(min(near.shape[0], centroids.shape[0] - start)):
                if near[j] < needed:
                    continue
                measure = _measure(row, centroids[start + j], spherical)
                if measure < least or (measure == least and start + j < label):
                    least, label = measure, start + j
                    needed = _least_product(
                        least, lengths[i], scale, rounding, spherical
                    )
        labels[i] = label
        squares[i] = least
        if spherical:
            sizes[i] = product(row, centroids[label])
            squares[i] = square_apart(row, centroids[label], sizes[i])


@inlined(fastmath=REASSOCIATE)
def _square_below(row, centroid, limit):
    """``||row - centroid||^2``, or something from `limit` on that is no larger."""
    total = 0.0
    for start in range(0, row.shape[0], FEATURES):
        total += square_apart(
            row[start : start + FEATURES], centroid[start : start + FEATURES], 1.0
        )
        if total >= limit:
            break
    return total


@kernel(fastmath=REASSOCIATE)
def least_errors(rows, centroids, spherical, closest, errors):
    """Write to `errors[j, i]` the squared error of row i by centroid j, or the known.

    The lesser of the two: `closest[i]` is known by other centroids. An error is the
    squared distance; with `spherical` that from the line along the centroid.
    """
    for i in range(rows.shape[0]):
        row, known = rows[i], closest[i]
        for j in range(centroids.shape[0]):
            centroid = centroids[j]
            if spherical:
                error = square_apart(row, centroid, product(row, centroid))
            else:
                error = _square_below(row, centroid, known)
            errors[j, i] = min(error, known)


@kernel
def add_rows(rows, weights, labels, sums):
    """Add rows, times their weights, to the sums of their labels.

    Parameters
    ----------
    rows : ndarray (n_rows, n_features)
    weights : float64 ndarray (n_rows,)
    labels : int32 ndarray (n_rows,)
        Negative for rows that are left out.
    sums : float64 ndarray (n_components, n_features)
    """
    n_rows, n_features = rows.shape
    for i in range(n_rows):
        if labels[i] < 0:
            continue
        row, total, weight = rows[i], sums[labels[i]], weights[i]
        for k in range(n_features):
            total[k] += weight * row[k]


@kernel
def add_sparse_rows(data, indices, starts, weights, labels, sums):
    """The same of the rows of a compressed X: `data`, `indices` and `starts`."""
    for i in range(labels.shape[0]):
        if labels[i] < 0:
            continue
        total, weight = sums[labels[i]], weights[i]
        for k in range(starts[i], starts[i + 1]):
            total[indices[k]] += weight * data[k]
