"""Stability selection: the features that fits to halves of the data agree on."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sparselearn._compat import Interval, fit_context, rows_of, rows_of_params
from sparselearn._parallel import map_threads
from sparselearn._validation import FLOATS

__all__ = ["StabilitySelector"]


class StabilitySelector(SelectorMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Select features that an estimator selects again and again from half of the rows.

    The rows are split at random into two halves, `n_pairs` times, and a clone of the
    estimator is fitted to each half. A fit selects the q features that are most
    important to it, of those that are not without any. The share of the fits that
    select feature j is its selection probability :math:`\hat\Pi_j`, and

    .. math:: \hat S = \{ j : \hat\Pi_j \ge \tau \}, \qquad \tau = \mathrm{threshold}.

    With :math:`\bar q \le q` the mean number of features that a fit selects, the number
    of features in :math:`\hat S` whose probability of selection by a fit to half of the
    rows is at most :math:`\bar q / p`, that of a feature picked at random, is at most

    .. math:: \frac{\bar q^2}{(2 \tau - 1) \, p}

    in expectation, whatever the estimator and the distribution of the data.

    Parameters
    ----------
    estimator : estimator
        Has `coef_` after `fit`, whose column j, as a norm over outputs, counts times
        the standard deviation of feature j, or `feature_importances_`.
    threshold : float in (0.5, 1], default=0.75
        Selection probability from which on a feature is kept.
    expected_false : float, default=None
        The bound above that is asked for: q is the largest number with which it holds,
        but at least 1. If this and `n_selected` are None, it is 1.
    n_selected : int, default=None
        q itself, given instead of `expected_false`.
    n_pairs : int, default=50
        Number of times that the rows are halved; twice as many fits are made. Halves
        of classifiers have the same share of each class.
    random_state : int, RandomState instance or None, default=None
        Of the halves.
    n_jobs : int, default=None
        Number of threads; None is 1 unless in a ``joblib.parallel_config`` context.

    Attributes
    ----------
    selection_probabilities_ : ndarray of shape (n_features,)
        :math:`\hat\Pi`.
    expected_false_ : float
        The bound, for the number of features that the fits did select.
    n_selected_ : int
        q.
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
        If both `expected_false` and `n_selected` are given, or the fitted estimator
        has neither `coef_` nor `feature_importances_`.

    See Also
    --------
    sparselearn.pruning.Pruner : Removes features of a fitted model, and refits it.

    References
    ----------
    N. Meinshausen, P. Bühlmann, "Stability selection", JRSS B 72, 2010. R. D. Shah, R.
    J. Samworth, "Variable selection with error control: another look at stability
    selection", JRSS B 75, 2013, Theorem 1.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.feature_selection import StabilitySelector
    >>> from sparselearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> selector = StabilitySelector(Lasso(0.1), n_selected=3, random_state=0)
    >>> selector.fit(X, y).support_
    array([2, 3, 8])
    """

    _parameter_constraints = {
        "estimator": "no_validation",
        "threshold": [Interval(Real, 0.5, 1, closed="right")],
        "expected_false": [Interval(Real, 0, None, closed="neither"), None],
        "n_selected": [Interval(Integral, 1, None, closed="left"), None],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator,
        *,
        threshold=0.75,
        expected_false=None,
        n_selected=None,
        n_pairs=50,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.threshold = threshold
        self.expected_false = expected_false
        self.n_selected = n_selected
        self.n_pairs = n_pairs
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Fit clones of the estimator to halves of the rows, and count.

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
        q = self._number_to_select(n_features)
        params = self._routed(fit_params)
        strata = y if is_classifier(self.estimator) else np.zeros(n_samples)
        rng = check_random_state(self.random_state)
        halves = [h for _ in range(self.n_pairs) for h in _halves(strata, rng)]

        def selected(rows):
            part = rows_of(X, rows)
            own = rows_of_params(X, params, indices=rows)
            fitted = clone(self.estimator)
            targets = () if y is None else (rows_of(y, rows),)
            return _largest(_importances(fitted.fit(part, *targets, **own), part), q)

        masks = np.array(map_threads(selected, halves, self.n_jobs))
        self.selection_probabilities_ = masks.mean(axis=0)
        self.n_selected_ = q
        mean = masks.sum(axis=1).mean()
        self.expected_false_ = mean**2 / ((2.0 * self.threshold - 1.0) * n_features)
        self.support_ = np.flatnonzero(self._get_support_mask())
        self.n_nonzero_coefs_ = self.support_.size
        self.sparsity_ = 1.0 - self.support_.size / n_features
        return self

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

    def _number_to_select(self, n_features):
        if self.n_selected is None:
            bound = 1.0 if self.expected_false is None else self.expected_false
            q = int(np.sqrt(bound * (2.0 * self.threshold - 1.0) * n_features))
            return min(max(q, 1), n_features)
        if self.expected_false is not None:
            raise ValueError(
                "Give one of expected_false and n_selected, and leave the other None; "
                f"got {self.expected_false!r} and {self.n_selected!r}."
            )
        return min(self.n_selected, n_features)

    def _routed(self, fit_params):
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    def _get_support_mask(self):
        check_is_fitted(self)
        # An estimate such as 0.7500000000000001 is not to miss a threshold of 0.75.
        return self.selection_probabilities_ >= self.threshold - 1e-9

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


def _halves(strata, rng):
    """Two disjoint halves of the rows, of each stratum half; of all but an odd row."""
    order = rng.permutation(len(strata))
    if strata.ndim == 1:
        # Neighbours in the order go to different halves, those of a stratum adjacent.
        order = order[np.argsort(strata[order], kind="stable")]
    size = len(order) // 2
    pairs = order[: 2 * size].reshape(size, 2)
    swapped = rng.random(size) < 0.5
    pairs[swapped] = pairs[swapped, ::-1]
    return np.sort(pairs[:, 0]), np.sort(pairs[:, 1])


def _importances(fitted, X):
    if hasattr(fitted, "coef_"):
        coef = fitted.coef_
        coef = coef.toarray() if sp.issparse(coef) else np.asarray(coef)
        if sp.issparse(X):
            spread = np.sqrt(mean_variance_axis(X, axis=0)[1])
        else:
            spread = X.std(axis=0, dtype=np.float64)
        return np.linalg.norm(coef.reshape(-1, X.shape[1]), axis=0) * spread
    if hasattr(fitted, "feature_importances_"):
        return fitted.feature_importances_
    raise ValueError(
        "StabilitySelector needs an estimator with coef_ or feature_importances_; "
        f"{type(fitted).__name__} has neither after fit."
    )


def _largest(importances, n_selected):
    """Mask of the `n_selected` largest importances above 0, of equals the first."""
    mask = np.zeros(importances.size, dtype=bool)
    mask[np.argsort(-importances, kind="stable")[:n_selected]] = True
    return mask & (importances > 0.0)
