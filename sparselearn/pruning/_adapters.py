"""How pruning reads and writes an estimator: one adapter for each kind.

To the rest of the subpackage a fitted estimator is a list of blocks, the affine
maps ``z = a W + b`` inside it. A linear model is one block on the features, a
multilayer perceptron one block a layer.
"""

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC, LinearSVR

from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor

__all__ = [
    "Adapter",
    "Block",
    "adapter_of",
    "as_seen_by_last_step",
    "counts",
    "last_step",
    "register_adapter",
    "thawed",
]


class Block(NamedTuple):
    """One affine map ``z = a W + b`` of an estimator.

    Parameters
    ----------
    name : str
        What the estimator calls the weights, such as ``"coefs_[0]"``.
    weights : ndarray
        W, in the shape and order in which the estimator holds it.
    intercept : ndarray, scalar or None
        b; None where the estimator must not have one.
    inputs_last : bool
        Whether the inputs are the last axis of `weights`, as in ``coef_``, or the
        first, as in ``coefs_``.
    scale_aware : bool
        Whether the inputs have units of their own, so that a weight counts only
        together with the spread of its input.
    """

    name: str
    weights: np.ndarray
    intercept: np.ndarray | float | None
    inputs_last: bool
    scale_aware: bool

    def by_input(self, array):
        """A view of `array`, shaped like `weights`, with the inputs first."""
        return array.T if self.inputs_last else array


class Adapter(ABC):
    """Reads and writes the blocks of one kind of fitted estimator."""

    @abstractmethod
    def read(self, estimator):
        """List of the `Block` of `estimator`, from its inputs to its outputs."""

    @abstractmethod
    def write(self, estimator, blocks):
        """Put the weights and intercepts of `blocks` in the place of the old ones."""

    @abstractmethod
    def inputs(self, estimator, blocks, X):
        """Yield what each block reads when `estimator` works on `X` with `blocks`.

        Lazily: what block l reads is computed only when asked for, from the list
        `blocks` as it then is, so that a caller may correct the blocks in passing.

        Yields
        ------
        inputs : ndarray or sparse array of shape (n_samples, n_inputs)
        """


def counts(blocks):
    """The attributes that count the non-zero weights of an estimator's blocks."""
    n_total = sum(block.weights.size for block in blocks)
    n_nonzero = int(sum(np.count_nonzero(block.weights) for block in blocks))
    by_feature = blocks[0].by_input(blocks[0].weights) != 0.0
    used = by_feature.reshape(len(by_feature), -1).any(axis=1)
    return {
        "sparsity_": (n_total - n_nonzero) / n_total,
        "n_nonzero_coefs_": n_nonzero,
        "support_": np.flatnonzero(used),
    }


class LinearAdapter(Adapter):
    """Linear models: ``coef_`` of shape (n_features,) or (n_outputs, n_features)."""

    def read(self, estimator):
        missing = [a for a in ("coef_", "intercept_") if not hasattr(estimator, a)]
        if missing:
            raise TypeError(_refusal(estimator, f" (it has no {missing[0]})"))
        # A constant that the user ruled out must not come in by the back door.
        constant = getattr(estimator, "fit_intercept", True)
        return [
            Block(
                name="coef_",
                weights=_dense(estimator.coef_),
                intercept=estimator.intercept_ if constant else None,
                inputs_last=True,
                scale_aware=True,
            )
        ]

    def write(self, estimator, blocks):
        (block,) = blocks
        estimator.coef_ = _stored_like(estimator.coef_, block.weights)
        if block.intercept is not None:
            estimator.intercept_ = block.intercept
        if hasattr(estimator, "sparsity_"):  # it counts its own, as this package's do
            vars(estimator).update(counts(blocks))

    def inputs(self, estimator, blocks, X):
        yield X


# As functions of the pre-activations; the names are scikit-learn's.
ACTIVATIONS = {
    "identity": lambda z: z,
    "logistic": expit,
    "relu": lambda z: np.maximum(z, 0.0),
    "sigmoid": expit,
    "tanh": np.tanh,
}


class MLPAdapter(Adapter):
    """Multilayer perceptrons: ``coefs_[l]`` of shape (n_inputs, n_outputs)."""

    def read(self, estimator):
        return [
            Block(
                name=f"coefs_[{layer}]",
                weights=_dense(weights),
                intercept=intercept,
                inputs_last=False,
                scale_aware=False,
            )
            for layer, (weights, intercept) in enumerate(
                zip(estimator.coefs_, estimator.intercepts_)
            )
        ]

    def write(self, estimator, blocks):
        estimator.coefs_ = [
            _stored_like(old, block.weights)
            for old, block in zip(estimator.coefs_, blocks)
        ]
        estimator.intercepts_ = [block.intercept for block in blocks]

    def inputs(self, estimator, blocks, X):
        activation = ACTIVATIONS[estimator.activation]
        for layer in range(len(blocks)):
            if layer:
                below = blocks[layer - 1]
                X = activation(X @ below.weights + below.intercept)
            yield X


def _dense(weights):
    # After `sparsify` the weights are a CSR matrix.
    return weights.toarray() if sp.issparse(weights) else np.asarray(weights)


def _stored_like(old, weights):
    return type(old)(weights) if sp.issparse(old) else weights


_LINEAR = LinearAdapter()
_MLP = MLPAdapter()
# Their estimators are linear models, as are those that descend from them elsewhere.
_LINEAR_HOMES = ("sklearn.linear_model.", "sparselearn.linear_model.")
_ADAPTERS = {
    LinearSVC: _LINEAR,
    LinearSVR: _LINEAR,
    MLPClassifier: _MLP,
    MLPRegressor: _MLP,
    SparseMLPClassifier: _MLP,
    SparseMLPRegressor: _MLP,
}


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
    ...
    ...     def inputs(self, estimator, blocks, X):
    ...         yield X
    >>> register_adapter(Scorecard, ScorecardAdapter())
    >>> card = Scorecard().fit([[3.0, 0.5, 1.0, 2.0]], [1.0])
    >>> prune(card, sparsity=0.5).points_
    array([3., 0., 0., 2.])
    """
    _ADAPTERS[kind] = adapter


def adapter_of(estimator):
    """The adapter that is registered for the class of `estimator`."""
    for kind in type(estimator).__mro__:
        if kind in _ADAPTERS:
            return _ADAPTERS[kind]
        if kind.__module__.startswith(_LINEAR_HOMES) and issubclass(
            kind, BaseEstimator
        ):
            return _LINEAR
    raise TypeError(_refusal(estimator))


def _refusal(estimator, reason=""):
    name = type(estimator).__name__
    known = ", ".join(sorted(kind.__name__ for kind in _ADAPTERS))
    return (
        f"{name} cannot be pruned{reason}. What can: the linear models of "
        f"sklearn.linear_model and sparselearn.linear_model that have coef_ and "
        f"intercept_, {known}, and a Pipeline or FrozenEstimator that ends in one of "
        "these. For another estimator, give an adapter by "
        f"sparselearn.pruning.register_adapter({name}, adapter)."
    )


def last_step(estimator):
    """The estimator at the end of pipelines and of frozen estimators."""
    while isinstance(estimator, (FrozenEstimator, Pipeline)):
        estimator = _inside(estimator)
    return estimator


def _inside(wrapper):
    if isinstance(wrapper, Pipeline):
        return wrapper.steps[-1][1]
    return wrapper.estimator


def as_seen_by_last_step(estimator, X):
    """`X` after the transformers of the fitted pipelines on the way to `last_step`."""
    while isinstance(estimator, (FrozenEstimator, Pipeline)):
        if isinstance(estimator, Pipeline):
            for _, transformer in estimator.steps[:-1]:
                if transformer not in (None, "passthrough"):
                    X = transformer.transform(X)
        estimator = _inside(estimator)
    return X


def thawed(estimator):
    """`estimator` with a deep copy in the place of what is frozen at its end.

    Cloning keeps a frozen estimator as it is, hence shares it with the user.
    """
    if isinstance(estimator, FrozenEstimator):
        return thawed(deepcopy(estimator.estimator))
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        estimator.steps[-1] = (name, thawed(last))
    return estimator
