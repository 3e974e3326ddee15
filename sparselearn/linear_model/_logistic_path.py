"""The path of logistic regression as a function."""

from functools import partial
from numbers import Real

import numpy as np

from sparselearn import losses
from sparselearn._compat import Interval, StrOptions, validate_params
from sparselearn._parallel import team
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._path import (
    alpha_grid,
    check_alphas,
    make_solver,
    solve_path,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import (
    check_penalty_weights,
    check_X_y,
    column_major,
    row_weights,
)
from sparselearn.linear_model._base import elastic_net_penalty
from sparselearn.linear_model._classes import encode_classes
from sparselearn.linear_model._path import PATH_PARAMETERS, warn_of_path

__all__ = ["logistic_path"]


@validate_params(
    {
        **PATH_PARAMETERS,
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    },
    prefer_skip_nested_validation=True,
)
def logistic_path(
    X,
    y,
    *,
    alphas=None,
    n_alphas=100,
    eps=1e-2,
    l1_ratio=1.0,
    penalty_weights=None,
    class_weight=None,
    fit_intercept=True,
    positive=False,
    sample_weight=None,
    tol=1e-6,
    max_iter=10000,
):
    """Solve logistic regression of two classes along a path of decreasing alphas.

    The objective is that of
    :class:`~sparselearn.linear_model.SparseLogisticRegression`.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
        Two classes.
    alphas : array-like of shape (n_alphas,), default=None
        Penalty weights, sorted here. None: `n_alphas` in geometric progression from
        the smallest that leaves all penalised coefficients 0 down to `eps` times it.
    n_alphas : int, default=100
    eps : float, default=1e-2
    l1_ratio : float, default=1.0
        Mixing of the elastic net; at 0 (ridge) `alphas` must be given.
    penalty_weights : array-like of shape (n_features,), default=None
        0 leaves a feature unpenalised, inf drops it.
    class_weight : dict or "balanced", default=None
    fit_intercept : bool, default=True
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    sample_weight : array-like of shape (n_samples,), default=None
    tol : float, default=1e-6
        Duality gap to reach, relative to half the null deviance.
    max_iter : int, default=10000
        At most so many rounds for each alpha: epochs of descent or supports tried.

    Returns
    -------
    path : PathResult
        With `alphas`, `coefs` (n_features, n_alphas) as CSC, `intercepts`,
        `dual_gaps`, `n_iter` and `converged`.

    Raises
    ------
    ValueError
        For other than two classes; see
        :class:`~sparselearn.linear_model.SparseLogisticRegression` for more.

    Warns
    -----
    ConvergenceWarning
        Once, if a gap on the path misses `tol`.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sparselearn.linear_model import logistic_path
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> path = logistic_path(StandardScaler().fit_transform(X), y, n_alphas=5)
    >>> (path.coefs.toarray() != 0).sum(axis=0)
    array([ 0,  2,  5,  9, 13])
    """
    if l1_ratio == 0.0 and alphas is None:
        raise ValueError(
            "l1_ratio=0 has no largest alpha to start a grid from; give alphas, or an "
            "l1_ratio > 0."
        )
    X, y = check_X_y(
        X,
        y,
        accept_sparse="csc",
        accept_large_sparse=True,
        dtype=(np.float64, np.float32),
        order="F",
    )
    classes, codes, weights = encode_classes(
        y, row_weights(sample_weight, X), class_weight
    )
    if classes.size != 2:
        raise ValueError(
            f"logistic_path is of two classes; y has {classes.size}. For more, see "
            "SparseLogisticRegressionCV and its coef_path_."
        )
    X = column_major(X)
    penalty_at = partial(
        elastic_net_penalty,
        l1_ratio=l1_ratio,
        penalty_weights=check_penalty_weights(penalty_weights, X.shape[1]),
        positive=positive,
    )
    with team() as run:
        design = make_problem(X, weights, fit_intercept=fit_intercept, run=run)
        target = (codes == 1).astype(np.float64)
        problem = GlmProblem(design, losses.Logistic(), target)
        if alphas is None:
            largest = make_solver(problem, penalty_at(1.0)).alpha_max
            alphas = alpha_grid(largest, n_alphas, eps)
        path = solve_path(
            problem,
            penalty_at,
            check_alphas(alphas),
            tol=tol,
            max_iter=max_iter,
            dtype=X.dtype,
        )
    warn_of_path(path, problem.null_value, tol, max_iter)
    return path
