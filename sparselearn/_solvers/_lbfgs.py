r"""L-BFGS on the whole objective of a network, an iteration an epoch.

For small data: an iteration sees all rows, a few times where the line search needs it.
Where the mean of a code over all rows counts, as in a KL penalty, it is found first, in
a pass of its own, so that value and gradient are those of the objective as written.
"""

import time
import warnings

import numpy as np
from scipy.optimize import line_search

from sparselearn._solvers._training import Epoch

__all__ = ["Objective", "minimize"]

# Pairs of steps and changes of the gradient that are remembered.
MEMORY = 10
MARGIN = 1e-6


class Objective:
    """Value and gradient of what a `DenseLearner` makes small, on all rows.

    Parameters
    ----------
    learner : DenseLearner
        Without l1; its network's values are overwritten by each call.
    batches : callable
        As of `train`: ``batches()`` gives all rows in batches. A few thousand rows in
        each are fast.
    run : callable
    """

    def __init__(self, learner, batches, run):
        self.learner = learner
        self.batches = batches
        self.run = run
        self._last = None, None

    def __call__(self, values):
        """The objective at `values`, float64."""
        return self._at(values)[0]

    def gradient(self, values):
        """Its gradient, float64."""
        return self._at(values)[1]

    def loss(self, values):
        """The mean loss alone."""
        return self._at(values)[2]

    def _at(self, values):
        known, found = self._last
        if known is None or not np.array_equal(known, values):
            found = self._compute(values)
            self._last = values.copy(), found
        return found

    def _compute(self, values):
        learner, network = self.learner, self.learner.network
        network.values[:] = values
        mass = sum(
            len(batch.rows) if batch.weights is None else batch.weights.sum()
            for batch, _ in self.batches()
        )
        code = learner.spec.code
        penalised = code is not None and code.penalty is not None and code.alpha > 0.0
        sizes, penalty = None, 0.0
        if penalised:
            sums = [learner.sizes(batch, self.run) for batch, _ in self.batches()]
            sizes = np.sum(sums, axis=0) / mass
            penalty = self._penalty(sizes)
        found, loss = np.zeros_like(network.values), 0.0
        for batch, _ in self.batches():
            loss += learner.add_gradient(batch, sizes, mass, found, self.run)
        gradient = found.astype(np.float64)
        if penalised and code.penalty == "l1":
            penalty += self._add_norm_slopes(sizes, gradient)
        for weights, (at, _) in zip(network.weights[: network.n_own], network.places):
            flat = weights.ravel().astype(np.float64)
            gradient[at : at + flat.size] += learner.l2 / mass * flat
            penalty += 0.5 * learner.l2 / mass * float(flat @ flat)
        if learner.mask.size:
            gradient[~learner.mask] = 0.0
        return loss / mass + penalty, gradient, loss / mass

    def _penalty(self, sizes):
        code = self.learner.spec.code
        if code.penalty == "l1":
            return 0.0
        mean, target = np.clip(sizes, MARGIN, 1.0 - MARGIN), code.target
        divergence = target * np.log(target / mean)
        divergence += (1.0 - target) * np.log((1.0 - target) / (1.0 - mean))
        return code.alpha * float(divergence.sum())

    def _add_norm_slopes(self, sizes, gradient):
        """Add the derivative of the L1 penalty by the atoms' norms; the penalty."""
        code, network = self.learner.spec.code, self.learner.network
        above = network.weights[code.index + 1].astype(np.float64)
        norms = np.linalg.norm(above, axis=1)
        shares = np.divide(sizes, norms, out=np.zeros_like(norms), where=norms > 0.0)
        slope = code.alpha * shares[:, None] * above
        at, _ = network.places[code.index + 1]
        if code.index + 1 >= network.n_own:
            slope = slope.T
        gradient[at : at + slope.size] += slope.ravel()
        return code.alpha * float(sizes @ norms)


def _direction(gradient, steps, changes):
    """The two-loop recursion of Nocedal (1980): minus an inverse Hessian's product."""
    d = -gradient
    shares = []
    for s, y in zip(reversed(steps), reversed(changes)):
        share = (s @ d) / (s @ y)
        shares.append(share)
        d -= share * y
    if steps:
        s, y = steps[-1], changes[-1]
        d *= (s @ y) / (y @ y)
    else:
        d /= max(1.0, float(np.linalg.norm(gradient)))
    for s, y, share in zip(steps, changes, reversed(shares)):
        d += (share - (y @ d) / (s @ y)) * s
    return d


def minimize(learner, batches, *, n_epochs, run, max_time=None, done=0):
    """Minimise by L-BFGS with a line search for the strong Wolfe conditions.

    The network has the best values so far whenever an `Epoch` is given. It ends early
    where no step makes the objective smaller: there it is as small as its precision
    allows.

    Parameters
    ----------
    learner : DenseLearner
        With l1 = 0.
    batches : callable
        As of `train`; all epochs' the same rows.
    n_epochs : int
        Iterations at most.
    run, max_time, done
        As of `train`.

    Yields
    ------
    Epoch
        The loss is that after the iteration, penalties apart; `figures` has the
        "objective".
    """
    start = time.perf_counter()
    objective = Objective(learner, batches, run)
    values = learner.network.values.astype(np.float64)
    value, gradient = objective(values), objective.gradient(values)
    before, steps, changes = None, [], []
    for number in range(done, n_epochs):
        moved = _search(objective, values, value, before, gradient, steps, changes)
        if moved is None and steps:
            # What is remembered may mislead; steepest descent does not.
            steps.clear()
            changes.clear()
            moved = _search(objective, values, value, None, gradient, steps, changes)
        if moved is not None:
            before, value = value, objective(moved)
            slope = objective.gradient(moved)
            if (moved - values) @ (slope - gradient) > 0.0:
                steps.append(moved - values)
                changes.append(slope - gradient)
                del steps[:-MEMORY], changes[:-MEMORY]
            values, gradient = moved, slope
        learner.network.values[:] = values
        seconds = time.perf_counter() - start
        late = max_time is not None and seconds >= max_time
        figures = {"objective": value}
        yield Epoch(
            number + 1,
            objective.loss(values),
            seconds,
            figures,
            out_of_time=late,
            converged=moved is None,
        )
        if late or moved is None:
            return


def _search(objective, values, value, before, gradient, steps, changes):
    """Where a step along the direction leads, or None if none leads down."""
    direction = _direction(gradient, steps, changes)
    if not np.any(direction):
        return None
    with warnings.catch_warnings():
        # What it would say is in what it returns.
        warnings.simplefilter("ignore")
        length = line_search(
            objective, objective.gradient, values, direction, gradient, value, before
        )[0]
    if length is None:
        return None
    moved = values + length * direction
    return moved if objective(moved) < value else None
