"""Learning rates: how they fall, by a plan or because nothing else helps."""

from sparselearn._solvers._training import annealed

__all__ = ["Rates"]

# What an adaptive rate is divided by where training stands still; and the share of the
# first rate from which on it falls no further. scikit-learn's end is 1e-6, which for
# its default rate of 1e-3 is the same.
FACTOR = 5.0
LEAST = 1e-3


class Rates:
    r"""The learning rate of each step of a training.

    With "invscaling" the rate is, from the end of an epoch after which rows of weight t
    have been seen, :math:`\eta_0 / (t + 1)^p`.

    Parameters
    ----------
    kind : {"constant", "annealed", "invscaling", "adaptive"}
    first : float
        The rate to begin with.
    power : float
        The p above.
    seen : float
        Sum of the weights of the rows that were seen before.
    """

    def __init__(self, kind, first, *, power=0.5, seen=0.0):
        self.kind, self.first, self.power = kind, first, power
        self.seen = seen
        self.now = first
        if seen > 0.0:
            self._scale()

    def __call__(self, share_done):
        """The rate after `share_done` of all steps."""
        return annealed(self.now, share_done) if self.kind == "annealed" else self.now

    def end_epoch(self, mass):
        """What follows for the next epoch from the weight of the rows of this one."""
        self.seen += mass
        self._scale()

    def _scale(self):
        if self.kind == "invscaling":
            self.now = self.first / (self.seen + 1.0) ** self.power

    def lower(self):
        """Lower the rate because training stands still, and tell whether it was."""
        if self.kind != "adaptive" or self.now <= LEAST * self.first:
            return False
        self.now /= FACTOR
        return True
