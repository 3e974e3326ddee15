"""celer: tol is the gap over ||y||^2 / n; its path fits no intercept.

With an intercept the path is a loop of warm-started `Lasso.fit`.
"""

import warnings

import celer
import numpy as np
from sklearn.exceptions import ConvergenceWarning

TOLERANCES = [1e-4, 1e-5, 1e-6, 5e-7, 1e-7, 1e-8]


def solve(problem, tol):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if not problem.fit_intercept:
            coefs = celer.celer_path(
                problem.X,
                problem.y,
                pb="lasso",
                alphas=problem.alphas,
                tol=tol,
                max_iter=1000,
            )[1]
            return coefs, np.zeros(problem.alphas.size)
        model = celer.Lasso(tol=tol, max_iter=1000, warm_start=True)
        coefs = np.empty((problem.X.shape[1], problem.alphas.size))
        intercepts = np.empty(problem.alphas.size)
        for k, alpha in enumerate(problem.alphas):
            model.set_params(alpha=alpha).fit(problem.X, problem.y)
            coefs[:, k], intercepts[k] = model.coef_, model.intercept_
        return coefs, intercepts
