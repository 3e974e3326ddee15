"""Time paths and fits with the minimax concave penalty, to a common violation.

    python benchmarks/nonconvex.py [PROBLEM ...] [--gap 1e-6]

Columns are brought to mean square 1, where one gamma means the same to all libraries.
What stands for the gap is the largest violation of stationarity, relative to the
largest correlation with y. Nothing says that two libraries end at the same stationary
point, so the sum of the objectives is shown too, over that of the first. A fit of ours
goes along a path of its own; skglm's descends from 0.
"""

from dataclasses import replace

import measure
import numpy as np
import problems
import scipy.sparse as sp
from judge import mcp_objective_and_violation

GAMMA = 3.0
DIVISORS = (5, 20)


def standardised(problem):
    """The problem without an intercept, alphas down to a twentieth of the largest."""
    X, y = problem.X, problem.y
    if sp.issparse(X):
        X = sp.csc_matrix(X / np.sqrt(X.multiply(X).mean(axis=0)))
    else:
        X, y = X - X.mean(axis=0), y - y.mean()
        X = np.asfortranarray(X / np.sqrt(np.mean(X**2, axis=0)))
    largest = np.max(np.abs(X.T @ y)) / y.size
    alphas = largest * np.geomspace(1.0, 0.05, 50)
    return replace(problem, X=X, y=y, alphas=alphas, fit_intercept=False)


def judge(problem, coefs, intercepts):
    """The worst violation of a path, and the sum of its objectives."""
    judged = [
        mcp_objective_and_violation(problem, coefs[:, [k]].toarray()[:, 0], a, GAMMA)
        for k, a in enumerate(problem.alphas)
    ]
    objectives, violations = zip(*judged)
    return {"gap": max(violations), "objective": float(sum(objectives))}


def main():
    libraries = ["sparselearn", "skglm"]
    parser = measure.arguments(__doc__, libraries=libraries)
    problems.add_to(parser, "mcp-wide")
    options = parser.parse_args()
    records = {}
    for function in ("mcp_path", "mcp_fit"):
        found = measure.start(options.libraries, options.limit, function)
        for name in problems.names(options.problems):
            problem = problems.load(name)
            if problem is None:
                print(f"{name}: no data (set SPARSELEARN_DATA): skipped")
                continue
            problem = standardised(problem)
            cases = {f"{name}, path": problem}
            if function == "mcp_fit":
                largest = problem.alphas[0]
                cases = {
                    f"{name}, alpha_max / {d}": replace(
                        problem, alphas=np.array([largest / d])
                    )
                    for d in DIVISORS
                }
            with measure.on_disk(problem) as folder:
                for title, case in cases.items():
                    rows = measure.compare(
                        found,
                        function,
                        case,
                        options.gap,
                        options.repeats,
                        folder,
                        judge=judge,
                    )
                    records[title] = measure.describe(case, rows)
                    measure.show(title, records[title])
                    first = next(iter(rows.values())).get("objective")
                    for library, row in rows.items():
                        if first and row.get("objective"):
                            print(
                                f"  {library}: objective {row['objective'] / first:.6f}"
                            )
                    measure.save(options, "nonconvex", found, records)
        for library in found.values():
            library.stop()


if __name__ == "__main__":
    main()
