"""Estimators with jobs on a cluster: see `test_joblib.py`.

Most checks return what a fit found without and with the cluster, and how many copies of
X went over the wire meanwhile, from any process to any other.
"""

import importlib
import os
import pkgutil
import signal
import sys
import threading
from pathlib import Path

import joblib
import numpy as np
import scipy.sparse as sp
from cluster import run_checks
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info
from wire import Wire

from sparselearn import _kernels
from sparselearn._parallel import Shared, map_jobs, map_threads
from sparselearn.cluster import KMeansCoder
from sparselearn.feature_selection import StabilitySelector
from sparselearn.linear_model import (
    Lasso,
    LassoCV,
    SparseLogisticRegressionCV,
)
from sparselearn.model_selection import SparsitySearchCV
from sparselearn.pruning import Pruner, PrunerCV

ALPHAS = [1.0, 0.3, 0.1, 0.03]


def make(n_samples=4000, n_features=100, classes=False):
    """Data of megabytes, which nothing compresses."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    y = X[:, :5] @ [3.0, -2.0, 2.0, 1.0, 1.0] + rng.standard_normal(n_samples)
    return X, (y > 0.0).astype(int) if classes else y


def compared(client, estimator, X, y, attributes, **backend):
    """`attributes` of fits without and with the cluster, and copies of X sent."""
    alone = estimator.fit(X, y)
    alone = {name: getattr(alone, name) for name in attributes}
    size = X.data.nbytes + X.indices.nbytes if sp.issparse(X) else X.nbytes
    before = WIRE.total()
    with joblib.parallel_config("dask", client=client, **backend):
        there = estimator.fit(X, y)
    copies = (WIRE.total() - before) / size
    return alone, {name: getattr(there, name) for name in attributes}, copies


# -- searches, halves, pruners ------------------------------------------------


def search_of_paths(client):
    """Twenty folds with a path each."""
    search = SparsitySearchCV(Lasso(), values=5, cv=20)
    return compared(client, search, *make(), ["cv_results_", "best_params_"])


def search_of_fits(client):
    """Four values on five folds, each for itself; X is sparse."""
    X, y = make()
    X = sp.csr_array(np.where(X > 0.5, X, 0.0))
    search = SparsitySearchCV(ElasticNet(), param_name="alpha", values=ALPHAS)
    return compared(client, search, X, y, ["cv_results_", "best_params_"])


def search_of_a_map(client):
    """The rows are in a file, and go to the workers by the wire."""
    X, y = make()
    path = Path(sys.argv[1], "X.npy")
    np.save(path, X)
    X = np.load(path, mmap_mode="r")
    search = SparsitySearchCV(make_pipeline(StandardScaler(), Lasso()), values=5, cv=20)
    return compared(client, search, X, y, ["cv_results_", "best_params_"])


def halves_by_path(client):
    selector = StabilitySelector(Lasso(), n_pairs=10, n_selected=8, random_state=0)
    found = ["selection_probabilities_", "selection_paths_", "alphas_", "support_"]
    return compared(client, selector, *make(), found)


def halves_by_fit(client):
    selector = StabilitySelector(
        Lasso(0.1), method="fit", n_pairs=10, n_selected=8, random_state=0
    )
    found = ["selection_probabilities_", "selection_paths_", "support_"]
    return compared(client, selector, *make(), found)


def pruner(client):
    """Five folds, with the candidates of each."""
    pruner = PrunerCV(Pruner(Ridge(), criterion="auto"), random_state=0)
    found = ["cv_results_", "best_sparsity_", "base_score_", "masks_"]
    return compared(client, pruner, *make(), found)


def grid_search(client):
    """scikit-learn's own, told what to scatter."""
    X, y = make()
    search = GridSearchCV(Lasso(), {"alpha": ALPHAS}, cv=5)
    return compared(
        client, search, X, y, ["cv_results_", "best_params_"], scatter=[X, y]
    )


# -- estimators with threads of their own -------------------------------------


def lasso_cv(client):
    return compared(client, LassoCV(alphas=5), *make(), ["coef_", "mse_path_"])


def logistic_cv(client):
    model = SparseLogisticRegressionCV(alphas=3, cv=3)
    return compared(client, model, *make(1000, 50, True), ["coef_", "loss_path_"])


def kmeans(client):
    coder = KMeansCoder(5, max_iter=5, tol=1.0, random_state=0)
    return compared(client, coder, *make(), ["components_", "inertia_"])


# -- one inside another -------------------------------------------------------


def a_selector_in_a_search(client):
    """The halves are done by the worker that the fold came to."""
    selector = StabilitySelector(Lasso(), n_pairs=2, n_selected=4, random_state=0)
    pipeline = make_pipeline(selector, Lasso())
    search = GridSearchCV(pipeline, {"lasso__alpha": [0.1, 0.2]}, cv=2)
    theirs = compared(client, search, *make(500, 20), ["cv_results_"])
    search = SparsitySearchCV(pipeline, values=[0.1, 0.2], cv=2)
    return theirs, compared(client, search, *make(500, 20), ["cv_results_"])


def threads(client):
    """What a job may use: of BLAS, of ours and of joblib."""
    jobs = [(n_jobs,) for n_jobs in (None, 2, -1)]
    with joblib.parallel_config("dask", client=client):
        return list(map_jobs(threads_of_a_job, Shared(None), jobs))


def threads_of_a_job(_, n_jobs):
    """Whether our threads are this one, how many joblib has, and how many BLAS."""
    ours = set(map_threads(lambda _: threading.get_ident(), range(4), n_jobs))
    blas = [
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    ]
    return ours == {threading.get_ident()}, joblib.effective_n_jobs(n_jobs), blas


def threads_here(client):
    """How many threads of the client `n_jobs` of 1, None and 3 mean."""
    own, meeting = threading.get_ident(), threading.Barrier(3)

    def alone(n_jobs):
        return set(map_threads(lambda _: threading.get_ident(), range(4), n_jobs))

    with joblib.parallel_config("dask", client=client):
        met = sorted(map_threads(lambda _: meeting.wait(timeout=60), range(3), 3))
        found = [alone(1) == {own}, alone(None) == {own}, met == [0, 1, 2]]
    with joblib.parallel_config("dask", client=client, n_jobs=3):
        met = sorted(map_threads(lambda _: meeting.wait(timeout=60), range(3)))
    return [*found, met == [0, 1, 2]]


def nothing_to_do(client):
    with joblib.parallel_config("dask", client=client):
        return list(map_jobs(threads_of_a_job, Shared(None), []))


# -- faults -------------------------------------------------------------------


class Refuses(Lasso):
    def fit(self, X, y):
        raise ZeroDivisionError("not this one")


def an_error(client):
    """A fit that fails in a worker: the error, and whether anything is fitted."""
    search = SparsitySearchCV(
        Refuses(), param_name="alpha", values=[1.0], error_score="raise"
    )
    try:
        with joblib.parallel_config("dask", client=client):
            search.fit(*make(50, 5))
    except ZeroDivisionError as error:
        return str(error), hasattr(search, "cv_results_")
    return "no error"


class Kills(Lasso):
    """The first two of all fits end the process that they are in, but for `client`."""

    def __init__(self, alpha=1.0, *, folder=None, client=None):
        super().__init__(alpha)
        self.folder = folder
        self.client = client

    def fit(self, X, y):
        for number in range(0 if os.getpid() == self.client else 2):
            try:
                Path(self.folder, f"killed-{number}").mkdir()
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


def killed_workers(client):
    """Workers die with the data, which are sent again."""
    model = Kills(0.1, folder=sys.argv[1], client=os.getpid())
    selector = StabilitySelector(
        model, method="fit", n_pairs=5, n_selected=8, random_state=0
    )
    X, y = make(500, 20)
    alone = selector.fit(X, y).selection_probabilities_
    before = set(client.run(os.getpid).values())
    with joblib.parallel_config("dask", client=client, wait_for_workers_timeout=120):
        there = selector.fit(X, y).selection_probabilities_
    client.wait_for_workers(2, timeout=120)
    after = set(client.run(os.getpid).values())
    return alone, there, len(before & after)


def compiled_in_workers(client):
    """Kernels that the workers loaded, and those that they had to compile."""
    return list(client.run(loaded_and_compiled).values())


def loaded_and_compiled():
    loaded = compiled = 0
    for info in pkgutil.iter_modules(_kernels.__path__, "sparselearn._kernels."):
        for thing in vars(importlib.import_module(info.name)).values():
            if hasattr(thing, "stats") and hasattr(thing, "py_func"):
                loaded += sum(thing.stats.cache_hits.values())
                compiled += sum(thing.stats.cache_misses.values())
    return loaded, compiled


def checks(client):
    """Not one: what the others read."""
    global WIRE
    WIRE = Wire(client)


if __name__ == "__main__":
    run_checks(
        checks,
        search_of_paths,
        search_of_fits,
        search_of_a_map,
        halves_by_path,
        halves_by_fit,
        pruner,
        grid_search,
        lasso_cv,
        logistic_cv,
        kmeans,
        a_selector_in_a_search,
        threads,
        threads_here,
        nothing_to_do,
        an_error,
        compiled_in_workers,
        killed_workers,
    )
