"""The order in which the optimal brain surgeon removes weights: "obs"."""

import numpy as np

from sparselearn._solvers._surgeon import Quadratic, eliminate
from sparselearn.pruning._criteria._layerwise import (
    MAX_INPUTS,
    layerwise,
    layerwise_losses,
)
from sparselearn.pruning._criteria._parts import sum_over_features

__all__ = ["obs", "obs_of_inputs", "quadratics_of"]


def obs(blocks, data):
    """Ranks of weights in the order in which the optimal brain surgeon removes them.

    1 is the first to go. The loss is taken as quadratic about the fitted weights, with
    the curvature H of the data (and of the model's own ridge penalty); each removal is
    that by which it rises least,

        w_j² / (2 [H⁻¹]_jj),

    and corrects the other weights of the same output. Of least squares this is backward
    elimination by |t|. Outputs have paths of their own, which are merged by what they
    cost. Where H is singular, 1% of its diagonal is added. Of perceptrons see
    :func:`layerwise`.

    References
    ----------
    B. Hassibi, D. Stork, "Second order derivatives for network pruning: optimal brain
    surgeon", NeurIPS 1993.
    """
    if not data.adapter.has_curvature:
        return layerwise(blocks, data)
    quadratics = quadratics_of(blocks, data)
    (block,) = blocks
    ranks = np.zeros(block.matrix().shape)
    parts, costs = [], []
    for curvature, joint in quadratics:
        for k, weights in zip(curvature.outputs, joint.weights):
            inputs = np.arange(len(curvature.inputs))
            alone = joint._replace(weights=weights[None], parts=inputs)
            path = eliminate([alone], inputs.size)
            parts.append((curvature.inputs[path.order], k))
            # A later removal may cost less; its turn comes after the one before it.
            costs.append(np.maximum.accumulate(path.rises))
    inputs = np.concatenate([rows for rows, _ in parts])
    outputs = np.concatenate([np.full(len(rows), k) for rows, k in parts])
    turn = np.argsort(np.concatenate(costs), kind="stable")
    ranks[inputs[turn], outputs[turn]] = np.arange(1.0, turn.size + 1)
    shaped = np.empty(block.weights.shape)
    block.by_input(shaped).reshape(ranks.shape)[...] = ranks
    return [shaped]


def obs_of_inputs(blocks, data):
    """The same of inputs, each with its weights of all outputs."""
    if not data.adapter.has_curvature:
        return sum_over_features(layerwise_losses)(blocks, data)
    joint = [quadratic for _, quadratic in quadratics_of(blocks, data)]
    n_inputs = len(blocks[0].matrix())
    path = eliminate(joint, n_inputs)
    ranks = np.empty(n_inputs)
    ranks[path.order] = np.arange(1.0, n_inputs + 1)
    return [ranks]


def quadratics_of(blocks, data):
    """Each `Curvature` of the only block, with its loss as a `Quadratic`; a list."""
    curvatures = data.adapter.curvatures(data.estimator, blocks, data)
    (block,) = blocks
    n_inputs = len(block.matrix())
    if n_inputs > MAX_INPUTS:
        raise ValueError(
            f"criterion='obs' inverts a matrix of all pairs of {n_inputs} inputs, and "
            f"takes at most {MAX_INPUTS}. Take criterion='magnitude', whose choice "
            "refit='obs' corrects at any number."
        )
    matrix = block.matrix().astype(np.float64)
    found = []
    for curvature in curvatures:
        everything = curvature.form.block(np.arange(len(curvature.inputs)))
        weights = matrix[np.ix_(curvature.inputs, curvature.outputs)].T
        loss = Quadratic(everything, weights, curvature.inputs, curvature.damping)
        found.append((curvature, loss))
    return found
