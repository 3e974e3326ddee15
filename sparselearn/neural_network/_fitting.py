"""What the estimators of this folder share: from epochs to a fitted estimator.

An estimator makes a `Learner` and the iterator of its epochs (`epochs_of`, or that of
another optimiser), and lets a `Training` follow them, which keeps the history and the
best state and says when to stop. `TrainingMixin._follow` runs it to its end and tells
callbacks. Of a fit stays what `kept` gives, a dict of arrays and numbers that pickles;
a later call makes the learner anew, restores that, and goes on.
"""

import math
from collections import deque
from contextlib import closing, contextmanager
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sparselearn._callbacks import CallbackSupport, progress, reports_progress
from sparselearn._compat import Interval, StrOptions
from sparselearn._dask import is_collection
from sparselearn._solvers._lbfgs import minimize
from sparselearn._solvers._training import train
from sparselearn.neural_network._samples import Hold

__all__ = [
    "TRAINING_CONSTRAINTS",
    "Training",
    "TrainingMixin",
    "all_or_nothing",
    "epochs_of",
    "iterations_of",
    "own_random_state",
]

# Rows that L-BFGS takes at a time.
ROWS = 2048

TRAINING_CONSTRAINTS = {
    "learning_rate": [StrOptions({"annealed", "constant", "adaptive"})],
    "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "max_time": [Interval(Real, 0, None, closed="neither"), None],
    "tol": [Interval(Real, 0, None, closed="left")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
}


def own_random_state(random_state):
    """A generator of the estimator's own, seeded by the user's, which it can pickle."""
    seed = check_random_state(random_state).randint(2**32, dtype=np.uint32)
    return np.random.RandomState(seed)


def epochs_of(learner, parts, *, estimator, rates, run, n_epochs=None, done=0):
    """Epochs of steps by batches, as the parameters of `estimator` describe them.

    Parameters
    ----------
    learner : Learner
    parts : callable
        As of `train`.
    estimator : object
        With `max_iter` and `max_time`.
    rates : Rates
    run : callable
        Of ``_parallel.stream``.
    n_epochs : int, optional
        None is `max_iter`.
    done : int
        Epochs of earlier calls.

    Returns
    -------
    epochs : iterator of Epoch
    """
    epochs = train(
        learner,
        parts,
        n_epochs=n_epochs or estimator.max_iter,
        rate=rates,
        run=run,
        max_time=estimator.max_time,
        done=done,
    )
    for epoch in epochs:
        rates.end_epoch(epoch.mass)
        yield epoch


def iterations_of(learner, samples, see, *, estimator, run, done=0):
    """Epochs that are iterations of L-BFGS on all `Samples`; as :func:`epochs_of`."""

    def of_all():
        return next(samples.parts(see, ROWS)).passing

    epochs = minimize(
        learner,
        of_all,
        n_epochs=done + estimator.max_iter,
        run=run,
        max_time=estimator.max_time,
        done=done,
    )
    for epoch in epochs:
        # The loss alone may rise while the objective falls.
        penalty = epoch.figures["objective"] - epoch.loss
        figures = learner.end_epoch(run) | {"penalty": penalty}
        yield epoch._replace(figures=figures)


@contextmanager
def all_or_nothing(estimator):
    """Leave `estimator` as it was if what is inside fails, or is interrupted."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class Training:
    """A learner on its way: what became of it, epoch by epoch.

    It is an iterator, which after each epoch gives itself.

    Parameters
    ----------
    learner : Learner
    epochs : iterator of Epoch
    tol : float
    patience : int
        Stop after so many epochs in which the loss, with a "penalty" among the
        learner's figures, did not fall below the least one so far by more than a share
        of `tol`; or, with `score`, the score did not rise above the best by more than
        `tol`.
    score : callable, optional
        ``score()`` is the score of the learner, as it is, on held-out rows. The state
        of the best one is kept, and is what the learner has in the end.
    past : dict, optional
        The history of earlier calls.
    lower : callable, optional
        ``lower()`` lowers the learning rate and tells whether it did: instead of
        stopping, go on with that for as many epochs more.

    Attributes
    ----------
    history : dict of list
        By "loss", "learning_rate", "seconds", "score" if there is one, and what the
        learner gives.
    converged : bool
        Whether nothing has improved for `patience` epochs, or the optimiser says so.
    late : bool
        Whether the time was over.
    done : bool
        Whether this epoch was the last one.
    best_epoch : int
        Of all so far, from 1, that of the state in the end.
    """

    def __init__(
        self, learner, epochs, *, tol, patience, score=None, past=None, lower=None
    ):
        self.learner = learner
        self.epochs = epochs
        self.tol, self.patience, self.score = tol, patience, score
        self._lower = lower
        self.history = {name: list(values) for name, values in (past or {}).items()}
        self.converged = self.done = self.late = False
        self.best_epoch = self.n_epochs
        self._seconds = self.history["seconds"][-1] if self.best_epoch else 0.0
        self._forget()

    def _forget(self):
        """Let no epoch so far count as the best one."""
        self._best_state = None
        self._to_beat, self._top, self._waiting = math.inf, math.inf, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.done:
            raise StopIteration
        epoch = next(self.epochs)
        if not math.isfinite(epoch.loss):
            raise ValueError(
                f"The loss is {epoch.loss} in epoch {epoch.number}: training diverged. "
                "Lower learning_rate_init, or scale X."
            )
        figures = {
            "loss": epoch.loss,
            "learning_rate": epoch.rate,
            "seconds": self._seconds + epoch.seconds,
            **epoch.figures,
        }
        if self.score is not None:
            figures["score"] = self.score()
        for name, value in figures.items():
            # NaN for epochs of earlier calls that did not have this figure.
            known = self.history.setdefault(name, [])
            known += [math.nan] * (epoch.number - 1 - len(known))
            known.append(float(value))
        self._look(epoch, figures)
        self.late = epoch.out_of_time
        self.done = self.late or self.converged
        return self

    def _look(self, epoch, figures):
        """Count epochs without progress, and keep the best state."""
        if self.score is None:
            self.best_epoch = epoch.number
            figure = epoch.loss + figures.get("penalty", 0.0)
            margin = self._margin(figure)
        else:
            figure, margin = -figures["score"], self.tol
            if figure < self._top:
                self._top, self.best_epoch = figure, epoch.number
                self._best_state = self.learner.state()
        if not math.isfinite(self._to_beat) or figure < self._to_beat - margin:
            self._waiting = 0
        else:
            self._waiting += 1
        self._to_beat = min(self._to_beat, figure)
        stands_still = self._waiting >= self.patience
        if stands_still and self._lower is not None and self._lower():
            self._waiting, stands_still = 0, False
        self.converged = epoch.converged or stands_still

    def _margin(self, figure):
        """By how much the loss has to fall, to have fallen."""
        return self.tol * abs(self._to_beat)

    def as_ended(self, function):
        """``function()``, the learner meanwhile as it would be if this were the end."""
        if self._best_state is None or self.best_epoch == self.n_epochs:
            return function()
        now = self.learner.state()
        self.learner.restore(self._best_state)
        try:
            return function()
        finally:
            self.learner.restore(now)

    def end(self):
        """Leave the learner in its best state."""
        if self._best_state is not None:
            self.learner.restore(self._best_state)

    @property
    def n_epochs(self):
        """Epochs so far, of this and of earlier calls."""
        return len(self.history.get("loss", ()))

    def kept(self, random_state):
        """All that a later call goes on from; it pickles."""
        return {
            "learner": self.learner.state(),
            "history": self.history,
            "random_state": random_state,
        }


class TrainingMixin(CallbackSupport):
    """Follow a `Training`, and tell callbacks of it."""

    def _hold(self, random_state):
        """How samples are held out, drawn by `random_state`; None if none are."""
        if not self.early_stopping:
            return None
        seed = random_state.randint(2**32, dtype=np.uint32)
        return Hold(self.validation_fraction, int(seed))

    def _refuse_all_at_once(self, X):
        """Let only steps learn from a collection."""
        if self.solver == "lbfgs" and is_collection(X):
            raise ValueError(
                "solver='lbfgs' takes all samples at once, and a dask collection gives "
                "them a chunk at a time: take solver='adam'."
            )

    @reports_progress
    def _follow(self, training, X, y, reconstruct, n_steps=None):
        """Run `training` to its end, or to where a callback stops it.

        Parameters
        ----------
        training : Training
            Its learner is left in its best state.
        X, y : arrays
            What `fit` was given, for callbacks that score.
        reconstruct : callable
            ``reconstruct()`` is the dict of the attributes of the estimator if training
            had ended now.
        n_steps : int, optional
            Epochs, at most; None is `max_iter`.
        """
        steps = progress(
            self,
            training,
            n_steps=n_steps or self.max_iter,
            done=lambda training: training.done,
            X=X,
            y=y,
            reconstruct=lambda training: training.as_ended(reconstruct),
            name="epoch",
        )
        with closing(training.epochs):
            deque(steps, maxlen=0)
        training.end()
