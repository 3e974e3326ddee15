"""What all estimators that make codes share: rows in, codes out, and back."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from sparselearn._compat import check_sample_weight
from sparselearn._parallel import map_chunks, row_chunks
from sparselearn._solvers._coding import Atoms, Codes, stack_rows
from sparselearn._validation import column_major
from sparselearn.decomposition._methods import make_coder

__all__ = [
    "CodesMixin",
    "check_rows",
    "encode",
    "explained",
    "observed_mean",
    "stack_codes",
    "warn_of",
]

FLOATS = (np.float64, np.float32)
# Rows a chunk: their products with a few hundred atoms stay in the cache.
CHUNK = 512


def check_rows(estimator, X, *, missing="error", reset=False):
    """X as kernels read it by rows: what `column_major` does, transposed.

    With ``missing="mask"`` dense X may have NaN.
    """
    X = validate_data(
        estimator,
        X,
        accept_sparse="csr",
        accept_large_sparse=True,
        dtype=FLOATS,
        order="C",
        ensure_all_finite="allow-nan" if missing == "mask" else True,
        reset=reset,
    )
    if sp.issparse(X) and np.isnan(X.data).any():
        raise ValueError(
            "Sparse X has NaN: missing='mask' needs dense X, since what a sparse one "
            "does not store is 0."
        )
    return column_major(X.T).T


def encode(X, atoms, coder, n_jobs=None):
    """`Codes` of the rows of X, by what is not NaN in them; in threads."""
    has_gaps = not sp.issparse(X) and np.isnan(np.sum(X)) and np.isnan(X).any()
    step = coder.encode_observed if has_gaps else coder.encode
    parts = map_chunks(lambda rows: step(X[rows], atoms), X.shape[0], CHUNK, n_jobs)
    return Codes(*map(np.concatenate, zip(*parts)))


def stack_codes(codes, n_components, dtype, *, split_sign=False):
    """`Codes` as a csr_array of `dtype`.

    With `split_sign` it has twice the columns: what is positive, then minus what is
    negative.
    """
    data, indices = codes.data.astype(dtype, copy=False), codes.indices
    if not split_sign:
        return stack_rows(data, indices, codes.lengths, n_components)
    shifted = indices + (data < 0.0).astype(indices.dtype) * n_components
    split = stack_rows(np.abs(data), shifted, codes.lengths, 2 * n_components)
    split.has_sorted_indices = False
    split.sort_indices()
    return split


def warn_of(codes, *, stacklevel):
    """One warning for all rows whose code is not what was asked for."""
    late = int(np.count_nonzero(codes.status == 1))
    if late:
        warnings.warn(
            f"The codes of {late} of {codes.status.size} samples missed their "
            "tolerance. Raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )


def _merge_signs(codes):
    """The codes that `split_sign` has split, dense or sparse."""
    half = codes.shape[1] // 2
    return codes[:, :half] - codes[:, half:]


def observed_mean(X, weights):
    """Weighted means of the features over what is not NaN; 0 where all is."""
    if sp.issparse(X):
        return X.T @ weights / weights.sum()
    seen = ~np.isnan(X)
    mass = weights @ seen
    sums = weights @ np.where(seen, X, 0.0)
    return np.divide(sums, mass, out=np.zeros(X.shape[1]), where=mass > 0.0)


def explained(X, codes, weights, components, mean, *, held_out=None):
    """R2 of `codes` about `mean`, weighted by variance; of entries held out, if any."""
    variation = error = 0.0
    stacked = stack_rows(codes.data, codes.indices, codes.lengths, components.shape[0])
    for rows in row_chunks(X.shape[0], CHUNK):
        part = X[rows].toarray() if sp.issparse(X) else X[rows]
        part = part.astype(np.float64, copy=False)
        counted = ~np.isnan(part)
        if held_out is not None:
            counted &= held_out[rows]
        deviations = np.where(counted, part - mean, 0.0)
        residuals = np.where(counted, part - stacked[rows] @ components, 0.0)
        variation += weights[rows] @ np.einsum("ij,ij->i", deviations, deviations)
        error += weights[rows] @ np.einsum("ij,ij->i", residuals, residuals)
    if variation == 0.0:
        return float(error == 0.0)
    return float(1.0 - error / variation)


class CodesMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """From rows to codes and back, by `components_`.

    An estimator says by `_coding` which `SparseCoder` has its parameters.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._coding.missing == "mask"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _codes(self, X, *, stacklevel):
        coding = self._coding
        codes = encode(X, Atoms(self.components_), make_coder(coding), self.n_jobs)
        warn_of(codes, stacklevel=stacklevel + 1)
        return codes

    def _store_codes(self, codes, weights):
        """Fitted attributes that are figures of the training samples' codes."""
        n_components = self.components_.shape[0]
        total = weights.sum()
        mass = np.repeat(weights, codes.lengths)
        usage = np.bincount(codes.indices, mass, minlength=n_components)
        self.n_components_ = n_components
        self.atom_usage_ = usage / total
        self.n_nonzero_coefs_ = float(usage.sum() / total)
        self.sparsity_ = 1.0 - self.n_nonzero_coefs_ / n_components
        self.objective_ = float(
            weights @ (0.5 * codes.errors + codes.penalties) / total
        )

    def _output(self, codes, dtype):
        coding = self._coding
        stacked = stack_codes(
            codes, self.components_.shape[0], dtype, split_sign=coding.split_sign
        )
        config = getattr(self, "_sklearn_output_config", {})
        container = config.get("transform", get_config()["transform_output"])
        sparse = coding.sparse_output and container == "default"
        return stacked if sparse else stacked.toarray()

    def transform(self, X):
        """Encode samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
            Of the dtype of X; with `split_sign` twice the columns. Dense under
            ``set_output(transform="pandas")``.
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X, missing=self._coding.missing)
        return self._output(self._codes(X, stacklevel=2), X.dtype)

    def inverse_transform(self, X):
        """The samples that codes stand for: codes times atoms.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes, as `transform` gives them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Of the dtype of the codes.
        """
        check_is_fitted(self, "components_")
        codes = check_array(X, accept_sparse="csr", dtype=FLOATS, input_name="codes")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"codes have {codes.shape[1]} columns; transform gives "
                f"{self._n_features_out}."
            )
        if self._coding.split_sign:
            codes = _merge_signs(codes)
        return np.asarray(codes @ self.components_.astype(codes.dtype, copy=False))

    def score(self, X, y=None, sample_weight=None, *, held_out=None):
        r"""The share of the variance of X that its codes explain.

        .. math:: 1 - \frac{\sum_{ij} s_i (x_{ij} - \hat x_{ij})^2}
                           {\sum_{ij} s_i (x_{ij} - \bar x_j)^2}

        with the means :math:`\bar x` of the training data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Entries that are NaN, if `missing` is "mask", count on neither side.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
        held_out : array-like of bool, shape (n_samples, n_features), default=None
            Entries of dense X to hide from the coder, and alone to be scored: how well
            missing entries are filled in.

        Returns
        -------
        score : float
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X, missing=self._coding.missing)
        weights = check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        seen = X
        if held_out is not None:
            held_out = self._check_held_out(held_out, X)
            seen = np.where(held_out, np.nan, X)
        codes = self._codes(seen, stacklevel=2)
        return explained(
            X, codes, weights, self.components_, self.mean_, held_out=held_out
        )

    def _check_held_out(self, held_out, X):
        held_out = np.asarray(held_out)
        if sp.issparse(X):
            raise ValueError("held_out needs dense X.")
        if held_out.dtype != bool or held_out.shape != X.shape:
            raise ValueError(
                "held_out must be an array of bool of the shape of X, "
                f"{X.shape}; got one of {held_out.dtype} of shape {held_out.shape}."
            )
        if not held_out.any():
            raise ValueError("held_out holds out no entry.")
        return held_out

    @property
    def _n_features_out(self):
        return self.components_.shape[0] * (1 + self._coding.split_sign)

    def get_feature_names_out(self, input_features=None):
        """Names of the codes: the class name in lower case, and a number.

        With `split_sign`, "_positive" or "_negative" at the end.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        feature_names_out : ndarray of str
        """
        names = super().get_feature_names_out(input_features)
        if not self._coding.split_sign:
            return names
        half = names[: names.size // 2]
        return np.concatenate([half + "_positive", half + "_negative"])
