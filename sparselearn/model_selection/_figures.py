"""How sparse the fits of a search are, and whether folds agree on what they use."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

__all__ = ["Figures", "figures_of", "jaccard", "tabulate"]


class Figures(NamedTuple):
    """How sparse a fitted estimator is.

    Parameters
    ----------
    n_nonzero : float
    sparsity : float
    support : frozenset or None
        The features in use, by name if there are names; None if unknown.
    n_features : int or None
        Of how many.
    """

    n_nonzero: float = np.nan
    sparsity: float = np.nan
    support: frozenset | None = None
    n_features: int | None = None


def figures_of(estimator, name):
    """`Figures` of the step whose parameter `name` is, or else of the last one."""
    if estimator is None:
        return Figures()
    steps = [estimator]
    while isinstance(steps[0], Pipeline):
        step, _, name = name.partition("__")
        own = dict(steps[0].steps).get(step)
        steps = [own, *(s for _, s in steps[0].steps[-1:] if s is not own), *steps[1:]]
    found = (_figures(step) for step in steps)
    return next((figures for figures in found if figures is not None), Figures())


def _figures(model):
    """`Figures` of a fitted model; None if it has neither coefficients nor a count."""
    coef = _coefficients(model)
    if hasattr(model, "n_nonzero_coefs_") and hasattr(model, "sparsity_"):
        count, sparsity = float(model.n_nonzero_coefs_), float(model.sparsity_)
    elif coef is not None:
        used = coef != 0
        count = float(used.sum())
        sparsity = 1.0 - count / max(np.prod(used.shape), 1)
    else:
        return None
    support = getattr(model, "support_", None)
    n_features = getattr(model, "n_features_in_", None)
    if coef is not None and coef.shape[1] == n_features:
        support = np.flatnonzero(np.asarray((coef != 0).sum(axis=0)).ravel())
    if n_features is None or not _are_places(support, n_features):
        return Figures(count, sparsity)
    names = getattr(model, "feature_names_in_", None)
    support = np.asarray(support) if names is None else names[support]
    return Figures(count, sparsity, frozenset(support.tolist()), n_features)


def _coefficients(model):
    """`coef_` in two dimensions; None if there are none of numbers."""
    coef = getattr(model, "coef_", None)
    if sp.issparse(coef):
        return sp.csr_array(coef)
    if not isinstance(coef, np.ndarray) or coef.ndim > 2:
        return None
    return np.atleast_2d(coef)


def _are_places(support, n_features):
    if not isinstance(support, np.ndarray) or support.ndim != 1:
        return False
    if support.dtype.kind not in "iu":
        return False
    return not support.size or 0 <= support.min() <= support.max() < n_features


def jaccard(supports):
    """Mean over pairs of sets of what both share, in units of what either has.

    Of two empty sets it is 1; of fewer than two sets NaN.
    """
    shares = [
        len(a & b) / len(a | b) if a | b else 1.0 for a, b in combinations(supports, 2)
    ]
    return float(np.mean(shares)) if shares else np.nan


def tabulate(figures, n_candidates):
    """Columns of `cv_results_`, of a list of candidates times folds of `Figures`.

    Those that are unknown for all are left out.
    """
    n_folds = len(figures) // n_candidates
    rows = [figures[k * n_folds : (k + 1) * n_folds] for k in range(n_candidates)]
    columns = {}
    for name in ("n_nonzero", "sparsity"):
        table = np.array([[getattr(f, name) for f in row] for row in rows], np.float64)
        if not np.isnan(table).all():
            columns[f"mean_test_{name}"] = table.mean(axis=1)
            columns[f"std_test_{name}"] = table.std(axis=1)
    agreement = np.array([_agreement(row) for row in rows])
    if not np.isnan(agreement).all():
        columns["support_agreement"] = agreement
    return columns


def _agreement(row):
    supports = [f.support for f in row]
    if None in supports:
        return np.nan
    by_name = all(isinstance(name, str) for support in supports for name in support)
    if not by_name and len({f.n_features for f in row}) > 1:
        return np.nan  # the same places are other features
    return jaccard(supports)
