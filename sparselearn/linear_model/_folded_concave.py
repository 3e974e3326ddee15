"""Regression with folded concave penalties: MCP and SCAD."""

from numbers import Real

import numpy as np

from sparselearn import penalties
from sparselearn._compat import Interval
from sparselearn._solvers._folded_concave import (
    ALPHAS,
    certify,
    solve_concave,
    solve_concave_to_size,
)
from sparselearn._solvers._path import make_solver
from sparselearn._validation import check_penalty_weights
from sparselearn.linear_model._base import SquaredLossRegressor

__all__ = [
    "GAMMAS",
    "MCPRegressor",
    "SCADRegressor",
    "folded_concave_at",
    "solve_folded",
]


# Of each kind the gamma that its authors recommend, and what it has to exceed.
GAMMAS = {penalties.MCP: (3.0, 1), penalties.SCAD: (3.7, 2)}


def folded_concave_at(kind, gamma, curvatures, *, penalty_weights, positive):
    """The penalty of a `kind` as a function of alpha.

    Parameters
    ----------
    kind : {penalties.MCP, penalties.SCAD}
    gamma : float
    curvatures : ndarray (n_features,)
        The units of `gamma`: what the loss curves by at most.
    penalty_weights : array-like of shape (n_features,) or None
    positive : bool
    """
    weights = check_penalty_weights(penalty_weights, curvatures.size)
    weights = np.ones(curvatures.size) if weights is None else weights
    return lambda alpha: kind(alpha, gamma, weights, curvatures, positive)


def solve_folded(
    problem, folded_at, convex_at, *, alpha, n_nonzero_coefs, start, tol, max_iter
):
    """The alpha in use and the stationary point, of any loss.

    Parameters
    ----------
    folded_at, convex_at : callable
        The penalty at an alpha, and the elastic net that takes its place at 0.
    """
    stopping = {"tol": tol, "max_iter": max_iter}
    if n_nonzero_coefs is not None:
        return solve_concave_to_size(problem, folded_at, n_nonzero_coefs, **stopping)
    if alpha == 0.0:
        # No penalty, which is convex; the square of a violation is a gap.
        convex = convex_at(0.0)
        solver = make_solver(problem, convex, start=start)
        return 0.0, solver.solve(convex, tol=tol**2, max_iter=max_iter)
    return alpha, solve_concave(problem, folded_at(alpha), start=start, **stopping)


class _FoldedConcaveRegressor(SquaredLossRegressor):
    """Fit of a linear model with a penalty `_kind`, a `penalties.FoldedConcave`."""

    _l1_ratio = 1.0
    _n_solves = ALPHAS

    def _folded_at(self, problem):
        return folded_concave_at(
            self._kind,
            self.gamma,
            problem.curvature,
            penalty_weights=self.penalty_weights,
            positive=self.positive,
        )

    def _solve(self, problem, penalty_at, start):
        """The alpha in use and the stationary point for one target."""
        return solve_folded(
            problem,
            self._folded_at(problem),
            penalty_at,
            alpha=self.alpha,
            n_nonzero_coefs=self.n_nonzero_coefs,
            start=start,
            tol=self.tol,
            max_iter=self.max_iter,
        )

    def _solve_twins(self, twins, problem, penalty_at):
        # Where a path leads depends on its alphas: each has its own.
        return [twin._solve(problem, penalty_at, None) for twin in twins]

    def _store_certificates(self, problems, alphas, solutions, shaped):
        certificates = [
            certify(problem, self._folded_at(problem)(alpha), solution.coef)
            for problem, alpha, solution in zip(problems, alphas, solutions)
        ]
        objectives, violations = zip(*certificates)
        self.objective_ = shaped(objectives, float)
        self.stationarity_ = shaped(violations, float)

    def _warn_unless_converged(self, problems, solutions):
        violations = np.atleast_1d(self.stationarity_)
        missed = np.flatnonzero(~(violations <= self.tol))
        if missed.size:
            n_iter = max(solutions[k].n_iter for k in missed)
            self._warn_missed(
                np.max(violations[missed]), n_iter, measure="stationarity violation"
            )


class MCPRegressor(_FoldedConcaveRegressor):
    r"""Linear regression with the minimax concave penalty, which spares large effects.

    Looks for a minimum over the coefficients w and the unpenalised intercept b, with
    sample weights s, of

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2 + \sum_j h_j(w_j),
        \qquad
        h_j'(|w|) = \max \left( \alpha \omega_j - \frac{L_j}{\gamma} |w|, \, 0 \right),

    with :math:`L_j` the weighted variance of feature j (its mean square without an
    intercept). So :math:`\gamma` is in units in which the scale of a feature does not
    matter; for features of unit variance this is the textbook's penalty. It begins as
    the Lasso's, and from :math:`|w| = \gamma \alpha \omega_j / L_j` on it is constant:
    coefficients as large as that are not shrunk.

    The objective is not convex, though each coordinate's problem is. The result is the
    stationary point at the end of a path from the model without penalised features
    down to `alpha`, by alphas in geometric progression, each at most a sixth below the
    one before: 13 of them to a tenth of the largest, 26 to a hundredth. No change of a
    single coefficient improves it; that no other point is better, nobody certifies.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y times X. At or above
        :func:`~sparselearn.linear_model.alpha_max` all penalised coefficients are 0.
    gamma : float, default=3.0
        How slowly the penalty bends, > 1. Near 1 it selects as subsets are selected;
        inf is the Lasso.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted for each target: the least
        penalised point of the path that has at most so many. Any number is allowed,
        also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty: by least squares, or with
        a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        The largest `stationarity_` to be left.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to begin at the coefficients of the last fit instead of the path.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X; the certificate is of their float64
        values.
    intercept_ : float or ndarray of shape (n_targets,)
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha in use.
    stationarity_ : float or ndarray of shape (n_targets,)
        How far the coefficients are from stationary: the largest distance of a
        feature's covariance with the residual to the subdifferential of :math:`h_j`,
        over :math:`\sqrt{L_j}`, in units of the largest covariance of a feature with y,
        over its own :math:`\sqrt{L_j}`. Computed anew from the data in float64; before
        any refit.
    objective_ : float or ndarray of shape (n_targets,)
        The objective above.
    n_iter_ : int
        Rounds: epochs of descent and supports tried, on all of the path, or with
        `n_nonzero_coefs` at its end; the most over the targets.
    solver_used_ : {"sums", "gram", "columns"}
        How it was solved: on sums over rows, formed in one pass; on the Gram matrix
        of the working set; or by descent on its columns. Of the first target.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them; 1 for "sums". The
        sum over the targets.
    screened_share_ : float
        The share of features that never entered the working set. The
        mean over the targets.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero,
        `penalty_weights` of a wrong shape, a `gamma` of 1 or less.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if `stationarity_` misses `tol`.

    See Also
    --------
    SCADRegressor : Penalises small coefficients as the Lasso does for longer.
    AdaptiveLasso : Convex, with a pilot estimate.

    References
    ----------
    Zhang (2010), Nearly unbiased variable selection under minimax concave penalty.

    Breheny and Huang (2011), Coordinate descent algorithms for nonconvex penalized
    regression, with applications to biological feature selection.

    Mazumder, Friedman and Hastie (2011), SparseNet: coordinate descent with nonconvex
    penalties.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import MCPRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = MCPRegressor(alpha=0.2).fit(X, y)
    >>> list(model.feature_names_in_[model.support_])
    ['sex', 'bmi', 'bp', 's2', 's3', 's5']
    """

    _parameter_constraints = {
        **SquaredLossRegressor._parameter_constraints,
        "gamma": [Interval(Real, 1, None, closed="right")],
    }
    _kind = penalties.MCP

    def __init__(
        self,
        alpha=1.0,
        *,
        gamma=3.0,
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
        self.gamma = gamma
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start


class SCADRegressor(_FoldedConcaveRegressor):
    r"""Linear regression with the SCAD penalty, which spares large effects.

    Looks for a minimum over the coefficients w and the unpenalised intercept b, with
    sample weights s, of

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2 + \sum_j h_j(w_j),

    .. math::
        h_j'(|w|) = \max \left( \lambda_j - \frac{L_j}{\gamma - 1}
        \max \left( |w| - \frac{\lambda_j}{L_j}, \, 0 \right), \, 0 \right),
        \qquad \lambda_j = \alpha \omega_j,

    with :math:`L_j` the weighted variance of feature j (its mean square without an
    intercept). So :math:`\gamma` is in units in which the scale of a feature does not
    matter; for features of unit variance this is the textbook's penalty, smoothly
    clipped absolute deviation. Up to :math:`|w| = \lambda_j / L_j` it is the Lasso's,
    and from :math:`\gamma \lambda_j / L_j` on it is constant: coefficients as large as
    that are not shrunk.

    The objective is not convex, though each coordinate's problem is. The result is the
    stationary point at the end of a path from the model without penalised features
    down to `alpha`, by alphas in geometric progression, each at most a sixth below the
    one before: 13 of them to a tenth of the largest, 26 to a hundredth. No change of a
    single coefficient improves it; that no other point is better, nobody certifies.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y times X. At or above
        :func:`~sparselearn.linear_model.alpha_max` all penalised coefficients are 0.
    gamma : float, default=3.7
        Where the penalty becomes constant, > 2; inf is the Lasso. The default is Fan
        and Li's.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted for each target: the least
        penalised point of the path that has at most so many. Any number is allowed,
        also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty: by least squares, or with
        a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        The largest `stationarity_` to be left.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to begin at the coefficients of the last fit instead of the path.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X; the certificate is of their float64
        values.
    intercept_ : float or ndarray of shape (n_targets,)
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha in use.
    stationarity_ : float or ndarray of shape (n_targets,)
        How far the coefficients are from stationary: the largest distance of a
        feature's covariance with the residual to the subdifferential of :math:`h_j`,
        over :math:`\sqrt{L_j}`, in units of the largest covariance of a feature with y,
        over its own :math:`\sqrt{L_j}`. Computed anew from the data in float64; before
        any refit.
    objective_ : float or ndarray of shape (n_targets,)
        The objective above.
    n_iter_ : int
        Rounds: epochs of descent and supports tried, on all of the path, or with
        `n_nonzero_coefs` at its end; the most over the targets.
    solver_used_ : {"sums", "gram", "columns"}
        How it was solved: on sums over rows, formed in one pass; on the Gram matrix
        of the working set; or by descent on its columns. Of the first target.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them; 1 for "sums". The
        sum over the targets.
    screened_share_ : float
        The share of features that never entered the working set. The
        mean over the targets.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero,
        `penalty_weights` of a wrong shape, a `gamma` of 2 or less.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if `stationarity_` misses `tol`.

    See Also
    --------
    MCPRegressor : Spares coefficients from the start.
    AdaptiveLasso : Convex, with a pilot estimate.

    References
    ----------
    Fan and Li (2001), Variable selection via nonconcave penalized likelihood and its
    oracle properties.

    Breheny and Huang (2011), Coordinate descent algorithms for nonconvex penalized
    regression, with applications to biological feature selection.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import SCADRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = SCADRegressor(alpha=0.2).fit(X, y)
    >>> list(model.feature_names_in_[model.support_])
    ['sex', 'bmi', 'bp', 's1', 's3', 's5']
    """

    _parameter_constraints = {
        **SquaredLossRegressor._parameter_constraints,
        "gamma": [Interval(Real, 2, None, closed="right")],
    }
    _kind = penalties.SCAD

    def __init__(
        self,
        alpha=1.0,
        *,
        gamma=3.7,
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
        self.gamma = gamma
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
