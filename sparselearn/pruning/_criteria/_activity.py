"""How much of a unit there is to see in the data: "wanda", "signal", "apoz"."""

import numpy as np

from sparselearn.pruning._criteria._parts import hidden, outgoing_norms

__all__ = ["apoz", "signal", "signal_of_features", "wanda"]

# Activations that make no exact zeros, so that none can be counted.
_NEVER_OFF = {"exp", "identity", "logistic", "sigmoid", "softmax", "tanh"}


def wanda(blocks, data):
    """``|w_ij| sqrt(mean(a_i²))``: root mean square of what a weight contributes.

    Ranked over all layers together it did better than output by output, as in the
    paper, whose scope is "output" here.

    References
    ----------
    M. Sun, Z. Liu, A. Bair, J. Z. Kolter, "A simple and effective pruning approach
    for large language models", ICLR 2024.
    """
    importances = []
    for block, a in zip(blocks, data.inputs(blocks)):
        values = np.abs(block.weights.astype(np.float64))
        last = block.by_input(values).T  # a view, the inputs last
        last *= np.sqrt(data.mean_square(a))
        importances.append(values)
    return importances


def signal(blocks, data):
    """``std(a_j) ||W_out[j, :]||``.

    The root mean square by which the next pre-activations change when unit j is
    replaced by its mean, which a refit then restores.
    """
    spreads = (data.std(a) for a in hidden(blocks, data))
    return [s * v for s, v in zip(spreads, outgoing_norms(blocks))]


def signal_of_features(blocks, data):
    """``std(x_i) ||W[i, :]||``: the same of a feature."""
    x = next(data.inputs(blocks))
    return [data.std(x) * np.linalg.norm(blocks[0].matrix().astype(float), axis=1)]


def apoz(blocks, data):
    """Share of the rows on which a unit is not zero.

    Its complement is the average percentage of zeros. It does not see what the next
    layer makes of a unit, and alone it is the weakest of the criteria.

    References
    ----------
    H. Hu, R. Peng, Y.-W. Tai, C.-K. Tang, "Network trimming: a data-driven neuron
    pruning approach towards efficient deep architectures", 2016.
    """
    for block in blocks[:-1]:
        if block.activation in _NEVER_OFF:
            raise ValueError(
                f"criterion='apoz' counts zeros, and the units of {block.name}, with "
                f"activation {block.activation!r}, are never exactly zero; "
                "criterion='signal' takes any activation."
            )
    return [data.mean(a != 0) for a in hidden(blocks, data)]
