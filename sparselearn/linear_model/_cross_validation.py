"""What the estimators share whose alpha is chosen by cross-validation."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from sparselearn._compat import Interval, StrOptions
from sparselearn._solvers._path import alpha_grid, check_alphas

__all__ = ["Choice", "CrossValidated", "choose", "fold_weights", "store_scores"]

# What a choice leaves on the estimator: no way of choosing has all of them.
SCORES = "mse_path_", "loss_path_", "criterion_path_", "degrees_of_freedom_path_"


@dataclass(frozen=True)
class Choice:
    """What was chosen on a grid, and what is known of all rows by then.

    Attributes
    ----------
    place : (int, int)
        Row (l1_ratio) and column (alpha) of the grid.
    scores : dict of str -> ndarray (n_l1_ratios, n_alphas, ...)
        By the names of fitted attributes.
    problem : Problem or MomentProblem
        All rows.
    path : PathResult or None
        On all rows, for the chosen l1_ratio, if it is known.
    """

    place: tuple
    scores: dict
    problem: object
    path: object


def store_scores(estimator, scores):
    """Set `scores` as attributes, and remove those of another fit."""
    for name in set(SCORES) & vars(estimator).keys():
        delattr(estimator, name)
    for name, values in scores.items():
        setattr(estimator, name, values)


class CrossValidated:
    """The splits and the alphas of an estimator with the parameters named below.

    It stands before the estimator's other bases.
    """

    _parameter_constraints = {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "selection": [StrOptions({"min", "1se"})],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "refit_support": [StrOptions({"ols", "ridge"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def get_metadata_routing(self):
        """Say that `fit` passes metadata on to the splitter.

        Returns
        -------
        routing : MetadataRouter
        """
        mapping = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=type(self).__name__).add_self_request(self)
        return router.add(splitter=check_cv(self.cv), method_mapping=mapping)

    def _split(self, X, y, params, sample_weight):
        """The splits of the rows, a list of (train, test)."""
        if get_config().get("enable_metadata_routing"):
            if sample_weight is not None:
                params = {**params, "sample_weight": sample_weight}
            routed = process_routing(self, "fit", **params)
        else:
            unknown = set(params) - {"groups"}
            if unknown:
                raise TypeError(
                    f"{type(self).__name__}.fit got {', '.join(sorted(unknown))}: only "
                    "groups goes to the splitter unless metadata routing is enabled."
                )
            routed = Bunch(splitter=Bunch(split=params))
        splitter = check_cv(self.cv, y, classifier=is_classifier(self))
        splits = splitter.split(X, y, **routed.splitter.split)
        return [tuple(map(np.asarray, split)) for split in splits]

    def _grid(self, critical, problem, penalty):
        """The decreasing alphas: those given, or from ``critical(problem, penalty)``.

        `penalty` is that of alpha = 1.
        """
        if isinstance(self.alphas, Integral):
            return alpha_grid(critical(problem, penalty), self.alphas, self.eps)
        return check_alphas(self.alphas)


def fold_weights(splits, weights, n_samples):
    """How much each fold counts in a mean of errors: the weight of its test rows.

    Parameters
    ----------
    splits : list of (train, test)
    weights : ndarray (n_samples,) or (1,)

    Returns
    -------
    list of float, or None if all rows and so all folds count the same

    Raises
    ------
    ValueError
        That names a fold without training or test rows of positive weight.
    """
    full = np.broadcast_to(weights, (n_samples,))
    for fold, split in enumerate(splits):
        for kind, rows in zip(("training", "test"), split):
            if not np.any(full[rows] > 0.0):
                raise ValueError(
                    f"Fold {fold} has no {kind} row of positive sample_weight: use "
                    "fewer folds, or a splitter that spreads these rows."
                )
    return None if weights.size == 1 else [full[test].sum() for _, test in splits]


def choose(errors, folds, selection):
    """Row and column of the chosen alpha; errors (n_l1_ratios, n_alphas, n_folds).

    "1se": the largest alpha, for the l1_ratio with the least error, whose mean error
    is within one standard error of the least. `folds` are as of `fold_weights`.
    """
    means = np.average(errors, axis=2, weights=folds)
    row, column = np.unravel_index(np.argmin(means), means.shape)
    n_folds = errors.shape[2]
    if selection == "1se" and n_folds > 1:
        error = np.std(errors[row, column], ddof=1) / np.sqrt(n_folds)
        column = np.argmax(means[row] <= means[row, column] + error)
    return row, column
