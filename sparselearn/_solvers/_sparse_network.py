r"""The learner of dense steps for a network whose weights may be exact zeros.

Beside what `DenseLearner` minimises, for L layers,

.. math:: \lambda_2 \sum_{l < L} \sqrt{n_{l-1}} \sum_j \| W_l e_j \|_2 ,

the norms of the weights that lead to each hidden unit. As the L1 penalty it is taken
by its proximal operator in the metric of the optimiser's step; of both together that
is the one after the other.
"""

import numpy as np

from sparselearn._kernels._unit_norms import shrink_units
from sparselearn._solvers._network import DenseLearner, Momentum

__all__ = ["PenalisedLearner"]


class PenalisedLearner(DenseLearner):
    """`DenseLearner` with a penalty on whole units, and zeros that may be held.

    Parameters
    ----------
    spec, network, optimizer, l2, l1
        See `DenseLearner`.
    group_l1 : float
        The lambda above.
    masks : list of ndarray of bool (n_in, n_out), or None
        False where a weight is and stays zero.
    """

    def __init__(
        self, spec, network, optimizer, *, l2=0.0, l1=0.0, group_l1=0.0, masks=None
    ):
        # The kernel's l1 is for Adam.
        own = isinstance(optimizer, Momentum)
        super().__init__(
            spec, network, optimizer, l2=l2, l1=0.0 if own else l1, masks=masks
        )
        self._own_l1 = l1 if own else 0.0
        self.masks = masks
        self.group_l1 = group_l1
        widest = max(network.sizes[1:])
        self._sums = np.zeros(4 * widest)

    def hold_zeros(self):
        """From now on hold what is zero, and shrink the rest no more."""
        self.masks = [w != 0.0 for w in self.network.weights]
        self.mask = self._join(self.masks)
        self.l1 = self._own_l1 = self.group_l1 = 0.0
        self._forget()

    def n_at_once(self, passing):
        """See `Learner.n_at_once`; proximal operators of units are no kernel's."""
        alone = self._own_l1 > 0.0 or self.group_l1 > 0.0
        return 1 if alone else super().n_at_once(passing)

    def step(self, batch, rate, run):
        """Improve the parameters by one step; see `Learner.step`."""
        rule = self.optimizer.next_rule(rate)
        self._step(batch, rule, run)
        if isinstance(self.optimizer, Momentum):
            if self._own_l1 > 0.0 or self.group_l1 > 0.0:
                self._pull_back(rule.rate)
        elif self.group_l1 > 0.0:
            self._shrink(rule)
        return self._loss

    def _shrink(self, rule):
        """The proximal operator of units after a step of Adam, and of l1."""
        second, network = self.optimizer.second, self.network
        for weights, (at, _) in zip(network.weights[:-1], network.places):
            n_in, n_units = weights.shape
            place = slice(at, at + weights.size)
            shrink_units(
                network.values[place],
                second[place],
                rule.rate,
                rule.epsilon,
                self.group_l1 * np.sqrt(n_in),
                n_units,
                self._sums[: 4 * n_units].reshape(4, n_units),
            )

    def _pull_back(self, rate):
        r"""The proximal operators after a step with momentum.

        Of the inertial step

        .. math:: x' = \mathrm{prox}(z), \quad z = x + \beta v - \eta \nabla, \quad
                  v' = x' - x,

        the optimiser has made z, and the velocity z - x that there would be without
        penalties. Nesterov's momentum keeps x' + beta v', at which gradients are taken.
        A weight that becomes zero stops: beyond zero it would not be sparse.
        """
        optimizer = self.optimizer
        ahead = optimizer.momentum if optimizer.nesterov else 0.0
        places = zip(self.network.weights, self.network.places)
        for layer, (weights, (at, _)) in enumerate(places):
            velocity = optimizer.first[at : at + weights.size].reshape(weights.shape)
            z = weights - ahead * velocity
            x = np.copysign(np.maximum(np.abs(z) - rate * self._own_l1, 0.0), z)
            if layer + 1 < len(self.network.weights):
                norms = np.linalg.norm(x, axis=0)
                threshold = rate * self.group_l1 * np.sqrt(len(weights))
                left = np.maximum(norms - threshold, 0.0)
                x *= np.divide(left, norms, out=left, where=norms > 0.0)
            velocity += x - z
            velocity[x == 0.0] = 0.0
            weights[:] = x + ahead * velocity

    def end_epoch(self, run):
        """The penalties that make zeros, and how many they have made."""
        weights = self.network.weights
        n_zeros = sum(w.size - np.count_nonzero(w) for w in weights)
        return {
            "penalty": self._penalty(),
            "sparsity": n_zeros / sum(w.size for w in weights),
        }

    def _penalty(self):
        total, l1 = 0.0, self.l1 + self._own_l1
        if l1 > 0.0:
            sizes = (np.abs(w).sum(dtype=np.float64) for w in self.network.weights)
            total += l1 * float(sum(sizes))
        if self.group_l1 > 0.0:
            hidden = self.network.weights[:-1]
            norms = (np.sqrt(len(w)) * np.linalg.norm(w, axis=0).sum() for w in hidden)
            total += self.group_l1 * float(sum(norms))
        return total
