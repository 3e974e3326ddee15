"""The elastic net."""

from numbers import Real

from sparselearn._compat import Interval
from sparselearn.linear_model._base import SquaredLossRegressor
from sparselearn.linear_model._streaming import Streamed

__all__ = ["ElasticNet"]


class ElasticNet(Streamed, SquaredLossRegressor):
    r"""Linear regression with an L1 and a squared L2 penalty, certified.

    Minimises over the coefficients w and the unpenalised intercept b, with sample
    weights s and :math:`\rho` = `l1_ratio`,

    .. math::
        \frac{1}{2 \sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2
        + \alpha \sum_j \omega_j
        \left( \rho |w_j| + \frac{1 - \rho}{2} w_j^2 \right).

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the penalty.
    l1_ratio : float, default=0.5
        Mixing of the two penalties, in [0, 1]: 1 is the Lasso, 0 ridge regression.
    penalty_weights : array-like of shape (n_features,), default=None
        The weights :math:`\omega` >= 0; 0 leaves a feature unpenalised, inf drops it.
        None means 1 for all.
    n_nonzero_coefs : int, default=None
        Instead of `alpha`, the number of non-zeros wanted for each target: the least
        penalised solution of the path that has at most so many. Any number is allowed,
        also one that nothing reaches.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0.
    refit_support : {"ols", "ridge"}, default=None
        Fit the selected features again without the penalty, which shrinks: by least
        squares, or with a ridge penalty of 1% of their mean variance.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times the objective of w = 0. Below about 1e-14
        it asks for less than rounding, whatever the dtype of X: sums are in float64.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X; the certificate is of their float64
        values.
    intercept_ : float or ndarray of shape (n_targets,)
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha in use.
    dual_gap_ : float or ndarray of shape (n_targets,)
        How far the objective is from its minimum at most, in its own units;
        of the penalised solution, before any refit.
    objective_ : float or ndarray of shape (n_targets,)
        The objective above.
    n_iter_ : int
        Rounds: epochs of descent or supports tried, the most over the targets.
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
    n_samples_seen_ : int
        By `partial_fit`, if that has fitted the model.
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
    Zou and Hastie (2005), Regularization and variable selection via the elastic net.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import ElasticNet
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = ElasticNet(alpha=0.01, l1_ratio=0.9).fit(X, y)
    >>> bool(model.dual_gap_ < 1e-6 * y.var() / 2)
    True
    """

    _parameter_constraints = {
        **SquaredLossRegressor._parameter_constraints,
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
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
