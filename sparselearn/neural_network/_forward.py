"""Rows through a fitted network of layers, in chunks and threads."""

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks
from sparselearn._solvers._batches import Rows
from sparselearn._solvers._network import (
    AT_ONCE,
    Network,
    NetworkSpec,
    layer_values,
    used_inputs,
)

__all__ = ["SIGMOID", "fill", "forward"]

# What a network calls the activations that have another name in scikit-learn.
SIGMOID = {"logistic": "sigmoid"}

# The most rows that a thread takes through a network at a time, and how many times rows
# are few: with two, one thread would wait for the last one.
CHUNK, TOGETHER = 1024, 8


def fill(network, weights, biases):
    for new, old in zip(network.weights + network.biases, [*weights, *biases]):
        new[:] = old.toarray() if sp.issparse(old) else old


def forward(X, places, network, activation, run, check=None, last="identity"):
    """The last layer of rows of X after its activation, by chunks in threads.

    `activation` is that of the layers before the last one. `places` says which rows;
    None is all. ``check(rows)`` may refuse them. Features that no weight reads are left
    out where to copy the others takes less time than to multiply all.
    """
    n_hidden = len(network.weights) - 1
    spec = NetworkSpec(network.sizes, (*[activation] * n_hidden, last), "")
    used = used_inputs(network.weights[0])
    if used is not None:
        whole, sizes = network, (used.size, *network.sizes[1:])
        network = Network(sizes, whole.values.dtype)
        fill(network, [whole.weights[0][used], *whole.weights[1:]], whole.biases)
    rows = Rows(X, dtype=network.values.dtype)

    def gathered(chunk):
        if places is None and rows.is_plain:
            return X[chunk]
        at = np.arange(chunk.start, chunk.stop) if places is None else places[chunk]
        return rows.gather(at, np.empty((at.size, X.shape[1]), dtype=rows.dtype))

    def compute(chunk):
        found = gathered(chunk)
        if used is None:
            return layer_values(spec, network, found, -1, check)
        if check is not None:
            check(found)
        return layer_values(spec, network, np.take(found, used, axis=1), -1)

    n_rows = X.shape[0] if places is None else places.size
    size = min(CHUNK, -(-n_rows // TOGETHER))
    size += -size % AT_ONCE
    return np.concatenate(list(run(compute, row_chunks(n_rows, size))))
