"""Activations and losses of a network, row by row, in place.

A row is a part of a one-dimensional array. The exponential of float32 is a polynomial
that compilers vectorise, right to 2 units in the last place; that of float64 is the
library's.
"""

import math

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, by_precision, inlined
from sparselearn._kernels._machine import power_of_two

__all__ = [
    "CROSS_ENTROPY",
    "IDENTITY",
    "RELU",
    "SELECTED",
    "SIGMOID",
    "SOFTMAX",
    "SQUARED_ERROR",
    "TANH",
    "activate",
    "loss_and_slope",
    "multiply_by_slope",
]

# SELECTED: the identity, of which some values are then dropped.
IDENTITY, RELU, SIGMOID, TANH, SOFTMAX, SELECTED = range(6)
SQUARED_ERROR, CROSS_ENTROPY = range(2)

# Cody and Waite: ln 2 in two parts, of which the first is short.
LOG2_E = np.float32(1.44269504088896341)
LN2_HIGH = np.float32(0.693359375)
LN2_LOW = np.float32(-2.12194440e-4)
# Added and taken away, it rounds a float32 below 2^22 to the nearest integer.
ROUNDING = np.float32(12582912.0)
# Smallest and largest x whose exponential is a normal float32.
LEAST, MOST = np.float32(-87.3), np.float32(88.0)
C0, C1, C2, C3, C4, C5 = (
    np.float32(c)
    for c in (
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    )
)
ZERO, ONE, MINUS_TWO = (np.float32(c) for c in (0.0, 1.0, -2.0))


def _single_exponential(x):
    """Exponential of a float32, by x = n ln 2 + r with |r| <= ln 2 / 2."""
    x = min(max(x, LEAST), MOST)
    n = (x * LOG2_E + ROUNDING) - ROUNDING
    r = x - n * LN2_HIGH
    r = r - n * LN2_LOW
    tail = C0
    tail = tail * r + C1
    tail = tail * r + C2
    tail = tail * r + C3
    tail = tail * r + C4
    tail = tail * r + C5
    return (tail * r * r + r + ONE) * power_of_two(np.int32(n))


def _double_exponential(x):
    return math.exp(x)


_exponential = by_precision(_single_exponential, _double_exponential)


def _single_tanh(x):
    """Hyperbolic tangent of a float32, by e^{-2|x|}; its error is absolute."""
    e = _exponential(MINUS_TWO * abs(x))
    size = (ONE - e) / (ONE + e)
    return size if x > ZERO else -size


def _double_tanh(x):
    return math.tanh(x)


_tanh = by_precision(_single_tanh, _double_tanh)


@inlined
def activate(kind, row, bias):
    """Overwrite `row` by what `kind` makes of ``row + bias``."""
    one = row.dtype.type(1.0)
    zero = row.dtype.type(0.0)
    if kind == RELU:
        for j in range(row.size):
            row[j] = max(row[j] + bias[j], zero)
    elif kind == SIGMOID:
        for j in range(row.size):
            row[j] = one / (one + _exponential(-(row[j] + bias[j])))
    elif kind == TANH:
        for j in range(row.size):
            row[j] = _tanh(row[j] + bias[j])
    else:
        for j in range(row.size):
            row[j] += bias[j]
        if kind == SOFTMAX:
            _softmax(row)


@inlined
def _softmax(row):
    top = row[0]
    for j in range(1, row.size):
        top = max(top, row[j])
    total = row.dtype.type(0.0)
    for j in range(row.size):
        row[j] = _exponential(row[j] - top)
        total += row[j]
    for j in range(row.size):
        row[j] /= total


@inlined
def multiply_by_slope(kind, delta, row):
    """Multiply `delta` by the derivative of `kind`, of which `row` is the value."""
    one = row.dtype.type(1.0)
    zero = row.dtype.type(0.0)
    if kind in (RELU, SELECTED):
        for j in range(row.size):
            delta[j] = delta[j] if row[j] > zero else zero
    elif kind == SIGMOID:
        for j in range(row.size):
            delta[j] *= row[j] * (one - row[j])
    elif kind == TANH:
        for j in range(row.size):
            delta[j] *= one - row[j] * row[j]


@inlined
def loss_and_slope(loss, kind, row, target, share, delta):
    """The loss of one row; `delta` becomes `share` times its derivative by `row`.

    `row` holds the last layer before its activation `kind`, and is overwritten.
    """
    if loss == SQUARED_ERROR:
        return _squared_error(kind, row, target, share, delta)
    if kind == SOFTMAX:
        return _softmax_entropy(row, target, share, delta)
    return _sigmoid_entropy(row, target, share, delta)


@inlined(fastmath=REASSOCIATE)
def _squared_error(kind, row, target, share, delta):
    one = row.dtype.type(1.0)
    total = row.dtype.type(0.0)
    if kind == SIGMOID:
        for j in range(row.size):
            a = one / (one + _exponential(-row[j]))
            error = a - target[j]
            total += error * error
            delta[j] = share * error * a * (one - a)
    else:
        for j in range(row.size):
            error = row[j] - target[j]
            total += error * error
            delta[j] = share * error
    return 0.5 * float(total)


@inlined(fastmath=REASSOCIATE)
def _sigmoid_entropy(row, target, share, delta):
    r"""``log(1 + e^p) - t p`` summed, with one exponential for value and derivative.

    With e = e^{-|p|}, log(1 + e^p) = max(p, 0) + log(1 + e), and the logarithms of a
    few factors, all at most 2, are that of their product.
    """
    one = row.dtype.type(1.0)
    zero = row.dtype.type(0.0)
    total = row.dtype.type(0.0)
    for j in range(row.size):
        p = row[j]
        e = _exponential(-abs(p))
        total += max(p, zero) - p * target[j]
        inverse = one / (one + e)
        sigmoid = inverse if p > zero else e * inverse
        delta[j] = share * (sigmoid - target[j])
        row[j] = one + e
    return float(total) + _log_of_product(row)


@inlined
def _log_of_product(row):
    """The sum of the logarithms of factors in [1, 2], which are overwritten.

    Five times the second half is multiplied into the first: at most 63 factors come
    together, and 2^63 is far from overflow.
    """
    n = row.size
    for _ in range(5):
        half = n // 2
        if n % 2 == 1 and n > 1:
            row[0] *= row[n - 1]
        if half > 0:
            for j in range(half):
                row[j] *= row[half + j]
            n = half
    total = 0.0
    for j in range(n):
        total += math.log(row[j])
    return total


@inlined
def _softmax_entropy(row, target, share, delta):
    top = row[0]
    for j in range(1, row.size):
        top = max(top, row[j])
    total = row.dtype.type(0.0)
    for j in range(row.size):
        e = _exponential(row[j] - top)
        total += e
        delta[j] = e
    log_total = math.log(total)
    loss = 0.0
    for j in range(row.size):
        loss -= target[j] * (row[j] - top - log_total)
        delta[j] = share * (delta[j] / total - target[j])
    return loss
