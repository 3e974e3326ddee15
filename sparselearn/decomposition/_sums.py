"""Figures of samples and their codes, as sums that add up over parts of the rows."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks
from sparselearn._solvers._coding import stack_rows
from sparselearn._solvers._score_sums import ReconstructionSums

__all__ = [
    "CodeSums",
    "FeatureSums",
    "Scored",
    "chunk_rows",
    "errors_of",
    "hidden_errors_of",
]

# Rows a chunk: their products with a few hundred atoms stay in the cache. Fewer where
# a row or its code is so long that a chunk would be of more numbers than BLOCK.
CHUNK = 512
BLOCK = 2**22


def chunk_rows(X, n_components=1):
    """How many rows of X are encoded at a time."""
    width = n_components if sp.issparse(X) else max(n_components, X.shape[1])
    return max(1, min(CHUNK, BLOCK // width))


# Not a `Spread`: where entries are missing, each feature has a weight of its own.
class FeatureSums(NamedTuple):
    """Weighted means of the features over what is not NaN.

    Attributes
    ----------
    masses : ndarray (n_features,)
        Of each feature the weight of the samples that have it.
    mean : ndarray (n_features,)
        0 where no sample does.
    """

    masses: np.ndarray
    mean: np.ndarray

    @classmethod
    def of(cls, X, weights):
        """Those of a part, whose weights may all be 0."""
        if sp.issparse(X):
            sums, masses = X.T @ weights, np.full(X.shape[1], weights.sum())
        else:
            sums, masses = np.zeros((2, X.shape[1]))
            for rows in row_chunks(X.shape[0], chunk_rows(X)):
                seen = ~np.isnan(X[rows])
                sums += weights[rows] @ np.where(seen, X[rows], 0.0)
                masses += weights[rows] @ seen
        return cls(masses, np.divide(sums, masses, out=sums, where=masses > 0.0))

    def __add__(self, other):
        total = self.masses + other.masses
        share = np.divide(
            other.masses, total, out=np.zeros(total.size), where=total > 0.0
        )
        return FeatureSums(total, self.mean + share * (other.mean - self.mean))


def _variation(X, weights, mean):
    """``sum_ij s_i (x_ij - mean_j)²`` over what is not NaN."""
    if sp.issparse(X):
        # What is not stored adds mean_j² each.
        inside = np.repeat(weights, np.diff(X.indptr))
        stored = inside @ (X.data - mean[X.indices]) ** 2
        outside = weights.sum() - np.bincount(X.indices, inside, minlength=mean.size)
        return float(stored + outside @ mean**2)
    total = 0.0
    for rows in row_chunks(X.shape[0], chunk_rows(X)):
        total += weights[rows] @ _squares(X[rows] - mean)
    return float(total)


def _squares(deviations):
    """Sums of squares of the rows of what is not NaN."""
    deviations = np.where(np.isnan(deviations), 0.0, deviations)
    return np.einsum("ij,ij->i", deviations, deviations)


def errors_of(X, codes, weights, mean):
    """The `ReconstructionSums` of all entries that are not NaN."""
    variation = _variation(X, weights, mean)
    square = variation + float(weights.sum() * (mean @ mean))
    return ReconstructionSums(float(weights @ codes.errors), variation, square)


def hidden_errors_of(X, codes, weights, mean, components, held_out):
    """The `ReconstructionSums` of the entries that `held_out` is true for."""
    sums = np.zeros(3)
    stacked = stack_rows(codes.data, codes.indices, codes.lengths, components.shape[0])
    for rows in row_chunks(X.shape[0], chunk_rows(X)):
        hidden = np.where(held_out[rows], X[rows], np.nan)
        for k, fit in enumerate((stacked[rows] @ components, mean, 0.0)):
            sums[k] += weights[rows] @ _squares(hidden - fit)
    return ReconstructionSums(*sums.tolist())


class CodeSums(NamedTuple):
    """How codes use the atoms, and what they cost, over some samples.

    Attributes
    ----------
    weight : float
        Of the samples.
    usage : ndarray (n_components,)
        Weight of the samples that use each atom.
    objective : float
        Half the squared errors and the penalties, weighted.
    error : float
        The squared errors, weighted.
    n_samples, n_nonzero : int
    n_late : int
        Samples whose code ran out of iterations.
    """

    weight: float
    usage: np.ndarray
    objective: float
    error: float
    n_samples: int
    n_nonzero: int
    n_late: int

    @classmethod
    def of(cls, codes, weights, n_components):
        mass = np.repeat(weights, codes.lengths)
        return cls(
            float(weights.sum()),
            np.bincount(codes.indices, mass, minlength=n_components),
            float(weights @ (0.5 * codes.errors + codes.penalties)),
            float(weights @ codes.errors),
            codes.status.size,
            codes.data.size,
            int(np.count_nonzero(codes.status == 1)),
        )

    def __add__(self, other):
        return CodeSums(*(mine + theirs for mine, theirs in zip(self, other)))


class Scored(NamedTuple):
    """What is told of some samples and their codes.

    Attributes
    ----------
    codes : CodeSums
    errors : ReconstructionSums
    """

    codes: CodeSums
    errors: ReconstructionSums

    @classmethod
    def of(cls, X, codes, weights, mean, n_components):
        sums = CodeSums.of(codes, weights, n_components)
        return cls(sums, errors_of(X, codes, weights, mean))

    def __add__(self, other):
        return Scored(self.codes + other.codes, self.errors + other.errors)
