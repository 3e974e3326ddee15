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

import itertools

import numpy as np
import scipy.sparse as sp

from sparselearn import penalties
from sparselearn._kernels._jit import registered
from sparselearn._kernels._screening import (
    approaching,
    combine_centres,
    expect,
    read,
    renew,
    screen,
)

__all__ = ["Correlations"]

# Read what may come so near to its threshold: it is about to matter.
NEAR = 0.95
# Residuals kept as centres.
CENTRES = 16
# Short columns here and there take as long as four times as many in a row.
SCATTERED = 0.25
# Reading is spread over threads in pieces, where it is of so many numbers.
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
        self._last = np.zeros(values.size, dtype=np.uint8)
        self._before = np.zeros(values.size, dtype=np.uint8)
        # Of the residuals kept: where on the path, how often they are referred to,
        # and their products.
        self._alpha = np.inf if alpha is None else alpha
        self._alphas = np.full(CENTRES, self._alpha)
        self._uses = np.zeros(CENTRES, dtype=np.int64)
        self._uses[0] = 2 * values.size
        self._now = self._previous = 0
        self._products = np.zeros((CENTRES, CENTRES))
        self._centres = np.empty((CENTRES, 0 if residual is None else residual.size))
        if residual is not None:
            self._centres[0] = residual
            self._products[0, 0] = np.sum(problem.weights * residual**2)
        X = getattr(problem, "matrix", np.empty((0, 0)))
        self._share = SCATTERED if sp.issparse(X) else 1.0
        stored = X.nnz if sp.issparse(X) else X.size
        self._length = stored / max(values.size, 1)
        # Fresh memory of this size is slow to come by.
        self._found = np.empty(values.size, dtype=np.int64)
        self._ahead = np.empty(values.size)

    def replace(self, values, residual, alpha):
        """Take over all `values` of a solution's `residual`, at `alpha`."""
        older = 0
        if self.complete:
            # What was known is all of one residual too: the one before.
            older = 1
            self._alphas[1], self._centres[1] = self._alphas[0], self._centres[0]
            self._products[1, 1] = self._products[0, 0]
        self._known[1] = self._known[0] if self.complete else values
        self._known[0], self._last[:], self._before[:] = values, 0, older
        self._uses[:] = 0
        self._uses[0] += values.size
        self._uses[older] += values.size
        self._alphas[0] = alpha
        self._now, self._previous = 0, older
        if residual is not None:
            self._centres[0] = residual
            products = self._centres[: older + 1] @ (self.problem.weights * residual)
            self._products[: older + 1, 0] = self._products[0, : older + 1] = products
        self.values, self._alpha = values, alpha
        self.n_passes += 1.0
        self.complete = True

    def update(self, residual, penalty, active):
        """Form what may exceed the thresholds of `penalty` at this `residual`.

        Those of the features `active`, in order, are formed in any case.

        Returns
        -------
        values : ndarray (n_features,)
            Of features that were not read, what is known; below the threshold too.
            The next update overwrites them.
        """
        now = self._next_centre()
        self._centres[now], self._alphas[now] = residual, penalty.alpha
        tables = np.empty((3, CENTRES, CENTRES))
        combine_centres(
            self.problem.weights,
            self._centres,
            self._uses,
            now,
            self._products,
            *tables,
        )
        values = self.values
        n_stale = screen(
            NEAR * _thresholds(penalty),
            self._lengths,
            active,
            self._known,
            self._last,
            self._before,
            self._uses,
            *tables,
            now,
            values,
            self._found,
        )
        stale = self._found[:n_stale]
        if n_stale > self._share * values.size:
            stale = np.arange(values.size)
        fresh = self._read(stale, self.problem.weights * residual)
        state = self._known, self._last, self._before, self._uses
        renew(stale, fresh, now, *state, values)
        self.n_passes += stale.size / max(values.size, 1)
        self._alpha = penalty.alpha
        self.complete = False
        return values

    def _next_centre(self):
        """Which residual the next one takes the place of, from now on `_now`.

        It is one that few features know of, but none of the last two: what is read
        every time is known of these, and where it goes is told from them.
        """
        uses = self._uses.copy()
        uses[[self._now, self._previous]] = np.iinfo(uses.dtype).max
        self._now, self._previous = int(np.argmin(uses)), self._now
        return self._now

    def _read(self, features, u):
        """The correlations of `features` with `u`, weighted already."""
        problem, total = self.problem, np.sum(u)
        fresh = np.empty(features.size)

        def piece(ends):
            part = slice(*ends)
            read(problem.design, features[part], u, total, fresh[part])

        if features.size * self._length > WORTH_SPREADING:
            ends = np.linspace(0, features.size, PIECES + 1).astype(int)
            problem.run(piece, itertools.pairwise(ends))
        else:
            # To hand it to a thread would take longer.
            piece((0, features.size))
        return fresh

    def expected(self, alpha, features):
        """Where the correlations of `features` will be at `alpha`.

        That is if they go on along straight lines, as they do while the support stays.
        """
        out = np.empty(features.size)
        expect(*self._course(alpha), features, out)
        return out

    def approaching(self, alpha, penalty, outside):
        """The features `outside` expected at `alpha` to exceed a `penalty`'s threshold.

        `outside` is an ndarray of bool (n_features,).

        Returns
        -------
        features : ndarray of int
        expected : ndarray
            See :meth:`expected`.
        """
        n_found = approaching(
            *self._course(alpha),
            _thresholds(penalty),
            outside,
            self._found,
            self._ahead,
        )
        return self._found[:n_found].copy(), self._ahead[:n_found].copy()

    def _course(self, alpha):
        """What kernels need to tell where correlations will be at `alpha`."""
        # From inf, where there was no alpha, to inf is no step.
        step = alpha - self._alpha if np.isfinite(self._alpha) else np.inf
        state = self.values, self._known, self._last, self._before
        return *state, self._alphas, step


def _thresholds(penalty):
    """The thresholds of all features, or one for all, as kernels take them."""
    if not registered(penalties.threshold, type(penalty)):
        return np.full(1, -np.inf)  # none is known
    return np.atleast_1d(penalties.threshold(penalty, slice(None)))
