"""Which rule makes a fitted estimator narrower: a table of classes."""

from copy import copy
from typing import NamedTuple

import numpy as np
from sklearn.feature_selection import SelectorMixin

from sparselearn._compat import output_container

__all__ = [
    "Narrowed",
    "at_least_one",
    "cut",
    "is_transformer",
    "n_outputs_of",
    "narrow",
    "register_compaction",
    "register_home",
    "renamed",
]

_RULES = {}
_HOMES = {}  # modules all of whose classes that a rule accepts are of one kind


class Narrowed(NamedTuple):
    """A fitted estimator for fewer columns.

    Attributes
    ----------
    estimator : estimator or "passthrough"
        Takes the columns `inputs`, and gives the columns `outputs`.
    inputs : ndarray of bool or None
        Of the columns of what it took before, those that it takes now. None: it takes
        all of something that may be no table, such as documents.
    outputs : ndarray of bool or None, default=None
        Of the columns that it gave before, those that it gives now, among them all
        that were asked for. None: exactly those.
    notes : tuple of (str, str), default=()
        Where something was left that feeds nothing, and why.
    whole : estimator, default=None
        The same for an input with all columns, if it picks those that it needs.
    """

    estimator: object
    inputs: np.ndarray | None
    outputs: np.ndarray | None = None
    notes: tuple = ()
    whole: object = None


def register_compaction(kind, rule):
    """Teach :func:`compact` how estimators of a class are made narrower.

    A rule is for the class itself, not for its subclasses, whose `transform` may do
    something else. A class without a rule is kept as it is, and so is what it reads.

    Parameters
    ----------
    kind : type
        Class of fitted transformers, or of what ends a pipeline.
    rule : callable
        ``rule(estimator, kept)`` returns ``(smaller, inputs)``, or None if this
        estimator must stay as it is. Of a transformer, `kept` is a mask of the columns
        that it gives, at least one of them True: `smaller`, another object that is
        fitted, gives exactly these, equal to the original's and in the same order, and
        takes exactly the columns for which the mask `inputs` is True, at least one. To
        the end of a pipeline that is no transformer, `kept` is None.

    Examples
    --------
    A transformer that works column by column:

    >>> from copy import copy
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> from sklearn.pipeline import make_pipeline
    >>> from sparselearn.linear_model import Lasso
    >>> from sparselearn.pruning import compact, register_compaction
    >>> class Clip(TransformerMixin, BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         self.largest_ = np.quantile(X, 0.9, axis=0)
    ...         self.n_features_in_ = X.shape[1]
    ...         return self
    ...     def transform(self, X):
    ...         return np.minimum(X, self.largest_)
    >>> def narrower_clip(clip, kept):
    ...     smaller = copy(clip)
    ...     smaller.largest_ = clip.largest_[kept]
    ...     smaller.n_features_in_ = smaller.largest_.size
    ...     return smaller, kept
    >>> register_compaction(Clip, narrower_clip)
    >>> X = np.random.default_rng(0).normal(size=(50, 8))
    >>> model = make_pipeline(Clip(), Lasso(alpha=0.1)).fit(X, X[:, 2] - X[:, 5])
    >>> compact(model, X)["clip"].largest_.shape
    (2,)
    """
    _RULES[kind] = rule


def register_home(module, rule):
    """`rule` for the classes that `module` and those in it define."""
    _HOMES[f"{module}."] = rule


def narrow(estimator, kept):
    """The fitted `estimator` for the columns `kept` of what it gives.

    Parameters
    ----------
    estimator : estimator or "passthrough" or None
    kept : ndarray of bool or None
        None: all that it gives, whatever that is.

    Returns
    -------
    narrowed : Narrowed
    """
    if estimator is None or isinstance(estimator, str):
        return Narrowed("passthrough", kept)
    rule, found = _rule_of(estimator), None
    if kept is None and is_transformer(estimator):
        n_outputs = n_outputs_of(estimator)
        kept = None if n_outputs is None else np.ones(n_outputs, dtype=bool)
        if kept is not None and rule is not None:
            found = rule(estimator, kept)
    elif rule is not None:
        found = rule(estimator, kept)
    if found is None:
        name = type(estimator).__name__
        word = "no rule" if rule is None else "no rule for such parameters"
        notes = (("", f"{name} has {word}: it is kept, and all that it reads"),)
        return Narrowed(estimator, _all_inputs(estimator), _all(kept), notes)
    return found if isinstance(found, Narrowed) else Narrowed(*found)


def _rule_of(estimator):
    kind = type(estimator)
    if kind in _RULES:
        return _RULES[kind]
    if isinstance(estimator, SelectorMixin):
        # Only where `transform` is the one that is defined by the mask.
        inherited = (SelectorMixin.transform, SelectorMixin._transform)
        if (kind.transform, kind._transform) == inherited:
            return _RULES[SelectorMixin]
        return None
    for home, rule in _HOMES.items():
        if f"{kind.__module__}.".startswith(home):
            return rule
    return None


def is_transformer(estimator):
    """Whether what is had of it are columns, not predictions."""
    return hasattr(estimator, "transform") and not hasattr(estimator, "predict")


def n_outputs_of(transformer):
    """How many columns a fitted transformer gives; None if it does not tell."""
    try:
        return len(transformer.get_feature_names_out())
    except Exception:  # it may raise anything, as some wrappers and users' own do
        return None


def _all(mask):
    return None if mask is None else np.ones_like(mask)


def _all_inputs(estimator):
    n_inputs = getattr(estimator, "n_features_in_", None)
    return None if n_inputs is None else np.ones(n_inputs, dtype=bool)


def at_least_one(mask):
    """`mask`, or the first entry of it if there is none: rows must be counted."""
    if not mask.any():
        mask = mask.copy()
        mask[0] = True
    return mask


def cut(estimator, used, *names, **changes):
    """A copy of `estimator` for the columns `used` of its input.

    Parameters
    ----------
    estimator : estimator
    used : ndarray of bool of shape (n_features_in_,)
    *names : str
        Attributes whose last axis is that of the columns, where they are arrays.
    **changes : dict
        Attributes, and what they become.
    """
    smaller = copy(estimator)
    for name in names:
        values = getattr(estimator, name, None)
        if np.ndim(values):
            setattr(smaller, name, np.asarray(values)[..., used])
    for name, value in changes.items():
        setattr(smaller, name, value)
    return renamed(smaller, used)


def renamed(smaller, used):
    """`smaller`, told that it gets the columns `used` only, and their names."""
    names = getattr(smaller, "feature_names_in_", None)
    if names is None and output_container(smaller) != "default":
        # The names of its data frames are made of the numbers of the columns.
        names = np.array([f"x{j}" for j in range(used.size)], dtype=object)
    if names is not None and not used.all():
        smaller.feature_names_in_ = names[used]
    smaller.n_features_in_ = int(np.count_nonzero(used))
    return smaller
