"""What training did epoch by epoch: loss, held-out score, sparsity."""

from collections.abc import Mapping

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sparselearn.inspection._style import MARKERS, MUTED, PALETTE, axes, tidy

__all__ = ["TrainingCurveDisplay"]

# Figures of a history that are no curve to look at unless asked for.
ASIDE = {"epoch", "learning_rate", "seconds"}
# Epochs up to which each has a marker.
FEW = 30


class TrainingCurveDisplay:
    """The `history_` of trained estimators, a panel for each figure.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    histories : list of dict of str -> array-like of shape (n_epochs,)
        One a curve; all with the same keys.
    names : list of str, default=None
        What the legend calls the curves. None leaves the legend out.
    best_epochs : list of (int or None), default=None
        The epoch of each curve, counted from 1, whose state was kept; a dotted line
        marks it. None marks nothing.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_quantities,)
    figure_ : matplotlib Figure
    lines_ : dict of str -> list of matplotlib Line2D
        Of each quantity, one line a curve.
    best_lines_ : dict of str -> list of (matplotlib Line2D or None)
        The dotted lines, likewise.

    Raises
    ------
    ValueError
        If a quantity is in no history, or `ax` is not an Axes for each quantity.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.inspection import TrainingCurveDisplay
    >>> from sparselearn.neural_network import SparseMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SparseMLPClassifier(max_iter=5, tol=0, random_state=0).fit(X / 16, y)
    >>> TrainingCurveDisplay.from_estimator(model)  # doctest: +SKIP
    """

    def __init__(self, histories, *, names=None, best_epochs=None):
        self.histories = histories
        self.names = names
        self.best_epochs = best_epochs

    @classmethod
    def from_estimator(cls, estimator, **kwargs):
        """Draw how fitted estimators were trained.

        Parameters
        ----------
        estimator : fitted estimator with `history_`, Pipeline that ends in one, or dict
            A dict of str -> such draws one curve for each, under the name of its key.
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : TrainingCurveDisplay
        """
        several = isinstance(estimator, Mapping)
        models = list(estimator.values()) if several else [estimator]
        models = [m[-1] if isinstance(m, Pipeline) else m for m in models]
        for model in models:
            check_is_fitted(model, "history_")
        display = cls(
            [model.history_ for model in models],
            names=list(estimator) if several else None,
            best_epochs=[getattr(model, "best_epoch_", None) for model in models],
        )
        return display.plot(**kwargs)

    def plot(self, ax=None, *, quantities=None, x="epoch", line_kw=None):
        """Draw the curves; one panel a quantity, side by side.

        Parameters
        ----------
        ax : matplotlib Axes or array of such, default=None
            Where to draw, one for each quantity, beside what is there; None makes a new
            figure.
        quantities : list of str, default=None
            Keys of the histories. None means all but learning rates and times.
        x : {"epoch", "seconds"}, default="epoch"
            The horizontal axis.
        line_kw : dict, default=None
            Passed to :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        self
        """
        if x not in ("epoch", "seconds"):
            raise ValueError(f"x={x!r} is neither 'epoch' nor 'seconds'.")
        quantities = self._check_quantities(quantities)
        self.axes_ = _panels(ax, len(quantities))
        self.figure_ = self.axes_[0].figure
        self.lines_, self.best_lines_ = {}, {}
        for panel, quantity in zip(self.axes_, quantities):
            self._draw(panel, quantity, x, line_kw or {})
        if self.names:
            self.axes_[0].legend(frameon=False)
        return self

    def _check_quantities(self, quantities):
        known = list(dict.fromkeys(key for h in self.histories for key in h))
        if quantities is None:
            # What is nowhere known, such as the score of held-out rows without any.
            return [
                key
                for key in known
                if key not in ASIDE
                and any(np.isfinite(_curve(h, key)).any() for h in self.histories)
            ]
        unknown = [key for key in quantities if key not in known]
        if unknown:
            raise ValueError(f"No history has {unknown[0]!r}; they have {known}.")
        return list(quantities)

    def _draw(self, panel, quantity, x, line_kw):
        drawn = len(panel.lines)  # go on in the palette where an earlier plot stopped
        names = self.names or [None] * len(self.histories)
        best = self.best_epochs or [None] * len(self.histories)
        self.lines_[quantity], self.best_lines_[quantity] = [], []
        for k, (history, name, epoch) in enumerate(zip(self.histories, names, best)):
            y = _curve(history, quantity)
            places = np.arange(1, y.size + 1)
            if x == "seconds":
                places = _curve(history, "seconds")[: y.size]
            look = _look(drawn + k, name, few=y.size <= FEW) | line_kw
            (line,) = panel.plot(places, y, **look)
            self.lines_[quantity].append(line)
            mark = None
            if epoch is not None and epoch <= y.size:
                mark = panel.axvline(
                    places[epoch - 1],
                    color=line.get_color() if self.names else MUTED,
                    linestyle=":",
                    linewidth=1.5,
                    zorder=1,
                )
            self.best_lines_[quantity].append(mark)
        label = quantity.replace("_", " ").capitalize()
        panel.set(xlabel="Epoch" if x == "epoch" else "Seconds", ylabel=label)
        if "sparsity" in quantity or "share" in quantity:
            panel.yaxis.set_major_formatter(lambda y, _: f"{round(100 * y, 6):g} %")
        tidy(panel)


def _curve(history, key):
    """The values of `key`, NaN for None; none at all where the key is not."""
    return np.asarray(history.get(key, []), dtype=np.float64)


def _panels(ax, n_panels):
    """An array of `n_panels` Axes: `ax`, or those of a new figure."""
    if ax is not None:
        found = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    else:
        first = axes(figsize=(4.2 * n_panels, 3.6))
        figure = first.figure
        figure.delaxes(first)
        found = np.array(
            [figure.add_subplot(1, n_panels, k + 1) for k in range(n_panels)], object
        )
    if found.size != n_panels:
        raise ValueError(
            f"ax has {found.size} Axes for {n_panels} quantities; give one for each, "
            "or choose by quantities=."
        )
    return found


def _look(k, name, *, few):
    return {
        "color": PALETTE[k % len(PALETTE)],
        "marker": MARKERS[k % len(MARKERS)] if few else None,
        "markersize": 4,
        "linestyle": ("-", "--", ":")[min(k // len(PALETTE), 2)],
        "linewidth": 2,
        "label": name,
    }
