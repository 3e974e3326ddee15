"""ksvd: approximate K-SVD, its codes by scikit-learn's pursuit on the Gram matrix.

It has one thread of its own; its random start is numpy's global one.
"""

import numpy as np
from ksvd import ApproximateKSVD

DISTRIBUTION = "ksvd"


def ksvd(problem, n_jobs, epochs):
    np.random.seed(problem.seed)  # noqa: NPY002
    model = ApproximateKSVD(
        problem.n_components,
        max_iter=epochs,
        tol=0.0,
        transform_n_nonzero_coefs=problem.n_nonzero_coefs,
    )
    return model.fit(problem.X).components_
