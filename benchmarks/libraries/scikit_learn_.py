"""scikit-learn: tol is the gap over ||y||^2; its path fits no intercept.

With an intercept, dense data are centred once and the path is taken of them; for
sparse data it is a loop of warm-started `Lasso.fit`, as a user would write it.
"""

import numpy as np
from sklearn.linear_model import Lasso, LassoCV, LogisticRegression, lasso_path

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
