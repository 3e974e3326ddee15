"""How much a unit tells of the data: "entropy"."""

import numpy as np

from sparselearn._parallel import row_chunks
from sparselearn.pruning._criteria._parts import hidden, outgoing_norms

__all__ = ["entropy", "raw_entropy"]

N_BINS = 32
CHUNK_ROWS = 4096
# Where what a unit gives ranges, if that is bounded.
_RANGES = {
    "logistic": (0.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
}
TAIL = 1e-3  # share of the values of a layer beyond the bins, if it is not


def entropy(blocks, data):
    """``H(a_j) ||W_out[j, :]||``; see :func:`raw_entropy`.

    Without the norm, a unit that says much counts even if nothing listens.
    """
    return [h * v for h, v in zip(raw_entropy(blocks, data), outgoing_norms(blocks))]


def raw_entropy(blocks, data):
    """``H_j = - sum_b p_b log2 p_b``, in bits, of the letter that a unit gives a row.

    The alphabet is that of the layer, so that its units compare. A unit whose values
    can be exactly zero has the letter OFF for these, and 32 bins of equal width over
    (0, q], q the 0.999 quantile of the layer's other values; bounded units have 32
    bins over their range, linear ones over the layer's quantiles 0.001 to 0.999. What
    is beyond belongs to the bin at the end. A unit that is constant, dead or saturated,
    has entropy 0.

    References
    ----------
    J.-H. Luo, J. Wu, "An entropy-based pruning method for CNN compression", 2017.
    """
    return [
        _bits(a, block.activation, data.weights)
        for block, a in zip(blocks, hidden(blocks, data))
    ]


def _bits(a, activation, weights):
    lower, upper = _range(a, activation, weights)
    can_be_off = activation not in _RANGES and activation != "identity"
    n_units = a.shape[1]
    first = np.arange(n_units) * (N_BINS + 1)
    counts = np.zeros(n_units * (N_BINS + 1))
    width = (upper - lower) / N_BINS
    for rows in row_chunks(len(a), CHUNK_ROWS):
        letters = np.zeros((rows.stop - rows.start, n_units), dtype=np.intp)
        if width > 0.0:
            places = np.floor((a[rows] - lower) / width)
            letters += np.clip(places, 0, N_BINS - 1).astype(np.intp) + 1
        if can_be_off:
            letters[a[rows] == 0.0] = 0
        mass = np.repeat(weights[rows], n_units)
        counts += np.bincount((letters + first).ravel(), mass, counts.size)
    p = counts.reshape(n_units, N_BINS + 1)
    p = p / p.sum(axis=1, keepdims=True)
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0.0)
    return np.maximum(-(p * logs).sum(axis=1), 0.0)


def _range(a, activation, weights):
    if activation in _RANGES:
        return _RANGES[activation]
    on = np.ones(a.shape, dtype=bool) if activation == "identity" else a != 0.0
    values = a[on]
    if values.size == 0:
        return 0.0, 0.0
    mass = np.broadcast_to(weights[:, None], a.shape)[on]
    order = np.argsort(values)
    values = values[order].astype(np.float64)
    below = np.cumsum(mass[order])
    # A count on the edge is not left to the rounding of the sum.
    edges = np.array([TAIL, 1.0 - TAIL]) * below[-1] * (1.0 - 1e-9)
    low, high = values[np.minimum(np.searchsorted(below, edges), values.size - 1)]
    return (low, high) if activation == "identity" else (0.0, high)
