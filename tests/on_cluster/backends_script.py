"""Estimators with jobs in joblib's own backends: see `test_backends.py`.

Each check returns what a fit found alone, in threads and in two kinds of processes.
"""

import joblib
import numpy as np
from cluster import run_checks
from sklearn.linear_model import ElasticNet, Ridge

from sparselearn.cluster import KMeansCoder
from sparselearn.feature_selection import StabilitySelector
from sparselearn.linear_model import Lasso, LassoCV
from sparselearn.model_selection import SparsitySearchCV
from sparselearn.pruning import Pruner, PrunerCV


def found_by(estimator, *attributes):
    # More than a megabyte, which joblib hands to processes as a read-only map.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 100))
    y = X[:, :5] @ [3.0, -2.0, 2.0, 1.0, 1.0] + rng.standard_normal(2000)
    found = {}
    for backend in ("sequential", "threading", "loky", "multiprocessing"):
        with joblib.parallel_config(backend, n_jobs=2):
            fitted = estimator.fit(X, y)
        found[backend] = {name: getattr(fitted, name) for name in attributes}
    return found


def search_of_paths(_):
    search = SparsitySearchCV(Lasso(), values=5, cv=4)
    return found_by(search, "cv_results_", "best_params_")


def search_of_fits(_):
    search = SparsitySearchCV(
        ElasticNet(), param_name="alpha", values=[1, 0.3], cv=2, error_score="raise"
    )
    return found_by(search, "cv_results_", "best_params_")


def halves(_):
    selector = StabilitySelector(Lasso(), n_pairs=3, n_selected=8, random_state=0)
    return found_by(selector, "selection_paths_", "alphas_", "support_")


def pruner(_):
    pruner = PrunerCV(
        Pruner(Ridge(), criterion="auto"), sparsities=[0, 0.9], cv=2, random_state=0
    )
    return found_by(pruner, "cv_results_", "best_sparsity_", "masks_")


def lasso_cv(_):
    return found_by(LassoCV(alphas=5), "coef_", "mse_path_")


def kmeans(_):
    coder = KMeansCoder(5, max_iter=5, tol=1.0, random_state=0)
    return found_by(coder, "components_", "inertia_")


if __name__ == "__main__":
    run_checks(
        search_of_paths,
        search_of_fits,
        halves,
        pruner,
        lasso_cv,
        kmeans,
        cluster=False,
    )
