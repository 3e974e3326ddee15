r"""The learner of sparse autoencoders: one hidden layer of which a row keeps few units.

With the encoder W_e and the decoder W_d, both (n_components, n_features) with a unit a
row, a row x becomes a code z and is rebuilt,

.. math:: p = x W_e^T + b_e, \quad z = \mathrm{select}(p), \quad \hat x = z W_d + b_d,

and the mean over the rows of the loss of :math:`\hat x`, plus a penalty for some
selections (`_selections.py`), is made small. Rows of W_d, the atoms, have unit length.

Only the first of six matrix products of an autoencoder is needed in full (Gao et al.,
2024): what is rebuilt and all gradients are sums over the pairs of a row and a unit
that it keeps (`_unit_steps.py`).

Rows are to have mean squares of about 1, since atoms have length 1 and Adam's steps are
as long as its rate. A rate of ``1e-3 / sqrt(n_components / 1000)`` leaves few units
that no row keeps: a unit that is kept now and then is thrown far by each of its steps.
"""

import math
from typing import NamedTuple

import numpy as np

from sparselearn._kernels._topk import logistic_errors, reconstruct, squared_errors
from sparselearn._kernels._units import Rule, Signals, Squares, Units, move_row
from sparselearn._kernels._vectors import aligned_zeros
from sparselearn._solvers._dead_units import Reservoir, level, resample, second_errors
from sparselearn._solvers._encoding import Encoding
from sparselearn._solvers._selections import (
    first_threshold,
    join,
    make_selection,
)
from sparselearn._solvers._slices import slices
from sparselearn._solvers._training import Learner
from sparselearn._solvers._unit_steps import move_units

__all__ = ["SparseLearner", "SparseModel", "SparseSpec"]

# Rows that are worked on together.
ROWS = 64
EPSILON = 1e-8
# A rate below this share of the highest is on its way to zero.
FALLEN = 0.99
# So many times the non-zeros are kept where annealing begins.
LOOSE = 4
# Of `SparseLearner.state`.
COUNTERS = ("n_steps", "seen", "_counted")


class SparseSpec(NamedTuple):
    """What is learned, and how.

    Attributes
    ----------
    selection : {"topk", "batchtopk", "jumprelu", "relu"}
    n_nonzero : float or None
        Of a row: at most ("topk", an integer) or on average (the others). For
        "jumprelu" and "relu" in place of `alpha`, which is then sought.
    alpha : float or None
        Weight of the penalty: of the number of non-zeros for "jumprelu", of the sum of
        codes for "relu".
    loss : {"squared_error", "cross_entropy"}
        Of a row: half the sum of squared errors; or minus the log-likelihood of its
        targets, in [0, 1], of which what is rebuilt are the logits.
    tied : bool
        Whether the encoder is the decoder.
    revive : {"auxk", "resample"} or None
        What is done about units that no row keeps.
    patience : float
        A unit that no row has kept for so long is dead: until the weights of these
        rows come to the sum of an epoch's, say.
    bandwidth : float
        Width of the window in which thresholds learn, in standard deviations of p
        before training.
    anneal : float
        The share of the training over which "topk" comes down to `n_nonzero`, from
        `LOOSE` times as many; it is told where it is by `hear`.
    balance : float
        How fast, in units of the rate, biases move so that rows keep all units equally
        often; for "topk" and "batchtopk". 0 leaves them to the loss.
    beta_1, beta_2 : float
        Of Adam. With beta_1 = 0 there are no first moments, which saves a third of the
        memory, and steps exactly equal those of Adam while only units that are kept are
        visited.
    seed : int
        Of what is drawn in training.
    """

    selection: str = "topk"
    n_nonzero: float | None = None
    alpha: float | None = None
    loss: str = "squared_error"
    tied: bool = False
    revive: str | None = "auxk"
    patience: float = 10_000.0
    bandwidth: float = 0.5
    anneal: float = 0.0
    balance: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    seed: int = 0


class SparseModel(NamedTuple):
    """What a learner has learned, for rows as it saw them.

    Attributes
    ----------
    encoder, decoder : ndarray (n_components, n_features), C-ordered
        The same array where weights are tied.
    bias : ndarray (n_components,)
    output_bias : ndarray (n_features,)
    n_nonzero : int or None
        How many of the largest p are kept, as far as they are positive;
    thresholds : ndarray (n_components,) or None
        or what p must exceed.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    bias: np.ndarray
    output_bias: np.ndarray
    n_nonzero: int | None = None
    thresholds: np.ndarray | None = None


class SparseLearner(Learner):
    """Adam on the units of a sparse autoencoder.

    Parameters
    ----------
    spec : SparseSpec
    sample : ndarray (n_rows, n_features)
        Some rows as the learner will see them; its dtype is that of all.
    n_components : int
    random_state : RandomState
        Draws the atoms, of directions that are uniform on the sphere.
    atoms : ndarray (n_components, n_features), optional
        To start from; their lengths do not matter.
    output_bias : ndarray (n_features,), optional
        To start from, such as the logits of the mean of targets; 0 if not given.
    background : ndarray (n_features,), optional
        What most entries of rows are: zeros of X as the learner sees them. No result
        depends on it, but for rounding; steps take less time. 0 if not given.

    Attributes
    ----------
    units : Units
    output_bias : ndarray (n_features,)
    selection : Selection
    n_steps : int
        So far.
    seen : float
        Weights of all rows so far.
    last_kept : float64 ndarray (n_components,)
        What `seen` was when a row last kept the unit.
    """

    def __init__(
        self,
        spec,
        sample,
        n_components,
        random_state,
        *,
        atoms=None,
        output_bias=None,
        background=None,
    ):
        dtype, n_features = sample.dtype, sample.shape[1]
        self.spec = spec
        if atoms is None:
            atoms = random_state.standard_normal((n_components, n_features))
        lengths = np.linalg.norm(atoms, axis=1, keepdims=True)
        decoder = aligned_zeros(atoms.shape, dtype)
        encoder = decoder[:0] if spec.tied else aligned_zeros(atoms.shape, dtype)
        decoder[...] = atoms / lengths
        encoder[...] = decoder[: len(encoder)]
        products = sample @ decoder.T
        width = spec.bandwidth * float(np.std(products, dtype=np.float64))
        self.selection = make_selection(spec, width)
        thresholds = np.zeros(
            n_components if self.selection.has_thresholds else 0, dtype=dtype
        )
        if thresholds.size:
            thresholds[:] = first_threshold(products, spec.n_nonzero, width)
        bias = np.zeros(n_components, dtype=dtype)
        self.units = Units(encoder, decoder, bias, thresholds)
        self.output_bias = np.zeros(n_features, dtype=dtype)
        if output_bias is not None:
            self.output_bias[:] = output_bias
        n_rows = 0 if spec.beta_1 == 0.0 else None
        means = [values[:n_rows] for values in (*self.units, self.output_bias[None])]
        *first, self._first_output = [aligned_zeros(w.shape, dtype) for w in means]
        self._first = Units(*first)
        self._second = Squares(*[np.zeros(len(w), dtype=dtype) for w in self.units])
        self._second_output = np.zeros(1, dtype=dtype)
        self.n_steps, self.seen = 0, 0.0
        self._moved = np.zeros(n_components, dtype=np.int64)
        self.last_kept = np.zeros(n_components)
        self._counts = np.zeros(n_components, dtype=np.int64)
        self._use = np.zeros(n_components)
        self._counted = 0
        self._reservoir = Reservoir(n_features, dtype)
        self._rate = self._top_rate = 0.0
        self._buffers = None
        if background is None:
            background = np.zeros(n_features)
        self._encoding = Encoding(background.astype(dtype))

    # -- a step ---------------------------------------------------------------

    def hear(self, share_done):
        """Keep as many as are due: kept by many rows, all units find a place first.

        The number falls along a line, and then stays (Makhzani and Frey, 2014).
        """
        if self.spec.anneal > 0.0:
            last = self.spec.n_nonzero
            first = min(LOOSE * last, self.units.bias.size)
            left = max(0.0, 1.0 - share_done / self.spec.anneal)
            self.selection.n_nonzero = round(last + left * (first - last))

    def step(self, batch, rate, run):
        self._rate, self._top_rate = rate, max(rate, self._top_rate)
        self.n_steps += 1
        n_rows = len(batch.rows)
        weights = np.ones(n_rows) if batch.weights is None else batch.weights
        shares = weights / weights.sum()
        signals, kept, losses = self._look(batch, shares, run)
        rule = self._rule(rate)
        memory = self._first, self._second, self._moved
        times_kept = move_units(self.units, *memory, signals, kept, rule, run)
        slope = signals.errors[:n_rows].sum(axis=0)
        move_row(self.output_bias, slope, self._first_output, self._second_output, rule)
        if self.spec.balance > 0.0:
            level(self.units.bias, self._use, kept, shares, self.spec.balance * rate)
        if self.selection.penalised:
            n_kept, amount = self._means_of(kept, shares)
            self.selection.learn(n_kept, float(shares @ losses), amount)
        self._count(batch.rows, weights, times_kept, losses)
        return float(weights @ losses)

    def _means_of(self, kept, shares):
        """Of a row, on average, how many units it keeps, and what the penalty sums."""
        lengths = kept.lengths[: shares.size]
        n_pairs = lengths.sum()  # after these come those of dead units
        values, units = kept.data[:n_pairs], kept.indices[:n_pairs]
        lows = self.units.threshold[units] if self.units.threshold.size else 0.0
        fires = values > lows
        share = np.repeat(shares, lengths) * fires
        n_kept = float(share.sum())
        return n_kept, n_kept if self.units.threshold.size else float(share @ values)

    def _look(self, batch, shares, run):
        """What a batch says of the parameters as they are.

        Returns
        -------
        signals : Signals
        kept : Kept
            Pairs of its rows; then those of dead units with the first of its rows.
        losses : float64 ndarray (n_rows,)
        """
        units, n_rows = self.units, shares.size
        products, errors = self._room(n_rows)
        encoder = units.decoder if self.spec.tied else units.encoder
        self._encoding.multiply(batch.rows, encoder, products, run)
        parts = slices(0, n_rows, ROWS)
        pick = self.selection.look(products, units, parts, run)
        rounded = shares.astype(products.dtype)
        losses = np.empty(n_rows)
        slope = squared_errors if self.spec.loss == "squared_error" else logistic_errors

        def rebuild(part):
            kept = pick(part)
            codes = kept._replace(data=self.selection.codes(kept, units))
            reconstruct(*codes, units.decoder, self.output_bias, errors[part])
            slope(errors[part], batch.targets[part], rounded[part], losses[part])
            return kept

        found = list(run(rebuild, parts))
        dead = self.dead_units() if self.spec.revive == "auxk" else np.empty(0, int)
        if dead.size:
            found += second_errors(products, errors, rounded, dead, units.decoder, run)
        kept = join(found)
        costs = rounded * products.dtype.type(self.selection.cost)
        errors = errors[: kept.lengths.size]
        return Signals(batch.rows, errors, costs), kept, losses

    def _room(self, n_rows):
        """Buffers for the products of rows and units, and for two errors a row."""
        if self._buffers is None or len(self._buffers[0]) < n_rows:
            n_units, n_features = self.units.decoder.shape
            dtype = self.units.decoder.dtype
            self._buffers = (
                aligned_zeros((n_rows, n_units), dtype),
                aligned_zeros((2 * n_rows, n_features), dtype),
            )
        products, errors = self._buffers
        return products[:n_rows], errors[: 2 * n_rows]

    def _rule(self, rate):
        """How Adam makes the step, corrected for moments that started at 0."""
        spec, number = self.spec, self.units.decoder.dtype.type
        second = math.sqrt(1.0 - spec.beta_2**self.n_steps)
        return Rule(
            rate=number(rate * second / (1.0 - spec.beta_1**self.n_steps)),
            epsilon=number(EPSILON * second),
            beta_1=number(spec.beta_1),
            beta_2=number(spec.beta_2),
            now=self.n_steps,
            width=number(self.selection.width),
            tied=spec.tied,
        )

    # -- units that no row keeps ----------------------------------------------

    def dead_units(self):
        """Numbers of the units that the last rows, `patience` in all, did not keep."""
        return np.flatnonzero(self.seen - self.last_kept >= self.spec.patience)

    def _count(self, rows, weights, times_kept, losses):
        n_rows = len(rows)
        self.seen += weights.sum()
        self._counts += times_kept
        self._counted += n_rows
        self.last_kept[times_kept > 0] = self.seen
        if self.spec.revive == "resample":
            draw = np.random.default_rng([self.spec.seed, self.n_steps])
            self._reservoir.add(rows, losses * weights, draw)

    def end_epoch(self, run):
        """Revive dead units, if they are to be resampled; figures of the epoch.

        Returns
        -------
        figures : dict
            As `Learner.end_epoch` names them.
        """
        if not self._counted:
            return {}
        figures = {
            "n_nonzero_coefs": float(self._counts.sum() / self._counted),
            "dead_share": float(np.mean(self._counts == 0)),
        }
        # What is put in while the rate falls would stay as it is: worse than dead.
        if self.spec.revive == "resample" and self._rate >= FALLEN * self._top_rate:
            self._resample()
        self._counts[:] = 0
        self._counted = 0
        return figures

    def _resample(self):
        dead = self.dead_units()
        rows = self._reservoir.take(dead.size)
        revived = dead[: len(rows)]
        alive = np.setdiff1d(np.arange(self._moved.size), dead)
        resample(self.units, rows, revived, alive)
        for moments in (self._first, self._second):
            for values in moments:
                if len(values):
                    values[revived] = 0.0
        self._moved[revived] = self.n_steps
        self.last_kept[revived] = self.seen

    # -- what there is to keep ------------------------------------------------

    def model(self):
        """The `SparseModel` of the parameters as they are, copies of them."""
        decoder = self.units.decoder.copy()
        return SparseModel(
            decoder if self.spec.tied else self.units.encoder.copy(),
            decoder,
            self.units.bias.copy(),
            self.output_bias.copy(),
            **self.selection.encoding(self.units),
        )

    def state(self):
        """All that training goes on from: a dict of copies, arrays and numbers."""
        arrays = {name: values.copy() for name, values in self._arrays().items()}
        counters = {name: getattr(self, name) for name in COUNTERS}
        return arrays | counters | self.selection.numbers | self._reservoir.state()

    def restore(self, state):
        """Go back to what `state` gave."""
        for name, values in self._arrays().items():
            values[:] = state[name]
        for name in COUNTERS:
            setattr(self, name, state[name])
        self.selection.numbers = {name: state[name] for name in self.selection.numbers}
        self._reservoir.restore(state)

    def _arrays(self):
        found = {
            "output_bias": self.output_bias,
            "first_output_bias": self._first_output,
            "second_output_bias": self._second_output,
            "moved": self._moved,
            "last_kept": self.last_kept,
            "counts": self._counts,
            "use": self._use,
        }
        groups = {"": self.units, "first_": self._first, "second_": self._second}
        for prefix, units in groups.items():
            found |= {prefix + name: values for name, values in units._asdict().items()}
        return found
