"""The optimal brain surgeon of hidden units: "obs"."""

import numpy as np

from sparselearn._solvers._surgeon import Quadratic, eliminate
from sparselearn.pruning._criteria._backward import back, passes, root_of_curvature
from sparselearn.pruning._curvature import InputCurvature

__all__ = ["obs_of_units"]

DAMPING = 0.01  # of the mean variance of the units of a layer


def obs_of_units(blocks, data):
    r"""What the loss rises by as units are removed, each time the cheapest one.

    With V the weights that read the units of a layer, H the covariance of the units,
    1% of their mean variance added, and c_k the mean curvature of the loss in
    pre-activation k of the next layer, the rise is about

    .. math:: \frac{\sum_k c_k v_{jk}^2}{2 [H^{-1}]_{jj}},

    when the units that are left, and the constant, make up for unit j, as
    ``refit="lstsq"`` has them do; then V and H become those of what is left. A unit
    that others can stand in for goes early, however active it is. Importances are
    those rises, or the largest before if that is more. Without a constant H is of the
    mean products. Units that are constant have importance 0.

    References
    ----------
    B. Hassibi, D. Stork, "Second order derivatives for network pruning: optimal brain
    surgeon", NeurIPS 1993 (for weights).
    """
    curved = [np.zeros(block.matrix().shape[1]) for block in blocks]
    rng = data.generator()
    # What reads units begins with the second layer; of a code that is the last.
    for rows, inputs, found in passes(blocks, data, first=1):
        for root in root_of_curvature(blocks[-1], found, rng):
            for layer, slopes in back(blocks, inputs, root, first=1):
                curved[layer] += data.weights[rows] @ slopes**2
    scores = []
    for layer, a in enumerate(data.inputs(blocks)):
        if layer:
            scores.append(_rises(blocks[layer], a, curved[layer], data))
    return scores


def _rises(block, a, curved, data):
    """The importances of what `block` reads."""
    weights = (block.matrix().astype(np.float64) * np.sqrt(curved)).T
    importances = np.zeros(weights.shape[1])
    form = InputCurvature(a, data.weights, centred=block.intercept is not None)
    curvature = form.block(np.arange(importances.size))
    alive = np.flatnonzero(np.diagonal(curvature) > 0.0)
    if alive.size:
        H = curvature[np.ix_(alive, alive)]
        H[np.diag_indices_from(H)] += DAMPING * np.diagonal(H).mean()
        joint = Quadratic(H, weights[:, alive], np.arange(alive.size), 0.0)
        path = eliminate([joint], alive.size)
        importances[alive[path.order]] = np.maximum.accumulate(path.rises)
    return importances
