r"""K-means of all rows at a time: Lloyd's passes, and damped spherical ones.

`learn_centroids` lowers, with weights w and the nearest centroid j of each row,

.. math:: \sum_i w_i \|x_i - c_j\|^2
    \quad\text{or, spherical,}\quad \sum_i w_i \|x_i - s_i d_j\|^2, \; \|d_j\| = 1.

A pass moves the centroids, c_j to the weighted mean of its rows or, spherical,

.. math:: d_j \leftarrow \frac{v}{\|v\|}, \quad
    v = \sum_{i \in j} w_i s_i x_i + \lambda d_j, \quad s_i = d_j^T x_i,

and then finds what is nearest to where they are now. The old direction damps the new
one (Coates and Ng, 2012). There it is added as it is; here it weighs `DAMPING` times
the mean energy :math:`\sum_i w_i \|x_i\|^2 / K` of a centroid, so that neither the
units of X nor those of w matter. The sum is ``M d + lambda d`` for the second moments
M of the rows: a step of the power method for a positive semidefinite matrix. Such a
step never lowers d'Md, so that, damped or not, no pass raises the objective.

A centroid without rows moves to one of the rows that are represented worst, which
raises nothing either. If no row is represented badly, it stays.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._nearest import (
    Assignment,
    DenseRows,
    Frame,
    SparseRows,
    dense,
    tasks,
)
from sparselearn._solvers._spread import spread_of

__all__ = ["Centroids", "Moves", "directions", "learn_centroids", "pass_on"]

# What an old direction weighs in a spherical step, in mean energies of a centroid.
DAMPING = 1e-3
# A row is represented well if its squared error is so small a share of the mean squared
# length, for centroids about the mean of all rows, with rounding of this share of that
# about 0: of differences, and of squares that are subtracted where X is sparse.
PERFECT = 1e-12
ROUNDING = 1e-28
SPARSE_ROUNDING = 1e-13


class Centroids(NamedTuple):
    """Centroids, and what is nearest to them: all of one moment.

    Attributes
    ----------
    atoms : ndarray (n_components, n_features)
        Of the dtype of X.
    labels : int32 ndarray (n_rows,)
        The atom nearest each row, the first one among equals.
    squares : float64 ndarray (n_rows,)
        Squared distances from them; spherical: ``||x - s d||^2``. None, as labels are,
        where rows are in chunks elsewhere.
    counts : float64 ndarray (n_components,)
        The weight of the rows of each atom.
    objective : float
        ``weights @ squares``.
    n_iter : int
        Passes so far.
    converged : bool
        Whether another pass would change little enough.
    """

    atoms: np.ndarray
    labels: np.ndarray
    squares: np.ndarray
    counts: np.ndarray
    objective: float
    n_iter: int
    converged: bool


def directions(atoms):
    """`atoms`, in float64, of length 1; those of length 0 stay 0."""
    atoms = np.asarray(atoms, dtype=np.float64)
    largest = np.abs(atoms).max(axis=1, initial=0.0, keepdims=True)
    atoms = atoms / np.where(largest > 0.0, largest, 1.0)  # lengths may not overflow
    lengths = np.sqrt(np.einsum("ij,ij->i", atoms, atoms))[:, None]
    return atoms / np.where(lengths > 0.0, lengths, 1.0)


class Moves:
    """How centroids move by the sums of their rows, wherever the rows are.

    Subclasses find these sums: `assign`, `keep` and `_worst` are theirs.

    Attributes
    ----------
    sums : float64 ndarray (n_components, n_features) or None
        Of rows times weights and sizes, by what is nearest to the last atoms; with
        `counts`, the weights of these rows, and `objective`.
    """

    def __init__(self, spread, dtype, *, spherical, is_sparse):
        self.spherical, self.dtype = spherical, np.dtype(dtype)
        self.sums = self.counts = self.objective = None
        self.variance, energy = spread.variance, spread.energy
        self.damping = DAMPING * spread.weight * energy
        size = energy if spherical else self.variance
        rounding = SPARSE_ROUNDING if is_sparse else ROUNDING
        self.perfect = PERFECT * size + rounding * energy
        self.frame = Frame.of(spherical, spread.mean, np.sqrt(size), self.dtype)

    def moved(self, atoms):
        """Float64 `atoms` after a step, and whether some are where no row was."""
        used = self.counts > 0.0
        if self.spherical:
            used &= self.sums.any(axis=1)  # rows of zeros are nearest to any
            moved = directions(self.sums + self.damping / len(atoms) * atoms)
        else:
            moved = self.sums / np.where(used, self.counts, 1.0)[:, None]
        moved[~used] = atoms[~used]
        new = self._worst(np.count_nonzero(~used))
        empty = np.flatnonzero(~used)[: len(new)]
        moved[empty] = directions(new) if self.spherical else new
        return moved, len(new) > 0


class Passes(Moves):
    """One pass after another over the rows of X.

    Parameters
    ----------
    X, weights, spherical, run
        As `learn_centroids` has them.
    """

    def __init__(self, X, weights, *, spherical, run):
        self.X, self.weights, self.run = X, weights, run
        self.tasks = tasks(X.shape[0])
        self.found = Assignment.empty(X.shape[0])
        self._spare = (
            deque()
        )  # sums of tasks: to make them anew takes as long as to add
        is_sparse = sp.issparse(X)
        spread = spread_of(X, weights, run)
        super().__init__(spread, X.dtype, spherical=spherical, is_sparse=is_sparse)
        kind, how = (SparseRows, spherical) if is_sparse else (DenseRows, self.frame)
        self.rows = kind(X, how)

    def keep(self, atoms):
        """Get ready for many passes, from `atoms` on."""
        self.rows.keep(atoms, run=self.run)

    def assign(self, atoms):
        """Find what is nearest to `atoms`; give how many rows with weight changed.

        Then `counts` are the weights of the rows of each, and `sums` those of the rows,
        times their weights and sizes.
        """
        targets = self.rows.targets(atoms)
        shape = atoms.shape

        def assign(rows):
            part, weights = self.found.part(rows), self.weights[rows]
            before, sums = part.labels.copy(), self._zeros(shape)
            self.rows.assign(rows, targets, part, weights, sums)
            changed = (before != part.labels) & (weights > 0.0)
            return sums, np.count_nonzero(changed)

        self.sums, n_changed = np.zeros(shape), 0
        for sums, changed in self.run(assign, self.tasks):
            self.sums += sums
            self._spare.append(sums)
            n_changed += changed
        self.counts = np.bincount(self.found.labels, self.weights, len(atoms))
        self.objective = float(self.weights @ self.found.squares)
        return n_changed

    def _zeros(self, shape):
        try:
            sums = self._spare.pop()
        except IndexError:
            return np.zeros(shape)
        sums[:] = 0.0
        return sums

    def _worst(self, n_rows):
        """Up to so many different rows that are represented worst, the worst first."""
        if n_rows == 0:
            return np.zeros((0, self.X.shape[1]))
        squares = np.where(self.weights > 0.0, self.found.squares, 0.0)
        order = np.argsort(-squares, kind="stable")[: 2 * n_rows + 16]
        order = order[squares[order] > self.perfect]
        rows = dense(self.X[order])
        _, first = np.unique(rows, axis=0, return_index=True)
        return rows[np.sort(first)[:n_rows]]


def learn_centroids(X, weights, centroids, *, spherical, max_iter, tol, run=map):
    """Pass over the rows until the centroids stay.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features)
        By rows as :func:`sparselearn._validation.column_major` has X by columns:
        C-ordered and read-only, or without duplicate entries.
    weights : float64 ndarray (n_rows,)
        Not negative, not all 0.
    centroids : array (n_components, n_features)
        Where they start. Spherical: of any lengths, those of none stay until they are
        moved to a row.
    spherical : bool
    max_iter : int
        Passes, at most; at least 1.
    tol : float
        Stop when all centroids together move less, squared, than `tol` times the mean
        variance of a feature; spherical, where they have length 1, that of rows of
        length 1. With 0 until no label changes, and spherical no centroid either.
    run : callable
        ``run(function, items)`` does ``map(function, items)``, in threads perhaps:
        what :func:`sparselearn._parallel.stream` gives. The same bits for any.

    Yields
    ------
    Centroids
        After each pass. The last one is `converged`, or the `max_iter`-th. Arrays are
        not written to later.
    """
    passes = Passes(X, weights, spherical=spherical, run=run)
    for found in pass_on(passes, centroids, max_iter=max_iter, tol=tol):
        labels, squares, _ = passes.found
        yield found._replace(labels=labels.copy(), squares=squares.copy())


def pass_on(passes, centroids, *, max_iter, tol):
    """Yield `Centroids`, without what is known of rows, after each of some `Moves`."""
    spherical = passes.spherical
    start = directions(centroids) if spherical else centroids
    # What is returned has the dtype of X: labels are of atoms that are rounded.
    atoms = np.asarray(start, dtype=passes.dtype)
    passes.keep(atoms)
    passes.assign(atoms)
    scale = (1.0 if spherical else passes.variance) / atoms.shape[1]
    rounding = len(atoms) * (2.0 * np.finfo(passes.dtype).eps) ** 2
    for n_iter in range(1, max_iter + 1):
        before = atoms.astype(np.float64)
        moved, relocated = passes.moved(before)
        atoms = moved.astype(passes.dtype)
        steps = np.square(atoms - before).sum()
        n_changed = passes.assign(atoms)
        # Labels that stay make the same means; directions go on, up to rounding.
        steady = n_changed == 0 and (not spherical or steps <= rounding)
        converged = bool(not relocated and (steady or steps <= tol * scale))
        objective = passes.objective
        yield Centroids(atoms, None, None, passes.counts, objective, n_iter, converged)
        if converged:
            return
