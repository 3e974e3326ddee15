"""Sparse codes by K-means centroids."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._dask import is_collection
from sparselearn._solvers._kmeans_codes import ENCODERS
from sparselearn._validation import check_rows, check_weights
from sparselearn.cluster._chunk_learning import ChunkLearningMixin
from sparselearn.cluster._coding import CentroidCodesMixin

__all__ = ["KMeansCoder"]


class KMeansCoder(ChunkLearningMixin, CentroidCodesMixin, BaseEstimator):
    r"""Sparse codes of samples by the K-means centroids near them.

    `fit` learns centroids c_1, ..., c_K that minimise, with sample weights s,

    .. math::
        \sum_i s_i \min_j \|x_i - c_j\|^2
        \quad\text{or, spherical,}\quad
        \sum_i s_i \min_{j,a} \|x_i - a c_j\|^2, \; \|c_j\| = 1,

    from one start. With `whiten` x is the whitened sample. `transform` turns x into a
    code f of K numbers, most of them zero, by its distances :math:`d_j = \|x - c_j\|`,
    or from lines, :math:`d_j = \min_a \|x - a c_j\|`, or by its projections on their
    directions, :math:`p_j = c_j^T x / \|c_j\|`:

    - "hard": 1 for the nearest centroid, 0 for the others;
    - "triangle": :math:`f_j = \max(0, \frac{1}{K} \sum_l d_l - d_j)`, by how much a
      centroid is nearer than the mean;
    - "soft-threshold": :math:`f_j = \max(0, p_j - t)`;
    - "topk": :math:`f_j = p_j` for the k = `n_nonzero_coefs` largest projections;
    - "llc", locality-constrained: with the k nearest centroids, which are the rows of
      B, the weights w that solve :math:`(C + 10^{-4} \operatorname{tr}(C) I) w = 1`
      for :math:`C = (B - 1 x^T)(B - 1 x^T)^T`, scaled to a sum of 1: those that make x
      of few near centroids.

    Spherical codes are signed: what is said of p_j above is said of its absolute value,
    and f_j has the sign of p_j. Such codes make a linear model non-linear, at the cost
    of one matrix product, two for distances of whitened samples.

    Parameters
    ----------
    n_components : int, default=8
        The number K of centroids, at most the number of samples.
    spherical : bool, default=False
        Whether centroids are directions of length 1, and samples multiples of them.
    encoder : {"hard", "triangle", "soft-threshold", "topk", "llc"}, default="triangle"
        How centroids become a code, see above. "llc" needs centroids that are no
        directions.
    n_nonzero_coefs : int, default=None
        Keep the so many largest entries of a code, the first ones among equals; any
        number from `n_components` on is the same. None keeps all, and 5 of "topk" and
        "llc". These two have exactly so many entries but for projections that are 0,
        others may have fewer. A hard code has one entry anyway.
    split_sign : bool, default=False
        Whether to give each centroid two columns, one for the positive part of its
        entries and one for minus the negative part. "soft-threshold" and "topk" then
        take large negative projections as well as positive ones, which without
        `spherical` they do not. An error where codes are never negative.
    threshold : "auto" or float >= 0, default="auto"
        The t of "soft-threshold", in units of X, or of whitened X; other encoders do
        without. "auto" lets `n_nonzero_coefs` entries of a training code exceed it in
        the mean, or 10% of `n_components` without that number.
    whiten : {None, "zca", "pca"}, default=None
        Take means and covariances out of X first, as
        :class:`~sparselearn.feature_extraction.ZCAWhitening` does. "pca" leaves axes as
        the directions of the largest variance, and those without any out: the codes
        are the same.
    whiten_eps : float >= 0, default=0.1
        What is added to each variance before it is divided by, as a share of their
        mean. Small ones find finer details, and noise.
    init : {"k-means++", "data"} or array-like, default="k-means++"
        Where centroids start: at samples far apart, at random samples, or at an array
        of shape (n_components, n_features), in the units of `components_`. Of a large
        memory map or a dask collection some of the samples are drawn from, 16384 or
        more.
    max_iter : int, default=100
        Passes over the data, at most.
    tol : float, default=1e-4
        Stop when all centroids together move less, squared, than `tol` times the mean
        variance of a feature, 1 / n_features if spherical. With `batch_size`, when the
        objective of a few passes is lower than before by no more than this share of it.
        0 goes on, without `batch_size` until nothing changes.
    batch_size : int, default=None
        Learn from mini-batches of so many samples; None learns from all at a time.
    sparse_output : bool, default=True
        Whether codes are sparse where the encoder makes them so: always but for
        "triangle" without `n_nonzero_coefs`, where about half of the entries are
        not zero. Under ``set_output(transform="pandas")`` they are dense.
    random_state : int, RandomState instance or None, default=None
        Draws the start, the batches, and the samples that set an automatic threshold
        if not all are needed.
    n_jobs : int, default=None
        Threads; the same bits for any number. None means 1 unless in a
        :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The centroids, of the dtype of X and, whitened or not, in its units: pictures of
        what they stand for. Directions of whitened samples are mapped back as
        directions are, without the mean.
    n_components_ : int
    gains_ : ndarray of shape (n_components,) or None
        If `spherical`: the mean length of the projections of a centroid's samples.
    labels_ : ndarray of int32, shape (n_samples,)
        The nearest centroid of each training sample. After a `fit` to a dask collection
        a dask array, to be computed; a pickle is without it.
    inertia_ : float
        The objective above.
    counts_ : ndarray of shape (n_components,)
        The weight of the training samples nearest each centroid.
    threshold_ : float or None
        The t in use, for "soft-threshold".
    mean_ : ndarray of shape (n_features,) or None
        What is taken off samples, with `whiten`.
    whitening_ : ndarray of shape (n_dimensions, n_features) or None
        What they are multiplied by then; `inverse_whitening_` is its pseudo-inverse.
    inverse_whitening_ : ndarray of shape (n_features, n_dimensions) or None
    whitened_components_ : ndarray of shape (n_components, n_dimensions) or None
        The centroids among whitened samples, by which distances are measured.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of a training code.
    sparsity_ : float
        The share of zeros in the training codes.
    n_iter_ : int
        Passes over the data; after `partial_fit`, calls of that.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in X, fewer samples than `n_components`, `init` of a wrong
        shape, weights that are negative or all zero, an encoder that cannot do what
        `spherical` or `split_sign` ask.

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

    Coates and Ng (2012), Learning feature representations with K-means (spherical,
    whitening).

    Wang, Yang, Yu, Lv, Huang and Gong (2010), Locality-constrained linear coding for
    image classification (llc).

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
        "spherical": ["boolean"],
        "encoder": [StrOptions(set(ENCODERS))],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "split_sign": ["boolean"],
        "threshold": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "whiten": [StrOptions({"zca", "pca"}), None],
        "whiten_eps": [Interval(Real, 0, None, closed="left")],
        "init": [StrOptions({"k-means++", "data"}), "array-like"],
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
        spherical=False,
        encoder="triangle",
        n_nonzero_coefs=None,
        split_sign=False,
        threshold="auto",
        whiten=None,
        whiten_eps=0.1,
        init="k-means++",
        max_iter=100,
        tol=1e-4,
        batch_size=None,
        sparse_output=True,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.spherical = spherical
        self.encoder = encoder
        self.n_nonzero_coefs = n_nonzero_coefs
        self.split_sign = split_sign
        self.threshold = threshold
        self.whiten = whiten
        self.whiten_eps = whiten_eps
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.batch_size = batch_size
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the centroids.

        The rows of a dask array or data frame stay where they are, and a pass is a
        round: the centroids go to the chunks, and sums of as many numbers,
        ``8 n_components n_features`` bytes, come from each, added up in a tree. There
        are ``n_iter_ + 4`` rounds that read all chunks, which to `persist` X makes
        cheap, and one more to count rows where sizes of chunks are unknown:

        - one for moments, with `whiten` of ``8 n_features**2`` bytes a chunk;
        - one that draws a sample, of about 16384 rows or, if that is more, 8 for each
          centroid. From it centroids start, unless `init` is an array;
        - ``n_iter_ + 1`` for the passes, and one for each pass that leaves a centroid
          without rows. What makes them faster, up to 1 GiB altogether, is kept beside
          the chunks;
        - one for the attributes that tell of codes.

        From a given start, and of so few rows that the sample is all of them, what is
        learned is what is learned in memory, but for rounding. It depends neither on
        the scheduler nor on the number of workers. With `batch_size` one chunk after
        another is passed over, in random order: the centroids go from one to the next.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array or data frame} of shape \
                (n_samples, n_features)
            Sparse X stays sparse, as chunks do; with `whiten`, n_features² numbers are
            dense.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a weight of 2 is a sample that occurs twice. Of
            a collection whose chunks are of unknown sizes it must be one too.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if is_collection(X):
            return self._learn_chunks(X, y, sample_weight)
        X = check_rows(self, X, reset=True)
        weights = check_weights(sample_weight, X)
        return self._learn(X, y, weights, check_random_state(self.random_state))

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on learning from some more samples, in batches of `batch_size`.

        The first call draws the start from its samples, and learns from them the
        whitening, which stays as it is. Each call moves centroids by the samples
        nearest to them, less and less; after `fit` they weigh what they were made of.
        One call for many samples does what one for each batch of them does.
        Automatic thresholds, and the attributes that tell of codes and labels, are
        those of the last call's samples; `counts_` and `gains_` are of all.

        A call that fails, or is interrupted, changes nothing. A pickle goes on where
        the estimator was.

        A call with a dask array or data frame does what one with each of its chunks
        does, one after another: each is read once, where it lies, and the estimator, of
        about ``20 n_components n_features`` bytes, goes from one to the next. Labels
        are those of the last chunk.

        Parameters
        ----------
        X : {array-like, sparse matrix, dask array or data frame} of shape \
                (n_samples, n_features)
            At the first call, of `n_components` samples or more unless `init` is an
            array; of a collection so many of its first chunks as have them together.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if is_collection(X):
            return self._learn_more_chunks(X, sample_weight)
        X = check_rows(self, X, reset=not hasattr(self, "_running"))
        return self._learn_more(X, check_weights(sample_weight, X))
