"""Figures of merit of sparse models and codes.

Each takes dense arrays and scipy's sparse arrays or matrices, never writes into
them, and sums in float64.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import assert_all_finite, check_array

__all__ = [
    "AtomMatch",
    "explained_variance",
    "hoyer_sparsity",
    "match_atoms",
    "sparsity",
    "support_f1",
]


def sparsity(X):
    """Share of exact zeros.

    Parameters
    ----------
    X : array-like, sparse array or fitted estimator
        Entries that a sparse array stores with the value 0 are zeros. Of an estimator,
        its ``sparsity_`` if it has one, or that of its ``coef_``, or that of all of
        its ``coefs_``; of a pipeline, that of its last step.

    Returns
    -------
    sparsity : float in [0, 1]

    Raises
    ------
    TypeError
        If an estimator has none of the three attributes.
    ValueError
        If there are no entries.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sparselearn.metrics import sparsity
    >>> sparsity([[0.0, 1.0], [0.0, 0.0]])
    0.75
    >>> sparsity(sp.csr_array([[0.0, 1.0], [0.0, 0.0]]))
    0.75
    """
    if isinstance(X, Pipeline):
        return sparsity(X.steps[-1][1])
    if hasattr(X, "fit"):
        return _sparsity_of_estimator(X)
    return _share_of_zeros([X])


def _sparsity_of_estimator(estimator):
    if hasattr(estimator, "sparsity_"):
        return float(estimator.sparsity_)
    if hasattr(estimator, "coef_"):
        return _share_of_zeros([estimator.coef_])
    if hasattr(estimator, "coefs_"):
        return _share_of_zeros(estimator.coefs_)
    raise TypeError(
        f"{type(estimator).__name__} has no sparsity_, coef_ or coefs_: fit it first, "
        "or give the array whose zeros are to be counted."
    )


def _share_of_zeros(arrays):
    arrays = [X if sp.issparse(X) else np.asarray(X) for X in arrays]
    size = sum(math.prod(X.shape) for X in arrays)
    if not size:
        raise ValueError("X has no entries, hence no share of zeros.")
    n_nonzero = sum(int(np.count_nonzero(_values(X))) for X in arrays)
    return (size - n_nonzero) / size


def _coordinates(X):
    """Sparse `X` as a coo_array without duplicates; `X` keeps its own."""
    X = sp.coo_array(X)
    X.sum_duplicates()
    return X


def _values(X):
    return _coordinates(X).data if sp.issparse(X) else np.asarray(X)


def hoyer_sparsity(X, *, axis=None):
    r"""Hoyer's measure of sparseness, 0 for equal magnitudes, 1 for a single entry.

    .. math:: \frac{\sqrt n - \|x\|_1 / \|x\|_2}{\sqrt n - 1}

    It does not depend on the scale of x, nor on a count of exact zeros.

    Parameters
    ----------
    X : array-like or sparse array of shape (n,) or (n_rows, n_columns)
    axis : {None, 0, 1}, default=None
        None takes all entries as one x, 0 each column, 1 each row.

    Returns
    -------
    sparsity : float, or ndarray of shape (n_columns,) or (n_rows,)
        1 where all of x is zero.

    Raises
    ------
    ValueError
        If x has fewer than two entries, where the measure is not defined.

    References
    ----------
    P. O. Hoyer, "Non-negative matrix factorization with sparseness constraints",
    JMLR 5, 2004.

    Examples
    --------
    >>> from sparselearn.metrics import hoyer_sparsity
    >>> hoyer_sparsity([[0.0, 3.0, 0.0, 0.0], [1.0, -1.0, 1.0, 1.0]], axis=1)
    array([1., 0.])
    """
    X = X if sp.issparse(X) else np.asarray(X)
    if axis is not None and (axis not in (0, 1) or X.ndim != 2):
        raise ValueError(
            "axis must be None, or 0 or 1 for an X of two dimensions; got "
            f"axis={axis!r} for an X of {X.ndim}."
        )
    n = math.prod(X.shape) if axis is None else X.shape[axis]
    if n < 2:
        raise ValueError(f"Hoyer's sparsity needs at least 2 entries; got {n}.")
    values, add = _magnitudes(X, axis)
    assert_all_finite(values)
    # After this division squares do not overflow, nor vanish all.
    peak = values.max(initial=0.0)
    if peak > 0.0:
        values /= peak
    l1, l2 = add(values), np.sqrt(add(values**2))
    ratio = np.divide(l1, l2, out=np.ones(l1.shape), where=l2 > 0.0)
    # Rounding may put the ratio outside of [1, sqrt(n)].
    result = np.clip((math.sqrt(n) - ratio) / (math.sqrt(n) - 1.0), 0.0, 1.0)
    return float(result[0]) if axis is None else result


def _magnitudes(X, axis):
    """Magnitudes of entries of `X`, and a function that sums such along `axis`."""
    if not sp.issparse(X):
        values = np.abs(X.astype(np.float64))
        return values, lambda values: np.atleast_1d(values.sum(axis=axis))
    X = _coordinates(X)
    values = np.abs(X.data.astype(np.float64))
    if axis is None:
        return values, lambda values: np.atleast_1d(values.sum())
    line, n_lines = X.coords[1 - axis], X.shape[1 - axis]
    return values, lambda values: np.bincount(line, values, n_lines)


def explained_variance(X, X_hat, *, mean=None):
    r"""Share of the variance of X that a reconstruction explains.

    .. math:: 1 - \frac{\sum_{ij} (x_{ij} - \hat x_{ij})^2}
                       {\sum_{ij} (x_{ij} - \bar x_j)^2}

    That is R² weighted by the variances of the columns: 1 for a perfect
    reconstruction, 0 for one no better than the mean, negative for a worse one.

    Parameters
    ----------
    X : array-like or sparse array of shape (n_samples, n_features)
    X_hat : array-like or sparse array of shape (n_samples, n_features)
        Reconstruction of X.
    mean : array-like of shape (n_features,), default=None
        What to measure the variance of X about: the mean of the training data, so
        that figures of small test sets compare. None is the mean of X itself.

    Returns
    -------
    explained_variance : float
        If X does not vary, 1 for a perfect reconstruction and 0 for any other.

    Raises
    ------
    ValueError
        If the shapes differ, or an entry is not finite.

    Examples
    --------
    >>> from sparselearn.metrics import explained_variance
    >>> X = [[1.0, 0.0], [3.0, 4.0]]
    >>> explained_variance(X, [[1.0, 0.0], [3.0, 3.0]])
    0.9
    """
    X, X_hat = (
        check_array(
            array, accept_sparse=("csr", "csc"), dtype=np.float64, input_name=name
        )
        for array, name in ((X, "X"), (X_hat, "X_hat"))
    )
    if X.shape != X_hat.shape:
        raise ValueError(
            f"X has shape {X.shape} and X_hat {X_hat.shape}; they must be equal."
        )
    mean = _mean(X) if mean is None else np.asarray(mean, dtype=np.float64)
    if mean.shape != (X.shape[1],):
        raise ValueError(
            f"mean has shape {mean.shape}; it must have one entry for each feature, "
            f"shape ({X.shape[1]},)."
        )
    residual = _sum_of_squares(X - X_hat)
    total = _sum_of_squares_about(mean, X)
    if total == 0.0:
        return float(residual == 0.0)
    return float(1.0 - residual / total)


def _mean(X):
    """Means of the columns, exact for columns that do not vary."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    # The mean of what remains takes away the rounding of the first one.
    return mean + _sum_about(mean, X) / X.shape[0]


def _sum_about(mean, X):
    if not sp.issparse(X):
        return (X - mean).sum(axis=0)
    X = _coordinates(X)
    column = X.coords[1]
    within = np.bincount(column, X.data - mean[column], X.shape[1])
    return within - mean * (X.shape[0] - np.bincount(column, minlength=X.shape[1]))


def _sum_of_squares(X):
    values = _values(X)
    return float(np.sum(values**2))


def _sum_of_squares_about(mean, X):
    """``sum_ij (x_ij - mean_j)²``; where x_ij is not stored, ``mean_j²`` each."""
    if not sp.issparse(X):
        return _sum_of_squares(X - mean)
    X = _coordinates(X)
    column = X.coords[1]
    stored = np.bincount(column, minlength=X.shape[1])
    within = _sum_of_squares(X.data - mean[column])
    return within + float((X.shape[0] - stored) @ mean**2)


def support_f1(true, estimated):
    """F1 score of the entries that are not zero.

    ``2 |S ∩ Ŝ| / (|S| + |Ŝ|)``, with S the support of `true` and Ŝ that of
    `estimated`: the harmonic mean of the share of Ŝ that is right and the share of S
    that is found.

    Parameters
    ----------
    true, estimated : array-like or sparse arrays, of one shape
        Coefficients or codes, or masks.

    Returns
    -------
    f1 : float in [0, 1]
        1 if both supports are empty.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from sparselearn.metrics import support_f1
    >>> support_f1([1.0, 0.0, 2.0, 0.0], [0.9, 0.1, 0.0, 0.0])
    0.5
    """
    true, estimated = (
        X if sp.issparse(X) else np.asarray(X) for X in (true, estimated)
    )
    if true.shape != estimated.shape:
        raise ValueError(
            f"true has shape {true.shape} and estimated {estimated.shape}; they must "
            "be equal."
        )
    S, S_hat = _support(true), _support(estimated)
    n_both = np.intersect1d(S, S_hat, assume_unique=True).size
    n_sum = S.size + S_hat.size
    return 2.0 * n_both / n_sum if n_sum else 1.0


def _support(X):
    """Sorted flat indices of the entries of `X` that are not zero."""
    if not sp.issparse(X):
        return np.flatnonzero(X)
    X = _coordinates(X)
    flat = np.ravel_multi_index(X.coords, X.shape)
    return np.sort(flat[X.data != 0.0])


@dataclass(frozen=True)
class AtomMatch:
    """Which atoms of one dictionary are which of another.

    Attributes
    ----------
    indices : ndarray of int, shape (n_true,)
        The found atom that stands for each true one; -1 for none, where there are
        fewer of them.
    signs : ndarray of shape (n_true,)
        1 or -1: by what to multiply the found atom. 0 for none.
    cosines : ndarray of shape (n_true,)
        ``|cos|`` of the angle between both, in [0, 1]; 0 for none.
    recovered : float
        The share of the true atoms whose cosine exceeds the threshold.
    """

    indices: np.ndarray
    signs: np.ndarray
    cosines: np.ndarray
    recovered: float


def match_atoms(D_true, D_found, *, threshold=0.99):
    r"""Match the atoms of two dictionaries one to one, whatever their order and signs.

    Of all one-to-one matches :math:`\pi` it is the one that maximises

    .. math:: \sum_i \frac{|d_i^T \hat d_{\pi(i)}|}{\|d_i\| \|\hat d_{\pi(i)}\|}.

    Parameters
    ----------
    D_true : array-like of shape (n_true, n_features)
        Atoms, of any length; an atom of length 0 has cosine 0 with all.
    D_found : array-like of shape (n_found, n_features)
        Found atoms, as many, fewer or more.
    threshold : float, default=0.99
        An atom is recovered where its cosine exceeds this.

    Returns
    -------
    match : AtomMatch
        With attributes `indices`, `signs`, `cosines` and `recovered`.

    Raises
    ------
    ValueError
        If the dictionaries differ in width, or an entry is not finite.

    References
    ----------
    H. W. Kuhn, "The Hungarian method for the assignment problem", Naval Research
    Logistics Quarterly 2, 1955.

    Examples
    --------
    >>> from sparselearn.metrics import match_atoms
    >>> match = match_atoms([[1, 0], [0, 1]], [[0.0, -2.0], [3.0, 4.0]])
    >>> match.indices, match.signs, match.cosines
    (array([1, 0]), array([ 1., -1.]), array([0.6, 1. ]))
    >>> match.recovered
    0.5
    """
    true, found = (
        _directions(check_array(D, dtype=np.float64, input_name=name))
        for D, name in ((D_true, "D_true"), (D_found, "D_found"))
    )
    if true.shape[1] != found.shape[1]:
        raise ValueError(
            f"D_true has {true.shape[1]} features and D_found {found.shape[1]}; they "
            "must be equal."
        )
    products = true @ found.T
    matched, partners = linear_sum_assignment(np.abs(products), maximize=True)
    indices = np.full(true.shape[0], -1)
    indices[matched] = partners
    signed = np.zeros(true.shape[0])
    signed[matched] = products[matched, partners]
    signs = np.where(indices >= 0, np.where(signed < 0.0, -1.0, 1.0), 0.0)
    cosines = np.minimum(np.abs(signed), 1.0)
    return AtomMatch(indices, signs, cosines, float(np.mean(cosines > threshold)))


def _directions(atoms):
    """Atoms over their lengths; those of length 0 as they are."""
    peaks = np.abs(atoms).max(axis=1, keepdims=True)
    atoms = atoms / np.where(peaks > 0.0, peaks, 1.0)  # no square overflows
    lengths = np.linalg.norm(atoms, axis=1, keepdims=True)
    return atoms / np.where(lengths > 0.0, lengths, 1.0)
