"""python-glmnet: tol bounds the objective's change in one sweep, not a gap.

n_splits=0 and standardize=False leave the plain path. glmnet standardises y and
scales alphas back itself. Where p <= n it takes covariance updates, without a choice.
"""

import numpy as np
from glmnet import ElasticNet, LogitNet

DISTRIBUTION = "python-glmnet"
TOLERANCES = [10.0**-k for k in range(7, 19)]


def _model(problem, **options):
    return ElasticNet(
        alpha=1.0,
        standardize=False,
        fit_intercept=problem.fit_intercept,
        max_iter=10_000_000,
        **options,
    )


def path(problem, tol):
    model = _model(problem, lambda_path=problem.alphas, n_splits=0, tol=tol)
    model.fit(problem.X, problem.y)
    coefs = np.asarray(model.coef_path_)
    if coefs.shape[1] < problem.alphas.size:
        raise RuntimeError("glmnet ended its path early")
    return coefs, np.asarray(model.intercept_path_)


def cross_validate(problem, n_jobs, **options):
    # Its own folds are shuffled; groups of consecutive rows give the others' folds.
    folds = np.array_split(np.arange(problem.y.size), 5)
    groups = np.repeat(np.arange(5), [fold.size for fold in folds])
    model = _model(
        problem,
        n_lambda=100,
        min_lambda_ratio=1e-3,
        n_splits=5,
        scoring="mean_squared_error",
        n_jobs=n_jobs,
        **options,
    )
    model.fit(problem.X, problem.y, groups=groups)
    # lambda_max_ is the one of least error; lambda_best_ is by the 1-SE rule.
    best = model.lambda_max_inx_
    coefs = np.asarray(model.coef_path_)[:, [best]]
    return coefs, np.asarray(model.intercept_path_)[[best]], model.lambda_max_


def logistic_path(problem, tol):
    model = LogitNet(
        alpha=1.0,
        standardize=False,
        fit_intercept=problem.fit_intercept,
        max_iter=10_000_000,
        lambda_path=problem.alphas,
        n_splits=0,
        tol=tol,
    )
    model.fit(problem.X, problem.y)
    coefs = np.asarray(model.coef_path_)[0]
    if coefs.shape[1] < problem.alphas.size:
        raise RuntimeError("glmnet ended its path early")
    return coefs, np.asarray(model.intercept_path_)[0]
