"""An online dictionary of rows that workers make: see `test_dictionary.py`."""

import dask
import dask.array as da
import numpy as np
from wire import Wire

from sparselearn.decomposition import MiniBatchDictionaryLearning

N_CHUNKS, ROWS, P, K = 8, 2000, 50, 12
FIGURES = ["components_", "objective_path_", "explained_variance_", "n_replaced_"]


def part(k):
    """Rows of a chunk, which nothing compresses."""
    rng = np.random.default_rng(k)
    planted = np.random.default_rng(99).standard_normal((K, P))
    codes = rng.standard_normal((ROWS, K)) * (rng.random((ROWS, K)) < 0.2)
    return codes @ planted + 0.1 * rng.standard_normal((ROWS, P))


def rows():
    make = dask.delayed(part, pure=False)
    chunks = [make(k) for k in range(N_CHUNKS)]
    return da.concatenate([da.from_delayed(c, (ROWS, P), dtype=float) for c in chunks])


def online(client):
    """What rounds of two chunks find here and there, copies of X sent, and a score.

    There also of chunks that workers hold.
    """
    init = np.repeat(part(0)[:2], K // 2, axis=0)  # twins, which are replaced
    options = {"init": init, "batch_size": 2 * ROWS, "max_iter": 4, "tol": 0.0}
    model = MiniBatchDictionaryLearning(K, random_state=0, **options)
    with dask.config.set(scheduler="synchronous"):
        alone = model.fit(rows())
        alone = {name: getattr(alone, name) for name in FIGURES}
    wire = Wire(client)
    before = wire.total()
    model.fit(rows())
    there = {name: getattr(model, name) for name in FIGURES}
    sent = (wire.total() - before) / (8 * N_CHUNKS * ROWS * P)
    score = model.score(rows())
    kept = rows().persist()
    model.fit(kept + 0.0).fit(kept)
    held = {name: getattr(model, name) for name in FIGURES}
    return alone, there, held, sent, score
