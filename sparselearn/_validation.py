"""User input, once: checked, and brought to the one layout that kernels know.

Kernels see float32 or float64 columns, contiguous and aligned, and 32-bit indices
where they fit; and they see them read-only. A kernel that wrote into X would not
compile, a memory map needs no copy, and one signature a dtype serves all users.
"""

from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils import validation as sklearn_validation

from sparselearn._compat import check_sample_weight
from sparselearn._dask import is_collection
from sparselearn._solvers._maps import in_order, is_large_map

__all__ = [
    "FLOATS",
    "check_X_y",
    "check_codes",
    "check_part_weights",
    "check_penalty_weights",
    "check_regression",
    "check_rows",
    "check_weights",
    "column_major",
    "finite_check",
    "read_only",
    "refuse_collection",
    "row_weights",
    "validate_batch",
    "validate_data",
    "validate_regression",
]

FLOATS = (np.float64, np.float32)


def read_only(array):
    """A view of `array` that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def refuse_collection(X, taker):
    """TypeError if X is a dask collection, which would be brought here whole.

    Parameters
    ----------
    taker : estimator or str
        Who takes X in memory only: named in the error. An estimator may say by
        `_for_collections` what to use instead.
    """
    if not is_collection(X):
        return
    name = taker if isinstance(taker, str) else type(taker).__name__
    advice = (
        "Give it a part of the rows, such as X.partitions[0].compute(), or X.compute() "
        "where memory holds all."
    )
    if hasattr(taker, "partial_fit"):
        advice = f"{advice} Its partial_fit learns from one part after another."
    advice = getattr(taker, "_for_collections", advice)
    raise TypeError(
        f"{name} needs these rows in memory, and X is a dask {type(X).__name__}. "
        f"{advice}"
    )


def validate_data(estimator, X, *args, **options):
    """`sklearn.utils.validation.validate_data` of rows that are in memory or in a file.

    A large memory map may then be in another order than was asked for: a copy of it
    would be in memory, while `column_major` turns it into a temporary file.
    """
    refuse_collection(X, estimator)
    options = _without_copies(X, options)
    return sklearn_validation.validate_data(estimator, X, *args, **options)


def check_X_y(X, y, **options):
    """The same for a function: `sklearn.utils.check_X_y`."""
    refuse_collection(X, "This function")
    return sklearn_validation.check_X_y(X, y, **_without_copies(X, options))


def _without_copies(X, options):
    return options | {"order": None} if is_large_map(X) else options


def finite_check(estimator):
    """A function that refuses rows with NaN or infinity, as `validate_data` does.

    For rows that are read in blocks anyhow: they are then in cache, and threads check
    them too, whatever the setting ``assume_finite``, which is of a thread, says there.
    """
    if get_config()["assume_finite"]:
        return lambda rows: None
    name = type(estimator).__name__
    refuse = partial(assert_all_finite, estimator_name=name, input_name="X")

    def check(rows):
        # BLAS sums squares in half the time that numpy takes for a sum. If one of them
        # is too large, this is no more than a doubt.
        values = rows.ravel()
        with np.errstate(all="ignore"):
            size = np.dot(values, values)
        if not np.isfinite(size):
            refuse(rows)

    return check


def column_major(X):
    """`X` as kernels read it by columns; a copy only where the layout demands one.

    Of a large memory map that is a temporary file.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features), float32 or float64

    Returns
    -------
    ndarray, Fortran-ordered and read-only; or csc_array, without duplicate entries,
    its indices 32-bit where they fit, its arrays read-only.
    """
    if not sp.issparse(X):
        return read_only(np.require(in_order(X, "F"), requirements=["F", "A"]))
    X = sp.csc_array(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    small = max(*X.shape, X.nnz) < np.iinfo(np.int32).max
    index_dtype = np.int32 if small else np.int64
    parts = (
        np.require(X.data, requirements=["C", "A"]),
        X.indices.astype(index_dtype, copy=False),
        X.indptr.astype(index_dtype, copy=False),
    )
    frozen = sp.csc_array(tuple(map(read_only, parts)), shape=X.shape, copy=False)
    frozen.has_canonical_format = True
    return frozen


def row_weights(sample_weight, X):
    """`sample_weight` over its sum: shape (n_samples,), or (1,) for equal weights."""
    if sample_weight is None:
        return np.full(1, 1.0 / X.shape[0])
    weights = check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    total = weights.sum()
    # Newer versions of scikit-learn refuse this before.
    if not total > 0.0:
        raise ValueError(
            "sample_weight is zero for every sample: there is nothing to fit; give "
            "at least one sample a positive weight."
        )
    return weights / total


def check_rows(estimator, X, *, reset=False, allow_nan=False):
    """Check X, and set or compare feature attributes of a transformer.

    Returns
    -------
    X : as kernels read it by rows: what `column_major` does, transposed
    """
    X = validate_data(
        estimator,
        X,
        accept_sparse="csr",
        accept_large_sparse=True,
        dtype=FLOATS,
        order="C",
        ensure_all_finite="allow-nan" if allow_nan else True,
        reset=reset,
    )
    return column_major(X.T).T


def check_weights(sample_weight, X):
    """`sample_weight` as a float64 ndarray (n_samples,), not all zero; ones if None."""
    weights = check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    row_weights(weights, X)  # refuses those that are all zero
    return weights


def check_part_weights(sample_weight, X):
    """The same for some rows of many, whose weights may be all zero."""
    if sample_weight is None:
        return np.ones(X.shape[0])
    if not np.any(sample_weight):
        return np.zeros(X.shape[0])
    return check_weights(sample_weight, X)


def check_codes(X, n_columns, *, order=None):
    """What `inverse_transform` is given, of as many columns as `transform` gives."""
    codes = check_array(
        X, accept_sparse="csr", dtype=FLOATS, order=order, input_name="codes"
    )
    if codes.shape[1] != n_columns:
        raise ValueError(
            f"codes have {codes.shape[1]} columns; transform gives {n_columns}."
        )
    return sp.csr_array(codes) if sp.issparse(codes) else codes


def check_penalty_weights(penalty_weights, n_features, *, of="feature"):
    """`penalty_weights` as a float64 ndarray (n_features,), or None.

    `of` says what has a weight, in the error.
    """
    if penalty_weights is None:
        return None
    weights = np.asarray(penalty_weights, dtype=np.float64)
    if weights.shape != (n_features,):
        raise ValueError(
            f"penalty_weights has shape {weights.shape}; it must have one weight for "
            f"each {of}, shape ({n_features},)."
        )
    if not np.all(weights >= 0.0):
        raise ValueError(
            "penalty_weights must be >= 0 (0: unpenalised, inf: dropped); got "
            f"{weights[~(weights >= 0.0)][0]}."
        )
    return weights


_REGRESSION = {
    "accept_sparse": "csc",
    "accept_large_sparse": True,
    "dtype": FLOATS,
    "order": "F",
    "multi_output": True,
    "y_numeric": True,
}


def validate_regression(estimator, X, y, sample_weight=None, *, multi_output=True):
    """Check the input of a linear model's `fit`, and set its feature attributes.

    Parameters
    ----------
    multi_output : bool
        Whether y may have several columns.

    Returns
    -------
    X : as :func:`column_major`
    y : float64 ndarray of shape (n_samples,) or (n_samples, n_targets)
    weights : as :func:`row_weights`
    """
    options = _REGRESSION | {"multi_output": multi_output}
    X, y = validate_data(estimator, X, y, **options)
    return column_major(X), y.astype(np.float64), row_weights(sample_weight, X)


def validate_batch(estimator, X, y, sample_weight=None, *, reset, multi_output=True):
    """The same for a batch of rows, whose weights are as they are given.

    Parameters
    ----------
    reset : bool
        Whether it is the first, and sets feature attributes.

    Returns
    -------
    X, y
        As of :func:`validate_regression`.
    weights : float64 ndarray of shape (n_samples,), or (1,) for ones
    """
    options = _REGRESSION | {"multi_output": multi_output}
    X, y = validate_data(estimator, X, y, reset=reset, **options)
    X = column_major(X)
    weights = np.ones(1)
    if sample_weight is not None:
        weights = check_weights(sample_weight, X)
    return X, y.astype(np.float64), weights


def check_regression(X, y, sample_weight=None):
    """The same for a function, whose y has one target."""
    X, y = check_X_y(X, y, **(_REGRESSION | {"multi_output": False}))
    return column_major(X), y.astype(np.float64), row_weights(sample_weight, X)
