"""Pruners fitted at several amounts: their estimator is fitted once."""

from sklearn.base import clone

from sparselearn.pruning._procedure import check_parts
from sparselearn.pruning._pruner import Pruner
from sparselearn.pruning._wrappers import fitted_clone

__all__ = ["fit_path", "has_path"]


def has_path(pruner, parameter):
    """Whether `fit_path` fits such a pruner at several values of `parameter`."""
    amounts = {"sparsity", "n_nonzero_coefs", "threshold"}
    return type(pruner) is Pruner and parameter in amounts


def fit_path(
    pruner,
    parameter,
    values,
    X,
    y=None,
    sample_weight=None,
    groups=None,
    **fit_params,
):
    """Copies of a `Pruner` fitted with each of the values of an amount.

    They are what ``clone(pruner).set_params(parameter=value).fit(X, y)`` is.

    Parameters
    ----------
    pruner : Pruner
        For which `has_path` says yes; it is not changed.
    parameter : {"sparsity", "n_nonzero_coefs", "threshold"}
    values : sequence
        In any order. None, which is no amount, is an error.
    X, y, sample_weight, groups, **fit_params
        As for ``pruner.fit``.

    Returns
    -------
    pruners : list of Pruner
    """
    pruners = [clone(pruner).set_params(**{parameter: value}) for value in values]
    plans = [_plan(twin) for twin in pruners]
    first = pruners[0]
    check_parts(first.estimator, first.granularity, first.criterion)
    params, sample_weight, of_cv = first._routed(X, sample_weight, groups, fit_params)
    seed, split = first._split(X, y, None, **of_cv)
    estimator = fitted_clone(first.estimator, X, y, params)
    rows = X, y, sample_weight
    for twin, plan in zip(pruners, plans):
        twin._prune_fitted(estimator, rows, split, seed, plan, None)
    return pruners


def _plan(pruner):
    pruner._validate_params()
    plan, tolerance = pruner._plan()
    if tolerance is not None:
        raise ValueError("Without an amount a pruner fits its estimator to fewer rows.")
    return plan
