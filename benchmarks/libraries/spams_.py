"""SPAMS: exact coders by homotopy, columns are samples; its pursuit is ORMP."""

import numpy as np
import spams

DISTRIBUTION = "spams-bin"


def encode(problem, method, n_jobs):
    # The transposes of C-ordered rows are the Fortran-ordered columns it wants.
    X, D = problem.X.T, problem.atoms.T
    if method == "ormp":
        codes = spams.omp(X, D, L=problem.n_nonzero_coefs, numThreads=n_jobs)
    else:
        codes = spams.lasso(
            X, D=D, lambda1=problem.alpha, mode=spams.PENALTY, numThreads=n_jobs
        )
    return codes.T


def learn(problem, n_jobs, epochs, batch_size):
    atoms = spams.trainDL(
        problem.X.T,
        K=problem.n_components,
        lambda1=problem.alpha,
        mode=spams.PENALTY,
        iter=round(epochs * len(problem.X) / batch_size),
        batchsize=batch_size,
        numThreads=n_jobs,
        verbose=False,
    )
    return np.ascontiguousarray(atoms.T)
