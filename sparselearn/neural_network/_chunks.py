"""Samples in the chunks of a dask collection, of which one after another comes here.

What is summed over samples is summed where chunks lie; learning takes place here, in
steps of some samples of one chunk, and meanwhile the next chunk is fetched.
"""

import copy
import functools
from typing import NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier

from sparselearn._dask import chunks_of, reduced, stream
from sparselearn._parallel import bounded
from sparselearn.neural_network._samples import stacked
from sparselearn.neural_network._targets import TargetFacts

__all__ = ["ChunkedSamples", "Reader", "Seen"]


class Seen(NamedTuple):
    """What is to be known of all chunks before learning begins; it adds up.

    Attributes
    ----------
    n_features : int
    names : tuple of str or None
    dtype : dtype
    n_rows, n_held_out : int
        Of positive weight.
    masses : dict of int to float
        Of each chunk, by its number, the weight of the rows to learn from.
    targets : TargetFacts or None
    sums : object or None
        What else was asked for.
    """

    n_features: int
    names: tuple | None
    dtype: np.dtype
    n_rows: int
    n_held_out: int
    masses: dict
    targets: TargetFacts | None
    sums: object

    def __add__(self, other):
        """That of both; ValueError if they are of different features."""
        for what, mine, theirs in [
            ("Numbers of features", self.n_features, other.n_features),
            ("Names of features", self.names, other.names),
        ]:
            if mine != theirs:
                raise ValueError(f"{what} of chunks differ: {mine}, and {theirs}.")
        return self._replace(
            dtype=np.result_type(self.dtype, other.dtype),
            n_rows=self.n_rows + other.n_rows,
            n_held_out=self.n_held_out + other.n_held_out,
            masses=self.masses | other.masses,
            targets=_sum(self.targets, other.targets),
            sums=_sum(self.sums, other.sums),
        )


def _sum(left, right):
    if left is None or right is None:
        return right if left is None else left
    return left + right


class Gathered(NamedTuple):
    """Rows of X; the sum of two are those of the first and then those of the second."""

    X: object

    def __add__(self, other):
        return Gathered(stacked([self.X, other.X]))


class Reader(NamedTuple):
    """What makes `Samples` of a chunk; it pickles.

    Attributes
    ----------
    estimator : object
        An unfitted twin of the one that is fitted, which reads by its `_read_chunk`.
        It knows what features chunks are to have, if that is known.
    alone : bool
        Whether there is one chunk, whose samples are all.
    options : dict
        Of `_read_chunk`.
    """

    estimator: object
    alone: bool
    options: dict

    @classmethod
    def of(cls, estimator, chunks, *, first, **options):
        """One for `estimator`; the `first` time it forgets what features it knew."""
        twin = clone(estimator)
        if not first:
            _tell(twin, estimator)
        return cls(twin, len(chunks) == 1, options)

    def __call__(self, X, y, weights, *, note):
        """The samples of chunk `note`."""
        return self.read(X, y, weights, note)[0]

    def read(self, X, y, weights, number):
        """Samples, and the estimator that has read them, which knows their features."""
        reader = copy.copy(self.estimator)  # threads read at the same time
        samples = reader._read_chunk(
            X,
            y,
            weights,
            reset=not hasattr(reader, "n_features_in_"),
            note=None if self.alone else number,
            **self.options,
        )
        return samples, reader

    def knowing(self, seen, **options):
        """The reader of later rounds."""
        twin = copy.copy(self.estimator)
        _adopt(twin, seen)
        return self._replace(estimator=twin, options=self.options | options)


def _tell(twin, estimator):
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, name):
            setattr(twin, name, getattr(estimator, name))


def _adopt(estimator, seen):
    """Let an estimator know the features of a collection."""
    estimator.n_features_in_ = seen.n_features
    vars(estimator).pop("feature_names_in_", None)
    if seen.names is not None:
        estimator.feature_names_in_ = np.array(seen.names, dtype=object)


def _look(read, sums, X, y, weights, *, note):
    """What is `Seen` of a chunk."""
    samples, reader = read.read(X, y, weights, note)
    names = getattr(reader, "feature_names_in_", None)
    targets = None
    if samples.y is not None:
        classified = is_classifier(reader)
        targets = TargetFacts.of(samples.y, samples.weights, classified=classified)
    return Seen(
        n_features=samples.n_features,
        names=None if names is None else tuple(names),
        dtype=samples.dtype,
        n_rows=samples.n_rows,
        n_held_out=0 if samples.held_out is None else samples.held_out.size,
        masses={note: float(samples.mass)},
        targets=targets,
        sums=None if sums is None else sums(samples),
    )


def _of_chunk(read, function, *chunk, note):
    return bounded(function, read(*chunk, note=note), map)


def _even_rows(n, mass, samples, before):
    rows = samples.even_rows(n, before=before, mass=mass) if samples.n_rows else None
    return None if rows is None or not rows.shape[0] else Gathered(rows)


def _even_rows_of(read, n, mass, *chunk, note):
    number, before = note
    return _even_rows(n, mass, read(*chunk, note=number), before)


class ChunkedSamples:
    """The `Samples` of a dask collection.

    Parameters
    ----------
    estimator : object
        With ``_read_chunk(X, y, weights, *, reset, note, ...)``, which checks a chunk
        and gives its `Samples`; it may all have no weight.
    X : dask array or data frame
    y, sample_weight : array-like, dask collection or None
    first : bool
        Whether the estimator forgets what features it was fitted to before.
    **options : dict
        For `_read_chunk`.
    """

    def __init__(self, estimator, X, y=None, sample_weight=None, *, first, **options):
        self.chunks = chunks_of(X, y, sample_weight)
        self.read = Reader.of(estimator, self.chunks, first=first, **options)
        self.seen = self.coding = None

    def look(self, estimator, sums=None):
        """See what there is, in a round, and tell `estimator` of the features.

        Parameters
        ----------
        estimator : object
            Told of the features.
        sums : callable, optional
            ``sums(samples)`` is something else to sum; it becomes ``seen.sums``.
        """
        look = functools.partial(_look, self.read, sums)
        self.seen = seen = reduced(look, self.chunks, range(len(self.chunks)))
        if not seen.n_rows + seen.n_held_out:
            raise ValueError(
                "sample_weight is zero for every sample: there is nothing to learn."
            )
        holds = self.read.options.get("hold") is not None
        if not seen.n_rows or (holds and not seen.n_held_out):
            raise ValueError(
                f"early_stopping=True holds out {seen.n_held_out} of "
                f"{seen.n_rows + seen.n_held_out} samples of positive weight: some are "
                "to be held out, and some to be learned from. Change "
                "validation_fraction."
            )
        _adopt(estimator, seen)
        self.read = self.read.knowing(seen)

    @property
    def n_features(self):
        return self.seen.n_features

    @property
    def dtype(self):
        return self.seen.dtype

    @property
    def n_rows(self):
        """How many there are to learn from."""
        return self.seen.n_rows

    @property
    def mass(self):
        """The sum of their weights."""
        return sum(self.seen.masses[n] for n in sorted(self.seen.masses))

    def spread(self):
        """The `Spread` of the rows to learn from."""
        return self.seen.sums

    def even_rows(self, n):
        """Rows of X to learn from, at `n` even steps of their weights."""
        before, notes = 0.0, []
        for number in range(len(self.chunks)):
            notes.append((number, before))
            before += self.seen.masses.get(number, 0.0)
        found = functools.partial(_even_rows_of, self.read, n, before)
        return reduced(found, self.chunks, notes).X

    def parts(self, see, batch_size, *, random_state=None, noise=None):
        """The parts of an epoch, a chunk each; see `Samples.parts`.

        Chunks come in an order that `random_state` draws, or as they are.
        """
        n_chunks, n_before = len(self.chunks), 0
        order = range(n_chunks)
        if random_state is not None:
            order = random_state.permutation(n_chunks)
        for samples in stream(self.read, self.chunks, order, range(n_chunks)):
            n_rows = samples.n_rows
            if n_rows:
                (part,) = samples.parts(
                    see, batch_size, random_state=random_state, noise=noise
                )
                samples = None
                shares = n_before / self.n_rows, n_rows / self.n_rows
                part = [part._replace(before=shares[0], share=shares[1])]
                yield part.pop()  # and hold it no longer
                n_before += n_rows

    def total(self, function, run=None):
        """The sum over the chunks of ``function(samples, map)``, where they lie.

        Parameters
        ----------
        function : callable
            It pickles, and gives None for samples of which it uses none.
        run : Ignored
            Threads are for what is here.
        """
        found = functools.partial(_of_chunk, self.read, function)
        return reduced(found, self.chunks, range(len(self.chunks)))
