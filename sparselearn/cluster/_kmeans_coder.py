"""Sparse codes by K-means centroids."""

import warnings
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sparselearn._compat import (
    Interval,
    StrOptions,
    check_sample_weight,
    fit_context,
)
from sparselearn._parallel import map_chunks, map_threads
from sparselearn._solvers import _kmeans_codes as solver
from sparselearn._solvers._coding import stack_rows
from sparselearn._validation import column_major, row_weights

__all__ = ["KMeansCoder"]

# Rows a chunk: its products with a few hundred centroids stay in the cache.
CHUNK = 512
# Products from which an automatic threshold is chosen, at most.
THRESHOLD_PRODUCTS = 2**21
FLOATS = (np.float64, np.float32)


class KMeansCoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator
):
    r"""Sparse codes of samples by the K-means centroids near them.

    `fit` learns centroids c_1, ..., c_K that minimise

    .. math::
        \sum_i s_i \min_j \|x_i - c_j\|^2

    with sample weights s, from one start. `transform` turns a sample x into a code f
    of K non-negative numbers, by its distances :math:`d_j = \|x - c_j\|`:

    - "hard": 1 for the nearest centroid, 0 for the others;
    - "triangle": :math:`f_j = \max(0, \frac{1}{K} \sum_l d_l - d_j)`, by how much a
      centroid is nearer than the mean;
    - "soft-threshold": :math:`f_j = \max(0, c_j^T x / \|c_j\| - t)`.

    With `n_nonzero_coefs` the code keeps only its largest entries. Such codes make
    a linear model non-linear, at the cost of one matrix product.

    Parameters
    ----------
    n_components : int, default=8
        The number K of centroids, at most the number of samples.
    encoder : {"hard", "triangle", "soft-threshold"}, default="triangle"
        How centroids become a code, see above.
    n_nonzero_coefs : int, default=None
        Keep the so many largest entries of a code, the first ones among equals.
        None keeps all, and so does any number from `n_components` on. A hard code has
        one entry anyway.
    threshold : "auto" or float >= 0, default="auto"
        The t of "soft-threshold", in units of X; other encoders do without. "auto"
        lets `n_nonzero_coefs` entries of a training code exceed it in the mean, or
        10% of `n_components` without that number.
    init : {"k-means++", "random"} or array-like, default="k-means++"
        Where centroids start: at samples far apart, at random samples, or at an array
        of shape (n_components, n_features).
    max_iter : int, default=100
        Passes over the data, at most.
    tol : float, default=1e-4
        Stop when all centroids together move less, squared, than `tol` times the mean
        variance of a feature. 0 goes on to the end.
    batch_size : int, default=None
        Learn from mini-batches of so many samples, by scikit-learn's
        :class:`~sklearn.cluster.MiniBatchKMeans`; None learns from all at a time, by
        its :class:`~sklearn.cluster.KMeans`.
    sparse_output : bool, default=True
        Whether codes are sparse where the encoder makes them so: always but for
        "triangle" without `n_nonzero_coefs`, where about half of the entries are
        not zero. Under ``set_output(transform="pandas")`` they are dense.
    random_state : int, RandomState instance or None, default=None
        Draws the start, the batches, and the samples that set an automatic threshold
        if not all are needed.
    n_jobs : int, default=None
        Threads that make codes; the same bits for any number. Centroids are learned
        in scikit-learn's own threads.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The centroids, of the dtype of X.
    n_components_ : int
    labels_ : ndarray of int32, shape (n_samples,)
        The nearest centroid of each training sample.
    inertia_ : float
        The objective above.
    counts_ : ndarray of shape (n_components,)
        The weight of the training samples nearest each centroid.
    threshold_ : float or None
        The t in use, for "soft-threshold".
    n_nonzero_coefs_ : float
        Mean number of non-zeros of a training code.
    sparsity_ : float
        The share of zeros in the training codes.
    n_iter_ : int
        Passes over the data.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in X, fewer samples than `n_components`, `init` of a wrong
        shape, weights that are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        If X has fewer distinct samples than `n_components`: they are the centroids,
        some of them more than once.

    References
    ----------
    Coates, Lee and Ng (2011), An analysis of single-layer networks in unsupervised
    feature learning (triangle).

    Coates and Ng (2011), The importance of encoding versus training with sparse coding
    and vector quantization (soft threshold).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.cluster import KMeansCoder
    >>> X, y = load_digits(return_X_y=True)
    >>> coder = KMeansCoder(100, n_nonzero_coefs=5, random_state=0).fit(X)
    >>> coder.transform(X).shape, coder.sparsity_
    ((1797, 100), 0.95)
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "encoder": [StrOptions({"hard", "triangle", "soft-threshold"})],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "threshold": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"k-means++", "random"}), "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "sparse_output": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components=8,
        *,
        encoder="triangle",
        n_nonzero_coefs=None,
        threshold="auto",
        init="k-means++",
        max_iter=100,
        tol=1e-4,
        batch_size=None,
        sparse_output=True,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.encoder = encoder
        self.n_nonzero_coefs = n_nonzero_coefs
        self.threshold = threshold
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # -- learning -------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the centroids.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X stays sparse.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a weight of 2 is a sample that occurs twice.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        X = self._validate(X, reset=True)
        weights = check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        row_weights(weights, X)  # refuses those that are all zero
        init = self._check_numbers(X, np.count_nonzero(weights))
        random_state = check_random_state(self.random_state)
        chosen, masses = self._distinct(X, weights)
        centroids, n_iter = self._learn(X[chosen], masses, init, random_state)
        threshold = self._choose_threshold(X, chosen, masses, centroids, random_state)
        # Assigned anew, so that labels are those that `predict` gives.
        labels, squares = self._nearest(X, centroids)
        coding = self._coding(X, centroids, threshold)
        lengths = np.concatenate(self._map(solver.code_lengths, X, coding))

        # All at the end: an interrupted fit leaves the attributes of the last one.
        self.components_ = centroids
        self.n_components_ = centroids.shape[0]
        self.n_iter_ = n_iter
        self.labels_ = labels
        self.inertia_ = float(weights @ squares)
        self.counts_ = np.bincount(labels, weights, minlength=self.n_components_)
        self.threshold_ = threshold
        self.n_nonzero_coefs_ = float(weights @ lengths / weights.sum())
        self.sparsity_ = 1.0 - self.n_nonzero_coefs_ / self.n_components_
        return self

    def _check_numbers(self, X, n_samples):
        """Hold `n_components` and `init` against X; return `init`, an array checked."""
        if self.n_components > n_samples:
            raise ValueError(
                f"n_components={self.n_components} is more than n_samples={n_samples} "
                f"(of positive weight); n_components must be in [1, {n_samples}]."
            )
        if isinstance(self.init, str):
            return self.init
        init = check_array(self.init, dtype=X.dtype, input_name="init")
        wanted = (self.n_components, X.shape[1])
        if init.shape != wanted:
            raise ValueError(
                f"init has shape {init.shape}; it must hold n_components centroids of "
                f"n_features numbers, shape {wanted}."
            )
        return init

    def _distinct(self, X, weights):
        """Where X has its distinct rows, in an order of theirs, and their weights."""
        direction = np.random.default_rng(0).standard_normal(X.shape[1])
        keys = np.concatenate(self._map(solver.project, X, direction))
        return solver.distinct_rows(X, weights, keys)

    def _learn(self, rows, masses, init, random_state):
        """The centroids, and the number of passes over the data."""
        if rows.shape[0] < self.n_components:
            warnings.warn(
                f"n_components={self.n_components}, but X has only {rows.shape[0]} "
                "distinct samples: some centroids are the same. Lower n_components.",
                ConvergenceWarning,
                stacklevel=4,
            )
            centroids = rows[np.arange(self.n_components) % rows.shape[0]]
            centroids = centroids.toarray() if sp.issparse(rows) else centroids
            n_iter = 1
        else:
            # By a power of two, so that no digit changes, for float32 to hold them.
            exponent = np.frexp(masses.max())[1]
            masses = np.ldexp(masses, -exponent)
            # One thread of BLAS, whose number would be seen in the last digits.
            (learner,) = map_threads(
                lambda learner: learner.fit(rows, sample_weight=masses),
                [self._learner(init, random_state)],
            )
            centroids, n_iter = learner.cluster_centers_, int(learner.n_iter_)
        # By features where X is sparse: products then need no copy (`Codebook`).
        order = "F" if sp.issparse(rows) else "C"
        return np.asarray(centroids, dtype=rows.dtype, order=order), n_iter

    def _learner(self, init, random_state):
        """scikit-learn's estimator of centroids."""
        options = {
            "n_clusters": self.n_components,
            "init": init,
            "n_init": 1,
            "max_iter": self.max_iter,
            "tol": self.tol,
            "random_state": random_state,
        }
        if self.batch_size is None:
            # The rows are a copy already; KMeans centres them, and undoes it.
            return KMeans(copy_x=False, **options)
        return MiniBatchKMeans(
            batch_size=self.batch_size, compute_labels=False, **options
        )

    def _choose_threshold(self, X, chosen, masses, centroids, random_state):
        if self.encoder != "soft-threshold":
            return None
        if self.threshold != "auto":
            return float(self.threshold)
        share = 0.1
        if self.n_nonzero_coefs is not None:
            share = min(1.0, self.n_nonzero_coefs / self.n_components)
        n_rows = max(1, THRESHOLD_PRODUCTS // self.n_components)
        if n_rows < chosen.size:
            some = np.sort(random_state.choice(chosen.size, n_rows, replace=False))
            chosen, masses = chosen[some], masses[some]
        book = solver.direction_book(centroids, sparse=sp.issparse(X))
        inner, _ = zip(*self._map(solver.products, X[chosen], book))
        return solver.threshold_at(np.concatenate(inner), masses, share)

    # -- rows to codes, labels and errors ---------------------------------------

    def _validate(self, X, *, reset):
        """X as kernels read it by rows: what `column_major` does, transposed."""
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype=FLOATS,
            order="C",
            reset=reset,
        )
        return column_major(X.T).T

    def _map(self, function, X, *args):
        """``function(X[rows], *args)`` for each chunk of rows."""
        return map_chunks(
            lambda rows: function(X[rows], *args), X.shape[0], CHUNK, self.n_jobs
        )

    def _nearest(self, X, centroids):
        """The nearest centroid of each row, and the squared distance to it."""
        book = solver.centroid_book(centroids, sparse=sp.issparse(X))
        labels, squares = zip(*self._map(solver.nearest_and_squares, X, book))
        return np.concatenate(labels), np.concatenate(squares)

    def _coding(self, X, centroids, threshold):
        if self.encoder == "soft-threshold" and threshold is None:
            raise ValueError(
                "encoder='soft-threshold' was set after fit, which chose no threshold; "
                "fit again."
            )
        return solver.make_coding(
            centroids,
            self.encoder,
            threshold=threshold,
            n_nonzero=self.n_nonzero_coefs,
            sparse=sp.issparse(X),
        )

    def _returns_sparse(self):
        """Whether `transform` returns a csr_array: a matter of parameters only."""
        config = getattr(self, "_sklearn_output_config", {})
        container = config.get("transform", get_config()["transform_output"])
        has_zeros = self.encoder != "triangle" or self.n_nonzero_coefs is not None
        return self.sparse_output and has_zeros and container == "default"

    def transform(self, X):
        """Encode samples.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
            Of the dtype of X; see `sparse_output`.
        """
        check_is_fitted(self, "components_")
        X = self._validate(X, reset=False)
        coding = self._coding(X, self.components_, self.threshold_)
        if self._returns_sparse():
            parts = self._map(solver.sparse_codes, X, coding, X.dtype)
            merged = map(np.concatenate, zip(*parts))
            return stack_rows(*merged, self.n_components_)
        codes = np.empty((X.shape[0], self.n_components_), dtype=X.dtype)

        def fill(rows):
            codes[rows] = solver.dense_codes(X[rows], coding, X.dtype)

        map_chunks(fill, X.shape[0], CHUNK, self.n_jobs)
        return codes

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
        X = self._validate(X, reset=False)
        book = solver.centroid_book(self.components_, sparse=sp.issparse(X))
        return np.concatenate(self._map(solver.nearest, X, book))

    def score(self, X, y=None, sample_weight=None):
        """Minus the weighted sum of squared distances to the nearest centroids.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        check_is_fitted(self, "components_")
        X = self._validate(X, reset=False)
        weights = check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        return -float(weights @ self._nearest(X, self.components_)[1])

    # -- codes to rows ----------------------------------------------------------

    def inverse_transform(self, X):
        """What codes stand for: the mean of the centroids, weighted by the code.

        A hard code gives its centroid. An empty code gives the training mean, which
        is the mean of the centroids weighted by `counts_`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes, not negative.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Of the dtype of the codes.
        """
        check_is_fitted(self, "components_")
        codes = check_array(X, accept_sparse="csr", dtype=FLOATS, input_name="codes")
        if codes.shape[1] != self.n_components_:
            raise ValueError(
                f"codes have {codes.shape[1]} columns; they must have one for each of "
                f"the n_components_={self.n_components_} centroids."
            )
        if codes.min() < 0.0:
            raise ValueError(f"codes must be >= 0; got {codes.min()}.")
        mass = np.asarray(codes.sum(axis=1, dtype=np.float64)).ravel()
        empty = mass == 0.0
        means = codes @ self.components_ / np.where(empty, 1.0, mass)[:, None]
        means[empty] = self.counts_ @ self.components_ / self.counts_.sum()
        return means.astype(codes.dtype, copy=False)

    @property
    def _n_features_out(self):
        return self.n_components_
