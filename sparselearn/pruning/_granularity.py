"""What is kept or removed as one: a weight, a unit, a feature, a vector, a node.

Importances and masks have one entry a part; a granularity says how many parts the
blocks of an estimator have, and what is zero once some of them are removed.
"""

from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple

import numpy as np

__all__ = [
    "GRANULARITIES",
    "Granularity",
    "alone",
    "cut",
    "parts_of",
    "weight_masks",
]


class Granularity(NamedTuple):
    """One way to divide blocks into parts.

    Parameters
    ----------
    shapes : callable
        ``shapes(blocks)``: the shapes of the arrays of importances, a list.
    spread : callable
        ``spread(blocks, masks)``: the masks of parts, as masks of the weights of each
        block.
    """

    shapes: Callable
    spread: Callable


def _elements(blocks, masks):
    return masks


def _features(blocks, masks):
    """A feature is a row of the first W."""
    first, *rest = blocks
    (kept,) = masks
    mask = np.ones(first.weights.shape, dtype=bool)
    first.by_input(mask)[~kept] = False
    return [mask, *(np.ones(block.weights.shape, dtype=bool) for block in rest)]


def _neurons(blocks, masks):
    """A hidden unit is a column of one W and the row of the next that reads it."""
    spread = [np.ones(block.weights.shape, dtype=bool) for block in blocks]
    for layer, kept in enumerate(masks):
        blocks[layer].by_input(spread[layer])[:, ~kept] = False
        blocks[layer + 1].by_input(spread[layer + 1])[~kept] = False
    return spread


GRANULARITIES = {
    "element": Granularity(
        shapes=lambda blocks: [block.weights.shape for block in blocks],
        spread=_elements,
    ),
    "feature": Granularity(
        shapes=lambda blocks: [blocks[0].matrix().shape[:1]], spread=_features
    ),
    "neuron": Granularity(
        shapes=lambda blocks: [block.matrix().shape[1:] for block in blocks[:-1]],
        spread=_neurons,
    ),
    # What a kernel machine's only map reads are similarities to its support vectors.
    "support_vector": Granularity(
        shapes=lambda blocks: [blocks[0].matrix().shape[:1]], spread=_features
    ),
    # The block of a tree has one entry an inner node.
    "node": Granularity(
        shapes=lambda blocks: [block.weights.shape for block in blocks],
        spread=_elements,
    ),
}


def parts_of(granularity):
    """Key of `GRANULARITIES`: the parts that a pattern (N, M) is of are weights.

    Raises
    ------
    ValueError
        If `granularity` is a tuple that is no pattern.
    """
    if isinstance(granularity, str):
        return granularity
    numbers = all(isinstance(number, Integral) for number in granularity)
    if len(granularity) != 2 or not numbers or not 1 <= granularity[0] < granularity[1]:
        raise ValueError(
            "granularity=(N, M) keeps N of every M inputs, with integers 1 <= N < M; "
            f"got {granularity!r}."
        )
    return "element"


def weight_masks(granularity, blocks, masks):
    """Masks of the weights of `blocks`, of masks of their parts."""
    return GRANULARITIES[parts_of(granularity)].spread(blocks, masks)


def alone(blocks, masks, layer):
    """Which outputs of a block are units that read nothing and that nothing reads."""
    mask = blocks[layer].by_input(masks[layer])
    reads = mask.reshape(len(mask), -1).any(axis=0)
    if layer + 1 == len(blocks):
        return np.zeros(reads.size, dtype=bool)
    after = blocks[layer + 1].by_input(masks[layer + 1])
    return ~(reads | after.reshape(len(after), -1).any(axis=1))


def cut(blocks, masks):
    """Copies of `blocks` with zeros where the `masks` of their weights are False.

    A unit that nothing reads and that reads nothing loses its constant as well.
    """
    pruned = []
    for layer, (block, mask) in enumerate(zip(blocks, masks)):
        weights = block.weights.copy(order="K")
        weights[~mask] = 0.0
        intercept = block.intercept
        if layer + 1 < len(blocks) and intercept is not None:
            intercept = np.where(alone(blocks, masks, layer), 0, intercept)
            intercept = intercept.astype(block.intercept.dtype)
        pruned.append(block._replace(weights=weights, intercept=intercept))
    return pruned
