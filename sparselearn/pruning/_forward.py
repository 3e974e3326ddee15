"""Many rows through pruned maps, of the inputs that some weight reads."""

import numpy as np

from sparselearn._parallel import row_chunks, team
from sparselearn.pruning._blocks import outputs

__all__ = ["N_ROWS", "predicted"]

# Rows of a block: some hundred kilobytes a layer. Fewer in all are left to the
# estimator, which begins sooner.
N_ROWS = 512


def predicted(blocks, used, X, check):
    """What the last map gives after its activation, of the rows of a dense array.

    Rows are copied, a block at a time that stays in cache. Threads are as many as BLAS
    would use.

    Parameters
    ----------
    blocks : list of Block
        From X to the output, one after the other.
    used : ndarray of int
        Inputs that weights read.
    X : ndarray (n_rows, n_inputs)
    check : callable
        ``check(rows)`` refuses some of X that are not fit.

    Returns
    -------
    values : ndarray (n_rows, n_outputs)
    """
    first = blocks[0]
    weights = first.by_input(first.by_input(first.weights)[used])
    blocks = [first._replace(weights=weights), *blocks[1:]]
    dtype = np.result_type(X, *(block.weights for block in blocks))
    # Of one dtype, or each block of rows would convert the weights again.
    blocks = [b._replace(weights=b.weights.astype(dtype, copy=False)) for b in blocks]
    values = np.empty((len(X), blocks[-1].matrix().shape[1]), dtype=dtype)

    def compute(rows):
        a = X[rows]
        check(a)
        a = np.take(a, used, axis=1)
        for block in blocks:
            a = outputs(block, a)
        values[rows] = a

    with team() as run:
        run(compute, row_chunks(len(X), N_ROWS))
    return values
