r"""Atoms that serve to predict: a dictionary of samples and targets side by side.

Each sample x_i gets its targets h_i as further features,

.. math:: \tilde x_i = (x_i, \sqrt{g} \, h_i), \quad \tilde d_j = (d_j, \sqrt{g} \, w_j)

so that any learner of dictionaries lowers ``||x - D'z||^2 + g ||h - W'z||^2`` (Zhang
and Li, 2010). Codes of new samples know no targets: they are made by the d_j alone,
brought to length 1, and what is to be predicted from them is fitted once more.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse as sp

__all__ = ["Readout", "augmented", "fit_readout", "shares"]

# Ridge penalties tried, over the mean variance of a code's entry.
RIDGES = 10.0 ** np.arange(-4, 3)


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


class Readout(NamedTuple):
    """A linear model on codes: ``z @ coef.T + intercept``."""

    coef: np.ndarray
    intercept: np.ndarray


def fit_readout(codes, targets, weights):
    """Ridge regression on codes, its penalty by generalised cross-validation.

    Parameters
    ----------
    codes : csr_array (n_samples, n_components)
    targets : ndarray (n_samples, n_targets)
    weights : ndarray (n_samples,)
    """
    total = weights.sum()
    mean = codes.T @ weights / total
    target_mean = weights @ targets / total
    weighted = codes.multiply(weights[:, None]).tocsr()
    products = (codes.T @ weighted).toarray() - total * np.outer(mean, mean)
    moments = weighted.T @ (targets - target_mean)
    values, vectors = scipy.linalg.eigh(products)
    values = np.maximum(values, 0.0)
    unit = values.mean()
    if not unit > 0.0:
        coef = np.zeros((targets.shape[1], codes.shape[1]))
        return Readout(coef, target_mean)
    rotated = vectors.T @ moments
    square = weights @ np.sum((targets - target_mean) ** 2, axis=1)
    best = least = None
    for ridge in unit * RIDGES:
        shrunk = rotated / (values + ridge)[:, None]
        left = square - np.sum(shrunk * (2.0 * rotated - values[:, None] * shrunk))
        freedom = 1.0 + np.sum(values / (values + ridge))
        if freedom >= total:
            continue
        score = left / (1.0 - freedom / total) ** 2
        if least is None or score < least:
            best, least = shrunk, score
    if best is None:
        best = rotated / (values + unit * RIDGES[-1])[:, None]
    coef = (vectors @ best).T
    return Readout(coef, target_mean - coef @ mean)
