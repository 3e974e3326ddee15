"""Which weights are kept, given their importances: exactly as many as asked for.

A comparison with a threshold keeps or drops all of the weights that tie at it, and
models with an L1 penalty have thousands of ties. So a count is never turned into a
threshold: weights are ranked by (importance, position), and the first are kept.
"""

import numpy as np

__all__ = ["SCOPES", "make_masks"]


def make_masks(
    importances, *, scope, sparsity=None, n_nonzero_coefs=None, threshold=None
):
    """Masks of the weights that are kept.

    Parameters
    ----------
    importances : list of ndarray
        One a block.
    scope : str
        Key of `SCOPES`.
    sparsity, n_nonzero_coefs, threshold : number or None
        One of the three is a number; see :class:`Pruner`.

    Returns
    -------
    masks : list of ndarray of bool
        Shaped as `importances`; True is kept.
    threshold : float
        `threshold`, or the smallest importance that is kept (inf if none is).
    """
    if threshold is not None:
        return [block >= threshold for block in importances], float(threshold)
    flat = [block.ravel() for block in importances]
    n_total = sum(block.size for block in flat)
    if n_nonzero_coefs is None:
        n_nonzero_coefs = n_total - round(sparsity * n_total)
    ranking = np.concatenate([SCOPES[scope](block) for block in flat])
    kept = np.zeros(n_total, dtype=bool)
    # Stable: of equals the first is kept, so that less sparsity only adds to a mask.
    kept[np.argsort(-ranking, kind="stable")[:n_nonzero_coefs]] = True
    ends = np.cumsum([block.size for block in flat])[:-1]
    masks = [
        mask.reshape(block.shape)
        for mask, block in zip(np.split(kept, ends), importances)
    ]
    smallest = np.concatenate(flat)[kept].min(initial=np.inf)
    return masks, float(smallest)


def _by_importance(block):
    """Rank weights of all blocks against one another."""
    return block


def _by_share(block):
    """Rank a weight by the share of its block that is above it.

    Over all blocks this is Webster's method of apportionment: each block keeps its
    share of the total to within rounding, the shares sum to the total exactly, and
    a larger total takes nothing from any block.
    """
    above = np.empty(block.size)
    above[np.argsort(-block, kind="stable")] = np.arange(block.size)
    return -(above + 0.5) / block.size


SCOPES = {"global": _by_importance, "layer": _by_share}
