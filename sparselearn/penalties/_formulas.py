"""What a penalty answers, and how its spec is made."""

import functools
from abc import ABC, ABCMeta

import numpy as np

from sparselearn._kernels._jit import by_spec

__all__ = [
    "COERCE",
    "DROPPED",
    "Family",
    "coerced",
    "conjugate",
    "dual_scale",
    "fenchel_gap",
    "prox",
    "subdifferential_distance",
    "threshold",
    "value",
]


# On any coefficient this acts as inf does, but times 0 it is 0 and not nan.
DROPPED = 1e200


def _vector(weights):
    weights = np.minimum(np.asarray(weights, dtype=np.float64), DROPPED)
    weights.flags.writeable = False
    return weights


# How each type of field is brought to one type only; other files may add theirs.
COERCE = {float: float, bool: bool, np.ndarray: _vector}


def coerced(cls):
    """Build specs of one type only: an int or a strided array would recompile."""
    create = cls.__new__

    @functools.wraps(create)
    def __new__(cls, *args, **kwargs):
        spec = create(cls, *args, **kwargs)
        kinds = cls.__annotations__
        return create(cls, *(COERCE[kinds[f]](x) for f, x in zip(spec._fields, spec)))

    cls.__new__ = __new__
    return cls


class Family(ABC):  # noqa: B024 - a name for `register`, nothing abstract
    """Penalties that share their maths: formulas of the family are of all members."""

    def __init_subclass__(cls):
        cls.members = []

    @classmethod
    def register(cls, penalty):
        """Make `penalty`, a NamedTuple class, a member."""
        cls.members.append(penalty)
        return ABCMeta.register(cls, penalty)


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
def threshold(penalty, j):
    """The largest g >= 0 that is a subgradient of h_j at 0."""
