"""Importances by a function of the user's."""

import numpy as np

from sparselearn.pruning._granularity import GRANULARITIES

__all__ = ["score_by"]


def score_by(function, granularity, blocks, data):
    """Importances as ``function(estimator, X, y, sample_weight)`` has them.

    The estimator is the fitted last step, X what that sees of the calibration data.
    """
    found = function(data.estimator, data.X, data.y, data.sample_weight)
    shapes = GRANULARITIES[granularity].shapes(blocks)
    if not isinstance(found, (list, tuple)):
        _refuse(shapes, f"a {type(found).__name__}")
    importances = [np.array(array, dtype=np.float64) for array in found]
    got = [array.shape for array in importances]
    if got != shapes:
        _refuse(shapes, f"shapes {got}")
    if any(np.isnan(array).any() for array in importances):
        _refuse(shapes, "NaN in them")
    return importances


def _refuse(shapes, got):
    raise ValueError(
        "criterion, called with (estimator, X, y, sample_weight), must return a list "
        f"of arrays of numbers of the shapes {shapes}; got {got}."
    )
