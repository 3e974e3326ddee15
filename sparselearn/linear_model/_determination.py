"""The coefficient of determination of rows in chunks, by sums that add up."""

from typing import NamedTuple

import numpy as np

__all__ = ["ErrorSums"]


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
