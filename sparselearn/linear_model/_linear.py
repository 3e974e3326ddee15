"""What every linear model has: coefficients, their support, and the product with X."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted

from sparselearn._dask import lazily
from sparselearn._scoring import ScoresDetermination
from sparselearn._support import SupportMixin
from sparselearn._validation import validate_data

__all__ = ["LinearModel", "LinearRegressor"]

# Up to which share of the features in use `predict` copies their columns rather than
# reading all. Measured with 1 and 5 targets, float32 and float64, 100 to 20000 rows
# and features: even at 0.02 for rows one after another, where a column is scattered
# numbers, and between 0.2 and 0.3 for columns and CSC. Columns of CSR never paid.
FEW_BY_ROWS = 0.02
FEW_BY_COLUMNS = 0.2


class LinearModel(SupportMixin, BaseEstimator):
    """An estimator with `coef_` and `intercept_`."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self):
        # A fit that was refused may have seen how many features there are.
        return hasattr(self, "coef_")

    def _store_coef(self, coef, intercept):
        """Set `coef_`, `intercept_` and what says how sparse they are.

        Parameters
        ----------
        coef : ndarray (n_features,) or (n_outputs, n_features)
        intercept : scalar or ndarray (n_outputs,)
        """
        self.coef_, self.intercept_ = coef, intercept
        self.support_ = np.flatnonzero(np.any(np.atleast_2d(coef) != 0.0, axis=0))
        self.n_nonzero_coefs_ = int(np.count_nonzero(coef))
        self.sparsity_ = (coef.size - self.n_nonzero_coefs_) / coef.size

    def _store_routes(self, routes):
        """Say by which routes the solutions were come by, and at what cost."""
        self.solver_used_ = routes[0].solver
        # Where all share one set of sums, none of them has formed it.
        self.n_passes_ = max(float(sum(r.n_passes for r in routes)), 1.0)
        self.screened_share_ = float(np.mean([r.screened_share for r in routes]))

    def _warn_missed(self, reached, n_iter, measure="duality gap", stacklevel=5):
        """Warn, from `fit`, of a solution that missed `tol`."""
        warnings.warn(
            f"{type(self).__name__} stopped after {n_iter} epochs at a "
            f"relative {measure} of {reached:.2e} > tol={self.tol:.2e}. "
            f"Increase max_iter={self.max_iter} or tol; below about 1e-14, tol "
            "asks for less than rounding.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )

    @property
    def sparse_coef_(self):
        """`coef_` as a csr_array of shape (n_targets, n_features)."""
        return sp.csr_array(np.atleast_2d(self.coef_))

    def _predictor(self, X):
        """``X coef + intercept``, for X as a user gives it."""
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse=("csr", "csc"),
            dtype=(np.float64, np.float32),
            reset=False,
        )
        return _product(X, self.coef_) + self.intercept_


class LinearRegressor(
    ScoresDetermination, MultiOutputMixin, RegressorMixin, LinearModel
):
    """A linear model of one or several targets."""

    @lazily
    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        return self._predictor(X)


def _product(X, coef):
    """``X @ coef.T``, from the columns in use alone where these are few."""
    if sp.issparse(X):
        few = FEW_BY_COLUMNS if X.format == "csc" else 0.0
    else:
        few = FEW_BY_COLUMNS if X.flags.f_contiguous else FEW_BY_ROWS
    used = np.flatnonzero(np.any(np.atleast_2d(coef) != 0.0, axis=0))
    if used.size <= few * coef.shape[-1]:
        X, coef = X[:, used], coef[..., used]
    return safe_sparse_dot(X, coef.T, dense_output=True)
