"""What fitted attributes tell of rows: sums, so that they may lie anywhere."""

from typing import NamedTuple

import numpy as np

from sparselearn._parallel import bounded
from sparselearn.cluster._coding import assign_rows, count_codes

__all__ = ["Totals", "totals_of"]


class Totals(NamedTuple):
    """Sums over rows of weights times something, (n_components,) for each centroid.

    Attributes
    ----------
    counts, along, sizes, energies : float64 ndarray (n_components,)
        Of the rows of each: of 1; of their multiples of it, which are 1 unless
        centroids are directions; of the absolute values of these; of their squares.
    inertia : float
        Of squared distances.
    n_nonzero : float
        Of the non-zeros of codes.
    weight : float
        Of 1.
    n_rows : int
        How many have weight.
    """

    counts: np.ndarray
    along: np.ndarray
    sizes: np.ndarray
    energies: np.ndarray
    inertia: float
    n_nonzero: float
    weight: float
    n_rows: int

    @classmethod
    def of(cls, found, weights, lengths, n_components):
        """Of rows, their `Assignment` and the numbers of non-zeros of their codes."""
        sizes = found.sizes
        return cls(
            *[
                np.bincount(found.labels, weights * values, minlength=n_components)
                for values in (np.ones(sizes.size), sizes, np.abs(sizes), sizes**2)
            ],
            float(weights @ found.squares),
            float(weights @ lengths),
            float(weights.sum()),
            np.count_nonzero(weights),
        )

    def __add__(self, other):
        return Totals(*[a + b for a, b in zip(self, other)])


def totals_of(X, weights, *, coder, book, threshold):
    """The `Totals` of some rows, by a codebook and a coder that has the parameters."""
    found = assign_rows(X, book, 1)
    coding = bounded(coder._coding, book, threshold, X)
    lengths = count_codes(X, coding, 1)
    return Totals.of(found, weights, lengths, book.n_components)
