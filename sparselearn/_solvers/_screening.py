"""Correlations along a path: which of them to form, and where they are going.

A correlation moves no further than the residual does,

    |x_j' S (r - r')| <= ||x_j||_S ||r - r'||_S,

so a feature that was far enough below its threshold at an earlier residual is below
it still, and its column is not read. It needs no other look: only what exceeds its
threshold can become active, or matters to a certificate. This is a safe rule in the
sense of El Ghaoui, Viallon and Rabbani (2012), with earlier residuals as centres.
"""

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._screening import extrapolate, measure_distances, refresh

__all__ = ["Correlations"]

# Residuals kept as centres; one that is older has its features read again.
CENTRES = 8
# Read what may come so near to its threshold: it is about to matter.
NEAR = 0.9
SCATTERED = 0.25
# A pass is spread over threads in pieces, where X has so many numbers.
PIECES, WORTH_SPREADING = 4, 2**20


class Correlations:
    """The correlations of all features with the residual, as far as they matter.

    Parameters
    ----------
    problem : Problem or MomentProblem
    values : ndarray (n_features,)
        At the null model; taken over.
    residual : ndarray (n_samples,)
        Of the null model; None for a MomentProblem.
    alpha : float or None
        The smallest at which the null model is optimal.

    Attributes
    ----------
    values : ndarray (n_features,)
        Of those not read again, an earlier one that is below the threshold too.
    n_passes : float
        Columns read so far, in units of all of them.
    complete : bool
        Whether all values are of the last residual.
    """

    def __init__(self, problem, values, residual, alpha):
        self.problem, self.values = problem, values
        self.n_passes, self.complete = 1.0, True
        self._slopes = np.zeros_like(values)
        self._origin = np.zeros(values.size, dtype=np.int64)
        self._lengths = np.sqrt(problem.curvature)
        # Of the residuals kept as centres: where on the path, and which is the last.
        self._alphas = np.full(CENTRES, np.inf if alpha is None else alpha)
        self._centres = None
        if residual is not None:
            self._centres = np.empty((CENTRES, residual.size))
            self._centres[0] = residual
        self._n_centres, self._now = 1, 0
        # Short columns here and there take as long as four times as many in a row.
        X = getattr(problem, "matrix", np.empty((0, 0)))
        self._share = SCATTERED if sp.issparse(X) else 1.0
        stored = X.nnz if sp.issparse(X) else X.size
        n_pieces = PIECES if stored > WORTH_SPREADING else 1
        ends = np.linspace(0, values.size, n_pieces + 1, dtype=np.int64)
        self._pieces = list(zip(ends[:-1].tolist(), ends[1:].tolist()))

    def replace(self, values, residual, alpha):
        """Take over all `values` of a solution's `residual`, at `alpha`."""
        before = self._alphas[self._origin]
        moved = (before != alpha) & np.isfinite(before) & np.isfinite(alpha)
        self._slopes[moved] = (values - self.values)[moved] / (alpha - before[moved])
        self.values = values
        self._origin[:], self._alphas[0] = 0, alpha
        if residual is not None:
            self._centres[0] = residual
        self._n_centres, self._now = 1, 0
        self.n_passes += 1.0
        self.complete = True

    def update(self, residual, penalty):
        """Form what may exceed the thresholds of `penalty` at this `residual`.

        Returns
        -------
        values : ndarray (n_features,)
        """
        problem = self.problem
        weights = problem.weights
        self._now = (self._now + 1) % CENTRES
        self._n_centres = max(self._n_centres, self._now + 1)
        self._centres[self._now] = residual
        self._alphas[self._now] = penalty.alpha
        distances = np.empty(self._n_centres)
        centres = self._centres[: self._n_centres]
        measure_distances(residual, weights, centres, distances)
        weighted = weights * residual
        state = (
            problem.design,
            weighted,
            np.sum(weighted),
            NEAR * np.atleast_1d(penalties.threshold(penalty, slice(None))),
            self._lengths,
            self.values,
            self._slopes,
            self._origin,
            self._alphas,
            distances,
            self._now,
        )
        n_read = sum(
            problem.run(
                lambda piece: refresh(*state, self._share * np.ptp(piece), *piece),
                self._pieces,
            )
        )
        self.n_passes += n_read / max(self.values.size, 1)
        self.complete = False
        return self.values

    def expected(self, alpha):
        """Where the correlations will be at `alpha` if they go on along straight lines.

        That is how they move while the support stays as it is.
        """
        expected = np.empty_like(self.values)
        extrapolate(
            self.values, self._slopes, self._origin, self._alphas, alpha, expected
        )
        return expected
