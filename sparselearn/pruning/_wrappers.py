"""What is around the estimator that is pruned: pipelines, the frozen, other pruners."""

from copy import copy, deepcopy

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sparselearn._compat import rows_of, rows_of_params

__all__ = [
    "PrunesMixin",
    "as_seen_by_last_step",
    "fitted_clone",
    "last_step",
    "thawed",
    "with_last_step",
]


class PrunesMixin:
    """Marks what prunes the estimator in it, which is then its `estimator_`."""


WRAPPERS = (FrozenEstimator, Pipeline, PrunesMixin)


def last_step(estimator):
    """The estimator at the end of pipelines, and in frozen estimators and pruners."""
    while isinstance(estimator, WRAPPERS):
        estimator = _inside(estimator)
    return estimator


def _inside(wrapper):
    if isinstance(wrapper, Pipeline):
        return wrapper.steps[-1][1]
    return getattr(wrapper, "estimator_", wrapper.estimator)


def as_seen_by_last_step(estimator, X):
    """`X` after the transformers of the fitted pipelines on the way to `last_step`."""
    while isinstance(estimator, WRAPPERS):
        if isinstance(estimator, Pipeline):
            for _, transformer in estimator.steps[:-1]:
                if transformer not in (None, "passthrough"):
                    X = transformer.transform(X)
        estimator = _inside(estimator)
    return X


def with_last_step(estimator, make):
    """`estimator`, or a copy of its pipelines that ends in ``make(last step)``.

    The copy shares all other steps.
    """
    if not isinstance(estimator, Pipeline):
        return make(estimator)
    twin = copy(estimator)
    name, last = estimator.steps[-1]
    twin.steps = [*estimator.steps[:-1], (name, with_last_step(last, make))]
    return twin


def fitted_clone(estimator, X, y, params, rows=None):
    """A clone fitted to X and y, or to some rows of them, that shares nothing.

    Parameters
    ----------
    params : dict
        What else `fit` gets; arrays as long as X are divided as that is.
    rows : ndarray of int, default=None
    """
    fitted = clone(estimator)
    if rows is None:
        fitted.fit(X, y, **params)
    else:
        seen = [a if a is None else rows_of(a, rows) for a in (X, y)]
        fitted.fit(*seen, **rows_of_params(X, params, rows))
    return thawed(fitted)


def thawed(estimator):
    """`estimator` with a deep copy in the place of what is frozen at its end.

    Cloning keeps a frozen estimator as it is, hence shares it with the user. A fitted
    pruner there is replaced by what it has made.
    """
    if isinstance(estimator, (FrozenEstimator, PrunesMixin)):
        return thawed(deepcopy(_inside(estimator)))
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        estimator.steps[-1] = (name, thawed(last))
    return estimator
