"""Units that a network can do without, exactly: found, and folded away."""

import numpy as np

from sparselearn.pruning._blocks import ACTIVATIONS

__all__ = ["clean_up", "silent_units", "sliced"]

# Of hidden layers: what a unit gives depends on no other unit of its layer.
OF_ONE_UNIT = {"identity", "logistic", "relu", "sigmoid", "tanh"}


def clean_up(blocks):
    r"""Hidden units that can be removed without a change of the predictions.

    A unit that nothing reads can go. One that reads nothing is the constant
    :math:`g(b_j)`, which belongs into the constants of those that read it,

    .. math:: b' \leftarrow b' + g(b_j) W'_{j\cdot}.

    To remove one may leave others so, hence until there are none. A layer keeps one
    unit at least.

    Parameters
    ----------
    blocks : list of Block

    Returns
    -------
    blocks : list of Block
        With the constants folded, of the old shapes.
    kept : list of ndarray of bool
        One a hidden layer: which units are to stay.
    """
    blocks = list(blocks)
    kept = [np.ones(block.matrix().shape[1], dtype=bool) for block in blocks[:-1]]
    changed = True
    while changed:
        changed = False
        for layer, stays in enumerate(kept):
            constant = stays & ~(blocks[layer].matrix() != 0.0).any(axis=0)
            readers = blocks[layer + 1].matrix() != 0.0
            if layer + 1 < len(kept):
                readers &= kept[layer + 1]
            if blocks[layer].activation in OF_ONE_UNIT:
                constant &= _fold_constants(blocks, layer, constant)
                gone = stays & (constant | ~readers.any(axis=1))
            else:  # units compete: one that may fire stays, though nothing reads it
                never = constant & (blocks[layer].constants() <= 0.0)
                gone = never & ~readers.any(axis=1)
            if (gone == stays).all():
                gone[np.flatnonzero(stays)[0]] = False
            stays &= ~gone
            changed |= gone.any()
    return blocks, kept


def _fold_constants(blocks, layer, constant):
    """Fold constant units into the next block, and say which ones it took."""
    block, after = blocks[layer], blocks[layer + 1]
    given = ACTIVATIONS[block.activation](block.constants().astype(np.float64))
    given[~constant] = 0.0
    if after.intercept is None:
        return given == 0.0
    weights = after.weights.copy(order="K")
    after = after.shifted(given @ after.matrix().astype(np.float64))
    after = after._replace(weights=weights)
    after.matrix()[constant] = 0.0
    blocks[layer + 1] = after
    return constant


def sliced(arrays, kept):
    """Arrays (n_inputs, n_outputs) of maps, or (n_outputs,), of kept units alone.

    Parameters
    ----------
    arrays : list of ndarray
        One a map.
    kept : list of ndarray of bool
        One a hidden layer.
    """
    before, after = [None, *kept], [*kept, None]
    result = []
    for array, inputs, outputs in zip(arrays, before, after):
        if array.ndim == 2 and inputs is not None:
            array = array[inputs]
        result.append(array if outputs is None else array[..., outputs])
    return [np.ascontiguousarray(array) for array in result]


def silent_units(blocks, data):
    """Of each hidden layer, units that are zero on all rows of positive weight."""
    silent = []
    for a in list(data.inputs(blocks))[1:]:
        rows = np.broadcast_to(data.weights > 0.0, a.shape[0])
        silent.append(np.flatnonzero(~(a[rows] != 0.0).any(axis=0)))
    return silent
