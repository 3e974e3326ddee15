"""Alpha chosen by an information criterion, without folds."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sparselearn import penalties
from sparselearn._compat import Interval, StrOptions, validate_params
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._information import (
    CRITERIA,
    Measures,
    measures_of,
    path_measures,
)
from sparselearn._solvers._path import PathResult
from sparselearn._solvers._problem import make_problem, serially
from sparselearn._validation import (
    FLOATS,
    check_regression,
    check_X_y,
    column_major,
    row_weights,
)
from sparselearn.linear_model._adaptive_lasso import AdaptiveLasso
from sparselearn.linear_model._base import SquaredLossRegressor, elastic_net_penalty
from sparselearn.linear_model._classes import encode_classes
from sparselearn.linear_model._glm import GlmModel
from sparselearn.linear_model._scores import row_total, scores_of, warn_of

__all__ = ["InformationCriterion", "information_criterion"]


@dataclass(frozen=True)
class InformationCriterion:
    """An information criterion of models along a path.

    Attributes
    ----------
    criterion : {"aic", "bic", "ebic"}
    alphas : ndarray of shape (n_alphas,)
    values : ndarray of shape (n_alphas,)
        The smaller the better; inf for models that are no candidates.
    degrees_of_freedom : ndarray of shape (n_alphas,)
        Without the intercept.
    deviances : ndarray of shape (n_alphas,)
        Sums over the rows of squared errors, or twice what the log likelihood lacks of
        the largest.
    noise_variance : float or None
        Of the squared loss; None where it is each model's own, and for other losses.
    index : int
        Of the least value; of equals the first, which is the sparsest.
    alpha : float
        That model's.
    """

    criterion: str
    alphas: np.ndarray
    values: np.ndarray
    degrees_of_freedom: np.ndarray
    deviances: np.ndarray
    noise_variance: float
    index: int
    alpha: float


@validate_params(
    {
        "models": "no_validation",
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "criterion": [StrOptions(set(CRITERIA))],
        "gamma": [Interval(Real, 0, 1, closed="both")],
        "noise_variance": [Interval(Real, 0, None, closed="neither"), None],
        "refit_support": [StrOptions({"ols", "ridge"}), None],
        "sample_weight": ["array-like", Real, None],
    },
    prefer_skip_nested_validation=True,
)
def information_criterion(
    models,
    X,
    y,
    *,
    criterion="bic",
    gamma=1.0,
    noise_variance=None,
    refit_support=None,
    sample_weight=None,
):
    r"""Compare the models of a path by what the data say against their size.

    With D the deviance, k the degrees of freedom and n the number of rows,

    .. math::
        \mathrm{AIC} = D + 2 k, \quad \mathrm{BIC} = D + k \log n, \quad
        \mathrm{EBIC} = \mathrm{BIC} + 2 \gamma \log \binom{P}{m},

    where m of the P coefficients, or groups, that may be zero are not, or P / 2 where
    more are not. D is
    :math:`n \log(2 \pi \sigma^2) + \mathrm{rss} / \sigma^2` for the squared loss, with
    :math:`\sigma^2` the `noise_variance`, and twice the loss less the least possible
    for logistic and Poisson regression. k is the number of non-zeros for L1 penalties;
    :math:`\mathrm{tr}\,G (G + H)^{-1}` for elastic nets and groups, with G and H
    the second derivatives of the mean loss and the penalty in the non-zeros.

    Parameters
    ----------
    models : PathResult, fitted estimator or list of these
        What :func:`lasso_path`, :func:`elastic_net_path`, :func:`group_lasso_path` or
        :func:`logistic_path` returned; or estimators fitted to X and y: of
        the squared loss with one target, MCP and SCAD among them, and
        SparseLogisticRegression, SparsePoissonRegressor, SparseHuberRegressor.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        What the models were fitted to.
    y : array-like of shape (n_samples,)
    criterion : {"aic", "bic", "ebic"}, default="bic"
        "aic" predicts well, "bic" finds the true features in time as n grows, "ebic"
        where their number grows with n, too.
    gamma : float, default=1.0
        Of "ebic": 0 is "bic".
    noise_variance : float, default=None
        :math:`\sigma^2`. None means that of the residual of least squares on all
        features, rss / (n - p - 1) where these have rank p. If there are not more rows
        than that, or nothing is left, D is :math:`n \log(2 \pi\, \mathrm{rss} / n)
        + n` with each model's own rss, and models with k > n / 2 are no candidates.
    refit_support : {"ols", "ridge"}, default=None
        Of a path of the squared loss: compare its supports, each fitted again without
        the penalty, with as many degrees of freedom as non-zeros. "ebic" is made for
        such fits: what a penalty shrinks leaves a residual that it takes for noise,
        and where a feature costs much, none is selected. Estimators have their own.
    sample_weight : array-like of shape (n_samples,), default=None
        That of the fits. They count as repetitions of rows: n is their sum.

    Returns
    -------
    result : InformationCriterion

    Raises
    ------
    TypeError
        For models that it is not defined for.

    Warns
    -----
    UserWarning
        Once, where a criterion is not what its theory speaks of: "aic" or "bic" with
        no fewer features than rows and no `noise_variance`, models that missed their
        tolerance, penalties that are not convex, Huber's loss.

    References
    ----------
    Akaike (1974), A new look at the statistical model identification. Schwarz (1978),
    Estimating the dimension of a model. Chen and Chen (2008), Extended Bayesian
    information criteria for model selection with large model spaces. Zou, Hastie and
    Tibshirani (2007), On the degrees of freedom of the lasso. Vaiter, Deledalle,
    Peyré, Fadili and Dossal (2012), The degrees of freedom of the group lasso.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sparselearn.linear_model import information_criterion, lasso_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = lasso_path(X, y)
    >>> found = information_criterion(path, X, y, criterion="bic")
    >>> found.degrees_of_freedom[found.index]
    np.float64(7.0)
    """
    total = row_total(sample_weight, np.shape(X)[0])
    is_path = isinstance(models, PathResult)
    if is_path:
        found = _of_path(models, X, y, sample_weight, refit_support)
    elif refit_support is not None:
        raise ValueError(
            f"refit_support={refit_support!r} is of a PathResult: fit the estimators "
            "with it."
        )
    else:
        found = _of_models(models, X, y, sample_weight)
    problem, measures, alphas, reasons = found
    values, noise_variance, more = scores_of(
        problem, total, [measures], criterion, gamma, noise_variance
    )
    warn_of([*reasons, *more])
    index = int(np.argmin(values[0]))
    return InformationCriterion(
        criterion=criterion,
        alphas=alphas,
        values=values[0],
        degrees_of_freedom=measures.degrees,
        deviances=total * measures.deviances,
        noise_variance=noise_variance,
        index=index,
        alpha=float(alphas[index]),
    )


def _of_path(path, X, y, sample_weight, refit_support):
    """The problem, and the measures, alphas and doubts of a path."""
    if path.penalty_at is None:
        raise TypeError(
            "This PathResult does not say of which penalty it is; information_criterion"
            " needs what a path function returned."
        )
    if path.loss is None:
        X, y, weights = check_regression(X, y, sample_weight)
        design = make_problem(X, weights, fit_intercept=path.fit_intercept)
        problem = design.with_target(y)
    else:
        X, y = check_X_y(
            X, y, accept_sparse="csc", accept_large_sparse=True, dtype=FLOATS, order="F"
        )
        X = column_major(X)
        _, codes, weights = encode_classes(y, row_weights(sample_weight, X), None)
        design = make_problem(X, weights, fit_intercept=path.fit_intercept)
        problem = GlmProblem(design, path.loss, (codes == 1).astype(np.float64))
    if path.loss is not None and refit_support is not None:
        raise ValueError(
            f"refit_support={refit_support!r} is of the squared loss; this path is of "
            f"{path.loss!r}."
        )
    measures = path_measures(problem, path.penalty_at, path, refit_support)
    missed = np.count_nonzero(~path.converged)
    return problem, measures, path.alphas, _missed(missed, path.alphas.size)


def _missed(missed, n_models):
    return [f"{missed} of {n_models} models missed their tol."] if missed else []


def _of_models(models, X, y, sample_weight):
    """The same of fitted estimators."""
    models = models if isinstance(models, (list, tuple)) else [models]
    found, folded, missed = [], False, 0
    for model in models:
        if not isinstance(model, (SquaredLossRegressor, GlmModel)):
            raise TypeError(
                "information_criterion takes a PathResult or fitted linear models of "
                f"sparselearn; got {type(model).__name__}."
            )
        check_is_fitted(model, "alpha_")
        problems = clone(model)._set_up(X, y, sample_weight, serially).problems
        rows = np.atleast_2d(model.coef_)
        n_features = rows.shape[1]
        if isinstance(model, SquaredLossRegressor) and len(rows) > 1:
            raise ValueError(f"y has {len(rows)} targets; a criterion is of one.")
        intercepts = np.atleast_1d(model.intercept_).astype(np.float64)
        coefs = np.split(rows.astype(np.float64).ravel(), len(problems))
        alphas = np.broadcast_to(model.alpha_, len(problems))
        own = Measures(0.0, 0.0, 0.0)
        for k, (problem, coef) in enumerate(zip(problems, coefs)):
            penalty = _penalty_of(model, problem, n_features, alphas[k])
            folded |= isinstance(penalty, penalties.FoldedConcave)
            start = intercepts[k] if len(problems) == len(intercepts) else intercepts
            refitted = getattr(model, "refit_support", None) is not None
            part = measures_of(problem, penalty, coef, start, refitted=refitted)
            own += Measures(*part)
            missed += _is_missed(model, problems, k)
        found.append(own)
    reasons = _missed(missed, len(models))
    if folded:
        reasons.append(
            "A penalty that is not convex has degrees of freedom by convention only: "
            "the number of non-zeros."
        )
    measures = Measures(*np.array([list(vars(own).values()) for own in found]).T)
    alphas = np.array([np.max(model.alpha_) for model in models])
    return problems[0], measures, alphas, reasons


def _penalty_of(model, problem, n_features, alpha):
    """The spec of a fitted model's penalty."""
    if isinstance(model, AdaptiveLasso):
        weights = model.penalty_weights_
        return elastic_net_penalty(
            alpha, penalty_weights=weights, positive=model.positive
        )
    if hasattr(model, "stationarity_"):
        return model._folded_at(problem)(alpha)
    return model._penalty_at(n_features)(alpha)


def _is_missed(model, problems, k):
    violations = getattr(model, "stationarity_", None)
    if violations is None:
        violations = np.atleast_1d(model.dual_gap_) / problems[k].null_value
    return bool(np.resize(violations, len(problems))[k] > 1.01 * model.tol)
