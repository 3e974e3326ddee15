"""Score against sparsity, as a search over the sparsity of a model found it."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sparselearn.inspection._style import MARKERS, MUTED, PALETTE, axes, tidy

__all__ = ["SparsityScoreDisplay"]

# By how often the colours have begun again: the line, and whether markers are full.
LINES = (("-", True), ("--", False), (":", True))

_ZEROS = (0, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9999, 0.99999)


class SparsityScoreDisplay:
    """Cross-validated score against sparsity, one curve a model.

    Make one with :meth:`from_estimator` or :meth:`from_cv_results`.

    Parameters
    ----------
    sparsity : list of ndarray of shape (n_candidates,)
        The sparsity of the candidates, an array for each curve.
    score_mean, score_std : list of ndarray of shape (n_candidates,)
        Mean and standard deviation of their score over the folds.
    names : list of str, default=None
        What the legend calls the curves. None leaves the legend out.
    baseline : float, default=None
        The score of a dense model, to be drawn as a horizontal line.
    baseline_name : str, default="dense baseline"
    score_name : str, default="Score"
        Label of the vertical axis.
    sparsity_name : str, default="Sparsity"
        Label of the horizontal axis; "Sparsity" is written in percent.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    errorbars_ : list of matplotlib ErrorbarContainer
        One for each curve.
    lines_ : list of matplotlib Line2D
        Their lines through the mean scores.
    baseline_ : matplotlib Line2D or None

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.inspection import SparsityScoreDisplay
    >>> display = SparsityScoreDisplay(
    ...     [np.array([0.0, 0.9])], [np.array([0.97, 0.95])], [np.array([0.01, 0.02])]
    ... )
    >>> display.plot().lines_[0].get_ydata()  # doctest: +SKIP
    array([0.97, 0.95])
    """

    def __init__(
        self,
        sparsity,
        score_mean,
        score_std,
        *,
        names=None,
        baseline=None,
        baseline_name="dense baseline",
        score_name="Score",
        sparsity_name="Sparsity",
    ):
        self.sparsity = sparsity
        self.score_mean = score_mean
        self.score_std = score_std
        self.names = names
        self.baseline = baseline
        self.baseline_name = baseline_name
        self.score_name = score_name
        self.sparsity_name = sparsity_name

    @classmethod
    def from_estimator(cls, estimator, *, score_name=None, **kwargs):
        """Draw what a fitted search found.

        Parameters
        ----------
        estimator : GridSearchCV or the like, or dict of str -> such
            Fitted; a dict draws one curve for each, under the name of its key.
        score_name : str, default=None
            Label of the vertical axis; None means the search's `scoring`.
        **kwargs
            As in :meth:`from_cv_results`.

        Returns
        -------
        display : SparsityScoreDisplay
        """
        searches = estimator if isinstance(estimator, Mapping) else {None: estimator}
        for search in searches.values():
            check_is_fitted(search, "cv_results_")
        scoring = getattr(next(iter(searches.values())), "scoring", None)
        if score_name is None and isinstance(scoring, str):
            score_name = scoring.replace("_", " ").capitalize()
        results = {name: search.cv_results_ for name, search in searches.items()}
        if not isinstance(estimator, Mapping):
            results = results[None]
        return cls.from_cv_results(results, score_name=score_name, **kwargs)

    @classmethod
    def from_cv_results(
        cls,
        cv_results,
        *,
        sparsity=None,
        metric="score",
        score_name=None,
        baseline=None,
        baseline_name="dense baseline",
        ax=None,
        xscale="linear",
        errorbar_kw=None,
    ):
        """Draw the `cv_results_` of a search.

        Parameters
        ----------
        cv_results : dict, or dict of str -> such
            A dict of them draws one curve for each, under the name of its key.
        sparsity : str, default=None
            The key of `cv_results` that holds the sparsity. None means a metric named
            "sparsity" if the search recorded one, else its one parameter whose name
            ends in "sparsity".
        metric : str, default="score"
            Which metric of the search is the score.
        score_name : str, default=None
            Label of the vertical axis; None means `metric`.
        baseline : float, default=None
            The score of a dense model, to be drawn as a horizontal line.
        baseline_name : str, default="dense baseline"
        ax, xscale, errorbar_kw
            As in :meth:`plot`.

        Returns
        -------
        display : SparsityScoreDisplay
        """
        several = all(isinstance(value, Mapping) for value in cv_results.values())
        results = cv_results if several else {None: cv_results}
        keys = [
            _sparsity_key(r) if sparsity is None else sparsity for r in results.values()
        ]
        curves = [_curve(r, key, metric) for r, key in zip(results.values(), keys)]
        display = cls(
            *map(list, zip(*curves)),
            names=list(results) if several else None,
            baseline=baseline,
            baseline_name=baseline_name,
            score_name=score_name or metric.replace("_", " ").capitalize(),
            sparsity_name=_axis_name(keys[0]),
        )
        return display.plot(ax, xscale=xscale, errorbar_kw=errorbar_kw)

    def plot(self, ax=None, *, xscale="linear", errorbar_kw=None):
        """Draw the curves; one error bar is one standard deviation over the folds.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, beside what is there; None makes a new figure.
        xscale : {"linear", "log"}, default="linear"
            With "log", and sparsity on the axis, it is the share of non-zeros that is
            logarithmic: 90 %, 99 % and 99.9 % zeros are equally far apart.
        errorbar_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        self
        """
        if xscale not in ("linear", "log"):
            raise ValueError(f"xscale={xscale!r} is neither 'linear' nor 'log'.")
        self.ax_ = ax = axes(ax)
        self.figure_ = ax.figure
        drawn = len(ax.containers)  # go on in the palette where an earlier plot stopped
        names = self.names or [None] * len(self.sparsity)
        self.errorbars_ = [
            ax.errorbar(x, mean, std, **_look(drawn + i, name) | (errorbar_kw or {}))
            for i, (x, mean, std, name) in enumerate(
                zip(self.sparsity, self.score_mean, self.score_std, names)
            )
        ]
        self.lines_ = [bars.lines[0] for bars in self.errorbars_]
        self.baseline_ = None
        if self.baseline is not None:
            look = {"color": MUTED, "linestyle": "--", "linewidth": 1.8, "zorder": 1}
            self.baseline_ = ax.axhline(self.baseline, label=self.baseline_name, **look)
        ax.set(xlabel=self.sparsity_name, ylabel=self.score_name)
        tidy(ax)
        self._scale(xscale)
        if self.names or self.baseline is not None:
            ax.legend(frameon=False)
        return self

    def _scale(self, xscale):
        ax = self.ax_
        if self.sparsity_name != "Sparsity":
            ax.set_xscale(xscale)
            return
        if xscale == "log":
            drawn = [bars.lines[0].get_xdata() for bars in ax.containers]
            _log_of_non_zeros(ax, np.concatenate(drawn))
        ax.xaxis.set_major_formatter(lambda x, _: f"{round(100 * x, 6):g} %")


def _sparsity_key(cv_results):
    """The key of `cv_results` under which the sparsity is found."""
    if "mean_test_sparsity" in cv_results:
        return "mean_test_sparsity"
    parameters = [key for key in cv_results if key.startswith("param_")]
    found = [key for key in parameters if key.endswith("sparsity")]
    if len(found) != 1:
        raise ValueError(
            "cv_results has no metric 'sparsity', and of its parameters "
            f"{', '.join(parameters)} not just one ends in 'sparsity': say by "
            "sparsity= which key to draw against."
        )
    return found[0]


def _curve(cv_results, key, metric):
    columns = key, f"mean_test_{metric}", f"std_test_{metric}"
    missing = [column for column in columns if column not in cv_results]
    if missing:
        raise ValueError(f"cv_results has no {missing[0]!r}; it has {[*cv_results]}.")
    x, mean, std = (np.asarray(cv_results[c], dtype=np.float64) for c in columns)
    order = np.argsort(x, kind="stable")
    return x[order], mean[order], std[order]


def _axis_name(key):
    name = key.removeprefix("mean_test_").removeprefix("param_").split("__")[-1]
    return "Sparsity" if name == "sparsity" else name


def _look(i, name):
    """How curve `i` looks; where colours begin again, with hollow markers on dashes."""
    again, colour = divmod(i, len(PALETTE))
    line, filled = LINES[min(again, len(LINES) - 1)]
    return {
        "color": PALETTE[colour],
        "marker": MARKERS[(i + again) % len(MARKERS)],
        "linestyle": line,
        "markerfacecolor": PALETTE[colour] if filled else "white",
        "label": name,
        "markersize": 6,
        "linewidth": 2,
        "elinewidth": 1.2,
        "capsize": 3,
    }


def _log_of_non_zeros(ax, sparsity):
    """Make the horizontal axis of `ax` logarithmic in 1 - sparsity."""
    density = 1 - sparsity
    # A model of zeros only has no logarithm: it stands a little beyond the others.
    beyond = density[density > 0].min(initial=1.0) / 2

    def forward(s):
        share = 1 - np.asarray(s, dtype=np.float64)
        return -np.log10(np.where(share > 0, share, beyond))

    def inverse(t):
        return 1 - 10.0 ** -np.asarray(t, dtype=np.float64)

    ax.set_xscale("function", functions=(forward, inverse))
    low, high = forward([sparsity.min(), sparsity.max()])
    margin = 0.04 * max(high - low, 0.3)
    ax.set_xlim(1 - 10 ** (margin - low), 1 - 10 ** -(high + margin))
    ticks, last = [], -np.inf
    for tick in _ZEROS:
        place = -np.log10(1 - tick)
        if low - margin <= place <= high + margin and place - last > 2.2 * margin:
            ticks, last = [*ticks, tick], place
    ax.set_xticks(ticks)
