"""What the squared-loss estimators share."""

from functools import partial
from numbers import Integral, Real

import numpy as np

from sparselearn import penalties
from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._parallel import team
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._moments import moments_of
from sparselearn._solvers._path import make_solver, solve_to_size
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._refit import refit_on_support
from sparselearn._solvers._squared_loss import sums_pay
from sparselearn._validation import check_penalty_weights, validate_regression
from sparselearn.linear_model._linear import LinearRegressor
from sparselearn.linear_model._twins import Task, solve_twins

__all__ = ["SquaredLossRegressor", "elastic_net_penalty"]


def elastic_net_penalty(alpha, *, l1_ratio=1.0, penalty_weights=None, positive=False):
    """The spec of an elastic net, the simplest that says it."""
    if penalty_weights is None:
        if l1_ratio == 1.0:
            return penalties.L1(alpha, positive)
        return penalties.ElasticNet(alpha, l1_ratio, positive)
    if l1_ratio == 1.0:
        return penalties.WeightedL1(alpha, penalty_weights, positive)
    return penalties.WeightedElasticNet(alpha, l1_ratio, penalty_weights, positive)


class SquaredLossRegressor(LinearRegressor):
    """Fit and predict of a linear model with squared loss and a penalty.

    A subclass holds the parameters named below and says its `_l1_ratio`, and how many
    solutions a fit takes, if that is not one.
    """

    _n_solves = 1

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty_weights": ["array-like", None],
        "n_nonzero_coefs": [Interval(Integral, 0, None, closed="left"), None],
        "fit_intercept": ["boolean"],
        "positive": ["boolean"],
        "refit_support": [StrOptions({"ols", "ridge"}), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns: a float32 or float64 Fortran-ordered array or a CSC
            matrix is not copied. Models that have `partial_fit` also take a memory map
            of rows, and a dask array or data frame, by sums over parts of the rows.
            Others turn such a map, if it has more than 128 MiB, into a temporary file.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target is a problem of its own.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; only their proportions matter.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if self._lies_elsewhere(X):
            self._warn_unless_converged(*self._fit_parts(X, y, sample_weight))
            return self
        with team() as run:
            task = self._set_up(X, y, sample_weight, run)
            problems, penalty_at = task.problems, task.penalty_at
            starts = self._starts(len(problems), self.n_features_in_)
            solved = self._with_shared_sums(problems, penalty_at(1.0))
            alphas, solutions = zip(
                *(
                    self._solve(problem, penalty_at, start)
                    for problem, start in zip(solved, starts)
                )
            )
        self._store(problems, alphas, solutions, task.dtype, single=task.single)
        self._warn_unless_converged(problems, solutions)
        return self

    def _lies_elsewhere(self, X):
        """Whether `_fit_parts` is to read X part by part, each where it lies."""
        return False

    def _set_up(self, X, y, sample_weight, run):
        """What is to be solved, a problem for each target; it has no alpha yet."""
        X, y, weights = validate_regression(self, X, y, sample_weight)
        penalty_at = self._penalty_at(X.shape[1])
        targets = np.ascontiguousarray(y.reshape(y.shape[0], -1).T)
        design = make_problem(X, weights, fit_intercept=self.fit_intercept, run=run)
        problems = [design.with_target(target) for target in targets]
        return Task(problems, penalty_at, X.dtype, y.ndim == 1)

    def _solve_twins(self, twins, problem, penalty_at):
        """The alpha in use and the solution of each of `twins` of this model."""
        return solve_twins(twins, problem, penalty_at)

    def _largest_alpha(self, problem, penalty_at):
        """The smallest alpha that makes all penalised coefficients 0."""
        return critical_alpha(problem, penalty_at(1.0))

    def _store_twin(self, task, alphas, solutions):
        """Set the fitted attributes of one of several twins."""
        self._store(task.problems, alphas, solutions, task.dtype, single=task.single)
        self._warn_unless_converged(task.problems, solutions)

    @property
    def _selects(self):
        """Whether the penalty makes coefficients zero."""
        return self._l1_ratio > 0.0

    def _penalty_at(self, n_features):
        """The penalty as a function of alpha."""
        return partial(
            elastic_net_penalty,
            l1_ratio=self._l1_ratio,
            penalty_weights=check_penalty_weights(self.penalty_weights, n_features),
            positive=self.positive,
        )

    def _with_shared_sums(self, problems, penalty, n_fits=1):
        """The problems of several targets or fits on one set of sums, if that pays."""
        a_fit = self._n_solves if self.n_nonzero_coefs is None else 100
        n_shares = len(problems) * n_fits
        first = problems[0]
        if n_shares == 1 or not sums_pay(first.matrix, penalty, n_shares * a_fit):
            return problems
        Y = np.column_stack([problem.target for problem in problems])
        sums = moments_of(first.matrix, Y, first.weights, run=first.run)
        return [
            sums.of_target(k).problem(fit_intercept=first.fit_intercept)
            for k in range(len(problems))
        ]

    def _solve(self, problem, penalty_at, start):
        """The alpha in use and the solution for one target."""
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        if self.n_nonzero_coefs is not None and not self._selects:
            raise ValueError(
                "l1_ratio=0 makes no coefficient zero: n_nonzero_coefs="
                f"{self.n_nonzero_coefs} needs an l1_ratio > 0."
            )
        if self.n_nonzero_coefs is not None:
            return solve_to_size(problem, penalty_at, self.n_nonzero_coefs, **stopping)
        penalty = penalty_at(self.alpha)
        solver = make_solver(problem, penalty, start=start)
        return self.alpha, solver.solve(penalty, **stopping)

    def _starts(self, n_targets, n_features):
        """The coefficients to start from, one array or None for each target."""
        if self.warm_start and hasattr(self, "coef_"):
            coef = np.atleast_2d(self.coef_)
            if coef.shape == (n_targets, n_features):
                return list(coef)
        return [None] * n_targets

    def _store(self, problems, alphas, solutions, dtype, *, single):
        """Set the fitted attributes; without the axis of targets for a `single` one."""

        def shaped(values, kind):
            values = np.array(values, dtype=kind)
            return values[0] if single else values

        coefs = [s.coef for s in solutions]
        if self.refit_support is not None:
            coefs = [
                refit_on_support(p, c, self.refit_support, positive=self.positive)
                for p, c in zip(problems, coefs)
            ]
        intercepts = [p.intercept(c) for p, c in zip(problems, coefs)]
        self._store_coef(shaped(coefs, dtype), shaped(intercepts, dtype))
        self.alpha_ = shaped(alphas, float)
        self._store_certificates(problems, alphas, solutions, shaped)
        self.n_iter_ = max(s.n_iter for s in solutions)
        self._store_routes([s.route for s in solutions])

    def _store_certificates(self, problems, alphas, solutions, shaped):
        """Say how good the solutions are; `shaped` makes an array of one a target."""
        self.dual_gap_ = shaped([s.certificate.gap for s in solutions], float)
        self.objective_ = shaped([s.certificate.objective for s in solutions], float)

    def _warn_unless_converged(self, problems, solutions):
        missed = [(p, s) for p, s in zip(problems, solutions) if not s.converged]
        if missed:
            relative = max(s.certificate.gap / p.null_value for p, s in missed)
            # Of these solutions: with cross-validation `n_iter_` is of the whole path.
            self._warn_missed(relative, max(s.n_iter for _, s in missed))
