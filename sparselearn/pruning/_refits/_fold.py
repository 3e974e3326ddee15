"""Means of what was removed, in the intercepts."""

import numpy as np

from sparselearn.pruning._granularity import alone

__all__ = ["fold"]


def fold(dense, pruned, masks, data, plan):
    """Fold the mean of what was removed into the intercepts.

    With a the inputs of a block in the dense estimator, and ã those in the pruned
    one, whose earlier blocks are folded already,

        b ← b + mean(a) W - mean(ã) W̃,

    which is the least-squares constant: it gives the outputs of the block their mean
    in the dense estimator. In the first block a = ã, and b gains the sum of
    ``w_ij mean(a_i)`` over the removed weights.
    """
    if all(block.intercept is None for block in dense):
        return
    # The inputs of a pruned block are made from the intercepts corrected so far.
    pairs = zip(data.inputs(dense), data.inputs(pruned))
    for layer, (before, after) in enumerate(pairs):
        block = pruned[layer]
        if block.intercept is None:
            continue
        mean = data.mean(before)
        weights = block.by_input(block.weights)
        removed = block.by_input(dense[layer].weights) - weights
        shift = mean @ removed
        if layer:
            shift = shift + (mean - data.mean(after)) @ weights
        shift = np.where(alone(pruned, masks, layer), 0.0, shift)
        pruned[layer] = block.shifted(shift)
