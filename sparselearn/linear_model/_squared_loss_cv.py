"""What the squared-loss estimators share whose alpha is chosen by cross-validation."""

from functools import partial

import numpy as np

from sparselearn._compat import StrOptions, fit_context
from sparselearn._parallel import map_threads, team
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._cross_validation import FoldSums, errors_by_rows
from sparselearn._solvers._information import CRITERIA, path_measures
from sparselearn._solvers._path import make_solver, solve_path
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._squared_loss import sums_pay
from sparselearn._validation import check_penalty_weights, validate_regression
from sparselearn.linear_model._base import SquaredLossRegressor, elastic_net_penalty
from sparselearn.linear_model._cross_validation import (
    Choice,
    CrossValidated,
    choose,
    fold_weights,
    store_scores,
)
from sparselearn.linear_model._scores import row_total, scores_of, warn_of

__all__ = ["SquaredLossRegressorCV"]


class SquaredLossRegressorCV(CrossValidated, SquaredLossRegressor):
    """Fit of a linear model whose alpha is chosen by cross-validation.

    A subclass holds the parameters named below and says its `_l1_ratios`.
    """

    _parameter_constraints = {
        **CrossValidated._parameter_constraints,
        "selection": [StrOptions({"min", "1se", *CRITERIA})],
        "positive": ["boolean"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, **params):
        """Choose alpha by cross-validation, and fit the model with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Read by columns, and by all folds in place. Of a memory map of rows each of
            which is tested once, sums are formed over parts of the rows.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of rows in training, in the grid of alphas and in the errors.
        **params : dict
            For the splitter: ``groups``, or with metadata routing what it asks for.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if self._lies_elsewhere(X):
            self._warn_unless_converged(*self._fit_parts(X, y, sample_weight))
            return self
        by_folds = self.selection not in CRITERIA
        splits = self._split(X, y, params, sample_weight) if by_folds else []
        fitted = self._fit_splits(X, y, sample_weight, splits)
        if fitted is not None:
            self._warn_unless_converged(*fitted)
            return self
        X, y, weights = validate_regression(
            self, X, y, sample_weight, multi_output=False
        )
        penalty_at = self._penalty_at(X.shape[1])
        with team() as run:
            problem = make_problem(
                X, weights, fit_intercept=self.fit_intercept, run=run
            )
            problem = problem.with_target(y)
            alphas = self._grids(problem, penalty_at)
            if by_folds:
                found = self._by_folds(problem, y, splits, penalty_at, alphas)
            else:
                total = row_total(sample_weight, y.size)
                found = self._by_criterion(problem, total, penalty_at, alphas)
            path, solution = self._fit_chosen(found, penalty_at, alphas)
        self._store_chosen(problem, found, alphas, path, solution, X.dtype)
        self._warn_unless_converged([problem], [solution])
        return self

    def _fit_chosen(self, found, penalty_at, alphas):
        """The path of the chosen l1_ratio on all rows, and the solution."""
        row, column = found.place
        chosen = partial(penalty_at, l1_ratio=self._l1_ratios[row])
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        path = found.path
        if path is None:
            path = solve_path(found.problem, chosen, alphas[row], **stopping)
        alpha, start = alphas[row][column], path.coefs[:, [column]].toarray()[:, 0]
        solver = make_solver(found.problem, chosen(alpha), start=start)
        return path, solver.solve(chosen(alpha), **stopping)

    def _store_chosen(self, problem, found, alphas, path, solution, dtype):
        row, column = found.place
        self._store([problem], [alphas[row][column]], [solution], dtype, single=True)
        self._store_path(self._l1_ratios, row, alphas, found.scores, path, dtype)

    def _penalty_at(self, n_features):
        """The penalty as a function of alpha and `l1_ratio`."""
        return partial(
            elastic_net_penalty,
            penalty_weights=check_penalty_weights(self.penalty_weights, n_features),
            positive=self.positive,
        )

    def _grids(self, problem, penalty_at):
        """Alphas for each l1_ratio."""
        return [
            self._grid(critical_alpha, problem, penalty_at(1.0, l1_ratio=ratio))
            for ratio in self._l1_ratios
        ]

    def _by_folds(self, problem, y, splits, penalty_at, alphas):
        """The `Choice` by errors on test rows; solves all rows too where it can."""
        X, weights = problem.matrix, problem.weights
        folds = fold_weights(splits, weights, y.size)
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        options = stopping | {"fit_intercept": self.fit_intercept}
        sums, total = None, problem
        if sums_pay(X, penalty_at(1.0), len(alphas[0])):
            sums = FoldSums(X, y, weights, splits, problem.run)
            total = sums.total.problem(fit_intercept=self.fit_intercept)

        def errors(fold, *path):
            if sums is not None:
                return sums.errors(fold, *path, **options)
            return errors_by_rows(X, y, weights, splits[fold], *path, **options)

        return self._choice(errors, len(splits), folds, total, penalty_at, alphas)

    def _choice(self, errors_of, n_folds, folds, total, penalty_at, alphas):
        """The `Choice` by ``errors_of(fold, penalty_at, alphas)``."""
        stopping = {"tol": self.tol, "max_iter": self.max_iter}

        def solve(job):
            row, fold = job
            path = partial(penalty_at, l1_ratio=self._l1_ratios[row]), alphas[row]
            if fold is None:
                return solve_path(total, *path, **stopping)
            return errors_of(fold, *path)

        shape = len(alphas), n_folds
        # All rows take longest, and go first.
        early = [(0, None)] if len(alphas) == 1 else []
        found = map_threads(solve, [*early, *np.ndindex(shape)], self.n_jobs)
        errors = np.reshape(found[len(early) :], (*shape, -1)).transpose(0, 2, 1)
        place = choose(errors, folds, self.selection)
        scores = {"mse_path_": errors}
        return Choice(place, scores, total, found[0] if early else None)

    def _by_criterion(self, problem, total, penalty_at, alphas):
        """The `Choice` by an information criterion; n = `total`."""
        stopping = {"tol": self.tol, "max_iter": self.max_iter}

        def solve(row):
            own = partial(penalty_at, l1_ratio=self._l1_ratios[row])
            path = solve_path(problem, own, alphas[row], **stopping)
            return path, path_measures(problem, own, path, self.refit_support)

        paths, measures = zip(*map_threads(solve, range(len(alphas)), self.n_jobs))
        values, _, reasons = scores_of(problem, total, measures, self.selection)
        warn_of(reasons, stacklevel=5)
        place = np.unravel_index(np.argmin(values), values.shape)
        degrees = np.array([each.degrees for each in measures])
        scores = {"criterion_path_": values, "degrees_of_freedom_path_": degrees}
        return Choice(place, scores, problem, paths[place[0]])

    def _store_path(self, ratios, row, alphas, scores, path, dtype):
        several = len(ratios) > 1
        self.alphas_ = np.array(alphas) if several else alphas[0]
        store_scores(self, scores if several else {k: s[0] for k, s in scores.items()})
        self.coef_path_ = path.coefs.astype(dtype)
        self.n_iter_ = int(np.sum(path.n_iter))
        self._store_routes([path.route])
