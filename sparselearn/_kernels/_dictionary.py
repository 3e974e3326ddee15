r"""Atoms of a dictionary from the statistics of codes.

For samples x_i with codes z_i and weights w_i, the codes fixed, the squared error of
the dictionary D (K, n_features), whose rows d_j are atoms, is up to a constant

.. math::
    \tfrac{1}{2} \mathrm{tr}(A D D^T) - \mathrm{tr}(B D^T),
    \quad A = \sum_i w_i z_i z_i^T, \quad B = \sum_i w_i z_i x_i^T.

So A (K, K) and B (K, n_features) are all that is kept of the samples. In one atom,
the others fixed, the error is ``A_jj/2 ||d_j - v||^2`` and a constant, with

.. math:: v = d_j + (B_j - A_j D) / A_{jj},

so that the best atom of a set is the point of the set that is nearest to v (Mairal,
Bach, Ponce and Sapiro, 2010, algorithm 2). The sets here are the unit sphere, the
boundary of the elastic-net ball ``(1 - rho) ||d||^2 + rho ||d||_1 <= 1``, and the parts
of these without negative entries.
"""

import math

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = [
    "add_dense_moments",
    "add_products",
    "add_sparse_moments",
    "find_twins",
    "project_atoms",
    "update_atoms",
]


@kernel
def add_products(data, indices, starts, weights, products):
    """Add ``Z' W Z`` to `products`.

    Parameters
    ----------
    data, indices, starts : arrays of compressed rows
        Z (n_rows, K).
    weights : float64 (n_rows,)
        The diagonal of W.
    products : float64 (K, K)
        A, added to.
    """
    for i in range(weights.size):
        for a in range(starts[i], starts[i + 1]):
            row, scaled = products[indices[a]], weights[i] * data[a]
            for b in range(starts[i], starts[i + 1]):
                row[indices[b]] += scaled * data[b]


@kernel
def add_dense_moments(data, indices, starts, weights, X, moments):
    """Add ``Z' W X`` to `moments`.

    Parameters
    ----------
    data, indices, starts, weights
        As in :func:`add_products`.
    X : (n_rows, n_features), C-ordered
    moments : float64 (K, n_features)
        B, added to.
    """
    for i in range(weights.size):
        x = X[i]
        for a in range(starts[i], starts[i + 1]):
            row, scaled = moments[indices[a]], weights[i] * data[a]
            for f in range(x.size):
                row[f] += scaled * x[f]


@kernel
def add_sparse_moments(
    data, indices, starts, weights, x_data, x_indices, x_starts, moments
):
    """Add ``Z' W X`` to `moments`, for X of compressed rows."""
    for i in range(weights.size):
        for a in range(starts[i], starts[i + 1]):
            row, scaled = moments[indices[a]], weights[i] * data[a]
            for b in range(x_starts[i], x_starts[i + 1]):
                row[x_indices[b]] += scaled * x_data[b]


@inlined(fastmath=REASSOCIATE)
def _project(atom, positive, l1_ratio, sizes):
    """Overwrite `atom` by the nearest point of its set; tell whether there is one.

    There is none, and `atom` is left as it is, where all of it would be 0. An atom
    inside the elastic-net ball is made longer, not moved to the nearest boundary.
    """
    largest = 0.0
    for value in atom:
        largest = max(largest, value if positive else abs(value))
    if not 0.0 < largest < np.inf:
        return False
    # In units of the largest entry no square over- or underflows.
    square = total = 0.0
    for f in range(atom.size):
        value = atom[f] / largest
        sizes[f] = max(value, 0.0) if positive else abs(value)
        square += sizes[f] * sizes[f]
        total += sizes[f]
    shrink, scale = 0.0, 1.0 / math.sqrt(square)
    if l1_ratio > 0.0:
        shrink, scale = _elastic_net_step(sizes, square, total, largest, l1_ratio)
    for f in range(atom.size):
        size = atom[f] / largest if positive else abs(atom[f] / largest)
        atom[f] = math.copysign(max(size - shrink, 0.0) * scale, atom[f])
    return True


@inlined
def _elastic_net_step(sizes, square, total, unit, rho):
    r"""The soft threshold and the factor that take an atom to the elastic-net sphere.

    The nearest point of the ball to v outside it is, for a multiplier m >= 0,

        d = S(v, m rho) / (1 + 2 m (1 - rho)),

    and with k entries above the threshold, S1 and S2 their sums of sizes and squares,
    the constraint becomes, after some algebra,

        (1 - rho) m^2 + m = ((1 - rho) S2 + rho S1 - 1) / (k rho^2 + 4 (1 - rho)).

    `sizes` are those of v in the given `unit`, and are sorted here.
    """
    ridge = 1.0 - rho
    gauge = ridge * square * unit * unit + rho * total * unit
    if gauge <= 1.0:
        # The boundary on the ray of v: (1 - rho) S2 s^2 + rho S1 s = 1.
        linear = rho * total
        return 0.0, 2.0 / (linear + math.sqrt(linear * linear + 4.0 * ridge * square))
    sizes.sort()
    square = total = multiplier = 0.0
    for k in range(1, sizes.size + 1):
        size = sizes[sizes.size - k] * unit
        if size <= rho * multiplier:
            break
        square += size * size
        total += size
        right = (ridge * square + rho * total - 1.0) / (k * rho * rho + 4.0 * ridge)
        # The stable form of the root of ridge m^2 + m = right.
        right = max(right, 0.0)
        multiplier = 2.0 * right / (1.0 + math.sqrt(1.0 + 4.0 * ridge * right))
    return rho * multiplier / unit, unit / (1.0 + 2.0 * multiplier * ridge)


@kernel
def project_atoms(atoms, positive, l1_ratio, sizes, usable):
    """Overwrite each of `atoms` (n, n_features) by the nearest point of its set.

    `usable` (n,), of bool, is overwritten by whether there is one: an atom of zeros, or
    with `positive` one without a positive entry, stays as it is. `sizes` (n_features,)
    is scratch. `l1_ratio` is rho; 0 means the unit sphere.
    """
    for j in range(atoms.shape[0]):
        usable[j] = _project(atoms[j], positive, l1_ratio, sizes)


@kernel(fastmath=REASSOCIATE)
def update_atoms(rest, products, atoms, floor, positive, l1_ratio, scratch):
    """Move a block of atoms, one after the other, to the best of its set each.

    An atom of A_jj <= `floor`, which no sample uses, stays, and so does one whose best
    would be 0.

    Parameters
    ----------
    rest : float64 (n, n_features)
        ``B_j - A_j D`` of these atoms, with all atoms of D; overwritten by what it is
        with the new ones of the block.
    products : float64 (n, n)
        A among these atoms.
    atoms : float64 (n, n_features)
        Overwritten.
    scratch : float64 (2, n_features)
    """
    move, sizes = scratch
    for j in range(atoms.shape[0]):
        if products[j, j] <= floor:
            continue
        atom = atoms[j]
        for f in range(atom.size):
            move[f] = atom[f] + rest[j, f] / products[j, j]
        if not _project(move, positive, l1_ratio, sizes):
            continue
        for f in range(atom.size):
            new = move[f]
            move[f] = new - atom[f]
            atom[f] = new
        for i in range(atoms.shape[0]):
            weight = products[i, j]
            if weight != 0.0:
                other = rest[i]
                for f in range(atom.size):
                    other[f] -= weight * move[f]


@kernel(fastmath=REASSOCIATE)
def nearest_cosines(gram, inverses, cosines):
    """Write to `cosines` each atom's largest absolute cosine with another one.

    Parameters
    ----------
    gram : float64 (K, K)
        Products of the atoms.
    inverses : float64 (K,)
        Of their squared lengths; 0 for an atom of length 0.
    cosines : float64 (K,)
        Overwritten; 0 for an atom that has no other.
    """
    for j in range(inverses.size):
        row, largest = gram[j], 0.0
        for part in (slice(0, j), slice(j + 1, row.size)):
            products, scales = row[part], inverses[part]
            for i in range(products.size):
                largest = max(largest, products[i] * products[i] * scales[i])
        cosines[j] = math.sqrt(largest * inverses[j])


@kernel
def find_twins(gram, squares, cosine, twins):
    """Find atoms that are nearly the same but for their sign.

    Parameters
    ----------
    gram : float64 (K, K)
        Products of the atoms.
    squares : float64 (K,)
        Their squared lengths.
    cosine : float
        Atoms of a larger absolute cosine are nearly the same.
    twins : int64 (K,)
        Overwritten: the first atom before j that is its twin; -1 if there is none.
    """
    limit = cosine * cosine
    for j in range(squares.size):
        twins[j] = -1
        row, least = gram[j], limit * squares[j]
        for i in range(j):
            if row[i] * row[i] > least * squares[i]:
                twins[j] = i
                break
