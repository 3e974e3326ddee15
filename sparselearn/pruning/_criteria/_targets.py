"""Targets as an estimator's outputs have them."""

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_array, check_consistent_length

__all__ = ["coded_targets"]


def coded_targets(blocks, data):
    """The targets of the calibration data, of shape (n_samples, n_outputs).

    Classes as indicators, of a single output that of the second class; where the
    outputs are not probabilities but decisions, -1 and 1. Several labels a row, and
    numbers, as they are.
    """
    if data.X is not None:
        check_consistent_length(data.X, data.y)
    last = blocks[-1]
    n_outputs = last.matrix().shape[1]
    y = data.y
    if is_classifier(data.estimator) and np.ndim(y) == 1:
        y = _indicators(np.asarray(y), data.estimator.classes_)
        y = y[:, 1:] if n_outputs == 1 else y
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    y = y.reshape(len(y), -1)
    if y.shape[1] != n_outputs:
        raise ValueError(
            f"y has {y.shape[1]} targets a row; {type(data.estimator).__name__} has "
            f"{n_outputs} outputs."
        )
    if is_classifier(data.estimator) and last.activation == "identity":
        y = 2.0 * y - 1.0
    return y


def _indicators(labels, classes):
    found = labels[:, None] == classes
    unknown = ~found.any(axis=1)
    if unknown.any():
        raise ValueError(
            f"y has {labels[unknown].tolist()[0]!r}, which is none of the classes that "
            f"the estimator was fitted to, {classes.tolist()}."
        )
    return found.astype(np.float64)
