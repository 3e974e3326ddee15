"""Fitted coders at several numbers of non-zeros, from one pass over the samples."""

from copy import copy

from sklearn.base import clone

from sparselearn._solvers._coding import Atoms
from sparselearn._validation import check_weights
from sparselearn.decomposition._coding import (
    check_rows,
    encode_levels,
    warn_of,
    warn_of_none,
)
from sparselearn.decomposition._methods import USES, make_coder
from sparselearn.decomposition._sparse_coder import SparseCoder
from sparselearn.decomposition._sums import FeatureSums

__all__ = ["fit_path", "has_path", "transform_path"]


def has_path(coder, parameter):
    """Whether `fit_path` fits such a coder at several values of `parameter`."""
    is_size = parameter == "n_nonzero_coefs"
    return type(coder) is SparseCoder and is_size and parameter in USES[coder.method]


def fit_path(coder, levels, X, sample_weight=None):
    """Copies of a `SparseCoder` fitted with each of several `n_nonzero_coefs`.

    They are what ``clone(coder).set_params(n_nonzero_coefs=level).fit(X)`` is.

    Parameters
    ----------
    coder : SparseCoder
        For which `has_path` says yes; it is not changed.
    levels : sequence of int
        In any order.
    X, sample_weight
        As for ``coder.fit``.

    Returns
    -------
    coders : list of SparseCoder
    codes : list of csr_array or ndarray
        What they make of X, as ``transform`` gives it.
    """
    first = clone(coder)
    for level in levels:
        first.set_params(n_nonzero_coefs=level)
        first._validate_params()
    X = check_rows(first, X, missing=first.missing, reset=True)
    weights = check_weights(sample_weight, X)
    components, mean = (
        first.check_dictionary(X, weights),
        FeatureSums.of(X, weights).mean,
    )
    coders = [copy(first).set_params(n_nonzero_coefs=level) for level in levels]
    path = _encoded(coders, X, components)
    for twin, codes in zip(coders, path):
        warn_of_none(codes, twin, stacklevel=3)
        twin._store(X, weights, components, mean, codes)
    return coders, _outputs(coders, path, X.dtype)


def transform_path(coders, X):
    """``[coder.transform(X) for coder in coders]``, for coders of one `fit_path`."""
    X = check_rows(coders[0], X, missing=coders[0].missing)
    path = _encoded(coders, X, coders[0].components_)
    return _outputs(coders, path, X.dtype)


def _encoded(coders, X, components):
    """`Codes` of X for each coder; a warning for the worst."""
    first = coders[0]
    levels = [coder.n_nonzero_coefs for coder in coders]
    path = encode_levels(X, Atoms(components), make_coder(first), levels, first.n_jobs)
    warn_of(max(path, key=lambda codes: (codes.status == 1).sum()), stacklevel=4)
    return path


def _outputs(coders, path, dtype):
    return [coder._output(codes, dtype) for coder, codes in zip(coders, path)]
