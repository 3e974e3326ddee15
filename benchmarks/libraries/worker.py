"""One library in a process of its own: reads tasks, answers with seconds.

    python -m libraries.worker LIBRARY

It needs numpy, scipy and the library only, so that a library whose requirements
conflict with the others' can live in another environment. A task is a line of JSON;
the problem's arrays lie in a folder as .npy files, are read before the clock starts,
and what the library returns is written after it has stopped.
"""

import contextlib
import importlib
import json
import os
import sys
import threading
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
    "encode",
    "learn",
    "ksvd",
    "train",
    "kmeans",
    "centroid_codes",
    "topk",
)
# A sample of the memory this often meets what lasts longer.
SAMPLING = 0.005


def read_arrays(folder, *, mapped=False):
    """The arrays of a problem by name; a sparse X, which lies in parts, is CSC.

    With `mapped` they are memory maps.
    """
    mode = "r" if mapped else None
    files = sorted(folder.glob("*.npy"))
    arrays = {file.stem: np.load(file, mmap_mode=mode) for file in files}
    if "indptr" in arrays:
        parts = tuple(arrays.pop(part) for part in ("data", "indices", "indptr"))
        arrays["X"] = sp.csc_matrix(parts, shape=tuple(arrays.pop("shape")))
    return arrays


def memory(key):
    """VmRSS, VmHWM or RssAnon of this process in bytes; None where no /proc has it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    found = (int(s.split()[1]) * 1024 for s in lines if s.startswith(key + ":"))
    return next(found, None)


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
        if coefs.format not in ("csc", "csr"):
            coefs = coefs.tocsc()
        return coefs.data.nbytes + coefs.indices.nbytes + coefs.indptr.nbytes
    return np.asarray(coefs).nbytes


@contextlib.contextmanager
def private_peak():
    """Give a list whose last entry is, afterwards, the peak of private memory so far.

    Pages of a file that is mapped are not private. The system keeps no peak of these
    alone, so a thread looks now and then.
    """
    peaks, stop = [memory("RssAnon") or 0], threading.Event()

    def watch():
        while not stop.wait(SAMPLING):
            peaks.append(max(peaks[-1], memory("RssAnon") or 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        stop.set()
        watcher.join()
        peaks.append(max(peaks[-1], memory("RssAnon") or 0))


@contextlib.contextmanager
def threads(number):
    """At most so many threads of BLAS and OpenMP; None leaves them as they are."""
    if number is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(number):
        yield


def run(library, task, arrays):
    """Carry out one task; the clock is around the library's function alone."""
    settings = task["settings"]
    if "alphas" in settings:
        settings["alphas"] = np.array(settings["alphas"])
    problem = SimpleNamespace(**arrays, **settings)
    function = getattr(library, task["function"])
    watched = private_peak() if task["private"] else contextlib.nullcontext([])
    before, private = memory("VmRSS"), memory("RssAnon")
    peak_known = forget_peak()
    with warnings.catch_warnings(), threads(task["threads"]), watched as peaks:
        # What a warning would say, that the gap was missed, the judge finds out.
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        returned = function(problem, **task["options"])
        seconds = time.perf_counter() - start
    peak = memory("VmHWM")
    coefs, *rest = returned if isinstance(returned, tuple) else (returned,)
    intercepts, *alpha = rest or [np.zeros(0)]
    answer = {
        "seconds": seconds,
        "alpha": float(alpha[0]) if alpha else None,
        "extra_bytes": peak - before if peak_known else None,
        "private_bytes": peaks[-1] - private if peaks and private else None,
        "coef_bytes": stored_bytes(coefs),
    }
    sparse = sp.csc_matrix(coefs)
    np.savez(
        task["answer"],
        data=sparse.data,
        indices=sparse.indices,
        indptr=sparse.indptr,
        shape=sparse.shape,
        intercepts=intercepts,
    )
    return answer


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
        tolerances=getattr(library, "TOLERANCES", None),
        functions=[f for f in FUNCTIONS if hasattr(library, f)],
    )
    source = arrays = None
    for line in sys.stdin:
        task = json.loads(line)
        if (task["folder"], task["mapped"]) != source:
            arrays = None  # let the last problem go before the next one comes
            source = task["folder"], task["mapped"]
            arrays = read_arrays(Path(task["folder"]), mapped=task["mapped"])
        answer(started=True)
        try:
            answer(**run(library, task, arrays))
        except Exception as error:  # a peer's failure is a result
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main(sys.argv[1])
