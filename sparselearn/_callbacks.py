"""Progress and monitoring: scikit-learn's callbacks where it has them (1.9).

An estimator that reports its progress inherits `CallbackSupport`, and runs its steps
through :func:`progress` in a method that `@reports_progress` decorates: `fit`, or one
that `fit` calls. `LearnsByPasses` has such a method, for several passes over the data.
On an older scikit-learn the same code runs and reports nothing.
"""

import copy
import functools
from collections import deque
from contextlib import closing

from sparselearn import _compat

__all__ = ["CallbackSupport", "LearnsByPasses", "progress", "reports_progress"]


class _NoCallbacks:
    """What `CallbackSupport` is on a scikit-learn without callbacks."""


CallbackSupport = _compat.CallbackSupportMixin or _NoCallbacks
"""Mixin that gives an estimator ``set_callbacks``."""


def reports_progress(method):
    """Decorate a method that calls :func:`progress`, so that callbacks end with it."""
    return _compat.with_callbacks(method) if _compat.with_callbacks else method


def progress(
    estimator,
    steps,
    *,
    n_steps=None,
    done=lambda step: False,
    X=None,
    y=None,
    reconstruct=None,
    name="step",
):
    """Yield from `steps`, telling `estimator`'s callbacks of each one.

    Parameters
    ----------
    estimator : CallbackSupport
        The estimator being fitted, inside a `reports_progress` method.
    steps : iterable
        What to do, step by step; or an iterator that does a step and yields what came
        of it.
    n_steps : int, optional
        How many there are at most, the length of the progress bar; None is their
        number.
    done : callable, optional
        ``done(step)`` is whether this step was the last, where there may be fewer.
    X, y : arrays, optional
        The training data, for callbacks that score.
    reconstruct : callable, optional
        ``reconstruct(step)`` is the dict of fitted attributes that make `estimator`
        usable after this step.
    name : str
        What a step is called.

    Yields
    ------
    step
        Each of `steps` in turn, until a callback asks to stop.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield from steps
        return
    n_steps = len(steps) if n_steps is None else n_steps
    whole = estimator._init_callback_context(max_subtasks=n_steps)
    whole.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    data = {"X": X, "y": y}
    steps = iter(steps)
    for _ in range(n_steps):
        task = whole.subcontext(task_name=name)
        task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        step = next(steps)
        yield step
        if reconstruct is not None:
            data["reconstruction_attributes"] = functools.partial(reconstruct, step)
        if task.call_on_fit_task_end(estimator=estimator, **data) or done(step):
            break
    whole.call_on_fit_task_end(estimator=estimator, **data)


class LearnsByPasses(CallbackSupport):
    """An estimator with `max_iter`, whose passes over the data callbacks hear of."""

    @reports_progress
    def _last(self, steps, X, y, store):
        """What came of the last of `steps`, or of that where a callback stops.

        Parameters
        ----------
        steps : generator
            Yields what there is after each of at most `max_iter` passes; the last of
            fewer is `converged`.
        X, y : arrays
            What `fit` was given, for callbacks that score.
        store : callable
            ``store(estimator, learned)`` sets the fitted attributes of an estimator.
        """

        def reconstruct(learned):
            twin = copy.copy(self)
            store(twin, learned)
            return vars(twin)

        told = progress(
            self,
            steps,
            n_steps=self.max_iter,
            done=lambda learned: learned.converged,
            X=X,
            y=y,
            reconstruct=reconstruct,
            name="pass",
        )
        with closing(steps):
            return deque(told, maxlen=1).pop()
