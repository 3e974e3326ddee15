"""What both multilayer perceptrons share: from rows and targets to layers, and back."""

import copy
import functools
import time
import warnings
from abc import ABC, abstractmethod
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions
from sparselearn._dask import is_collection
from sparselearn._parallel import stream
from sparselearn._solvers._batches import Rows
from sparselearn._solvers._maps import in_order
from sparselearn._solvers._network import (
    Adam,
    FullBatch,
    Momentum,
    Network,
    NetworkSpec,
    glorot,
)
from sparselearn._solvers._sparse_network import PenalisedLearner
from sparselearn._validation import (
    check_part_weights,
    check_weights,
    finite_check,
    validate_data,
)
from sparselearn.neural_network._chunks import ChunkedSamples
from sparselearn.neural_network._fitting import (
    TRAINING_CONSTRAINTS,
    TrainingMixin,
    all_or_nothing,
    epochs_of,
    iterations_of,
    own_random_state,
)
from sparselearn.neural_network._forward import SIGMOID, fill, forward
from sparselearn.neural_network._masks import MaskMixin
from sparselearn.neural_network._phases import InPhases
from sparselearn.neural_network._rates import Rates
from sparselearn.neural_network._samples import Samples
from sparselearn.neural_network._targets import TargetFacts

__all__ = ["Perceptron", "has_steps"]

FLOATS = (np.float64, np.float32)
# scikit-learn's name of an activation, and the network's.
OUTPUTS = {"sigmoid": "logistic", "softmax": "softmax", "identity": "identity"}


def has_steps(estimator):
    """Whether `estimator` is trained step by step, for `available_if`."""
    if estimator.solver == "lbfgs":
        raise AttributeError("solver='lbfgs' fits all rows at a time: no partial_fit.")
    return True


class Perceptron(MaskMixin, TrainingMixin, BaseEstimator, ABC):
    """A multilayer perceptron whose weights may be exact zeros.

    A subclass has the parameters below, and says what its targets are.
    """

    _parameter_constraints = {
        **TRAINING_CONSTRAINTS,
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions({"relu", "tanh", "logistic", "sigmoid", "identity"})],
        "solver": [StrOptions({"adam", "sgd", "lbfgs"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1": [Interval(Real, 0, None, closed="left")],
        "group_l1": [Interval(Real, 0, None, closed="left")],
        "refit_epochs": [Interval(Integral, 0, None, closed="left")],
        "learning_rate": [
            StrOptions({"annealed", "constant", "invscaling", "adaptive"})
        ],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # -- what is fitted -------------------------------------------------------

    _score_sums = None  # of `_solvers._score_sums`

    @abstractmethod
    def _checked(self, y, weights, *, partly):
        """Y and weights as they are learned from, and classes to hold out a share of.

        `partly` is whether there are other rows.
        """

    @abstractmethod
    def _coding_of(self, facts, *, first, classes=None):
        """How y, of which the `TargetFacts` are known, is coded.

        `classes` are those given to `partial_fit`.
        """

    def _read_chunk(
        self, X, y, sample_weight, *, reset, partly=True, note=None, **options
    ):
        """X, y and weights, checked, as `Samples`."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype=FLOATS,
            order="C",
            multi_output=True,
            y_numeric=is_regressor(self),
            reset=reset,
        )
        X = in_order(X, "C")
        weights = None
        if sample_weight is not None:
            check = check_part_weights if partly else check_weights
            weights = check(sample_weight, X)
        y, weights, strata = self._checked(y, weights, partly=partly)
        return Samples.of(X, weights, y=y, strata=strata, note=note, **options)

    def _take(self, X, y, sample_weight, *, first, hold=None, classes=None):
        """What there is to learn from: `Samples` or `ChunkedSamples`."""
        self._refuse_all_at_once(X)
        if not is_collection(X):
            samples = self._read_chunk(
                X, y, sample_weight, reset=first, partly=False, hold=hold
            )
            facts = TargetFacts.of(
                samples.y, samples.weights, classified=not is_regressor(self)
            )
            samples.coding = self._coding_of(facts, first=first, classes=classes)
            return samples
        samples = ChunkedSamples(self, X, y, sample_weight, first=first, hold=hold)
        samples.look(self)
        facts = self._weigh(samples)
        samples.coding = self._coding_of(facts, first=first, classes=classes)
        samples.read = samples.read.knowing(samples.seen, coding=samples.coding)
        return samples

    def _weigh(self, samples):
        """The `TargetFacts` of a collection, classes of which may be weighed."""
        return samples.seen.targets

    def _spec(self, samples):
        hidden = self.hidden_layer_sizes
        hidden = [hidden] if isinstance(hidden, Integral) else list(hidden)
        for size in hidden:
            if not isinstance(size, Integral) or size < 1:
                raise ValueError(
                    f"hidden_layer_sizes={self.hidden_layer_sizes!r} has {size!r}: "
                    "each layer needs a whole number of units, at least 1."
                )
        name = SIGMOID.get(self.activation, self.activation)
        return NetworkSpec(
            (samples.n_features, *map(int, hidden), samples.coding.n_outputs),
            (*[name] * len(hidden), samples.coding.activation),
            samples.coding.loss,
        )

    # -- training -------------------------------------------------------------

    def _fit(self, X, y, sample_weight):
        warm = self.warm_start and hasattr(self, "coefs_")
        with all_or_nothing(self):
            random_state = own_random_state(self.random_state)
            hold = self._hold(random_state)
            samples = self._take(X, y, sample_weight, first=not warm, hold=hold)
            network = self._start(samples, random_state, warm=warm)
            learner = self._learner(samples, network, self.masks_ if warm else None)
            training = self._train(samples, learner, random_state, X, y)
            self._warn_of(training)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        if self.early_stopping:
            raise ValueError(
                "partial_fit sees too little to hold rows out: it needs "
                "early_stopping=False."
            )
        warm = hasattr(self, "coefs_")
        with all_or_nothing(self):
            samples = self._take(X, y, sample_weight, first=not warm, classes=classes)
            past = None
            if warm and self._past is not None:
                past = copy.deepcopy(self._past) | {"history": self.history_}
            random_state = (
                past["random_state"] if past else own_random_state(self.random_state)
            )
            network = self._start(samples, random_state, warm=warm)
            learner = self._learner(samples, network, self.masks_ if warm else None)
            if past:
                learner.restore(past["learner"] | {"values": network.values.copy()})
            options = {"past": past, "one_epoch": True}
            self._train(samples, learner, random_state, X, y, **options)
        return self

    def _start(self, samples, random_state, *, warm):
        """The `Network` to start from: random, or what was fitted."""
        spec = self._spec(samples)
        network = Network(spec.sizes, self.coefs_[0].dtype if warm else samples.dtype)
        if not warm:
            glorot(network, spec.activations, random_state)
            return network
        if self._sizes != spec.sizes:
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} makes layers of "
                f"{spec.sizes} units; those fitted before, to go on from, have "
                f"{self._sizes}."
            )
        fill(network, self.coefs_, self.intercepts_)
        return network

    def _learner(self, samples, network, masks):
        if self.solver == "lbfgs" and (self.l1 > 0.0 or self.group_l1 > 0.0):
            raise ValueError(
                f"solver='lbfgs' minimises what is smooth; l1={self.l1} and group_l1="
                f"{self.group_l1} are not. Take solver='adam'."
            )
        if self.solver == "lbfgs":
            optimizer = FullBatch(network.values)
        elif self.solver == "sgd":
            optimizer = Momentum(
                network.values,
                momentum=self.momentum,
                nesterov=self.nesterovs_momentum,
            )
        else:
            optimizer = Adam(
                network.values,
                beta_1=self.beta_1,
                beta_2=self.beta_2,
                epsilon=self.epsilon,
            )
        return PenalisedLearner(
            self._spec(samples),
            network,
            optimizer,
            l2=self.alpha,
            l1=self.l1,
            group_l1=self.group_l1,
            masks=masks,
        )

    def _train(
        self, samples, learner, random_state, X, y, *, past=None, one_epoch=False
    ):
        """Train `learner`, and keep what comes of it; X and y are for callbacks."""
        dtype = learner.network.values.dtype
        see = functools.partial(Rows, dtype=dtype)
        parts = functools.partial(
            samples.parts,
            see,
            self.batch_size,
            random_state=random_state if self.shuffle else None,
        )
        begun = time.perf_counter()
        rates = self._rates(past, one_epoch=one_epoch)
        full = self.solver == "lbfgs"

        def epochs(n_epochs, rates, done):
            left = self.max_time
            if left is not None:
                left = max(left - (time.perf_counter() - begun), 1e-9)
            plan = SimpleNamespace(max_iter=n_epochs, max_time=left)
            if full:
                return iterations_of(learner, samples, see, estimator=plan, run=run)
            return epochs_of(
                learner, parts, estimator=plan, rates=rates, run=run, done=done
            )

        def refit(done):
            learner.hold_zeros()
            falling = Rates("annealed", self.learning_rate_init)
            return epochs(self.refit_epochs, falling, done)

        n_first = 1 if one_epoch else self.max_iter
        n_second = 0 if full or one_epoch else self.refit_epochs
        with stream(self.n_jobs) as run:
            score = None
            if self.early_stopping:
                score = functools.partial(self._score_held_out, samples, learner, run)
            training = InPhases(
                learner,
                epochs(n_first, rates, len(past["history"]["loss"]) if past else 0),
                tol=self.tol,
                patience=self.n_iter_no_change,
                score=score,
                past=past["history"] if past else None,
                lower=rates.lower,
                n_first=n_first,
                n_second=n_second,
                then=refit,
            )
            make = functools.partial(
                self._attributes, training, samples.coding, random_state, rates
            )
            self._follow(training, X, y, make, n_steps=n_first + n_second)
        vars(self).update(make())
        return training

    def _rates(self, past, *, one_epoch):
        """The learning rates of the epochs up to `max_iter`."""
        kind = self.learning_rate
        if self.solver == "lbfgs" or (one_epoch and kind != "invscaling"):
            kind = "constant"
        seen = past["seen"] if past else 0.0
        return Rates(kind, self.learning_rate_init, power=self.power_t, seen=seen)

    def _score_held_out(self, samples, learner, run):
        found = functools.partial(
            _held_out_sums,
            sums=self._score_sums,
            activation=SIGMOID.get(self.activation, self.activation),
            weights=learner.network.weights,
            biases=learner.network.biases,
        )
        return samples.total(found, run).score()

    def _attributes(self, training, coding, random_state, rates):
        """What `fit` sets, if `training` ends as it is."""
        learner = training.learner
        kept = training.kept(random_state)
        history = kept.pop("history")
        # The weights are in coefs_, where others may set them too.
        kept["learner"] = {k: v for k, v in kept["learner"].items() if k != "values"}
        kept["seen"] = rates.seen
        return {
            "coefs_": [w.copy() for w in learner.network.weights],
            "intercepts_": [b.copy() for b in learner.network.biases],
            "masks_": learner.masks,
            "history_": history,
            "n_iter_": training.n_epochs,
            "best_epoch_": training.best_epoch,
            "n_layers_": len(learner.network.sizes),
            "n_outputs_": coding.n_outputs,
            "out_activation_": OUTPUTS[coding.activation],
            "_past": kept,
        }

    def _warn_of(self, training):
        in_steps = self.solver != "lbfgs"
        falls = self.learning_rate == "annealed" or self.refit_epochs > 0
        if training.converged or training.late or (falls and in_steps):
            return
        advice = ", or let the rate fall to zero by learning_rate='annealed'"
        warnings.warn(
            f"The loss still fell by more than a share of tol={self.tol} within "
            f"n_iter_no_change={self.n_iter_no_change} of max_iter={self.max_iter} "
            f"epochs. Raise max_iter or tol{advice if in_steps else ''}.",
            ConvergenceWarning,
            stacklevel=5,
        )

    @property
    def loss_curve_(self):
        """The loss of each epoch."""
        check_is_fitted(self, "history_")
        return self.history_["loss"]

    @property
    def loss_(self):
        """The loss of the epoch whose weights these are."""
        return self.loss_curve_[self.best_epoch_ - 1]

    @property
    def best_loss_(self):
        """The least loss of all epochs; None where scores of held-out rows count."""
        return None if self.validation_scores_ else min(self.loss_curve_)

    @property
    def validation_scores_(self):
        """The score of held-out rows in each epoch, or None."""
        check_is_fitted(self, "history_")
        return self.history_.get("score")

    @property
    def best_validation_score_(self):
        """The largest of them, or None."""
        scores = self.validation_scores_
        return None if scores is None else max(scores)

    # -- prediction -----------------------------------------------------------

    def _outputs(self, X):
        """The last layer before its activation: (n_rows, n_outputs)."""
        check_is_fitted(self, "coefs_")
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            accept_large_sparse=True,
            dtype=FLOATS,
            order="C",
            reset=False,
            ensure_all_finite=False,  # they are checked in passing
        )
        network = Network(self._sizes, self.coefs_[0].dtype)
        fill(network, self.coefs_, self.intercepts_)
        name = SIGMOID.get(self.activation, self.activation)
        with stream(self.n_jobs) as run:
            return forward(X, None, network, name, run, finite_check(self))

    @property
    def _sizes(self):
        return (self.coefs_[0].shape[0], *(w.shape[1] for w in self.coefs_))


def _held_out_sums(samples, run, *, sums, activation, weights, biases):
    """What scores a network on the samples that are held out, or None."""
    at = samples.held_out
    if not at.size:
        return None
    sizes = weights[0].shape[0], *(w.shape[1] for w in weights)
    network = Network(sizes, weights[0].dtype)
    fill(network, weights, biases)
    outputs = forward(samples.X, at, network, activation, run)
    predicted = samples.coding.decide(outputs)
    return sums.of(samples.y[at], predicted, samples.weights_of(at))
