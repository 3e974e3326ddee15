"""Decision trees and forests as one block a tree, with an entry an inner node."""

import numpy as np

from sparselearn._compat import rebuilt_tree, tree_state
from sparselearn._kernels._weakest_link import nodes_left
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._blocks import Block

__all__ = ["TreeAdapter", "nodes_of", "trees_of"]

# Found on rows that a tree has not seen, of the forest as it was.
OUT_OF_BAG = ("oob_decision_function_", "oob_prediction_", "oob_score_")
LEAF, UNDEFINED = -1, -2  # scikit-learn's


class TreeAdapter(Adapter):
    """Trees: an inner node is removed by making it a leaf, of the value it holds.

    Its block has a 1 for each inner node, in the order of their numbers, in which a
    parent comes before its children.
    """

    granularities = ("node",)

    def read(self, estimator):
        is_forest = hasattr(estimator, "estimators_")
        blocks = []
        for k, tree in enumerate(trees_of(estimator)):
            n_inner = np.count_nonzero(nodes_of(tree)["left_child"] >= 0)
            name = f"estimators_[{k}].tree_" if is_forest else "tree_"
            blocks.append(Block(name, np.ones(n_inner), None, False, False))
        return blocks

    def write(self, estimator, blocks):
        for tree, block in zip(trees_of(estimator), blocks):
            if not block.weights.all():
                tree.tree_ = _collapsed(tree.tree_, block.weights != 0.0)
        for name in OUT_OF_BAG:
            vars(estimator).pop(name, None)

    def counts(self, estimator, blocks):
        """Of inner nodes; features are those of the splits that are left."""
        n_before = sum(block.weights.size for block in blocks)
        splits = [nodes_of(tree)["feature"] for tree in trees_of(estimator)]
        features = np.concatenate(splits)
        features = features[features >= 0]
        return {
            # A tree that is but a leaf has nothing to remove.
            "sparsity_": 1.0 - features.size / n_before if n_before else 0.0,
            "n_nonzero_coefs_": features.size,
            "support_": np.unique(features),
        }

    def inputs(self, estimator, blocks, X):
        raise ValueError(
            f"{type(estimator).__name__} is not refitted: a node that becomes a leaf "
            "predicts the mean that it holds. Give refit='fold' or 'none', which are "
            "the same here, and criterion='ccp'."
        )


def trees_of(estimator):
    """The decision trees in an estimator: itself, or those of a forest."""
    return getattr(estimator, "estimators_", [estimator])


def nodes_of(tree):
    """The nodes of a fitted decision tree, a structured array."""
    return tree_state(tree.tree_)["nodes"]


def _collapsed(tree, is_kept):
    """A smaller copy of the inner tree, whose inner nodes stay where `is_kept`."""
    state = tree_state(tree)
    nodes = state["nodes"]
    is_inner = nodes["left_child"] >= 0
    keeps_split = np.zeros(nodes.size, dtype=bool)
    keeps_split[is_inner] = is_kept
    depths = np.empty(nodes.size, dtype=np.int64)
    left, right = (
        nodes[side].astype(np.int64) for side in ("left_child", "right_child")
    )
    nodes_left(left, right, keeps_split, depths)
    stays = depths >= 0
    number = np.cumsum(stays) - 1
    kept = nodes[stays]
    splits = keeps_split[stays]
    for side in ("left_child", "right_child"):
        kept[side] = np.where(splits, number[kept[side]], LEAF)
    for name in ("feature", "threshold"):
        kept[name][~splits] = UNDEFINED
    if "missing_go_to_left" in kept.dtype.names:
        kept["missing_go_to_left"][~splits] = 0
    values = np.ascontiguousarray(state["values"][stays])
    return rebuilt_tree(tree, kept, values, int(depths.max()))
