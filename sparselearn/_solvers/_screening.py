"""Correlations along a path: which of them to form, and where they are going.

Correlations are linear in the residual: with those of two earlier residuals, r_1 and
r_2, the one with ``r_0 = a r_1 + b r_2`` is known too. And from there it moves no
further than the residual does,

    |x_j' S (r - r_0)| <= ||x_j||_S ||r - r_0||_S.

So a feature for which that stays below its threshold, with r_0 the combination nearest
to r, need not be looked at, and its column is not read: only what exceeds its threshold
can become active, or matters to a certificate. The rule is safe in the sense of El
Ghaoui, Viallon and Rabbani (2012). On a path residuals change along straight lines
while the support stays, so r_0 is near.
"""

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._screening import combine_centres, extrapolate, refresh

__all__ = ["Correlations"]

# Residuals kept as centres; what is known of older ones only is formed again.
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
        At the null model.
    residual : ndarray (n_samples,)
        Of the null model; None for a MomentProblem.
    alpha : float or None
        The smallest at which the null model is optimal.

    Attributes
    ----------
    values : ndarray (n_features,)
        The last ones; of features that were not read, what is known.
    n_passes : float
        Columns read so far, in units of all of them.
    complete : bool
        Whether all were formed for the last residual.
    """

    def __init__(self, problem, values, residual, alpha):
        self.problem = problem
        self.n_passes, self.complete = 1.0, True
        self._lengths = np.sqrt(problem.curvature)
        # Of each feature the last two correlations, and which residuals these are of.
        self.values, self._known = values, np.vstack([values, values])
        self._alpha = np.inf if alpha is None else alpha
        self._last = np.zeros(values.size, dtype=np.int64)
        self._before = np.zeros(values.size, dtype=np.int64)
        # Of the residuals kept: where on the path, and their products.
        self._alphas = np.full(CENTRES, self._alpha)
        self._products = np.zeros((CENTRES, CENTRES))
        self._centres = np.empty((CENTRES, 0 if residual is None else residual.size))
        self._n_centres, self._now = 1, 0
        if residual is not None:
            self._centres[0] = residual
            self._products[0, 0] = np.sum(problem.weights * residual**2)
        # Short columns here and there take as long as four times as many in a row.
        X = getattr(problem, "matrix", np.empty((0, 0)))
        self._share = SCATTERED if sp.issparse(X) else 1.0
        stored = X.nnz if sp.issparse(X) else X.size
        n_pieces = PIECES if stored > WORTH_SPREADING else 1
        ends = np.linspace(0, values.size, n_pieces + 1, dtype=np.int64)
        self._pieces = list(zip(ends[:-1].tolist(), ends[1:].tolist()))

    def replace(self, values, residual, alpha):
        """Take over all `values` of a solution's `residual`, at `alpha`."""
        self._n_centres = 1
        if self.complete:
            # What was known is all of one residual too: the one before.
            self._n_centres = 2
            self._alphas[1], self._centres[1] = self._alphas[0], self._centres[0]
            self._products[1, 1] = self._products[0, 0]
        self._known[1] = self._known[0] if self.complete else values
        self._before[:] = self._n_centres - 1
        self._known[0], self._last[:], self._alphas[0] = values, 0, alpha
        if residual is not None:
            self._centres[0] = residual
            weighted = self.problem.weights * residual
            products = self._centres[: self._n_centres] @ weighted
            self._products[: self._n_centres, 0] = products
            self._products[0, : self._n_centres] = products
        self.values, self._alpha = values, alpha
        self._now = self._n_centres - 1
        self.n_passes += 1.0
        self.complete = True

    def update(self, residual, penalty, active=()):
        """Form what may exceed the thresholds of `penalty` at this `residual`.

        Those of the features `active` are formed in any case.

        Returns
        -------
        values : ndarray (n_features,)
            Of features that were not read, what is known; below the threshold too.
        """
        problem = self.problem
        self._now = (self._now + 1) % CENTRES
        self._n_centres = max(self._n_centres, self._now + 1)
        self._centres[self._now] = residual
        self._alphas[self._now] = penalty.alpha
        first, second, distances = np.empty((3, CENTRES, CENTRES))
        combine_centres(
            problem.weights,
            self._centres[: self._n_centres],
            self._now,
            self._products,
            first,
            second,
            distances,
        )
        limits = np.empty(self._last.size)
        limits[:] = NEAR * penalties.threshold(penalty, slice(None))
        limits[np.asarray(active, dtype=np.int64)] = 0.0
        weighted = problem.weights * residual
        values = np.empty(self._last.size)

        def piece(ends):
            return refresh(
                problem.design,
                weighted,
                np.sum(weighted),
                limits,
                self._lengths,
                self._known,
                self._last,
                self._before,
                first,
                second,
                distances,
                self._now,
                self._share * np.ptp(ends),
                *ends,
                values,
            )

        n_read = sum(problem.run(piece, self._pieces))
        self.n_passes += n_read / max(values.size, 1)
        self.values, self._alpha = values, penalty.alpha
        self.complete = False
        return values

    def expected(self, alpha):
        """Where the correlations will be at `alpha` if they go on along straight lines.

        That is how they move while the support stays as it is.
        """
        expected = np.empty_like(self.values)
        extrapolate(
            self.values,
            self._known,
            self._last,
            self._before,
            self._alphas,
            alpha - self._alpha,
            expected,
        )
        return expected
