"""Figures of samples and their codes, as sums that add up over parts of the rows."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks
from sparselearn._solvers._coding import stack_rows

__all__ = ["CodeSums", "ErrorSums", "FeatureSums", "Scored", "chunk_rows"]

# Rows a chunk: their products with a few hundred atoms stay in the cache. Fewer where
# a row or its code is so long that a chunk would be of more numbers than BLOCK.
CHUNK = 512
BLOCK = 2**22


def chunk_rows(X, n_components=1):
    """How many rows of X are encoded at a time."""
    width = n_components if sp.issparse(X) else max(n_components, X.shape[1])
    return max(1, min(CHUNK, BLOCK // width))


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
        if sp.issparse(X):
            total = weights.sum()
            return cls(np.full(X.shape[1], total), X.T @ weights / total)
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


class ErrorSums(NamedTuple):
    """Weighted sums of squares over entries, of which R2 is made.

    Attributes
    ----------
    error : float
        Of X less what codes stand for.
    variation : float
        Of X less a mean.
    total : float
        The size of X, to which rounding is in proportion.
    """

    error: float
    variation: float
    total: float

    @classmethod
    def of(cls, X, codes, weights, mean):
        """Of all entries that are not NaN."""
        spread = _variation(X, weights, mean)
        total = spread + weights.sum() * (mean @ mean)
        return cls(float(weights @ codes.errors), spread, float(total))

    @classmethod
    def of_hidden(cls, X, codes, weights, mean, components, held_out):
        """Of the entries that `held_out` is true for."""
        sums = np.zeros(3)
        stacked = stack_rows(
            codes.data, codes.indices, codes.lengths, components.shape[0]
        )
        for rows in row_chunks(X.shape[0], chunk_rows(X)):
            hidden = np.where(held_out[rows], X[rows], np.nan)
            for k, fit in enumerate((stacked[rows] @ components, mean, 0.0)):
                sums[k] += weights[rows] @ _squares(hidden - fit)
        return cls(*sums.tolist())

    def __add__(self, other):
        return ErrorSums(*np.add(self, other).tolist())

    def explained(self):
        """R2 about the mean, weighted by variance."""
        if self.variation == 0.0:
            # An error of so small a share of all is rounding.
            return float(self.error <= 64.0 * np.finfo(np.float64).eps * self.total)
        return float(1.0 - self.error / self.variation)


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
    errors : ErrorSums
    """

    codes: CodeSums
    errors: ErrorSums

    @classmethod
    def of(cls, X, codes, weights, mean, n_components):
        sums = CodeSums.of(codes, weights, n_components)
        return cls(sums, ErrorSums.of(X, codes, weights, mean))

    def __add__(self, other):
        return Scored(self.codes + other.codes, self.errors + other.errors)
