"""How much memory codes of many rows take, their rows in a memory map.

    python benchmarks/coding_memory.py [--rows 1000000]

1e6 rows of 64 features by 1024 atoms, 8 non-zeros each. What counts is the peak of
private memory during the call, over what was private before it: pages of the file are
not private, the codes that are returned are. Only libraries whose codes are sparse.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import measure
import numpy as np
import signals
from judge import squared_errors

MEBIBYTE = 2**20
N_FEATURES, N_COMPONENTS, N_NONZERO = 64, 1024, 8
METHODS = {"sparselearn": ["omp", "ormp"], "spams": ["ormp"]}
CHECKED = 1000  # rows whose codes are held against those of the same rows in memory


@dataclass(frozen=True)
class Many:
    """So many noisy rows on disk, written piece by piece; the first are kept."""

    rows: int
    dtype: str

    def problem(self):
        """Of the first rows."""
        rng = np.random.default_rng(0)
        atoms = signals.unit_rows(rng.standard_normal((N_COMPONENTS, N_FEATURES)))
        X = rng.standard_normal((CHECKED, N_FEATURES)).astype(self.dtype)
        return signals.Signals(
            X, N_COMPONENTS, n_nonzero_coefs=N_NONZERO, atoms=atoms.astype(self.dtype)
        )

    @contextmanager
    def on_disk(self):
        problem = self.problem()
        with measure.on_disk(problem) as folder:
            X = np.lib.format.open_memmap(
                folder / "X.npy", "w+", self.dtype, (self.rows, N_FEATURES)
            )
            for start in range(0, self.rows, CHECKED):
                piece = X[start : start + CHECKED]
                # The first rows with their features in another order: all are alike.
                piece[:] = np.roll(problem.X, start, axis=1)[: len(piece)]
            X.flush()
            del X, piece
            yield folder


def weigh(library, method, many):
    """The row of one library: bytes at the peak, and of the codes."""
    options = {"method": method, "n_jobs": 2, "threads": 2}
    row = {"library": library.name, "method": method, "note": None}
    row |= {"private_bytes": None, "code_bytes": None, "seconds": None}
    problem = many.problem()
    try:
        with measure.on_disk(problem) as folder:  # so that code is loaded
            library.call("encode", problem, folder, **options)
        with many.on_disk() as folder:
            answer = library.call(
                "encode", problem, folder, private=True, mapped=True, **options
            )
    except (RuntimeError, TimeoutError) as error:
        return row | {"note": str(error)}
    codes = answer.coefs.tocsr()
    error = squared_errors(problem, codes[:CHECKED]).mean()
    return row | {
        "private_bytes": answer.private_bytes,
        "code_bytes": answer.coef_bytes,
        "seconds": answer.seconds,
        "loss": float(error / np.mean(np.sum(problem.X**2, axis=1))),
    }


def main():
    parser = measure.arguments(__doc__, libraries=list(METHODS))
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "encode")
    records = {}
    for dtype in ("float64", "float32"):
        many, rows = Many(options.rows, dtype), {}
        for name, library in found.items():
            for method in METHODS[name]:
                title = f"{name} {method}"
                rows[title] = row = weigh(library, method, many)
                if row["private_bytes"] is None:
                    print(f"{dtype} {title:18s} {row['note'] or 'not known here'}")
                    continue
                over, codes = row["private_bytes"], row["code_bytes"]
                print(
                    f"{dtype} {title:18s} {over / MEBIBYTE:7.0f} MiB, of them codes "
                    f"{codes / MEBIBYTE:.0f}; {row['seconds']:.1f} s",
                    flush=True,
                )
                library.restart()
        records[dtype] = {
            "shape": [options.rows, N_FEATURES],
            "n_components": N_COMPONENTS,
            "n_nonzero_coefs": N_NONZERO,
            "bytes": options.rows * N_FEATURES * np.dtype(dtype).itemsize,
            "libraries": rows,
        }
        measure.save(options, "coding memory", found, records)


if __name__ == "__main__":
    main()
