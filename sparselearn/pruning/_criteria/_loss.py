"""What the loss gains by removing a part, by its derivatives: "obd", "taylor"."""

import numpy as np
import scipy.sparse as sp

from sparselearn.pruning._criteria._backward import (
    back,
    outer,
    passes,
    root_of_curvature,
)
from sparselearn.pruning._criteria._parts import like_weights
from sparselearn.pruning._criteria._targets import coded_targets

__all__ = ["obd", "taylor", "taylor_of_features", "taylor_of_units"]


def obd(blocks, data):
    """``G_ij w_ij² / 2``, with G the diagonal of the Gauss-Newton matrix.

    With ``J_n`` the derivatives of a row's outputs z in the weights, and ``H_n`` the
    Hessian of its loss in z,

        G = mean(J_n' H_n J_n),   G_ij = mean(a_i² sum_c d_jc²),

    where d_c is what comes back from a column c of a root of ``H_n``. The labels do not
    occur: at the end of a fit the gradients by them vanish, and their squares (the
    empirical Fisher information) say little of the weights.

    References
    ----------
    Y. LeCun, J. Denker, S. Solla, "Optimal brain damage", NeurIPS 1989. J. Martens, I.
    Sutskever, K. Swersky, "Estimating the Hessian by back-propagating curvature", ICML
    2012.
    """
    curvatures = [np.zeros(block.matrix().shape) for block in blocks]
    rng = data.generator()
    for rows, inputs, found in passes(blocks, data):
        squares = [0.0] * len(blocks)
        for root in root_of_curvature(blocks[-1], found, rng):
            for layer, slopes in back(blocks, inputs, root):
                squares[layer] = squares[layer] + slopes * slopes
        for total, a, square in zip(curvatures, inputs, squares):
            total += outer(a, data.weights[rows], square, squared=True)
    return [
        like_weights(block, 0.5 * G * np.square(block.matrix(), dtype=np.float64))
        for block, G in zip(blocks, curvatures)
    ]


def taylor(blocks, data):
    """``|w_ij dL/dw_ij|``, with L the mean loss on X and y.

    To first order the change of the loss when the weight is removed; small for every
    weight at the end of a fit, hence of little use there.

    References
    ----------
    P. Molchanov, S. Tyree, T. Karras, T. Aila, J. Kautz, "Pruning convolutional neural
    networks for resource efficient inference", ICLR 2017.
    """
    gradients = [np.zeros(block.matrix().shape) for block in blocks]
    for rows, inputs, slopes in _slopes(blocks, data):
        for layer, back_here in back(blocks, inputs, slopes):
            gradients[layer] += outer(inputs[layer], data.weights[rows], back_here)
    return [
        like_weights(block, np.abs(g * block.matrix()))
        for block, g in zip(blocks, gradients)
    ]


def taylor_of_units(blocks, data):
    """``mean |a_j dL_n/da_j|`` over the rows n, with L_n the loss of a row.

    The absolute value is that of each row, as in the paper: the mean of the signed
    changes all but vanishes at the end of a fit.
    """
    return _taylor_of_inputs(blocks, data)[1:]


def taylor_of_features(blocks, data):
    """The same of the features."""
    return _taylor_of_inputs(blocks, data)[:1]


def _taylor_of_inputs(blocks, data):
    changes = [np.zeros(len(block.matrix())) for block in blocks]
    for rows, inputs, slopes in _slopes(blocks, data):
        for layer, back_here in back(blocks, inputs, slopes):
            down = back_here @ blocks[layer].matrix().T
            a = inputs[layer]
            change = a.multiply(down) if sp.issparse(a) else a * down
            changes[layer] += abs(change).T @ data.weights[rows]
    return changes


def _slopes(blocks, data):
    """`passes`, with the slopes of the losses in z: outputs less targets.

    For each of the losses of `root_of_curvature` they are.
    """
    targets = coded_targets(blocks, data)
    for rows, inputs, found in passes(blocks, data):
        yield rows, inputs, found - targets[rows]
