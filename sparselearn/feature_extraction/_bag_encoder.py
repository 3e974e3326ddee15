"""Bags of descriptors, each to one row of features."""

from importlib import import_module
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import StrOptions, container_of, fit_context
from sparselearn._parallel import row_chunks
from sparselearn._solvers._pooling import POOLINGS, Pool
from sparselearn._validation import check_weights
from sparselearn.cluster import KMeansCoder
from sparselearn.feature_extraction._bags import check_bags
from sparselearn.feature_extraction._coders import (
    checked_coder,
    count_distinct,
    encoded,
    fresh_coder,
    in_blocks,
    last_step,
    learn,
    learns_in_batches,
    names_of_codes,
    nonzeros_of,
    returns_sparse,
)

__all__ = ["BagEncoder"]

N_CODES = 64
# Numbers in the descriptors, their codes or the features that a thread makes at a time.
NUMBERS = 2**20


class BagEncoder(TransformerMixin, BaseEstimator):
    r"""Features of bags: what the codes of the descriptors in a bag add up to.

    A bag is a set of any number of descriptors, samples of the same features: the
    local descriptors of an image, the windows of a recording. `fit` lets the `coder`
    learn from the descriptors of all bags. `transform` makes one row of each bag B of
    them; with centroids :math:`c_1, \ldots, c_K`, and :math:`B_j` those of the bag that
    are nearest to the j-th,

    - "bow", bag of words: :math:`v_j = |B_j|`, how many there are;
    - "vlad", vector of locally aggregated descriptors:
      :math:`v_j = \sum_{x \in B_j} (x - c_j)`, n_features numbers for each centroid;
    - "sum", "mean", "max": of the codes f that the coder gives,
      :math:`\sum_{x \in B} f(x)`, that over :math:`|B|`, or the largest of each entry.

    An empty bag gives 0.

    Parameters
    ----------
    coder : estimator, default=None
        :class:`~sparselearn.cluster.KMeansCoder`, or any transformer for "sum", "mean"
        and "max"; for "bow" and "vlad" one that has ``predict`` and centroids, as
        scikit-learn's ``KMeans`` too; or a Pipeline that ends with one, where "vlad" is
        made of what the last step sees. It is cloned. None means a ``KMeansCoder`` of
        64 centroids.
    pooling : {"bow", "vlad", "sum", "mean", "max"}, default="bow"
        What is made of the descriptors, see above.
    normalize : {"auto", "l1", "l2", "power"} or None, default="auto"
        How a row v is scaled: "l1" and "l2" to that length, "power" to the signed roots
        :math:`\operatorname{sign}(v) \sqrt{|v|}` and these to an l2 length of 1. "auto"
        is "power" for "vlad", and None for the others.
    sparse_output : bool, default=True
        Whether the result is sparse: for "bow" it is, for "vlad" it is not, for the
        others if the coder's codes are. Under ``set_output(transform="pandas")`` it is
        dense.
    random_state : int, RandomState instance or None, default=None
        That of the default coder.
    n_jobs : int, default=None
        Threads, each with some bags; the same bits for any number, if the coder keeps
        that. None means 1 unless in a :func:`joblib.parallel_config` context, -1 all
        cores. While the coder learns its own `n_jobs` counts.

    Attributes
    ----------
    coder_ : estimator
        The coder that has learned from descriptors.
    groups_ : ndarray of shape (n_bags,)
        The labels of the training bags in their order, which is that of the rows of
        ``fit_transform``.
    n_codes_ : int
        K, the number of centroids, or of numbers in a code.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of the code of a training descriptor.
    sparsity_ : float
        The share of zeros in these.
    n_features_in_ : int
        Features of a descriptor.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        If X has string feature names.

    Raises
    ------
    TypeError
        If `coder` is no estimator, or has no method that is needed.
    ValueError
        For bags of different features, `groups` of a wrong length, NaN or infinity in
        X.

    References
    ----------
    Csurka, Dance, Fan, Willamowski and Bray (2004), Visual categorization with bags of
    keypoints.

    Jégou, Perronnin, Douze, Sánchez, Pérez and Schmid (2012), Aggregating local image
    descriptors into compact codes (VLAD, signed roots).

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.cluster import KMeansCoder
    >>> from sparselearn.feature_extraction import BagEncoder
    >>> X = np.array([[0.0, 0.1], [5.0, 5.1], [0.1, 0.0], [0.0, 0.0], [5.1, 5.0]])
    >>> encoder = BagEncoder(KMeansCoder(2, random_state=0))
    >>> words = encoder.fit_transform(X, groups=["b", "a", "b", "b", "b"])
    >>> encoder.groups_, words.sum(axis=1)
    (array(['a', 'b'], dtype='<U1'), array([1., 4.]))
    """

    _parameter_constraints = {
        "coder": [None, object],  # `checked_coder` says what it must be
        "pooling": [StrOptions({"bow", "vlad", *POOLINGS})],
        "normalize": [StrOptions({"auto", "l1", "l2", "power"}), None],
        "sparse_output": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        coder=None,
        *,
        pooling="bow",
        normalize="auto",
        sparse_output=True,
        random_state=None,
        n_jobs=None,
    ):
        self.coder = coder
        self.pooling = pooling
        self.normalize = normalize
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.n_jobs = n_jobs

    _for_collections = (
        "A bag may have descriptors in several chunks: give it those of whole bags, "
        "some bags after others. A KMeansCoder learns words from all descriptors."
    )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # -- learning -------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, groups=None, sample_weight=None):
        """Let the coder learn from the descriptors of all bags.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_descriptors, n_features), \
                list of such, or array of shape (n_bags, n_descriptors, n_features)
            One array of all descriptors, whose bags `groups` tells, or one for each
            bag.
        y : Ignored
        groups : array-like of shape (n_descriptors,), default=None
            The label of the bag of each row of X, of any type that can be sorted. None
            means that each row is a bag.
        sample_weight : array-like of shape (n_descriptors,), default=None
            Of each descriptor, bag by bag if X is one array for each, where the coder
            learns: non-negative, not all zero. The coder must take weights; of a
            Pipeline its last step, and others that do get them too. What is pooled
            does not depend on them.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        bags = check_bags(self, X, groups, reset=True)
        return self._learn("fit", bags, sample_weight)

    @available_if(learns_in_batches)
    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y=None, groups=None, sample_weight=None):
        """Let the coder, which must have ``partial_fit``, learn from some more bags.

        A call that fails changes nothing, if the coder keeps that.

        Parameters
        ----------
        X, y, groups, sample_weight : as for `fit`

        Returns
        -------
        self : object
            Fitted estimator.
        """
        bags = check_bags(self, X, groups, reset=not hasattr(self, "coder_"))
        return self._learn("partial_fit", bags, sample_weight)

    @fit_context(prefer_skip_nested_validation=False)
    def fit_transform(self, X, y=None, groups=None, sample_weight=None):
        """`fit`, and `transform` of the same bags.

        Parameters
        ----------
        X, y, groups, sample_weight : as for `fit`

        Returns
        -------
        features : csr_array or ndarray of shape (n_bags, n_features_out)
        """
        bags = check_bags(self, X, groups, reset=True)
        return self._learn("fit", bags, sample_weight)._features(bags)

    def _learn(self, method, bags, weights):
        if weights is not None:
            weights = check_weights(weights, bags.X)
        coder = getattr(self, "coder_", None) if method == "partial_fit" else None
        if coder is None:
            coder = self._new_coder(method, bags.X, weights)
        learn(coder, method, bags.X, weights=weights)
        if self._centred:
            n_codes = _centroids(coder).shape[0]
            n_nonzero_coefs, sparsity = 1.0, 1.0 - 1.0 / n_codes
        else:
            n_codes = encoded(coder, bags.X[:1]).shape[1]
            n_nonzero_coefs, sparsity = nonzeros_of(coder, bags.X, weights)

        # All at the end: an interrupted fit leaves the attributes of the last one.
        self.coder_ = coder
        self.groups_ = bags.labels
        self.n_codes_ = n_codes
        self.n_nonzero_coefs_ = n_nonzero_coefs
        self.sparsity_ = sparsity
        return self

    @property
    def _centred(self):
        """Whether the pooling is by the nearest centroids."""
        return self.pooling in ("bow", "vlad")

    def _new_coder(self, method, X, weights):
        coder = self.coder
        if coder is None:
            seed = check_random_state(self.random_state).randint(2**31)
            n_codes = min(N_CODES, count_distinct(X, weights))
            coder = KMeansCoder(n_codes, random_state=seed, n_jobs=self.n_jobs)
        checked_coder(coder, [method, "predict" if self._centred else "transform"])
        return fresh_coder(coder)

    # -- bags to features -------------------------------------------------------

    def transform(self, X, groups=None):
        """Encode bags.

        Parameters
        ----------
        X, groups : as for `fit`

        Returns
        -------
        features : csr_array or ndarray of shape (n_bags, n_features_out)
            Of the dtype of X. With `groups` the bags are in the order of
            ``numpy.unique(groups)``, which is the index of a pandas data frame, else in
            theirs.
        """
        check_is_fitted(self, "coder_")
        return self._features(check_bags(self, X, groups, reset=False))

    def _features(self, bags):
        n_features = bags.X.shape[1]
        encode = {"bow": self._words, "vlad": self._residuals}.get(
            self.pooling, self._codes
        )
        # One row shows what comes of all, a matter of parameters only.
        row = bags.X[:1] if bags.X.shape[0] else np.zeros((1, n_features), bags.X.dtype)
        first, _ = encode(row, np.zeros(1, dtype=np.int64))
        width = first.shape[1]
        cells = self.n_codes_ if self.pooling == "vlad" else 1
        n_rows = max(1, NUMBERS // max(width, n_features))
        batches = bags.batches(n_rows, max(1, NUMBERS // (cells * width)))
        kind = self.pooling if self.pooling in POOLINGS else "sum"

        def features_of(batch):
            n_bags = batch.stop - batch.start
            begin, end = bags.starts[batch.start], bags.starts[batch.stop]
            pool = Pool(kind, n_bags * cells, width)
            for part in row_chunks(end - begin, n_rows):
                rows, of = bags.take(slice(begin + part.start, begin + part.stop))
                pool.add(*encode(rows, of - batch.start))
            return self._normalized(pool.result().reshape(n_bags, -1))

        features = in_blocks(
            features_of,
            batches,
            (len(bags), cells * width),
            bags.X.dtype,
            self.n_jobs,
            sparse=sp.issparse(first) and returns_sparse(self),
        )
        if bags.order is None or container_of(self) != "pandas":
            return features
        # The index of X, which scikit-learn would give it, is not that of the bags.
        return import_module("pandas").DataFrame(features, index=bags.labels)

    def _codes(self, rows, of):
        return encoded(self.coder_, rows), of

    def _words(self, rows, of):
        """A one for the nearest centroid."""
        labels = _nearest(self.coder_, rows)
        parts = np.ones(labels.size), labels, np.arange(labels.size + 1)
        return sp.csr_array(parts, shape=(labels.size, self.n_codes_)), of

    def _residuals(self, rows, of):
        """What the nearest centroid leaves of a row, and a cell for each centroid."""
        labels = _nearest(self.coder_, rows)
        rows = _seen_by_last(self.coder_, rows)
        rows = rows.toarray() if sp.issparse(rows) else np.asarray(rows)
        return rows - _centroids(self.coder_)[labels], of * self.n_codes_ + labels

    def _normalized(self, features):
        kind = self.normalize
        if kind == "auto":
            kind = "power" if self.pooling == "vlad" else None
        if kind is None:
            return features
        if kind == "power":
            features = np.sign(features) * np.sqrt(np.abs(features))
        # Of numbers that are at most 1, no square is too large or too small.
        largest = np.abs(features).max(axis=1, keepdims=True)
        features = features / np.where(largest > 0.0, largest, 1.0)
        lengths = np.linalg.norm(features, 1 if kind == "l1" else 2, axis=1)
        return features / np.where(lengths > 0.0, lengths, 1.0)[:, None]

    @property
    def _n_features_out(self):
        return self.get_feature_names_out().size

    def get_feature_names_out(self, input_features=None):
        """Names of the features: the coder's of its codes, or a number for a centroid.

        As in "kmeanscoder7", and for "vlad" with the feature, as in "kmeanscoder7_x0".

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "coder_")
        if not self._centred:
            return names_of_codes(self.coder_, self.n_codes_, "bagencoder")
        last = type(last_step(self.coder_)).__name__.lower()
        names = [f"{last}{j}" for j in range(self.n_codes_)]
        if self.pooling == "vlad":
            width = _centroids(self.coder_).shape[1]
            features = getattr(self, "feature_names_in_", ())
            if len(features) != width:
                features = [f"x{f}" for f in range(width)]
            names = [f"{name}_{feature}" for name in names for feature in features]
        return np.array(names, dtype=object)


def _nearest(coder, rows):
    """The number of the centroid nearest to each row."""
    return np.asarray(coder.predict(rows), dtype=np.int64)


def _seen_by_last(coder, rows):
    """What the last step of a Pipeline is given for `rows`."""
    if not isinstance(coder, Pipeline) or len(coder.steps) == 1:
        return rows
    return encoded(coder[:-1], rows)


def _centroids(coder):
    """The centroids of a fitted coder, (n_codes, n_features)."""
    last = last_step(coder)
    for name in ("components_", "cluster_centers_"):
        if hasattr(last, name):
            return np.asarray(getattr(last, name))
    raise TypeError(
        f"coder={coder!r} has no components_ or cluster_centers_, which pooling='bow' "
        "and 'vlad' are made with; take a KMeansCoder, or pool codes by 'sum', 'mean' "
        "or 'max'."
    )
