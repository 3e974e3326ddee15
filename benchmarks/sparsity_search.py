"""Searches over sparsity: times of GridSearchCV and ours, on the same grid and folds.

    python benchmarks/sparsity_search.py [--repeats 2] [--problems "lasso, wide" ...]

Each searches the same estimator of this package, 20 values on 5 folds, in one process,
by turns, without the last fit on all rows. "difference" is the largest one of a mean
score over the folds, "scikit-learn" the time of GridSearchCV with scikit-learn's own
estimator where it has the same. A thousand digits are coded by 797 others.
"""

import statistics
import time

import measure
import numpy as np
import sklearn
from sklearn import linear_model as peers
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sparselearn.decomposition import SparseCoder
from sparselearn.linear_model import (
    Lasso,
    OrthogonalMatchingPursuit,
    SparseLogisticRegression,
    alpha_max,
)
from sparselearn.linear_model._fit_path import largest_alpha
from sparselearn.model_selection import SparsitySearchCV

N_VALUES = 20
N_FOLDS = 5


def made_up(n_samples, n_features, n_true=20):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    X[:, 1:] += 0.5 * X[:, :-1]
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, n_true, replace=False)] = rng.standard_normal(n_true)
    y = X @ coef
    return X, y + 0.5 * y.std() * rng.standard_normal(n_samples)


def alphas(largest, eps):
    return np.geomspace(largest, eps * largest, N_VALUES).tolist()


def lasso(n_samples, n_features):
    X, y = made_up(n_samples, n_features)
    grid = alphas(alpha_max(X, y), 1e-2)
    return X, y, Lasso(), "alpha", grid, peers.Lasso(max_iter=10000)


def squares():
    X, y = load_diabetes(return_X_y=True)
    before = PolynomialFeatures(3, include_bias=False), StandardScaler()
    seen = make_pipeline(*before).fit_transform(X)
    pipeline = make_pipeline(*before, Lasso())
    peer = make_pipeline(*before, peers.Lasso(max_iter=10000))
    return X, y, pipeline, "lasso__alpha", alphas(alpha_max(seen, y), 1e-2), peer


def logistic(n_samples, n_features):
    X, y = made_up(n_samples, n_features)
    model, y = SparseLogisticRegression(), (y > 0).astype(int)
    return X, y, model, "alpha", alphas(largest_alpha(model, X, y), 3e-2), None


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    model = SparseLogisticRegression()
    seen = StandardScaler().fit_transform(X)
    grid = alphas(largest_alpha(model, seen, y), 1e-2)
    name = "sparselogisticregression__alpha"
    return X, y, make_pipeline(StandardScaler(), model), name, grid, None


def pursuit():
    X, y = made_up(1000, 500)
    sizes = list(range(2, 42, 2))
    peer = peers.OrthogonalMatchingPursuit()
    return X, y, OrthogonalMatchingPursuit(), "n_nonzero_coefs", sizes, peer


def codes(head, **options):
    X, y = load_digits(return_X_y=True)
    atoms, X, y = X[:797], X[797:], y[797:]
    pipeline = make_pipeline(SparseCoder(atoms, **options), head)
    return X, y, pipeline, "sparsecoder__n_nonzero_coefs", list(range(1, 21)), None


PROBLEMS = {
    "lasso, tall": lambda: lasso(5000, 200),
    "lasso, wide": lambda: lasso(400, 2000),
    "lasso of cubes": squares,
    "logistic, wide": lambda: logistic(500, 1000),
    "logistic, 30 features": cancer,
    "pursuit": pursuit,
    "codes, then naive Bayes": lambda: codes(MultinomialNB(), positive=True),
    "codes, then ridge": lambda: codes(RidgeClassifier(), sparse_output=False),
}


def searches(X, y, estimator, name, grid, peer):
    cv = N_FOLDS
    if len(np.unique(y)) < 20:
        cv = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    options = {"cv": cv, "refit": False}
    ours = SparsitySearchCV(estimator, param_name=name, values=grid, **options)
    theirs = {"GridSearchCV": GridSearchCV(estimator, {name: grid}, **options)}
    if peer is not None:
        theirs["scikit-learn"] = GridSearchCV(peer, {name: grid}, **options)
    return {"sparselearn": ours} | theirs


def compare(problem, repeats):
    X, y, *rest = problem
    found = searches(X, y, *rest)
    rows = {key: {"seconds": [], "cpu": []} for key in found}
    for turn in range(repeats + 1):
        for key, search in found.items():
            wall, cpu = time.perf_counter(), time.process_time()
            search.fit(X, y)
            if turn:  # what compiles is outside the clock
                rows[key]["seconds"].append(time.perf_counter() - wall)
                rows[key]["cpu"].append(time.process_time() - cpu)
    ours = found["sparselearn"].cv_results_["mean_test_score"]
    for key, row in rows.items():
        row["median"] = statistics.median(row["seconds"])
        row["median_cpu"] = statistics.median(row["cpu"])
        scores = found[key].cv_results_["mean_test_score"]
        row["difference"] = float(np.abs(scores - ours).max())
    return rows


def show(title, record):
    print(f"\n{title}, {record['shape'][0]} x {record['shape'][1]}")
    ours = record["libraries"]["sparselearn"]
    for name, row in record["libraries"].items():
        print(
            f"  {name:14s} {row['median']:8.3f} s {row['median'] / ours['median']:7.2f}"
            f" x ours (CPU {row['median_cpu'] / ours['median_cpu']:6.2f})   "
            f"difference {row['difference']:.1e}",
            flush=True,
        )


class _Version:
    version = sklearn.__version__


def main():
    parser = measure.arguments(__doc__, repeats=2)
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS))
    options = parser.parse_args()
    records = {}
    for title in options.problems:
        problem = PROBLEMS[title]()
        records[title] = {
            "shape": list(problem[0].shape),
            "libraries": compare(problem, options.repeats),
        }
        show(title, records[title])
        measure.save(options, "sparsity search", {"scikit-learn": _Version}, records)


if __name__ == "__main__":
    main()
