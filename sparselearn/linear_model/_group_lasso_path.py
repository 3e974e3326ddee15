"""The path of the group Lasso as a function."""

from functools import partial
from numbers import Integral, Real

from sparselearn._compat import Interval, validate_params
from sparselearn._parallel import team
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._feature_groups import find_groups, make_partition
from sparselearn._solvers._path import alpha_grid, check_alphas, solve_path
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import check_penalty_weights, check_regression
from sparselearn.linear_model._groups import group_penalty
from sparselearn.linear_model._path import PATH_PARAMETERS, warn_of_path

__all__ = ["group_lasso_path"]


@validate_params(
    {
        **PATH_PARAMETERS,
        "groups": [Integral, str, "array-like", None],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def group_lasso_path(
    X,
    y,
    *,
    groups=None,
    l1_ratio=0.0,
    alphas=None,
    n_alphas=100,
    eps=1e-3,
    penalty_weights=None,
    fit_intercept=True,
    positive=False,
    sample_weight=None,
    tol=1e-6,
    max_iter=10000,
):
    """Solve the group Lasso along a path of decreasing alphas.

    The objective is that of :class:`~sparselearn.linear_model.GroupLasso`, or with an
    `l1_ratio` that of :class:`~sparselearn.linear_model.SparseGroupLasso`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    groups : None, int, "auto", list or array-like, default=None
        Which features belong together; see
        :class:`~sparselearn.linear_model.GroupLasso`.
    l1_ratio : float, default=0.0
        The share of the L1 part, in [0, 1].
    alphas : array-like of shape (n_alphas,), default=None
        Penalty weights, sorted here. None: `n_alphas` in geometric progression from
        the smallest at which every penalised coefficient is 0, down to `eps` times it.
    n_alphas : int, default=100
    eps : float, default=1e-3
    penalty_weights : array-like of shape (n_groups,), default=None
        Weights of the groups; 0 leaves one unpenalised, inf drops it. None means the
        roots of their sizes.
    fit_intercept : bool, default=True
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    sample_weight : array-like of shape (n_samples,), default=None
    tol : float, default=1e-6
        Duality gap to reach, relative to the objective of w = 0.
    max_iter : int, default=10000
        At most so many epochs of block coordinate descent for each alpha.

    Returns
    -------
    path : PathResult
        With `alphas`, `coefs` (n_features, n_alphas) as CSC, `intercepts`,
        `dual_gaps`, `n_iter` and `converged`.

    Warns
    -----
    ConvergenceWarning
        Once, if a gap on the path misses `tol`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import group_lasso_path
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> serum = ["s1", "s2", "s3", "s4", "s5", "s6"]
    >>> path = group_lasso_path(X, y, groups=[serum], n_alphas=5)
    >>> (path.coefs.toarray() != 0).sum(axis=0)
    array([ 0,  8,  9,  9, 10])
    """
    names = getattr(X, "columns", None)
    X, y, weights = check_regression(X, y, sample_weight)
    found = find_groups(groups, X.shape[1], names)
    penalty_at = partial(
        group_penalty,
        groups=make_partition(found),
        weights=check_penalty_weights(penalty_weights, len(found), of="group"),
        l1_ratio=l1_ratio,
        positive=positive,
    )
    with team() as run:
        design = make_problem(X, weights, fit_intercept=fit_intercept, run=run)
        problem = design.with_target(y)
        if alphas is None:
            largest = critical_alpha(problem, penalty_at(1.0))
            alphas = alpha_grid(largest, n_alphas, eps)
        stopping = {"tol": tol, "max_iter": max_iter}
        alphas = check_alphas(alphas)
        path = solve_path(problem, penalty_at, alphas, **stopping, dtype=X.dtype)
    warn_of_path(path, problem.null_value, tol, max_iter)
    return path
