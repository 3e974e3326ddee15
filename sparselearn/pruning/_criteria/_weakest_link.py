"""The complexity at which a tree loses a node: "ccp"."""

import numpy as np

from sparselearn._kernels._weakest_link import collapse_levels
from sparselearn.pruning._adapters._tree import nodes_of, trees_of

__all__ = ["ccp"]


def ccp(blocks, data):
    """The cost complexity at which each inner node becomes a leaf, or goes with one.

    It is the `ccp_alpha` of scikit-learn from which on the node's split is gone, in
    units of impurity a leaf. Never more than a parent's: whatever is kept is a tree.
    Needs no data: a tree holds the impurities of the rows that it was fitted to.

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and regression
    trees", Wadsworth 1984.
    """
    return [_levels(nodes_of(tree)) for tree in trees_of(data.estimator)]


def _levels(nodes):
    left, right = (
        nodes[side].astype(np.int64) for side in ("left_child", "right_child")
    )
    inner = np.flatnonzero(left >= 0)
    parent = np.full(nodes.size, -1)
    parent[left[inner]] = parent[right[inner]] = inner
    weights = nodes["weighted_n_node_samples"]
    errors = nodes["impurity"] * weights / weights[0]
    levels = np.empty(nodes.size)
    collapse_levels(left, right, parent, errors, levels)
    return levels[inner]
