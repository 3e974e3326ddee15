"""python-glmnet: tol bounds the objective's change in one sweep, not a gap.

n_splits=0 and standardize=False leave the plain path. glmnet standardises y and
scales alphas back itself.
"""

import warnings

import numpy as np
from glmnet import ElasticNet

TOLERANCES = [1e-7, 1e-9, 1e-11, 1e-13, 1e-15, 1e-17]


def solve(problem, tol):
    model = ElasticNet(
        alpha=1.0,
        lambda_path=problem.alphas,
        n_splits=0,
        standardize=False,
        fit_intercept=problem.fit_intercept,
        tol=tol,
        max_iter=10_000_000,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(problem.X, problem.y)
    coefs = np.asarray(model.coef_path_)
    if coefs.shape[1] < problem.alphas.size:
        raise RuntimeError("glmnet ended its path early")
    return coefs, np.asarray(model.intercept_path_)
