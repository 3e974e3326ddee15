"""Newton steps for a loss with the L1 penalty, on the Gram matrix of a working set.

Each step minimises the penalty and the quadratic model of the loss that the Gram matrix
stands for (see ``_solvers/_newton.py``) by :func:`~._support.settle`; all of a round's
steps are one call, since on small data each takes less time than its Python would.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._design import add_columns, columns_dot
from sparselearn._kernels._jit import REASSOCIATE, kernel
from sparselearn._kernels._support import Quadratic, settle
from sparselearn.losses import curvature, gradient, value

__all__ = ["ENOUGH", "REFUSED", "STALE", "Data", "Limits", "Model", "take_newton_steps"]

# What ended the steps: little is left, or none is allowed; the model is of too far a
# predictor; a step did not descend or did not settle.
ENOUGH, STALE, REFUSED = 0, 1, 2
# A model whose scale is off by more than this is not mended by a number.
LEAST_RATIO, MOST_RATIO = 0.5, 2.0


class Data(NamedTuple):
    """Rows with `weights`, of length n_rows or 1, and what the penalty says of members.

    `curvatures` are those of the columns, l1 the strengths, both (m,).
    """

    target: np.ndarray
    weights: np.ndarray
    features: np.ndarray
    curvatures: np.ndarray
    l1: np.ndarray
    positive: bool
    fit_intercept: bool


class Model(NamedTuple):
    """The quadratic model: columns under the weights of `at`, and their Gram matrix.

    `at` (n_rows,) are the curvatures of the loss when it was made, `total` their
    weighted sum; `added` is what the model bends more than the loss does. `gram` may be
    larger than the working set. Correlations under it are known up to `rounding` (m,),
    or to `share` of their threshold.
    """

    design: tuple
    gram: np.ndarray
    at: np.ndarray
    total: float
    added: float
    rounding: np.ndarray
    share: float


class Limits(NamedTuple):
    """When to stop: at a gap of about `accuracy`, or after so many steps and rounds.

    A model may be `oldest` old, and leave `slow` of a gap. An objective may grow by
    `rounding`.
    """

    accuracy: float
    n_steps: int
    n_rounds: int
    oldest: float
    slow: float
    rounding: float


@kernel(fastmath=REASSOCIATE)
def _distances(data, coef, correlation):
    """About the gap over the working set, as `NewtonWorkingSet._left` has it."""
    left, shrink, size = 0.0, 0.0, 0.0
    for k in range(coef.size):
        w, g, l1 = coef[k], correlation[k], data.l1[k]
        if w == 0.0:
            distance = max((g if data.positive else abs(g)) - l1, 0.0)
        else:
            distance = abs(g - np.copysign(l1, w))
        left += abs(w) * distance + distance * distance / data.curvatures[k]
        if l1 > 0.0:
            shrink = max(shrink, distance / l1)
            size += l1 * abs(w)
    return left + shrink * size


@kernel(fastmath=REASSOCIATE)
def _age(weights, at, total, curvatures, now):
    """By what share the weights of the model have changed since it was made."""
    age = 0.0
    for i in range(at.size):
        weight = weights[i if weights.size > 1 else 0]
        age += weight * abs(curvatures[i] / now - at[i] / total)
    return age


@kernel(fastmath=REASSOCIATE)
def _penalised(data, coef):
    total = 0.0
    for k in range(coef.size):
        if coef[k] != 0.0:
            total += data.l1[k] * abs(coef[k])
    return total


@kernel(fastmath=REASSOCIATE)
def _moment_and_floor(model, pull, l1, coef, moment, floor):
    """Write ``pull + gram coef``, and up to where correlations are rounding."""
    for k in range(coef.size):
        moment[k] = pull[k]
        floor[k] = max(model.share * l1[k], model.rounding[k])
    for k in range(coef.size):
        if coef[k] != 0.0:
            row, w = model.gram[k], coef[k]
            for i in range(coef.size):
                moment[i] += w * row[i]


@kernel
def _measure(loss, data, predictor, along, moved, residual, curvatures):
    """Go `along`, and write the three arrays of rows there; return the loss."""
    total = 0.0
    for i in range(along.size):
        y, z = data.target[i], predictor[i] + along[i]
        moved[i] = z
        weight = data.weights[i if data.weights.size > 1 else 0]
        if weight > 0.0:
            residual[i] = -gradient(loss, y, z)
            curvatures[i] = curvature(loss, y, z)
            total += weight * value(loss, y, z)
        else:
            residual[i] = curvatures[i] = 0.0
    return total


@kernel
def take_newton_steps(
    loss,
    data,
    model,
    limits,
    support,
    size,
    scale,
    coef,
    predictor,
    residual,
    curvatures,
    correlation,
    is_known,
    objective,
):
    """Take steps, which overwrite `coef` (m,) and the three arrays of rows.

    Parameters
    ----------
    support, size : Support and its size, of `coef`
    scale : float
        How much more the loss bends along the steps than the model does.
    correlation : ndarray (m,)
        Those of the working set on entry, if they are known; scratch.
    objective : float
        The loss at entry.

    Returns
    -------
    why, n_steps, n_rounds, size, scale, drift, loss
        `drift` is the change of the intercept, `loss` that at the end.
    """
    weights, n = data.weights, data.target.size
    u, along = np.empty(n), np.empty(n)
    # One by one: the rows of a matrix would not be known to be contiguous.
    new_predictor, new_residual, new_curvatures = np.empty(n), np.empty(n), np.empty(n)
    m = coef.size
    before, pull, moment, l1 = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    floor, new, expected, l2 = np.empty(m), np.empty(m), np.empty(m), np.zeros(m)
    n_steps, n_rounds, drift, foreseen, last = 0, 0, 0.0, 0.0, np.inf
    change, by = np.zeros(m), np.empty(m)
    moved = np.empty(m, dtype=np.int64)
    while True:
        sum_u, now = 0.0, 0.0
        for i in range(n):
            weight = weights[i if weights.size > 1 else 0]
            u[i] = weight * residual[i]
            sum_u += u[i]
            now += weight * curvatures[i]
        if not (is_known and n_steps == 0):
            columns_dot(model.design, data.features, u, sum_u, correlation)
        if n_steps > 0 and foreseen > 0.0:
            ratio = 0.0
            for k in range(m):
                ratio += change[k] * (before[k] - correlation[k])
            scale *= min(max(ratio / foreseen, LEAST_RATIO), MOST_RATIO)
        left = _distances(data, coef, correlation)
        whatever = limits.accuracy == np.inf
        if (whatever and n_steps > 0) or (not whatever and left <= limits.accuracy):
            return ENOUGH, n_steps, n_rounds, size, scale, drift, objective
        if n_steps >= limits.n_steps or n_rounds >= limits.n_rounds:
            return ENOUGH, n_steps, n_rounds, size, scale, drift, objective
        if not now > 0.0 or left > limits.slow * last:
            return STALE, n_steps, n_rounds, size, scale, drift, objective
        if _age(weights, model.at, model.total, curvatures, now) > limits.oldest:
            return STALE, n_steps, n_rounds, size, scale, drift, objective
        last = left
        total = (now + model.added) * scale
        # In loops, here and below: slices and whole arrays take seconds to compile.
        for k in range(m):
            before[k] = correlation[k]
            pull[k] = expected[k] = correlation[k] / total
            l1[k] = data.l1[k] / total
            new[k] = coef[k]
        _moment_and_floor(model, pull, l1, coef, moment, floor)
        problem = Quadratic(model.gram, moment, l1, l2, floor, data.positive)
        size, rounds, settled = settle(
            problem, support, size, new, expected, limits.n_rounds - n_rounds
        )
        foreseen, n_moved = 0.0, 0
        shift = sum_u / total if data.fit_intercept else 0.0
        for k in range(m):
            change[k] = new[k] - coef[k]
            if change[k] != 0.0:
                moved[n_moved], by[n_moved] = data.features[k], change[k]
                n_moved += 1
                foreseen += total * change[k] * (pull[k] - expected[k])
                if data.fit_intercept:
                    shift -= model.design.means[data.features[k]] * change[k]
        if n_moved == 0:
            return REFUSED, n_steps, n_rounds, size, scale, drift, objective
        for i in range(n):
            along[i] = shift
        add_columns(model.design, moved[:n_moved], by[:n_moved], along)
        found = _measure(
            loss, data, predictor, along, new_predictor, new_residual, new_curvatures
        )
        most = objective + _penalised(data, coef) + limits.rounding
        if not found + _penalised(data, new) <= most:
            return REFUSED, n_steps, n_rounds, size, scale, drift, objective
        n_rounds += rounds
        for k in range(m):
            coef[k] = new[k]
        for i in range(n):
            predictor[i] = new_predictor[i]
            residual[i] = new_residual[i]
            curvatures[i] = new_curvatures[i]
        drift += shift
        objective = found
        n_steps += 1
        if not settled and n_rounds < limits.n_rounds:
            return REFUSED, n_steps, n_rounds, size, scale, drift, objective
