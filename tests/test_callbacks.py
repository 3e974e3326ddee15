"""Progress goes to scikit-learn's callbacks where it has them, nowhere elsewhere."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn import _callbacks, _compat
from sparselearn.decomposition import (
    KSVD,
    DictionaryLearning,
    DiscriminativeDictionaryLearning,
    MiniBatchDictionaryLearning,
)

with_callbacks = pytest.mark.skipif(
    _compat.CallbackSupportMixin is None, reason="scikit-learn < 1.9 has no callbacks"
)


def five_steps(estimator, X=None, y=None):
    estimator.steps_ = 0
    for _ in _callbacks.progress(estimator, range(5), reconstruct=lambda step: {}):
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
        is_step = context.task_name in ("step", "pass")
        return is_step and context.task_id + 1 >= self.patience

    def teardown(self, estimator, context):
        self.heard.append("teardown")


def test_runs_without_any_callback():
    assert Counter().fit().steps_ == 5


@with_callbacks
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


def one_by_one():
    yield from range(5)
    raise AssertionError("asked for a step after the last")


@with_callbacks
def test_a_step_may_say_that_it_is_the_last():
    recorder = Recorder()
    counter = Counter().set_callbacks(recorder)
    steps = _callbacks.progress(
        counter, one_by_one(), n_steps=9, done=lambda step: step == 4
    )
    assert list(steps) == [0, 1, 2, 3, 4]
    ends = [h for h in recorder.heard if h[0] == "end"]
    assert ends == [*(("end", "step", i) for i in range(5)), ("end", "fit", 0)]


# -- learners of dictionaries --------------------------------------------------

COMMON = {"n_nonzero_coefs": 2, "tol": 1e-12, "max_iter": 6, "random_state": 0}
LEARNERS = [
    MiniBatchDictionaryLearning(8, method="omp", batch_size=20, **COMMON),
    DictionaryLearning(8, method="omp", **COMMON),
    KSVD(8, **COMMON),
    DiscriminativeDictionaryLearning(8, **COMMON),
    DiscriminativeDictionaryLearning(8, target="values", **COMMON),
]
every_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


class Onlooker(Recorder):
    """Keeps the estimators that there are after each pass."""

    def __init__(self, patience=99):
        super().__init__(patience)
        self.seen = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "pass":
            self.seen.append(fitted_estimator)
        return super().on_fit_task_end(estimator, context)


@pytest.fixture
def X(rng):
    codes = rng.standard_normal((60, 8)) * (rng.random((60, 8)) < 0.3)
    return codes @ rng.standard_normal((8, 6)) + 0.1 * rng.standard_normal((60, 6))


@pytest.fixture
def y(X):
    return np.digitize(X[:, 0], [-1.0, 1.0])


def shortened(learner, n_passes):
    return clone(learner).set_params(max_iter=n_passes)


@with_callbacks
@every_learner
@pytest.mark.filterwarnings("ignore:The objective still fell")
def test_a_pass_of_a_learner_is_a_step(learner, X, y):
    recorder = Recorder()
    model = clone(learner).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ > 2
    passes = [
        (when, "pass", i) for i in range(model.n_iter_) for when in ("begin", "end")
    ]
    whole = [("begin", "fit", 0), *passes, ("end", "fit", 0)]
    assert recorder.heard == ["setup", *whole, "teardown"]


@with_callbacks
@every_learner
def test_a_learner_that_is_stopped_has_what_it_has_learned(learner, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # who stops it knows
        stopped = clone(learner).set_callbacks(Recorder(2)).fit(X, y)
    assert stopped.n_iter_ == len(stopped.objective_path_) == 2
    with pytest.warns(match="max_iter=2"):
        short = shortened(learner, 2).fit(X, y)
    np.testing.assert_array_equal(stopped.components_, short.components_)
    np.testing.assert_array_equal(
        stopped.transform(X).toarray(), short.transform(X).toarray()
    )


@with_callbacks
@every_learner
@pytest.mark.filterwarnings("ignore:The objective still fell")
def test_callbacks_see_a_learner_as_if_it_had_ended(learner, X, y):
    onlooker = Onlooker()
    model = clone(learner).set_callbacks(onlooker).fit(X, y)
    alone = clone(learner).fit(X, y)
    np.testing.assert_array_equal(model.components_, alone.components_)
    for n_passes in (1, 3):
        seen, short = onlooker.seen[n_passes - 1], shortened(learner, n_passes)
        short.fit(X, y)
        np.testing.assert_array_equal(seen.components_, short.components_)
        assert seen.score(X, y) == short.score(X, y)
        assert seen.n_iter_ == n_passes


@with_callbacks
@every_learner
@pytest.mark.filterwarnings("ignore:The objective still fell")
def test_a_learner_learns_without_callbacks(learner, X, y, monkeypatch):
    """As on an older scikit-learn."""
    model = clone(learner).fit(X, y)
    monkeypatch.delattr(_compat.CallbackSupportMixin, "_init_callback_context")
    plain = clone(learner).fit(X, y)
    np.testing.assert_array_equal(plain.components_, model.components_)
    assert plain.n_iter_ == model.n_iter_


@with_callbacks
@pytest.mark.filterwarnings("ignore:The objective still fell")
def test_partial_fit_goes_on_from_where_a_callback_stopped(X):
    learner = LEARNERS[0]
    stopped = clone(learner).set_callbacks(Onlooker(2)).fit(X)
    short = shortened(learner, 2).fit(X)
    np.testing.assert_array_equal(
        stopped.partial_fit(X).components_, short.partial_fit(X).components_
    )


@with_callbacks
@pytest.mark.filterwarnings("ignore:The objective still fell")
def test_scores_are_monitored_in_a_search_and_a_pipeline(X, y):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    learner = LEARNERS[3].set_params(max_iter=3)
    model = clone(learner).set_callbacks(monitor)
    grid = {"discriminativedictionarylearning__gamma": [0.5, 2.0]}
    search = GridSearchCV(make_pipeline(StandardScaler(), model), grid, cv=2)
    search.fit(X, y)
    logged = monitor.get_logs().data
    passes = [row["accuracy"] for row in logged if row["task_name"] == "pass"]
    # Two candidates on two folds, and the best one.
    assert len(passes) == 5 * 3
    assert search.score(X, y) in passes
