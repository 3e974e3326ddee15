"""What the outputs do with a weight or unit: one pass back through the blocks."""

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks
from sparselearn.pruning._blocks import outputs

__all__ = ["back", "outer", "passes", "root_of_curvature"]

CHUNK_ROWS = 1024
MOST_OUTPUTS = 64  # of more, so many signs are drawn at a row

# Derivatives of activations, as functions of what these give.
SLOPES = {
    "identity": np.ones_like,
    "logistic": lambda a: a * (1.0 - a),
    "relu": lambda a: (a > 0.0).astype(a.dtype),
    "sigmoid": lambda a: a * (1.0 - a),
    "tanh": lambda a: 1.0 - a * a,
}


def passes(blocks, data, first=0):
    """Yield rows, what each block reads on them, and the outputs, some rows at a time.

    The inputs are float64, the first ones in the storage of X. `first` is the layer
    down to which :func:`back` is to go.
    """
    for block in blocks[first:-1]:
        if block.activation not in SLOPES:
            raise ValueError(
                f"The derivative of activation {block.activation!r}, of the units of "
                f"{block.name}, is not known to criteria 'obd', 'obs' and 'taylor'."
            )
    X = data.X
    if X is None:
        next(data.inputs(blocks))  # says that X is needed
    if sp.issparse(X):
        X = X.tocsr()
    for rows in row_chunks(X.shape[0], CHUNK_ROWS):
        inputs = list(data.adapter.inputs(data.estimator, blocks, X[rows]))
        inputs = [a.astype(np.float64) for a in inputs]
        yield rows, inputs, outputs(blocks[-1], inputs[-1])


def back(blocks, inputs, slopes, first=0):
    """Yield layers from the last to the `first`, with slopes of their pre-activations.

    `slopes` are those of the last block; what they are the derivatives of is up to
    the caller.
    """
    for layer in range(len(blocks) - 1, first - 1, -1):
        yield layer, slopes
        if layer > first:
            below = SLOPES[blocks[layer - 1].activation](inputs[layer])
            slopes = (slopes @ blocks[layer].matrix().T) * below


def outer(a, weights, slopes, *, squared=False):
    """``sum_n weights_n a_ni slopes_nj``, or that of the squares of `a`."""
    if squared:
        a = a.multiply(a) if sp.issparse(a) else a * a
    return a.T @ (weights[:, None] * slopes)


def root_of_curvature(block, found, rng):
    """Yield slopes whose outer products sum to the Hessian of a row's loss in z.

    The loss is that which belongs to the outputs: cross-entropy to soft-max
    (Hessian ``diag(p) - pp'``) and logistic outputs (``p(1 - p)``), Poisson's to
    exponentials, half the squared error to others (1). Exact, one output at a time;
    of more than 64 outputs it is the expectation over the random signs of 64 sums.
    """
    n_outputs = found.shape[1]
    if block.activation == "softmax":
        root = np.sqrt(found)

        def mixed(signs):
            r = root * signs
            return r - found * r.sum(axis=1, keepdims=True)

    else:
        widths = {
            "logistic": lambda p: np.sqrt(p * (1.0 - p)),
            "sigmoid": lambda p: np.sqrt(p * (1.0 - p)),
            "exp": np.sqrt,
        }
        width = widths.get(block.activation, np.ones_like)(found)

        def mixed(signs):
            return width * signs

    if n_outputs <= MOST_OUTPUTS:
        for signs in np.eye(n_outputs):
            yield mixed(signs)
    else:
        for _ in range(MOST_OUTPUTS):
            signs = rng.choice([-1.0, 1.0], size=found.shape)
            yield mixed(signs) / np.sqrt(MOST_OUTPUTS)
