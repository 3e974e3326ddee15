"""Scores of predictions for rows in parts, by sums that add up.

A class of sums scores a predictor: ``of(y, predicted, sample_weight)`` are those of
some rows, or None if they have no weight; they add up, and have a `score`.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._solvers._spread import Spread, is_constant, spread_of

__all__ = ["AccuracySums", "ErrorSums", "ReconstructionSums"]


class AccuracySums(NamedTuple):
    """Weighted sums over rows.

    Attributes
    ----------
    weight : float
    right : float
        Of the rows whose class, or all of whose labels, were predicted.
    """

    weight: float
    right: float

    @classmethod
    def of(cls, y, predicted, sample_weight=None):
        """Those of a part."""
        y, predicted = np.asarray(y), np.asarray(predicted)
        if y.ndim == 2 and y.shape[1] == 1 and predicted.ndim == 1:
            y = y[:, 0]
        if y.shape != predicted.shape:
            raise ValueError(
                f"y has shape {y.shape}, and what is predicted {predicted.shape}."
            )
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        weights = np.asarray(weights, dtype=np.float64)
        weight = float(weights.sum())
        if not weight:
            return None
        right = (y == predicted).reshape(len(y), -1).all(axis=1)
        return cls(weight, float(weights[right].sum()))

    def __add__(self, other):
        """Those of both."""
        return AccuracySums(self.weight + other.weight, self.right + other.right)

    def score(self):
        """The accuracy."""
        return self.right / self.weight


class ErrorSums(NamedTuple):
    """Weighted sums over rows, of each target.

    Attributes
    ----------
    targets : Spread
        Of y.
    error : ndarray (n_targets,)
        Of the squares of y less what was predicted.
    """

    targets: Spread
    error: np.ndarray

    @classmethod
    def of(cls, y, predicted, sample_weight=None):
        """Those of a chunk."""
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        weights = np.asarray(weights, dtype=np.float64)
        if not weights.any():
            return None
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        error = y - np.reshape(predicted, y.shape)
        return cls(spread_of(y, weights), weights @ error**2)

    def __add__(self, other):
        """Those of both."""
        return ErrorSums(self.targets + other.targets, self.error + other.error)

    def score(self):
        """R2, the mean over the targets; of a constant target 1 if all are right."""
        explained = np.where(self.error > 0.0, 0.0, 1.0)
        weight, mean, square = self.targets
        varies = ~is_constant(square / weight, mean)
        explained[varies] = 1.0 - self.error[varies] / square[varies]
        return float(explained.mean())


class ReconstructionSums(NamedTuple):
    """Weighted sums of squares over entries of rows, of which R2 is made.

    Attributes
    ----------
    error : float
        Of X less what it is rebuilt as.
    variation : float
        Of X less the mean of the training data: known, so that these sums just add up.
    square : float
        Of X, to which rounding is in proportion.
    """

    error: float
    variation: float
    square: float

    def __add__(self, other):
        """Those of both."""
        return ReconstructionSums(*(a + b for a, b in zip(self, other)))

    def score(self):
        """R2 about the mean, weighted by variance."""
        if self.variation == 0.0:
            # An error of so small a share of all is rounding.
            return float(self.error <= 64.0 * np.finfo(np.float64).eps * self.square)
        return float(1.0 - self.error / self.variation)
