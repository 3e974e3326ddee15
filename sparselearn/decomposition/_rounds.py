"""Rows of a dask collection for online learning: rounds of a few chunks each.

In a round each chunk encodes its rows where it lies; what the codes ask of the atoms is
summed in a tree, and the atoms move here. Rows come here only to be atoms.
"""

from copy import deepcopy
from functools import partial, reduce
from operator import add
from typing import NamedTuple

import numpy as np

from sparselearn._dask import brought, chunks_of, reduced
from sparselearn._parallel import bounded, row_chunks, stream
from sparselearn._solvers._code_statistics import Coded, code_rows, fill_gaps
from sparselearn._solvers._coding import has_gaps
from sparselearn._solvers._dictionary import Drawn, badly_coded, dense_rows
from sparselearn._validation import check_part_weights, row_weights
from sparselearn.decomposition._coding import RowCoding, check_rows
from sparselearn.decomposition._sums import FeatureSums, Scored

__all__ = ["RowsElsewhere", "batch_encoder"]

# Samples of a batch that a thread encodes at a time: so many at least, and so many that
# their products with atoms are no fewer than BLOCK. Less takes longer to hand over.
CHUNK = 128
BLOCK = 2**15


def batch_encoder(coder, run):
    """What `OnlineDictionary.learn` calls to encode rows, in the threads of `run`."""

    def encode(rows, atoms):
        chunks = row_chunks(rows.shape[0], max(CHUNK, BLOCK // atoms.size))
        return run(lambda chunk: coder.encode_rows(rows[chunk], atoms), chunks)

    return encode


class Survey(NamedTuple):
    """What there is to know of rows before they are learned from.

    Attributes
    ----------
    counts : tuple of (int, int)
        The number of a chunk, and how many of its rows have a weight.
    largest : float
        The largest weight of a row.
    features : FeatureSums
    dtype : dtype
        Of the first chunk.
    names : tuple of str or None
    """

    counts: tuple
    largest: float
    features: FeatureSums
    dtype: np.dtype
    names: tuple | None

    def __add__(self, other):
        for what, mine, theirs in (
            ("numbers of features", self.features.mean.size, other.features.mean.size),
            ("names of features", self.names, other.names),
        ):
            if mine != theirs:
                raise ValueError(
                    f"Chunks have different {what}: chunk {self.counts[0][0]} has "
                    f"{mine}, chunk {other.counts[0][0]} has {theirs}."
                )
        return self._replace(
            counts=self.counts + other.counts,
            largest=max(self.largest, other.largest),
            features=self.features + other.features,
        )


class Round(NamedTuple):
    """What comes of the rows of a round.

    Attributes
    ----------
    coded : Coded
    scored : Scored or None
    """

    coded: Coded
    scored: Scored | None

    def __add__(self, other):
        scored = None if self.scored is None else self.scored + other.scored
        return Round(self.coded + other.coded, scored)


class Picked(NamedTuple):
    """Some rows: float64 ndarray (n_rows, n_features)."""

    rows: np.ndarray

    def __add__(self, other):
        return Picked(np.concatenate([self.rows, other.rows]))


class _Batch:
    """The chunks of a round, with these `numbers`, as a state learns from them."""

    def __init__(self, rows, numbers, mean):
        self.rows, self.numbers, self.mean = rows, numbers, mean

    def code(self, atoms):
        function = partial(_round, self.rows.coding, atoms, self.mean)
        # How well each row is fitted stays there: it is seldom asked for.
        self.found, self._fits = reduced(
            function, self.rows.chunks, order=self.numbers, beside=True
        )
        return self.found.coded

    def bad_rows(self, atoms, n_most, random_state):
        fits = reduce(add, brought(self._fits))
        places = badly_coded(*fits, n_most, random_state)
        return self.rows.take(self.numbers, places, atoms)


class RowsElsewhere:
    """The rows of a dask collection that have a weight.

    It can stand for `Samples` where atoms to start from are looked for.

    Parameters
    ----------
    learner : MiniBatchDictionaryLearning
    X : dask array or data frame
    sample_weight : array-like, dask collection or None
    reset : bool
        Whether the features are those of X, not those that `learner` knows.

    Attributes
    ----------
    survey : Survey
    """

    def __init__(self, learner, X, sample_weight, *, reset):
        self.coding = RowCoding.of(learner)
        self.chunks = chunks_of(X, sample_weight)
        look = partial(_survey, self.coding, reset)
        self.survey = reduced(look, self.chunks, range(len(self.chunks)))
        row_weights(np.full(1, self.survey.largest), np.zeros((1, 1)))  # refuses 0
        self.tell(self.coding.bare)
        # How many rows that have a weight are in each chunk that has such, and where
        # they begin if these are numbered throughout.
        self.counts = {n: count for n, count in self.survey.counts if count}
        ends = np.cumsum(list(self.counts.values())).tolist()
        self._starts = dict(zip(self.counts, [0, *ends]))
        self.size = ends[-1]

    def tell(self, estimator):
        """Set the feature attributes of an estimator."""
        estimator.n_features_in_ = self.n_features
        if self.survey.names is None:
            vars(estimator).pop("feature_names_in_", None)
        else:
            estimator.feature_names_in_ = np.array(self.survey.names, dtype=object)

    @property
    def dtype(self):
        return self.survey.dtype

    @property
    def n_features(self):
        return self.survey.features.mean.size

    # -- rows to start from -------------------------------------------------------

    def draw(self, n_most, random_state):
        """As `Samples` does, of the same random numbers."""
        weighted = self.chunks[0][1] is not None
        notes, found = {}, None
        for number, count in self.counts.items():
            first = self._starts[number]
            if weighted:
                notes[number] = n_most, deepcopy(random_state), first
                random_state.random_sample(count)  # which the chunk draws itself
            else:
                part = Drawn.of(np.ones(count), n_most, random_state, first=first)
                found = part if found is None else found + part
        if weighted:
            look = partial(_drawn, self.survey.largest)
            weights = [(chunk[1],) for chunk in self.chunks]
            found = reduced(look, weights, notes, list(self.counts))
        return self.take(list(self.counts), found.places)

    def weighted(self, n_most, random_state):
        """Drawn samples, of equal weight."""
        return self.draw(n_most, random_state)

    def take(self, numbers, places, atoms=None):
        """Rows at `places` among those of the chunks with these `numbers`, in order."""
        order = np.argsort(places, kind="stable")
        ends = np.cumsum([self.counts[n] for n in numbers])
        parts = np.split(places[order], np.searchsorted(places[order], ends[:-1]))
        starts = ends - [self.counts[n] for n in numbers]
        notes = {
            n: part - start
            for n, part, start in zip(numbers, parts, starts)
            if part.size
        }
        if not notes:
            return np.empty((0, self.n_features))
        pick = partial(_picked, self.coding, atoms)
        rows = reduced(pick, self.chunks, notes, list(notes)).rows
        return rows[np.argsort(order)]

    # -- rounds -----------------------------------------------------------------

    def rounds(self, order, batch_size):
        """Lists of chunks, in some order, of at least so many rows but for the last."""
        numbers, n_rows = [], 0
        for number in order:
            numbers.append(number)
            n_rows += self.counts[number]
            if n_rows >= batch_size:
                yield numbers
                numbers, n_rows = [], 0
        if numbers:
            yield numbers

    def learn(self, state, *, shuffle=False, longest=None, mean=None):
        """Let a state learn in one pass; yield the `Round` of each batch.

        With a `mean` they are scored about it.
        """
        order = np.array(list(self.counts))
        if shuffle:
            state.random_state.shuffle(order)
        for numbers in self.rounds(order.tolist(), state.batch_size):
            batch = _Batch(self, numbers, mean)
            bounded(state.learn_elsewhere, batch.code, batch.bad_rows, longest=longest)
            yield batch.found

    def scored(self, components):
        """The `Scored` of all rows by these atoms."""
        atoms = self.coding.prepared(components)
        function = partial(self.coding.scored, atoms, self.survey.features.mean)
        return reduced(function, self.chunks, order=list(self.counts))


def _survey(coding, reset, X, sample_weight, note):
    """The `Survey` of the chunk with the number `note`."""
    bare = deepcopy(coding.bare)  # other chunks have it too
    X = check_rows(bare, X, missing=coding.missing, reset=reset)
    weights = check_part_weights(sample_weight, X)
    names = getattr(bare, "feature_names_in_", None)
    return Survey(
        ((note, int(np.count_nonzero(weights))),),
        float(weights.max()),
        FeatureSums.of(X, weights),
        X.dtype,
        None if names is None else tuple(names),
    )


def _drawn(largest, weights, note):
    """What is `Drawn` of a chunk, by its weights."""
    n_most, random_state, first = note
    mass = np.asarray(weights, dtype=np.float64)
    options = {"largest": largest, "first": first}
    # The state is the task's: that of the client has gone on.
    return Drawn.of(mass[mass > 0.0], n_most, deepcopy(random_state), **options)


def _round(coding, atoms, mean, X, sample_weight):
    """The `Round` of a chunk, and its `Fits`."""
    X, weights = coding.rows(X, sample_weight)
    with stream(coding.n_jobs) as run:
        encode = batch_encoder(coding.coder, run)
        coded, fits, codes = code_rows(X, weights, atoms, encode)
    if mean is None:
        return Round(coded, None), fits
    return Round(coded, Scored.of(X, codes, weights, mean, atoms.size)), fits


def _picked(coding, atoms, X, sample_weight, note):
    """The rows at `note` of those of a chunk; what is NaN as codes give it, or 0."""
    X, _ = coding.rows(X, sample_weight)
    rows = X[note]
    if atoms is not None and has_gaps(rows):
        rows = fill_gaps(rows, coding.coder.encode_rows(rows, atoms), atoms.components)
    return Picked(dense_rows(rows, slice(None)))
