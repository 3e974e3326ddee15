r"""Atoms that serve to predict: a dictionary of samples and targets side by side.

Each sample x_i gets its targets h_i as further features,

.. math:: \tilde x_i = (x_i, \sqrt{g} \, h_i), \quad \tilde d_j = (d_j, \sqrt{g} \, w_j)

so that any learner of dictionaries lowers ``||x - D'z||^2 + g ||h - W'z||^2`` (Zhang
and Li, 2010). Codes of new samples know no targets: they are made by the d_j alone,
brought to length 1, and what is to be predicted from them is fitted once more.
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp

__all__ = ["augmented", "fit_readout", "shares"]

# Ridge penalties, over the mean variance of an atom's entries, the largest first.
RIDGES = 10.0 ** np.arange(1, -6, -1)
# What a degree of freedom counts for (Kim and Gu, 2004, for splines).
CAUTION = 1.4


def augmented(X, targets, weights, gamma):
    """X with scaled targets beside it, of the kind of X.

    Parameters
    ----------
    X : ndarray or csr_array (n_samples, n_features)
        NaN counts as 0 for the scale.
    targets : ndarray (n_samples, n_targets)
    weights : ndarray (n_samples,)
    gamma : float
        The squares of all targets together, over those of X.
    """
    values = X.data if sp.issparse(X) else X
    largest = np.nanmax(np.abs(values), initial=0.0)
    largest = largest if largest > 0.0 else 1.0
    scaled = (X / largest) if sp.issparse(X) else np.nan_to_num(X / largest)
    squares = scaled.multiply(scaled) if sp.issparse(X) else scaled**2
    mass = weights @ np.asarray(squares.sum(axis=1)).ravel()
    target_mass = weights @ np.sum(targets**2, axis=1)
    factor = largest * np.sqrt(gamma * mass / target_mass) if target_mass > 0.0 else 0.0
    block = (factor * targets).astype(X.dtype)
    if sp.issparse(X):
        return sp.csr_array(sp.hstack([X, sp.csr_array(block)], format="csr"))
    return np.hstack([X, block])


def shares(n_components, counts):
    """How many atoms each class gets: as equal as its number of samples permits."""
    quotas = np.zeros(counts.size, dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    while (missing := n_components - quotas.sum()) > 0:
        open_ = order[quotas[order] < counts[order]]
        if open_.size == 0:
            quotas[order[0]] += missing
            break
        quotas[open_[:missing]] += 1
    return quotas


def fit_readout(codes, targets, weights):
    r"""A linear model of targets on codes: ridge regression.

    Its penalty is that of the least generalised cross-validation score,

    .. math:: \sum_i w_i (h_i - \hat h_i)^2 / (1 - a f / n)^2,

    where f are the effective degrees of freedom, and a > 1 guards against choosing too
    small a penalty where these are near the number n of samples.

    Parameters
    ----------
    codes : csr_array (n_samples, n_components)
    targets : ndarray (n_samples, n_targets)
    weights : ndarray (n_samples,)

    Returns
    -------
    coef : ndarray (n_targets, n_components)
    intercept : ndarray (n_targets,)
        The model is ``codes @ coef.T + intercept``.
    """
    # Whole weights are numbers of samples.
    n_samples = max(weights.sum(), np.count_nonzero(weights))
    weights = weights / weights.sum()
    mean, target_mean = codes.T @ weights, weights @ targets
    weighted = codes.multiply(weights[:, None]).tocsr()
    products = (codes.T @ weighted).toarray() - np.outer(mean, mean)
    moments = weighted.T @ (targets - target_mean)
    square = weights @ np.sum((targets - target_mean) ** 2, axis=1)
    values, vectors = scipy.linalg.eigh(products)
    values, rotated = np.maximum(values, 0.0), vectors.T @ moments
    if not values.any():
        return np.zeros((target_mean.size, mean.size)), target_mean
    best, least = None, np.inf
    for ridge in RIDGES * values.mean():
        coef = rotated / (values + ridge)[:, None]
        left = square - np.sum(coef * (2.0 * rotated - values[:, None] * coef))
        freedom = 1.0 + np.sum(values / (values + ridge))
        share = 1.0 - CAUTION * freedom / n_samples
        score = left / share**2 if share > 0.0 else np.inf
        if best is None or score < least:
            best, least = coef, score
    coef = (vectors @ best).T
    return coef, target_mean - coef @ mean
