"""Group Lasso, its alpha chosen by cross-validation."""

from functools import partial

from sparselearn.linear_model._group_lasso import GroupPenalised
from sparselearn.linear_model._groups import group_penalty
from sparselearn.linear_model._squared_loss_cv import SquaredLossRegressorCV
from sparselearn.linear_model._streaming_cv import StreamedCV

__all__ = ["GroupLassoCV"]


class GroupLassoCV(StreamedCV, GroupPenalised, SquaredLossRegressorCV):
    r"""Group Lasso with `alpha` chosen by cross-validation.

    The objective is that of :class:`~sparselearn.linear_model.GroupLasso`. Every fold's
    path is certified like a fit. Folds read the same X, each with weights of its own;
    where n_samples is large against n_features, one pass over X gives sums from which
    all folds are solved.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=100
        Number of alphas, in geometric progression down from the smallest with which
        all data have no penalised coefficients; or the alphas.
    groups : None, int, "auto", list or array-like, default=None
        See :class:`~sparselearn.linear_model.GroupLasso`: the features of each group as
        indices, names or prefixes of names, labels, a size, or "auto" for the blocks
        that encoders have made. None is each feature alone.
    eps : float, default=1e-3
        The smallest alpha over the largest.
    cv : int, splitter or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 folds.
    selection : {"min", "1se", "aic", "bic", "ebic"}, default="min"
        The alpha of least mean error, or the largest within one standard error of it.
        Or that of the least information criterion on all rows, and no folds are fitted;
        see :func:`~sparselearn.linear_model.information_criterion`.
    penalty_weights : array-like of shape (n_groups,), default=None
        Weights of the groups, in the order of `groups_`; 0 leaves a group unpenalised,
        inf drops it. None means the roots of their sizes.
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
        Mean squared errors on the test rows; not with an information criterion.
    criterion_path_, degrees_of_freedom_path_ : ndarray of shape (n_alphas,)
        With an information criterion only: its values, and what it counts.
    coef_path_ : csc_array of shape (n_features, n_alphas)
        Coefficients on all data.
    coef_ : ndarray of shape (n_features,)
    intercept_ : float
    groups_ : list of ndarray of int
        The features of each group, those in no group given included.
    group_support_ : ndarray of int
        The groups with a non-zero coefficient.
    dual_gap_, objective_ : float
        Of the fit at `alpha_`, before any refit.
    n_iter_ : int
        Epochs of block coordinate descent along the path on all data.
    solver_used_ : {"sums", "gram", "columns"}
        How that path was solved: on sums over rows, formed in one pass; on the Gram
        matrix of the working set; or by descent on its columns.
    n_passes_ : float
        Columns of X read for correlations along it, in units of all of them; 1 for
        "sums".
    screened_share_ : float
        The share of features that never entered its working set.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
    n_samples_seen_ : int
        By `partial_fit`, if that has fitted the model.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero in a
        fold, groups that overlap or name what X does not have, `penalty_weights` of a
        wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if at `alpha_` the gap misses `tol` after `max_iter`
        epochs.

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import GroupLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 12))
    >>> y = X[:, 3:6] @ [1.0, -2.0, 0.5] + rng.standard_normal(60)
    >>> GroupLassoCV(groups=3, selection="1se").fit(X, y).group_support_
    array([1])
    """

    _parameter_constraints = {
        **SquaredLossRegressorCV._parameter_constraints,
        **GroupPenalised._parameter_constraints,
    }
    _l1_ratios = (0.0,)

    def __init__(
        self,
        alphas=100,
        *,
        groups=None,
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
        self.groups = groups
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

    def _penalty_at(self, n_features):
        """The penalty as a function of alpha and `l1_ratio`."""
        groups, weights = self._find_groups(n_features)
        return partial(
            group_penalty, groups=groups, weights=weights, positive=self.positive
        )
