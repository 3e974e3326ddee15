"""The share of the Poisson deviance that is explained, by sums that add up."""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

__all__ = ["DevianceSums"]


# Not a `Spread`: what lies between two means is a divergence, not a square.
class DevianceSums(NamedTuple):
    """Weighted sums over rows.

    Attributes
    ----------
    weight : float
    mean : float
        Of y.
    spread : float
        Half the deviance of y from its mean.
    error : float
        Half the deviance of y from what was predicted.
    """

    weight: float
    mean: float
    spread: float
    error: float

    @classmethod
    def of(cls, y, predicted, sample_weight=None):
        """Those of a part, or None of rows without weight."""
        y = np.asarray(y, dtype=np.float64)
        if not (np.isfinite(y).all() and np.all(y >= 0.0)):
            raise ValueError(f"y must be finite and >= 0; its least is {y.min()}.")
        predicted = np.asarray(predicted, dtype=np.float64)
        if y.shape != predicted.shape:
            raise ValueError(
                f"y has shape {y.shape}, and what is predicted {predicted.shape}."
            )
        weights = np.ones(y.size) if sample_weight is None else sample_weight
        weights = np.asarray(weights, dtype=np.float64)
        weight = float(weights.sum())
        if not weight:
            return None
        mean = float(weights @ y / weight)
        spread, error = (weights @ _half_deviance(y, z) for z in (mean, predicted))
        return cls(weight, mean, float(spread), float(error))

    def __add__(self, other):
        """Those of both: none of the terms is negative, so none cancels another."""
        weight = self.weight + other.weight
        mean = self.mean + other.weight / weight * (other.mean - self.mean)
        between = sum(s.weight * _half_deviance(s.mean, mean) for s in (self, other))
        spread = self.spread + other.spread + float(between)
        return DevianceSums(weight, mean, spread, self.error + other.error)

    def score(self):
        """1 less the deviance over that from the mean; of constant y 1 at best."""
        if self.spread == 0.0:
            return float(self.error == 0.0)
        return 1.0 - self.error / self.spread


def _half_deviance(y, mean):
    """``y log(y / mean) - y + mean``; of a y of 0 the mean."""
    y = np.asarray(y)
    with np.errstate(divide="ignore"):
        ratio = np.divide(y, mean, out=np.ones(y.shape), where=y > 0.0)
    return xlogy(y, ratio) - y + mean
