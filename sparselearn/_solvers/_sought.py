"""The weight of a sparsity penalty that holds a wanted mean number of non-zeros."""

import math

__all__ = ["SoughtWeight"]

# The logarithm of the weight is a sum of the errors of the number of non-zeros so far,
# as shares of that wanted, times A_STEP, plus AT_ONCE times the last one. Units need
# some hundred steps to follow, and a sum alone would swing.
AT_ONCE = 3.0
A_STEP = 0.015
# An error counts for no more than this.
LARGE = 2.0
# Of the error, a mean over steps: its share of the past.
SHORT_MEMORY = 0.8
# The penalty costs this share of the loss in the first step.
START = 0.05


class SoughtWeight:
    """A controller, proportional and integral, of the logarithm of the weight.

    Parameters
    ----------
    n_nonzero : float
        That is wanted of a row.
    numbers : dict of float, optional
        What it goes on from, and changes; new if not given.
    """

    def __init__(self, n_nonzero, numbers=None):
        self.n_nonzero = n_nonzero
        # Logarithm of what it was in the first step, sum of errors, and the last.
        first = {"start": -math.inf, "sum": 0.0, "error": 0.0}
        self.numbers = first if numbers is None else numbers

    @property
    def value(self):
        """The weight; 0 before the first step."""
        numbers = self.numbers
        follows = A_STEP * numbers["sum"] + AT_ONCE * numbers["error"]
        return math.exp(numbers["start"] + follows)

    def learn(self, n_nonzero, loss, amount):
        """Follow a step: per row, non-zeros, loss, and what the penalty weighs."""
        numbers = self.numbers
        if numbers["start"] == -math.inf:
            if not loss * amount:  # nothing to go by
                return
            numbers["start"] = math.log(START * loss / amount)
        error = min(LARGE, (n_nonzero - self.n_nonzero) / self.n_nonzero)
        numbers["error"] += (1.0 - SHORT_MEMORY) * (error - numbers["error"])
        numbers["sum"] += error
