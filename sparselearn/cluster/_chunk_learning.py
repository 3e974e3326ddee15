"""How centroids are learned from dask collections, whose rows stay where they are."""

import copy
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sparselearn._dask import chunks_of, folded, row_like
from sparselearn._parallel import bounded, stream
from sparselearn._solvers._centroid_batches import (
    Batch,
    pass_by_batches,
    pass_over,
    start_running,
)
from sparselearn._solvers._lloyd import pass_on
from sparselearn._solvers._lloyd_rounds import Rounds, survey_of
from sparselearn._solvers._row_sample import draw_rows, n_wanted
from sparselearn._validation import check_rows, row_weights
from sparselearn.cluster._chunks import Chunks
from sparselearn.cluster._learning import (
    CentroidLearningMixin,
    Learned,
    Sample,
    book_of,
    in_space,
)
from sparselearn.cluster._totals import totals_of

__all__ = ["ChunkLearningMixin"]


class ChunkLearningMixin(CentroidLearningMixin):
    """Learns centroids from dask collections too."""

    def __getstate__(self):
        state = super().__getstate__()
        if not isinstance(state.get("labels_"), np.ndarray):
            # They are still to be made, of rows that a pickle would hold.
            state = {k: value for k, value in state.items() if k != "labels_"}
        return state

    def _learn_chunks(self, X, y, sample_weight):
        """What `fit` does with a collection."""
        random_state = check_random_state(self.random_state)
        chunks = Chunks.of(self, X, sample_weight)
        is_white = self.whiten is not None
        ask = {"enough": self.n_components, "with_covariance": is_white}
        survey = chunks.sum(partial(survey_of, **ask))
        row_weights(np.full(1, survey.spread.weight), chunks.row)  # refuses none at all
        init = self._check_numbers(chunks.row, survey.n_rows)
        chunks = chunks.in_form(is_finite=True)
        space = None
        if is_white:
            space = self._whitening_by(survey.covariance, chunks.row.dtype)
        rows, masses = self._draw(chunks, survey, space, random_state)
        every = np.arange(masses.size)
        sample = Sample.of(every, masses, self.n_components, random_state)
        own = np.random.RandomState(random_state.randint(2**32, dtype=np.uint32))
        with stream(self.n_jobs) as run:
            few = in_space(rows, space, run, keep=True)
            start = self._start(few, masses, init, space, random_state, run)

        def store(estimator, learned):
            estimator._store_chunks(learned, chunks, space, rows, sample, own)

        inside = chunks.in_form(space=space)
        if self.batch_size is None:
            steps = self._rounds(inside, start, survey, space, few)
        else:
            steps = self._folds(inside, start, random_state)
        store(self, self._last(steps, X, y, store))
        self._warn_of_few(survey.keys.size)
        return self

    def _draw(self, chunks, survey, space, random_state):
        """Rows that stand for all, distinct, in an order of theirs, and their weights.

        If there are few they are all, and what `fit` would learn in memory is learned.
        """
        n_rows = n_wanted(
            self.n_components, chunks.row.shape[1], is_sparse=survey.is_sparse
        )
        seed = None
        if survey.n_rows <= n_rows:
            n_rows = None
        else:
            seed = int(random_state.randint(2**63 - 1, dtype=np.int64))
        how = {"n_rows": n_rows, "seed": seed, "spherical": self.spherical}
        spread = survey.spread_in(space)
        drawn = chunks.sum_numbered(
            partial(draw_rows, spread=spread, space=space, **how)
        )
        chosen, masses = self._distinct(*drawn)
        return drawn.rows[chosen], masses

    def _rounds(self, chunks, start, survey, space, few):
        """Yield `Learned` after each pass over all rows, a round of sums."""
        rounds = Rounds(
            chunks,
            survey.spread_in(space),
            few,
            n_rows=survey.n_rows,
            is_sparse=survey.is_sparse and space is None,
            spherical=self.spherical,
            dtype=few.dtype if space is not None else chunks.form.dtype,
        )
        for found in pass_on(rounds, start, max_iter=self.max_iter, tol=self.tol):
            yield Learned(found.atoms, None, found.n_iter, found.converged)

    def _folds(self, chunks, start, random_state):
        """Yield `Learned` after each pass by batches, one chunk after another."""
        how = {"batch_size": self.batch_size, "spherical": self.spherical}
        function = partial(_pass_over_chunk, **how)
        random_state = copy.deepcopy(random_state)

        def one_pass(state):
            nonlocal random_state
            order = random_state.permutation(len(chunks.chunks))
            held = Batch(state, 0.0, 0), random_state
            batch, random_state = chunks.fold(function, held, order)
            return batch

        state = start_running(start, spherical=self.spherical)
        passes = pass_by_batches(one_pass, state, max_iter=self.max_iter, tol=self.tol)
        for found in passes:
            state = found.state
            yield Learned(state.atoms, state, found.n_iter, found.converged)

    def _store_chunks(self, learned, chunks, space, rows, sample, own):
        """Set the fitted attributes, as `_store` does; `rows` are those of `sample`."""
        book = book_of(learned, chunks.form.dtype, space, self.spherical)
        threshold = self._choose_threshold(rows, sample, book)
        bounded(self._coding, book, threshold, chunks.row)  # may be refused
        how = {"coder": chunks.form.bare, "book": book, "threshold": threshold}
        totals = chunks.sum(partial(totals_of, **how))
        check_rows(self, row_like(chunks.X), reset=True)
        self._settle(learned, totals, book, threshold, own)
        # By centroids of now, whatever becomes of them.
        self.labels_ = _without(self, "labels_", "_skl_callbacks").predict(chunks.X)

    def _learn_more_chunks(self, X, sample_weight):
        """What `partial_fit` does with a collection."""
        started = hasattr(self, "_running") or not isinstance(self.init, str)
        least = 0 if started else self.n_components
        held = Waiting(_without(self, "labels_", "_skl_callbacks"), (), (), least)
        held = folded(_learn_from_chunk, held, chunks_of(X, sample_weight))
        if held.least:  # too few, which is refused
            held.learn()
        given = self.get_params(deep=False)
        fitted = {k: v for k, v in vars(held.twin).items() if k not in given}
        vars(self).update(fitted)
        return self


def _without(estimator, *names):
    """A copy without some attributes."""
    twin = copy.copy(estimator)
    for name in names:
        vars(twin).pop(name, None)
    return twin


def _pass_over_chunk(held, X, weights, *, batch_size, spherical):
    """`held`, a `Batch` and what draws, after a pass over some rows."""
    so_far, random_state = held
    if not weights.any():
        return held
    batch = pass_over(
        X,
        weights,
        so_far.state,
        random_state,
        batch_size=batch_size,
        spherical=spherical,
    )
    objective = so_far.objective + batch.objective
    n_moved = so_far.n_moved + batch.n_moved
    return Batch(batch.state, objective, n_moved), random_state


class Waiting(NamedTuple):
    """An estimator, and what waits until there are rows enough to start from.

    Attributes
    ----------
    twin : estimator
    rows, weights : tuples
        Of chunks; weights may be None.
    least : int
        Rows with weight that it takes; 0 from then on.
    """

    twin: ChunkLearningMixin
    rows: tuple
    weights: tuple
    least: int

    def with_chunk(self, X, sample_weight):
        return self._replace(
            rows=(*self.rows, X), weights=(*self.weights, sample_weight)
        )

    def is_enough(self):
        counts = [
            X.shape[0] if weights is None else np.count_nonzero(weights)
            for X, weights in zip(self.rows, self.weights)
        ]
        return sum(counts) >= self.least

    def learn(self):
        """The same after `partial_fit` of what has waited."""
        weights = None
        if self.weights[0] is not None:
            weights = np.concatenate(self.weights)
        self.twin.partial_fit(_stacked(self.rows), sample_weight=weights)
        return Waiting(self.twin, (), (), 0)


def _stacked(parts):
    if len(parts) == 1:
        return parts[0]
    if hasattr(parts[0], "iloc"):
        from pandas import concat

        return concat(parts)
    return sp.vstack(parts) if sp.issparse(parts[0]) else np.concatenate(parts)


def _learn_from_chunk(held, X, sample_weight):
    """`held`, which is `Waiting`, after a chunk; None if no row has weight."""
    if sample_weight is not None and not np.any(sample_weight):
        return None
    held = held.with_chunk(X, sample_weight)
    return held.learn() if held.is_enough() else held
