"""The size of a weight."""

import numpy as np

__all__ = ["magnitude"]


def magnitude(blocks, data):
    """``|w_ij|``, times ``std(a_i)`` where the inputs have units of their own.

    So a linear model's coefficient counts in units of its output, and its rank does
    not change with the unit in which a feature is measured.
    """
    importances = [np.abs(block.weights.astype(np.float64)) for block in blocks]
    if any(block.scale_aware for block in blocks):
        for block, a, values in zip(blocks, data.inputs(blocks), importances):
            if block.scale_aware:
                last = block.by_input(values).T  # a view, the inputs last
                last *= data.std(a)
    return importances
