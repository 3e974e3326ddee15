"""Samples in memory to learn from, and those of them that are held out.

`Samples` are what a fit has of its data, and `_chunks.ChunkedSamples` the same of a
dask collection: both give the parts of an epoch, and sums over the samples.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import train_test_split

from sparselearn._solvers._batches import BLOCK, Pass, shuffled
from sparselearn._solvers._maps import is_mapped
from sparselearn._solvers._spread import spread_of
from sparselearn._solvers._training import Part

__all__ = ["Hold", "Samples", "split", "spread"]


def split(places, fraction, random_state, *, classes=None):
    """Draw rows to hold out.

    Parameters
    ----------
    places : ndarray of int
        The rows that there are.
    fraction : float
        The share of them to hold out; at least one is, and one is not.
    random_state : RandomState
    classes : ndarray (n_places,), optional
        Both parts get their share of each.

    Returns
    -------
    training, held_out : ndarray of int, ascending

    Raises
    ------
    ValueError
        If there is one row, or one of a class.
    """
    if places.size < 2:
        raise ValueError(
            "early_stopping=True needs at least 2 samples of positive weight: some are "
            f"held out. Got {places.size}."
        )
    n_held_out = min(max(1, round(fraction * places.size)), places.size - 1)
    training, held_out = train_test_split(
        places, test_size=n_held_out, random_state=random_state, stratify=classes
    )
    return np.sort(training), np.sort(held_out)


class Hold(NamedTuple):
    """Which rows are held out: a share, drawn.

    Attributes
    ----------
    fraction : float
    seed : int
    """

    fraction: float
    seed: int

    def split(self, places, classes=None, number=None):
        """Rows to learn from and rows held out, ascending.

        Parameters
        ----------
        places : ndarray of int
        classes : ndarray (n_places,), optional
        number : int, optional
            Of the chunk of rows, one of several; None if these are all. Of a chunk
            ``fraction * n`` rows, of each class, are held out on average: chance says
            whether that is rounded up or down, and a chunk may have a single row.
        """
        if number is None:
            seeded = np.random.RandomState(self.seed)
            return split(places, self.fraction, seeded, classes=classes)
        draw = np.random.default_rng([self.seed, number])
        groups = [places]
        if classes is not None:
            groups = [places[classes == label] for label in np.unique(classes)]
        held_out = [places[:0]]
        for group in groups:
            n_held_out = int(self.fraction * group.size + draw.random())
            held_out.append(draw.permutation(group)[:n_held_out])
        held_out = np.sort(np.concatenate(held_out))
        return np.setdiff1d(places, held_out), held_out


@dataclass
class Samples:
    """Rows in memory.

    Attributes
    ----------
    X : ndarray or csr_array (n_rows, n_features)
    weights : float64 ndarray (n_rows,) or None
        None for all one.
    places : ndarray of int
        The rows to learn from.
    held_out : ndarray of int or None
        The rows to score.
    y : ndarray (n_rows,) or (n_rows, n_outputs), or None
        None if X is what is to be rebuilt.
    coding : ClassCoding or NumberCoding, or None
        How y is the last layer's output.
    """

    X: object
    weights: np.ndarray | None
    places: np.ndarray
    held_out: np.ndarray | None = None
    y: np.ndarray | None = None
    coding: object = None
    _targets: object = None

    @classmethod
    def of(cls, X, weights, *, y=None, coding=None, hold=None, strata=None, note=None):
        """Those of positive weight, and as `hold` says some of them held out.

        Parameters
        ----------
        hold : Hold or None
        strata : ndarray (n_rows,) or None
            Classes, of which held-out rows get their share.
        note : int or None
            The `number` of a chunk for `hold`.
        """
        places = np.arange(X.shape[0]) if weights is None else np.flatnonzero(weights)
        held_out = None
        if hold is not None:
            strata = None if strata is None else strata[places]
            places, held_out = hold.split(places, strata, note)
        return cls(X, weights, places, held_out, y, coding)

    @property
    def n_features(self):
        return self.X.shape[1]

    @property
    def dtype(self):
        return self.X.dtype

    @property
    def n_rows(self):
        """How many there are to learn from."""
        return self.places.size

    @property
    def mass(self):
        """The sum of their weights."""
        return self.weights_of(self.places).sum()

    def weights_of(self, places):
        return np.ones(places.size) if self.weights is None else self.weights[places]

    def spread(self):
        """The `Spread` of the rows to learn from."""
        return spread(self)

    def even_rows(self, n, *, before=0.0, mass=None):
        """Rows of X to learn from, at `n` even steps of the weights of all.

        A row that occurs twice is as one of weight 2, and X may be sorted.

        Parameters
        ----------
        before, mass : float
            The weight of rows that come before these, and of all.
        """
        ends = np.cumsum(self.weights_of(self.places))
        steps = (np.arange(n) + 0.5) / n * (ends[-1] if mass is None else mass) - before
        steps = steps[(steps > 0.0) & (steps <= ends[-1])]
        return self.X[self.places[np.searchsorted(ends, steps)]]

    def parts(self, see, batch_size, *, random_state=None, noise=None):
        """The `Part` that an epoch is, in an iterator.

        Parameters
        ----------
        see : callable
            ``see(X)`` are the `Rows` of X as a learner sees them.
        batch_size : int
        random_state : RandomState, optional
            Draws the order of the rows; None leaves it.
        noise : Noise, optional
        """
        rows, order = see(self.X), self.places
        if random_state is not None:
            block = BLOCK if is_mapped(self.X) else None
            order = shuffled(self.places, random_state, block=block)
        if self.y is not None and self._targets is None:
            present = self.coding.present(self.y, self.weights)
            self._targets = self.coding.targets(present, rows.dtype)
        passing = Pass(
            rows,
            order,
            batch_size,
            targets=self._targets,
            weights=self.weights,
            noise=noise,
        )
        return iter([Part(passing)])

    def total(self, function, run):
        """``function(self, run)``; see `ChunkedSamples.total`."""
        return function(self, run)


def spread(samples):
    """The `Spread` of the rows of `Samples` that are to be learned from, or None."""
    if not samples.n_rows:
        return None
    weights = np.zeros(samples.X.shape[0])
    weights[samples.places] = samples.weights_of(samples.places)
    return spread_of(samples.X, weights)


def stacked(parts):
    """Rows of several X as those of one."""
    return sp.vstack(parts, "csr") if sp.issparse(parts[0]) else np.concatenate(parts)
