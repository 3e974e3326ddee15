r"""Codes of rows under an L1 penalty, by Gram products: a path, and descent.

With ``c = D x`` and ``G = D D'`` the code of a row x by K atoms minimises

.. math:: \tfrac12 \|x - D'z\|^2 + \lambda \sum_j w_j |z_j| + \tfrac\mu2 \|z\|^2

and all that is needed of a code is ``r = c - G z - mu z``, the atoms' correlations
with what is left.

The path of ``_lasso_path.py`` gives the code exactly. Descent on one coefficient after
another, the others fixed, goes on where the path cannot: where there are so many
non-zeros that it no longer pays, where active atoms depend on one another, or where
coefficients without a penalty are bound to be >= 0. Between sweeps all coefficients
that are not 0 move to where they would be best with their signs, as far as these last.

Either ends at a duality gap that r alone gives, as a sum of terms >= 0,

    (1 - t)^2 rho^2 / 2 + sum_j (lambda w_j |z_j| - t r_j z_j),
    t = min(1, min_j lambda w_j / |r_j|),    rho^2 = ||x - D'z||^2 + mu ||z||^2.

No dual point answers for an atom without a penalty. What correlation it has left
counts as if its coefficient were wrong by ``|z_j| + ||x|| / ||d_j||``.
"""

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, kernel
from sparselearn._kernels._lasso_path import (
    DEPENDENT,
    REACHED,
    STOPPED,
    combine,
    fit_free,
    follow,
    largest_of,
    place_of,
)

__all__ = ["encode_observed_rows", "encode_rows"]

# Sweeps over the non-zeros for one over all atoms.
INNER_SWEEPS = 5


@kernel(fastmath=REASSOCIATE)
def _certify(inner, square, squares, ridge, level, penalty, scratch):
    """What a code is worth.

    Returns
    -------
    error, norm, size, gap
        ``||x - D'z||^2``, ``sum_j w_j |z_j|``, ``||z||^2``, and the duality gap.
    """
    weights, positive = penalty.weights, penalty.positive
    correlation, codes = scratch.correlation, scratch.codes
    scale, unpenalised = 1.0, 0.0
    if level > 0.0:
        scale = level / largest_of(correlation, weights, positive, level)[0]
    if level == 0.0 or penalty.free:
        for j in range(codes.size):
            value = correlation[j] if positive else abs(correlation[j])
            if value > 0.0 and level * weights[j] == 0.0 and squares[j] > 0.0:
                reach = np.sqrt(square / squares[j])
                unpenalised += value * (abs(codes[j]) + reach)
    fitted, norm, size, slackness = 0.0, 0.0, 0.0, 0.0
    for j in range(codes.size):
        z = codes[j]
        if z != 0.0:
            fitted += (inner[j] + correlation[j]) * z
            norm += weights[j] * abs(z)
            size += z * z
            if level * weights[j] > 0.0:
                slackness += level * weights[j] * abs(z) - scale * correlation[j] * z
            elif positive and correlation[j] < 0.0:
                unpenalised -= correlation[j] * z
    rest = max(square - fitted, 0.0)
    gap = 0.5 * (1.0 - scale) ** 2 * rest + slackness + unpenalised
    return max(rest - ridge * size, 0.0), norm, size, gap


@kernel(fastmath=REASSOCIATE)
def _visit(source, square, ridge, limit, positive, correlation, codes, j):
    """Minimise over coefficient j; return about twice what that was worth."""
    curvature = square + ridge
    old = codes[j]
    target = correlation[j] + curvature * old
    beyond = abs(target) - limit
    if not (beyond > 0.0 and curvature > 0.0) or (positive and target < 0.0):
        beyond = 0.0
    new = beyond / curvature if beyond > 0.0 else 0.0
    if target < 0.0:
        new = -new
    change = new - old
    if change == 0.0:
        return 0.0
    codes[j] = new
    place, rows = place_of(source, j), source.rows
    for k in range(correlation.size):
        correlation[k] -= change * rows[place, k]
    correlation[j] -= change * ridge
    return change * change * curvature


@kernel(fastmath=REASSOCIATE)
def _factorise(source, squares, ridge, support, size, factor):
    """Cholesky factor L of ``G_AA + mu I`` for the atoms A of `support`, by rows.

    Returns
    -------
    size : int
        Of the factor. If it is less, the next atom depends on those before it, and the
        next row solves ``L l = G_Aj``.
    """
    rows = source.rows
    for n in range(size):
        j, row = support[n], factor[n]
        place = place_of(source, j)
        pivot = squares[j] + ridge
        for b in range(n):
            value, other = rows[place, support[b]], factor[b]
            for k in range(b):
                value -= other[k] * row[k]
            row[b] = value / other[b]
            pivot -= row[b] * row[b]
        if not pivot > DEPENDENT * (squares[j] + ridge):
            return n
        row[n] = np.sqrt(pivot)
    return size


@kernel(fastmath=REASSOCIATE)
def _direction(factor, n, size, pulls, correlation, support, x):
    """Where the coefficients of `support` are to go, into x; how many do.

    With `pulls` the slopes of the penalty and n the size of the factor: to where they
    are best, if that is all of them. Otherwise the next atom is the combination
    ``L'^-1 l`` of those before it: what lowers the penalty, and changes no fit.

    Returns
    -------
    count : int
    longest : float
    """
    if n == size:
        for a in range(n):
            x[a] = correlation[support[a]] - pulls[a]
            for b in range(a):
                x[a] -= factor[a, b] * x[b]
            x[a] /= factor[a, a]
    else:
        for a in range(n):
            x[a] = -factor[n, a]
    for a in range(n - 1, -1, -1):
        x[a] /= factor[a, a]
        for b in range(a):
            x[b] -= factor[a, b] * x[a]
    if n == size:
        return n, 1.0
    x[n], slope = 1.0, pulls[n]
    for a in range(n):
        slope += pulls[a] * x[a]
    if slope > 0.0:
        for a in range(n + 1):
            x[a] = -x[a]
    return n + 1, np.inf


@kernel
def _move_all(source, squares, ridge, level, penalty, scratch, support, size, factor):
    """Move the coefficients of `support` as `_direction` says, till the first meets 0.

    Returns
    -------
    more : bool
        Whether one has met 0.
    """
    correlation, codes = scratch.correlation, scratch.codes
    pulls, x, places = np.empty(size), np.empty(size), np.empty(size, dtype=np.int64)
    for a in range(size):
        j = support[a]
        places[a] = place_of(source, j)
        pull = level * penalty.weights[j]
        pulls[a] = pull if codes[j] > 0.0 else -pull
    n = _factorise(source, squares, ridge, support, size, factor)
    count, step = _direction(factor, n, size, pulls, correlation, support, x)
    leaving = -1
    for a in range(count):
        bound = pulls[a] != 0.0 or penalty.positive
        if bound and codes[support[a]] * x[a] < 0.0:
            here = -codes[support[a]] / x[a]
            if here < step:
                step, leaving = here, a
    if step == np.inf:
        return False
    combine(source.rows, places, count, x, scratch.slope)
    for k in range(codes.size):
        correlation[k] -= step * scratch.slope[k]
    for a in range(count):
        codes[support[a]] += step * x[a]
        correlation[support[a]] -= step * ridge * x[a]
    if leaving >= 0:
        codes[support[leaving]] = 0.0
    return leaving >= 0


@kernel
def _sweep(source, squares, ridge, level, penalty, scratch, support, size):
    """Visit the first `size` atoms of `support`; return what that was worth."""
    worth = 0.0
    for a in range(size):
        j = support[a]
        worth += _visit(
            source,
            squares[j],
            ridge,
            level * penalty.weights[j],
            penalty.positive,
            scratch.correlation,
            scratch.codes,
            j,
        )
    return worth


@kernel
def _gather(level, penalty, scratch, support, violating):
    """Write to `support` the atoms that are not 0, or should not be; how many."""
    correlation, codes, size = scratch.correlation, scratch.codes, 0
    for j in range(codes.size):
        value = correlation[j] if penalty.positive else abs(correlation[j])
        if codes[j] != 0.0 or (violating and value > level * penalty.weights[j]):
            support[size] = j
            size += 1
    return size


@kernel
def _descend(
    source, inner, square, squares, ridge, level, penalty, scratch, tol, n_sweeps
):
    """Descend to a gap of `tol`; see `_certify`.

    A sweep over the atoms that are not 0, or should not be, is followed by several
    over those that are not 0, and these by moves of all of them.
    """
    support = np.empty(inner.size, dtype=np.int64)
    found = _certify(inner, square, squares, ridge, level, penalty, scratch)
    for _ in range(n_sweeps):
        if found[3] <= tol:
            break
        size = _gather(level, penalty, scratch, support, True)
        _sweep(source, squares, ridge, level, penalty, scratch, support, size)
        for _ in range(INNER_SWEEPS):
            size = _gather(level, penalty, scratch, support, False)
            if (
                _sweep(source, squares, ridge, level, penalty, scratch, support, size)
                <= 0.01 * tol
            ):
                break
        factor, more = np.empty((size, size)), size > 0
        while more:
            size = _gather(level, penalty, scratch, support, False)
            more = _move_all(
                source, squares, ridge, level, penalty, scratch, support, size, factor
            )
        found = _certify(inner, square, squares, ridge, level, penalty, scratch)
    return found


@kernel
def _encode_row(source, squares, penalty, tol, max_iter, scratch, inner, square):
    """Write the code of a row to ``scratch.codes``; see `encode_rows`.

    Returns
    -------
    error, penalty, missed
    """
    weights, positive, alpha = penalty.weights, penalty.positive, penalty.alpha
    scratch.correlation[:] = inner
    scratch.bound[:] = weights
    ridge, size, outcome = alpha * (1.0 - penalty.l1_ratio), 0, REACHED
    by_path = not (penalty.free and positive)
    if penalty.free and by_path:
        size = fit_free(source, squares, ridge, penalty, scratch)
    level, first = largest_of(scratch.correlation, weights, positive, 0.0)
    lowest = alpha * penalty.l1_ratio
    if penalty.relative:
        lowest = alpha * level
        ridge = lowest / penalty.l1_ratio - lowest
    if by_path and level > lowest:
        size, level, outcome = follow(
            source,
            squares,
            ridge,
            penalty,
            level,
            first,
            lowest,
            size,
            scratch,
            max_iter,
        )
    limited = penalty.most < weights.size
    if not limited or level < lowest:
        level = lowest
    for a in range(size):
        scratch.codes[scratch.active[a]] = scratch.coef[a]
    found = _certify(inner, square, squares, ridge, level, penalty, scratch)
    enough = tol * 0.5 * square
    if found[3] > enough and not limited:
        found = _descend(
            source,
            inner,
            square,
            squares,
            ridge,
            level,
            penalty,
            scratch,
            enough,
            max_iter,
        )
    error, norm, length, gap = found
    missed = gap > enough or (limited and outcome == STOPPED)
    return error, level * norm + 0.5 * ridge * length, missed


@kernel
def encode_rows(
    source, squares, penalty, tol, max_iter, scratch, products, lengths, out
):
    """Overwrite `products`, ``X D'``, by codes.

    Parameters
    ----------
    source : Source
        All of the Gram matrix.
    squares : (K,)
        Its diagonal.
    penalty : Penalty
    tol : float
        Duality gap to reach, in units of ``||x||^2 / 2``.
    max_iter : int
        Steps of a path at most; and sweeps of descent.
    scratch : Scratch
    products : (n_rows, K)
    lengths : (n_rows,)
        ``||x||^2``.
    out : (3, n_rows)
        Of each row the squared error, the penalty, and whether the gap was missed.
    """
    for i in range(lengths.size):
        out[0, i], out[1, i], out[2, i] = _encode_row(
            source,
            squares,
            penalty,
            tol,
            max_iter,
            scratch,
            products[i],
            lengths[i],
        )
        products[i] = scratch.codes
        scratch.codes[:] = 0.0


@kernel
def encode_observed_rows(
    observed, source, squares, penalty, tol, max_iter, scratch, products, lengths, out
):
    """As `encode_rows`, each row by the features that are `observed` of it.

    Parameters
    ----------
    observed : bool (n_rows, n_features)
    source : Source
        To make rows of the Gram matrix of.
    squares : (n_rows, K)
        Its diagonal for each row.
    """
    for i in range(lengths.size):
        n = 0
        for k in range(observed.shape[1]):
            if observed[i, k]:
                source.features[n] = k
                n += 1
        source.filled[0], source.filled[1] = 0, n
        source.slots[:] = -1
        out[0, i], out[1, i], out[2, i] = _encode_row(
            source,
            squares[i],
            penalty,
            tol,
            max_iter,
            scratch,
            products[i],
            lengths[i],
        )
        products[i] = scratch.codes
        scratch.codes[:] = 0.0
