r"""The learner of dense networks: how a step is cut, and what goes on from it.

`_kernels/_network.py` computes; this file cuts rows and parameters into pieces that do
not depend on the number of threads, and keeps buffers for all of them.
"""

import numpy as np

from sparselearn._kernels import _activations, _layers, _network, _plan
from sparselearn._kernels._adam import ADD, GRADIENT, SIZES, Rule
from sparselearn._kernels._sparse_rows import RARITY, SPAN, Lists
from sparselearn._solvers._network_spec import (
    ACTIVATIONS,
    CodeLayer,
    Network,
    NetworkSpec,
    glorot,
    layer_table,
    layer_values,
)
from sparselearn._solvers._optimizers import Adam, FullBatch, Momentum
from sparselearn._solvers._sought import SoughtWeight
from sparselearn._solvers._training import Learner

__all__ = [
    "Adam",
    "CodeLayer",
    "DenseLearner",
    "FullBatch",
    "Momentum",
    "Network",
    "NetworkSpec",
    "glorot",
    "layer_values",
]

LOSSES = {
    "squared_error": _activations.SQUARED_ERROR,
    "cross_entropy": _activations.CROSS_ENTROPY,
}
PENALTIES = {None: 0, "kl": _plan.KL, "l1": _plan.L1}
SELECTIONS = {
    "topk": _plan.TOPK,
    "batchtopk": _plan.BATCH_TOPK,
    "jumprelu": _plan.JUMP,
}

# Rows of a batch that a thread takes through all layers together: with fewer a product
# of matrices is slow, with more a batch of the usual size would be one thread's.
SHARD = 64
# Parameters of a block: they, their moments and gradient stay in a core's cache.
BLOCK = 2**16
# Rows of a block, at most and at least, if its layer has them.
MOST_ROWS, LEAST_ROWS = 64, 16
# Width of the window in which thresholds learn, in standard deviations of what a code's
# layer gives at first.
BANDWIDTH = 0.5
# What a mean over the steps keeps of its past at each step.
MEMORY = 0.99


def _blocks(network):
    """Blocks of rows of the layers' weights, and of biases; the middle of each."""
    blocks, middles = [], []
    for layer, (m, n) in enumerate(zip(network.sizes, network.sizes[1:])):
        at, bias = network.places[layer]
        if layer < network.n_own:
            # Several of a small layer, each of rows enough for a product to be fast.
            size = max(LEAST_ROWS, min(BLOCK // n, MOST_ROWS, -(-m // 4)))
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


class DenseLearner(Learner):
    r"""An optimiser on the gradient of a `NetworkSpec`, with dense codes.

    .. math:: \frac{\sum_i w_i \ell_i}{\sum_i w_i} + \text{penalty of the code}
        + \frac{l_2}{2 \sum_i w_i} \sum_l \|W_l\|_F^2 + l_1 \sum_l \|W_l\|_1

    Parameters
    ----------
    spec : NetworkSpec
    network : Network
    optimizer : Adam, Momentum or FullBatch
        On ``network.values``.
    l2, l1 : float
        Weights of the penalties of weights, the second by its proximal operator: it
        makes exact zeros. Of `Adam` only; see `SparseLearner` for `Momentum`.
    masks : list of ndarray of bool (n_in, n_out), optional
        False where a weight is and stays zero; one for each layer with weights of its
        own, or None for all kept.

    Attributes
    ----------
    gradient : ndarray (n_parameters,)
        That `loss_and_gradient` found.
    n_nonzero : float
        Of codes, the mean over the rows of the last step.
    """

    def __init__(self, spec, network, optimizer, *, l2=0.0, l1=0.0, masks=None):
        self.spec = spec
        self.network = network
        self.optimizer = optimizer
        self.l2, self.l1 = l2, l1
        self.mask = self._join(masks)
        if self.mask.size:
            network.values *= self.mask
        code = spec.code
        self._selection = None
        if code is not None:
            self._selection = SELECTIONS.get(spec.activations[code.index])
        self._alpha = None
        if code is not None and code.alpha is None:
            self._alpha = SoughtWeight(code.n_nonzero)
        n_codes = 0
        if self._selection == _plan.JUMP:
            n_codes = network.sizes[code.index + 1]
        dtype = network.values.dtype
        self._thresholds = _plan.Thresholds(*(np.zeros(n_codes, dtype) for _ in "123"))
        self._numbers = {"width": 0.0, "least": 0.0, "mass": 0.0}
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
        """Let buffers and plan go; they are made anew when they are needed."""
        self._capacity = self._n_parts = 0
        self._work = self._plan = None

    def __getstate__(self):
        kept = {"_capacity": 0, "_n_parts": 0, "_work": None, "_plan": None}
        return self.__dict__ | kept

    # -- steps ----------------------------------------------------------------

    def step(self, batch, rate, run):
        """Improve the parameters by one step; see `Learner.step`."""
        if self._selection == _plan.JUMP and not self._numbers["width"]:
            self._begin(batch)
        self._run(batch, self.optimizer.next_rule(rate), run)
        self._learn(batch)
        return self._loss

    def loss_and_gradient(self, batch, run=map):
        """The loss of `batch`, summed; `gradient` becomes that of its mean."""
        self.gradient = np.empty_like(self.network.values)
        self._run(batch, self._still(GRADIENT), run, gradient=self.gradient)
        return self._loss

    def sizes(self, batch, run=map):
        """Weighted sums over the rows of the sizes of their codes: (n_codes,)."""
        self._run(batch, self._still(SIZES), run)
        n_shards = self._plan.shards.size - 1
        return self._work.sums[:n_shards].sum(axis=0) * self._mass

    def add_gradient(self, batch, sizes, mass, gradient, run=map):
        """Add to `gradient` what the rows of `batch` add to it, of `mass` altogether.

        Parameters
        ----------
        batch : Batch
        sizes : ndarray (n_codes,) or None
            Mean sizes of the codes of all rows.
        mass : float
            Sum of the weights of all rows.
        gradient : ndarray (n_parameters,)
            Without the part of l2, and of the norms of an L1 penalty.

        Returns
        -------
        loss : float
            Of `batch`, weighted and summed.
        """
        rule = self._still(ADD)
        self._run(batch, rule, run, gradient=gradient, mass=mass, sizes=sizes)
        return self._loss

    def _still(self, kind):
        return Rule(kind, *[self.network.values.dtype.type(0.0)] * 4)

    def _run(self, batch, rule, run, gradient=None, mass=None, sizes=None):
        n_parts = getattr(run, "n_threads", 1)
        n_rows = len(batch.rows)
        self._prepare(n_rows, n_parts)
        dtype = self.network.values.dtype
        weights = np.ones(n_rows) if batch.weights is None else batch.weights
        self._mass = mass = float(weights.sum()) if mass is None else mass
        rows = _flat(batch.rows, dtype)
        targets = rows if batch.targets is batch.rows else _flat(batch.targets, dtype)
        shares = (weights / mass).astype(dtype)
        inputs = _plan.Batch(rows, targets, shares, dtype.type(1.0 / mass))
        work = self._work
        if gradient is not None:
            work = work._replace(gradient=gradient)
        if sizes is not None:
            work.sums[:] = 0.0
            work.sums[0] = sizes
            self._measure_norms()
        work.meeting[:] = 0
        plan, code, mask = self._plan, self._code(), self.mask

        def part(number):
            try:
                _network.step(number, n_parts, plan, code, rule, mask, inputs, work)
            except BaseException:
                work.meeting[1] = 1
                raise

        together = getattr(run, "together", lambda part, n: list(run(part, range(n))))
        try:
            together(part, n_parts)
        except BaseException:
            # Let those go who wait for one that never came, and leave them what is
            # theirs.
            work.meeting[1] = 1
            self._forget()
            raise
        n_shards = plan.shards.size - 1
        self._loss = float(work.losses[:n_shards].sum()) * mass

    def _measure_norms(self):
        code = self.spec.code
        if code is not None and code.penalty == "l1":
            above = self.network.weights[code.index + 1]
            self._work.norms[:] = np.linalg.norm(above, axis=1)

    # -- the code -------------------------------------------------------------

    @property
    def thresholds(self):
        """What a code must exceed where a row is encoded alone: (n_codes,), or None."""
        if self._selection == _plan.JUMP:
            return self._thresholds.values
        if self._selection == _plan.BATCH_TOPK:
            n_codes = self.network.sizes[self.spec.code.index + 1]
            mass = self._numbers["mass"]
            least = self._numbers["least"] / mass if mass else 0.0
            return np.full(n_codes, least, dtype=self.network.values.dtype)
        return None

    def _code(self):
        """What kernels know of the code."""
        code = self.spec.code or CodeLayer(0)
        alpha = code.alpha if self._alpha is None else self._alpha.value
        kind = 0 if self._selection or not alpha else PENALTIES[code.penalty]
        if code.penalty == "l1" and self._alpha is not None and not self._selection:
            kind = _plan.L1  # sizes tell what alpha to begin with
        return _plan.Code(
            layer=code.index,
            kind=kind,
            alpha=float(alpha),
            target=float(code.target),
            selection=self._selection or 0,
            n_kept=float(code.n_nonzero or 0.0),
            width=float(self._numbers["width"]),
        )

    def _begin(self, batch):
        """Thresholds and their window, from the first rows.

        So many values exceed the first thresholds as are wanted, or half the window
        lies below them.
        """
        code, numbers = self.spec.code, self._numbers
        numbers["width"] = 1.0  # any
        self._run(batch, self._still(SIZES), map)
        n_codes = self._thresholds.values.size
        values = self._work.before[: len(batch.rows) * n_codes]
        width = BANDWIDTH * float(np.std(values, dtype=np.float64)) or 1.0
        first = 0.5 * width
        if code.n_nonzero is not None:
            share = min(1.0, code.n_nonzero / n_codes)
            first = max(0.0, float(np.quantile(values, 1.0 - share)))
        numbers["width"] = width
        self._thresholds.values[:] = first

    def _learn(self, batch):
        """What follows from a step for the next one."""
        if self.spec.code is None:
            return
        work, n_rows = self._work, len(batch.rows)
        n_shards = self._plan.shards.size - 1
        self.n_nonzero = float(work.counts[:n_shards].sum()) / n_rows
        if self._selection == _plan.BATCH_TOPK:
            numbers, least = self._numbers, float(work.limit[0])
            numbers["least"] += (1.0 - MEMORY) * (least - numbers["least"])
            numbers["mass"] += (1.0 - MEMORY) * (1.0 - numbers["mass"])
        if self._alpha is not None:
            amount = self.n_nonzero
            if self._selection != _plan.JUMP:
                amount = float(work.sums[:n_shards].sum(axis=0) @ work.norms)
            self._alpha.learn(self.n_nonzero, self._loss / self._mass, amount)

    # -- buffers --------------------------------------------------------------

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
        self._plan = _plan.Plan(
            layers=layer_table(network, codes, self._capacity),
            blocks=blocks,
            middles=middles,
            shards=_shards(n_rows),
            loss=LOSSES[spec.loss],
            output=output,
            strengths=strengths,
        )

    def _new_workspace(self):
        network, optimizer = self.network, self.optimizer
        dtype, n_parts, n_rows = network.values.dtype, self._n_parts, self._capacity
        size = n_rows * sum(network.sizes[1:])
        n_shards, n_codes = _shards(n_rows).size - 1, 1
        if self.spec.code is not None:
            n_codes = network.sizes[self.spec.code.index + 1]
        pairs = zip(network.sizes, network.sizes[1:])
        longest = max(max(min(m, MOST_ROWS), 1) * n for m, n in pairs)
        return _plan.Workspace(
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
            before=np.empty(n_rows * n_codes if self._selection else 0, dtype),
            counts=np.zeros(n_shards, dtype=np.int64),
            pulls=np.zeros((n_shards, self._thresholds.values.size)),
            thresholds=self._thresholds,
            limit=np.zeros(1, dtype),
            lists=self._new_lists(n_shards),
            meeting=np.zeros(2, dtype=np.int64),
        )

    def _new_lists(self, n_shards):
        network, n_rows, n_parts = self.network, self._capacity, self._n_parts
        n_features, dtype = network.sizes[0], network.values.dtype
        if network.sizes[1] < _layers.THIN:
            n_rows = 0
        room = n_rows * (n_features // RARITY)
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

    # -- what there is to keep ------------------------------------------------

    def state(self):
        """All that training goes on from: a dict of copies, arrays and numbers."""
        state = {"values": self.network.values.copy()} | self.optimizer.state()
        if self._selection == _plan.JUMP:
            names = self._thresholds._asdict()
            state |= {f"thresholds_{k}": v.copy() for k, v in names.items()}
        if self._selection:
            state |= self._numbers
        if self._alpha is not None:
            state |= self._alpha.numbers
        return state

    def restore(self, state):
        """Go back to what `state` gave."""
        self.network.values[:] = state["values"]
        self.optimizer.restore(state)
        if self._selection == _plan.JUMP:
            for name, values in self._thresholds._asdict().items():
                values[:] = state[f"thresholds_{name}"]
        if self._selection:
            self._numbers = {name: state[name] for name in self._numbers}
        if self._alpha is not None:
            numbers = self._alpha.numbers
            self._alpha.numbers = {name: state[name] for name in numbers}
