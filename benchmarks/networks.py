"""Samples a second of training dense networks, from the same start on the same batches.

    python benchmarks/networks.py [--rows 20480] [--epochs 3]

Every library makes a step of Adam of each batch of 128 rows of MNIST, single precision,
in the order of a file that is shuffled once; SPARSELEARN_DATA names the folder that has
mnist_train60k.npz, without which rows are made up. A call makes some epochs, as a fit
does: one of a small network is over in a few hundredths of a second. torch runs a loop
written by hand over slices of one tensor: no DataLoader, whose collation would cost it
more than the step. It does so twice, with Adam as it comes and with `fused=True`.
scikit-learn has `MLPClassifier.partial_fit`, which sees a whole epoch in each call.
sparselearn's rows are those of its own loop over such an epoch, below its estimators.
The judge computes the objective that each ends at, in double precision.
"""

import itertools
import os
from dataclasses import dataclass, replace
from pathlib import Path

import measure
import numpy as np
from judge import network_objective

OURS = "sparselearn"
PEERS = {
    "torch": ("torch", {"fused": False}),
    "torch, fused Adam": ("torch", {"fused": True}),
    "scikit-learn": ("scikit-learn", {}),
}
BATCH = 128
RATE = 1e-3
KL = {"alpha": 0.1, "target": 0.05}


@dataclass(frozen=True)
class Training:
    """A network and the rows it learns from.

    `activations` are those of the layers. Of `code`, the number of a layer, the mean
    values over a batch have a KL penalty of weight `alpha` about `target`. An
    autoencoder has no labels `y`; its loss is the cross-entropy, summed over features.
    """

    X: np.ndarray
    y: np.ndarray
    values: np.ndarray
    sizes: tuple
    activations: tuple
    code: int | None
    alpha: float
    target: float
    batch_size: int = BATCH
    rate: float = RATE
    real: bool = True

    def arrays(self):
        return {"X": self.X, "y": self.y, "values": self.values}

    def settings(self):
        names = (
            "sizes",
            "activations",
            "code",
            "alpha",
            "target",
            "batch_size",
            "rate",
        )
        return {name: getattr(self, name) for name in names}

    def head(self, n_rows):
        return replace(self, X=self.X[:n_rows], y=self.y[:n_rows])


NETWORKS = {
    "deep autoencoder 784-64-32-64-784": (
        (784, 64, 32, 64, 784),
        ("relu", "sigmoid", "relu", "sigmoid"),
        1,
    ),
    "KL autoencoder 784-1000-784": ((784, 1000, 784), ("sigmoid", "sigmoid"), 0),
    "perceptron 784-64-64-10": ((784, 64, 64, 10), ("relu", "relu", "softmax"), None),
    "perceptron 784-300-100-10": (
        (784, 300, 100, 10),
        ("relu", "relu", "softmax"),
        None,
    ),
}


def rows_of(n_rows, random_state):
    """Rows of MNIST in [0, 1], shuffled, and labels; made up where there is no file."""
    file = Path(os.environ.get("SPARSELEARN_DATA", "")) / "mnist_train60k.npz"
    if not file.is_file():
        X = random_state.random((n_rows, 784)) * (random_state.random(784) < 0.2)
        return X.astype(np.float32), random_state.integers(0, 10, n_rows), False
    with np.load(file) as data:
        X, y = data["X"].reshape(-1, 784), data["y"]
    order = random_state.permutation(len(X))[:n_rows]
    return X[order].astype(np.float32) / np.float32(255.0), y[order], True


def make(name, n_rows):
    sizes, activations, code = NETWORKS[name]
    random_state = np.random.default_rng(0)
    X, y, real = rows_of(n_rows, random_state)
    values = []
    for m, n in itertools.pairwise(sizes):
        bound = np.sqrt(6.0 / (m + n))
        values += [random_state.uniform(-bound, bound, m * n), np.zeros(n)]
    values = np.concatenate(values).astype(np.float32)
    return Training(X, y, values, sizes, activations, code, **KL, real=real)


def compare(found, problem, options):
    """A row for each library and way, timed in turns."""
    rows, calls = {}, {}
    ways = {OURS: (OURS, {})} | PEERS
    with measure.on_disk(problem) as folder:
        for title, (name, more) in ways.items():
            if name not in found:
                continue
            rows[title] = row = {"seconds": [], "note": None, "objective": None}

            def call(n_epochs=options.epochs, name=name, more=more):
                return found[name].call(
                    "train",
                    problem,
                    folder,
                    n_epochs=n_epochs,
                    n_threads=options.threads,
                    threads=options.threads,
                    more_time=measure.COMPILATION,
                    **more,
                )

            try:
                answer = call()  # compiles, where something is to be compiled
            except (RuntimeError, TimeoutError) as error:
                row |= {"seconds": None, "note": str(error)}
                continue
            row["objective"] = network_objective(problem, answer.coefs.toarray()[:, 0])
            calls[title] = call
        measure.take_turns(calls, rows, options.repeats)
    n_samples = len(problem.X) * options.epochs
    for row in rows.values():
        best = min(row["seconds"]) if row["seconds"] else None
        row["samples_per_second"] = n_samples / row["median"] if best else None
        row["best"] = n_samples / best if best else None
    return rows


def show(title, rows):
    print(f"\n{title}")
    ours = rows.get(OURS, {}).get("samples_per_second")
    for name, row in rows.items():
        if row["median"] is None:
            print(f"  {name:20s} {row['note']}")
            continue
        speed = row["samples_per_second"]
        ratio = f"  ours {ours / speed:5.2f} x" if ours else ""
        print(
            f"  {name:20s} {speed:10.0f} samples/s (best {row['best']:8.0f}){ratio}"
            f"   objective {row['objective']:.5f}",
            flush=True,
        )


def main():
    names = [OURS, "torch", "scikit-learn"]
    parser = measure.arguments(__doc__, libraries=names, repeats=5)
    parser.add_argument("--rows", type=int, default=20480)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "train")
    records = {}
    for title in NETWORKS:
        if not any(part in title for part in options.networks):
            continue
        problem = make(title, options.rows)
        rows = compare(found, problem, options)
        records[title] = {
            "shape": list(problem.X.shape),
            "batch_size": BATCH,
            "threads": options.threads,
            "real": problem.real,
            "libraries": rows,
        }
        show(title, rows)
        measure.save(options, "training networks", found, records)


if __name__ == "__main__":
    main()
