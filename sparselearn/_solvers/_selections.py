r"""Which units a row keeps, of their pre-activations p.

Each way has one object, which learns its thresholds and weights as training goes on:

- `TopK`: the k largest p of the row, as far as they are positive.
- `BatchTopK`: the k n largest of n rows together (Bussmann, Leask and Nanda, 2024). A
  row that is encoded alone has no others to compete with, so what p must exceed is then
  the mean, over the steps of training, of the least that was kept.
- `Rectifier`: all p > 0, with an L1 penalty on the codes, ``alpha * sum_j z_j``.
- `JumpRectifier`: all p > theta_j, thresholds learned, with a penalty on the number of
  units kept, ``alpha * sum_j 1[p_j > theta_j]`` (Rajamanoharan et al., 2024).

The weight alpha of the last two may be sought: the one that holds a wanted mean number
of non-zeros.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from sparselearn._kernels._largest import keep_largest
from sparselearn._kernels._topk import add_bias, write_above
from sparselearn._solvers._sought import SoughtWeight

__all__ = [
    "MEMORY",
    "BatchTopK",
    "JumpRectifier",
    "Kept",
    "Rectifier",
    "Selection",
    "TopK",
    "first_threshold",
    "join",
    "keep_above",
    "keep_top",
    "make_selection",
]

# What a mean over the steps keeps of its past at each step.
MEMORY = 0.99


class Kept(NamedTuple):
    """Pairs of rows and the units that they keep, as parts of compressed rows.

    Attributes
    ----------
    data : ndarray (n_pairs,)
        Pre-activations.
    indices : int32 ndarray (n_pairs,)
        Units, ascending in each row.
    lengths : int64 ndarray (n_rows,)
    """

    data: np.ndarray
    indices: np.ndarray
    lengths: np.ndarray

    def rows(self, part):
        """Those of a slice of the rows."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        pairs = slice(ends[part.start], ends[part.stop])
        return Kept(self.data[pairs], self.indices[pairs], self.lengths[part])


def join(found):
    """`Kept` of all rows of a list of them, one after another."""
    return Kept(*map(np.concatenate, zip(*found)))


def keep_above(products, bias, lows):
    """Add `bias` to `products`; keep what then exceeds `lows` (n_units,).

    Parameters
    ----------
    products : ndarray (n_rows, n_units)
        Overwritten by pre-activations.
    bias, lows : ndarray (n_units,)

    Returns
    -------
    Kept
    """
    counts = np.empty(products.shape[0], dtype=np.int64)
    add_bias(products, bias, lows, counts)
    total = counts.sum()
    data = np.empty(total + 1, dtype=products.dtype)
    indices = np.empty(total + 1, dtype=np.int32)
    write_above(products, lows, data, indices)
    return Kept(data[:-1], indices[:-1], counts)


def keep_top(products, bias, n_nonzero):
    """Add `bias` to `products`; keep the largest positive ones, `n_nonzero` a row.

    Among equals those of lower index are kept. As `keep_above`.
    """
    counts = np.empty(products.shape[0], dtype=np.int64)
    add_bias(products, bias, np.zeros_like(bias), counts)
    return _largest(products, counts, np.minimum(counts, n_nonzero))


def _largest(products, counts, lengths):
    """`Kept` of the largest of each row, of which `counts` are positive."""
    starts = np.concatenate([[0], np.cumsum(lengths)])
    data = np.empty(starts[-1] + 1, dtype=products.dtype)
    indices = np.empty(starts[-1] + 1, dtype=np.int32)
    # The bits of positive floats are integers of their order, above those of others.
    keys = products.view(np.int32 if products.dtype == np.float32 else np.int64)
    kept = np.empty(products.shape[1], dtype=keys.dtype)
    places = np.empty(products.shape[1], dtype=np.int32)
    keep_largest(keys, products, counts, starts, kept, places, data, indices)
    return Kept(data[:-1], indices[:-1], lengths)


class Selection(ABC):
    """What all ways to select share. Numbers that training goes on from are `numbers`.

    Attributes
    ----------
    has_thresholds : bool
        Whether units have thresholds to learn.
    penalised : bool
        Whether it is to `learn` from steps what its penalty weighs.
    width : float
        Of the window about these in which units learn, 0 where they have none.
    """

    has_thresholds = False
    penalised = False
    width = 0.0

    def __init__(self):
        self.numbers = {}

    @property
    def cost(self):
        """The weight alpha of the penalty: of a row, times its share of the batch."""
        return 0.0

    @abstractmethod
    def look(self, products, units, parts, run):
        """Look at a batch; return what gives the pairs of some of its rows.

        Parameters
        ----------
        products : ndarray (n_rows, n_units)
            Without biases, which are added here or by what is returned.
        units : Units
        parts : list of slice
            Rows that are worked on together.
        run : callable

        Returns
        -------
        callable
            Of a slice of `parts`, `Kept` of its rows: those that have a code, or are to
            learn from.
        """

    def codes(self, kept, units):
        """The codes of pairs, as of `look`."""
        return kept.data

    @abstractmethod
    def encoding(self, units):
        """How a row is encoded alone: `n_nonzero` and `thresholds`, one is None."""

    def learn(self, n_kept, loss, amount):  # noqa: B027, most learn nothing
        """Follow a step: per row, pairs kept, loss, and what the penalty sums."""


class TopK(Selection):
    """The `n_nonzero` largest of each row."""

    def __init__(self, n_nonzero):
        super().__init__()
        self.n_nonzero = int(n_nonzero)

    def look(self, products, units, parts, run):
        return lambda part: keep_top(products[part], units.bias, self.n_nonzero)

    def encoding(self, units):
        return {"n_nonzero": self.n_nonzero, "thresholds": None}


class BatchTopK(Selection):
    """The largest of a batch, `n_nonzero` a row on average."""

    def __init__(self, n_nonzero):
        super().__init__()
        self.n_nonzero = n_nonzero
        self.numbers = {"least": 0.0, "mass": 0.0}

    def look(self, products, units, parts, run):
        lows = np.zeros_like(units.bias)
        counts = np.empty(products.shape[0], dtype=np.int64)

        def prepare(part):
            add_bias(products[part], units.bias, lows, counts[part])

        list(run(prepare, parts))
        room = round(self.n_nonzero * counts.size)
        total = counts.sum(keepdims=True)
        found = _largest(products.reshape(1, -1), total, np.minimum(total, room))
        rows, units_kept = np.divmod(found.indices, np.int32(products.shape[1]))
        lengths = np.bincount(rows, minlength=counts.size)
        if found.data.size:
            numbers = self.numbers
            least = float(found.data.min())
            numbers["least"] += (1.0 - MEMORY) * (least - numbers["least"])
            numbers["mass"] += (1.0 - MEMORY) * (1.0 - numbers["mass"])
        return Kept(found.data, units_kept, lengths).rows

    def encoding(self, units):
        # The mean started at 0: what it has of steps is `mass`.
        mass = self.numbers["mass"]
        least = self.numbers["least"] / mass if mass else 0.0
        return {"n_nonzero": None, "thresholds": np.full_like(units.bias, least)}


class _Penalised(Selection):
    """Units kept by thresholds, and a penalty: `alpha`, or sought for `n_nonzero`."""

    penalised = True

    def __init__(self, alpha=None, n_nonzero=None):
        super().__init__()
        self.alpha = alpha
        self.n_nonzero = n_nonzero
        self.numbers = SoughtWeight(n_nonzero).numbers

    @property
    def cost(self):
        if self.alpha is not None:
            return self.alpha
        return SoughtWeight(self.n_nonzero, self.numbers).value

    def learn(self, n_kept, loss, amount):
        if self.alpha is None:
            SoughtWeight(self.n_nonzero, self.numbers).learn(n_kept, loss, amount)


class Rectifier(_Penalised):
    """All that are positive, with an L1 penalty."""

    def look(self, products, units, parts, run):
        lows = np.zeros_like(units.bias)
        return lambda part: keep_above(products[part], units.bias, lows)

    def encoding(self, units):
        return {"n_nonzero": None, "thresholds": np.zeros_like(units.bias)}


class JumpRectifier(_Penalised):
    """All above thresholds that are learned, with a penalty on how many there are.

    A unit learns its threshold from the rows whose p is within half the `width` of it.
    """

    has_thresholds = True

    def __init__(self, alpha=None, n_nonzero=None, *, width):
        super().__init__(alpha, n_nonzero)
        self.numbers["width"] = width

    @property
    def width(self):
        return self.numbers["width"]

    def look(self, products, units, parts, run):
        lows = units.threshold - units.threshold.dtype.type(self.width / 2)
        return lambda part: keep_above(products[part], units.bias, lows)

    def codes(self, kept, units):
        # Others are in the window alone.
        return np.where(kept.data > units.threshold[kept.indices], kept.data, 0)

    def encoding(self, units):
        return {"n_nonzero": None, "thresholds": units.threshold.copy()}


def make_selection(spec, width=0.0):
    """The `Selection` that a `SparseSpec` names, `width` that of its window."""
    if spec.selection == "topk":
        return TopK(spec.n_nonzero)
    if spec.selection == "batchtopk":
        return BatchTopK(spec.n_nonzero)
    if spec.selection == "relu":
        return Rectifier(spec.alpha, spec.n_nonzero)
    return JumpRectifier(spec.alpha, spec.n_nonzero, width=width)


def first_threshold(products, n_nonzero, width):
    """What so many of a row's products exceed, on average; half the window, if None."""
    if n_nonzero is None:
        return 0.5 * width
    share = min(1.0, n_nonzero / products.shape[1])
    return max(0.0, float(np.quantile(products, 1.0 - share)))
