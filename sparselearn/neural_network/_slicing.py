"""A fitted perceptron with fewer units, or without what it needs to train on."""

from itertools import pairwise

import numpy as np

from sparselearn._solvers._network import Network

__all__ = ["forget_training", "keep_units"]


def keep_units(perceptron, coefs, intercepts, kept):
    """Give a perceptron smaller layers, so that its training goes on as it was.

    Parameters
    ----------
    perceptron : SparseMLPClassifier or SparseMLPRegressor
        Written to.
    coefs, intercepts : list of ndarray
        The new ones.
    kept : list of ndarray of bool
        One a hidden layer: which of the old units they are of.
    """
    old = perceptron._sizes
    perceptron.coefs_, perceptron.intercepts_ = coefs, intercepts
    perceptron.hidden_layer_sizes = perceptron._sizes[1:-1]
    units = [np.ones(old[0], dtype=bool), *kept, np.ones(old[-1], dtype=bool)]
    pairs = [np.ix_(*pair) for pair in pairwise(units)]
    if perceptron.masks_ is not None:
        perceptron.masks_ = [m[pair] for m, pair in zip(perceptron.masks_, pairs)]
    past = getattr(perceptron, "_past", None)
    if past is None:
        return
    learner = dict(past["learner"])
    for name in ("first", "second"):
        memory = learner.get(name)
        if memory is None or not memory.size:
            continue
        before = Network(old, memory.dtype)
        before.values[:] = memory
        after = Network(perceptron._sizes, memory.dtype)
        for layer, pair in enumerate(pairs):
            after.weights[layer][:] = before.weights[layer][pair]
            after.biases[layer][:] = before.biases[layer][units[layer + 1]]
        learner[name] = after.values
    perceptron._past = past | {"learner": learner}


def forget_training(perceptron):
    """Drop masks and what the optimiser remembers; training then starts anew."""
    perceptron.masks_ = perceptron._past = None
