"""Training in two phases: with penalties; then without, on what they have left."""

from sparselearn.neural_network._fitting import Training

__all__ = ["InPhases"]


class InPhases(Training):
    """A `Training` of one phase, or of two; `tol` is a share of its first loss.

    Parameters
    ----------
    first : int
        Epochs of the first phase, unless it converges before.
    then : callable or None
        ``then(done)`` prepares the learner for the second phase, and gives its epochs.
    """

    def __init__(self, *args, first, then, **options):
        super().__init__(*args, **options)
        self._last = self.n_epochs + first
        self._then = then
        self._scale = None

    def __next__(self):
        if self._then is not None and self._first_is_over:
            self.end()
            self.epochs.close()
            self.epochs = self._then(self.n_epochs)
            self._seconds = self.history["seconds"][-1]
            self._forget()
            self._then = None
        super().__next__()
        if self._then is not None and self._first_is_over:
            self.done = self.late
        return self

    def _margin(self, figure):
        # Classes that can be told apart have a loss that falls to 0: there is always a
        # share of it to gain. So it is a share of the loss to begin with.
        if self._scale is None:
            self._scale = abs(figure)
        return self.tol * self._scale

    @property
    def _first_is_over(self):
        return self.converged or self.n_epochs == self._last
