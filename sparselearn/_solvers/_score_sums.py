"""Scores of predictions for rows in parts, by sums that add up.

A class of sums scores a predictor: ``of(y, predicted, sample_weight)`` are those of
some rows, or None if they have no weight; they add up, and have a `score`.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["AccuracySums", "ErrorSums"]


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
    weight : float
    mean : ndarray (n_targets,)
        Of y.
    square : ndarray (n_targets,)
        Of y less its mean.
    error : ndarray (n_targets,)
        Of y less what was predicted.
    """

    weight: float
    mean: np.ndarray
    square: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, y, predicted, sample_weight=None):
        """Those of a chunk."""
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        weights = np.asarray(weights, dtype=np.float64)
        weight = weights.sum()
        if not weight:
            return None
        mean = weights @ y / weight
        error = y - np.reshape(predicted, y.shape)
        return cls(weight, mean, weights @ (y - mean) ** 2, weights @ error**2)

    def __add__(self, other):
        """Those of both (Chan, Golub and LeVeque, 1983)."""
        weight, step = self.weight + other.weight, other.mean - self.mean
        between = self.weight * other.weight / weight
        return ErrorSums(
            weight,
            self.mean + other.weight / weight * step,
            self.square + other.square + between * step**2,
            self.error + other.error,
        )

    def score(self):
        """R2, the mean over the targets; of a constant target 1 if all are right."""
        explained = np.where(self.error > 0.0, 0.0, 1.0)
        varies = self.square > 0.0
        explained[varies] = 1.0 - self.error[varies] / self.square[varies]
        return float(explained.mean())
