"""A fitted estimator as pruning sees it: affine maps, one after the other."""

import math
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax

__all__ = [
    "ACTIVATIONS",
    "Block",
    "counts",
    "dense",
    "forward",
    "outputs",
    "stored_like",
]


class Block(NamedTuple):
    """One affine map ``z = a W + b`` of an estimator, and what becomes of z.

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
    activation : str, default="identity"
        Key of `ACTIVATIONS`: what is applied to z before the next block reads it, or
        before it is predicted.
    """

    name: str
    weights: np.ndarray
    intercept: np.ndarray | float | None
    inputs_last: bool
    scale_aware: bool
    activation: str = "identity"

    def by_input(self, array):
        """A view of `array`, shaped like `weights`, with the inputs first."""
        return array.T if self.inputs_last else array

    def matrix(self):
        """W as a view of shape (n_inputs, n_outputs)."""
        weights = self.by_input(self.weights)
        # Of a tree that is but a leaf there is none, and -1 would say nothing.
        n_outputs = math.prod(weights.shape[1:])
        return weights.reshape(len(weights), n_outputs)

    def constants(self):
        """B as an array of shape (n_outputs,); zeros where there must be none."""
        n_outputs = self.matrix().shape[1]
        intercept = 0.0 if self.intercept is None else self.intercept
        return np.broadcast_to(np.ravel(intercept), n_outputs)

    def shifted(self, shift):
        """The block with `shift` (n_outputs,) added to b, of its shape and dtype."""
        old = np.asarray(self.intercept)
        new = (old + np.reshape(shift, old.shape)).astype(old.dtype)
        return self._replace(intercept=new[()])

    def holding(self, matrix, constants):
        """The block with other numbers, in its own shapes, order and types."""
        weights = np.empty_like(self.weights)
        self.by_input(weights).reshape(matrix.shape)[...] = matrix
        intercept = self.intercept
        if intercept is not None:
            like = np.asarray(intercept)
            intercept = constants.reshape(like.shape).astype(like.dtype)[()]
        return self._replace(weights=weights, intercept=intercept)


# As functions of the pre-activations; the names are scikit-learn's.
ACTIVATIONS = {
    "exp": np.exp,
    "identity": lambda z: z,
    "logistic": expit,
    "relu": lambda z: np.maximum(z, 0.0),
    "sigmoid": expit,
    "softmax": lambda z: softmax(z, axis=1),
    "tanh": np.tanh,
}


def forward(blocks, X):
    """Yield what each block reads when the first one reads `X`.

    Lazily: the list is read only when its next input is asked for, so that blocks may
    be corrected in passing.
    """
    for layer in range(len(blocks)):
        if layer:
            X = outputs(blocks[layer - 1], X)
        yield X


def outputs(block, X):
    """What `block` makes of its inputs `X`."""
    return ACTIVATIONS[block.activation](X @ block.matrix() + block.constants())


def counts(blocks):
    """The attributes that count the non-zero weights of an estimator's blocks."""
    n_total = sum(block.weights.size for block in blocks)
    n_nonzero = int(sum(np.count_nonzero(block.weights) for block in blocks))
    return {
        "sparsity_": (n_total - n_nonzero) / max(n_total, 1),
        "n_nonzero_coefs_": n_nonzero,
        "support_": np.flatnonzero((blocks[0].matrix() != 0.0).any(axis=1)),
    }


def dense(weights):
    """`weights` as an array; after `sparsify` they are a CSR matrix."""
    return weights.toarray() if sp.issparse(weights) else np.asarray(weights)


def stored_like(old, weights):
    """`weights` in the storage of `old`, dense or sparse."""
    return type(old)(weights) if sp.issparse(old) else weights
