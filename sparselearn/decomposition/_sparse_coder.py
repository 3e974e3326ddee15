"""Sparse codes by a given dictionary."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from sparselearn._compat import (
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
)
from sparselearn._validation import row_weights
from sparselearn.decomposition._coding import (
    CodesMixin,
    check_rows,
    observed_mean,
)
from sparselearn.decomposition._methods import METHODS

__all__ = ["SparseCoder"]


class SparseCoder(CodesMixin, BaseEstimator):
    """To be written by the helper."""

    _parameter_constraints = {
        "dictionary": ["array-like", None],
        "method": [StrOptions(set(METHODS))],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "alpha_mode": [StrOptions({"absolute", "relative"})],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "l1_ratio": [Interval(Real, 0, 1, closed="right")],
        "penalty_weights": ["array-like", None],
        "groups": ["array-like", None],
        "positive": ["boolean"],
        "split_sign": ["boolean"],
        "missing": [StrOptions({"error", "mask"})],
        "sparse_output": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        dictionary=None,
        *,
        method="threshold",
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
        sparse_output=True,
        max_iter=1000,
        n_jobs=None,
    ):
        self.dictionary = dictionary
        self.method = method
        self.n_nonzero_coefs = n_nonzero_coefs
        self.alpha = alpha
        self.alpha_mode = alpha_mode
        self.tol = tol
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.groups = groups
        self.positive = positive
        self.split_sign = split_sign
        self.missing = missing
        self.sparse_output = sparse_output
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @property
    def _coding(self):
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        self._fit(X, sample_weight)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, sample_weight=None):
        codes, dtype = self._fit(X, sample_weight)
        return self._output(codes, dtype)

    def _fit(self, X, sample_weight):
        X = check_rows(self, X, missing=self.missing, reset=True)
        weights = check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        row_weights(weights, X)  # refuses those that are all zero
        self.components_ = self._check_dictionary(X)
        self.mean_ = observed_mean(X, weights)
        codes = self._codes(X, stacklevel=4)
        self._store_codes(codes, weights)
        return codes, X.dtype

    def _check_dictionary(self, X):
        """`dictionary` held against X: a copy, of the dtype of X."""
        if self.dictionary is None:
            rows = X.toarray() if sp.issparse(X) else X
            return np.array(np.nan_to_num(rows), order="C")
        atoms = check_array(
            self.dictionary,
            dtype=X.dtype,
            copy=True,
            order="C",
            input_name="dictionary",
        )
        if atoms.shape[1] != X.shape[1]:
            raise ValueError(
                f"dictionary has {atoms.shape[1]} features and X has {X.shape[1]}; "
                "atoms and samples must have the same number."
            )
        return atoms
