"""What a step of a network reads and overwrites.

Arrays are one-dimensional, and matrices lie in them row by row. `layers` has a row a
layer, with the columns named below; layer l's values and deltas begin at its PLACE, of
buffers with room for the largest batch.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._sparse_rows import Lists

__all__ = [
    "ACTIVATION",
    "BATCH_TOPK",
    "BIAS",
    "JUMP",
    "KL",
    "L1",
    "N_IN",
    "N_OUT",
    "PARTNER",
    "PLACE",
    "TIED",
    "TOPK",
    "WEIGHTS",
    "Batch",
    "Code",
    "Lot",
    "Plan",
    "Thresholds",
    "Workspace",
]

# Columns of `layers`. PARTNER of a layer is the one whose weights are this one's
# transposed, or -1; TIED is 1 there, and WEIGHTS those of the other.
N_IN, N_OUT, WEIGHTS, BIAS, ACTIVATION, PLACE, TIED, PARTNER = range(8)
# Kinds of penalty.
KL, L1 = 1, 2
# Which values of a code stay: the largest of a row, of a batch, those above thresholds.
TOPK, BATCH_TOPK, JUMP = 1, 2, 3


class Plan(NamedTuple):
    """What is computed, and how it is cut.

    Attributes
    ----------
    layers : ndarray (n_layers, 8) of int64
    blocks : ndarray (n_blocks, 3) of int64
        What each optimises: rows of a layer's weights, or its biases.
    shards : ndarray (n_shards + 1,) of int64
        Where the shards of rows begin, and the number of rows.
    loss, output : int
        The loss, and the activation that makes the output of the last layer's values;
        in `layers` the last one's is the identity.
    strengths : ndarray (n_layers, 2)
        l2 and l1 of each layer's weights.
    """

    layers: np.ndarray
    blocks: np.ndarray
    shards: np.ndarray
    loss: int
    output: int
    strengths: np.ndarray


class Lot(NamedTuple):
    """The rows of some steps that follow one another, as many in each.

    Attributes
    ----------
    rows : ndarray (n_all * n_features,)
        With those of the steps among them, and before they are shifted.
    places : ndarray (n_steps * n_rows,) of int64
        Which they are; empty where they are all, in their order, and as they are.
    shift : ndarray (n_features or 0,)
        What is taken from each row, unless it is empty.
    scale : float
        By what the rest is multiplied.
    targets : ndarray (n_all * n_outputs,)
        Empty where the rows are their own, or `classes` tell them.
    classes : ndarray (n_steps * n_rows,) of int64
        Which output should be 1, and all others 0; empty where there are `targets`.
    shares : ndarray (n_steps * n_rows,)
        Weights of the rows, of sum 1 in each step.
    inverse_masses : ndarray (n_steps,)
        1 by the sums of their weights.
    rates : ndarray (n_steps, 2)
        Rate and epsilon of each step's rule.
    """

    rows: np.ndarray
    places: np.ndarray
    shift: np.ndarray
    scale: float
    targets: np.ndarray
    classes: np.ndarray
    shares: np.ndarray
    inverse_masses: np.ndarray
    rates: np.ndarray


class Batch(NamedTuple):
    """The rows of one of them.

    Attributes
    ----------
    number : int
        Of the step.
    rows : ndarray (n_rows * n_features,)
    targets : ndarray (n_rows * n_outputs,)
    shares : ndarray (n_rows,)
    inverse_mass : float
    """

    number: int
    rows: np.ndarray
    targets: np.ndarray
    shares: np.ndarray
    inverse_mass: float


class Code(NamedTuple):
    """What becomes of the values of one layer.

    Attributes
    ----------
    layer : int
    kind : int
        Of the penalty; 0 is none.
    alpha, target : float
        Its weight, with `JUMP` that of the number of values that stay; and the mean
        that `KL` asks for.
    selection : int
        Which stay; 0 is all.
    n_kept : float
        How many of a row.
    width : float
        Of the window about a threshold in which it learns.
    """

    layer: int
    kind: int
    alpha: float
    target: float
    selection: int
    n_kept: float
    width: float


class Thresholds(NamedTuple):
    """Of a code with `JUMP`, and their moments; else all empty.

    Attributes
    ----------
    values, first, second : ndarray (n_codes,)
    """

    values: np.ndarray
    first: np.ndarray
    second: np.ndarray


class Workspace(NamedTuple):
    """What a step overwrites.

    Attributes
    ----------
    values, first, second : ndarray (n_parameters,)
        The parameters and their moments.
    gradient : ndarray (n_parameters,), or (0,)
        Where the gradient goes if it is wanted; if not it stays in `scratch`.
    acts, deltas : ndarray
        Layers' values, and derivatives of the loss by what was activated.
    scratch : ndarray (n_parts, size of the largest block)
    sums : ndarray (n_shards, n_codes) of float64
        Sizes of codes, weighted, summed over a shard's rows.
    slopes : ndarray (n_parts, n_codes)
    norms : ndarray (n_codes,)
        Of the weights that a code has in the next layer.
    losses : ndarray (most steps of a lot, n_shards) of float64
        The shards' parts of the mean losses.
    before : ndarray
        Codes before any is dropped, if some are; scratch too.
    counts : ndarray (n_shards,) of int64
        How many codes are not 0.
    pulls : ndarray (n_shards, n_codes or 0) of float64
        Derivatives by thresholds.
    thresholds : Thresholds
    limit : ndarray (1,)
        The least code of a batch that stays.
    lists : Lists
        Of the rows' entries other than zero.
    meeting : ndarray (2,) of int64
        0 before each lot.
    claims : ndarray (n_blocks,) of int64
        0 before each lot: how often a thread has taken a block.
    rows, targets : ndarray (n_rows * n_features,), (n_rows * n_outputs,)
        Where rows are gathered, and targets or made of classes.
    """

    values: np.ndarray
    first: np.ndarray
    second: np.ndarray
    gradient: np.ndarray
    acts: np.ndarray
    deltas: np.ndarray
    scratch: np.ndarray
    sums: np.ndarray
    slopes: np.ndarray
    norms: np.ndarray
    losses: np.ndarray
    before: np.ndarray
    counts: np.ndarray
    pulls: np.ndarray
    thresholds: Thresholds
    limit: np.ndarray
    lists: Lists
    meeting: np.ndarray
    claims: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
