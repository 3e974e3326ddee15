"""The report's pictures, as PNG in base64."""

import base64
import io

import numpy as np
import scipy.sparse as sp

from sparselearn._report._models import targets
from sparselearn._report._reading import input_weights
from sparselearn._report._results import METRICS
from sparselearn.inspection import (
    AtomsDisplay,
    CoefficientPathDisplay,
    SparsityScoreDisplay,
)
from sparselearn.inspection._style import FAINT
from sparselearn.linear_model import alpha_max, lasso_path

__all__ = [
    "atoms",
    "centroids",
    "coefficient_path",
    "feature_maps",
    "score_against_sparsity",
]

DPI = 144
MAX_ATOMS = 100
MAPS_A_LINE = 4  # of more, the page would shrink the names
THIN = {"linewidth": 1.3, "markersize": 4.5, "elinewidth": 0.8, "capsize": 2}
STYLE = {"font.size": 11, "axes.titlesize": 11, "legend.fontsize": 10}


def _picture(draw, width, height):
    """The PNG that ``draw(figure)`` makes; matplotlib's global state stays as it is."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI)
    return base64.b64encode(file.getvalue()).decode("ascii")


def score_against_sparsity(problem, outcomes):
    """Every model's curve, the choices by one standard error, and what bounds all.

    The dense baseline is a line.
    """
    metric = problem.metric
    swept = {o.name: o.cv_results for o in outcomes if o.swept}
    dense = [o.best.cv_mean for o in outcomes if not o.swept]

    def draw(figure):
        ax = figure.subplots()
        display = SparsityScoreDisplay.from_cv_results(
            swept,
            baseline=dense[0] if dense else None,
            score_name=f"Cross-validated {METRICS[metric]}",
            ax=ax,
            xscale="log",
            errorbar_kw=THIN,
        )
        bottom, top = _limits(problem, swept.values())
        _draw_frontier(ax, display, bottom)
        _draw_choices(ax, [o for o in outcomes if o.swept])
        ax.set_ylim(bottom, top)
        ax.get_legend().remove()
        figure.legend(loc="outside lower center", ncols=4, frameon=False)

    return _picture(draw, 9, 6.2) if swept else None


def _draw_frontier(ax, display, bottom):
    """The best mean score of any model that is at least as sparse."""
    sparsity = np.concatenate(display.sparsity)
    score = np.concatenate(display.score_mean)
    order = np.argsort(-sparsity, kind="stable")
    best = np.maximum.accumulate(score[order])
    seen = best >= bottom
    ax.plot(
        sparsity[order][seen],
        best[seen],
        drawstyle="steps-post",
        color=FAINT,
        linewidth=7,
        alpha=0.55,
        solid_capstyle="butt",
        zorder=0.5,
        label="frontier of all models",
    )


def _draw_choices(ax, outcomes):
    """A ring around each model's sparsest choice within one standard error."""
    chosen = [(o.cv_results, o.sparse.index) for o in outcomes]
    ax.scatter(
        [results["mean_test_sparsity"][i] for results, i in chosen],
        [results["mean_test_score"][i] for results, i in chosen],
        s=130,
        facecolors="none",
        edgecolors="#1D2329",
        linewidths=1.4,
        zorder=5,
        label="one-standard-error choice",
    )


def _limits(problem, results):
    """The ends of the axis of scores: what every model does at its best is on it.

    A model that is pruned to nothing guesses, or, in regression, does far worse; what
    the last percents cost would not be seen beside that.
    """
    bars = []
    for cv in results:
        best = np.argmax(cv["mean_test_score"])
        mean, std = cv["mean_test_score"][best], cv["std_test_score"][best]
        bars.append((mean - std, mean, mean + std))
    low, mean, high = np.transpose(bars)
    classes = problem.task == "classification"
    guess = 1 / len(np.unique(problem.y)) if classes else 0.0
    guess = min(guess, max(mean) - 0.05)
    span = max(mean) - guess
    bottom = max(guess - 0.1 * span, min(max(mean) - 0.4 * span, min(low)))
    return bottom - 0.02 * span, min(max(high) + 0.1 * span, 1.01)


def coefficient_path(problem, outcome):
    """The Lasso's coefficients against its penalty.

    With several classes there is one Lasso a class, all at the same alpha: a line is
    then the Euclidean norm of a feature's coefficients over the classes.
    """
    columns = targets(problem).T
    largest = max(alpha_max(problem.X, y) for y in columns)
    alphas = largest * np.geomspace(1, 1e-3, 60)
    # To the eye a gap of 1e-4 is none.
    paths = [lasso_path(problem.X, y, alphas=alphas, tol=1e-4) for y in columns]
    coefs = [sp.csr_array(path.coefs) for path in paths]
    name = "Coefficient"
    if len(columns) > 1:
        coefs = [np.sqrt(sum(class_coefs.power(2) for class_coefs in coefs))]
        name = f"Norm over {len(columns)} classes"
    (chosen,) = outcome.cv_results["params"][outcome.best.index].values()
    display = CoefficientPathDisplay(
        alphas,
        coefs[0],
        feature_names=problem.shown,
        alpha=chosen,
        coef_name=name,
    )
    return _picture(lambda figure: display.plot(figure.subplots()), 9, 4.5)


def _most_used(problem, outcome, attribute):
    """Of the step whose `components_` are used as `attribute` says, the first of these.

    None where rows are no images or no step has them.
    """
    steps = [
        step for _, step in outcome.best.pipeline.steps if hasattr(step, attribute)
    ]
    if problem.data.image_shape is None or not steps:
        return None
    order = np.argsort(-getattr(steps[0], attribute), kind="stable")
    return np.asarray(steps[0].components_)[order[:MAX_ATOMS]]


def centroids(problem, outcome):
    """The centroids of an outcome's pipeline as images; None if it has none."""
    components = _most_used(problem, outcome, "counts_")
    if components is None:
        return None
    images = _as_images(problem, components)

    def draw(figure):
        ax = figure.subplots()
        ax.imshow(_mosaic(images), cmap="gray", interpolation="nearest")
        ax.set_axis_off()

    return _picture(draw, 6, 6 * _mosaic_ratio(len(images)))


def atoms(problem, outcome):
    """The atoms of a dictionary as images; None if an outcome's pipeline has none."""
    components = _most_used(problem, outcome, "atom_usage_")
    if components is None:
        return None
    # An atom is a direction from black, not a picture.
    images = _as_images(problem, components)
    images -= _as_images(problem, np.zeros_like(components[:1]))
    display = AtomsDisplay(
        images.reshape(len(images), -1), image_shape=problem.data.image_shape
    )
    ratio = _mosaic_ratio(len(images))
    return _picture(lambda figure: display.plot(figure.subplots()), 6, 6 * ratio)


def feature_maps(problem, outcomes):
    """Where in the image each model's weights are; None where rows are no images."""
    weighed = {}
    for outcome in outcomes:
        weights = input_weights(outcome.best.pipeline, len(problem.preparation))
        if weights is not None:
            weighed[outcome.name] = weights / max(weights.max(), 1e-300)
    if problem.data.image_shape is None or not weighed:
        return None

    n_lines = -(-len(weighed) // MAPS_A_LINE)
    n_columns = -(-len(weighed) // n_lines)

    def draw(figure):
        panels = figure.subplots(n_lines, n_columns, squeeze=False).ravel()
        for ax in panels[len(weighed) :]:
            ax.remove()
        for ax, (name, weights) in zip(panels, weighed.items()):
            image = np.zeros(np.prod(problem.data.image_shape))
            image[problem.preparation["varies"].get_support()] = weights
            image = image.reshape(problem.data.image_shape)
            ax.imshow(
                np.ma.masked_equal(image, 0), cmap="viridis", interpolation="nearest"
            )
            ax.set(title=name, xticks=[], yticks=[], facecolor="#E6E8EB")

    return _picture(draw, 2.1 * n_columns, 2.4 * n_lines)


def _as_images(problem, rows):
    """Prepared rows, as they were before they were scaled and lost constant pixels."""
    for name in ("scale", "varies"):
        rows = problem.preparation[name].inverse_transform(rows)
    return rows.reshape(len(rows), *problem.data.image_shape)


def _mosaic_ratio(n):
    n_columns = int(np.ceil(np.sqrt(n)))
    return int(np.ceil(n / n_columns)) / n_columns


def _mosaic(images):
    """One image of all, each at its own contrast, a thin white line between them."""
    n, height, width = images.shape
    n_columns = int(np.ceil(np.sqrt(n)))
    n_lines = int(np.ceil(n / n_columns))
    low = images.min(axis=(1, 2), keepdims=True)
    spread = np.maximum(np.ptp(images, axis=(1, 2), keepdims=True), 1e-12)
    sheet = np.ones((n_lines * (height + 1) - 1, n_columns * (width + 1) - 1))
    for k, image in enumerate((images - low) / spread):
        i, j = divmod(k, n_columns)
        top, left = i * (height + 1), j * (width + 1)
        sheet[top : top + height, left : left + width] = image
    return sheet
