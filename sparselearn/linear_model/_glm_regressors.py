"""Poisson and Huber regression with an elastic-net penalty."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import d2_tweedie_score

from sparselearn import losses
from sparselearn._compat import Interval, fit_context
from sparselearn._dask import is_collection, lazily
from sparselearn._parallel import team
from sparselearn._scoring import ScoresDetermination, score_chunks
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import validate_regression
from sparselearn.linear_model._deviance import DevianceSums
from sparselearn.linear_model._glm import GlmModel
from sparselearn.linear_model._twins import Task

__all__ = ["SparseHuberRegressor", "SparsePoissonRegressor"]

# The median absolute deviation of a normal variable, over its standard deviation.
NORMAL_MAD = 0.6744897501960817


class GlmRegressor(ScoresDetermination, RegressorMixin, GlmModel):
    """Fit of a model with one target; a subclass says its `_loss`."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns: a float32 or float64 Fortran-ordered array or a CSC
            matrix is not copied; a memory map of rows of more than 128 MiB is turned
            into a temporary file.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; only their proportions matter.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        with team() as run:
            task = self._set_up(X, y, sample_weight, run)
            (problem,) = task.problems
            start = self._start((self.n_features_in_,))
            alpha, solution = self._solve(problem, task.penalty_at, start)
        self._store_solution(task, alpha, solution)
        return self

    def _set_up(self, X, y, sample_weight, run):
        """What is to be solved; it has no alpha yet."""
        X, y, weights = validate_regression(
            self, X, y, sample_weight, multi_output=False
        )
        with np.errstate(over="ignore"):
            if not np.isfinite(np.sum(weights * y**2)):
                raise ValueError(
                    "y is too large: squares of its numbers are not finite."
                )
        loss = self._loss(y, weights)
        penalty_at = self._penalty_at(X.shape[1])
        design = make_problem(X, weights, fit_intercept=self.fit_intercept, run=run)
        return Task([GlmProblem(design, loss, y)], penalty_at, X.dtype, True)

    def _store_solution(self, task, alpha, solution):
        """Set the fitted attributes."""
        dtype = task.dtype
        self._store_coef(solution.coef.astype(dtype), dtype.type(solution.intercept))
        self._store_certificates(
            task.problems, [alpha], [solution], single=True, stacklevel=6
        )

    def _store_twin(self, task, alphas, solutions):
        """Set the fitted attributes of one of several twins."""
        self._store_solution(task, *alphas, *solutions)


class SparsePoissonRegressor(GlmRegressor):
    r"""Poisson regression with an elastic-net penalty, certified by a duality gap.

    The mean of a count y is :math:`\exp(z)`, :math:`z = b + x^T w`. Minimises over the
    coefficients w and the unpenalised intercept b, with sample weights s and
    :math:`\rho` = `l1_ratio`,

    .. math::
        \frac{1}{\sum_i s_i} \sum_i s_i \left(e^{z_i} - y_i z_i\right)
        + \alpha \sum_j \omega_j \left(\rho |w_j| + \frac{1 - \rho}{2} w_j^2\right).

    Parameters
    ----------
    alpha : float, default=0.01
        Weight of the penalty, in units of X.
    l1_ratio : float, default=1.0
        Mixing of the two penalties, in [0, 1]; 1 is the Lasso's.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted: the least penalised
        solution of the path that has at most so many. Any number is allowed, also
        one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept, which is not penalised.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times half the null deviance. Below about 1e-13
        it asks for less than rounding, whatever the dtype of X: sums are in float64.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, of the dtype of X; the certificate is of their float64 values.
    intercept_ : float
    alpha_ : float
        The alpha in use.
    dual_gap_ : float
        How far the objective is from its minimum at most, in its own units.
    objective_ : float
        The objective above.
    n_iter_ : int
        Rounds: epochs of descent or supports tried, over all Newton steps.
    solver_used_ : {"gram", "columns"}
        How Newton's model was minimised: on the Gram matrix of the working set, or
        by descent on its columns.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them.
    screened_share_ : float
        The share of features that never entered the working set.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (1, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For y that is negative or nowhere positive, NaN or infinity in the data,
        weights that are negative or all zero, `penalty_weights` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` rounds.

    References
    ----------
    McCullagh and Nelder (1989), Generalized linear models.

    Lee, Sun and Saunders (2014), Proximal Newton-type methods for minimizing composite
    functions.

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import SparsePoissonRegressor
    >>> X = np.repeat(np.eye(3), 40, axis=0)
    >>> y = np.repeat([2.0, 2.0, 9.0], 40)
    >>> model = SparsePoissonRegressor(alpha=0.1).fit(X, y)
    >>> model.support_
    array([2])
    """

    _parameter_constraints = {**GlmModel._parameter_constraints}

    def __init__(
        self,
        alpha=0.01,
        *,
        l1_ratio=1.0,
        penalty_weights=None,
        n_nonzero_coefs=None,
        fit_intercept=True,
        positive=False,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = True
        return tags

    def _loss(self, y, weights):
        if np.any(y < 0.0):
            raise ValueError(
                f"y must be >= 0 for SparsePoissonRegressor; its least is {y.min()}."
            )
        if not np.any(y * weights > 0.0):
            raise ValueError(
                "y is 0 wherever sample_weight is not: a Poisson mean of 0 is beyond "
                "any linear predictor; give at least one positive count."
            )
        return losses.Poisson()

    @lazily
    def predict(self, X):
        """Predict the mean count.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return np.exp(self._predictor(X))

    def score(self, X, y, sample_weight=None):
        """The share of the Poisson deviance that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or data frame: the model goes to its chunks, and of each
            come four numbers.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            1 less the deviance over that of the mean: 1 at best.
        """
        if is_collection(X):
            return score_chunks(self, DevianceSums, X, y, sample_weight)
        return d2_tweedie_score(
            y, self.predict(X), sample_weight=sample_weight, power=1
        )


class SparseHuberRegressor(GlmRegressor):
    r"""Regression that outliers do not rule, with an elastic-net penalty, certified.

    Minimises over the coefficients w and the unpenalised intercept b, with sample
    weights s and :math:`\rho` = `l1_ratio`,

    .. math::
        \frac{1}{\sum_i s_i} \sum_i s_i \, H_\delta(y_i - b - x_i^T w)
        + \alpha \sum_j \omega_j \left(\rho |w_j| + \frac{1 - \rho}{2} w_j^2\right),

    where :math:`H_\delta(r) = r^2 / 2` up to :math:`|r| = \delta` and a straight line
    from there, and :math:`\delta` is `epsilon` times the scale of y.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty, in units of y times X, as for
        :class:`~sparselearn.linear_model.Lasso`.
    epsilon : float, default=1.35
        Residuals larger than `epsilon` scales count linearly. At 1.35 scales of normal
        noise, the estimate is 95% as efficient as least squares.
    scale : float, default=None
        The scale of the residuals, in units of y. None: the median distance of y from
        its median, over that of a standard normal variable. That is of y, not of
        residuals, so it does not depend on `alpha`; where the model explains most
        of y, a smaller scale bounds outliers more tightly.
    l1_ratio : float, default=1.0
        Mixing of the two penalties, in [0, 1]; 1 is the Lasso's.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted: the least penalised
        solution of the path that has at most so many. Any number is allowed, also
        one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept, which is not penalised.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times half the null deviance. Below about 1e-13
        it asks for less than rounding, whatever the dtype of X: sums are in float64.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, of the dtype of X; the certificate is of their float64 values.
    intercept_ : float
    scale_ : float
        The scale in use.
    alpha_ : float
        The alpha in use.
    dual_gap_ : float
        How far the objective is from its minimum at most, in its own units.
    objective_ : float
        The objective above.
    n_iter_ : int
        Rounds: epochs of descent or supports tried, over all Newton steps.
    solver_used_ : {"gram", "columns"}
        How Newton's model was minimised: on the Gram matrix of the working set, or
        by descent on its columns.
    n_passes_ : float
        Columns of X read for correlations, in units of all of them.
    screened_share_ : float
        The share of features that never entered the working set.
    support_ : ndarray of int
        Features with a non-zero coefficient.
    n_nonzero_coefs_ : int
    sparsity_ : float
        The share of zeros in `coef_`.
    sparse_coef_ : csr_array of shape (1, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero,
        `penalty_weights` of a wrong shape.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` rounds.

    References
    ----------
    Huber (1964), Robust estimation of a location parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from sparselearn.linear_model import SparseHuberRegressor
    >>> X = np.arange(20.0)[:, None]
    >>> y = 2.0 * X[:, 0]
    >>> y[-1] = 1000.0
    >>> SparseHuberRegressor(alpha=0.1, scale=0.1).fit(X, y).coef_.round(1)
    array([2.])
    """

    _parameter_constraints = {
        **GlmModel._parameter_constraints,
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "scale": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        epsilon=1.35,
        scale=None,
        l1_ratio=1.0,
        penalty_weights=None,
        n_nonzero_coefs=None,
        fit_intercept=True,
        positive=False,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.alpha = alpha
        self.epsilon = epsilon
        self.scale = scale
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self, y, weights):
        scale = self.scale
        if scale is None:
            scale = _spread(y, np.broadcast_to(weights, y.shape))
        self.scale_ = float(scale)
        return losses.Huber(float(self.epsilon * scale))

    @lazily
    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        return self._predictor(X)


def _spread(y, weights):
    """The scale of `y`, as a normal variable's standard deviation."""
    distance = np.abs(y - _median(y, weights))
    spread = _median(distance, weights) / NORMAL_MAD
    if spread == 0.0:  # more than half of y are the same
        spread = weights @ distance
    # Of a constant y nothing is left at any scale.
    return spread if spread > 0.0 else 1.0


def _median(values, weights):
    """The median of `values`, the mean of two where half the weight is on each side."""
    order = np.argsort(values, kind="stable")
    values, total = values[order], np.cumsum(weights[order])
    half = 0.5 * total[-1]
    near = 1e-12 * total[-1]
    lower = np.searchsorted(total, half - near)
    upper = np.searchsorted(total, half + near)
    return 0.5 * (values[lower] + values[min(upper, values.size - 1)])
