"""scikit-learn's private names and version differences; nothing else imports them."""

from inspect import signature

import numpy as np
import scipy.sparse as sp
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import (
    _check_method_params,
    _check_sample_weight,
    _num_samples,
)

try:  # scikit-learn >= 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:
    CallbackSupportMixin = None
    with_callbacks = None

__all__ = [
    "BaseSearchCV",
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "check_sample_weight",
    "fit_context",
    "forget_training",
    "index_of_best",
    "keep_support",
    "keep_units",
    "kernel_parameters",
    "n_rows_of",
    "parts_of_search",
    "rebuilt_tree",
    "rows_of",
    "rows_of_params",
    "scored",
    "split_rows",
    "tabulated",
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
scored = _score
split_rows = _safe_split


def parts_of_search(search, params):
    """What scikit-learn's search scores by, and who gets which `params` of its `fit`.

    Parameters
    ----------
    search : BaseSearchCV
    params : dict

    Returns
    -------
    scorer : callable
        Of one metric, or of several.
    metric : str or object
        "score", or with several metrics ``search.refit``.
    routed : Bunch
        With ``estimator.fit``, ``splitter.split`` and ``scorer.score``.
    """
    scorer, metric = search._get_scorers()
    return scorer, metric, search._get_routed_params_for_fit(params)


def tabulated(search, candidates, n_splits, out):
    """`cv_results_` of what `search` found: a list of candidates times folds of dicts.

    Each has "fit_error", None or its traceback, "test_scores", "fit_time" and
    "score_time", and, if the search returns them, "train_scores". Warns of fits that
    failed; ValueError if all did.
    """
    _warn_or_raise_about_fit_failures(out, search.error_score)
    _insert_error_scores(out, search.error_score)
    if isinstance(out[0]["test_scores"], dict):
        search._check_refit_for_multimetric(out[0]["test_scores"])
    return search._format_results(candidates, n_splits, out)


def index_of_best(refit, metric, results):
    """`best_index_`, by rank or by a callable `refit`, whose answer is checked."""
    return BaseSearchCV._select_best_index(refit, metric, results)


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
