"""How pruning reads and writes an estimator: one adapter for each kind."""

from abc import ABC, abstractmethod

from sparselearn.pruning._blocks import forward

__all__ = ["Adapter"]


class Adapter(ABC):
    """Reads and writes the blocks of one kind of fitted estimator."""

    @abstractmethod
    def read(self, estimator):
        """List of the `Block` of `estimator`, from its inputs to its outputs."""

    @abstractmethod
    def write(self, estimator, blocks):
        """Put the weights and intercepts of `blocks` in the place of the old ones."""

    def inputs(self, estimator, blocks, X):
        """Yield what each block reads when `estimator` works on `X` with `blocks`.

        Lazily: what block l reads is computed only when asked for, from the list
        `blocks` as it then is, so that a caller may correct the blocks in passing.

        Yields
        ------
        inputs : ndarray or sparse array of shape (n_samples, n_inputs)
        """
        yield from forward(blocks, X)
