"""scikit-learn's private names and version differences; nothing else imports them."""

from contextlib import contextmanager
from copy import copy
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
    _check_feature_names_in,
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
    "BaseSearchCV",
    "CallbackSupportMixin",
    "Interval",
    "InvalidParameterError",
    "StrOptions",
    "branches_of",
    "check_sample_weight",
    "checked_names_in",
    "cut_encoder",
    "cut_indicator",
    "cut_terms",
    "encoder_of_bins",
    "fit_context",
    "forget_training",
    "index_of_best",
    "keep_support",
    "keep_units",
    "kernel_parameters",
    "n_codes_of",
    "n_rows_of",
    "output_container",
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
    "with_branches",
    "with_callbacks",
    "with_encoder_of_bins",
    "with_output",
]

fit_context = _fit_context
check_sample_weight = _check_sample_weight
checked_names_in = _check_feature_names_in
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


def output_container(transformer):
    """What `set_output` asked for: "default", "pandas" or "polars"."""
    return getattr(transformer, "_sklearn_output_config", {}).get(
        "transform", "default"
    )


def with_output(transformer, like):
    """`transformer`, told to give the containers that `like` was told to give."""
    container = output_container(like)
    if container != "default":
        transformer.set_output(transform=container)
    return transformer


def n_codes_of(encoder):
    """How many columns a OneHotEncoder gives for each of its inputs."""
    return list(encoder._n_features_outs)


def cut_encoder(encoder, used, known):
    """A copy of an encoder of categories for the inputs `used`.

    Parameters
    ----------
    encoder : OneHotEncoder or OrdinalEncoder
    used : ndarray of bool
    known : dict
        By the old number of an input, which of its categories are still known, the
        dropped one not. Such an input must have no infrequent ones.
    """
    smaller, inputs = copy(encoder), np.flatnonzero(used)
    smaller.categories_ = [
        encoder.categories_[j][known.get(j, slice(None))] for j in inputs
    ]
    if not isinstance(encoder.categories, str):
        smaller.categories = smaller.categories_
    for name in ("_infrequent_indices", "_default_to_infrequent_mappings"):
        if hasattr(encoder, name):
            values = getattr(encoder, name)
            setattr(smaller, name, [values[j] for j in inputs] if values else values)
    if hasattr(encoder, "_missing_indices"):  # of an OrdinalEncoder
        number = {old: new for new, old in enumerate(inputs)}
        smaller._missing_indices = {
            number[j]: index
            for j, index in encoder._missing_indices.items()
            if j in number
        }
        return smaller
    for name in ("drop_idx_", "_drop_idx_after_grouping"):
        dropped = getattr(encoder, name)
        if dropped is not None:
            dropped = np.array(dropped, dtype=object)
            dropped[list(known)] = None
            dropped = dropped[inputs]
            if all(index is None for index in dropped):
                dropped = None
        setattr(smaller, name, dropped)
    if known:  # else it would warn of the categories that it does not know any more
        smaller.drop = None
    smaller._n_features_outs = smaller._compute_n_features_outs()
    return smaller


def encoder_of_bins(binner):
    """The encoder inside a KBinsDiscretizer."""
    return binner._encoder


def with_encoder_of_bins(binner, encoder):
    """`binner` with another encoder inside."""
    binner._encoder = encoder
    return binner


def cut_indicator(indicator, used, marked):
    """A copy of an imputer's MissingIndicator for the columns `used`.

    It marks where those are missing whose old numbers are `marked`.
    """
    smaller = copy(indicator)
    number = np.cumsum(used) - 1
    smaller.features_ = number[marked]
    smaller._n_features = smaller.n_features_in_ = int(np.count_nonzero(used))
    return smaller


def cut_terms(vectorizer, kept):
    """A copy of a CountVectorizer or TfidfVectorizer with the terms `kept` only."""
    smaller = copy(vectorizer)
    terms = sorted(vectorizer.vocabulary_.items(), key=lambda item: item[1])
    terms = [term for term, number in terms if kept[number]]
    smaller.vocabulary_ = {term: number for number, term in enumerate(terms)}
    if vectorizer.vocabulary is not None:
        smaller.vocabulary = smaller.vocabulary_
    _drop(smaller, "stop_words_")
    if hasattr(vectorizer, "_tfidf"):
        smaller._tfidf = copy(vectorizer._tfidf)
        smaller._tfidf.n_features_in_ = len(terms)
        if hasattr(vectorizer._tfidf, "idf_"):
            smaller._tfidf.idf_ = vectorizer._tfidf.idf_[kept]
    return smaller


def branches_of(columns):
    """The fitted branches of a ColumnTransformer: name, transformer, numbers, columns.

    The columns are as they are to be given: one, a list of numbers or a list of names.
    Branches without a column, and those that drop theirs, are left out.
    """
    found = []
    for name, transformer, spec in columns.transformers_:
        numbers = np.asarray(columns._transformer_to_input_indices[name], dtype=int)
        is_dropped = isinstance(transformer, str) and transformer == "drop"
        if not numbers.size or is_dropped:
            continue
        if not np.isscalar(spec):
            is_named = not isinstance(spec, slice) and isinstance(spec[0], str)
            spec = list(spec) if is_named else numbers.tolist()
        found.append((name, transformer, numbers, spec))
    return found


def with_branches(columns, branches, sizes, used=None):
    """A copy of a ColumnTransformer with these branches only.

    Parameters
    ----------
    columns : ColumnTransformer
    branches : list
        As of `branches_of`, by the old numbers of the columns.
    sizes : list of int
        How many columns each gives.
    used : ndarray of bool, default=None
        Which columns of the old input it gets; None: all of them.
    """
    smaller = copy(columns)
    number = np.arange(columns.n_features_in_)
    if used is not None:
        number = np.cumsum(used) - 1
        smaller.n_features_in_ = int(np.count_nonzero(used))
        if hasattr(columns, "feature_names_in_"):
            smaller.feature_names_in_ = columns.feature_names_in_[used]
    _drop(smaller, "_transformers_feature_names_out")
    smaller.remainder, smaller._remainder = "drop", ("remainder", "drop", [])
    smaller.transformers_, smaller.transformers, smaller._columns = [], [], []
    smaller._transformer_to_input_indices, smaller.output_indices_ = {}, {}
    start = 0
    for (name, transformer, numbers, spec), size in zip(branches, sizes):
        numbers = number[numbers].tolist()
        if isinstance(spec, list) and not isinstance(spec[0], str):
            spec = numbers
        elif not isinstance(spec, (list, str)):
            spec = numbers[0]
        branch = (name, transformer, spec)
        smaller._transformer_to_input_indices[name] = numbers
        smaller.output_indices_[name] = slice(start, start + size)
        start += size
        smaller.transformers_.append(branch)
        if name == "remainder":
            smaller.remainder, smaller._remainder = transformer, branch
        else:
            smaller.transformers.append(branch)
            smaller._columns.append(spec)
    return smaller
