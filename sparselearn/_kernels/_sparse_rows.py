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
def _n_panels(out, n_out):
    """Panels of outputs that are summed together, all of about one width."""
    return -(-n_out * out.itemsize // PANEL)


@inlined
def product_of_lists(lists, start, stop, weights, n_out, out):
    """Rows `start` to `stop` - 1 times `weights` (n_features, n_out), to `out`."""
    n_spans = lists.begin.shape[1] - 1
    n_panels = _n_panels(out, n_out)
    for panel in range(n_panels):
        left = panel * n_out // n_panels
        width = (panel + 1) * n_out // n_panels - left
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
def gradient_of_lists(
    lists, part, rows, n_features, n_rows, start, stop, delta, n_out, out
):
    """``rows^T delta`` for the features `start` to `stop` - 1, to `out`."""
    lanes, n_panels = VECTOR // rows.itemsize, _n_panels(out, n_out)
    index, value, count = lists.row[part], lists.sorted[part], lists.count[part]
    for low in range(start, stop, HELD):
        high = min(low + HELD, stop)
        for first in range(0, n_rows, DEPTH):
            last = min(first + DEPTH, n_rows)
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
            for panel in range(n_panels):
                left = panel * n_out // n_panels
                width = (panel + 1) * n_out // n_panels - left
                for j in range(high - low):
                    combine(
                        index,
                        value,
                        j * ROOM,
                        j * ROOM + count[j],
                        delta,
                        left,
                        n_out,
                        out,
                        (low - start + j) * n_out + left,
                        width,
                        first == 0,
                    )
