"""celer: tol is the gap over ||y||^2 / n; its path fits no intercept.

With an intercept, dense data are centred once and the path is taken of them; for
sparse data it is a loop of warm-started `Lasso.fit`. Its LassoCV is left out: it fails
with the versions of scikit-learn that this package needs.
"""

import numpy as np
from celer import Lasso, celer_path

from libraries.intercept import loop_of_fits, path_or_fits

DISTRIBUTION = "celer"
TOLERANCES = [10.0**-k for k in np.arange(4, 13.5, 0.5)]
MAX_ITER = 1000


def path(problem, tol):
    def of(X, y):
        options = {"alphas": problem.alphas, "tol": tol, "max_iter": MAX_ITER}
        # prune is what its Lasso does and its path function by itself does not.
        return celer_path(X, y, pb="lasso", prune=True, **options)[1]

    return path_or_fits(problem, of, Lasso(tol=tol, max_iter=MAX_ITER, warm_start=True))


def group_path(problem, tol):
    size, n_groups = problem.group_size, problem.X.shape[1] // problem.group_size
    options = {"alphas": problem.alphas, "tol": tol, "max_iter": MAX_ITER}
    options |= {"groups": size, "weights": np.full(n_groups, np.sqrt(size))}
    coefs = celer_path(problem.X, problem.y, pb="grouplasso", prune=True, **options)[1]
    return coefs, np.zeros(problem.alphas.size)


def fit(problem, tol):
    model = Lasso(fit_intercept=problem.fit_intercept, tol=tol, max_iter=MAX_ITER)
    return loop_of_fits(problem, model)


def logistic_path(problem, tol):
    if problem.fit_intercept:
        raise RuntimeError("no intercept")
    # Its objective is a sum over rows, its classes are -1 and 1.
    coefs = celer_path(
        problem.X,
        2.0 * problem.y - 1.0,
        pb="logreg",
        alphas=problem.alphas * problem.y.size,
        tol=tol,
        max_iter=MAX_ITER,
        prune=True,
    )[1]
    return coefs, np.zeros(problem.alphas.size)
