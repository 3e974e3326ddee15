"""How libraries whose path fits no intercept come to one, as a user would do it."""

import numpy as np
import scipy.sparse as sp

__all__ = ["loop_of_classifiers", "loop_of_fits", "path_or_fits"]


def loop_of_fits(problem, model):
    """Coefficients and intercepts of `model` fitted at one alpha after the other."""
    coefs = np.empty((problem.X.shape[1], problem.alphas.size), order="F")
    intercepts = np.empty(problem.alphas.size)
    for k, alpha in enumerate(problem.alphas):
        model.set_params(alpha=alpha).fit(problem.X, problem.y)
        coefs[:, k], intercepts[k] = model.coef_, model.intercept_
    return coefs, intercepts


def loop_of_classifiers(problem, model):
    """The same of a classifier with scikit-learn's C = 1 / (alpha n_samples)."""
    coefs = np.empty((problem.X.shape[1], problem.alphas.size), order="F")
    intercepts = np.zeros(problem.alphas.size)
    for k, alpha in enumerate(problem.alphas):
        model.set_params(C=1.0 / (alpha * problem.y.size)).fit(problem.X, problem.y)
        coefs[:, k] = model.coef_[0]
        if problem.fit_intercept:
            intercepts[k] = model.intercept_[0]
    return coefs, intercepts


def path_or_fits(problem, path, model):
    """`path`, of X and y, where it will do; else a loop of fits of `model`.

    Dense data are centred once, inside the clock: a loop of fits would copy and centre
    them for every alpha. Sparse data can't be, so they are left to the loop.
    """
    X, y = problem.X, problem.y
    if not problem.fit_intercept:
        return path(X, y), np.zeros(problem.alphas.size)
    if sp.issparse(X):
        return loop_of_fits(problem, model)
    means, mean = X.mean(axis=0), y.mean()
    coefs = path(X - means, y - mean)
    return coefs, mean - means @ coefs
