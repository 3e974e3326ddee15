"""Fit Dask collections on one and on two worker processes, and count what travels.

    python benchmarks/scaling.py [--repeats 3] [--small]

The workers, with one thread each, and the scheduler, in this process, talk over
loopback sockets, whose counter of bytes the system keeps: what crosses between two of
them counts once, what the scheduler hands on twice, and heartbeats, measured while
nothing is done, are taken off. Rows are made where they lie and kept there. Strong
scaling: the same rows, one worker or two. Weak: as many rows a worker. Beside them the
same fit of the same rows in memory, in one thread of this process.

The constants of the cost model of the guide's page on scaling come from here too: what
a task costs that does nothing, and what a byte costs that is carried.
"""

import statistics
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import dask
import dask.array as da
import distributed
import measure
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import sparselearn
from sparselearn._dask import chunks_of, reduced
from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import MiniBatchDictionaryLearning
from sparselearn.linear_model import Lasso, LassoCV
from sparselearn.neural_network import SparseAutoencoder

WORKERS = (1, 2)
COUNTER = Path("/proc/net/dev")  # Linux only


class Task(NamedTuple):
    """A fit to be timed: its sizes, and how it is made.

    Attributes
    ----------
    rows, features, chunks : int
        Of the strong scaling; of the weak one, for each worker.
    make : callable
        Of 1000 of the rows, where it may start: the estimator.
    supervised : bool
    passes : callable
        Of the fitted estimator and the number of rows: how often each row was met.
    rounds : callable or None
        Likewise: how often sums came to the client. None: rows do.
    """

    rows: int
    features: int
    chunks: int
    make: object
    supervised: bool
    passes: object
    rounds: object


def once(model, n_rows):
    return 1


def iterations(model, n_rows):
    return int(model.n_iter_)


def batches(model, n_rows):
    return -(-n_rows // model.batch_size)


def lasso(start):
    return Lasso(0.1)


def lasso_cv(start):
    return LassoCV(cv=5)


def kmeans(start):
    return KMeansCoder(100, init=start[:100], max_iter=10, tol=0.0)


def dictionary(start):
    return MiniBatchDictionaryLearning(
        100, n_nonzero_coefs=5, batch_size=40_000, max_iter=1, init=start[:100]
    )


def autoencoder(start):
    return SparseAutoencoder(100, n_nonzero_coefs=5, max_iter=2, random_state=0)


TASKS = {
    "Lasso": Task(160_000, 500, 16, lasso, True, once, once),
    "LassoCV": Task(160_000, 300, 16, lasso_cv, True, once, once),
    "KMeansCoder": Task(1_600_000, 64, 16, kmeans, False, iterations, iterations),
    "MiniBatchDictionaryLearning": Task(
        320_000, 64, 32, dictionary, False, once, batches
    ),
    "SparseAutoencoder": Task(160_000, 64, 16, autoencoder, False, iterations, None),
}


def some_rows(n_rows, n_features, seed):
    """Rows around planted centres, float32."""
    centres = np.random.default_rng(0).standard_normal((50, n_features)) * 2
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n_rows, n_features), dtype=np.float32)
    return noise + centres[rng.integers(50, size=n_rows)].astype(np.float32)


def target(X):
    """Ten of the features, and noise."""
    coef = np.zeros(X.shape[1], dtype=X.dtype)
    coef[:: X.shape[1] // 10] = 1.0
    noise = np.random.default_rng(int(abs(X[0, 0]) * 1e6)).standard_normal(len(X))
    return X @ coef + noise.astype(X.dtype)


def block(task, size, block_info=None):
    """The rows of one chunk."""
    number = block_info[None]["chunk-location"][0]
    return some_rows(size, task.features, 1 + number)


def collection(task, n_rows, n_chunks):
    """The rows as a dask array, and their targets, not made yet."""
    size = n_rows // n_chunks
    X = da.map_blocks(
        block,
        task,
        size,
        chunks=((size,) * n_chunks, (task.features,)),
        dtype=np.float32,
        meta=np.empty((0, 0), dtype=np.float32),
    )
    return X, da.map_blocks(target, X, drop_axis=1, dtype=np.float32)


def carried():
    """How many bytes have crossed the loopback interface."""
    for line in COUNTER.read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    raise RuntimeError(f"{COUNTER} has no loopback interface.")


@contextmanager
def cluster(n_workers):
    """A client of worker processes with one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
        ) as workers,
        distributed.Client(workers) as client,
    ):
        client.wait_for_workers(n_workers)
        yield client


def idle(seconds=3.0):
    """Bytes a second that cross while nothing is done."""
    time.sleep(1.0)
    before = carried()
    time.sleep(seconds)
    return (carried() - before) / seconds


def timed(call, repeats, noise):
    """Seconds and bytes of `call`, after one call that is not counted."""
    last = call()
    seconds, sizes = [], []
    for _ in range(repeats):
        time.sleep(measure.PAUSE)
        before, begin = carried(), time.perf_counter()
        last = call()
        seconds.append(time.perf_counter() - begin)
        sizes.append(max(0, carried() - before - noise * seconds[-1]))
    return last, {
        "seconds": seconds,
        "median": statistics.median(seconds),
        "bytes": statistics.median(sizes),
    }


def fit(task, start, X, y):
    model = task.make(start)
    return model.fit(X, y) if task.supervised else model.fit(X)


def describe(task, model, n_rows, n_chunks):
    passes = task.passes(model, n_rows)
    rounds = passes if task.rounds is None else task.rounds(model, n_rows)
    return {"rows": n_rows, "chunks": n_chunks, "passes": passes, "rounds": rounds}


def distributed_fit(client, task, n_rows, n_chunks, repeats, noise):
    """The row of one fit on a cluster's workers."""
    X, y = client.persist(collection(task, n_rows, n_chunks))
    distributed.wait([X, y])
    start = some_rows(1000, task.features, 1)  # the head of the first chunk's seed
    model, row = timed(lambda: fit(task, start, X, y), repeats, noise)
    return row | describe(task, model, n_rows, n_chunks)


def fit_in_memory(task, n_rows, n_chunks, repeats):
    """The row of the same fit in this process, in one thread."""
    with dask.config.set(scheduler="synchronous"):
        X, y = dask.compute(*collection(task, n_rows, n_chunks))
    start = some_rows(1000, task.features, 1)
    with threadpool_limits(1):
        model, row = timed(lambda: fit(task, start, X, y), repeats, 0.0)
    return row | describe(task, model, n_rows, n_chunks) | {"bytes": 0}


def nothing(X):
    return 0


def constants(client, noise, repeats):
    """What a task costs that does nothing, and what a byte costs that is carried.

    The latter is the slope of the time of a sum of two chunks' arrays over their
    size: pickled, sent over loopback, added, sent to the client.
    """
    n_chunks = 200
    small = client.persist(da.ones((n_chunks, 1), chunks=(1, 1)))
    distributed.wait(small)
    _, row = timed(lambda: reduced(nothing, chunks_of(small)), repeats, noise)
    tasks = 2 * n_chunks - 1  # a tree's leaves and its sums
    pair = client.persist(da.ones((2, 1), chunks=(1, 1)))
    distributed.wait(pair)
    sums = {}
    for size in (2**20, 2**24):
        _, sums[size] = timed(
            lambda size=size: reduced(lambda X: np.ones(size), chunks_of(pair)),
            repeats,
            noise,
        )
    less, more = sums.values()
    return {
        "seconds a task": row["median"] / tasks,
        "bytes a task": row["bytes"] / tasks,
        "seconds a byte": (more["median"] - less["median"])
        / (more["bytes"] - less["bytes"]),
    }


def show(name, row):
    size = row["bytes"] / row["rounds"]
    print(
        f"  {name:24s} {row['rows']:8d} rows {row['median']:8.3f} s  "
        f"{row['rounds']:4d} rounds of {size / 1e6:9.3f} MB",
        flush=True,
    )


def main():
    parser = measure.arguments(__doc__, repeats=3)
    parser.add_argument("--small", action="store_true", help="a tenth of the rows")
    parser.add_argument("--only", nargs="*", default=list(TASKS))
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # passes are counted out
    shrink = 10 if options.small else 1
    records = {name: {} for name in options.only}
    costs = {}
    for n_workers in WORKERS:
        with cluster(n_workers) as client:
            noise = idle()
            costs[f"{n_workers} workers"] = constants(client, noise, options.repeats)
            print(f"\n{n_workers} workers: {costs[f'{n_workers} workers']}")
            for name in options.only:
                task, rows = TASKS[name], records[name]
                print(name)
                n_rows = task.rows // shrink
                sizes = {"strong": (n_rows, task.chunks)}
                if n_workers > 1:
                    sizes["weak"] = n_rows * n_workers, task.chunks * n_workers
                for kind, size in sizes.items():
                    key = f"{kind}, {n_workers}"
                    rows[key] = distributed_fit(
                        client, task, *size, options.repeats, noise
                    )
                    show(key, rows[key])
    print("\nin memory")
    for name in options.only:
        task = TASKS[name]
        row = fit_in_memory(task, task.rows // shrink, task.chunks, options.repeats)
        records[name]["in memory"] = row
        show(name, row)
    versions = {
        module.__name__: SimpleNamespace(version=module.__version__)
        for module in (sparselearn, dask, distributed)
    }
    problems = {
        name: {
            "features": TASKS[name].features,
            "streamed": TASKS[name].rounds is None,
            "rows": rows,
        }
        for name, rows in records.items()
    }
    measure.save(options, "scaling", versions, problems, constants=costs)


if __name__ == "__main__":
    main()
