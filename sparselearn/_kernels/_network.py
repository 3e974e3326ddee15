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
threads, hence all results. To wake a thread takes as long as a small step: they stay
awake for some.
"""

import numpy as np

from sparselearn._kernels._activations import loss_and_slope
from sparselearn._kernels._adam import ADD, GRADIENT, SIZES, Rule, improve
from sparselearn._kernels._codes import (
    add_norm_slopes,
    add_sizes,
    find_slopes,
    keep_of_batch,
    limit_of_batch,
    measure_norms,
    select,
)
from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel
from sparselearn._kernels._layers import (
    THIN,
    ahead,
    back,
    bias_gradient,
    multiply,
    shift_and_activate,
    weight_gradient,
)
from sparselearn._kernels._machine import claim, meet
from sparselearn._kernels._plan import (
    BATCH_TOPK,
    BIAS,
    JUMP,
    L1,
    N_IN,
    N_OUT,
    PARTNER,
    PLACE,
    WEIGHTS,
    Batch,
)
from sparselearn._kernels._sparse_rows import (
    gradient_of_lists,
    keep_deltas,
    list_nonzeros,
)

__all__ = ["forward", "steps"]

# Columns of `blocks`: rows START to STOP of the layer's weights; its bias (-1, -1).
LAYER, START, STOP = range(3)


@inlined
def batch_of(lot, number, n_in, n_out, work):
    """The rows of a step of the lot, where they are or where they will be gathered."""
    n_steps = lot.inverse_masses.size
    n_rows = lot.shares.size // n_steps
    first, stop = number * n_rows, (number + 1) * n_rows
    rows, targets = work.rows[: n_rows * n_in], work.targets[: n_rows * n_out]
    if lot.places.size == 0:
        rows = lot.rows[first * n_in : stop * n_in]
        if lot.targets.size > 0:
            targets = lot.targets[first * n_out : stop * n_out]
    if lot.targets.size == 0 and lot.classes.size == 0:
        targets = rows
    return Batch(
        number, rows, targets, lot.shares[first:stop], lot.inverse_masses[number]
    )


@inlined
def copy(source, out):
    """Overwrite `out` by `source`, of its size.

    An assignment compiles the text of its error too, which takes as long as products.
    """
    for j in range(out.size):
        out[j] = source[j]


@inlined
def gather(lot, batch, n_in, n_out, work, start, stop):
    """Bring the rows `start` to `stop` - 1 of a batch to where it has them."""
    first, one = batch.number * batch.shares.size, work.rows.dtype.type(1.0)
    if lot.classes.size > 0:
        work.targets[start * n_out : stop * n_out] = work.rows.dtype.type(0.0)
        for i in range(start, stop):
            work.targets[i * n_out + lot.classes[first + i]] = one
    if lot.places.size == 0:
        return
    for i in range(start, stop):
        place = lot.places[first + i]
        source = lot.rows[place * n_in : (place + 1) * n_in]
        row = work.rows[i * n_in : (i + 1) * n_in]
        if lot.shift.size > 0 or lot.scale != one:
            for j in range(n_in):
                shift = lot.shift[j] if lot.shift.size > 0 else source.dtype.type(0.0)
                row[j] = (source[j] - shift) * lot.scale
        else:
            copy(source, row)
        if lot.targets.size > 0:
            target = lot.targets[place * n_out : (place + 1) * n_out]
            copy(target, work.targets[i * n_out : (i + 1) * n_out])


@inlined
def improve_block(plan, code, rule, mask, batch, block, work, part):
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
    add = rule.kind == ADD
    if is_bias:
        l1 = values.dtype.type(0.0)
        bias_gradient(layers, level, n_rows, work.deltas, add, gradient)
    else:
        few = level == 0 and layers[0, PARTNER] < 0 and not add
        for s in range(plan.shards.size - 1):
            few = few and work.lists.few[s]
        if few:
            n_in = layers[0, N_IN]
            gradient_of_lists(
                work.lists, part, rows, n_in, n_rows, start, stop, n_out, gradient
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
                add,
                gradient,
            )
        l2 = plan.strengths[level, 0] * batch.inverse_mass
        if l2 > 0.0 and not add:
            for i in range(size):
                gradient[i] += l2 * values[i]
        if not add:
            add_norm_slopes(layers, code, work, level, start, stop, gradient)
    if not (add or rule.kind == GRADIENT):
        first = work.first[at : at + size]
        second = work.second[at : at + size]
        improve(rule, l1, values, first, second, gradient, mask[at : at + size])


@inlined
def down(plan, code, batch, work, s, slope):
    """A shard's loss, from the values of the last layer, and all of its deltas."""
    layers, shares, acts = plan.layers, batch.shares, work.acts
    start, stop, last = plan.shards[s], plan.shards[s + 1], layers.shape[0] - 1
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
    work.losses[batch.number, s] = total
    back(layers, code, slope, shares, work, s, start, stop)
    if work.lists.few[s]:
        deltas = work.deltas[layers[0, PLACE] :]
        keep_deltas(work.lists, deltas, layers[0, N_OUT], start, stop)


@inlined
def take_in(plan, lot, batch, work, s):
    """A shard's rows, and lists of their entries if these are few and this pays."""
    layers, start, stop = plan.layers, plan.shards[s], plan.shards[s + 1]
    n_in, last = layers[0, N_IN], layers.shape[0] - 1
    gather(lot, batch, n_in, layers[last, N_OUT], work, start, stop)
    few = layers[0, N_OUT] >= THIN
    work.lists.few[s] = few and list_nonzeros(batch.rows, n_in, start, stop, work.lists)


@inlined
def settle_code(plan, code, batch, work, part, n_parts, arrivals):
    """What the code keeps, and its sizes; how many arrivals were met, or -1."""
    layers, n_rows = plan.layers, batch.shares.size
    n, place = layers[code.layer, N_OUT], layers[code.layer, PLACE]
    n_shards, values, acts = plan.shards.size - 1, work.values, work.acts
    if code.selection > 0:
        for s in range(part, n_shards, n_parts):
            select(code, work, n, place, plan.shards[s], plan.shards[s + 1])
    if code.selection == BATCH_TOPK:
        if not meet(work.meeting, arrivals + n_parts):
            return -1
        if part == 0:
            limit_of_batch(code, work, n_rows, n)
        if not meet(work.meeting, arrivals + 2 * n_parts):
            return -1
        arrivals += 2 * n_parts
    for s in range(part, n_shards, n_parts):
        start, stop = plan.shards[s], plan.shards[s + 1]
        if code.selection == BATCH_TOPK:
            keep_of_batch(work, n, place, start, stop)
        sums = work.sums[s]
        work.counts[s] = add_sizes(batch.shares, acts, place, n, start, stop, sums)
    if code.kind == L1:
        first, last = part * n // n_parts, (part + 1) * n // n_parts
        measure_norms(layers, code.layer + 1, values, work.norms, first, last)
    arrivals += n_parts
    return arrivals if meet(work.meeting, arrivals) else -1


@inlined
def improve_thresholds(rule, work, no_mask):
    """The optimiser's step on the thresholds of a code, which stay at least 0."""
    values, first, second = work.thresholds
    zero = values.dtype.type(0.0)
    gradient = work.slopes[0]
    for j in range(values.size):
        total = 0.0
        for s in range(work.pulls.shape[0]):
            total += work.pulls[s, j]
        gradient[j] = total
    if rule.kind == GRADIENT:
        return
    improve(rule, zero, values, first, second, gradient, no_mask)
    for j in range(values.size):
        values[j] = max(values[j], zero)


@kernel(borrowing=True)
def steps(part, n_parts, plan, code, rule, mask, lot, work):
    """Do one of `n_parts` parts of some steps, all of which must run at the same time.

    Afterwards `work.losses` holds the shards' parts of the mean losses before them, and
    `work.sums` those of the mean sizes of the last one's codes. If `rule` is `SIZES`
    only these are found; if it is `ADD` they are given, and a gradient is added to that
    of other rows, of penalties no more than what back-propagation needs.
    """
    # A function for one step would double the time to compile: with each level of calls
    # all that is below is optimised once more.
    layers, shards, blocks = plan.layers, plan.shards, plan.blocks
    n_in, n_out = layers[0, N_IN], layers[layers.shape[0] - 1, N_OUT]
    n_shards, slope, arrivals = shards.size - 1, work.slopes[part], 0
    pauses = (code.kind > 0 or code.selection > 0) and rule.kind != ADD
    split = code.layer + 1 if pauses else 0
    for number in range(lot.inverse_masses.size):
        batch = batch_of(lot, number, n_in, n_out, work)
        rate, epsilon = lot.rates[number, 0], lot.rates[number, 1]
        now = Rule(rule.kind, rate, rule.gain_1, rule.gain_2, epsilon)
        for going_down in range(0 if pauses else 1, 2):
            first, last = (split, layers.shape[0]) if going_down else (0, split)
            if going_down and code.kind > 0:
                find_slopes(code, work.sums, work.norms, slope)
            for s in range(part, n_shards, n_parts):
                if first == 0:
                    take_in(plan, lot, batch, work, s)
                ahead(
                    layers,
                    work.values,
                    batch.rows,
                    work.acts,
                    first,
                    last,
                    shards[s],
                    shards[s + 1],
                    work.lists,
                    work.lists.few[s],
                )
                if going_down:
                    down(plan, code, batch, work, s, slope)
            if not going_down:
                arrivals = settle_code(plan, code, batch, work, part, n_parts, arrivals)
                if arrivals < 0 or rule.kind == SIZES:
                    return
        arrivals += n_parts
        if not meet(work.meeting, arrivals):
            return
        for turn in range(n_parts):
            # Its own, which are in its cache, then those others have not come to.
            for b in range((part + turn) % n_parts, blocks.shape[0], n_parts):
                if claim(work.claims, b, number):
                    improve_block(plan, code, now, mask, batch, blocks[b], work, part)
        if part == 0 and code.selection == JUMP:
            improve_thresholds(now, work, mask[:0])
        arrivals += n_parts
        if not meet(work.meeting, arrivals):
            return


@kernel(borrowing=True)
def forward(layers, values, rows, rest, acts, last, n_at_once, found):
    """Values of the layer `last`, some rows at a time.

    Always as many, so that a row's values do not depend on those that come with it.
    `rest` are the last ones, filled up.

    Returns
    -------
    finite : bool
        Whether the sums of squares of the rows are, which is to say the rows, unless
        they are huge. To find out brings them to the cache.
    """
    finite = True
    n_in, n_out, place = layers[0, N_IN], layers[last, N_OUT], layers[last, PLACE]
    n_rows = found.size // n_out
    for start in range(0, n_rows, n_at_once):
        stop = min(start + n_at_once, n_rows)
        part = rows[start * n_in : stop * n_in]
        if stop - start < n_at_once:
            part = rest
        finite &= np.isfinite(sum_of_squares(part))
        for level in range(last + 1):
            multiply(layers, values, part, acts, level, 0, n_at_once)
            shift_and_activate(layers, values, acts, level, 0, n_at_once)
        for i in range((stop - start) * n_out):
            found[start * n_out + i] = acts[place + i]
    return finite


@inlined(fastmath=REASSOCIATE)
def sum_of_squares(values):
    total = values.dtype.type(0.0)
    for i in range(values.size):
        total += values[i] * values[i]
    return total
