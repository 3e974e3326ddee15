"""Products of rows that are mostly zero, as pixels and counts are, in dense arrays.

A product of matrices costs the same for zeros. Where three in four entries of the rows
are zero it is left to loops over the others, a third of its time. These are listed row
by row for the product with the weights, and feature by feature for their gradient.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import inlined
from sparselearn._kernels._vectors import PANEL, VECTOR, combine, pack, pack_columns

__all__ = [
    "HELD",
    "RARITY",
    "ROOM",
    "SPAN",
    "Lists",
    "gradient_of_lists",
    "keep_deltas",
    "list_nonzeros",
    "product_of_lists",
]

# One in so many entries may differ from zero.
RARITY = 4
# Features whose weights are read by all rows of a shard before the next ones': a panel
# of them stays in cache.
SPAN = 192
# Features whose entries are listed together, of how many rows, and the room of each: it
# may be overwritten by a whole vector, and those of all features should not begin in
# the same place of the cache.
HELD, DEPTH = 64, 128
ROOM = DEPTH + VECTOR // 4


class Lists(NamedTuple):
    """The entries of rows that are not zero.

    Attributes
    ----------
    index : ndarray (n_rows * (n_features // RARITY + VECTOR),) of int32
        Their features, rising in a row.
    value : ndarray, of that shape
    begin : ndarray (n_rows, n_spans + 1) of int64
        Where those of each `SPAN` features of a row begin, and where the row's end.
    few : ndarray (n_shards,) of bool
        Whether a shard's rows are listed: they are not where zeros are few.
    row, sorted : ndarray (n_parts, HELD * ROOM)
        Rows (int32) and values of the entries of `HELD` features.
    count : ndarray (n_parts, HELD) of int64
        How many each feature has.
    delta : ndarray (n_rows, n_out or some more)
        Derivatives of the loss by what the first layer activates.
    """

    index: np.ndarray
    value: np.ndarray
    begin: np.ndarray
    few: np.ndarray
    row: np.ndarray
    sorted: np.ndarray
    count: np.ndarray
    delta: np.ndarray


@inlined
def list_nonzeros(rows, n_features, start, stop, lists):
    """List entries of the rows `start` to `stop` - 1; False if they are too many."""
    at = start * (n_features // RARITY + VECTOR)
    most = at + (stop - start) * (n_features // RARITY)
    lanes = VECTOR // rows.itemsize
    for i in range(start, stop):
        begin = lists.begin[i]
        row = rows[i * n_features : (i + 1) * n_features]
        for span in range(begin.size - 1):
            begin[span] = at
            for first in range(span * SPAN, min((span + 1) * SPAN, n_features), lanes):
                if at > most:
                    return False
                at += pack(row, first, lists.index, lists.value, at)
        begin[begin.size - 1] = at
    return at <= most


@inlined
def _n_panels(lanes, n_out):
    """How many panels of outputs are summed together."""
    return -(-n_out // (lanes * (PANEL // VECTOR)))


@inlined
def _panel(panel, lanes, n_out):
    """Where a panel begins, at a vector; all are of about one width, and above one."""
    n_vectors = -(-n_out // lanes)
    return min(n_out, panel * n_vectors // _n_panels(lanes, n_out) * lanes)


@inlined
def product_of_lists(lists, start, stop, weights, n_out, out):
    """Rows `start` to `stop` - 1 times `weights` (n_features, n_out), to `out`."""
    n_spans, lanes = lists.begin.shape[1] - 1, VECTOR // out.itemsize
    for panel in range(_n_panels(lanes, n_out)):
        left = _panel(panel, lanes, n_out)
        width = _panel(panel + 1, lanes, n_out) - left
        for span in range(n_spans):
            for i in range(start, stop):
                combine(
                    lists.index,
                    lists.value,
                    lists.begin[i, span],
                    lists.begin[i, span + 1],
                    weights,
                    left,
                    n_out,
                    out,
                    i * n_out + left,
                    width,
                    span == 0,
                )


@inlined
def keep_deltas(lists, deltas, n_out, start, stop):
    """Copy `deltas` of the rows `start` to `stop` - 1 to where each begins a vector."""
    for i in range(start, stop):
        row, kept = deltas[i * n_out : (i + 1) * n_out], lists.delta[i]
        for j in range(n_out):
            kept[j] = row[j]


@inlined
def _list_columns(lists, part, rows, n_features, first, last, low, high):
    """List entries of features `low` to `high` - 1 in rows `first` to `last` - 1."""
    index, value, count = lists.row[part], lists.sorted[part], lists.count[part]
    lanes = VECTOR // rows.itemsize
    count[:] = 0
    for j in range(low, high, lanes):
        held = (j - low) * ROOM
        for i in range(first, last, lanes):
            pack_columns(
                rows,
                i * n_features + j,
                n_features,
                last - i,
                high - j,
                i,
                index[held:],
                value[held:],
                ROOM,
                count[j - low :],
            )


@inlined
def gradient_of_lists(lists, part, rows, n_features, n_rows, start, stop, n_out, out):
    """``rows^T delta`` for the features `start` to `stop` - 1, to `out`."""
    lanes, stride = VECTOR // rows.itemsize, lists.delta.shape[1]
    delta, count = lists.delta.reshape(-1), lists.count[part]
    for low in range(start, stop, HELD):
        high = min(low + HELD, stop)
        for first in range(0, n_rows, DEPTH):
            last = min(first + DEPTH, n_rows)
            _list_columns(lists, part, rows, n_features, first, last, low, high)
            for panel in range(_n_panels(lanes, n_out)):
                left = _panel(panel, lanes, n_out)
                width = _panel(panel + 1, lanes, n_out) - left
                for j in range(high - low):
                    combine(
                        lists.row[part],
                        lists.sorted[part],
                        j * ROOM,
                        j * ROOM + count[j],
                        delta,
                        left,
                        stride,
                        out,
                        (low - start + j) * n_out + left,
                        width,
                        first == 0,
                    )
