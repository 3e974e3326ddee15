"""Many rows through pruned maps, a block of rows from the first to the last at once."""

import numpy as np

from sparselearn._parallel import row_chunks, team
from sparselearn._solvers._network_spec import used_inputs
from sparselearn.pruning._blocks import ACTIVATIONS

__all__ = ["fewest_rows", "predicted"]

# Numbers of a block of rows, where a layer is widest: some megabytes.
BLOCK = 2**20
# Rows below which BLAS would spend its time on copies of the weights.
N_ROWS = 256
# Blocks come by so many, or one thread would wait for the last one.
TOGETHER = 8
# Multiplications below which threads that are to be started are no gain.
PRODUCTS = 10**8


def fewest_rows(blocks):
    """How many rows are worth a pass in blocks; fewer an estimator does sooner."""
    products = sum(block.matrix().size for block in blocks)
    return max(N_ROWS, -(-PRODUCTS // products))


def predicted(blocks, X, check):
    """What the last map gives after its activation, of the rows of a dense array.

    A block of rows is checked and taken through all maps while it is in cache. Inputs
    that no weight reads are left out where this pays. Threads are as many as BLAS would
    use, which in one product after the other has to wait for what is in between.

    Parameters
    ----------
    blocks : list of Block
        From X to the output, one after the other.
    X : ndarray (n_rows, n_inputs)
    check : callable
        ``check(rows)`` refuses some of X that are not fit.

    Returns
    -------
    values : ndarray (n_rows, n_outputs)
    """
    used = used_inputs(blocks[0].matrix())
    if used is not None:
        first = blocks[0]
        weights = first.by_input(first.by_input(first.weights)[used])
        blocks = [first._replace(weights=weights), *blocks[1:]]
    dtype = np.result_type(X, *(block.weights for block in blocks))
    # Of one dtype, or each block of rows would convert the weights again.
    maps = [
        tuple(part.astype(dtype, copy=False) for part in (b.matrix(), b.constants()))
        for b in blocks
    ]
    names = [block.activation for block in blocks]
    values = np.empty((len(X), maps[-1][1].size), dtype=dtype)

    def compute(rows):
        a = X[rows]
        check(a)
        if used is not None:
            a = np.take(a, used, axis=1)
        for (weights, constants), name in zip(maps, names):
            a = a @ weights
            a += constants
            a = _activated(name, a)
        values[rows] = a

    widest = max(X.shape[1], *(constants.size for _, constants in maps))
    with team() as run:
        run(compute, row_chunks(len(X), _block_size(len(X), widest)))
    return values


def _block_size(n_rows, widest):
    """Rows of a block, whatever the number of threads."""
    n_blocks = -(-n_rows // max(N_ROWS, BLOCK // widest))
    n_blocks += -n_blocks % TOGETHER
    return max(N_ROWS, -(-n_rows // n_blocks))


def _activated(name, z):
    """`z` after an activation, in its place if this is cheap."""
    if name == "relu":
        return np.maximum(z, 0.0, out=z)
    if name == "softmax":
        z -= z.max(axis=1, keepdims=True)
        np.exp(z, out=z)
        z /= z.sum(axis=1, keepdims=True)
        return z
    return ACTIVATIONS[name](z)
