"""Regularisation paths as functions."""

import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparselearn._compat import Interval, validate_params
from sparselearn._parallel import team
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._path import alpha_grid, check_alphas, solve_path
from sparselearn._solvers._problem import make_problem, serially
from sparselearn._validation import check_penalty_weights, check_regression
from sparselearn.linear_model._base import elastic_net_penalty

__all__ = [
    "PATH_PARAMETERS",
    "alpha_max",
    "elastic_net_path",
    "lasso_path",
    "warn_of_path",
]

_PROBLEM = {
    "X": ["array-like", "sparse matrix"],
    "y": ["array-like"],
    "sample_weight": ["array-like", Real, None],
    "penalty_weights": ["array-like", None],
    "fit_intercept": ["boolean"],
    "positive": ["boolean"],
}
PATH_PARAMETERS = {
    **_PROBLEM,
    "alphas": ["array-like", None],
    "n_alphas": [Interval(Integral, 1, None, closed="left")],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(
    {**_PROBLEM, "l1_ratio": [Interval(Real, 0, 1, closed="right")]},
    prefer_skip_nested_validation=True,
)
def alpha_max(
    X,
    y,
    *,
    l1_ratio=1.0,
    penalty_weights=None,
    fit_intercept=True,
    positive=False,
    sample_weight=None,
):
    """The smallest alpha at which every penalised coefficient is 0.

    With r the residual of the fitted null model (intercept and unpenalised features),
    s the weights over their sum, w the penalty weights, it is ``max_j |x_j' (s r)| /
    (l1_ratio w_j)``.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    l1_ratio : float, default=1.0
        Mixing of the elastic net, in (0, 1].
    penalty_weights : array-like of shape (n_features,), default=None
        See :class:`~sparselearn.linear_model.Lasso`.
    fit_intercept : bool, default=True
    positive : bool, default=False
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    alpha : float
        0.0 where nothing correlates with y.

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import Lasso, alpha_max
    >>> X, y = np.eye(4), np.array([3.0, 1.0, 0.0, 0.0])
    >>> Lasso(alpha=alpha_max(X, y)).fit(X, y).coef_
    array([0., 0., 0., 0.])
    """
    problem, penalty_at = _set_up(
        X, y, l1_ratio, penalty_weights, fit_intercept, positive, sample_weight
    )
    return float(critical_alpha(problem, penalty_at(1.0)))


@validate_params(PATH_PARAMETERS, prefer_skip_nested_validation=True)
def lasso_path(
    X,
    y,
    *,
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
    """Solve the Lasso along a path of decreasing alphas.

    The objective is that of :class:`~sparselearn.linear_model.Lasso`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    alphas : array-like of shape (n_alphas,), default=None
        Penalty weights, sorted here. None: `n_alphas` in geometric progression from
        :func:`alpha_max` down to `eps` times it.
    n_alphas : int, default=100
    eps : float, default=1e-3
    penalty_weights : array-like of shape (n_features,), default=None
        0 leaves a feature unpenalised, inf drops it.
    fit_intercept : bool, default=True
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    sample_weight : array-like of shape (n_samples,), default=None
    tol : float, default=1e-6
        Duality gap to reach, relative to the objective of w = 0.
    max_iter : int, default=10000
        At most so many rounds for each alpha: epochs of descent or supports tried.

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
    >>> from sparselearn.linear_model import lasso_path
    >>> path = lasso_path(*load_diabetes(return_X_y=True), n_alphas=5)
    >>> (path.coefs.toarray() != 0).sum(axis=0)
    array([ 0,  4,  7,  9, 10])
    """
    data = X, y, 1.0, penalty_weights, fit_intercept, positive, sample_weight
    return _solve(data, (alphas, n_alphas, eps), tol, max_iter)


@validate_params(
    {**PATH_PARAMETERS, "l1_ratio": [Interval(Real, 0, 1, closed="both")]},
    prefer_skip_nested_validation=True,
)
def elastic_net_path(
    X,
    y,
    *,
    l1_ratio=0.5,
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
    """Solve the elastic net along a path of decreasing alphas.

    The objective is that of :class:`~sparselearn.linear_model.ElasticNet`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    l1_ratio : float, default=0.5
        Mixing of the two penalties; at 0 (ridge) `alphas` must be given.
    alphas : array-like of shape (n_alphas,), default=None
        Penalty weights, sorted here. None: `n_alphas` in geometric progression from
        :func:`alpha_max` down to `eps` times it.
    n_alphas : int, default=100
    eps : float, default=1e-3
    penalty_weights : array-like of shape (n_features,), default=None
        0 leaves a feature unpenalised, inf drops it.
    fit_intercept : bool, default=True
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    sample_weight : array-like of shape (n_samples,), default=None
    tol : float, default=1e-6
        Duality gap to reach, relative to the objective of w = 0.
    max_iter : int, default=10000
        At most so many rounds for each alpha: epochs of descent or supports tried.

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
    >>> from sparselearn.linear_model import elastic_net_path
    >>> path = elastic_net_path(*load_diabetes(return_X_y=True), n_alphas=5)
    >>> path.coefs.shape
    (10, 5)
    """
    if l1_ratio == 0.0 and alphas is None:
        raise ValueError(
            "l1_ratio=0 has no largest alpha to start a grid from; give alphas, or an "
            "l1_ratio > 0."
        )
    data = X, y, l1_ratio, penalty_weights, fit_intercept, positive, sample_weight
    return _solve(data, (alphas, n_alphas, eps), tol, max_iter)


def _set_up(
    X,
    y,
    l1_ratio,
    penalty_weights,
    fit_intercept,
    positive,
    sample_weight,
    run=serially,
):
    """The problem, and the penalty as a function of alpha."""
    X, y, weights = check_regression(X, y, sample_weight)
    problem = make_problem(X, weights, fit_intercept=fit_intercept, run=run)
    problem = problem.with_target(y)
    penalty_at = partial(
        elastic_net_penalty,
        l1_ratio=l1_ratio,
        penalty_weights=check_penalty_weights(penalty_weights, X.shape[1]),
        positive=positive,
    )
    return problem, penalty_at


def _grid(problem, penalty_at, alphas, n_alphas, eps):
    """The decreasing alphas to solve at."""
    if alphas is not None:
        return check_alphas(alphas)
    return alpha_grid(critical_alpha(problem, penalty_at(1.0)), n_alphas, eps)


def _solve(data, grid, tol, max_iter):
    """The path for the arguments of `_set_up` and, after the penalty, of `_grid`."""
    with team() as run:
        problem, penalty_at = _set_up(*data, run)
        alphas = _grid(problem, penalty_at, *grid)
        stopping = {"tol": tol, "max_iter": max_iter}
        dtype = problem.matrix.dtype
        path = solve_path(problem, penalty_at, alphas, **stopping, dtype=dtype)
    warn_of_path(path, problem.null_value, tol, max_iter, stacklevel=5)
    return path


def warn_of_path(path, null_value, tol, max_iter, *, stacklevel=4):
    """Warn of points of a path that missed `tol`."""
    missed = np.flatnonzero(~path.converged)
    if missed.size:
        relative = np.max(path.dual_gaps[missed]) / null_value
        warnings.warn(
            f"{missed.size} of {path.alphas.size} alphas stopped after {max_iter} "
            f"epochs at relative duality gaps up to {relative:.2e} > tol={tol:.2e}. "
            "Increase max_iter or tol; below about 1e-14, tol asks for less than "
            "rounding.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
