r"""Feed-forward networks: what they compute, and their parameters.

With a_0 = x, layer l gives, for weights W_l (n_in, n_out) and biases b_l,

.. math:: p_l = a_{l-1} W_l + b_l, \quad a_l = g_l(p_l),

and the last one the output. The parameters of a network lie in one array, so that an
optimiser passes over them once. `_network.py` has the learner.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels import _activations, _network, _plan
from sparselearn._kernels._vectors import aligned_zeros
from sparselearn._solvers._batches import flat

__all__ = [
    "ACTIVATIONS",
    "AT_ONCE",
    "CodeLayer",
    "Network",
    "NetworkSpec",
    "glorot",
    "layer_table",
    "layer_values",
    "used_inputs",
]

ACTIVATIONS = {
    "identity": _activations.IDENTITY,
    "relu": _activations.RELU,
    "sigmoid": _activations.SIGMOID,
    "tanh": _activations.TANH,
    "softmax": _activations.SOFTMAX,
    "topk": _activations.SELECTED,
    "batchtopk": _activations.SELECTED,
    "jumprelu": _activations.SELECTED,
}
# Rows that go through a network together where its output is wanted: those that a BLAS
# for small matrices takes at once.
AT_ONCE = 64
# Multiplications that take as long as to copy a number.
COPIED = 50


class CodeLayer(NamedTuple):
    """Which layer is the code of an autoencoder, and what keeps it sparse.

    Attributes
    ----------
    index : int
        Of `NetworkSpec.activations`. The activation there may also be "topk", which
        keeps the `n_nonzero` largest positive values of a row, "batchtopk", that many a
        row on average of a batch, or "jumprelu", values above thresholds that are
        learned, with ``alpha * (mean number of values kept)`` as a penalty.
    penalty : {None, "kl", "l1"}
        "kl": ``alpha * sum_j KL(target, mean of z_j)``, the mean over the batch. "l1":
        ``alpha * sum_j mean of |z_j| * ||d_j||``, with d_j the weights that the code
        has in the layer above; else smaller codes and larger d_j would cost less.
        "topk" and "batchtopk" have none, "jumprelu" its own.
    alpha : float or None
        Weight of the penalty; None: the one that holds `n_nonzero`.
    target : float
        Mean activation that "kl" asks for.
    n_nonzero : float, optional
        Of a row.
    """

    index: int
    penalty: str | None = None
    alpha: float | None = 0.0
    target: float = 0.05
    n_nonzero: float | None = None


class NetworkSpec(NamedTuple):
    """What a network computes.

    Attributes
    ----------
    sizes : tuple of int
        Of the input and of every layer.
    activations : tuple of str
        Of every layer. The last: "identity", "sigmoid" or "softmax".
    loss : {"squared_error", "cross_entropy"}
        Of a row: half the sum of squared errors, or minus the log-likelihood of the
        targets under the last layer's sigmoids or softmax, from its logits.
    code : CodeLayer or None
    tied : bool
        Whether each layer of the upper half multiplies by the transposed weights of
        its mirror image; `sizes` is then a palindrome.
    """

    sizes: tuple
    activations: tuple
    loss: str
    code: CodeLayer | None = None
    tied: bool = False


class Network:
    """The parameters of a network, views of the one array `values`.

    Attributes
    ----------
    values : ndarray (n_parameters,)
    weights : list of ndarray (n_in, n_out)
        A tied layer's is the transpose of another's.
    biases : list of ndarray (n_out,)
    places : list of (int, int)
        Where a layer's weights and biases begin in `values`.
    """

    def __init__(self, sizes, dtype, *, tied=False):
        self.sizes = tuple(sizes)
        self.tied = tied
        pairs = list(zip(self.sizes, self.sizes[1:]))
        n_own = len(pairs) // 2 if tied else len(pairs)
        self.places, place = [], 0
        for layer, (m, n) in enumerate(pairs):
            own = layer < n_own
            first = place if own else self.places[len(pairs) - 1 - layer][0]
            place += m * n if own else 0
            self.places.append((first, place))
            place += n
        self.values = aligned_zeros(place, dtype)
        self.weights, self.biases = [], []
        for layer, ((m, n), (w, b)) in enumerate(zip(pairs, self.places)):
            shape = (m, n) if layer < n_own else (n, m)
            weights = self.values[w : w + m * n].reshape(shape)
            self.weights.append(weights if layer < n_own else weights.T)
            self.biases.append(self.values[b : b + n])

    @property
    def n_own(self):
        """Layers that have weights of their own, which come first."""
        n_layers = len(self.sizes) - 1
        return n_layers // 2 if self.tied else n_layers


def glorot(network, activations, random_state):
    """Random weights by Glorot and Bengio (2010); biases are zero."""
    for weights, name in zip(network.weights[: network.n_own], activations):
        gain = 2.0 if name == "sigmoid" else 6.0
        bound = np.sqrt(gain / sum(weights.shape))
        weights[:] = random_state.uniform(-bound, bound, weights.shape)


def layer_table(network, codes, capacity):
    """The layers as kernels read them, with buffers of `capacity` rows."""
    n_layers = len(network.sizes) - 1
    table = np.full((n_layers, 8), -1, dtype=np.int64)
    place = 0
    for layer, (m, n) in enumerate(zip(network.sizes, network.sizes[1:])):
        tied = layer >= network.n_own
        table[layer, :7] = m, n, *network.places[layer], codes[layer], place, tied
        if tied:
            table[n_layers - 1 - layer, _plan.PARTNER] = layer
        place += capacity * n
    return table


def layer_values(spec, network, rows, layer, check=None):
    """Values of one layer, after its activation; of layers below a selection of codes.

    Those of a row do not depend on the rows that come with it.

    Parameters
    ----------
    spec : NetworkSpec
    network : Network
    rows : ndarray (n_rows, n_features)
    layer : int
        Negative ones count from the last, which is -1.
    check : callable, optional
        ``check(rows)`` refuses some with NaN or infinity, if there are any.

    Returns
    -------
    values : ndarray (n_rows, n_out)
    """
    layer = range(len(spec.activations))[layer]
    codes = [ACTIVATIONS[name] for name in spec.activations]
    table = layer_table(network, codes, AT_ONCE)
    dtype = network.values.dtype
    found = np.empty((len(rows), network.sizes[layer + 1]), dtype=dtype)
    n_left = len(rows) % AT_ONCE
    rest = np.zeros((AT_ONCE if n_left else 0, network.sizes[0]), dtype=dtype)
    rest[:n_left] = rows[len(rows) - n_left :]
    acts = np.empty(AT_ONCE * sum(network.sizes[1:]), dtype=dtype)
    finite = _network.forward(
        table,
        network.values,
        flat(rows, dtype),
        rest.reshape(-1),
        acts,
        layer,
        AT_ONCE,
        found.reshape(-1),
    )
    if check is not None and not finite:
        check(rows)
    return found


def used_inputs(weights):
    """Inputs of a first layer, (n_in, n_out), that have a weight.

    At least one; None if it would not pay to pick them: to copy the numbers of a row
    that are used takes longer than to multiply all.
    """
    used = np.flatnonzero((weights != 0.0).any(axis=1))
    n_inputs, n_outputs = weights.shape
    if COPIED * used.size >= (n_inputs - used.size) * n_outputs:
        return None
    return used if used.size else np.zeros(1, dtype=np.intp)
