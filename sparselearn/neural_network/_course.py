"""One call of an autoencoder's `fit` or `partial_fit`, and what becomes of it."""

import copy
import math
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from sparselearn._parallel import row_chunks
from sparselearn._solvers._batches import Noise, Rows
from sparselearn._solvers._reconstruction import (
    Autoencoder,
    center_and_spread,
    explained,
    fold,
)
from sparselearn._validation import check_rows, check_weights
from sparselearn.neural_network._coding import AutoencoderCodes, surveyed
from sparselearn.neural_network._design import Design, layers_of, make_learner
from sparselearn.neural_network._fitting import (
    TrainingMixin,
    epochs_of,
    iterations_of,
    own_random_state,
)

__all__ = ["AutoencoderLearner", "Course"]

# Rows that a learner sees before it starts, and rows that are averaged at a time.
SAMPLE = 1024
# How often a unit has fired on average before others of a stream may count as dead.
CHANCES = 32


@dataclass
class Course:
    """One call of `fit` or `partial_fit`: what learns, and from what.

    Attributes
    ----------
    design : Design
    X : ndarray or csr_array
    weights : float64 ndarray (n_samples,)
        Of what is learned from; 0 elsewhere.
    random_state : RandomState
    past : dict or None
        What an earlier call has kept.
    is_stream : bool
        Whether `partial_fit` was called, so that X may be a part of all there is.
    mean, deviations : float64 ndarray (n_features,)
        Means and standard deviations of the features of X.
    shift, sigma : float64 ndarray (n_features,), float
        The learner sees ``(x - shift) / sigma``.
    spread : float
        Root mean variance of the features of X.
    learner : Learner
    """

    design: Design
    X: object
    weights: np.ndarray
    random_state: np.random.RandomState
    past: dict | None
    is_stream: bool = False

    def __post_init__(self):
        X, past = self.X, self.past
        chunks = row_chunks(X.shape[0], SAMPLE)
        self.mean, self.deviations, sigma = center_and_spread(X, self.weights, chunks)
        self.spread = sigma
        if past is not None:
            self.shift, self.sigma = past["shift"], past["sigma"]
        elif self.design.loss == "squared_error":
            self.shift, self.sigma = self.mean, sigma
        else:
            self.shift, self.sigma = np.zeros_like(self.mean), 1.0
        self.mass = self.weights.sum()
        # Of the first weights, and of what is drawn in steps.
        seed = (
            past["seed"] if past else self.random_state.randint(2**32, dtype=np.uint32)
        )
        self.seed = int(seed)
        self.learner = self._make_learner()
        if past is not None:
            self.learner.restore(past["learner"])

    @property
    def history_before(self):
        return None if self.past is None else self.past["history"]

    @property
    def n_epochs_before(self):
        return 0 if self.past is None else len(self.past["history"]["loss"])

    def _make_learner(self):
        rows = self.rows()
        # At even steps of the weights: a row that occurs twice is as one of weight 2.
        # From the whole of X, which may be sorted.
        steps = (np.arange(SAMPLE) + 0.5) / SAMPLE * self.mass
        some = np.searchsorted(np.cumsum(self.weights), steps)
        sample = np.empty((some.size, self.X.shape[1]), dtype=self.X.dtype)
        design = self.design
        if self.past is not None or self.is_stream:
            # What has been learned for so many non-zeros is not to see more again.
            design = design._replace(anneal=0.0)
        return make_learner(
            design,
            rows.gather(some, sample),
            self.mean - self.shift,
            self.deviations,
            self._patience(),
            np.random.RandomState(self.seed),
            zeros=rows.zeros,
        )

    def _patience(self):
        """Sum of the weights of rows none of which makes a dead unit fire: an epoch's.

        Of a stream nobody knows how long it is: so many rows that every unit would fire
        some times, were all alike.
        """
        if not self.is_stream:
            return self.mass
        n_components = self.design.sizes[self.design.n_encoding]
        share = (self.design.n_nonzero or 1.0) / n_components
        mean_weight = self.mass / np.count_nonzero(self.weights)
        return max(self.mass, CHANCES / share * mean_weight)

    def rows(self):
        """X as the learner sees it."""
        shift = self.shift if self.shift.any() else None
        return Rows(self.X, shift=shift, scale=1.0 / self.sigma)

    def epochs(self, estimator, rates, places, run):
        """The epochs of `fit`, from the samples at `places`."""
        options = {
            "estimator": estimator,
            "run": run,
            "weights": self.row_weights(),
            "done": self.n_epochs_before,
        }
        if self.design.full:
            return iterations_of(self.learner, self.rows(), places, **options)
        return epochs_of(
            self.learner,
            self.rows(),
            places,
            rates=rates,
            random_state=self.random_state,
            shuffle=estimator.shuffle,
            noise=self.noise(),
            **options,
        )

    def noise(self):
        """The `Noise` on rows as the learner sees them, or None."""
        if self.design.noise == 0.0:
            return None
        # Where the learner sees X as it is, X at hand tells how features vary.
        unit = 1.0 if self.design.loss == "squared_error" else self.spread
        return Noise(self.design.noise * unit, self.random_state)

    def row_weights(self):
        """`weights`, or None where all are one."""
        return None if (self.weights == 1.0).all() else self.weights

    def model(self):
        """The `Autoencoder` that the learner has come to, in units of X."""
        coefs, intercepts, thresholds = layers_of(self.learner)
        design = self.design
        folded = fold(
            coefs,
            intercepts,
            thresholds,
            self.shift,
            self.sigma,
            homogeneous=design.homogeneous,
            dtype=self.X.dtype,
        )
        coefs, intercepts, thresholds = folded
        return Autoencoder(
            coefs,
            intercepts,
            design.n_encoding,
            design.activation,
            design.n_nonzero,
            thresholds,
            "sigmoid" if design.loss == "cross_entropy" else "identity",
            design.refine,
        )

    def kept(self, training):
        """All that a later call goes on from; it pickles."""
        return training.kept(self.random_state) | {
            "shift": self.shift,
            "sigma": self.sigma,
            "seed": self.seed,
            "architecture": self.design.architecture,
        }


class AutoencoderLearner(TrainingMixin, AutoencoderCodes, BaseEstimator):
    """What happens before and after training; parameters are `SparseAutoencoder`'s."""

    def _check(self, X, sample_weight, *, reset):
        """X as kernels read it, and the weights of its rows."""
        X = check_rows(self, X, reset=reset)
        weights = check_weights(sample_weight, X)
        if self.loss == "cross_entropy":
            values = X.data if sp.issparse(X) else X
            low, high = (values.min(), values.max()) if values.size else (0, 0)
            if low < 0.0 or high > 1.0:
                raise ValueError(
                    "loss='cross_entropy' needs X in [0, 1], shares or probabilities; "
                    f"got values from {low:g} to {high:g}. Scale X, or take "
                    "loss='squared_error'."
                )
        return X, weights

    def _past(self, design):
        """What an earlier call has kept, or None."""
        past = getattr(self, "_kept", None)
        if past is not None and tuple(past["architecture"]) != design.architecture:
            raise ValueError(
                "Learning can not go on with other layers, another activation, loss or "
                f"tied_weights: it began with {tuple(past['architecture'])} and is now "
                f"to have {design.architecture}. Fit a clone."
            )
        return past

    def _generator(self, past):
        if past is None:
            return own_random_state(self.random_state)
        return copy.deepcopy(past["random_state"])

    def _patience(self):
        # A rate that falls by a schedule is to fall to its end.
        falls = self.learning_rate == "annealed" and self.solver == "adam"
        planned = falls and not self.early_stopping
        return math.inf if planned else self.n_iter_no_change

    def _as_fitted(self, course, training):
        """The attributes as they would be if training had ended now."""
        twin = copy.copy(self)
        twin._store(course, training)
        return vars(twin)

    def _store(self, course, training):
        """Set the fitted attributes, all at the end: an interrupt leaves the last.

        Returns the `Survey` of the samples.
        """
        model, weights = course.model(), course.weights
        found = surveyed(model, course.X, weights, course.mean, self.n_jobs)
        components = model.components(found)
        curves = {name: np.array(values) for name, values in training.history.items()}
        for name in curves.keys() & {"loss", "penalty"}:
            curves[name] *= course.sigma**2  # in units of X
        self.components_ = components
        self.coefs_ = list(model.coefs)
        self.intercepts_ = list(model.intercepts)
        self.thresholds_ = model.thresholds
        self._functions = (model.activation, model.output)
        self.mean_ = course.mean
        self.activation_rate_ = found.fired / found.mass
        self.dead_units_ = np.flatnonzero(found.fired == 0.0)
        self.n_nonzero_coefs_ = float(found.n_nonzero / found.mass)
        self.sparsity_ = 1.0 - self.n_nonzero_coefs_ / model.n_components
        self.explained_variance_ = explained(found)
        self.history_ = curves
        self.n_iter_ = training.n_epochs
        self.best_epoch_ = training.best_epoch
        self.loss_ = float(curves["loss"][training.best_epoch - 1])
        self._mass = weights.sum()
        self._kept = course.kept(training)
        return found

    def _warn(self, found):
        """One warning of what went wrong, if anything did."""
        target = self.sparsity_target
        if target is not None and target >= 0.5:
            warnings.warn(
                f"sparsity_target={target}: sigmoid units are at 1/2 where they start, "
                "so this asks for no sparsity. Give a small one, such as 0.05.",
                UserWarning,
                stacklevel=4,
            )
        elif found.n_nonzero == 0.0 < found.variation:
            warnings.warn(
                "All codes are zero. Lower alpha, or give n_nonzero_coefs instead.",
                ConvergenceWarning,
                stacklevel=4,
            )
