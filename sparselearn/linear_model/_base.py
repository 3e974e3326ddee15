"""What the squared-loss estimators share."""

import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from sparselearn import penalties
from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._parallel import team
from sparselearn._solvers._moments import moments_of
from sparselearn._solvers._path import solve_to_size
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._refit import refit_on_support
from sparselearn._solvers._squared_loss import Solver, sums_pay
from sparselearn._validation import check_penalty_weights, validate_regression

__all__ = ["SquaredLossRegressor", "elastic_net_penalty"]

# Up to which share of the features in use `predict` copies their columns rather than
# reading all. Measured with 1 and 5 targets, float32 and float64, 100 to 20000 rows
# and features: even at 0.02 for rows one after another, where a column is scattered
# numbers, and between 0.2 and 0.3 for columns and CSC. Columns of CSR never paid.
FEW_BY_ROWS = 0.02
FEW_BY_COLUMNS = 0.2


def elastic_net_penalty(alpha, *, l1_ratio=1.0, penalty_weights=None, positive=False):
    """The spec of an elastic net, the simplest that says it."""
    if penalty_weights is None:
        if l1_ratio == 1.0:
            return penalties.L1(alpha, positive)
        return penalties.ElasticNet(alpha, l1_ratio, positive)
    if l1_ratio == 1.0:
        return penalties.WeightedL1(alpha, penalty_weights, positive)
    return penalties.WeightedElasticNet(alpha, l1_ratio, penalty_weights, positive)


class SquaredLossRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Fit and predict of a linear model with squared loss and a convex penalty.

    A subclass holds the parameters named below and says its `_l1_ratio`.
    """

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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns: a float32 or float64 Fortran-ordered array or a CSC
            matrix is not copied.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target is a problem of its own.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; only their proportions matter.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        X, y, weights = validate_regression(self, X, y, sample_weight)
        penalty_at = partial(
            elastic_net_penalty,
            l1_ratio=self._l1_ratio,
            penalty_weights=check_penalty_weights(self.penalty_weights, X.shape[1]),
            positive=self.positive,
        )
        targets = np.ascontiguousarray(y.reshape(y.shape[0], -1).T)
        starts = self._starts(len(targets), X.shape[1])
        with team() as run:
            design = make_problem(X, weights, fit_intercept=self.fit_intercept, run=run)
            problems = [design.with_target(target) for target in targets]
            solved = self._with_shared_sums(problems, penalty_at(1.0))
            alphas, solutions = zip(
                *(
                    self._solve(problem, penalty_at, start)
                    for problem, start in zip(solved, starts)
                )
            )
        self._store(problems, alphas, solutions, X.dtype, single=y.ndim == 1)
        self._warn_unless_converged(problems, solutions)
        return self

    def _with_shared_sums(self, problems, penalty):
        """The problems of several targets on one set of sums, where that pays."""
        n_solves = len(problems) * (1 if self.n_nonzero_coefs is None else 100)
        first = problems[0]
        if len(problems) == 1 or not sums_pay(first.matrix, penalty, n_solves):
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
        if self.n_nonzero_coefs is not None and self._l1_ratio == 0.0:
            raise ValueError(
                "l1_ratio=0 makes no coefficient zero: n_nonzero_coefs="
                f"{self.n_nonzero_coefs} needs an l1_ratio > 0."
            )
        if self.n_nonzero_coefs is not None:
            return solve_to_size(problem, penalty_at, self.n_nonzero_coefs, **stopping)
        penalty = penalty_at(self.alpha)
        return self.alpha, Solver(problem, penalty, start=start).solve(
            penalty, **stopping
        )

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
        self.coef_ = shaped(coefs, dtype)
        self.intercept_ = shaped(
            [p.intercept(c) for p, c in zip(problems, coefs)], dtype
        )
        self.alpha_ = shaped(alphas, float)
        self.dual_gap_ = shaped([s.certificate.gap for s in solutions], float)
        self.objective_ = shaped([s.certificate.objective for s in solutions], float)
        self.n_iter_ = max(s.n_iter for s in solutions)
        self._store_routes([s.route for s in solutions])
        self.support_ = np.flatnonzero(np.any(np.atleast_2d(self.coef_) != 0.0, axis=0))
        self.n_nonzero_coefs_ = int(np.count_nonzero(self.coef_))
        size = self.coef_.size
        self.sparsity_ = (size - self.n_nonzero_coefs_) / size

    def _store_routes(self, routes):
        """Say by which routes the solutions were come by, and at what cost."""
        self.solver_used_ = routes[0].solver
        # Where all share one set of sums, none of them has formed it.
        self.n_passes_ = max(float(sum(r.n_passes for r in routes)), 1.0)
        self.screened_share_ = float(np.mean([r.screened_share for r in routes]))

    def _warn_unless_converged(self, problems, solutions):
        missed = [(p, s) for p, s in zip(problems, solutions) if not s.converged]
        if missed:
            relative = max(s.certificate.gap / p.null_value for p, s in missed)
            # Of these solutions: with cross-validation `n_iter_` is of the whole path.
            n_iter = max(s.n_iter for _, s in missed)
            warnings.warn(
                f"{type(self).__name__} stopped after {n_iter} epochs at a "
                f"relative duality gap of {relative:.2e} > tol={self.tol:.2e}. "
                f"Increase max_iter={self.max_iter} or tol; below about 1e-14, tol "
                "asks for less than rounding.",
                ConvergenceWarning,
                stacklevel=4,
            )

    @property
    def sparse_coef_(self):
        """`coef_` as a csr_array of shape (n_targets, n_features)."""
        return sp.csr_array(np.atleast_2d(self.coef_))

    def get_support(self, indices=False):
        """The features with a non-zero coefficient for any target.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return indices rather than a mask.

        Returns
        -------
        support : ndarray
            Mask of shape (n_features,), or the indices.
        """
        check_is_fitted(self)
        if indices:
            return self.support_
        mask = np.zeros(self.n_features_in_, dtype=bool)
        mask[self.support_] = True
        return mask

    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse=("csr", "csc"),
            dtype=(np.float64, np.float32),
            reset=False,
        )
        return _product(X, self.coef_) + self.intercept_


def _product(X, coef):
    """``X @ coef.T``, from the columns in use alone where these are few."""
    if sp.issparse(X):
        few = FEW_BY_COLUMNS if X.format == "csc" else 0.0
    else:
        few = FEW_BY_COLUMNS if X.flags.f_contiguous else FEW_BY_ROWS
    used = np.flatnonzero(np.any(np.atleast_2d(coef) != 0.0, axis=0))
    if used.size <= few * coef.shape[-1]:
        X, coef = X[:, used], coef[..., used]
    return safe_sparse_dot(X, coef.T, dense_output=True)
