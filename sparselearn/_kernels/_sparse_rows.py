"""Products of rows that are mostly zero, as pixels and counts are, in dense arrays.

A product of matrices costs the same for zeros. Where three in four entries of the rows
are zero it is left to loops over the others: these do a fourth of the work at half the
speed. They are listed row by row, and a block's of the gradient feature by feature.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined

__all__ = ["SPAN", "Lists", "gradient_of_lists", "list_nonzeros", "product_of_lists"]

# One in so many entries may differ from zero.
RARITY = 4
# Features whose entries are sorted together, and outputs that are summed together:
# what they need stays in cache.
SPAN = 16
WIDTH = 1024


class Lists(NamedTuple):
    """The entries of rows that are not zero.

    Attributes
    ----------
    index : ndarray (n_rows * (n_features // RARITY + SPAN),) of int32
        Their features, rising in a row.
    value : ndarray, of that shape
    begin : ndarray (n_rows, n_spans + 1) of int64
        Where those of each `SPAN` features of a row begin, and where the row's end.
    few : ndarray (n_shards,) of bool
        Whether a shard's rows are listed: they are not where zeros are few.
    row, sorted : ndarray (n_parts, SPAN * n_rows)
        Rows (int32) and values of the entries of `SPAN` features, `n_rows` for each.
    count : ndarray (n_parts, SPAN) of int64
        How many each feature has.
    """

    index: np.ndarray
    value: np.ndarray
    begin: np.ndarray
    few: np.ndarray
    row: np.ndarray
    sorted: np.ndarray
    count: np.ndarray


@inlined
def list_nonzeros(rows, n_features, start, stop, lists):
    """List entries of the rows `start` to `stop` - 1; False if they are too many."""
    at = start * (n_features // RARITY + SPAN)
    most = at + (stop - start) * (n_features // RARITY)
    zero = rows.dtype.type(0.0)
    for i in range(start, stop):
        begin = lists.begin[i]
        row = rows[i * n_features : (i + 1) * n_features]
        for span in range(begin.size - 1):
            begin[span] = at
            first, end = span * SPAN, min((span + 1) * SPAN, n_features)
            if at > most:
                return False
            for j in range(first, end):
                # Written first and counted then: no branch to be guessed wrongly.
                lists.index[at] = j
                lists.value[at] = row[j]
                at += row[j] != zero
        begin[begin.size - 1] = at
    return at <= most


@inlined(fastmath=REASSOCIATE)
def _combine(index, value, matrix, offset, stride, out):
    """Overwrite ``out`` by ``sum_k value[k] * (row index[k] of matrix)``.

    Of the rows, `stride` apart, those entries that begin at `offset`.
    """
    width, k = out.size, 0
    out[:] = out.dtype.type(0.0)
    while k + 8 <= index.size:
        r0 = matrix[index[k] * stride + offset :][:width]
        r1 = matrix[index[k + 1] * stride + offset :][:width]
        r2 = matrix[index[k + 2] * stride + offset :][:width]
        r3 = matrix[index[k + 3] * stride + offset :][:width]
        r4 = matrix[index[k + 4] * stride + offset :][:width]
        r5 = matrix[index[k + 5] * stride + offset :][:width]
        r6 = matrix[index[k + 6] * stride + offset :][:width]
        r7 = matrix[index[k + 7] * stride + offset :][:width]
        x0, x1, x2, x3 = value[k], value[k + 1], value[k + 2], value[k + 3]
        x4, x5, x6, x7 = value[k + 4], value[k + 5], value[k + 6], value[k + 7]
        for j in range(width):
            low = x0 * r0[j] + x1 * r1[j] + x2 * r2[j] + x3 * r3[j]
            high = x4 * r4[j] + x5 * r5[j] + x6 * r6[j] + x7 * r7[j]
            out[j] += low + high
        k += 8
    while k < index.size:
        r0 = matrix[index[k] * stride + offset :][:width]
        x0 = value[k]
        for j in range(width):
            out[j] += x0 * r0[j]
        k += 1


@inlined
def product_of_lists(lists, start, stop, weights, n_out, out):
    """Rows `start` to `stop` - 1 times `weights` (n_features, n_out), to `out`."""
    for left in range(0, n_out, WIDTH):
        right = min(left + WIDTH, n_out)
        for i in range(start, stop):
            begin, end = lists.begin[i, 0], lists.begin[i, lists.begin.shape[1] - 1]
            row = out[i * n_out + left : i * n_out + right]
            index, value = lists.index[begin:end], lists.value[begin:end]
            _combine(index, value, weights, left, n_out, row)


@inlined
def _sort_entries(lists, part, n_rows, span):
    """Entries of the features of a span, those of each feature together."""
    count, rows, values = lists.count[part], lists.row[part], lists.sorted[part]
    count[:] = 0
    for i in range(n_rows):
        for at in range(lists.begin[i, span], lists.begin[i, span + 1]):
            feature = lists.index[at] - span * SPAN
            k = feature * n_rows + count[feature]
            rows[k] = i
            values[k] = lists.value[at]
            count[feature] += 1


@inlined
def gradient_of_lists(lists, part, n_rows, start, stop, delta, n_out, out):
    """``rows^T delta`` for the features `start` to `stop` - 1, to `out`.

    `start` is where a span begins, and `stop` where one ends, or the features do.
    """
    for first in range(start, stop, SPAN):
        _sort_entries(lists, part, n_rows, first // SPAN)
        for feature in range(min(SPAN, stop - first)):
            k = feature * n_rows
            end = k + lists.count[part, feature]
            at = (first - start + feature) * n_out
            index, value = lists.row[part, k:end], lists.sorted[part, k:end]
            _combine(index, value, delta, 0, n_out, out[at : at + n_out])
