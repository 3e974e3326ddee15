"""What is done after pruning to what is left: one row of `REFITS` each."""

from collections.abc import Callable
from typing import NamedTuple

from sparselearn.pruning._refits._distill import distill
from sparselearn.pruning._refits._fold import fold
from sparselearn.pruning._refits._least_squares import least_squares
from sparselearn.pruning._refits._relaxed import relaxed
from sparselearn.pruning._refits._support import ols, ridge, same
from sparselearn.pruning._refits._surgeon import obs
from sparselearn.pruning._refits._training import train

__all__ = ["REFITS", "Refit"]


class Refit(NamedTuple):
    """One row of the table; its functions are not called when nothing was pruned.

    Parameters
    ----------
    of_blocks : callable or None
        ``of_blocks(dense, pruned, masks, data, plan)`` corrects the list `pruned` of
        blocks in place, without any labels; `masks` are those of the weights.
    of_estimator : callable or None
        ``of_estimator(estimator, masks, data, plan)`` trains the last step, whose
        blocks are written, and leaves exact zeros where `masks` are False.
    training : callable or None
        ``training(estimator, masks, data, rates)`` does so by epochs, one for each of
        `rates`.
    """

    of_blocks: Callable | None = None
    of_estimator: Callable | None = None
    training: Callable | None = None


REFITS = {
    "distill": Refit(of_blocks=distill),
    "fold": Refit(of_blocks=fold),
    "lstsq": Refit(of_blocks=least_squares),
    "none": Refit(),
    "obs": Refit(of_blocks=obs),
    "ols": Refit(of_estimator=ols),
    "relaxed": Refit(of_estimator=relaxed),
    "ridge": Refit(of_estimator=ridge),
    "same": Refit(of_blocks=fold, of_estimator=same),
    "train": Refit(of_blocks=least_squares, training=train),
}
