"""The weights that are optimal once others are removed, by the loss's curvature."""

import numpy as np

from sparselearn._solvers._surgeon import correction

__all__ = ["constants_of", "obs", "shortened"]

LEAST_GAIN = 0.1
LEAST_SHARE = 1e-4
ROUNDING = 1e-12  # of the loss


def obs(dense, pruned, masks, data, plan):
    """Correct the kept weights for those removed, as the optimal brain surgeon does.

    With S kept and R removed, and H the curvature of the loss at the fitted weights,

        w_S ← w_S + H_SS⁻¹ H_SR w_R,    b ← b + Σ_j m_j (w_j before - w_j after),

    the minimum over all weights that are zero on R. Of least squares it is the refit on
    S, to rounding, though it needs no targets; of a ridge regression the ridge
    regression on S; of a logistic model one Newton step, shortened where the loss
    falls by far less than its curvature promised: see `shortened`. H is only
    formed among what is kept.
    """
    curvatures = data.adapter.curvatures(data.estimator, dense, data)
    (block,) = dense
    before = block.matrix().astype(np.float64)
    mask = block.by_input(masks[0]).reshape(before.shape)
    cut = np.where(mask, before, 0.0)
    after = cut.copy()
    for curvature in curvatures:
        own = np.ix_(curvature.inputs, curvature.outputs)
        here, kept = before[own], mask[own]
        moment = curvature.form.product(np.where(kept, 0.0, here))
        for support, outputs in _alike(kept):
            gram = curvature.form.block(support)
            step = correction(gram, moment[np.ix_(support, outputs)], curvature.damping)
            rows = curvature.inputs[support]
            after[np.ix_(rows, curvature.outputs[outputs])] += step
    after = shortened(block, curvatures, cut, after, data)
    pruned[0] = block.holding(after, constants_of(block, curvatures, after))


def constants_of(block, curvatures, weights):
    """The constants that belong to other weights."""
    constants = block.constants().astype(np.float64)
    moved = block.matrix() - weights
    for curvature in curvatures:
        own = np.ix_(curvature.inputs, curvature.outputs)
        constants[curvature.outputs] += curvature.centre @ moved[own]
    return constants


def shortened(block, curvatures, cut, after, data):
    """The weights `after`, or where these go too far some between them and `cut`.

    The loss is that of targets which the dense model would predict without error, with
    the model's ridge penalty, less what is linear in the weights: at its weights it has
    the gradient 0 and the curvature H. Where it is not quadratic, a step that H says is
    optimal may overshoot, most of all where classes are separated, and their
    probabilities 0 and 1. After the share t of it the loss should be lower by
    ``1 - (1 - t)²`` of all that the step gains; a `LEAST_GAIN` of that is asked for,
    or the step is halved.
    """
    nothing = np.zeros((1, after.shape[1]))
    if data.adapter.curved_losses(data.estimator, nothing, nothing) is None:
        return after
    (a,) = data.inputs([block])
    dense = block.matrix().astype(np.float64)

    def outputs(weights):
        return a @ weights + constants_of(block, curvatures, weights)

    before, start, stop = (outputs(weights) for weights in (dense, cut, after))

    def loss(share):
        z = start + share * (stop - start)
        losses = data.adapter.curved_losses(data.estimator, before, z)
        moved = cut + share * (after - cut) - dense
        ridges = [0.5 * c.form.ridge * moved[:, c.outputs] ** 2 for c in curvatures]
        return data.weights @ losses + sum(ridge.sum() for ridge in ridges)

    at_cut = loss(0.0)
    promised = _quadratic(curvatures, cut - dense) - _quadratic(
        curvatures, after - dense
    )
    share = 1.0
    while share > LEAST_SHARE:
        gain = promised * (1.0 - (1.0 - share) ** 2)
        with np.errstate(over="ignore", invalid="ignore"):
            if at_cut - loss(share) >= LEAST_GAIN * gain - ROUNDING * abs(at_cut):
                return cut + share * (after - cut)
        share /= 2
    return cut


def _quadratic(curvatures, moved):
    """Half of ``v' H v``, of weights moved by v."""
    total = 0.0
    for curvature in curvatures:
        v = moved[np.ix_(curvature.inputs, curvature.outputs)]
        total += 0.5 * np.sum(v * curvature.form.product(v))
    return total


def _alike(kept):
    """Supports, and the outputs that share each; one Cholesky factor serves them."""
    distinct, which = np.unique(kept, axis=1, return_inverse=True)
    for k, mask in enumerate(distinct.T):
        if mask.any():
            yield np.flatnonzero(mask), np.flatnonzero(which == k)
