"""How often each feature is selected as the penalty falls."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sparselearn.inspection._coefficient_path_display import (
    end_names,
    invert_log,
    used_rows,
)
from sparselearn.inspection._style import FAINT, MUTED, PALETTE, axes, tidy

__all__ = ["StabilityPathDisplay"]


class StabilityPathDisplay:
    """Selection probabilities against alpha or the number of features selected.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    paths : ndarray or sparse array of shape (n_features, n_steps)
        Shares of the halves that select each feature, step after step.
    threshold : float
        From which on a feature is stable.
    alphas : ndarray of shape (n_steps,), default=None
        The alpha of each step, decreasing. None means that step k is the selection of
        k + 1 features.
    feature_names : sequence of str of shape (n_features,), default=None
        None means "x0", "x1", ...

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        One for each stable feature, in the order of features.
    others_ : matplotlib LineCollection
        One segment for each other feature that is ever selected, in that order.
    labels_ : list of matplotlib Annotation
        The names of the stable features that are named, the most probable first.
    threshold_line_ : matplotlib Line2D

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.feature_selection import StabilitySelector
    >>> from sparselearn.inspection import StabilityPathDisplay
    >>> from sparselearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> selector = StabilitySelector(Lasso(), n_selected=5, random_state=0).fit(X, y)
    >>> StabilityPathDisplay.from_estimator(selector)  # doctest: +SKIP
    """

    def __init__(self, paths, *, threshold, alphas=None, feature_names=None):
        self.paths = paths
        self.threshold = threshold
        self.alphas = alphas
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, *, feature_names=None, **kwargs):
        """Draw what a stability selector has found.

        Parameters
        ----------
        estimator : fitted StabilitySelector, or Pipeline with one as a step
        feature_names : sequence of str of shape (n_features,), default=None
            None means those that it was fitted with, if any.
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : StabilityPathDisplay
        """
        selector = estimator
        if isinstance(estimator, Pipeline):
            steps = [step for _, step in estimator.steps]
            found = [k for k, s in enumerate(steps) if hasattr(s, "selection_paths_")]
            place = found[-1] if found else -1
            selector = steps[place]
            if feature_names is None and hasattr(estimator, "feature_names_in_"):
                names = estimator.feature_names_in_
                before = estimator[:place]
                feature_names = (
                    before.get_feature_names_out() if len(before.steps) else names
                )
        check_is_fitted(selector, "selection_paths_")
        if feature_names is None:
            feature_names = getattr(selector, "feature_names_in_", None)
        display = cls(
            selector.selection_paths_,
            threshold=selector.threshold_,
            alphas=getattr(selector, "alphas_", None),
            feature_names=feature_names,
        )
        return display.plot(**kwargs)

    def plot(self, ax=None, *, n_labels=12, line_kw=None):
        """Draw one line a feature; the selection grows from left to right.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_labels : int, default=12
            How many stable features to name at most, those of the highest
            probabilities. All are in colour.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot`, for stable features.

        Returns
        -------
        self
        """
        self.ax_ = ax = axes(ax)
        self.figure_ = ax.figure
        used, shares = used_rows(self.paths)
        place = np.arange(1, shares.shape[1] + 1)
        if self.alphas is not None:
            place = np.asarray(self.alphas, dtype=np.float64)
        highest = shares.max(axis=1, initial=0.0)
        stable = np.flatnonzero(highest >= self.threshold - 1e-9)
        self._draw_others(ax, place, np.delete(shares, stable, axis=0))
        self.lines_ = []
        for k, row in enumerate(stable):
            look = {
                "color": PALETTE[k % len(PALETTE)],
                "linestyle": ("-", "--", ":")[min(k // len(PALETTE), 2)],
                "linewidth": 2.2,
                "zorder": 2.5,
            }
            self.lines_ += ax.plot(place, shares[row], **look | (line_kw or {}))
        self._label_axis(ax, place)
        # Those of the same probability in the order in which they rise.
        rise = shares[stable].sum(axis=1)
        named = np.lexsort((-rise, -highest[stable]))[:n_labels]
        self.labels_ = end_names(
            ax,
            [self._name(used[stable[k]]) for k in named],
            [self.lines_[k] for k in named],
            gap=0.05,
        )
        return self

    def _name(self, feature):
        names = self.feature_names
        return f"x{feature}" if names is None else str(names[feature])

    def _draw_others(self, ax, place, shares):
        from matplotlib.collections import LineCollection

        segments = [np.column_stack([place, row]) for row in shares]
        # One artist: there may be thousands.
        self.others_ = LineCollection(segments, colors=FAINT, linewidths=1.0)
        self.others_.set_zorder(1.5)
        ax.add_collection(self.others_, autolim=False)

    def _label_axis(self, ax, place):
        tidy(ax)
        self.threshold_line_ = ax.axhline(
            self.threshold,
            color=MUTED,
            linestyle=(0, (1, 1.5)),
            linewidth=1.8,
            zorder=2,
            label=f"threshold {self.threshold:.3g}",
        )
        ax.legend(
            handles=[self.threshold_line_],
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),  # inside the axes a curve may run anywhere
            frameon=False,
            borderpad=0,
        )
        if self.alphas is not None:
            invert_log(ax)
            name = "alpha"
        else:
            ax.xaxis.get_major_locator().set_params(integer=True)
            name = "Number of features selected"
        ends = place.min(), place.max()
        if ends[0] < ends[1]:
            ax.set_xlim(*(ends[::-1] if self.alphas is not None else ends))
        ax.set(xlabel=name, ylabel="Selection probability", ylim=(0.0, 1.02))
