"""Stability selection: the features that fits to halves of the data agree on."""

import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sparselearn._compat import (
    Interval,
    StrOptions,
    fit_context,
)
from sparselearn._dask import lazily
from sparselearn._parallel import Shared, map_jobs
from sparselearn._validation import FLOATS, validate_data
from sparselearn.feature_selection._bounds import (
    ASSUMPTIONS,
    false_positive_bound,
    largest_number,
    lowest_threshold,
)
from sparselearn.feature_selection._halves import (
    Alphas,
    Lattice,
    Rows,
    has_path,
    is_greedy,
    select_by_fit,
    select_by_path,
    select_from,
    selection_shares,
    split_halves,
)
from sparselearn.linear_model._support_path import SupportPath

__all__ = ["StabilitySelector"]


class StabilitySelector(SelectorMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Select features that an estimator selects again and again from half of the rows.

    The rows are split at random into two halves, B = `n_pairs` times, and each half
    selects q of the p features at most. Of a linear model with a path these are the
    first to enter it as alpha falls, whatever the estimator's own alpha; of other
    estimators, the ones most important to a clone that is fitted to the half, of
    those that are not without any. With :math:`\hat\Pi_j(\lambda)` the share of the
    2 B halves that select feature j at :math:`\lambda`, an alpha or a number of
    features, what is kept is

    .. math::
        \hat S = \{ j : \hat\Pi_j \ge \tau \}, \qquad
        \hat\Pi_j = \max_\lambda \hat\Pi_j(\lambda), \qquad
        \tau = \mathrm{threshold}.

    With :math:`\bar q \le q` the mean number of features that a half selects, those
    in :math:`\hat S` which a half selects with probability :math:`\bar q / p` at most,
    that of a feature picked at random, number at most

    .. math:: \frac{\bar q^2}{(2 \tau - 1) \, p}

    in expectation, whatever the estimator and the distribution of the data; under
    `assumption`, fewer: see :func:`false_positive_bound`.

    Parameters
    ----------
    estimator : estimator
        Has a path (Lasso, ElasticNet, GroupLasso, SparseGroupLasso,
        SparseLogisticRegression, SparsePoissonRegressor, SparseHuberRegressor,
        OrthogonalMatchingPursuit); or after `fit` has `coef_`, whose column j, as a
        norm over outputs, counts times the standard deviation of feature j, or
        `feature_importances_`, or `get_support`. A Pipeline is what its last step is.
    threshold : float in (0.5, 1], default=None
        Share of the halves from which on a feature is kept. None means the lowest with
        which the bound is at most `expected_false_positives` if that and `n_selected`
        are given, and else 0.75.
    expected_false_positives : float, default=None
        What the bound is to be at most. None means 1 if `n_selected` is None too, and
        else whatever comes of it; any two of this, `threshold` and `n_selected` give
        the third.
    n_selected : int, default=None
        q. None means the largest with which the bound is at most
        `expected_false_positives`. A number larger than p means p.
    assumption : {"none", "unimodal", "r-concave"}, default="none"
        What the bound takes for granted; see :func:`false_positive_bound`.
    method : {"auto", "path", "fit"}, default="auto"
        Whether a half selects by the path or by a fit with the estimator's own alpha.
        "auto" is by the path where there is one.
    alphas : int or array-like of shape (n_alphas,), default=100
        Of the path: so many steps from a half's largest alpha to a thousandth of it, or
        the alphas. A path ends with the first q features. With given alphas and
        `n_selected` = p it does not, and :math:`\hat\Pi_j` is Meinshausen and
        Bühlmann's maximum over them.
    n_pairs : int, default=50
        B. Halves of classifiers have the same share of each class.
    random_state : int, RandomState instance or None, default=None
        Of the halves.
    n_jobs : int, default=None
        Workers of joblib over the halves: threads, or a backend of your own; None is 1
        unless in a ``joblib.parallel_config`` context. Any number gives the same bits.

    Attributes
    ----------
    selection_probabilities_ : ndarray of shape (n_features,)
        :math:`\hat\Pi`.
    selection_paths_ : csc_array of shape (n_features, n_steps)
        :math:`\hat\Pi(\lambda)`. A step is an alpha of `alphas_`, or k + 1 features.
    alphas_ : ndarray of shape (n_steps,)
        Those that paths reached, decreasing; only if the selection is by alphas.
    threshold_ : float
        :math:`\tau` in use.
    expected_false_positives_ : float
        The bound, for the number of features that the halves did select.
    n_selected_ : int
        q in use.
    support_ : ndarray of int
        Indices of the selected features.
    sparsity_ : float
        Share of the features that are not selected.
    n_nonzero_coefs_ : int
        Number of those that are.
    n_features_in_ : int
        Number of features seen by `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had some.

    Raises
    ------
    ValueError
        If `threshold`, `expected_false_positives` and `n_selected` are all given, no
        threshold or number of features has the bound asked for, or the estimator does
        not say what it selects.

    Warns
    -----
    ConvergenceWarning
        Once, if paths of some halves missed the estimator's `tol`.

    See Also
    --------
    false_positive_bound : The bound, to plan with.
    sparselearn.inspection.StabilityPathDisplay : Draws `selection_paths_`.
    sparselearn.pruning.Pruner : Removes features of a fitted model, and refits it.

    References
    ----------
    N. Meinshausen, P. Bühlmann, "Stability selection", JRSS B 72, 2010. R. D. Shah, R.
    J. Samworth, "Variable selection with error control: another look at stability
    selection", JRSS B 75, 2013.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.feature_selection import StabilitySelector
    >>> from sparselearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> selector = StabilitySelector(Lasso(), n_selected=3, random_state=0)
    >>> selector.fit(X, y).support_
    array([2, 3, 8])
    """

    _parameter_constraints = {
        "estimator": "no_validation",
        "threshold": [Interval(Real, 0.5, 1, closed="right"), None],
        "expected_false_positives": [Interval(Real, 0, None, closed="neither"), None],
        "n_selected": [Interval(Integral, 1, None, closed="left"), None],
        "assumption": [StrOptions(set(ASSUMPTIONS))],
        "method": [StrOptions({"auto", "path", "fit"})],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator,
        *,
        threshold=None,
        expected_false_positives=None,
        n_selected=None,
        assumption="none",
        method="auto",
        alphas=100,
        n_pairs=50,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.threshold = threshold
        self.expected_false_positives = expected_false_positives
        self.n_selected = n_selected
        self.assumption = assumption
        self.method = method
        self.alphas = alphas
        self.n_pairs = n_pairs
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Select from halves of the rows, and count.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
        y : array-like, default=None
            As the estimator takes it.
        **fit_params : dict
            Passed to the estimator's `fit`, such as `sample_weight`, those with an
            entry a row by halves; with metadata routing enabled, what it requested.

        Returns
        -------
        self : StabilitySelector
        """
        X, y = self._validated(X, y)
        n_samples, n_features = X.shape
        threshold, q = self._threshold_and_number(n_features)
        params = self._routed(fit_params)
        grid, select = self._way_to_select(X, y, params)
        strata = y if is_classifier(self.estimator) else np.zeros(n_samples)
        rng = check_random_state(self.random_state)
        pairs = [split_halves(strata, rng) for _ in range(self.n_pairs)]
        shared = Shared(Rows(self.estimator, select, q, X, y, params))
        jobs = [(half,) for pair in pairs for half in pair]
        halves = map_jobs(select_from, shared, jobs, self.n_jobs, in_threads=True)
        self._store(list(halves), n_features, threshold, q, grid)
        return self

    def _way_to_select(self, X, y, params):
        """The grid of alphas, or None, and what selects features from a half."""
        by_path = (
            has_path(self.estimator)
            if self.method == "auto"
            else (self.method == "path")
        )
        if not by_path:
            return None, select_by_fit
        if not has_path(self.estimator):
            raise ValueError(
                f"method='path' needs an estimator with a path; {self.estimator!r} has "
                "none, use method='fit'."
            )
        if is_greedy(self.estimator):
            return None, select_by_path
        if isinstance(self.alphas, Integral):
            rows = SupportPath(clone(self.estimator), X, y, **params)
            grid = Lattice(rows.alpha_max, self.alphas)
        else:
            grid = Alphas(self.alphas)
        return grid, partial(select_by_path, grid=grid)

    def _store(self, halves, n_features, threshold, q, grid):
        """Set the fitted attributes; warn of paths that missed their tolerance."""
        steps, shares = selection_shares(halves, n_features)
        self.selection_paths_ = shares
        self.selection_probabilities_ = shares.max(axis=1).toarray().ravel()
        if grid is not None:
            self.alphas_ = grid.alpha(steps)
        elif hasattr(self, "alphas_"):
            del self.alphas_  # of another fit
        self.threshold_, self.n_selected_ = threshold, q
        mean = np.mean([half.n_selected for half in halves])
        self.expected_false_positives_ = false_positive_bound(
            mean, n_features, **self._how(), threshold=threshold
        )
        self.support_ = np.flatnonzero(self._get_support_mask())
        self.n_nonzero_coefs_ = self.support_.size
        self.sparsity_ = 1.0 - self.support_.size / n_features
        missed = sum(not half.converged for half in halves)
        if missed:
            warnings.warn(
                f"The paths of {missed} of {len(halves)} halves missed tol="
                f"{self.estimator.tol:.2e} at some alpha: increase max_iter="
                f"{self.estimator.max_iter} of the estimator, or tol, or select fewer "
                "features.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _validated(self, X, y):
        X = validate_data(
            self,
            X,
            None if y is None else "no_validation",  # refused, where one is required
            accept_sparse="csr",
            dtype=FLOATS,
            ensure_min_samples=4,
        )
        if y is not None:
            y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
            check_consistent_length(X, y)
        return X, y

    def _how(self):
        return {"n_pairs": self.n_pairs, "assumption": self.assumption}

    def _threshold_and_number(self, n_features):
        """The threshold and q in use."""
        threshold, q, bound = (
            self.threshold,
            self.n_selected,
            self.expected_false_positives,
        )
        if None not in (threshold, q, bound):
            raise ValueError(
                "threshold, n_selected and expected_false_positives: two of them give "
                f"the third; got {threshold!r}, {q!r} and {bound!r}. Leave one None."
            )
        how = self._how()
        if q is not None:
            q = min(q, n_features)
            if threshold is None and bound is not None:
                threshold = lowest_threshold(bound, q, n_features, **how)
                if threshold is None:
                    least = false_positive_bound(q, n_features, threshold=1.0, **how)
                    raise ValueError(
                        f"expected_false_positives={bound} cannot be had with "
                        f"n_selected={q} of {n_features} features: even of those that "
                        f"all halves select, up to {least:.3g} may be false. Select "
                        "fewer, or allow for more."
                    )
            return 0.75 if threshold is None else threshold, q
        threshold = 0.75 if threshold is None else threshold
        bound = 1.0 if bound is None else bound
        q = largest_number(bound, n_features, threshold, **how)
        reached = false_positive_bound(q, n_features, threshold=threshold, **how)
        if reached > bound:
            raise ValueError(
                f"expected_false_positives={bound} cannot be had with threshold="
                f"{threshold}: even with n_selected=1 of {n_features} features the "
                f"bound is {reached:.3g}. Raise the threshold, or allow for more."
            )
        return threshold, q

    def _routed(self, fit_params):
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    @lazily
    def transform(self, X):
        """The selected columns.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)

        Returns
        -------
        X_selected : array or sparse array of shape (n_samples, n_selected)
        """
        return super().transform(X)

    @lazily
    def inverse_transform(self, X):
        """Selected columns among columns of zeros, where they came from.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_selected)

        Returns
        -------
        X_original : array or csc matrix of shape (n_samples, n_features)
        """
        return super().inverse_transform(X)

    def _get_support_mask(self):
        check_is_fitted(self)
        # An estimate such as 0.7500000000000001 is not to miss a threshold of 0.75.
        return self.selection_probabilities_ >= self.threshold_ - 1e-9

    def get_metadata_routing(self):
        """How metadata are routed: from `fit` to that of the estimator.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags.sparse = inner.input_tags.sparse
        tags.target_tags = inner.target_tags
        return tags
