"""`Pruner`, the meta-estimator that fits an estimator and prunes it."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator, MetaEstimatorMixin

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._validation import refuse_collection
from sparselearn.pruning._bench import Bench, prune_on
from sparselearn.pruning._delegates import DelegatesMixin
from sparselearn.pruning._judge import hold_out
from sparselearn.pruning._later import LaterMixin
from sparselearn.pruning._outcome import ResultsMixin
from sparselearn.pruning._procedure import Plan, amount_of, check_parts, seed_of
from sparselearn.pruning._prune import CHOICE_CONSTRAINTS, CONSTRAINTS
from sparselearn.pruning._routing import RoutesMixin
from sparselearn.pruning._wrappers import fitted_clone

__all__ = ["Pruner"]


class Pruner(
    LaterMixin,
    ResultsMixin,
    RoutesMixin,
    DelegatesMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
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
        :class:`~sklearn.svm.LinearSVC` and :class:`~sklearn.svm.LinearSVR`;
        :class:`~sklearn.linear_model.SGDOneClassSVM`; a
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
        in one of these, whose last step is pruned; or another Pruner, which prunes
        first, as by units and then by features. To prune a fitted estimator
        without fitting it again, give ``FrozenEstimator(estimator)``: the X of `fit`
        then serves for calibration only.
    criterion : str or callable, default="auto"
        What a part is worth. "auto" compares, on rows kept apart, criteria that suit
        the estimator, see the Notes. The others are for one of the granularities or
        more; means and standard deviations are over the rows of X, weighted by
        `sample_weight`, a is what a layer reads (of the first one x), and a unit j
        reads :math:`W_{\cdot j}` and is read by :math:`V_{j \cdot}`.

        - "magnitude": :math:`|w_{ij}|` in a perceptron, and
          :math:`|w_{ij}| \, \mathrm{std}(x_i)` in a linear model, where features have
          units; of units :math:`\|W_{\cdot j}\| \, \|V_{j \cdot}\|`, over its mean in
          the layer; of support vectors :math:`|\alpha_i| \sqrt{k(x_i, x_i)}`;
        - "lamp": the share of :math:`w_{ij}^2` (in the linear model's units) in the sum
          of it and all larger ones of its layer, so that layers compare;
        - "wanda": :math:`|w_{ij}| \sqrt{\mathrm{mean}(a_i^2)}`;
        - "pratt": :math:`|w_{ij} \, \mathrm{cov}(a_i, z_j)|`, whose terms without the
          absolute value sum to :math:`\mathrm{var}(z_j)`: to be tried beside
          "magnitude" in linear models of far more features than rows;
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
        fit made count, and go first. 0 changes nothing at all. At most one of
        `sparsity`, `n_nonzero_coefs`, `threshold` and `tolerance` may be given.
    n_nonzero_coefs : int, default=None
        Number of weights to keep; more than there are keeps all.
    threshold : float or str, default=None
        Weights of at least this importance are kept. "median", or a multiple such as
        "1.5*median": of all importances. "universal", for magnitudes of a linear
        model: :math:`\hat\sigma \sqrt{2 \log(p) / n}`, which p weights without
        effect would hardly exceed; :math:`\hat\sigma` is the standard deviation of
        residuals, or that of a logistic loss.
    tolerance : float or "1se", default=None
        Prune as much as costs at most this much of the score, on rows that neither the
        fit nor the calibration has seen, see `validation_fraction`: in units of the
        score, or "1se", one standard error of it. What is used if none of the four is
        given is 0.01 for scores whose best value is 1 (accuracy, R², AUC and the like)
        and 1 % of the unpruned estimator's score for others.
    scope : {"auto", "global", "layer", "output"}, default="auto"
        "global" ranks all parts together. "layer" ranks each layer by itself, and
        prunes all to the same sparsity, up to rounding; "output" does so with the
        weights of each output. The number of kept parts is the same. "layer" has no
        effect on a linear model, nor any scope with `threshold`. "auto" is "layer" for
        hidden units, which hardly compare across layers, and "global" for the rest.
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
    refit : str, default="auto"
        What is done to the weights that are left; "auto" is what suits the criterion.

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
        - "distill", for linear models of any loss, does as "lstsq" with a pull that
          cross-validation without labels chooses, see the Notes;
        - "none" leaves the intercepts; a perceptron without most of its weights may
          do better so than with "fold";
        - "obs", for linear models and support vectors whatever the criterion, gives
          the kept weights S the values that are optimal without the others,
          :math:`w_S \leftarrow w_S + H_{SS}^{-1} H_{SR} w_R`: of least squares and
          ridge regressions the fit on S, of other models one Newton step towards it
          from the fitted weights, halved until the loss falls. It needs no targets;
        - "same", for linear models, fits the estimator itself to the features that are
          kept, with its own parameters;
        - "ols" and "ridge", for linear models of squared loss, are least squares on
          the kept weights of each output, "ridge" with a penalty of 1% of the features'
          mean variance; "relaxed" goes the share of the way from there to the pruned
          weights, 0, 0.1, ... or 1, that is best in 5-fold cross-validation, which
          fits the estimator to the other folds and prunes it there to as many weights;
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
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is kept apart to judge by: with `tolerance` from the fit
        and the calibration, with ``criterion="auto"`` and another amount from the
        calibration only. Every class keeps its share, and groups are not divided. If
        fewer than 10 rows were apart, all serve for everything, and "auto" chooses by
        rule; if fewer than 500, it compares by folds.
    scoring : str, callable or None, default=None
        As in :func:`~sklearn.metrics.check_scoring`; None means the `score` of the
        estimator, and for outlier detectors the share of rows on which the unpruned
        estimator is agreed with.
    cv : cross-validation generator, iterable or int, default=None
        Whose first split says which rows are kept apart, instead of
        `validation_fraction`.
    shrink : bool, default=False
        Whether to remove hidden units that do nothing any more, see
        :func:`sparselearn.pruning.shrink`: predictions stay, arrays get smaller.
    keep_unpruned : bool, default=True
        Whether to keep the estimator as it was before pruning.
    random_state : int, RandomState instance or None, default=None
        Of the rows that are drawn, and of the criteria that draw; give an int for the
        same masks every time.
    n_jobs : int or None, default=None
        Threads, over the sparsities of a search and over the candidates of
        ``criterion="auto"``. Any number gives the same masks.

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
    criterion_, refit_ : str
        Those that were used, where "auto" was given.
    sparsity_ : float
        Share of exact zeros among the weights of `estimator_`; above `sparsity`
        where the fit itself made more zeros.
    n_nonzero_coefs_ : int
        Number of weights of `estimator_` that are not zero.
    support_ : ndarray of int
        Indices of the features that have a weight other than zero in the first map;
        in a pipeline they are the features that its last step sees.
    base_score_, pruned_score_, score_ : float
        With `tolerance`: the score on the rows kept apart, of the unpruned estimator,
        of it with weights removed, and of `estimator_`.
    tolerance_ : float
        With `tolerance`: what it came to.
    n_kept_ : int
        With `tolerance`: the number of parts that are kept.
    path_ : dict of ndarray
        With `tolerance`: "sparsity", "n_nonzero_coefs", "score" and "threshold" of all
        that was tried, without training.
    strategy_results_ : dict of ndarray
        With ``criterion="auto"``, where there was a race: a row for each candidate,
        round and sparsity, with its score and how far its outputs depart from those
        before pruning, in units of their variance; "random" among them. A data frame
        can be made of it.
    unpruned_ : estimator
        The fitted estimator before pruning, with `keep_unpruned`.
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

    ``tolerance`` tries about 12 sparsities in geometric steps of what is kept, in one
    shot and without training. Scores need not fall with each of them: of these the
    sparsest is taken that passes together with the one before it, and the interval to
    the next one is bisected four times. Then the refit is done, and a less sparse
    level taken if the score is out of tolerance after all. If no level passes, the
    estimator is left unpruned, with a warning.

    ``criterion="auto"`` lets the candidates for such an estimator compete at the given
    amount, or around the sparsity that the first of them finds within the tolerance:
    by successive halving on growing shares of the calibration rows, and in the end on
    all of them. The better score is ahead; of those within one standard error of the
    best, that whose outputs change least by pruning, and of those whose outputs change
    as little, within a standard error, the cheapest. Where fewer than 500 rows are
    apart, it is five folds of all rows that tell, or the first five splits of `cv`.
    The control "random" takes part in every round; that the winner is no better is
    warned of. The score of a frozen estimator on its own training rows is optimistic;
    give `fit` others.

    ``refit="distill"`` minimises, for each output j with kept features S,

    .. math:: \mathrm{mean}_i (z_{ij} - x_{iS}^\top v - c)^2
        + t \sum_{s \in S} \mathrm{var}(x_s) (v_s - \phi w_{sj})^2,

    z being the linear function before pruning, w the weights so far, :math:`\phi` the
    factor on them that is least wrong, and t that one of 19 strengths in half powers of
    ten whose generalized cross-validation error is least, degrees of freedom counted
    1.4-fold. There are no labels in it, and nothing to tune. It takes the
    eigenvalues of a matrix as large as there are rows observed, or features kept,
    whichever is less.

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
    J. W. Pratt, "Dividing the indivisible", Tampere 1987.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sparselearn.pruning import Pruner
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pruner = Pruner(Ridge(alpha=0.1), criterion="magnitude", sparsity=0.6)
    >>> pruner.fit(X, y).get_support(indices=True)
    array([1, 2, 3, 8])
    >>> pruner.sparsity_
    0.6
    """

    _parameter_constraints = (
        CONSTRAINTS
        | CHOICE_CONSTRAINTS
        | {
            "tolerance": [
                Interval(Real, 0, None, closed="left"),
                StrOptions({"1se"}),
                None,
            ],
            "calibration_size": [Interval(Integral, 1, None, closed="left"), None],
            "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
            "cv": ["cv_object"],
            "shrink": ["boolean"],
            "keep_unpruned": ["boolean"],
            "random_state": ["random_state"],
            "n_jobs": [Integral, None],
        }
    )

    def __init__(
        self,
        estimator,
        *,
        criterion="auto",
        granularity="element",
        sparsity=None,
        n_nonzero_coefs=None,
        threshold=None,
        tolerance=None,
        scope="auto",
        layer_sparsity=None,
        min_density=0.0,
        exclude=(),
        refit="auto",
        refit_epochs=10,
        schedule="one-shot",
        n_steps=8,
        calibration_size=5000,
        validation_fraction=0.1,
        scoring=None,
        cv=None,
        shrink=False,
        keep_unpruned=True,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.criterion = criterion
        self.granularity = granularity
        self.sparsity = sparsity
        self.n_nonzero_coefs = n_nonzero_coefs
        self.threshold = threshold
        self.tolerance = tolerance
        self.scope = scope
        self.layer_sparsity = layer_sparsity
        self.min_density = min_density
        self.exclude = exclude
        self.refit = refit
        self.refit_epochs = refit_epochs
        self.schedule = schedule
        self.n_steps = n_steps
        self.calibration_size = calibration_size
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.cv = cv
        self.shrink = shrink
        self.keep_unpruned = keep_unpruned
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, groups=None, **fit_params):
        """Fit a clone of the estimator, and prune it.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
        y : array-like, default=None
            As the estimator takes it. Without it a frozen estimator is validated
            against its own predictions.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the fit, in the calibration and in the validation.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group are not divided between fit and validation.
        **fit_params : dict
            Passed to the estimator's `fit`; with metadata routing enabled, to
            whatever requested them.

        Returns
        -------
        self : Pruner
        """
        refuse_collection(X, self)
        plan, tolerance = self._plan()
        check_parts(self.estimator, self.granularity, self.criterion)
        given = sample_weight, groups, fit_params
        params, sample_weight, of_cv = self._routed(X, *given)
        seed, split = self._split(X, y, tolerance, **of_cv)
        seen = None if tolerance is None or split is None else split[0]
        estimator = fitted_clone(self.estimator, X, y, params, seen)
        rows = X, y, sample_weight
        self._prune_fitted(estimator, rows, split, seed, plan, tolerance)
        return self

    def _split(self, X, y, tolerance, **of_cv):
        """A seed, and which rows are kept apart, if any are needed."""
        seed = seed_of(self.random_state)
        if tolerance is None and self.criterion != "auto":
            return seed, None
        options = {"fraction": self.validation_fraction, "cv": self.cv, "seed": seed}
        return seed, hold_out(self.estimator, X, y, **options, **of_cv)

    def _prune_fitted(self, estimator, rows, split, seed, plan, tolerance, within=None):
        options = self.calibration_size, seed, self.scoring, self.n_jobs
        outcome = prune_on(Bench(estimator, *rows, split, *options), plan, tolerance)
        unpruned = estimator if self.keep_unpruned else None
        self._store(outcome, unpruned, shrink=self.shrink, within=within)

    def _plan(self):
        """How to prune, and how much of the score may be lost; one has the amount."""
        amounts = ("sparsity", "n_nonzero_coefs", "threshold", "tolerance")
        names = (*amounts, "granularity", "layer_sparsity")
        amount = amount_of(**{name: getattr(self, name) for name in names})
        if amount is None:
            amount = {"tolerance": "auto"}
        tolerance = amount.pop("tolerance", None)
        options = {name: getattr(self, name) for name in Plan._fields[1:]}
        return Plan(amount, **options), tolerance
