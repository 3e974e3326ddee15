"""The judge: recomputes objective and duality gap in float64, trusting no solver."""

import numpy as np

__all__ = ["objective_and_gap", "worst_gap"]


def objective_and_gap(problem, coef, intercept, alpha):
    """Objective and relative duality gap of one solution.

    Parameters
    ----------
    problem : PathProblem
    coef : ndarray (n_features,)
    intercept : float
        Judged as returned: the primal uses it, only the dual is centred.
    alpha : float

    Returns
    -------
    objective, relative gap : float
        The gap over ||y||^2 / 2n, y centred if the problem has an intercept.
    """
    X, y, n = problem.X, problem.y, problem.y.size
    coef = np.asarray(coef, dtype=np.float64)
    residual = y - X @ coef - float(intercept)
    size = problem.group_size
    primal = residual @ residual / (2 * n)
    primal += alpha * np.sqrt(size) * np.sum(_lengths(coef, size))
    theta, target = residual, y
    if problem.fit_intercept:
        theta, target = residual - residual.mean(), y - y.mean()
    largest = np.max(_lengths(X.T @ theta, size)) / (n * np.sqrt(size))
    theta = theta * min(1.0, alpha / largest) if largest > 0 else theta
    dual = (theta @ target - 0.5 * theta @ theta) / n
    return primal, (primal - dual) / (target @ target / (2 * n))


def _lengths(numbers, size):
    """Of neighbours by so many."""
    return np.linalg.norm(numbers.reshape(-1, size), axis=1)


def worst_gap(problem, coefs, intercepts):
    """The largest relative gap along a path; coefs of shape (n_features, n_alphas)."""
    coefs = coefs.toarray() if hasattr(coefs, "toarray") else np.asarray(coefs)
    return max(
        objective_and_gap(problem, coefs[:, k], intercepts[k], alpha)[1]
        for k, alpha in enumerate(problem.alphas)
    )
