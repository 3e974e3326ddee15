"""Time K-means of image patches, and codes by the centroids, all libraries in one run.

    python benchmarks/kmeans.py [--rows 100000] [--components 400] [--epochs 25]

Rows are 6 x 6 patches in colour, whitened, in float32. All start from the same rows and
pass over all rows as often; the judge finds the objective of the centroids that come
out, in float64. It is the mean squared distance from the nearest centroid. Spherical,
each is judged by what it minimises: sparselearn takes directions with either sign,
faiss has a direction and its opposite apart. For codes a row of scikit-learn is
`KMeans.transform` and the numpy that makes triangle codes of distances.
"""

from functools import partial

import measure
import numpy as np
import signals
from judge import centroid_objective, code_differences

NAMES = ["sparselearn", "faiss", "scikit-learn"]


def timed(found, function, problem, settings, n_threads, repeats, judge):
    """A row for each library that can do `function`, with what `judge` says of it."""
    rows, calls = {}, {}
    with measure.on_disk(problem) as folder:
        for name, library in found.items():
            if function not in library.functions:
                continue
            rows[name] = row = {"library": name, "threads": n_threads, "note": None}
            row |= {"rows": len(problem.X), "seconds": [], "loss": None}
            options = {"n_jobs": n_threads, "threads": n_threads, **settings}
            call = partial(library.call, function, problem, folder, **options)
            try:
                answer = call(more_time=measure.COMPILATION)
            except (RuntimeError, TimeoutError) as error:
                row |= {"seconds": None, "note": str(error)}
                continue
            row |= {"loss": judge(name, answer.coefs), "bytes": answer.coef_bytes}
            calls[name] = call
        measure.take_turns(calls, rows, repeats)
    return rows


def learning(found, problem, options, spherical):
    def judge(name, centroids):
        signed = name == "faiss"
        return centroid_objective(
            problem, centroids.toarray(), spherical=spherical, signed=signed
        )

    settings = {"epochs": options.epochs, "spherical": spherical}
    return timed(
        found, "kmeans", problem, settings, options.threads, options.repeats, judge
    )


def coding(found, problem, options, method):
    n_nonzero = problem.n_nonzero_coefs if method == "topk" else None

    def judge(name, codes):
        return code_differences(problem, codes.tocsr(), n_nonzero)

    return timed(
        found,
        "centroid_codes",
        problem,
        {"method": method},
        options.threads,
        options.repeats,
        judge,
    )


def show(title, record):
    """Print a problem's rows."""
    n, p = record["shape"]
    print(f"\n{title}   {n} x {p}, {record['n_components']} centroids")
    for name, row in record["libraries"].items():
        if row["median"] is None:
            print(f"  {name:14s} {row['note']}")
            continue
        print(
            f"  {name:14s} {row['median']:8.3f} s, {record['measure']} "
            f"{row['loss']:.6g}, {row['bytes'] / 2**20:.1f} MiB",
            flush=True,
        )


def main():
    parser = measure.arguments(__doc__, libraries=NAMES, repeats=3)
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--components", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "kmeans")
    size = options.rows, options.components
    patches, blobs = signals.whitened_patches(*size), signals.blobs(*size)
    tables = {
        "whitened patches": (patches, partial(learning, spherical=False)),
        "whitened patches, spherical": (patches, partial(learning, spherical=True)),
        "clouds": (blobs, partial(learning, spherical=False)),
        "triangle codes": (patches, partial(coding, method="triangle")),
        f"the {patches.n_nonzero_coefs} largest of triangle codes": (
            patches,
            partial(coding, method="topk"),
        ),
    }
    records = {}
    for title, (problem, compare) in tables.items():
        codes = compare.func is coding
        records[title] = {
            "shape": list(np.shape(problem.X)),
            "n_components": problem.n_components,
            "epochs": None if codes else options.epochs,
            "measure": "error" if codes else "objective",
            "libraries": compare(found, problem, options),
        }
        show(title, records[title])
        measure.save(options, "kmeans", found, records)


if __name__ == "__main__":
    main()
