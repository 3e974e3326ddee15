"""Searches in processes of joblib, that cannot be sent data or are interrupted."""

import os
import resource
import sys
import threading
import traceback
from pathlib import Path

import joblib
import numpy as np
from cluster import write_found
from faults import Gate, hear_interrupts, interrupting, meanwhile, soon
from sklearn.base import BaseEstimator, RegressorMixin
from threadpoolctl import threadpool_info

from sparselearn._parallel import map_threads
from sparselearn.linear_model import Lasso
from sparselearn.model_selection import SparsitySearchCV

FOLDER = Path(sys.argv[1])


class Held(RegressorMixin, BaseEstimator):
    """Fits by coming to a gate."""

    def __init__(self, gate=None, alpha=1.0):
        self.gate = gate
        self.alpha = alpha

    def fit(self, X, y):
        self.coef_ = self.gate(np.zeros(X.shape[1]))
        return self

    def predict(self, X):
        return np.zeros(len(X))


def blas_threads():
    pools = threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


def refused(folder, size=resource.RLIM_INFINITY):
    """What a search of rows too many to pickle says of a folder."""
    os.environ["JOBLIB_TEMP_FOLDER"] = str(folder)
    X = np.zeros((40, 10_000))
    X[:20] = 1.0
    search = SparsitySearchCV(Lasso(), values=[0.1, 0.2], cv=2, n_jobs=2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        with joblib.parallel_config("loky"):
            search.fit(X, X[:, 0])
    except OSError as error:
        return type(error).__name__, str(error), hasattr(search, "cv_results_")
    finally:
        del os.environ["JOBLIB_TEMP_FOLDER"]
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)


def interrupted_processes():
    gate = Gate(FOLDER / "processes", n_held=2)
    search = SparsitySearchCV(
        Held(gate), param_name="alpha", values=[1, 2], cv=3, n_jobs=2
    )
    before = blas_threads()
    try:
        with interrupting(gate), joblib.parallel_config("loky"):
            search.fit(np.zeros((9, 2)), np.arange(9.0))
    except KeyboardInterrupt:
        dead = [gate.wait(0), gate.wait(1)]
        soon(lambda: not any(map(is_working, dead)), "workers are gone")
        return gate.n_arrived(), blas_threads() == before, hasattr(search, "coef_")


def is_working(pid):
    return Path("/proc", str(pid), "exe").exists()


def open_when_left(gate):
    """Let threads go on when the main one waits for them to end."""
    main = threading.main_thread().ident

    def waits():
        frames = traceback.walk_stack(sys._current_frames()[main])
        return "shutdown" in [frame.f_code.co_name for frame, _ in frames]

    gate.wait(1)
    soon(waits, "the main thread waits")
    gate.open()


def interrupted_threads():
    gate = Gate(FOLDER / "threads", n_held=2)
    before = blas_threads()
    try:
        with interrupting(gate), meanwhile(open_when_left, gate):
            map_threads(gate, range(12), n_jobs=2)
    except KeyboardInterrupt:
        return gate.n_arrived(), blas_threads() == before


if __name__ == "__main__":
    hear_interrupts()
    (FOLDER / "file").touch()
    (FOLDER / "small").mkdir()
    found = {
        "no folder": refused(FOLDER / "file" / "inside"),
        "full": refused(FOLDER / "small", size=100_000),
        "processes": interrupted_processes(),
        "threads": interrupted_threads(),
    }
    write_found({name: (True, what) for name, what in found.items()})
