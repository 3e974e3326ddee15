"""The procedure: importances, masks, zeros, refit; and what it works on.

Data flow one way::

    observe            a fitted estimator -> `Subject`: its blocks, calibration data
    score_parts        blocks, data -> importances of parts
    make_masks         importances, amount -> which parts are kept
    weight_masks, cut  masks of parts -> masks of weights -> pruned blocks
    REFITS             blocks corrected without labels, then the estimator trained
"""

import warnings
from typing import NamedTuple

from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._calibration import Calibration
from sparselearn.pruning._criteria import score_parts
from sparselearn.pruning._granularity import cut, weight_masks
from sparselearn.pruning._masks import make_masks
from sparselearn.pruning._refits import REFITS
from sparselearn.pruning._wrappers import as_seen_by_last_step, last_step

__all__ = ["Plan", "Pruned", "Subject", "amount_of", "observe", "prune_in_place"]


class Plan(NamedTuple):
    """How to prune: the parameters of :class:`Pruner` that the procedure reads.

    Parameters
    ----------
    amount : dict
        One keyword argument of :func:`make_masks`.
    """

    amount: dict
    criterion: str = "magnitude"
    granularity: str = "element"
    scope: str = "global"
    refit: str = "fold"


class Subject(NamedTuple):
    """A fitted estimator under observation."""

    blocks: list
    data: Calibration


class Pruned(NamedTuple):
    """What pruning did to an estimator.

    Parameters
    ----------
    blocks : list of Block
        As written into the estimator.
    importances : list of ndarray
        One entry a part, as the granularity divides the blocks.
    masks : list of ndarray of bool
        Which weights are kept, shaped like the weights of the blocks.
    threshold : float
        The smallest importance that was kept.
    """

    blocks: list
    importances: list
    masks: list
    threshold: float


def amount_of(sparsity, n_nonzero_coefs, threshold):
    """How much to prune, as the one keyword argument that was given."""
    amounts = {
        "sparsity": sparsity,
        "n_nonzero_coefs": n_nonzero_coefs,
        "threshold": threshold,
    }
    given = {name: value for name, value in amounts.items() if value is not None}
    if len(given) > 1:
        got = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(
            "Give one of sparsity, n_nonzero_coefs and threshold, and leave the "
            f"others None; got {got}."
        )
    return given or {"sparsity": 0.5}


def observe(estimator, X, y=None, sample_weight=None, seed=0):
    """Blocks of the last step of a fitted estimator, and the data as it sees them."""
    final = last_step(estimator)
    adapter = adapter_of(final)
    blocks = adapter.read(final)
    if X is not None:
        X = as_seen_by_last_step(estimator, X)
    return Subject(blocks, Calibration(adapter, final, X, y, sample_weight, seed))


def prune_in_place(estimator, subject, plan, importances=None):
    """Prune a fitted estimator in place.

    Parameters
    ----------
    estimator : estimator
        That of `subject`, or a deep copy; its last step is written to.
    subject : Subject
    plan : Plan
    importances : list of ndarray, default=None
        As `plan` asks for, where they are known already.

    Returns
    -------
    pruned : Pruned
    """
    dense, data = subject
    final = last_step(estimator)
    if importances is None:
        importances = score_parts(plan.criterion, plan.granularity, dense, data)
    kept, threshold = make_masks(importances, scope=plan.scope, **plan.amount)
    masks = weight_masks(plan.granularity, dense, kept)
    pruned = cut(dense, masks)
    refit = REFITS[plan.refit]
    changed = not all(mask.all() for mask in masks)
    if changed and refit.of_blocks is not None:
        refit.of_blocks(dense, pruned, masks, data)
    data.adapter.write(final, pruned)
    _warn_of_cut_layers(pruned, masks)
    if changed and refit.of_estimator is not None:
        refit.of_estimator(final, masks, data, plan)
        pruned = data.adapter.read(final)
    return Pruned(pruned, importances, masks, threshold)


def _warn_of_cut_layers(pruned, masks):
    cut_off = [block.name for block, mask in zip(pruned, masks) if not mask.any()]
    if cut_off and len(pruned) > 1:
        warnings.warn(
            f"Pruning removed every weight of {', '.join(cut_off)}: the predictions no "
            "longer depend on X. Keep more weights, or rank them by scope='layer'.",
            stacklevel=5,  # whoever called `fit` or `prune`, which are decorated
        )
