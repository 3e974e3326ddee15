"""One file a library: how it solves a `PathProblem` at a given tolerance.

Each has ``solve(problem, tol)``, which returns coefficients (n_features, n_alphas)
and intercepts (n_alphas,), and ``TOLERANCES``, loose to tight, in its own meaning.
"""

import importlib

NAMES = ("sparselearn", "scikit-learn", "celer", "glmnet")


def load(name):
    """The module for library `name`, or None where the library is not installed."""
    module = name.replace("-", "_")
    try:
        return importlib.import_module(f"libraries.{module}_")
    except ModuleNotFoundError:
        return None
