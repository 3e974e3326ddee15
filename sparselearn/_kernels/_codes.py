"""What becomes of the values of a network's code: which stay, and what they cost.

See `Code` of `_plan.py`. `place` is where the values of the layer begin, `n` how many a
row has.
"""

import numpy as np

from sparselearn._kernels._jit import inlined
from sparselearn._kernels._plan import (
    JUMP,
    L1,
    N_IN,
    N_OUT,
    PARTNER,
    TIED,
    TOPK,
    WEIGHTS,
)

__all__ = [
    "add_norm_slopes",
    "add_pulls",
    "add_sizes",
    "find_slopes",
    "keep_of_batch",
    "limit_of_batch",
    "measure_norms",
    "select",
]

# A mean activation is taken to lie this far inside (0, 1).
MARGIN = 1e-6


@inlined
def add_pulls(code, share, before, thresholds, delta, pulls):
    """Add a row's derivatives by thresholds, of its loss and of how many codes stay.

    These jump; their derivatives are those of ramps of `width` about the threshold
    (Rajamanoharan et al., 2024, eq. 10 to 12).
    """
    for j in range(pulls.size):
        if abs(before[j] - thresholds[j]) < 0.5 * code.width:
            pull = thresholds[j] * delta[j] + code.alpha * share
            pulls[j] -= pull / code.width


@inlined
def _kth_largest(values, k):
    """The k-th largest of `values`, which are reordered (Hoare's quickselect)."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    return values[k - 1]


@inlined
def select(code, work, n, place, start, stop):
    """Of the rows' values, biases added, let those stay that `code` says.

    With `BATCH_TOPK` these are, so far, the positive ones.
    """
    zero = work.acts.dtype.type(0.0)
    for i in range(start, stop):
        row = work.acts[place + i * n : place + (i + 1) * n]
        before = work.before[i * n : (i + 1) * n]
        if code.selection == JUMP:
            theta = work.thresholds.values
            for j in range(n):
                before[j] = row[j]
                row[j] = row[j] if row[j] > theta[j] else zero
            continue
        for j in range(n):
            row[j] = max(row[j], zero)
            before[j] = row[j]
        room = int(code.n_kept)
        if code.selection == TOPK and room < n:
            cut = _kth_largest(before, room)
            for j in range(n):
                room -= row[j] > cut
            for j in range(n):
                # Among equals those of lower index stay.
                if row[j] < cut or (row[j] == cut and room <= 0):
                    row[j] = zero
                elif row[j] == cut:
                    room -= 1


@inlined
def limit_of_batch(code, work, n_rows, n):
    """What a value must reach to be among the ``n_kept * n_rows`` largest."""
    room = min(max(1, round(code.n_kept * n_rows)), n_rows * n)
    work.limit[0] = _kth_largest(work.before[: n_rows * n], room)


@inlined
def keep_of_batch(work, n, place, start, stop):
    """Let the rows' values stay that reach the limit of the batch."""
    zero = work.acts.dtype.type(0.0)
    for at in range(place + start * n, place + stop * n):
        if work.acts[at] < work.limit[0]:
            work.acts[at] = zero


@inlined
def add_sizes(shares, acts, place, n, start, stop, sums):
    """Sum the rows' ``share * |value|`` in `sums` (n,); how many values are not 0."""
    sums[:] = 0.0
    count = 0
    for i in range(start, stop):
        for j in range(n):
            value = acts[place + i * n + j]
            sums[j] += shares[i] * abs(value)
            count += value != 0.0
    return count


@inlined
def measure_norms(layers, level, values, norms, first, last):
    """Norms of what codes `first` to `last` - 1 have as weights in layer `l`."""
    n_in, n_out, at = layers[level, N_IN], layers[level, N_OUT], layers[level, WEIGHTS]
    for j in range(first, last):
        total = 0.0
        for i in range(n_out):
            # Tied, they are a column of the weights of another layer.
            w = values[
                at + (i * n_in + j if layers[level, TIED] == 1 else j * n_out + i)
            ]
            total += w * w
        norms[j] = np.sqrt(total)


@inlined
def find_slopes(code, sums, norms, slope):
    """The derivative of the penalty by a code's mean size over the batch."""
    for j in range(slope.size):
        if code.kind == L1:
            slope[j] = code.alpha * norms[j]
            continue
        mean = 0.0
        for s in range(sums.shape[0]):
            mean += sums[s, j]
        mean = min(max(mean, MARGIN), 1.0 - MARGIN)
        rest = (1.0 - code.target) / (1.0 - mean)
        slope[j] = code.alpha * (rest - code.target / mean)


@inlined
def add_norm_slopes(layers, code, work, level, start, stop, gradient):
    """Add the derivative of L1's decoder norms by the weights of `l`, if it has it."""
    sums, norms, values = work.sums, work.norms, work.values
    n_out, at = layers[level, N_OUT], layers[level, WEIGHTS]
    tied = layers[level, PARTNER] == code.layer + 1
    if code.kind != L1 or not (level == code.layer + 1 or tied):
        return
    n_codes = sums.shape[1]
    for j in range(n_codes):
        if not tied and not start <= j < stop:
            continue
        size = 0.0
        for s in range(sums.shape[0]):
            size += sums[s, j]
        factor = code.alpha * size / norms[j] if norms[j] > 0.0 else 0.0
        if tied:
            for i in range(start, stop):
                w = values[at + i * n_out + j]
                gradient[(i - start) * n_out + j] += factor * w
        else:
            for k in range(n_out):
                w = values[at + j * n_out + k]
                gradient[(j - start) * n_out + k] += factor * w
