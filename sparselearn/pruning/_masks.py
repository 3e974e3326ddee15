"""Which parts are kept, given their importances: exactly as many as asked for.

A comparison with a threshold keeps or drops all of the parts that tie at it, and
models with an L1 penalty have thousands of ties. So a count is never turned into a
threshold. The parts of a layer are put in order by (importance, position); along
this order each gets a preference, which does not increase; and those of the largest
preferences are kept, of equals the earlier ones. Preferences do not depend on the
count, hence what is kept at one sparsity is kept at any lower one.
"""

from math import ceil

import numpy as np

from sparselearn.pruning._allocation import (
    even,
    layer_preferences,
    numbers_of,
    positions,
)
from sparselearn.pruning._granularity import GRANULARITIES

__all__ = ["SCOPES", "make_masks"]

SCOPES = ("global", "layer", "output")


def make_masks(
    importances,
    *,
    scope="global",
    granularity="element",
    layer_sparsity=None,
    min_density=0.0,
    exclude=(),
    within=None,
    subject=None,
    **amount,
):
    """Masks of the parts that are kept.

    Parameters
    ----------
    importances : list of ndarray
        One a layer.
    scope, granularity, layer_sparsity, min_density, exclude
        As in :class:`Pruner`.
    within : list of ndarray of bool, default=None
        Earlier masks: what they do not keep is not kept again.
    subject : Subject, default=None
        What was scored; of importances alone, layers have numbers but no names, and
        nothing goes by outputs or by `layer_sparsity` in a word.
    **amount : dict
        `sparsity`, `n_nonzero_coefs` or `threshold`, as in :class:`Pruner`, of what is
        not excluded; or nothing, if `granularity` or `layer_sparsity` says how many.

    Returns
    -------
    masks : list of ndarray of bool
        Shaped as `importances`; True is kept. All of what is excluded is.
    threshold : float
        `threshold`, or the smallest importance that is kept of what is not excluded
        (inf if none is).
    """
    if scope == "output" and granularity in GRANULARITIES.keys() - {"element"}:
        raise ValueError(
            "scope='output' ranks the weights of each output: it is for "
            f"granularity='element'; got granularity={granularity!r}."
        )
    blocks = [None] * len(importances) if subject is None else subject.blocks
    excluded = positions(exclude, "exclude", importances, blocks)
    layers = [layer for layer in range(len(importances)) if layer not in excluded]
    if not layers:
        raise ValueError(f"exclude={exclude!r} leaves nothing to prune.")
    masks = [np.ones(values.shape, dtype=bool) for values in importances]
    within = masks if within is None else within
    if isinstance(granularity, tuple):
        for layer in layers:
            masks[layer] = _pattern(
                importances[layer], within[layer], blocks[layer], *granularity
            )
    else:
        orders = [
            _order(values, mask, block if scope == "output" else None)
            for values, mask, block in zip(importances, within, blocks)
        ]
        if scope == "global" or "threshold" in amount:
            preferences = [v.ravel()[order] for v, order in zip(importances, orders)]
        else:
            preferences = [even(order.size) for order in orders]
        if isinstance(layer_sparsity, str):
            preferences = layer_preferences(
                layer_sparsity, importances, orders, granularity, subject
            )
        numbers = numbers_of(layer_sparsity, importances, blocks)
        if numbers.keys() & set(excluded):
            raise ValueError(
                f"layer_sparsity={layer_sparsity!r} has a number for a layer that "
                f"exclude={exclude!r} leaves alone."
            )
        for layer in layers:
            place = np.arange(orders[layer].size)
            if layer in numbers:
                preferences[layer] = np.where(place < numbers[layer], np.inf, -np.inf)
            else:
                n_least = ceil(min_density * place.size - 1e-9)
                preferences[layer] = np.where(
                    place < n_least, np.inf, preferences[layer]
                )
            closed = ~within[layer].ravel()[orders[layer]]
            preferences[layer][closed] = -np.inf
        chosen = _choose([preferences[layer] for layer in layers], numbers, **amount)
        for layer, kept in zip(layers, chosen):
            masks[layer].ravel()[orders[layer]] = kept
    if "threshold" in amount:
        return masks, float(amount["threshold"])
    smallest = [importances[k][masks[k]].min(initial=np.inf) for k in layers]
    return masks, float(min(smallest))


def _order(values, within, block):
    """Positions in the raveled `values` of the parts, the last one to go first.

    With a block, every output keeps its share: the most important inputs of all
    outputs come first, then the second of all, each time by importance.
    """
    values = np.where(within, values, -np.inf)
    if block is None:
        return np.argsort(-values.ravel(), kind="stable")
    ranks = _ranks(block.by_input(values))
    return np.lexsort((-values.ravel(), block.by_input(ranks).ravel()))


def _ranks(values):
    """How many of its column go before each of `values`, of equals the first."""
    best_first = np.argsort(-values, axis=0, kind="stable")
    ranks = np.empty(values.shape, dtype=np.intp)
    places = np.arange(len(values)).reshape((-1,) + (1,) * (values.ndim - 1))
    np.put_along_axis(ranks, best_first, np.broadcast_to(places, ranks.shape), axis=0)
    return ranks


def _choose(preferences, numbers, sparsity=None, n_nonzero_coefs=None, threshold=None):
    """Which of the parts, in the orders of the layers, are kept."""
    flat = np.concatenate(preferences)
    open_ = flat > -np.inf
    if threshold is not None:
        chosen = open_ & (flat >= threshold)
    else:
        n_least, n_most = np.count_nonzero(flat == np.inf), np.count_nonzero(open_)
        n_kept = n_most if n_nonzero_coefs is None else n_nonzero_coefs
        if sparsity is not None:
            n_kept = flat.size - round(sparsity * flat.size)
        n_fixed = sum(numbers.values())
        if numbers and not n_fixed <= min(n_kept, flat.size) <= n_most:
            raise ValueError(
                f"layer_sparsity leaves between {n_fixed} and {n_most} of "
                f"{flat.size} parts, and {n_kept} are to be kept; give layers no "
                "number, or neither sparsity nor n_nonzero_coefs."
            )
        chosen = np.zeros(flat.size, dtype=bool)
        n_kept = min(max(n_kept, n_least), n_most)
        chosen[np.argsort(-flat, kind="stable")[:n_kept]] = True
    return np.split(chosen, np.cumsum([layer.size for layer in preferences])[:-1])


def _pattern(values, within, block, n_kept, n_group):
    """Mask that keeps `n_kept` of every `n_group` consecutive inputs of an output."""
    values = block.by_input(np.where(within, values, -np.inf))
    mask = np.empty(block.weights.shape, dtype=bool)
    for start in range(0, len(values), n_group):
        group = slice(start, start + n_group)
        block.by_input(mask)[group] = _ranks(values[group]) < n_kept
    return mask & within
