"""Generalised linear models with a folded concave penalty.

The loop is that of ``_stationary.py``, and steps are Newton's (``_newton.py``). A
penalty may bend by more than the loss does, where probabilities are near 0 or 1: then
the model of a step is not convex either. Descent takes each coordinate to its global
minimiser all the same, and a step that does not lower the objective is halved or taken
back; with damping the model is above the loss, and what lowers it lowers the objective.
"""

import numpy as np
from scipy.special import logsumexp, softmax

from sparselearn import losses
from sparselearn._solvers._glm import ROUNDING
from sparselearn._solvers._glm_solver import GlmSolver
from sparselearn._solvers._multinomial import MultinomialProblem, MultinomialSolver
from sparselearn._solvers._problem import multiply
from sparselearn._solvers._stationary import (
    StationarySolver,
    convex_twin,
    correlation_unit,
    penalised,
    violation_of,
)

__all__ = ["ConcaveGlmSolver", "ConcaveMultinomialSolver", "certify_glm"]


class _ConcaveGlmSolver(StationarySolver):
    """What the two below share."""

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        super().__init__(problem, convex_twin(penalty), n_solves=n_solves)
        self._nothing = problem.null.value
        moment = self.fit.correlation
        if self.certifier.free.size:
            moment = _correlation(problem, problem.null.residual)
        length = _length(problem, problem.null.residual)
        self._unit = correlation_unit(problem.curvature, moment, length)
        if start is not None:
            self._begin_at(*start, self._flat(penalty))


class ConcaveGlmSolver(_ConcaveGlmSolver, GlmSolver):
    """Finds stationary points of one `GlmProblem`; see `StationarySolver`.

    Parameters
    ----------
    problem, start, n_solves : as for `GlmSolver`
    penalty : spec
        Any of the penalties to come, of the family `penalties.FoldedConcave`.
    """

    def _flat(self, penalty):
        """`penalty` as that of all coefficients."""
        return penalty


class ConcaveMultinomialSolver(_ConcaveGlmSolver, MultinomialSolver):
    """Finds stationary points of one `MultinomialProblem`; see `StationarySolver`.

    Parameters
    ----------
    problem, start, n_solves : as for `MultinomialSolver`
    penalty : spec
        Any of the penalties to come, of the family `penalties.FoldedConcave`, of a
        coefficient of a feature, for every class the same.
    """

    def solve(self, penalty, *, tol, max_iter):
        """Descend to a stationary point; see `StationarySolver.solve`."""
        return super().solve(self._flat(penalty), tol=tol, max_iter=max_iter)

    def is_worse_than_nothing(self, penalty):
        """Whether all coefficients had better be 0."""
        return super().is_worse_than_nothing(self._flat(penalty))

    @property
    def _knows_all(self):
        return True


def certify_glm(problem, penalty, coef, intercept):
    """The objective and the violation of a solution, from the data alone.

    Nothing that kernels computed along the way goes into it but units: the curvatures
    and the predictor of the null model. An intercept is held to be the coefficient of a
    column of ones.

    Parameters
    ----------
    problem : GlmProblem or MultinomialProblem
    penalty : spec
        Of a coefficient of a feature; of several classes for every one the same.
    coef : ndarray (n_features,), or flat (n_classes * n_features,)
    intercept : float or ndarray (n_classes,)

    Returns
    -------
    objective, violation : float
    """
    columns = problem.columns
    one = np.reshape(coef, (-1, columns.curvature.size))
    predictor = np.column_stack(
        [
            multiply(columns.matrix, w[support], support)
            for w, support in _supported(one)
        ]
    )
    predictor += intercept
    if not isinstance(problem, MultinomialProblem):
        predictor = predictor[:, 0]
        if problem.offset is not None:
            predictor += problem.offset
    value, residual = _rows(problem, predictor)
    _, null = _rows(problem, problem.null.predictor)
    correlation = np.reshape(_correlation(problem, residual), one.shape)
    null_correlation = _correlation(problem, null)
    length = _length(problem, null)
    unit = correlation_unit(problem.curvature, null_correlation, length)
    violation, objective = 0.0, value
    for (w, support), pull in zip(_supported(one), correlation):
        off = violation_of(penalty, w, support, pull, columns.curvature, unit)
        violation = max(violation, off)
        objective += penalised(penalty, w)
    if problem.fit_intercept:
        sums = np.sum(_weighted(problem, residual), axis=0)
        rounding = ROUNDING * np.sqrt(len(residual)) * _length(problem, residual)
        off = np.max(np.abs(sums)) - rounding
        violation = max(violation, float(off / unit))
    return objective, violation


def _supported(coefs):
    return [(w, np.flatnonzero(w != 0.0)) for w in coefs]


def _rows(problem, predictor):
    """The loss at a predictor, and the residuals, in plain numpy."""
    if isinstance(problem, MultinomialProblem):
        p = softmax(predictor, axis=1)
        values = logsumexp(predictor, axis=1) - np.sum(
            problem.target * predictor, axis=1
        )
        residual = problem.target - p
    else:
        values = losses.value(problem.loss, problem.target, predictor)
        residual = -losses.gradient(problem.loss, problem.target, predictor)
    return np.sum(_weighted(problem, values)), residual


def _weighted(problem, values):
    """`values` of rows times the weights of these, 0 where a row has none."""
    weights = np.broadcast_to(problem.weights, len(values)).reshape(
        -1, *(1,) * (values.ndim - 1)
    )
    return np.where(weights > 0.0, weights * values, 0.0)


def _correlation(problem, residual):
    """The correlations of all coefficients with `residual`, flat."""
    return problem.columns.correlation(_weighted(problem, residual)).T.ravel()


def _length(problem, residual):
    return np.sqrt(np.sum(_weighted(problem, residual**2)))
