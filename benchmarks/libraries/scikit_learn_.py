"""scikit-learn: tol is the gap over ||y||^2; its path fits no intercept.

With an intercept the path is a loop of warm-started `Lasso.fit`, as a user would
write it.
"""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, lasso_path

TOLERANCES = [1e-4, 1e-5, 1e-6, 5e-7, 1e-7, 1e-8]
MAX_ITER = 100_000


def solve(problem, tol):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if not problem.fit_intercept:
            _, coefs, _ = lasso_path(
                problem.X, problem.y, alphas=problem.alphas, tol=tol, max_iter=MAX_ITER
            )
            return coefs, np.zeros(problem.alphas.size)
        model = Lasso(tol=tol, max_iter=MAX_ITER, warm_start=True)
        coefs = np.empty((problem.X.shape[1], problem.alphas.size))
        intercepts = np.empty(problem.alphas.size)
        for k, alpha in enumerate(problem.alphas):
            model.set_params(alpha=alpha).fit(problem.X, problem.y)
            coefs[:, k], intercepts[k] = model.coef_, model.intercept_
        return coefs, intercepts
