"""Private attributes of fitted predictors of scikit-learn, which are made smaller."""

from contextlib import contextmanager
from copy import copy

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

__all__ = [
    "forget_training",
    "held_at_zero",
    "keep_support",
    "keep_units",
    "kernel_parameters",
    "rebuilt_tree",
    "tree_state",
    "with_forward_pass",
]


def kernel_parameters(machine):
    """What `pairwise_kernels` takes of a fitted kernel SVM; it resolves "scale"."""
    return {
        "metric": machine.kernel,
        "filter_params": True,
        "gamma": machine._gamma,
        "degree": machine.degree,
        "coef0": machine.coef0,
    }


def keep_support(machine, kept, dual_coef, intercept):
    """Give a fitted kernel SVM other support vectors, in all that it predicts by.

    Parameters
    ----------
    machine : SVC, NuSVC, SVR, NuSVR or OneClassSVM
        Written to.
    kept : ndarray of bool, of shape (n_support,)
        Which support vectors stay.
    dual_coef : ndarray of shape (n_rows, n_kept)
        As ``dual_coef_``, of those.
    intercept : ndarray
        As ``intercept_``.
    """
    per_class = machine._n_support
    if hasattr(machine, "classes_"):
        of_class = np.repeat(np.arange(per_class.size), per_class)
        per_class = np.bincount(of_class[kept], minlength=per_class.size)
    else:  # twice the same number
        per_class = np.full_like(per_class, kept.sum())
    machine._n_support = per_class.astype(machine._n_support.dtype)
    machine.support_ = machine.support_[kept]
    machine.support_vectors_ = machine.support_vectors_[kept]
    # libsvm has the other sign for two classes.
    is_binary = hasattr(machine, "classes_") and machine.classes_.size == 2
    sign = -1.0 if is_binary else 1.0
    like = machine.dual_coef_
    machine.dual_coef_ = _full_like(like, dual_coef)
    machine._dual_coef_ = _full_like(like, sign * dual_coef)
    machine.intercept_ = intercept
    machine._intercept_ = sign * intercept
    if hasattr(machine, "offset_"):
        machine.offset_ = -intercept


def _full_like(like, array):
    """`array` in the storage of `like`, zeros stored too: libsvm reads all of them."""
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not sp.issparse(like):
        return array
    n_rows, n_columns = array.shape
    indices = np.tile(np.arange(n_columns), n_rows)
    indptr = np.arange(n_rows + 1) * n_columns
    return type(like)((array.ravel(), indices, indptr), shape=array.shape)


def keep_units(network, coefs, intercepts, kept):
    """Give scikit-learn's perceptron smaller layers, so that training can go on.

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
        Written to.
    coefs, intercepts : list of ndarray
        The new ones.
    kept : list of ndarray of bool
        One a hidden layer: which of the old units they are of.
    """
    n_inputs, n_outputs = coefs[0].shape[0], network.n_outputs_
    units = [np.ones(n_inputs, dtype=bool), *kept, np.ones(n_outputs, dtype=bool)]

    def of_weights(arrays):
        pairs = zip(arrays, units, units[1:])
        return [array[np.ix_(before, after)] for array, before, after in pairs]

    def of_constants(arrays):
        return [array[after] for array, after in zip(arrays, units[1:])]

    network.coefs_, network.intercepts_ = coefs, intercepts
    network.hidden_layer_sizes = tuple(int(stays.sum()) for stays in kept)
    if hasattr(network, "_best_coefs"):
        network._best_coefs = of_weights(network._best_coefs)
        network._best_intercepts = of_constants(network._best_intercepts)
    optimizer = getattr(network, "_optimizer", None)
    for name in ("ms", "vs", "velocities"):  # Adam's memory, or that of momentum
        if hasattr(optimizer, name):
            memory = getattr(optimizer, name)
            n = len(coefs)
            after = of_weights(memory[:n]) + of_constants(memory[n:])
            setattr(optimizer, name, after)
    _drop(network, "_coef_indptr", "_intercept_indptr")


class _Holding:
    """An optimiser of scikit-learn's that leaves zeros where masks are False."""

    def __init__(self, optimizer, masks):
        self.optimizer, self.masks = optimizer, masks

    def __getattr__(self, name):
        return getattr(self.optimizer, name)

    def update_params(self, params, grads):
        self.optimizer.update_params(params, grads)
        for weights, mask in zip(params, self.masks):  # which come before constants
            weights *= mask


@contextmanager
def held_at_zero(network, masks):
    """Hold weights of scikit-learn's perceptron at zero after each step of training.

    Where it has no optimiser yet, as `partial_fit` makes one, they are not held.
    """
    optimizer = getattr(network, "_optimizer", None)
    if optimizer is None:
        yield
        return
    network._optimizer = _Holding(optimizer, masks)
    try:
        yield
    finally:
        network._optimizer = optimizer


def with_forward_pass(network, predicted, least):
    """A twin of scikit-learn's fitted perceptron that has another forward pass.

    ``predicted(X)`` gives its last layer, (n_rows, n_outputs), of an ndarray of `least`
    rows or more, which may have NaN or infinity.
    """
    twin, own = copy(network), network._forward_pass_fast

    def forward_pass(X, check_input=True):
        rows = X
        if check_input:
            options = {"accept_sparse": ["csr", "csc"], "ensure_all_finite": False}
            rows = validate_data(network, X, reset=False, **options)
        if sp.issparse(rows) or len(rows) < least:
            return own(X, check_input)
        return predicted(rows)

    twin._forward_pass_fast = forward_pass
    return twin


def forget_training(network):
    """Drop what scikit-learn's perceptron needs to train, and to predict does not."""
    _drop(
        network,
        "_optimizer",
        "_best_coefs",
        "_best_intercepts",
        "_coef_indptr",
        "_intercept_indptr",
        "_random_state",
    )


def _drop(estimator, *names):
    for name in names:
        vars(estimator).pop(name, None)


def tree_state(tree):
    """What the compiled tree of a decision tree holds; copies.

    A dict with "nodes", a structured array, and "values" of shape
    (n_nodes, n_outputs, n_classes), by the number of a node.
    """
    return tree.__getstate__()


def rebuilt_tree(tree, nodes, values, max_depth, n_features=None):
    """A compiled tree of the class of `tree` that holds other nodes."""
    kind, arguments, state = tree.__reduce__()
    if n_features is not None:
        arguments = (n_features, *arguments[1:])
    rebuilt = kind(*arguments)
    new = {"nodes": nodes, "values": values}
    rebuilt.__setstate__(
        state | new | {"node_count": nodes.size, "max_depth": max_depth}
    )
    return rebuilt
