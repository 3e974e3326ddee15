"""Fits that are disturbed: workers that die, a client that stops, chunks that fail."""

import os
import sys
from pathlib import Path

import dask.array as da
import numpy as np
from cluster import local_cluster, run_checks
from distributed import wait
from faults import Gate, hear_interrupts, idle, interrupting, killing
from sklearn.base import clone

from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import MiniBatchDictionaryLearning
from sparselearn.feature_extraction import ZCAWhitening
from sparselearn.linear_model import Lasso

N_ROWS, N_COLUMNS, SIZE = 120, 6, 10
N_CHUNKS = N_ROWS // SIZE
# A model, and how many chunks it reads before its worker dies.
MODELS = {
    "Lasso": (Lasso(0.05), 0),
    "ZCAWhitening": (ZCAWhitening(), 2),
    # In a pass, of which each chunk's part needs what is kept of the one before.
    "KMeansCoder": (
        KMeansCoder(4, tol=0.0, max_iter=4, random_state=0),
        5 * N_CHUNKS + 3,
    ),
    "dictionary": (
        MiniBatchDictionaryLearning(
            4, n_nonzero_coefs=2, batch_size=60, max_iter=3, tol=0.0, random_state=0
        ),
        2 * N_CHUNKS + 4,  # in a round, after those for the start
    ),
}


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, N_COLUMNS))
    return X, X @ np.arange(N_COLUMNS) + rng.standard_normal(N_ROWS)


def chunked(array):
    return da.from_array(array, chunks=(SIZE, *array.shape[1:]))


def gate(name, n_held=1, n_free=0):
    return Gate(Path(sys.argv[1], f"gate-{name}"), n_held, n_free)


def behind(gate, array):
    """Chunks that are read through a gate."""
    return chunked(array).map_blocks(gate, meta=array[:0])


def state(model):
    """What has been learned."""
    return {
        name: value
        for name, value in vars(model).items()
        if name.endswith("_") and isinstance(value, np.ndarray | float)
    }


def undisturbed(client):
    X, y = map(chunked, data())
    return {name: state(clone(model).fit(X, y)) for name, (model, _) in MODELS.items()}


def workers_die(client):
    """Each model's while it reads a chunk, two of the first model's."""
    X, y = data()
    found = {}
    for name, (model, n_free) in MODELS.items():
        held = gate(name, n_free=n_free, n_held=1 if found else 2)
        with killing(held):
            found[name] = state(clone(model).fit(behind(held, X), chunked(y)))
    return found


def a_worker_with_data_dies(client):
    """Half of the chunks are in its memory, as `persist` left them."""
    client.wait_for_workers(2)
    X, y = data()
    held, X = gate("persisted"), chunked(X).persist()
    wait(X)
    n_chunks = {address: len(keys) for address, keys in client.has_what().items()}
    victim = max(n_chunks, key=n_chunks.get)
    with killing(held, client.run(os.getpid)[victim]):
        model = Lasso(0.05).fit(X, behind(held, y))
    return n_chunks[victim], state(model)


def scattered_rows_are_lost(client):
    """They were only in the memory of the worker that dies."""
    client.wait_for_workers(2)
    X, y = data()
    pids = client.run(os.getpid)
    victim = min(pids)
    (future,) = client.scatter([X], workers=[victim])
    held, X = gate("scattered"), da.from_delayed(future, X.shape, dtype=X.dtype)
    model = Lasso()
    try:
        with killing(held, pids[victim]):
            model.fit(X.rechunk((SIZE, N_COLUMNS)), behind(held, y))
    except Exception as error:
        idle(client)
        return type(error).__name__, str(error), state(model)


def a_worker_dies_of_each_try(client):
    """As one does that is out of memory, and is ended by its nanny or the system."""
    client.wait_for_workers(2)
    X, y = data()
    client.run_on_scheduler(allow_failures, 0)
    held, model = gate("each"), Lasso()
    try:
        with killing(held):
            model.fit(behind(held, X), chunked(y))
    except Exception as error:
        idle(client)
        return type(error).__name__, str(error), state(model)
    finally:
        client.run_on_scheduler(allow_failures, 3)


def allow_failures(number, dask_scheduler):
    dask_scheduler.allowed_failures = number


def unreadable(block, path):
    raise OSError(f"no more of {path}")


def a_chunk_cannot_be_read(client):
    """Of 12 chunks one raises; the estimator had been fitted before."""
    X, y = data()
    model = Lasso(0.05).partial_fit(X, y)
    before = state(model)
    parts = [
        chunked(X[:50]),
        chunked(X[50:60]).map_blocks(unreadable, "part-5", meta=X[:0]),
    ]
    try:
        model.partial_fit(da.concatenate([*parts, chunked(X[60:])]), chunked(y))
    except OSError as error:
        idle(client)
        return str(error), before, state(model)


def a_client_is_interrupted(client):
    """Two workers read; the other chunks are not begun."""
    client.wait_for_workers(2)
    X, y = data()
    model = Lasso(0.05).partial_fit(X, y)
    before = state(model)
    found = []
    fits = [(clone(learner), n_free, "fit") for learner, n_free in MODELS.values()]
    for learner, n_free, method in [*fits, (model, 0, "partial_fit")]:
        name = f"interrupted-{len(found)}"
        held = gate(name, n_held=2, n_free=n_free)
        try:
            with interrupting(held):
                getattr(learner, method)(behind(held, X), chunked(y))
        except KeyboardInterrupt:  # what it refers to is alive still
            idle(client)
            held.open()
            idle(client)
            found.append((held.n_arrived() - n_free, state(learner)))
    return before, found


def wait_to_be_interrupted():
    """A fit that only Ctrl-C ends."""
    with local_cluster():
        X, y = data()
        Lasso().fit(behind(gate("ever"), X), chunked(y))


if __name__ == "__main__":
    hear_interrupts()
    if len(sys.argv) > 2:
        wait_to_be_interrupted()
    else:
        run_checks(
            undisturbed,
            workers_die,
            a_chunk_cannot_be_read,
            a_worker_with_data_dies,
            a_client_is_interrupted,
            a_worker_dies_of_each_try,
            scattered_rows_are_lost,
        )
