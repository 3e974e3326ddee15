"""What fitted centroids do: rows to codes and labels, and codes to rows."""

from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import container_of
from sparselearn._dask import chunks_of, is_collection, lazily, reduced
from sparselearn._parallel import bounded, map_chunks, stream
from sparselearn._solvers import _kmeans_codes as solver
from sparselearn._solvers._codebook import Codebook, WhitenedRows
from sparselearn._solvers._coding import (
    merge_signs,
    split_names,
    split_signs,
    stack_rows,
)
from sparselearn._solvers._nearest import nearest_centroids
from sparselearn._solvers._whitening import Whitening
from sparselearn._validation import (
    check_codes,
    check_part_weights,
    check_rows,
    check_weights,
    row_weights,
)

__all__ = ["CentroidCodesMixin", "assign_rows", "chunk_rows", "count_codes"]

# Rows a chunk: their products with a few hundred centroids stay in a cache, and threads
# of Python seldom hand over to one another, which takes as long as 100 rows do. Fewer
# where a row or its code is so long that a chunk would be of more numbers than BLOCK.
CHUNK = 1024
BLOCK = 2**21


def chunk_rows(X, n_components=1):
    """How many rows of X are coded at a time."""
    width = n_components if sp.issparse(X) else max(n_components, X.shape[1])
    return max(1, min(CHUNK, BLOCK // width))


def assign_rows(X, book, n_jobs, labels=None):
    """The `Assignment` of the rows of X to the nearest centroids.

    It is found faster from `labels` that are right for most rows; -1 is no label.
    """
    if book.whitening is not None:
        X = WhitenedRows(X, book.whitening)
    options = {"spherical": book.spherical, "labels": labels}
    with stream(n_jobs) as run:
        return nearest_centroids(X, book.atoms, **options, run=run)


def count_codes(X, coding, n_jobs):
    """The number of non-zeros in the code of each row of X."""
    step = chunk_rows(X, coding.book.n_components)
    parts = map_chunks(
        lambda rows: solver.code_lengths(X[rows], coding), X.shape[0], step, n_jobs
    )
    return np.concatenate(parts)


class CentroidCodesMixin(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin
):
    """From rows to codes and back, by the centroids that `_codebook` tells of.

    Parameters of codes are read when codes are made, not by `fit` alone.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _codebook(self):
        """The fitted `Codebook`."""
        spherical = self.gains_ is not None
        whitening, centroids = None, self.components_
        if self.whitening_ is not None:
            maps = self.whitening_.T, self.inverse_whitening_.T
            whitening = Whitening(self.mean_, *map(np.ascontiguousarray, maps), None)
            centroids = self.whitened_components_
        if spherical:
            mean = np.zeros(centroids.shape[1])
        else:
            mean = self.counts_ @ centroids / self.counts_.sum()
        return Codebook(centroids, spherical, whitening, self.gains_, mean)

    def _coding(self, book, threshold, like):
        """The `Coding` of rows of the kind of X, `like`, by the parameters."""
        encoder = solver.ENCODERS[self.encoder]
        if self.encoder == "llc" and book.spherical:
            raise ValueError(
                "encoder='llc' makes samples of centroids whose weights sum to one; "
                "with spherical=True they have no sizes to do so. Choose another "
                "encoder, or spherical=False."
            )
        if self.split_sign and encoder.one_sided and not book.spherical:
            raise ValueError(
                f"split_sign=True, but codes of encoder={self.encoder!r} are never "
                "negative with spherical=False; leave split_sign out."
            )
        if self.encoder == "soft-threshold" and threshold is None:
            raise ValueError(
                "encoder='soft-threshold' was set after fit, which chose no threshold; "
                "fit again."
            )
        return solver.make_coding(
            self.encoder,
            book,
            n_nonzero=self.n_nonzero_coefs,
            threshold=threshold,
            signed=book.spherical or self.split_sign,
            like=like,
        )

    def _returns_sparse(self):
        """Whether `transform` returns a csr_array: a matter of parameters only."""
        has_zeros = self.encoder != "triangle" or self.n_nonzero_coefs is not None
        return self.sparse_output and has_zeros and container_of(self) == "default"

    @lazily
    def transform(self, X):
        """Encode samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
            Of the dtype of X; see `sparse_output`. With `split_sign` twice the columns.
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X)
        coding = bounded(self._coding, self._codebook(), self.threshold_, X)
        make = self._sparse if self._returns_sparse() else self._dense
        codes = make(X, coding)
        return split_signs(codes) if self.split_sign else codes

    def _map(self, function, X):
        """``function(rows)`` for slices of the rows of X, in threads."""
        step = chunk_rows(X, self.components_.shape[0])
        return map_chunks(function, X.shape[0], step, self.n_jobs)

    def _sparse(self, X, coding):
        def encode(rows):
            return solver.sparse_codes(X[rows], coding, X.dtype)

        fields = list(zip(*self._map(encode, X)))
        # Field by field, so that no more than one of them is held twice.
        merged = [np.concatenate(fields.pop(0)) for _ in range(len(fields))]
        return stack_rows(*merged, coding.book.n_components)

    def _dense(self, X, coding):
        codes = np.empty((X.shape[0], coding.book.n_components), dtype=X.dtype)

        def encode(rows):
            solver.dense_codes(X[rows], coding, codes[rows])

        self._map(encode, X)
        return codes

    @lazily
    def predict(self, X):
        """The nearest centroid of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of int32, shape (n_samples,)
        """
        check_is_fitted(self, "components_")
        X = check_rows(self, X)
        return assign_rows(X, self._codebook(), self.n_jobs).labels

    def score(self, X, y=None, sample_weight=None):
        """Minus the objective of `fit`, for these samples.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array or data frame} of shape \
                (n_samples, n_features)
            Of a collection two numbers come from each chunk, in one round.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        check_is_fitted(self, "components_")
        if is_collection(X):
            measure = partial(_measured, self)
            weight, total = reduced(measure, chunks_of(X, sample_weight))
            row_weights(np.full(1, weight), np.empty((1, 1)))  # refuses none at all
            return -float(total)
        X = check_rows(self, X)
        weights = check_weights(sample_weight, X)
        return -float(weights @ assign_rows(X, self._codebook(), self.n_jobs).squares)

    @lazily
    def inverse_transform(self, X):
        """What codes stand for.

        By the encoder, and in the whitened space if there is one,

        - "hard", "triangle": the mean of the centroids, weighted by the code; with
          `spherical` of the directions times `gains_`, with the signs of the code;
        - "llc": the sum of the centroids times the code;
        - "soft-threshold", "topk": the shortest of the vectors with the projections
          that the code tells of. It is the sample's own projection on what the
          directions of the entries span.

        A code of zeros gives the training mean; with `spherical`, 0.

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
        book = self._codebook()
        one_sided = solver.ENCODERS[self.encoder].one_sided and not book.spherical
        if (one_sided or self.split_sign) and codes.min() < 0.0:
            raise ValueError(f"codes must be >= 0; got {codes.min()}.")
        if self.split_sign:
            codes = merge_signs(codes)
        codes = sp.csr_array(codes)
        rows = np.empty((codes.shape[0], self.components_.shape[1]), codes.dtype)

        def decode(part):
            rows[part] = solver.decode(
                codes[part], self.encoder, book, self._threshold_of_codes()
            )

        self._map(decode, rows)
        return rows

    def _threshold_of_codes(self):
        return self.threshold_ if self.encoder == "soft-threshold" else None

    @property
    def _n_features_out(self):
        return self.components_.shape[0] * (1 + self.split_sign)

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
        names = names[: self.components_.shape[0]]
        return split_names(names) if self.split_sign else names


def _measured(coder, X, sample_weight):
    """The weight of the rows of a chunk, and that of their squared distances."""
    X = check_rows(coder, X)
    weights = check_part_weights(sample_weight, X)
    squares = assign_rows(X, coder._codebook(), 1).squares
    return np.array([weights.sum(), weights @ squares])
