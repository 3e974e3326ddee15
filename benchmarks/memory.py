"""How much memory a fit or a path takes over X, and what its coefficients take.

    python benchmarks/memory.py [--libraries NAME ...] [--small]

Solved to the same gap as elsewhere, each once in a fresh process that has solved a
small problem of the same kind before, so that code is loaded; the peak of resident
memory during the call is taken, less what was resident before it, X among that. Fits
are of estimators with an intercept, as they are by default, at a twentieth of
alpha_max; paths are without one, since not all libraries' paths have it.
"""

from dataclasses import replace

import measure
import problems
import scipy.sparse as sp


def tall(shrink, **options):
    return problems.dense(20000 // shrink, 2000 // shrink, 0.5, 20, **options)


def wide(shrink, **options):
    return problems.dense(1000 // shrink, 40000 // shrink, 0.5, 20, **options)


def text(shrink, **options):
    n, p, density = 20000 // shrink, 100000 // shrink, 1e-3 * shrink
    return problems.text(n, p, density, signal_to_noise=10.0, **options)


TASKS = [("fit", tall), ("fit", wide), ("path", tall), ("path", wide), ("path", text)]


def make(function, kind, shrink):
    problem = kind(shrink, fit_intercept=function == "fit")
    if function == "fit":
        return replace(problem, alphas=problem.alphas[:1] / 20)
    return problem


def weigh(library, function, problem, small, goal):
    """The row of one library: bytes over X at the peak, and of the coefficients."""
    with measure.on_disk(problem) as folder, measure.on_disk(small) as small_folder:
        row = measure.tune(library, function, problem, folder, goal)
        row |= {"extra_bytes": None, "coef_bytes": None}
        if row["tol"] is None:
            return row
        library.restart()
        options = {"tol": row["tol"], "more_time": measure.COMPILATION}
        library.call(function, small, small_folder, **options)
        answer = library.call(function, problem, folder, **options)
        row |= {"extra_bytes": answer.extra_bytes, "coef_bytes": answer.coef_bytes}
        return row


def main():
    names = ["sparselearn", "scikit-learn", "celer", "skglm"]
    parser = measure.arguments(__doc__, libraries=names)
    parser.add_argument("--small", action="store_true", help="a fifth of the sizes")
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "path")
    records = {}
    for function, kind in TASKS:
        problem = make(function, kind, 5 if options.small else 1)
        small = make(function, kind, 40)
        rows = {
            name: weigh(library, function, problem, small, options.gap)
            for name, library in found.items()
            if function in library.functions
        }
        X = problem.X
        parts = (X.data, X.indices, X.indptr) if sp.issparse(X) else (X,)
        record = measure.describe(problem, rows)
        record |= {"function": function, "bytes": sum(part.nbytes for part in parts)}
        title = f"{function}, {kind.__name__}"
        records[title] = record
        n, p = X.shape
        print(f"\n{title}   {n} x {p}, X {record['bytes'] / 2**20:.0f} MiB")
        for name, row in rows.items():
            if row["extra_bytes"] is None:
                print(f"  {name:13s} {row['note'] or 'not known on this system'}")
                continue
            over, coefs = row["extra_bytes"] / 2**20, row["coef_bytes"] / 2**20
            print(f"  {name:13s} {over:8.1f} MiB over X, coefficients {coefs:8.2f} MiB")
        measure.save(options, "memory", found, records)


if __name__ == "__main__":
    main()
