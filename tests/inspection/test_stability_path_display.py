"""The display of stability draws the selector's shares, and names what is stable."""

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.feature_selection import StabilitySelector
from sparselearn.inspection import StabilityPathDisplay
from sparselearn.inspection._style import FAINT
from sparselearn.linear_model import Lasso

matplotlib.use("Agg")


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 9))
    return X, X[:, [2, 5]] @ [2.0, -1.0] + rng.normal(size=80)


def names_of(display):
    return [label.get_text() for label in display.labels_]


def segments_of(display):
    return [segment[:, 1] for segment in display.others_.get_segments()]


def test_lines_are_the_shares(data, ax):
    selector = StabilitySelector(Lasso(), n_selected=5, n_pairs=5, random_state=0)
    selector.fit(*data)
    display = StabilityPathDisplay.from_estimator(selector, ax=ax)
    shares = selector.selection_paths_.toarray()
    for line, j in zip(display.lines_, selector.support_, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), selector.alphas_)
        np.testing.assert_allclose(line.get_ydata(), shares[j])
        assert line.get_color() != FAINT
    probable = selector.selection_probabilities_
    others = np.flatnonzero((probable > 0) & ~selector.get_support())
    for segment, j in zip(segments_of(display), others, strict=True):
        np.testing.assert_allclose(segment, shares[j])
    assert set(names_of(display)) == {f"x{j}" for j in selector.support_}
    assert set(display.threshold_line_.get_ydata()) == {0.75}
    (legend,) = ax.get_legend().get_texts()
    assert legend.get_text() == "threshold 0.75"
    assert ax.xaxis.get_inverted()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("alpha", "Selection probability")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_numbers_of_features_where_there_are_no_alphas(data, ax):
    selector = StabilitySelector(Ridge(), n_selected=4, n_pairs=3).fit(*data)
    display = StabilityPathDisplay.from_estimator(selector, ax=ax)
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), [1, 2, 3, 4])
    assert ax.get_xlabel() == "Number of features selected"
    assert not ax.xaxis.get_inverted()


def test_the_most_probable_are_named_first(ax):
    paths = np.array([[0, 0.8], [0.1, 1.0], [0, 0.2], [0.6, 1.0], [0, 0]])
    display = StabilityPathDisplay(
        sp.csc_array(paths),
        threshold=0.8,
        alphas=np.array([1.0, 0.5]),
        feature_names=list("abcde"),
    )
    assert display.plot(ax, n_labels=2) is display
    assert names_of(display) == ["d", "b"]
    assert len(display.lines_) == 3
    assert len(segments_of(display)) == 1
    colours = [line.get_color() for line in display.lines_]
    assert len(set(colours)) == 3
    assert [label.get_color() for label in display.labels_] == [colours[2], colours[1]]
    heights = [label.xyann[1] for label in display.labels_]
    assert heights[0] > heights[1]  # the first to rise on top
    assert max(heights) <= 1.0


def test_more_stable_features_than_colours_look_different(ax):
    paths = np.linspace(0.7, 1.0, 20)[:, None] * np.ones(3)
    display = StabilityPathDisplay(paths, threshold=0.6).plot(ax)
    looks = {(line.get_color(), line.get_linestyle()) for line in display.lines_}
    assert len(looks) == 20
    assert len(display.labels_) == 12


def test_pipeline_with_names(data, ax):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcdefghi"))
    selector = StabilitySelector(Lasso(), n_selected=3, n_pairs=4, random_state=0)
    pipeline = make_pipeline(StandardScaler(), selector, Ridge()).fit(frame, y)
    display = StabilityPathDisplay.from_estimator(pipeline, ax=ax)
    assert set(names_of(display)) == {"c", "f"}
    alone = selector.fit(frame, y)
    display = StabilityPathDisplay.from_estimator(alone, ax=Figure().subplots())
    assert set(names_of(display)) == {"c", "f"}


def test_nothing_selected_and_nothing_fitted(ax):
    display = StabilityPathDisplay(np.zeros((4, 1)), threshold=0.9).plot(ax)
    assert display.lines_ == display.labels_ == segments_of(display) == []
    ax.figure.canvas.draw()
    with pytest.raises(NotFittedError):
        StabilityPathDisplay.from_estimator(StabilitySelector(Lasso()), ax=ax)
