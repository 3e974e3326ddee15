"""Multilayer perceptron with sparse weights, of one number or several."""

from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from sparselearn._compat import fit_context
from sparselearn._dask import lazily
from sparselearn._scoring import ScoresDetermination
from sparselearn._solvers._score_sums import ErrorSums
from sparselearn.neural_network._mlp import Perceptron, has_steps
from sparselearn.neural_network._targets import NumberCoding, check_numbers

__all__ = ["SparseMLPRegressor"]


class SparseMLPRegressor(
    ScoresDetermination, RegressorMixin, MultiOutputMixin, Perceptron
):
    r"""A multilayer perceptron with sparse weights that predicts numbers.

    Layers :math:`a_l = g(a_{l-1} W_l + b_l)`, from :math:`a_0 = x`, lead to the outputs
    f of the last one, which has no activation. Training, by batches,

    minimises over the weights W and the intercepts b, which are not penalised,

    .. math::
        \frac{1}{\sum_i s_i} \Bigl( \sum_i s_i \, \ell(y_i, f(x_i))
        + \frac{\alpha}{2} \sum_l \| W_l \|_F^2 \Bigr)
        + \lambda_1 \sum_l \| W_l \|_1
        + \lambda_2 \sum_{l < L} \sqrt{n_{l-1}} \sum_j \| W_l e_j \|_2

    with sample weights s, :math:`\lambda_1` = `l1` and :math:`\lambda_2` = `group_l1`.
    The loss :math:`\ell` is half the squared error, summed over outputs. Its scale is
    that of y squared: a network learns best where y, as X, is standardised.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, or int, default=(100,)
        Units of each hidden layer; () leaves a linear model.
    activation : {"relu", "tanh", "logistic", "sigmoid", "identity"}, default="relu"
        Of the hidden layers; "logistic", scikit-learn's name, is "sigmoid".
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Adam or stochastic gradient descent on batches, with proximal steps; or L-BFGS
        on all rows at a time, for small smooth problems: it cannot have `l1` or
        `group_l1`.
    alpha : float, default=1e-4
        Weight of the L2 penalty, which is divided by the sum of the sample weights: of
        the batch, as in scikit-learn.
    l1 : float, default=0.0
        Weight of the L1 penalty, in units of the mean loss. It makes exact zeros.
    group_l1 : float, default=0.0
        Weight of the penalty on hidden units, in the same units. It removes whole ones.
    refit_epochs : int, default=0
        Epochs after those of `max_iter`, in which the weights that are zero stay zero
        and `l1` and `group_l1` shrink the others no more, while the learning rate
        falls to zero. They usually give back what the penalties cost. Without effect
        with "lbfgs", which has no such penalties.
    batch_size : int, default=200
        Rows of a step; more than there are means all. "lbfgs" always takes all.
    learning_rate : str, default="annealed"
        "annealed" lets the rate fall to zero over the last fifth of `max_iter` epochs,
        or of `max_time`; with "constant" it stays. "adaptive" divides it by 5 where
        training would stop, see `tol`, as long as it is more than a thousandth of
        `learning_rate_init`; "invscaling" divides `learning_rate_init`, after each
        epoch, by ``(t + 1) ** power_t``, where t is the weight of all rows seen. These
        two are scikit-learn's, here for "adam" too.
    learning_rate_init : float, default=1e-3
        The rate of the first step.
    power_t : float, default=0.5
        Of "invscaling".
    max_iter : int, default=200
        Passes over the samples, at most; iterations of "lbfgs".
    max_time : float, default=None
        Seconds after which no further step is made.
    shuffle : bool, default=True
        Whether samples come in another random order in each epoch.
    random_state : int, RandomState instance or None, default=None
        Draws the weights to start from, the order, and the rows held out.
    tol : float, default=1e-4
        Stop when for `n_iter_no_change` epochs the objective has not fallen below the
        least one so far by this share of the first one; or, with `early_stopping`, the
        held-out score has not risen above the best by `tol`.
    warm_start : bool, default=False
        Whether `fit` starts from the weights, and the masks, of the last fit; the
        optimiser starts anew.
    momentum : float, default=0.9
        Of "sgd", in [0, 1).
    nesterovs_momentum : bool, default=True
        Whether it is Nesterov's.
    early_stopping : bool, default=False
        Whether to hold rows out, stop by their score, and keep the weights of the best
        epoch.
    validation_fraction : float, default=0.1
        The share of the rows to hold out.
    beta_1 : float, default=0.9
        Of "adam", the decay rate of the running mean of gradients.
    beta_2 : float, default=0.999
        Likewise of their squares.
    epsilon : float, default=1e-8
        Of "adam", what is added to the root of the mean square.
    n_iter_no_change : int, default=10
        Epochs without progress before training stops.
    n_jobs : int, default=None
        Threads; None means 1 unless in a ``joblib.parallel_config`` context, -1 all
        cores. The result is the same to the bit.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        The weights of each layer, of the dtype of X; the last one's units are outputs.
    intercepts_ : list of ndarray of shape (n_units,)
    sparsity_ : float
        Share of exact zeros in all of `coefs_`.
    layer_sparsity_ : ndarray of shape (n_layers_ - 1,)
        Share of exact zeros in each of them.
    n_nonzero_coefs_ : int
        Number of weights that are not zero.
    support_ : ndarray of int
        Features that a weight of the first layer reads.
    active_units_ : list of ndarray of int
        Of each hidden layer, the units that a weight other than zero leads to. The
        others are constant.
    masks_ : list of ndarray of bool, or None
        False where a weight is held at zero in further training: what `refit_epochs` or
        :meth:`set_masks` held; else None.
    history_ : dict of list
        By epoch: "loss", the mean over the rows when they were met; "penalty", what
        `l1` and `group_l1` added at the end of it (with "lbfgs" `alpha`); "sparsity",
        "learning_rate", "seconds"; with `early_stopping` "score", of the held-out rows.
    loss_curve_ : list of float
        The loss of each epoch.
    loss_ : float
        Of the epoch whose weights these are.
    best_loss_ : float or None
        The least of all; None with `early_stopping`.
    validation_scores_ : list of float, or None
        The score of each epoch, with `early_stopping`.
    best_validation_score_ : float or None
        The largest of them.
    n_iter_ : int
        Epochs so far, those of `partial_fit` with them.
    best_epoch_ : int
        That whose weights these are, counted from 1.
    n_layers_ : int
        Layers, the input with them.
    n_outputs_ : int
    out_activation_ : {"identity"}
        Of the last layer.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero,
        `l1` or `group_l1` with "lbfgs", a loss that is not finite; for other layers
        than those fitted before, with `warm_start`.

    Warns
    -----
    ConvergenceWarning
        Once, if the objective still fell at the end of `max_iter` epochs at a constant
        rate.

    See Also
    --------
    sparselearn.pruning.Pruner : Zeros in a network that was trained without.
    sparselearn.inspection.TrainingCurveDisplay : A picture of `history_`.

    Notes
    -----
    After a step of the optimiser comes the proximal operator of the penalties in the
    metric of that step: Adam's has a step size :math:`\eta_{ij}` for each weight, so
    the threshold of a weight is :math:`\eta_{ij} \lambda_1`, and where training stands
    still, the objective above is stationary. A threshold without the metric would
    minimise something else.

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization.

    Yun, Lozano and Yang (2021), Adaptive proximal gradient methods for structured
    neural networks (for the metric of the proximal operator).

    Scardapane, Comminiello, Hussain and Uncini (2017), Group sparse regularization for
    deep neural networks.

    Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward
    neural networks (for the weights to start from).

    Examples
    --------
    >>> from sklearn.compose import TransformedTargetRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sparselearn.neural_network import SparseMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = SparseMLPRegressor(
    ...     (20,), l1=0.01, batch_size=50, random_state=0
    ... )
    >>> model = TransformedTargetRegressor(
    ...     make_pipeline(StandardScaler(), network), transformer=StandardScaler()
    ... ).fit(X, y)
    >>> fitted = model.regressor_[-1]
    >>> round(model.score(X, y), 1), round(fitted.sparsity_, 1)
    (0.5, 0.7)
    """

    _score_sums = ErrorSums

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        activation="relu",
        solver="adam",
        alpha=1e-4,
        l1=0.0,
        group_l1=0.0,
        refit_epochs=0,
        batch_size=200,
        learning_rate="annealed",
        learning_rate_init=1e-3,
        power_t=0.5,
        max_iter=200,
        max_time=None,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        n_jobs=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.l1 = l1
        self.group_l1 = group_l1
        self.refit_epochs = refit_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.max_time = max_time
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X is made dense a batch at a time. Of a dask array or data frame one
            round counts the samples where chunks lie.
            Then each epoch brings all chunks here, one after another in a new random
            order, two of them here at a time: as `partial_fit` of chunk after chunk,
            with the rates and the stopping of one fit. A batch is of one chunk, so let
            chunks hold many. With `early_stopping` a share of each chunk's samples is
            held out, and scored where it lies: a round an epoch, to which the network
            goes and from which sums come back. Not with "lbfgs".
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a sample of weight 0 is absent.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._fit(X, y, sample_weight)

    @available_if(has_steps)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Go on training with one pass over some samples.

        The optimiser goes on from where it was; the learning rate is
        `learning_rate_init`, or with "invscaling" goes on falling. A call that fails,
        or is interrupted, changes nothing.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Chunks of a dask array or data frame come here one after another, in a
            random order if `shuffle`, after a round in which they are checked.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object
        """
        return self._partial_fit(X, y, sample_weight)

    def _checked(self, y, weights, *, partly):
        return check_numbers(y, partly=partly), weights, None

    def _coding_of(self, facts, *, first, classes=None):
        n_outputs = facts.n_columns or 1
        return NumberCoding(
            n_outputs if first else self.n_outputs_, facts.n_columns is None
        )

    @lazily
    def predict(self, X):
        """Predict the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        outputs = self._outputs(X)
        return NumberCoding(self.n_outputs_, self.n_outputs_ == 1).decide(outputs)
