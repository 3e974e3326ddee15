"""`Pruner`, the meta-estimator that fits an estimator and prunes it."""

from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sparselearn._compat import fit_context
from sparselearn.pruning._delegates import DelegatesMixin
from sparselearn.pruning._procedure import (
    Plan,
    amount_of,
    check_parts,
    observe,
    prune_in_place,
)
from sparselearn.pruning._prune import CONSTRAINTS
from sparselearn.pruning._wrappers import last_step, thawed

__all__ = ["Pruner"]


class Pruner(DelegatesMixin, MetaEstimatorMixin, BaseEstimator):
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
        :class:`~sparselearn.neural_network.SparseMLPRegressor`; a kernel machine,
        :class:`~sklearn.svm.SVC`, :class:`~sklearn.svm.NuSVC`,
        :class:`~sklearn.svm.SVR`, :class:`~sklearn.svm.NuSVR` or
        :class:`~sklearn.svm.OneClassSVM`, by its support vectors; a decision tree
        or a forest (:class:`~sklearn.ensemble.RandomForestClassifier`,
        :class:`~sklearn.ensemble.ExtraTreesClassifier` and their regressors), by its
        nodes; a :class:`~sparselearn.neural_network.SparseAutoencoder` of one layer, by
        its units (``granularity="neuron"``); a class known by
        :func:`register_adapter`; or a :class:`~sklearn.pipeline.Pipeline` that ends
        in one of these, whose last step is pruned. To prune a fitted estimator
        without fitting it again, give ``FrozenEstimator(estimator)``: the X of `fit`
        then serves for calibration only.
    criterion : str or callable, default="magnitude"
        What a part is worth, for one of the granularities or more; means and standard
        deviations are over the rows of X, weighted by `sample_weight`, a is what a
        layer reads (of the first one x), and a unit j reads :math:`W_{\cdot j}` and is
        read by :math:`V_{j \cdot}`.

        - "magnitude": :math:`|w_{ij}|` in a perceptron, and
          :math:`|w_{ij}| \, \mathrm{std}(x_i)` in a linear model, where features have
          units; of units :math:`\|W_{\cdot j}\| \, \|V_{j \cdot}\|`, over its mean in
          the layer; of support vectors :math:`|\alpha_i| \sqrt{k(x_i, x_i)}`;
        - "lamp": the share of :math:`w_{ij}^2` (in the linear model's units) in the sum
          of it and all larger ones of its layer, so that layers compare;
        - "wanda": :math:`|w_{ij}| \sqrt{\mathrm{mean}(a_i^2)}`;
        - "signal", of units and features: :math:`\mathrm{std}(a_j) \,
          \|V_{j \cdot}\|`;
        - "obd": :math:`G_{ij} w_{ij}^2 / 2`, G the diagonal of the Gauss-Newton matrix
          of the loss that belongs to the outputs (cross-entropy, Poisson's, squared
          error), without labels; of units and features the sum over their weights;
        - "taylor": :math:`|w_{ij} \, \partial L / \partial w_{ij}|`, which needs y; of
          units and features :math:`\mathrm{mean}_n |a_j \, \partial L_n / \partial
          a_j|`; at the end of a fit gradients are small, and it says little;
        - "entropy", of units: :math:`H(a_j) \, \|V_{j \cdot}\|`, the bits that a unit
          tells of a row, among 32 bins shared by the layer and, where it can be exactly
          zero, OFF; "raw-entropy": without the norm, for comparison;
        - "stability", of units: the variance of a unit over the rows, to that which
          noise of 0.1 standard deviations on every feature makes in it, times
          :math:`\|V_{j \cdot}\|`;
        - "apoz", of ReLU units: the share of the rows on which it is not zero, for
          comparison;
        - "obs", of linear models and support vectors: the turn in which the optimal
          brain surgeon removes a weight, the last one most important: each time that
          with the least :math:`w_j^2 / (2 [H^{-1}]_{jj})`, H the curvature of the loss,
          after which the other weights are corrected. Of least squares this is
          backward elimination by :math:`|t|`. Of perceptrons the same quotient, with H
          the covariance of what the layer reads (and 1% of its mean diagonal), as a
          share as in "lamp"; ``refit="lstsq"`` corrects the others. At most 4000
          inputs. Of units what the loss rises by as they go one by one, while least
          squares over those that are left make up for each: with ``refit="lstsq"`` the
          best criterion of units;
        - "ccp", of the nodes of trees: the complexity, ``ccp_alpha``, at which a node
          becomes a leaf, or goes with one above it;
        - "random": for comparison;
        - a callable ``f(estimator, X, y, sample_weight)`` that returns a list of arrays
          of importances, shaped like `importances_`; the estimator is the fitted last
          step, X what that sees.

        Where a criterion has no definition of its own for features, a feature counts
        by the norm of the importances of its weights.
    granularity : str or tuple (N, M), default="element"
        What is kept or removed as one: "element", a weight; "neuron", a hidden unit
        of a perceptron, with all its weights and its constant; "feature", with all
        weights that read it; "support_vector" of a kernel machine, which is then
        smaller, with its coefficients in all decisions; "node" of a tree, whose
        inner nodes become leaves, and of all trees of a forest, which are smaller too.
        `sparsity`, `n_nonzero_coefs` and `threshold` count such parts. A tuple of
        integers, such as (2, 4), keeps N of every M consecutive inputs of each output,
        exactly, which says how much is pruned.
    sparsity : float in [0, 1), default=None
        Share of the weights to set to zero, all maps taken together. Zeros that the
        fit made count, and go first. 0 changes nothing at all. If `sparsity`,
        `n_nonzero_coefs` and `threshold` are all None, it is 0.5; at most one of the
        three may be given.
    n_nonzero_coefs : int, default=None
        Number of weights to keep; more than there are keeps all.
    threshold : float or str, default=None
        Weights of at least this importance are kept. "median", or a multiple such as
        "1.5*median": of all importances. "universal", for magnitudes of a linear
        model: :math:`\hat\sigma \sqrt{2 \log(p) / n}`, which p weights without
        effect would hardly exceed; :math:`\hat\sigma` is the standard deviation of
        residuals, or that of a logistic loss.
    scope : {"global", "layer", "output"}, default="global"
        "global" ranks all weights together. "layer" ranks each layer by itself, and
        prunes all to the same sparsity, up to rounding; "output" does so with the
        weights of each output. The number of kept weights is the same. "layer" has no
        effect on a linear model, nor any scope with `threshold`.
    layer_sparsity : str, list or dict, default=None
        How a perceptron's sparsity is shared out among its layers; in each the weights
        are ranked by `scope`. The total stays exact, and a layer that is kept whole
        leaves its share to the others. None leaves it to `scope`.

        - "uniform": all alike;
        - "erk", of weights: densities in proportion to :math:`(f + g) / (f g)` in a
          layer of f inputs and g outputs, so that small layers stay denser;
        - "owl", of weights: layers in which more of the
          :math:`|w_{ij}| \sqrt{\mathrm{mean}(a_i^2)}` exceed five times their mean
          stay denser, by up to a factor of 1 + 0.16/0.3; made for transformers, and
          on perceptrons no better than "uniform";
        - "sensitivity": each layer is pruned alone, to several sparsities, and those
          weights go first that change the outputs on X least, each: by the
          Kullback-Leibler divergence of the classes' probabilities, or by half the
          squared error; no labels are needed;
        - numbers: sparsities, one a layer (or None) in a list, or in a dict from
          positions or names (``"coefs_[0]"``; a layer of units is named as what makes
          it). The other layers share out what is left of `sparsity` or
          `n_nonzero_coefs`; if neither is given, they are kept whole.
    min_density : float in [0, 1], default=0.0
        Share of its weights, the most important ones, that every layer keeps at least,
        even if more are kept than asked for; not where `layer_sparsity` has a number.
    exclude : list or tuple, default=()
        Layers that are not pruned, by position (-1 is the last one) or name. Their
        weights do not count in `sparsity`, `n_nonzero_coefs` and `min_density`.
    refit : str, default="fold"
        What is done to the weights that are left.

        - "fold" adds to each intercept the mean of what was removed,
          :math:`b_j \leftarrow b_j + \sum_{i\,\mathrm{removed}} w_{ij}\,\bar a_i`,
          the least-squares constant. In later layers of a perceptron, whose inputs
          have changed too, it gives every pre-activation the mean over X that it had
          before pruning. A linear model with ``fit_intercept=False`` is not folded;
        - "lstsq" fits the kept weights and the constant of each map to what it gave
          before pruning, while it reads what the pruned maps below it give. Least
          squares over the rows that are observed, without labels, with a pull to the
          old weights of 0.01 times the mean variance of the inputs (times a feature's
          own variance, where features have units);
        - "none" leaves the intercepts; a perceptron without most of its weights may
          do better so than with "fold";
        - "obs", for linear models and support vectors whatever the criterion, gives
          the kept weights S the values that are optimal without the others,
          :math:`w_S \leftarrow w_S + H_{SS}^{-1} H_{SR} w_R`: of least squares and
          ridge regressions the fit on S, of other models one Newton step towards it
          from the fitted weights. It needs no targets;
        - "same", for linear models, fits the estimator itself to the features that are
          kept, with its own parameters;
        - "ols" and "ridge", for linear models of squared loss, are least squares on
          the kept weights of each output, "ridge" with a penalty of 1% of the features'
          mean variance; "relaxed" goes the share of the way from there to the pruned
          weights, 0, 0.1, ... or 1, that is best in 5-fold cross-validation;
        - "train" does as "lstsq" and then trains on all rows of X and y, weights that
          are pruned held at exactly 0: for perceptrons, whichever solver fitted them,
          by Adam or momentum with a rate that falls to zero (of Adam from three times
          `learning_rate_init`); and for linear models with `partial_fit`.
    refit_epochs : int, default=10
        Epochs of "train", all steps together.
    schedule : {"one-shot", "geometric", "cubic"} or callable, default="one-shot"
        Whether parts are removed at once, or in `n_steps` steps. Each step scores what
        is left, prunes within the parts that the one before kept, and refits.
        "geometric" keeps the same share each time; "cubic" (Zhu and Gupta) prunes fast
        first, :math:`1 - (1 - t)^3` of the way after the share t of the steps; a
        callable gives this share of the way. At least a third of `refit_epochs` comes
        after the last step. Steps pay with "train" and a sparsity above some 90 %.
    n_steps : int, default=8
        Steps of a `schedule` other than "one-shot".
    calibration_size : int or None, default=5000
        How many rows the estimator is observed on, drawn at random where X has more;
        None takes all.
    random_state : int, RandomState instance or None, default=None
        Of the rows that are drawn, and of the criteria that draw; give an int for the
        same masks every time.

    Attributes
    ----------
    estimator_ : estimator
        The fitted and pruned estimator, of the class of `estimator`; it needs
        nothing of this package.
    masks_ : list of ndarray of bool
        Which weights are kept; one array a map, shaped like ``coef_``, or like each
        of ``coefs_``.
    importances_ : list of ndarray of float64
        Importances before pruning; of weights shaped likewise, of units one array a
        hidden layer, of features one array.
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
    efficient neural networks", NeurIPS 2015. J. Lee et al., "Layer-adaptive sparsity
    for the magnitude-based pruning", ICLR 2021. M. Sun et al., "A simple and effective
    pruning approach for large language models", ICLR 2024. U. Evci et al., "Rigging the
    lottery", ICML 2020. L. Yin et al., "Outlier weighed layerwise sparsity", ICML 2024.

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
        layer_sparsity=None,
        min_density=0.0,
        exclude=(),
        refit="fold",
        refit_epochs=10,
        schedule="one-shot",
        n_steps=8,
        calibration_size=5000,
        random_state=None,
    ):
        self.estimator = estimator
        self.criterion = criterion
        self.granularity = granularity
        self.sparsity = sparsity
        self.n_nonzero_coefs = n_nonzero_coefs
        self.threshold = threshold
        self.scope = scope
        self.layer_sparsity = layer_sparsity
        self.min_density = min_density
        self.exclude = exclude
        self.refit = refit
        self.refit_epochs = refit_epochs
        self.schedule = schedule
        self.n_steps = n_steps
        self.calibration_size = calibration_size
        self.random_state = random_state

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
        amount = amount_of(
            self.sparsity,
            self.n_nonzero_coefs,
            self.threshold,
            granularity=self.granularity,
            layer_sparsity=self.layer_sparsity,
        )
        check_parts(self.estimator, self.granularity)
        fit_params, sample_weight = self._routed(sample_weight, fit_params)
        estimator = thawed(clone(self.estimator).fit(X, y, **fit_params))
        options = {name: getattr(self, name) for name in Plan._fields[1:]}
        plan = Plan(amount, **options)
        subject = observe(
            estimator, X, y, sample_weight, self.random_state, self.calibration_size
        )
        pruned = prune_in_place(estimator, subject, plan)
        self.estimator_ = estimator
        self.masks_ = pruned.masks
        self.importances_ = pruned.importances
        self.threshold_ = pruned.threshold
        final = last_step(estimator)
        vars(self).update(subject.data.adapter.counts(final, pruned.blocks))
        first = pruned.blocks[0]
        n_inputs = len(first.by_input(first.weights))
        self._n_inputs = getattr(final, "n_features_in_", n_inputs)
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
