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

# The ridge penalty, over the mean variance of an atom's entries.
RIDGE = 0.1


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
    """A linear model of targets on codes: ridge regression.

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
    weights = weights / weights.sum()
    mean, target_mean = codes.T @ weights, weights @ targets
    weighted = codes.multiply(weights[:, None]).tocsr()
    products = (codes.T @ weighted).toarray() - np.outer(mean, mean)
    variance = max(np.trace(products) / mean.size, 0.0)
    if variance == 0.0:
        return np.zeros((target_mean.size, mean.size)), target_mean
    products[np.diag_indices_from(products)] += RIDGE * variance
    moments = weighted.T @ (targets - target_mean)
    coef = scipy.linalg.solve(products, moments, assume_a="pos").T
    return coef, target_mean - coef @ mean
