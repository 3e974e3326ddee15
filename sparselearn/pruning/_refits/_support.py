"""Linear models fitted anew, to the targets, on the features that are kept."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.utils import check_array

from sparselearn._compat import rows_of
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._refit import refit_on_support
from sparselearn._validation import FLOATS, column_major, row_weights
from sparselearn.pruning._adapters._linear import LinearAdapter

__all__ = ["ols", "relaxed", "ridge", "same"]

FOLDS = 5
SHARES = np.linspace(0.0, 1.0, 11)


def ols(estimator, masks, data, plan):
    """Least squares on the kept features, which undoes what a penalty has shrunk."""
    _refit(estimator, masks, data, plan, "ols")


def ridge(estimator, masks, data, plan):
    """The same, with a ridge penalty of 1% of the features' mean variance."""
    _refit(estimator, masks, data, plan, "ridge")


def relaxed(estimator, masks, data, plan):
    """Between the pruned coefficients and those of least squares, by validation.

    ``share * w_pruned + (1 - share) * w_ols`` with, for each output, the share of 0,
    0.1, ..., 1 that has the least squared error over 5 folds; least squares is of the
    other folds, the pruned coefficients are as they were fitted to all rows.

    References
    ----------
    N. Meinshausen, "Relaxed Lasso", Computational Statistics & Data Analysis 2007.
    """
    _refit(estimator, masks, data, plan, "relaxed")


def same(estimator, masks, data, plan):
    """The estimator itself, fitted to the kept features with its own parameters."""
    X, y, sample_weight = _training(data, plan)
    (block,) = data.adapter.read(estimator)
    mask = block.by_input(masks[0]).reshape(block.matrix().shape)
    if np.any(mask != mask[:, :1]):
        raise ValueError(
            "refit='same' fits the estimator to the features that are kept, and the "
            "outputs keep different ones; give granularity='feature'."
        )
    kept = np.flatnonzero(mask[:, 0])
    if not kept.size:
        return  # there is nothing but the constant, which is folded
    weighted = {} if sample_weight is None else {"sample_weight": sample_weight}
    fitted = clone(estimator).fit(rows_of(X, kept, axis=1), y, **weighted)
    (small,) = data.adapter.read(fitted)
    weights = np.zeros_like(block.weights)
    block.by_input(weights)[kept] = small.by_input(small.weights)
    new = block._replace(weights=weights, intercept=small.intercept)
    data.adapter.write(estimator, [new])


def _refit(estimator, masks, data, plan, kind):
    X, y, sample_weight = _training(data, plan)
    if not is_regressor(estimator) or data.adapter.has_link(estimator):
        raise ValueError(
            f"refit={kind!r} is least squares, and {type(estimator).__name__} has "
            "another loss; give refit='same', which fits the estimator itself."
        )
    X = column_major(check_array(X, accept_sparse="csc", dtype=FLOATS))
    targets = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
    (block,) = data.adapter.read(estimator)
    matrix = block.matrix().astype(np.float64)
    mask = block.by_input(masks[0]).reshape(matrix.shape)
    rows = Rows(
        X,
        np.broadcast_to(row_weights(sample_weight, X), X.shape[0]),
        fit_intercept=block.intercept is not None,
        positive=getattr(estimator, "positive", False),
        kind="ridge" if kind == "ridge" else "ols",
    )
    constants = np.empty(matrix.shape[1])
    for k, target in enumerate(targets.T):
        pruned, support = matrix[:, k], mask[:, k].astype(np.float64)
        coef, problem = rows.fit(target, support)
        if kind == "relaxed":
            coef += rows.best_share(target, support, pruned) * (pruned - coef)
        matrix[:, k], constants[k] = coef, problem.intercept(coef)
    data.adapter.write(estimator, [block.holding(matrix, constants)])


class Rows(NamedTuple):
    """Training rows, and how least squares are fitted to them."""

    X: object
    weights: np.ndarray
    fit_intercept: bool
    positive: bool
    kind: str

    def fit(self, y, support):
        """Coefficients on the support, and the problem that they solve."""
        problem = make_problem(self.X, self.weights, fit_intercept=self.fit_intercept)
        problem = problem.with_target(y)
        coef = refit_on_support(problem, support, self.kind, positive=self.positive)
        return coef, problem

    def best_share(self, y, support, pruned):
        """How much of the pruned coefficients to take; the largest of equals."""
        places = np.flatnonzero(self.weights)
        errors = np.zeros(SHARES.size)
        for fold in range(min(FOLDS, places.size - 1)):
            is_out = np.arange(places.size) % FOLDS == fold
            inside, out = places[~is_out], places[is_out]
            weights = self.weights[inside] / self.weights[inside].sum()
            some = self._replace(X=column_major(self.X[inside]), weights=weights)
            fitted, problem = some.fit(y[inside], support)
            rows = self.X[out]
            for place, share in enumerate(SHARES):
                coef = fitted + share * (pruned - fitted)
                gap = y[out] - rows @ coef - problem.intercept(coef)
                errors[place] += self.weights[out] @ gap**2
        return SHARES[::-1][np.argmin(errors[::-1])]


def _training(data, plan):
    if not isinstance(data.adapter, LinearAdapter):
        raise ValueError(
            f"refit={plan.refit!r} is for linear models; got "
            f"{type(data.estimator).__name__}."
        )
    X, y, sample_weight = data.training()
    if X is None or y is None:
        raise ValueError(f"refit={plan.refit!r} needs X and y, its targets; got None.")
    return X, y, sample_weight
