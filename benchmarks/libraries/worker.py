"""One library in a process of its own: reads tasks, answers with seconds.

    python -m libraries.worker LIBRARY

It needs numpy, scipy and the library only, so that a library whose requirements
conflict with the others' can live in another environment. A task is a line of JSON;
the problem lies in a folder as .npy files, is read before the clock starts, and the
coefficients are written after it has stopped.
"""

import importlib
import json
import os
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sp

FUNCTIONS = (
    "path",
    "fit",
    "cross_validate",
    "logistic_path",
    "group_path",
    "mcp_path",
    "mcp_fit",
)


def read_problem(folder):
    """X, Fortran-ordered or CSC, and y."""
    if not (folder / "indptr.npy").exists():
        return np.load(folder / "X.npy"), np.load(folder / "y.npy")
    parts = [np.load(folder / f"{part}.npy") for part in ("data", "indices", "indptr")]
    shape = tuple(np.load(folder / "shape.npy"))
    return sp.csc_matrix(tuple(parts), shape=shape), np.load(folder / "y.npy")


def resident(key):
    """VmRSS or VmHWM of this process in bytes; None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(s.split()[1]) * 1024 for s in lines if s.startswith(key + ":"))


def forget_peak():
    """Let VmHWM start again from what is resident now, where the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def stored_bytes(coefs):
    """What the coefficients take as the library returned them."""
    if sp.issparse(coefs):
        coefs = coefs.tocsc()
        return coefs.data.nbytes + coefs.indices.nbytes + coefs.indptr.nbytes
    return np.asarray(coefs).nbytes


def run(library, task, X, y):
    """Carry out one task; the clock is around the library's function alone."""
    problem = SimpleNamespace(
        X=X,
        y=y,
        alphas=np.array(task["alphas"]),
        fit_intercept=task["fit_intercept"],
        group_size=task["group_size"],
    )
    function = getattr(library, task["function"])
    before, peak_known = resident("VmRSS"), forget_peak()
    with warnings.catch_warnings():
        # What a warning would say, that the gap was missed, the judge finds out.
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        coefs, intercepts, *alpha = function(problem, **task["options"])
        seconds = time.perf_counter() - start
    peak = resident("VmHWM")
    sparse = sp.csc_matrix(coefs)
    np.savez(
        task["answer"],
        data=sparse.data,
        indices=sparse.indices,
        indptr=sparse.indptr,
        shape=sparse.shape,
        intercepts=intercepts,
    )
    return {
        "seconds": seconds,
        "alpha": float(alpha[0]) if alpha else None,
        "extra_bytes": peak - before if peak_known else None,
        "coef_bytes": stored_bytes(coefs),
    }


def main(name):
    # Answers go where standard output went; what a library prints joins the errors.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values):
        answers.write(json.dumps(values) + "\n")

    try:
        library = importlib.import_module(f"libraries.{name.replace('-', '_')}_")
    except ModuleNotFoundError as error:
        return answer(missing=str(error))
    answer(
        version=metadata.version(library.DISTRIBUTION),
        tolerances=library.TOLERANCES,
        functions=[f for f in FUNCTIONS if hasattr(library, f)],
    )
    folder = None
    for line in sys.stdin:
        task = json.loads(line)
        if task["folder"] != folder:
            X = y = None  # let the last problem go before the next one comes
            folder = task["folder"]
            X, y = read_problem(Path(folder))
        answer(started=True)
        try:
            answer(**run(library, task, X, y))
        except Exception as error:  # a peer's failure is a result
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
