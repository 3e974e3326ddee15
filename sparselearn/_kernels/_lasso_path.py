"""The path of codes under an L1 penalty, while the penalty falls; on Gram products.

It starts where lambda is so large that the code is 0. While lambda falls to l, the code
of the active atoms A, of signs s, moves along a straight line that keeps
``r_A = l w_A s_A`` (Osborne, Presnell and Turlach, 2000; Efron et al., 2004):

    u = (G_AA + mu I)^-1 (w s)_A,    z_A <- z_A + g u,    r <- r - g (G_A u + mu u),

until at l - g an atom outside meets ``|r_j| = l w_j`` and joins, or a coefficient
meets 0 and leaves. It is exact; a step costs O(K |A|), and there are about as many as
there are non-zeros. The inverse is kept, bordered when an atom joins.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, kernel

__all__ = [
    "DEPENDENT",
    "FULL",
    "REACHED",
    "STOPPED",
    "Penalty",
    "Scratch",
    "Source",
    "combine",
    "fit_free",
    "follow",
    "largest_of",
    "place_of",
]

# An atom of which less than this share is new depends on those that are active.
DEPENDENT = 1e-10
# Correlations are equal if they differ by less than this share of the largest.
TIE = 1e-13
# Correlations are looked through in blocks: most have none that matters.
BLOCK = 64
# Of the mean step of a path so far: how far ahead to look first.
AHEAD = 2.0

REACHED, FULL, STOPPED = 0, 1, 2


class Penalty(NamedTuple):
    """What is asked for of each row.

    Attributes
    ----------
    weights : (K,)
        w, from 0 to inf.
    alpha, l1_ratio : float
        ``lambda = alpha l1_ratio`` and ``mu = alpha (1 - l1_ratio)``.
    relative : bool
        Whether `alpha` is a share of the least one that makes a row's code 0.
    most : int
        The path ends before it has more non-zeros.
    positive : bool
        Whether codes are >= 0.
    free : bool
        Whether any of the weights is 0.
    """

    weights: np.ndarray
    alpha: float
    l1_ratio: float
    relative: bool
    most: int
    positive: bool
    free: bool


class Source(NamedTuple):
    """Rows of the Gram matrix: all at hand, or made of atoms when they are needed.

    Attributes
    ----------
    rows : (m, K)
    slots : int (K,)
        Where among these that of an atom is; -1 if it has to be made.
    transposed : (n_features, K)
        D'. Of no features if nothing has to be made.
    features : int (n_features,)
        Which of its rows count, the first of them.
    factors : (n_features,)
        Scratch.
    filled : int (2,)
        How many rows there are, and how many features count.
    """

    rows: np.ndarray
    slots: np.ndarray
    transposed: np.ndarray
    features: np.ndarray
    factors: np.ndarray
    filled: np.ndarray


class Scratch(NamedTuple):
    """What is needed of one row at a time: K atoms, M of them active.

    Attributes
    ----------
    correlation : (K,)
        r.
    slope : (K,)
        How fast r falls with lambda.
    bound : (K,)
        The weights w, inf for atoms that must not join.
    codes : (K,)
        z; 0 between rows.
    active, places : int (M,)
        The active atoms, in no order, and where their Gram products are.
    inverse : (M, M)
        Of ``G_AA + mu I``; all of it, for rows to be read at a stride of 1.
    pull : (M,)
        ``w s`` of these.
    direction : (M,)
        u, ``inverse @ pull``.
    coef : (M,)
        z of these.
    spare : (2, M)
    """

    correlation: np.ndarray
    slope: np.ndarray
    bound: np.ndarray
    codes: np.ndarray
    active: np.ndarray
    places: np.ndarray
    inverse: np.ndarray
    pull: np.ndarray
    direction: np.ndarray
    coef: np.ndarray
    spare: np.ndarray


@kernel(fastmath=REASSOCIATE)
def combine(rows, places, size, factors, out):
    """``out = sum_a factors[a] rows[places[a]]``, four rows at a time."""
    out[:] = 0.0
    for a in range(0, size, 4):
        a1, a2, a3 = min(a + 1, size - 1), min(a + 2, size - 1), min(a + 3, size - 1)
        i0, i1, i2, i3 = places[a], places[a1], places[a2], places[a3]
        f0 = factors[a]
        f1 = factors[a1] if a1 > a else 0.0
        f2 = factors[a2] if a2 > a1 else 0.0
        f3 = factors[a3] if a3 > a2 else 0.0
        for k in range(out.size):
            out[k] += (
                f0 * rows[i0, k]
                + f1 * rows[i1, k]
                + f2 * rows[i2, k]
                + f3 * rows[i3, k]
            )


@kernel
def place_of(source, j):
    """Where the Gram products of atom j are in ``source.rows``, from now on."""
    place = source.slots[j]
    if place < 0:
        place = source.filled[0]
        source.filled[0] += 1
        source.slots[j] = place
        transposed, features = source.transposed, source.features
        size = source.filled[1]
        for k in range(size):
            source.factors[k] = transposed[features[k], j]
        combine(transposed, features, size, source.factors, source.rows[place])
    return place


@kernel(fastmath=REASSOCIATE)
def _append(source, square, ridge, scratch, size, j, pull):
    """Make atom j the last of the active ones, of ``w_j s_j = pull``.

    Bordering of the inverse: with ``v = H g``, g the products of j with the others, and
    ``h = 1 / (G_jj + mu - v'g)``, it gains ``h (v, -1) (v, -1)'``.

    Returns
    -------
    done : bool
        False if the atom depends on the others.
    """
    active, inverse, pulls = scratch.active, scratch.inverse, scratch.pull
    direction, v, g = scratch.direction, scratch.spare[0], scratch.spare[1]
    scratch.bound[j] = np.inf
    place = place_of(source, j)
    for a in range(size):
        g[a] = source.rows[place, active[a]]
    rest, along = square + ridge, 0.0
    for a in range(size):
        total = 0.0
        for b in range(size):
            total += inverse[a, b] * g[b]
        v[a] = total
        rest -= total * g[a]
        along += total * pulls[a]
    new = pull - along
    if not rest > DEPENDENT * (square + ridge) or new * pull < 0.0:
        return False
    h = 1.0 / rest
    for a in range(size):
        f = h * v[a]
        for b in range(size):
            inverse[a, b] += f * v[b]
        inverse[a, size] = inverse[size, a] = -f
        direction[a] -= new * f
    inverse[size, size] = h
    direction[size] = h * new
    active[size], scratch.places[size] = j, place
    pulls[size], scratch.coef[size] = pull, 0.0
    return True


@kernel(fastmath=REASSOCIATE)
def _remove(weights, scratch, size, position):
    """Undo `_append` for the atom at `position` of `size`; the last takes its place.

    Without row and column i the inverse is ``H - h h' / H_ii``, h the column.
    """
    active, places, inverse = scratch.active, scratch.places, scratch.inverse
    pull, direction, coef = scratch.pull, scratch.direction, scratch.coef
    bound, h = scratch.bound, scratch.spare[0]
    for a in range(size):
        h[a] = inverse[a, position]
    share = 1.0 / h[position]
    fall = direction[position] * share
    for a in range(size):
        f = share * h[a]
        for b in range(size):
            inverse[a, b] -= f * h[b]
        direction[a] -= fall * h[a]
    last = size - 1
    for a in range(size):
        inverse[a, position] = inverse[a, last]
    for a in range(last):
        inverse[position, a] = inverse[last, a]
    for values in (pull, direction, coef):
        values[position] = values[last]
    active[position], places[position] = active[last], places[last]
    # Those that depended on the others may no longer do so.
    bound[:] = weights
    for a in range(last):
        bound[active[a]] = np.inf


@kernel(fastmath=REASSOCIATE)
def _first_to_join(scratch, level, step, slack, positive):
    """The atom that meets the bound first on a step of at most `step`, or -1.

    Only what is beyond the bound at the end of the step has met it, and ends the step
    there. So few are: blocks without any take no division and no branch.

    Returns
    -------
    joining, step
    """
    joining = -1
    for start in range(0, scratch.bound.size, BLOCK):
        correlation = scratch.correlation[start : start + BLOCK]
        slope = scratch.slope[start : start + BLOCK]
        bound = scratch.bound[start : start + BLOCK]
        top, n_beyond = level - step + slack, 0
        for k in range(bound.size):
            value = correlation[k] - step * slope[k]
            if not positive:
                value = abs(value)
            n_beyond += 1 if value > top * bound[k] else 0
        if n_beyond == 0:
            continue
        for k in range(bound.size):
            value = correlation[k] - step * slope[k]
            sign = -1.0 if value < 0.0 and not positive else 1.0
            if sign * value > (level - step + slack) * bound[k]:
                room = level * bound[k] - sign * correlation[k]
                speed = bound[k] - sign * slope[k]
                step = room / speed if room > 0.0 and speed > 0.0 else 0.0
                joining = start + k
    return joining, step


@kernel
def _first_to_leave(scratch, size, longest):
    """The position of the first coefficient that meets 0 on a step, or -1.

    Returns
    -------
    leaving, step
    """
    pull, direction, coef = scratch.pull, scratch.direction, scratch.coef
    leaving = -1
    for a in range(size):
        if pull[a] * direction[a] < 0.0:
            here = max(-coef[a] / direction[a], 0.0)
            if here < longest:
                leaving, longest = a, here
    return leaving, longest


@kernel(fastmath=REASSOCIATE)
def _move(scratch, size, ridge, step):
    """Let lambda fall by `step`."""
    correlation, slope, coef = scratch.correlation, scratch.slope, scratch.coef
    for j in range(correlation.size):
        correlation[j] -= step * slope[j]
    for a in range(size):
        coef[a] += step * scratch.direction[a]


@kernel
def fit_free(source, squares, ridge, penalty, scratch):
    """Activate the atoms without a penalty, and fit them; return how many these are."""
    correlation, inverse, coef = scratch.correlation, scratch.inverse, scratch.coef
    size = 0
    for j in range(correlation.size):
        if penalty.weights[j] == 0.0 and size < coef.size:
            size += _append(source, squares[j], ridge, scratch, size, j, 0.0)
    for a in range(size):
        total = 0.0
        for b in range(size):
            total += inverse[a, b] * correlation[scratch.active[b]]
        coef[a] = total
    if size > 0:
        combine(source.rows, scratch.places, size, coef, scratch.slope)
        for a in range(size):
            scratch.slope[scratch.active[a]] += ridge * coef[a]
        for j in range(correlation.size):
            correlation[j] -= scratch.slope[j]
    return size


@kernel(fastmath=REASSOCIATE)
def largest_of(correlation, weights, positive, least):
    """The smallest lambda from `least` on at which no atom joins, and which is next."""
    largest, first = least, -1
    for start in range(0, weights.size, BLOCK):
        values = correlation[start : start + BLOCK]
        limits = weights[start : start + BLOCK]
        n_beyond = 0
        for k in range(values.size):
            value = values[k] if positive else abs(values[k])
            n_beyond += 1 if value > largest * limits[k] else 0
        if n_beyond == 0:
            continue
        for k in range(values.size):
            value = values[k] if positive else abs(values[k])
            if value > largest * limits[k] and limits[k] > 0.0:
                largest, first = value / limits[k], start + k
    return largest, first


@kernel
def follow(
    source, squares, ridge, penalty, level, first, lowest, size, scratch, n_steps
):
    """Follow the path from `level`, where atom `first` joins, down to `lowest`.

    Parameters
    ----------
    size : int
        How many atoms, without a penalty, are active.
    n_steps : int
        At most so many.

    Returns
    -------
    size, level, outcome
        `REACHED`, `FULL` if there is no room for an atom that joins, or `STOPPED` after
        all steps.
    """
    weights, positive = penalty.weights, penalty.positive
    correlation, slope, active = scratch.correlation, scratch.slope, scratch.active
    room, slack = min(penalty.most, active.size), TIE * level
    joining, leaving, top = first, -1, level
    for _ in range(n_steps):
        if joining >= 0:
            if size == room:
                return size, level, REACHED if size == penalty.most else FULL
            pull = weights[joining] if correlation[joining] > 0.0 else -weights[joining]
            size += _append(
                source, squares[joining], ridge, scratch, size, joining, pull
            )
        elif leaving >= 0:
            _remove(weights, scratch, size, leaving)
            size -= 1
        else:
            return size, level, REACHED
        combine(source.rows, scratch.places, size, scratch.direction, slope)
        if ridge > 0.0:
            for a in range(size):
                slope[active[a]] += ridge * scratch.direction[a]
        leaving, longest = _first_to_leave(scratch, size, level - lowest)
        # Where nothing joins on a step of the usual length, as far as can be.
        step = min(longest, AHEAD * (top - level) / max(size, 1))
        joining, step = _first_to_join(scratch, level, step, slack, positive)
        if joining < 0:
            joining, step = _first_to_join(scratch, level, longest, slack, positive)
        _move(scratch, size, ridge, step)
        level -= step
        if joining < 0 and leaving < 0:
            level = lowest
    return size, level, STOPPED
