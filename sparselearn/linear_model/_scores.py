"""Values of an information criterion, and doubts about them."""

import warnings

import numpy as np

from sparselearn import losses
from sparselearn._solvers._information import criterion_values, noise_variance_of
from sparselearn._solvers._problem import Problem

__all__ = ["row_total", "scores_of", "warn_of"]


def warn_of(reasons, *, stacklevel=4):
    """One warning of all `reasons`."""
    if reasons:
        warnings.warn(" ".join(reasons), UserWarning, stacklevel=stacklevel)


def row_total(sample_weight, n_samples):
    """n: the sum of the weights, or the number of rows."""
    if sample_weight is None:
        return float(n_samples)
    return float(np.sum(np.broadcast_to(sample_weight, (n_samples,))))


def scores_of(problem, total, measures, criterion, gamma=1.0, noise_variance=None):
    """The values of a criterion, a row for each of the `measures`.

    Returns
    -------
    values : ndarray (n_measures, n_models)
    noise_variance : float or None
    reasons : list of str
        To warn of.
    """
    loss = getattr(problem, "loss", None)
    huber = isinstance(loss, losses.Huber)
    gaussian = isinstance(problem, Problem) or isinstance(loss, losses.Quadratic)
    reasons = []
    if huber:
        noise_variance = None
        reasons.append(
            "Huber's loss is no likelihood; that of the squared loss stands for it, at "
            "each model's own scale."
        )
    elif gaussian and noise_variance is None:
        columns = problem if isinstance(problem, Problem) else problem.columns
        noise_variance = noise_variance_of(columns, problem.target, total)
        if noise_variance is None and criterion != "ebic":
            reasons.append(
                "Least squares on all features leaves no residual to take the noise "
                f"variance from: criterion={criterion!r} takes each model's own, and "
                "selects too many features. Use 'ebic', or give a noise_variance."
            )
    elif not gaussian:
        noise_variance = None
    how = {"gaussian": gaussian or huber, "noise_variance": noise_variance}
    values = [
        criterion_values(each, criterion, total, gamma=gamma, **how)
        for each in measures
    ]
    return np.array(values), noise_variance, reasons
