"""Many rows through pruned perceptrons, a few of them from the first layer to the last.

As networks of this package predict: in one product after the other, threads of BLAS
would wait for what is in between. Inputs that no weight reads are left out.
"""

import numpy as np

from sparselearn._parallel import team
from sparselearn._solvers._network import Network
from sparselearn.neural_network._forward import SIGMOID, fill, forward

__all__ = ["fewest_rows", "predicted"]

# Rows below which BLAS would spend its time on copies of the weights.
N_ROWS = 256
# Multiplications below which threads that are to be started are no gain.
PRODUCTS = 10**8


def fewest_rows(blocks):
    """How many rows are worth a pass of their own; fewer an estimator does sooner."""
    products = sum(block.matrix().size for block in blocks)
    return max(N_ROWS, -(-PRODUCTS // products))


def predicted(blocks, X, check):
    """What the last map gives after its activation, of the rows of a dense array.

    Threads are as many as BLAS would use.

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
    weights = [block.matrix() for block in blocks]
    dtype = np.result_type(X, *weights)
    network = Network((X.shape[1], *(w.shape[1] for w in weights)), dtype)
    fill(network, weights, [block.constants() for block in blocks])
    first, last = (
        SIGMOID.get(block.activation, block.activation)
        for block in (blocks[0], blocks[-1])
    )
    with team() as run:
        return forward(X, None, network, first, run, check, last)
