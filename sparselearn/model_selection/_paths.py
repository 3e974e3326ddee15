"""Which estimators are fitted at many sparsities in one pass: a row a family."""

from collections.abc import Callable
from typing import NamedTuple

from sparselearn.cluster import _fit_path as centroids
from sparselearn.decomposition import _fit_path as codes
from sparselearn.linear_model import _fit_path as linear
from sparselearn.model_selection._transform_only import (
    fit_once,
    reads_in_transform,
)
from sparselearn.pruning import _fit_path as pruners

__all__ = ["PATHS", "Path", "path_of"]


class Path(NamedTuple):
    """A family of estimators with a path.

    Parameters
    ----------
    covers : callable
        ``covers(estimator, parameter)``: whether it is of the family.
    fit : callable
        ``fit(estimator, parameter, values, X, y, params)`` gives fitted estimators, one
        a value, each as ``clone(estimator).set_params(parameter=value).fit(X, y,
        **params)`` would be, and a list of what they make of X, or None. It raises what
        that raises at any of the values.
    transform : callable or None
        ``transform(fitted, X)`` gives what such estimators make of X, in one pass; None
        where there is none.
    """

    covers: Callable
    fit: Callable
    transform: Callable | None = None


def _fit_linear(model, parameter, values, X, y, params):
    return linear.fit_path(model, parameter, values, X, y, **params), None


def _fit_codes(coder, parameter, values, X, y, params):
    return codes.fit_path(coder, values, X, **params)


def _fit_centroids(coder, parameter, values, X, y, params):
    return centroids.fit_path(coder, values, X, y, **params), None


def _fit_pruners(pruner, parameter, values, X, y, params):
    return pruners.fit_path(pruner, parameter, values, X, y, **params), None


def _fit_once(coder, parameter, values, X, y, params):
    return fit_once(coder, parameter, values, X, y, **params), None


PATHS = (
    Path(linear.has_path, _fit_linear),
    Path(codes.has_path, _fit_codes, codes.transform_path),
    Path(centroids.has_path, _fit_centroids),
    Path(pruners.has_path, _fit_pruners),
    Path(reads_in_transform, _fit_once),
)


def path_of(estimator, parameter):
    """The `Path` of an estimator's parameter; None if there is none."""
    found = (path for path in PATHS if path.covers(estimator, parameter))
    return next(found, None)
