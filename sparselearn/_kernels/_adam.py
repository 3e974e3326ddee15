r"""Steps of an optimiser on a part of the parameters, one pass over memory.

Adam (Kingma and Ba, 2015), with m the running mean of gradients and v of their squares:

.. math:: u = w - \eta m / s, \quad s = \sqrt{v} + \epsilon,

with the corrections of m and v for their start folded into the rate and epsilon. A
penalty l1 on w is not differentiated but taken as a whole, in the metric s in which the
step itself is one of steepest descent (Yun, Lozano and Yang, 2021):

.. math:: w = \arg\min_w \tfrac{s}{2 \eta} (w - u)^2 + l_1 |w|
            = \mathrm{sign}(u) \max(0, |u| - \eta l_1 / s).

Where it stands still, -m is a subgradient of l1 |w|, whatever s is; with a threshold
that does not follow s it would not be. And zeros are exact. Gradient descent with
momentum has no l1 here: its velocity has to know of the proximal operator.

All arrays are one-dimensional and of one length; `mask` may be empty.
"""

import math
from typing import NamedTuple

from sparselearn._kernels._jit import inlined

__all__ = ["ADAM", "ADD", "GRADIENT", "SGD", "SIZES", "Rule", "improve"]

GRADIENT, ADAM, SGD, SIZES, ADD = range(5)


class Rule(NamedTuple):
    """One step of an optimiser.

    Attributes
    ----------
    kind : int
        GRADIENT: only this is wanted, there is no step. SIZES and ADD: see
        ``_network.step``.
    rate : float
        Of the parameters' dtype, as all that follow. With Adam's corrections.
    gain_1 : float
        1 - beta_1, what a gradient counts in their mean: taken in the parameters'
        precision the difference would be wrong in the fifth digit. Of SGD the momentum.
    gain_2 : float
        1 - beta_2, of the mean of squares; of SGD 1 for Nesterov's momentum, else 0.
    epsilon : float
        With Adam's correction.
    """

    kind: int
    rate: float
    gain_1: float
    gain_2: float
    epsilon: float


@inlined
def improve(rule, l1, values, first, second, gradient, mask):
    """Make a step of `rule` on `values`, and on the moments `first` and `second`."""
    if rule.kind == ADAM:
        if l1 == 0.0:
            _adam(rule, values, first, second, gradient)
        else:
            _proximal_adam(rule, l1, values, first, second, gradient)
    elif rule.kind == SGD:
        _momentum(rule, values, first, gradient)
    if mask.size:
        zero = values.dtype.type(0.0)
        for i in range(values.size):
            values[i] = values[i] if mask[i] else zero
            first[i] = first[i] if mask[i] else zero
        for i in range(second.size):
            second[i] = second[i] if mask[i] else zero


@inlined
def _adam(rule, values, first, second, gradient):
    for i in range(values.size):
        g = gradient[i]
        m = first[i] + rule.gain_1 * (g - first[i])
        v = second[i] + rule.gain_2 * (g * g - second[i])
        first[i] = m
        second[i] = v
        values[i] -= rule.rate * m / (math.sqrt(v) + rule.epsilon)


@inlined
def _proximal_adam(rule, l1, values, first, second, gradient):
    zero = values.dtype.type(0.0)
    for i in range(values.size):
        g = gradient[i]
        m = first[i] + rule.gain_1 * (g - first[i])
        v = second[i] + rule.gain_2 * (g * g - second[i])
        first[i] = m
        second[i] = v
        rate = rule.rate / (math.sqrt(v) + rule.epsilon)
        u = values[i] - rate * m
        left = abs(u) - rate * l1
        values[i] = math.copysign(left, u) if left > zero else zero


@inlined
def _momentum(rule, values, first, gradient):
    """Sutskever et al. (2013); `first` is the velocity."""
    zero = values.dtype.type(0.0)
    ahead = rule.gain_2 > zero
    for i in range(values.size):
        fall = rule.rate * gradient[i]
        velocity = rule.gain_1 * first[i] - fall
        first[i] = velocity
        values[i] += rule.gain_1 * velocity - fall if ahead else velocity
