"""Rows to codes and back, by a fitted autoencoder."""

import functools
import operator

import numpy as np
import scipy.sparse as sp
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import container_of
from sparselearn._dask import is_collection, lazily
from sparselearn._parallel import map_chunks, row_chunks, stream
from sparselearn._solvers._reconstruction import (
    CHUNK,
    Autoencoder,
    survey,
)
from sparselearn._validation import (
    check_codes,
    check_part_weights,
    check_rows,
    check_weights,
)
from sparselearn.neural_network._chunks import ChunkedSamples
from sparselearn.neural_network._design import check_refine, wanted_nonzeros
from sparselearn.neural_network._samples import Samples

__all__ = ["AutoencoderCodes", "surveyed"]


def surveyed(samples, run, *, model, mean, held_out=False):
    """The `Survey` of the samples to learn from, or of those held out; or None."""
    places = samples.held_out if held_out else samples.places
    if not places.size:
        return None
    weights, whole = samples.weights_of(places), places.size == samples.X.shape[0]

    def part(some):
        rows = some if whole else places[some]
        return survey(model, samples.X[rows], weights[some], mean)

    # Summed one by one in order: the same bits for any number of threads.
    parts = run(part, row_chunks(places.size, CHUNK))
    return functools.reduce(operator.add, parts)


class AutoencoderCodes(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """What a fitted `SparseAutoencoder` does with rows and codes."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def _model(self):
        activation, output = self._functions
        check_refine(self.refine, activation, output == "identity", len(self.coefs_))
        n_nonzero = None
        if activation == "topk":
            n_nonzero = wanted_nonzeros(self, self.components_.shape[0])
        return Autoencoder(
            tuple(self.coefs_),
            tuple(self.intercepts_),
            len(self.coefs_) // 2,
            activation,
            n_nonzero,
            self.thresholds_,
            output,
            self.refine,
        )

    def _map(self, function, X):
        """``function(rows)`` of each chunk of X, of the model's dtype; in threads."""
        dtype = self.coefs_[0].dtype
        return map_chunks(
            lambda rows: function(X[rows].astype(dtype, copy=False)),
            X.shape[0],
            CHUNK,
            self.n_jobs,
        )

    @lazily
    def transform(self, X):
        """Encode samples.

        The code of a sample does not depend, in any digit, on what other samples there
        are. `n_nonzero_coefs` with ``activation="topk"``, and `refine`, are read here:
        a fitted model may be asked for other codes without learning again.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
            Of the dtype of X. Sparse but for "sigmoid" and "tanh"; dense under
            ``set_output(transform="pandas")``.
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X)
        model = self._model()
        parts = self._map(model.encode, X)
        if not model.selects:
            codes = np.concatenate(parts)
        elif container_of(self) == "default":
            codes = sp.vstack(parts, "csr")
        else:
            codes = np.concatenate([part.toarray() for part in parts])
        return codes.astype(X.dtype, copy=False)

    @lazily
    def inverse_transform(self, X):
        """The samples that codes stand for.

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
        codes = check_codes(X, self._n_features_out, order="C")
        rows = np.concatenate(self._map(self._model().decode, codes))
        return rows.astype(codes.dtype, copy=False)

    def score(self, X, y=None, sample_weight=None):
        r"""The share of the variance of X that its codes explain.

        .. math:: 1 - \frac{\sum_{ij} s_i (x_{ij} - \hat x_{ij})^2}
                           {\sum_{ij} s_i (x_{ij} - \bar x_j)^2}

        with the means :math:`\bar x` of the training data.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or data frame: the model goes to its chunks, and of each
            come sums, two numbers a unit.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            1 at best; 0 for codes no better than the mean.
        """
        check_is_fitted(self, "components_")
        if is_collection(X):
            samples = ChunkedSamples(self, X, None, sample_weight, first=False)
        else:
            samples = self._read_chunk(X, None, sample_weight, partly=False)
        measure = functools.partial(surveyed, model=self._model(), mean=self.mean_)
        with stream(self.n_jobs) as run:
            return samples.total(measure, run).errors.score()

    def _read_chunk(
        self, X, y, sample_weight, *, reset=False, partly=True, note=None, hold=None
    ):
        """X and weights, checked, as `Samples`."""
        X = check_rows(self, X, reset=reset)
        weights = None
        if sample_weight is not None:
            check = check_part_weights if partly else check_weights
            weights = check(sample_weight, X)
            weights = None if (weights == 1.0).all() else weights
        return Samples.of(X, weights, note=note, hold=hold)

    @lazily
    def score_samples(self, X):
        """Minus the squared error of each sample: low for what is new.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        scores : float64 ndarray of shape (n_samples,)
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X)
        model = self._model()

        def errors(rows):
            found = model.decode(model.encode(rows))
            rows = rows.toarray() if sp.issparse(rows) else rows
            return np.square(rows - found).sum(axis=1, dtype=np.float64)

        return -np.concatenate(self._map(errors, X))
