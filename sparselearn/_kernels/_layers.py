"""Layers of a dense network, forward and back. See `_network.py` for the formulas."""

from sparselearn._kernels._activations import activate, multiply_by_slope
from sparselearn._kernels._codes import add_pulls
from sparselearn._kernels._jit import inlined
from sparselearn._kernels._machine import FEW_PRODUCTS, gemm
from sparselearn._kernels._plan import (
    ACTIVATION,
    BIAS,
    JUMP,
    KL,
    N_IN,
    N_OUT,
    PARTNER,
    PLACE,
    TIED,
    WEIGHTS,
)
from sparselearn._kernels._sparse_rows import product_of_lists

__all__ = [
    "SHARD",
    "THIN",
    "ahead",
    "back",
    "bias_gradient",
    "multiply",
    "shift_and_activate",
    "weight_gradient",
]

# Rows of a batch that a thread takes through all layers together: with fewer a product
# of matrices is slow, with more a batch of the usual size would be one thread's.
SHARD = 64
# Outputs of a first layer from which on lists of its rows' entries pay.
THIN = 32
# Dot products that are few for a BLAS that copies no matrices, and how long they must
# be for it to be faster so.
FEW_DOTS = 1024
DEEP = 256


@inlined
def product(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    """Overwrite C by ``op(A) op(B) + beta C`` in pieces; see `gemm`.

    The pieces are such that none has more than `FEW_PRODUCTS`, nor, where B is
    transposed, more than `FEW_DOTS` results.
    """
    rows, columns, depth = m, n, k
    if trans_b:
        if FEW_PRODUCTS > 0 and k >= DEEP:
            columns, depth = FEW_DOTS // SHARD, _piece(k, FEW_PRODUCTS // FEW_DOTS)
    elif m * n * k > FEW_PRODUCTS > 0:
        columns, depth = SHARD, _piece(k, FEW_PRODUCTS // SHARD**2)
    if columns < n or depth < k:
        rows = SHARD
    one = c.dtype.type(1.0)
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            for p in range(0, k, depth):
                gemm(
                    trans_a,
                    trans_b,
                    min(rows, m - i),
                    min(columns, n - j),
                    min(depth, k - p),
                    a[(p * lda + i if trans_a else i * lda + p) :],
                    lda,
                    b[(j * ldb + p if trans_b else p * ldb + j) :],
                    ldb,
                    beta if p == 0 else one,
                    c[i * ldc + j :],
                    ldc,
                )


@inlined
def _piece(size, most):
    """About the same length for each of so few pieces that none is longer than that."""
    n_pieces = -(-size // most)
    return -(-size // n_pieces)


@inlined
def multiply(layers, values, rows, acts, level, start, stop):
    """Layer `l` before bias and activation, for rows `start` to `stop` - 1."""
    n_in, n_out, place = layers[level, N_IN], layers[level, N_OUT], layers[level, PLACE]
    below, at = rows, start * n_in
    if level > 0:
        below, at = acts, layers[level - 1, PLACE] + start * n_in
    tied = layers[level, TIED] == 1
    product(
        False,
        tied,
        stop - start,
        n_out,
        n_in,
        below[at:],
        n_in,
        values[layers[level, WEIGHTS] :],
        n_in if tied else n_out,
        values.dtype.type(0.0),
        acts[place + start * n_out :],
        n_out,
    )


@inlined
def shift_and_activate(layers, values, acts, level, start, stop):
    """What lacks to `multiply`."""
    n_out, place = layers[level, N_OUT], layers[level, PLACE]
    bias = values[layers[level, BIAS] : layers[level, BIAS] + n_out]
    for i in range(start, stop):
        row = acts[place + i * n_out : place + (i + 1) * n_out]
        activate(layers[level, ACTIVATION], row, bias)


@inlined
def ahead(layers, values, rows, acts, first, last, start, stop, lists, few):
    """Values of the layers `first` to `last` - 1, for rows `start` to `stop` - 1.

    Of the first of all by the rows' lists, if they are `few`.
    """
    for level in range(first, last):
        if level == 0 and few:
            n_out = layers[0, N_OUT]
            out = acts[layers[0, PLACE] :]
            weights = values[layers[0, WEIGHTS] :]
            product_of_lists(lists, start, stop, weights, n_out, out)
        else:
            multiply(layers, values, rows, acts, level, start, stop)
        shift_and_activate(layers, values, acts, level, start, stop)


@inlined
def back(layers, code, slope, shares, work, s, start, stop):
    """Derivatives of the loss by what was activated, from the last layer's down."""
    values, acts, deltas = work.values, work.acts, work.deltas
    zero = values.dtype.type(0.0)
    if code.selection == JUMP:
        work.pulls[s] = 0.0
    for level in range(layers.shape[0] - 1, 0, -1):
        n_in, n_out = layers[level, N_IN], layers[level, N_OUT]
        below = layers[level - 1, PLACE]
        tied = layers[level, TIED] == 1
        product(
            False,
            not tied,
            stop - start,
            n_in,
            n_out,
            deltas[layers[level, PLACE] + start * n_out :],
            n_out,
            values[layers[level, WEIGHTS] :],
            n_in if tied else n_out,
            zero,
            deltas[below + start * n_in :],
            n_in,
        )
        for i in range(start, stop):
            row = acts[below + i * n_in : below + (i + 1) * n_in]
            delta = deltas[below + i * n_in : below + (i + 1) * n_in]
            if code.kind > 0 and code.layer == level - 1:
                share = shares[i]
                if code.kind == KL:
                    for j in range(n_in):
                        delta[j] += share * slope[j]
                else:
                    for j in range(n_in):
                        if row[j] > zero:
                            delta[j] += share * slope[j]
                        elif row[j] < zero:
                            delta[j] -= share * slope[j]
            if code.selection == JUMP and code.layer == level - 1:
                before = work.before[i * n_in : (i + 1) * n_in]
                theta = work.thresholds.values
                add_pulls(code, shares[i], before, theta, delta, work.pulls[s])
            multiply_by_slope(layers[level - 1, ACTIVATION], delta, row)


@inlined
def weight_gradient(layers, level, start, stop, n_rows, rows, acts, deltas, add, out):
    """Rows `start` to `stop` - 1 of the gradient by a layer's weights, or `add` it."""
    n_in, n_out, partner = (
        layers[level, N_IN],
        layers[level, N_OUT],
        layers[level, PARTNER],
    )
    below, at = rows, start
    if level > 0:
        below, at = acts, layers[level - 1, PLACE] + start
    delta = deltas[layers[level, PLACE] :]
    size = stop - start
    zero, one = out.dtype.type(0.0), out.dtype.type(1.0)
    beta = one if add else zero
    product(
        True,
        False,
        size,
        n_out,
        n_rows,
        below[at:],
        n_in,
        delta,
        n_out,
        beta,
        out,
        n_out,
    )
    if partner >= 0:
        # The other use of the same weights: W^T is what it multiplies.
        delta = deltas[layers[partner, PLACE] + start :]
        below = acts[layers[partner - 1, PLACE] :]
        product(
            True, False, size, n_out, n_rows, delta, n_in, below, n_out, one, out, n_out
        )


@inlined
def bias_gradient(layers, level, n_rows, deltas, add, out):
    """The gradient by a layer's biases, or `add` it."""
    n_out, place = layers[level, N_OUT], layers[level, PLACE]
    if not add:
        out[:] = out.dtype.type(0.0)
    rows = deltas[place : place + n_rows * n_out]
    i = 0
    while i + 4 <= n_rows:
        # Several rows at a time: sums are read and written once for all.
        row = rows[i * n_out : (i + 4) * n_out]
        r0, r1 = row[:n_out], row[n_out : 2 * n_out]
        r2, r3 = row[2 * n_out : 3 * n_out], row[3 * n_out :]
        for j in range(n_out):
            out[j] += (r0[j] + r1[j]) + (r2[j] + r3[j])
        i += 4
    while i < n_rows:
        row = rows[i * n_out : (i + 1) * n_out]
        for j in range(n_out):
            out[j] += row[j]
        i += 1
