"""The penalties of groups of features."""

import numpy as np

from sparselearn import penalties

__all__ = ["group_penalty"]


def group_penalty(alpha, *, groups, weights, l1_ratio=0.0, positive=False):
    """The spec of a penalty of groups, the simplest that says it.

    Parameters
    ----------
    groups : Groups
    weights : ndarray (n_groups,) or None
        None: the roots of the groups' sizes.
    """
    sizes = np.diff(groups.starts)
    weights = np.sqrt(sizes) if weights is None else weights
    if l1_ratio == 1.0 or np.all(sizes == 1):
        # A penalty of each coefficient: the solver for these is exact.
        of_features = np.empty(groups.features.size)
        of_features[groups.features] = np.repeat(weights / np.sqrt(sizes), sizes)
        return penalties.WeightedL1(alpha, of_features, positive)
    if l1_ratio == 0.0:
        return penalties.GroupL2(alpha, groups, weights, positive)
    return penalties.SparseGroup(alpha, l1_ratio, groups, weights, positive)
