"""`Pruner`, the meta-estimator that fits an estimator and prunes it."""

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import fit_context
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._blocks import counts
from sparselearn.pruning._procedure import Plan, amount_of, observe, prune_in_place
from sparselearn.pruning._prune import CONSTRAINTS
from sparselearn.pruning._wrappers import last_step, thawed

__all__ = ["Pruner"]


def _delegated(name):
    """Whether the estimator inside has the method `name`, for `available_if`."""

    def check(pruner):
        # Its own AttributeError says more than False would.
        getattr(getattr(pruner, "estimator_", pruner.estimator), name)
        return True

    return available_if(check)


class Pruner(MetaEstimatorMixin, BaseEstimator):
    r"""Fit an estimator, and set its least important weights to zero.

    The estimator is one or more affine maps ``z = a W + b``: the only one of a linear
    model, one a layer of a multilayer perceptron. Of the n weights of all maps
    together the

    .. math:: n - \mathrm{round}(s \, n), \qquad s = \mathrm{sparsity},

    most important ones are kept, exactly, also where importances tie or weights are
    zero already; the others are set to 0. Nothing that is passed in is changed: a
    clone is fitted, and of a :class:`~sklearn.frozen.FrozenEstimator` a deep copy is
    pruned.

    Parameters
    ----------
    estimator : estimator
        A linear model with ``coef_`` and ``intercept_`` from
        :mod:`sklearn.linear_model`, :mod:`sparselearn.linear_model` or
        :class:`~sklearn.svm.LinearSVC` and :class:`~sklearn.svm.LinearSVR`; a
        :class:`~sklearn.neural_network.MLPClassifier`,
        :class:`~sklearn.neural_network.MLPRegressor`,
        :class:`~sparselearn.neural_network.SparseMLPClassifier` or
        :class:`~sparselearn.neural_network.SparseMLPRegressor`; a class known by
        :func:`register_adapter`; or a :class:`~sklearn.pipeline.Pipeline` that ends
        in one of these, whose last step is pruned. To prune a fitted estimator
        without fitting it again, give ``FrozenEstimator(estimator)``: the X of `fit`
        then serves for calibration only.
    criterion : {"magnitude"}, default="magnitude"
        What a weight is worth. "magnitude": :math:`|w_{ij}|` in a perceptron, and
        :math:`|w_{ij}| \, \mathrm{std}(x_i)` in a linear model, where features have
        units; the standard deviation is over the rows of X, weighted by
        `sample_weight`.
    granularity : {"element", "neuron", "feature"}, default="element"
        What is kept or removed as one: a weight; a hidden unit of a perceptron, with
        all its weights and its constant; a feature, with all weights that read it.
        `sparsity`, `n_nonzero_coefs` and `threshold` count such parts.
    sparsity : float in [0, 1), default=None
        Share of the weights to set to zero, all maps taken together. Zeros that the
        fit made count, and go first. 0 changes nothing at all. If `sparsity`,
        `n_nonzero_coefs` and `threshold` are all None, it is 0.5; at most one of the
        three may be given.
    n_nonzero_coefs : int, default=None
        Number of weights to keep; more than there are keeps all.
    threshold : float, default=None
        Weights of at least this importance are kept.
    scope : {"global", "layer"}, default="global"
        "global" ranks all weights together. "layer" ranks each layer by itself, and
        prunes all to the same sparsity, up to rounding; the number of kept weights
        is the same. No effect on a linear model, nor with `threshold`.
    refit : {"fold", "none"}, default="fold"
        "fold" adds to each intercept the mean of what was removed,
        :math:`b_j \leftarrow b_j + \sum_{i\,\mathrm{removed}} w_{ij}\,\bar a_i`, the
        least-squares constant. In later layers of a perceptron, whose inputs have
        changed too, it gives every pre-activation the mean over X that it had before
        pruning. A linear model with ``fit_intercept=False`` is not folded. "none"
        leaves the intercepts; a perceptron without most of its weights may do better
        so.

    Attributes
    ----------
    estimator_ : estimator
        The fitted and pruned estimator, of the class of `estimator`; it needs
        nothing of this package.
    masks_ : list of ndarray of bool
        Which weights are kept; one array a map, shaped like ``coef_``, or like each
        of ``coefs_``.
    importances_ : list of ndarray of float64
        Importances before pruning, shaped likewise.
    threshold_ : float
        `threshold`, or the smallest importance that is kept (inf if none is).
    sparsity_ : float
        Share of exact zeros among the weights of `estimator_`; above `sparsity`
        where the fit itself made more zeros.
    n_nonzero_coefs_ : int
        Number of weights of `estimator_` that are not zero.
    support_ : ndarray of int
        Indices of the features that have a weight other than zero in the first map;
        in a pipeline they are the features that its last step sees.
    n_features_in_ : int
        Number of features seen by `fit`, from `estimator_`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, from `estimator_`, where X had some.
    classes_ : ndarray
        Classes of a classifier, from `estimator_`.

    Raises
    ------
    TypeError
        If no adapter is known for the class of `estimator`.

    See Also
    --------
    prune : The same for a fitted estimator, as a function.

    Notes
    -----
    Weights of equal importance are kept in the order in which they are stored, lower
    indices first, earlier layers first. Hence what is kept at one sparsity is kept at
    any lower one.

    `sample_weight` weights both the fit of the estimator and the means and standard
    deviations over X. With metadata routing enabled each has its own request: that of
    the estimator (``estimator.set_fit_request``) and that of the Pruner. Without it,
    the weights go to the last step of a pipeline.

    References
    ----------
    S. Han, J. Pool, J. Tran, W. Dally, "Learning both weights and connections for
    efficient neural networks", NeurIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sparselearn.pruning import Pruner
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pruner = Pruner(Ridge(alpha=0.1), sparsity=0.6).fit(X, y)
    >>> pruner.get_support(indices=True)
    array([1, 2, 3, 8])
    >>> pruner.sparsity_
    0.6
    """

    _parameter_constraints = CONSTRAINTS

    def __init__(
        self,
        estimator,
        *,
        criterion="magnitude",
        granularity="element",
        sparsity=None,
        n_nonzero_coefs=None,
        threshold=None,
        scope="global",
        refit="fold",
    ):
        self.estimator = estimator
        self.criterion = criterion
        self.granularity = granularity
        self.sparsity = sparsity
        self.n_nonzero_coefs = n_nonzero_coefs
        self.threshold = threshold
        self.scope = scope
        self.refit = refit

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, **fit_params):
        """Fit a clone of the estimator, and prune it.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
        y : array-like, default=None
            As the estimator takes it.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the fit and in the calibration.
        **fit_params : dict
            Passed to the estimator's `fit`; with metadata routing enabled, to
            whatever requested them.

        Returns
        -------
        self : Pruner
        """
        amount = amount_of(self.sparsity, self.n_nonzero_coefs, self.threshold)
        adapter_of(last_step(self.estimator))  # refuse before the time to fit is spent
        fit_params, sample_weight = self._routed(sample_weight, fit_params)
        estimator = thawed(clone(self.estimator).fit(X, y, **fit_params))
        plan = Plan(amount, self.criterion, self.granularity, self.scope, self.refit)
        subject = observe(estimator, X, y, sample_weight)
        pruned = prune_in_place(estimator, subject, plan)
        self.estimator_ = estimator
        self.masks_ = pruned.masks
        self.importances_ = pruned.importances
        self.threshold_ = pruned.threshold
        vars(self).update(counts(pruned.blocks))
        self._n_inputs = len(pruned.blocks[0].matrix())
        return self

    def _routed(self, sample_weight, fit_params):
        """What the estimator's `fit` gets, and the weights of the calibration."""
        if get_config()["enable_metadata_routing"]:
            if sample_weight is not None:
                fit_params["sample_weight"] = sample_weight
            routed = process_routing(self, "fit", **fit_params)
            return routed.estimator.fit, sample_weight
        prefix, estimator = "", self.estimator
        while isinstance(estimator, Pipeline):
            name, estimator = estimator.steps[-1]
            prefix += f"{name}__"
        key = f"{prefix}sample_weight"
        if sample_weight is not None:
            fit_params[key] = sample_weight
        return fit_params, fit_params.get(key)

    @property
    def n_features_in_(self):
        """Number of features seen by `fit`."""
        return self._fitted().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features seen by `fit`."""
        return self._fitted().feature_names_in_

    @property
    def classes_(self):
        """Classes that the estimator was fitted to."""
        return self._fitted().classes_

    def _fitted(self):
        check_is_fitted(self)
        return self.estimator_

    def get_support(self, indices=False):
        """Which features the pruned estimator uses.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return indices rather than a mask.

        Returns
        -------
        support : ndarray
            Mask of shape (n_features,), or the indices.
        """
        check_is_fitted(self)
        if indices:
            return self.support_
        mask = np.zeros(self._n_inputs, dtype=bool)
        mask[self.support_] = True
        return mask

    @_delegated("predict")
    def predict(self, X):
        """Predict by the pruned estimator."""
        return self._fitted().predict(X)

    @_delegated("predict_proba")
    def predict_proba(self, X):
        """Probabilities of the classes by the pruned estimator."""
        return self._fitted().predict_proba(X)

    @_delegated("predict_log_proba")
    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes by the pruned estimator."""
        return self._fitted().predict_log_proba(X)

    @_delegated("decision_function")
    def decision_function(self, X):
        """Decision function of the pruned estimator."""
        return self._fitted().decision_function(X)

    @_delegated("transform")
    def transform(self, X):
        """Transform by the pruned estimator."""
        return self._fitted().transform(X)

    @_delegated("score")
    def score(self, X, y=None, **score_params):
        """Score of the pruned estimator, as it scores itself.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
        y : array-like, default=None
        **score_params : dict
            Passed to the estimator's `score`, such as `sample_weight`; with metadata
            routing enabled, where requested.

        Returns
        -------
        score : float
        """
        estimator = self._fitted()
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "score", **score_params)
            score_params = routed.estimator.score
        return estimator.score(X, y, **score_params)

    def get_metadata_routing(self):
        """How metadata are routed: to the estimator, in `fit` and in `score`.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = (
            MethodMapping()
            .add(caller="fit", callee="fit")
            .add(caller="score", callee="score")
        )
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = get_tags(self.estimator)
        tags.array_api_support = False  # masks and means are numpy's
        return tags
