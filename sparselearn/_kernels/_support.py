"""The elastic net on a Gram matrix, solved by changes of its support.

On a support A with signs s the solution is that of a linear system,

    (G_AA + diag(l2_A)) w_A = c_A - l1_A s_A.

:func:`settle` solves it, lets coefficients leave that would change sign and features
join that violate optimality, and so on until neither happens: then the solution is
exact up to rounding. A lower factor L, ``L L' = G_AA + diag(l2_A)``, follows the
support: a feature that joins adds a row, one that leaves takes its row out and costs
plane rotations of those after it, both O(|A|^2).

At first all features join or leave that ask to, as in a primal-dual active set method.
Should the objective ever fail to fall, it goes on with one at a time and stops where
the first coefficient reaches 0; then each support has a smaller objective than the one
before and none comes back (Osborne, Presnell and Turlach, 2000; Lee et al., 2007).
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = ["Quadratic", "Support", "join", "join_many", "leave", "settle"]

# A pivot below this share of its curvature is dependence, not data.
SINGULAR = 1e-12
FEWEST = 10
# Rows of the factor that are worked on together.
BLOCK = 4


class Quadratic(NamedTuple):
    """``w' (gram + diag(l2)) w / 2 - moment' w + l1' |w|``, w >= 0 if `positive`.

    `gram` may be larger than the m features, which its first rows and columns are. A
    correlation that exceeds l1 by `floor` or less is rounding.
    """

    gram: np.ndarray
    moment: np.ndarray
    l1: np.ndarray
    l2: np.ndarray
    floor: np.ndarray
    positive: bool


class Support(NamedTuple):
    """A support with its factor, in arrays with room for more.

    ``order[:size]`` are its features in the order of the rows of `factor`; `signs` is
    0 outside it. `spare` (3, room) is scratch.
    """

    order: np.ndarray
    signs: np.ndarray
    factor: np.ndarray
    spare: np.ndarray


@kernel(fastmath=REASSOCIATE)
def join(problem, support, size, j, known=0):
    """Append feature j to the factor; False if it depends on those inside.

    The new row l solves ``L l = G_Aj``, and is left there either way; its first
    `known` entries are there already.
    """
    order, factor = support.order, support.factor
    row = factor[size]
    curvature = problem.gram[j, j] + problem.l2[j]
    pivot = curvature
    for i in range(known):
        pivot -= row[i] * row[i]
    for i in range(known, size):
        value = problem.gram[j, order[i]]
        for k in range(i):
            value -= factor[i, k] * row[k]
        value /= factor[i, i]
        row[i] = value
        pivot -= value * value
    if pivot <= SINGULAR * curvature:
        return False
    row[size] = np.sqrt(pivot)
    order[size] = j
    return True


@kernel(fastmath=REASSOCIATE)
def _start_rows(problem, support, size, features):
    """Solve ``L l = G_Aj`` for `BLOCK` features at once, so that L is read once.

    The rows l go below the factor.
    """
    order, factor = support.order, support.factor
    j0, j1, j2, j3 = features[0], features[1], features[2], features[3]
    r0, r1, r2, r3 = factor[size], factor[size + 1], factor[size + 2], factor[size + 3]
    # A row each of the symmetric matrix: its columns are far apart in memory.
    gram = problem.gram
    g0, g1, g2, g3 = gram[j0], gram[j1], gram[j2], gram[j3]
    for i in range(size):
        row, j = factor[i], order[i]
        v0, v1, v2, v3 = g0[j], g1[j], g2[j], g3[j]
        for k in range(i):
            v0 -= row[k] * r0[k]
            v1 -= row[k] * r1[k]
            v2 -= row[k] * r2[k]
            v3 -= row[k] * r3[k]
        pivot = row[i]
        r0[i], r1[i], r2[i], r3[i] = v0 / pivot, v1 / pivot, v2 / pivot, v3 / pivot


@kernel
def join_many(problem, support, size, features, signs):
    """Append those of `features` that do not depend on others; return the new size."""
    factor = support.factor
    for start in range(0, features.size, BLOCK):
        block = features[start : start + BLOCK]
        known = 0
        if block.size == BLOCK:
            known = size
            _start_rows(problem, support, size, block)
        first = size
        for k in range(block.size):
            if known > 0 and first + k > size:
                # In a loop: to assign a slice takes numba a second to compile.
                for i in range(known):
                    factor[size, i] = factor[first + k, i]
            if join(problem, support, size, block[k], known):
                support.signs[block[k]] = signs[start + k]
                size += 1
    return size


@kernel(fastmath=REASSOCIATE)
def _rotate_row(old, new, carry, start, r, cosines, sines):
    """Row r from column `start` on: the rotations before it, then one of its own."""
    for k in range(start, r - 1):
        value = old[k + 1]
        new[k] = cosines[k] * carry + sines[k] * value
        carry = cosines[k] * value - sines[k] * carry
    diagonal = old[r]
    length = np.sqrt(carry * carry + diagonal * diagonal)
    cosines[r - 1] = carry / length
    sines[r - 1] = diagonal / length
    new[r - 1] = length


@kernel(fastmath=REASSOCIATE)
def leave(support, size, place):
    """Take row `place` out of the factor.

    The rows below reach one column too far; rotations of neighbouring columns, one
    for each row, bring them back. Rows move up by one as they are done; four at a
    time go through the rotations that they share, so that none waits for another.
    """
    factor, cosines, sines = support.factor, support.spare[0], support.spare[1]
    for r in range(place + 1, size):
        support.order[r - 1] = support.order[r]
    first = place + 1
    while first < size:
        above, r0 = factor[first - 1], factor[first]
        t0 = r0[place]
        if first + 3 >= size:
            for k in range(place):
                above[k] = r0[k]
            _rotate_row(r0, above, t0, place, first, cosines, sines)
            first += 1
            continue
        r1, r2, r3 = factor[first + 1], factor[first + 2], factor[first + 3]
        t1, t2, t3 = r1[place], r2[place], r3[place]
        for k in range(place):
            above[k], r0[k], r1[k], r2[k] = r0[k], r1[k], r2[k], r3[k]
        for k in range(place, first - 1):
            c, s = cosines[k], sines[k]
            v0, v1, v2, v3 = r0[k + 1], r1[k + 1], r2[k + 1], r3[k + 1]
            above[k], r0[k] = c * t0 + s * v0, c * t1 + s * v1
            r1[k], r2[k] = c * t2 + s * v2, c * t3 + s * v3
            t0, t1 = c * v0 - s * t0, c * v1 - s * t1
            t2, t3 = c * v2 - s * t2, c * v3 - s * t3
        _rotate_row(r0, above, t0, first - 1, first, cosines, sines)
        _rotate_row(r1, r0, t1, first - 1, first + 1, cosines, sines)
        _rotate_row(r2, r1, t2, first - 1, first + 2, cosines, sines)
        _rotate_row(r3, r2, t3, first - 1, first + 3, cosines, sines)
        first += 4


@kernel(fastmath=REASSOCIATE)
def _solve(factor, size, x):
    """Overwrite x with ``(L L')^-1 x``."""
    for i in range(size):
        value = x[i]
        for k in range(i):
            value -= factor[i, k] * x[k]
        x[i] = value / factor[i, i]
    _solve_transposed(factor, size, x)


@kernel
def _solve_transposed(factor, size, x):
    """Overwrite x with ``L'^-1 x``."""
    for i in range(size - 1, -1, -1):
        x[i] /= factor[i, i]
        for k in range(i):
            x[k] -= x[i] * factor[i, k]


@kernel
def _drop(support, size, place, coef):
    j = support.order[place]
    coef[j] = 0.0
    support.signs[j] = 0.0
    leave(support, size, place)
    return size - 1


@kernel
def _solve_on_support(problem, support, size, coef, careful):
    """Solve for the coefficients; return the size of what is left of the support.

    Those that would change sign leave it: all at once, or if `careful` the first that
    reaches 0 on the way from `coef`, and so on.
    """
    order, signs, solution = support.order, support.signs, support.spare[2]
    while True:
        for k in range(size):
            j = order[k]
            solution[k] = problem.moment[j]
            if problem.l1[j] > 0.0:
                solution[k] -= problem.l1[j] * signs[j]
        _solve(support.factor, size, solution)
        first, step = np.int64(-1), np.inf
        for k in range(size - 1, -1, -1):
            j = order[k]
            bound = problem.l1[j] > 0.0 or problem.positive
            if bound and solution[k] * signs[j] <= 0.0:
                if not careful:
                    first = k
                    size = _drop(support, size, k, coef)
                elif coef[j] == 0.0 or coef[j] / (coef[j] - solution[k]) < step:
                    first = k
                    step = coef[j] / (coef[j] - solution[k]) if coef[j] != 0.0 else 0.0
        if first < 0:
            break
        if careful:
            for k in range(size):
                coef[order[k]] += step * (solution[k] - coef[order[k]])
            size = _drop(support, size, first, coef)
    for k in range(size):
        coef[order[k]] = solution[k]
    return size


@kernel(fastmath=REASSOCIATE)
def _correlate(problem, support, size, coef, correlation):
    """Write ``moment - gram coef`` to `correlation`; return the objective."""
    gram, order = problem.gram, support.order
    for i in range(coef.size):
        correlation[i] = problem.moment[i]
    whole = size - size % BLOCK
    for k in range(0, whole, BLOCK):
        j0, j1, j2, j3 = order[k], order[k + 1], order[k + 2], order[k + 3]
        w0, w1, w2, w3 = coef[j0], coef[j1], coef[j2], coef[j3]
        g0, g1, g2, g3 = gram[j0], gram[j1], gram[j2], gram[j3]
        for i in range(coef.size):
            correlation[i] -= w0 * g0[i] + w1 * g1[i] + w2 * g2[i] + w3 * g3[i]
    for k in range(whole, size):
        row, value = gram[order[k]], coef[order[k]]
        for i in range(coef.size):
            correlation[i] -= value * row[i]
    objective = 0.0
    for k in range(size):
        j = support.order[k]
        w = coef[j]
        objective += 0.5 * w * (problem.l2[j] * w - problem.moment[j] - correlation[j])
        if problem.l1[j] > 0.0:
            objective += problem.l1[j] * abs(w)
    return objective


@kernel
def _exchange(problem, support, size, j, sign, coef):
    """Let feature j take the place of one on which it depends with others.

    With ``x_j = X_A z`` the fit stays as it is while w_j grows by t * sign and w_A by
    -t * sign * z, and the penalty falls, until the first coefficient reaches 0.
    """
    order, signs, move = support.order, support.signs, support.spare[2]
    for k in range(size):
        move[k] = -sign * support.factor[size, k]
    _solve_transposed(support.factor, size, move)
    first, step = np.int64(-1), np.inf
    for k in range(size):
        i = order[k]
        bound = problem.l1[i] > 0.0 or problem.positive
        if bound and move[k] * signs[i] < 0.0 and -coef[i] / move[k] < step:
            first, step = k, -coef[i] / move[k]
    if first < 0:
        return size, False
    for k in range(size):
        coef[order[k]] += step * move[k]
    size = _drop(support, size, first, coef)
    if not join(problem, support, size, j):
        return size, False
    coef[j] = step * sign
    return size + 1, True


@kernel
def _sift(features, gains, top, n):
    """Let entry `top` of a heap sink to its place; of equals the first is up."""
    j, gain = features[top], gains[top]
    while 2 * top + 1 < n:
        below = 2 * top + 1
        if below + 1 < n and (
            gains[below + 1] > gains[below]
            or (
                gains[below + 1] == gains[below]
                and features[below + 1] < features[below]
            )
        ):
            below += 1
        if gain > gains[below] or (gain == gains[below] and j < features[below]):
            break
        features[top], gains[top] = features[below], gains[below]
        top = below
    features[top], gains[top] = j, gain


@kernel
def _put_worst_first(features, gains, n, room):
    """Bring the `room` of n features of the largest gains to the front, in order.

    Of equal gains the lower feature comes first. What is left of `gains` is scratch.
    A heap, which takes a fraction of a second to compile; `np.argsort` takes two.
    """
    for k in range(n // 2 - 1, -1, -1):
        _sift(features, gains, k, n)
    for last in range(n - 1, n - 1 - room, -1):
        features[0], features[last] = features[last], features[0]
        gains[0], gains[last] = gains[last], gains[0]
        _sift(features, gains, 0, last)
    for k in range(n // 2):
        features[k], features[n - 1 - k] = features[n - 1 - k], features[k]


@kernel
def _take_in(problem, support, size, coef, correlation, careful):
    """Let features join that violate optimality: the worst, if `careful`, else many.

    Returns
    -------
    size, n_violations, n_joined
    """
    violations = np.empty(coef.size, dtype=np.int64)
    gains = np.empty(coef.size)
    n = 0
    for j in range(coef.size):
        g = correlation[j] if problem.positive else abs(correlation[j])
        excess = g - problem.l1[j]
        if support.signs[j] == 0.0 and excess > problem.floor[j]:
            # Diagonals are far apart in memory: only of those that ask.
            curvature = problem.gram[j, j] + problem.l2[j]
            if curvature > 0.0:
                violations[n], gains[n] = j, excess * excess / curvature
                n += 1
    room = n if careful else min(n, max(FEWEST, size))
    if careful or room < n:
        _put_worst_first(violations, gains, n, room)
    features, directions = violations[:room], gains[:room]
    for k in range(room):
        directions[k] = np.sign(correlation[features[k]])
    if not careful:
        joined = join_many(problem, support, size, features, directions) - size
        return size + joined, n, joined
    for k in range(room):
        j, sign = features[k], directions[k]
        joined = join(problem, support, size, j)
        if joined:
            size += 1
        else:
            size, joined = _exchange(problem, support, size, j, sign, coef)
        if joined:
            support.signs[j] = sign
            return size, n, 1
    return size, n, 0


@kernel
def settle(problem, support, size, coef, correlation, max_rounds):
    """Minimise from the support at hand; overwrite `coef` and `correlation`.

    `correlation` says on entry what is expected of it: features that it makes violate
    optimality join before the first solution.

    Returns
    -------
    size : int
        Of the support.
    n_rounds : int
        Supports whose correlations were looked at, at most `max_rounds`.
    settled : bool
        Whether nothing is left but rounding.
    """
    # Not a literal, for which numba would compile all that is called once more.
    before, careful, n_rounds = np.inf, np.bool_(False), 0
    while True:
        size, n_violations, n_joined = _take_in(
            problem, support, size, coef, correlation, careful
        )
        if n_rounds > 0 and n_violations == 0:
            return size, n_rounds, True
        if n_rounds > 0 and n_joined == 0:
            if careful:
                return size, n_rounds, False
            # The same support again, now with an exchange: nothing falls before it.
            before, careful = np.inf, True
        if n_rounds >= max_rounds:
            return size, n_rounds, False
        n_rounds += 1
        size = _solve_on_support(problem, support, size, coef, careful)
        objective = _correlate(problem, support, size, coef, correlation)
        if objective >= before:
            if careful:
                return size, n_rounds, False
            careful = True
        before = objective
