"""Orthogonal matching pursuit."""

from numbers import Integral, Real

import numpy as np

from sparselearn._compat import Interval, fit_context
from sparselearn._solvers._omp import Matcher
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import validate_regression
from sparselearn.linear_model._linear import LinearRegressor

__all__ = ["OrthogonalMatchingPursuit"]


class OrthogonalMatchingPursuit(LinearRegressor):
    r"""Least squares on features that are chosen one by one, greedily.

    For a number k of features this looks for the w of

    .. math::
        \min_{b, w} \; \frac{1}{\sum_i s_i} \sum_i s_i (y_i - b - x_i^T w)^2
        \quad \text{subject to} \quad \|w\|_0 \le k,

    with sample weights s and an intercept b. Each step takes the feature of the
    largest correlation with the residual, in absolute value and whatever the feature's
    own scale, and fits all that are taken by least squares. No bound tells how far
    from the best choice of k features this is.

    Parameters
    ----------
    n_nonzero_coefs : int, default=None
        The number of non-zeros wanted for each target. More than ``min(n_samples,
        n_features)`` is the same as that. None means 10% of the features, at least 1,
        if `tol` is None too, and any number if not.
    tol : float, default=None
        Stop where the squared residuals, over those of the null model, are at most
        `tol`: 1 minus the R2 that is wanted. Unlike scikit-learn's, a share, the same
        in all units. Where both are given, whichever is met first stops.
    fit_intercept : bool, default=True
        Whether to fit the intercept. Centring is implicit: X is not copied and, if
        sparse, stays so.
    positive : bool, default=False
        Whether to constrain the coefficients to be >= 0. A feature may then leave
        again.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, of the dtype of X.
    intercept_ : float or ndarray of shape (n_targets,)
    active_order_ : ndarray of int, or list of n_targets of them
        The features with non-zero coefficients in the order in which they were chosen.
        Unless `positive`, the first k of them are those that a smaller
        ``n_nonzero_coefs=k`` chooses.
    n_iter_ : int
        Features chosen, the most over the targets.
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
        For NaN or infinity in the data, weights that are negative or all zero.

    Notes
    -----
    There may be fewer non-zeros than asked for: a feature that depends linearly on
    those chosen is passed over, and where what is left of y is rounding, the choice
    ends.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad (1993), Orthogonal matching pursuit.
    Rubinstein, Zibulevsky and Elad (2008), Efficient implementation of the K-SVD
    algorithm using batch orthogonal matching pursuit.
    Bruckstein, Elad and Zibulevsky (2008), On the uniqueness of nonnegative sparse
    solutions to underdetermined systems of equations (for `positive`).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import OrthogonalMatchingPursuit
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = OrthogonalMatchingPursuit(n_nonzero_coefs=3).fit(X, y)
    >>> list(model.feature_names_in_[model.active_order_])
    ['bmi', 's5', 'bp']
    """

    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 0, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "fit_intercept": ["boolean"],
        "positive": ["boolean"],
    }

    def __init__(
        self, n_nonzero_coefs=None, *, tol=None, fit_intercept=True, positive=False
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.positive = positive

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns: a float32 or float64 Fortran-ordered array or a CSC
            matrix is not copied; a memory map of rows of more than 128 MiB is turned
            into a temporary file.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Each target is a problem of its own.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; only their proportions matter.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        self._fit_twins(lambda: [self], X, y, sample_weight)
        return self

    def _fit_twins(self, make_twins, X, y, sample_weight):
        """Fit several that differ in `n_nonzero_coefs`, in one pursuit for each target.

        ``make_twins()`` gives them once X is validated; a shorter pursuit is the
        beginning of a longer one.
        """
        X, y, weights = validate_regression(self, X, y, sample_weight)
        twins = make_twins()
        most = [twin._most(*X.shape) for twin in twins]
        levels = sorted(set(most))
        design = make_problem(X, weights, fit_intercept=self.fit_intercept)
        targets = np.ascontiguousarray(y.reshape(y.shape[0], -1).T)
        matcher = Matcher(
            design,
            most=levels[-1],
            tol=0.0 if self.tol is None else self.tol,
            positive=self.positive,
            n_targets=len(targets),
        )
        problems = [design.with_target(target) for target in targets]
        paths = [matcher.solve_levels(problem, levels) for problem in problems]
        for twin, level in zip(twins, most):
            codes = [path[levels.index(level)] for path in paths]
            twin._store_codes(problems, codes, X.dtype, single=y.ndim == 1)
        return twins

    def _most(self, n_samples, n_features):
        """How many features to choose at most."""
        most = self.n_nonzero_coefs
        if most is None:
            most = max(n_features // 10, 1) if self.tol is None else n_features
        return min(most, n_samples, n_features)

    def _store_codes(self, problems, codes, dtype, *, single):
        coef = np.array([code.coef for code in codes], dtype=dtype)
        intercept = np.array(
            [p.intercept(c.coef) for p, c in zip(problems, codes)], dtype=dtype
        )
        orders = [code.order for code in codes]
        self._store_coef(
            coef[0] if single else coef, intercept[0] if single else intercept
        )
        self.active_order_ = orders[0] if single else orders
        self.n_iter_ = max(order.size for order in orders)
