"""Cross-validation by batches: rows are dealt to the folds in turn."""

from functools import partial
from numbers import Integral

from sklearn.utils.validation import check_consistent_length

from sparselearn._dask import is_collection
from sparselearn._parallel import team
from sparselearn._solvers._cross_validation import DealtSums, Folds
from sparselearn._solvers._information import CRITERIA
from sparselearn._validation import check_weights
from sparselearn.linear_model._cross_validation import fold_weights
from sparselearn.linear_model._streaming import Streamed, lies_by_rows

__all__ = ["StreamedCV"]

N_FOLDS = 5  # if cv is None, as in scikit-learn


class StreamedCV(Streamed):
    """`partial_fit` and `merge` of a model that chooses alpha by cross-validation.

    Row i of a chain of batches goes to fold ``i % cv``, and each fold has sums of its
    own. Of a dask collection rows are numbered within their chunk; of a file of rows,
    `fit` has the splitter's folds.
    """

    _several_targets = False

    def _lies_elsewhere(self, X):
        # Not so a file of rows: its folds are those of the splitter.
        return is_collection(X)

    def _fit_splits(self, X, y, sample_weight, splits):
        """As `_fit_parts`, of a file of rows if each row is tested once; else None."""
        if not lies_by_rows(X, len(splits) + 2):
            return None
        folds = Folds.of(splits, X.shape[0])
        if folds is None:
            return None
        check_consistent_length(X, y)
        fold_weights(splits, check_weights(sample_weight, X), X.shape[0])
        stream = self._read_blocks(X, y, sample_weight, first=True, folds=folds)
        return self._fit_stream(stream)

    def _sums_of(self, X, y, weights, start, folds, run):
        if folds is not None:
            return DealtSums.of(X, y, weights, folds, run)
        if self.selection in CRITERIA:
            raise ValueError(
                f"selection={self.selection!r} needs all rows at a time: in batches "
                "alpha is chosen by 'min' or '1se'."
            )
        if not (self.cv is None or (isinstance(self.cv, Integral) and self.cv > 1)):
            raise ValueError(
                f"cv={self.cv!r} must be None or a whole number from 2 on: rows that "
                "come in batches are dealt to so many folds in turn."
            )
        folds = Folds.in_turn(start, y.shape[0], self.cv or N_FOLDS)
        return DealtSums.of(X, y, weights, folds, run)

    def _go_on(self, stream):
        if not stream.sums.complete:  # there is nothing to fit a fold to yet
            self._stream, self.n_samples_seen_ = stream, stream.n_samples
            return [], []
        return super()._go_on(stream)

    def _fit_stream(self, stream):
        """Solve the folds and all rows of a stream."""
        if not stream.sums.complete:
            raise ValueError(
                f"cv={self.cv!r} asks for more folds than there are rows of positive "
                "sample_weight to deal."
            )
        sums = stream.sums.of_target(0)
        penalty_at = self._penalty_at(sums.total.x_mean.size)
        problem = sums.total.problem(fit_intercept=self.fit_intercept)
        alphas = self._grids(problem, penalty_at)
        options = {"tol": self.tol, "max_iter": self.max_iter}
        errors = partial(sums.errors, fit_intercept=self.fit_intercept, **options)
        folds = [t.weight for t in sums.tests] if stream.weighted else None
        with team():
            found = self._choice(
                errors, len(sums.tests), folds, problem, penalty_at, alphas
            )
            path, solution = self._fit_chosen(found, penalty_at, alphas)
        self._store_chosen(problem, found, alphas, path, solution, stream.dtype)
        return [problem], [solution]
