"""Multinomial logistic regression: one predictor a class, and the soft-max of them.

    P(W, b) = sum_i s_i f(y_i, z_i) + sum_jk h_j(W_jk),    z_ik = b_k + x_i' W_k,
    f(y, z) = log sum_k exp(z_k) - z_y.

In the predictor of one class alone, the others as they are, f is the logistic loss of
``z_k - log sum_{l != k} exp(z_l)``. So a round visits the classes in turn and takes
Newton steps for each (``_newton.py``), as for two classes.

The dual is that of ``_glm.py``, with a row of theta for each row of z: at
``theta = c (y - p)`` the rows add ``sum_i s_i KL(q_i || p_i)``, q = y - theta, to
the gap. Coefficients are kept flat, class after class.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sparselearn import losses, penalties
from sparselearn._kernels._coordinate_descent import add_product
from sparselearn._kernels._softmax import (
    class_gap,
    class_slopes,
    log_sum_of_others,
    measure_classes,
)
from sparselearn._solvers._certificates import Certifier
from sparselearn._solvers._engine import Route, require_formulas
from sparselearn._solvers._glm import (
    DEPENDENT,
    GlmFit,
    GlmProblem,
    Rows,
    clear_rounding,
    newton_step,
)
from sparselearn._solvers._glm_solver import GlmSolver
from sparselearn._solvers._multinomial_gram import step_on_gram
from sparselearn._solvers._multinomial_newton import step_on_support
from sparselearn._solvers._newton import NewtonWorkingSet
from sparselearn._solvers._problem import Problem

__all__ = ["MultinomialProblem", "MultinomialSolver"]

# Steps for the intercepts, each of which may be halved.
SHIFT_STEPS, HALVINGS = 50, 30
# Of sums of probabilities, times the root of the number of rows; of the loss.
ROUNDING, SAME = 2e-15, 1e-13
# Rounds over the classes, and where they do not suffice steps by the whole matrix,
# before all features are looked at.
ROUNDS, GRAM_STEPS = 6, 5
# Under these Newton steps for all classes at once are known.
_SMOOTH_OFF_ZERO = penalties.ElasticNetFamily, penalties.FoldedConcave


@dataclass(frozen=True)
class MultinomialProblem:
    """A design with classes.

    Attributes
    ----------
    columns : Problem without a target
    target : float64 ndarray (n_samples, n_classes), Fortran-ordered
        1 for the class of a row, 0 for the others.
    """

    columns: Problem
    target: np.ndarray

    design = property(lambda self: self.columns.design)
    weights = property(lambda self: self.columns.weights)
    fit_intercept = property(lambda self: self.columns.fit_intercept)

    @property
    def n_classes(self):
        """The number of classes."""
        return self.target.shape[1]

    @cached_property
    def curvature(self):
        """Of each column, once for each class."""
        return np.tile(self.columns.curvature, self.n_classes)

    def correlation(self, residual):
        """``X' S R`` of an R (n_samples, n_classes), flat."""
        weights = np.broadcast_to(self.weights, self.target.shape[:1])
        return self.columns.correlation(weights[:, None] * residual).T.ravel()

    def rows(self, coef, intercept):
        """The `Rows` of `coef` with its best intercepts, sought from `intercept`."""
        predictor = np.zeros(self.target.shape, order="F")
        for k, column in enumerate(coef.reshape(self.n_classes, -1)):
            support = np.flatnonzero(column)
            add_product(self.columns.design, support, column[support], predictor[:, k])
        return self._centred(self.at(predictor + intercept, intercept))

    def at(self, predictor, intercept):
        """The `Rows` of a predictor, of which `intercept` is a part."""
        residual = np.empty_like(predictor, order="F")
        curvature = np.empty_like(predictor, order="F")
        value = measure_classes(
            self.target,
            predictor,
            self.weights,
            0,
            predictor.shape[0],
            residual,
            curvature,
        )
        return Rows(predictor, intercept, residual, curvature, value)

    def _centred(self, rows):
        """`rows` with the best intercepts, by Newton steps; their mean is 0."""
        if not self.fit_intercept:
            return rows
        slope = np.empty(self.n_classes)
        hessian = np.empty((self.n_classes, self.n_classes))
        for _ in range(SHIFT_STEPS):
            class_slopes(rows.residual, self.target, self.weights, slope, hessian)
            if np.max(np.abs(slope)) <= ROUNDING * np.sqrt(len(self.target)):
                break
            step = np.linalg.pinv(hessian, rcond=DEPENDENT, hermitian=True) @ slope
            for _ in range(HALVINGS):
                found = self.at(rows.predictor + step, rows.intercept + step)
                if found.value <= rows.value * (1.0 + SAME):
                    break
                step = 0.5 * step
            else:
                break
            rows = found
        mean = np.mean(rows.intercept)
        return Rows(
            rows.predictor - mean,
            rows.intercept - mean,
            rows.residual,
            rows.curvature,
            rows.value,
        )

    @cached_property
    def null(self):
        """The `Rows` of W = 0."""
        return self.rows(np.zeros(self.curvature.size), np.zeros(self.n_classes))

    @cached_property
    def null_value(self):
        """The loss of W = 0."""
        return self.null.value

    def gap(self, predictor, theta, scale=1.0):
        """What the rows add to the gap with the dual point ``scale * theta``."""
        return class_gap(self.target, predictor, theta, scale, self.weights)


class MultinomialCertifier(Certifier):
    """Certifies coefficients of one `MultinomialProblem`, flat."""

    def _projection(self, positive):
        return _FreePart(self.problem, self.free, positive)

    def fit(self, rows):
        """The `GlmFit` of `rows`: one pass over X, two if there are free features."""
        correlation = self.problem.correlation(rows.residual)
        projected, theta = correlation, rows.residual
        if self.free.size:
            projected, theta = self._project(correlation, rows)
        return GlmFit(correlation, projected, rows, theta, self.problem)


class _FreePart:
    """Takes the part along the free coefficients out of a residual.

    As in ``_glm.py``, in Newton's metric, which couples the classes; the constant
    column of the intercepts is free too.
    """

    def __init__(self, problem, free, positive):
        self.problem, self.positive = problem, positive
        n_features = problem.columns.curvature.size
        self.free, self.features = free, free[free < n_features]
        columns = problem.columns.centred_columns(self.features)
        if problem.fit_intercept:
            columns = np.column_stack([columns, np.ones(len(columns))])
        self._columns = columns

    def __call__(self, correlation, rows):
        """``X' S theta``, flat, and theta."""
        problem, A, K = self.problem, self._columns, self.problem.n_classes
        P = problem.target - rows.residual
        weights = np.broadcast_to(problem.weights, P.shape[:1])
        slope = A.T @ (weights[:, None] * rows.residual)
        size = A.shape[1]
        hessian = np.empty((size, K, size, K))
        for k in range(K):
            for other in range(k + 1):
                bend = weights * P[:, k] * ((k == other) - P[:, other])
                block = A.T @ (bend[:, None] * A)
                hessian[:, k, :, other] = hessian[:, other, :, k] = block
        hessian, slope = hessian.reshape(size * K, size * K), slope.ravel()
        along = A @ self._step(hessian, slope).reshape(size, K)
        change = P * (along - np.sum(P * along, axis=1, keepdims=True))
        theta = np.asfortranarray(rows.residual - change)
        projected = problem.correlation(theta)
        size = np.sqrt(np.sum(weights[:, None] * theta**2))
        clear_rounding(projected, self.free, problem, size, positive=self.positive)
        return projected, theta

    def _step(self, hessian, slope):
        """The Newton step along the free coefficients and the intercepts.

        Of these a sign constraint says nothing: first they follow the others.
        """
        end = self.features.size * self.problem.n_classes
        inverse = np.linalg.pinv(hessian[end:, end:], rcond=DEPENDENT, hermitian=True)
        follow = inverse @ hessian[end:, :end]
        reduced = hessian[:end, :end] - hessian[:end, end:] @ follow
        pull = slope[:end] - follow.T @ slope[end:]
        step = newton_step(reduced, pull, positive=self.positive)
        return np.concatenate([step, inverse @ slope[end:] - follow @ step])


class MultinomialSolver(GlmSolver):
    """Solves one `MultinomialProblem` under one penalty after another.

    Parameters
    ----------
    problem : MultinomialProblem
    penalty : spec
        Any of those to come, of a coefficient of a feature, for every class the same.
    start : tuple of ndarray (n_classes, n_features) and (n_classes,), optional
        Coefficients and intercepts to start from; not written to.
    n_solves : int
        How many penalties are to come, about.
    """

    def __init__(self, problem, penalty, *, start=None, n_solves=1):
        require_formulas(penalty)
        self.problem = problem
        self.certifier = MultinomialCertifier(problem, self._flat(penalty))
        self._elastic = isinstance(penalty, penalties.ElasticNetFamily)
        self.coef = np.zeros(problem.curvature.size)
        self.support = np.empty(0, dtype=np.int64)
        self._outside = problem.curvature > 0.0
        self._classes = [
            GlmProblem(problem.columns, losses.Logistic(), target)
            for target in problem.target.T
        ]
        self._working = [NewtonWorkingSet(one) for one in self._classes]
        self._n_passes = 0.0
        self._intercept, self._alpha = problem.null.intercept, None
        self._measure()
        free = self.certifier.free
        self._join(free[self._outside[free]])
        if self._elastic and penalty.alpha > 0.0:
            self._fit_free(penalty)
            unit = self._flat(penalty._replace(alpha=1.0))
            self._alpha = self.alpha_max = self.certifier.critical(unit, self.fit)
        if start is not None:
            self._begin_at(*start, self._flat(penalty))

    @property
    def n_members(self):
        """The size of the working sets."""
        return sum(working.features.size for working in self._working)

    @property
    def route(self):
        """The `Route` so far."""
        by_columns = any(working.by_columns for working in self._working)
        share = 1.0 - self.n_members / self.coef.size
        return Route("columns" if by_columns else "gram", self._n_passes, share)

    def advance(self, penalty, *, tol, max_iter):
        """Minimise under `penalty`; see `WorkingSetSolver.advance`."""
        return super().advance(self._flat(penalty), tol=tol, max_iter=max_iter)

    def _begin_at(self, coef, intercept, penalty):
        self._intercept = np.array(intercept, dtype=np.float64)
        super()._begin_at(coef, intercept, penalty)

    def _flat(self, penalty):
        """`penalty`, of a coefficient of any class, as that of the flat ones."""
        return _with_arrays(penalty, lambda part: np.tile(part, self.problem.n_classes))

    def _of_one_class(self, penalty):
        """The other way round."""
        n_features = self.coef.size // self.problem.n_classes
        return _with_arrays(penalty, lambda part: part[:n_features])

    def _certificate_at_hand(self, penalty):
        return self._certify(penalty)

    def _expected(self, penalty):
        """Violations that are to be expected where the path reaches `penalty`.

        By the sequential strong rule: a correlation moves no faster than alpha.
        """
        if self._alpha is None:
            return None
        ahead = max(2.0 * penalty.alpha - self._alpha, 0.0)
        return self._violations(penalty._replace(alpha=ahead))

    def _measure(self, penalty=None):
        """The fit of `coef`."""
        self.support = np.flatnonzero(self.coef)
        self._rows = self.problem.rows(self.coef, self._intercept)
        self._intercept = self._rows.intercept
        self.fit = self.certifier.fit(self._rows)
        self._n_passes += 1.0

    def _join(self, new):
        """Take the flat features `new` into the working sets; return how many."""
        n_features = self.coef.size // self.problem.n_classes
        self._outside[new] = False
        for k, working in enumerate(self._working):
            of_class = new[new // n_features == k] % n_features
            if of_class.size:
                working.grow(of_class)
        return new.size

    def _minimise(self, penalty, accuracy, max_epochs):
        """Rounds of Newton steps over the classes, then a look at all features."""
        one = self._of_one_class(penalty)
        coefs = self.coef.reshape(self.problem.n_classes, -1)
        predictor = self._rows.predictor.copy(order="F")
        intercept = self._rows.intercept.copy()
        n_epochs, share = 0, accuracy / self.problem.n_classes
        others = np.empty(len(predictor))
        for _ in range(ROUNDS):
            start = n_epochs
            for k, working in enumerate(self._working):
                log_sum_of_others(predictor, k, others)
                rows = self._classes[k].rows_at(
                    predictor[:, k] - others, intercept[k], best=False
                )
                epochs, rows = working.minimise(
                    one, coefs[k], rows, share, max_epochs - n_epochs, most_steps=1
                )
                n_epochs += epochs
                predictor[:, k] = rows.predictor + others
                intercept[k] = rows.intercept
            if n_epochs == start or n_epochs >= max_epochs or accuracy == np.inf:
                break
            if isinstance(one, _SMOOTH_OFF_ZERO):
                rows = self.problem.at(predictor, intercept)
                rows = step_on_support(self.problem, coefs, rows, one, self._working)
                predictor, intercept = rows.predictor, rows.intercept
        else:
            if isinstance(one, penalties.ElasticNetFamily):
                epochs, rows = self._step_on_gram(
                    penalty, rows, accuracy, max_epochs - n_epochs
                )
                n_epochs, intercept = n_epochs + epochs, rows.intercept
        self._centre_free(coefs, positive=getattr(penalty, "positive", False))
        self._intercept = intercept
        self._measure(penalty)
        return n_epochs

    def _step_on_gram(self, penalty, rows, accuracy, max_epochs):
        """Newton steps by the whole matrix, where rounds were of little use."""
        n_features = self.problem.columns.curvature.size
        members = np.concatenate(
            [k * n_features + one.features for k, one in enumerate(self._working)]
        )
        n_epochs = 0
        for _ in range(GRAM_STEPS):
            epochs, found = step_on_gram(
                self.problem,
                self.coef,
                rows,
                penalty,
                members,
                accuracy,
                max_epochs - n_epochs,
            )
            n_epochs += epochs
            if found is rows or n_epochs >= max_epochs:
                break
            rows = found
        return n_epochs, rows

    def _centre_free(self, coefs, *, positive):
        """Of what neither loss nor penalty tells apart, take the one of mean 0.

        That is coefficients of an unpenalised feature, plus a number for all classes;
        under a sign constraint the least ones.
        """
        free = self.certifier.free[self.certifier.free < coefs.shape[1]]
        columns = coefs[:, free]
        coefs[:, free] -= (np.min if positive else np.mean)(columns, axis=0)


def _with_arrays(penalty, function):
    """`penalty` with `function` of each of its arrays, which are of features."""
    parts = {}
    for name, part in zip(penalty._fields, penalty):
        if isinstance(part, np.ndarray):
            parts[name] = function(part)
            parts[name].flags.writeable = False
    return penalty._replace(**parts)
