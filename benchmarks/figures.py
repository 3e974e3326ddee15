"""Put the table of figures into the project's README.md, of the results' JSON files.

    python benchmarks/figures.py

A figure is the time of the fastest peer over ours, in one run, where both reached the
same goal. The table stands between two comments in the README; `tests/test_readme.py`
finds out if it is not that of the files.
"""

import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"
OURS = "sparselearn"

# What a user would call it, and the file.
TASKS = [
    ("Lasso paths", "lasso_path"),
    ("Lasso, one alpha", "single_alpha"),
    ("LassoCV", "cross_validation"),
    ("paths of logistic regression", "logistic_path"),
    ("Group Lasso paths", "groups"),
    ("MCP, paths and single fits", "nonconvex"),
    ("Lasso and greedy codes", "coding"),
    ("dictionary learning", "dictionary"),
    ("K-means and its codes", "kmeans"),
    ("autoencoders and perceptrons, training", "networks"),
    ("top-k autoencoders, training", "topk"),
    ("search over 20 sparsities", "sparsity_search"),
]


# Rows of ours that end at a worse objective than a peer's; they are left out.
WORSE = ["sparselearn omp, 2 threads", "sparselearn, no momentum"]


def threads(name):
    """How many threads or processes the name of a row speaks of; 2 if of none."""
    return 1 if "1 thread" in name or "n_jobs=1" in name else 2


def rivals(table, row):
    """What rows must have in common to be compared."""
    if table == "coding":
        return "lasso" if row["method"].startswith("lasso") else "greedy"
    return row.get("goal") if table == "dictionary learning" else None


def cost(row):
    """Seconds, of each row where libraries had a different number of them."""
    return row["median"] / row.get("rows", 1)


def counts(results, row):
    """Whether a row is a time, of a solve that reached the goal."""
    if row.get("median") is None:
        return False
    goal = "tol" in row  # solved to a gap, by tolerances that came down to it
    return not goal or row["gap"] <= results["gap"]


def ratios(results):
    """Of each problem, and each kind of answer, the fastest peer's cost over ours."""
    found = []
    for record in results["problems"].values():
        kinds = {}
        for name, row in record["libraries"].items():
            if threads(name) == 2 and name not in WORSE and counts(results, row):
                sides = kinds.setdefault(rivals(results["table"], row), {})
                sides.setdefault(name.startswith(OURS), []).append(cost(row))
        found += [
            min(sides[False]) / min(sides[True])
            for sides in kinds.values()
            if len(sides) == 2
        ]
    return found


def peers(results):
    """The libraries that took part, in the order of their figures."""
    return ", ".join(name for name in results["versions"] if name != OURS)


def table(folder=HERE / "results"):
    """The lines of the table."""
    lines = [
        "| task | fastest of | problems | times faster, geometric mean | least |",
        "|---|---|---:|---:|---:|",
    ]
    for task, name in TASKS:
        file = folder / f"{name}.json"
        if not file.exists():
            continue
        results = json.loads(file.read_text())
        found = ratios(results)
        mean = np.exp(np.mean(np.log(found)))
        lines.append(
            f"| {task} | {peers(results)} | {len(found)} | {mean:.1f} | "
            f"{min(found):.2f} |"
        )
    return "\n".join(lines)


def main():
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    text = f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
