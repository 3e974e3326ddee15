"""The search over each model's sparsity, and what is measured of its choice."""

import functools
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import Pipeline

__all__ = [
    "Choice",
    "Outcome",
    "as_text",
    "one_se_below",
    "plan",
    "recorded_warnings",
    "sparsest",
    "sweep",
]

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
        Of GridSearchCV; metrics "score", "sparsity", "n_nonzero".
    best, sparse : Choice
        The one with the best mean score; the sparsest one within one standard error.
    fit_seconds, predict_microseconds : float
        Of the best one; for all training rows, for one row.
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


@contextmanager
def recorded_warnings():
    """Keep warnings from the terminal; give a list that has their texts afterwards."""
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield texts
        finally:
            for warning in caught:
                message = " ".join(str(warning.message).split())
                texts.append(f"{warning.category.__name__}: {message[:300]}")


class QuietPipeline(Pipeline):
    """A pipeline that keeps the warnings of its fit, which a worker would print."""

    def fit(self, X, y=None, **params):
        """Fit, and set `warnings_`."""
        with recorded_warnings() as caught:
            super().fit(X, y, **params)
        self.warnings_ = list(caught)
        return self


class TickingSearch(GridSearchCV):
    """A grid search that calls its attribute `tick` after each candidate."""

    tick = None

    def _run_search(self, evaluate_candidates):
        for candidate in ParameterGrid(self.param_grid):
            evaluate_candidates([candidate])
            self.tick(self.cv.get_n_splits())

    def __getstate__(self):
        # Workers are sent the search; a progress bar stays here.
        return {**super().__getstate__(), "tick": None}


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
    steps = [*problem.preparation.steps, *model.build(problem)]
    pipeline = QuietPipeline([(step, clone(estimator)) for step, estimator in steps])
    if model.named:
        pipeline.set_output(transform="pandas")
    search = TickingSearch(
        pipeline,
        model.grid(problem),
        scoring=functools.partial(_measure, metric=problem.metric, read=model.read),
        refit=_best_index,
        cv=problem.cv,
        n_jobs=n_jobs,
        error_score="raise",
    )
    search.tick = tick
    with recorded_warnings() as caught:
        search.fit(*problem.train)
        tick(1)
        best = _choice(
            problem, model, search, search.best_index_, search.best_estimator_
        )
        sparse = _sparsest(problem, model, search, best)
        if len(search.cv_results_["params"]) > 1:
            tick(1)
        seconds = _predict_seconds(best.pipeline, problem.test[0])
    return Outcome(
        name,
        model.unit,
        bool(search.best_params_),
        search.cv_results_,
        best,
        sparse,
        search.refit_time_,
        1e6 * seconds / len(problem.test[1]),
        _summary(problem, search, caught),
    )


# -- the search ---------------------------------------------------------------


def _measure(pipeline, X, y, *, metric, read):
    """What the search records of one fit, on rows that the fit has not seen."""
    with recorded_warnings() as caught:
        score = get_scorer(metric)(pipeline, X, y)
    n_nonzero, sparsity = read(pipeline)
    return {
        "score": score,
        "sparsity": sparsity,
        "n_nonzero": n_nonzero,
        "warned": float(bool(pipeline.warnings_ or caught)),
    }


def _summary(problem, search, caught):
    """The warnings of a search, in sentences."""
    lines = []
    warned = np.array(
        [
            search.cv_results_[f"split{fold}_test_warned"]
            for fold in range(search.n_splits_)
        ]
    )
    if warned.any():
        fold, candidate = np.argwhere(warned)[0]
        lines.append(
            f"{warned.sum():.0f} of {warned.size} fits of the cross-validation warned, "
            f"for example: {_warning_of(problem, search, fold, candidate)}"
        )
    texts = Counter([*search.best_estimator_.warnings_, *caught])
    return lines + [
        f"with all training rows: {text}{f' ({n} times)' if n > 1 else ''}"
        for text, n in texts.items()
    ]


def _warning_of(problem, search, fold, candidate):
    """What one fit said; a search carries only numbers back, so it is made again."""
    train, test = list(problem.cv.split(*problem.train))[fold]
    X, y = problem.train
    rows = X.iloc if hasattr(X, "iloc") else X
    pipeline = clone(search.estimator)
    pipeline.set_params(**search.cv_results_["params"][candidate])
    with recorded_warnings() as caught:
        pipeline.fit(rows[train], y[train])
        get_scorer(problem.metric)(pipeline, rows[test], y[test])
    return next(iter([*pipeline.warnings_, *caught]), "one that did not come again")


# -- the choice ---------------------------------------------------------------


def _best_index(cv_results):
    """The best mean score; among equal ones, the sparsest."""
    return sparsest(cv_results, np.max(cv_results["mean_test_score"]))


def one_se_below(cv_results, i):
    """The mean score of candidate `i`, less one standard error."""
    n_splits = sum(
        key.startswith("split") and key.endswith("_test_score") for key in cv_results
    )
    # std_test_score divides by the number of folds, not by one less.
    error = cv_results["std_test_score"][i] / np.sqrt(n_splits - 1)
    return cv_results["mean_test_score"][i] - error


def sparsest(cv_results, enough):
    """Index of the sparsest candidate whose mean score is `enough`; None without one.

    Among equally sparse ones, that with the best score.
    """
    score, sparsity = cv_results["mean_test_score"], cv_results["mean_test_sparsity"]
    good = np.flatnonzero(score >= enough)
    return max(good, key=lambda i: (sparsity[i], score[i]), default=None)


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
    if index == search.best_index_:
        return best
    pipeline = clone(search.best_estimator_)
    pipeline.set_params(**results["params"][index])
    pipeline.fit(*problem.train)
    return _choice(problem, model, search, index, pipeline)


def _choice(problem, model, search, index, pipeline):
    results = search.cv_results_
    n_nonzero, sparsity = model.read(pipeline)
    return Choice(
        int(index),
        as_text(results["params"][index]),
        sparsity,
        n_nonzero,
        float(results["mean_test_score"][index]),
        float(results["std_test_score"][index]),
        float(get_scorer(problem.metric)(pipeline, *problem.test)),
        Pipeline(pipeline.steps),
    )


def _predict_seconds(pipeline, X):
    seconds = []
    for _ in range(N_TIMINGS):
        begun = time.perf_counter()
        pipeline.predict(X)
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))
