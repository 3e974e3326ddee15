"""Time Lasso paths to a common duality gap, all libraries in one run.

    python benchmarks/run.py [PROBLEM ...] [--libraries NAME ...] [--gap 1e-6]

Each library is taken through its tolerances, loose to tight, until the judge finds
every gap on the path at most `--gap`; that setting is then timed. The first call,
which compiles, is outside the clock. Libraries take turns, so that a change of the
machine's speed meets all; the median of the repeats is quoted.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path

import libraries
import problems
from judge import worst_gap

DISTRIBUTIONS = {"glmnet": "python-glmnet"}


def timed(library, problem, tol):
    start = time.perf_counter()
    solution = library.solve(problem, tol)
    return time.perf_counter() - start, solution


def tune(library, problem, goal, limit):
    """The loosest tolerance that reaches `goal`, and the gap it reaches."""
    timed(library, problem, library.TOLERANCES[0])
    for tol in library.TOLERANCES:
        seconds, solution = timed(library, problem, tol)
        gap = worst_gap(problem, *solution)
        if gap <= goal or seconds > limit:
            break
    return tol, gap


def compare(problem, modules, goal, repeats, limit):
    """One row a library: tolerance, gap reached, seconds of each repeat."""
    rows = {}
    for name, library in modules.items():
        try:
            tol, gap = tune(library, problem, goal, limit)
        except Exception as error:  # a peer's failure is a result
            print(f"  {name}: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        rows[name] = {"tol": tol, "gap": gap, "seconds": []}
    for _ in range(repeats):
        for name, row in rows.items():
            row["seconds"].append(timed(modules[name], problem, row["tol"])[0])
    return rows


def table(name, rows, goal):
    medians = {k: statistics.median(row["seconds"]) for k, row in rows.items()}
    ours = medians.get("sparselearn")
    print(f"\n{name}")
    for library, row in sorted(rows.items(), key=lambda item: medians[item[0]]):
        ratio = f"{medians[library] / ours:7.2f} x ours" if ours else ""
        missed = "" if row["gap"] <= goal else "  (missed the gap)"
        print(
            f"  {library:13s} {medians[library]:9.4f} s {ratio}"
            f"   gap {row['gap']:.1e}{missed}"
        )


def machine():
    """What the figures were measured on."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((s.split(":")[1].strip() for s in lines if "model name" in s), cpu)
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.system(),
        "date": time.strftime("%Y-%m-%d"),
    }


def version(name):
    return metadata.version(DISTRIBUTIONS.get(name, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    small = [name for name in problems.PROBLEMS if name.startswith(("small", "diab"))]
    parser.add_argument("problems", nargs="*", default=small, metavar="PROBLEM")
    parser.add_argument("--libraries", nargs="*", default=libraries.NAMES)
    parser.add_argument("--gap", type=float, default=1e-6)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120.0, help="seconds a solve")
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    arguments = parser.parse_args()

    modules = {name: libraries.load(name) for name in arguments.libraries}
    for name in [name for name, module in modules.items() if module is None]:
        print(f"{name} is not installed: skipped")
        del modules[name]
    results = {
        "machine": machine(),
        "versions": {name: version(name) for name in modules},
        "gap": arguments.gap,
        "problems": {},
    }
    for name in arguments.problems:
        problem = problems.load(name)
        if problem is None:
            print(f"{name}: no data (set SPARSELEARN_DATA): skipped")
            continue
        rows = compare(
            problem, modules, arguments.gap, arguments.repeats, arguments.limit
        )
        table(name, rows, arguments.gap)
        results["problems"][name] = rows
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
