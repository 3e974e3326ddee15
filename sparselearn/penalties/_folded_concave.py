"""Folded concave penalties: they begin as the L1 penalty, and bend until flat."""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import by_spec, where
from sparselearn.penalties._formulas import (
    Family,
    coerced,
    prox,
    subdifferential_distance,
    threshold,
    value,
)

__all__ = ["MCP", "SCAD", "FoldedConcave", "pieces"]

# A weight of inf: its square is finite.
_INFINITE = 1e100


class FoldedConcave(Family):
    """The penalties that bend from ``l1 |w|`` to a constant, with a field `positive`.

    A member says its `pieces`; all other maths are shared.
    """


@FoldedConcave.register
@coerced
class MCP(NamedTuple):
    """The minimax concave penalty, in units of the curvature of a coefficient.

    ``h_j(w) = l1 |w| - c w^2 / (2 gamma)`` up to ``|w| = gamma l1 / c``, constant from
    there; l1 = alpha weights_j and c = curvatures_j, both of shape (n_features,). With
    a curvature of 1 this is Zhang's (2010). ``gamma=inf`` is `WeightedL1`.
    """

    alpha: float
    gamma: float
    weights: np.ndarray
    curvatures: np.ndarray
    positive: bool = False


@FoldedConcave.register
@coerced
class SCAD(NamedTuple):
    """Smoothly clipped absolute deviation, in units of the curvature of a coefficient.

    ``h_j(w) = l1 |w|`` up to ``|w| = l1 / c``; from there its slope falls at the rate
    ``c / (gamma - 1)`` and is 0 from ``gamma l1 / c`` on; l1 = alpha weights_j and
    c = curvatures_j, both of shape (n_features,). With a curvature of 1 this is Fan and
    Li's (2001). ``gamma=inf`` is `WeightedL1`.
    """

    alpha: float
    gamma: float
    weights: np.ndarray
    curvatures: np.ndarray
    positive: bool = False


@by_spec
def pieces(penalty, j):
    """The triple (l1_j, straight_j, bend_j) of a folded concave penalty.

    Its slope is l1 up to ``|w| = straight``, and falls at the rate bend from there.
    """


@pieces.register(MCP)
def _pieces_mcp(penalty, j):
    l1 = np.minimum(penalty.alpha * penalty.weights[j], _INFINITE)
    return l1, 0.0, penalty.curvatures[j] / penalty.gamma


@pieces.register(SCAD)
def _pieces_scad(penalty, j):
    l1 = np.minimum(penalty.alpha * penalty.weights[j], _INFINITE)
    curvature = penalty.curvatures[j]
    straight = l1 / where(curvature > 0.0, curvature, 1.0)
    return l1, straight, curvature / (penalty.gamma - 1.0)


@value.register(FoldedConcave)
def _value_folded(penalty, w, j):
    l1, straight, bend = pieces(penalty, j)
    end = straight + l1 / where(bend > 0.0, bend, 1.0)
    size = np.abs(w)
    size = where(bend > 0.0, np.minimum(size, end), size)
    return l1 * size - 0.5 * bend * np.maximum(size - straight, 0.0) ** 2


@prox.register(FoldedConcave)
def _prox_folded(penalty, z, step, j):
    l1, straight, bend = pieces(penalty, j)
    size, rate = np.abs(z), step * bend
    soft = np.maximum(size - step * l1, 0.0)
    near = np.minimum(soft, straight)
    # Strictly convex: where the penalty is constant this line is above z.
    stretched = near + (soft - near) / where(rate < 1.0, 1.0 - rate, 1.0)
    convex = np.minimum(stretched, size)
    # Else nothing between the straight piece and the constant one is a minimum.
    at_near = 0.5 * (size - near) ** 2 + step * l1 * (near - straight)
    at_size = 0.5 * step * l1 * (l1 / where(bend > 0.0, bend, 1.0))
    best = where(rate < 1.0, convex, where(at_near > at_size, size, near))
    return best * (z > 0.0) if penalty.positive else best * np.sign(z)


@subdifferential_distance.register(FoldedConcave)
def _subdifferential_distance_folded(penalty, w, g, j):
    l1, straight, bend = pieces(penalty, j)
    outside = np.maximum((g if penalty.positive else np.abs(g)) - l1, 0.0)
    slope = np.maximum(l1 - bend * np.maximum(np.abs(w) - straight, 0.0), 0.0)
    return where(w == 0.0, outside, np.abs(g - np.copysign(slope, w)))


@threshold.register(FoldedConcave)
def _threshold_folded(penalty, j):
    return pieces(penalty, j)[0]
