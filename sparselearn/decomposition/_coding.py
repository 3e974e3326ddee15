"""What all estimators that make codes share: rows in, codes out, and back."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sparselearn._dask import lazily
from sparselearn._parallel import bounded, map_chunks, row_chunks
from sparselearn._solvers._coding import (
    Atoms,
    has_gaps,
    join_codes,
    merge_signs,
    split_names,
    split_signs,
    stack_rows,
)
from sparselearn._validation import check_codes, check_weights
from sparselearn._validation import check_rows as check_floats
from sparselearn.decomposition._methods import make_coder

__all__ = [
    "CodesMixin",
    "check_rows",
    "chunk_rows",
    "compact",
    "encode",
    "encode_levels",
    "explained",
    "map_rows",
    "observed_mean",
    "stack_codes",
    "warn_of",
    "warn_of_none",
]

# Rows a chunk: their products with a few hundred atoms stay in the cache. Fewer where
# a row or its code is so long that a chunk would be of more numbers than BLOCK.
CHUNK = 512
BLOCK = 2**22


def check_rows(estimator, X, *, missing="error", reset=False):
    """X as kernels read it by rows: what `column_major` does, transposed.

    With ``missing="mask"`` dense X may have NaN.
    """
    X = check_floats(estimator, X, reset=reset, allow_nan=True)
    if missing == "error" and has_gaps(X):
        raise ValueError(
            "Input X contains NaN. With missing='mask', a parameter of SparseCoder, it "
            "is an entry that is not known."
        )
    if sp.issparse(X) and np.isnan(X.data).any():
        raise ValueError(
            "Sparse X has NaN: missing='mask' needs dense X, since what a sparse one "
            "does not store is 0."
        )
    return X


def chunk_rows(X, n_components=1):
    """How many rows of X are encoded at a time."""
    width = n_components if sp.issparse(X) else max(n_components, X.shape[1])
    return max(1, min(CHUNK, BLOCK // width))


def map_rows(function, X, atoms, coder, n_jobs=None):
    """``function(X[rows])`` for chunks of rows, in threads that share `atoms`."""
    bounded(coder.prepare, atoms)
    step = chunk_rows(X, atoms.size)
    return map_chunks(lambda rows: function(X[rows]), X.shape[0], step, n_jobs)


def encode(X, atoms, coder, n_jobs=None):
    """`Codes` of the rows of X, by what is not NaN in them; in threads."""
    return join_codes(
        map_rows(
            lambda rows: compact(coder.encode_rows(rows, atoms)),
            X,
            atoms,
            coder,
            n_jobs,
        )
    )


def encode_levels(X, atoms, coder, levels, n_jobs=None):
    """`Codes` of the rows of X at each of the `levels`, numbers of non-zeros."""

    def at_all_levels(rows):
        if has_gaps(rows):
            path = (coder.at_level(level).encode_rows(rows, atoms) for level in levels)
        else:
            path = coder.encode_levels(rows, atoms, levels)
        return [compact(codes) for codes in path]

    parts = map_rows(at_all_levels, X, atoms, coder, n_jobs)
    by_level = [list(level) for level in zip(*parts)]
    parts.clear()  # so that joining a level frees its parts
    return [join_codes(level) for level in by_level]


def compact(codes):
    """`codes` without the room that a coder made for longer ones."""
    data, indices = codes.data, codes.indices
    return codes._replace(
        data=data if data.base is None else data.copy(),
        indices=indices if indices.base is None else indices.copy(),
    )


def stack_codes(codes, n_components, dtype, *, split_sign=False):
    """`Codes` as a csr_array of `dtype`.

    With `split_sign` it has twice the columns: what is positive, then minus what is
    negative.
    """
    data = codes.data.astype(dtype, copy=False)
    stacked = stack_rows(data, codes.indices, codes.lengths, n_components)
    return split_signs(stacked) if split_sign else stacked


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


def warn_of_none(codes, coding, *, stacklevel):
    """A warning if all codes are zero, but not all rows: `errors` are their squares."""
    if codes.data.size or not codes.errors.any():
        return
    advice = "no atom explains any of the samples. Check the dictionary."
    if coding.alpha is not None:
        advice = f"alpha={coding.alpha} is too large for these samples. Lower it."
    elif coding.tol is not None:
        advice = f"tol={coding.tol} asks for no more. Lower it."
    warnings.warn(
        f"All codes are zero: {advice}", ConvergenceWarning, stacklevel=stacklevel + 1
    )


def observed_mean(X, weights):
    """Weighted means of the features over what is not NaN; 0 where all is."""
    if sp.issparse(X):
        return X.T @ weights / weights.sum()
    sums, masses = np.zeros((2, X.shape[1]))
    for rows in row_chunks(X.shape[0], chunk_rows(X)):
        seen = ~np.isnan(X[rows])
        sums += weights[rows] @ np.where(seen, X[rows], 0.0)
        masses += weights[rows] @ seen
    return np.divide(sums, masses, out=sums, where=masses > 0.0)


def explained(X, codes, weights, components, mean, *, held_out=None):
    """R2 of `codes` about `mean`, weighted by variance; of entries held out, if any."""
    if held_out is None:
        variation = _variation(X, weights, mean)
        error = weights @ codes.errors
        total = variation + weights.sum() * (mean @ mean)
    else:
        variation = error = total = 0.0
        stacked = stack_codes(codes, components.shape[0], np.float64)
        for rows in row_chunks(X.shape[0], chunk_rows(X)):
            hidden = np.where(held_out[rows], X[rows], np.nan)
            variation += weights[rows] @ _squares(hidden - mean)
            error += weights[rows] @ _squares(hidden - stacked[rows] @ components)
            total += weights[rows] @ _squares(hidden)
    if variation == 0.0:
        # An error of so small a share of all is rounding.
        return float(error <= 64.0 * np.finfo(np.float64).eps * total)
    return float(1.0 - error / variation)


def _variation(X, weights, mean):
    """``sum_ij s_i (x_ij - mean_j)²`` over what is not NaN."""
    if sp.issparse(X):
        # What is not stored adds mean_j² each.
        inside = np.repeat(weights, np.diff(X.indptr))
        stored = inside @ (X.data - mean[X.indices]) ** 2
        outside = weights.sum() - np.bincount(X.indices, inside, minlength=mean.size)
        return float(stored + outside @ mean**2)
    total = 0.0
    for rows in row_chunks(X.shape[0], chunk_rows(X)):
        total += weights[rows] @ _squares(X[rows] - mean)
    return float(total)


def _squares(deviations):
    """Sums of squares of the rows of what is not NaN."""
    deviations = np.where(np.isnan(deviations), 0.0, deviations)
    return np.einsum("ij,ij->i", deviations, deviations)


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

    def _codes(self, X, *, stacklevel, components=None):
        """`Codes` by `components`, or `components_`; warns at most once."""
        atoms = Atoms(self.components_ if components is None else components)
        codes = encode(X, atoms, make_coder(self._coding), self.n_jobs)
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

    @lazily
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
        return self._output(self._codes(X, stacklevel=4), X.dtype)

    @lazily
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
        codes = check_codes(X, self._n_features_out)
        if self._coding.split_sign:
            codes = merge_signs(codes)
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
            1 at best; 0 for codes no better than the mean.
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X, missing=self._coding.missing)
        weights = check_weights(sample_weight, X)
        seen = X
        if held_out is not None:
            held_out = _check_held_out(held_out, X)
            seen = np.where(held_out, np.nan, X)
        codes = self._codes(seen, stacklevel=2)
        return explained(
            X, codes, weights, self.components_, self.mean_, held_out=held_out
        )

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
        names = names[: self.components_.shape[0]] + self._name_endings()
        return split_names(names) if self._coding.split_sign else names

    def _name_endings(self):
        """What to append to the names of all atoms, or of each."""
        return ""


def _check_held_out(held_out, X):
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
