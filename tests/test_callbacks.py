"""Progress goes to scikit-learn's callbacks where it has them, nowhere elsewhere."""

import pytest
from sklearn.base import BaseEstimator

from sparselearn import _callbacks, _compat


def five_steps(estimator, X=None, y=None):
    estimator.steps_ = 0
    for _ in _callbacks.progress(estimator, range(5), reconstruct=lambda: {}):
        estimator.steps_ += 1
    return estimator


class Counter(_callbacks.CallbackSupport, BaseEstimator):
    fit = _callbacks.reports_progress(five_steps)


class Recorder:
    """A callback that keeps what it hears, and asks to stop after `patience` steps."""

    def __init__(self, patience=99):
        self.heard, self.patience = [], patience

    def setup(self, estimator, context):
        self.heard.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.heard.append(("end", context.task_name, context.task_id))
        return context.task_name == "step" and context.task_id + 1 >= self.patience

    def teardown(self, estimator, context):
        self.heard.append("teardown")


def test_runs_without_any_callback():
    assert Counter().fit().steps_ == 5


@pytest.mark.skipif(
    _compat.CallbackSupportMixin is None, reason="scikit-learn < 1.9 has no callbacks"
)
@pytest.mark.parametrize("patience", [99, 2])
def test_each_step_is_reported_and_may_be_the_last(patience):
    recorder = Recorder(patience)
    counter = Counter().set_callbacks(recorder).fit()
    n_steps = min(5, patience)
    assert counter.steps_ == n_steps
    steps = [("begin", "step", i) for i in range(n_steps)]
    assert [h for h in recorder.heard if h[:2] == ("begin", "step")] == steps
    assert recorder.heard[0] == "setup"
    assert recorder.heard[-1] == "teardown"
    assert ("end", "fit", 0) in recorder.heard


def test_an_older_scikit_learn_runs_the_same_code(monkeypatch):
    monkeypatch.setattr(_compat, "with_callbacks", None)

    class Plain(_callbacks._NoCallbacks, BaseEstimator):
        fit = _callbacks.reports_progress(five_steps)

    assert Plain().fit().steps_ == 5
