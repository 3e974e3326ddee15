"""The judge: recomputes objective and duality gap in float64, trusting no solver."""

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, xlogy
from sklearn.decomposition import sparse_encode

__all__ = [
    "centroid_objective",
    "code_differences",
    "code_gaps",
    "code_objectives",
    "dictionary_objective",
    "logistic_objective_and_gap",
    "mcp_objective_and_violation",
    "network_objective",
    "objective_and_gap",
    "recovered",
    "squared_errors",
    "topk_loss",
    "worst_gap",
]


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


def mcp_objective_and_violation(problem, coef, alpha, gamma):
    """Objective under the MCP and violation of stationarity of one solution.

    Parameters
    ----------
    problem : PathProblem
        Without an intercept, its columns of mean square 1.
    coef : ndarray (n_features,)
    alpha, gamma : float

    Returns
    -------
    objective, violation : float
        The largest distance of a correlation to the subdifferential of the penalty,
        over the largest correlation with y.
    """
    X, y, n = problem.X, problem.y, problem.y.size
    coef = np.asarray(coef, dtype=np.float64)
    residual, size = y - X @ coef, np.abs(coef)
    bent = alpha * size - size**2 / (2 * gamma)
    penalty = np.where(size <= gamma * alpha, bent, gamma * alpha**2 / 2)
    pull = X.T @ residual / n
    slope = np.maximum(alpha - size / gamma, 0.0) * np.sign(coef)
    outside = np.maximum(np.abs(pull) - alpha, 0.0)
    off = np.where(coef == 0.0, outside, np.abs(pull - slope))
    objective = residual @ residual / (2 * n) + penalty.sum()
    return objective, np.max(off) / np.max(np.abs(X.T @ y) / n)


def logistic_objective_and_gap(problem, coef, intercept, alpha):
    """The same of logistic regression, y in {0, 1}.

    The dual asks for residuals of sum 0 if there is an intercept: they are those of
    the best intercept for `coef`, found by bisection. The primal uses the one given.

    Returns
    -------
    objective, relative gap : float
        The gap over the loss of the null model.
    """
    X, y, n = problem.X, problem.y, problem.y.size
    coef = np.asarray(coef, dtype=np.float64)
    z = X @ coef
    best = 0.0
    if problem.fit_intercept:
        low, high = -100.0 - np.max(np.abs(z)), 100.0 + np.max(np.abs(z))
        for _ in range(200):
            best = 0.5 * (low + high)
            low, high = (
                (low, best) if np.mean(expit(z + best)) > y.mean() else (best, high)
            )

    def loss(z):
        return np.mean(np.logaddexp(0.0, z) - y * z)

    objective = loss(z + float(intercept)) + alpha * np.abs(coef).sum()
    theta = y - expit(z + best)
    largest = np.max(np.abs(X.T @ theta)) / n
    q = y - theta * (min(1.0, alpha / largest) if largest > 0 else 1.0)
    dual = -np.mean(xlogy(q, q) + xlogy(1.0 - q, 1.0 - q))
    share = y.mean()
    null = np.log(2.0)
    if problem.fit_intercept:
        null = -xlogy(share, share) - xlogy(1.0 - share, 1.0 - share)
    return objective, (objective - dual) / null


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


# -- codes and dictionaries ---------------------------------------------------


def squared_errors(problem, codes, atoms=None):
    """||x - D' z||^2 of each row."""
    atoms = problem.atoms if atoms is None else atoms
    residuals = problem.X - sp.csr_array(codes) @ atoms
    return np.einsum("ij,ij->i", residuals, residuals)


def code_objectives(problem, codes, atoms=None):
    """The Lasso's objective of each row."""
    sizes = np.asarray(abs(sp.csr_array(codes)).sum(axis=1)).ravel()
    return 0.5 * squared_errors(problem, codes, atoms) + problem.alpha * sizes


def code_gaps(problem, codes, atoms=None):
    """The duality gap of each row, over ||x||^2 / 2."""
    atoms = problem.atoms if atoms is None else atoms
    X = problem.X
    theta = X - sp.csr_array(codes) @ atoms
    largest = np.abs(theta @ atoms.T).max(axis=1)
    within = np.where(largest > problem.alpha, problem.alpha / largest, 1.0)
    theta *= within[:, None]
    dual = np.einsum("ij,ij->i", theta, X - 0.5 * theta)
    squares = np.einsum("ij,ij->i", X, X)
    return (code_objectives(problem, codes, atoms) - dual) / (0.5 * squares)


def dictionary_objective(problem, atoms):
    """The mean objective of X with the best codes by `atoms`, brought to length 1.

    The codes are scikit-learn's, and whoever made them, the gap says how far they are
    from the best.

    Returns
    -------
    objective, largest mean relative gap : float
    """
    lengths = np.linalg.norm(atoms, axis=1, keepdims=True)
    atoms = atoms / np.maximum(lengths, 1e-300)
    codes = sparse_encode(
        problem.X, atoms, algorithm="lasso_cd", alpha=problem.alpha, max_iter=10_000
    )
    gap = np.mean(code_gaps(problem, codes, atoms))
    return np.mean(code_objectives(problem, codes, atoms)), gap


def recovered(planted, atoms, least=0.99):
    """The share of planted atoms that are found, up to their sign: |cos| > `least`."""
    found = atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1e-300)
    return np.mean(np.abs(planted @ found.T).max(axis=1) > least)


def network_objective(problem, values):
    """The mean loss of all rows in double precision, and the penalty of the code."""
    rows, place, sizes = problem.X.astype(np.float64), 0, None
    for number, (m, n) in enumerate(zip(problem.sizes, problem.sizes[1:])):
        weights = values[place : place + m * n].astype(np.float64).reshape(m, n)
        place += m * n
        rows = rows @ weights + values[place : place + n]
        place += n
        if number + 2 < len(problem.sizes):
            relu = problem.activations[number] == "relu"
            rows = np.maximum(rows, 0.0) if relu else 1.0 / (1.0 + np.exp(-rows))
        if number == problem.code:
            sizes = rows.mean(axis=0)
    if problem.activations[-1] == "softmax":
        logs = np.logaddexp.reduce(rows, axis=1)
        return float((logs - rows[np.arange(len(rows)), problem.y]).mean())
    losses = np.logaddexp(0.0, rows) - problem.X * rows
    found = losses.sum(axis=1).mean()
    if sizes is not None:
        target = problem.target
        divergence = target * np.log(target / sizes)
        divergence += (1.0 - target) * np.log((1.0 - target) / (1.0 - sizes))
        found += problem.alpha * divergence.sum()
    return float(found)


def _row_blocks(problem, size=4096):
    for start in range(0, len(problem.X), size):
        rows = slice(start, start + size)
        yield rows, problem.X[rows].astype(np.float64)


def centroid_objective(problem, centroids, *, spherical=False, signed=False):
    """The mean squared distance of a row from what is nearest.

    That is a centroid; or, `spherical`, a multiple of one, not a negative one where
    `signed`: some libraries have no other.
    """
    centroids = centroids.astype(np.float64)
    total = 0.0
    if spherical:
        centroids /= np.linalg.norm(centroids, axis=1, keepdims=True)
    for _, rows in _row_blocks(problem):
        products = rows @ centroids.T
        if spherical:
            sizes = products.max(axis=1).clip(0.0) if signed else abs(products).max(1)
            total += np.sum(rows**2) - np.sum(sizes**2)
        else:
            nearest = np.argmin(np.sum(centroids**2, axis=1) - 2.0 * products, axis=1)
            total += np.sum((rows - centroids[nearest]) ** 2)
    return total / len(problem.X)


def code_differences(problem, codes, n_nonzero=None):
    """How far codes are from the triangle codes by `atoms`, relative to these.

    Of the `n_nonzero` largest entries of each, if that is given. In the Frobenius norm.
    """
    atoms = problem.atoms.astype(np.float64)
    squares, difference, size = np.sum(atoms**2, axis=1), 0.0, 0.0
    for rows, X in _row_blocks(problem):
        found = np.sum(X**2, axis=1)[:, None] - 2.0 * X @ atoms.T + squares
        distances = np.sqrt(np.maximum(0.0, found))
        exact = np.maximum(0.0, distances.mean(axis=1, keepdims=True) - distances)
        if n_nonzero is not None:
            least = np.partition(exact, -n_nonzero, axis=1)[:, [-n_nonzero]]
            exact[exact < least] = 0.0
        difference += np.sum((codes[rows].toarray() - exact) ** 2)
        size += np.sum(exact**2)
    return float(np.sqrt(difference / size))


def topk_loss(problem, units, output_bias):
    """Mean half squared error of a top-k autoencoder on the rows that it has met.

    `units` (n_units, 2 n_features + 1) are rows of the decoder and of the encoder, and
    biases.
    """
    X = problem.X.astype(np.float64)
    units = units.astype(np.float64)
    decoder, encoder, bias = np.split(units, [X.shape[1], 2 * X.shape[1]], axis=1)
    total = 0.0
    for start in range(0, len(X), 500):
        rows = X[start : start + 500]
        p = rows @ encoder.T + bias.ravel()
        k = problem.n_nonzero_coefs
        cut = -np.partition(-p, k - 1, axis=1)[:, k - 1 : k]
        codes = np.where((p >= cut) & (p > 0.0), p, 0.0)
        total += 0.5 * np.sum((codes @ decoder + output_bias - rows) ** 2)
    return total / len(X)
