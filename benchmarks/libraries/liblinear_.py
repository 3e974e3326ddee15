"""liblinear in scikit-learn: tol bounds a violation, relative; from nothing each time.

It penalises the intercept, as the coefficient of a constant column: the larger that
column, the less. Measured at 100, larger ones make it slow.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from libraries.intercept import loop_of_classifiers

DISTRIBUTION = "scikit-learn"
TOLERANCES = [10.0**-k for k in np.arange(2, 9.5, 0.5)]


def logistic_path(problem, tol):
    model = LogisticRegression(
        l1_ratio=1.0,
        solver="liblinear",
        fit_intercept=problem.fit_intercept,
        intercept_scaling=100.0,
        tol=tol,
        max_iter=10_000,
        random_state=0,
    )
    return loop_of_classifiers(problem, model)
