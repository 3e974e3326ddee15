"""An autoencoder whose codes are sparse."""

import math
from numbers import Integral, Real

from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._parallel import stream
from sparselearn._solvers._training import train
from sparselearn.neural_network._course import AutoencoderLearner
from sparselearn.neural_network._fitting import (
    TRAINING_CONSTRAINTS,
    Training,
    all_or_nothing,
)
from sparselearn.neural_network._rates import Rates
from sparselearn.neural_network._storage import load, save

__all__ = ["SparseAutoencoder"]


class SparseAutoencoder(AutoencoderLearner):
    r"""A network that learns sparse codes by rebuilding its input from them.

    An encoder makes of a sample x a code z of `n_components` numbers, and a decoder of
    the code a sample again. With one layer each, the default, and sample weights s,

    .. math::
        p = W_e^T x + b_e, \quad z = g(p), \quad \hat x = W_d^T z + b_d, \qquad
        \min \frac{1}{\sum_i s_i} \sum_i s_i \, \ell(x_i, \hat x_i) + \text{penalty}.

    Rows of W_d are the atoms. By `activation` the code g and its penalty are

    - "topk": the k = `n_nonzero_coefs` largest entries of p, as far as they are
      positive; no penalty.
    - "batchtopk": in training the k n largest of the n samples of a batch, as far as
      they are positive, so that samples share non-zeros out among themselves; after it
      :math:`z_j = p_j` where :math:`p_j > \theta`, for the mean :math:`\theta` of the
      least entries that batches have kept.
    - "jumprelu": :math:`z_j = p_j` where :math:`p_j > \theta_j`, for thresholds that
      are learned, and the penalty :math:`\alpha \|z\|_0`.
    - "relu": :math:`z_j = \max(0, p_j)`, and the penalty :math:`\alpha \|z\|_1`.
    - "sigmoid": :math:`z_j = 1 / (1 + e^{-p_j})`, and, for the mean :math:`\rho_j` of
      :math:`z_j` over the samples of a batch and :math:`\rho` = `sparsity_target`,

      .. math::
          \alpha \sum_j \left( \rho \log \frac{\rho}{\rho_j} +
          (1 - \rho) \log \frac{1 - \rho}{1 - \rho_j} \right).

    - "tanh": :math:`z_j = \tanh p_j`, and the penalty :math:`\alpha \|z\|_1`.

    Of "jumprelu" and "relu" one may say, instead of the weight of the penalty, by
    `n_nonzero_coefs` how many non-zeros a code is to have on average: a controller
    seeks the weight. Atoms of codes with zeros and one layer have length 1.

    With ``loss="squared_error"`` :math:`\ell = \frac12 \|x - \hat x\|^2 / \sigma^2`,
    :math:`\sigma^2` the mean variance of a feature, and training sees
    :math:`(x - \bar x) / \sigma`: the unit of X does not matter, nor for `alpha`. Both
    are inside the weights in the end. Codes with zeros have the unit of X, others none.
    With ``loss="cross_entropy"``, for X in [0, 1],
    :math:`\ell = -\sum_j x_j \log \hat x_j + (1 - x_j) \log(1 - \hat x_j)` and
    :math:`\hat x` is the sigmoid of what the last layer gives.

    Parameters
    ----------
    n_components : int, default=None
        Units of the code. None means the number of features.
    hidden_layer_sizes : int or sequence of int, default=()
        Units, with ReLU, of layers between the samples and the code; the decoder has
        them in reverse.
    activation : str, default="topk"
        Of the code: "topk", "batchtopk", "jumprelu", "relu", "sigmoid" or "tanh".
    n_nonzero_coefs : int or float, default=None
        Non-zeros of a code, at most with "topk", on average with the others that have
        zeros. More than `n_components` is the same as all. None means one in 32, and at
        least 1, unless there is an `alpha`.
    sparsity_target : float in (0, 1), default=None
        Mean activation that is asked of a "sigmoid" unit; None means 0.05. From 0.5 on
        nothing sparse is asked for: a warning.
    alpha : float >= 0, default=None
        Weight of the penalty. None means 3 for "sigmoid", 0.1 for "tanh", and for
        "jumprelu" and "relu" the one that holds `n_nonzero_coefs`.
    loss : {"squared_error", "cross_entropy"}, default="squared_error"
    tied_weights : bool, default=False
        Whether the decoder's weights are those of the encoder, transposed.
    l2 : float >= 0, default=0
        Weight of half the sum of squared weights, over the sum of sample weights of a
        batch, as `alpha` of scikit-learn's ``MLPRegressor``. Not for codes with zeros
        and one layer, whose atoms have length 1.
    noise : float >= 0, default=0
        Standard deviation of normal noise on the samples that the encoder meets in
        training, in units of the root mean variance of a feature: what is rebuilt is
        the sample without it, so that codes learn not to follow noise. With "adam".
    revive : {"auto", "auxk", "resample"} or None, default="auto"
        What is done about units that no sample of an epoch makes fire, in codes with
        zeros and one layer. "auxk" lets them learn what the others leave over, by a
        second loss; "resample" puts them, after an epoch, where samples are rebuilt
        badly. "auto" is "auxk" where that applies.
    anneal : float in [0, 1), default=0.5
        The share of the epochs, or of the time, over which "topk" comes down to
        `n_nonzero_coefs` non-zeros, from 4 times as many: at first all units learn.
        In one layer, with ``learning_rate="annealed"``, and not where learning goes on.
    balance : float >= 0, default=None
        How fast, in units of the learning rate, biases move so that all units fire
        equally often: up for those that fire less often than the mean unit, down for
        others. For "topk" and "batchtopk" in one layer, where None means 1: hardly a
        unit dies. Larger values make rates more even, which may help a model that reads
        the codes; these then explain a little less. 0 leaves biases to the loss.
    refine : {"ols", "nnls"} or None, default=None
        Whether `transform` fits the non-zeros of a code anew, by least squares of the
        sample on their atoms, or by non-negative ones.
    solver : {"adam", "lbfgs"}, default="adam"
        "lbfgs" takes all samples at once, for small data and the activations "sigmoid",
        "tanh", and "relu" with an `alpha`; `batch_size` and rates then do not matter,
        an epoch is an iteration, and there is no `partial_fit`.
    learning_rate : {"annealed", "constant", "adaptive"}, default="annealed"
        Whether the rate falls to zero in the last fifth of the epochs, or of the time;
        stays; or is divided by 5 where training would stop, see `n_iter_no_change`, as
        long as it is more than a thousandth of `learning_rate_init`.
    learning_rate_init : float, default=1e-3
        Step size of Adam.
    batch_size : int, default=128
    max_iter : int, default=100
        Epochs: passes over the samples.
    max_time : float, default=None
        Seconds after which `fit` makes no further step.
    shuffle : bool, default=True
        Whether each epoch takes the samples in a new random order. A memory map is
        read in blocks of neighbours, of which several are mixed.
    tol : float, default=1e-4
        See `n_iter_no_change`.
    n_iter_no_change : int, default=10
        Stop after so many epochs in which the score of held-out samples did not rise by
        more than `tol`; or, without `early_stopping` and with "lbfgs" or a rate that is
        not annealed, the loss and its penalty did not fall by more than this share.
    early_stopping : bool, default=False
        Whether to hold samples out, and to end with the weights that served them best.
    validation_fraction : float in (0, 1), default=0.1
        The share of samples to hold out.
    warm_start : bool, default=False
        Whether `fit` goes on from the last one, Adam with its moments.
    random_state : int, RandomState instance or None, default=None
        Draws first weights, held-out samples, the order of samples, and noise.
    n_jobs : int, default=None
        Threads; the same bits for any number. None means 1 unless in a
        :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        What each unit adds to a reconstruction. With one layer the atoms, in logits
        with cross-entropy; with several what comes of one unit that alone is on, at 1
        for "sigmoid" and "tanh", else at its mean where it fires.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of all layers, of the dtype of X, for samples as they are.
    intercepts_ : list of ndarray of shape (n_out,)
    thresholds_ : ndarray of shape (n_components,) or None
        What an entry of p must exceed, for "batchtopk" and "jumprelu".
    mean_ : ndarray of shape (n_features,)
        Means of the training samples, about which `score` measures.
    history_ : dict of ndarray
        By epoch: "loss" of the batches as they were met, without penalty and in units
        of X; "learning_rate"; "seconds" so far; with `early_stopping` the "score" of
        held-out samples; with "lbfgs" the "penalty"; for codes with zeros and one layer
        "n_nonzero_coefs", their mean number, and "dead_share", that of the units that
        never fired.
    n_iter_ : int
        Epochs, and calls of `partial_fit`.
    best_epoch_ : int
        The one, from 1, whose weights these are.
    loss_ : float
        In this epoch.
    activation_rate_ : ndarray of shape (n_components,)
        The share of the training samples by which a unit fires: its entry is not 0, or,
        for "sigmoid" and "tanh", more than 1/2 in size. This and the figures below are
        of all samples learned from, after `partial_fit` of those of the last call.
    dead_units_ : ndarray of int
        Units that never fire.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of a code.
    sparsity_ : float
        The share of zeros in the codes.
    explained_variance_ : float
        `score` of the samples learned from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For parameters that mean nothing beside one another, such as `n_nonzero_coefs`
        with "sigmoid"; X out of [0, 1] with cross-entropy; NaN or infinity; weights
        that are negative or all zero; a loss that diverges.

    Warns
    -----
    UserWarning
        If `sparsity_target` is 0.5 or more.
    ConvergenceWarning
        If all codes are zero.

    References
    ----------
    Makhzani and Frey (2014), k-Sparse autoencoders (`anneal`).

    Gao et al. (2024), Scaling and evaluating sparse autoencoders ("topk", "auxk").

    Vincent et al. (2008), Extracting and composing robust features with denoising
    autoencoders (`noise`).

    Wang et al. (2024), Auxiliary-loss-free load balancing strategy for
    mixture-of-experts (`balance`).

    Zhang et al. (2024), Adam-mini: use fewer learning rates to gain more (steps in one
    layer of codes with zeros).

    Bussmann, Leask and Nanda (2024), BatchTopK sparse autoencoders.

    Rajamanoharan et al. (2024), Jumping ahead: improving reconstruction fidelity with
    JumpReLU sparse autoencoders.

    Ng (2011), Sparse autoencoder, CS294A lecture notes (Kullback-Leibler penalty).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.neural_network import SparseAutoencoder
    >>> X, y = load_digits(return_X_y=True)
    >>> autoencoder = SparseAutoencoder(
    ...     100, n_nonzero_coefs=8, random_state=0
    ... ).fit(X)
    >>> autoencoder.transform(X).shape, round(autoencoder.score(X), 1)
    ((1797, 100), 0.9)
    """

    _parameter_constraints = {
        **TRAINING_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [
            StrOptions({"topk", "batchtopk", "jumprelu", "relu", "sigmoid", "tanh"})
        ],
        "n_nonzero_coefs": [Interval(Real, 0, None, closed="neither"), None],
        "sparsity_target": [Interval(Real, 0, 1, closed="neither"), None],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "loss": [StrOptions({"squared_error", "cross_entropy"})],
        "tied_weights": ["boolean"],
        "l2": [Interval(Real, 0, None, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "revive": [StrOptions({"auto", "auxk", "resample"}), None],
        "anneal": [Interval(Real, 0, 1, closed="left")],
        "balance": [Interval(Real, 0, None, closed="left"), None],
        "refine": [StrOptions({"ols", "nnls"}), None],
        "solver": [StrOptions({"adam", "lbfgs"})],
        "shuffle": ["boolean"],
    }

    def __init__(
        self,
        n_components=None,
        *,
        hidden_layer_sizes=(),
        activation="topk",
        n_nonzero_coefs=None,
        sparsity_target=None,
        alpha=None,
        loss="squared_error",
        tied_weights=False,
        l2=0.0,
        noise=0.0,
        revive="auto",
        anneal=0.5,
        balance=None,
        refine=None,
        solver="adam",
        learning_rate="annealed",
        learning_rate_init=1e-3,
        batch_size=128,
        max_iter=100,
        max_time=None,
        shuffle=True,
        tol=1e-4,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        warm_start=False,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_nonzero_coefs = n_nonzero_coefs
        self.sparsity_target = sparsity_target
        self.alpha = alpha
        self.loss = loss
        self.tied_weights = tied_weights
        self.l2 = l2
        self.noise = noise
        self.revive = revive
        self.anneal = anneal
        self.balance = balance
        self.refine = refine
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.n_jobs = n_jobs

    # -- learning -------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the weights.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            In [0, 1] with ``loss="cross_entropy"``. Sparse X stays sparse, a memory map
            in its file: batches are read from either. Of a dask array or data frame
            two rounds, from which sums and 1024 samples come here, say how to centre,
            scale and begin. Then each epoch brings all chunks here, one after another
            in a new random order, two of them here at a time; a batch is of one chunk,
            so let chunks hold many. With `early_stopping` a share of each chunk's
            samples is held out, and scored where it lies: a round an epoch, to which
            the model goes and from which sums come back, as at the end those of the
            attributes. Not with "lbfgs".
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a sample of weight 0 is absent.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        goes_on = self.warm_start
        with all_or_nothing(self):
            random_state = self._generator(goes_on=goes_on)
            hold = self._hold(random_state)
            samples = self._take(X, sample_weight, first=True, hold=hold)
            course = self._course(samples, random_state, goes_on=goes_on)
            kind = "constant" if course.design.full else self.learning_rate
            rates = Rates(kind, self.learning_rate_init)
            with stream(self.n_jobs) as run:
                training = Training(
                    course.learner,
                    course.epochs(self, rates, run),
                    tol=self.tol,
                    patience=self._patience(),
                    score=self._held_out_score(course, run),
                    past=course.history_before,
                    lower=rates.lower,
                )
                self._follow(training, X, y, lambda: self._as_fitted(course, training))
            found = self._store(course, training)
        self._warn(found)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on learning from some more samples, in batches of `batch_size`.

        Each sample is met once, in order, at the rate `learning_rate_init`. The first
        call centres and scales by its samples, once and for all: let them be many. A
        call that fails, or is interrupted, changes nothing, and a pickle goes on where
        the estimator was, moments of the optimiser included.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Chunks of a dask array or data frame come here one after another, in their
            order; the samples that the first call centres by are then those of all.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero.

        Returns
        -------
        self : object
        """
        if self.solver != "adam":
            raise ValueError(
                f"partial_fit needs solver='adam'; got solver={self.solver!r}, which "
                "takes all samples at once."
            )
        goes_on = hasattr(self, "_kept")
        with all_or_nothing(self):
            samples = self._take(X, sample_weight, first=not goes_on)
            course = self._course(
                samples,
                self._generator(goes_on=goes_on),
                goes_on=goes_on,
                is_stream=True,
            )
            with stream(self.n_jobs) as run:
                epochs = train(
                    course.learner,
                    lambda: course.parts(self.batch_size, shuffle=False),
                    n_epochs=1,
                    rate=lambda share: self.learning_rate_init,
                    run=run,
                    done=course.n_epochs_before,
                )
                training = next(
                    Training(
                        course.learner,
                        epochs,
                        tol=0.0,
                        patience=math.inf,
                        past=course.history_before,
                    )
                )
            mass = course.mass
            total = mass + (self._mass if goes_on else 0.0)
            if goes_on:
                course.mean = self.mean_ + mass / total * (course.mean - self.mean_)
            self._store(course, training)
            self._mass = total
        return self

    def save(self, path):
        """Write the fitted autoencoder to a numpy archive that holds no code.

        Numbers are arrays of their own, the rest is JSON. It can be loaded without
        trust in who made it, and goes on learning where it was.

        Parameters
        ----------
        path : str or path-like
            By custom it ends in ".npz".

        Raises
        ------
        OSError
            Naming the file, where it cannot be written; one that was there stays.
        """
        check_is_fitted(self, "components_")
        save(self, path)

    @classmethod
    def load(cls, path):
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : str or path-like

        Returns
        -------
        autoencoder : SparseAutoencoder
        """
        return load(cls, path)
