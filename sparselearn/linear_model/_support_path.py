"""The features of a model as its alpha falls, for what selects by the path."""

import numpy as np

from sparselearn._compat import validate_parameter_constraints
from sparselearn._solvers._path import make_solver
from sparselearn._solvers._problem import serially
from sparselearn.linear_model._elastic_net import ElasticNet
from sparselearn.linear_model._glm_regressors import (
    SparseHuberRegressor,
    SparsePoissonRegressor,
)
from sparselearn.linear_model._group_lasso import GroupLasso, SparseGroupLasso
from sparselearn.linear_model._lasso import Lasso
from sparselearn.linear_model._logistic import SparseLogisticRegression

__all__ = ["SupportPath", "has_support_path"]

_SQUARED = Lasso, ElasticNet, GroupLasso, SparseGroupLasso
_GLM = SparsePoissonRegressor, SparseHuberRegressor, SparseLogisticRegression


def has_support_path(estimator):
    """Whether :class:`SupportPath` takes it: a convex penalty that makes zeros."""
    if isinstance(estimator, _SQUARED):
        return estimator._selects
    if not isinstance(estimator, _GLM) or estimator.l1_ratio == 0.0:
        return False
    return getattr(estimator, "penalty", "elastic_net") == "elastic_net"


class SupportPath:
    """The features that an estimator selects on X and y, one alpha after another.

    Its parameters but for `alpha` and `n_nonzero_coefs` are those of the path. Of
    several targets, or classes each against the others, all have the same alpha, and a
    feature is selected if it is for one of them.

    Parameters
    ----------
    estimator : see `has_support_path`
        As its `fit`, it is told the names of features and classes.
    X, y, sample_weight : array-like
        As `fit` takes them.
    n_alphas : int
        How many alphas there will be, for the choice of how to solve.

    Attributes
    ----------
    alpha_max : float
        The smallest alpha at which all penalised coefficients are 0.
    """

    def __init__(self, estimator, X, y, sample_weight=None, *, n_alphas=100):
        validate_parameter_constraints(
            estimator._parameter_constraints,
            estimator.get_params(deep=False),
            caller_name=type(estimator).__name__,
        )
        task = estimator._set_up(X, y, sample_weight, serially)
        self._penalty_at, unit = task.penalty_at, task.penalty_at(1.0)
        first = task.problems[0]  # all are of one X
        self._solvers = [make_solver(p, unit, n_solves=n_alphas) for p in task.problems]
        self._stopping = {"tol": estimator.tol, "max_iter": estimator.max_iter}
        self._spread = np.sqrt(getattr(first, "columns", first).curvature)
        self.alpha_max = max(solver.alpha_max for solver in self._solvers)

    def at(self, alpha):
        """The solution at `alpha` > 0, less than the one before.

        Returns
        -------
        features : ndarray of int
            With a non-zero coefficient, in rising order.
        sizes : ndarray of float
            The norms of their coefficients over the targets, times the standard
            deviations of the features (without intercept, root mean squares).
        converged : bool
        """
        penalty = self._penalty_at(alpha)
        reached = [s.advance(penalty, **self._stopping)[-1] for s in self._solvers]
        n_features = self._spread.size
        parts = [solver.support % n_features for solver in self._solvers]
        features = np.unique(np.concatenate(parts))
        squares = np.zeros(features.size)
        for solver in self._solvers:
            squares += np.sum(solver.coef.reshape(-1, n_features)[:, features] ** 2, 0)
        return features, np.sqrt(squares) * self._spread[features], all(reached)
