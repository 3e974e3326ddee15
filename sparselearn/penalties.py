"""Penalties: specs of a function h_j of one coefficient, and its maths.

A penalty is a ``NamedTuple`` of numbers and arrays. Each function below chooses
its formula by the penalty's type, takes the coordinate `j` because the formula
may depend on it, and works both on a scalar in a kernel and, with `j` a slice or
an index array, on many coordinates at once in numpy. A penalty of your own
registers with ``@value.register(MyPenalty)`` and so on.

Three families are here. Elastic nets are convex,

    h_j(w) = l1_j |w| + l2_j w^2 / 2,
    l1_j = alpha * weights_j * l1_ratio,    l2_j = alpha * weights_j * (1 - l1_ratio),

with l1_ratio = 1 or weights = 1 where the name does not speak of them. Folded concave
penalties begin as ``l1_j |w|`` and then bend until they are flat,

    h_j'(|w|) = max(l1_j - bend_j max(|w| - straight_j, 0), 0),

so that large coefficients are not shrunk; they have no conjugate that would certify.

With ``positive`` the domain is w >= 0. A weight of 0 leaves a coefficient unpenalised;
one of inf keeps it at 0.

The third is of groups of coefficients: there j is the index g of a group, w the block
w_g of its coefficients, and

    h_g(w) = lam_g ||w||_2 + mu_g ||w||_1,

of which lam_g and mu_g are the `group_strengths`.
"""

import functools
from abc import ABC, ABCMeta
from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import by_spec, inlined, where

__all__ = [
    "L1",
    "MCP",
    "SCAD",
    "ElasticNet",
    "ElasticNetFamily",
    "FoldedConcave",
    "GroupFamily",
    "GroupL2",
    "Groups",
    "Scaled",
    "SparseGroup",
    "WeightedElasticNet",
    "WeightedL1",
    "conjugate",
    "dual_norm",
    "dual_scale",
    "fenchel_gap",
    "group_strengths",
    "pieces",
    "prox",
    "strengths",
    "subdifferential_distance",
    "threshold",
    "value",
]


# -- specs --------------------------------------------------------------------


# On any coefficient this acts as inf does, but times 0 it is 0 and not nan.
DROPPED = 1e200


def _vector(weights):
    weights = np.minimum(np.asarray(weights, dtype=np.float64), DROPPED)
    weights.flags.writeable = False
    return weights


def _indices(numbers):
    numbers = np.asarray(numbers, dtype=np.int64).view()
    numbers.flags.writeable = False
    return numbers


class Groups(NamedTuple):
    """A partition of the features: group g has ``features[starts[g] : starts[g + 1]]``.

    Attributes
    ----------
    features : ndarray of int (n_features,)
        All features, those of a group next to one another.
    starts : ndarray of int (n_groups + 1,)
    """

    features: np.ndarray
    starts: np.ndarray


def _groups(groups):
    return Groups(*map(_indices, groups))


_COERCE = {float: float, bool: bool, np.ndarray: _vector, Groups: _groups}


def _coerced(cls):
    """Build specs of one type only: an int or a strided array would recompile."""
    create = cls.__new__

    @functools.wraps(create)
    def __new__(cls, *args, **kwargs):
        spec = create(cls, *args, **kwargs)
        kinds = cls.__annotations__
        return create(cls, *(_COERCE[kinds[f]](x) for f, x in zip(spec._fields, spec)))

    cls.__new__ = __new__
    return cls


class ElasticNetFamily(ABC):  # noqa: B024 - a name for `register`, nothing abstract
    """The penalties ``l1 |w| + l2 w^2 / 2`` with a field `positive`.

    A member says its `strengths`; all other maths are shared.
    """

    members = []

    @classmethod
    def register(cls, penalty):
        """Make `penalty`, a NamedTuple class, a member."""
        cls.members.append(penalty)
        return ABCMeta.register(cls, penalty)


class FoldedConcave(ABC):  # noqa: B024 - a name for `register`, nothing abstract
    """The penalties that bend from ``l1 |w|`` to a constant, with a field `positive`.

    A member says its `pieces`; all other maths are shared.
    """

    members = []

    @classmethod
    def register(cls, penalty):
        """Make `penalty`, a NamedTuple class, a member."""
        cls.members.append(penalty)
        return ABCMeta.register(cls, penalty)


@ElasticNetFamily.register
@_coerced
class L1(NamedTuple):
    """``h_j(w) = alpha |w|``."""

    alpha: float
    positive: bool = False


@ElasticNetFamily.register
@_coerced
class WeightedL1(NamedTuple):
    """``h_j(w) = alpha weights_j |w|``, with `weights` of shape (n_features,)."""

    alpha: float
    weights: np.ndarray
    positive: bool = False


@ElasticNetFamily.register
@_coerced
class ElasticNet(NamedTuple):
    """``h_j(w) = alpha (l1_ratio |w| + (1 - l1_ratio) w^2 / 2)``."""

    alpha: float
    l1_ratio: float
    positive: bool = False


@ElasticNetFamily.register
@_coerced
class WeightedElasticNet(NamedTuple):
    """The elastic net times `weights`, of shape (n_features,)."""

    alpha: float
    l1_ratio: float
    weights: np.ndarray
    positive: bool = False


class Scaled(NamedTuple):
    """``h_j(w) = factor * k_j(w)``, with k_j another penalty, its `inner`."""

    inner: tuple
    factor: float


@FoldedConcave.register
@_coerced
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
@_coerced
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


class GroupFamily(ABC):  # noqa: B024 - a name for `register`, nothing abstract
    """The penalties ``lam ||w||_2 + mu ||w||_1`` of blocks w, with a field `positive`.

    A member has a field `groups` too, and says its `group_strengths`.
    """

    members = []

    @classmethod
    def register(cls, penalty):
        """Make `penalty`, a NamedTuple class, a member."""
        cls.members.append(penalty)
        return ABCMeta.register(cls, penalty)


@GroupFamily.register
@_coerced
class GroupL2(NamedTuple):
    """``h_g(w) = alpha weights_g ||w||_2``, with `weights` of shape (n_groups,)."""

    alpha: float
    groups: Groups
    weights: np.ndarray
    positive: bool = False


@GroupFamily.register
@_coerced
class SparseGroup(NamedTuple):
    """``alpha weights_g ((1 - l1_ratio) ||w||_2 + l1_ratio ||w||_1 / root_g)``.

    root_g is the root of the group's size: with these as weights every coefficient has
    the same L1 penalty.
    """

    alpha: float
    l1_ratio: float
    groups: Groups
    weights: np.ndarray
    positive: bool = False


# -- what a penalty answers ---------------------------------------------------


@by_spec
def value(penalty, w, j):
    """The penalty h_j(w), for w in its domain."""


@by_spec
def prox(penalty, z, step, j):
    """The minimiser of ``(w - z)^2 / 2 + step h_j(w)`` over w.

    Where h_j bends by 1 / step or more the problem is not convex: this is its global
    minimiser all the same, so that a step along a coordinate never does harm, but it
    jumps from one value to another as z moves.
    """


@by_spec
def subdifferential_distance(penalty, w, g, j):
    """The distance of `g` to the set of subgradients of h_j at `w`.

    With g = minus the gradient of the loss, w is optimal where this is 0.
    """


@by_spec
def conjugate(penalty, v, j):
    """The Fenchel conjugate ``sup_w v w - h_j(w)``; inf outside its domain."""


@by_spec
def fenchel_gap(penalty, w, v, j):
    """``h_j(w) + h*_j(v) - w v`` >= 0, without the cancellation of that sum.

    Optional: a penalty without this formula is certified by the sum itself.
    """


@by_spec
def dual_scale(penalty, w, g, j):
    """A factor c <= 1 that brings c g near the domain of the conjugate.

    At w = 0 it makes ``c g`` a subgradient of h_j; it tends to 1 at the optimum. For
    an elastic net it is the largest c with ``c (g - l2_j w)`` a subgradient of
    ``l1_j |w|`` at 0.
    """


@by_spec
def dual_norm(penalty, v, g):
    """The smallest multiple of h_g of which the block v is a subgradient at 0.

    Of a group; inf if there is none.
    """


@by_spec
def threshold(penalty, j):
    """The largest g >= 0 that is a subgradient of h_j at 0."""


@by_spec
def strengths(penalty, j):
    """The pair (l1_j, l2_j) of a member of the elastic-net family."""


@by_spec
def pieces(penalty, j):
    """The triple (l1_j, straight_j, bend_j) of a folded concave penalty.

    Its slope is l1 up to ``|w| = straight``, and falls at the rate bend from there.
    """


@by_spec
def group_strengths(penalty, g):
    """The pair (lam_g, mu_g) of a member of the group family."""


# -- the elastic nets ---------------------------------------------------------


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


# -- a multiple of any penalty ------------------------------------------------


@value.register(Scaled)
def _value_scaled(penalty, w, j):
    return penalty.factor * value(penalty.inner, w, j)


@prox.register(Scaled)
def _prox_scaled(penalty, z, step, j):
    return prox(penalty.inner, z, step * penalty.factor, j)


# -- the folded concave penalties ---------------------------------------------

# A weight of inf: its square is finite.
_INFINITE = 1e100


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


# -- penalties of groups ------------------------------------------------------


@group_strengths.register(GroupL2)
def _group_strengths_l2(penalty, g):
    return penalty.alpha * penalty.weights[g], 0.0 * penalty.weights[g]


@group_strengths.register(SparseGroup)
def _group_strengths_sparse(penalty, g):
    total = penalty.alpha * penalty.weights[g]
    l1 = total * penalty.l1_ratio
    sizes = penalty.groups.starts[g + 1] - penalty.groups.starts[g]
    return total - l1, l1 / np.sqrt(sizes)


# Loops, which numba compiles in a fifth of the time that it takes for expressions.


@inlined
def _beyond(x, mu, positive):
    """What of the number x is beyond the box of size mu, in the domain's direction."""
    size = max(abs(x) - mu, 0.0)
    if x > 0.0:
        return size
    return 0.0 if positive else -size


@inlined
def _length_beyond(v, mu, positive):
    total = 0.0
    for k in range(v.size):
        total += _beyond(v[k], mu, positive) ** 2
    return np.sqrt(total)


@value.register(GroupFamily)
def _value_of_group(penalty, w, g):
    lam, mu = group_strengths(penalty, g)
    square, total = 0.0, 0.0
    for k in range(w.size):
        square += w[k] * w[k]
        total += abs(w[k])
    return lam * np.sqrt(square) + mu * total


@prox.register(GroupFamily)
def _prox_of_group(penalty, z, step, g):
    lam, mu = group_strengths(penalty, g)
    length = _length_beyond(z, step * mu, penalty.positive)
    share = max(1.0 - step * lam / length, 0.0) if length > 0.0 else 0.0
    shrunk = np.empty_like(z)
    for k in range(z.size):
        shrunk[k] = share * _beyond(z[k], step * mu, penalty.positive)
    return shrunk


@subdifferential_distance.register(GroupFamily)
def _subdifferential_distance_of_group(penalty, w, v, g):
    lam, mu = group_strengths(penalty, g)
    length = _length_beyond(w, 0.0, False)
    if length == 0.0:
        return max(_length_beyond(v, mu, penalty.positive) - lam, 0.0)
    total = 0.0
    for k in range(w.size):
        if w[k] == 0.0:
            total += _beyond(v[k], mu, penalty.positive) ** 2
        else:
            total += (v[k] - lam * w[k] / length - mu * np.sign(w[k])) ** 2
    return np.sqrt(total)


@conjugate.register(GroupFamily)
def _conjugate_of_group(penalty, v, g):
    lam, mu = group_strengths(penalty, g)
    # A length of lam up to rounding is inside: dual points are scaled to touch it.
    room = lam + 1e-12 * (lam + mu)
    return 0.0 if _length_beyond(v, mu, penalty.positive) <= room else np.inf


@fenchel_gap.register(GroupFamily)
def _fenchel_gap_of_group(penalty, w, v, g):
    if conjugate(penalty, v, g) > 0.0:
        return np.inf
    lam, mu = group_strengths(penalty, g)
    length = _length_beyond(w, 0.0, False)
    if length == 0.0:
        return 0.0
    # v is a point of the ball and one of the box, and each leaves terms >= 0.
    reach = _length_beyond(v, mu, penalty.positive)
    within, apart = 0.0, 0.0
    for k in range(w.size):
        ball = _beyond(v[k], mu, penalty.positive)
        within += abs(w[k]) * max(mu - (v[k] - ball) * np.sign(w[k]), 0.0)
        if reach > 0.0:
            apart += (w[k] / length - ball / reach) ** 2
    return within + length * (max(lam - reach, 0.0) + 0.5 * reach * apart)


@dual_scale.register(GroupFamily)
def _dual_scale_of_group(penalty, w, v, g):
    lam, mu = group_strengths(penalty, g)
    if _length_beyond(v, mu, penalty.positive) <= lam:
        return 1.0
    return 1.0 / dual_norm(penalty, v, g)


@dual_norm.register(GroupFamily)
def _dual_norm_of_group(penalty, v, g):
    lam, mu = group_strengths(penalty, g)
    largest = 0.0
    for k in range(v.size):
        largest = max(largest, abs(_beyond(v[k], 0.0, penalty.positive)))
    if lam + mu == 0.0:
        return np.inf if largest > 0.0 else 0.0
    # The root of ||(|v| - t mu)_+|| - t lam, which is convex and falls: from the left
    # Newton steps go up to it.
    t = largest / (lam + mu)
    for _ in range(100):
        square, total = 0.0, 0.0
        for k in range(v.size):
            size = abs(_beyond(v[k], t * mu, penalty.positive))
            square += size * size
            total += size
        length = np.sqrt(square)
        if length <= t * lam:
            break
        step = (length - t * lam) / (lam + mu * total / length)
        t += step
        if step <= 1e-16 * t:
            break
    return t
