"""Searches over a model's sparsity: candidates on folds, and the fits asked for after.

Both have what `GridSearchCV` has after `fit`, `cv_results_` with the metrics "score",
"sparsity", "n_nonzero" and "warned", `best_index_` and `refit_time_`; and beyond that
`fitted`, a candidate's pipeline on all rows, `warning_of`, what one fit said, and
`best_warnings`, what that of the best candidate on all rows said.
"""

import functools
import time
import warnings
from contextlib import contextmanager

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.pipeline import Pipeline

from sparselearn.decomposition import SparseCoder, encode_path

__all__ = [
    "GridSearch",
    "LevelSearch",
    "QuietPipeline",
    "best_index",
    "recorded_warnings",
    "sparsest",
]


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


def sparsest(cv_results, enough):
    """Index of the sparsest candidate whose mean score is `enough`; None without one.

    Among equally sparse ones, that with the best score.
    """
    score, sparsity = cv_results["mean_test_score"], cv_results["mean_test_sparsity"]
    good = np.flatnonzero(score >= enough)
    return max(good, key=lambda i: (sparsity[i], score[i]), default=None)


def best_index(cv_results):
    """The best mean score; among equal ones, the sparsest."""
    return sparsest(cv_results, np.max(cv_results["mean_test_score"]))


def _measure(pipeline, X, y, *, metric, read):
    """What a search records of one fit, on rows that the fit has not seen."""
    with recorded_warnings() as caught:
        score = get_scorer(metric)(pipeline, X, y)
    n_nonzero, sparsity = read(pipeline)
    return {
        "score": score,
        "sparsity": sparsity,
        "n_nonzero": n_nonzero,
        "warned": float(bool(pipeline.warnings_ or caught)),
    }


class GridSearch(GridSearchCV):
    """A grid search that calls its attribute `tick` after each candidate."""

    tick = None

    @classmethod
    def of(cls, problem, model, pipeline, n_jobs):
        """The search of `model` on the folds of `problem`."""
        return cls(
            pipeline,
            model.grid(problem),
            scoring=functools.partial(_measure, metric=problem.metric, read=model.read),
            refit=best_index,
            cv=problem.cv,
            n_jobs=n_jobs,
            error_score="raise",
        )

    def _run_search(self, evaluate_candidates):
        for candidate in ParameterGrid(self.param_grid):
            evaluate_candidates([candidate])
            self.tick(self.cv.get_n_splits())

    def __getstate__(self):
        # Workers are sent the search; a progress bar stays here.
        return {**super().__getstate__(), "tick": None}

    @property
    def best_warnings(self):
        return self.best_estimator_.warnings_

    def fitted(self, index, X, y):
        """The pipeline of a candidate, fitted on X and y: the rows of `fit`."""
        if index == self.best_index_:
            return self.best_estimator_
        pipeline = clone(self.best_estimator_)
        return pipeline.set_params(**self.cv_results_["params"][index]).fit(X, y)

    def warning_of(self, fold, index, X, y):
        """What a fit of the search said; it carries only numbers, so it is made again.

        None if it did not come again.
        """
        train, test = list(self.cv.split(X, y))[fold]
        rows = X.iloc if hasattr(X, "iloc") else X
        pipeline = clone(self.estimator)
        pipeline.set_params(**self.cv_results_["params"][index])
        with recorded_warnings() as caught:
            pipeline.fit(rows[train], y[train])
            self.scoring(pipeline, rows[test], y[test])
        return next(iter([*pipeline.warnings_, *caught]), None)


class LevelSearch:
    """A search over the non-zeros of codes that learns one dictionary a fold.

    The codes of all levels come from one pass of a pursuit. A pipeline that comes of it
    has the dictionary as a parameter of its `SparseCoder`.

    Parameters
    ----------
    pipeline : Pipeline
        Whose last step but one learns `components_`.
    parameter : str
        What the levels are called in `cv_results_`.
    levels : list of int
    metric : str
    cv : splitter
    n_jobs : int
        Processes, each with a fold.
    """

    def __init__(self, pipeline, parameter, levels, *, metric, cv, n_jobs):
        self.pipeline, self.parameter, self.levels = pipeline, parameter, levels
        self.metric, self.cv, self.n_jobs = metric, cv, n_jobs
        self.tick = None

    @classmethod
    def of(cls, problem, model, pipeline, n_jobs):
        """The search of `model` on the folds of `problem`."""
        ((parameter, levels),) = model.grid(problem).items()
        options = {"metric": problem.metric, "cv": problem.cv, "n_jobs": n_jobs}
        return cls(pipeline, parameter, levels, **options)

    def fit(self, X, y):
        """Score all levels on the folds, and fit them on all rows."""
        rows = X.iloc if hasattr(X, "iloc") else X
        run = joblib.Parallel(self.n_jobs, return_as="generator")
        folds = run(
            joblib.delayed(_one_fold)(
                self.pipeline, self.levels, self.metric, *_parts(rows, y, split)
            )
            for split in self.cv.split(X, y)
        )
        measured, self._texts = [], []
        for scores, texts in folds:
            measured.append(scores)
            self._texts.append(texts)
            self.tick(len(self.levels))
        self.n_splits_ = len(measured)
        self.cv_results_ = self._results(measured)
        self.best_index_ = best_index(self.cv_results_)
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self._levels = _Levels(self.pipeline, self.levels).fit(X, y)
        seconds = self._levels.head_seconds[self.best_index_]
        self.refit_time_ = self._levels.shared_seconds + seconds
        return self

    def _results(self, measured):
        """`cv_results_` of the measurements: a list of folds of dicts of lists."""
        results = {"params": [{self.parameter: level} for level in self.levels]}
        for name in measured[0]:
            table = np.array([scores[name] for scores in measured], dtype=np.float64)
            results[f"mean_test_{name}"] = table.mean(axis=0)
            results[f"std_test_{name}"] = table.std(axis=0)
            for fold, values in enumerate(table):
                results[f"split{fold}_test_{name}"] = values
        return results

    @property
    def best_warnings(self):
        return self._levels.texts[self.best_index_]

    def fitted(self, index, X, y):
        """The pipeline of a level, fitted on X and y: the rows of `fit`."""
        return self._levels.pipeline(index, X)

    def warning_of(self, fold, index, X, y):
        """What a fit of the search said."""
        return next(iter(self._texts[fold][index]), None)


def _parts(rows, y, split):
    train, test = split
    return rows[train], y[train], rows[test], y[test]


class _Levels:
    """One fit of the steps before the codes and a last step for each level."""

    def __init__(self, pipeline, levels):
        *before, (self._name, self._learner), last = clone(pipeline).steps
        self._before, self._last, self._levels = Pipeline(before), last, levels

    def fit(self, X, y):
        """Learn the dictionary, encode, and fit a last step on each level's codes."""
        begun = time.perf_counter()
        with recorded_warnings() as shared:
            rows = self._before.fit_transform(X, y)
            self.components = self._learner.fit(rows).components_
            codes = self._encode(rows)
        self.shared_seconds = time.perf_counter() - begun
        self.n_nonzero = [level.nnz / level.shape[0] for level in codes]
        self.heads, self.head_seconds, self.texts = [], [], []
        for level in codes:
            begun = time.perf_counter()
            with recorded_warnings() as own:
                self.heads.append(clone(self._last[1]).fit(level, y))
            self.head_seconds.append(time.perf_counter() - begun)
            self.texts.append([*shared, *own])
        return self

    def _encode(self, rows):
        path = encode_path(
            rows, self.components, method="omp", n_nonzero_coefs=self._levels
        )
        return path.codes

    def transform(self, X):
        """The codes of rows, a matrix for each level."""
        return self._encode(self._before.transform(X))

    def pipeline(self, index, X):
        """The pipeline of a level whose parts all are fitted; X are the rows of fit."""
        coder = SparseCoder(
            self.components, method="omp", n_nonzero_coefs=self._levels[index]
        )
        coder.fit(self._before.transform(X))
        last = self._last[0], self.heads[index]
        pipeline = QuietPipeline([*self._before.steps, (self._name, coder), last])
        pipeline.warnings_ = self.texts[index]
        return pipeline


def _one_fold(pipeline, levels, metric, X, y, X_test, y_test):
    """What is recorded of one fold: lists by metric, an entry a level; and warnings."""
    fit = _Levels(pipeline, levels).fit(X, y)
    scorer = get_scorer(metric)
    scores, texts = [], []
    with recorded_warnings() as of_codes:
        codes = fit.transform(X_test)
    for head, level, own in zip(fit.heads, codes, fit.texts):
        with recorded_warnings() as caught:
            scores.append(scorer(head, level, y_test))
        texts.append([*own, *of_codes, *caught])
    n_components = len(fit.components)
    return {
        "score": scores,
        "sparsity": [1.0 - number / n_components for number in fit.n_nonzero],
        "n_nonzero": fit.n_nonzero,
        "warned": [bool(text) for text in texts],
    }, texts
