r"""K-means of a batch at a time: centroids are means of all that was ever theirs.

A batch with weights w moves each centroid, of mass m so far, by the rows nearest to it
(Sculley, 2010), to

.. math:: c \leftarrow c + \frac{\sum_i w_i (x_i - c)}{m + \sum_i w_i}
    \quad\text{or, spherical,}\quad d \leftarrow \frac{v}{\|v\|}, \;
    v = m d + \sum_i w_i s_i x_i, \; s_i = d^T x_i,

and its mass to :math:`m + \sum_i w_i`, or to :math:`\|v\|`: so that m d is the sum of
all that went before, and an old direction damps new ones by what it was made of.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from sparselearn._solvers._batches import shuffled
from sparselearn._solvers._lloyd import directions
from sparselearn._solvers._nearest import Assignment, dense, rows_near, tasks

__all__ = [
    "Batch",
    "Running",
    "learn_by_batches",
    "pass_by_batches",
    "pass_over",
    "start_running",
    "update_centroids",
]

# A centroid is unused if it was nearest to less than this share of what the mean one
# was, since it is where it is and at least so many rows a centroid have passed.
UNUSED = 0.01
CHANCES = 10
# What the passes before count for in a new one: means are over about two passes.
MEMORY = 0.5
# Passes without progress, or with little, after which the objective is steady.
PATIENCE = 5


class Running(NamedTuple):
    """Centroids that learn from batches. Pickles, and goes on as if it had not stopped.

    Attributes
    ----------
    atoms : float64 ndarray (n_components, n_features)
    masses : float64 ndarray (n_components,)
        What each one weighs against new rows, see above.
    counts : float64 ndarray (n_components,)
        The weight of the rows that were nearest to each since it is where it is.
    offered : float64 ndarray (n_components,)
        The weight of all rows since then.
    n_offered : int64 ndarray (n_components,)
        How many these were, without those of no weight.
    """

    atoms: np.ndarray
    masses: np.ndarray
    counts: np.ndarray
    offered: np.ndarray
    n_offered: np.ndarray


class Batch(NamedTuple):
    """What a batch, or a pass of batches, has come to.

    Attributes
    ----------
    state : Running
    objective : float
        Sum of weights times squared errors, by the centroids before they moved.
    n_moved : int
        How many centroids were unused and are at rows of the batch now.
    n_iter : int
        Passes so far; 0 for a batch.
    converged : bool
    """

    state: Running
    objective: float
    n_moved: int
    n_iter: int = 0
    converged: bool = False


def start_running(centroids, *, spherical=False):
    """The state of `centroids` (n_components, n_features) that have learned nothing."""
    atoms = directions(centroids) if spherical else np.array(centroids, np.float64)
    masses, counts, offered = np.zeros((3, len(atoms)))
    n_offered = np.zeros(len(atoms), dtype=np.int64)
    return Running(atoms, masses, counts, offered, n_offered)


def update_centroids(X, weights, state, random_state, *, spherical=False, run=map):
    """Learn from a batch; `state` stays as it is.

    Centroids that are hardly used move to rows of the batch, drawn in proportion to
    weight times squared error, with nothing learned.

    Parameters
    ----------
    X, weights, spherical, run
        As :func:`sparselearn._solvers._lloyd.learn_centroids` has them; weights may
        all be 0.
    state : Running
    random_state : RandomState
        Used only if a centroid is to move.

    Returns
    -------
    Batch
    """
    held = rows_near(X, state.atoms, spherical=spherical)
    targets = held.targets(state.atoms)
    found = Assignment.empty(X.shape[0])
    shape = state.atoms.shape

    def learn(rows):
        sums, part = np.zeros(shape), found.part(rows)
        held.assign(rows, targets, part, weights[rows], sums)
        return sums

    sums = sum(run(learn, tasks(X.shape[0])))
    counts = np.bincount(found.labels, weights, minlength=shape[0])
    state = _moved(state, sums, counts, spherical)
    state = state._replace(
        counts=state.counts + counts,
        offered=state.offered + weights.sum(),
        n_offered=state.n_offered + np.count_nonzero(weights),
    )
    objective = float(weights @ found.squares)
    errors = weights * found.squares
    state, n_moved = _revived(state, X, errors, random_state, spherical)
    return Batch(state, objective, n_moved)


def _moved(state, sums, counts, spherical):
    """The state after a step; centroids without new rows stay, to the bit."""
    used = counts > 0.0
    atoms, masses = state.atoms.copy(), state.masses.copy()
    old, mass = atoms[used], masses[used][:, None]
    if spherical:
        moved = mass * old + sums[used]
        atoms[used] = np.where(moved.any(axis=1)[:, None], directions(moved), old)
        masses[used] = np.linalg.norm(moved, axis=1)
    else:
        count = counts[used][:, None]
        atoms[used] = old + (sums[used] - count * old) / (mass + count)
        masses[used] += counts[used]
    return state._replace(atoms=atoms, masses=masses)


def _revived(state, X, errors, random_state, spherical):
    """The state with unused centroids at rows of X, and how many these are."""
    n_components = len(state.atoms)
    rare = state.counts < UNUSED * state.offered / n_components
    unused = np.flatnonzero(rare & (state.n_offered >= CHANCES * n_components))
    n_moved = min(unused.size, np.count_nonzero(errors))
    if n_moved == 0:
        return state, 0
    # Sorted by these, rows are drawn without replacement in proportion to errors.
    with np.errstate(divide="ignore"):
        keys = random_state.standard_exponential(errors.size) / errors
    rows = dense(X[np.argsort(keys, kind="stable")[:n_moved]])
    # Copies, but for `atoms`, which are new.
    state = Running(*map(np.copy, state))
    unused = unused[:n_moved]
    state.atoms[unused] = directions(rows) if spherical else rows
    for values in state[1:]:
        values[unused] = 0
    return state, n_moved


def learn_by_batches(
    X,
    weights,
    state,
    random_state,
    *,
    batch_size,
    max_iter,
    tol,
    spherical=False,
    block=None,
    run=map,
):
    """Pass over the rows, in batches in random order, until the objective is steady.

    Parameters
    ----------
    X, weights, spherical, run
        As :func:`sparselearn._solvers._lloyd.learn_centroids` has them.
    state : Running
    random_state : RandomState
        Draws the order of the rows in each pass, and what `update_centroids` draws.
    batch_size : int
    max_iter : int
        Passes, at most; at least 1.
    tol : float
        Stop when the least objective of a few passes is lower than that of all before
        by no more than this share of it; 0 goes on.
    block : int, optional
        Rows that lie in a file are shuffled by blocks of so many, as `shuffled` has it.

    Yields
    ------
    Batch
        After each pass.
    """
    how = {"batch_size": batch_size, "spherical": spherical, "block": block, "run": run}
    one_pass = partial(pass_over, X, weights, random_state=random_state, **how)
    yield from pass_by_batches(one_pass, state, max_iter=max_iter, tol=tol)


def pass_over(
    X, weights, state, random_state, *, batch_size, spherical, block=None, run=map
):
    """The `Batch` of all rows, in batches in random order."""
    order = shuffled(np.arange(X.shape[0]), random_state, block=block)
    objective, n_moved = 0.0, 0
    for start in range(0, order.size, batch_size):
        rows = np.sort(order[start : start + batch_size])
        batch = update_centroids(
            X[rows], weights[rows], state, random_state, spherical=spherical, run=run
        )
        state = batch.state
        objective += batch.objective
        n_moved += batch.n_moved
    return Batch(state, objective, n_moved)


def pass_by_batches(one_pass, state, *, max_iter, tol):
    """Yield the `Batch` of each of some passes, ``one_pass(state)``."""
    path = []
    for n_iter in range(1, max_iter + 1):
        if n_iter > 1:
            state = state._replace(masses=MEMORY * state.masses)
        batch = one_pass(state)
        state = batch.state
        path.append(batch.objective)
        before = min(path[:-PATIENCE], default=np.inf)
        steady = before - min(path[-PATIENCE:]) <= tol * before < np.inf
        converged = tol > 0.0 and steady
        yield batch._replace(n_iter=n_iter, converged=converged)
        if converged:
            return
