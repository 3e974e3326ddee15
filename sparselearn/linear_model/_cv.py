"""Lasso and elastic net, their alpha chosen by cross-validation."""

from functools import partial
from numbers import Real

import numpy as np

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._parallel import map_threads, team
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._cross_validation import FoldSums, errors_by_rows
from sparselearn._solvers._information import CRITERIA, path_measures
from sparselearn._solvers._path import make_solver, solve_path
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._squared_loss import sums_pay
from sparselearn._validation import check_penalty_weights, validate_regression
from sparselearn.linear_model._base import SquaredLossRegressor, elastic_net_penalty
from sparselearn.linear_model._cross_validation import (
    Choice,
    CrossValidated,
    choose,
    fold_weights,
    store_scores,
)
from sparselearn.linear_model._scores import row_total, scores_of, warn_of

__all__ = ["ElasticNetCV", "LassoCV"]


class SquaredLossRegressorCV(CrossValidated, SquaredLossRegressor):
    """Fit of a linear model whose alpha is chosen by cross-validation.

    A subclass holds the parameters named below and says its `_l1_ratios`.
    """

    _parameter_constraints = {
        **CrossValidated._parameter_constraints,
        "selection": [StrOptions({"min", "1se", *CRITERIA})],
        "positive": ["boolean"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose alpha by cross-validation, and fit the model with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns, and by all folds in place.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows in training, in the grid of alphas and in the errors.
        **params : dict
            For the splitter: ``groups``, or with metadata routing what it asks for.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        by_folds = self.selection not in CRITERIA
        splits = self._split(X, y, params, sample_weight) if by_folds else []
        X, y, weights = validate_regression(
            self, X, y, sample_weight, multi_output=False
        )
        penalty_at = self._penalty_at(X.shape[1])
        ratios = self._l1_ratios
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        with team() as run:
            problem = make_problem(
                X, weights, fit_intercept=self.fit_intercept, run=run
            )
            problem = problem.with_target(y)
            alphas = [
                self._grid(critical_alpha, problem, penalty_at(1.0, l1_ratio=ratio))
                for ratio in ratios
            ]
            if by_folds:
                found = self._by_folds(problem, y, splits, penalty_at, alphas)
            else:
                total = row_total(sample_weight, y.size)
                found = self._by_criterion(problem, total, penalty_at, alphas)
            row, column = found.place
            chosen = partial(penalty_at, l1_ratio=ratios[row])
            path = found.path
            if path is None:
                path = solve_path(found.problem, chosen, alphas[row], **stopping)
            alpha, start = alphas[row][column], path.coefs[:, [column]].toarray()[:, 0]
            solver = make_solver(found.problem, chosen(alpha), start=start)
            solution = solver.solve(chosen(alpha), **stopping)
        self._store([problem], [alpha], [solution], X.dtype, single=True)
        self._store_path(ratios, row, alphas, found.scores, path, X.dtype)
        self._warn_unless_converged([problem], [solution])
        return self

    def _penalty_at(self, n_features):
        """The penalty as a function of alpha and `l1_ratio`."""
        return partial(
            elastic_net_penalty,
            penalty_weights=check_penalty_weights(self.penalty_weights, n_features),
            positive=self.positive,
        )

    def _by_folds(self, problem, y, splits, penalty_at, alphas):
        """The `Choice` by errors on test rows; solves all rows too where it can."""
        X, weights = problem.matrix, problem.weights
        folds = fold_weights(splits, weights, y.size)
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        options = stopping | {"fit_intercept": self.fit_intercept}
        sums, total = None, problem
        if sums_pay(X, penalty_at(1.0), len(alphas[0])):
            sums = FoldSums(X, y, weights, splits, problem.run)
            total = sums.total.problem(fit_intercept=self.fit_intercept)

        def solve(job):
            row, fold = job
            path = partial(penalty_at, l1_ratio=self._l1_ratios[row]), alphas[row]
            if fold is None:
                return solve_path(total, *path, **stopping)
            if sums is not None:
                return sums.errors(fold, *path, **options)
            return errors_by_rows(X, y, weights, splits[fold], *path, **options)

        shape = len(alphas), len(splits)
        # All rows take longest, and go first.
        early = [(0, None)] if len(alphas) == 1 else []
        found = map_threads(solve, [*early, *np.ndindex(shape)], self.n_jobs)
        errors = np.reshape(found[len(early) :], (*shape, -1)).transpose(0, 2, 1)
        place = choose(errors, folds, self.selection)
        scores = {"mse_path_": errors}
        return Choice(place, scores, total, found[0] if early else None)

    def _by_criterion(self, problem, total, penalty_at, alphas):
        """The `Choice` by an information criterion; n = `total`."""
        stopping = {"tol": self.tol, "max_iter": self.max_iter}

        def solve(row):
            own = partial(penalty_at, l1_ratio=self._l1_ratios[row])
            path = solve_path(problem, own, alphas[row], **stopping)
            return path, path_measures(problem, own, path, self.refit_support)

        paths, measures = zip(*map_threads(solve, range(len(alphas)), self.n_jobs))
        values, _, reasons = scores_of(problem, total, measures, self.selection)
        warn_of(reasons, stacklevel=5)
        place = np.unravel_index(np.argmin(values), values.shape)
        degrees = np.array([each.degrees for each in measures])
        scores = {"criterion_path_": values, "degrees_of_freedom_path_": degrees}
        return Choice(place, scores, problem, paths[place[0]])

    def _store_path(self, ratios, row, alphas, scores, path, dtype):
        several = len(ratios) > 1
        self.alphas_ = np.array(alphas) if several else alphas[0]
        store_scores(self, scores if several else {k: s[0] for k, s in scores.items()})
        self.coef_path_ = path.coefs.astype(dtype)
        self.n_iter_ = int(np.sum(path.n_iter))
        self._store_routes([path.route])


class LassoCV(SquaredLossRegressorCV):
    r"""Lasso with `alpha` chosen by cross-validation.

    The objective is that of :class:`~sparselearn.linear_model.Lasso`. Every fold's
    path is certified like a fit. Folds read the same X, each with weights of its own;
    where n_samples is large against n_features, one pass over X gives sums from which
    all folds are solved.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas, in geometric progression down from
        :func:`~sparselearn.linear_model.alpha_max` of all data; or the alphas.
    eps : float, default=1e-3
        The smallest alpha over the largest.
    cv : int, splitter or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 folds.
    selection : {"min", "1se", "aic", "bic", "ebic"}, default="min"
        The alpha of least mean error, or the largest within one standard error of it.
        Or that of the least information criterion on all rows, and no folds are fitted;
        see :func:`~sparselearn.linear_model.information_criterion`.
    penalty_weights : array-like of shape (n_features,), default=None
        0 leaves a feature unpenalised, inf drops it.
    fit_intercept : bool, default=True
        Whether to fit the intercept.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the features selected at `alpha_` again without the penalty. Information
        criteria then are of such fits, at every alpha.
    tol : float, default=1e-6
        Duality gap to reach, relative to the objective of w = 0.
    max_iter : int, default=10000
        At most so many rounds for each alpha.
    n_jobs : int, default=None
        Threads over folds; the same bits for any number.

    Attributes
    ----------
    alpha_ : float
        The chosen alpha.
    alphas_ : ndarray of shape (n_alphas,)
        Decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared errors on the test rows; not with an information criterion.
    criterion_path_, degrees_of_freedom_path_ : ndarray of the shape of `alphas_`
        With an information criterion only: its values, and what it counts.
    coef_path_ : csc_array of shape (n_features, n_alphas)
        Coefficients on all data.
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    dual_gap_, objective_ : float
        Of the fit at `alpha_`, before any refit.
    n_iter_ : int
        Rounds along the path on all data: epochs of descent or supports tried.
    solver_used_ : {"sums", "gram", "columns"}
        How that path was solved: on sums over rows, formed in one pass; on the Gram
        matrix of the working set; or by descent on its columns.
    n_passes_ : float
        Columns of X read for correlations along it, in units of all of them; 1 for
        "sums".
    screened_share_ : float
        The share of features that never entered its working set.
    support_ : ndarray of int
    n_nonzero_coefs_ : int
    sparsity_ : float
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import LassoCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> best = LassoCV().fit(X, y)
    >>> sparser = LassoCV(selection="1se").fit(X, y)
    >>> best.n_nonzero_coefs_, sparser.n_nonzero_coefs_
    (9, 6)
    """

    _parameter_constraints = {**SquaredLossRegressorCV._parameter_constraints}
    _l1_ratios = (1.0,)

    def __init__(
        self,
        alphas=100,
        *,
        eps=1e-3,
        cv=None,
        selection="min",
        penalty_weights=None,
        fit_intercept=True,
        positive=False,
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
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs


class ElasticNetCV(SquaredLossRegressorCV):
    r"""Elastic net with `alpha`, and maybe `l1_ratio`, chosen by cross-validation.

    The objective is that of :class:`~sparselearn.linear_model.ElasticNet`; see
    :class:`~sparselearn.linear_model.LassoCV` for how folds are solved.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas, in geometric progression down from
        :func:`~sparselearn.linear_model.alpha_max` of all data, for each `l1_ratio`;
        or the alphas.
    l1_ratio : float or list of float, default=0.5
        Mixing of the two penalties, in (0, 1]; of a list the best is chosen.
    eps : float, default=1e-3
        The smallest alpha over the largest.
    cv : int, splitter or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 folds.
    selection : {"min", "1se", "aic", "bic", "ebic"}, default="min"
        The alpha of least mean error, or the largest within one standard error of it,
        for the `l1_ratio` of least mean error. Or those of the least information
        criterion on all rows, and no folds are fitted; see
        :func:`~sparselearn.linear_model.information_criterion`.
    penalty_weights : array-like of shape (n_features,), default=None
        0 leaves a feature unpenalised, inf drops it.
    fit_intercept : bool, default=True
        Whether to fit the intercept.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the features selected at `alpha_` again without the penalty. Information
        criteria then are of such fits, at every alpha.
    tol : float, default=1e-6
        Duality gap to reach, relative to the objective of w = 0.
    max_iter : int, default=10000
        At most so many rounds for each alpha.
    n_jobs : int, default=None
        Threads over folds; the same bits for any number.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        The chosen ones.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        Decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Mean squared errors on the test rows; not with an information criterion.
    criterion_path_, degrees_of_freedom_path_ : ndarray of the shape of `alphas_`
        With an information criterion only: its values, and what it counts.
    coef_path_ : csc_array of shape (n_features, n_alphas)
        Coefficients on all data, with the chosen `l1_ratio_`.
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    dual_gap_, objective_ : float
        Of the fit at `alpha_`, before any refit.
    n_iter_ : int
        Rounds along the path on all data: epochs of descent or supports tried.
    solver_used_ : {"sums", "gram", "columns"}
        How that path was solved: on sums over rows, formed in one pass; on the Gram
        matrix of the working set; or by descent on its columns.
    n_passes_ : float
        Columns of X read for correlations along it, in units of all of them; 1 for
        "sums".
    screened_share_ : float
        The share of features that never entered its working set.
    support_ : ndarray of int
    n_nonzero_coefs_ : int
    sparsity_ : float
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import ElasticNetCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> ElasticNetCV(20, l1_ratio=[0.5, 0.9, 1.0]).fit(X, y).l1_ratio_
    1.0
    """

    _parameter_constraints = {
        **SquaredLossRegressorCV._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="right"), "array-like"],
    }

    def __init__(
        self,
        alphas=100,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        cv=None,
        selection="min",
        penalty_weights=None,
        fit_intercept=True,
        positive=False,
        refit_support=None,
        tol=1e-6,
        max_iter=10000,
        n_jobs=None,
    ):
        self.alphas = alphas
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.cv = cv
        self.selection = selection
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @property
    def _l1_ratios(self):
        ratios = np.atleast_1d(np.asarray(self.l1_ratio, dtype=np.float64))
        if ratios.ndim != 1 or not np.all((ratios > 0.0) & (ratios <= 1.0)):
            raise ValueError(
                f"l1_ratio must be in (0, 1], or a list of such; got {self.l1_ratio!r}."
            )
        return tuple(map(float, ratios))

    def _store_path(self, ratios, row, alphas, scores, path, dtype):
        super()._store_path(ratios, row, alphas, scores, path, dtype)
        self.l1_ratio_ = ratios[row]
