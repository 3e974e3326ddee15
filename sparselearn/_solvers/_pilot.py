"""Pilot estimates: rough coefficients that tell a later penalty what may matter."""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from sparselearn import penalties
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._slices import slices
from sparselearn._solvers._squared_loss import Solver
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["adaptive_weights", "lasso_pilot", "least_squares_pilot"]

# The Lasso's alpha over the one that makes all coefficients zero.
LASSO_SHARE = 1e-2
# Columns are brought to float64 in blocks of about this many numbers.
BLOCK = 2**21
SINGULAR = 1e-12


def least_squares_pilot(problem, features, ridge):
    """Least squares on `features`, with a ridge penalty that knows their scales.

    Minimises ``sum_i s_i (y_i - x_i' w)^2 / 2 + ridge sum_j L_j w_j^2 / 2`` with L_j
    the curvatures; for `ridge` = 0 and dependent columns, the minimiser of the
    smallest ``sum_j L_j w_j^2``.

    Returns
    -------
    coef : ndarray (n_features,)
    """
    coef = np.zeros(problem.curvature.size)
    if not features.size:
        return coef
    root = np.sqrt(problem.curvature[features])
    moment = problem.correlation(problem.weights * problem.target)
    n_samples = problem.target.size
    if features.size <= n_samples:
        working = GramWorkingSet(problem, moment)
        working.grow(features)
        gram = working.gram / root / root[:, None]
        coef[features] = _solve(gram, moment[features] / root, ridge) / root
        return coef
    # With more columns than rows, (Z'Z + ridge)^-1 Z' = Z' (ZZ' + ridge)^-1.
    scale = np.sqrt(np.broadcast_to(problem.weights, n_samples))
    products = np.zeros((n_samples, n_samples))
    size = max(1, BLOCK // n_samples)
    for block in slices(0, features.size, size):
        Z = problem.centred_columns(features[block]) * scale[:, None] / root[block]
        products += Z @ Z.T
    if problem.fit_intercept:
        # Centred columns know nothing of this direction, nor does the target.
        products += np.mean(np.diagonal(products)) * np.outer(scale, scale) * n_samples
    dual = scale * _solve(products, scale * problem.target, ridge)
    coef[features] = problem.correlation(dual)[features] / root**2
    return coef


def _solve(matrix, vector, ridge):
    """Solve with ``matrix + ridge I``, of minimal norm if that is singular."""
    shifted = matrix + ridge * np.eye(vector.size)
    try:
        factor = cho_factor(shifted)
        pivots = np.diagonal(factor[0]) ** 2
        if np.min(pivots) > SINGULAR * np.max(np.diagonal(shifted)):
            return cho_solve(factor, vector)
    except LinAlgError:
        pass
    values, vectors = np.linalg.eigh(shifted)
    kept = values > SINGULAR * max(values[-1], 0.0)
    return vectors[:, kept] @ ((vectors[:, kept].T @ vector) / values[kept])


def lasso_pilot(problem, penalty_weights, *, positive, tol, max_iter):
    """A Lasso of little penalty, on the scales of the columns.

    Returns
    -------
    Solution
    """
    scaled = penalty_weights * np.sqrt(problem.curvature)
    # inf for what is dropped: never inf * 0.
    scaled[np.isnan(scaled)] = np.inf
    penalty = penalties.WeightedL1(1.0, scaled, positive)
    penalty = penalty._replace(alpha=LASSO_SHARE * critical_alpha(problem, penalty))
    return Solver(problem, penalty).solve(penalty, tol=tol, max_iter=max_iter)


def adaptive_weights(problem, pilot, penalty_weights, gamma):
    """Penalty weights that grow as the effect of a feature in `pilot` falls.

    With the effect ``e_j = sqrt(L_j) |pilot_j|`` of a feature, L_j its curvature, the
    weight is ``penalty_weights_j sqrt(L_j) (max_k e_k / e_j)^gamma``, the maximum over
    the penalised features; inf where e_j = 0, but 0 where `penalty_weights` is.

    Returns
    -------
    weights : ndarray (n_features,)
    """
    root = np.sqrt(problem.curvature)
    effect = root * np.abs(pilot)
    largest = np.max(effect[penalty_weights > 0.0], initial=0.0)
    weights = np.full(effect.size, np.inf)
    seen = (effect > 0.0) & (penalty_weights < np.inf)
    with np.errstate(over="ignore"):
        factors = (largest / effect[seen]) ** gamma
    weights[seen] = penalty_weights[seen] * root[seen] * factors
    weights[penalty_weights == 0.0] = 0.0
    return weights
