r"""The learner of dense steps for a network whose weights may be exact zeros.

Beside what `DenseLearner` minimises, for L layers,

.. math:: \lambda_2 \sum_{l < L} \sqrt{n_{l-1}} \sum_j \| W_l e_j \|_2 ,

the norms of the weights that lead to each hidden unit. As the L1 penalty it is taken
by its proximal operator in the metric of the optimiser's step; of both together that
is the one after the other.
"""

import numpy as np

from sparselearn._kernels._units import shrink_units
from sparselearn._solvers._network import DenseLearner

__all__ = ["SparseLearner"]


class SparseLearner(DenseLearner):
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
        super().__init__(spec, network, optimizer, l2=l2, l1=l1, masks=masks)
        self.masks = masks
        self.group_l1 = group_l1
        widest = max(network.sizes[1:])
        self._sums = np.zeros(4 * widest)

    def hold_zeros(self):
        """From now on hold what is zero, and shrink the rest no more."""
        self.masks = [w != 0.0 for w in self.network.weights]
        self.mask = self._join(self.masks)
        self.l1 = self.group_l1 = 0.0
        self._forget()

    def step(self, batch, rate, run):
        """Improve the parameters by one step; see `Learner.step`."""
        rule = self.optimizer.next_rule(rate)
        self._run(batch, rule, run)
        if self.group_l1 > 0.0:
            self._shrink(rule)
        return self._loss

    def _shrink(self, rule):
        second, rate = self.optimizer.second, rule.rate
        if not second.size:  # of a gradient that stays a step is so much longer
            rate = rate / (1.0 - rule.beta_1)
        network = self.network
        for weights, (at, _) in zip(network.weights[:-1], network.places):
            n_in, n_units = weights.shape
            place = slice(at, at + weights.size)
            shrink_units(
                network.values[place],
                second[place],
                network.values.dtype.type(rate),
                rule.epsilon,
                self.group_l1 * np.sqrt(n_in),
                n_units,
                self._sums[: 4 * n_units].reshape(4, n_units),
            )

    def end_epoch(self, run):
        """The penalties that make zeros, and how many they have made."""
        weights = self.network.weights
        n_zeros = sum(w.size - np.count_nonzero(w) for w in weights)
        return {
            "penalty": self._penalty(),
            "sparsity": n_zeros / sum(w.size for w in weights),
        }

    def _penalty(self):
        total = 0.0
        if self.l1 > 0.0:
            sizes = (np.abs(w).sum(dtype=np.float64) for w in self.network.weights)
            total += self.l1 * float(sum(sizes))
        if self.group_l1 > 0.0:
            hidden = self.network.weights[:-1]
            norms = (np.sqrt(len(w)) * np.linalg.norm(w, axis=0).sum() for w in hidden)
            total += self.group_l1 * float(sum(norms))
        return total
