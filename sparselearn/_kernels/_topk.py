r"""Sparse codes of a batch: which units a row keeps, what they rebuild, unit by unit.

A unit j of a sparse autoencoder sees a row x by its pre-activation

.. math:: p_j = \langle x, w_j \rangle + b_j .

A pair is a row and a unit that it keeps. Pairs are found row by row, as compressed
rows, and learned from unit by unit, so `by_unit` sorts them. `products` holds p of all
rows and units, (n_rows, n_units).
"""

import math

from sparselearn._kernels._jit import REASSOCIATE, kernel
from sparselearn._kernels._rows import combine_rows

__all__ = [
    "add_bias",
    "by_unit",
    "logistic_errors",
    "reconstruct",
    "squared_errors",
    "write_above",
]


@kernel
def add_bias(products, bias, lows, counts):
    """Add `bias` to each row, and count in `counts` what then exceeds `lows` (m,)."""
    n_rows, n_units = products.shape
    for i in range(n_rows):
        row = products[i]
        count = 0
        for j in range(n_units):
            value = row[j] + bias[j]
            row[j] = value
            count += value > lows[j]
        counts[i] = count


@kernel
def write_above(products, lows, data, indices):
    """Write what exceeds `lows` (m,), row by row, to `data` and `indices`.

    These have room for one entry more than there is.
    """
    n_rows, n_units = products.shape
    position = 0
    for i in range(n_rows):
        row = products[i]
        for j in range(n_units):
            data[position] = row[j]
            indices[position] = j
            position += row[j] > lows[j]


@kernel
def reconstruct(data, indices, lengths, decoder, bias, out):
    """Write ``sum_j z_j d_j + bias`` of compressed rows to `out` (n_rows, n_features).

    `lengths` (n_rows,) says how many entries each row has, `decoder` holds d_j in rows.
    """
    atoms, flat, width = decoder.reshape(-1), out.reshape(-1), bias.size
    begin = 0
    for i in range(out.shape[0]):
        n = lengths[i]
        units, codes = indices[begin : begin + n], data[begin : begin + n]
        out[i] = bias
        combine_rows(units, codes, n, atoms, width, False, flat, i * width)
        begin += n


@kernel(fastmath=REASSOCIATE)
def squared_errors(outputs, targets, shares, losses):
    """Overwrite `outputs` by ``share (output - target)``, the slope of the loss.

    `losses` (n_rows,) becomes half the squared error of each row, `shares` not in it.
    """
    n_rows, n_outputs = outputs.shape
    for i in range(n_rows):
        row, target, share = outputs[i], targets[i], shares[i]
        total = row.dtype.type(0)
        for f in range(n_outputs):
            error = row[f] - target[f]
            total += error * error
            row[f] = share * error
        losses[i] = 0.5 * total


@kernel(fastmath=REASSOCIATE)
def logistic_errors(outputs, targets, shares, losses):
    """Overwrite logits o by ``share (sigmoid(o) - target)``, the slope of the loss.

    `losses` (n_rows,) becomes ``sum_f log(1 + exp(o_f)) - o_f target_f``, by one
    exponential of -|o| that can not overflow.
    """
    one, zero = outputs.dtype.type(1), outputs.dtype.type(0)
    for i in range(outputs.shape[0]):
        row, target, share = outputs[i], targets[i], shares[i]
        total = 0.0
        for f in range(row.size):
            logit = row[f]
            small = math.exp(-abs(logit))
            high = one / (one + small)
            total += max(logit, zero) - logit * target[f] + math.log1p(small)
            value = high if logit >= zero else small * high
            row[f] = share * (value - target[f])
        losses[i] = total


@kernel
def by_unit(data, indices, lengths, starts, rows, values):
    """Sort the pairs of compressed rows by unit, those of a unit by row.

    `starts` (n_units + 1,) becomes where in `rows` and `values`, as long as `data`, the
    pairs of each unit start.
    """
    n_units = starts.size - 1
    for j in range(n_units + 1):
        starts[j] = 0
    for t in range(indices.size):
        starts[indices[t]] += 1
    total = 0
    for j in range(n_units):
        count = starts[j]
        starts[j] = total
        total += count
    # Each start moves to the unit's end while its pairs are put down, and back after.
    position = 0
    for i in range(lengths.size):
        for t in range(position, position + lengths[i]):
            place = starts[indices[t]]
            rows[place] = i
            values[place] = data[t]
            starts[indices[t]] = place + 1
        position += lengths[i]
    for j in range(n_units, 0, -1):
        starts[j] = starts[j - 1]
    starts[0] = 0
