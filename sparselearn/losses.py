"""Losses: specs of a convex function of the prediction, one row at a time.

With row weights s (sum(s) = 1), predictions z and a loss f, the smooth part of
every objective is ``sum_i s_i f(y_i, z_i)``. A loss is a ``NamedTuple``; each
function below chooses its formula by the loss's type and works on arrays in numpy
and on scalars in a kernel. A loss of your own registers with
``@value.register(MyLoss)`` and so on.
"""

from typing import NamedTuple

from sparselearn._kernels._jit import by_spec

__all__ = [
    "Quadratic",
    "conjugate",
    "curvature",
    "fenchel_gap",
    "gradient",
    "value",
]


class Quadratic(NamedTuple):
    """The squared loss, ``f(y, z) = (y - z)^2 / 2``."""


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


@conjugate.register(Quadratic)
def _conjugate_quadratic(loss, y, v):
    return v * (0.5 * v + y)


@fenchel_gap.register(Quadratic)
def _fenchel_gap_quadratic(loss, y, z, v):
    return 0.5 * (z - y - v) ** 2
