r"""A step of Adam on the units of a sparse autoencoder, one unit after another.

Unit j has a row w_j of the encoder, a row d_j of the decoder, which has unit length,
a bias b_j and perhaps a threshold theta_j. With e_i the slope of the loss with respect
to what row i is rebuilt as, and over the pairs (i, j) of row i and unit j alone,

.. math::
    s_{ij} = \langle e_i, d_j \rangle + c_i, \quad
    \nabla_{d_j} = \sum_i z_{ij} e_i, \quad
    \nabla_{w_j} = \sum_i s_{ij} x_i, \quad \nabla_{b_j} = \sum_i s_{ij},

where c_i is the row's share of an L1 penalty. All of a unit's rows stay in the nearest
cache until they are done with, and no gradient is stored (`descend`); or matrix
products have made all gradients, where pairs are many (`move_all`).

Of the squares of a row's gradient Adam remembers one mean, not one for each entry
(Zhang et al., 2024, Adam-mini): the rate is that of the unit, and the row moves along
its mean gradient. Features that hardly vary have small gradients, and get small
weights. With a rate of their own they would move as far as all others: an encoder ended
with most of its length on them, and a row in which one of them is not as usual was
encoded as noise. To rotate the features rotates what is learned, and no more.

d_j moves on the sphere: its gradient loses the part along d_j, and after the step,
which is not quite along the sphere for its momentum, d_j is divided by its length.
Where the encoder is tied, w_j is d_j and the two gradients are added.
"""

import math
from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel
from sparselearn._kernels._rows import combine_rows, fetch

__all__ = [
    "Pairs",
    "Rule",
    "Signals",
    "Squares",
    "Units",
    "descend",
    "move_all",
    "move_row",
    "slopes",
]

# So many units ahead, rows are fetched: while a unit learns from its pairs, memory is
# at rest.
AHEAD = 2


class Units(NamedTuple):
    """Parameters of all units, or means of their gradients, which are laid out alike.

    Attributes
    ----------
    encoder : (m, p)
        (0, p) where it is the decoder.
    decoder : (m, p)
    bias : (m,)
    threshold : (m,)
        (0,) where units have none.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    bias: np.ndarray
    threshold: np.ndarray


class Squares(NamedTuple):
    """Means of squared gradients, of each row of `Units` one.

    Attributes
    ----------
    encoder : (m,)
        (0,) where it is the decoder.
    decoder, bias : (m,)
    threshold : (m,)
        (0,) where units have none.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    bias: np.ndarray
    threshold: np.ndarray


class Pairs(NamedTuple):
    """Pairs of a row and a unit, sorted by unit.

    Attributes
    ----------
    starts : int (m + 1,)
        Where the pairs of each unit start.
    rows : int (n_pairs,)
        Numbers in `Signals.errors`.
    values : (n_pairs,)
        Pre-activations.
    """

    starts: np.ndarray
    rows: np.ndarray
    values: np.ndarray


class Signals(NamedTuple):
    """What a batch tells.

    Attributes
    ----------
    inputs : (n, p)
    errors : (n + a, p)
        Slopes of the loss by row; then those of a second loss of the first a rows, in
        which pre-activations count whatever their sign, and which has no L1 penalty.
    costs : (n,)
        c_i above; where units have thresholds, that of each unit kept.
    """

    inputs: np.ndarray
    errors: np.ndarray
    costs: np.ndarray


class Rule(NamedTuple):
    """A step of Adam; numbers are of the dtype of the parameters.

    Attributes
    ----------
    rate, epsilon : float
        With the correction for moments that started at 0.
    beta_1, beta_2 : float
        With beta_1 = 0 there are no first moments, and units without pairs stay as
        they are: their second moments fade when they next move, by `moved`.
    now : int
        Number of this step.
    width : float
        Of the window about a threshold.
    tied : bool
    """

    rate: float
    epsilon: float
    beta_1: float
    beta_2: float
    now: int
    width: float
    tied: bool


@inlined
def _slope(signals, rule, row, value, dot, theta):
    """Code z of a pair, slope of the loss by its p, and slope by the threshold.

    Without thresholds z = max(0, p). With them z = p where p > theta; the derivatives
    by theta of this and of the number of units kept are those of a ramp of `width`
    about theta (Rajamanoharan et al., 2024, eq. 10 to 12).
    """
    zero = signals.costs.dtype.type(0)
    n_rows = signals.inputs.shape[0]
    if row >= n_rows:
        return value, dot, zero
    if rule.width == zero:
        if value > zero:
            return value, dot + signals.costs[row], zero
        return zero, zero, zero
    pull = zero
    if abs(value - theta) < signals.costs.dtype.type(0.5) * rule.width:
        pull = -(theta * dot + signals.costs[row]) / rule.width
    if value > theta:
        return value, dot, pull
    return zero, zero, pull


@inlined
def _step_length(square, size, v, j, rule, keep):
    """Of a row of so many entries whose gradient has that squared length.

    ``v[j]``, of which the share `keep` is left, takes in the mean square.
    """
    one = v.dtype.type(1)
    v[j] = keep * v[j] + (one - rule.beta_2) * (square / v.dtype.type(size))
    return rule.rate / (math.sqrt(v[j]) + rule.epsilon)


@inlined(fastmath=REASSOCIATE)
def _move(w, g, m, v, j, rule, keep):
    """Adam on `w`, row j of an array, by its gradient `g`.

    Row j of `m`, where there is one, and ``v[j]`` are its means, of which the share
    `keep` is left of the second.
    """
    square = w.dtype.type(0)
    for f in range(w.size):
        square += g[f] * g[f]
    step = _step_length(square, w.size, v, j, rule, keep)
    if rule.beta_1 == 0:
        for f in range(w.size):
            w[f] -= step * g[f]
        return
    means, other = m[j], w.dtype.type(1) - rule.beta_1
    for f in range(w.size):
        mean = rule.beta_1 * means[f] + other * g[f]
        means[f] = mean
        w[f] -= step * mean


@inlined(fastmath=REASSOCIATE)
def _move_on_sphere(w, g, m, v, j, rule, keep):
    """`_move` of a row of unit length, which keeps it; `g` loses its part along w."""
    along = square = length = w.dtype.type(0)
    for f in range(w.size):
        along += g[f] * w[f]
    for f in range(w.size):
        rest = g[f] - along * w[f]
        g[f] = rest
        square += rest * rest
    step = _step_length(square, w.size, v, j, rule, keep)
    if rule.beta_1 == 0:
        for f in range(w.size):
            moved = w[f] - step * g[f]
            w[f] = moved
            length += moved * moved
    else:
        means, other = m[j], w.dtype.type(1) - rule.beta_1
        for f in range(w.size):
            mean = rule.beta_1 * means[f] + other * g[f]
            means[f] = mean
            moved = w[f] - step * mean
            w[f] = moved
            length += moved * moved
    scale = w.dtype.type(1) / math.sqrt(length)
    for f in range(w.size):
        w[f] *= scale


@inlined
def _move_number(values, first, second, j, slope, rule, keep):
    """Adam on ``values[j]``."""
    one = values.dtype.type(1)
    direction = slope
    if rule.beta_1 != 0:
        direction = rule.beta_1 * first[j] + (one - rule.beta_1) * slope
        first[j] = direction
    square = keep * second[j] + (one - rule.beta_2) * slope * slope
    second[j] = square
    values[j] -= rule.rate * direction / (math.sqrt(square) + rule.epsilon)


@inlined
def _move_unit(units, first, second, j, gradients, slope, pull, rule, moved):
    """All of unit j, by the gradients of its rows, of its bias and of its threshold."""
    to_encoder, to_decoder = gradients
    keep = rule.beta_2
    if rule.beta_1 == 0:
        power = rule.beta_2 ** (rule.now - moved[j])
        keep = second.bias.dtype.type(power)  # that of a float32 is a float64
        moved[j] = rule.now
    if not rule.tied:
        row = units.encoder[j]
        _move(row, to_encoder, first.encoder, second.encoder, j, rule, keep)
    atom = units.decoder[j]
    _move_on_sphere(atom, to_decoder, first.decoder, second.decoder, j, rule, keep)
    _move_number(units.bias, first.bias, second.bias, j, slope, rule, keep)
    if units.threshold.size:
        _move_number(
            units.threshold, first.threshold, second.threshold, j, pull, rule, keep
        )
        units.threshold[j] = max(units.threshold[j], units.bias.dtype.type(0))


@inlined
def _fetch_unit(j, pairs, units, first, rule):
    """Let the cache have what `descend` needs of a unit."""
    if j < units.bias.size and (
        rule.beta_1 != 0 or pairs.starts[j] != pairs.starts[j + 1]
    ):
        for matrix in (units.encoder, units.decoder, first.encoder, first.decoder):
            fetch(matrix, j)


@inlined(fastmath=REASSOCIATE)
def _multiply_rows(rows, numbers, vector, out):
    """Write the products of some of the `rows` with a vector to `out`, two at once."""
    t = 0
    while t + 2 <= numbers.size:
        first, second = rows[numbers[t]], rows[numbers[t + 1]]
        one = other = vector.dtype.type(0)
        for f in range(vector.size):
            one += first[f] * vector[f]
            other += second[f] * vector[f]
        out[t], out[t + 1] = one, other
        t += 2
    if t < numbers.size:
        first, one = rows[numbers[t]], vector.dtype.type(0)
        for f in range(vector.size):
            one += first[f] * vector[f]
        out[t] = one


@inlined
def _look_at_pairs(signals, rule, rows, values, theta, places, factors):
    """Keep what the gradients of a unit are sums of; its pairs' rows and p are given.

    Parameters
    ----------
    places : int (2, n)
        Overwritten by the numbers of errors and inputs of the pairs that count;
    factors : (2, n)
        by their codes and slopes. The second row holds ``<e_i, d_j>`` of all pairs.

    Returns
    -------
    n, n_kept : int
        Pairs that count, and rows that keep the unit.
    slope, pull
        Sums of slopes by p and by the threshold.
    """
    n_rows = signals.inputs.shape[0]
    zero = signals.costs.dtype.type(0)
    n = n_kept = 0
    total_slope = total_pull = zero
    for t in range(rows.size):
        row = rows[t]
        z, slope, pull = _slope(signals, rule, row, values[t], factors[1, t], theta)
        total_slope += slope
        total_pull += pull
        n_kept += (z > zero) & (row < n_rows)
        places[0, n] = row
        places[1, n] = row if row < n_rows else row - n_rows
        factors[0, n], factors[1, n] = z, slope
        n += (z != zero) | (slope != zero)
    return n, n_kept, total_slope, total_pull


@kernel(fastmath=REASSOCIATE, borrowing=True)
def descend(
    start, stop, pairs, signals, units, first, second, rule, moved, kept, scratch
):
    """Move the units from `start` to `stop` by what their pairs say.

    Parameters
    ----------
    start, stop : int
    pairs : Pairs
    signals : Signals
    units, first : Units
        Parameters, and means of their gradients; overwritten.
    second : Squares
        Overwritten.
    rule : Rule
    moved : int (m,)
        The step by which each unit last moved, with beta_1 = 0; overwritten.
    kept : int (m,)
        How many rows keep each unit; overwritten.
    scratch : triple of (2, p), (2, n + a) and int32 (2, n + a)
    """
    gradients, factors, places = scratch
    errors, inputs = signals.errors.reshape(-1), signals.inputs.reshape(-1)
    n_features, zero = units.decoder.shape[1], units.bias.dtype.type(0)
    for j in range(start, stop):
        begin, end = pairs.starts[j], pairs.starts[j + 1]
        _fetch_unit(j + AHEAD, pairs, units, first, rule)
        kept[j] = 0
        if rule.beta_1 == 0 and begin == end:
            continue
        rows = pairs.rows[begin:end]
        _multiply_rows(signals.errors, rows, units.decoder[j], factors[1])
        theta = units.threshold[j] if units.threshold.size else zero
        n, n_kept, slope, pull = _look_at_pairs(
            signals, rule, rows, pairs.values[begin:end], theta, places, factors
        )
        kept[j] = n_kept
        to_encoder, to_decoder = gradients[0], gradients[1]
        if rule.tied:
            to_encoder = to_decoder
        combine_rows(places[0], factors[0], n, errors, n_features, True, to_decoder, 0)
        combine_rows(
            places[1], factors[1], n, inputs, n_features, not rule.tied, to_encoder, 0
        )
        _move_unit(
            units,
            first,
            second,
            j,
            (to_encoder, to_decoder),
            slope,
            pull,
            rule,
            moved,
        )


@kernel
def slopes(start, stop, pairs, signals, dots, thresholds, rule, kept, z, s, totals):
    """Write codes and slopes of the pairs of units `start` to `stop`, as matrices.

    Parameters
    ----------
    start, stop : int
    pairs : Pairs
    signals : Signals
    dots : (n + a, stop - start)
        ``<e_i, d_j>``.
    thresholds : (m,) or (0,)
    rule : Rule
    kept : int (m,)
        As in `descend`.
    z : (n + a, stop - start)
        All zero; codes are written to it.
    s : (n, stop - start)
        All zero; slopes are added to it.
    totals : (2, stop - start)
        All zero; sums of slopes, by p and by the threshold, are added to it.
    """
    n_rows = signals.inputs.shape[0]
    zero = signals.costs.dtype.type(0)
    for j in range(start, stop):
        k = j - start
        kept[j] = 0
        theta = thresholds[j] if thresholds.size else zero
        for t in range(pairs.starts[j], pairs.starts[j + 1]):
            row = pairs.rows[t]
            code, slope, pull = _slope(
                signals, rule, row, pairs.values[t], dots[row, k], theta
            )
            z[row, k] = code
            s[row if row < n_rows else row - n_rows, k] += slope
            totals[0, k] += slope
            totals[1, k] += pull
            if row < n_rows:
                kept[j] += code > zero


@kernel(fastmath=REASSOCIATE)
def move_all(start, gradients, totals, pairs, units, first, second, rule, moved):
    """Move units from `start` on by the gradients of their rows, which are overwritten.

    Parameters
    ----------
    start : int
    gradients : pair of (n_moved, p)
        By the rows of the encoder and by those of the decoder; their sum in the second
        where the encoder is tied.
    totals : (2, n_moved)
        By the biases and by the thresholds.
    pairs : Pairs
    units, first : Units
    second : Squares
    rule : Rule
    moved : int (m,)
    """
    to_encoder, to_decoder = gradients
    for k in range(to_decoder.shape[0]):
        j = start + k
        if rule.beta_1 == 0 and pairs.starts[j] == pairs.starts[j + 1]:
            continue
        _move_unit(
            units,
            first,
            second,
            j,
            (to_encoder[k if not rule.tied else 0], to_decoder[k]),
            totals[0, k],
            totals[1, k],
            rule,
            moved,
        )


@kernel(fastmath=REASSOCIATE)
def move_row(row, gradient, first, second, rule):
    """Adam on one row of parameters, the bias of the output, say.

    `first`, (1, p) or (0, p), and `second` (1,) are as of one unit.
    """
    _move(row, gradient, first, second, 0, rule, rule.beta_2)
