"""Errors of a path on the rows that it was not fitted to.

A fold is a matter of row weights: its test rows weigh nothing in training, so all
folds read the same X. Where sums over rows pay, they are formed once for each fold's
test rows; the training sums are the total's less these, and errors come from them too.
"""

import functools
import operator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._moments import batch_moments, moments_of
from sparselearn._solvers._path import solve_path
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._slices import slices
from sparselearn._solvers._task_path import solve_task_path
from sparselearn._solvers._tasks import make_tasks

__all__ = ["DealtSums", "FoldSums", "Folds", "errors_by_rows"]

# Errors are formed for blocks of rows of about this many numbers.
BLOCK = 2**18


class FoldSums:
    """The sums over rows of every fold.

    Parameters
    ----------
    X, y, weights : arrays
        As `Moments` takes them.
    splits : list of (train, test)
        Indices of rows.
    run : callable
        ``run(function, items)``, a `map`.
    """

    def __init__(self, X, y, weights, splits, run):
        self._data = X, y, weights
        self._splits = splits
        self._tests = run(lambda split: moments_of(*self._data, split[1]), splits)
        self._everyone = np.arange(y.size)
        tested = np.sort(np.concatenate([test for _, test in splits]))
        if np.array_equal(tested, self._everyone):
            # Every row is in one test: the one pass is over.
            self.total = self._tests[0]
            for sums in self._tests[1:]:
                self.total = self.total + sums
        else:
            self.total = moments_of(*self._data)

    def errors(self, fold, penalty_at, alphas, **options):
        """Mean squared test errors of one fold, an ndarray (n_alphas,)."""
        train, test = self._splits[fold]
        left_out = np.setdiff1d(self._everyone, train)
        if train.size + test.size == self._everyone.size and np.array_equal(
            left_out, np.sort(test)
        ):
            training = self.total - self._tests[fold]
        else:
            training = moments_of(*self._data, train)
        return _errors_by_sums(training, self._tests[fold], penalty_at, alphas, options)


class Folds(NamedTuple):
    """Which fold tests each row, if each is tested once.

    Attributes
    ----------
    labels : ndarray of int (n_samples,)
    n_folds : int
    """

    labels: np.ndarray
    n_folds: int

    @classmethod
    def in_turn(cls, start, n_samples, n_folds):
        """Those of rows that are dealt in turn, with `start` rows before them."""
        return cls((start + np.arange(n_samples)) % n_folds, n_folds)

    @classmethod
    def of(cls, splits, n_samples):
        """Those of (train, test); None if training is not on all rows but the test."""
        labels = np.full(n_samples, -1)
        for fold, (train, test) in enumerate(splits):
            left_out = np.bincount(train, minlength=n_samples) == 0
            if (
                train.size + test.size != n_samples
                or not np.array_equal(np.flatnonzero(left_out), np.sort(test))
                or np.any(labels[test] >= 0)
            ):
                return None
            labels[test] = fold
        return None if np.any(labels < 0) else cls(labels, len(splits))

    def part(self, rows):
        """The same of the slice `rows`."""
        return self._replace(labels=self.labels[rows])


class DealtSums:
    """The sums over rows that are dealt to folds.

    Parameters
    ----------
    tests : list of Moments or None
        Of each fold's test rows; None where there is none with a weight yet.
    """

    def __init__(self, tests):
        self.tests = tests

    @classmethod
    def of(cls, X, y, weights, folds, run):
        """Those of a batch that is dealt to `Folds`; X is as of `batch_moments`."""
        full = np.broadcast_to(weights, y.shape[:1])
        X = X.tocsr() if sp.issparse(X) else X
        tests = []
        for fold in range(folds.n_folds):
            rows = np.flatnonzero((folds.labels == fold) & (full > 0.0))
            found = None
            if rows.size and sp.issparse(X):
                part = sp.csc_array(X[rows])
                found = batch_moments(part, y[rows], full[rows], run=run)
            elif rows.size:
                found = moments_of(X, y, full, rows, run=run)
            tests.append(found)
        return cls(tests)

    def __add__(self, other):
        """Those of the rows of both, each in its fold."""
        pairs = zip(self.tests, other.tests, strict=True)
        return DealtSums(
            [a if b is None else b if a is None else a + b for a, b in pairs]
        )

    @property
    def complete(self):
        """Whether all folds have a row."""
        return None not in self.tests

    @functools.cached_property
    def total(self):
        """The `Moments` of all rows."""
        known = [test for test in self.tests if test is not None]
        return functools.reduce(operator.add, known)

    @property
    def cross(self):
        """That of `total`."""
        return self.total.cross

    def of_target(self, k):
        """The same of one target, where there are several."""
        return DealtSums([test.of_target(k) for test in self.tests])

    def errors(self, fold, penalty_at, alphas, **options):
        """Mean squared test errors of one fold, an ndarray (n_alphas,)."""
        test = self.tests[fold]
        return _errors_by_sums(self.total - test, test, penalty_at, alphas, options)


def _errors_by_sums(training, test, penalty_at, alphas, options):
    """Of the path that is fitted to the sums `training`, on those of `test`."""
    stopping = dict(options)
    problem = training.problem(fit_intercept=stopping.pop("fit_intercept"))
    path = solve_path(problem, penalty_at, alphas, **stopping)
    models = zip(path.coefs.toarray().T, path.intercepts)
    return np.array([test.mean_squared_error(*model) for model in models])


def errors_by_rows(
    X, y, weights, split, penalty_at, alphas, *, fit_intercept, tol, max_iter
):
    """Mean squared test errors of one fold, an ndarray (n_alphas,).

    Parameters
    ----------
    X, y : arrays
        All rows. With y of shape (n_samples, n_tasks), the path is that of tasks with
        one support, and errors are means over tasks too.
    weights : float64 ndarray (n_samples,) or (1,)
    split : (train, test)
        Indices of rows.
    """
    train, test = split
    full = np.broadcast_to(weights, y.shape[:1])
    training = full * np.bincount(train, minlength=full.size)
    design = make_problem(X, training / training.sum(), fit_intercept=fit_intercept)
    stopping = {"tol": tol, "max_iter": max_iter}
    if y.ndim == 1:
        path = solve_path(design.with_target(y), penalty_at, alphas, **stopping)
        coefs = path.coefs
    else:
        path = solve_task_path(make_tasks(design, y), penalty_at, alphas, **stopping)
        coefs = sp.hstack(path.coefs)
    errors = _test_errors(X, y, full, test, coefs.tocsr(), path.intercepts)
    return errors.reshape(len(alphas), -1).mean(axis=1)


def _test_errors(X, y, weights, test, coefs, intercepts):
    """Mean squared errors on the rows `test`, for each intercept.

    `coefs` is a csr_array with a column for each, in the order of
    ``intercepts.ravel()``.
    """
    support = np.flatnonzero(np.diff(coefs.indptr))
    rows = X[:, support].tocsr()[test] if sp.issparse(X) else X[np.ix_(test, support)]
    rows, coefs = rows.astype(np.float64), coefs[support].toarray()
    errors = np.zeros(intercepts.size)
    size = max(1, BLOCK // intercepts.size)
    for block in slices(0, test.size, size):
        predicted = (rows[block] @ coefs).reshape(-1, *intercepts.shape) + intercepts
        squares = (y[test[block], None] - predicted) ** 2
        errors += weights[test[block]] @ squares.reshape(-1, intercepts.size)
    return (errors / np.sum(weights[test])).reshape(intercepts.shape)
