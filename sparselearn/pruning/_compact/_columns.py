"""A transformer that takes columns, and does nothing else."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sparselearn._compat import checked_names_in, output_container, rows_of, with_output
from sparselearn.pruning._compact._rules import Narrowed, register_compaction, renamed

__all__ = ["Columns", "columns_of"]


class Columns(TransformerMixin, BaseEstimator):
    """Columns of a table, as they are.

    Of a data frame that has the names of `fit`, the columns that are not taken may be
    absent, or in any order.

    Parameters
    ----------
    columns : array-like of int
        Numbers of the columns.

    Attributes
    ----------
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
    """

    def __init__(self, columns):
        self.columns = columns

    def fit(self, X, y=None):
        """Count the columns."""
        validate_data(self, X, skip_check_array=True)
        return self

    def transform(self, X):
        """Take the columns."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        labels = getattr(X, "columns", None)
        if names is not None and labels is not None and list(labels) != list(names):
            wanted = [names[j] for j in self.columns]
            missing = sorted(set(wanted).difference(labels))
            if missing:
                raise ValueError(f"X has no columns {missing}, which are needed.")
            return rows_of(X, wanted, axis=1)
        if not (hasattr(X, "shape") or sp.issparse(X)):
            X = _as_array(X)
        validate_data(self, X, skip_check_array=True, reset=False)
        return rows_of(X, np.asarray(self.columns), axis=1)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that are taken."""
        check_is_fitted(self)
        return checked_names_in(self, input_features)[np.asarray(self.columns)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        return tags


def _as_array(rows):
    array = np.asarray(rows)
    # As scikit-learn's encoders read lists: numbers among words stay numbers.
    return np.asarray(rows, dtype=object) if array.dtype.kind in "US" else array


def columns_of(mask, like, names=None):
    """Fitted `Columns` that takes those of `mask`.

    Parameters
    ----------
    mask : ndarray of bool
    like : estimator
        Its containers, set by ``set_output``, are those of the columns.
    names : ndarray of shape (n_columns,), default=None
        Names of all columns, where the input is known to have some.
    """
    found = with_output(Columns(np.flatnonzero(mask)), like)
    found.n_features_in_ = mask.size
    if names is not None:
        found.feature_names_in_ = names
    return found


def _selector(selector, kept):
    """What a selector picks is picked before; it does nothing then.

    Unless it makes data frames, which nothing before it may.
    """
    return _picked(selector, selector.get_support(indices=True), kept)


def _columns(columns, kept):
    """They are put in again where they are needed."""
    support = np.asarray(columns.columns)
    is_container = support.size == columns.n_features_in_
    return _picked(columns, support, kept, makes_frames=is_container)


def _picked(selector, support, kept, makes_frames=True):
    used = np.zeros(selector.n_features_in_, dtype=bool)
    used[support[kept]] = True
    if output_container(selector) == "default" or not makes_frames:
        return Narrowed("passthrough", used)
    smaller = with_output(Columns(np.arange(np.count_nonzero(used))), selector)
    if hasattr(selector, "feature_names_in_"):
        smaller.feature_names_in_ = selector.feature_names_in_
    return Narrowed(renamed(smaller, used), used)


register_compaction(SelectorMixin, _selector)
register_compaction(Columns, _columns)
