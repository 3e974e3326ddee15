"""One call of an autoencoder's `fit` or `partial_fit`, and what becomes of it."""

import copy
import functools
import math
import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from sparselearn._dask import is_collection
from sparselearn._parallel import stream
from sparselearn._solvers._batches import Noise, Rows
from sparselearn._solvers._reconstruction import Autoencoder, fold
from sparselearn.neural_network._chunks import ChunkedSamples
from sparselearn.neural_network._coding import AutoencoderCodes, surveyed
from sparselearn.neural_network._design import (
    Design,
    layers_of,
    make_design,
    make_learner,
)
from sparselearn.neural_network._fitting import (
    TrainingMixin,
    epochs_of,
    iterations_of,
    own_random_state,
)
from sparselearn.neural_network._samples import spread

__all__ = ["AutoencoderLearner", "Course"]

# Rows that a learner sees before it starts.
SAMPLE = 1024
# How often a unit has fired on average before others of a stream may count as dead.
CHANCES = 32


@dataclass
class Course:
    """One call of `fit` or `partial_fit`: what learns, and from what.

    Attributes
    ----------
    design : Design
    samples : Samples or ChunkedSamples
    random_state : RandomState
    past : dict or None
        What an earlier call has kept.
    is_stream : bool
        Whether `partial_fit` was called, so that there may be more samples.
    mean, deviations : float64 ndarray (n_features,)
        Means and standard deviations of the features of X.
    shift, sigma : float64 ndarray (n_features,), float
        The learner sees ``(x - shift) / sigma``.
    size : float
        Root mean variance of the features of X.
    mass : float
        Of all samples to learn from.
    learner : Learner
    """

    design: Design
    samples: object
    random_state: np.random.RandomState
    past: dict | None
    is_stream: bool = False

    def __post_init__(self):
        found, past = self.samples.spread(), self.past
        self.mean, self.deviations = found.mean, found.deviations
        self.size, self.mass = found.size(self.samples.dtype), found.weight
        if past is not None:
            self.shift, self.sigma = past["shift"], past["sigma"]
        elif self.design.loss == "squared_error":
            self.shift, self.sigma = self.mean, self.size
        else:
            self.shift, self.sigma = np.zeros_like(self.mean), 1.0
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
        rows = self.see(self.samples.even_rows(SAMPLE))
        sample = np.empty((len(rows), self.samples.n_features), dtype=rows.dtype)
        design = self.design
        if self.past is not None or self.is_stream:
            # What has been learned for so many non-zeros is not to see more again.
            design = design._replace(anneal=0.0)
        return make_learner(
            design,
            rows.gather(np.arange(len(rows)), sample),
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
        mean_weight = self.mass / self.samples.n_rows
        return max(self.mass, CHANCES / share * mean_weight)

    def see(self, X):
        """Rows of X as the learner sees them."""
        shift = self.shift if self.shift.any() else None
        dtype = self.samples.dtype
        return Rows(X, shift=shift, scale=1.0 / self.sigma, dtype=dtype)

    def epochs(self, estimator, rates, run):
        """The epochs of `fit`."""
        options = {"estimator": estimator, "run": run, "done": self.n_epochs_before}
        if self.design.full:
            return iterations_of(self.learner, self.samples, self.see, **options)
        parts = functools.partial(
            self.parts, estimator.batch_size, shuffle=estimator.shuffle
        )
        return epochs_of(self.learner, parts, rates=rates, **options)

    def parts(self, batch_size, *, shuffle):
        """The parts of an epoch."""
        drawn = self.random_state if shuffle else None
        return self.samples.parts(
            self.see, batch_size, random_state=drawn, noise=self.noise()
        )

    def noise(self):
        """The `Noise` on rows as the learner sees them, or None."""
        if self.design.noise == 0.0:
            return None
        # Where the learner sees X as it is, X at hand tells how features vary.
        unit = 1.0 if self.design.loss == "squared_error" else self.size
        return Noise(self.design.noise * unit, self.random_state)

    def survey(self, run, *, held_out=False):
        """The `Survey` of the samples by the model as it is."""
        measure = functools.partial(
            surveyed, model=self.model(), mean=self.mean, held_out=held_out
        )
        return self.samples.total(measure, run)

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
            dtype=self.samples.dtype,
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

    def _read_chunk(self, X, y, sample_weight, **options):
        samples = super()._read_chunk(X, y, sample_weight, **options)
        if self.loss == "cross_entropy":
            values = samples.X.data if sp.issparse(samples.X) else samples.X
            low, high = (values.min(), values.max()) if values.size else (0, 0)
            if low < 0.0 or high > 1.0:
                raise ValueError(
                    "loss='cross_entropy' needs X in [0, 1], shares or probabilities; "
                    f"got values from {low:g} to {high:g}. Scale X, or take "
                    "loss='squared_error'."
                )
        return samples

    def _take(self, X, sample_weight, *, first, hold=None):
        """What there is to learn from: `Samples` or `ChunkedSamples`."""
        self._refuse_all_at_once(X)
        if not is_collection(X):
            return self._read_chunk(
                X, None, sample_weight, reset=first, partly=False, hold=hold
            )
        samples = ChunkedSamples(self, X, None, sample_weight, first=first, hold=hold)
        samples.look(self, spread)
        return samples

    def _course(self, samples, random_state, *, goes_on, **options):
        design = make_design(self, samples.n_features)
        past = self._past(design) if goes_on else None
        return Course(design, samples, random_state, past, **options)

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

    def _generator(self, *, goes_on):
        past = getattr(self, "_kept", None) if goes_on else None
        if past is None:
            return own_random_state(self.random_state)
        return copy.deepcopy(past["random_state"])

    def _patience(self):
        # A rate that falls by a schedule is to fall to its end.
        falls = self.learning_rate == "annealed" and self.solver == "adam"
        planned = falls and not self.early_stopping
        return math.inf if planned else self.n_iter_no_change

    def _held_out_score(self, course, run):
        """A function that scores the model on held-out samples, if there are any."""
        if not self.early_stopping:
            return None
        return lambda: course.survey(run, held_out=True).errors.score()

    def _as_fitted(self, course, training):
        """The attributes as they would be if training had ended now."""
        twin = copy.copy(self)
        twin._store(course, training)
        return vars(twin)

    def _store(self, course, training):
        """Set the fitted attributes, all at the end: an interrupt leaves the last.

        Returns the `Survey` of the samples.
        """
        model = course.model()
        with stream(self.n_jobs) as run:
            found = course.survey(run)
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
        self.explained_variance_ = found.errors.score()
        self.history_ = curves
        self.n_iter_ = training.n_epochs
        self.best_epoch_ = training.best_epoch
        self.loss_ = float(curves["loss"][training.best_epoch - 1])
        self._mass = course.mass
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
        elif found.n_nonzero == 0.0 < found.errors.variation:
            warnings.warn(
                "All codes are zero. Lower alpha, or give n_nonzero_coefs instead.",
                ConvergenceWarning,
                stacklevel=4,
            )
