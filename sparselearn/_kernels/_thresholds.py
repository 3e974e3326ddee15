"""Codes by thresholds: from the products of a row with atoms to what is left of them.

`products` is C-ordered float64 (n_rows, n_components), with one row c a row of X. A
kernel overwrites it by codes, those of all atoms, and `counts` by how many are not 0.
"""

import math

from sparselearn._kernels._jit import inlined, kernel

__all__ = ["compress", "keep_top", "shrink"]


@kernel
def shrink(products, thresholds, hard, positive, counts):
    """Overwrite `products` by ``sign(c) max(0, |c| - t)``, or by c where |c| > t.

    `thresholds` (n_rows,); `hard` chooses the second. With `positive` what is
    negative becomes 0.
    """
    for i in range(products.shape[0]):
        row, threshold = products[i], thresholds[i]
        count = 0
        for j in range(row.size):
            value = row[j]
            size = value if positive else abs(value)
            if size <= threshold:
                row[j] = 0.0
                continue
            if not hard:
                row[j] = math.copysign(size - threshold, value)
            count += 1
        counts[i] = count


@inlined
def _smallest_kept(row, room, heap):
    """The size of the `room`-th largest |entry| of `row`, and how many exceed it.

    `heap` (room,) is scratch: a heap whose root is the least of the largest so far.
    """
    heap[:] = 0.0
    for j in range(row.size):
        value = abs(row[j])
        if value <= heap[0]:
            continue
        at = 0
        while True:
            child = 2 * at + 1
            if child >= room:
                break
            if child + 1 < room and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= value:
                break
            heap[at] = heap[child]
            at = child
        heap[at] = value
    cut = heap[0]
    n_above = 0
    for j in range(room):
        n_above += heap[j] > cut
    return cut, n_above


@kernel
def keep_top(products, heap, counts):
    """Set all but the largest |entries| of each row to 0, as many as `heap` holds.

    Among equals those of lower index are kept. `counts` holds the non-zeros of each
    row and is overwritten; `heap` (n_kept,) is scratch.
    """
    room = heap.size
    for i in range(products.shape[0]):
        if counts[i] <= room:
            continue
        row = products[i]
        cut, n_above = _smallest_kept(row, room, heap)
        n_equal = room - n_above
        for j in range(row.size):
            size = abs(row[j])
            if size > cut:
                continue
            if size == cut and n_equal > 0:
                n_equal -= 1
            else:
                row[j] = 0.0
        counts[i] = room


@kernel
def compress(codes, data, indices):
    """Write the non-zeros of dense `codes`, row by row, to `data` and `indices`."""
    position = 0
    for i in range(codes.shape[0]):
        for j in range(codes.shape[1]):
            if codes[i, j] != 0.0:
                data[position] = codes[i, j]
                indices[position] = j
                position += 1
