"""The folds of a search: fits at all values of a parameter, in one pass if may be."""

import time
from copy import copy
from traceback import format_exc
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from sparselearn._compat import (
    container_of,
    n_rows_of,
    rows_of_params,
    scored,
    split_rows,
)
from sparselearn.model_selection._figures import figures_of
from sparselearn.model_selection._parameters import grid_of
from sparselearn.model_selection._paths import path_of
from sparselearn.model_selection._route import route_of

__all__ = ["Folds", "evaluate", "has_path", "is_shared", "suggested"]


class Folds(NamedTuple):
    """What all folds have in common.

    Parameters
    ----------
    estimator : estimator
    name : str
        The parameter.
    X, y
    splits : list of pairs of ndarray of int
        Training and test rows of each fold.
    fit_params, score_params : dict
        For all rows.
    scorer : callable
    return_train_score : bool
    error_score : float or "raise"
    """

    estimator: object
    name: str
    X: object
    y: object
    splits: list
    fit_params: dict
    score_params: dict
    scorer: object
    return_train_score: bool
    error_score: object


class _Fit(NamedTuple):
    """A fitted estimator, or why there is none."""

    estimator: object
    seconds: float
    error: str | None = None
    path: object = None


def is_shared(estimator, name):
    """Whether fits at several values of parameter `name` share work."""
    route = route_of(estimator, name)
    if route is None:
        return False
    return bool(route.place) or path_of(route.carrier, route.parameter) is not None


def has_path(estimator, name):
    """Whether a step is fitted at all values of its parameter `name` in one pass."""
    route = route_of(estimator, name)
    return route is not None and path_of(route.carrier, route.parameter) is not None


def suggested(estimator, name, n_values, X, y, params):
    """Values of parameter `name` that suit all rows, or None where none are known.

    The steps of a pipeline before that of the parameter are fitted for this.
    """
    route = route_of(estimator, name, in_place=True)
    if route is None:
        return None
    params = route.split(params)
    if route.place:
        if route_of(estimator, name) is None:  # what works in place may have a copy
            X, y = split_rows(estimator, X, y, np.arange(n_rows_of(X)))
        X = route.before.fit_transform(X, y, **params.before)
    return grid_of(route.carrier, route.parameter, n_values, X, y, params.carrier)


def evaluate(folds, k, values):
    """Fit on the training rows of fold `k` at all `values`, and score on the others.

    Returns
    -------
    out : list of dict
        One a value, with "fit_error", "fit_time", "score_time", "test_scores",
        "train_scores" where they are asked for, and "figures" of sparsity.
    """
    train, test = folds.splits[k]
    fits = _fit_all(folds, train, values)
    parts = {"test": test} | ({"train": train} if folds.return_train_score else {})
    out = [
        {
            "fit_error": fit.error,
            "fit_time": fit.seconds,
            "score_time": 0.0,
            "figures": figures_of(fit.estimator, folds.name),
        }
        for fit in fits
    ]
    for part, rows in parts.items():
        X, y = split_rows(folds.estimator, folds.X, folds.y, rows, train)
        params = rows_of_params(folds.X, params=folds.score_params, indices=rows)
        begun = time.perf_counter()
        known = _Transformed(folds, fits, X)
        shared = (time.perf_counter() - begun) / len(fits)
        for k, fit in enumerate(fits):
            begun = time.perf_counter()
            score = folds.error_score
            if fit.error is None:
                estimator = known.remembering(k)
                score = scored(estimator, X, y, folds.scorer, params, folds.error_score)
            out[k][f"{part}_scores"] = score
            if part == "test":
                out[k]["score_time"] = shared + time.perf_counter() - begun
    return out


# -- fits ---------------------------------------------------------------------


def _fit_all(folds, train, values):
    """A `_Fit` for each of `values`, on the rows `train`."""
    X, y = split_rows(folds.estimator, folds.X, folds.y, train)
    params = rows_of_params(folds.X, params=folds.fit_params, indices=train)
    if is_shared(folds.estimator, folds.name):
        try:
            return _fit_shared(folds, values, X, y, params)
        except Exception:  # of a value, perhaps: then it is that of its own fit
            X, y = split_rows(folds.estimator, folds.X, folds.y, train)
    fits = []
    for k, value in enumerate(values):
        if k:  # for those that work in place
            X, y = split_rows(folds.estimator, folds.X, folds.y, train)

        def fit(value=value, X=X, y=y):
            estimator = clone(folds.estimator).set_params(**{folds.name: value})
            return _fitted(estimator, X, y, params)

        fits.append(_attempt(fit, folds.error_score))
    return fits


def _fitted(estimator, X, y, params):
    return estimator.fit(X, **params) if y is None else estimator.fit(X, y, **params)


def _attempt(fit, error_score, shared=0.0, path=None):
    """``fit()`` as a `_Fit`, its error too unless that is to be raised."""
    begun, estimator, error = time.perf_counter(), None, None
    try:
        estimator = fit()
    except Exception:
        if error_score == "raise":
            raise
        error = format_exc()
    return _Fit(estimator, shared + time.perf_counter() - begun, error, path)


def _fit_shared(folds, values, X, y, params):
    """Steps before the parameter's once, and a path of the step if it has one."""
    begun = time.perf_counter()
    route = route_of(folds.estimator, folds.name)
    params = route.split(params)
    before = route.before
    if before is not None:
        X = before.fit_transform(X, y, **params.before)
    path = path_of(route.carrier, route.parameter)
    twins = outputs = [None] * len(values)
    if path is not None:
        carrier = route.carrier, route.parameter, values, X, y, params.carrier
        twins, made = path.fit(*carrier)
        if made is not None and not _wraps(route.carrier):
            outputs = made
    shared = (time.perf_counter() - begun) / len(values)

    def fit(value, twin, output):
        if twin is None:
            rest = _fitted(route.rest(value), X, y, params.rest)
            return route.whole(before, rest)
        after = None if route.is_last else route.after
        if after is not None:
            seen = twin.transform(X) if output is None else output
            after = _fitted(after, seen, y, params.after)
        return route.around(before, twin, after)

    return [
        _attempt(lambda each=each: fit(*each), folds.error_score, shared, path)
        for each in zip(values, twins, outputs)
    ]


def _wraps(transformer):
    """Whether `transform` makes data frames of what it finds."""
    return container_of(transformer) != "default"


# -- scores -------------------------------------------------------------------


class _Transformed:
    """What shared steps of pipelines make of one X; they do so once.

    Parameters
    ----------
    folds : Folds
    fits : list of _Fit
    X
    """

    def __init__(self, folds, fits, X):
        self._fits = fits
        self._known = [[] for _ in fits]
        good = [k for k, fit in enumerate(fits) if fit.error is None]
        route = route_of(folds.estimator, folds.name)
        if not good or route is None or (route.is_last and not route.place):
            return
        if not is_shared(folds.estimator, folds.name):
            return
        try:
            self._transform(route, good, X)
        except Exception:  # then a score says so
            self._known = [[] for _ in fits]

    def _transform(self, route, good, X):
        first = self._fits[good[0]].estimator
        for place, (_, step) in enumerate(first.steps[: route.place]):
            if not hasattr(step, "transform"):  # passthrough
                continue
            made = step.transform(X)
            for k in good:
                if self._fits[k].estimator.steps[place][1] is step:
                    self._known[k].append((place, X, made))
            X = made
        path = self._fits[good[0]].path
        if path is None or path.transform is None or route.is_last:
            return
        twins = [self._fits[k].estimator.steps[route.place][1] for k in good]
        if _wraps(twins[0]):
            return
        for k, made in zip(good, path.transform(twins, X)):
            self._known[k].append((route.place, X, made))

    def remembering(self, k):
        """The estimator of fit `k`, whose steps know what they make of X."""
        estimator = self._fits[k].estimator
        if not self._known[k]:
            return estimator
        pipeline = copy(estimator)
        pipeline.steps = list(estimator.steps)
        for place, X, made in self._known[k]:
            name, step = pipeline.steps[place]
            pipeline.steps[place] = name, _remembering(step, X, made)
        return pipeline


def _remembering(step, X, made):
    """A copy of `step` whose ``transform(X)`` is `made`, for this very X."""
    twin = copy(step)

    def transform(seen, **params):
        return made if seen is X and not params else step.transform(seen, **params)

    twin.transform = transform
    return twin
