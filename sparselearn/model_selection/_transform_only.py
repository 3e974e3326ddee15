"""scikit-learn's coders, whose sparsity is a matter of `transform` alone."""

from copy import deepcopy

from sklearn import decomposition
from sklearn.base import clone

__all__ = ["fit_once", "reads_in_transform"]

# `fit_transform` of the others gives what learning has left, whatever these are.
_CODERS = decomposition.MiniBatchDictionaryLearning, decomposition.SparseCoder
_PARAMETERS = {"transform_n_nonzero_coefs", "transform_alpha"}


def reads_in_transform(coder, parameter):
    """Whether `fit` of `coder` does not read its `parameter`."""
    return type(coder) in _CODERS and parameter in _PARAMETERS


def fit_once(coder, parameter, values, X, y, **params):
    """Copies of one fitted coder, with each of the values of the parameter."""
    first = clone(coder).set_params(**{parameter: values[0]}).fit(X, y, **params)
    others = [deepcopy(first).set_params(**{parameter: v}) for v in values[1:]]
    return [first, *others]
