r"""K-SVD: atom after atom, with the entries of the codes that use it.

With the rows I of X (n_samples, n_features) whose code uses atom d_j, the vector z of
these entries and ``E = X_I - sum_{l != j} z_l d_l'``, K-SVD wants the best
``E ~ z d_j'``, a singular pair. Two steps of alternating least squares come near
(Rubinstein, Zibulevsky and Elad, 2008), with weights W of the rows,

.. math:: d_j \leftarrow E^T W z / \|E^T W z\|, \quad z \leftarrow E d_j,

neither of which raises the weighted ``||E - z d_j'||``: an iteration of the power
method. E is not formed: it is ``R_I + z d_j'`` with the residuals R of all atoms, kept
up to date.

The codes Z are compressed rows. Kernels find the entries of atom j, the t-th ones with
``firsts[j] <= t < firsts[j + 1]``, in rows ``rows[t]`` and at ``data[places[t]]``.
"""

import math

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["sweep", "sweep_sparse"]


@inlined
def _normalise(direction, positive):
    """Divide `direction` by its length, clipped at 0 if `positive`; the length."""
    square = 0.0
    for f in range(direction.size):
        if positive and direction[f] < 0.0:
            direction[f] = 0.0
        square += direction[f] * direction[f]
    length = math.sqrt(square)
    if length > 0.0:
        for f in range(direction.size):
            direction[f] /= length
    return length


@kernel(fastmath=REASSOCIATE)
def sweep(
    residuals,
    weights,
    data,
    firsts,
    rows,
    places,
    components,
    direction,
    positive,
    positive_atoms,
):
    """Update all atoms, in order, and their entries; leave unused atoms as they are.

    Parameters
    ----------
    residuals : (n_samples, n_features)
        ``R = X - Z D``, overwritten.
    weights : (n_samples,)
    data : (n_nonzero,)
        Entries of the codes, overwritten.
    firsts, rows, places : int
        The entries of each atom, see above.
    components : (n_components, n_features)
        D, atoms of length 1, overwritten.
    direction : (n_features,)
        Scratch.
    positive, positive_atoms : bool
        Whether entries, and atoms, are kept >= 0.
    """
    n_features = direction.size
    for j in range(components.shape[0]):
        atom = components[j]
        mass = 0.0
        direction[:] = 0.0
        for t in range(firsts[j], firsts[j + 1]):
            residual, z = residuals[rows[t]], data[places[t]]
            share = weights[rows[t]] * z
            mass += share * z
            for f in range(n_features):
                direction[f] += share * residual[f]
        for f in range(n_features):
            direction[f] += mass * atom[f]
        if not _normalise(direction, positive_atoms) > 0.0:
            continue
        overlap = 0.0
        for f in range(n_features):
            overlap += direction[f] * atom[f]
        for t in range(firsts[j], firsts[j + 1]):
            residual, z = residuals[rows[t]], data[places[t]]
            new = z * overlap
            for f in range(n_features):
                new += residual[f] * direction[f]
            if positive and new < 0.0:
                new = 0.0
            for f in range(n_features):
                residual[f] += z * atom[f] - new * direction[f]
            data[places[t]] = new
        atom[:] = direction


@kernel(fastmath=REASSOCIATE)
def sweep_sparse(
    X,
    weights,
    codes,
    firsts,
    rows,
    places,
    components,
    direction,
    mix,
    products,
    positive,
    positive_atoms,
):
    r"""`sweep` for compressed rows X, without residuals, which would be dense.

    What E stands for is formed of products,

    .. math:: E^T W z = X_I^T W z - \sum_{l \ne j} (z_l^T W z) d_l, \quad
              E d = X_I d - \sum_{l \ne j} (d_l^T d) z_l,

    over the atoms l that occur beside j.

    Parameters
    ----------
    X, codes : tuples (values, indices, starts)
        Compressed rows; the values of `codes` are overwritten.
    mix, products : (n_components,)
        Scratch.
    others
        As in `sweep`.
    """
    for j in range(components.shape[0]):
        mine, at = rows[firsts[j] : firsts[j + 1]], places[firsts[j] : firsts[j + 1]]
        _gather(X, codes, weights, mine, at, direction, mix)
        mix[j] = 0.0
        for m in range(mix.size):
            if mix[m] != 0.0:
                for f in range(direction.size):
                    direction[f] -= mix[m] * components[m, f]
        if _normalise(direction, positive_atoms) > 0.0:
            components[j] = direction
            _refit(X, codes, mine, at, j, components, products, positive)


@inlined
def _gather(X, codes, weights, mine, at, direction, mix):
    """Overwrite `direction` by ``X_I' W z`` and `mix` by ``Z_I' W z``."""
    values, features, x_starts = X
    data, indices, z_starts = codes
    direction[:] = 0.0
    mix[:] = 0.0
    for t in range(mine.size):
        i = mine[t]
        share = weights[i] * data[at[t]]
        for k in range(x_starts[i], x_starts[i + 1]):
            direction[features[k]] += share * values[k]
        for k in range(z_starts[i], z_starts[i + 1]):
            mix[indices[k]] += share * data[k]


@inlined
def _refit(X, codes, mine, at, j, components, products, positive):
    """Overwrite the entries of atom j by ``E d_j``."""
    values, features, x_starts = X
    data, indices, z_starts = codes
    atom = components[j]
    products[:] = math.nan  # those not known yet
    for t in range(mine.size):
        i = mine[t]
        new = 0.0
        for k in range(x_starts[i], x_starts[i + 1]):
            new += values[k] * atom[features[k]]
        for k in range(z_starts[i], z_starts[i + 1]):
            m = indices[k]
            if m == j:
                continue
            if math.isnan(products[m]):
                total = 0.0
                for f in range(atom.size):
                    total += components[m, f] * atom[f]
                products[m] = total
            new -= data[k] * products[m]
        if positive and new < 0.0:
            new = 0.0
        data[at[t]] = new
