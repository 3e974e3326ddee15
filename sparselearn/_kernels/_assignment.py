"""Codes of rows by centroids, from the products of rows with centroids.

One matrix product gives P = X C' for a block of rows; a kernel here then turns P
into codes in place. `products` is C-ordered (n_rows, n_components), and all floats
are of its dtype.
"""

import math

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["nearest", "soft_threshold", "triangle"]


@kernel
def nearest(products, lengths, labels):
    """Write to `labels` the nearest centroid of each row, the first one among equals.

    It is the least of ``lengths_j - 2 P_ij``, with squared lengths of the centroids,
    found before its place: four running minima do not wait for one another.
    """
    n_rows, n_components = products.shape
    whole = n_components - n_components % 4
    for i in range(n_rows):
        row = products[i]
        a = b = c = d = np.inf
        for j in range(0, whole, 4):
            a = min(a, lengths[j] - 2.0 * row[j])
            b = min(b, lengths[j + 1] - 2.0 * row[j + 1])
            c = min(c, lengths[j + 2] - 2.0 * row[j + 2])
            d = min(d, lengths[j + 3] - 2.0 * row[j + 3])
        least = min(min(a, b), min(c, d))
        for j in range(whole, n_components):
            least = min(least, lengths[j] - 2.0 * row[j])
        labels[i] = 0
        for j in range(n_components):
            if lengths[j] - 2.0 * row[j] == least:
                labels[i] = j
                break


@inlined(fastmath=REASSOCIATE)
def _square_apart(row, atom, is_line):
    """``||x - s c||^2`` in float64, for s = 1; or for the best s, if `is_line`."""
    size = 1.0
    if is_line:
        inner = length = 0.0
        for f in range(row.shape[0]):
            inner += np.float64(row[f]) * np.float64(atom[f])
            length += np.float64(atom[f]) * np.float64(atom[f])
        size = inner / length if length > 0.0 else 0.0
    square = 0.0
    for f in range(row.shape[0]):
        difference = np.float64(row[f]) - size * np.float64(atom[f])
        square += difference * difference
    return square


@kernel(fastmath=REASSOCIATE)
def triangle(
    products, squares, lengths, slope, rows, atoms, is_line, small, rounding, counts
):
    """Overwrite `products` by codes, `counts` by how many of a row are positive.

    A code is how much nearer than the mean a centroid is (Coates, Lee and Ng, 2011,
    eq. 3) ::

        f_ij = max(0, mean_l d_il - d_ij),
        d_ij^2 = max(0, ||x_i||^2 - slope P_ij + lengths_j)

    The slope is 2 with the squared lengths of centroids. With `is_line`, where d is the
    distance from the line through 0 and a centroid of length 1, P is squared already,
    the slope 1, and lengths are 0.

    Parameters
    ----------
    squares : (n_rows,)
        Squared lengths of the rows.
    rows, atoms : (n_rows, n_features), (n_components, n_features)
        What was multiplied. Where ``d_ij^2 < small * ||x_i||^2``, few digits are left
        of it, and it is formed anew in float64. No columns: all digits do.
    rounding : number
        Distances are equal but for such a share of their mean where rounding alone
        would make codes.
    """
    n_rows, n_components = products.shape
    kind = products.dtype.type
    zero, one = kind(0.0), kind(1.0)
    for i in range(n_rows):
        row = products[i]
        square = squares[i]
        few = small * square
        total = n_few = zero
        for j in range(n_components):
            apart = square - slope * row[j] + lengths[j]
            apart = apart if apart > zero else zero
            n_few += one if apart < few else zero
            distance = math.sqrt(apart)
            row[j] = distance
            total += distance
        if n_few > zero and rows.shape[1] > 0:
            for j in range(n_components):
                # Rounding of the root may let one more or one less in here.
                if row[j] * row[j] < few:
                    distance = kind(
                        math.sqrt(_square_apart(rows[i], atoms[j], is_line))
                    )
                    total += distance - row[j]
                    row[j] = distance
        mean = total / kind(n_components)
        nearer = mean * (one - rounding)
        count = zero
        for j in range(n_components):
            distance = row[j]
            row[j] = mean - distance if distance < nearer else zero
            count += one if distance < nearer else zero
        counts[i] = int(count)


@kernel(fastmath=REASSOCIATE)
def soft_threshold(products, threshold, counts):
    """Overwrite `products` by codes, `counts` by how many of a row are positive.

    A code is what exceeds the threshold (Coates and Ng, 2011, section 3) ::

        f_ij = max(0, P_ij - threshold)
    """
    n_rows, n_components = products.shape
    kind = products.dtype.type
    zero, one = kind(0.0), kind(1.0)
    for i in range(n_rows):
        row = products[i]
        count = zero
        for j in range(n_components):
            value = row[j] - threshold
            row[j] = value if value > zero else zero
            count += one if value > zero else zero
        counts[i] = int(count)
