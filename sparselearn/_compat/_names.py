"""Private names of scikit-learn, and what versions of it differ in."""

from inspect import signature

import numpy as np
from scipy.sparse import issparse
from sklearn import get_config
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
    "checked_names_in",
    "container_of",
    "fit_context",
    "index_of_best",
    "n_rows_of",
    "output_container",
    "parts_of_search",
    "rows_of",
    "rows_of_params",
    "scored",
    "split_rows",
    "tabulated",
    "takes_weights",
    "validate_parameter_constraints",
    "validate_params",
    "with_callbacks",
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


def container_of(transformer):
    """What its results come in: as `set_output` asked for, or the configuration."""
    config = getattr(transformer, "_sklearn_output_config", {})
    return config.get("transform", get_config()["transform_output"])
