"""What a linear model gave, by the features that are left."""

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import team
from sparselearn._solvers._ridge_strengths import by_cross_validation
from sparselearn.pruning._adapters._linear import LinearAdapter
from sparselearn.pruning._refits._least_squares import Fit, fit_blocks

__all__ = ["distill"]


def distill(dense, pruned, masks, data, plan):
    r"""Fit the weights that are left to what the linear model gave before pruning.

    For each output j with kept features S, and z its linear function of all of them,

    .. math:: \min_{v, c} \; \mathrm{mean}_i (z_{ij} - x_{iS}^\top v - c)^2
        + t \sum_{s \in S} \mathrm{var}(x_s) (v_s - \phi w_{sj})^2,

    with the factor :math:`\phi` of least squares, and the t of 19 that has the least
    generalized cross-validation error. No labels are needed, and no parameters: z is a
    number a row, which tells more than a class does.
    """
    if not isinstance(data.adapter, LinearAdapter):
        raise ValueError(
            "refit='distill' is for linear models; got "
            f"{type(data.estimator).__name__}. Give refit='lstsq'."
        )
    fit_blocks(_Distillation, dense, pruned, masks, data)


class _Distillation(Fit):
    def solve(self, used, mask, ridge):
        a = self.inputs.astype(np.float64, copy=False)[:, used]
        gains, residuals = self._lengthened(a, used)
        distinct, which = np.unique(mask, axis=1, return_inverse=True)

        def fill(k):
            kept = np.flatnonzero(distinct[:, k])
            outputs = np.flatnonzero(which == k)
            if not kept.size:
                return
            part = a[:, kept]
            step, _ = by_cross_validation(
                part if sp.issparse(part) else np.ascontiguousarray(part),
                self.mean[used[kept]],
                self.data.weights,
                residuals[:, outputs],
                ridge[kept],
                centred=self.free,
            )
            gains[np.ix_(kept, outputs)] += step

        with team() as run:
            run(fill, range(distinct.shape[1]))
        return gains

    def _lengthened(self, a, used):
        """What the weights of an output gain by one factor, and what is then missing.

        A few weights of many alone give far too small a sum; to shrink towards it would
        be to shrink towards the constant.
        """
        weights = self.block.matrix()[np.ix_(used, self.outputs)].astype(np.float64)
        found = a @ weights - self.mean[used] @ weights
        own = self.data.weights[:, None] * found
        square = np.sum(own * found, axis=0)
        along = np.sum(own * self.residuals, axis=0)
        factors = np.divide(along, square, out=np.zeros_like(square), where=square > 0)
        return weights * factors, self.residuals - found * factors
