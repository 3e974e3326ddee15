"""Penalties of groups of coefficients, which are zero or not as a whole."""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import by_spec, inlined
from sparselearn.penalties._formulas import (
    COERCE,
    Family,
    coerced,
    conjugate,
    dual_scale,
    fenchel_gap,
    prox,
    subdifferential_distance,
    value,
)

__all__ = [
    "GroupFamily",
    "GroupL2",
    "Groups",
    "SparseGroup",
    "dual_norm",
    "group_strengths",
]


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


def _indices(numbers):
    numbers = np.asarray(numbers, dtype=np.int64).view()
    numbers.flags.writeable = False
    return numbers


def _groups(groups):
    return Groups(*map(_indices, groups))


COERCE[Groups] = _groups


class GroupFamily(Family):
    """The penalties ``lam ||w||_2 + mu ||w||_1`` of blocks w, with a field `positive`.

    A member has a field `groups` too, and says its `group_strengths`.
    """


@GroupFamily.register
@coerced
class GroupL2(NamedTuple):
    """``h_g(w) = alpha weights_g ||w||_2``, with `weights` of shape (n_groups,)."""

    alpha: float
    groups: Groups
    weights: np.ndarray
    positive: bool = False


@GroupFamily.register
@coerced
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


@by_spec
def group_strengths(penalty, g):
    """The pair (lam_g, mu_g) of a member of the group family."""


@by_spec
def dual_norm(penalty, v, g):
    """The smallest multiple of h_g of which the block v is a subgradient at 0.

    Of a group; inf if there is none.
    """


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
