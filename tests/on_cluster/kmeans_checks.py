"""K-means of rows that workers make: see `test_kmeans.py`."""

import dask
import dask.array as da
import numpy as np
from wire import Wire

from sparselearn.cluster import KMeansCoder

N_CHUNKS, ROWS, P, K = 8, 4000, 30, 10
FIGURES = ["components_", "counts_", "inertia_", "n_iter_", "n_nonzero_coefs_"]


def part(k):
    """Rows of a chunk, which nothing compresses."""
    rng = np.random.default_rng(k)
    heaps = np.random.default_rng(99).standard_normal((K, P))
    rows = heaps[rng.integers(K, size=ROWS)] + rng.standard_normal((ROWS, P))
    return rows.astype(np.float32)


def rows():
    make = dask.delayed(part, pure=False)
    chunks = [make(k) for k in range(N_CHUNKS)]
    lazy = [da.from_delayed(c, (ROWS, P), dtype=np.float32) for c in chunks]
    return da.concatenate(lazy)


def of(model):
    return {name: getattr(model, name) for name in FIGURES}


def kmeans(client):
    """What is found here and there, of rows that are made anew or held, and by batches.

    And copies of X that six more passes send, and a score and labels from there.
    """
    model = KMeansCoder(K, n_nonzero_coefs=3, max_iter=8, tol=0.0, random_state=0)
    chain = KMeansCoder(K, whiten="zca", batch_size=500, random_state=0)
    with dask.config.set(scheduler="synchronous"):
        alone = of(model.fit(rows())), of(chain.partial_fit(rows()))
    there = of(model.fit(rows()))
    score, labels = model.score(rows()), model.labels_.compute()
    wire, X, totals = Wire(client), rows().persist(), []
    for max_iter in (2, 2, 8):
        held = of(model.set_params(max_iter=max_iter).fit(X))
        totals.append(wire.total())
    sent = totals[2] - 2 * totals[1] + totals[0]
    sent /= 4 * N_CHUNKS * ROWS * P
    chain = KMeansCoder(K, whiten="zca", batch_size=500, random_state=0)
    there = there, of(chain.partial_fit(rows()))
    return alone, there, held, sent, score, labels
