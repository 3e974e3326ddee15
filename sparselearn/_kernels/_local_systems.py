"""Small positive definite systems, one a row: codes by a few centroids, and back.

All floats are float64. `places` are the centroids of a row, `system` is scratch, square
and as large as the longest row of places.
"""

import math

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["local_weights", "shortest_rows"]


@inlined(fastmath=REASSOCIATE)
def _inner(a, b):
    total = 0.0
    for f in range(a.shape[0]):
        total += a[f] * b[f]
    return total


@inlined(fastmath=REASSOCIATE)
def _solve(system, ridge, right):
    """Overwrite `right` by the solution of ``(system + ridge I) z = right``.

    By Cholesky's factors, in the lower triangle of `system`; no pivot may be less than
    the ridge, as none is but for rounding.
    """
    size = right.shape[0]
    for a in range(size):
        row = system[a]
        for b in range(a):
            other = system[b]
            total = row[b]
            for c in range(b):
                total -= row[c] * other[c]
            row[b] = total / other[b]
        pivot = row[a] + ridge
        for c in range(a):
            pivot -= row[c] * row[c]
        row[a] = math.sqrt(max(pivot, ridge))
        total = right[a]
        for c in range(a):
            total -= row[c] * right[c]
        right[a] = total / row[a]
    for a in range(size - 1, -1, -1):
        row = system[a]
        right[a] /= row[a]
        for c in range(a):
            right[c] -= row[c] * right[a]


@kernel
def local_weights(products, squares, atoms, places, share, system, weights):
    """Write weights, of sum 1, by which a few centroids make up a row.

    For the centroids c_a of a row x (Wang et al., 2010, locality-constrained linear
    coding) ::

        (C + share tr(C) I) w = 1,   C_ab = (c_a - x)'(c_b - x),   w <- w / sum(w)

    Parameters
    ----------
    products : (n_rows, n_components)
        Of rows with centroids.
    squares : (n_rows,)
        Squared lengths of the rows.
    atoms : (n_components, n_features)
    places : int (n_rows, k)
    share : float > 0
    system : (k, k)
    weights : (n_rows, k)
    """
    size = places.shape[1]
    for i in range(places.shape[0]):
        chosen, found = places[i], weights[i]
        trace = 0.0
        for a in range(size):
            further = squares[i] - products[i, chosen[a]]
            for b in range(a + 1):
                inner = _inner(atoms[chosen[a]], atoms[chosen[b]])
                system[a, b] = inner + further - products[i, chosen[b]]
            system[a, a] = max(0.0, system[a, a])
            trace += system[a, a]
            found[a] = 1.0
        if trace > 0.0:  # else the row is all of its centroids
            _solve(system[:size, :size], share * trace, found)
        total = 0.0
        for a in range(size):
            total += found[a]
        for a in range(size):
            found[a] /= total


@kernel
def shortest_rows(data, places, starts, atoms, share, system, right, rows):
    """Write the shortest rows z that have given products with some directions.

    These are ``z = D'(D D' + share n I)^-1 p``, for n directions, the rows of D, of
    length 1 or 0, with the products p: `data` and `places`, compressed rows.

    Parameters
    ----------
    atoms : (n_components, n_features)
    share : float > 0
    system : (k, k), scratch
    right : (k,), scratch
    rows : (n_rows, n_features)
        Overwritten.
    """
    for i in range(rows.shape[0]):
        begin, size = starts[i], starts[i + 1] - starts[i]
        row = rows[i]
        row[:] = 0.0
        for a in range(size):
            right[a] = data[begin + a]
            for b in range(a + 1):
                system[a, b] = _inner(
                    atoms[places[begin + a]], atoms[places[begin + b]]
                )
        _solve(system[:size, :size], share * size, right[:size])
        for a in range(size):
            atom = atoms[places[begin + a]]
            for f in range(row.shape[0]):
                row[f] += right[a] * atom[f]
