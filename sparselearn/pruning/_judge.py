"""Scores of fitted estimators on rows kept apart, and how sure they are."""

from itertools import islice
from typing import NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import check_scoring
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
    check_cv,
)

from sparselearn._compat import n_rows_of, rows_of, takes_weights

__all__ = [
    "Departures",
    "Judge",
    "Split",
    "hold_out",
    "is_bounded",
    "mean_and_error",
    "standard_error",
]

FEWEST = 10  # rows to keep apart; with fewer all rows serve for everything
ENOUGH = 500  # rows apart that tell candidates from one another; with fewer, by folds
N_FOLDS = 5
N_GROUPS = 10  # of the jackknife

# Metrics whose best value is 1, so that an absolute tolerance has a meaning.
BOUNDED = {
    "accuracy",
    "adjusted_mutual_info_score",
    "adjusted_rand_score",
    "average_precision",
    "balanced_accuracy",
    "d2_absolute_error_score",
    "d2_brier_score",
    "d2_log_loss_score",
    "explained_variance",
    "matthews_corrcoef",
    "r2",
    "top_k_accuracy",
}
BOUNDED_FAMILIES = ("f1", "jaccard", "precision", "recall", "roc_auc")


class Judge:
    """Scores estimators on the rows that it holds; greater is better.

    Parameters
    ----------
    estimator : estimator
        Fitted, of the kind that will be scored.
    scoring : str, callable or None
        As in :func:`~sklearn.metrics.check_scoring`.
    X, y : array-like
    sample_weight : array-like or None
        Left out where the metric takes none.
    """

    def __init__(self, estimator, scoring, X, y, sample_weight=None):
        self.scorer = check_scoring(estimator, scoring=scoring)
        if sample_weight is not None:
            # Metrics of older scikit-learn take arrays only.
            takes = takes_weights(self.scorer, estimator)
            sample_weight = np.asarray(sample_weight) if takes else None
        self.rows = X, y, sample_weight

    def __call__(self, estimator, rows=None):
        """Score of a fitted estimator, on all rows or on some of them."""
        X, y, weight = self.rows
        if rows is not None:
            X, y, weight = (
                part if part is None else rows_of(part, rows) for part in self.rows
            )
        options = {} if weight is None else {"sample_weight": weight}
        target = () if y is None else (y,)
        # The weights are the caller's own: they are asked for by nobody else.
        with config_context(enable_metadata_routing=False):
            return float(self.scorer(estimator, X, *target, **options))

    def replicates(self, estimator):
        """Scores without one group of rows after the other; for `standard_error`."""
        n_rows = n_rows_of(self.rows[0])
        group = np.arange(n_rows) % min(N_GROUPS, n_rows)
        return np.array(
            [
                self(estimator, np.flatnonzero(group != left_out))
                for left_out in range(group.max() + 1)
            ]
        )


class Departures:
    r"""How far pruned copies of an estimator depart from it, on rows kept apart.

    With z what the last map gives before its activation, dense, and :math:`\hat z`
    pruned, a row departs by :math:`\|z - \hat z\|^2`, in units of the mean of
    :math:`\|z - \bar z\|^2`; of classes, whose z have no origin, each less its mean.
    Every row tells, whereas an accuracy hangs on the few that are near a boundary: on
    rows that the estimator was fitted to it hardly falls at all.

    Parameters
    ----------
    blocks : list of Block
        Of the estimator, dense.
    data : Calibration
        Of the rows.

    Attributes
    ----------
    weights : ndarray (n_rows,)
        Of the rows; their sum is 1.
    """

    def __init__(self, blocks, data):
        self.data, self.weights = data, data.weights
        self.values = self._outputs(blocks)
        spread = data.std(self.values) ** 2
        self.unit = float(spread.sum()) or 1.0

    def __call__(self, pruned):
        """Of each row, how far `pruned`, a Pruned, departs."""
        gap = self.values - self._outputs(pruned.blocks)
        return np.square(gap).sum(axis=1) / self.unit

    def _outputs(self, blocks):
        *_, last = self.data.inputs(blocks)
        z = last @ blocks[-1].matrix() + blocks[-1].constants()
        z = np.asarray(z, dtype=np.float64)
        if blocks[-1].activation == "softmax":
            z -= z.mean(axis=1, keepdims=True)
        return z


def mean_and_error(weights, values):
    """The weighted mean of rows, and its standard error; weights sum to 1."""
    mean = weights @ values
    return float(mean), float(np.linalg.norm(weights * (values - mean)))


def standard_error(replicates):
    """Jackknife estimate of the standard error of a score, or of a difference.

    With g replicates, ``se² = (g - 1) / g · sum (r_i - mean r)²``.

    References
    ----------
    B. Efron, R. Tibshirani, "An introduction to the bootstrap", 1993, chapter 11.
    """
    n_groups = len(replicates)
    deviations = replicates - np.mean(replicates)
    return float(np.sqrt((n_groups - 1) / n_groups * np.sum(deviations**2)))


def is_bounded(estimator, scoring):
    """Whether 1 is the best score there can be."""
    if scoring is None:
        return is_classifier(estimator) or is_regressor(estimator)
    return isinstance(scoring, str) and (
        scoring in BOUNDED or scoring.startswith(BOUNDED_FAMILIES)
    )


class Split(NamedTuple):
    """Rows to learn from, and rows kept apart.

    Parameters
    ----------
    learned, apart : ndarray of int
    folds : list of pairs of ndarray of int
        Such rows again, by which candidates are compared: these, where there are
        enough of them, or of several folds.
    """

    learned: np.ndarray
    apart: np.ndarray
    folds: list


def hold_out(estimator, X, y, *, fraction, cv=None, groups=None, seed=0):
    """Rows to learn from, and rows kept apart; None if these were too few to judge by.

    Parameters
    ----------
    estimator : estimator
        For a classifier each class keeps its share of both parts, where it has enough
        rows.
    fraction : float
        Share of the rows to keep apart.
    cv : cross-validation generator, iterable, int or None
        Its first split is taken, instead of one of `fraction`, and as folds its first
        five.
    groups : array-like or None
        A group is not divided.

    Returns
    -------
    split : Split, or None
    """
    if cv is not None:
        splitter = check_cv(cv, y, classifier=is_classifier(estimator))
        folds = list(islice(splitter.split(X, y, groups), N_FOLDS))
        few = len(folds[0][1]) < ENOUGH
        return Split(*folds[0], folds if few else folds[:1])
    n_rows = n_rows_of(X)
    n_apart = round(fraction * n_rows)
    if n_apart < FEWEST:
        return None
    once, often = _splitters(estimator, y, fraction, n_apart, groups, seed)
    first = next(once.split(X, y, groups))
    few = len(first[1]) < ENOUGH and often is not None
    return Split(*first, list(often.split(X, y, groups)) if few else [first])


def _splitters(estimator, y, fraction, n_apart, groups, seed):
    """What splits rows once, and what into folds."""
    if groups is not None:
        once = GroupShuffleSplit(1, test_size=fraction, random_state=seed)
        n_folds = min(np.unique(groups).size, N_FOLDS)
        return once, GroupKFold(n_folds) if n_folds > 1 else None
    kind, folds = ShuffleSplit, KFold
    if is_classifier(estimator) and np.ndim(y) == 1:
        sizes = np.unique(y, return_counts=True)[1]
        if sizes.min() > 1 and sizes.size <= min(n_apart, sizes.sum() - n_apart):
            kind = StratifiedShuffleSplit
        if sizes.min() >= N_FOLDS:
            folds = StratifiedKFold
    once = kind(1, test_size=n_apart, random_state=seed)
    return once, folds(N_FOLDS, shuffle=True, random_state=seed)
