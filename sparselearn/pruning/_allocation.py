"""How sparsity is shared out among layers, each with its parts in an order of its own.

A rule gives each part of a layer a preference that does not increase along the order;
the largest preferences of all layers are kept. So the total is exact, a layer that is
kept whole leaves its share to the others, and more sparsity only takes away.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.isotonic import isotonic_regression

from sparselearn.pruning._blocks import outputs
from sparselearn.pruning._criteria import score_parts
from sparselearn.pruning._granularity import cut, weight_masks

__all__ = ["ALLOCATIONS", "even", "layer_preferences", "numbers_of", "positions"]

# Sparsities at which a layer is tried.
LEVELS = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0])
OUTLIER = 5.0  # times the mean of a layer
OUTLIER_SPREAD = 0.08 / 0.3  # of densities, relative; Yin et al. have 0.08 at 0.3


def even(size, weight=None):
    """Preferences of a layer that keeps parts in proportion to `weight`, its size.

    Over all layers this is Webster's method of apportionment: each layer keeps its
    share of the total to within rounding, and the shares sum to the total exactly.
    """
    return -(np.arange(size) + 0.5) / (size if weight is None else weight)


def layer_preferences(rule, importances, orders, granularity, subject):
    """Preferences of the parts along `orders`, by a row of `ALLOCATIONS`."""
    return ALLOCATIONS[rule](importances, orders, granularity, subject)


def _uniform(importances, orders, granularity, subject):
    return [even(order.size) for order in orders]


def _erk(importances, orders, granularity, subject):
    """Erdős-Rényi: ``density = c (n_inputs + n_outputs) / (n_inputs n_outputs)``.

    References
    ----------
    U. Evci, T. Gale, J. Menick, P. S. Castro, E. Elsen, "Rigging the lottery: making
    all tickets winners", ICML 2020.
    """
    _only_elements("erk", granularity)
    shapes = [block.matrix().shape for block in subject.blocks]
    return [even(order.size, sum(shape)) for order, shape in zip(orders, shapes)]


def _owl(importances, orders, granularity, subject):
    """Layers with more outliers stay denser.

    With ``o_l`` the share of the ``|w_ij| sqrt(mean(a_i²))`` of layer l above five
    times their mean, scaled to range over 0.16, the density of the layer is that of
    all times ``1 + (o_l - mean(o)) / 0.3``. At a density of 0.3, that of the paper, it
    is the paper's; added to smaller ones as there it would empty layers.

    References
    ----------
    L. Yin, Y. Wu, Z. Zhang et al., "Outlier weighed layerwise sparsity (OWL)", ICML
    2024.
    """
    _only_elements("owl", granularity)
    scores = score_parts("wanda", "element", *subject)
    shares = np.array([np.mean(a > OUTLIER * a.mean()) for a in scores])
    width = np.ptp(shares)
    factors = np.ones(len(orders))
    if width > 0.0:
        factors += 2.0 * OUTLIER_SPREAD * (shares - shares.mean()) / width
    return [even(order.size, f * order.size) for order, f in zip(orders, factors)]


def _sensitivity(importances, orders, granularity, subject):
    """What the outputs lose when a layer alone is pruned, a part.

    Costs at `LEVELS` of sparsity, no labels: the mean Kullback-Leibler divergence of
    the probabilities of classes, or half the mean squared error of the outputs, from
    those of the dense estimator. Parts that cost least go first: the preference is
    the slope of the largest convex function below the costs.
    """
    blocks, data = subject
    dense = _outputs(blocks, data)
    preferences = []
    for layer, order in enumerate(orders):
        costs = [0.0]
        for level in LEVELS[1:]:
            masks = [np.ones(values.shape, dtype=bool) for values in importances]
            least = order[order.size - round(level * order.size) :]
            masks[layer].ravel()[least] = False
            pruned = cut(blocks, weight_masks(granularity, blocks, masks))
            loss = _divergence(blocks[-1], dense, _outputs(pruned, data))
            costs.append(data.mean(loss[:, None]).item())
        widths = np.diff(LEVELS)
        slopes = isotonic_regression(np.diff(costs) / widths, sample_weight=widths)
        middles = LEVELS[1:] - 0.5 * widths
        pruned_share = 1.0 - (np.arange(order.size) + 0.5) / order.size
        preferences.append(np.interp(pruned_share, middles, slopes) / order.size)
    return preferences


ALLOCATIONS = {
    "erk": _erk,
    "owl": _owl,
    "sensitivity": _sensitivity,
    "uniform": _uniform,
}


def _only_elements(rule, granularity):
    if granularity != "element":
        raise ValueError(
            f"layer_sparsity={rule!r} is for granularity='element'; got "
            f"granularity={granularity!r}. 'sensitivity' and 'uniform' take any."
        )


def _outputs(blocks, data):
    *_, last = data.inputs(blocks)
    return outputs(blocks[-1], last)


def _divergence(block, dense, pruned):
    """Of each row, how far the outputs are from those of the dense estimator."""
    if block.activation in {"softmax", "logistic", "sigmoid"}:
        if block.activation != "softmax":  # an output is a class and its contrary
            dense, pruned = (np.hstack([p, 1.0 - p]) for p in (dense, pruned))
        tiny = np.finfo(np.float32).tiny
        ratio = np.log(np.maximum(dense, tiny)) - np.log(np.maximum(pruned, tiny))
        return (dense * ratio).sum(axis=1, dtype=np.float64)
    return 0.5 * np.square(dense - pruned).sum(axis=1, dtype=np.float64)


def positions(which, parameter, importances, blocks):
    """Positions of layers, given by position or by name."""
    return [_position(one, parameter, importances, blocks) for one in which]


def _position(one, parameter, importances, blocks):
    names = [block.name for block in blocks[: len(importances)] if block is not None]
    if one in names:
        return names.index(one)
    n_layers = len(importances)
    if isinstance(one, Integral) and -n_layers <= one < n_layers:
        return one % n_layers
    known = "".join(f", {name!r}" for name in names)
    raise ValueError(
        f"{parameter} has {one!r}, and the layers are -{n_layers}, ..., "
        f"{n_layers - 1}{known}."
    )


def numbers_of(layer_sparsity, importances, blocks):
    """Of the layers that are given a sparsity, how many parts are kept: a dict."""
    if layer_sparsity is None or isinstance(layer_sparsity, str):
        return {}
    if not isinstance(layer_sparsity, dict):
        if len(layer_sparsity) != len(importances):
            raise ValueError(
                f"layer_sparsity has {len(layer_sparsity)} entries for "
                f"{len(importances)} layers; give a dict for some of them."
            )
        layer_sparsity = {
            layer: sparsity
            for layer, sparsity in enumerate(layer_sparsity)
            if sparsity is not None
        }
    numbers = {}
    for one, sparsity in layer_sparsity.items():
        layer = _position(one, "layer_sparsity", importances, blocks)
        if not isinstance(sparsity, Real) or not 0.0 <= sparsity < 1.0:
            raise ValueError(
                f"layer_sparsity must have numbers in [0, 1); got {sparsity!r} for "
                f"layer {one!r}."
            )
        if layer in numbers:
            raise ValueError(
                f"layer_sparsity={layer_sparsity!r} has two numbers for layer {layer}."
            )
        size = importances[layer].size
        numbers[layer] = size - round(sparsity * size)
    return numbers
