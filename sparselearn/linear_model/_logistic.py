"""Logistic regression with a penalty, of two classes or more."""

from numbers import Real

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import ClassifierMixin

from sparselearn import losses, penalties
from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._dask import lazily
from sparselearn._parallel import team
from sparselearn._scoring import ScoresAccuracy
from sparselearn._solvers._concave_glm import certify_glm
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._multinomial import MultinomialProblem
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major, row_weights, validate_data
from sparselearn.linear_model._classes import encode_classes
from sparselearn.linear_model._folded_concave import (
    GAMMAS,
    folded_concave_at,
    solve_folded,
)
from sparselearn.linear_model._glm import GlmModel
from sparselearn.linear_model._twins import Task

__all__ = ["LogisticModel", "SparseLogisticRegression"]

FOLDED = {"mcp": penalties.MCP, "scad": penalties.SCAD}
# The second derivative of the loss of a row is nowhere larger.
LARGEST_CURVATURE = 0.25


class LogisticModel(ScoresAccuracy, ClassifierMixin, GlmModel):
    """Prediction of classes by linear predictors, and the problems of a fit.

    A subclass holds the parameters named below.
    """

    _parameter_constraints = {
        **GlmModel._parameter_constraints,
        "multi_class": [StrOptions({"multinomial", "ovr"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def _validate(self, X, y, sample_weight):
        """X as `column_major`, the classes' codes and the row weights."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csc",
            accept_large_sparse=True,
            dtype=(np.float64, np.float32),
            order="F",
        )
        weights = row_weights(sample_weight, X)
        self.classes_, codes, weights = encode_classes(y, weights, self.class_weight)
        return column_major(X), codes, weights

    def _problems(self, design, codes):
        """The problems to solve: one, or with "ovr" one for each class."""
        n_classes = self.classes_.size
        if n_classes > 2 and self.multi_class == "multinomial":
            target = (codes[:, None] == np.arange(n_classes)).astype(np.float64, "F")
            return [MultinomialProblem(design, target)]
        chosen = range(n_classes) if n_classes > 2 else [1]
        targets = [(codes == k).astype(np.float64) for k in chosen]
        loss = losses.Logistic()
        return [GlmProblem(design, loss, target) for target in targets]

    def _store_solutions(self, problems, alphas, solutions, dtype):
        """Set the fitted attributes."""
        coef = [s.coef.reshape(-1, self.n_features_in_) for s in solutions]
        intercept = np.hstack([s.intercept for s in solutions])
        self._store_coef(np.vstack(coef).astype(dtype), intercept.astype(dtype))
        single = len(problems) == 1
        self._store_certificates(
            problems, alphas, solutions, single=single, stacklevel=6
        )

    @property
    def _is_multinomial(self):
        return self.classes_.size > 2 and self.multi_class == "multinomial"

    @lazily
    def decision_function(self, X):
        """The linear predictors.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        z : ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes that of the second one.
        """
        z = self._predictor(X)
        return z[:, 0] if z.shape[1] == 1 else z

    @lazily
    def predict(self, X):
        """Predict the class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        z = self.decision_function(X)
        chosen = (z > 0.0).astype(int) if z.ndim == 1 else np.argmax(z, axis=1)
        return self.classes_[chosen]

    @lazily
    def predict_proba(self, X):
        """Predict the probabilities of the classes.

        One-versus-rest probabilities are those of each class against the others, over
        their sum.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
        """
        z = self.decision_function(X)
        if z.ndim == 1:
            return np.column_stack([expit(-z), expit(z)])
        if self._is_multinomial:
            return softmax(z, axis=1)
        return softmax(log_expit(z), axis=1)

    @lazily
    def predict_log_proba(self, X):
        """Predict the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
        """
        z = self.decision_function(X)
        if z.ndim == 1:
            return np.column_stack([log_expit(-z), log_expit(z)])
        return log_softmax(z if self._is_multinomial else log_expit(z), axis=1)


class SparseLogisticRegression(LogisticModel):
    r"""Logistic regression with an elastic-net penalty, or with MCP or SCAD.

    For two classes, y in {0, 1}, minimises over the coefficients w and the unpenalised
    intercept b, with :math:`z = b + x^T w`, sample weights s and :math:`\rho` =
    `l1_ratio`,

    .. math::
        \frac{1}{\sum_i s_i} \sum_i s_i \left(\log(1 + e^{z_i}) - y_i z_i\right)
        + \alpha \sum_j \omega_j \left(\rho |w_j| + \frac{1 - \rho}{2} w_j^2\right).

    For more classes there is a linear predictor :math:`z_k = b_k + x^T w_k` for each,
    the loss is :math:`\log \sum_k e^{z_{ik}} - z_{i y_i}`, and the penalty is summed
    over all coefficients; the intercepts sum to 0.

    With `penalty` "mcp" or "scad" that sum is one of :math:`h_j(w_j)`, which do not
    shrink large coefficients. They are those of
    :class:`~sparselearn.linear_model.MCPRegressor` and
    :class:`~sparselearn.linear_model.SCADRegressor` in units of the largest curvature
    that the loss of a row has, 1/4: with :math:`\lambda_j = \alpha \omega_j`,
    :math:`c_j = L_j / 4` and :math:`L_j` the weighted variance of feature j (its mean
    square without an intercept),

    .. math::
        h_j'(|w|) = \max \left( \lambda_j - \frac{c_j}{\gamma} |w|, \, 0 \right)
        \quad \text{or} \quad
        \max \left( \lambda_j - \frac{c_j}{\gamma - 1}
        \max \left( |w| - \frac{\lambda_j}{c_j}, \, 0 \right), \, 0 \right),

    constant from :math:`|w| = \gamma \lambda_j / c_j` on. So at that curvature each
    coordinate's problem is convex; where probabilities are nearer to 0 or 1 the loss
    curves less, and it need not be.

    The elastic net is certified by a duality gap. With the others the result is the
    stationary point at the end of a path, as in those two classes; that no other point
    is better, nobody certifies. Where the classes can be separated they have no
    minimum: the penalty is bounded, and the loss falls as coefficients grow, which end
    where `tol` is met.

    Parameters
    ----------
    alpha : float, default=0.01
        Weight of the penalty, in units of X. In scikit-learn's terms, ``C = 1 /
        (alpha * n_samples)``.
    penalty : {"elastic_net", "mcp", "scad"}, default="elastic_net"
        The penalty; with "mcp" and "scad", `l1_ratio` has to be 1.
    gamma : float, default=None
        How slowly "mcp" or "scad" bends, > 1 or > 2; inf is the Lasso's penalty. None
        means 3.0 or 3.7; with "elastic_net" it has to be None.
    multi_class : {"multinomial", "ovr"}, default="multinomial"
        For more than two classes, the soft-max of all predictors, or a problem of two
        classes for each class against the others.
    class_weight : dict or "balanced", default=None
        What each class counts, times `sample_weight`; "balanced" makes all classes
        count the same. None means 1.
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
        With "mcp" and "scad", the largest `stationarity_` to be left.
    max_iter : int, default=10000
        At most so many rounds.
    warm_start : bool, default=False
        Whether to start from the coefficients of the last fit; with "mcp" and "scad"
        instead of the path.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Those with a row of positive weight.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, of the dtype of X; the certificate is of their float64 values.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    alpha_, dual_gap_, objective_ : float or ndarray of shape (n_classes,)
        The alpha in use, how far the objective is from its minimum at most, in its own
        units, and the objective above; with "ovr" one for each class. With "mcp" and
        "scad" there is no `dual_gap_`.
    stationarity_ : float or ndarray of shape (n_classes,)
        With "mcp" and "scad" only, how far the coefficients are from stationary: the
        largest distance of a feature's covariance with the residual :math:`y - p` to
        the subdifferential of :math:`h_j`, over :math:`\sqrt{L_j}`, in units of the
        largest covariance of a feature with y, over its own :math:`\sqrt{L_j}`. The
        intercept counts as the coefficient of a column of ones. Computed anew from the
        data in float64.
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
    sparse_coef_ : csr_array of the shape of `coef_`
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For fewer than two classes, NaN or infinity in the data, weights that are
        negative or all zero, `penalty_weights` of a wrong shape, a `gamma` or an
        `l1_ratio` that the `penalty` has no use for.

    Warns
    -----
    ConvergenceWarning
        Once, with both numbers, if the gap, or `stationarity_`, misses `tol`. So
        it may be at `alpha` = 0 where the classes can be separated: then there is no
        minimum, and coefficients are large ones.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), Regularization paths for generalized linear
    models via coordinate descent (classes in turn).

    Lee, Sun and Saunders (2014), Proximal Newton-type methods for minimizing composite
    functions.

    Ndiaye, Fercoq, Gramfort and Salmon (2017), Gap safe screening rules for sparsity
    enforcing penalties (for the gap).

    Breheny and Huang (2011), Coordinate descent algorithms for nonconvex penalized
    regression, with applications to biological feature selection (for MCP and SCAD).

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sparselearn.linear_model import SparseLogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    >>> X = StandardScaler().set_output(transform="pandas").fit_transform(X)
    >>> model = SparseLogisticRegression(alpha=0.1).fit(X, y)
    >>> list(model.feature_names_in_[model.support_])
    ['mean concave points', 'worst radius', 'worst texture', 'worst concave points']
    >>> model = SparseLogisticRegression(alpha=0.1, penalty="mcp").fit(X, y)
    >>> list(model.feature_names_in_[model.support_])
    ['mean concave points']
    """

    _parameter_constraints = {
        **LogisticModel._parameter_constraints,
        "penalty": [StrOptions({"elastic_net", *FOLDED})],
        "gamma": [Interval(Real, 1, None, closed="right"), None],
    }

    def __init__(
        self,
        alpha=0.01,
        *,
        penalty="elastic_net",
        gamma=None,
        multi_class="multinomial",
        class_weight=None,
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
        self.penalty = penalty
        self.gamma = gamma
        self.multi_class = multi_class
        self.class_weight = class_weight
        self.l1_ratio = l1_ratio
        self.penalty_weights = penalty_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start

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
            Classes: numbers, strings or booleans.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; only their proportions matter.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        with team() as run:
            task = self._set_up(X, y, sample_weight, run)
            starts = self._starts(task.problems, self.n_features_in_)
            alphas, solutions = zip(
                *(
                    self._solve(problem, task.penalty_at, start)
                    for problem, start in zip(task.problems, starts)
                )
            )
        self._store_solutions(task.problems, alphas, solutions, task.dtype)
        return self

    def _set_up(self, X, y, sample_weight, run):
        """What is to be solved; it has no alpha yet."""
        X, codes, weights = self._validate(X, y, sample_weight)
        penalty_at = self._penalty_at(X.shape[1])
        design = make_problem(X, weights, fit_intercept=self.fit_intercept, run=run)
        problems = self._problems(design, codes)
        return Task(problems, penalty_at, X.dtype, len(problems) == 1)

    def _solve_twins(self, twins, problem, penalty_at):
        if self.penalty == "elastic_net":
            return super()._solve_twins(twins, problem, penalty_at)
        # Where a path leads depends on its alphas: each has its own.
        return [twin._solve(problem, penalty_at, None) for twin in twins]

    def _store_twin(self, task, alphas, solutions):
        """Set the fitted attributes of one of several twins."""
        self._store_solutions(task.problems, alphas, solutions, task.dtype)

    def _penalty_at(self, n_features):
        """The elastic net as a function of alpha; that at 0 is of all penalties."""
        folded = self.penalty != "elastic_net"
        if folded and self.l1_ratio != 1.0:
            raise ValueError(
                f"l1_ratio={self.l1_ratio} is of the elastic net: penalty="
                f"{self.penalty!r} needs l1_ratio=1."
            )
        if self.gamma is not None and not folded:
            raise ValueError(
                f"gamma={self.gamma} is of the penalties {sorted(FOLDED)}: with "
                "penalty='elastic_net' leave it at None."
            )
        if folded and not self._gamma > GAMMAS[FOLDED[self.penalty]][1]:
            raise ValueError(
                f"gamma={self.gamma} must be > {GAMMAS[FOLDED[self.penalty]][1]} for "
                f"penalty={self.penalty!r}."
            )
        return super()._penalty_at(n_features)

    @property
    def _gamma(self):
        """The gamma in use."""
        return GAMMAS[FOLDED[self.penalty]][0] if self.gamma is None else self.gamma

    def _folded_at(self, problem):
        """The folded concave penalty as a function of alpha."""
        return folded_concave_at(
            FOLDED[self.penalty],
            self._gamma,
            LARGEST_CURVATURE * problem.columns.curvature,
            penalty_weights=self.penalty_weights,
            positive=self.positive,
        )

    def _solve(self, problem, penalty_at, start):
        """The alpha in use and the solution of one problem."""
        if self.penalty == "elastic_net":
            return super()._solve(problem, penalty_at, start)
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

    def _certify(self, problems, alphas, solutions, shaped):
        """Set what says how good the solutions are; see `GlmModel._certify`."""
        for name in {"dual_gap_", "stationarity_"} & vars(self).keys():
            delattr(self, name)  # of another fit
        if self.penalty == "elastic_net":
            return super()._certify(problems, alphas, solutions, shaped)
        objectives, violations = zip(
            *(
                certify_glm(p, self._folded_at(p)(alpha), s.coef, s.intercept)
                for p, alpha, s in zip(problems, alphas, solutions)
            )
        )
        self.objective_ = shaped(objectives)
        self.stationarity_ = shaped(violations)
        missed = [
            (violation, s.n_iter)
            for violation, s in zip(violations, solutions)
            if not violation <= self.tol
        ]
        return "stationarity violation", missed

    def _starts(self, problems, n_features):
        """What to start each problem from."""
        n_rows = 1 if self.classes_.size == 2 else self.classes_.size
        start = self._start((n_rows, n_features))
        if start is None or self._is_multinomial:
            return [start] * len(problems)
        return list(zip(*start))
