"""How pruning reads and writes an estimator: one adapter for each kind."""

from abc import ABC, abstractmethod
from contextlib import nullcontext

from sparselearn.pruning._blocks import counts, forward

__all__ = ["Adapter"]


class Adapter(ABC):
    """Reads and writes the blocks of one kind of fitted estimator.

    Attributes
    ----------
    granularities : tuple of str
        The keys of `GRANULARITIES` by which such an estimator can be divided, the
        most natural one first.
    """

    granularities = ("element", "feature", "neuron")

    @property
    def is_feed_forward(self):
        """Whether what a block reads is the activation of the one before, no more."""
        return type(self).inputs is Adapter.inputs

    @property
    def has_curvature(self):
        """Whether it knows the curvature of the loss in the weights of its only block.

        Else "obs" goes by what the block reads, as of perceptrons.
        """
        return type(self).curvatures is not Adapter.curvatures

    def check(self, estimator, granularity):
        """Refuse what cannot be pruned, by the parameters of `estimator` alone.

        Raises
        ------
        TypeError
            If an estimator of these parameters cannot be pruned.
        ValueError
            If it has no such parts.
        """
        if granularity not in self.granularities:
            raise ValueError(
                f"granularity={granularity!r} means nothing for "
                f"{type(estimator).__name__}; it is pruned by "
                f"{' or '.join(repr(name) for name in self.granularities)}."
            )

    @abstractmethod
    def read(self, estimator):
        """List of the `Block` of `estimator`, from its inputs to its outputs."""

    @abstractmethod
    def write(self, estimator, blocks):
        """Put the weights and intercepts of `blocks` in the place of the old ones."""

    def counts(self, estimator, blocks):
        """``sparsity_``, ``n_nonzero_coefs_`` and ``support_`` of what was written."""
        return counts(blocks)

    def curvatures(self, estimator, blocks, data):
        """What "obs" minimises: the quadratic forms of the loss in the weights.

        Returns
        -------
        curvatures : list of Curvature
        """
        raise ValueError(
            f"'obs' has no curvature for {type(estimator).__name__}: it is for linear "
            "models and kernel machines."
        )

    def curved_losses(self, estimator, before, after):
        """Each row's loss at the outputs `after`, if the targets were its old means.

        Parameters
        ----------
        before, after : float64 ndarray of shape (n_samples, n_outputs)
            What the only block gives before its activation.

        Returns
        -------
        losses : ndarray of shape (n_samples,), or None
            None where "obs" minimises the loss exactly, as it is quadratic.
        """
        return None

    def usual_refit(self, estimator, refit):
        """What "auto" takes for `estimator` where it takes `refit` for others."""
        return refit

    def inputs(self, estimator, blocks, X):
        """Yield what each block reads when `estimator` works on `X` with `blocks`.

        Lazily: what block l reads is computed only when asked for, from the list
        `blocks` as it then is, so that a caller may correct the blocks in passing.

        Yields
        ------
        inputs : ndarray or sparse array of shape (n_samples, n_inputs)
        """
        yield from forward(blocks, X)

    def train(self, estimator, masks, X, y, sample_weight, *, rates, seed):
        """Train `estimator` in place, and leave zeros where `masks` are False.

        Parameters
        ----------
        masks : list of ndarray of bool
            Of the weights of its blocks.
        X, y, sample_weight
            As `estimator` takes them.
        rates : sequence of float
            By what to multiply the learning rate, one an epoch.
        seed : int
            Of the order of the rows.
        """
        raise TypeError(
            f"{type(estimator).__name__} cannot be trained with weights held at zero: "
            "refit='train' is for perceptrons and for linear models with partial_fit. "
            "Take refit='lstsq'."
        )

    def holding(self, estimator, masks):
        """A context in which `partial_fit` holds weights at zero as it trains.

        As far as it can; whoever calls `partial_fit` sets them to zero afterwards.
        """
        return nullcontext()

    def shrink(self, estimator, blocks, kept):
        """Remove hidden units from `estimator`, and from what trains it.

        Parameters
        ----------
        blocks : list of Block
            What is to be written of the units that stay.
        kept : list of ndarray of bool
            One a hidden layer: which units stay.
        """
        raise TypeError(
            f"Units of {type(estimator).__name__} cannot be removed, only be zero: its "
            "adapter has no shrink."
        )

    def predicting(self, estimator):
        """`estimator`, or a twin that predicts the same in less time."""
        return estimator

    def forget_training(self, estimator):
        """Drop what `estimator` needs to train on, and to predict does not."""
        return None  # nothing, in most

    def compress(self, estimator):
        """Store the weights of `estimator` without their zeros."""
        raise TypeError(
            f"{type(estimator).__name__} has no weights that can be stored as CSR; "
            "take format='dense'."
        )
