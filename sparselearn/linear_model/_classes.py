"""Classes as targets of a fit."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

__all__ = ["encode_classes"]


def encode_classes(y, weights, class_weight):
    """Classes, the class of each row, and row weights that count classes as asked.

    Parameters
    ----------
    y : ndarray (n_samples,)
    weights : ndarray (n_samples,) or (1,)
        Summing to 1 over rows.
    class_weight : dict, "balanced" or None

    Returns
    -------
    classes : ndarray (n_classes,)
        Those with a row of positive weight.
    codes : ndarray of int (n_samples,)
        -1 for rows of no class; they weigh nothing.
    weights : as above
    """
    check_classification_targets(y)
    everything = np.broadcast_to(weights, y.shape)
    if class_weight is not None:
        found, codes = np.unique(y, return_inverse=True)
        _check_class_weight(class_weight)
        factors = compute_class_weight(
            class_weight, classes=found, y=y, sample_weight=everything
        )
        everything = everything * factors[codes]
        if not everything.sum() > 0.0:
            raise ValueError("class_weight and sample_weight leave no row any weight.")
        weights = everything = everything / everything.sum()
    classes = np.unique(y[everything > 0.0])
    if classes.size < 2:
        raise ValueError(
            "Classification needs at least two classes of positive weight; y has one "
            f"class: {classes.tolist()}."
        )
    codes = np.searchsorted(classes, y).clip(max=classes.size - 1)
    return classes, np.where(classes[codes] == y, codes, -1), weights


def _check_class_weight(class_weight):
    if isinstance(class_weight, dict):
        for label, weight in class_weight.items():
            if not (weight >= 0.0 and np.isfinite(weight)):
                raise ValueError(
                    "class_weight must be finite and >= 0; class "
                    f"{label!r} has {weight}."
                )
