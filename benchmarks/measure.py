"""What all tables share: libraries in processes of their own, the clock, the files.

A library's process is started once and told what to solve; the seconds are measured
inside it, around the library's own call, so that neither the transfer of data nor
another library's threads are in the clock. A solve that takes too long is ended.
"""

import argparse
import json
import os
import platform
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import libraries
import numpy as np
import scipy.sparse as sp
from judge import worst_gap

__all__ = [
    "COMPILATION",
    "Library",
    "arguments",
    "compare",
    "describe",
    "on_disk",
    "save",
    "show",
    "start",
    "take_turns",
    "tune",
]

HERE = Path(__file__).parent
COMPILATION = 40.0  # seconds that a first call may take beyond the limit
# Seconds between calls: threads of OpenBLAS and OpenMP wait awake for some hundredths
# of a second after their last product, and would take a core from the next library.
PAUSE = 0.2


@dataclass(frozen=True)
class Answer:
    """One timed call: its seconds and what it gave."""

    seconds: float
    coefs: sp.csc_matrix
    intercepts: np.ndarray
    alpha: float | None
    extra_bytes: int | None
    private_bytes: int | None
    coef_bytes: int


class Library:
    """A library in a worker process; `limit` is the time of one call, in seconds.

    The interpreter is this one, or the one that SPARSELEARN_<NAME>_PYTHON names.
    """

    def __init__(self, name, limit):
        self.name, self.limit = name, limit
        variable = f"SPARSELEARN_{name.upper().replace('-', '_')}_PYTHON"
        self.interpreter = os.environ.get(variable, sys.executable)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.interpreter, "-m", "libraries.worker", self.name],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what is read ahead would be hidden from select
        )
        hello = self._read(None)
        self.missing = hello.get("missing")
        self.version = hello.get("version")
        self.tolerances = hello.get("tolerances")
        self.functions = hello.get("functions", [])

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def restart(self):
        self.stop()
        self.start()

    def _read(self, limit):
        if limit and not select.select([self.process.stdout], [], [], limit)[0]:
            self.restart()
            raise TimeoutError(f"over {limit:g} s")
        line = self.process.stdout.readline()
        if not line:
            self.restart()
            raise RuntimeError("its process ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def call(
        self,
        function,
        problem,
        folder,
        *,
        more_time=0.0,
        threads=None,
        private=False,
        mapped=False,
        **options,
    ):
        """Let the library do `function` of `problem`, which lies in `folder`.

        It may take `more_time` seconds more than the limit, and so many `threads` of
        BLAS and OpenMP; None leaves them as they are. With `private` its private memory
        is watched; with `mapped` its arrays are memory maps.

        Raises
        ------
        TimeoutError
            If it takes more than the limit. The process is then a new one.
        RuntimeError
            If the library fails.
        """
        file = folder / f"{self.name}.npz"
        task = {
            "function": function,
            "folder": str(folder),
            "settings": problem.settings(),
            "options": options,
            "threads": threads,
            "private": private,
            "mapped": mapped,
            "answer": str(file),
        }
        self.process.stdin.write(json.dumps(task).encode() + b"\n")
        self._read(None)  # the problem has been read
        answer = self._read(self.limit + more_time)
        with np.load(file) as z:
            parts = z["data"], z["indices"], z["indptr"]
            coefs = sp.csc_matrix(parts, shape=tuple(z["shape"]))
            return Answer(coefs=coefs, intercepts=z["intercepts"], **answer)


def start(names, limit, function):
    """The libraries that are installed and can do `function`; names the others."""
    found = {}
    for name in names:
        library = Library(name, limit)
        if library.missing or function not in library.functions:
            print(f"{name}: skipped: {library.missing or f'it has no {function}'}")
            library.stop()
        else:
            found[name] = library
    return found


@contextmanager
def on_disk(problem):
    """A temporary folder with the problem's arrays as the workers read them."""
    folder = Path(tempfile.mkdtemp(prefix="benchmark-"))
    try:
        for name, array in problem.arrays().items():
            np.save(folder / f"{name}.npy", array)
        yield folder
    finally:
        shutil.rmtree(folder)


def warm_up(library, function, problem, folder):
    """Let what compiles compile: the head of the path, at the loosest tolerance."""
    head = replace(problem, alphas=problem.alphas[:3])
    tol = library.tolerances[0]
    library.call(function, head, folder, more_time=COMPILATION, tol=tol)


def gap_alone(problem, coefs, intercepts):
    """What the judge says of a path with the Lasso's objective."""
    return {"gap": worst_gap(problem, coefs, intercepts)}


def tune(library, function, problem, folder, goal, judge=gap_alone):
    """Find the loosest tolerance whose every gap is at most `goal`.

    Every second tolerance is tried, loose to tight, until one reaches the goal or is
    too slow, and then the one passed over: tight tries are the dear ones.

    Parameters
    ----------
    judge : callable
        ``judge(problem, coefs, intercepts)``, a dict with a `gap`, or what stands for
        one, and more for the row.

    Returns
    -------
    row : dict
        `tol`, the `gap` it reaches, `active` features at the last alpha, no seconds
        yet; and a `note` if the goal was not reached. `tol` None: not to be timed.
    """
    row = {"tol": None, "gap": None, "active": None, "seconds": [], "note": None}
    last = len(library.tolerances) - 1
    tried = [*range(0, last, 2), last]

    def attempt(k):
        tol = library.tolerances[k]
        try:
            answer = library.call(function, problem, folder, tol=tol)
        except TimeoutError:
            warm_up(library, function, problem, folder)
            return "late"
        judged = judge(problem, answer.coefs, answer.intercepts)
        gap = judged["gap"]
        if gap <= goal or k == last:
            active = int((answer.coefs[:, [-1]] != 0).sum())
            row.update(judged, tol=tol, active=active)
        return "reached" if gap <= goal else "short"

    try:
        warm_up(library, function, problem, folder)
        for k in tried:
            outcome = attempt(k)
            if outcome != "short":
                break
        if outcome != "short" and k > 0 and k - 1 not in tried:
            attempt(k - 1)
    except (RuntimeError, TimeoutError) as error:  # a peer's failure is a result
        return row | {"note": str(error), "tol": None}
    if row["tol"] is None:
        row["note"] = f"over {library.limit:g} s"
    elif row["gap"] > goal:
        row["note"] = "missed the gap"
    return row


def take_turns(calls, rows, repeats):
    """Time each of `calls` in turn, `repeats` times over, into its row's seconds.

    In turns, so that a change of the machine's speed meets all.
    """
    for _ in range(repeats):
        for key, call in calls.items():
            if rows[key]["seconds"] is None:
                continue
            time.sleep(PAUSE)
            try:
                rows[key]["seconds"].append(call().seconds)
            except (RuntimeError, TimeoutError) as error:
                rows[key] |= {"seconds": None, "note": str(error)}
    for row in rows.values():
        row["seconds"] = row["seconds"] or None
        row["median"] = statistics.median(row["seconds"]) if row["seconds"] else None


def compare(found, function, problem, goal, repeats, folder=None, *, judge=gap_alone):
    """Take all libraries to the goal on `problem`, and time them there.

    Returns
    -------
    rows : dict
        A row a library, as `tune` makes it, with seconds.
    """
    if folder is None:
        with on_disk(problem) as folder:
            return compare(found, function, problem, goal, repeats, folder, judge=judge)
    rows, calls = {}, {}
    for name, library in found.items():
        rows[name] = row = tune(library, function, problem, folder, goal, judge)
        if row["tol"] is not None:
            calls[name] = lambda library=library, tol=row["tol"]: library.call(
                function, problem, folder, tol=tol
            )
    take_turns(calls, rows, repeats)
    return rows


def describe(problem, rows):
    """The record of one problem for the results' file."""
    active = [row["active"] for row in rows.values() if row.get("active") is not None]
    return {
        "shape": list(problem.X.shape),
        "sparse": sp.issparse(problem.X),
        "fit_intercept": problem.fit_intercept,
        "real": problem.real,
        "active": active[0] if active else None,
        "libraries": rows,
    }


def show(title, record):
    """Print a problem's rows, the fastest first."""
    rows = record["libraries"]
    ours = (rows.get("sparselearn") or {}).get("median")
    n, p = record["shape"]
    width = max(map(len, rows))
    print(f"\n{title}   {n} x {p}, {record['active']} active")
    infinite = float("inf")
    for name, row in sorted(
        rows.items(), key=lambda item: item[1]["median"] or infinite
    ):
        if row["median"] is None:
            print(f"  {name:{width}s} {row['note']}")
            continue
        ratio = f"{row['median'] / ours:7.2f} x ours" if ours else ""
        print(
            f"  {name:{width}s} {row['median']:9.4f} s {ratio}   gap {row['gap']:.1e}"
            f"  {row['note'] or ''}",
            flush=True,
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
        "variables": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.endswith("_NUM_THREADS")
        },
    }


def arguments(description, **defaults):
    """The options that all tables have; a table adds its own and parses."""
    parser = argparse.ArgumentParser(
        description=description.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def add(name, help, **how):
        parser.add_argument(name, help=help, **how)

    add("--libraries", "those to compare", nargs="*", default=list(libraries.NAMES))
    add("--gap", "the duality gap to reach", type=float, default=1e-6)
    add("--repeats", "how often each is timed", type=int, default=5)
    add("--limit", "seconds a solve", type=float, default=120.0)
    add("--out", "write the results as JSON", type=Path)
    parser.set_defaults(**defaults)
    return parser


def save(options, table, found, records, **more):
    """Write what there is so far to --out, if it is given."""
    if not options.out:
        return
    results = {
        "table": table,
        "machine": machine(),
        "versions": {name: library.version for name, library in found.items()},
        "gap": options.gap,
        "limit": options.limit,
        **more,
        "problems": records,
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")
