"""Lasso of several tasks, its alpha chosen by cross-validation."""

from functools import partial

import numpy as np

from sparselearn._compat import fit_context
from sparselearn._parallel import bounded, map_threads
from sparselearn._solvers._cross_validation import errors_by_rows
from sparselearn._solvers._multitask import TaskSolver
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._task_path import solve_task_path
from sparselearn._solvers._tasks import critical_task_alpha, make_tasks
from sparselearn._validation import check_penalty_weights
from sparselearn.linear_model._base import elastic_net_penalty
from sparselearn.linear_model._cross_validation import (
    CrossValidated,
    choose,
    fold_weights,
)
from sparselearn.linear_model._multitask import MultiTaskRegressor

__all__ = ["MultiTaskLassoCV"]


class MultiTaskLassoCV(CrossValidated, MultiTaskRegressor):
    r"""Lasso of several targets that share their features, `alpha` cross-validated.

    Minimises the objective of :class:`~sparselearn.linear_model.MultiTaskLasso`,

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i \|y_i - b - W^T x_i\|_2^2
        + \alpha \sum_j \omega_j \|W_j\|_2,

    with the alpha whose errors on the rows left out, averaged over the targets, are
    least. The targets' scales decide how much each counts. Every fold's path is
    certified like a fit; folds read the same X, each with weights of its own.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas, in geometric progression down from the smallest with which
        all data have no coefficients; or the alphas.
    eps : float, default=1e-3
        The smallest alpha over the largest.
    cv : int, splitter or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 folds.
    selection : {"min", "1se"}, default="min"
        The alpha of least mean error, or the largest within one standard error of it.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    fit_intercept : bool, default=True
        Whether to fit the intercepts.
    refit_support : {"ols", "ridge"}, default=None
        Fit the features selected at `alpha_` again without the penalty.
    tol : float, default=1e-6
        Duality gap to reach, relative to the objective of W = 0.
    max_iter : int, default=10000
        At most so many epochs of block coordinate descent for each alpha.
    n_jobs : int, default=None
        Threads over folds; the same bits for any number.

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,)
        Decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared errors on the test rows, averaged over the targets.
    coef_path_ : list of n_alphas csr_array of shape (n_targets, n_features)
        Coefficients on all data, each as `sparse_coef_` at its alpha.
    coef_ : ndarray of shape (n_targets, n_features)
        The transpose of W, of the dtype of X.
    intercept_ : ndarray of shape (n_targets,)
    dual_gap_, objective_ : float
        Of the fit at `alpha_`, before any refit.
    n_iter_ : int
        Rounds along the path on all data: epochs of block coordinate descent.
    solver_used_ : {"sums", "gram"}
        How the fit at `alpha_`, from the path's coefficients on, was solved: on sums
        over rows of all features, or on the Gram matrix of a working set.
    n_passes_ : float
        Columns of X read for its correlations, in units of all of them.
    screened_share_ : float
        The share of features that never entered its working set.
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
        or all zero in a fold, `penalty_weights` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if at `alpha_` the gap misses `tol` after `max_iter`
        epochs.

    References
    ----------
    Obozinski, Taskar and Jordan (2010), Joint covariate selection and joint subspace
    selection for multiple classification problems.
    Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning,
    section 7.10 (for the rule of one standard error).

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import MultiTaskLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 20))
    >>> y = X[:, [2, 5]] @ [[3.0, 1.0], [2.0, -2.0]] + rng.standard_normal((60, 2))
    >>> MultiTaskLassoCV(selection="1se").fit(X, y).support_
    array([2, 5])
    """

    _parameter_constraints = {**CrossValidated._parameter_constraints}

    def __init__(
        self,
        alphas=100,
        *,
        eps=1e-3,
        cv=None,
        selection="min",
        penalty_weights=None,
        fit_intercept=True,
        refit_support=None,
        tol=1e-6,
        max_iter=10000,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.selection = selection
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose alpha by cross-validation, and fit the model with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns, and by all folds in place. A memory map of rows of more
            than 128 MiB is turned into a temporary file.
        y : array-like of shape (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows in training, in the grid of alphas and in the errors.
        **params : dict
            For the splitter: ``groups``, or with metadata routing what it asks for.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        splits = self._split(X, y, params, sample_weight)
        X, y, weights = self._validate(X, y, sample_weight)
        folds = fold_weights(splits, weights, len(y))
        penalty_at = partial(
            elastic_net_penalty,
            penalty_weights=check_penalty_weights(self.penalty_weights, X.shape[1]),
        )
        design = make_problem(X, weights, fit_intercept=self.fit_intercept)
        problem = make_tasks(design, y)
        alphas = self._grid(critical_task_alpha, problem, penalty_at(1.0))
        stopping = {"tol": self.tol, "max_iter": self.max_iter}

        def errors_of(split):
            path = split, penalty_at, alphas
            options = {"fit_intercept": self.fit_intercept, **stopping}
            return errors_by_rows(X, y, weights, *path, **options)

        errors = np.stack(map_threads(errors_of, splits, self.n_jobs), axis=1)
        _, column = choose(errors[None], folds, self.selection)

        path = bounded(solve_task_path, problem, penalty_at, alphas, **stopping)
        penalty, start = penalty_at(alphas[column]), path.coefs[column].toarray()
        solver = TaskSolver(problem, penalty, start=start)
        solution = bounded(solver.solve, penalty, **stopping)
        self._store_rows(problem, alphas[column], solution, X.dtype)
        self._store_path(errors, path, X.dtype)
        self._warn_unless_converged([problem], [solution])
        return self

    def _store_path(self, errors, path, dtype):
        self.alphas_ = path.alphas
        self.mse_path_ = errors
        self.coef_path_ = [coef.T.astype(dtype) for coef in path.coefs]
        self.n_iter_ = int(np.sum(path.n_iter))
