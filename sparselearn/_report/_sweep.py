"""The search over each model's sparsity, and what is measured of its choice."""

import time
from collections import Counter
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline

from sparselearn._report._search import Search, recorded_warnings, sparsest

__all__ = ["Choice", "Outcome", "as_text", "one_se_below", "plan", "sweep"]

N_TIMINGS = 7


class Choice(NamedTuple):
    """One candidate of a search, fitted on all training rows.

    `index` is its place in the search's results; `sparsity` and `n_nonzero` are those
    of this fit, not means over folds.
    """

    index: int
    parameter: str
    sparsity: float
    n_nonzero: float
    cv_mean: float
    cv_std: float
    held_out: float
    pipeline: Pipeline


class Outcome(NamedTuple):
    """What became of one model.

    Parameters
    ----------
    name, unit : str
    swept : bool
        False for the dense baseline.
    cv_results : dict
        As that of GridSearchCV; metrics "score", "sparsity", "n_nonzero".
    best, sparse : Choice
        The one with the best mean score; the sparsest one within one standard error.
    fit_seconds, predict_microseconds : float
        Of the best one; for all prepared training rows, for one row as it was read.
    warnings : list of str
    """

    name: str
    unit: str
    swept: bool
    cv_results: dict
    best: Choice
    sparse: Choice
    fit_seconds: float
    predict_microseconds: float
    warnings: list


def plan(problem, model):
    """The number of fits that `sweep` makes of `model`; 0 if it will fail."""
    try:
        n_candidates = len(ParameterGrid(model.grid(problem)))
    except Exception:  # the sweep will say what is wrong
        return 0
    return n_candidates * problem.cv.get_n_splits() + (2 if n_candidates > 1 else 1)


def sweep(problem, name, model, n_jobs, tick):
    """Search the sparsity of `model`, and measure what the search chose.

    Parameters
    ----------
    problem : Problem
    name : str
    model : Model
    n_jobs : int
    tick : callable
        Called with the number of fits made since the last call.

    Returns
    -------
    outcome : Outcome
    """
    search = Search(problem, model, n_jobs, tick)
    with recorded_warnings() as caught:
        search.fit()
        tick(1)
        best = _choice(problem, model, search, search.best_index_)
        sparse = _sparsest(problem, model, search, best)
        if len(search.cv_results_["params"]) > 1:
            tick(1)
        seconds = _predict_seconds(best.pipeline, problem.test[0])
    return Outcome(
        name,
        model.unit,
        bool(search.cv_results_["params"][best.index]),
        search.cv_results_,
        best,
        sparse,
        search.fitted(best.index).seconds,
        1e6 * seconds / len(problem.test[1]),
        _summary(search, best, caught),
    )


# -- the search ---------------------------------------------------------------


def _summary(search, best, caught):
    """The warnings of a search, in sentences."""
    lines = []
    said = [texts for of_folds in search.warnings_ for texts in of_folds]
    warned = [texts for texts in said if texts]
    if warned:
        lines.append(
            f"{len(warned)} of {len(said)} fits of the cross-validation warned, for "
            f"example: {warned[0][0]}"
        )
    texts = Counter([*search.fitted(best.index).texts, *caught])
    return lines + [
        f"with all training rows: {text}{f' ({n} times)' if n > 1 else ''}"
        for text, n in texts.items()
    ]


# -- the choice ---------------------------------------------------------------


def one_se_below(cv_results, i):
    """The mean score of candidate `i`, less one standard error."""
    n_splits = sum(
        key.startswith("split") and key.endswith("_test_score") for key in cv_results
    )
    # std_test_score divides by the number of folds, not by one less.
    error = cv_results["std_test_score"][i] / np.sqrt(n_splits - 1)
    return cv_results["mean_test_score"][i] - error


def as_text(params):
    """Parameters of a candidate, by the names that its step gives them."""
    items = [(key.split("__")[-1], value) for key, value in params.items()]
    return ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in items
    )


def _sparsest(problem, model, search, best):
    results = search.cv_results_
    index = sparsest(results, one_se_below(results, search.best_index_))
    return best if index == best.index else _choice(problem, model, search, index)


def _choice(problem, model, search, index):
    results = search.cv_results_
    preparation = problem.preparation
    if model.named:
        preparation = clone(preparation).set_output(transform="pandas")
        preparation.fit(problem.train[0])
    pipeline = Pipeline([*preparation.steps, *search.fitted(index).steps])
    n_nonzero, sparsity = model.read(pipeline)
    return Choice(
        int(index),
        as_text(results["params"][index]),
        sparsity,
        n_nonzero,
        float(results["mean_test_score"][index]),
        float(results["std_test_score"][index]),
        float(get_scorer(problem.metric)(pipeline, *problem.test)),
        pipeline,
    )


def _predict_seconds(pipeline, X):
    seconds = []
    for _ in range(N_TIMINGS):
        begun = time.perf_counter()
        pipeline.predict(X)
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))
