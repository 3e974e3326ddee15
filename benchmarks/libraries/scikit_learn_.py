"""scikit-learn: tol is the gap over ||y||^2; its path fits no intercept.

With an intercept, dense data are centred once and the path is taken of them; for
sparse data it is a loop of warm-started `Lasso.fit`, as a user would write it.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
from sklearn.linear_model import Lasso, LassoCV, LogisticRegression, lasso_path
from sklearn.neural_network import MLPClassifier

from libraries.fitted import once
from libraries.intercept import loop_of_classifiers, loop_of_fits, path_or_fits

DISTRIBUTION = "scikit-learn"
TOLERANCES = [10.0**-k for k in np.arange(4, 9.5, 0.5)]
MAX_ITER = 100_000


def path(problem, tol):
    def of(X, y):
        return lasso_path(X, y, alphas=problem.alphas, tol=tol, max_iter=MAX_ITER)[1]

    model = Lasso(tol=tol, max_iter=MAX_ITER, warm_start=True)
    return path_or_fits(problem, of, model)


def fit(problem, tol):
    model = Lasso(fit_intercept=problem.fit_intercept, tol=tol, max_iter=MAX_ITER)
    return loop_of_fits(problem, model)


def cross_validate(problem, n_jobs, **options):
    model = LassoCV(cv=5, fit_intercept=problem.fit_intercept, n_jobs=n_jobs)
    model.set_params(**options).fit(problem.X, problem.y)
    return model.coef_[:, None], np.array([model.intercept_]), model.alpha_


def logistic_path(problem, tol):
    """By saga, the one solver of it that leaves the intercept unpenalised."""
    model = LogisticRegression(
        l1_ratio=1.0,
        solver="saga",
        fit_intercept=problem.fit_intercept,
        tol=tol,
        max_iter=MAX_ITER,
        warm_start=True,
        random_state=0,
    )
    return loop_of_classifiers(problem, model)


def encode(problem, method, n_jobs):
    """By `method` as `sparse_encode` calls it."""
    options = {"alpha": problem.alpha}
    if method == "omp":
        options = {"n_nonzero_coefs": problem.n_nonzero_coefs}
    return sparse_encode(
        problem.X, problem.atoms, algorithm=method, n_jobs=n_jobs, **options
    )


def learn(problem, n_jobs, epochs, batch_size):
    """With `epochs` None it stops as it does by default.

    In one process, whatever `n_jobs`: more of them take it several times as long.
    """
    model = MiniBatchDictionaryLearning(
        problem.n_components,
        alpha=problem.alpha,
        fit_algorithm="cd",
        batch_size=batch_size,
        random_state=problem.seed,
    )
    if epochs is not None:
        model.set_params(max_iter=epochs, tol=0.0, max_no_improvement=None)
    return model.fit(problem.X).components_


def train(problem, n_epochs, n_threads):
    if problem.activations[-1] != "softmax":
        raise ValueError("it has no autoencoder")
    model = MLPClassifier(
        problem.sizes[1:-1],
        alpha=0.0,
        batch_size=problem.batch_size,
        learning_rate_init=problem.rate,
        shuffle=False,
    )
    # One row makes the arrays; they are given the values to start from.
    model.partial_fit(problem.X[:1], problem.y[:1], classes=np.arange(10))
    place = 0
    for coef, intercept in zip(model.coefs_, model.intercepts_):
        for array in (coef, intercept):
            part = problem.values[place : place + array.size]
            array[:] = part.reshape(array.shape)
            place += array.size
    del model._optimizer
    for _ in range(n_epochs):
        model.partial_fit(problem.X, problem.y)
    layers = zip(model.coefs_, model.intercepts_)
    return np.concatenate([a.ravel() for pair in layers for a in pair])[:, None]


def kmeans(problem, n_jobs, epochs, spherical):
    if spherical:
        raise RuntimeError("not spherical")
    model = KMeans(
        problem.n_components, init=problem.atoms, n_init=1, max_iter=epochs, tol=0.0
    )
    return model.fit(problem.X).cluster_centers_


def centroid_codes(problem, n_jobs, method):
    """`transform` gives distances; what is left is up to its users, and numpy."""
    model = once(
        problem,
        lambda: KMeans(
            problem.n_components, init=problem.atoms, n_init=1, max_iter=1
        ).fit(problem.atoms),
    )
    distances = model.transform(problem.X)
    codes = np.maximum(0.0, distances.mean(axis=1, keepdims=True) - distances)
    if method == "triangle":
        return codes
    k = problem.n_nonzero_coefs
    columns = np.sort(np.argpartition(-codes, k, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(codes, columns, axis=1)
    starts = np.arange(0, values.size + 1, k)
    return sp.csr_array((values.ravel(), columns.ravel(), starts), shape=codes.shape)
