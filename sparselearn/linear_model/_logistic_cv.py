"""Logistic regression, its alpha chosen by cross-validation."""

import functools
import operator

import numpy as np
import scipy.sparse as sp

from sparselearn._compat import StrOptions, fit_context
from sparselearn._parallel import map_threads, team
from sparselearn._solvers._information import CRITERIA, path_measures
from sparselearn._solvers._log_losses import log_losses
from sparselearn._solvers._path import make_solver, solve_path
from sparselearn._solvers._problem import make_problem
from sparselearn.linear_model._cross_validation import (
    CrossValidated,
    choose,
    fold_weights,
    store_scores,
)
from sparselearn.linear_model._logistic import LogisticModel
from sparselearn.linear_model._scores import row_total, scores_of, warn_of

__all__ = ["SparseLogisticRegressionCV"]


class SparseLogisticRegressionCV(CrossValidated, LogisticModel):
    r"""Logistic regression with `alpha` chosen by cross-validation.

    The objective is that of
    :class:`~sparselearn.linear_model.SparseLogisticRegression`; what is compared is
    the mean loss of the test rows. Every fold's path is certified like a fit, and all
    folds read the same X, each with weights of its own.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas, in geometric progression down from the smallest that leaves
        all penalised coefficients 0 on all data; or the alphas.
    eps : float, default=1e-2
        The smallest alpha over the largest.
    cv : int, splitter or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 stratified folds.
    selection : {"min", "1se", "aic", "bic", "ebic"}, default="min"
        The alpha of the least mean loss, or the largest one whose mean loss is within
        one standard error of it. Or that of the least information criterion on all
        rows, and no folds are fitted; see
        :func:`~sparselearn.linear_model.information_criterion`.
    multi_class : {"multinomial", "ovr"}, default="multinomial"
        For more than two classes, the soft-max of all predictors, or a problem of two
        classes for each class against the others, with one alpha for all.
    class_weight : dict or "balanced", default=None
        What each class counts, in training and in errors; "balanced" makes all
        classes count the same. None means 1.
    l1_ratio : float, default=1.0
        Mixing of the two penalties, in [0, 1]; 1 is the Lasso's.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    fit_intercept : bool, default=True
        Whether to fit the intercept, which is not penalised.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times half the null deviance. Below about 1e-13
        it asks for less than rounding, whatever the dtype of X: sums are in float64.
    max_iter : int, default=10000
        At most so many rounds.
    n_jobs : int, default=None
        Threads over folds; the result does not depend on it. None means 1 unless in a
        :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Those with a row of positive weight.
    alpha_ : float
        The alpha chosen. With "ovr", of every class.
    alphas_ : ndarray of shape (n_alphas,)
        Decreasing.
    loss_path_ : ndarray of shape (n_alphas, n_folds)
        Mean loss of the test rows; with "ovr", over classes too. Not with an
        information criterion.
    criterion_path_, degrees_of_freedom_path_ : ndarray of shape (n_alphas,)
        With an information criterion only: its values, and what it counts; with "ovr"
        sums over classes.
    coef_path_ : csc_array of shape (n_rows * n_features, n_alphas)
        Coefficients of the path on all data, one row of `coef_` after another.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients of the fit on all data, of the dtype of X.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    dual_gap_, objective_ : float or ndarray of shape (n_classes,)
        Of the final fit, as for a single one.
    n_iter_ : int
        Rounds of the path on all data.
    solver_used_ : {"gram", "columns"}
    n_passes_ : float
    screened_share_ : float
        How the path on all data was come by.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of the shape of `coef_`
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For fewer than two classes, a fold without training rows of a class, NaN or
        infinity in the data, weights that are negative or all zero, `penalty_weights`
        of a wrong shape.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sparselearn.linear_model import SparseLogisticRegressionCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> model = SparseLogisticRegressionCV(20, selection="1se").fit(X, y)
    >>> model.loss_path_.shape
    (20, 5)
    """

    _parameter_constraints = {
        name: constraint
        for name, constraint in (
            LogisticModel._parameter_constraints | CrossValidated._parameter_constraints
        ).items()
        if name not in {"alpha", "n_nonzero_coefs", "warm_start", "refit_support"}
    } | {"selection": [StrOptions({"min", "1se", *CRITERIA})]}
    # A grid of alphas has no use for it, but `_penalty_at` asks.
    n_nonzero_coefs = None

    def __init__(
        self,
        alphas=100,
        *,
        eps=1e-2,
        cv=None,
        selection="min",
        multi_class="multinomial",
        class_weight=None,
        l1_ratio=1.0,
        penalty_weights=None,
        fit_intercept=True,
        positive=False,
        tol=1e-6,
        max_iter=10000,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.selection = selection
        self.multi_class = multi_class
        self.class_weight = class_weight
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.positive = positive
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
        y : array-like of shape (n_samples,)
            Classes: numbers, strings or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows in training, in the grid of alphas and in the errors.
        **params : dict
            For the splitter: ``groups``, or with metadata routing what it asks for.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        data = X, y
        X, codes, weights = self._validate(X, y, sample_weight)
        by_folds = self.selection not in CRITERIA
        splits = self._split(*data, params, sample_weight) if by_folds else []
        penalty_at = self._penalty_at(X.shape[1])
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        with team() as run:
            design = make_problem(X, weights, fit_intercept=self.fit_intercept, run=run)
            problems = self._problems(design, codes)
            alphas = self._grid(
                lambda problems, penalty: max(
                    make_solver(problem, penalty).alpha_max for problem in problems
                ),
                problems,
                penalty_at(1.0),
            )
            if by_folds:
                column, scores = self._by_folds(
                    problems, codes, splits, penalty_at, alphas
                )
            paths = [solve_path(p, penalty_at, alphas, **stopping) for p in problems]
            if not by_folds:
                total = row_total(sample_weight, codes.size)
                column, scores = self._by_criterion(problems, penalty_at, paths, total)
            solutions = self._finish(problems, penalty_at, paths, column)
        alpha = alphas[column]
        self._store_solutions(problems, [alpha] * len(problems), solutions, X.dtype)
        self.alpha_, self.alphas_ = float(alpha), alphas
        store_scores(self, scores)
        coefs = sp.vstack([path.coefs for path in paths], format="csc")
        self.coef_path_ = coefs.astype(X.dtype)
        self.n_iter_ = int(sum(np.sum(path.n_iter) for path in paths))
        self._store_routes([path.route for path in paths])
        return self

    def _finish(self, problems, penalty_at, paths, column):
        """The solutions at the chosen alpha, from the paths' on."""
        solutions = []
        for problem, path in zip(problems, paths):
            coef = path.coefs[:, [column]].toarray()[:, 0]
            penalty = penalty_at(path.alphas[column])
            solver = make_solver(
                problem, penalty, start=(coef, path.intercepts[column])
            )
            solutions.append(
                solver.solve(penalty, tol=self.tol, max_iter=self.max_iter)
            )
        return solutions

    def _by_folds(self, problems, codes, splits, penalty_at, alphas):
        """The column of the chosen alpha, and the attributes that say why."""
        weights = problems[0].weights
        folds = fold_weights(splits, weights, codes.size)
        self._check_folds(splits, codes, np.broadcast_to(weights, codes.shape))
        losses = self._losses(problems, codes, splits, penalty_at, alphas)
        _, column = choose(losses[None], folds, self.selection)
        return column, {"loss_path_": losses}

    def _by_criterion(self, problems, penalty_at, paths, total):
        """The same by an information criterion of all rows; n = `total`."""
        parts = [path_measures(p, penalty_at, path) for p, path in zip(problems, paths)]
        measures = functools.reduce(operator.add, parts)
        values, _, reasons = scores_of(problems[0], total, [measures], self.selection)
        warn_of(reasons, stacklevel=5)
        return int(np.argmin(values[0])), {
            "criterion_path_": values[0],
            "degrees_of_freedom_path_": measures.degrees,
        }

    def _losses(self, problems, codes, splits, penalty_at, alphas):
        """Mean losses of test rows, an ndarray (n_alphas, n_folds)."""
        X, weights = problems[0].columns.matrix, problems[0].weights
        full = np.broadcast_to(weights, codes.shape)

        def losses(job):
            train, test = splits[job[0]]
            training = full * np.bincount(train, minlength=full.size)
            fold = make_problem(
                X, training / training.sum(), fit_intercept=self.fit_intercept
            )
            problem = self._problems(fold, codes)[job[1]]
            stopping = {"tol": self.tol, "max_iter": self.max_iter}
            return log_losses(problem, penalty_at, alphas, test, full, **stopping)

        jobs = [(k, c) for k in range(len(splits)) for c in range(len(problems))]
        found = np.array(map_threads(losses, jobs, self.n_jobs))
        return found.reshape(len(splits), len(problems), -1).mean(axis=1).T

    def _check_folds(self, splits, codes, weights):
        """ValueError for a fold whose training rows lack a class."""
        for fold, (train, _) in enumerate(splits):
            present = np.unique(codes[train][weights[train] > 0.0])
            absent = np.setdiff1d(np.arange(self.classes_.size), present)
            if absent.size:
                raise ValueError(
                    f"Fold {fold} has no training row of class "
                    f"{self.classes_.tolist()[absent[0]]!r}: use fewer folds, or a "
                    "stratified splitter."
                )
