r"""Products of rows most of whose entries are those of one row, the background.

With r the background, usually what zeros have become by centring,

.. math:: x W^T = (x - r) W^T + r W^T,

and the sums of the first product are over the entries in which x and r differ, which
are listed. W has a unit a row; a tile of it is transposed, a panel of units wide, and
is in cache while all rows meet it.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import kernel
from sparselearn._kernels._rows import transpose_rows
from sparselearn._kernels._vectors import PANEL, VECTOR, combine, pack

__all__ = ["Differences", "list_differences", "multiply_differences"]


class Differences(NamedTuple):
    """Entries of rows that differ from a background, those of a row in order.

    Attributes
    ----------
    index : int32 ndarray
        Features, counted from where their span begins.
    value : ndarray
        By how much they differ.
    begin : int64 ndarray (n_rows, n_spans + 1)
        Where those of each span of features of a row begin, and where the row's end.
    """

    index: np.ndarray
    value: np.ndarray
    begin: np.ndarray


@kernel
def list_differences(rows, background, span, first, most, index, value, begin, scratch):
    """List the entries of `rows` that differ from `background`, unless too many do.

    Parameters
    ----------
    rows : (n_rows, n_features)
    background : (n_features,)
    span : int
        Features of a span; the last one may have fewer.
    first, most : int
        Where the list begins, and how long it may be.
    index, value : (n,)
        Overwritten from `first` on, by up to `most` and `n_features` entries.
    begin : (n_rows, n_spans + 1)
        Overwritten.
    scratch : (n_features,)

    Returns
    -------
    few : bool
        Whether all are listed.
    """
    n_rows, n_features = rows.shape
    at = first
    for i in range(n_rows):
        row = rows[i]
        for j in range(n_features):
            scratch[j] = row[j] - background[j]
        for left in range(0, n_features, span):
            begin[i, left // span] = at
            part = scratch[left : min(left + span, n_features)]
            for j in range(0, part.size, VECTOR // part.itemsize):
                at += pack(part, j, index, value, at)
        begin[i, begin.shape[1] - 1] = at
        if at - first > most:
            return False
    return True


@kernel
def multiply_differences(listed, span, encoder, start, stop, out, tile, sums):
    """Write ``rows @ encoder.T`` for the units `start` to `stop` - 1 to `out`.

    Parameters
    ----------
    listed : Differences
        Of the background from zero, as a first row, and of the rows from it.
    span : int
    encoder : (n_units, n_features), C-ordered
    start, stop : int
    out : (n_rows, n_units)
    tile : (span * n_lanes,)
        Scratch; `n_lanes` numbers are a panel.
    sums : ((n_rows + 1) * n_lanes,)
        Scratch.
    """
    n_rows, n_features = out.shape[0], encoder.shape[1]
    n_lanes = PANEL // out.itemsize
    index, value, begin = listed
    weights = encoder.reshape(-1)
    for first in range(start, stop, n_lanes):
        size = min(n_lanes, stop - first)
        for left in range(0, n_features, span):
            right, k = min(left + span, n_features), left // span
            transpose_rows(weights, n_features, first, size, left, right, tile, n_lanes)
            for i in range(n_rows + 1):
                low, high, at = begin[i, k], begin[i, k + 1], i * n_lanes
                combine(
                    index,
                    value,
                    low,
                    high,
                    tile,
                    0,
                    n_lanes,
                    sums,
                    at,
                    n_lanes,
                    k == 0,
                )
        for i in range(n_rows):
            row, total = out[i, first : first + size], sums[(i + 1) * n_lanes :]
            for j in range(size):
                row[j] = total[j] + sums[j]
