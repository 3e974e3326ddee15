"""The display of training draws what the history holds."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.inspection import TrainingCurveDisplay
from sparselearn.neural_network import SparseMLPRegressor

matplotlib.use("Agg")


@pytest.fixture
def axes():
    return Figure().subplots(1, 4)


@pytest.fixture
def model(rng):
    X = rng.standard_normal((60, 4))
    model = SparseMLPRegressor(
        (4,), l1=0.01, max_iter=6, batch_size=20, early_stopping=True, random_state=0
    )
    return make_pipeline(StandardScaler(), model).fit(X, X[:, 0])


def test_lines_are_the_history(model, axes):
    display = TrainingCurveDisplay.from_estimator(model, ax=axes)
    history = model[-1].history_
    assert list(display.lines_) == ["loss", "penalty", "sparsity", "score"]
    for panel, (quantity, lines) in zip(axes, display.lines_.items()):
        (line,) = lines
        np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 7))
        np.testing.assert_array_equal(line.get_ydata(), history[quantity])
        assert panel.get_ylabel() == quantity.capitalize()
        assert panel.get_xlabel() == "Epoch"
        assert panel.get_legend() is None
        (best,) = display.best_lines_[quantity]
        assert set(best.get_xdata()) == {model[-1].best_epoch_}
    assert list(display.axes_) == list(axes)
    assert display.figure_ is axes[0].figure
    axes[0].figure.canvas.draw()
    labels = [label.get_text() for label in axes[2].get_yticklabels()]
    assert all(label.endswith("%") for label in labels)


def test_several_runs_by_time(model, axes, rng):
    X = rng.standard_normal((60, 4))
    other = SparseMLPRegressor((3,), max_iter=9, batch_size=20).fit(X, X[:, 1])
    display = TrainingCurveDisplay.from_estimator(
        {"first": model, "second": other},
        quantities=["learning_rate", "score"],
        x="seconds",
        ax=axes[:2],
        line_kw={"linewidth": 7},
    )
    first, second = display.lines_["learning_rate"]
    np.testing.assert_array_equal(second.get_xdata(), other.history_["seconds"])
    np.testing.assert_array_equal(second.get_ydata(), other.history_["learning_rate"])
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert first.get_linewidth() == 7
    texts = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert texts == ["first", "second"]
    assert axes[0].get_xlabel() == "Seconds"
    assert axes[0].get_ylabel() == "Learning rate"
    # The second has no held-out score, hence no curve of one.
    assert display.lines_["score"][1].get_xdata().size == 0
    mark = display.best_lines_["score"][0]
    best = model[-1].best_epoch_ - 1
    assert set(mark.get_xdata()) == {model[-1].history_["seconds"][best]}


def test_it_goes_on_where_there_is_something(model, axes):
    histories = [{"loss": [3.0, 1.0], "score": [np.nan, np.nan]}]
    display = TrainingCurveDisplay(histories, names=["a"])
    assert display.plot(axes[0]) is display
    assert list(display.lines_) == ["loss"]
    assert display.best_lines_ == {"loss": [None]}
    colour = display.lines_["loss"][0].get_color()
    again = TrainingCurveDisplay(histories, names=["b"]).plot(axes[0])
    assert again.lines_["loss"][0].get_color() != colour
    texts = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert texts == ["a", "b"]


def test_it_makes_a_figure_with_a_panel_for_each(model):
    import matplotlib.pyplot as plt

    display = TrainingCurveDisplay.from_estimator(model)
    assert display.figure_.axes == list(display.axes_)
    assert len(display.axes_) == 4
    plt.close(display.figure_)


def test_it_says_what_is_wrong(model, axes):
    with pytest.raises(ValueError, match="No history has 'accuracy'"):
        TrainingCurveDisplay.from_estimator(model, quantities=["accuracy"])
    with pytest.raises(ValueError, match="ax has 2 Axes for 4 quantities"):
        TrainingCurveDisplay.from_estimator(model, ax=axes[:2])
    with pytest.raises(ValueError, match="x='step'"):
        TrainingCurveDisplay.from_estimator(model, x="step")
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(SparseMLPRegressor())
