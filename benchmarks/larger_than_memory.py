"""How much private memory a fit to a memory map takes that is larger than memory.

    python benchmarks/larger_than_memory.py [MODEL ...] [--size 6000] [--features 750]

A float32 file of `--size` megabytes in rows is written, piece by piece, to the folder
that SPARSELEARN_SCRATCH names, or that of temporary files, and deleted in the end: rows
about centres, and a target of a few features. Each model is fitted to it, and
transforms or predicts all rows, in a process of its own that has fitted a few rows
before, so that code is loaded. What learns in passes makes one. Private memory is what
the system can not take back: pages of files are not private. Its peak, interpreter and
libraries included, is taken by a thread that looks every few milliseconds; the peak of
resident memory, of which pages of the file are a part, is beside it.

Whitened rows, as large as the file, are written to another one, some at a time.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import measure
import numpy as np
from libraries.worker import memory, private_peak

from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import MiniBatchDictionaryLearning
from sparselearn.feature_extraction import ZCAWhitening
from sparselearn.linear_model import (
    Lasso,
    LassoCV,
    SparseLogisticRegression,
)
from sparselearn.neural_network import SparseAutoencoder, SparseMLPClassifier

MEGABYTE, MEBIBYTE = 10**6, 2**20
PIECE = 8192  # rows that are written at a time
FEW = 5000  # rows that code is loaded with
N_CENTRES, N_RELEVANT = 16, 10
ONE_PASS = {"max_iter": 1, "random_state": 0, "n_jobs": 2}

# What is fitted, to which target, and what it then does with all rows.
MODELS = {
    "Lasso": (Lasso(0.1), "y", "predict"),
    "LassoCV": (LassoCV(20, eps=0.01, n_jobs=2), "y", "predict"),
    "KMeansCoder": (
        KMeansCoder(N_CENTRES, batch_size=4096, n_nonzero_coefs=4, **ONE_PASS),
        None,
        "transform",
    ),
    "MiniBatchDictionaryLearning": (
        MiniBatchDictionaryLearning(32, n_nonzero_coefs=4, batch_size=1024, **ONE_PASS),
        None,
        "transform",
    ),
    "SparseAutoencoder": (
        SparseAutoencoder(64, n_nonzero_coefs=4, batch_size=256, **ONE_PASS),
        None,
        "transform",
    ),
    "SparseMLPClassifier": (
        SparseMLPClassifier((64,), batch_size=256, **ONE_PASS),
        "labels",
        "predict",
    ),
    "ZCAWhitening": (ZCAWhitening(n_jobs=2), None, "transform"),
    "SparseLogisticRegression": (SparseLogisticRegression(0.05), "labels", "predict"),
}


def write(folder, n_rows, n_features):
    """Write X, y and labels; the same numbers for each size of a piece."""
    rng = np.random.default_rng(0)
    shape = n_rows, n_features
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.float32, shape)
    centres = rng.standard_normal((N_CENTRES, n_features), dtype=np.float32)
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, N_RELEVANT, replace=False)] = rng.choice(
        [-1.0, 1.0], N_RELEVANT
    )
    y = np.empty(n_rows)
    for start in range(0, n_rows, PIECE):
        piece = X[start : start + PIECE]
        piece[:] = rng.standard_normal(piece.shape, dtype=np.float32)
        piece += centres[rng.integers(N_CENTRES, size=len(piece))]
        y[start : start + PIECE] = piece @ coef + rng.standard_normal(len(piece))
    X.flush()
    np.save(folder / "y.npy", y)
    np.save(folder / "labels.npy", (y > np.median(y)).astype(np.int64))


def whiten(model, X, folder):
    """Transform into a file, some rows at a time."""
    out = np.lib.format.open_memmap(folder / "out.npy", "w+", X.dtype, X.shape)
    for start in range(0, len(X), PIECE):
        out[start : start + PIECE] = model.transform(X[start : start + PIECE])
    out.flush()
    (folder / "out.npy").unlink()


def weigh(name, folder):
    """The figures of one model, in this process."""
    model, target, method = MODELS[name]
    X = np.load(folder / "X.npy", mmap_mode="r")
    targets = () if target is None else (np.load(folder / f"{target}.npy"),)
    warnings.simplefilter("ignore")  # one pass is no convergence

    def use(X):
        if name == "ZCAWhitening":
            return whiten(model, X, folder)
        return getattr(model, method)(X)

    few = np.array(X[:FEW])
    model.fit(few, *(values[:FEW] for values in targets))
    use(few)
    row = {"method": method, "before_bytes": memory("RssAnon")}
    for step, function in (("fit", model.fit), ("use", use)):
        others = targets if step == "fit" else ()
        with private_peak() as peaks:
            start = time.perf_counter()
            result = function(X, *others)
            row[f"{step}_seconds"] = time.perf_counter() - start
        row[f"{step}_bytes"] = peaks[-1]
        if step == "use":
            parts = ("data", "indices", "indptr") if hasattr(result, "indptr") else ()
            own = [getattr(result, part).nbytes for part in parts]
            row["result_bytes"] = sum(own) or getattr(result, "nbytes", 0)
        del result
    row["resident_bytes"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return row


def apart(name, folder, limit):
    """The same, in a process of its own."""
    command = [sys.executable, __file__, name, "--inside", str(folder)]
    # What is turned into a temporary file goes where the file lies.
    environment = {**os.environ, "TMPDIR": str(folder)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"note": f"over {limit:g} s"}
    if done.returncode:
        return {"note": (done.stderr.strip().splitlines() or ["ended"])[-1]}
    return {"note": None, **json.loads(done.stdout.splitlines()[-1])}


def show(name, row):
    if row["note"]:
        print(f"{name:28s} {row['note']}", flush=True)
        return
    peak = max(row["fit_bytes"], row["use_bytes"]) / MEBIBYTE
    print(
        f"{name:28s} fit {row['fit_seconds']:7.1f} s {row['fit_bytes'] / MEBIBYTE:6.0f}"
        f" MiB   {row['method']:9s} {row['use_seconds']:6.1f} s "
        f"{row['use_bytes'] / MEBIBYTE:6.0f} MiB   private at most {peak:6.0f}, "
        f"before {row['before_bytes'] / MEBIBYTE:.0f}, resident at most "
        f"{row['resident_bytes'] / MEBIBYTE:.0f} MiB",
        flush=True,
    )


def main():
    parser = measure.arguments(__doc__, libraries=["sparselearn"], limit=3600.0)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--size", type=int, default=6000, help="of X, in megabytes")
    parser.add_argument("--features", type=int, default=750)
    parser.add_argument("--inside", type=Path, help="a folder with X; for this script")
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(weigh(options.models[0], options.inside)))
        return
    names = ("sparselearn", "numpy", "numba", "scikit-learn")
    found = {name: SimpleNamespace(version=metadata.version(name)) for name in names}
    n_rows = options.size * MEGABYTE // (4 * options.features)
    scratch = os.environ.get("SPARSELEARN_SCRATCH")
    folder = Path(tempfile.mkdtemp(prefix="benchmark-", dir=scratch))
    records = {}
    try:
        write(folder, n_rows, options.features)
        for name in options.models:
            records[name] = row = apart(name, folder, options.limit)
            row |= {"shape": [n_rows, options.features]}
            row |= {"bytes": 4 * n_rows * options.features}
            show(name, row)
            measure.save(options, "larger than memory", found, records)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
