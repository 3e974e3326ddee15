"""A step of Adam for the units of a sparse autoencoder, by the pairs that are kept.

Pairs of a row and a unit that it keeps are sorted by unit, and one pass over the units
forms a gradient and makes the step while the unit's rows are in the nearest cache.
Where more than a share `DENSE` of all pairs is kept, matrix products are faster, and
are used.
"""

import numpy as np

from sparselearn._kernels._topk import by_unit
from sparselearn._kernels._units import Pairs, descend, move_all, slopes
from sparselearn._kernels._vectors import aligned_zeros
from sparselearn._solvers._slices import slices

__all__ = ["move_units"]

# The share of pairs from which on gradients come from matrix products.
DENSE = 0.2
# Units that are worked on together, at least, and parts of them at most.
UNITS = 64
PARTS = 8


def move_units(units, first, second, moved, signals, kept, rule, run):
    """Move all units, in place.

    Parameters
    ----------
    units, first : Units
        Parameters, and the first moments of their gradients.
    second : Squares
        Second moments.
    moved : int64 ndarray (n_components,)
        The last step that each unit has made.
    signals : Signals
    kept : Kept
        Pairs by row.
    rule : Rule
    run : callable
        ``run(function, items)``, a `map`.

    Returns
    -------
    times_kept : int64 ndarray (n_components,)
        How many rows keep each unit.
    """
    n_units = units.bias.size
    times_kept = np.empty(n_units, dtype=np.int64)
    pairs = Pairs(
        np.empty(n_units + 1, dtype=np.int64),
        np.empty(kept.data.size, dtype=np.int32),
        np.empty_like(kept.data),
    )
    by_unit(*kept, *pairs)
    dense = kept.data.size > DENSE * signals.inputs.shape[0] * n_units
    move = _by_products if dense else _by_pairs
    state = pairs, signals, units, first, second, rule, moved
    parts = slices(0, n_units, max(UNITS, -(-n_units // PARTS)))
    list(run(lambda part: move(part, state, times_kept), parts))
    return times_kept


def _by_pairs(part, state, times_kept):
    _, signals, units, *_ = state
    dtype, n_features = units.decoder.dtype, units.decoder.shape[1]
    n_all = signals.errors.shape[0]
    scratch = (
        aligned_zeros((2, n_features), dtype),
        np.empty((2, n_all), dtype=dtype),
        np.empty((2, n_all), dtype=np.int32),
    )
    descend(part.start, part.stop, *state, times_kept, scratch)


def _by_products(part, state, times_kept):
    pairs, signals, units, first, second, rule, moved = state
    dtype, n_units = units.decoder.dtype, part.stop - part.start
    n_rows, n_all = signals.inputs.shape[0], signals.errors.shape[0]
    dots = signals.errors @ units.decoder[part].T
    codes = np.zeros((n_all, n_units), dtype=dtype)
    by_row = np.zeros((n_rows, n_units), dtype=dtype)
    totals = np.zeros((2, n_units), dtype=dtype)
    slopes(
        part.start,
        part.stop,
        pairs,
        signals,
        dots,
        units.threshold,
        rule,
        times_kept,
        codes,
        by_row,
        totals,
    )
    to_decoder = codes.T @ signals.errors
    to_encoder = by_row.T @ signals.inputs
    if rule.tied:
        to_decoder += to_encoder
    gradients = (to_encoder, to_decoder)
    move_all(part.start, gradients, totals, pairs, units, first, second, rule, moved)
