"""Time paths of L1-penalised logistic regression to a common duality gap.

    python benchmarks/logistic.py [PROBLEM ...] [--gap 1e-6]

As `run.py` does for the Lasso; gaps are relative to the loss of the null model.
"""

import libraries
import measure
import problems
from judge import logistic_objective_and_gap


def judge(problem, coefs, intercepts):
    """The worst gap of a path."""
    gaps = [
        logistic_objective_and_gap(
            problem, coefs[:, [k]].toarray()[:, 0], intercepts[k], alpha
        )[1]
        for k, alpha in enumerate(problem.alphas)
    ]
    return {"gap": max(gaps)}


def main():
    names = [*libraries.NAMES, "liblinear"]
    parser = measure.arguments(__doc__, libraries=names)
    problems.add_to(parser, "logistic")
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "logistic_path")
    records = {}
    for name in problems.names(options.problems):
        problem = problems.load(name)
        if problem is None:
            print(f"{name}: no data (set SPARSELEARN_DATA): skipped")
            continue
        rows = measure.compare(
            found,
            "logistic_path",
            problem,
            options.gap,
            options.repeats,
            judge=judge,
        )
        records[name] = measure.describe(problem, rows)
        measure.show(name, records[name])
        measure.save(options, "logistic path", found, records)


if __name__ == "__main__":
    main()
