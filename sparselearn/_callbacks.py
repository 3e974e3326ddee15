"""Progress and monitoring: scikit-learn's callbacks where it has them (1.9).

An estimator that reports its progress inherits `CallbackSupport`, decorates its
`fit` with `@reports_progress` and runs its steps through :func:`progress`. On an
older scikit-learn the same code runs and reports nothing.
"""

from sparselearn import _compat

__all__ = ["CallbackSupport", "progress", "reports_progress"]


class _NoCallbacks:
    """What `CallbackSupport` is on a scikit-learn without callbacks."""


CallbackSupport = _compat.CallbackSupportMixin or _NoCallbacks
"""Mixin that gives an estimator ``set_callbacks``."""


def reports_progress(fit):
    """Decorate a `fit` that calls :func:`progress`, so that callbacks end with it."""
    return _compat.with_callbacks(fit) if _compat.with_callbacks else fit


def progress(estimator, steps, *, X=None, y=None, reconstruct=None, name="step"):
    """Yield from the list `steps`, telling `estimator`'s callbacks of each one.

    Parameters
    ----------
    estimator : CallbackSupport
        The estimator being fitted, inside a `reports_progress` fit.
    steps : sequence
        What to iterate over; its length is the length of the progress bar.
    X, y : arrays, optional
        The training data, for callbacks that score.
    reconstruct : callable, optional
        Returns the dict of fitted attributes that make `estimator` usable now.
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
    whole = estimator._init_callback_context(max_subtasks=len(steps))
    whole.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
    data = {"X": X, "y": y, "reconstruction_attributes": reconstruct}
    for step in steps:
        task = whole.subcontext(task_name=name)
        task.call_on_fit_task_begin(estimator=estimator, X=X, y=y)
        yield step
        if task.call_on_fit_task_end(estimator=estimator, **data):
            break
    whole.call_on_fit_task_end(estimator=estimator, **data)
