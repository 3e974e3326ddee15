"""Lasso and elastic net, their alpha chosen by cross-validation."""

from numbers import Real

import numpy as np

from sparselearn._compat import Interval
from sparselearn.linear_model._squared_loss_cv import SquaredLossRegressorCV
from sparselearn.linear_model._streaming_cv import StreamedCV

__all__ = ["ElasticNetCV", "LassoCV"]


class LassoCV(StreamedCV, SquaredLossRegressorCV):
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
    n_samples_seen_ : int
        By `partial_fit`, if that has fitted the model.
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


class ElasticNetCV(StreamedCV, SquaredLossRegressorCV):
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
    n_samples_seen_ : int
        By `partial_fit`, if that has fitted the model.
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
