"""Group Lasso: features that are selected together."""

from functools import partial
from numbers import Integral, Real

import numpy as np

from sparselearn._compat import Interval
from sparselearn._solvers._feature_groups import find_groups, make_partition
from sparselearn._validation import check_penalty_weights
from sparselearn.linear_model._base import SquaredLossRegressor
from sparselearn.linear_model._groups import group_penalty
from sparselearn.linear_model._streaming import Streamed

__all__ = ["GroupLasso", "GroupPenalised", "SparseGroupLasso"]


class GroupPenalised:
    """The penalty of an estimator with the parameters named below.

    It stands before the estimator's other bases.
    """

    _parameter_constraints = {"groups": [Integral, str, "array-like", None]}
    _selects = True

    def _find_groups(self, n_features):
        """Set `groups_`; return the partition and the groups' weights or None."""
        names = getattr(self, "feature_names_in_", None)
        self.groups_ = find_groups(self.groups, n_features, names)
        weights = check_penalty_weights(
            self.penalty_weights, len(self.groups_), of="group"
        )
        return make_partition(self.groups_), weights

    def _penalty_at(self, n_features):
        """The penalty as a function of alpha."""
        groups, weights = self._find_groups(n_features)
        return partial(
            group_penalty,
            groups=groups,
            weights=weights,
            l1_ratio=self._l1_ratio,
            positive=self.positive,
        )

    def _store_coef(self, coef, intercept):
        super()._store_coef(coef, intercept)
        active = np.any(np.atleast_2d(coef) != 0.0, axis=0)
        self.group_support_ = np.flatnonzero(
            [active[group].any() for group in self.groups_]
        )


class GroupLasso(Streamed, GroupPenalised, SquaredLossRegressor):
    r"""Linear regression with groups of features that are in or out as a whole.

    Minimises over the coefficients w and the unpenalised intercept b, with sample
    weights s,

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2
        + \alpha \sum_g \omega_g \|w_g\|_2,

    where :math:`w_g` are the coefficients of group g, and :math:`\omega_g` the root of
    the group's size unless `penalty_weights` says otherwise. Certified by a duality
    gap.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y times X.
    groups : None, int, "auto", list or array-like, default=None
        Which features belong together. Features in no group are each a group of their
        own, after the groups that are given.

        - None: each feature alone, which makes this a Lasso.
        - int: neighbouring columns by so many; the last group may be smaller.
        - list of lists: the indices of each group's features, or their names where X
          has feature names.
        - list of str: prefixes of feature names, each a group; of several that fit a
          name the longest has it.
        - array-like of shape (n_features,), not a list of str: a label for each
          feature; groups are in the order of sorted labels.
        - "auto": the blocks that encoders have made, told from feature names. Columns
          next to one another are a block if they share what precedes the last "_", and
          the part before "__" of a ColumnTransformer: ``encoder__city_Paris``,
          ``encoder__city_Rome``. A neighbour ``encoder__city_New_York`` belongs to
          them. Columns that were passed through, ``remainder__x_1``, are alone; others
          that are so named, ``scaler__x_1`` and ``scaler__x_2``, are not: then give the
          groups.
    penalty_weights : array-like of shape (n_groups,), default=None
        The weights :math:`\omega` >= 0 of the groups, in the order of `groups_`; 0
        leaves a group unpenalised, inf drops it. None means the roots of their sizes,
        so that groups of noise are equally likely to enter, whatever their sizes.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted for each target, coefficients
        and not groups: the least penalised solution of the path that has at most so
        many. Any number is allowed, also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty, which shrinks: by least
        squares, or with a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times the objective of w = 0.
    max_iter : int, default=10000
        At most so many epochs of block coordinate descent.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X; the certificate is of their float64
        values.
    intercept_ : float or ndarray of shape (n_targets,)
    groups_ : list of ndarray of int
        The features of each group, those in no group given included.
    group_support_ : ndarray of int
        The groups with a non-zero coefficient, for any target.
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha in use.
    dual_gap_ : float or ndarray of shape (n_targets,)
        How far the objective is from its minimum at most, in its own units;
        of the penalised solution, before any refit.
    objective_ : float or ndarray of shape (n_targets,)
        The objective above.
    n_iter_ : int
        Epochs of block coordinate descent, the most over the targets.
    solver_used_ : {"sums", "gram", "columns"}
        How it was solved: on sums over rows, formed in one pass; on the Gram matrix
        of the working set; or by descent on its columns. Of the first target.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them; 1 for "sums". The
        sum over the targets.
    screened_share_ : float
        The share of features that never entered the working set. The mean over the
        targets.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
    n_samples_seen_ : int
        By `partial_fit`, if that has fitted the model.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero, groups
        that overlap or name what X does not have, `penalty_weights` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` epochs.

    References
    ----------
    Yuan and Lin (2006), Model selection and estimation in regression with grouped
    variables.

    Yang and Hastie (2024), A fast and scalable pathwise-solver for group lasso and
    elastic net penalized regression via block-coordinate descent (the block solve).

    Ndiaye, Fercoq, Gramfort and Salmon (2017), Gap safe screening rules for sparsity
    enforcing penalties (the gap).

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import GroupLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 12))
    >>> y = X[:, 3:6] @ [1.0, -2.0, 0.5] + 0.1 * rng.standard_normal(60)
    >>> model = GroupLasso(alpha=0.2, groups=3).fit(X, y)
    >>> model.group_support_, model.support_
    (array([1]), array([3, 4, 5]))
    """

    _parameter_constraints = {
        **SquaredLossRegressor._parameter_constraints,
        **GroupPenalised._parameter_constraints,
    }
    _l1_ratio = 0.0

    def __init__(
        self,
        alpha=1.0,
        *,
        groups=None,
        penalty_weights=None,
        n_nonzero_coefs=None,
        fit_intercept=True,
        positive=False,
        refit_support=None,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.alpha = alpha
        self.groups = groups
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start


class SparseGroupLasso(Streamed, GroupPenalised, SquaredLossRegressor):
    r"""Group Lasso whose groups, where they are in, are sparse themselves.

    Minimises over the coefficients w and the unpenalised intercept b, with sample
    weights s and :math:`\rho` = `l1_ratio`,

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2
        + \alpha \sum_g \omega_g \left( (1 - \rho) \|w_g\|_2
        + \rho \, \frac{\|w_g\|_1}{\sqrt{p_g}} \right),

    where :math:`w_g` are the :math:`p_g` coefficients of group g. By default
    :math:`\omega_g = \sqrt{p_g}`, and the penalty is that of Simon et al. (2013),
    :math:`\alpha (1 - \rho) \sum_g \sqrt{p_g} \|w_g\|_2 + \alpha \rho \|w\|_1`.
    Certified by a duality gap.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y times X.
    l1_ratio : float, default=0.5
        Mixing of the two parts, in [0, 1]: 0 is the group Lasso, 1 the Lasso.
    groups : None, int, "auto", list or array-like, default=None
        See :class:`~sparselearn.linear_model.GroupLasso`: the features of each group as
        indices, names or prefixes of names, labels, a size, or "auto" for the blocks
        that encoders have made. None is each feature alone.
    penalty_weights : array-like of shape (n_groups,), default=None
        The weights :math:`\omega` >= 0 of the groups, in the order of `groups_`, of
        both parts; 0 leaves a group unpenalised, inf drops it. None means the roots of
        their sizes.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted for each target, coefficients
        and not groups: the least penalised solution of the path that has at most so
        many. Any number is allowed, also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty, which shrinks: by least
        squares, or with a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times the objective of w = 0.
    max_iter : int, default=10000
        At most so many epochs of block coordinate descent.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X; the certificate is of their float64
        values.
    intercept_ : float or ndarray of shape (n_targets,)
    groups_ : list of ndarray of int
        The features of each group, those in no group given included.
    group_support_ : ndarray of int
        The groups with a non-zero coefficient, for any target.
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha in use.
    dual_gap_ : float or ndarray of shape (n_targets,)
        How far the objective is from its minimum at most, in its own units;
        of the penalised solution, before any refit.
    objective_ : float or ndarray of shape (n_targets,)
        The objective above.
    n_iter_ : int
        Epochs of block coordinate descent, the most over the targets.
    solver_used_ : {"sums", "gram", "columns"}
        How it was solved: on sums over rows, formed in one pass; on the Gram matrix
        of the working set; or by descent on its columns. Of the first target.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them; 1 for "sums". The
        sum over the targets.
    screened_share_ : float
        The share of features that never entered the working set. The mean over the
        targets.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
    n_samples_seen_ : int
        By `partial_fit`, if that has fitted the model.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero, groups
        that overlap or name what X does not have, `penalty_weights` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` epochs.

    References
    ----------
    Simon, Friedman, Hastie and Tibshirani (2013), A sparse-group lasso.

    Ndiaye, Fercoq, Gramfort and Salmon (2016), GAP safe screening rules for
    sparse-group lasso (the gap).

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import SparseGroupLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 12))
    >>> y = X[:, 3:5] @ [1.0, -2.0] + 0.1 * rng.standard_normal(60)
    >>> model = SparseGroupLasso(alpha=0.2, groups=3).fit(X, y)
    >>> model.group_support_, model.support_
    (array([1]), array([3, 4]))
    """

    _parameter_constraints = {
        **SquaredLossRegressor._parameter_constraints,
        **GroupPenalised._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        groups=None,
        penalty_weights=None,
        n_nonzero_coefs=None,
        fit_intercept=True,
        positive=False,
        refit_support=None,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.groups = groups
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    @property
    def _l1_ratio(self):
        return self.l1_ratio
