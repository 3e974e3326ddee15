"""adelie: tol bounds the objective's change in one sweep; needs numpy < 2.

SPARSELEARN_ADELIE_PYTHON names the interpreter of an environment that has it. Its
early_exit, on by default, would end the path where 90 % of the deviance is explained.
One thread is its default, and was the faster on small problems;
SPARSELEARN_ADELIE_THREADS tries another number.
"""

import os
from unittest import mock

import adelie
import numpy as np
import scipy.sparse as sp

DISTRIBUTION = "adelie"
TOLERANCES = [10.0**-k for k in range(6, 19)]
THREADS = int(os.environ.get("SPARSELEARN_ADELIE_THREADS", "1"))


def _matrix(X, n_threads):
    view = adelie.matrix.sparse if sp.issparse(X) else adelie.matrix.dense
    return view(X, n_threads=n_threads)


def path(problem, tol):
    return _path(problem, adelie.glm.gaussian(problem.y), tol=tol)


def logistic_path(problem, tol):
    return _path(problem, adelie.glm.binomial(problem.y), tol=tol, irls_tol=tol)


def group_path(problem, tol):
    starts = np.arange(0, problem.X.shape[1], problem.group_size)
    penalty = np.full(starts.size, np.sqrt(problem.group_size))
    glm = adelie.glm.gaussian(problem.y)
    return _path(problem, glm, tol=tol, groups=starts, penalty=penalty)


def _path(problem, glm, **options):
    state = adelie.grpnet(
        _matrix(problem.X, THREADS),
        glm,
        lmda_path=problem.alphas,
        intercept=problem.fit_intercept,
        early_exit=False,
        n_threads=THREADS,
        progress_bar=False,
        **options,
    )
    if state.betas.shape[0] < problem.alphas.size:
        raise RuntimeError("adelie ended its path early")
    return state.betas.T.tocsc(), np.asarray(state.intercepts)


def cross_validate(problem, n_jobs, **options):
    X, glm = _matrix(problem.X, n_jobs), adelie.glm.gaussian(problem.y)
    options |= {"intercept": problem.fit_intercept, "progress_bar": False}
    # It shuffles the rows and cuts them into the folds that the others have unshuffled.
    unshuffled = mock.patch("numpy.random.choice", lambda n, *_, **__: np.arange(n))
    with unshuffled:
        result = adelie.cv_grpnet(
            X, glm, n_folds=5, min_ratio=1e-3, n_threads=n_jobs, **options
        )
    state = result.fit(X, glm, n_threads=n_jobs, **options)
    alpha = result.lmdas[result.best_idx]
    return state.betas[-1:].T.tocsc(), np.asarray(state.intercepts)[-1:], alpha
