"""Training in two phases: with penalties; then without, on what they have left."""

from sparselearn.neural_network._fitting import Training

__all__ = ["InPhases"]


class InPhases(Training):
    """A `Training` of one phase, or of two; `tol` is a share of its first loss.

    The first ends when it converges, or after its epochs. The second lasts for all of
    its own, with a learning rate that falls, and the best state is one of them.

    Parameters
    ----------
    n_first, n_second : int
        Epochs of the phases; no second one if there are none.
    then : callable
        ``then(done)`` prepares the learner for the second phase, and gives its epochs.
    """

    def __init__(self, *args, n_first, n_second, then, **options):
        super().__init__(*args, **options)
        self._n_second, self._then = n_second, then
        self._is_first = n_second > 0
        self._last = self.n_epochs + n_first
        self._scale = None

    def __next__(self):
        if self._is_first and self._is_over:
            self.end()
            self.epochs.close()
            self.epochs = self._then(self.n_epochs)
            self._seconds = self.history["seconds"][-1]
            self._last = self.n_epochs + self._n_second
            self._is_first = False
            self._forget()
        super().__next__()
        self.done = self.late or (self._is_over and not self._is_first)
        return self

    @property
    def _is_over(self):
        """Whether the phase is."""
        in_time = self._n_second > 0 and not self._is_first
        return (self.converged and not in_time) or self.n_epochs == self._last

    def _margin(self, figure):
        # Classes that can be told apart have a loss that falls to 0: there is always a
        # share of it to gain. So it is a share of the loss to begin with.
        if self._scale is None:
            self._scale = abs(figure)
        return self.tol * self._scale
