"""The coefficients of a linear model as its penalty falls."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from sparselearn.inspection._style import FAINT, MUTED, PALETTE, axes, cut, tidy
from sparselearn.linear_model import (
    InformationCriterion,
    elastic_net_path,
    lasso_path,
)

__all__ = ["CoefficientPathDisplay", "end_names", "invert_log", "used_rows"]

# Lines at chosen alphas, told apart without colours.
DASHES = "--", ":", "-."
MAX_NAME = 24  # letters of a label; longer ones would leave no room for the lines


class CoefficientPathDisplay:
    """Coefficients against the penalty's weight, the largest ones by name.

    Make one with :meth:`from_path` or :meth:`from_estimator`.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Weights of the penalty.
    coefs : ndarray or sparse array of shape (n_features, n_alphas)
    feature_names : sequence of str of shape (n_features,), default=None
        None means "x0", "x1", ...
    alpha : float, InformationCriterion or dict of str -> such, default=None
        The chosen alpha, to be marked by a vertical line; of a dict, several by name.
    coef_name : str, default="Coefficient"
        Label of the vertical axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One for each feature that is non-zero somewhere, in the order of features.
    labels_ : list of matplotlib Annotation
        The names of the labelled features, the largest coefficient first.
    alpha_line_ : matplotlib Line2D or None
        The first of `alpha_lines_`, if there is one.
    alpha_lines_ : list of matplotlib Line2D
        One for each chosen alpha.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.inspection import CoefficientPathDisplay
    >>> from sparselearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> CoefficientPathDisplay.from_estimator(Lasso(alpha=0.5), X, y)  # doctest: +SKIP
    """

    def __init__(
        self, alphas, coefs, *, feature_names=None, alpha=None, coef_name="Coefficient"
    ):
        self.alphas = alphas
        self.coefs = coefs
        self.feature_names = feature_names
        self.alpha = alpha
        self.coef_name = coef_name

    @classmethod
    def from_path(cls, path, *, feature_names=None, alpha=None, **kwargs):
        """Draw what a path function returned.

        Parameters
        ----------
        path : object with attributes `alphas` and `coefs`
            As of :func:`~sparselearn.linear_model.lasso_path`.
        feature_names : sequence of str of shape (n_features,), default=None
        alpha : float, InformationCriterion or dict of str -> such, default=None
            The chosen alpha, to be marked by a vertical line; of a dict, several by
            name. The result of
            :func:`~sparselearn.linear_model.information_criterion` has its own name.
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : CoefficientPathDisplay
        """
        display = cls(path.alphas, path.coefs, feature_names=feature_names, alpha=alpha)
        return display.plot(**kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        y=None,
        *,
        sample_weight=None,
        alphas=None,
        n_alphas=100,
        eps=1e-3,
        feature_names=None,
        **kwargs,
    ):
        """Draw the path of a fitted CV estimator, or solve that of a Lasso on X and y.

        Parameters
        ----------
        estimator : estimator, or fitted Pipeline that ends in one
            LassoCV, ElasticNetCV, GroupLassoCV, SparseLogisticRegressionCV or
            MultiTaskLassoCV, fitted: its path on all data, with the alpha that it chose
            marked; of several classes or targets, norms over these. Or Lasso or
            ElasticNet: their parameters, but for alpha, are those of the path, and
            their alpha is marked.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        y : array-like of shape (n_samples,), default=None
            For Lasso and ElasticNet.
        sample_weight : array-like of shape (n_samples,), default=None
        alphas, n_alphas, eps
            As in :func:`~sparselearn.linear_model.lasso_path`; for Lasso and
            ElasticNet.
        feature_names : sequence of str of shape (n_features,), default=None
            None means those that the estimator was fitted with, or the names of the
            columns of X, if it has any.
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : CoefficientPathDisplay
        """
        before = None
        if isinstance(estimator, Pipeline):
            before, estimator = estimator[:-1], estimator[-1]
            named = hasattr(X, "columns") or hasattr(before, "feature_names_in_")
            if feature_names is None and named:
                feature_names = before.get_feature_names_out()
        if hasattr(estimator, "coef_path_"):
            if feature_names is None:
                feature_names = getattr(estimator, "feature_names_in_", None)
            display = cls(*_own_path(estimator), feature_names=feature_names)
            display.alpha = {_name_of(estimator): estimator.alpha_}
            if np.atleast_2d(estimator.coef_).shape[0] > 1:
                display.coef_name = "Norm of coefficients"
            return display.plot(**kwargs)
        if X is None or y is None:
            raise ValueError(
                f"{type(estimator).__name__} has no path of its own: fit it, if it "
                "chooses its alpha, or give X and y."
            )
        if before is not None:
            X = before.transform(X)
        if feature_names is None and hasattr(X, "columns"):
            feature_names = list(X.columns)
        parameters = estimator.get_params(deep=False)
        alpha = parameters.pop("alpha")
        shared = ("penalty_weights", "fit_intercept", "positive", "tol", "max_iter")
        options = {name: parameters[name] for name in shared if name in parameters}
        solve = lasso_path
        if "l1_ratio" in parameters:
            solve, options["l1_ratio"] = elastic_net_path, parameters["l1_ratio"]
        path = solve(
            X,
            y,
            sample_weight=sample_weight,
            alphas=alphas,
            n_alphas=n_alphas,
            eps=eps,
            **options,
        )
        return cls.from_path(path, feature_names=feature_names, alpha=alpha, **kwargs)

    def plot(self, ax=None, *, xscale="relative", n_labels=7, line_kw=None):
        """Draw one line a feature; the penalty falls from left to right.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        xscale : {"relative", "alpha"}, default="relative"
            ``-log10(alpha / alpha_max)``, with alpha_max the largest of `alphas`; or
            alpha itself, on a falling logarithmic axis.
        n_labels : int, default=7
            How many features to colour and name: those with the largest coefficient
            at the (first) chosen alpha, or at the smallest one if none is chosen.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot`, for all lines.

        Returns
        -------
        self
        """
        if xscale not in ("relative", "alpha"):
            raise ValueError(f"xscale={xscale!r} is neither 'relative' nor 'alpha'.")
        self.ax_ = ax = axes(ax)
        self.figure_ = ax.figure
        alphas = np.asarray(self.alphas, dtype=np.float64)
        place = alphas if xscale == "alpha" else -np.log10(alphas / alphas.max())
        used, coefs = used_rows(self.coefs)
        chosen = next(iter(_chosen(self.alpha).values()), None)
        largest = _largest(coefs, alphas, chosen)[:n_labels]
        colours = dict(zip(largest, _cycle(PALETTE)))
        self.lines_ = [
            ax.plot(place, coef, **_look(colours.get(k)) | (line_kw or {}))[0]
            for k, coef in enumerate(coefs)
        ]
        ax.axhline(0.0, color=MUTED, linewidth=0.8, zorder=1)
        self._label_axis(ax, xscale)
        self._mark_alpha(ax, xscale, alphas)
        names = self.feature_names
        self.labels_ = end_names(
            ax,
            [f"x{used[k]}" if names is None else str(names[used[k]]) for k in largest],
            [self.lines_[k] for k in largest],
        )
        return self

    def _label_axis(self, ax, xscale):
        tidy(ax)
        ax.margins(x=0)  # lines end where their names begin
        if xscale == "alpha":
            invert_log(ax)
        label = "alpha" if xscale == "alpha" else "$-\\log_{10}(\\alpha/\\alpha_{max})$"
        ax.set(xlabel=label, ylabel=self.coef_name)

    def _mark_alpha(self, ax, xscale, alphas):
        self.alpha_lines_ = []
        for k, (name, alpha) in enumerate(_chosen(self.alpha).items()):
            relative = xscale == "relative"
            x = -np.log10(alpha / alphas.max()) if relative else alpha
            label = f"alpha = {alpha:.3g}"
            line = ax.axvline(
                x,
                label=f"{name}: {label}" if name else label,
                color=MUTED,
                linestyle=DASHES[k % len(DASHES)],
                linewidth=1.8,
                zorder=1.6,
            )
            self.alpha_lines_.append(line)
        self.alpha_line_ = next(iter(self.alpha_lines_), None)
        if not self.alpha_lines_:
            return
        # Above the axes: inside them a curve may run anywhere.
        place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0)}
        ax.legend(handles=self.alpha_lines_, frameon=False, borderpad=0, **place)


def _chosen(alpha):
    """The alphas to mark, by name; that of a lone number is empty."""
    if alpha is None:
        return {}
    if isinstance(alpha, Mapping):
        return {name: getattr(value, "alpha", value) for name, value in alpha.items()}
    if isinstance(alpha, InformationCriterion):
        return {alpha.criterion.upper(): alpha.alpha}
    return {"": alpha}


def _name_of(estimator):
    """How a fitted estimator has chosen its alpha."""
    how = {"min": "cross-validation", "1se": "one standard error"}
    return how.get(estimator.selection, estimator.selection.upper())


def _own_path(estimator):
    """The alphas of a fitted CV estimator, and a row of coefficients a feature."""
    alphas, path = np.asarray(estimator.alphas_), estimator.coef_path_
    if alphas.ndim > 1:  # one row an l1_ratio; the path is of the chosen one
        ratios = np.atleast_1d(estimator.l1_ratio)
        alphas = alphas[np.flatnonzero(ratios == estimator.l1_ratio_)[0]]
    if isinstance(path, list):  # a matrix of targets an alpha
        norms = [np.sqrt(np.sum(coef.toarray() ** 2, axis=0)) for coef in path]
        return alphas, np.array(norms).T
    n_rows = np.atleast_2d(estimator.coef_).shape[0]
    if n_rows > 1:  # one class after another
        blocks = path.toarray().reshape(n_rows, -1, alphas.size)
        path = np.sqrt(np.sum(blocks**2, axis=0))
    return alphas, path


def used_rows(coefs):
    """Which features are non-zero somewhere, and their rows of `coefs`, dense."""
    rows = sp.csr_array(coefs)
    rows.eliminate_zeros()
    used = np.flatnonzero(np.diff(rows.indptr))
    return used, rows[used].toarray()


def _largest(coefs, alphas, alpha):
    """Rows of `coefs` by size at `alpha`, the largest first, then at the smallest."""
    last = np.abs(coefs[:, np.argmin(alphas)])
    at = last if alpha is None else np.abs(coefs[:, np.abs(alphas - alpha).argmin()])
    return np.lexsort((-last, -at)).tolist()


def _cycle(colours):
    while True:
        yield from colours


def _look(colour):
    if colour is None:
        return {"color": FAINT, "linewidth": 1.0, "zorder": 1.5}
    return {"color": colour, "linewidth": 2.2, "zorder": 2.5}


def invert_log(ax):
    """Make the horizontal axis of `ax` logarithmic, and fall to the right."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.set_xscale("log")
    ax.xaxis.set_inverted(True)
    low, high = ax.dataLim.intervalx
    # Within a few decades also 2 and 5 times the powers of ten have labels.
    few = low > 0.0 and high < 300.0 * low
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if few else (1.0,)))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def end_names(ax, names, lines, *, gap=0.06):
    """Write each name to the right of the end of its line, none over another.

    They are `gap` apart at least, in units of the axes' height, and where they fit
    beside the axes, they are; of lines that end in one place the first is on top.
    """
    if not names:
        return []
    ends = np.array([line.get_ydata()[_right_end(ax, line)] for line in lines])
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)  # what follows must not move the lines
    places = (ends - low) / (high - low)
    heights = _beside(_apart(places[::-1], gap)[::-1], gap)
    return [
        ax.annotate(
            cut(name, MAX_NAME),
            xy=(1.0, end),
            xycoords=("axes fraction", "data"),
            xytext=(1.03, height),
            textcoords="axes fraction",
            color=line.get_color(),
            va="center",
            annotation_clip=False,
            parse_math=False,  # a dollar in a name is a dollar
            arrowprops={
                "arrowstyle": "-",
                "color": line.get_color(),
                "shrinkA": 0,
                "relpos": (0, 0.5),
            },
        )
        for name, end, height, line in zip(names, ends, heights, lines)
    ]


def _right_end(ax, line):
    x = line.get_xdata()
    return int(np.argmin(x) if ax.xaxis.get_inverted() else np.argmax(x))


def _apart(heights, gap):
    """`heights` moved up or down as little as keeps them `gap` apart, in their order.

    With t_k = h_k - k gap for sorted h, "apart" reads "t rises": pool neighbours that
    fall (isotonic regression).
    """
    order = np.argsort(heights, kind="stable")
    pools = []
    for k, i in enumerate(order):
        pools.append([heights[i] - k * gap, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, size = pools.pop()
            before, n = pools[-1]
            pools[-1] = [(before * n + mean * size) / (n + size), n + size]
    level = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    moved = np.empty(len(order))
    moved[order] = level + gap * np.arange(len(order))
    return moved


def _beside(heights, gap):
    """`heights` that are `gap` apart, moved into [0, 1] if so many fit in."""
    n = len(heights)
    rank = np.argsort(np.argsort(heights, kind="stable"), kind="stable")
    if (n - 1) * gap > 1.0:
        return heights
    return np.clip(heights, gap * rank, 1.0 - gap * (n - 1 - rank))
