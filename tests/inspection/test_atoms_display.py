"""Atoms are drawn as they are, in their order, and no two over one another."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.decomposition import SparseCoder
from sparselearn.inspection import AtomsDisplay
from sparselearn.inspection._style import FAINT, PALETTE

matplotlib.use("Agg")


@pytest.fixture
def ax():
    return Figure(figsize=(11, 6)).subplots()


def tiles(display, shape, n, n_columns, gap=1):
    """What the sheet shows in the place of each atom, and what is left of it."""
    sheet = np.ma.filled(display.image_.get_array().astype(float), np.nan).copy()
    found = []
    for k in range(n):
        top, left = (
            (shape[0] + gap) * (k // n_columns),
            (shape[1] + gap) * (k % n_columns),
        )
        place = np.s_[top : top + shape[0], left : left + shape[1]]
        found.append(sheet[place].copy())
        sheet[place] = np.inf
    return np.array(found), sheet


@pytest.mark.parametrize("common_scale", [False, True])
def test_signed_atoms_are_images(rng, ax, common_scale):
    atoms = rng.standard_normal((7, 12)) * np.arange(1, 8)[:, None]
    display = AtomsDisplay(atoms, image_shape=(3, 4)).plot(
        ax, common_scale=common_scale
    )
    drawn, rest = tiles(display, (3, 4), 7, 3)
    peaks = np.abs(atoms).max(axis=None if common_scale else 1, keepdims=True)
    np.testing.assert_allclose(drawn.reshape(7, 12), atoms / peaks)
    assert np.isnan(rest[~np.isinf(rest)]).all()
    assert rest.shape == (3 * 4 - 1, 3 * 5 - 1)
    assert display.image_.get_clim() == (-1.0, 1.0)
    zero, high, low = display.image_.cmap([0.5, 1.0, 0.0])
    assert min(zero[:3]) > 0.9  # white
    assert high[2] > high[0]  # blue
    assert low[0] > low[2]  # red
    np.testing.assert_allclose(
        display.image_.cmap.get_bad(), matplotlib.colors.to_rgba(FAINT)
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert list(ax.images) == [display.image_]
    assert not ax.axison


def test_atoms_without_negative_pixels_go_from_white_to_black(rng, ax):
    atoms = rng.random((4, 6))
    atoms[2] = 0.0
    display = AtomsDisplay(atoms, image_shape=(2, 3)).plot(ax)
    drawn, _ = tiles(display, (2, 3), 4, 2)
    np.testing.assert_allclose(drawn.max(axis=(1, 2)), [1, 1, 0, 1])
    assert display.image_.get_clim() == (0.0, 1.0)
    white, black = display.image_.cmap([0.0, 1.0])
    assert white[0] == 1.0
    assert black[0] == 0.0


@pytest.mark.parametrize("signed", [False, True])
def test_colour_atoms(rng, ax, signed):
    atoms = rng.random((5, 2 * 3 * 3)) - 0.5 * signed
    display = AtomsDisplay(atoms, image_shape=(2, 3, 3)).plot(ax, n_columns=5)
    drawn, rest = tiles(display, (2, 3), 5, 5)
    expected = atoms / np.abs(atoms).max(axis=1, keepdims=True)
    expected = 0.5 + 0.5 * expected if signed else expected
    np.testing.assert_allclose(drawn.reshape(5, 18), expected)
    gaps = rest[~np.isinf(rest).any(axis=2)]
    assert len(gaps) == 2 * 4
    np.testing.assert_allclose(gaps, [matplotlib.colors.to_rgb(FAINT)] * len(gaps))


def test_chosen_atoms_in_a_chosen_order(rng, ax):
    atoms = rng.standard_normal((6, 4))
    display = AtomsDisplay(atoms, image_shape=(2, 2)).plot(
        ax, atoms=[5, -6, 2], n_columns=1, cmap="PuOr"
    )
    drawn, _ = tiles(display, (2, 2), 3, 1)
    wanted = atoms[[5, 0, 2]]
    np.testing.assert_allclose(
        drawn.reshape(3, 4), wanted / np.abs(wanted).max(axis=1, keepdims=True)
    )
    assert display.image_.cmap.name == "PuOr"


def test_bars_are_the_largest_features(rng, ax):
    atoms = rng.standard_normal((4, 8))
    atoms[1, 2:] = 0.0
    names = [f"$name {j}" for j in range(8)]
    display = AtomsDisplay(atoms, feature_names=names).plot(ax, n_features=3)
    assert display.image_ is None
    assert len(display.bars_) == len(display.labels_) == 4
    for atom, bars, labels in zip(atoms, display.bars_, display.labels_):
        largest = np.argsort(-np.abs(atom))[: min(3, np.count_nonzero(atom))]
        widths = [bar.get_width() for bar in bars]
        np.testing.assert_allclose(widths, atom[largest] / np.abs(atom).max())
        assert [label.get_text() for label in labels] == [names[j] for j in largest]
        for bar, label in zip(bars, labels):
            positive = bar.get_width() > 0
            colour = PALETTE[0] if positive else PALETTE[1]
            assert matplotlib.colors.to_hex(bar.get_facecolor()).upper() == colour
            # The name is on the empty side.
            assert (label.get_position()[0] < 0) == positive
            assert label.get_ha() == ("right" if positive else "left")
    panels = ax.child_axes
    assert [panel.get_title() for panel in panels] == [f"Atom {k}" for k in range(4)]
    ax.figure.canvas.draw()
    boxes = [panel.get_window_extent() for panel in panels]
    for a, first in enumerate(boxes):
        for second in boxes[a + 1 :]:
            assert not first.padded(-1).overlaps(second)


def test_names_stay_inside_their_panel():
    X, _ = load_diabetes(return_X_y=True)
    names = ["a very long name of a feature" for _ in range(10)]
    display = AtomsDisplay.from_estimator(
        PCA(6).fit(X), feature_names=names, common_scale=True
    )
    display.figure_.canvas.draw()
    for panel, labels in zip(display.ax_.child_axes, display.labels_):
        box = panel.get_window_extent()
        for label in labels:
            assert label.get_text().endswith("…")
            extent = label.get_window_extent()
            assert box.x0 - 1 <= extent.x0 < extent.x1 <= box.x1 + 1
    matplotlib.pyplot.close(display.figure_)


def test_only_so_many_panels(rng, ax):
    display = AtomsDisplay(rng.standard_normal((30, 4))).plot(ax)
    assert len(display.bars_) == 12
    assert display.labels_[0][0].get_text().startswith("x")
    display = AtomsDisplay(rng.standard_normal((30, 4))).plot(atoms=np.arange(14))
    assert len(display.bars_) == 14
    matplotlib.pyplot.close(display.figure_)


def test_from_an_estimator(rng):
    X, _ = load_diabetes(return_X_y=True, as_frame=True)
    coder = SparseCoder(rng.standard_normal((3, 10))).fit(X)
    pipe = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    for estimator, components in (
        (coder, coder.components_),
        (pipe, pipe[-1].components_),
    ):
        display = AtomsDisplay.from_estimator(estimator)
        atom = components[0]
        label = display.labels_[0][0].get_text()
        assert label == X.columns[np.argmax(np.abs(atom))]
        matplotlib.pyplot.close(display.figure_)
    with pytest.raises(NotFittedError):
        AtomsDisplay.from_estimator(PCA())


@pytest.mark.parametrize("shape", [(3, 5), (12,), (2, 2, 3, 1), (2, 3, 2)])
def test_shapes_are_checked(rng, ax, shape):
    with pytest.raises(ValueError, match="does not fit atoms of 12 features"):
        AtomsDisplay(rng.random((2, 12)), image_shape=shape).plot(ax)


def test_names_are_counted(rng, ax):
    with pytest.raises(ValueError, match="has 2 names; atoms have 12"):
        AtomsDisplay(rng.random((2, 12)), feature_names=["a", "b"]).plot(ax)


def test_bars_fill_their_panels():
    """Where atoms have fewer features than bars are allowed."""
    display = AtomsDisplay(np.ones((2, 3))).plot(Figure().subplots(), n_features=8)
    (panel,) = {bars.patches[0].axes for bars in display.bars_[:1]}
    assert panel.get_ylim() == (2.5, -0.5)
