"""Groups of coefficients by the columns of a design, and what certifies them.

A block is solved as in ``_blocks.py``, here with the residual at hand instead of the
columns' Gram matrix.
"""

import numpy as np

from sparselearn import penalties
from sparselearn._kernels._blocks import block_step, largest_block, move
from sparselearn._kernels._design import columns_axpy, columns_dot
from sparselearn._kernels._jit import kernel

__all__ = ["certify_groups", "correlate", "descend_columns", "pulls_on_groups"]


@kernel
def descend_columns(
    design, features, blocks, visits, coef, u, total, max_epochs, tol, correlation
):
    """Minimise over a working set by its columns; overwrite `coef` and `u`.

    Position k of the working set is column ``features[k]`` of the design; see
    ``_design.py`` for `u` and `total`. An epoch visits the blocks `visits`. Descent
    ends after `max_epochs`, or after an epoch with no step worth more than `tol`.
    `correlation` has then what the blocks visited last met with; see `correlate`.

    Returns
    -------
    n_epochs, total
    """
    room = largest_block(blocks)
    change, spare = np.empty(room), np.empty((2, room))
    n_epochs = 0
    for _ in range(max_epochs):
        n_epochs += 1
        largest = 0.0
        for b in visits:
            first, last = blocks.starts[b], blocks.starts[b + 1]
            block, columns = coef[first:last], features[first:last]
            pull = correlation[first:last]
            columns_dot(design, columns, u, total, pull)
            worth = block_step(blocks, b, block, pull, change, spare)
            if worth == 0.0:
                continue
            move(block, change, last - first)
            for k in range(last - first):
                change[k] = -change[k]
            total = columns_axpy(design, columns, change, u, total)
            largest = max(largest, worth)
        if largest <= tol:
            break
    return n_epochs, total


@kernel
def correlate(design, features, u, total, out):
    """Write the correlations of the columns `features` with u to `out`."""
    columns_dot(design, features, u, total, out)


@kernel
def _gather(values, features, out):
    for k in range(features.size):
        out[k] = values[features[k]]


@kernel
def certify_groups(penalty, coef, correlation, terms):
    """What each group says of optimality, from its coefficients and correlations v.

    Writes to ``terms[:, g]`` the penalty h_g, the dual scale, and at the least of the
    scales, c, the term ``h_g(w) + h_g*(c v) - c v' w`` of the gap.

    Returns
    -------
    scale : float
    """
    features, starts = penalty.groups.features, penalty.groups.starts
    blocks = np.empty((2, features.size))
    scale = 1.0
    for again in range(2):
        for g in range(starts.size - 1):
            group = features[starts[g] : starts[g + 1]]
            w, v = blocks[0, : group.size], blocks[1, : group.size]
            _gather(coef, group, w)
            _gather(correlation, group, v)
            if again:
                for k in range(v.size):
                    v[k] *= scale
                terms[2, g] = penalties.fenchel_gap(penalty, w, v, g)
            else:
                terms[0, g] = penalties.value(penalty, w, g)
                terms[1, g] = penalties.dual_scale(penalty, w, v, g)
        if not again:
            for g in range(starts.size - 1):
                scale = min(scale, terms[1, g])
    return scale


@kernel
def pulls_on_groups(penalty, correlation, norms, distances):
    """Write of each group at 0 the dual norm and the violation of optimality."""
    features, starts = penalty.groups.features, penalty.groups.starts
    blocks = np.zeros((2, features.size))
    for g in range(starts.size - 1):
        group = features[starts[g] : starts[g + 1]]
        w, v = blocks[0, : group.size], blocks[1, : group.size]
        _gather(correlation, group, v)
        norms[g] = penalties.dual_norm(penalty, v, g)
        distances[g] = penalties.subdifferential_distance(penalty, w, v, g)
