"""The adaptive Lasso."""

from dataclasses import dataclass
from functools import partial
from numbers import Real

import numpy as np

from sparselearn._compat import Interval, StrOptions
from sparselearn._solvers._engine import Solution
from sparselearn._solvers._pilot import (
    adaptive_weights,
    lasso_pilot,
    least_squares_pilot,
)
from sparselearn._solvers._refit import RIDGE
from sparselearn._validation import check_penalty_weights
from sparselearn.linear_model._base import SquaredLossRegressor, elastic_net_penalty
from sparselearn.linear_model._twins import solve_twins

__all__ = ["AdaptiveLasso"]


@dataclass(frozen=True)
class _AdaptiveSolution(Solution):
    """A solution with the penalty weights that led to it."""

    penalty_weights: np.ndarray


def _adaptive(solution, penalty_at, n_epochs):
    parts = vars(solution) | {"n_iter": n_epochs + solution.n_iter}
    weights = penalty_at.keywords["penalty_weights"]
    return _AdaptiveSolution(**parts, penalty_weights=weights)


class AdaptiveLasso(SquaredLossRegressor):
    r"""Lasso that penalises less what a pilot estimate finds to matter more.

    In two stages: a pilot estimate :math:`\tilde w`, then the Lasso

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2
        + \alpha \sum_j \omega_j \sigma_j \,
        \left( \frac{\max_k e_k}{e_j} \right)^\gamma |w_j|,
        \qquad e_j = \sigma_j |\tilde w_j|,

    with sample weights s, :math:`\omega` the `penalty_weights` and :math:`\sigma_j` the
    standard deviation of feature j (its root mean square without an intercept). The
    effects :math:`e_j` are coefficients of features of unit variance, so that the units
    of a feature do not matter; of all effects only the proportions do. A feature whose
    pilot is 0 is dropped. Where the pilot is consistent, strong features are hardly
    shrunk, weak ones are, and the right ones are selected under weaker conditions than
    the Lasso's.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y: for the feature of the largest effect,
        that of a Lasso on features of unit variance.
    gamma : float, default=1.0
        How strongly the weights differ; > 0.
    pilot : {"ols", "ridge", "lasso"} or array-like (n_features,), default="ols"
        The pilot estimate: least squares, of minimal norm on features of unit variance
        where they are dependent; the same with a ridge penalty of 1% of their variance,
        better where they are nearly so or more than the samples; the Lasso on features
        of unit variance, at 1% of its largest alpha; or coefficients of your own, for
        all targets.
    penalty_weights : array-like of shape (n_features,), default=None
        Weights :math:`\omega` >= 0 on top of those of the pilot; 0 leaves a feature
        unpenalised, inf drops it. None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted for each target: the least
        penalised solution of the path that has at most so many. Any number is allowed,
        also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0; of the pilots, the Lasso is so
        too.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty, which shrinks: by least
        squares, or with a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times the objective of w = 0.
    max_iter : int, default=10000
        At most so many rounds, in each stage.
    warm_start : bool, default=False
        Whether to start the second stage from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X.
    intercept_ : float or ndarray of shape (n_targets,)
    penalty_weights_ : ndarray of shape (n_features,) or (n_targets, n_features)
        What multiplies :math:`\alpha |w_j|` above, inf for a dropped feature:
        ``Lasso(alpha, penalty_weights=penalty_weights_)`` is the second stage.
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha in use.
    dual_gap_ : float or ndarray of shape (n_targets,)
        How far the objective is from its minimum at most, in its own units, for the
        weights at hand; of the penalised solution, before any refit.
    objective_ : float or ndarray of shape (n_targets,)
        The objective above.
    n_iter_ : int
        Rounds in both stages: epochs of descent or supports tried, the most over the
        targets; least squares count as one.
    solver_used_ : {"sums", "gram", "columns"}
        How the second stage was solved: on sums over rows, formed in one pass;
        on the Gram matrix of the working set; or by descent on its columns. Of the
        first target.
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
        `penalty_weights` or `pilot` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` rounds.

    References
    ----------
    Zou (2006), The adaptive lasso and its oracle properties. On features of unit
    variance this is the same, with an alpha that is ``max_k |pilot_k|^gamma`` times
    smaller, so that it does not depend on the scale of the pilot.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import AdaptiveLasso
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = AdaptiveLasso(n_nonzero_coefs=5).fit(X, y)
    >>> list(model.feature_names_in_[model.support_])
    ['sex', 'bmi', 'bp', 's1', 's5']
    """

    _parameter_constraints = {
        **SquaredLossRegressor._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "pilot": [StrOptions({"ols", "ridge", "lasso"}), "array-like"],
    }
    _l1_ratio = 1.0

    def __init__(
        self,
        alpha=1.0,
        *,
        gamma=1.0,
        pilot="ols",
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
        self.pilot = pilot
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.refit_support = refit_support
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _with_shared_sums(self, problems, penalty, n_fits=1):
        """None of it: the pilot asks for rows."""
        return problems

    def _solve(self, problem, penalty_at, start):
        """The alpha in use and the solution for one target, by both stages."""
        penalty_at, n_epochs = self._first_stage(problem)
        alpha, solution = super()._solve(problem, penalty_at, start)
        return alpha, _adaptive(solution, penalty_at, n_epochs)

    def _solve_twins(self, twins, problem, penalty_at):
        penalty_at, n_epochs = self._first_stage(problem)
        second = SquaredLossRegressor._solve
        found = solve_twins(twins, problem, penalty_at, solve=second)
        return [(alpha, _adaptive(s, penalty_at, n_epochs)) for alpha, s in found]

    def _largest_alpha(self, problem, penalty_at):
        return super()._largest_alpha(problem, self._first_stage(problem)[0])

    def _first_stage(self, problem):
        """The second stage's penalty as a function of alpha, and the epochs so far."""
        n_features = problem.curvature.size
        omega = check_penalty_weights(self.penalty_weights, n_features)
        omega = np.ones(n_features) if omega is None else omega
        pilot, n_epochs = self._pilot_coefficients(problem, omega)
        weights = adaptive_weights(problem, pilot, omega, self.gamma)
        penalty_at = partial(
            elastic_net_penalty, penalty_weights=weights, positive=self.positive
        )
        return penalty_at, n_epochs

    def _pilot_coefficients(self, problem, omega):
        """The first stage, and its epochs; a direct solution counts as one."""
        if not isinstance(self.pilot, str):
            pilot = np.asarray(self.pilot, dtype=np.float64)
            if pilot.shape != omega.shape or not np.all(np.isfinite(pilot)):
                raise ValueError(
                    f"pilot must be 'ols', 'ridge', 'lasso' or {omega.size} finite "
                    f"numbers, one for each feature; got shape {pilot.shape}."
                )
            return pilot, 0
        if self.pilot == "lasso":
            stopping = {"tol": self.tol, "max_iter": self.max_iter}
            found = lasso_pilot(problem, omega, positive=self.positive, **stopping)
            return found.coef, found.n_iter
        features = np.flatnonzero((problem.curvature > 0.0) & (omega < np.inf))
        ridge = RIDGE if self.pilot == "ridge" else 0.0
        return least_squares_pilot(problem, features, ridge), 1

    def _store(self, problems, alphas, solutions, dtype, *, single):
        super()._store(problems, alphas, solutions, dtype, single=single)
        weights = np.array([solution.penalty_weights for solution in solutions])
        self.penalty_weights_ = weights[0] if single else weights
