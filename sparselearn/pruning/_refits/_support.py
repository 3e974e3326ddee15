"""Linear models fitted anew, to the targets, on the features that are kept."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter

from sparselearn._compat import rows_of
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._refit import refit_on_support
from sparselearn._validation import FLOATS, column_major, row_weights
from sparselearn.pruning._adapters._linear import LinearAdapter

__all__ = ["Rows", "fitted_to", "ols", "ridge", "same", "training_rows"]


def ols(estimator, masks, data, plan):
    """Least squares on the kept features, which undoes what a penalty has shrunk."""
    _refit(estimator, masks, data, plan, "ols")


def ridge(estimator, masks, data, plan):
    """The same, with a ridge penalty of 1% of the features' mean variance."""
    _refit(estimator, masks, data, plan, "ridge")


def same(estimator, masks, data, plan):
    """The estimator itself, fitted to the kept features with its own parameters."""
    X, y, sample_weight = training_rows(data, plan)
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
    fitted = fitted_to(estimator, rows_of(X, kept, axis=1), y, sample_weight, plan)
    (small,) = data.adapter.read(fitted)
    weights = np.zeros_like(block.weights)
    block.by_input(weights)[kept] = small.by_input(small.weights)
    new = block._replace(weights=weights, intercept=small.intercept)
    data.adapter.write(estimator, [new])


def _refit(estimator, masks, data, plan, kind):
    rows = Rows.of(estimator, data, plan, kind)
    (block,) = data.adapter.read(estimator)
    matrix = block.matrix().astype(np.float64)
    mask = block.by_input(masks[0]).reshape(matrix.shape)
    constants = np.empty(matrix.shape[1])
    for k in range(matrix.shape[1]):
        matrix[:, k], problem = rows.fit(k, mask[:, k])
        constants[k] = problem.intercept(matrix[:, k])
    data.adapter.write(estimator, [block.holding(matrix, constants)])


class Rows(NamedTuple):
    """Training rows, and how least squares are fitted to them."""

    X: object
    targets: np.ndarray
    weights: np.ndarray
    fit_intercept: bool
    positive: bool
    kind: str

    @classmethod
    def of(cls, estimator, data, plan, kind):
        """Those that a linear regression of squared loss is refitted to."""
        X, y, sample_weight = training_rows(data, plan)
        if not is_regressor(estimator) or data.adapter.has_link(estimator):
            raise ValueError(
                f"refit={plan.refit!r} is least squares, and "
                f"{type(estimator).__name__} has another loss; give refit='same', "
                "which fits the estimator itself."
            )
        X = column_major(check_array(X, accept_sparse="csc", dtype=FLOATS))
        (block,) = data.adapter.read(estimator)
        return cls(
            X,
            np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1),
            np.broadcast_to(row_weights(sample_weight, X), X.shape[0]),
            fit_intercept=block.intercept is not None,
            positive=getattr(estimator, "positive", False),
            kind=kind,
        )

    def only(self, places):
        """Some of the rows."""
        weights = self.weights[places]
        return self._replace(
            X=column_major(self.X[places]),
            targets=self.targets[places],
            weights=weights / weights.sum(),
        )

    def fit(self, k, mask):
        """Coefficients of output k on the kept, and the problem that they solve."""
        problem = make_problem(self.X, self.weights, fit_intercept=self.fit_intercept)
        problem = problem.with_target(self.targets[:, k])
        support = mask.astype(np.float64)
        coef = refit_on_support(problem, support, self.kind, positive=self.positive)
        return coef, problem


def fitted_to(estimator, X, y, sample_weight, plan):
    """A clone of the estimator, fitted to other data."""
    if sample_weight is None:
        return clone(estimator).fit(X, y)
    if not has_fit_parameter(estimator, "sample_weight"):
        raise ValueError(
            f"refit={plan.refit!r} fits {type(estimator).__name__} again, and it takes "
            "no sample_weight; give refit='ols', which does."
        )
    return clone(estimator).fit(X, y, sample_weight=sample_weight)


def training_rows(data, plan):
    """X, y and sample_weight of all rows, for linear models only."""
    if not isinstance(data.adapter, LinearAdapter):
        raise ValueError(
            f"refit={plan.refit!r} is for linear models; got "
            f"{type(data.estimator).__name__}."
        )
    X, y, sample_weight = data.training()
    if X is None or y is None:
        raise ValueError(f"refit={plan.refit!r} needs X and y, its targets; got None.")
    return X, y, sample_weight
