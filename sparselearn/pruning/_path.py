"""Score against sparsity of one fitted estimator, on rows of the user's choice."""

from copy import deepcopy
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, validate_params
from sparselearn._parallel import map_threads
from sparselearn.pruning._bench import Bench
from sparselearn.pruning._procedure import Plan, check_parts, observe, seed_of
from sparselearn.pruning._prune import (
    CHOICE_CONSTRAINTS,
    CONSTRAINTS,
    DATA_CONSTRAINTS,
)
from sparselearn.pruning._search import counts_down
from sparselearn.pruning._strategy import candidates_of, label_free
from sparselearn.pruning._wrappers import thawed

__all__ = ["PruningPath", "check_varies", "checked_sparsities", "pruning_path"]


class PruningPath(NamedTuple):
    """What a fitted estimator scores as it is pruned more and more.

    Parameters
    ----------
    sparsity : ndarray of shape (n_levels,)
        Share of the parts that are removed, ascending.
    n_nonzero_coefs : ndarray of int of shape (n_levels,)
        Number of those that are kept.
    score_masked, score : ndarray of shape (n_levels,)
        After removal, and after the refit.
    threshold : ndarray of shape (n_levels,)
        The smallest importance that is kept; inf where nothing is.
    masks : list of list of ndarray of bool
        Which weights are kept at each level; what a level keeps, those before it keep.
    criterion : str or callable
    refit : str
        Those that were used.
    """

    sparsity: np.ndarray
    n_nonzero_coefs: np.ndarray
    score_masked: np.ndarray
    score: np.ndarray
    threshold: np.ndarray
    masks: list
    criterion: object
    refit: str


def checked_sparsities(sparsities):
    """`sparsities` as an ascending array of distinct shares."""
    shares = np.unique(np.asarray(sparsities, dtype=np.float64))
    if shares.size == 0 or not np.all((shares >= 0) & (shares < 1)):
        raise ValueError(
            f"sparsities={sparsities!r} must be numbers in [0, 1), one or more."
        )
    return shares


def check_varies(granularity):
    """Refuse parts that are all told how many of them are kept."""
    if isinstance(granularity, tuple):
        raise ValueError(
            f"granularity={granularity!r} says how much is kept: there is nothing to "
            "choose."
        )


_CHOICES = ("granularity", "scope", "random_state")


@validate_params(
    {name: CONSTRAINTS[name] for name in _CHOICES}
    | CHOICE_CONSTRAINTS
    | DATA_CONSTRAINTS
    | {
        "X_test": DATA_CONSTRAINTS["X"],
        "y_test": DATA_CONSTRAINTS["y"],
        "sparsities": ["array-like", None],
        "calibration_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def pruning_path(
    estimator,
    X,
    y=None,
    *,
    X_test=None,
    y_test=None,
    criterion="auto",
    granularity="element",
    scope="auto",
    refit="auto",
    sparsities=None,
    scoring=None,
    sample_weight=None,
    calibration_size=5000,
    random_state=None,
    n_jobs=None,
):
    """Score of a fitted estimator at each of many sparsities.

    Every level is pruned in one shot from the same fitted estimator, by the same
    importances, and with a refit that trains on nothing.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes; it is not changed.
    X : array-like or sparse array of shape (n_samples, n_features)
        Calibration data.
    y : array-like, default=None
        Targets of the rows of X, for what needs them.
    X_test, y_test : array-like, default=None
        Rows to score on; None takes X and y. Without targets the predictions of
        `estimator` are them.
    criterion, granularity, scope, refit, scoring, calibration_size, random_state
        As in :class:`Pruner`; "auto" is the first candidate for such an estimator,
        without a race.
    sparsities : array-like of float in [0, 1), default=None
        None means 0, and 12 geometric steps of what is kept.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows of X.
    n_jobs : int or None, default=None
        Threads, over the sparsities.

    Returns
    -------
    path : PruningPath
        A named tuple of arrays, `sparsity`, `n_nonzero_coefs`, `score_masked`,
        `score` and `threshold`, with `masks`, `criterion` and `refit`.

    See Also
    --------
    PrunerCV : The same on folds, and the choice of a sparsity.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sparselearn.pruning import pruning_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Ridge(alpha=0.1).fit(X[:300], y[:300])
    >>> path = pruning_path(
    ...     model, X[:300], X_test=X[300:], y_test=y[300:], sparsities=[0, 0.5, 0.9]
    ... )
    >>> path.n_nonzero_coefs
    array([10,  5,  1])
    >>> path.score.round(2)
    array([0.51, 0.51, 0.27])
    """
    check_parts(estimator, granularity)
    check_varies(granularity)
    check_is_fitted(estimator)
    estimator = thawed(deepcopy(estimator))
    seed = seed_of(random_state)
    subject = observe(estimator, None)
    plan = Plan(
        {}, criterion=criterion, granularity=granularity, scope=scope, refit=refit
    )
    (first, *_) = candidates_of(subject, plan)
    plan = plan._replace(criterion=first.criterion, refit=first.refit)
    plan = label_free(subject, plan)
    options = None, calibration_size, seed, scoring, n_jobs
    trials = Bench(estimator, X, y, sample_weight, *options).trials(plan)
    if X_test is None:
        X_test, y_test, weight = X, y, sample_weight
    else:
        weight = None
    judge = Bench(estimator, X_test, y_test, weight, *options).judge()
    n_parts = trials.n_parts
    if sparsities is None:
        counts = [n_parts, *counts_down(n_parts)]
        levels = [{"n_nonzero_coefs": count} for count in counts]
    else:
        levels = [{"sparsity": share} for share in checked_sparsities(sparsities)]

    def level(amount):
        masked, _ = trials.prune(amount, plan._replace(refit="none"))
        finished, pruned = trials.prune(amount)
        kept = trials.n_kept(pruned.kept)
        return kept, judge(masked), judge(finished), pruned.threshold, pruned.masks

    found = map_threads(level, levels, n_jobs)
    kept, masked, finished, threshold, masks = map(list, zip(*found))
    kept = np.array(kept)
    return PruningPath(
        1 - kept / n_parts if n_parts else np.zeros(kept.size),
        kept,
        np.array(masked),
        np.array(finished),
        np.array(threshold),
        masks,
        plan.criterion,
        plan.refit,
    )
