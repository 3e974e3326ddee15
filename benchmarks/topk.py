"""Training steps of top-k autoencoders: time for as many steps from the same start.

    python benchmarks/topk.py [--repeats 3] [--units 1000 4096 16384]

784 pixels of MNIST (from the folder that SPARSELEARN_DATA names; random rows without)
go to 1000, 4096 and 16384 units, in float32 and two threads. All libraries meet the
same rows in the same order, and the judge finds the loss of what comes out, in float64.

Rows are centred, as those that a SparseAutoencoder learns from. It knows what zeros of
X have become by that, so our steps are told: four in five pixels are zero, and the
encoder's product is a sum over the others. "zeros unknown" is not told, and its steps
take as long as those of rows without zeros. torch multiplies matrices either way.

torch decodes by a dense product of scattered codes, or by an `embedding_bag`, with Adam
as it is by default or fused. Adam there has a second moment for each entry; ours has
one for each unit, so the losses are near one another but not the same.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import measure
import numpy as np
from judge import topk_loss

THREADS = 2
RATE = 1e-3
# Units, non-zeros, rows of a batch, steps.
SIZES = [(1000, 25, 128, 200), (4096, 32, 128, 60), (16384, 32, 512, 5)]
VARIANTS = {
    "sparselearn": ["adam", "adam, zeros unknown", "no momentum"],
    "torch": ["adam", "adam, bag", "fused", "fused, bag"],
}
WARM_UP = 1  # steps outside the clock


@dataclass(frozen=True)
class Training:
    """Rows to meet once, in order, and what to start from."""

    X: np.ndarray
    zeros: np.ndarray  # what a row of zeros has become
    atoms: np.ndarray
    n_nonzero_coefs: int
    batch_size: int
    real: bool
    rate: float = RATE

    def arrays(self):
        return {"X": self.X, "zeros": self.zeros, "atoms": self.atoms}

    def settings(self):
        return {
            "n_nonzero_coefs": self.n_nonzero_coefs,
            "batch_size": self.batch_size,
            "rate": self.rate,
        }


def digits(n_rows):
    """Rows of MNIST, centred and of mean square 1; random ones if it is not there.

    And what a row of zeros would be among them.
    """
    rng = np.random.default_rng(0)
    file = Path(os.environ.get("SPARSELEARN_DATA", ".")) / "mnist_train60k.npz"
    if file.exists():
        with np.load(file) as found:
            X = found["X"].reshape(len(found["X"]), -1)
        X = X[rng.permutation(len(X))[:n_rows]].astype(np.float64)
    else:
        codes = rng.exponential(size=(n_rows, 200)) * (rng.random((n_rows, 200)) < 0.05)
        X = codes @ rng.standard_normal((200, 784))
    rows = np.vstack([X, np.zeros((1, X.shape[1]))]) - X.mean(axis=0)
    rows = (rows / rows[:-1].std()).astype(np.float32)
    return rows[:-1], rows[-1], file.exists()


def make(n_units, n_nonzero, batch_size, n_steps):
    X, zeros, real = digits(batch_size * n_steps)
    atoms = np.random.default_rng(1).standard_normal((n_units, X.shape[1]))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    atoms = atoms.astype(np.float32)
    return Training(X, zeros, atoms, n_nonzero, batch_size, real)


def compare(found, problem, repeats):
    rows, calls = {}, {}
    with measure.on_disk(problem) as folder:
        for name, library in found.items():
            for variant in VARIANTS[name]:

                def call(library=library, variant=variant, n_rows=None):
                    return library.call(
                        "topk",
                        problem,
                        folder,
                        threads=THREADS,
                        n_jobs=THREADS,
                        variant=variant,
                        n_rows=n_rows,
                        more_time=measure.COMPILATION,
                    )

                key = f"{name}, {variant}"
                call(n_rows=WARM_UP * problem.batch_size)
                answer = call()
                loss = topk_loss(problem, answer.coefs.toarray(), answer.intercepts)
                rows[key] = {"seconds": [], "note": None, "loss": loss}
                calls[key] = call
        measure.take_turns(calls, rows, repeats)
    return rows


def show(title, record):
    print(f"\n{title}")
    rows = record["libraries"]
    ours = rows["sparselearn, adam"]["median"]  # the other ends at another loss
    for name, row in sorted(rows.items(), key=lambda item: item[1]["median"]):
        print(
            f"  {name:26s} {record['shape'][0] / row['median']:9.0f} rows/s"
            f"{row['median'] / ours:7.2f} x ours   loss {row['loss']:.3f}",
            flush=True,
        )


def main():
    parser = measure.arguments(__doc__, libraries=list(VARIANTS), repeats=3)
    units = [size[0] for size in SIZES]
    parser.add_argument("--units", type=int, nargs="*", default=units)
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "topk")
    records = {}
    for size in SIZES:
        if size[0] not in options.units:
            continue
        problem = make(*size)
        title = "{} units, {} non-zeros, batches of {}".format(*size)
        records[title] = {
            "shape": list(problem.X.shape),
            "real": problem.real,
            "threads": THREADS,
            "libraries": compare(found, problem, options.repeats),
        }
        show(title, records[title])
        measure.save(options, "top-k autoencoders", found, records)


if __name__ == "__main__":
    main()
