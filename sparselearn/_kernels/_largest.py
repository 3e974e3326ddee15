"""The largest numbers of each row, without a sort.

Numbers are compared by integers that have their order, `order_keys`: the bits of a
float of IEEE 754, all but the sign inverted where it is negative. So one kernel ranks
any floats, of any scale, and bisection ends after as many steps as a float has bits.
"""

import numpy as np

from sparselearn._kernels._jit import inlined, kernel

__all__ = ["keep_largest", "order_keys"]


@kernel
def order_keys(bits):
    """Overwrite the bits of floats, as integers, by integers of the floats' order.

    The bits of numbers that are not negative are that already.
    """
    shift = bits.dtype.type(8 * bits.itemsize - 1)
    rest = np.iinfo(bits.dtype).max
    for i in range(bits.shape[0]):
        row = bits[i]
        for j in range(row.shape[0]):
            row[j] ^= (row[j] >> shift) & rest


@inlined
def _middle(low, high):
    # Their sum may be too large for an integer.
    return (low >> 1) + (high >> 1) + (low & high & 1)


@inlined
def _narrow(keys, room, most, low, high, guess):
    """Narrow a cut through `keys`: `room` or more exceed `low`, fewer exceed `high`.

    Bisects, from `guess` if that is between, until no more than `most` >= `room` keys
    exceed `low`, or no integer is between. To count does not branch on the keys, so
    that many steps cost less than one sort.

    Returns
    -------
    low, high, n_high
        ``n_high = #(keys > high) < room <= #(keys > low)``.
    """
    kind = keys.dtype.type
    n_low, n_high = keys.shape[0], 0
    cut = guess if low < guess < high else _middle(low, high)
    while n_low > most and low < cut < high:
        bound = kind(cut)
        count = 0
        for j in range(keys.shape[0]):
            count += keys[j] > bound
        if count >= room:
            low, n_low = cut, count
        else:
            high, n_high = cut, count
        cut = _middle(low, high)
    return low, high, n_high


@kernel
def keep_largest(keys, values, counts, starts, kept, places, data, indices):
    """Write the values of the largest keys of each row as compressed rows.

    Row i has ``counts[i]`` keys that may be kept; the others, if any, are less, and
    equal. There is room for ``starts[i + 1] - starts[i]`` of them, no more than it has:
    the values of the largest go to `data` and `indices` from ``starts[i]`` on, in order
    of index. Among equals those of lower index are kept. `data` and `indices` have one
    entry more, for what is written and not kept.

    No row is sorted. A rough cut, one that up to twice the room exceeds, leaves
    candidates, and an exact cut is made among these; each cut starts from that of
    the row before. `kept` and `places` (n_components,) are scratch, for candidates.
    """
    n_rows, n_components = keys.shape
    rough = exact = 0
    for i in range(n_rows):
        row = keys[i]
        position, room = starts[i], starts[i + 1] - starts[i]
        if room == 0:
            continue
        least = greatest = row[0]
        for j in range(n_components):
            least = min(least, row[j])
            greatest = max(greatest, row[j])
        # No float has the least of all integers as its key.
        low = np.int64(least) - (counts[i] == n_components)
        if counts[i] > 2 * room:
            low, _, _ = _narrow(row, room, 2 * room, low, np.int64(greatest), rough)
            rough = low
        bound = keys.dtype.type(low)
        n_candidates = 0
        for j in range(n_components):
            kept[n_candidates] = row[j]
            places[n_candidates] = j
            n_candidates += row[j] > bound
        # Candidates above `high` are kept, and the first `n_level` of the others.
        high, n_level = low, 0
        if n_candidates > room:
            low, high, n_high = _narrow(
                kept[:n_candidates], room, room, low, np.int64(greatest), exact
            )
            exact, n_level = low, room - n_high
        # All are written, and what is not kept is overwritten by the next.
        for k in range(n_candidates):
            data[position] = values[i, places[k]]
            indices[position] = places[k]
            at_level = (kept[k] > low) & (kept[k] <= high)
            position += (kept[k] > high) | (at_level & (n_level > 0))
            n_level -= at_level
