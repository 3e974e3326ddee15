"""scikit-learn's private names and version differences; nothing else imports them."""

from contextlib import contextmanager
from copy import copy
from inspect import signature

import numpy as np
import scipy.sparse as sp
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
    validate_data,
)

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    CallbackSupportMixin = None
    with_callbacks = None

__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "check_sample_weight",
    "fit_context",
    "forget_training",
    "keep_support",
    "keep_units",
    "kernel_parameters",
    "n_rows_of",
    "rebuilt_tree",
    "rows_of",
    "rows_of_params",
    "takes_weights",
    "tree_state",
    "validate_parameter_constraints",
    "validate_params",
    "with_callbacks",
]

fit_context = _fit_context
check_sample_weight = _check_sample_weight
n_rows_of = _num_samples
rows_of_params = _check_method_params


def rows_of(array, rows, axis=0):
    """Rows, or columns, of a list, or of anything that is or becomes an array."""
    if not hasattr(array, "shape") and not isinstance(array, (list, tuple)):
        array = np.asarray(array)
    if issparse(array) and array.format not in ("csr", "csc"):
        array = array.tocsr()
    return _safe_indexing(array, rows, axis=axis)


def takes_weights(scorer, estimator):
    """Whether `scorer` of `estimator` takes a sample_weight."""
    # A scorer of scikit-learn takes any keyword, and hands it to its metric; that of
    # scoring=None, to the estimator's `score`.
    function = getattr(scorer, "_score_func", None)
    if function is None:
        own = hasattr(scorer, "_estimator")
        function = estimator.score if own else scorer
    return "sample_weight" in signature(function).parameters


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

    Where it has no optimiser yet, as `partial_fit` makes one: then it is not held.

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
    masks : list of ndarray of bool
        Shaped like `coefs_`.
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

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
        It shares all that it has with the twin.
    predicted : callable
        X, an ndarray that may have NaN or infinity, -> what the last layer gives,
        (n_rows, n_outputs). Not asked for sparse X.
    least : int
        Of so many rows and more.
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


def rebuilt_tree(tree, nodes, values, max_depth):
    """A compiled tree of the class of `tree` that holds other nodes."""
    kind, arguments, state = tree.__reduce__()
    rebuilt = kind(*arguments)
    new = {"nodes": nodes, "values": values}
    rebuilt.__setstate__(
        state | new | {"node_count": nodes.size, "max_depth": max_depth}
    )
    return rebuilt
