"""The procedure: importances, masks, zeros, refit; and what it works on.

Data flow one way::

    observe            a fitted estimator -> `Subject`: its blocks, calibration data
    score_parts        blocks, data -> importances of parts
    make_masks         importances, amount -> which parts are kept
    weight_masks, cut  masks of parts -> masks of weights -> pruned blocks
    REFITS             blocks corrected without labels, then the estimator trained

Once, or again and again by a schedule, each time within the masks before.
"""

from collections.abc import Callable
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from sparselearn._compat import n_rows_of, rows_of
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._allocation import positions
from sparselearn.pruning._calibration import Calibration, Subject
from sparselearn.pruning._criteria import check_knows, score_parts
from sparselearn.pruning._granularity import cut, parts_of, weight_masks
from sparselearn.pruning._masks import make_masks
from sparselearn.pruning._refits import REFITS
from sparselearn.pruning._schedules import counts_of, rates_of
from sparselearn.pruning._thresholds import threshold_of
from sparselearn.pruning._wrappers import as_seen_by_last_step, last_step

__all__ = [
    "Plan",
    "Pruned",
    "Subject",
    "amount_of",
    "check_parts",
    "check_searchable",
    "observe",
    "prune_in_place",
    "seed_of",
    "word_on_cut_layers",
]


class Plan(NamedTuple):
    """How to prune: the parameters of :class:`Pruner` that the procedure reads.

    Parameters
    ----------
    amount : dict
        One keyword argument of :func:`make_masks`.
    """

    amount: dict
    criterion: str = "magnitude"
    granularity: str | tuple = "element"
    scope: str = "auto"
    layer_sparsity: str | dict | list | None = None
    min_density: float = 0.0
    exclude: tuple = ()
    refit: str = "fold"
    refit_epochs: int = 10
    schedule: str | Callable = "one-shot"
    n_steps: int = 8

    def masks(self, importances, subject, *, within=None):
        """Which parts are kept, as :func:`make_masks` has it, and the threshold."""
        amount = dict(self.amount)
        if "threshold" in amount:
            amount["threshold"] = threshold_of(
                amount["threshold"], importances, self, *subject
            )
        scope = self.scope
        if scope == "auto":
            scope = "layer" if self.granularity == "neuron" else "global"
        return make_masks(
            importances,
            scope=scope,
            granularity=self.granularity,
            layer_sparsity=self.layer_sparsity,
            min_density=self.min_density,
            exclude=self.exclude,
            subject=subject,
            within=within,
            **amount,
        )


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
    kept : list of ndarray of bool
        Which parts are kept, shaped like `importances`.
    threshold : float
        The smallest importance that was kept.
    finished : list of Block or None
        The blocks as corrected without labels, if they were trained afterwards.
    """

    blocks: list
    importances: list
    masks: list
    kept: list
    threshold: float
    finished: list | None = None


def amount_of(*, granularity="element", layer_sparsity=None, **amounts):
    """How much to prune, as the one of the keyword arguments that is not None.

    Empty if `granularity` or numbers in `layer_sparsity` say it, None if nothing does.
    """
    given = {name: value for name, value in amounts.items() if value is not None}
    if len(given) > 1:
        *names, last = amounts
        got = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(
            f"Give one of {', '.join(names)} and {last}, and leave the others None; "
            f"got {got}."
        )
    if given and isinstance(granularity, tuple):
        raise ValueError(
            f"granularity={granularity!r} says how much is kept; leave "
            f"{', '.join(amounts)} None; got {given}."
        )
    if "threshold" in given and layer_sparsity is not None:
        raise ValueError(
            f"threshold={given['threshold']!r} says which weights are kept; give "
            f"sparsity or n_nonzero_coefs with layer_sparsity={layer_sparsity!r}."
        )
    if "tolerance" in given:
        check_searchable(layer_sparsity)
    said = isinstance(granularity, tuple) or isinstance(layer_sparsity, (dict, list))
    return given or ({} if said else None)


def check_searchable(layer_sparsity):
    """Refuse a search for an amount that numbers for layers say already."""
    if isinstance(layer_sparsity, (dict, list)):
        raise ValueError(
            f"layer_sparsity={layer_sparsity!r} says in numbers what a tolerance, or "
            "PrunerCV, is to find out. Give it as a word, or exclude layers."
        )


def check_parts(estimator, granularity, criterion="random"):
    """Refuse, before time is spent, what has no such parts or cannot score them."""
    final = last_step(estimator)
    adapter_of(final).check(final, parts_of(granularity))
    if criterion not in ("auto", "random"):
        check_knows(criterion, granularity)


def seed_of(random_state):
    """The number that stands for `random_state`: itself, or one that is drawn."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def observe(estimator, X, y=None, sample_weight=None, random_state=0, size=None):
    """Blocks of the last step of a fitted estimator, and the data as it sees them.

    `size` is how many rows are drawn for it, if there are more; None takes all.
    """
    seed = seed_of(random_state)
    final = last_step(estimator)
    adapter = adapter_of(final)
    blocks = adapter.read(final)
    sample = X, y, sample_weight
    if X is None:
        return Subject(blocks, Calibration(adapter, final, *sample, seed))
    n_rows = n_rows_of(X)
    if size is not None and size < n_rows:
        drawn = np.random.default_rng(seed).choice(n_rows, size, replace=False)
        rows = np.sort(drawn)
        sample = [part if part is None else rows_of(part, rows) for part in sample]
    seen = as_seen_by_last_step(estimator, sample[0])

    def training():
        return as_seen_by_last_step(estimator, X), y, sample_weight

    total = (
        n_rows if sample_weight is None else float(np.sum(np.asarray(sample_weight)))
    )
    data = Calibration(adapter, final, seen, *sample[1:], seed, training, total)
    return Subject(blocks, data)


def prune_in_place(estimator, subject, plan, importances=None):
    """Prune a fitted estimator in place, in as many steps as `plan` says.

    Parameters
    ----------
    estimator : estimator
        That of `subject`, or a deep copy; its last step is written to.
    subject : Subject
    plan : Plan
    importances : list of ndarray, default=None
        As `plan` asks for, of `subject`, where they are known already.

    Returns
    -------
    pruned : Pruned
        Its importances are those of the last step.
    """
    dense, data = subject
    final = last_step(estimator)
    if importances is None:
        importances = score_parts(plan.criterion, plan.granularity, dense, data)
    kept, threshold = plan.masks(importances, subject)
    counts = _counts_on_the_way(plan, subject, kept)
    rates = rates_of(plan.refit_epochs, len(counts) + 1)
    refit, now = REFITS[plan.refit], subject
    for step, amount in enumerate([*counts, plan.amount]):
        if counts:
            within = kept if step else None
            if step:
                now = Subject(data.adapter.read(final), data.of(final))
                importances = score_parts(plan.criterion, plan.granularity, *now)
            this = plan._replace(amount=amount)
            kept, threshold = this.masks(importances, now, within=within)
        masks = weight_masks(plan.granularity, dense, kept)
        # What was trained since is what is to be kept up.
        teacher = subject if refit.training is None else now
        finished, pruned = _step(final, teacher, now, masks, plan, rates[step])
    return Pruned(pruned, importances, masks, kept, threshold, finished)


def _counts_on_the_way(plan, subject, kept):
    """The amount of each step before the last, as `make_masks` takes it."""
    if plan.schedule == "one-shot":
        return []
    if plan.granularity in ("support_vector", "node"):
        raise ValueError(
            f"schedule={plan.schedule!r} is for weights, units and features; with "
            f"granularity={plan.granularity!r} what is removed cannot be scored again: "
            "take 'one-shot'."
        )
    if not plan.amount:
        raise ValueError(
            f"schedule={plan.schedule!r} needs sparsity, n_nonzero_coefs or threshold; "
            "'one-shot' is for what granularity or layer_sparsity say in numbers."
        )
    excluded = positions(plan.exclude, "exclude", kept, subject.blocks)
    masks = [mask for layer, mask in enumerate(kept) if layer not in excluded]
    n_parts, n_kept = (int(sum(map(size, masks))) for size in (np.size, np.sum))
    counts = counts_of(plan.schedule, plan.n_steps, n_parts, n_kept)
    return [{"n_nonzero_coefs": count} for count in counts]


def _step(final, teacher, now, masks, plan, rates):
    """Cut what `now` is, correct it without labels, write it, and train.

    `masks` are those of the weights that are kept.

    Returns the blocks before training, if there was any, and after all.
    """
    data = now.data
    pruned = cut(now.blocks, masks)
    refit = REFITS[plan.refit]
    changed = not all(mask.all() for mask in masks)
    if not data.adapter.has_curvature:
        # What was zero stays so: a network that is pruned again gets no denser.
        masks = [mask & (b.weights != 0.0) for mask, b in zip(masks, now.blocks)]
    if changed and refit.of_blocks is not None:
        refit.of_blocks(teacher.blocks, pruned, masks, teacher.data, plan)
    data.adapter.write(final, pruned)
    if changed and refit.of_estimator is not None:
        refit.of_estimator(final, masks, data, plan)
        pruned = data.adapter.read(final)
    if changed and refit.training is not None:
        refit.training(final, masks, data, rates)
        return pruned, data.adapter.read(final)
    return None, pruned


def word_on_cut_layers(pruned, plan):
    """What to say of layers that lost all weights: a list of at most one text."""
    if plan.granularity == "node":  # trees are side by side
        return []
    cut_off = [
        block.name for block, mask in zip(pruned.blocks, pruned.masks) if not mask.any()
    ]
    if not cut_off or len(pruned.blocks) == 1:
        return []
    return [
        f"Pruning removed every weight of {', '.join(cut_off)}: the predictions no "
        "longer depend on X. Keep more weights, or give a min_density."
    ]
