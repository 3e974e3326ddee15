r"""Information criteria of solutions along a path: fit, degrees of freedom, penalty.

With D the deviance, -2 log likelihood up to what is the same for all models, k the
degrees of freedom, n the sum of the row weights (rows, where there are none),

    AIC = D + 2 k,   BIC = D + k log n,   EBIC = BIC + 2 gamma log C(P, m):

C(P, m) is how many models have m of the P coefficients, or groups, that may be zero;
beyond m = P / 2 that number falls, which is not to be a reward: it stays what it is
there.

Degrees of freedom are sum_i d mean_i / d y_i. Where the support A and the signs stay,
the optimality conditions give, with G = X_A' W X_A centred by the intercept, W the row
weights times the second derivatives of the loss, and H the second derivatives of the
penalty at w_A,

    k = trace(G (G + H)^-1).

Of an L1 penalty H = 0, and k is the number of non-zeros (Zou, Hastie and Tibshirani,
2007); of the elastic net H is diagonal; of a group g of norm |w_g| it is
``lam_g / |w_g| (I - w_g w_g' / |w_g|^2)`` (Vaiter and others, 2012).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve, eigh
from scipy.special import gammaln

from sparselearn import losses, penalties
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._moments import batch_moments
from sparselearn._solvers._multinomial import MultinomialProblem
from sparselearn._solvers._refit import refit_on_support

__all__ = [
    "CRITERIA",
    "Measures",
    "criterion_values",
    "measures_of",
    "noise_variance_of",
    "path_measures",
]

CRITERIA = ("aic", "bic", "ebic")
# Eigenvalues, and squares of Cholesky pivots, below this share are dependence.
DEPENDENT = 1e-10
# Where less than this share of y's variance is left, nothing is.
EXACT_FIT = 1e-18
# From this weight on a coefficient cannot enter.
NEVER = 1e100


@dataclass(frozen=True)
class Measures:
    """What the criteria are made of, an entry for each model.

    Attributes
    ----------
    deviances : ndarray (n_models,)
        Means over the rows: squared errors, or twice the loss less the least possible.
    degrees : ndarray (n_models,)
        Degrees of freedom, without intercepts.
    log_models : ndarray (n_models,)
        log C(P, min(m, P // 2)).
    """

    deviances: np.ndarray
    degrees: np.ndarray
    log_models: np.ndarray

    def __add__(self, other):
        """Those of a model of both: classes each against the others."""
        parts = zip(vars(self).values(), vars(other).values())
        return Measures(*(mine + yours for mine, yours in parts))


def path_measures(problem, penalty_at, path, refit_support=None):
    """The `Measures` along a `PathResult` of a `problem` (of rows, not of sums).

    With `refit_support`, of the squared loss, those of its supports fitted again.
    """
    columns = sp.csc_array(path.coefs)
    found, last, refitted = [], None, refit_support is not None
    for k, alpha in enumerate(path.alphas):
        coef = columns[:, [k]].toarray()[:, 0].astype(np.float64)
        penalty = penalty_at(alpha)
        if refitted:
            support = np.flatnonzero(coef)
            if last is not None and np.array_equal(support, last):
                found.append(found[-1])
                continue
            last = support
            positive = getattr(penalty, "positive", False)
            coef = refit_on_support(problem, coef, refit_support, positive=positive)
        how = {"refitted": refitted}
        found.append(measures_of(problem, penalty, coef, path.intercepts[k], **how))
    return Measures(*map(np.array, zip(*found)))


def measures_of(problem, penalty, coef, intercept, *, refitted=False):
    """Mean deviance, degrees of freedom and log C(P, m) of one solution.

    `refitted`: without the penalty on the support, which has as many of them as
    non-zeros.
    """
    if isinstance(problem, (GlmProblem, MultinomialProblem)):
        rows = problem.rows(coef, intercept)
        deviance = 2.0 * max(rows.value - _least_loss(problem), 0.0)
    else:
        rows = None
        deviance = np.sum(problem.weights * problem.residual(coef) ** 2)
    support = np.flatnonzero(coef)
    bends = None if refitted else _bends(penalty, coef, support)
    degrees = float(support.size)
    if bends is not None and support.size:
        degrees = _trace(_hessian(problem, rows, support), bends)
    return deviance, degrees, _log_models(penalty, coef)


def _least_loss(problem):
    """The mean loss of a model that fits each row by itself."""
    if isinstance(problem, MultinomialProblem):
        return 0.0
    # min_z f(y, z) = -f*(y, 0).
    least = -losses.conjugate(problem.loss, problem.target, 0.0 * problem.target)
    weights = np.broadcast_to(problem.weights, problem.target.shape)
    return weights @ np.broadcast_to(least, problem.target.shape)


def _bends(penalty, coef, support):
    """H on the support: None for 0, its diagonal, or a matrix.

    That of a folded concave penalty is negative, and it does not count: by convention
    degrees of freedom are non-zeros there.
    """
    if isinstance(penalty, penalties.GroupFamily):
        return _bends_of_groups(penalty, coef, support)
    if not isinstance(penalty, penalties.ElasticNetFamily):
        return None
    n_features = _n_features(penalty, coef)
    _, l2 = penalties.strengths(penalty, support % n_features)
    l2 = np.broadcast_to(np.asarray(l2, dtype=np.float64), support.shape)
    return l2 if l2.any() else None


def _n_features(penalty, coef):
    """Of flat coefficients of several classes, how many a class has."""
    weights = getattr(penalty, "weights", None)
    return coef.size if weights is None else len(weights)


def _bends_of_groups(penalty, coef, support):
    bends = np.zeros((support.size, support.size))
    place = np.full(coef.size, -1)
    place[support] = np.arange(support.size)
    features, starts = penalty.groups
    for g in range(len(starts) - 1):
        members = features[starts[g] : starts[g + 1]]
        members = members[coef[members] != 0.0]
        if members.size < 2:  # the norm of one number does not bend
            continue
        lam, _ = penalties.group_strengths(penalty, g)
        norm = np.linalg.norm(coef[members])
        direction = coef[members] / norm
        block = np.eye(members.size) - np.outer(direction, direction)
        bends[np.ix_(place[members], place[members])] = lam / norm * block
    return bends if bends.any() else None


def _hessian(problem, rows, support):
    """G, the second derivatives of the loss on the support, free of intercepts."""
    if isinstance(problem, MultinomialProblem):
        return _multinomial_hessian(problem, rows, support)
    is_glm = isinstance(problem, GlmProblem)
    design = problem.columns if is_glm else problem
    weights = np.broadcast_to(problem.weights, (problem.matrix.shape[0],))
    if is_glm:
        weights = weights * rows.curvature
    columns = design.centred_columns(support)
    if problem.fit_intercept:
        total = weights.sum()
        columns = columns - (weights @ columns) / (total if total > 0.0 else 1.0)
    return (columns * weights[:, None]).T @ columns


def _multinomial_hessian(problem, rows, support):
    """The same; block (k, l) has the row weights p_k (1[k = l] - p_l)."""
    n_features = problem.columns.curvature.size
    n_classes = problem.n_classes
    weights = np.broadcast_to(problem.weights, rows.predictor.shape[:1])
    shares = problem.target - rows.residual
    columns = problem.columns.centred_columns(support % n_features)
    classes = support // n_features
    if problem.fit_intercept:
        ones = np.ones((columns.shape[0], n_classes))
        columns = np.hstack([columns, ones])
        classes = np.concatenate([classes, np.arange(n_classes)])
    scaled = columns * shares[:, classes]
    hessian = -(scaled * weights[:, None]).T @ scaled
    own = (scaled * weights[:, None]).T @ columns
    hessian += np.where(classes[:, None] == classes, own, 0.0)
    m = support.size
    if not problem.fit_intercept:
        return hessian
    # What is left when the intercepts, which nothing penalises, have done their part.
    between = hessian[:m, m:]
    return (
        hessian[:m, :m]
        - between @ np.linalg.pinv(hessian[m:, m:], hermitian=True) @ between.T
    )


def _trace(hessian, bends):
    """trace(G (G + H)^+), in units in which G has a diagonal of ones."""
    scale = np.sqrt(np.maximum(np.diagonal(hessian), 0.0))
    scale[scale == 0.0] = 1.0
    gram = hessian / np.outer(scale, scale)
    bends = np.diag(bends) if bends.ndim == 1 else bends
    bends = bends / np.outer(scale, scale)
    values, vectors = eigh(gram + bends)
    kept = values > DEPENDENT * values[-1]
    vectors = vectors[:, kept]
    return float(np.sum((gram @ vectors) * vectors / values[kept]))


def _log_models(penalty, coef):
    """Log C(P, m): P coefficients, or groups, may be zero, and m are not."""
    if isinstance(penalty, penalties.GroupFamily):
        features, starts = penalty.groups
        numbers = range(len(starts) - 1)
        strengths = [sum(penalties.group_strengths(penalty, g)) for g in numbers]
        active = np.add.reduceat(coef[features] != 0.0, starts[:-1]) > 0
    else:
        active = coef != 0.0
        strengths = np.ones(coef.size)
        if isinstance(penalty, penalties.ElasticNetFamily):
            each = np.arange(coef.size) % _n_features(penalty, coef)
            strengths = penalties.strengths(penalty, each)[0]
        elif hasattr(penalty, "weights"):
            strengths = np.resize(penalty.weights, coef.size)
    strengths = np.broadcast_to(strengths, active.shape)
    free = (strengths > 0.0) & (strengths < NEVER)
    most = np.count_nonzero(free)
    m = min(np.count_nonzero(active & free), most // 2)
    return gammaln(most + 1.0) - gammaln(m + 1.0) - gammaln(most - m + 1.0)


def noise_variance_of(problem, y, total):
    """The residual variance of least squares on all features; None if it has none.

    Parameters
    ----------
    problem : Problem
    y : float64 ndarray (n_samples,)
    total : float
        The sum of the row weights, n.
    """
    n_features = problem.curvature.size
    if total <= n_features + problem.fit_intercept:
        return None
    sums = batch_moments(problem.matrix, y, problem.weights, problem.run)
    sums = sums.problem(fit_intercept=problem.fit_intercept)
    used = np.flatnonzero(sums.curvature > 0.0)
    scale = np.sqrt(sums.curvature[used])
    gram = sums.gram[np.ix_(used, used)] / np.outer(scale, scale)
    moment = sums.moment[used] / scale
    coef = np.zeros(n_features)
    solution, rank = _least_squares(gram, moment)
    coef[used] = solution / scale
    square = np.sum(problem.weights * problem.residual(coef) ** 2)
    if square <= EXACT_FIT * 2.0 * problem.null_value:
        return None
    return total * square / (total - rank - problem.fit_intercept)


def _least_squares(gram, moment):
    """A solution of ``gram x = moment``, its diagonal 1, and the rank."""
    if not moment.size:
        return moment, 0
    try:
        factor = cho_factor(gram)
        if np.min(np.diagonal(factor[0])) ** 2 > DEPENDENT:
            return cho_solve(factor, moment), moment.size
    except np.linalg.LinAlgError:
        pass
    values, vectors = eigh(gram)
    kept = values > DEPENDENT * values[-1]
    vectors = vectors[:, kept]
    return vectors @ ((vectors.T @ moment) / values[kept]), int(kept.sum())


def criterion_values(
    measures, criterion, total, *, gamma=1.0, gaussian, noise_variance=None
):
    """The criterion of each model; inf for one that is no candidate.

    Parameters
    ----------
    measures : Measures
    criterion : one of `CRITERIA`
    total : float
        n.
    gaussian : bool
        Whether deviances are squared errors. Then with the `noise_variance` s2,
        ``D = n log(2 pi s2) + rss / s2``; without it, the likelihood at the variance
        that is best for each model, ``D = n log(2 pi rss / n) + n``, which models with
        almost as many coefficients as rows drive down without bound: those with more
        than half as many are no candidates.
    """
    deviances, degrees = measures.deviances, measures.degrees
    candidates = np.ones(degrees.size, dtype=bool)
    if gaussian and noise_variance is None:
        tiny = np.finfo(np.float64).tiny
        fit = total * (np.log(2.0 * np.pi * np.maximum(deviances, tiny)) + 1.0)
        candidates = degrees <= 0.5 * total
        candidates[np.argmin(degrees)] = True
    elif gaussian:
        fit = total * np.log(2.0 * np.pi * noise_variance)
        fit = fit + total * deviances / noise_variance
    else:
        fit = total * deviances
    factor = 2.0 if criterion == "aic" else np.log(total)
    values = fit + factor * degrees
    if criterion == "ebic":
        values = values + 2.0 * gamma * measures.log_models
    return np.where(candidates, values, np.inf)
