"""Any convex loss with any convex penalty, both given as specs."""

from sparselearn import losses, penalties
from sparselearn._dask import lazily
from sparselearn._solvers._path import make_solver
from sparselearn.linear_model._glm import GlmModel
from sparselearn.linear_model._glm_regressors import GlmRegressor

__all__ = ["SparseGLMRegressor"]


class SparseGLMRegressor(GlmRegressor):
    r"""A linear model of a loss and a penalty that are given, certified by a gap.

    Minimises over the coefficients w and the unpenalised intercept b, with sample
    weights s,

    .. math::
        \frac{1}{\sum_i s_i} \sum_i s_i \, f(y_i, b + x_i^T w) + \sum_j h_j(w_j)

    with f the `loss` and h the `penalty`: specs of :mod:`sparselearn.losses` and
    :mod:`sparselearn.penalties`, or of your own. For those of the package
    :class:`~sparselearn.linear_model.Lasso`,
    :class:`~sparselearn.linear_model.SparsePoissonRegressor` and so on do the same
    with less to write.

    Parameters
    ----------
    loss : spec, default=None
        Convex, with formulas for `value`, `gradient`, `curvature` and `fenchel_gap`,
        and perhaps `safe_curvature`. None means ``losses.Quadratic()``.
    penalty : spec, default=None
        Convex, with formulas for `value`, `prox`, `subdifferential_distance`,
        `conjugate` and `dual_scale`. None means ``penalties.L1(0.1)``.
    fit_intercept : bool, default=True
        Whether to fit the intercept, which is not penalised.
    tol : float, default=1e-6
        Stop at a duality gap of `tol` times what the null model loses more than
        perfect predictions.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, of the dtype of X; the certificate is of their float64 values.
    intercept_ : float
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
    TypeError
        If a spec lacks a formula; the message names it.
    ValueError
        For NaN or infinity in the data, weights that are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap misses `tol` after `max_iter` rounds.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn import losses, penalties
    >>> from sparselearn.linear_model import SparseGLMRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SparseGLMRegressor(losses.Huber(50.0), penalty=penalties.L1(1.0))
    >>> model.fit(X, y).support_
    array([2, 8])
    """

    _parameter_constraints = {
        name: GlmModel._parameter_constraints[name]
        for name in ("fit_intercept", "tol", "max_iter", "warm_start")
    } | {"loss": [tuple, None], "penalty": [tuple, None]}

    def __init__(
        self,
        loss=None,
        *,
        penalty=None,
        fit_intercept=True,
        tol=1e-6,
        max_iter=10000,
        warm_start=False,
    ):
        self.loss = loss
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

    def _loss(self, y, weights):
        return losses.Quadratic() if self.loss is None else self.loss

    def _penalty_at(self, n_features):
        penalty = penalties.L1(0.1) if self.penalty is None else self.penalty
        if isinstance(penalty, penalties.GroupFamily):
            raise TypeError(
                "SparseGLMRegressor takes penalties of single coefficients; got "
                f"{type(penalty).__name__}, a penalty of groups."
            )
        return penalty

    def _solve(self, problem, penalty, start):
        """Its alpha, if it has one, and the solution."""
        solver = make_solver(problem, penalty, start=start)
        solution = solver.solve(penalty, tol=self.tol, max_iter=self.max_iter)
        return getattr(penalty, "alpha", None), solution

    @lazily
    def predict(self, X):
        """The linear predictor.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        z : ndarray of shape (n_samples,)
        """
        return self._predictor(X)
