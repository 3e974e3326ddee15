"""The optimal brain surgeon of one layer at a time: "obs" of perceptrons."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from sparselearn.pruning._criteria._magnitude import shares_of_layer
from sparselearn.pruning._criteria._parts import like_weights
from sparselearn.pruning._curvature import InputCurvature

__all__ = ["MAX_INPUTS", "layerwise", "layerwise_losses"]

MAX_INPUTS = 4000  # H and its inverse take 16 bytes a pair of inputs
DAMPING = 0.01  # of the mean of the diagonal of H


def layerwise(blocks, data):
    """`layerwise_losses`, as shares of what is left of the layer.

    A loss over the sum of it and all larger ones of its layer, as in "lamp": errors of
    the pre-activations of different layers do not compare.
    """
    return [shares_of_layer(loss, 1) for loss in layerwise_losses(blocks, data)]


def layerwise_losses(blocks, data):
    """``w_ij² / (2 [H⁻¹]_ii)``, with ``H = cov(a) + 0.01 mean var(a) I`` of a layer.

    Half of what the mean squared error of pre-activation j rises by when weight ij is
    removed and all others of the output, the constant among them, make up for it: which
    ``refit="lstsq"`` then does, once for all that are removed. Without a constant H
    is of the mean products. Inputs that are constant have importance 0.

    References
    ----------
    X. Dong, S. Chen, S. J. Pan, "Learning to prune deep neural networks via layer-wise
    optimal brain surgeon", NeurIPS 2017. E. Frantar, D. Alistarh, "SparseGPT", ICML
    2023.
    """
    scores = []
    for block, a in zip(blocks, data.inputs(blocks)):
        weights = block.matrix().astype(np.float64)
        if len(weights) > MAX_INPUTS:
            raise ValueError(
                f"criterion='obs' inverts a matrix of all pairs of the {len(weights)} "
                f"inputs of {block.name}, and takes at most {MAX_INPUTS}; take "
                "criterion='wanda' or 'obd'."
            )
        form = InputCurvature(a, data.weights, centred=block.intercept is not None)
        curvature = form.block(np.arange(len(weights)))
        alive = np.flatnonzero(np.diagonal(curvature) > 0.0)
        loss = np.zeros(weights.shape)
        if alive.size:
            H = curvature[np.ix_(alive, alive)]
            H[np.diag_indices_from(H)] += DAMPING * np.diagonal(H).mean()
            inverse = cho_solve(cho_factor(H, lower=True), np.eye(alive.size))
            loss[alive] = weights[alive] ** 2 / (2.0 * np.diagonal(inverse)[:, None])
        scores.append(like_weights(block, loss))
    return scores
