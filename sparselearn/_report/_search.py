"""The search over a model's sparsity: fits on folds, and those asked for after.

Rows are prepared once a fold, for all models; see `Problem.folds`.
"""

import time
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline

from sparselearn._parallel import sending_told
from sparselearn.decomposition import SparseCoder, encode_path

__all__ = ["Fit", "Search", "best_index", "recorded_warnings", "sparsest"]


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


class Fit(NamedTuple):
    """A model fitted to prepared rows: its steps, seconds, and texts of warnings."""

    steps: list
    seconds: float
    texts: list


class Search:
    """The candidates of a model, scored on the folds of a problem.

    Parameters
    ----------
    problem : Problem
    model : Model
    n_jobs : int
        Processes, each with a fit.
    tick : callable
        Called with the number of fits made since the last call.

    Attributes
    ----------
    cv_results_ : dict
        As that of `GridSearchCV`, with the metrics "score", "sparsity", "n_nonzero".
    best_index_ : int
    n_splits_ : int
    warnings_ : list of list of (list of str)
        What was said, by candidate and fold.
    """

    def __init__(self, problem, model, n_jobs, tick=lambda n_fits: None):
        self.problem, self.model, self.n_jobs, self.tick = problem, model, n_jobs, tick

    def fit(self):
        """Score all candidates on the folds."""
        problem, model = self.problem, self.model
        self._steps, self._kept = model.build(problem), {}
        self._candidates = list(ParameterGrid(model.grid(problem)))
        run = joblib.Parallel(self.n_jobs, return_as="generator")
        read, tasks = model.read, [[c] for c in self._candidates]
        if model.one_pass:  # all candidates of a fold are one task
            read, tasks = None, [self._candidates]
        folds = [_as_frames(fold) if model.named else fold for fold in problem.folds]
        measured = []
        jobs = [
            joblib.delayed(_one_task)(
                self._steps, candidates, read, problem.metric, fold
            )
            for candidates in tasks
            for fold in folds
        ]
        with sending_told():
            for found in run(jobs):
                measured.append(found)
                self.tick(len(found))
        by_task = [
            list(zip(*measured[i : i + len(folds)]))
            for i in range(0, len(measured), len(folds))
        ]
        rows = [row for task in by_task for row in task]
        self.n_splits_ = len(folds)
        self.warnings_ = [[texts for _, texts in row] for row in rows]
        self.cv_results_ = self._results([[m for m, _ in row] for row in rows])
        self.best_index_ = best_index(self.cv_results_)
        return self

    def _results(self, rows):
        """`cv_results_` of the measurements: a list by candidate of dicts by fold."""
        results = {"params": self._candidates}
        for name in rows[0][0]:
            table = np.array([[m[name] for m in row] for row in rows], dtype=np.float64)
            results[f"mean_test_{name}"] = table.mean(axis=1)
            results[f"std_test_{name}"] = table.std(axis=1)
            for fold, values in enumerate(table.T):
                results[f"split{fold}_test_{name}"] = values
        return results

    def fitted(self, index):
        """A candidate fitted to all training rows.

        Returns
        -------
        fit : Fit
        """
        if index not in self._kept:
            X = self.problem.X
            if self.model.named:
                X = _frame(X, self.problem.names)
            if self.model.one_pass:
                self._kept = dict(
                    enumerate(_Levels(self._steps, self._candidates).fits(X, self._y))
                )
            else:
                candidate = self._candidates[index]
                self._kept[index] = _fit(self._steps, candidate, X, self._y)
        return self._kept[index]

    @property
    def _y(self):
        return self.problem.y


# -- tasks ----------------------------------------------------------------------


def _frame(X, names):
    import pandas as pd

    return pd.DataFrame(X, columns=names)


def _as_frames(fold):
    X, X_test = _frame(fold.X, fold.names), _frame(fold.X_test, fold.names)
    return fold._replace(X=X, X_test=X_test)


def _one_task(steps, candidates, read, metric, fold):
    """What is recorded of candidates on one fold: pairs of numbers and warnings.

    Without `read` they are levels of one pass.
    """
    if read is None:
        return _Levels(steps, candidates).measured(metric, fold)
    fits = [_fit(steps, candidate, fold.X, fold.y) for candidate in candidates]
    return [_measured(fit, read, metric, fold.X_test, fold.y_test) for fit in fits]


def _fit(steps, candidate, X, y):
    pipeline = Pipeline([(name, clone(step)) for name, step in steps])
    pipeline.set_params(**candidate)
    begun = time.perf_counter()
    with recorded_warnings() as texts:
        pipeline.fit(X, y)
    return Fit(pipeline.steps, time.perf_counter() - begun, texts)


def _measured(fit, read, metric, X_test, y_test):
    pipeline = Pipeline(fit.steps)
    with recorded_warnings() as caught:
        score = get_scorer(metric)(pipeline, X_test, y_test)
    n_nonzero, sparsity = read(pipeline)
    numbers = {"score": score, "sparsity": sparsity, "n_nonzero": n_nonzero}
    return numbers, [*fit.texts, *caught]


class _Levels:
    """One dictionary, one pass of a pursuit, and a last step for each level of codes.

    The codes of all levels come from that pass. The steps that come of it have the
    dictionary as a parameter of their `SparseCoder`.
    """

    def __init__(self, steps, candidates):
        (self._name, self._learner), self._last = steps
        self._levels = [level for c in candidates for level in c.values()]

    def _fit(self, X, y):
        begun = time.perf_counter()
        with recorded_warnings() as shared:
            self._components = clone(self._learner).fit(X).components_
            self._codes = self._encode(X)
        learned = time.perf_counter() - begun
        for codes in self._codes:
            begun = time.perf_counter()
            with recorded_warnings() as own:
                head = clone(self._last[1]).fit(codes, y)
            seconds = learned + time.perf_counter() - begun
            yield head, seconds, [*shared, *own]

    def _encode(self, X):
        options = {"method": "omp", "n_nonzero_coefs": self._levels}
        return encode_path(X, self._components, **options).codes

    def fits(self, X, y):
        """A `Fit` for each level."""
        fits = []
        for level, (head, seconds, texts) in zip(self._levels, self._fit(X, y)):
            coder = SparseCoder(self._components, method="omp", n_nonzero_coefs=level)
            steps = [(self._name, coder.fit(X)), (self._last[0], head)]
            fits.append(Fit(steps, seconds, texts))
        return fits

    def measured(self, metric, fold):
        """What is recorded of one fold, for each level."""
        heads = list(self._fit(fold.X, fold.y))
        scorer, found = get_scorer(metric), []
        with recorded_warnings() as of_codes:
            test_codes = self._encode(fold.X_test)
        for (head, _, texts), codes, test in zip(heads, self._codes, test_codes):
            with recorded_warnings() as caught:
                score = scorer(head, test, fold.y_test)
            n_nonzero = codes.nnz / codes.shape[0]
            sparsity = 1.0 - n_nonzero / codes.shape[1]
            numbers = {"score": score, "sparsity": sparsity, "n_nonzero": n_nonzero}
            found.append((numbers, [*texts, *of_codes, *caught]))
        return found
