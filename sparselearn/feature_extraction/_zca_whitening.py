"""Whitening that stays as near to the features as can be."""

from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, check_sample_weight, fit_context
from sparselearn._dask import chunks_of, is_collection, lazily, reduced, row_like
from sparselearn._parallel import bounded, map_chunks, stream
from sparselearn._solvers._spread import Covariance, covariance_of
from sparselearn._solvers._whitening import Whitening, whitening
from sparselearn._validation import (
    FLOATS,
    check_part_weights,
    check_rows,
    row_weights,
)

__all__ = ["ZCAWhitening"]

# Rows a chunk: with what becomes of them they stay in the cache.
CHUNK = 1024


class ZCAWhitening(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Takes the covariance out of the features, and changes them no more than that.

    With the mean m and the covariance :math:`C = V \Lambda V^T` of the training
    samples, a sample x becomes

    .. math:: z = W (x - m), \quad
        W = V (\Lambda + \epsilon \bar\lambda)^{-1/2} V^T,

    where :math:`\bar\lambda` is the mean variance of a feature. For
    :math:`\epsilon = 0` the covariance of z is the identity, and of all maps that do so
    this one moves standardised samples least: whitened images are images. A larger one
    leaves directions of little variance, those of noise, damped. Directions in which
    the training samples do not vary become 0.

    Parameters
    ----------
    eps : float >= 0, default=0.1
        The epsilon above, a share of the mean variance, so that the units of X do not
        matter. K-means and dictionaries find edges in image patches for 0.01 to 0.5; 0
        whitens exactly.
    n_components : int, default=None
        Keep only so many directions of largest variance, and make the others 0; None,
        or more than there are, keeps all. Samples keep their number of features.
    n_jobs : int, default=None
        Threads; the same bits for any number. None means 1 unless in a
        :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    components_ : ndarray of shape (n_features, n_features)
        W, of the dtype of X.
    inverse_components_ : ndarray of shape (n_features, n_features)
        The pseudo-inverse of W, of the dtype of X.
    mean_ : float64 ndarray of shape (n_features,)
    covariance_ : float64 ndarray of shape (n_features, n_features)
    variances_ : float64 ndarray of shape (n_features,)
        The eigenvalues of the covariance, falling; those of rounding are 0.
    weight_ : float
        The sum of the weights of the samples seen.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in X, weights that are negative or all zero.

    References
    ----------
    Bell and Sejnowski (1997), The "independent components" of natural scenes are edge
    filters.

    Coates and Ng (2012), Learning feature representations with K-means.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.feature_extraction import ZCAWhitening
    >>> X, y = load_digits(return_X_y=True)
    >>> whitened = ZCAWhitening(eps=0.0).fit_transform(X)
    >>> np.cov(whitened[:, 20:23].T, bias=True).round(2) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    _parameter_constraints = {
        "eps": [Interval(Real, 0, None, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
    }

    def __init__(self, eps=0.1, *, n_components=None, n_jobs=None):
        self.eps = eps
        self.n_components = n_components
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the mean and the covariance.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X stays sparse; n_features² numbers are kept. Of a dask array or data
            frame sums are formed where its chunks lie, in one round that moves
            ``8 n_features**2`` bytes a chunk.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a weight of 2 is a sample that occurs twice.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._store(*self._summed(X, sample_weight, reset=True))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Learn from some more samples, an array or a dask collection.

        Batches in any order give what `fit` gives for all of them, but for rounding. A
        call that fails changes nothing. Each call takes n_features³ operations beside
        those for its samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object
            Fitted estimator.
        """
        fitted = hasattr(self, "covariance_")
        covariance, dtype = self._summed(X, sample_weight, reset=not fitted)
        if fitted:
            weight = self.weight_
            seen = Covariance(weight, self.mean_, self.covariance_ * weight)
            covariance = seen + covariance
            dtype = self.components_.dtype
        return self._store(covariance, dtype)

    def _summed(self, X, sample_weight, *, reset):
        """The `Covariance` of some rows, and their dtype."""
        if is_collection(X):
            return self._summed_chunks(X, sample_weight, reset=reset)
        X = check_rows(self, X, reset=reset)
        weights = check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        row_weights(weights, X)  # refuses those that are all zero
        with stream(self.n_jobs) as run:
            return covariance_of(X, weights, run), X.dtype

    def _summed_chunks(self, X, sample_weight, *, reset):
        row, bare = row_like(X), clone(self)
        if not reset:
            check_rows(self, row, reset=False)
        dtype = check_rows(bare, row, reset=True).dtype
        covariance = reduced(partial(_of_chunk, bare), chunks_of(X, sample_weight))
        row_weights(np.full(1, covariance.weight), row)  # refuses no weight at all
        check_rows(self, row, reset=reset)
        return covariance, dtype

    def _store(self, covariance, dtype):
        options = {"eps": self.eps, "n_components": self.n_components}
        made = bounded(whitening, covariance, dtype=dtype, **options)
        self.weight_ = covariance.weight
        self.mean_ = covariance.mean
        self.covariance_ = covariance.scatter / covariance.weight
        self.variances_ = made.variances
        self.components_ = made.matrix.T.astype(dtype)
        self.inverse_components_ = made.inverse.T.astype(dtype)
        return self

    def _mapped(self, method, X):
        """``method(rows)`` of a `Whitening` for all rows of X, in threads."""
        made = Whitening(
            self.mean_,
            self.components_.T.astype(X.dtype, copy=False),
            self.inverse_components_.T.astype(X.dtype, copy=False),
            self.variances_,
        )
        result = np.empty(X.shape, dtype=X.dtype)

        def fill(rows):
            result[rows] = method(made, X[rows])

        map_chunks(fill, X.shape[0], CHUNK, self.n_jobs)
        return result

    @lazily
    def transform(self, X):
        """Whiten samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
            Of the dtype of X.
        """
        check_is_fitted(self)
        return self._mapped(Whitening.apply, check_rows(self, X))

    @lazily
    def inverse_transform(self, X):
        """The samples that whitened ones stand for.

        Exactly those, but for directions in which the training samples did not vary or
        that `n_components` has left out: there they have the training mean.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whitened samples.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Of the dtype of X.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=FLOATS)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features; transform gives {self.n_features_in_}."
            )
        return self._mapped(Whitening.undo, X)


def _of_chunk(bare, X, sample_weight):
    """The `Covariance` of a chunk, of what `bare` knows the features of."""
    X = check_rows(bare, X, reset=False)
    return bounded(covariance_of, X, check_part_weights(sample_weight, X))
