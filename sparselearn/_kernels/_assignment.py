"""Codes of rows by centroids, from the products of rows with centroids.

One matrix product gives P = X C' for a block of rows; a kernel here then turns P
into codes in place, and `keep_largest` writes those as compressed rows. With the
squared lengths of rows and centroids, squared distances are ::

    d_ij^2 = max(0, ||x_i||^2 - 2 P_ij + ||c_j||^2)

`products` is C-ordered float64 (n_rows, n_components).
"""

import math

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["keep_largest", "nearest", "soft_threshold", "triangle"]

# A distance below the mean by less than this share of it is at the mean: as where
# all centroids are equally far, and rounding alone would make codes.
ROUNDING = 1e-12
LARGEST = np.finfo(np.float64).max


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


@kernel(fastmath=REASSOCIATE)
def triangle(products, row_lengths, lengths, counts):
    """Overwrite `products` by codes, `counts` by how many of a row are positive.

    A code is how much nearer than the mean a centroid is (Coates, Lee and Ng, 2011,
    eq. 3), with d_ij as above ::

        f_ij = max(0, mean_l d_il - d_ij)

    `row_lengths` and `lengths` are squared lengths of rows and centroids.
    """
    n_rows, n_components = products.shape
    for i in range(n_rows):
        row = products[i]
        square = row_lengths[i]
        total = 0.0
        for j in range(n_components):
            distance = math.sqrt(max(0.0, square - 2.0 * row[j] + lengths[j]))
            row[j] = distance
            total += distance
        mean = total / n_components
        nearer = mean * (1.0 - ROUNDING)
        count = 0
        for j in range(n_components):
            positive = row[j] < nearer
            row[j] = mean - row[j] if positive else 0.0
            count += positive
        counts[i] = count


@kernel
def soft_threshold(products, threshold, counts):
    """Overwrite `products` by codes, `counts` by how many of a row are positive.

    A code is what exceeds the threshold (Coates and Ng, 2011, section 3) ::

        f_ij = max(0, P_ij - threshold)
    """
    n_rows, n_components = products.shape
    for i in range(n_rows):
        row = products[i]
        count = 0
        for j in range(n_components):
            value = row[j] - threshold
            row[j] = max(0.0, value)
            count += value > 0.0
        counts[i] = count


@inlined
def _between(low, high):
    """A number between `low` and `high` >= 0 that has about the scale of `low`."""
    middle = 0.5 * low + 0.5 * high
    return 2.0 * low if 0.0 < low < 0.5 * middle else middle


@inlined
def _narrow(values, room, most, low, guess):
    """Narrow a cut through `values`, at least `room` of which exceed `low` >= 0.

    Bisects, from `guess` if that is between, until no more than `most` >= `room`
    values exceed `low`, or no number is between `low` and `high`. To count does not
    branch on the values, so that many steps cost less than one sort.

    Returns
    -------
    low, high, n_low, n_high
        ``n_high = #(values > high) < room <= n_low``, and n_low = #(values > low)
        once it is at most `most`.
    """
    size = values.shape[0]
    high, n_low, n_high = LARGEST, size, 0
    cut = guess if low < guess < high else _between(low, high)
    while n_low > most and low < cut < high:
        count = 0
        for j in range(size):
            count += values[j] > cut
        if count >= room:
            low, n_low = cut, count
        else:
            high, n_high = cut, count
        cut = _between(low, high)
    return low, high, n_low, n_high


@kernel
def keep_largest(codes, counts, starts, values, places, data, indices):
    """Write the largest of each row of `codes` (>= 0) as compressed rows.

    Row i has `counts[i]` positive codes and room for ``starts[i + 1] - starts[i]`` of
    them, no more than it has: the largest go to `data` and `indices` from `starts[i]`
    on, in order of index. Among equals those of lower index are kept.

    No row is sorted. A rough cut, one that up to twice the room exceeds, leaves
    candidates, and an exact cut is made among these; each cut starts from that of
    the row before. `values` and `places` (n_components,) are scratch, for candidates.
    """
    n_rows, n_components = codes.shape
    rough = exact = 1.0
    for i in range(n_rows):
        row = codes[i]
        position, room = starts[i], starts[i + 1] - starts[i]
        if room == 0:
            continue
        low = 0.0
        if counts[i] > 2 * room:
            low, _, _, _ = _narrow(row, room, 2 * room, 0.0, rough)
            rough = low
        n_candidates = 0
        for j in range(n_components):
            values[n_candidates] = row[j]
            places[n_candidates] = j
            n_candidates += row[j] > low
        # Candidates above `low` are kept, and the first `n_equal` of those at it.
        n_equal = 0
        if n_candidates > room:
            low, high, n_low, n_high = _narrow(
                values[:n_candidates], room, room, low, exact
            )
            if n_low > room:
                low, n_equal = high, room - n_high
            exact = low
        for k in range(n_candidates):
            value = values[k]
            if value < low or (value == low and n_equal == 0):
                continue
            n_equal -= value == low
            data[position] = value
            indices[position] = places[k]
            position += 1
