"""What the estimators of this folder share: from epochs to a fitted estimator.

An estimator makes a `Learner` and the iterator of its epochs (`epochs_of`, or that of
another optimiser), and lets a `Training` follow them, which keeps the history and the
best state and says when to stop. `TrainingMixin._follow` runs it to its end and tells
callbacks. Of a fit stays what `kept` gives, a dict of arrays and numbers that pickles;
a later call makes the learner anew, restores that, and goes on.
"""

import math
from collections import deque
from contextlib import closing
from numbers import Integral, Real

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from sparselearn._callbacks import CallbackSupport, progress, reports_progress
from sparselearn._compat import Interval, StrOptions
from sparselearn._solvers._batches import BLOCK, Pass, shuffled
from sparselearn._solvers._lbfgs import minimize
from sparselearn._solvers._maps import is_mapped
from sparselearn._solvers._training import train

__all__ = [
    "TRAINING_CONSTRAINTS",
    "Training",
    "TrainingMixin",
    "epochs_of",
    "iterations_of",
    "own_random_state",
    "split",
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


def split(places, fraction, random_state, *, classes=None):
    """Draw rows to hold out.

    Parameters
    ----------
    places : ndarray of int
        The rows that there are.
    fraction : float
        The share of them to hold out; at least one is, and one is not.
    random_state : RandomState
    classes : ndarray (n_places,), optional
        Both parts get their share of each.

    Returns
    -------
    training, held_out : ndarray of int, ascending

    Raises
    ------
    ValueError
        If there is one row, or one of a class.
    """
    if places.size < 2:
        raise ValueError(
            "early_stopping=True needs at least 2 samples of positive weight: some are "
            f"held out. Got {places.size}."
        )
    n_held_out = min(max(1, round(fraction * places.size)), places.size - 1)
    training, held_out = train_test_split(
        places, test_size=n_held_out, random_state=random_state, stratify=classes
    )
    return np.sort(training), np.sort(held_out)


def epochs_of(
    learner,
    rows,
    places,
    *,
    estimator,
    rates,
    random_state,
    run,
    targets=None,
    weights=None,
    shuffle=True,
    noise=None,
    n_epochs=None,
    done=0,
):
    """Epochs of steps by batches, as the parameters of `estimator` describe them.

    Parameters
    ----------
    learner : Learner
    rows : Rows
    places : ndarray of int
        Those to learn from.
    estimator : object
        With `batch_size`, `max_iter` and `max_time`.
    rates : Rates
    random_state : RandomState
        Draws the order of each epoch.
    run : callable
        Of ``_parallel.stream``.
    targets : ndarray (n_rows, n_outputs), optional
        None: the rows are their own.
    weights : float64 ndarray (n_rows,), optional
    shuffle : bool
    noise : Noise, optional
    n_epochs : int, optional
        None is `max_iter`.
    done : int
        Epochs of earlier calls.

    Returns
    -------
    epochs : iterator of Epoch
    """
    block = BLOCK if is_mapped(rows.X) else None

    def of_one_epoch():
        order = shuffled(places, random_state, block=block) if shuffle else places
        return Pass(
            rows,
            order,
            estimator.batch_size,
            targets=targets,
            weights=weights,
            noise=noise,
        )

    epochs = train(
        learner,
        of_one_epoch,
        n_epochs=n_epochs or estimator.max_iter,
        rate=rates,
        run=run,
        max_time=estimator.max_time,
        done=done,
    )
    for epoch in epochs:
        rates.end_epoch()
        yield epoch


def iterations_of(
    learner, rows, places, *, estimator, run, targets=None, weights=None, done=0
):
    """Epochs that are iterations of L-BFGS on all rows; as :func:`epochs_of`."""

    def of_all():
        return Pass(rows, places, ROWS, targets=targets, weights=weights)

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
