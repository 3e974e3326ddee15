r"""Where centroids start: at rows far apart, at random rows, or where one says."""

import math

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _lloyd as kernels
from sparselearn._solvers._lloyd import directions
from sparselearn._solvers._nearest import dense, tasks
from sparselearn._solvers._slices import slices

__all__ = ["initial_centroids"]

# Candidates are as good as the best if their sum of errors is larger by no more than
# this share: of whitened rows the first directions all are, and rounding decided.
AS_GOOD = 1e-5
# Rows by whose errors one of a few that are drawn is chosen, at most.
JUDGES = 16384
# Rows measured at a time: to hand over fewer would take longer than to measure them.
PART = 4096


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
    n_trials = 2 + int(math.log(n_components))
    every = Errors(X, weights, spherical, run)
    judges = every
    if X.shape[0] > JUDGES:
        chosen = np.sort(random_state.choice(X.shape[0], JUDGES, replace=False))
        judges = Errors(X[chosen], weights[chosen], spherical, run)
    centroids = np.zeros((n_components, X.shape[1]))
    for j in range(n_components):
        # At first, all rows are as bad; of directions each is as bad as it is long.
        masses = np.cumsum(weights if every.alike else weights * every.closest)
        if not masses[-1] > 0.0:
            # All rows are centroids already, which come once more.
            centroids[j:] = centroids[np.arange(n_components - j) % max(j, 1)]
            break
        n_drawn = 1 if every.alike else n_trials
        chances = random_state.random_sample(n_drawn) * masses[-1]
        rows = np.minimum(np.searchsorted(masses, chances, "right"), masses.size - 1)
        candidates = _drawn(X, rows, spherical)
        errors = judges.by(candidates)
        sums = errors @ judges.weights
        best = int(np.argmax(sums <= (1.0 + AS_GOOD) * sums.min()))
        centroids[j] = candidates[best]
        if judges is every:
            every.keep(errors[best])
        else:
            judges.keep(errors[best])
            every.keep(every.by(candidates[best : best + 1])[0])
    return centroids


class Errors:
    """Squared errors of rows by the centroids so far.

    Attributes
    ----------
    weights : float64 ndarray (n_rows,)
    closest : float64 ndarray (n_rows,)
        The error by the best centroid of each row; by none, that of a direction is the
        squared length, others are infinite.
    alike : bool
        Whether all are infinite.
    """

    def __init__(self, X, weights, spherical, run):
        self.X, self.weights, self.spherical, self.run = X, weights, spherical, run
        self.alike = not spherical
        self.closest = np.full(X.shape[0], np.inf)
        if spherical:
            for rows in tasks(X.shape[0], PART):
                self.closest[rows] = _squared_lengths(X[rows])

    def by(self, candidates):
        """Errors (n_candidates, n_rows) if one of the candidates joined."""
        errors = np.empty((len(candidates), self.X.shape[0]))

        def measure(rows):
            for part in slices(rows.start, rows.stop, PART):
                measure_part(part)

        def measure_part(rows):
            some, closest = self.X[rows], self.closest[rows]
            if sp.issparse(some):
                errors[:, rows] = np.minimum(
                    closest, _sparse_errors(some, candidates, self.spherical)
                )
            else:
                kernels.least_errors(
                    some, candidates, self.spherical, closest, errors[:, rows]
                )

        for _ in self.run(measure, tasks(self.X.shape[0], PART)):
            pass
        return errors

    def keep(self, closest):
        self.closest, self.alike = closest, False


def _squared_lengths(X):
    if sp.issparse(X):
        return X.astype(np.float64).power(2).sum(axis=1)
    return np.einsum("ij,ij->i", X, X, dtype=np.float64)


def _sparse_errors(rows, centroids, spherical):
    """The squared error of each row by each centroid, (n_components, n_rows)."""
    rows = rows.astype(np.float64)
    lengths, products = _squared_lengths(rows), (rows @ centroids.T).T
    if spherical:
        found = lengths - products**2
    else:
        squares = np.einsum("ij,ij->i", centroids, centroids)
        found = lengths - 2.0 * products + squares[:, None]
    return np.maximum(0.0, found)
