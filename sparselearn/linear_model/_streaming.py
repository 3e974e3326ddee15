"""Fits by batches of rows: what they say of a squared loss is kept as sums."""

import numpy as np

from sparselearn._compat import fit_context
from sparselearn._parallel import team
from sparselearn._solvers._moments import MomentProblem, batch_moments
from sparselearn._validation import validate_batch

__all__ = ["Streamed"]

# Sums of so many bytes are kept at most; while a batch is added there are three.
LARGEST = 2**31
MEBIBYTE = 2**20


class Streamed:
    """`partial_fit` and `merge` of a linear model with squared loss.

    It stands before the estimator's other bases.
    """

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Fit the model to all rows so far and those of a batch.

        All that a squared loss asks of the rows is kept, as sums in float64: their
        number, means and products of two columns at a time, ``8 n_features^2`` bytes
        altogether. So the model is that of one `fit` to all rows, to the accuracy of
        `tol`, whatever the batches and their order. Sums are formed in
        ``O(n_rows n_features^2)``, and the model is solved anew after each batch. The
        first batch after `fit`, which keeps no sums, begins anew.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_rows, n_features)
            A batch, of one row or more.
        y : array-like of shape (n_rows,) or (n_rows, n_targets)
        sample_weight : array-like of shape (n_rows,), default=None
            Non-negative, not all zero; 1 for each row by default.

        Returns
        -------
        self : object
            Fitted to all rows so far.

        Raises
        ------
        ValueError
            Where sums would take more than 2 GiB. As after any other error, the
            estimator is then as it was.
        """
        sums = getattr(self, "_sums", None)
        X, y, weights = validate_batch(self, X, y, sample_weight, reset=sums is None)
        _check_size(type(self).__name__, X.shape[1])
        with team() as run:
            batch = batch_moments(X, y.reshape(y.shape[0], -1), weights, run=run)
        if sums is None:
            self._single, self._dtype = y.ndim == 1, X.dtype
        elif batch.y_mean.size != sums.y_mean.size or self._single != (y.ndim == 1):
            raise ValueError(
                f"y has shape {y.shape}, and in earlier batches it had "
                f"{'one dimension' if self._single else f'{sums.y_mean.size} columns'}."
            )
        seen = 0 if sums is None else self.n_samples_seen_
        self._fit_sums(batch if sums is None else sums + batch, seen + X.shape[0])
        return self

    def merge(self, other):
        """Fit the model to all rows that this one and another have seen.

        Parameters
        ----------
        other : estimator
            Of the same class, fitted by `partial_fit` to other rows, on another
            machine, say; it is left as it is.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If either has seen no batch, or they have seen different features or
            targets.
        """
        mine, theirs = getattr(self, "_sums", None), getattr(other, "_sums", None)
        if mine is None or theirs is None:
            raise ValueError("merge needs two models that partial_fit has fitted.")
        names = [getattr(e, "feature_names_in_", None) for e in (self, other)]
        if mine.cross.shape != theirs.cross.shape or not np.array_equal(*names):
            raise ValueError(
                "merge needs models of the same features and targets; these have "
                f"{mine.cross.shape} and {theirs.cross.shape}."
            )
        self._fit_sums(mine + theirs, self.n_samples_seen_ + other.n_samples_seen_)
        return self

    def _fit_sums(self, sums, n_samples):
        """Solve the problem of `sums`, and keep them."""
        penalty_at = self._penalty_at(sums.x_mean.size)
        problems = [
            sums.of_target(k).problem(fit_intercept=self.fit_intercept)
            for k in range(sums.y_mean.size)
        ]
        # From nowhere: what is found depends on the sums alone.
        found = [self._solve(problem, penalty_at, None) for problem in problems]
        alphas, solutions = zip(*found)
        self._store(problems, alphas, solutions, self._dtype, single=self._single)
        self._sums, self.n_samples_seen_ = sums, n_samples
        self._warn_unless_converged(problems, solutions)

    def _store(self, problems, *args, **options):
        super()._store(problems, *args, **options)
        if not isinstance(problems[0], MomentProblem):
            self._sums = None  # of other rows than those that `fit` was given


def _check_size(name, n_features):
    size = 8 * n_features**2
    if size > LARGEST:
        raise ValueError(
            f"{name}.partial_fit keeps sums of {n_features} x {n_features} numbers, "
            f"{size // MEBIBYTE} MiB; at most {LARGEST // MEBIBYTE} MiB are allowed. "
            "Select or hash features first; or give fit all rows as a sparse matrix "
            "or a memory map in Fortran order, which it reads in place."
        )
