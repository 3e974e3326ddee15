"""Lasso and elastic net of several tasks that share their features."""

from functools import partial
from numbers import Real

import numpy as np

from sparselearn._compat import Interval, fit_context
from sparselearn._parallel import bounded
from sparselearn._solvers._multitask import TaskSolver
from sparselearn._solvers._problem import make_problem, serially
from sparselearn._solvers._refit import refit_on_support
from sparselearn._solvers._task_path import solve_to_rows
from sparselearn._solvers._tasks import critical_task_alpha, make_tasks
from sparselearn._validation import check_penalty_weights, validate_regression
from sparselearn.linear_model._base import SquaredLossRegressor, elastic_net_penalty
from sparselearn.linear_model._twins import Task, solve_twins

__all__ = ["MultiTaskElasticNet", "MultiTaskLasso"]


class MultiTaskRegressor(SquaredLossRegressor):
    """Fit of a linear model of several tasks whose penalty is on rows.

    A subclass holds the parameters named below and says its `_l1_ratio`.
    """

    _parameter_constraints = {
        name: constraint
        for name, constraint in SquaredLossRegressor._parameter_constraints.items()
        if name != "positive"
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = False
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns: a float32 or float64 Fortran-ordered array or a CSC
            matrix is not copied; a memory map of rows of more than 128 MiB is turned
            into a temporary file.
        y : array-like of shape (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; only their proportions matter.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        task = self._set_up(X, y, sample_weight, serially)
        (problem,) = task.problems
        (start,) = self._starts(*reversed(problem.shape))
        alpha, solution = bounded(self._solve, problem, task.penalty_at, start)
        self._store_rows(problem, alpha, solution, task.dtype)
        self._warn_unless_converged([problem], [solution])
        return self

    def _set_up(self, X, y, sample_weight, run):
        X, y, weights = self._validate(X, y, sample_weight)
        penalty_at = partial(
            elastic_net_penalty,
            l1_ratio=self._l1_ratio,
            penalty_weights=check_penalty_weights(self.penalty_weights, X.shape[1]),
        )
        design = make_problem(X, weights, fit_intercept=self.fit_intercept, run=run)
        return Task([make_tasks(design, y)], penalty_at, X.dtype, False)

    def _with_shared_sums(self, problems, penalty, n_fits=1):
        """None of it: the problem of all tasks forms a Gram matrix of its own."""
        return problems

    def _solve_twins(self, twins, problem, penalty_at):
        return solve_twins(twins, problem, penalty_at, make=TaskSolver)

    def _largest_alpha(self, problem, penalty_at):
        return critical_task_alpha(problem, penalty_at(1.0))

    def _store_twin(self, task, alphas, solutions):
        (problem,), (alpha,), (solution,) = task.problems, alphas, solutions
        self._store_rows(problem, alpha, solution, task.dtype)
        self._warn_unless_converged([problem], [solution])

    def _validate(self, X, y, sample_weight):
        """As `validate_regression`; ValueError for y with one dimension."""
        X, y, weights = validate_regression(self, X, y, sample_weight)
        if y.ndim == 1:
            name = type(self).__name__
            raise ValueError(
                f"{name} needs y of shape (n_samples, n_targets); got {y.shape}. For "
                f"a single target use {name.removeprefix('MultiTask')}, or "
                "y.reshape(-1, 1)."
            )
        return X, y, weights

    def _starts(self, n_targets, n_features):
        """The coefficients of all tasks to start from, (n_features, n_targets)."""
        starts = super()._starts(n_targets, n_features)
        return [None if starts[0] is None else np.transpose(starts)]

    def _solve(self, problem, penalty_at, start):
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        if self.n_nonzero_coefs is not None:
            if self._l1_ratio == 0.0:
                raise ValueError(
                    "l1_ratio=0 makes no coefficient zero: n_nonzero_coefs="
                    f"{self.n_nonzero_coefs} needs an l1_ratio > 0."
                )
            return solve_to_rows(problem, penalty_at, self.n_nonzero_coefs, **stopping)
        penalty = penalty_at(self.alpha)
        solver = TaskSolver(problem, penalty, start=start)
        return self.alpha, solver.solve(penalty, **stopping)

    def _store_rows(self, problem, alpha, solution, dtype):
        """Set the fitted attributes."""
        coef, active = solution.coef, solution.coef.any(axis=1)
        if self.refit_support is not None:
            targets = [problem.design.with_target(y) for y in problem.targets.T]
            refit = partial(
                refit_on_support, coef=active.astype(float), kind=self.refit_support
            )
            coef = np.stack([refit(target) for target in targets], axis=1)
        intercept = problem.intercept(coef).astype(dtype)
        self._store_coef(coef.T.astype(dtype), intercept)
        self.alpha_ = float(alpha)
        self.dual_gap_ = float(solution.certificate.gap)
        self.objective_ = float(solution.certificate.objective)
        self.n_iter_ = solution.n_iter
        self._store_routes([solution.route])


class MultiTaskLasso(MultiTaskRegressor):
    r"""Lasso of several targets that share their features, certified by a duality gap.

    Each feature is used for all targets or for none. Minimises over the coefficients
    W, with one row for each feature and one column for each target, and the
    unpenalised intercepts b, with sample weights s,

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i \|y_i - b - W^T x_i\|_2^2
        + \alpha \sum_j \omega_j \|W_j\|_2.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y times X.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of features wanted, each of them with non-zeros
        for all targets: the least penalised solution of the path that has at most so
        many. Any number is allowed, also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercepts. Centring is implicit: X is not copied and, if
        sparse, stays so.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty, which shrinks: by least
        squares, or with a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times the objective of W = 0.
    max_iter : int, default=10000
        At most so many epochs of block coordinate descent.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_targets, n_features)
        The transpose of W, of the dtype of X.
    intercept_ : ndarray of shape (n_targets,)
    alpha_ : float
        The alpha in use.
    dual_gap_ : float
        How far the objective is from its minimum at most, in its own units;
        of the penalised solution, before any refit.
    objective_ : float
        The objective above.
    n_iter_ : int
        Rounds: epochs of block coordinate descent.
    solver_used_ : {"sums", "gram"}
        How it was solved: on sums over rows of all features, or on the Gram matrix of
        a working set.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them.
    screened_share_ : float
        The share of features that never entered the working set.
    support_ : ndarray of int
        Features with non-zero coefficients.
    n_nonzero_coefs_ : int
        Of all targets.
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For y with one dimension, NaN or infinity in the data, weights that are negative
        or all zero, `penalty_weights` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` epochs.

    References
    ----------
    Obozinski, Taskar and Jordan (2010), Joint covariate selection and joint subspace
    selection for multiple classification problems.
    Ndiaye, Fercoq, Gramfort and Salmon (2015), GAP safe screening rules for sparse
    multi-task and multi-class models (for the gap).

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import MultiTaskLasso
    >>> X = np.eye(4)
    >>> y = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [0.0, 0.0]])
    >>> model = MultiTaskLasso(alpha=0.25, fit_intercept=False).fit(X, y)
    >>> model.coef_.round(6)
    array([[2.4, 0. , 0. , 0. ],
           [3.2, 0. , 0. , 0. ]])
    """

    _parameter_constraints = {**MultiTaskRegressor._parameter_constraints}
    _l1_ratio = 1.0

    def __init__(
        self,
        alpha=1.0,
        *,
        penalty_weights=None,
        n_nonzero_coefs=None,
        fit_intercept=True,
        refit_support=None,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.alpha = alpha
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start


class MultiTaskElasticNet(MultiTaskRegressor):
    r"""Elastic net of several targets that share their features, certified.

    Each feature is used for all targets or for none. Minimises over the coefficients
    W, with one row for each feature and one column for each target, and the
    unpenalised intercepts b, with sample weights s and :math:`\rho` = `l1_ratio`,

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i \|y_i - b - W^T x_i\|_2^2
        + \alpha \sum_j \omega_j
        \left( \rho \|W_j\|_2 + \frac{1 - \rho}{2} \|W_j\|_2^2 \right).

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty.
    l1_ratio : float, default=0.5
        Mixing of the two penalties, in [0, 1]: 1 is the multi-task Lasso, 0 ridge
        regression.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of features wanted, each of them with non-zeros
        for all targets: the least penalised solution of the path that has at most so
        many. Any number is allowed, also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercepts. Centring is implicit: X is not copied and, if
        sparse, stays so.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty, which shrinks: by least
        squares, or with a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times the objective of W = 0.
    max_iter : int, default=10000
        At most so many epochs of block coordinate descent.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_targets, n_features)
        The transpose of W, of the dtype of X.
    intercept_ : ndarray of shape (n_targets,)
    alpha_ : float
        The alpha in use.
    dual_gap_ : float
        How far the objective is from its minimum at most, in its own units;
        of the penalised solution, before any refit.
    objective_ : float
        The objective above.
    n_iter_ : int
        Rounds: epochs of block coordinate descent.
    solver_used_ : {"sums", "gram"}
        How it was solved: on sums over rows of all features, or on the Gram matrix of
        a working set.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them.
    screened_share_ : float
        The share of features that never entered the working set.
    support_ : ndarray of int
        Features with non-zero coefficients.
    n_nonzero_coefs_ : int
        Of all targets.
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For y with one dimension, NaN or infinity in the data, weights that are negative
        or all zero, `penalty_weights` of a wrong shape, `n_nonzero_coefs` with an
        `l1_ratio` of 0.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` epochs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_linnerud
    >>> from sparselearn.linear_model import MultiTaskElasticNet
    >>> X, y = load_linnerud(return_X_y=True)
    >>> model = MultiTaskElasticNet(l1_ratio=0.9, n_nonzero_coefs=2).fit(X, y)
    >>> model.coef_.shape, model.support_
    ((3, 3), array([1, 2]))
    """

    _parameter_constraints = {
        **MultiTaskRegressor._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        penalty_weights=None,
        n_nonzero_coefs=None,
        fit_intercept=True,
        refit_support=None,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def _l1_ratio(self):
        return self.l1_ratio
