"""The weights that are left, as near to the dense estimator as they can be."""

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks, team
from sparselearn._solvers._masked_least_squares import by_inputs, by_rows, gram
from sparselearn.pruning._granularity import alone

__all__ = ["Fit", "fit_blocks", "least_squares"]

# Pull towards the old weights, as a share of the mean square of an input.
RIDGE = 0.01
# An input that varies by less than this share of its mean is a constant, up to
# rounding, and the intercept has it already.
CONSTANT = 1e-6
CHUNK_ROWS = 4096  # rows that are brought to float64 at a time


def least_squares(dense, pruned, masks, data, plan):
    r"""Fit the weights that are left to the pre-activations of the dense estimator.

    With a the inputs of a block in the dense estimator and ã those in the pruned one,
    whose earlier blocks are fitted already, for each output j with kept inputs S,

    .. math:: \min_{v, c} \; \mathrm{mean}_i (a_i^\top w_j + b_j - ã_{iS}^\top v - c)^2
        + \sum_{s \in S} \lambda_s (v_s - w_{sj})^2 .

    :math:`\lambda_s` is a share of the variance of input s where inputs have units of
    their own, else of the mean variance. No labels are needed, and no gradients.
    Where there must be no constant c there is none.
    """
    fit_blocks(Fit, dense, pruned, masks, data)


def fit_blocks(kind, dense, pruned, masks, data):
    """Correct the list `pruned` of blocks by :class:`Fit`, or a `kind` of it."""
    pairs = zip(data.inputs(dense), data.inputs(pruned))
    for layer, (before, after) in enumerate(pairs):
        mask = pruned[layer].by_input(masks[layer])
        mask = mask.reshape(pruned[layer].matrix().shape)
        outputs = ~alone(pruned, masks, layer)
        if layer == 0:  # what reads all it did before stays as it is, to the bit
            outputs &= ~mask.all(axis=0)
        if outputs.any():
            fit = kind(dense[layer], pruned[layer], before, after, outputs, data)
            pruned[layer] = fit.refitted(mask)


class Fit:
    """The least-squares problem of some outputs of a block."""

    def __init__(self, old, block, before, after, outputs, data):
        self.block, self.inputs, self.data = block, after, data
        self.outputs = np.flatnonzero(outputs)
        self.free = block.intercept is not None
        self.mean = data.mean(after) if self.free else np.zeros(after.shape[1])
        self.residuals = _residuals(old, block, before, after, self.outputs)
        self.offset = data.weights @ self.residuals if self.free else 0.0
        self.residuals -= self.offset

    def refitted(self, mask):
        """The block, its weights fitted where `mask` is True."""
        mask = mask[:, self.outputs]
        square = self.data.std(self.inputs) ** 2
        if not self.free:
            square += self.data.mean(self.inputs) ** 2
        used = mask.any(axis=1) & (square > (CONSTANT * self.mean) ** 2)
        used = np.flatnonzero(used)
        square = square[used]
        if not self.block.scale_aware and used.size:
            square = np.full(used.size, square.mean())
        delta = self.solve(used, mask[used], RIDGE * square)
        weights = self.block.weights.copy(order="K")
        block = self.block._replace(weights=weights)
        block.matrix()[np.ix_(used, self.outputs)] += delta
        shift = np.zeros(mask.shape[1])
        if not self.free:
            return block
        shift = np.zeros(block.matrix().shape[1])
        shift[self.outputs] = self.offset - self.mean[used] @ delta
        return block.shifted(shift)

    def solve(self, used, mask, ridge):
        """What the weights (n_used, n_outputs) of the used inputs gain."""
        mean, weights = self.mean[used], self.data.weights
        a = self.inputs
        with team() as run:
            if a.shape[0] < used.size:
                a = a[:, used].astype(np.float64)
                if not sp.issparse(a):
                    a -= mean
                    mean = np.zeros(used.size)
                roots = np.sqrt(weights)
                return by_rows(a, mean, roots, self.residuals, mask, ridge, run)
            system, cross = self._moments(used, mean, run)
            return by_inputs(system, cross, mask, ridge, run)

    def _moments(self, used, mean, run):
        """Weighted second moments of the inputs, and with the residuals."""
        weights, residuals = self.data.weights[:, None], self.residuals
        if sp.issparse(self.inputs):
            a = self.inputs[:, used].astype(np.float64)
            cross = a.T @ (weights * residuals)  # which are centred
            return (a.T @ a.multiply(weights)).toarray() - np.outer(mean, mean), cross
        cross = np.zeros((used.size, residuals.shape[1]))

        def chunks():
            for rows in row_chunks(len(self.inputs), CHUNK_ROWS):
                root = np.sqrt(weights[rows])
                a = self.inputs[rows][:, used].astype(np.float64)
                a -= mean
                a *= root
                cross[:] += a.T @ (root * residuals[rows])
                yield a

        return gram(chunks(), used.size, run), cross


def _residuals(old, block, before, after, outputs):
    """What pre-activations of `old` are above those of `block`, in float64."""
    wanted, present = (
        each.matrix()[:, outputs].astype(np.float64) for each in (old, block)
    )
    offset = old.constants()[outputs] - block.constants()[outputs].astype(np.float64)
    if before is after:
        return _product(before, wanted - present) + offset
    return _product(before, wanted) - _product(after, present) + offset


def _product(a, weights):
    """``a @ weights`` in float64, without a copy of `a` in it."""
    if sp.issparse(a):
        return a @ weights
    product = np.empty((len(a), weights.shape[1]))
    for rows in row_chunks(len(a), CHUNK_ROWS):
        product[rows] = a[rows].astype(np.float64) @ weights
    return product
