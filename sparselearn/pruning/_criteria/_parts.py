"""Features and units: what they give, what reads them, what their weights sum to."""

from itertools import pairwise

import numpy as np

__all__ = [
    "hidden",
    "like_weights",
    "outgoing_norms",
    "sum_over_features",
    "sum_over_units",
]


def hidden(blocks, data):
    """Iterate over the activations of each hidden layer."""
    inputs = data.inputs(blocks)
    next(inputs)
    yield from inputs


def outgoing_norms(blocks):
    """``||W_out[j, :]||`` of the units of each hidden layer: what reads unit j."""
    return [
        np.linalg.norm(block.matrix().astype(np.float64), axis=1)
        for block in blocks[1:]
    ]


def sum_over_units(element):
    """The criterion of units that adds up `element` over a unit's weights.

    Those that it reads by and those that read it: for importances that are losses.
    """

    def units(blocks, data):
        scores = _matrices(blocks, element(blocks, data))
        return [w.sum(axis=0) + v.sum(axis=1) for w, v in pairwise(scores)]

    return units


def sum_over_features(element):
    """The criterion of features that adds up `element` over a feature's weights."""

    def features(blocks, data):
        return [_matrices(blocks, element(blocks, data))[0].sum(axis=1)]

    return features


def like_weights(block, matrix):
    """An array (n_inputs, n_outputs), shaped like the weights of `block`."""
    return block.by_input(matrix.reshape(block.by_input(block.weights).shape))


def _matrices(blocks, values):
    """Arrays shaped like weights, each as (n_inputs, n_outputs)."""
    return [
        block.by_input(array).reshape(block.matrix().shape)
        for block, array in zip(blocks, values)
    ]
