"""scikit-learn's private names and version differences; nothing else imports them."""

from inspect import signature

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
    "n_rows_of",
    "rows_of",
    "rows_of_params",
    "takes_weights",
    "validate_parameter_constraints",
    "validate_params",
    "with_callbacks",
]

fit_context = _fit_context
check_sample_weight = _check_sample_weight
n_rows_of = _num_samples
rows_of = _safe_indexing
rows_of_params = _check_method_params


def takes_weights(scorer, estimator):
    """Whether `scorer` of `estimator` takes a sample_weight."""
    # A scorer of scikit-learn takes any keyword, and hands it to its metric; that of
    # scoring=None, to the estimator's `score`.
    function = getattr(scorer, "_score_func", None)
    if function is None:
        own = hasattr(scorer, "_estimator")
        function = estimator.score if own else scorer
    return "sample_weight" in signature(function).parameters
