"""What a weight adds to the variance of its output: "pratt"."""

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks
from sparselearn.pruning._blocks import outputs
from sparselearn.pruning._criteria._parts import like_weights

__all__ = ["pratt"]

CHUNK_ROWS = 4096  # rows that are brought to float64 at a time


def pratt(blocks, data):
    """``|w_ij cov(a_i, z_j)|``, with z what the map gives before any activation.

    Without the absolute value these sum to ``var(z_j)`` over the inputs i. An input
    that goes with what all others say counts for more than one of equal magnitude that
    only this sample needs, of which there are many where inputs outnumber rows.
    The unit of a feature does not matter.

    References
    ----------
    J. W. Pratt, "Dividing the indivisible: using simple symmetry to partition variance
    explained", Proceedings of the second international Tampere conference in
    statistics, 1987.
    """
    importances = []
    for block, a in zip(blocks, data.inputs(blocks)):
        own = block._replace(activation="identity")
        moments = _covariances(a, outputs(own, a).astype(np.float64), data)
        importances.append(like_weights(block, np.abs(moments * block.matrix())))
    return importances


def _covariances(a, z, data):
    """Weighted covariances (n_inputs, n_outputs) of the columns of `a` and `z`."""
    z -= data.weights @ z
    z *= data.weights[:, None]
    if sp.issparse(a):
        moments = a.T @ z
    else:
        moments = np.zeros((a.shape[1], z.shape[1]))
        for rows in row_chunks(a.shape[0], CHUNK_ROWS):
            moments += a[rows].T @ z[rows]
    # Where z is centred but for rounding, a column that is far from 0 makes much of it.
    moments -= np.outer(data.mean(a), z.sum(axis=0))
    return moments
