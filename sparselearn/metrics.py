"""Figures of merit of sparse models and codes.

Each takes dense arrays and scipy's sparse arrays or matrices, never writes into
them, and sums in float64.
"""

import math

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array

__all__ = ["explained_variance", "hoyer_sparsity", "sparsity", "support_f1"]


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
        f"{type(estimator).__name__} has no sparsity_, coef_ or coefs_: fit it first, or "
        "give the array whose zeros are to be counted."
    )


def _share_of_zeros(arrays):
    arrays = [X if sp.issparse(X) else np.asarray(X) for X in arrays]
    size = sum(math.prod(X.shape) for X in arrays)
    if not size:
        raise ValueError("X has no entries, hence no share of zeros.")
    n_nonzero = sum(np.count_nonzero(_values(X)) for X in arrays)
    return 1.0 - n_nonzero / size


def _coordinates(X):
    """Sparse `X` as a coo_array without duplicates, sharing no memory with it."""
    X = sp.coo_array(X, copy=True)
    X.sum_duplicates()
    return X


def _values(X):
    return _coordinates(X).data if sp.issparse(X) else X


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
            f"axis must be None, or 0 or 1 for an X of two dimensions; got axis={axis!r} "
            f"for an X of {X.ndim}."
        )
    n = math.prod(X.shape) if axis is None else X.shape[axis]
    if n < 2:
        raise ValueError(f"Hoyer's sparsity needs at least 2 entries; got {n}.")
    # Squares of what remains after this division neither overflow nor vanish together.
    magnitudes = abs(X).astype(np.float64)
    peak = _values(magnitudes).max(initial=0.0)
    magnitudes = magnitudes * (1.0 / peak if peak > 0.0 else 0.0)
    l1 = np.asarray(magnitudes.sum(axis=axis)).ravel()
    squares = magnitudes.multiply(magnitudes) if sp.issparse(X) else magnitudes**2
    l2 = np.sqrt(np.asarray(squares.sum(axis=axis)).ravel())
    ratio = np.divide(l1, l2, out=np.ones_like(l1), where=l2 > 0.0)
    # Rounding may put l1 / l2 outside of [1, sqrt(n)].
    result = np.clip((math.sqrt(n) - ratio) / (math.sqrt(n) - 1.0), 0.0, 1.0)
    return float(result[0]) if axis is None else result
