"""The weights that are optimal once others are removed, by the loss's curvature."""

import numpy as np

from sparselearn._solvers._surgeon import correction

__all__ = ["obs"]


def obs(dense, pruned, masks, data, plan):
    """Correct the kept weights for those removed, as the optimal brain surgeon does.

    With S kept and R removed, and H the curvature of the loss at the fitted weights,

        w_S ← w_S + H_SS⁻¹ H_SR w_R,    b ← b + Σ_j m_j (w_j before - w_j after),

    the minimum over all weights that are zero on R. Of least squares it is the refit on
    S, to rounding, though it needs no targets; of a ridge regression the ridge
    regression on S; of a logistic model one Newton step. H is only formed among what is
    kept.
    """
    curvatures = data.adapter.curvatures(data.estimator, dense, data)
    (block,) = dense
    before = block.matrix().astype(np.float64)
    mask = block.by_input(masks[0]).reshape(before.shape)
    after = np.where(mask, before, 0.0)
    constants = block.constants().astype(np.float64)
    for curvature in curvatures:
        own = np.ix_(curvature.inputs, curvature.outputs)
        here, kept = before[own], mask[own]
        moment = curvature.form.product(np.where(kept, 0.0, here))
        for support, outputs in _alike(kept):
            gram = curvature.form.block(support)
            step = correction(gram, moment[np.ix_(support, outputs)], curvature.damping)
            rows = curvature.inputs[support]
            after[np.ix_(rows, curvature.outputs[outputs])] += step
        moved = before[:, curvature.outputs] - after[:, curvature.outputs]
        constants[curvature.outputs] += curvature.centre @ moved[curvature.inputs]
    pruned[0] = block.holding(after, constants)


def _alike(kept):
    """Supports, and the outputs that share each; one Cholesky factor serves them."""
    distinct, which = np.unique(kept, axis=1, return_inverse=True)
    for k, mask in enumerate(distinct.T):
        if mask.any():
            yield np.flatnonzero(mask), np.flatnonzero(which == k)
