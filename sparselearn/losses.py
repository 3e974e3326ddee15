"""Losses: specs of a convex function of the prediction, one row at a time.

With row weights s (sum(s) = 1), predictions z and a loss f, the smooth part of
every objective is ``sum_i s_i f(y_i, z_i)``. A loss is a ``NamedTuple``; each
function below chooses its formula by the loss's type and works on arrays in numpy
and on scalars in a kernel. A loss of your own registers with
``@value.register(MyLoss)`` and so on.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import by_spec, inlined, where

__all__ = [
    "Huber",
    "Logistic",
    "Poisson",
    "Quadratic",
    "conjugate",
    "curvature",
    "fenchel_gap",
    "gradient",
    "safe_curvature",
    "value",
]

# By how much a dual point may be outside of the conjugate's domain: that is rounding.
ROUNDING = 1e-12


class Quadratic(NamedTuple):
    """The squared loss, ``f(y, z) = (y - z)^2 / 2``."""


class Logistic(NamedTuple):
    """``f(y, z) = log(1 + exp(z)) - y z``, for y in [0, 1] the share of successes."""


class Poisson(NamedTuple):
    """``f(y, z) = exp(z) - y z``, for y >= 0 a count of mean exp(z)."""


class Huber(NamedTuple):
    """``(y - z)^2 / 2`` up to ``|y - z| = delta``, and straight on from there."""

    delta: float


@by_spec
def value(loss, y, z):
    """The loss f(y, z)."""


@by_spec
def gradient(loss, y, z):
    """Its derivative with respect to the prediction z."""


@by_spec
def curvature(loss, y, z):
    """Its second derivative with respect to the prediction z."""


@by_spec
def safe_curvature(loss, y, z):
    """A curvature for steps that need not be short.

    Where there is one, that of a parabola which touches the loss at z and is nowhere
    below it. Optional: 1 stands for it in a loss without this formula.
    """


@by_spec
def conjugate(loss, y, v):
    """The Fenchel conjugate ``sup_z v z - f(y, z)``."""


@by_spec
def fenchel_gap(loss, y, z, v):
    """``f(y, z) + f*(y, v) - z v`` >= 0, without the cancellation of that sum."""


@value.register(Quadratic)
def _value_quadratic(loss, y, z):
    return 0.5 * (y - z) ** 2


@gradient.register(Quadratic)
def _gradient_quadratic(loss, y, z):
    return z - y


@curvature.register(Quadratic)
def _curvature_quadratic(loss, y, z):
    return 0.0 * z + 1.0


@safe_curvature.register(Quadratic)
def _safe_curvature_quadratic(loss, y, z):
    return 0.0 * z + 1.0


@conjugate.register(Quadratic)
def _conjugate_quadratic(loss, y, v):
    return v * (0.5 * v + y)


@fenchel_gap.register(Quadratic)
def _fenchel_gap_quadratic(loss, y, z, v):
    return 0.5 * (z - y - v) ** 2


# -- logistic -----------------------------------------------------------------


@inlined
def _x_log_x(x):
    return x * np.log(where(x > 0.0, x, 1.0))


@value.register(Logistic)
def _value_logistic(loss, y, z):
    # log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)), and y z taken off the first.
    return where(z > 0.0, (1.0 - y) * z, -y * z) + np.log1p(np.exp(-np.abs(z)))


@gradient.register(Logistic)
def _gradient_logistic(loss, y, z):
    # The probability less y, without the cancellation of that difference.
    e = np.exp(-np.abs(z))
    return where(z > 0.0, 1.0 - y - y * e, e - y - y * e) / (1.0 + e)


@curvature.register(Logistic)
def _curvature_logistic(loss, y, z):
    e = np.exp(-np.abs(z))
    return e / (1.0 + e) ** 2


@safe_curvature.register(Logistic)
def _safe_curvature_logistic(loss, y, z):
    # The parabola touches at -z, too (Jaakkola and Jordan, 2000).
    size = np.maximum(np.abs(z), 1e-8)
    return 0.5 * np.tanh(0.5 * size) / size


@conjugate.register(Logistic)
def _conjugate_logistic(loss, y, v):
    q = y + v
    inside = (q >= -ROUNDING) & (q <= 1.0 + ROUNDING)
    q = np.minimum(np.maximum(q, 0.0), 1.0)
    return where(inside, _x_log_x(q) + _x_log_x(1.0 - q), np.inf)


@fenchel_gap.register(Logistic)
def _fenchel_gap_logistic(loss, y, z, v):
    # The divergence of q from the probability of z, each taken from its nearer end.
    q = y + v
    inside = (q >= -ROUNDING) & (q <= 1.0 + ROUNDING)
    q = np.minimum(np.maximum(q, 0.0), 1.0)
    # Near an end, 1 - q is known better from y: 1 - y - v.
    other = np.minimum(np.maximum(1.0 - y - v, 0.0), 1.0)
    far = where(z > 0.0, other, q) * np.abs(z)
    gap = _x_log_x(q) + _x_log_x(other) + far + np.log1p(np.exp(-np.abs(z)))
    return where(inside, np.maximum(gap, 0.0), np.inf)


# -- Poisson ------------------------------------------------------------------


@value.register(Poisson)
def _value_poisson(loss, y, z):
    return np.exp(z) - y * z


@gradient.register(Poisson)
def _gradient_poisson(loss, y, z):
    return np.exp(z) - y


@curvature.register(Poisson)
def _curvature_poisson(loss, y, z):
    return np.exp(z) + 0.0 * y


@safe_curvature.register(Poisson)
def _safe_curvature_poisson(loss, y, z):
    # No parabola is above exp; but steps by this one never raise the loss of a row.
    return np.maximum(np.exp(z), y)


@conjugate.register(Poisson)
def _conjugate_poisson(loss, y, v):
    q = y + v
    return where(q >= -ROUNDING * y, _x_log_x(np.maximum(q, 0.0)) - q, np.inf)


@fenchel_gap.register(Poisson)
def _fenchel_gap_poisson(loss, y, z, v):
    q = y + v
    inside = q >= -ROUNDING * y
    q = np.maximum(q, 0.0)
    gap = _x_log_x(q) - q * z - q + np.exp(z)
    return where(inside, np.maximum(gap, 0.0), np.inf)


# -- Huber --------------------------------------------------------------------


@value.register(Huber)
def _value_huber(loss, y, z):
    r = np.abs(y - z)
    near = np.minimum(r, loss.delta)
    return near * (r - 0.5 * near)


@gradient.register(Huber)
def _gradient_huber(loss, y, z):
    return np.minimum(np.maximum(z - y, -loss.delta), loss.delta)


@curvature.register(Huber)
def _curvature_huber(loss, y, z):
    return where(np.abs(z - y) <= loss.delta, 1.0, 0.0)


@safe_curvature.register(Huber)
def _safe_curvature_huber(loss, y, z):
    return loss.delta / np.maximum(np.abs(z - y), loss.delta)


@conjugate.register(Huber)
def _conjugate_huber(loss, y, v):
    inside = np.abs(v) <= loss.delta * (1.0 + ROUNDING)
    return where(inside, v * (0.5 * v + y), np.inf)


@fenchel_gap.register(Huber)
def _fenchel_gap_huber(loss, y, z, v):
    inside = np.abs(v) <= loss.delta * (1.0 + ROUNDING)
    r, v = np.abs(z - y), where(z > y, v, -v)
    v = np.minimum(v, loss.delta)
    near = np.minimum(r, loss.delta)
    gap = 0.5 * (near - v) ** 2 + (r - near) * (loss.delta - v)
    return where(inside, gap, np.inf)
