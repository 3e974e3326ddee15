"""Pruning of a fitted estimator: importances, masks, refit, one after the other."""

import warnings
from copy import deepcopy
from numbers import Integral, Real
from typing import NamedTuple

from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions, validate_params
from sparselearn.pruning._adapters import (
    adapter_of,
    as_seen_by_last_step,
    last_step,
    thawed,
)
from sparselearn.pruning._calibration import Calibration
from sparselearn.pruning._criteria import CRITERIA
from sparselearn.pruning._masks import SCOPES, make_masks
from sparselearn.pruning._refits import REFITS

__all__ = ["CONSTRAINTS", "amount_of", "importance", "prune", "prune_in_place"]

# Estimators are checked by `adapter_of`, whose error says what can be pruned.
CONSTRAINTS = {
    "estimator": "no_validation",
    "criterion": [StrOptions(set(CRITERIA))],
    "sparsity": [Interval(Real, 0, 1, closed="left"), None],
    "n_nonzero_coefs": [Interval(Integral, 0, None, closed="left"), None],
    "threshold": [Interval(Real, None, None, closed="neither"), None],
    "scope": [StrOptions(set(SCOPES))],
    "refit": [StrOptions(set(REFITS))],
}
DATA_CONSTRAINTS = {
    "X": ["array-like", "sparse matrix", None],
    "sample_weight": ["array-like", None],
}


class Pruned(NamedTuple):
    """What pruning did to an estimator."""

    blocks: list
    importances: list
    masks: list
    threshold: float


def amount_of(sparsity, n_nonzero_coefs, threshold):
    """How much to prune, as the one keyword argument that was given."""
    amounts = {
        "sparsity": sparsity,
        "n_nonzero_coefs": n_nonzero_coefs,
        "threshold": threshold,
    }
    given = {name: value for name, value in amounts.items() if value is not None}
    if len(given) > 1:
        got = ", ".join(f"{name}={value!r}" for name, value in given.items())
        raise ValueError(
            "Give one of sparsity, n_nonzero_coefs and threshold, and leave the "
            f"others None; got {got}."
        )
    return given or {"sparsity": 0.5}


def _observe(estimator, X, sample_weight):
    """Blocks of a fitted estimator, and the calibration data as it sees them."""
    final = last_step(estimator)
    adapter = adapter_of(final)
    if X is not None:
        X = as_seen_by_last_step(estimator, X)
    data = Calibration(adapter, final, X, sample_weight)
    return adapter.read(final), data


def prune_in_place(estimator, X, sample_weight, *, amount, criterion, scope, refit):
    """Prune a fitted estimator in place."""
    dense, data = _observe(estimator, X, sample_weight)
    importances = CRITERIA[criterion](dense, data)
    masks, threshold = make_masks(importances, scope=scope, **amount)
    pruned = []
    for block, mask in zip(dense, masks):
        weights = block.weights.copy(order="K")
        weights[~mask] = 0.0
        pruned.append(block._replace(weights=weights))
    if not all(mask.all() for mask in masks):
        REFITS[refit](dense, pruned, data)
    data.adapter.write(data.estimator, pruned)
    cut = [block.name for block, mask in zip(pruned, masks) if not mask.any()]
    if cut and len(pruned) > 1:
        warnings.warn(
            f"Pruning removed every weight of {', '.join(cut)}: the predictions no "
            "longer depend on X. Keep more weights, or rank them by scope='layer'.",
            stacklevel=4,  # whoever called `fit` or `prune`, which are decorated
        )
    return Pruned(pruned, importances, masks, threshold)


@validate_params(
    {"criterion": CONSTRAINTS["criterion"], **DATA_CONSTRAINTS},
    prefer_skip_nested_validation=True,
)
def importance(estimator, X=None, *, criterion="magnitude", sample_weight=None):
    """Importances of the weights of a fitted estimator; the larger, the longer kept.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes.
    X : array-like or sparse array of shape (n_samples, n_features), default=None
        Calibration data; a linear model needs them, for the spread of its features.
    criterion : {"magnitude"}, default="magnitude"
        As in :class:`Pruner`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows of X.

    Returns
    -------
    importances : list of ndarray of float64
        Shaped like ``coef_``, or like each of ``coefs_``.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sparselearn.pruning import importance
    >>> X = [[0.0, 0.0], [0.0, 10.0], [2.0, 0.0], [2.0, 10.0]]
    >>> model = LinearRegression().fit(X, [0.0, 5.0, 2.0, 7.0])
    >>> model.coef_.round(2), importance(model, X)[0].round(2)
    (array([1. , 0.5]), array([1. , 2.5]))
    """
    adapter_of(last_step(estimator))
    check_is_fitted(estimator)
    blocks, data = _observe(estimator, X, sample_weight)
    return CRITERIA[criterion](blocks, data)


@validate_params(
    {name: rule for name, rule in CONSTRAINTS.items() if name != "estimator"}
    | DATA_CONSTRAINTS,
    prefer_skip_nested_validation=True,
)
def prune(
    estimator,
    X=None,
    *,
    criterion="magnitude",
    sparsity=None,
    n_nonzero_coefs=None,
    threshold=None,
    scope="global",
    refit="fold",
    sample_weight=None,
):
    """A pruned copy of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes; it is not changed.
    X : array-like or sparse array of shape (n_samples, n_features), default=None
        Calibration data, for the spread of a linear model's features and for
        ``refit="fold"``; a perceptron with ``refit="none"`` does without.
    criterion, sparsity, n_nonzero_coefs, threshold, scope, refit
        As in :class:`Pruner`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows of X.

    Returns
    -------
    pruned : estimator
        Of the class of `estimator`, or of the estimator that is frozen in it.

    See Also
    --------
    Pruner : The same as a step of model selection, with masks and counts.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LassoCV
    >>> from sparselearn.pruning import prune
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCV().fit(X, y)
    >>> prune(model, X, n_nonzero_coefs=4).coef_.nonzero()[0]
    array([2, 3, 4, 8])
    """
    adapter_of(last_step(estimator))
    check_is_fitted(estimator)
    pruned = thawed(deepcopy(estimator))
    prune_in_place(
        pruned,
        X,
        sample_weight,
        amount=amount_of(sparsity, n_nonzero_coefs, threshold),
        criterion=criterion,
        scope=scope,
        refit=refit,
    )
    return pruned
