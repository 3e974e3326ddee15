"""What dask adds to K-means: processor time of a fit to chunks, and of one in memory.

    python benchmarks/kmeans_dask.py [--rows 200000] [--repeats 5]

Rows of 50 features about 100 centres, 100 centroids, 30 passes, in chunks of several
sizes and by the threaded scheduler; the fit in memory has as many threads. Processor
time is that of all threads, and both are taken in turn. From an array as the start both
learn the same, which is checked; from a start of their own they draw different samples.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import dask.array as da
import joblib
import numpy as np

from sparselearn.cluster import KMeansCoder

N_FEATURES, N_COMPONENTS, N_PASSES = 50, 100, 30
CHUNKS = (10000, 20000, 50000)


def make(n_rows, dtype):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((N_COMPONENTS, N_FEATURES))
    rows = centres[rng.integers(N_COMPONENTS, size=n_rows)]
    return (rows + rng.standard_normal(rows.shape)).astype(dtype)


def timed(model, X):
    """Processor time and time of a fit."""
    start = time.process_time(), time.perf_counter()
    model.fit(X)
    return time.process_time() - start[0], time.perf_counter() - start[1]


def compare(X, size, options, repeats):
    """A record: medians, and the ratio of processor times."""
    chunks = da.from_array(X, chunks=(size, N_FEATURES))
    options = {"max_iter": N_PASSES, "tol": 0.0, "random_state": 0} | options
    here = KMeansCoder(N_COMPONENTS, n_jobs=joblib.cpu_count(), **options)
    there = KMeansCoder(N_COMPONENTS, **options)
    timed(here, X[:size]), timed(there, chunks[: 2 * size])  # code is loaded
    pairs = [(timed(here, X), timed(there, chunks)) for _ in range(repeats)]
    median = np.array(
        [
            [statistics.median(pair[i][j] for pair in pairs) for j in (0, 1)]
            for i in (0, 1)
        ]
    )
    if not isinstance(options.get("init", ""), str):
        np.testing.assert_allclose(there.inertia_, here.inertia_, rtol=1e-6)
    return {
        "cpu_in_memory": median[0, 0],
        "cpu_of_chunks": median[1, 0],
        "ratio_of_cpu": median[1, 0] / median[0, 0],
        "seconds_in_memory": median[0, 1],
        "seconds_of_chunks": median[1, 1],
        "ratio_of_inertia": there.inertia_ / here.inertia_,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="a JSON file of the records")
    arguments = parser.parse_args()
    records = {}
    for dtype in ("float32", "float64"):
        X = make(arguments.rows, dtype)
        starts = {"a start that is given": {"init": X[:N_COMPONENTS].astype(float)}}
        for name, options in ({"k-means++": {}} | starts).items():
            for size in CHUNKS:
                record = compare(X, size, options, arguments.repeats)
                key = f"{dtype}, chunks of {size}, {name}"
                records[key] = record
                figures = ", ".join(f"{k} {v:.3g}" for k, v in record.items())
                print(f"{key}: {figures}", flush=True)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(records, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
