"""Fitted coders at several numbers of non-zeros, which centroids do not depend on."""

from copy import deepcopy

from sklearn.base import clone

from sparselearn._parallel import bounded
from sparselearn._validation import check_rows, check_weights
from sparselearn.cluster._coding import count_codes
from sparselearn.cluster._kmeans_coder import KMeansCoder

__all__ = ["fit_path", "has_path"]


def has_path(coder, parameter):
    """Whether `fit_path` fits such a coder at several values of `parameter`.

    An automatic threshold depends on the number of non-zeros wanted, and a threshold
    that is given leaves fewer.
    """
    is_size = parameter == "n_nonzero_coefs"
    return type(coder) is KMeansCoder and is_size and coder.encoder != "soft-threshold"


def fit_path(coder, levels, X, y=None, sample_weight=None):
    """Copies of a `KMeansCoder` fitted with each of several `n_nonzero_coefs`.

    They are what ``clone(coder).set_params(n_nonzero_coefs=level).fit(X)`` is, with the
    centroids learned once.

    Parameters
    ----------
    coder : KMeansCoder
        For which `has_path` says yes; it is not changed.
    levels : sequence of int or None
        In any order.
    X, y, sample_weight
        As for ``coder.fit``.

    Returns
    -------
    coders : list of KMeansCoder
    """
    coders = [clone(coder).set_params(n_nonzero_coefs=level) for level in levels]
    first = coders[0].fit(X, y, sample_weight=sample_weight)
    rows = check_rows(first, X)
    weights = check_weights(sample_weight, rows)
    for k, level in enumerate(levels[1:], start=1):
        # Each goes on by itself, if it goes on.
        twin = coders[k] = deepcopy(first).set_params(n_nonzero_coefs=level)
        twin._validate_params()
        coding = bounded(twin._coding, twin._codebook(), twin.threshold_, rows)
        lengths = count_codes(rows, coding, twin.n_jobs)
        twin.n_nonzero_coefs_ = float(weights @ lengths / weights.sum())
        twin.sparsity_ = 1.0 - twin.n_nonzero_coefs_ / twin._n_features_out
    return coders
