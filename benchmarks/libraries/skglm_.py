"""skglm: tol is the largest violation of optimality, absolute: here times alpha_max.

Its LassoCV is left out: there is none in its released version.
"""

import numpy as np
from skglm import Lasso, MCPRegression, SparseLogisticRegression

from libraries.intercept import loop_of_fits

DISTRIBUTION = "skglm"
TOLERANCES = [10.0**-k for k in np.arange(2, 9.5, 0.5)]


def _model(problem, tol):
    y = problem.y - problem.y.mean() if problem.fit_intercept else problem.y
    largest = np.max(np.abs(problem.X.T @ y)) / y.size
    return Lasso(fit_intercept=problem.fit_intercept, tol=tol * largest, max_iter=1000)


def path(problem, tol):
    model = _model(problem, tol)
    coefs = model.path(problem.X, problem.y, problem.alphas)[1]
    if not problem.fit_intercept:
        return coefs, np.zeros(problem.alphas.size)
    return coefs[:-1], coefs[-1]


def fit(problem, tol):
    return loop_of_fits(problem, _model(problem, tol))


def logistic_path(problem, tol):
    y = problem.y - (problem.y.mean() if problem.fit_intercept else 0.5)
    largest = np.max(np.abs(problem.X.T @ y)) / y.size
    model = SparseLogisticRegression(
        fit_intercept=problem.fit_intercept,
        tol=tol * largest,
        max_iter=1000,
        warm_start=True,
    )
    coefs = np.empty((problem.X.shape[1], problem.alphas.size), order="F")
    intercepts = np.zeros(problem.alphas.size)
    for k, alpha in enumerate(problem.alphas):
        model.set_params(alpha=alpha).fit(problem.X, problem.y)
        coefs[:, k] = model.coef_[0]
        if problem.fit_intercept:
            intercepts[k] = np.ravel(model.intercept_)[0]
    return coefs, intercepts


def _mcp(problem, tol, gamma):
    largest = np.max(np.abs(problem.X.T @ problem.y)) / problem.y.size
    return MCPRegression(
        gamma=gamma, fit_intercept=False, tol=tol * largest, max_iter=1000
    )


def mcp_path(problem, tol, gamma=3.0):
    coefs = _mcp(problem, tol, gamma).path(problem.X, problem.y, problem.alphas)[1]
    return coefs, np.zeros(problem.alphas.size)


def mcp_fit(problem, tol, gamma=3.0):
    return loop_of_fits(problem, _mcp(problem, tol, gamma))
