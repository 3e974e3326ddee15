"""Displays draw the numbers that they hold, say what they are, and keep artists."""

import matplotlib
import numpy as np
import pytest
import scipy.sparse as sp
from matplotlib.figure import Figure
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.inspection import CoefficientPathDisplay, SparsityScoreDisplay
from sparselearn.inspection._coefficient_path_display import _apart, _beside
from sparselearn.linear_model import (
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    MultiTaskLassoCV,
    SparseLogisticRegressionCV,
    elastic_net_path,
    information_criterion,
    lasso_path,
)

matplotlib.use("Agg")


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 8)) * np.arange(1, 9)
    return X, X[:, :3] @ [1.0, -0.5, 0.2] + 0.1 * rng.normal(size=60)


def results(rng, n=5, key="mean_test_sparsity"):
    return {
        key: rng.permutation(np.linspace(0.0, 0.99, n)),
        "mean_test_score": rng.random(n),
        "std_test_score": rng.random(n) / 10,
    }


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


# -- score against sparsity ---------------------------------------------------


@pytest.mark.parametrize("xscale", ["linear", "log"])
def test_curve_is_the_search_sorted_by_sparsity(rng, ax, xscale):
    cv = results(rng)
    display = SparsityScoreDisplay.from_cv_results(cv, ax=ax, xscale=xscale)
    order = np.argsort(cv["mean_test_sparsity"])
    x, mean = display.lines_[0].get_data()
    np.testing.assert_array_equal(x, cv["mean_test_sparsity"][order])
    np.testing.assert_array_equal(mean, cv["mean_test_score"][order])
    _, caps, (bars,) = display.errorbars_[0].lines
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    std = cv["std_test_score"][order]
    np.testing.assert_allclose(ends, np.c_[mean - std, mean + std])
    assert caps
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_several_models_and_a_baseline(rng, ax):
    cvs = {name: results(rng) for name in ("lasso", "pruned", "codes")}
    display = SparsityScoreDisplay.from_cv_results(
        cvs, baseline=0.5, score_name="Accuracy", ax=ax
    )
    assert texts(ax.get_legend()) == ["dense baseline", "lasso", "pruned", "codes"]
    assert set(display.baseline_.get_ydata()) == {0.5}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Sparsity", "Accuracy")
    looks = {(line.get_color(), line.get_marker()) for line in display.lines_}
    assert len({colour for colour, _ in looks}) == 3
    assert len({marker for _, marker in looks}) == 3


def test_more_models_than_colours_look_different(rng, ax):
    cvs = {f"model {k}": results(rng) for k in range(12)}
    display = SparsityScoreDisplay.from_cv_results(cvs, ax=ax)
    lines = display.lines_
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == 12
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 12


def test_plotting_on_used_axes_goes_on_in_the_palette(rng, ax):
    first = SparsityScoreDisplay.from_cv_results({"a": results(rng)}, ax=ax)
    second = SparsityScoreDisplay.from_cv_results({"b": results(rng)}, ax=ax)
    assert first.lines_[0].get_color() != second.lines_[0].get_color()
    assert texts(ax.get_legend()) == ["a", "b"]


def test_log_axis_spaces_non_zeros_evenly_and_shows_all_points(ax):
    sparsity = np.array([0.0, 0.9, 0.99, 1.0])
    SparsityScoreDisplay([sparsity], [np.ones(4)], [np.ones(4)]).plot(ax, xscale="log")
    x = ax.transData.transform(np.c_[sparsity, np.ones(4)])[:, 0]
    assert np.diff(x)[0] == pytest.approx(np.diff(x)[1])
    left, right = ax.bbox.x0, ax.bbox.x1
    assert left < x[0]
    assert np.all(np.diff(x) > 0)
    assert x[-1] < right
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert {"0 %", "90 %", "99 %"} <= set(labels)


def test_from_a_fitted_search(data, ax):
    search = GridSearchCV(
        Ridge(), {"alpha": [1.0, 10.0]}, scoring="neg_mean_squared_error"
    )
    search.fit(*data)
    display = SparsityScoreDisplay.from_estimator(
        {"ridge": search}, sparsity="param_alpha", ax=ax, xscale="log"
    )
    np.testing.assert_array_equal(
        display.lines_[0].get_xydata(),
        np.c_[[1.0, 10.0], search.cv_results_["mean_test_score"]],
    )
    assert ax.get_ylabel() == "Neg mean squared error"
    assert (ax.get_xlabel(), ax.get_xscale()) == ("alpha", "log")
    with pytest.raises(ValueError, match="not just one ends in 'sparsity'"):
        SparsityScoreDisplay.from_estimator(search)


def test_parameter_that_is_the_sparsity_is_found(rng, ax):
    cv = results(rng, key="param_pruner__sparsity")
    SparsityScoreDisplay.from_cv_results(cv, ax=ax)
    assert ax.get_xlabel() == "Sparsity"


def test_score_display_refuses(rng, ax):
    with pytest.raises(ValueError, match="mean_test_recall"):
        SparsityScoreDisplay.from_cv_results(results(rng), metric="recall", ax=ax)
    with pytest.raises(ValueError, match="xscale='cubic'"):
        SparsityScoreDisplay.from_cv_results(results(rng), xscale="cubic", ax=ax)


def test_without_axes_makes_a_figure(rng):
    import matplotlib.pyplot as plt

    display = SparsityScoreDisplay.from_cv_results(results(rng))
    assert display.plot(xscale="linear") is display
    assert display.ax_.get_legend() is None
    plt.close("all")


# -- coefficient path ---------------------------------------------------------


@pytest.mark.parametrize(
    ("estimator", "solve"),
    [
        (Lasso(alpha=0.3, fit_intercept=False), lasso_path),
        (ElasticNet(alpha=0.3, l1_ratio=0.7, fit_intercept=False), elastic_net_path),
    ],
)
def test_lines_are_the_path(data, ax, estimator, solve):
    X, y = data
    display = CoefficientPathDisplay.from_estimator(
        estimator, X, y, n_alphas=20, eps=1e-2, ax=ax
    )
    options = {"l1_ratio": 0.7} if solve is elastic_net_path else {}
    path = solve(X, y, n_alphas=20, eps=1e-2, fit_intercept=False, **options)
    coefs = path.coefs.toarray()
    coefs = coefs[np.any(coefs != 0, axis=1)]
    x = -np.log10(path.alphas / path.alphas.max())
    for line, coef in zip(display.lines_, coefs, strict=True):
        np.testing.assert_allclose(line.get_xdata(), x, atol=1e-12)
        np.testing.assert_allclose(line.get_ydata(), coef)
    (chosen,) = set(display.alpha_line_.get_xdata())
    assert chosen == pytest.approx(-np.log10(0.3 / path.alphas.max()))


def test_largest_coefficients_at_the_chosen_alpha_are_named(ax):
    alphas = np.array([1.0, 0.1, 0.01])
    coefs = np.array([[0, 0, 0], [0, 1, 9], [0, 5, 4], [0, -6, 1], [0, 0, 2]], float)
    names = ["nowhere", "a", "b", "c", "d"]
    display = CoefficientPathDisplay(alphas, coefs, feature_names=names, alpha=0.1)
    assert display.plot(ax, n_labels=2) is display
    assert [label.get_text() for label in display.labels_] == ["c", "b"]
    assert len(display.lines_) == 4
    named = {display.lines_[2].get_color(), display.lines_[1].get_color()}
    others = {display.lines_[0].get_color(), display.lines_[3].get_color()}
    assert len(named) == 2
    assert len(others) == 1
    assert not named & others
    assert {label.get_color() for label in display.labels_} == named
    assert texts(ax.get_legend()) == ["alpha = 0.1"]


def test_without_a_chosen_alpha_the_end_decides(ax):
    coefs = sp.csc_array(np.array([[0, 1.0, 9], [0, 5, 4]]))
    display = CoefficientPathDisplay(np.array([1.0, 0.1, 0.01]), coefs)
    display.plot(ax, n_labels=1)
    assert [label.get_text() for label in display.labels_] == ["x0"]
    assert display.alpha_line_ is None


def test_alpha_axis_falls_from_left_to_right(data, ax):
    X, y = data
    path = lasso_path(X, y, n_alphas=10)
    display = CoefficientPathDisplay.from_path(path, alpha=0.5, ax=ax, xscale="alpha")
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), path.alphas)
    assert ax.get_xscale() == "log"
    assert ax.xaxis.get_inverted()
    assert set(display.alpha_line_.get_xdata()) == {0.5}
    with pytest.raises(ValueError, match="xscale='x'"):
        display.plot(ax, xscale="x")


def test_pipeline_shows_the_path_of_what_its_last_step_sees(data, ax):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    pipeline = make_pipeline(StandardScaler(), Lasso(alpha=0.2)).fit(frame, y)
    display = CoefficientPathDisplay.from_estimator(pipeline, frame, y, ax=ax)
    path = lasso_path(StandardScaler().fit_transform(X), y)
    ends = [line.get_ydata()[-1] for line in display.lines_]
    coefs = path.coefs.toarray()
    np.testing.assert_allclose(ends, coefs[np.any(coefs != 0, axis=1), -1])
    assert "a" in [label.get_text() for label in display.labels_]


def test_all_zero_path_draws_nothing(ax):
    display = CoefficientPathDisplay(np.array([1.0, 0.5]), np.zeros((3, 2))).plot(ax)
    assert display.lines_ == display.labels_ == []


def test_any_name_can_be_drawn(ax):
    names = ["$\\bad{", "long " * 20]
    display = CoefficientPathDisplay(
        np.array([1.0, 0.1]), np.eye(2), feature_names=names, alpha=1.0
    ).plot(ax)
    ax.figure.canvas.draw()
    first, second = (label.get_text() for label in display.labels_)
    assert first == names[0]
    assert second == "long long long long lon…"


def test_names_are_apart_in_order_and_moved_least(rng):
    heights = rng.random(7)
    moved = _apart(heights, 0.06)
    assert np.diff(np.sort(moved)).min() >= 0.06 - 1e-12
    np.testing.assert_array_equal(np.argsort(moved), np.argsort(heights))
    far = np.arange(5) * 0.1
    np.testing.assert_allclose(_apart(far, 0.06), far)
    np.testing.assert_allclose(_apart(np.array([0.5, 0.5]), 0.1), [0.45, 0.55])


def test_names_stay_beside_the_axes(rng):
    """However many lines end in one place, if there is room for their names at all."""
    heights = _beside(_apart(np.ones(9), 0.1), 0.1)
    np.testing.assert_allclose(heights, np.arange(0.2, 1.01, 0.1))
    heights = _beside(_apart(np.zeros(4), 0.1), 0.1)
    np.testing.assert_allclose(heights, np.arange(0.0, 0.31, 0.1))
    crowd = _apart(rng.random(30), 0.1)
    np.testing.assert_array_equal(_beside(crowd, 0.1), crowd)


# -- paths of estimators that choose their alpha ------------------------------


def frame_of(X):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=list("abcdefgh"))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (LassoCV(12), "cross-validation"),
        (LassoCV(12, selection="1se"), "one standard error"),
        (LassoCV(12, selection="bic"), "BIC"),
        (ElasticNetCV(12, l1_ratio=[0.3, 0.8], cv=2), "cross-validation"),
    ],
)
def test_own_path_with_its_choice(data, ax, model, name):
    X, y = data
    model.fit(frame_of(X), y)
    display = CoefficientPathDisplay.from_estimator(model, ax=ax, xscale="alpha")
    coefs = model.coef_path_.toarray()
    used = np.any(coefs != 0, axis=1)
    alphas = np.atleast_2d(model.alphas_)
    ratios = np.atleast_1d(getattr(model, "l1_ratio", 1.0))
    alphas = alphas[np.flatnonzero(ratios == getattr(model, "l1_ratio_", 1.0))[0]]
    for line, coef in zip(display.lines_, coefs[used], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), alphas)
        np.testing.assert_array_equal(line.get_ydata(), coef)
    assert set(display.alpha_line_.get_xdata()) == {model.alpha_}
    assert texts(ax.get_legend()) == [f"{name}: alpha = {model.alpha_:.3g}"]
    assert {label.get_text() for label in display.labels_} <= set("abcdefgh")
    assert ax.get_ylabel() == "Coefficient"


def test_own_path_of_classes_and_targets_is_of_norms(data, ax):
    X, y = data
    labels = np.digitize(y, [-1.0, 1.0])
    model = SparseLogisticRegressionCV(5, cv=2).fit(X, labels)
    display = CoefficientPathDisplay.from_estimator(model, ax=ax)
    ends = [line.get_ydata()[-1] for line in display.lines_]
    last = model.coef_path_.toarray()[:, -1].reshape(3, -1)
    norms = np.linalg.norm(last, axis=0)
    np.testing.assert_allclose(ends, norms[norms > 0])
    assert ax.get_ylabel() == "Norm of coefficients"
    tasks = MultiTaskLassoCV(5, cv=2).fit(X, np.column_stack([y, X[:, 4]]))
    display = CoefficientPathDisplay.from_estimator(tasks, ax=Figure().subplots())
    ends = [line.get_ydata()[-1] for line in display.lines_]
    norms = np.linalg.norm(tasks.coef_path_[-1].toarray(), axis=0)
    np.testing.assert_allclose(ends, norms[norms > 0])
    binary = SparseLogisticRegressionCV(5, cv=2).fit(X, y > 0)
    display = CoefficientPathDisplay.from_estimator(binary, ax=Figure().subplots())
    assert display.ax_.get_ylabel() == "Coefficient"
    np.testing.assert_array_equal(
        [line.get_ydata()[-1] for line in display.lines_],
        [value for value in binary.coef_path_.toarray()[:, -1] if value],
    )


def test_own_path_at_the_end_of_a_pipeline(data, ax):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), LassoCV(10)).fit(frame_of(X), y)
    display = CoefficientPathDisplay.from_estimator(pipeline, ax=ax)
    assert "a" in [label.get_text() for label in display.labels_]
    with pytest.raises(ValueError, match="Lasso has no path of its own"):
        CoefficientPathDisplay.from_estimator(Lasso(), ax=ax)


def test_several_choices_are_told_apart(data, ax):
    X, y = data
    path = lasso_path(X, y, n_alphas=20)
    bic = information_criterion(path, X, y)
    chosen = {"cross-validation": path.alphas[5], "BIC": bic}
    display = CoefficientPathDisplay.from_path(path, alpha=chosen, ax=ax)
    places = [line.get_xdata()[0] for line in display.alpha_lines_]
    alphas = np.array([path.alphas[5], bic.alpha])
    np.testing.assert_allclose(places, -np.log10(alphas / path.alphas[0]))
    assert len({line.get_linestyle() for line in display.alpha_lines_}) == 2
    first, second = texts(ax.get_legend())
    assert first.startswith("cross-validation: alpha = ")
    assert second == f"BIC: alpha = {bic.alpha:.3g}"
    alone = CoefficientPathDisplay.from_path(path, alpha=bic, ax=Figure().subplots())
    assert texts(alone.ax_.get_legend()) == [second]
