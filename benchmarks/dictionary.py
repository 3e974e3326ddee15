"""Time to learn a dictionary of image patches to the objective that others reach.

    python benchmarks/dictionary.py [--rows 30000] [--components 256]

SPAMS makes 500 steps of 512 patches, scikit-learn stops as it does by default with
batches of 512. The judge finds the objective of the atoms that come out, on all patches
with the best codes; sparselearn is then timed at the fewest epochs that reach it, from
the same kind of start, a random choice of patches.
"""

import measure
import signals
from judge import dictionary_objective

BATCH = 512
STEPS = 500
OURS = "sparselearn"
EPOCHS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 30)
THREADS = (1, 2)


def settings(n_rows):
    """How long each peer learns, in epochs; None is its default."""
    return {"spams": STEPS * BATCH / n_rows, "scikit-learn": None}


class Learning:
    """Runs of libraries on one problem, each judged once."""

    def __init__(self, found, problem, folder):
        self.found, self.problem, self.folder = found, problem, folder
        self.judged = {}

    def call(self, name, epochs, n_threads):
        return self.found[name].call(
            "learn",
            self.problem,
            self.folder,
            n_jobs=n_threads,
            threads=n_threads,
            epochs=epochs,
            batch_size=BATCH,
            more_time=measure.COMPILATION,
        )

    def objective(self, name, epochs):
        """The objective of what a library learns in so many epochs, and its gap."""
        key = name, epochs
        if key not in self.judged:
            answer = self.call(name, epochs, max(THREADS))
            atoms = answer.coefs.toarray()
            self.judged[key] = dictionary_objective(self.problem, atoms)
        return self.judged[key]

    def fewest(self, goal):
        """Our fewest epochs that reach the objective `goal`; None if none does."""
        reach = (e for e in EPOCHS if self.objective(OURS, e)[0] <= goal)
        return next(reach, None)


def compare(found, problem, repeats):
    """A row for each peer and for us at its objective, by number of threads."""
    rows, calls = {}, {}
    with measure.on_disk(problem) as folder:
        learning = Learning(found, problem, folder)

        def add(title, name, epochs, goal):
            """A row for each number of threads."""
            for n in THREADS:
                key = f"{title}, {n} thread{'s' * (n > 1)}"
                rows[key] = row = {"library": name, "epochs": epochs, "threads": n}
                row |= {"goal": goal, "seconds": [], "note": None}
                row |= {"objective": None, "gap": None}
                if name == OURS and epochs is None:
                    row |= {"seconds": None, "note": f"over {EPOCHS[-1]} epochs"}
                    continue
                try:
                    objective, gap = learning.objective(name, epochs)
                except (RuntimeError, TimeoutError) as error:
                    row |= {"seconds": None, "note": str(error)}
                    continue
                row |= {"objective": float(objective), "gap": float(gap)}
                calls[key] = lambda n=n: learning.call(name, epochs, n)

        for name, epochs in settings(len(problem.X)).items():
            if name not in found:
                continue
            add(name, name, epochs, name)
            goal = next(r["objective"] for r in rows.values() if r["goal"] == name)
            if OURS in found and goal is not None:
                add(f"{OURS} to that of {name}", OURS, learning.fewest(goal), name)
        measure.take_turns(calls, rows, repeats)
    return rows


def show(title, rows):
    print(f"\n{title}")
    for name, row in rows.items():
        if row["median"] is None:
            print(f"  {name:44s} {row['note']}")
            continue
        epochs = "" if row["epochs"] is None else f"{row['epochs']:.3g} epochs, "
        print(
            f"  {name:44s} {row['median']:9.3f} s, {epochs}objective "
            f"{row['objective']:.6f}",
            flush=True,
        )


def main():
    names = [OURS, "spams", "scikit-learn"]
    parser = measure.arguments(__doc__, libraries=names, repeats=3)
    parser.add_argument("--rows", type=int, default=30000)
    parser.add_argument("--components", type=int, nargs="*", default=[256])
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "learn")
    records = {}
    for n_components in options.components:
        problem = signals.patches(options.rows, n_components)
        rows = compare(found, problem, options.repeats)
        title = f"{n_components} atoms"
        records[title] = {
            "shape": list(problem.X.shape),
            "n_components": n_components,
            "alpha": problem.alpha,
            "batch_size": BATCH,
            "libraries": rows,
        }
        show(title, rows)
        measure.save(options, "dictionary learning", found, records)


if __name__ == "__main__":
    main()
