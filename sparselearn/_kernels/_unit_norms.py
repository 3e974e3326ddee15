r"""Units of a layer shrunk as a whole, after a step of an optimiser.

With u the weights (n_in, n_units) that the step has left and s / eta the metric in
which it was made, one number a weight, each column becomes

.. math:: \arg\min_w \tfrac12 \sum_i d_i (w_i - u_i)^2 + \lambda \|w\|_2, \quad
          d_i = s_i / \eta .

That is zero where :math:`\|(d_i u_i)_i\| \le \lambda`, and else
:math:`w_i = d_i u_i t / (d_i t + \lambda)` with t its norm, the root of

.. math:: h(t) = \Bigl( \sum_i \Bigl( \frac{d_i u_i}{d_i t + \lambda} \Bigr)^2
          \Bigr)^{-1/2} = 1 .

h is a power mean of lines, hence concave and increasing: Newton's method is below the
root from its first step on, and rises to it. It is a line where all d are equal, and
nearly one else.
"""

import math

from sparselearn._kernels._jit import kernel

__all__ = ["shrink_units"]

# More steps are never taken; two or three are enough for float32.
MAX_STEPS = 50


@kernel
def shrink_units(weights, second, rate, epsilon, strength, n_units, sums):
    """Shrink the columns of `weights`, row by row in one dimension, in place.

    Parameters
    ----------
    weights : ndarray (n_in * n_units,)
        Overwritten.
    second : ndarray (n_in * n_units,)
        Adam's running mean of squares: s is its root, and `epsilon`.
    rate : float
        eta, of the dtype of `weights`, as `epsilon`.
    strength : float
        The lambda.
    n_units : int
    sums : float64 ndarray (4, n_units)
        Overwritten: t, which is 0 for units that are removed; the sums of Newton's
        method; the change of t.
    """
    n_in = weights.size // n_units
    t, squares, slopes, moves = sums[0], sums[1], sums[2], sums[3]
    t[:] = 0.0
    squares[:] = 0.0
    for i in range(n_in):
        for j in range(n_units):
            at = i * n_units + j
            u = float(weights[at])
            s = math.sqrt(second[at]) + epsilon
            t[j] += u * u
            squares[j] += (s / rate * u) ** 2
    for j in range(n_units):
        t[j] = math.sqrt(t[j]) if squares[j] > strength * strength else 0.0
        moves[j] = t[j]
    for _ in range(MAX_STEPS):
        largest = 0.0
        for j in range(n_units):
            if t[j] > 0.0:
                largest = max(largest, abs(moves[j]) / t[j])
        if largest <= 1e-7:
            break
        squares[:] = 0.0
        slopes[:] = 0.0
        for i in range(n_in):
            for j in range(n_units):
                at = i * n_units + j
                s = math.sqrt(second[at]) + epsilon
                d = s / rate
                below = d * t[j] + strength
                share = d * weights[at] / below
                squares[j] += share * share
                slopes[j] += share * share * d / below
        for j in range(n_units):
            if t[j] > 0.0:
                # (1 - h) / h' with h = squares ** -0.5.
                move = (math.sqrt(squares[j]) - 1.0) * squares[j] / slopes[j]
                new = max(t[j] + move, 1e-3 * t[j])
                moves[j] = new - t[j]
                t[j] = new
    for i in range(n_in):
        for j in range(n_units):
            at = i * n_units + j
            s = math.sqrt(second[at]) + epsilon
            d = s / rate
            weights[at] *= d * t[j] / (d * t[j] + strength)
