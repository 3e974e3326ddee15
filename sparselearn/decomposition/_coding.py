"""What all estimators that make codes share: rows in, codes out, and back."""

import warnings
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import container_of
from sparselearn._dask import chunks_of, is_collection, lazily, reduced
from sparselearn._parallel import bounded, map_chunks
from sparselearn._solvers._coding import (
    Atoms,
    Coder,
    has_gaps,
    join_codes,
    merge_signs,
    split_names,
    split_signs,
    stack_rows,
)
from sparselearn._validation import check_codes, check_part_weights, check_weights
from sparselearn._validation import check_rows as check_floats
from sparselearn.decomposition._methods import make_coder
from sparselearn.decomposition._sums import (
    Scored,
    chunk_rows,
    errors_of,
    hidden_errors_of,
)

__all__ = [
    "CodesMixin",
    "RowCoding",
    "check_rows",
    "compact",
    "encode",
    "encode_levels",
    "map_rows",
    "stack_codes",
    "warn_of",
    "warn_of_none",
    "warn_of_so_many",
    "warn_of_zeros",
]


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
    warn_of_so_many(late, codes.status.size, stacklevel=stacklevel + 1)


def warn_of_so_many(n_late, n_samples, *, stacklevel):
    """The same, of their numbers."""
    if n_late:
        warnings.warn(
            f"The codes of {n_late} of {n_samples} samples missed their "
            "tolerance. Raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )


def warn_of_none(codes, coding, *, stacklevel):
    """A warning if all codes are zero, but not all rows: `errors` are their squares."""
    if not codes.data.size and codes.errors.any():
        warn_of_zeros(coding, stacklevel=stacklevel + 1)


def warn_of_zeros(coding, *, stacklevel):
    """A warning that all codes are zero, with what to do about it."""
    advice = "no atom explains any of the samples. Check the dictionary."
    if coding.alpha is not None:
        advice = f"alpha={coding.alpha} is too large for these samples. Lower it."
    elif coding.tol is not None:
        advice = f"tol={coding.tol} asks for no more. Lower it."
    warnings.warn(
        f"All codes are zero: {advice}", ConvergenceWarning, stacklevel=stacklevel + 1
    )


class RowCoding(NamedTuple):
    """How rows are checked and encoded where they lie, without the estimator.

    Attributes
    ----------
    bare : estimator
        Of the same class; knows at most the features.
    missing : {"error", "mask"}
    coder : Coder
    n_jobs : int or None
    """

    bare: BaseEstimator
    missing: str
    coder: Coder
    n_jobs: int | None

    @classmethod
    def of(cls, estimator):
        bare = type(estimator)()
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                setattr(bare, name, getattr(estimator, name))
        coding = estimator._coding
        return cls(bare, coding.missing, make_coder(coding), estimator.n_jobs)

    def rows(self, X, sample_weight):
        """The rows of a chunk that have a weight, and their weights."""
        X = check_rows(self.bare, X, missing=self.missing)
        weights = check_part_weights(sample_weight, X)
        present = weights > 0.0
        return (X, weights) if present.all() else (X[present], weights[present])

    def prepared(self, components):
        """`Atoms` with what their encoding needs, formed once for all chunks."""
        atoms = Atoms(components)
        bounded(self.coder.prepare, atoms)
        return atoms

    def scored(self, atoms, mean, X, sample_weight):
        """The `Scored` of a chunk."""
        X, weights = self.rows(X, sample_weight)
        if not weights.size:
            return None
        codes = encode(X, atoms, self.coder, self.n_jobs)
        return Scored.of(X, codes, weights, mean, atoms.size)


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

    def _store_sums(self, sums):
        """Fitted attributes that are figures of the training samples' codes."""
        self.n_components_ = sums.usage.size
        self.atom_usage_ = sums.usage / sums.weight
        self.n_nonzero_coefs_ = float(sums.usage.sum() / sums.weight)
        self.sparsity_ = 1.0 - self.n_nonzero_coefs_ / self.n_components_
        self.objective_ = sums.objective / sums.weight

    def _output(self, codes, dtype):
        coding = self._coding
        stacked = stack_codes(
            codes, self.components_.shape[0], dtype, split_sign=coding.split_sign
        )
        sparse = coding.sparse_output and container_of(self) == "default"
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
            Entries that are NaN, if `missing` is "mask", count on neither side. Of a
            dask array or data frame sums are formed where its chunks lie, in one round:
            the atoms go there, and n_components numbers a chunk come back.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
        held_out : array-like of bool, shape (n_samples, n_features), default=None
            Entries of dense X in memory to hide from the coder, and alone to be scored:
            how well missing entries are filled in.

        Returns
        -------
        score : float
            1 at best; 0 for codes no better than the mean.
        """
        check_is_fitted(self, "components_")
        if is_collection(X):
            if held_out is not None:
                raise ValueError(
                    "held_out needs X in memory, and X is a dask collection."
                )
            return self._score_chunks(X, sample_weight)
        X = check_rows(self, X, missing=self._coding.missing)
        weights = check_weights(sample_weight, X)
        seen = X
        if held_out is not None:
            held_out = _check_held_out(held_out, X)
            seen = np.where(held_out, np.nan, X)
        codes = self._codes(seen, stacklevel=2)
        rows = X, codes, weights, self.mean_
        if held_out is None:
            return errors_of(*rows).score()
        return hidden_errors_of(*rows, self.components_, held_out).score()

    def _score_chunks(self, X, sample_weight):
        """`score` of a dask collection."""
        coding = RowCoding.of(self)
        atoms = coding.prepared(self.components_)
        function = partial(coding.scored, atoms, self.mean_)
        found = reduced(function, chunks_of(X, sample_weight))
        warn_of_so_many(found.codes.n_late, found.codes.n_samples, stacklevel=3)
        return found.errors.score()

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
