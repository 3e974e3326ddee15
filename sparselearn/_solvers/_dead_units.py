r"""Units that no row keeps, and two ways to bring them back.

"auxk" (Gao et al., 2024) lets dead units rebuild what the others leave, by a second
loss. With r_i what is left of row i, not differentiated, and q_ij the pre-activations
of the k_aux dead units where they are largest, it is

.. math:: \tfrac{1}{32} \, \min(1, n_{dead} / k_{aux}) \;
          \tfrac12 \| r_i - \sum_j q_{ij} d_j \|^2 .

The q_ij keep their sign: rectified, a unit whose p is negative for all rows would have
no gradient, and never come back. The output's bias has its part in r_i already.

"resample" (Bricken et al., 2023) makes the atom of a dead unit a row that is rebuilt
badly, drawn with a probability in proportion to the square of its loss.

And a way to let none die: `level` holds by their biases how often units are kept.
"""

import numpy as np

from sparselearn._kernels._topk import reconstruct
from sparselearn._solvers._selections import MEMORY, Kept
from sparselearn._solvers._slices import slices

__all__ = ["Reservoir", "level", "resample", "second_errors"]

# Weight of the second loss; dead units in it, at most, a row; and the share of the rows
# of a batch that it is formed of: each costs as much as so many of the first loss. All
# rows of a small one: which are the first is chance.
WEIGHT = 1.0 / 32.0
MOST = 256
SHARE = 4
ROWS = 32
# Rows that are kept to resample from.
ROOM = 512
# Length of a resampled row of the encoder, beside the mean of the others.
SHORT = 0.2


def second_errors(products, errors, shares, dead, decoder, run):
    """Form the slopes of the second loss, after those of the first in `errors`.

    Parameters
    ----------
    products : ndarray (n_rows, n_units)
        Pre-activations.
    errors : ndarray (2 * n_rows, n_features)
        Slopes of the loss in the first half. Of the second as many as there are rows in
        what is returned are written.
    shares : ndarray (n_rows,)
        Of the rows in the batch.
    dead : int ndarray (n_dead,)
    decoder : ndarray (n_units, n_features)
    run : callable

    Returns
    -------
    list of Kept
        Pairs of the first rows of the batch with dead units.
    """
    n_rows = shares.size
    n_seen = max(-(-n_rows // SHARE), min(n_rows, ROWS))
    n_kept = min(dead.size, MOST)
    dtype = products.dtype
    nothing = np.zeros(decoder.shape[1], dtype=dtype)
    # The rows stand for all of the batch.
    weight = dtype.type(WEIGHT * n_kept / MOST * n_rows / n_seen)

    def part(rows):
        some = products[rows][:, dead]
        size = len(some)
        if n_kept < dead.size:
            chosen = np.argpartition(some, dead.size - n_kept, axis=1)[:, -n_kept:]
            chosen.sort(axis=1)
        else:
            chosen = np.broadcast_to(np.arange(n_kept), (size, n_kept))
        data = np.take_along_axis(some, chosen, axis=1).ravel()
        indices = dead[chosen].astype(np.int32).ravel()
        kept = Kept(data, indices, np.full(size, n_kept))
        out = errors[n_rows + rows.start : n_rows + rows.stop]
        reconstruct(*kept, decoder, nothing, out)
        out *= shares[rows, None]
        out += errors[rows]
        out *= weight
        return kept

    return list(run(part, slices(0, n_seen, ROWS)))


class Reservoir:
    """Some of the rows that have passed, drawn in proportion to their squared losses.

    Each row has the key ``log(u) / loss^2`` with a random u, and those of the largest
    keys are kept (Efraimidis and Spirakis, 2006).
    """

    def __init__(self, n_features, dtype):
        self.keys = np.empty(0)
        self.rows = np.empty((0, n_features), dtype=dtype)

    def add(self, rows, losses, generator):
        """Let `rows` (n, n_features) with their `losses` pass."""
        chances = generator.random(losses.size)
        present = np.flatnonzero((losses > 0.0) & np.isfinite(losses))
        with np.errstate(over="ignore", divide="ignore"):
            keys = np.log(chances[present]) / losses[present] ** 2
        order = np.argsort(-np.concatenate([self.keys, keys]), kind="stable")[:ROOM]
        self.keys, self.rows = (
            np.concatenate([self.keys, keys])[order],
            np.concatenate([self.rows, rows[present]])[order],
        )

    def take(self, n):
        """The first `n` rows, those of the largest keys; and forget all."""
        rows = self.rows[:n]
        self.keys, self.rows = self.keys[:0], self.rows[:0]
        return rows

    def state(self):
        return {"reservoir_keys": self.keys.copy(), "reservoir_rows": self.rows.copy()}

    def restore(self, state):
        self.keys = state["reservoir_keys"].copy()
        self.rows = state["reservoir_rows"].copy()


def resample(units, rows, revived, alive):
    """Give the units `revived`, numbers as many as `rows`, these as atoms.

    Their rows of the encoder are short beside those of the units `alive`.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    lengths[lengths == 0.0] = 1.0
    directions = rows / lengths
    units.decoder[revived] = directions
    if len(units.encoder):
        mean = 1.0
        if alive.size:
            mean = np.linalg.norm(units.encoder[alive], axis=1).mean()
        units.encoder[revived] = SHORT * mean * directions
    units.bias[revived] = 0.0
    if units.threshold.size:
        units.threshold[revived] = 0.0


def level(bias, use, kept, shares, step):
    """Raise biases of units that fewer rows keep than the mean unit, lower others.

    As experts of a mixture are balanced (Wang et al., 2024), but in proportion to what
    is missing of the mean, and by `step` at most.

    Parameters
    ----------
    bias : ndarray (n_units,)
        Overwritten.
    use : float64 ndarray (n_units,)
        The share of the rows that keep a unit, a mean over the steps; overwritten.
    kept : Kept
        Pairs of the rows of a batch; others may come after them.
    shares : float64 ndarray (n_rows,)
        Of the rows in the batch.
    step : float
    """
    lengths = kept.lengths[: shares.size]
    units = kept.indices[: lengths.sum()]
    now = np.bincount(units, np.repeat(shares, lengths), minlength=use.size)
    use += (1.0 - MEMORY) * (now - use)
    fair = use.mean()
    if fair > 0.0:
        bias += (step * np.clip(1.0 - use / fair, -1.0, 1.0)).astype(bias.dtype)
