"""Cost-complexity pruning of binary trees, weakest links first.

Breiman, Friedman, Olshen and Stone, "Classification and regression trees" (1984),
chapter 3. A node t with error R(t), at the root of a branch with the leaves' summed
error R(T_t) and their number |T_t|, is worth its splits up to the complexity

    g(t) = (R(t) - R(T_t)) / (|T_t| - 1)

a leaf; the node of least g becomes a leaf, which changes g of those above it.
"""

import numpy as np

from sparselearn._kernels._jit import kernel

__all__ = ["collapse_levels", "nodes_left"]


@kernel
def collapse_levels(left, right, parent, errors, levels):
    """Write to `levels` the complexity at which each inner node goes.

    Parameters
    ----------
    left, right : int64 ndarray (n_nodes,)
        Children, of larger numbers than their parent; -1 of a leaf.
    parent : int64 ndarray (n_nodes,)
        -1 of the root, which is node 0.
    errors : float64 ndarray (n_nodes,)
        R of each node as a leaf.
    levels : float64 ndarray (n_nodes,)
        Overwritten; inf of leaves. A node's is at most its parent's.
    """
    n_nodes = left.size
    branch = np.zeros(n_nodes)
    leaves = np.zeros(n_nodes, dtype=np.int64)
    for node in range(n_nodes):
        if left[node] < 0:
            above = node
            while above >= 0:
                branch[above] += errors[node]
                leaves[above] += 1
                above = parent[above]
    # A tournament: entry k of the upper half is node k - size, each below the better
    # of its two successors, the earlier of equals; the winner of all is entry 1.
    size = 1
    while size < n_nodes:
        size *= 2
    g = np.full(size, np.inf)
    best = np.empty(2 * size, dtype=np.int64)
    best[size:] = np.arange(size)
    for node in range(n_nodes):
        levels[node] = np.inf
        if left[node] >= 0:
            g[node] = (errors[node] - branch[node]) / (leaves[node] - 1)
    for k in range(size - 1, 0, -1):
        first, second = best[2 * k], best[2 * k + 1]
        best[k] = first if g[first] <= g[second] else second
    level = -np.inf
    stack = np.empty(n_nodes, dtype=np.int64)
    while g[best[1]] < np.inf:
        top = best[1]
        level = max(level, g[top])
        rise, fewer = errors[top] - branch[top], leaves[top] - 1
        # The node, and what is left of its branch, go now.
        stack[0], depth = top, 1
        while depth:
            depth -= 1
            node = stack[depth]
            if left[node] >= 0 and g[node] < np.inf:
                levels[node] = level
                g[node] = np.inf
                _replay(best, g, size, node)
                stack[depth], stack[depth + 1] = left[node], right[node]
                depth += 2
        above = parent[top]
        while above >= 0:
            branch[above] += rise
            leaves[above] -= fewer
            g[above] = (errors[above] - branch[above]) / (leaves[above] - 1)
            _replay(best, g, size, above)
            above = parent[above]


@kernel
def _replay(best, g, size, node):
    """Play the matches of `node` again."""
    k = (size + node) // 2
    while k:
        first, second = best[2 * k], best[2 * k + 1]
        best[k] = first if g[first] <= g[second] else second
        k //= 2


@kernel
def nodes_left(left, right, keeps_split, depths):
    """Write the `depths` of nodes that are left, -1 of the others.

    `keeps_split` says which inner nodes stay; what is below another one goes.
    """
    depths[:] = -1
    depths[0] = 0
    for node in range(left.size):
        if keeps_split[node] and depths[node] >= 0:
            depths[left[node]] = depths[right[node]] = depths[node] + 1
