"""Codes by a dictionary as functions."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from sparselearn._compat import validate_params
from sparselearn._solvers._coding import Atoms
from sparselearn.decomposition._coding import (
    check_rows,
    encode,
    encode_levels,
    stack_codes,
    warn_of,
    warn_of_none,
)
from sparselearn.decomposition._methods import make_coder
from sparselearn.decomposition._sparse_coder import SparseCoder

__all__ = ["CodePath", "encode_path", "sparse_encode"]

# What `SparseCoder` says of its parameters, but for those of an estimator only.
_OPTIONS = {
    name: constraint
    for name, constraint in SparseCoder._parameter_constraints.items()
    if name not in ("dictionary", "sparse_output")
}
_DATA = {"X": ["array-like", "sparse matrix"], "dictionary": ["array-like"]}


@validate_params({**_DATA, **_OPTIONS}, prefer_skip_nested_validation=True)
def sparse_encode(
    X,
    dictionary,
    *,
    method="omp",
    n_nonzero_coefs=None,
    alpha=None,
    alpha_mode="absolute",
    tol=None,
    l1_ratio=1.0,
    penalty_weights=None,
    groups=None,
    positive=False,
    split_sign=False,
    missing="error",
    max_iter=1000,
    n_jobs=None,
):
    """Sparse codes of samples by the atoms of a dictionary.

    Minimises ``||x - D'z||²`` with few non-zeros in z, for each row x of X and the
    dictionary D, as the equations of :class:`SparseCoder` say for each method.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    dictionary : array-like of shape (n_components, n_features)
        The atoms, of any length.
    method, n_nonzero_coefs, alpha, alpha_mode, tol, l1_ratio, penalty_weights, \
            groups, positive, split_sign, missing, max_iter, n_jobs
        See :class:`SparseCoder`.

    Returns
    -------
    codes : csr_array of shape (n_samples, n_components)
        Of the dtype of X; with `split_sign` twice the columns.

    Raises
    ------
    ValueError
        As :class:`SparseCoder`.

    Warns
    -----
    ConvergenceWarning
        Once: if codes miss their tolerance, or if all of them are zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.decomposition import sparse_encode
    >>> D = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    >>> X = np.array([[3.0, 2.0, 2.0], [0.0, 0.0, -4.0]])
    >>> sparse_encode(X, D, n_nonzero_coefs=2).toarray()
    array([[ 3.,  2.,  0.],
           [ 0.,  0., -4.]])
    """
    coding = SparseCoder(
        dictionary,
        method=method,
        n_nonzero_coefs=n_nonzero_coefs,
        alpha=alpha,
        alpha_mode=alpha_mode,
        tol=tol,
        l1_ratio=l1_ratio,
        penalty_weights=penalty_weights,
        groups=groups,
        positive=positive,
        missing=missing,
        max_iter=max_iter,
    )
    X, atoms = _check(X, coding)
    codes = encode(X, atoms, make_coder(coding), n_jobs)
    warn_of(codes, stacklevel=3)
    warn_of_none(codes, coding, stacklevel=3)
    return stack_codes(codes, atoms.size, X.dtype, split_sign=split_sign)


def _check(X, coding):
    """X as coders read it, and the `Atoms` of ``coding.dictionary``."""
    X = check_rows(coding, X, missing=coding.missing, reset=True)
    return X, Atoms(coding.check_dictionary(X))


@dataclass(frozen=True)
class CodePath:
    """Codes of the same samples at several numbers of non-zeros.

    Attributes
    ----------
    n_nonzero_coefs : tuple of int, length n_levels
        As they were asked for.
    codes : tuple of csr_array of shape (n_samples, n_components)
        For each level.
    errors : ndarray of shape (n_levels, n_samples)
        Squared error of each sample, ``||x - D'z||²``, over what is not missing.
    """

    n_nonzero_coefs: tuple[int, ...]
    codes: tuple[sp.csr_array, ...]
    errors: np.ndarray


_PATH_OPTIONS = {
    name: _OPTIONS[name]
    for name in ("method", "positive", "split_sign", "missing", "max_iter", "n_jobs")
}


@validate_params(
    {**_DATA, **_PATH_OPTIONS, "n_nonzero_coefs": ["array-like"]},
    prefer_skip_nested_validation=True,
)
def encode_path(
    X,
    dictionary,
    *,
    n_nonzero_coefs=(1, 2, 4, 8),
    method="omp",
    positive=False,
    split_sign=False,
    missing="error",
    max_iter=1000,
    n_jobs=None,
):
    """Sparse codes of samples at several numbers of non-zeros, from one pass.

    The codes are those of ``sparse_encode(X, dictionary, n_nonzero_coefs=k)`` for each
    k. A pursuit of k atoms passes through all shorter ones, so "omp" and "ormp" give
    the whole list for the work of its largest k; other methods encode once for each.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    dictionary : array-like of shape (n_components, n_features)
        The atoms, of any length.
    n_nonzero_coefs : sequence of int, default=(1, 2, 4, 8)
        Non-zeros of a code, at most, at each level; in any order.
    method, positive, split_sign, missing, max_iter, n_jobs
        See :class:`SparseCoder`.

    Returns
    -------
    path : CodePath
        With attributes `n_nonzero_coefs`, `codes` and `errors`.

    Raises
    ------
    ValueError
        As :class:`SparseCoder`, and for levels that are none, or not integers >= 1.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.decomposition import encode_path
    >>> X, y = load_digits(return_X_y=True)
    >>> D, X = X[:500], X[500:]
    >>> path = encode_path(X, D, n_nonzero_coefs=[2, 4, 8])
    >>> [codes.nnz / 1297 for codes in path.codes]
    [2.0, 4.0, 8.0]
    >>> (path.errors.sum(axis=1) / (X**2).sum()).round(2)
    array([0.08, 0.05, 0.03])
    """
    levels = _check_levels(n_nonzero_coefs)
    coding = SparseCoder(
        dictionary,
        method=method,
        n_nonzero_coefs=max(levels),
        positive=positive,
        missing=missing,
        max_iter=max_iter,
    )
    X, atoms = _check(X, coding)
    path = encode_levels(X, atoms, make_coder(coding), levels, n_jobs)
    warn_of(max(path, key=lambda codes: (codes.status == 1).sum()), stacklevel=3)
    warn_of_none(path[levels.index(max(levels))], coding, stacklevel=3)
    return CodePath(
        levels,
        tuple(
            stack_codes(codes, atoms.size, X.dtype, split_sign=split_sign)
            for codes in path
        ),
        np.stack([codes.errors for codes in path]),
    )


def _check_levels(n_nonzero_coefs):
    levels = np.asarray(n_nonzero_coefs)
    if levels.ndim != 1 or not levels.size or levels.dtype.kind not in "iu":
        raise ValueError(
            "n_nonzero_coefs must be a sequence of integers, at least one; got "
            f"{n_nonzero_coefs!r}."
        )
    if levels.min() < 1:
        raise ValueError(
            f"n_nonzero_coefs must be >= 1 at each level; got {levels.min()}."
        )
    return tuple(levels.tolist())
