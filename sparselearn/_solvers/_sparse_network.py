r"""The learner of dense steps for a network whose weights may be exact zeros.

It minimises the mean loss, the L2 penalty, and

.. math:: \lambda_1 \sum_l \| W_l \|_1
          + \lambda_2 \sum_{l < L} \sqrt{n_{l-1}} \sum_j \| W_l e_j \|_2

by the proximal operator after each step of the optimiser, in the metric of that step.
"""

import numpy as np

from sparselearn._solvers._network import DenseLearner, Network

__all__ = ["SparseLearner"]


class SparseLearner(DenseLearner):
    """`DenseLearner` with penalties that make zeros, and masks that hold them."""

    def __init__(self, spec, network, optimizer, *, l2=0.0, l1=0.0, group_l1=0.0):
        super().__init__(spec, network, optimizer, l2=l2)
        self.l1, self.group_l1, self.masks = l1, group_l1, None

    def hold(self, masks):
        """Hold weights at zero from now on; their moments too."""
        self.masks = masks

    def step(self, batch, rate, run):
        loss = self.loss_and_gradient(batch)
        if self.masks is not None:
            for gradient, mask in zip(self.gradient.weights, self.masks):
                gradient *= mask
        opt = self.optimizer
        opt.step(self.gradient.values, rate)
        scaled = Network(self.network.sizes, self.network.values.dtype)
        correction = np.sqrt(1.0 - opt.beta_2**opt.n_steps)
        scaled.values[:] = rate / (np.sqrt(opt.second) / correction + opt.epsilon)
        for layer, (w, step) in enumerate(zip(self.network.weights, scaled.weights)):
            if self.l1:
                w[:] = np.sign(w) * np.maximum(np.abs(w) - self.l1 * step, 0.0)
            if self.group_l1 and layer + 1 < len(self.network.weights):
                w[:] = _shrink_units(w, 1.0 / step, self.group_l1 * np.sqrt(len(w)))
            if self.masks is not None:
                w *= self.masks[layer]
        return loss

    def end_epoch(self, run):
        weights = self.network.weights
        n_zeros = sum(w.size - np.count_nonzero(w) for w in weights)
        return {
            "penalty": self.penalty(),
            "sparsity": n_zeros / sum(w.size for w in weights),
        }

    def penalty(self):
        """The penalties that make zeros, as they are."""
        *hidden, last = self.network.weights
        total = 0.0
        if self.l1:
            total += self.l1 * sum(float(np.abs(w).sum()) for w in (*hidden, last))
        if self.group_l1:
            norms = [np.sqrt(len(w)) * np.linalg.norm(w, axis=0).sum() for w in hidden]
            total += self.group_l1 * float(sum(norms))
        return total


def _shrink_units(w, metric, weight):
    """argmin_x of sum metric (x - w)^2 / 2 + weight sum_j ||x_j||, columns j."""
    pulled = metric * w
    norms = np.linalg.norm(pulled, axis=0)
    low, high = np.zeros(w.shape[1]), np.linalg.norm(w, axis=0)
    for _ in range(60):
        t = 0.5 * (low + high)
        above = np.linalg.norm(pulled / (metric * t + weight), axis=0) > 1.0
        low, high = np.where(above, t, low), np.where(above, high, t)
    t = 0.5 * (low + high)
    return np.where(norms > weight, pulled * t / (metric * t + weight), 0.0)
