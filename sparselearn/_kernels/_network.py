r"""Steps of a dense feed-forward network, with no Python between its layers.

With a_0 = x, layer l gives, for weights W_l (n_in, n_out) and biases b_l,

.. math:: p_l = a_{l-1} W_l + b_l, \quad a_l = g_l(p_l),

and back-propagation carries delta_l, the derivative of the loss by p_l, downwards:

.. math:: \nabla_{W_l} = a_{l-1}^T \delta_l, \quad
          \delta_{l-1} = (\delta_l W_l^T) \odot g_{l-1}'(p_{l-1}).

A step has three parts, between which its threads meet: rows up to the code, whose mean
over the batch the penalty needs; rows up to the output and back down; and blocks of the
parameters, each with the gradient of the whole batch in a scratch that the optimiser
reads while it is in cache. Shards of rows and blocks are the same for any number of
threads, hence all results.

Arrays are one-dimensional, and matrices lie in them row by row. `layers` has a row a
layer, with the columns named below; layer l's values and deltas begin at its PLACE, of
buffers with room for the largest batch.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._activations import (
    activate,
    loss_and_slope,
    multiply_by_slope,
)
from sparselearn._kernels._adam import GRADIENT, improve
from sparselearn._kernels._jit import inlined, kernel
from sparselearn._kernels._machine import gemm, meet
from sparselearn._kernels._sparse_rows import (
    Lists,
    gradient_of_lists,
    list_nonzeros,
    product_of_lists,
)

__all__ = ["Batch", "Code", "Plan", "Workspace", "forward", "step"]

# Columns of `layers`. PARTNER of a layer is the one whose weights are this one's
# transposed, or -1; TIED is 1 there, and WEIGHTS those of the other.
N_IN, N_OUT, WEIGHTS, BIAS, ACTIVATION, PLACE, TIED, PARTNER = range(8)
# Columns of `blocks`: rows START to STOP of the layer's weights, or its bias (-1, -1).
LAYER, START, STOP = range(3)
# Kinds of penalty.
KL, L1 = 1, 2
# A mean activation is taken to lie this far inside (0, 1).
MARGIN = 1e-6
# Outputs of a first layer from which on lists of its rows' entries pay.
THIN = 128


class Plan(NamedTuple):
    """What is computed, and how it is cut.

    Attributes
    ----------
    layers : ndarray (n_layers, 8) of int64
    blocks : ndarray (n_blocks, 3) of int64
    middles : ndarray (n_blocks,) of int64
        The places of their middles among the parameters.
    shards : ndarray (n_shards + 1,) of int64
        Where the shards of rows begin, and the number of rows.
    loss, output : int
        The loss, and the activation that makes the output of the last layer's values;
        in `layers` the last one's is the identity.
    strengths : ndarray (n_layers, 2)
        l2 and l1 of each layer's weights.
    """

    layers: np.ndarray
    blocks: np.ndarray
    middles: np.ndarray
    shards: np.ndarray
    loss: int
    output: int
    strengths: np.ndarray


class Batch(NamedTuple):
    """The rows of a step.

    Attributes
    ----------
    rows : ndarray (n_rows * n_features,)
    targets : ndarray (n_rows * n_outputs,)
    shares : ndarray (n_rows,)
        Weights of the rows, of sum 1.
    inverse_mass : float
        1 by the sum of the weights.
    """

    rows: np.ndarray
    targets: np.ndarray
    shares: np.ndarray
    inverse_mass: float


class Code(NamedTuple):
    """The penalty of the values of one layer; `kind` 0 is none.

    Attributes
    ----------
    layer, kind : int
    alpha, target : float
    """

    layer: int
    kind: int
    alpha: float
    target: float


class Workspace(NamedTuple):
    """What a step overwrites.

    Attributes
    ----------
    values, first, second : ndarray (n_parameters,)
        The parameters and their moments.
    gradient : ndarray (n_parameters,), or (0,)
        Where the gradient goes if it is wanted; if not it stays in `scratch`.
    acts, deltas : ndarray
        Layers' values, and derivatives of the loss by what was activated.
    scratch : ndarray (n_parts, size of the largest block)
    sums : ndarray (n_shards, n_codes) of float64
        Sizes of codes, weighted, summed over a shard's rows.
    slopes : ndarray (n_parts, n_codes)
    norms : ndarray (n_codes,)
        Of the weights that a code has in the next layer.
    losses : ndarray (n_shards,) of float64
    lists : Lists
        Of the rows' entries other than zero.
    meeting : ndarray (2,) of int64
        0 before each step.
    """

    values: np.ndarray
    first: np.ndarray
    second: np.ndarray
    gradient: np.ndarray
    acts: np.ndarray
    deltas: np.ndarray
    scratch: np.ndarray
    sums: np.ndarray
    slopes: np.ndarray
    norms: np.ndarray
    losses: np.ndarray
    lists: Lists
    meeting: np.ndarray


@inlined
def multiply(layers, values, rows, acts, level, start, stop):
    """Layer `l` before bias and activation, for rows `start` to `stop` - 1."""
    n_in, n_out, place = layers[level, N_IN], layers[level, N_OUT], layers[level, PLACE]
    below, at = rows, start * n_in
    if level > 0:
        below, at = acts, layers[level - 1, PLACE] + start * n_in
    tied = layers[level, TIED] == 1
    gemm(
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
def ahead(layers, values, rows, acts, first, last, start, stop):
    """Values of the layers `first` to `last` - 1, for rows `start` to `stop` - 1."""
    for level in range(first, last):
        multiply(layers, values, rows, acts, level, start, stop)
        shift_and_activate(layers, values, acts, level, start, stop)


@inlined
def first_layer(plan, batch, work, s):
    """Values of the first layer for a shard, by its lists if it has few entries."""
    layers, values, acts, lists = plan.layers, work.values, work.acts, work.lists
    start, stop, n_out = plan.shards[s], plan.shards[s + 1], layers[0, N_OUT]
    few = n_out >= THIN
    few = few and list_nonzeros(batch.rows, layers[0, N_IN], start, stop, lists)
    lists.few[s] = few
    if few:
        out = acts[layers[0, PLACE] :]
        weights = values[layers[0, WEIGHTS] :]
        product_of_lists(lists, start, stop, weights, n_out, out)
    else:
        multiply(layers, values, batch.rows, acts, 0, start, stop)
    shift_and_activate(layers, values, acts, 0, start, stop)


@inlined
def back(layers, code, slope, shares, values, acts, deltas, start, stop):
    """Derivatives of the loss by what was activated, from the last layer's down."""
    zero = values.dtype.type(0.0)
    for level in range(layers.shape[0] - 1, 0, -1):
        n_in, n_out = layers[level, N_IN], layers[level, N_OUT]
        below = layers[level - 1, PLACE]
        tied = layers[level, TIED] == 1
        gemm(
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
            multiply_by_slope(layers[level - 1, ACTIVATION], delta, row)


@inlined
def add_sizes(shares, acts, place, n, start, stop, sums):
    """Overwrite `sums` (n,) by the sum of the rows' ``share * |value|``."""
    sums[:] = 0.0
    for i in range(start, stop):
        for j in range(n):
            sums[j] += shares[i] * abs(acts[place + i * n + j])


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
def add_norm_slopes(layers, code, sums, norms, values, level, start, stop, gradient):
    """Add the derivative of L1's decoder norms by the weights of `l`, if it has it."""
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


@inlined
def weight_gradient(layers, level, start, stop, n_rows, rows, acts, deltas, out):
    """Rows `start` to `stop` - 1 of the gradient of layer `l`'s weights, to `out`."""
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
    gemm(
        True,
        False,
        size,
        n_out,
        n_rows,
        below[at:],
        n_in,
        delta,
        n_out,
        zero,
        out,
        n_out,
    )
    if partner >= 0:
        # The other use of the same weights: W^T is what it multiplies.
        delta = deltas[layers[partner, PLACE] + start :]
        below = acts[layers[partner - 1, PLACE] :]
        gemm(
            True, False, size, n_out, n_rows, delta, n_in, below, n_out, one, out, n_out
        )


@inlined
def bias_gradient(layers, level, n_rows, deltas, out):
    """The gradient of layer `l`'s biases, to `out`."""
    n_out, place = layers[level, N_OUT], layers[level, PLACE]
    out[:] = out.dtype.type(0.0)
    for i in range(n_rows):
        for j in range(n_out):
            out[j] += deltas[place + i * n_out + j]


@inlined
def improve_block(plan, code, rule, mask, batch, block, work, part, fresh):
    """The gradient of one block of parameters, and the optimiser's step on it."""
    layers, rows, n_rows = plan.layers, batch.rows, batch.shares.size
    level, start, stop = block[LAYER], block[START], block[STOP]
    n_out = layers[level, N_OUT]
    is_bias = start < 0
    at = layers[level, BIAS] if is_bias else layers[level, WEIGHTS] + start * n_out
    size = n_out if is_bias else (stop - start) * n_out
    whole = work.gradient.size > 0
    gradient = work.gradient[at : at + size] if whole else work.scratch[part, :size]
    values = work.values[at : at + size]
    l1 = plan.strengths[level, 1]
    if is_bias:
        l1 = values.dtype.type(0.0)
        bias_gradient(layers, level, n_rows, work.deltas, gradient)
    else:
        few = level == 0 and layers[0, PARTNER] < 0
        for s in range(plan.shards.size - 1):
            few = few and work.lists.few[s]
        if few:
            delta = work.deltas[layers[0, PLACE] :]
            gradient_of_lists(
                work.lists, part, n_rows, start, stop, fresh, delta, n_out, gradient
            )
        else:
            weight_gradient(
                layers,
                level,
                start,
                stop,
                n_rows,
                rows,
                work.acts,
                work.deltas,
                gradient,
            )
        l2 = plan.strengths[level, 0] * batch.inverse_mass
        if l2 > 0.0:
            for i in range(size):
                gradient[i] += l2 * values[i]
        add_norm_slopes(
            layers,
            code,
            work.sums,
            work.norms,
            work.values,
            level,
            start,
            stop,
            gradient,
        )
    if rule.kind != GRADIENT:
        first = work.first[at : at + size]
        second = work.second[at : at + size]
        improve(rule, l1, values, first, second, gradient, mask[at : at + size])


@inlined
def up_and_down(plan, code, batch, work, s, first, slope):
    """A shard's values from layer `first` on, its loss, and all of its deltas."""
    layers, shares, acts = plan.layers, batch.shares, work.acts
    start, stop, last = plan.shards[s], plan.shards[s + 1], layers.shape[0] - 1
    ahead(layers, work.values, batch.rows, acts, first, last + 1, start, stop)
    n_out, place = layers[last, N_OUT], layers[last, PLACE]
    total = 0.0
    for i in range(start, stop):
        at = place + i * n_out
        total += shares[i] * loss_and_slope(
            plan.loss,
            plan.output,
            acts[at : at + n_out],
            batch.targets[i * n_out : (i + 1) * n_out],
            shares[i],
            work.deltas[at : at + n_out],
        )
    work.losses[s] = total
    back(layers, code, slope, shares, work.values, acts, work.deltas, start, stop)


@kernel
def step(part, n_parts, plan, code, rule, mask, batch, work):
    """Do one of `n_parts` parts of a step, all of which must run at the same time.

    Afterwards `work.losses` holds the shards' parts of the mean loss before it, and
    `work.sums` those of the mean sizes of the codes.
    """
    layers, meeting = plan.layers, work.meeting
    n_shards = plan.shards.size - 1
    slope = work.slopes[part]
    split, arrivals = 0, n_parts
    if code.kind > 0:
        split = code.layer + 1
        n, place = layers[code.layer, N_OUT], layers[code.layer, PLACE]
        for s in range(part, n_shards, n_parts):
            start, stop = plan.shards[s], plan.shards[s + 1]
            first_layer(plan, batch, work, s)
            ahead(layers, work.values, batch.rows, work.acts, 1, split, start, stop)
            add_sizes(batch.shares, work.acts, place, n, start, stop, work.sums[s])
        if code.kind == L1:
            first, last = part * n // n_parts, (part + 1) * n // n_parts
            measure_norms(layers, split, work.values, work.norms, first, last)
        if not meet(meeting, arrivals):
            return
        arrivals += n_parts
        find_slopes(code, work.sums, work.norms, slope)
    for s in range(part, n_shards, n_parts):
        if split == 0:
            first_layer(plan, batch, work, s)
        up_and_down(plan, code, batch, work, s, max(split, 1), slope)
    if not meet(meeting, arrivals):
        return
    fresh = True
    for b in range(plan.blocks.shape[0]):
        # A block goes to the part in whose share of all parameters its middle lies.
        if plan.middles[b] * n_parts // work.values.size == part:
            block = plan.blocks[b]
            improve_block(plan, code, rule, mask, batch, block, work, part, fresh)
            fresh = False


@kernel
def forward(layers, values, rows, acts, last):
    """Values of the layers up to `last`, of as many rows as there are."""
    n_rows = rows.size // layers[0, N_IN]
    ahead(layers, values, rows, acts, 0, last + 1, 0, n_rows)
