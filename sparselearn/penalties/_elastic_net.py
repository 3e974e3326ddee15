"""Elastic nets: convex penalties with a kink at 0."""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import by_spec, where
from sparselearn.penalties._formulas import (
    DROPPED,
    Family,
    coerced,
    conjugate,
    dual_scale,
    fenchel_gap,
    prox,
    subdifferential_distance,
    threshold,
    value,
)

__all__ = [
    "L1",
    "ElasticNet",
    "ElasticNetFamily",
    "WeightedElasticNet",
    "WeightedL1",
    "strengths",
]


class ElasticNetFamily(Family):
    """The penalties ``l1 |w| + l2 w^2 / 2`` with a field `positive`.

    A member says its `strengths`; all other maths are shared.
    """


@ElasticNetFamily.register
@coerced
class L1(NamedTuple):
    """``h_j(w) = alpha |w|``."""

    alpha: float
    positive: bool = False


@ElasticNetFamily.register
@coerced
class WeightedL1(NamedTuple):
    """``h_j(w) = alpha weights_j |w|``, with `weights` of shape (n_features,)."""

    alpha: float
    weights: np.ndarray
    positive: bool = False


@ElasticNetFamily.register
@coerced
class ElasticNet(NamedTuple):
    """``h_j(w) = alpha (l1_ratio |w| + (1 - l1_ratio) w^2 / 2)``."""

    alpha: float
    l1_ratio: float
    positive: bool = False


@ElasticNetFamily.register
@coerced
class WeightedElasticNet(NamedTuple):
    """The elastic net times `weights`, of shape (n_features,)."""

    alpha: float
    l1_ratio: float
    weights: np.ndarray
    positive: bool = False


@by_spec
def strengths(penalty, j):
    """The pair (l1_j, l2_j) of a member of the elastic-net family."""


@strengths.register(L1)
def _strengths_l1(penalty, j):
    return penalty.alpha, 0.0


@strengths.register(WeightedL1)
def _strengths_weighted_l1(penalty, j):
    weight = penalty.weights[j]
    return where(weight >= DROPPED, DROPPED, penalty.alpha * weight), 0.0


@strengths.register(ElasticNet)
def _strengths_elastic_net(penalty, j):
    l1 = penalty.alpha * penalty.l1_ratio
    return l1, penalty.alpha - l1


@strengths.register(WeightedElasticNet)
def _strengths_weighted_elastic_net(penalty, j):
    weight = penalty.weights[j]
    total = penalty.alpha * weight
    l1 = total * penalty.l1_ratio
    # What is dropped is so for any alpha and l1_ratio.
    return where(weight >= DROPPED, DROPPED, l1), total - l1


@value.register(ElasticNetFamily)
def _value(penalty, w, j):
    l1, l2 = strengths(penalty, j)
    return l1 * np.abs(w) + 0.5 * l2 * w * w


@prox.register(ElasticNetFamily)
def _prox(penalty, z, step, j):
    l1, l2 = strengths(penalty, j)
    shrunk = np.maximum(np.abs(z) - step * l1, 0.0) / (1.0 + step * l2)
    return shrunk * (z > 0.0) if penalty.positive else shrunk * np.sign(z)


@subdifferential_distance.register(ElasticNetFamily)
def _subdifferential_distance(penalty, w, g, j):
    l1, l2 = strengths(penalty, j)
    slope = g - l2 * w
    outside = np.maximum((slope if penalty.positive else np.abs(slope)) - l1, 0.0)
    return where(w == 0.0, outside, np.abs(slope - np.copysign(l1, w)))


@conjugate.register(ElasticNetFamily)
def _conjugate(penalty, v, j):
    l1, l2 = strengths(penalty, j)
    size = v if penalty.positive else np.abs(v)
    # |v| = l1 up to rounding is inside: dual points are scaled to touch it.
    excess = np.maximum(size - l1 * (1.0 + 1e-12), 0.0)
    smooth = 0.5 * excess * excess / where(l2 > 0.0, l2, 1.0)
    return where(l2 > 0.0, smooth, where(excess > 0.0, np.inf, 0.0))


@fenchel_gap.register(ElasticNetFamily)
def _fenchel_gap(penalty, w, v, j):
    l1, l2 = strengths(penalty, j)
    size = v if penalty.positive else np.abs(v)
    excess = np.maximum(size - l1, 0.0)
    # Where v pulls w outwards the sum is a square, elsewhere each term is >= 0.
    along = v * np.sign(w)
    pulled = 0.5 * (l2 * np.abs(w) - excess) ** 2 / where(l2 > 0.0, l2, 1.0)
    slack = np.abs(w) * np.maximum(l1 - along, 0.0) + 0.5 * l2 * w * w
    apart = slack + conjugate(penalty, v, j)
    return where((l2 > 0.0) & (along > l1), pulled, apart)


@dual_scale.register(ElasticNetFamily)
def _dual_scale(penalty, w, g, j):
    l1, l2 = strengths(penalty, j)
    slope = g - l2 * w
    size = slope if penalty.positive else np.abs(slope)
    return where(size > l1, l1 / where(size > 0.0, size, 1.0), 1.0)


@threshold.register(ElasticNetFamily)
def _threshold(penalty, j):
    return strengths(penalty, j)[0]
