"""Which adapter reads and writes an estimator: a table of classes."""

from sklearn.base import BaseEstimator

from sparselearn.pruning._adapters._base import Adapter

__all__ = ["adapter_of", "refusal", "refuse", "register_adapter", "register_home"]

_ADAPTERS = {}
_REFUSED = {}  # classes, and why
_HOMES = {}  # packages all of whose estimators that have weights are of one kind


def register_home(package, adapter):
    """Make the estimators that `package` defines prunable, and their subclasses."""
    _HOMES[f"{package}."] = adapter


def refuse(kind, reason):
    """Say `reason` when an estimator of class `kind`, or of a subclass, is given."""
    _REFUSED[kind] = reason


def register_adapter(kind, adapter):
    """Make estimators of class `kind`, and of its subclasses, prunable.

    Call it in the module that defines `kind`, so that worker processes know of it
    too.

    Parameters
    ----------
    kind : type
        Class of the estimator.
    adapter : Adapter
        How the weights of such an estimator are read and written.

    Raises
    ------
    TypeError
        If `kind` is no class, or `adapter` no instance of :class:`Adapter`.

    Examples
    --------
    An estimator that keeps one weight a feature under a name of its own:

    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> from sparselearn.pruning import Adapter, Block, prune, register_adapter
    >>> class Scorecard(BaseEstimator):
    ...     def fit(self, X, y):
    ...         self.points_ = np.array(y) @ np.array(X)
    ...         return self
    >>> class ScorecardAdapter(Adapter):
    ...     def read(self, estimator):
    ...         return [Block("points_", estimator.points_, None, True, False)]
    ...
    ...     def write(self, estimator, blocks):
    ...         estimator.points_ = blocks[0].weights
    >>> register_adapter(Scorecard, ScorecardAdapter())
    >>> card = Scorecard().fit([[3.0, 0.5, 1.0, 2.0]], [1.0])
    >>> prune(card, sparsity=0.5).points_
    array([3., 0., 0., 2.])
    """
    if not isinstance(kind, type) or not isinstance(adapter, Adapter):
        raise TypeError(
            "register_adapter(kind, adapter) takes a class and an instance of Adapter; "
            f"got {kind!r} and {adapter!r}."
        )
    _ADAPTERS[kind] = adapter


def adapter_of(estimator):
    """The adapter that is registered for the class of `estimator`."""
    for kind in type(estimator).__mro__:
        if kind in _ADAPTERS:
            return _ADAPTERS[kind]
        if kind in _REFUSED:
            raise TypeError(refusal(estimator, f": {_REFUSED[kind]}"))
        for home, adapter in _HOMES.items():
            if kind.__module__.startswith(home) and issubclass(kind, BaseEstimator):
                return adapter
    raise TypeError(refusal(estimator))


def refusal(estimator, reason=""):
    """The words with which `estimator` is refused, and what is not."""
    name = type(estimator).__name__
    known = ", ".join(sorted(kind.__name__ for kind in _ADAPTERS))
    return (
        f"{name} cannot be pruned{reason}. What can: the linear models of "
        f"sklearn.linear_model and sparselearn.linear_model that have coef_ and "
        f"intercept_, {known}, and a Pipeline, FrozenEstimator or Pruner that "
        "ends in one of these. For another estimator, give an adapter by "
        f"sparselearn.pruning.register_adapter({name}, adapter)."
    )
