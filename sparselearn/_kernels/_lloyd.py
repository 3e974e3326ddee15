"""Which centroid is nearest, proved by rough products; and the sums of its rows.

Products of a block of rows with the centroids are made in the precision of the rows,
which is float32 mostly. Each is known to an error, so a bound is known on how near a
centroid may be at most. Where the nearest by that bound is nearer than all others may
be, it is the nearest; for the few rows that are left the candidates are measured in
float64. So what comes out is what float64 gives, at the cost of float32.

Rows and centroids are taken in another unit, and from another origin, so that no
product overflows and few digits cancel: ``x = scale * (row - shift)``, c likewise.
A block's `products` are C-ordered (n_components, n_rows), P_ji = c_j'x_i: a loop over
rows then meets neighbours in memory, and needs no reduction.
"""

import math

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = [
    "add_rows",
    "add_sparse_rows",
    "centre",
    "settle",
    "squared_errors",
    "two_nearest",
]


@kernel(fastmath=REASSOCIATE)
def centre(rows, shift, scale, centred, lengths):
    """Write ``scale * (rows - shift)`` to `centred`, and how long these rows are."""
    n_rows, n_features = rows.shape
    for i in range(n_rows):
        row, new = rows[i], centred[i]
        total = 0 * scale  # of the same dtype
        for k in range(n_features):
            value = (row[k] - shift[k]) * scale
            new[k] = value
            total += value * value
        lengths[i] = math.sqrt(total)


@kernel(fastmath=REASSOCIATE)
def two_nearest(products, halves, errors, lengths, spherical, best, second, labels):
    r"""Write the least and the next of the bounds of each row, and where the least is.

    The bound of row i and centroid j is, without and with `spherical`, ::

        b_ji = ||c_j||^2 / 2 - P_ji - e_j ||x_i||   <= (||x_i - c_j||^2 - ||x_i||^2)/2
        b_ji = -|P_ji| - e_j ||x_i||                <= -|c_j'x_i|

    The first one among equals counts as the least.

    Parameters
    ----------
    products : ndarray (n_components, n_rows)
    halves : ndarray (n_components,)
        Half the squared length of each centroid, and a little less; or zeros.
    errors : ndarray (n_components,)
        The e_j: the error of a product, for rows of length 1.
    lengths : ndarray (n_rows,)
    spherical : bool
    best, second : ndarray (n_rows,)
    labels : int32 ndarray (n_rows,)
        -1 where no bound is a number.
    """
    n_components, n_rows = products.shape
    for i in range(n_rows):
        best[i] = np.inf
        second[i] = np.inf
        labels[i] = -1
    for j in range(n_components):
        row, half, error = products[j], halves[j], errors[j]
        for i in range(n_rows):
            value = abs(row[i]) if spherical else row[i]
            value = half - value - error * lengths[i]
            least = best[i]
            other = min(value, second[i])
            lower = value < least
            second[i] = least if lower else other
            best[i] = value if lower else least
            labels[i] = j if lower else labels[i]


@inlined
def _square(row, centroid, size):
    """``||row - size centroid||^2`` in float64: exactly 0 for equals."""
    total = 0.0
    for k in range(row.shape[0]):
        difference = np.float64(row[k]) - size * centroid[k]
        total += difference * difference
    return total


@inlined
def _size(row, direction):
    """The product of a row and a direction, in float64."""
    total = 0.0
    for k in range(row.shape[0]):
        total += np.float64(row[k]) * direction[k]
    return total


@inlined
def _measure(row, centroid, spherical):
    """What the nearest centroid has the least of."""
    if spherical:
        return -abs(_size(row, centroid))
    return _square(row, centroid, 1.0)


@kernel(fastmath=REASSOCIATE)
def settle(
    rows,
    centroids,
    products,
    halves,
    errors,
    slacks,
    lengths,
    best,
    second,
    spherical,
    labels,
    squares,
    sizes,
):
    """Measure in float64 where `two_nearest` proves too little; write what is exact.

    Parameters
    ----------
    rows : ndarray (n_rows, n_features)
        As the user gave them.
    centroids : float64 ndarray (n_components, n_features)
        In the same unit and from the same origin; with `spherical` of length 1, or 0.
    products, halves, errors, lengths, best, second
        As `two_nearest` has read and written them.
    slacks : ndarray (n_components,)
        By how much more than ``2 errors_j * lengths_i`` a bound may be too low.
    spherical : bool
    labels : int32 ndarray (n_rows,)
        Overwritten: the first of the nearest centroids.
    squares : float64 ndarray (n_rows,)
        Overwritten by the squared distance from it; with `spherical` from s c, where
        s = c'x.
    sizes : float64 ndarray (n_rows,)
        Overwritten by s; or untouched.
    """
    n_components, n_rows = products.shape
    for i in range(n_rows):
        row, label = rows[i], labels[i]
        limit = -np.inf
        if label >= 0:
            limit = best[i] + 2.0 * errors[label] * lengths[i] + slacks[label]
        # Not so too where any of these is not a number.
        if not (label >= 0 and second[i] > limit):
            least, label = np.inf, 0
            for j in range(n_components):
                value = abs(products[j, i]) if spherical else products[j, i]
                value = halves[j] - value - errors[j] * lengths[i]
                if value > limit and limit > -np.inf:
                    continue
                exact = _measure(row, centroids[j], spherical)
                if exact < least:
                    least, label = exact, j
            labels[i] = label
        nearest = centroids[label]
        if spherical:
            sizes[i] = _size(row, nearest)
            squares[i] = _square(row, nearest, sizes[i])
        else:
            squares[i] = _square(row, nearest, 1.0)


@kernel(fastmath=REASSOCIATE)
def squared_errors(rows, centroids, spherical, errors):
    """Write the squared error of row i by centroid j, of any other, to `errors[j, i]`.

    That is the squared distance; with `spherical` from the line along the centroid.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        for j in range(centroids.shape[0]):
            centroid = centroids[j]
            size = _size(row, centroid) if spherical else 1.0
            errors[j, i] = _square(row, centroid, size)


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
