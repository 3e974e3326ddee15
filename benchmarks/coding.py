"""Time codes of image patches by given atoms, all libraries in one run.

    python benchmarks/coding.py [--rows 30000] [--components 256 1024]

Codes of the Lasso and of pursuits with 10 non-zeros, with one thread and with two. The
judge recomputes objectives and squared errors of whatever codes it is given; a library
is compared with the best of all on each row. scikit-learn gets a sixth of the rows, and
its seconds are brought to all of them. The pursuit of SPAMS is ORMP, which chooses the
atom that lowers the error most.
"""

from contextlib import ExitStack
from functools import partial
from itertools import product

import measure
import numpy as np
import signals
from judge import code_gaps, code_objectives, squared_errors

METHODS = {
    "lasso": {
        "sparselearn": ["lasso"],
        "spams": ["lasso"],
        "scikit-learn": ["lasso_cd", "lasso_lars"],
    },
    "pursuit": {
        "sparselearn": ["omp", "ormp"],
        "spams": ["ormp"],
        "scikit-learn": ["omp"],
    },
}
SHARES = {"scikit-learn": 6}
THREADS = (1, 2)


def judged(kind, problem, answer):
    """What each row costs, and the figures of one library's codes."""
    codes = answer.coefs.tocsr()
    found = {"active": codes.nnz / codes.shape[0], "gap": None}
    if kind == "lasso":
        losses = code_objectives(problem, codes)
        found["gap"] = float(np.mean(code_gaps(problem, codes)))
    else:
        losses = squared_errors(problem, codes)
        allowed = np.diff(codes.indptr).max(initial=0) <= problem.n_nonzero_coefs
        found["note"] = None if allowed else "more non-zeros than were asked for"
    return losses, found | {"loss": float(losses.mean())}


def compare(found, kind, problem, repeats):
    """A row for each library, method and number of threads."""
    rows, calls, losses = {}, {}, {}
    with ExitStack() as stack:
        parts = {
            name: problem.head(len(problem.X) // SHARES.get(name, 1)) for name in found
        }
        folders = {
            name: stack.enter_context(measure.on_disk(part))
            for name, part in parts.items()
        }
        settings = [
            (name, method, n)
            for name in found
            for method, n in product(METHODS[kind].get(name, []), THREADS)
        ]
        for name, method, n in settings:
            part = parts[name]
            title = f"{name} {method}, {n} thread{'s' * (n > 1)}"
            row = {"library": name, "method": method, "threads": n, "seconds": []}
            rows[title] = row | {"rows": len(part.X), "note": None}
            options = {"method": method, "n_jobs": n, "threads": n}
            call = partial(found[name].call, "encode", part, folders[name], **options)
            try:
                answer = call(more_time=measure.COMPILATION)
            except (RuntimeError, TimeoutError) as error:
                rows[title] |= {"seconds": None, "note": str(error)}
                continue
            losses[title], figures = judged(kind, part, answer)
            rows[title] |= figures
            calls[title] = call
        measure.take_turns(calls, rows, repeats)
    rank(rows, losses)
    return rows


def rank(rows, losses):
    """Add how far each is above the best of all, in the mean over its rows."""
    best = np.full(max(map(len, losses.values()), default=0), np.inf)
    for found in losses.values():
        np.minimum(best[: len(found)], found, out=best[: len(found)])
    for title, found in losses.items():
        few = best[: len(found)]
        rows[title]["excess"] = float((found.mean() - few.mean()) / few.mean())


def show(title, record):
    """Print a problem's rows."""
    print(f"\n{title}   {record['shape'][0]} x {record['shape'][1]}")
    for name, row in record["libraries"].items():
        if row["median"] is None:
            print(f"  {name:36s} {row['note']}")
            continue
        each = 1e6 * row["median"] / row["rows"]
        print(
            f"  {name:36s} {each:9.2f} us a row, {row['active']:5.1f} non-zeros, loss "
            f"{row['loss']:.6f}, {row['excess']:+.1e}  {row['note'] or ''}",
            flush=True,
        )


def main():
    names = ["sparselearn", "spams", "scikit-learn"]
    parser = measure.arguments(__doc__, libraries=names)
    parser.add_argument("--rows", type=int, default=30000)
    parser.add_argument("--components", type=int, nargs="*", default=[256, 1024])
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "encode")
    records = {}
    for n_components in options.components:
        problem = signals.with_atoms(signals.patches(options.rows, n_components))
        for kind in METHODS:
            rows = compare(found, kind, problem, options.repeats)
            title = f"{kind}, {n_components} atoms"
            records[title] = {
                "shape": list(problem.X.shape),
                "n_components": n_components,
                "alpha": problem.alpha,
                "n_nonzero_coefs": problem.n_nonzero_coefs,
                "libraries": rows,
            }
            show(title, records[title])
            measure.save(options, "coding", found, records)


if __name__ == "__main__":
    main()
