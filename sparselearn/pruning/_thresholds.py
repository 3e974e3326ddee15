"""Thresholds by name: "median", "1.5*median", "universal"."""

import numpy as np
from sklearn.base import is_regressor

__all__ = ["threshold_of"]


def threshold_of(threshold, importances, plan, blocks, data):
    r"""The number that a `threshold` stands for.

    "k*median" is k times the median of all importances. "universal" is, for the
    magnitudes of a linear model with p weights an output and n rows,

    .. math:: \hat\sigma \sqrt{2 \log(p) / n},

    which the largest of p weights without any effect would not exceed, if features
    were independent: :math:`\hat\sigma / \sqrt n` is the standard error of a weight
    times the spread of its feature, :math:`\hat\sigma^2` the variance of residuals, or
    of a logistic model the inverse of the mean of π (1 - π).

    References
    ----------
    D. Donoho, I. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika
    1994.
    """
    if not isinstance(threshold, str):
        return threshold
    if threshold == "universal":
        return _universal(plan, blocks, data)
    factor, times, name = threshold.rpartition("*")
    try:
        factor = float(factor) if times else 1.0
    except ValueError:
        name = None
    if name != "median" or not np.isfinite(factor):
        raise ValueError(
            "threshold must be a number, 'universal', 'median' or a multiple such as "
            f"'1.5*median'; got {threshold!r}."
        )
    return factor * float(np.median(np.concatenate([a.ravel() for a in importances])))


def _universal(plan, blocks, data):
    if plan.criterion != "magnitude" or not blocks[0].scale_aware:
        raise ValueError(
            "threshold='universal' is for criterion='magnitude' of linear models; got "
            f"criterion={plan.criterion!r} and {type(data.estimator).__name__}."
        )
    if plan.granularity != "element":
        raise ValueError(
            "threshold='universal' is for single weights; got "
            f"granularity={plan.granularity!r}."
        )
    n_rows = np.count_nonzero(data.weights)
    n_inputs = len(blocks[0].matrix())
    sigma = _noise(blocks, data, n_rows)
    return float(sigma * np.sqrt(2.0 * np.log(max(n_inputs, 1)) / n_rows))


def _noise(blocks, data, n_rows):
    (block,) = blocks
    (a,) = data.inputs(blocks)
    slopes = data.adapter.output_curvature(data.estimator, block, a)
    if slopes is not None:
        return 1.0 / np.sqrt((data.weights @ slopes).mean())
    if data.y is None or not is_regressor(data.estimator):
        raise ValueError(
            "threshold='universal' needs the noise about the predictions: of a "
            "regressor by y, the targets of X, or of a classifier by predict_proba; "
            f"{type(data.estimator).__name__} has no such, or y is None."
        )
    matrix = block.matrix().astype(np.float64)
    y = np.asarray(data.y, dtype=np.float64).reshape(a.shape[0], -1)
    residual = y - (a @ matrix + block.constants())
    # A residual degree of freedom for each row less each weight, but at least one.
    n_used = np.count_nonzero(matrix, axis=0) + (block.intercept is not None)
    n_free = np.maximum(n_rows - n_used, 1)
    variances = (data.weights @ residual**2) * n_rows / n_free
    return np.sqrt(variances.mean())
