r"""Feed-forward networks: what they compute, their parameters, and dense steps.

With a_0 = x, layer l gives, for weights W_l (n_in, n_out) and biases b_l,

.. math:: p_l = a_{l-1} W_l + b_l, \quad a_l = g_l(p_l),

and the last one the output. The parameters of a network lie in one array, so that an
optimiser passes over them once. `_kernels/_network.py` computes; this file cuts the
work and keeps what it needs.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels import _activations, _network
from sparselearn._kernels._adam import GRADIENT, Rule
from sparselearn._kernels._sparse_rows import RARITY, SPAN, Lists
from sparselearn._solvers._optimizers import Adam, Momentum
from sparselearn._solvers._training import Learner

__all__ = [
    "Adam",
    "CodeLayer",
    "DenseLearner",
    "Momentum",
    "Network",
    "NetworkSpec",
    "glorot",
    "layer_values",
]

ACTIVATIONS = {
    "identity": _activations.IDENTITY,
    "relu": _activations.RELU,
    "sigmoid": _activations.SIGMOID,
    "tanh": _activations.TANH,
    "softmax": _activations.SOFTMAX,
}
LOSSES = {
    "squared_error": _activations.SQUARED_ERROR,
    "cross_entropy": _activations.CROSS_ENTROPY,
}
PENALTIES = {None: 0, "kl": _network.KL, "l1": _network.L1}

# Rows of a batch that a thread takes through all layers together: with fewer a product
# of matrices is slow, with more a batch of the usual size would be one thread's.
SHARD = 64
# Parameters of a block: they, their moments and gradient stay in a core's cache.
BLOCK = 2**16
# Rows that one call takes through a network whose output is wanted.
CHUNK = 256


class CodeLayer(NamedTuple):
    """Which layer is the code of an autoencoder, and what keeps it sparse.

    Attributes
    ----------
    index : int
        Of `NetworkSpec.activations`.
    penalty : {None, "kl", "l1"}
        "kl": ``alpha * sum_j KL(target, mean of z_j)``, the mean over the batch. "l1":
        ``alpha * sum_j mean of |z_j| * ||d_j||``, with d_j the weights that the code
        has in the layer above; else smaller codes and larger d_j would cost less.
    alpha : float
        Weight of the penalty.
    target : float
        Mean activation that "kl" asks for.
    """

    index: int
    penalty: str | None = None
    alpha: float = 0.0
    target: float = 0.05


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
        self.values = np.zeros(place, dtype=dtype)
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


def _layer_table(network, codes, capacity):
    """The layers as kernels read them, with buffers of `capacity` rows."""
    n_layers = len(network.sizes) - 1
    table = np.full((n_layers, 8), -1, dtype=np.int64)
    place = 0
    for layer, (m, n) in enumerate(zip(network.sizes, network.sizes[1:])):
        tied = layer >= network.n_own
        table[layer, :7] = m, n, *network.places[layer], codes[layer], place, tied
        if tied:
            table[n_layers - 1 - layer, _network.PARTNER] = layer
        place += capacity * n
    return table


def _blocks(network):
    """Blocks of rows of the layers' weights, and of biases; the middle of each."""
    blocks, middles = [], []
    for layer, (m, n) in enumerate(zip(network.sizes, network.sizes[1:])):
        at, bias = network.places[layer]
        if layer < network.n_own:
            # Several of a small layer, each of rows enough for a product to be fast.
            size = max(16, min(BLOCK // n, 128, -(-m // 4)))
            for start in range(0, m, size):
                stop = min(start + size, m)
                blocks.append((layer, start, stop))
                middles.append(at + (start + stop) * n // 2)
        blocks.append((layer, -1, -1))
        middles.append(bias + n // 2)
    return np.array(blocks, dtype=np.int64), np.array(middles, dtype=np.int64)


def _shards(n_rows):
    """Where shards of about equal size begin, an even number of them, and `n_rows`."""
    n_shards = 1 if n_rows <= SHARD // 2 else 2 * -(-n_rows // (2 * SHARD))
    return np.arange(n_shards + 1, dtype=np.int64) * n_rows // n_shards


def _flat(array, dtype):
    """`array` in one dimension, row by row, writable as kernels are compiled for."""
    array = np.ascontiguousarray(array, dtype=dtype)
    return (array if array.flags.writeable else array.copy()).reshape(-1)


def layer_values(spec, network, rows, layer, run=map):
    """Values of one layer, after its activation.

    Every call of the kernel has `CHUNK` rows, the last one's filled up with zeros, so
    that a row's values do not depend on those that come with it.

    Parameters
    ----------
    spec : NetworkSpec
    network : Network
    rows : ndarray (n_rows, n_features)
    layer : int
        Negative ones count from the last, which is -1.
    run : callable
        See ``_parallel.stream``.

    Returns
    -------
    values : ndarray (n_rows, n_out)
    """
    layer = range(len(spec.activations))[layer]
    codes = [ACTIVATIONS[name] for name in spec.activations]
    table = _layer_table(network, codes, CHUNK)
    dtype = network.values.dtype
    n_out = network.sizes[layer + 1]
    found = np.empty((len(rows), n_out), dtype=dtype)

    def compute(start):
        part = rows[start : start + CHUNK]
        full = np.zeros((CHUNK, part.shape[1]), dtype=dtype)
        full[: len(part)] = part
        acts = np.empty(CHUNK * sum(network.sizes[1:]), dtype=dtype)
        _network.forward(table, network.values, full.reshape(-1), acts, layer)
        at = table[layer, _network.PLACE]
        values = acts[at : at + CHUNK * n_out].reshape(CHUNK, n_out)
        found[start : start + CHUNK] = values[: len(part)]

    for _ in run(compute, range(0, len(rows), CHUNK)):
        pass
    return found


class DenseLearner(Learner):
    r"""An optimiser on the gradient of a `NetworkSpec`, with dense codes.

    .. math:: \frac{\sum_i w_i \ell_i}{\sum_i w_i} + \text{penalty of the code}
        + \frac{l_2}{2 \sum_i w_i} \sum_l \|W_l\|_F^2 + l_1 \sum_l \|W_l\|_1

    Parameters
    ----------
    spec : NetworkSpec
    network : Network
    optimizer : Adam or Momentum
        On ``network.values``.
    l2, l1 : float
        Weights of the penalties of weights, the second by its proximal operator: it
        makes exact zeros. Of `Adam` only; see `SparseLearner` for `Momentum`.
    masks : list of ndarray of bool (n_in, n_out), optional
        False where a weight is and stays zero; one for each layer with weights of its
        own, or None for all kept.
    """

    def __init__(self, spec, network, optimizer, *, l2=0.0, l1=0.0, masks=None):
        self.spec = spec
        self.network = network
        self.optimizer = optimizer
        self.l2, self.l1 = l2, l1
        self.mask = self._join(masks)
        if self.mask.size:
            network.values *= self.mask
        self._forget()

    def _join(self, masks):
        """One mask for all parameters; empty if there is none."""
        if masks is None or all(mask is None for mask in masks):
            return np.zeros(0, dtype=bool)
        joined = np.ones(self.network.values.size, dtype=bool)
        for mask, (at, _) in zip(masks, self.network.places):
            if mask is not None:
                joined[at : at + mask.size] = np.ravel(mask)
        return joined

    def _forget(self):
        self._capacity = 0
        self._n_parts = 0
        self._work = self._plan = None

    def __getstate__(self):
        return self.__dict__ | {
            "_capacity": 0,
            "_n_parts": 0,
            "_work": None,
            "_plan": None,
        }

    def step(self, batch, rate, run):
        """Improve the parameters by one step; see `Learner.step`."""
        rule = self.optimizer.next_rule(rate)
        self._run(batch, rule, run)
        return self._loss

    def loss_and_gradient(self, batch, run=map):
        """The loss of `batch`, summed; `gradient` becomes that of its mean."""
        number = self.network.values.dtype.type
        zero = number(0.0)
        self.gradient = np.empty_like(self.network.values)
        rule = Rule(GRADIENT, zero, zero, zero, zero)
        self._run(batch, rule, run, gradient=self.gradient)
        return self._loss

    def _run(self, batch, rule, run, gradient=None):
        n_parts = getattr(run, "n_threads", 1)
        n_rows = len(batch.rows)
        self._prepare(n_rows, n_parts)
        dtype = self.network.values.dtype
        weights = np.ones(n_rows) if batch.weights is None else batch.weights
        mass = float(weights.sum())
        rows = _flat(batch.rows, dtype)
        targets = rows if batch.targets is batch.rows else _flat(batch.targets, dtype)
        shares = (weights / mass).astype(dtype)
        inputs = _network.Batch(rows, targets, shares, dtype.type(1.0 / mass))
        work = self._work
        if gradient is not None:
            work = work._replace(gradient=gradient)
        work.meeting[:] = 0
        plan, code, mask = self._plan, self._code, self.mask

        def part(number):
            _network.step(number, n_parts, plan, code, rule, mask, inputs, work)

        try:
            for _ in run(part, range(n_parts)):
                pass
        except BaseException:
            work.meeting[1] = 1  # let those go who wait for one that never came
            raise
        n_shards = plan.shards.size - 1
        self._loss = float(work.losses[:n_shards].sum()) * mass

    def _prepare(self, n_rows, n_parts):
        """Buffers for `n_rows` rows and `n_parts` threads, and how work is cut."""
        network, spec = self.network, self.spec
        dtype = network.values.dtype
        if n_rows > self._capacity or n_parts > self._n_parts:
            self._capacity = max(n_rows, self._capacity)
            self._n_parts = max(n_parts, self._n_parts)
            self._work, self._plan = self._new_workspace(), None
        if self._plan is not None and self._plan.shards[-1] == n_rows:
            return
        codes = [ACTIVATIONS[name] for name in spec.activations]
        output, codes[-1] = codes[-1], ACTIVATIONS["identity"]
        blocks, middles = _blocks(network)
        strengths = np.tile(np.array([self.l2, self.l1], dtype), (len(codes), 1))
        self._plan = _network.Plan(
            layers=_layer_table(network, codes, self._capacity),
            blocks=blocks,
            middles=middles,
            shards=_shards(n_rows),
            loss=LOSSES[spec.loss],
            output=output,
            strengths=strengths,
        )
        code = spec.code or CodeLayer(0)
        kind = PENALTIES[code.penalty] if code.alpha > 0.0 else 0
        self._code = _network.Code(
            code.index, kind, float(code.alpha), float(code.target)
        )

    def _new_workspace(self):
        network, optimizer = self.network, self.optimizer
        dtype, n_parts = network.values.dtype, self._n_parts
        size = self._capacity * sum(network.sizes[1:])
        n_shards = _shards(self._capacity).size - 1
        n_codes = (
            1 if self.spec.code is None else network.sizes[self.spec.code.index + 1]
        )
        pairs = zip(network.sizes, network.sizes[1:])
        longest = max(max(128 * n if m >= 128 else m * n, n) for m, n in pairs)
        return _network.Workspace(
            values=network.values,
            first=optimizer.first,
            second=optimizer.second,
            gradient=np.empty(0, dtype),
            acts=np.empty(size, dtype),
            deltas=np.empty(size, dtype),
            scratch=np.empty((n_parts, longest), dtype),
            sums=np.zeros((n_shards, n_codes)),
            slopes=np.zeros((n_parts, n_codes), dtype),
            norms=np.zeros(n_codes, dtype),
            losses=np.zeros(n_shards),
            lists=self._new_lists(n_shards),
            meeting=np.zeros(2, dtype=np.int64),
        )

    def _new_lists(self, n_shards):
        network, n_rows, n_parts = self.network, self._capacity, self._n_parts
        n_features, dtype = network.sizes[0], network.values.dtype
        room = n_rows * (n_features // RARITY)
        if network.sizes[1] < _network.THIN:
            room = n_rows = 0
        return Lists(
            index=np.empty(room, dtype=np.int32),
            value=np.empty(room, dtype),
            begin=np.zeros(n_rows, dtype=np.int64),
            end=np.zeros(n_rows, dtype=np.int64),
            few=np.zeros(n_shards, dtype=bool),
            place=np.zeros((n_parts, n_rows), dtype=np.int64),
            row=np.empty((n_parts, SPAN * n_rows), dtype=np.int32),
            sorted=np.empty((n_parts, SPAN * n_rows), dtype),
            count=np.zeros((n_parts, SPAN), dtype=np.int64),
        )

    def state(self):
        """All that training goes on from."""
        return {"values": self.network.values.copy()} | self.optimizer.state()

    def restore(self, state):
        """Go back to what `state` gave."""
        self.network.values[:] = state["values"]
        self.optimizer.restore(state)
