"""What steps of a dense network work on: pieces, rows and buffers.

Rows and parameters are cut into pieces that do not depend on the number of threads.
"""

import numpy as np

from sparselearn._kernels import _plan
from sparselearn._kernels._layers import SHARD, THIN
from sparselearn._kernels._sparse_rows import HELD, RARITY, ROOM, SPAN, Lists
from sparselearn._kernels._vectors import VECTOR, aligned_zeros
from sparselearn._solvers._batches import OneHot, flat

__all__ = [
    "blocks_of",
    "lot_of_batch",
    "lot_of_pass",
    "new_lists",
    "new_workspace",
    "shards_of",
]

# Parameters of a block: they, their moments and gradient stay in a core's cache.
BLOCK = 2**16
# Rows of a block, at most and at least, if its layer has them.
MOST_ROWS, LEAST_ROWS = HELD, 16


def blocks_of(network):
    """Blocks of rows of the layers' weights, the larger first, and of biases."""
    blocks = []
    for layer, (m, n) in enumerate(zip(network.sizes, network.sizes[1:])):
        if layer < network.n_own:
            # Several of a small layer, each of rows enough for a product to be fast.
            size = max(LEAST_ROWS, min(BLOCK // n, MOST_ROWS, -(-m // 4)))
            size -= size % LEAST_ROWS
            for start in range(0, m, size):
                stop = min(start + size, m)
                blocks.append((-(stop - start) * n, layer, start, stop))
        blocks.append((-n, layer, -1, -1))
    # What is left to the end is small, and threads need not wait for one another long.
    return np.array(sorted(blocks), dtype=np.int64)[:, 1:].copy()


def shards_of(n_rows):
    """Where shards of about equal size begin, an even number of them, and `n_rows`."""
    n_shards = 1 if n_rows <= SHARD // 2 else 2 * -(-n_rows // (2 * SHARD))
    return np.arange(n_shards + 1, dtype=np.int64) * n_rows // n_shards


def _lot(rows, targets, weights, masses, dtype, places=None, shift=None, scale=1.0):
    """A `Lot` without rates; of `rows` as they are if there are no `places`."""
    n_steps, classes = len(masses), np.empty(0, np.int64)
    if isinstance(targets, OneHot):
        classes, targets = targets.codes.astype(np.int64), np.empty(0)
    shares = np.ascontiguousarray(weights).reshape(n_steps, -1) / masses[:, None]
    return _plan.Lot(
        rows=flat(rows, dtype),
        places=np.empty(0, np.int64) if places is None else places,
        shift=np.empty(0, dtype) if shift is None else shift,
        scale=dtype.type(scale),
        targets=flat(np.empty(0) if targets is rows else targets, dtype),
        classes=classes,
        shares=shares.astype(dtype).reshape(-1),
        inverse_masses=(1.0 / masses).astype(dtype),
        rates=np.zeros((n_steps, 2), dtype),
    )


def lot_of_batch(batch, dtype, mass=None):
    """The `Lot` of a step of a batch, and the weights' sum, or the `mass` given."""
    weights = np.ones(len(batch.rows)) if batch.weights is None else batch.weights
    masses = np.array([weights.sum() if mass is None else mass])
    return _lot(batch.rows, batch.targets, weights, masses, dtype), masses


def lot_of_pass(passing, first, n_steps, dtype):
    """The `Lot` of some batches of a `Pass`, all of one size, and their weights' sums.

    Where X is as kernels read it they gather its rows themselves.
    """
    rows, places = passing.rows, passing.places(first, n_steps)
    weights = np.ones(places.size)
    if passing.weights is not None:
        weights = passing.weights[places]
    masses = weights.reshape(n_steps, -1).sum(axis=1)
    targets = rows.X if passing.targets is None else passing.targets
    if not (passing.is_plain and rows.dtype == dtype):
        batch = passing.batch(first, n_steps)
        return _lot(batch.rows, batch.targets, weights, masses, dtype), masses
    places = np.ascontiguousarray(places, dtype=np.int64)
    in_classes = isinstance(targets, OneHot)
    if in_classes:
        targets = targets.take(places)
    here = slice(places[0], places[0] + places.size)
    moved = rows.shift is not None or rows.scale != 1.0
    if not moved and np.array_equal(places, np.arange(here.start, here.stop)):
        X = rows.X[here]
        if not in_classes:
            targets = X if passing.targets is None else targets[here]
        return _lot(X, targets, weights, masses, dtype), masses
    options = {"places": places, "shift": rows.shift, "scale": rows.scale}
    return _lot(rows.X, targets, weights, masses, dtype, **options), masses


def new_workspace(
    network, optimizer, thresholds, *, n_rows, n_parts, n_steps, code, selects
):
    """Buffers for lots of `n_steps` steps of `n_rows` rows, by `n_parts` threads."""
    dtype = network.values.dtype
    size = n_rows * sum(network.sizes[1:])
    n_shards, n_codes = shards_of(n_rows).size - 1, 1
    if code is not None:
        n_codes = network.sizes[code.index + 1]
    pairs = zip(network.sizes, network.sizes[1:])
    longest = max(max(min(m, MOST_ROWS), 1) * n for m, n in pairs)
    return _plan.Workspace(
        values=network.values,
        first=optimizer.first,
        second=optimizer.second,
        gradient=np.empty(0, dtype),
        acts=aligned_zeros(size, dtype),
        deltas=aligned_zeros(size, dtype),
        scratch=aligned_zeros((n_parts, longest), dtype),
        sums=np.zeros((n_shards, n_codes)),
        slopes=np.zeros((n_parts, n_codes), dtype),
        norms=np.zeros(n_codes, dtype),
        losses=np.zeros((n_steps, n_shards)),
        before=np.empty(n_rows * n_codes if selects else 0, dtype),
        counts=np.zeros(n_shards, dtype=np.int64),
        pulls=np.zeros((n_shards, thresholds.values.size)),
        thresholds=thresholds,
        limit=np.zeros(1, dtype),
        lists=new_lists(network, n_rows, n_parts, n_shards),
        meeting=np.zeros(2, dtype=np.int64),
        claims=np.zeros(len(blocks_of(network)), dtype=np.int64),
        rows=aligned_zeros(n_rows * network.sizes[0], dtype),
        targets=np.empty(n_rows * network.sizes[-1], dtype),
    )


def new_lists(network, n_rows, n_parts, n_shards):
    """Room for the entries of `n_rows` rows, if the first layer is to read lists."""
    n_features, dtype = network.sizes[0], network.values.dtype
    if network.sizes[1] < THIN:
        n_rows = 0
    room, lanes = n_rows * (n_features // RARITY + VECTOR), VECTOR // dtype.itemsize
    return Lists(
        index=np.empty(room, dtype=np.int32),
        value=np.empty(room, dtype),
        begin=np.zeros((n_rows, -(-n_features // SPAN) + 1), dtype=np.int64),
        few=np.zeros(n_shards, dtype=bool),
        row=aligned_zeros((n_parts, HELD * ROOM), np.int32),
        sorted=aligned_zeros((n_parts, HELD * ROOM), dtype),
        count=aligned_zeros((n_parts, HELD), np.int64),
        delta=aligned_zeros((n_rows, -(-network.sizes[1] // lanes) * lanes), dtype),
    )
