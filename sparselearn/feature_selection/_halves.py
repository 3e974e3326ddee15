"""What is selected from one half of the rows: by a path, or by a fit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.sparsefuncs import mean_variance_axis

from sparselearn._compat import rows_of, rows_of_params
from sparselearn.linear_model import OrthogonalMatchingPursuit
from sparselearn.linear_model._support_path import SupportPath, has_support_path

__all__ = [
    "Alphas",
    "Half",
    "Lattice",
    "Rows",
    "has_path",
    "is_greedy",
    "select_by_fit",
    "select_by_path",
    "select_from",
    "selection_shares",
    "split_halves",
]

# The smallest alpha of a path over its largest.
EPS = 1e-3


@dataclass(frozen=True)
class Half:
    """What was selected from one half, step after step.

    Attributes
    ----------
    first : int
        The number of the first step: of an alpha of the grid, or 0.
    steps : list of ndarray of int
        The features selected at each; after the last one, they stay.
    n_selected : int
        How many features were selected at some step.
    converged : bool
    """

    first: int
    steps: list
    n_selected: int
    converged: bool = True


class Rows(NamedTuple):
    """What all halves have in common.

    Parameters
    ----------
    estimator : estimator
    select : callable
        :func:`select_by_path` or :func:`select_by_fit`.
    q : int
        How many features a half selects at most.
    X, y
    params : dict
        For `fit`, of all rows.
    """

    estimator: object
    select: Callable
    q: int
    X: object
    y: object
    params: dict


class Alphas:
    """Given alphas, for all halves the same, as steps 0, 1, ... of a path."""

    def __init__(self, alphas):
        alphas = np.sort(np.asarray(alphas, dtype=np.float64))[::-1]
        if alphas.ndim != 1 or not alphas.size or not alphas[-1] > 0.0:
            raise ValueError(
                "alphas must be an int or a non-empty sequence of numbers > 0; got "
                f"{alphas!r}."
            )
        self._alphas = alphas
        self.n_alphas = alphas.size

    def steps(self, alpha_max):
        """The steps to take on data with this `alpha_max`."""
        return range(self.n_alphas)

    def alpha(self, step):
        """The alpha of a step, or of an array of steps."""
        return self._alphas[step]


class Lattice:
    """Alphas in geometric progression through `top`, which has no end.

    Every half begins just below its own largest alpha, and all meet in the same
    alphas; so there is no need to know beforehand where the first of them begins.

    Parameters
    ----------
    top : float
        Where step 0 is.
    n_alphas : int
        How many steps a half takes at most, down to `EPS` times its largest alpha.
    """

    def __init__(self, top, n_alphas):
        self._top = top if top > 0.0 else 1.0
        self._log_ratio = np.log(EPS) / max(n_alphas - 1, 1)
        self.n_alphas = n_alphas

    def steps(self, alpha_max):
        """The steps to take on data with this `alpha_max`."""
        if alpha_max == 0.0:
            return range(0)
        below = np.log(alpha_max / self._top) / self._log_ratio
        # On the largest alpha itself nothing is selected yet.
        first = int(np.floor(below + 1e-9)) + 1
        return range(first, first + self.n_alphas)

    def alpha(self, step):
        """The alpha of a step, or of an array of steps."""
        return self._top * np.exp(self._log_ratio * step)


def has_path(estimator):
    """Whether :func:`select_by_path` takes it."""
    return is_greedy(estimator) or has_support_path(estimator)


def is_greedy(estimator):
    """Whether its path has no alphas: it takes in one feature after another."""
    return isinstance(estimator, OrthogonalMatchingPursuit)


def select_from(data, half):
    """What is selected from the rows `half` of `data`, which is `Rows`: a `Half`."""
    own = rows_of_params(data.X, data.params, indices=half)
    targets = () if data.y is None else (rows_of(data.y, half),)
    X = rows_of(data.X, half)
    return data.select(clone(data.estimator), data.q, X, *targets, **own)


def select_by_path(estimator, q, X, y, *, grid=None, **params):
    """The first `q` features to enter an unfitted estimator's path.

    Of those that enter at the same alpha, the ones with the largest coefficients in
    units of the features' standard deviations are first. `grid` is `Alphas` or a
    `Lattice`; without one, for a greedy estimator, steps are numbers of features.

    Returns
    -------
    Half
    """
    n_features = X.shape[1]
    if is_greedy(estimator):
        estimator.set_params(n_nonzero_coefs=q, tol=None)
        order = estimator.fit(X, y, **params).active_order_
        if isinstance(order, list):
            raise ValueError(
                f"The path of {type(estimator).__name__} is of one target; y has "
                f"{len(order)}. Use method='fit'."
            )
        return _by_rank(order)
    path = SupportPath(estimator, X, y, n_alphas=grid.n_alphas, **params)
    chosen, n_chosen, converged = np.zeros(n_features, dtype=bool), 0, True
    indices = grid.steps(path.alpha_max)
    steps = []
    for step in indices:
        features, sizes, reached = path.at(grid.alpha(step))
        converged &= reached
        new = ~chosen[features]
        by_size = np.argsort(-sizes[new], kind="stable")[: q - n_chosen]
        chosen[features[new][by_size]] = True
        n_chosen += by_size.size
        if n_chosen == q < n_features:
            steps.append(np.flatnonzero(chosen))
            break
        steps.append(features)
    return Half(indices.start, steps, n_chosen, converged)


def select_by_fit(estimator, q, X, y=None, **params):
    """The `q` features that are most important to an estimator, fitted here.

    Returns
    -------
    Half
        With one step for each number of features up to `q`.
    """
    targets = () if y is None else (y,)
    return _by_rank(
        _largest(_importances(estimator.fit(X, *targets, **params), X, q)), q
    )


def _by_rank(order, q=None):
    order = np.asarray(order, dtype=np.int64)[:q]
    steps = [order[: k + 1] for k in range(order.size)]
    return Half(0, steps, order.size)


def _largest(importances):
    """The features with importances above 0, the largest first, of equals the first."""
    order = np.argsort(-importances, kind="stable")
    return order[importances[order] > 0.0]


def _importances(fitted, X, q):
    """One number >= 0 a feature, 0 for those that were not selected."""
    if isinstance(fitted, Pipeline):
        return _importances(fitted[-1], fitted[:-1].transform(X), q)
    if hasattr(fitted, "coef_"):
        coef = fitted.coef_
        coef = coef.toarray() if sp.issparse(coef) else np.asarray(coef)
        return np.linalg.norm(coef.reshape(-1, X.shape[1]), axis=0) * _spread(X)
    if hasattr(fitted, "feature_importances_"):
        return np.asarray(fitted.feature_importances_)
    if hasattr(fitted, "get_support"):
        return _ranked(fitted, fitted.get_support(), X, q)
    raise ValueError(
        "StabilitySelector needs an estimator with coef_, feature_importances_ or "
        f"get_support; {type(fitted).__name__} has none of them after fit."
    )


def _ranked(selector, mask, X, q):
    """The importances behind a selector's choice, where it says any; or the choice."""
    inner = getattr(selector, "estimator_", None)
    seen = getattr(inner, "n_features_in_", None)
    if seen == mask.size:
        return np.where(mask, _importances(inner, X, q), 0.0)
    if seen == np.count_nonzero(mask):
        importances = np.zeros(mask.size)
        importances[mask] = _importances(inner, X[:, np.flatnonzero(mask)], q)
        return importances
    scores = getattr(selector, "scores_", None)
    if scores is not None:
        # From 1 up for the worst of the chosen, whatever the scores' signs and units.
        order = np.argsort(np.nan_to_num(scores, nan=-np.inf), kind="stable")
        ranks = np.empty(order.size)
        ranks[order] = np.arange(1, order.size + 1)
        return np.where(mask, ranks, 0.0)
    if np.count_nonzero(mask) > q:
        raise ValueError(
            f"{type(selector).__name__} selects {np.count_nonzero(mask)} features and "
            f"does not say which of them come first; let it select {q} at most, the "
            "n_selected in use."
        )
    return mask.astype(np.float64)


def _spread(X):
    """Standard deviations of the features."""
    if sp.issparse(X):
        return np.sqrt(mean_variance_axis(X, axis=0)[1])
    return np.std(X, axis=0, dtype=np.float64)


def split_halves(strata, rng):
    """Two disjoint halves of the rows, of each stratum half; of all but an odd row."""
    order = rng.permutation(len(strata))
    if strata.ndim == 1:
        # Neighbours in the order go to different halves, those of a stratum adjacent.
        order = order[np.argsort(strata[order], kind="stable")]
    size = len(order) // 2
    pairs = order[: 2 * size].reshape(size, 2)
    swapped = rng.random(size) < 0.5
    pairs[swapped] = pairs[swapped, ::-1]
    return np.sort(pairs[:, 0]), np.sort(pairs[:, 1])


def selection_shares(halves, n_features):
    """In which share of the halves each feature is selected, step after step.

    Returns
    -------
    steps : ndarray of int (n_steps,)
    shares : csc_array (n_features, n_steps)
    """
    taken = [half for half in halves if half.steps]
    first = min((half.first for half in taken), default=0)
    stop = max((half.first + len(half.steps) for half in taken), default=1)
    rows, columns = [], []
    for half in taken:
        last = [half.steps[-1]] * (stop - half.first - len(half.steps))
        for k, features in enumerate([*half.steps, *last], half.first - first):
            rows.append(features)
            columns.append(np.full(features.size, k))
    entries = (np.concatenate(part) for part in (rows, columns)) if rows else ([], [])
    rows, columns = entries
    counts = sp.coo_array(
        (np.ones(len(rows)), (rows, columns)), shape=(n_features, stop - first)
    )
    shares = sp.csc_array(counts)  # sums what occurs twice
    shares.sum_duplicates()
    shares.data /= len(halves)
    return np.arange(first, stop), shares
