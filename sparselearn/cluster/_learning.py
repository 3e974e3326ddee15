"""How centroids are learned: from rows to the fitted attributes."""

import copy
import warnings
from collections import deque
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state

from sparselearn._callbacks import LearnsByPasses
from sparselearn._parallel import bounded, map_chunks, row_chunks, stream
from sparselearn._solvers._batches import BLOCK
from sparselearn._solvers._centroid_batches import (
    Running,
    learn_by_batches,
    start_running,
    update_centroids,
)
from sparselearn._solvers._centroid_start import initial_centroids
from sparselearn._solvers._codebook import Codebook, Directions, WhitenedRows
from sparselearn._solvers._distinct_rows import distinct_rows, project
from sparselearn._solvers._kmeans_codes import threshold_at
from sparselearn._solvers._lloyd import learn_centroids
from sparselearn._solvers._maps import ChosenRows, is_large_map
from sparselearn._solvers._nearest import Assignment
from sparselearn._solvers._spread import covariance_of
from sparselearn._solvers._whitening import whitening
from sparselearn._validation import read_only
from sparselearn.cluster._coding import assign_rows, chunk_rows, count_codes
from sparselearn.cluster._totals import Totals

__all__ = ["CentroidLearningMixin", "Learned", "Sample", "book_of", "in_space"]

# Products from which an automatic threshold is chosen, at most.
THRESHOLD_PRODUCTS = 2**21
# Rows of a large map from which a start is drawn, at least; or so many numbers.
STARTERS = 2**14
STARTING_NUMBERS = 2**24
# The share of a code that exceeds it, if no number of entries is asked for.
DENSITY = 0.1


class Learned(NamedTuple):
    """What there is after a pass.

    Attributes
    ----------
    atoms : array (n_components, n_dimensions)
        Centroids, in the whitened space if there is one.
    running : Running or None
        The state of learning by batches.
    n_iter : int
    converged : bool
    nearest : tuple or None
        The labels of the rows, all distinct, and squared distances, if they are known.
    """

    atoms: np.ndarray
    running: Running | None
    n_iter: int
    converged: bool
    nearest: tuple | None = None


class Sample(NamedTuple):
    """Rows that set an automatic threshold: where in X they are, and their weights."""

    rows: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, rows, weights, n_components, random_state):
        n_rows = max(1, THRESHOLD_PRODUCTS // n_components)
        if n_rows < rows.size:
            some = np.sort(random_state.choice(rows.size, n_rows, replace=False))
            rows, weights = rows[some], weights[some]
        return cls(rows, weights)


class CentroidLearningMixin(LearnsByPasses):
    """Learns centroids, from all samples at a time or from batches."""

    def _learn(self, X, y, weights, random_state):
        init = self._check_numbers(X, np.count_nonzero(weights))
        chosen, masses = self._distinct(X, weights)
        # By a power of two, so that no digit changes, for sums not to overflow.
        exponent = int(np.frexp(masses.max())[1])
        masses = np.ldexp(masses, -exponent)
        sample = Sample.of(chosen, masses, self.n_components, random_state)
        drawn = None
        if is_large_map(X):
            drawn = _to_start_from(X, chosen, masses, self.n_components, random_state)
            # In the order of the file: in another a page of it is read for each row.
            in_file = np.argsort(chosen)
            chosen, masses = chosen[in_file], masses[in_file]
        rows = X[chosen] if drawn is None else ChosenRows(X, chosen)
        space = self._make_whitening(rows, masses)
        own = np.random.RandomState(random_state.randint(2**32, dtype=np.uint32))

        def store(estimator, learned):
            estimator._store(learned, X, weights, space, sample, own, chosen=chosen)

        start = init, drawn
        steps = self._passes(rows, masses, start, space, random_state, exponent)
        store(self, self._last(steps, X, y, store))
        self._warn_of_few(chosen.size)
        return self

    def _warn_of_few(self, n_distinct):
        if n_distinct < self.n_components:
            warnings.warn(
                f"n_components={self.n_components}, but X has only {n_distinct} "
                "distinct samples: some centroids are the same. Lower n_components.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _check_numbers(self, X, n_samples):
        """Hold `n_components` and `init` against X; return `init`, an array checked."""
        if self.n_components > n_samples:
            raise ValueError(
                f"n_components={self.n_components} is more than n_samples={n_samples} "
                f"(of positive weight); n_components must be in [1, {n_samples}]."
            )
        if isinstance(self.init, str):
            return self.init
        init = check_array(self.init, dtype=np.float64, input_name="init")
        wanted = (self.n_components, X.shape[1])
        if init.shape != wanted:
            raise ValueError(
                f"init has shape {init.shape}; it must hold n_components centroids of "
                f"n_features numbers, shape {wanted}."
            )
        return init

    def _distinct(self, X, weights):
        """Where X has its distinct rows, in an order of theirs, and their weights.

        So centroids depend neither on the order of samples, nor on whether one comes
        with a weight of two or twice.
        """
        direction = np.random.default_rng(0).standard_normal(X.shape[1])
        with stream(self.n_jobs) as run:
            parts = run(
                lambda rows: project(X[rows], direction),
                row_chunks(X.shape[0], chunk_rows(X)),
            )
            return distinct_rows(X, weights, np.concatenate(list(parts)))

    def _make_whitening(self, X, weights):
        if self.whiten is None:
            return None
        with stream(self.n_jobs) as run:
            return self._whitening_by(covariance_of(X, weights, run), X.dtype)

    def _whitening_by(self, covariance, dtype):
        """The `Whitening` of rows of some covariance."""
        options = {"eps": self.whiten_eps, "dtype": dtype}
        made = bounded(whitening, covariance, self.whiten, **options)
        if self.whiten == "zca":
            return made
        rank = max(1, np.count_nonzero(made.variances))
        return made._replace(matrix=made.matrix[:, :rank], inverse=made.inverse[:rank])

    def _start(self, rows, weights, init, space, random_state, run):
        if not isinstance(init, str) and space is not None:
            init = init if self.spherical else init - space.mean
            init = init @ space.matrix
        return initial_centroids(
            rows,
            weights,
            self.n_components,
            init,
            random_state,
            spherical=self.spherical,
            run=run,
        )

    def _passes(self, rows, weights, start, space, random_state, exponent):
        """Yield `Learned` after each pass over the rows, all distinct.

        `start` is how centroids start, and the rows that are drawn from for that, with
        weights of theirs; None for all.
        """
        init, drawn = start
        options = {"spherical": self.spherical, "max_iter": self.max_iter}
        with stream(self.n_jobs) as run:
            in_file = isinstance(rows, ChosenRows)
            keep = self.batch_size is None and not in_file
            rows = in_space(rows, space, run, keep=keep)
            some = rows, weights
            if drawn is not None:
                some = in_space(drawn[0], space, run), drawn[1]
            start = self._start(*some, init, space, random_state, run)
            options |= {"tol": self.tol, "run": run}
            if self.batch_size is None:
                for found in learn_centroids(rows, weights, start, **options):
                    near = found.labels, found.squares
                    yield Learned(
                        found.atoms, None, found.n_iter, found.converged, near
                    )
                return
            state = start_running(start, spherical=self.spherical)
            options["batch_size"] = self.batch_size
            options["block"] = BLOCK if in_file else None
            for found in learn_by_batches(
                rows, weights, state, random_state, **options
            ):
                running = _scaled(found.state, exponent)
                yield Learned(running.atoms, running, found.n_iter, found.converged)

    def _learn_more(self, X, weights):
        goes_on = hasattr(self, "_running")
        if goes_on:
            book = self._codebook()
            space, spherical = book.whitening, book.spherical
            state, own = Running(*self._running), copy.deepcopy(self._generator)
        else:
            n_samples = np.count_nonzero(weights)
            if not isinstance(self.init, str):  # that are not drawn from samples
                n_samples = max(n_samples, self.n_components)
            init = self._check_numbers(X, n_samples)
            space, spherical = self._make_whitening(X, weights), self.spherical
            own = np.random.RandomState(
                check_random_state(self.random_state).randint(2**32, dtype=np.uint32)
            )
        with stream(self.n_jobs) as run:
            rows = in_space(X, space, run)
            if not goes_on:
                start = self._start(rows, weights, init, space, own, run)
                state = start_running(start, spherical=spherical)
            for batch in row_chunks(X.shape[0], self.batch_size or X.shape[0]):
                state = update_centroids(
                    rows[batch],
                    weights[batch],
                    state,
                    own,
                    spherical=spherical,
                    run=run,
                ).state
        every = np.arange(X.shape[0])
        sample = Sample.of(every, weights, len(state.atoms), own)
        n_iter = self.n_iter_ + 1 if goes_on else 1
        learned = Learned(state.atoms, state, n_iter, True)
        self._store(learned, X, weights, space, sample, own, goes_on=goes_on)
        return self

    # -- what becomes of it ------------------------------------------------------

    def _store(
        self, learned, X, weights, space, sample, own, *, chosen=None, goes_on=False
    ):
        """Set the fitted attributes, all at the end: an interrupt leaves the last.

        Of X the `chosen` rows are those that `learned` tells of. With `goes_on` what is
        counted joins what has been counted.
        """
        spherical = self.gains_ is not None if goes_on else self.spherical
        book = book_of(learned, X.dtype, space, spherical)
        found = _assigned(X, book, self.n_jobs, learned.nearest, chosen)
        threshold = self._choose_threshold(X, sample, book)
        coding = bounded(self._coding, book, threshold, X)
        lengths = count_codes(X, coding, self.n_jobs)
        totals = Totals.of(found, weights, lengths, book.n_components)
        self._settle(learned, totals, book, threshold, own, goes_on=goes_on)
        self.labels_ = found.labels

    def _settle(self, learned, totals, book, threshold, own, *, goes_on=False):
        """Set all fitted attributes but the labels."""
        centroids, space, spherical = book.centroids, book.whitening, book.spherical
        counts, sizes, running = totals.counts, totals.sizes, learned.running
        if spherical and not goes_on:
            # Of two opposites, that to which most samples point.
            signs = np.where(totals.along < 0.0, -1, 1).astype(centroids.dtype)[:, None]
            centroids *= signs
            if running is not None:
                running = running._replace(atoms=running.atoms * signs)
        if running is None:
            running = _run_in(centroids, totals, spherical)
        if goes_on:
            if spherical:
                sizes = sizes + self.gains_ * self.counts_
            counts = counts + self.counts_

        self.components_, self.whitened_components_ = centroids, None
        self.mean_ = self.whitening_ = self.inverse_whitening_ = None
        if space is not None:
            self.whitened_components_ = centroids
            self.components_ = _mapped_back(book).astype(centroids.dtype)
            self.mean_ = space.mean
            self.whitening_ = space.matrix.T
            self.inverse_whitening_ = space.inverse.T
        self.n_components_ = len(centroids)
        self.n_iter_ = learned.n_iter
        self.inertia_ = totals.inertia
        self.counts_ = counts
        self.gains_ = _mean_of(sizes, counts) if spherical else None
        self.threshold_ = threshold
        self.n_nonzero_coefs_ = totals.n_nonzero / totals.weight
        self.sparsity_ = 1.0 - self.n_nonzero_coefs_ / self._n_features_out
        self._running, self._generator = tuple(running), own

    def _choose_threshold(self, X, sample, book):
        if self.encoder != "soft-threshold":
            return None
        if self.threshold != "auto":
            return float(self.threshold)
        share = DENSITY
        if self.n_nonzero_coefs is not None:
            share = min(1.0, self.n_nonzero_coefs / book.n_components)
        prepared = bounded(Directions.of, book, X)
        parts = map_chunks(
            lambda rows: prepared.products(X[sample.rows[rows]]),
            sample.rows.size,
            chunk_rows(X, book.n_components),
            self.n_jobs,
        )
        products = np.concatenate(parts)
        if book.spherical or self.split_sign:
            np.abs(products, out=products)
        return threshold_at(products, sample.weights, share)


def _assigned(X, book, n_jobs, nearest, chosen):
    """The `Assignment` of the rows of X, of which the last pass found some, or all."""
    if nearest is None:
        return assign_rows(X, book, n_jobs)
    found = Assignment.empty(X.shape[0])
    found.labels[chosen], found.squares[chosen] = nearest
    if book.spherical or book.whitening is not None:
        # Directions of float32 are made longer, to 1, and rows whitened in other parts:
        # rounding may decide otherwise.
        return assign_rows(X, book, n_jobs, found.labels)
    others = np.flatnonzero(found.labels < 0)  # without weight, or met before
    if others.size:
        rest = ChosenRows(X, others) if is_large_map(X) else _frozen(X[others])
        rest = assign_rows(rest, book, n_jobs)
        found.labels[others], found.squares[others] = rest.labels, rest.squares
    return found


def in_space(X, space, run, *, keep=False):
    """X, or its rows in the whitened space: if `keep`, of dense X all at a time."""
    if space is None:
        return _frozen(X)
    whitened = WhitenedRows(X, space)
    if sp.issparse(X) or not keep:
        return whitened
    rows = np.empty(whitened.shape, dtype=whitened.dtype)

    def fill(part):
        rows[part] = whitened[part]

    deque(run(fill, row_chunks(X.shape[0], chunk_rows(X))), maxlen=0)
    return _frozen(rows)


def _to_start_from(X, chosen, masses, n_components, random_state):
    """Rows of a large map from which a start is drawn, in memory, and their weights.

    To draw it from all rows would be a pass over the file for each centroid.
    """
    size = max(STARTERS, 4 * n_components, STARTING_NUMBERS // X.shape[1])
    if size < chosen.size:
        some = np.sort(random_state.choice(chosen.size, size, replace=False))
        chosen, masses = chosen[some], masses[some]
    return read_only(X[chosen]), masses


def _frozen(X):
    """X as kernels are compiled for it: not to be written to."""
    return read_only(X) if isinstance(X, np.ndarray) else X


def _scaled(state, exponent):
    """The state as of weights that are 2^`exponent` times as large."""
    weighed = {name: getattr(state, name) for name in ("masses", "counts", "offered")}
    return state._replace(
        **{name: np.ldexp(values, exponent) for name, values in weighed.items()}
    )


def book_of(learned, dtype, space, spherical):
    """The `Codebook` of what was learned, to find out what becomes of rows by it."""
    centroids = np.array(learned.atoms, dtype=dtype, order="C")
    return Codebook(centroids, spherical, space, None, np.zeros(centroids.shape[1]))


def _run_in(centroids, totals, spherical):
    """The state of centroids that were learned from all rows at a time."""
    # That of d is d's = sum w a^2, for the sum s of w a x, which has its direction.
    masses = totals.energies if spherical else totals.counts
    offered = np.full(masses.size, totals.weight)
    n_offered = np.full(masses.size, totals.n_rows)
    atoms = centroids.astype(np.float64)
    return Running(atoms, masses, totals.counts.copy(), offered, n_offered)


def _mapped_back(book):
    """Centroids of whitened rows in the units of rows; directions as directions."""
    if book.spherical:
        return book.atoms @ book.whitening.inverse
    return book.whitening.undo(book.atoms)


def _mean_of(sums, counts):
    """Means; where there is nothing to take one of, that of all."""
    total = counts.sum()
    return np.divide(
        sums, counts, out=np.full(counts.size, sums.sum() / total), where=counts > 0.0
    )
