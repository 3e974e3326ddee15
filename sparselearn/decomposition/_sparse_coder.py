"""Sparse codes by a given dictionary."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils import check_array

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._validation import FLOATS, check_weights
from sparselearn.decomposition._coding import (
    CodesMixin,
    check_rows,
    warn_of_none,
)
from sparselearn.decomposition._methods import METHODS
from sparselearn.decomposition._sums import FeatureSums, Scored

__all__ = ["SparseCoder"]


class SparseCoder(CodesMixin, BaseEstimator):
    r"""Sparse codes of samples by the atoms of a dictionary.

    A sample x, a row of X, is written as a sum of few of the atoms d_1, ..., d_K, the
    rows of the dictionary D: its code is a z of K numbers, most of them zero, with
    :math:`x \approx D^T z = \sum_j z_j d_j`. By `method` the code is

    - "omp", "ormp": orthogonal matching pursuit, a greedy answer to

      .. math:: \min_z \|x - D^T z\|^2 \quad \text{subject to} \quad \|z\|_0 \le k.

      Atom by atom, each time all entries are fitted again by least squares. "omp" takes
      the atom of the largest correlation with what is left of x, over the atom's
      length; "ormp" (optimised, or orthogonal least squares) the one that leaves the
      smallest error, a better choice for some more work. It stops at
      k = `n_nonzero_coefs` atoms, at an error :math:`\|x - D^T z\|^2 \le`
      `tol` :math:`\|x\|^2`, or, with `alpha`, where no atom lowers
      :math:`\frac12 \|x - D^T z\|^2 + \alpha \|z\|_0`: whichever of those that are
      given comes first.
    - "iht": iterative hard thresholding of the same problem: steps along the gradient,
      each of which keeps the k largest entries.
    - "lasso": the minimum, with weights w_j and the `l1_ratio` :math:`\rho`, of

      .. math::
          \tfrac12 \|x - D^T z\|^2 + \alpha \sum_j \left( \rho\, w_j |z_j| +
          \tfrac{1 - \rho}{2} z_j^2 \right),

      certified by a duality gap. With `n_nonzero_coefs` instead of `alpha` it is the
      last solution of at most so many non-zeros on the path from the largest penalty
      down.
    - "group-lasso": the minimum, where atoms come in groups g and are used or not as
      groups, of

      .. math::
          \tfrac12 \|x - D^T z\|^2 + \alpha \sum_g \sqrt{|g|}\, \|z_g\|_2.

    - "threshold", "hard-threshold": for :math:`c_j = d_j^T x / \|d_j\|^2` the soft
      threshold :math:`z_j = \operatorname{sign}(c_j) \max(0, |c_j| - \alpha)`, or
      :math:`z_j = c_j` where :math:`|c_j| > \alpha`; of these the `n_nonzero_coefs`
      largest are kept. The cheapest codes: no atom knows of another.

    Atoms may be of any length, and need not be more than features. All is computed in
    float64.

    Parameters
    ----------
    dictionary : array-like of shape (n_components, n_features), default=None
        The atoms. None takes the samples of `fit`, codes by examples: those that are
        distinct and of positive weight, in ascending order, NaN as 0.
    method : str, default="omp"
        How a code is found: "omp", "ormp", "iht", "lasso", "group-lasso", "threshold"
        or "hard-threshold", see above. A parameter below that is given but means
        nothing to the method is an error.
    n_nonzero_coefs : int, default=None
        Non-zeros of a code, at most. More than there are atoms is the same as all.
        Pursuits and "iht" without any of `n_nonzero_coefs`, `alpha` and `tol` take 10.
    alpha : float, default=None
        Weight of the penalty, or the threshold. None means a tenth, relative, for
        "lasso", "group-lasso" and thresholds without `n_nonzero_coefs`.
    alpha_mode : {"absolute", "relative"}, default="absolute"
        Whether `alpha` is in the units above, or a share, for each sample, of the
        smallest alpha that makes its code zero: then 0 to 1 is from all to nothing,
        whatever the units of X.
    tol : float, default=None
        For pursuits the squared error, over that of a code of zeros, at which to stop;
        None goes on. For "lasso" and "group-lasso" the duality gap, over half the
        squared length of the sample, to be reached; None is 1e-6.
    l1_ratio : float in (0, 1], default=1.0
        Mixes the two penalties of "lasso"; 1 has no squares.
    penalty_weights : array-like of shape (n_components,), default=None
        The w of "lasso": 0 leaves an atom unpenalised, inf drops it. None is 1 for all.
    groups : array-like of shape (n_components,) or list of lists, default=None
        Of "group-lasso": the label of each atom's group, or the atoms of each group,
        where an atom that is in none is a group by itself.
    positive : bool, default=False
        Whether to constrain codes to be >= 0.
    split_sign : bool, default=False
        Whether to give each atom two columns, one for the positive part of its entries
        and one for minus the negative part, for models that treat them apart.
    missing : {"error", "mask"}, default="error"
        What NaN in X is: an error, or an entry that is not known, and that the code
        need not fit. ``inverse_transform`` then fills it in.
    sparse_output : bool, default=True
        Whether codes are a csr_array or an ndarray. They are dense under
        ``set_output(transform="pandas")``.
    max_iter : int, default=1000
        Passes of "lasso", "group-lasso" and "iht" over the entries of a code, at most.
    n_jobs : int, default=None
        Threads that make codes; the same bits for any number. None means 1 unless in
        a :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms: a copy of `dictionary`, whose float dtype they keep.
    n_components_ : int
    mean_ : ndarray of shape (n_features,)
        Means of the training samples, about which `score` measures. They are not
        subtracted from X.
    atom_usage_ : ndarray of shape (n_components,)
        The share of the training samples whose code uses an atom.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of a training code.
    sparsity_ : float
        The share of zeros in the training codes.
    objective_ : float
        Mean over the training samples of half the squared error plus the penalty.
    explained_variance_ : float
        `score` of the training samples.
    status_ : ndarray of int8, shape (n_samples,)
        Of each training sample 0 if its code is as good as asked for; 1 if it is not,
        for want of iterations; 2 if a pursuit ended early, because no atom that is left
        explains any of what is left of the sample.
    n_iter_ : int
        1: passes over the training samples.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For a dictionary of another width than X, a parameter that `method` does not
        use, `n_nonzero_coefs` with `alpha` or an `l1_ratio` for "lasso", no `groups`
        for "group-lasso", infinity in the data, NaN in it but for ``missing="mask"``
        and dense X, weights that are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        Once a call: if codes miss their tolerance, or if, at `fit`, all are zero.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad (1993), Orthogonal matching pursuit ("omp").

    Rebollo-Neira and Lowe (2002), Optimized orthogonal matching pursuit approach
    ("ormp").

    Rubinstein, Zibulevsky and Elad (2008), Efficient implementation of the K-SVD
    algorithm using batch orthogonal matching pursuit.

    Blumensath and Davies (2009), Iterative hard thresholding for compressed sensing.

    Efron, Hastie, Johnstone and Tibshirani (2004), Least angle regression ("lasso").

    Yuan and Lin (2006), Model selection and estimation in regression with grouped
    variables ("group-lasso").

    Examples
    --------
    Digits as sums of four other digits:

    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.decomposition import SparseCoder
    >>> X, y = load_digits(return_X_y=True)
    >>> coder = SparseCoder(X[:500], n_nonzero_coefs=4).fit(X[500:])
    >>> codes = coder.transform(X[500:])
    >>> codes.shape, codes.nnz / codes.shape[0]
    ((1297, 500), 4.0)
    >>> round(coder.score(X[500:]), 2)
    0.83
    """

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
        method="omp",
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

    _for_collections = (
        "Fit it to a part of the rows, such as X.partitions[0].compute(): transform "
        "then takes all of X, and codes are made where its chunks lie."
    )

    @property
    def _coding(self):
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Take the dictionary, and learn how X uses it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X stays sparse. A float32 or float64 C-ordered array or a CSR matrix
            is not copied.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero. They count in the fitted attributes; no code
            depends on them.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        self._fit(X, sample_weight, stacklevel=4)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, sample_weight=None):
        """``fit(X).transform(X)``, with X encoded once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
        """
        codes, dtype = self._fit(X, sample_weight, stacklevel=5)
        return self._output(codes, dtype)

    def _fit(self, X, sample_weight, *, stacklevel):
        X = check_rows(self, X, missing=self.missing, reset=True)
        weights = check_weights(sample_weight, X)
        components = self.check_dictionary(X, weights)
        codes = self._codes(X, stacklevel=stacklevel, components=components)
        warn_of_none(codes, self, stacklevel=stacklevel)

        # All at the end: a fit that failed leaves the attributes of the last one.
        self._store(X, weights, components, FeatureSums.of(X, weights).mean, codes)
        return codes, X.dtype

    def _store(self, X, weights, components, mean, codes):
        """Set the fitted attributes."""
        self.components_ = components
        self.mean_ = mean
        found = Scored.of(X, codes, weights, mean, components.shape[0])
        self._store_sums(found.codes)
        self.explained_variance_ = found.errors.score()
        self.status_ = codes.status
        self.n_iter_ = 1

    def check_dictionary(self, X, weights=None):
        """A copy of `dictionary`, held against X, or what stands for it."""
        if self.dictionary is None:
            rows = X[weights > 0.0]
            rows = rows.toarray() if sp.issparse(rows) else rows
            return np.unique(np.nan_to_num(rows), axis=0)
        atoms = check_array(
            self.dictionary, dtype=FLOATS, copy=True, order="C", input_name="dictionary"
        )
        if atoms.shape[1] != X.shape[1]:
            raise ValueError(
                f"dictionary has {atoms.shape[1]} features and X has {X.shape[1]}; "
                "atoms and samples must have the same number."
            )
        return atoms
