"""What both multilayer perceptrons share: from rows and targets to layers, and back."""

import copy
import functools
import time
import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from numbers import Integral, Real
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions, check_sample_weight
from sparselearn._parallel import stream
from sparselearn._solvers._batches import Pass, Rows
from sparselearn._solvers._lbfgs import minimize
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
from sparselearn._validation import finite_check, row_weights, validate_data
from sparselearn.neural_network._fitting import (
    TRAINING_CONSTRAINTS,
    TrainingMixin,
    epochs_of,
    own_random_state,
    split,
)
from sparselearn.neural_network._forward import fill, forward
from sparselearn.neural_network._masks import MaskMixin
from sparselearn.neural_network._phases import InPhases
from sparselearn.neural_network._rates import Rates

__all__ = ["Perceptron", "Problem", "has_steps"]

FLOATS = (np.float64, np.float32)
# Rows of which "lbfgs" sums gradients at a time.
ROWS = 2048
# scikit-learn's name of an activation, and the network's.
SIGMOID = {"logistic": "sigmoid"}
OUTPUTS = {"sigmoid": "logistic", "softmax": "softmax", "identity": "identity"}


def has_steps(estimator):
    """Whether `estimator` is trained step by step, for `available_if`."""
    if estimator.solver == "lbfgs":
        raise AttributeError("solver='lbfgs' fits all rows at a time: no partial_fit.")
    return True


class Problem(NamedTuple):
    """What a perceptron is fitted to.

    Attributes
    ----------
    X : ndarray or csr_array (n_rows, n_features)
    y : ndarray (n_rows,) or (n_rows, n_outputs)
    coding : ClassCoding or NumberCoding
        How y is the last layer's output.
    weights : float64 ndarray (n_rows,) or None
        None for all one.
    strata : ndarray (n_rows,) or None
        Classes, of which held-out rows get their share.
    """

    X: object
    y: np.ndarray
    coding: object
    weights: np.ndarray | None
    strata: np.ndarray | None = None


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

    @abstractmethod
    def _make_problem(self, X, y, weights, *, first, classes):
        """The `Problem` of checked X, y and weights.

        ``first`` is whether the estimator forgets what it was fitted to before;
        `classes` are those given to `partial_fit`.
        """

    @abstractmethod
    def _score_of(self, predictions, y, weights):
        """How good predictions for held-out rows are."""

    def _check(self, X, y, sample_weight, *, first, classes=None):
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
            reset=first,
        )
        X = in_order(X, "C")
        weights = None
        if sample_weight is not None:
            weights = check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            row_weights(weights, X)  # refuses those that are all zero
        return self._make_problem(X, y, weights, first=first, classes=classes)

    def _spec(self, problem):
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
            (problem.X.shape[1], *map(int, hidden), problem.coding.n_outputs),
            (*[name] * len(hidden), problem.coding.activation),
            problem.coding.loss,
        )

    # -- training -------------------------------------------------------------

    def _fit(self, X, y, sample_weight):
        warm = self.warm_start and hasattr(self, "coefs_")
        with _all_or_nothing(self):
            problem = self._check(X, y, sample_weight, first=not warm)
            random_state = own_random_state(self.random_state)
            network = self._start(problem, random_state, warm=warm)
            learner = self._learner(problem, network, self.masks_ if warm else None)
            training = self._train(problem, learner, random_state)
            self._warn_of(training)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        if self.early_stopping:
            raise ValueError(
                "partial_fit sees too little to hold rows out: it needs "
                "early_stopping=False."
            )
        warm = hasattr(self, "coefs_")
        with _all_or_nothing(self):
            problem = self._check(X, y, sample_weight, first=not warm, classes=classes)
            past = None
            if warm and self._past is not None:
                past = copy.deepcopy(self._past) | {"history": self.history_}
            random_state = (
                past["random_state"] if past else own_random_state(self.random_state)
            )
            network = self._start(problem, random_state, warm=warm)
            learner = self._learner(problem, network, self.masks_ if warm else None)
            if past:
                learner.restore(past["learner"] | {"values": network.values.copy()})
            self._train(problem, learner, random_state, past=past, one_epoch=True)
        return self

    def _start(self, problem, random_state, *, warm):
        """The `Network` to start from: random, or what was fitted."""
        spec = self._spec(problem)
        network = Network(spec.sizes, self.coefs_[0].dtype if warm else problem.X.dtype)
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

    def _learner(self, problem, network, masks):
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
            self._spec(problem),
            network,
            optimizer,
            l2=self.alpha,
            l1=self.l1,
            group_l1=self.group_l1,
            masks=masks,
        )

    def _train(self, problem, learner, random_state, *, past=None, one_epoch=False):
        """Train `learner`, and keep what comes of it."""
        places = np.arange(problem.X.shape[0])
        if problem.weights is not None:
            places = np.flatnonzero(problem.weights)
        held_out = None
        if self.early_stopping:
            places, held_out = self._hold_out(problem, places, random_state)
        dtype = learner.network.values.dtype
        targets = problem.coding.targets(problem.y, dtype)
        begun = time.perf_counter()
        rates = self._rates(problem.weights, places, past, one_epoch=one_epoch)

        def epochs(n_epochs, rates, done):
            left = self.max_time
            if left is not None:
                left = max(left - (time.perf_counter() - begun), 1e-9)
            plan = SimpleNamespace(
                batch_size=self.batch_size, max_iter=n_epochs, max_time=left
            )
            rows = Rows(problem.X, dtype=dtype)
            if self.solver == "lbfgs":
                return _of_all(
                    learner, rows, places, targets, problem.weights, plan, run
                )
            return epochs_of(
                learner,
                rows,
                places,
                estimator=plan,
                rates=rates,
                random_state=random_state,
                run=run,
                targets=targets,
                weights=problem.weights,
                shuffle=self.shuffle,
                done=done,
            )

        def refit(done):
            learner.hold_zeros()
            falling = Rates("annealed", self.learning_rate_init)
            return epochs(self.refit_epochs, falling, done)

        n_first = 1 if one_epoch else self.max_iter
        in_steps = self.solver != "lbfgs"
        n_second = self.refit_epochs if in_steps and not one_epoch else 0
        with stream(self.n_jobs) as run:
            score = None
            if held_out is not None:
                score = functools.partial(
                    self._score_rows, problem, held_out, learner.network, run
                )
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
                self._attributes, training, problem, random_state, rates
            )
            n_steps = n_first + n_second
            self._follow(training, problem.X, problem.y, make, n_steps=n_steps)
        vars(self).update(make())
        return training

    def _rates(self, weights, places, past, *, one_epoch):
        """The learning rates of the epochs up to `max_iter`."""
        kind = self.learning_rate
        if self.solver == "lbfgs" or (one_epoch and kind != "invscaling"):
            kind = "constant"
        return Rates(
            kind,
            self.learning_rate_init,
            power=self.power_t,
            mass=float(places.size if weights is None else weights[places].sum()),
            seen=past["seen"] if past else 0.0,
        )

    def _hold_out(self, problem, places, random_state):
        strata = None if problem.strata is None else problem.strata[places]
        return split(places, self.validation_fraction, random_state, classes=strata)

    def _attributes(self, training, problem, random_state, rates):
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
            "n_outputs_": problem.coding.n_outputs,
            "out_activation_": OUTPUTS[problem.coding.activation],
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

    def _score_rows(self, problem, places, network, run):
        """The score of `network`, as it is, on some rows of `problem`."""
        name = SIGMOID.get(self.activation, self.activation)
        outputs = forward(problem.X, places, network, name, run)
        weights = None if problem.weights is None else problem.weights[places]
        predictions = problem.coding.decide(outputs)
        return self._score_of(predictions, problem.y[places], weights)

    @property
    def _sizes(self):
        return (self.coefs_[0].shape[0], *(w.shape[1] for w in self.coefs_))


def _of_all(learner, rows, places, targets, weights, plan, run):
    """Epochs that are iterations of L-BFGS on all rows."""

    def in_batches():
        return Pass(rows, places, ROWS, targets=targets, weights=weights)

    found = minimize(
        learner, in_batches, n_epochs=plan.max_iter, run=run, max_time=plan.max_time
    )
    for epoch in found:
        # The loss alone may rise while the objective falls.
        penalty = epoch.figures["objective"] - epoch.loss
        figures = learner.end_epoch(run) | {"penalty": penalty}
        yield epoch._replace(figures=figures)


@contextmanager
def _all_or_nothing(estimator):
    """Leave `estimator` as it was if what is inside fails, or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
