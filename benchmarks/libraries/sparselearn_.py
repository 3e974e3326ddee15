"""sparselearn: tol is the duality gap relative to the objective of w = 0."""

import numpy as np

from sparselearn.linear_model import Lasso, LassoCV, group_lasso_path, lasso_path

DISTRIBUTION = "sparselearn"
TOLERANCES = [1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7]


def path(problem, tol):
    result = lasso_path(
        problem.X,
        problem.y,
        alphas=problem.alphas,
        fit_intercept=problem.fit_intercept,
        tol=tol,
    )
    return result.coefs, result.intercepts


def group_path(problem, tol):
    result = group_lasso_path(
        problem.X,
        problem.y,
        groups=problem.group_size,
        alphas=problem.alphas,
        fit_intercept=problem.fit_intercept,
        tol=tol,
    )
    return result.coefs, result.intercepts


def fit(problem, tol):
    (alpha,) = problem.alphas
    model = Lasso(alpha, fit_intercept=problem.fit_intercept, tol=tol)
    model.fit(problem.X, problem.y)
    return model.coef_[:, None], np.array([model.intercept_])


def cross_validate(problem, n_jobs, **options):
    model = LassoCV(cv=5, fit_intercept=problem.fit_intercept, n_jobs=n_jobs)
    model.set_params(**options).fit(problem.X, problem.y)
    return model.coef_[:, None], np.array([model.intercept_]), model.alpha_
