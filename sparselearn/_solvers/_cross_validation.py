"""Errors of a path on the rows that it was not fitted to.

A fold is a matter of row weights: its test rows weigh nothing in training, so all
folds read the same X. Where sums over rows pay, they are formed once for each fold's
test rows; the training sums are the total's less these, and errors come from them too.
"""

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._moments import moments_of
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._squared_loss import Solver

__all__ = ["FoldSums", "errors_by_rows"]


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

    def errors(self, fold, penalty_at, alphas, *, fit_intercept, tol, max_iter):
        """Mean squared test errors of one fold, an ndarray (n_alphas,)."""
        train, test = self._splits[fold]
        left_out = np.setdiff1d(self._everyone, train)
        if train.size + test.size == self._everyone.size and np.array_equal(
            left_out, np.sort(test)
        ):
            training = self.total - self._tests[fold]
        else:
            training = moments_of(*self._data, train)
        problem = training.problem(fit_intercept=fit_intercept)
        solver = Solver(problem, penalty_at(alphas[0]), n_solves=len(alphas))
        errors = np.empty(len(alphas))
        for k, alpha in enumerate(alphas):
            coef = solver.solve(penalty_at(alpha), tol=tol, max_iter=max_iter).coef
            errors[k] = self._tests[fold].mean_squared_error(
                coef, problem.intercept(coef)
            )
        return errors


def errors_by_rows(
    X, y, weights, split, penalty_at, alphas, *, fit_intercept, tol, max_iter
):
    """Mean squared test errors of one fold, an ndarray (n_alphas,).

    Parameters
    ----------
    X, y : arrays
        All rows.
    weights : float64 ndarray (n_samples,) or (1,)
    split : (train, test)
        Indices of rows.
    """
    train, test = split
    full = np.broadcast_to(weights, y.shape)
    training = full * np.bincount(train, minlength=y.size)
    problem = make_problem(X, training / training.sum(), fit_intercept=fit_intercept)
    problem = problem.with_target(y)
    solver = Solver(problem, penalty_at(alphas[0]), n_solves=len(alphas))
    intercepts, columns = [], []
    for alpha in alphas:
        coef = solver.solve(penalty_at(alpha), tol=tol, max_iter=max_iter).coef
        columns.append(sp.csc_array(coef.reshape(-1, 1)))
        intercepts.append(problem.intercept(coef))
    coefs = sp.hstack(columns, format="csr")
    support = np.flatnonzero(np.diff(coefs.indptr))
    rows = X[:, support].tocsr()[test] if sp.issparse(X) else X[np.ix_(test, support)]
    predicted = rows.astype(np.float64) @ coefs[support].toarray() + intercepts
    return np.average((y[test, None] - predicted) ** 2, axis=0, weights=full[test])
