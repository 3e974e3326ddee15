r"""Where centroids start: at rows far apart, at random rows, or where one says."""

import math

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _lloyd as kernels
from sparselearn._solvers._lloyd import dense, directions
from sparselearn._solvers._nearest import tasks

__all__ = ["initial_centroids"]

# Candidates are as good as the best if their sum of errors is larger by no more than
# this share: of whitened rows the first directions all are, and rounding decided.
AS_GOOD = 1e-5


def initial_centroids(
    X, weights, n_components, init, random_state, *, spherical=False, run=map
):
    """Centroids to start from.

    Parameters
    ----------
    X, weights, spherical, run
        As :func:`sparselearn._solvers._lloyd.learn_centroids` has them.
    n_components : int
    init : {"k-means++", "data"} or array (n_components, n_features)
        "k-means++": each is the best, for the sum of squared errors, of a few rows that
        are drawn in proportion to weight times squared error by the centroids before it
        (Arthur and Vassilvitskii, 2007). "data": different rows that are drawn in
        proportion to their weight. If X has fewer different rows some come repeatedly.
    random_state : RandomState

    Returns
    -------
    centroids : float64 ndarray (n_components, n_features)
        A copy; with `spherical` of length 1, or 0.
    """
    if not isinstance(init, str):
        found = np.array(init, dtype=np.float64)
    elif init == "data":
        found = _different_rows(X, weights, n_components, random_state, spherical)
    else:
        found = _spread_rows(X, weights, n_components, random_state, spherical, run)
    return directions(found) if spherical else found


def _drawn(X, rows, spherical):
    """Some rows of X as centroids; `spherical`, one of two opposites."""
    found = dense(X[rows])
    if not spherical:
        return found
    found = directions(found)
    largest = np.abs(found).argmax(axis=1)
    return found * np.copysign(1.0, found[np.arange(len(found)), largest])[:, None]


def _different_rows(X, weights, n_components, random_state, spherical):
    # Sorted by these, rows are drawn without replacement in proportion to weights.
    with np.errstate(divide="ignore"):
        keys = random_state.standard_exponential(X.shape[0]) / weights
    order = np.argsort(keys, kind="stable")[: np.count_nonzero(weights)]
    n_rows = 2 * n_components
    while True:
        found = _drawn(X, order[:n_rows], spherical)
        if spherical:  # a row of zeros is no direction
            found = found[found.any(axis=1)]
        _, first = np.unique(found, axis=0, return_index=True)
        if first.size >= n_components or n_rows >= order.size:
            break
        n_rows *= 2
    found = found[np.sort(first)]
    if len(found) == 0:
        return np.zeros((n_components, X.shape[1]))
    return found[np.arange(n_components) % len(found)]


def _spread_rows(X, weights, n_components, random_state, spherical, run):
    parts = tasks(X.shape[0])
    n_trials = 2 + int(math.log(n_components))
    closest = np.empty(X.shape[0])
    errors = np.empty((n_trials, X.shape[0]))

    def measure(candidates):
        """Errors by the candidates, and their sums with those before."""

        def potentials(rows):
            found = errors[: len(candidates), rows]
            squared_errors(X[rows], candidates, spherical, found)
            return np.minimum(found, closest[rows]) @ weights[rows]

        return sum(run(potentials, parts))

    centroids = np.zeros((n_components, X.shape[1]))
    # By none, the error of a direction is the squared length; else all are as bad.
    if spherical:
        for rows in parts:
            closest[rows] = _squared_lengths(X[rows])
        start, n_drawn = 0, n_trials
    else:
        closest[:] = np.inf
        first = np.searchsorted(
            np.cumsum(weights), random_state.random_sample() * weights.sum(), "right"
        )
        centroids[0] = dense(X[[first]])[0]
        measure(centroids[:1])
        closest[:] = errors[0]
        start, n_drawn = 1, n_trials
    for j in range(start, n_components):
        masses = np.cumsum(weights * closest)
        if not masses[-1] > 0.0:
            # All rows are centroids already, which come once more.
            centroids[j:] = centroids[np.arange(n_components - j) % max(j, 1)]
            break
        chances = random_state.random_sample(n_drawn) * masses[-1]
        rows = np.minimum(np.searchsorted(masses, chances, "right"), masses.size - 1)
        candidates = _drawn(X, rows, spherical)
        sums = measure(candidates)
        best = int(np.argmax(sums <= (1.0 + AS_GOOD) * sums.min()))
        np.minimum(closest, errors[best], out=closest)
        centroids[j] = candidates[best]
    return centroids


def _squared_lengths(X):
    if sp.issparse(X):
        return X.astype(np.float64).power(2).sum(axis=1)
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def squared_errors(rows, centroids, spherical, errors):
    """Write the squared error of each row by each centroid to `errors`, transposed."""
    if sp.issparse(rows):
        rows = rows.astype(np.float64)
        lengths, products = _squared_lengths(rows), rows @ centroids.T
        if spherical:
            found = lengths[:, None] - products**2
        else:
            squares = np.einsum("ij,ij->i", centroids, centroids)
            found = lengths[:, None] - 2.0 * products + squares
        np.maximum(0.0, found.T, out=errors)
    else:
        kernels.squared_errors(rows, centroids, spherical, errors)
