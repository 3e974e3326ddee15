"""Training by batches: what a learner is, and the loop over steps and epochs.

Data flow one way. `_batches` brings rows of X to dense batches; a learner holds the
parameters of a model and what its optimiser remembers, and makes a step of each
batch; `train` yields after each epoch, so that an estimator may look at held-out rows,
report, keep the best state and stop. Nothing here knows what is learned.
"""

import math
import time
from abc import ABC, abstractmethod
from typing import NamedTuple

__all__ = ["Batch", "Epoch", "Learner", "Part", "annealed", "train"]

# The share of all steps over which an annealed rate falls to zero, at the end.
DECAY = 0.2


class Batch(NamedTuple):
    """Some rows, as a learner sees them.

    Attributes
    ----------
    rows : ndarray (n_rows, n_features), C-ordered
        Of the learner's dtype. A buffer: the next batch overwrites it.
    targets : ndarray (n_rows, n_outputs), C-ordered
        The same array as `rows` for an autoencoder.
    weights : ndarray (n_rows,) or None
        Of the rows, float64; None for all one.
    """

    rows: object
    targets: object
    weights: object = None


class Part(NamedTuple):
    """A part of an epoch, of rows that are here at the same time.

    Attributes
    ----------
    passing : Pass
    before : float
        The share of the epoch's rows that is behind it when it begins.
    share : float
        The share that it is.
    """

    passing: object
    before: float = 0.0
    share: float = 1.0


class Learner(ABC):
    """A model's parameters, and the optimiser that improves them."""

    @abstractmethod
    def step(self, batch, rate, run):
        """Improve the parameters by one step.

        Parameters
        ----------
        batch : Batch
        rate : float
            Learning rate of this step.
        run : callable
            ``run(function, items)`` is `map`, in threads: see ``_parallel.stream``.

        Returns
        -------
        loss : float
            Sum over the rows, weighted, of what they cost before the step; penalties
            apart.
        """

    def n_at_once(self, passing):
        """How many batches of a `Pass`, at most, to take in one call of `steps`."""
        return 1

    def steps(self, passing, first, rates, run):
        """A step of each of some batches of a `Pass`; see `step`.

        Parameters
        ----------
        passing : Pass
        first : int
            The first one's number.
        rates : list of float
            Learning rates, one for each batch; all are of one size.
        run : callable

        Returns
        -------
        loss : float
            Of all.
        """
        loss = 0.0
        for number, rate in enumerate(rates, first):
            loss += self.step(passing.batch(number), rate, run)
        return loss

    def hear(self, share_done):  # noqa: B027, most have no schedule
        """Hear, before a step of `train` or some, what share of training is over."""

    def end_epoch(self, run):
        """What is due once an epoch; a dict of figures for the history.

        Names of figures that have a meaning to displays: "n_nonzero_coefs", the mean
        number of non-zeros of a code, and "dead_share", the share of the units that no
        row of the epoch made fire.
        """
        return {}

    @abstractmethod
    def state(self):
        """All that training goes on from: a dict of copies, arrays and numbers."""

    @abstractmethod
    def restore(self, state):
        """Go back to what `state` gave."""


class Epoch(NamedTuple):
    """What an epoch did.

    Attributes
    ----------
    number : int
        Of epochs so far, this one with them.
    loss : float
        Mean over the rows, weighted, of their loss when they were met.
    seconds : float
        Since training began.
    figures : dict
        What `Learner.end_epoch` gave.
    out_of_time : bool
        Whether `max_time` has ended it; it may then have met part of the rows.
    rate : float
        Learning rate of its last step; NaN for an optimiser that has none.
    converged : bool
        Whether its optimiser has nothing more to do, and makes no other epoch.
    mass : float
        Sum of the weights of the rows it met.
    """

    number: int
    loss: float
    seconds: float
    figures: dict
    out_of_time: bool = False
    rate: float = math.nan
    converged: bool = False
    mass: float = math.nan


def annealed(rate, share_done):
    """The learning rate after `share_done` of all steps: steady, then down to zero."""
    return rate * min(1.0, (1.0 - share_done) / DECAY)


def train(learner, parts, *, n_epochs, rate, run, max_time=None, done=0):
    """Make a step of every batch, epoch after epoch.

    Parameters
    ----------
    learner : Learner
    parts : callable
        ``parts()`` gives the `Part` of one epoch, or several, one after another: each
        is let go of before the next is asked for.
    n_epochs : int
        How many to make now.
    rate : callable
        Share of all steps done, or of `max_time` if that is more, in [0, 1) ->
        learning rate.
    run : callable
        See `Learner.step`.
    max_time : float, optional
        Seconds after which no further steps are begun.
    done : int
        Epochs that are behind the learner already, from which to count on.

    Yields
    ------
    Epoch
    """
    start = time.perf_counter()
    used = 0.0  # the share of `max_time` that is over
    for number in range(n_epochs):
        loss = mass = 0.0
        for passing, at, shares in _lots(learner, parts()):
            # Whatever ends first, epochs or time: the rate has been annealed by then.
            shares = [max((number + share) / n_epochs, used) for share in shares]
            learner.hear(shares[0])
            rates = [rate(share) for share in shares]
            loss += learner.steps(passing, at, rates, run)
            mass += passing.mass(at, len(rates))
            passing = None
            if max_time is not None:
                used = (time.perf_counter() - start) / max_time
                if used >= 1.0:
                    break
        figures = learner.end_epoch(run)
        seconds = time.perf_counter() - start
        late = used >= 1.0
        yield Epoch(
            done + number + 1,
            loss / mass,
            seconds,
            figures,
            late,
            rates[-1],
            mass=float(mass),
        )
        if late:
            return


def _lots(learner, parts):
    """Steps to make in one call: a `Pass`, the first one's number, and their shares."""
    for passing, before, share in parts:
        at = 0
        while at < len(passing):
            n_steps = min(learner.n_at_once(passing), passing.alike(at))
            steps = range(at, at + n_steps)
            yield passing, at, [before + share * passing.share(step) for step in steps]
            at += n_steps
        passing = None
