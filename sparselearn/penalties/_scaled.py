"""A multiple of any penalty."""

from typing import NamedTuple

from sparselearn.penalties._formulas import prox, value

__all__ = ["Scaled"]


class Scaled(NamedTuple):
    """``h_j(w) = factor * k_j(w)``, with k_j another penalty, its `inner`."""

    inner: tuple
    factor: float


@value.register(Scaled)
def _value_scaled(penalty, w, j):
    return penalty.factor * value(penalty.inner, w, j)


@prox.register(Scaled)
def _prox_scaled(penalty, z, step, j):
    return prox(penalty.inner, z, step * penalty.factor, j)
