"""The relaxed refit: as far from what was pruned to least squares as folds say."""

import numpy as np

from sparselearn._compat import rows_of
from sparselearn.pruning._calibration import Calibration, Subject
from sparselearn.pruning._criteria import score_parts
from sparselearn.pruning._granularity import weight_masks
from sparselearn.pruning._refits._support import Rows, fitted_to, training_rows

__all__ = ["relaxed"]

FOLDS = 5
SHARES = np.linspace(0.0, 1.0, 11)


def relaxed(estimator, masks, data, plan):
    """Between the pruned coefficients and those of least squares, by validation.

    ``share * w_pruned + (1 - share) * w_ols`` with, for each output, the share of 0,
    0.1, ..., 1 that has the least squared error over 5 folds. What a fold judges has
    seen none of it: the estimator is fitted to the other folds and pruned, at once, to
    as many parts, and least squares are on what that keeps.

    References
    ----------
    N. Meinshausen, "Relaxed Lasso", Computational Statistics & Data Analysis 2007.
    """
    rows = Rows.of(estimator, data, plan, "ols")
    (block,) = data.adapter.read(estimator)
    matrix = block.matrix().astype(np.float64)
    mask = block.by_input(masks[0]).reshape(matrix.shape)
    plan = _as_many_parts(plan, mask)
    errors = _errors_of_shares(estimator, rows, data, plan)
    # Of equals the largest share, which is nearest to what was pruned.
    shares = SHARES[::-1][np.argmin(errors[::-1], axis=0)]
    constants = np.empty(shares.size)
    for k, share in enumerate(shares):
        coef, problem = rows.fit(k, mask[:, k])
        matrix[:, k] = coef + share * (matrix[:, k] - coef)
        constants[k] = problem.intercept(matrix[:, k])
    data.adapter.write(estimator, [block.holding(matrix, constants)])


def _as_many_parts(plan, mask):
    """`plan` that asks for the number of parts that are kept, whatever was asked."""
    if isinstance(plan.granularity, tuple):
        return plan  # which says the number
    kept = mask.any(axis=1) if plan.granularity == "feature" else mask
    amount = {"n_nonzero_coefs": int(np.sum(kept))}
    return plan._replace(amount=amount, layer_sparsity=None)


def _errors_of_shares(estimator, rows, data, plan):
    """Squared errors by share and output, summed over the folds."""
    sample = training_rows(data, plan)
    places = np.flatnonzero(rows.weights)
    errors = np.zeros((SHARES.size, rows.targets.shape[1]))
    for fold in range(min(FOLDS, places.size - 1)):
        is_out = np.arange(places.size) % FOLDS == fold
        inside, out = rows.only(places[~is_out]), rows.only(places[is_out])
        total = rows.weights[places[is_out]].sum()
        matrix, mask = _pruned_on(places[~is_out], estimator, sample, data, plan)
        for k in range(errors.shape[1]):
            fitted, problem = inside.fit(k, mask[:, k])
            for place, share in enumerate(SHARES):
                coef = fitted + share * (matrix[:, k] - fitted)
                gap = out.targets[:, k] - out.X @ coef - problem.intercept(coef)
                errors[place, k] += total * (out.weights @ gap**2)
    return errors


def _pruned_on(inside, estimator, sample, data, plan):
    """Coefficients of the estimator fitted to some rows, pruned, and what is kept."""
    X, y, weights = (part if part is None else rows_of(part, inside) for part in sample)
    fitted = fitted_to(estimator, X, y, weights, plan)
    blocks = data.adapter.read(fitted)
    total = inside.size if weights is None else float(np.sum(weights))
    seen = Calibration(
        data.adapter, fitted, X, y, weights, data.seed, total_weight=total
    )
    importances = score_parts(plan.criterion, plan.granularity, blocks, seen)
    kept, _ = plan.masks(importances, Subject(blocks, seen))
    (mask,) = weight_masks(plan.granularity, blocks, kept)
    (block,) = blocks
    matrix = block.matrix().astype(np.float64)
    mask = block.by_input(mask).reshape(matrix.shape)
    return np.where(mask, matrix, 0.0), mask
