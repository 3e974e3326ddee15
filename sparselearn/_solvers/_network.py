r"""The learner of dense networks: how a step is cut, and what goes on from it.

`_kernels/_network.py` computes, several steps at a time where nothing has to be decided
between them; `_workspace.py` cuts rows and parameters into pieces.
"""

import numpy as np

from sparselearn._kernels import _activations, _network, _plan
from sparselearn._kernels._adam import ADD, GRADIENT, SIZES, Rule
from sparselearn._solvers._network_spec import (
    ACTIVATIONS,
    AT_ONCE,
    CodeLayer,
    Network,
    NetworkSpec,
    glorot,
    layer_table,
    layer_values,
    used_inputs,
)
from sparselearn._solvers._optimizers import Adam, FullBatch, Momentum
from sparselearn._solvers._sought import SoughtWeight
from sparselearn._solvers._training import Learner
from sparselearn._solvers._workspace import (
    blocks_of,
    lot_of_batch,
    lot_of_pass,
    new_workspace,
    shards_of,
)

__all__ = [
    "AT_ONCE",
    "Adam",
    "CodeLayer",
    "DenseLearner",
    "FullBatch",
    "Momentum",
    "Network",
    "NetworkSpec",
    "glorot",
    "layer_values",
    "used_inputs",
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

# Floating-point operations of the steps that are made in one call: long beside the time
# that a thread needs to wake, short for one who waits to interrupt.
WORK = 4e9
# The most steps, and numbers that are gathered for them where the kernel can not.
MOST_STEPS, MOST_NUMBERS = 64, 2**20
# Width of the window in which thresholds learn, in standard deviations of what a code's
# layer gives at first.
BANDWIDTH = 0.5
# What a mean over the steps keeps of its past at each step.
MEMORY = 0.99


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

    def n_at_once(self, passing):
        """See `Learner.n_at_once`."""
        if self._selection or self._alpha is not None:
            return 1  # what follows from a step is not for kernels
        size = passing.size
        n_steps = WORK / (6.0 * size * self.network.values.size)
        if not passing.is_plain:
            n_steps = min(n_steps, MOST_NUMBERS / (size * self.network.sizes[0]))
        return min(max(1, int(n_steps)), MOST_STEPS)

    def steps(self, passing, first, rates, run):
        """Steps of some batches; see `Learner.steps`."""
        if len(rates) == 1:
            return super().steps(passing, first, rates, run)
        rules = [self.optimizer.next_rule(rate) for rate in rates]
        dtype = self.network.values.dtype
        lot, masses = lot_of_pass(passing, first, len(rules), dtype)
        self._run(lot, masses, rules, run)
        self._learn()
        return self._loss

    def step(self, batch, rate, run):
        """Improve the parameters by one step; see `Learner.step`."""
        if self._selection == _plan.JUMP and not self._numbers["width"]:
            self._begin(batch)
        self._step(batch, self.optimizer.next_rule(rate), run)
        self._learn()
        return self._loss

    def loss_and_gradient(self, batch, run=map):
        """The loss of `batch`, summed; `gradient` becomes that of its mean."""
        self.gradient = np.empty_like(self.network.values)
        self._step(batch, self._still(GRADIENT), run, gradient=self.gradient)
        return self._loss

    def sizes(self, batch, run=map):
        """Weighted sums over the rows of the sizes of their codes: (n_codes,)."""
        self._step(batch, self._still(SIZES), run)
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
        self._step(batch, rule, run, gradient=gradient, mass=mass, sizes=sizes)
        return self._loss

    def _still(self, kind):
        return Rule(kind, *[self.network.values.dtype.type(0.0)] * 4)

    def _step(self, batch, rule, run, mass=None, **given):
        lot, masses = lot_of_batch(batch, self.network.values.dtype, mass)
        self._run(lot, masses, [rule], run, **given)

    def _run(self, lot, masses, rules, run, gradient=None, sizes=None):
        """Run the kernel on the steps of a lot, in as many threads as `run` has."""
        n_parts = getattr(run, "n_threads", 1)
        n_steps = len(rules)
        self._n_rows = lot.shares.size // n_steps
        self._prepare(self._n_rows, n_parts)
        rates = [(rule.rate, rule.epsilon) for rule in rules]
        lot = lot._replace(rates=np.array(rates, self.network.values.dtype))
        work = self._work
        if gradient is not None:
            work = work._replace(gradient=gradient)
        if sizes is not None:
            work.sums[:] = 0.0
            work.sums[0] = sizes
            self._measure_norms()
        work.meeting[:] = 0
        work.claims[:] = 0
        plan, code, mask = self._plan, self._code(), self.mask

        def part(number):
            try:
                _network.steps(number, n_parts, plan, code, rules[0], mask, lot, work)
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
        losses = work.losses[:n_steps, :n_shards].sum(axis=1)
        self._mass, self._loss = masses[-1], float(losses @ masses)

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
        self._step(batch, self._still(SIZES), map)
        n_codes = self._thresholds.values.size
        values = self._work.before[: len(batch.rows) * n_codes]
        width = BANDWIDTH * float(np.std(values, dtype=np.float64)) or 1.0
        first = 0.5 * width
        if code.n_nonzero is not None:
            share = min(1.0, code.n_nonzero / n_codes)
            first = max(0.0, float(np.quantile(values, 1.0 - share)))
        numbers["width"] = width
        self._thresholds.values[:] = first

    def _learn(self):
        """What follows from a step for the next one."""
        if self.spec.code is None:
            return
        work, n_rows = self._work, self._n_rows
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
            self._plan = None
            self._work = new_workspace(
                network,
                self.optimizer,
                self._thresholds,
                n_rows=self._capacity,
                n_parts=self._n_parts,
                n_steps=MOST_STEPS,
                code=spec.code,
                selects=self._selection is not None,
            )
        if self._plan is not None and self._plan.shards[-1] == n_rows:
            return
        codes = [ACTIVATIONS[name] for name in spec.activations]
        output, codes[-1] = codes[-1], ACTIVATIONS["identity"]
        strengths = np.tile(np.array([self.l2, self.l1], dtype), (len(codes), 1))
        self._plan = _plan.Plan(
            layers=layer_table(network, codes, self._capacity),
            blocks=blocks_of(network),
            shards=shards_of(n_rows),
            loss=LOSSES[spec.loss],
            output=output,
            strengths=strengths,
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
