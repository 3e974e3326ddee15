"""Networks of rows that workers make: see `test_networks.py`."""

import dask
import dask.array as da
import numpy as np
from wire import Wire

from sparselearn.neural_network import SparseAutoencoder, SparseMLPClassifier

N_CHUNKS, ROWS, P = 4, 2000, 50
OPTIONS = {"max_iter": 3, "early_stopping": True, "random_state": 0}
MODELS = [SparseAutoencoder(20, **OPTIONS), SparseMLPClassifier((8,), **OPTIONS)]


def part(k):
    """Rows of a chunk, which nothing compresses."""
    return np.random.default_rng(k).standard_normal((ROWS, P))


def data():
    make = dask.delayed(part, pure=False)
    chunks = [make(k) for k in range(N_CHUNKS)]
    X = da.concatenate([da.from_delayed(c, (ROWS, P), dtype=float) for c in chunks])
    return X, (X[:, 0] > X[:, 1]).astype(int)


def learned(model, X, y):
    return [
        *model.coefs_,
        *model.intercepts_,
        model.history_["score"],
        model.score(X, y),
    ]


def networks(client):
    """What two networks learn here and there, and how often X has come here."""
    found, wire = [], Wire(client)
    for model in MODELS:
        with dask.config.set(scheduler="synchronous"):
            here = learned(model.fit(*data()), *data())
        before = wire.total()
        model.fit(*data())
        sent = (wire.total() - before) / (8 * N_CHUNKS * ROWS * P)
        there = learned(model, *data())
        kept = [values.persist() for values in data()]
        found.append((here, there, learned(model.fit(*kept), *kept), sent))
    return found
