"""How many planted atoms are found again, and in what time.

    python benchmarks/planted.py [--seeds 5]

1500 rows of 20 features, each of 3 of 50 random atoms with a tenth of noise. Online
learners make 43 epochs of batches of 200, fewer where they stop by themselves, K-SVD
40 epochs; a planted atom is found if one that was learned has a cosine beyond .99 with
it, up to the sign.
"""

import statistics
from itertools import product

import measure
import numpy as np
import signals
from judge import recovered

# By title: the function, who can do it, and for how long.
LEARNERS = {
    "online, with codes of the Lasso": (
        "learn",
        ["sparselearn", "spams", "scikit-learn"],
        {"epochs": 43, "batch_size": 200},
    ),
    "K-SVD": ("ksvd", ["sparselearn", "ksvd"], {"epochs": 40}),
}
THREADS = (1, 2)


def find(library, function, problems, options):
    """The row of one library: its shares and seconds, seed by seed."""
    row = {"library": library.name, "recovered": [], "seconds": [], "note": None}
    try:
        for problem in [problems[0], *problems]:  # the first call compiles
            with measure.on_disk(problem) as folder:
                answer = library.call(
                    function, problem, folder, more_time=measure.COMPILATION, **options
                )
            share = recovered(problem.planted, answer.coefs.toarray())
            row["recovered"].append(float(share))
            row["seconds"].append(answer.seconds)
    except (RuntimeError, TimeoutError) as error:
        return row | {"seconds": None, "median": None, "note": str(error)}
    for key in ("recovered", "seconds"):
        del row[key][0]
    return row | {"median": statistics.median(row["seconds"])}


def compare(found, function, problems, settings):
    """A row for each library and number of threads."""
    rows = {}
    for n, (name, library) in product(THREADS, found.items()):
        title = f"{name}, {n} thread{'s' * (n > 1)}"
        asked = settings | {"n_jobs": n, "threads": n}
        row = find(library, function, problems, asked)
        rows[title] = row = {"threads": n} | row
        said = row["note"]
        if row["median"] is not None:
            said = f"{np.mean(row['recovered']):.3f} found, {row['median']:.3f} s"
        print(f"  {title:26s} {said}", flush=True)
    return rows


def main():
    names = ["sparselearn", "spams", "scikit-learn", "ksvd"]
    parser = measure.arguments(__doc__, libraries=names)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    problems = [signals.planted(seed) for seed in range(options.seeds)]
    records, everyone = {}, {}
    for title, (function, able, settings) in LEARNERS.items():
        names = [name for name in options.libraries if name in able]
        found = measure.start(names, options.limit, function)
        everyone |= found
        print(title)
        rows = compare(found, function, problems, settings)
        records[title] = {"shape": list(problems[0].X.shape), "libraries": rows}
        measure.save(options, "planted", everyone, records)
        for library in found.values():
            library.stop()


if __name__ == "__main__":
    main()
