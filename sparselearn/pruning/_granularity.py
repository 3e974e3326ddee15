"""What is kept or removed as one: a weight, a hidden unit, a feature.

Importances and masks have one entry a part; a granularity says how many parts the
blocks of an estimator have, and what is zero once some of them are removed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["GRANULARITIES", "Granularity", "cut", "weight_masks"]


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
}


def weight_masks(granularity, blocks, masks):
    """Masks of the weights of `blocks`, of masks of their parts."""
    return GRANULARITIES[granularity].spread(blocks, masks)


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
            after = blocks[layer + 1].by_input(masks[layer + 1])
            alone = ~(block.by_input(mask).any(axis=0) | after.any(axis=1))
            intercept = np.where(alone, 0, intercept).astype(intercept.dtype)
        pruned.append(block._replace(weights=weights, intercept=intercept))
    return pruned
