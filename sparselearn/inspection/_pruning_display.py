"""Score against sparsity of a pruned estimator, with what chance would do."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sparselearn.inspection._sparsity_score_display import SparsityScoreDisplay
from sparselearn.inspection._style import FAINT, MUTED

__all__ = ["PruningDisplay"]

CONTROL = "random"


class PruningDisplay:
    """Score against the share of what is pruned, one curve a criterion.

    Make one with :meth:`from_estimator` or :meth:`from_path`.

    Parameters
    ----------
    curves : dict of str -> dict of ndarray
        Of each name "sparsity", "score" and, where there are folds, "error", their
        standard deviation.
    control : str, default=None
        Which of the curves is that of parts removed at random; it is drawn in grey.
    base_score : float, default=None
        Of the unpruned estimator.
    enough : float, default=None
        The score that was required.
    chosen : pair of float, default=None
        Sparsity and score of the choice.
    score_name : str, default="Score"

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : dict of str -> matplotlib Line2D
        One a curve.
    base_line_, tolerance_line_ : matplotlib Line2D or None
        At `base_score` and at `enough`.
    chosen_ : matplotlib PathCollection or None
        The mark of the choice.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sparselearn.inspection import PruningDisplay
    >>> from sparselearn.pruning import PrunerCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pruner = PrunerCV(Ridge(alpha=0.1), random_state=0).fit(X, y)
    >>> PruningDisplay.from_estimator(pruner)  # doctest: +SKIP
    """

    def __init__(
        self,
        curves,
        *,
        control=None,
        base_score=None,
        enough=None,
        chosen=None,
        score_name="Score",
    ):
        self.curves = curves
        self.control = control
        self.base_score = base_score
        self.enough = enough
        self.chosen = chosen
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator, *, score_name=None, **kwargs):
        """Draw what a fitted Pruner, or PrunerCV, has tried.

        Parameters
        ----------
        estimator : PrunerCV, or Pruner with a tolerance
            Of a PrunerCV all criteria with error bars over the folds; of a Pruner the
            path of its search, and the control of the race, if there was one.
        score_name : str, default=None
            Label of the vertical axis; None means the estimator's `scoring`.
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : PruningDisplay
        """
        check_is_fitted(estimator)
        if hasattr(estimator, "cv_results_"):
            curves, control = _of_folds(estimator.cv_results_)
            x = estimator.best_sparsity_
        elif hasattr(estimator, "path_"):
            curves, control = _of_search(estimator)
            n_parts = max(estimator.path_["n_nonzero_coefs"][0], 1)
            x = (n_parts - estimator.n_kept_) / n_parts
        else:
            raise ValueError(
                "The Pruner has no path: it was told how much to prune. Fit it with a "
                "tolerance, or draw a pruning_path by from_path."
            )
        scoring = estimator.scoring
        if score_name is None and isinstance(scoring, str):
            score_name = scoring.replace("_", " ").capitalize()
        display = cls(
            curves,
            control=control,
            base_score=estimator.base_score_,
            enough=estimator.base_score_ - estimator.tolerance_,
            chosen=(x, estimator.score_),
            score_name=score_name or "Score",
        )
        return display.plot(**kwargs)

    @classmethod
    def from_path(cls, path, *, score_name="Score", **kwargs):
        """Draw a `pruning_path`, or several.

        Parameters
        ----------
        path : PruningPath, or dict of str -> such
            A dict draws one curve for each, under the name of its key; that of
            ``criterion="random"`` in grey.
        score_name : str, default="Score"
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : PruningDisplay
        """
        several = isinstance(path, Mapping)
        paths = path if several else {str(path.criterion): path}
        curves = {
            name: {"sparsity": found.sparsity, "score": found.score}
            for name, found in paths.items()
        }
        controls = [n for n, found in paths.items() if found.criterion == CONTROL]
        first = next(iter(paths.values()))
        base = float(first.score[0]) if first.sparsity[0] == 0 else None
        display = cls(
            curves,
            control=next(iter(controls), None),
            base_score=base,
            score_name=score_name,
        )
        return display.plot(**kwargs)

    def plot(self, ax=None, *, xscale="linear", errorbar_kw=None):
        """Draw the curves; an error bar is one standard deviation over the folds.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, beside what is there; None makes a new figure.
        xscale : {"linear", "log"}, default="linear"
            With "log" 90 %, 99 % and 99.9 % pruned are equally far apart.
        errorbar_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        self
        """
        names = [name for name in self.curves if name != self.control]
        names += [self.control] * (self.control is not None)
        curves = [self.curves[name] for name in names]
        drawn = SparsityScoreDisplay(
            [curve["sparsity"] for curve in curves],
            [curve["score"] for curve in curves],
            [curve.get("error", np.zeros_like(curve["score"])) for curve in curves],
            names=names,
            baseline=self.base_score,
            baseline_name="unpruned",
            score_name=self.score_name,
        ).plot(ax, xscale=xscale, errorbar_kw=errorbar_kw)
        self.ax_, self.figure_ = drawn.ax_, drawn.figure_
        ax = self.ax_
        self.lines_ = dict(zip(names, drawn.lines_))
        self.base_line_ = drawn.baseline_
        # Criteria often prune the same: then a line shows around those on top of it.
        criteria = [self.lines_[name] for name in names if name != self.control]
        for k, line in enumerate(criteria):
            above = min(len(criteria) - 1 - k, 3)
            line.set_linewidth(line.get_linewidth() + 2.0 * above)
            line.set_markersize(line.get_markersize() + 3.0 * above)
        if self.control is not None:
            _fade(drawn.errorbars_[-1])
        self.tolerance_line_ = self.chosen_ = None
        if self.enough is not None:
            look = {"color": MUTED, "linestyle": ":", "linewidth": 1.8, "zorder": 1}
            self.tolerance_line_ = ax.axhline(self.enough, label="enough", **look)
        if self.chosen is not None:
            self.chosen_ = ax.scatter(
                *self.chosen,
                s=160,
                facecolors="none",
                edgecolors="black",
                linewidths=1.6,
                zorder=5,
                label="chosen",
            )
        ax.set_xlabel("Pruned")
        ax.legend(frameon=False)
        return self


def _of_folds(results):
    """Curves of `cv_results_`, and the name of the control."""
    pairs = list(zip(results["param_criterion"], results["param_refit"]))
    distinct = list(dict.fromkeys(pairs))
    criteria = [criterion for criterion, _ in distinct]
    curves, control = {}, None
    for criterion, refit in distinct:
        rows = np.array([pair == (criterion, refit) for pair in pairs])
        name = str(getattr(criterion, "__name__", criterion))
        if criteria.count(criterion) > 1:
            name = f"{name}, {refit}"
        if results["is_control"][rows].all():
            control = name
        curves[name] = {
            "sparsity": results["param_sparsity"][rows],
            "score": results["mean_test_score"][rows],
            "error": results["std_test_score"][rows],
        }
    return curves, control


def _of_search(pruner):
    """Curves of a search for a tolerance, and of the control of the race before it."""
    path = pruner.path_
    name = str(getattr(pruner.criterion_, "__name__", pruner.criterion_))
    curves = {name: {"sparsity": path["sparsity"], "score": path["score"]}}
    results = getattr(pruner, "strategy_results_", None)
    if results is None or CONTROL not in results["criterion"]:
        return curves, None
    rows = (results["criterion"] == CONTROL) & (results["calibration_share"] == 1.0)
    order = np.argsort(results["sparsity"][rows])
    curves[CONTROL] = {
        "sparsity": np.append(0.0, results["sparsity"][rows][order]),
        "score": np.append(pruner.base_score_, results["score"][rows][order]),
        "error": np.append(0.0, results["standard_error"][rows][order]),
    }
    return curves, CONTROL


def _fade(errorbar):
    line, caps, bars = errorbar.lines
    for artist in (line, *caps, *bars):
        artist.set_color(FAINT)
    for marked in (line, *caps):
        marked.set_markerfacecolor(FAINT)
        marked.set_markeredgecolor(FAINT)
