"""The display of pruning draws what was tried, the control, and the choice."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge

from sparselearn.inspection import PruningDisplay
from sparselearn.inspection._style import FAINT
from sparselearn.pruning import Pruner, PrunerCV, pruning_path

matplotlib.use("Agg")


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def problem(rng):
    X = rng.normal(size=(200, 12))
    return X, X @ 2.0 ** -np.arange(12) + 0.1 * rng.normal(size=200)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_of_folds(problem, ax):
    pruner = PrunerCV(Ridge(), cv=3, random_state=0).fit(*problem)
    display = PruningDisplay.from_estimator(pruner, ax=ax)
    results = pruner.cv_results_
    names = {"magnitude, fold", "magnitude, obs", "obs", "random"}
    assert set(display.lines_) == names
    rows = results["is_control"]
    x, y = display.lines_["random"].get_data()
    np.testing.assert_array_equal(x, results["param_sparsity"][rows])
    np.testing.assert_array_equal(y, results["mean_test_score"][rows])
    np.testing.assert_array_equal(
        display.curves["random"]["error"], results["std_test_score"][rows]
    )
    assert display.lines_["random"].get_color() == FAINT
    assert display.lines_["obs"].get_color() != FAINT
    assert set(display.base_line_.get_ydata()) == {pruner.base_score_}
    enough = pruner.base_score_ - pruner.tolerance_
    assert set(display.tolerance_line_.get_ydata()) == {enough}
    (place,) = display.chosen_.get_offsets()
    np.testing.assert_array_equal(place, [pruner.best_sparsity_, pruner.score_])
    assert set(labels(ax)) == names | {"unpruned", "enough", "chosen"}


def test_of_a_search(problem, ax):
    pruner = Pruner(Ridge(), scoring="r2", random_state=0).fit(*problem)
    display = PruningDisplay.from_estimator(pruner, ax=ax)
    assert set(display.lines_) == {pruner.criterion_, "random"}
    x, y = display.lines_[pruner.criterion_].get_data()
    np.testing.assert_array_equal(x, pruner.path_["sparsity"])
    np.testing.assert_array_equal(y, pruner.path_["score"])
    (place,) = display.chosen_.get_offsets()
    np.testing.assert_allclose(place, [pruner.sparsity_, pruner.score_])
    assert ax.get_ylabel() == "R2"
    named = Pruner(Ridge(), criterion="magnitude", random_state=0).fit(*problem)
    assert list(PruningDisplay.from_estimator(named).lines_) == ["magnitude"]


def test_of_paths(problem, ax):
    model = Ridge().fit(*problem)
    paths = {
        name: pruning_path(model, *problem, criterion=criterion, random_state=0)
        for name, criterion in (("chance", "random"), ("size", "magnitude"))
    }
    display = PruningDisplay.from_path(paths, ax=ax, xscale="log")
    assert list(display.lines_) == ["size", "chance"]
    assert display.lines_["chance"].get_color() == FAINT
    np.testing.assert_array_equal(
        display.lines_["size"].get_ydata(), paths["size"].score
    )
    assert set(display.base_line_.get_ydata()) == {model.score(*problem)}
    assert display.tolerance_line_ is None is display.chosen_
    alone = PruningDisplay.from_path(paths["size"])
    assert list(alone.lines_) == ["magnitude"]


def test_without_a_path(problem):
    with pytest.raises(NotFittedError):
        PruningDisplay.from_estimator(PrunerCV(Ridge()))
    told = Pruner(Ridge(), sparsity=0.5).fit(*problem)
    with pytest.raises(ValueError, match="no path"):
        PruningDisplay.from_estimator(told)


def test_lines_under_others_show_around_them(problem, ax):
    """And all of the control is faint."""
    pruner = PrunerCV(Ridge(), cv=3, random_state=0).fit(*problem)
    display = PruningDisplay.from_estimator(pruner, ax=ax)
    lines = [line for name, line in display.lines_.items() if name != "random"]
    widths = [line.get_linewidth() for line in lines]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == len(lines)
    control = display.lines_["random"]
    errorbar = next(bars for bars in ax.containers if bars.lines[0] is control)
    line, caps, _ = errorbar.lines
    colours = [(part.get_color(), part.get_markeredgecolor()) for part in (line, *caps)]
    assert set(colours) == {(FAINT, FAINT)}
