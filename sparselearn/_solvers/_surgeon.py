r"""Removal of weights one by one, the least costly first: the optimal brain surgeon.

Of a loss that is quadratic about the weights w, with the curvature H,

.. math:: L(v) = \frac12 (v - w)^T H (v - w),

the minimum over all v with :math:`v_j = 0` is higher by, and is attained at,

.. math::
    \rho_j = \frac{w_j^2}{2 [H^{-1}]_{jj}}, \qquad
    v = w - \frac{w_j}{[H^{-1}]_{jj}} H^{-1} e_j,

and the inverse of H without row and column j is
:math:`H^{-1} - H^{-1} e_j e_j^T H^{-1} / [H^{-1}]_{jj}` without them (Hassibi and
Stork, 1993). Least squares, in which :math:`\rho_j` is :math:`t_j^2` up to a factor,
thus becomes backward elimination, each set of weights with its exact refit.

Removing all of p weights takes p updates of rank 1. They are applied `BLOCK` at a time,
as one matrix product, to a matrix that shrinks: meanwhile a row of it is made when it
is needed, from that of the last block. When half of the weights is gone, the rest
starts anew from H, so that rounding does not grow along the path.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.linalg.lapack import dpotri

__all__ = ["Elimination", "Quadratic", "correction", "eliminate"]

BLOCK = 64
# Below this pivot a matrix with a diagonal of ones is singular for our purposes.
SINGULAR = 1e-10


class Quadratic(NamedTuple):
    """The loss about the weights of one or more outputs, as the sum over outputs.

    Attributes
    ----------
    curvature : float64 ndarray (n, n)
        H, positive semidefinite, the same for all these outputs.
    weights : float64 ndarray (n_outputs, n)
        w, one row an output.
    parts : int ndarray (n,)
        What each weight is a part of; those of one part go together, in whatever
        quadratics they are.
    damping : float
        Added to H, in units of its diagonal, where it is singular.
    """

    curvature: np.ndarray
    weights: np.ndarray
    parts: np.ndarray
    damping: float


@dataclass(frozen=True)
class Elimination:
    """Parts in the order in which they go.

    Attributes
    ----------
    order : int ndarray (n_parts,)
    rises : float64 ndarray (n_parts,)
        What the sum of all losses rises by as each goes.
    weights : list of float64 ndarray (n_parts + 1, n_outputs, n) or None
        Of each quadratic, the optimal ones after so many removals.
    """

    order: np.ndarray
    rises: np.ndarray
    weights: list | None


def eliminate(quadratics, n_parts, *, keep_weights=False):
    """Remove all parts, each time the one by which the loss rises least.

    Of parts that cost the same the last one goes first.

    Parameters
    ----------
    quadratics : sequence of Quadratic
        Not written to.
    n_parts : int
    keep_weights : bool
        Whether to return the weights at each step.

    Returns
    -------
    elimination : Elimination

    Raises
    ------
    ValueError
        If a curvature is indefinite.
    """
    surgeries = [_Surgery(quadratic, n_parts) for quadratic in quadratics]
    order, rises = np.empty(n_parts, dtype=np.int64), np.empty(n_parts)
    gone = np.zeros(n_parts, dtype=bool)
    kept = None
    if keep_weights:
        kept = [np.zeros((n_parts + 1, *q.weights.shape)) for q in quadratics]
    for step in range(n_parts):
        losses = np.where(gone, np.inf, 0.0)
        for k, surgery in enumerate(surgeries):
            surgery.add_losses(losses)
            if keep_weights:
                surgery.put_weights(kept[k][step])
        part = n_parts - 1 - int(np.argmin(losses[::-1]))
        order[step], rises[step] = part, losses[part]
        gone[part] = True
        for surgery in surgeries:
            surgery.remove(part)
    return Elimination(order, rises, kept)


def correction(curvature, moment, damping):
    """What is added to the weights that are kept when others are removed.

    Parameters
    ----------
    curvature : float64 ndarray (k, k)
        H of the kept weights.
    moment : float64 ndarray (k, n_outputs)
        ``H[kept, removed] @ w[removed]``.
    damping : float
        As of `Quadratic`.

    Returns
    -------
    step : float64 ndarray (k, n_outputs)
        ``inv(H) @ moment``.
    """
    standard, scale = _standardised(curvature)
    factor, _ = _factor(standard, damping)
    return cho_solve((factor, True), moment / scale[:, None]) / scale[:, None]


def _standardised(curvature):
    """H with a diagonal of ones, and the roots of its own.

    A weight without curvature, on an input that is constant, is by itself.
    """
    diagonal = np.diagonal(curvature)
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    standard = curvature / scale
    standard /= scale[:, None]
    np.fill_diagonal(standard, 1.0)
    return standard, scale


def _factor(standard, damping):
    """The lower Cholesky factor of `standard`, and what had to be added to it."""
    for added in (0.0, damping):
        damped = standard.copy(order="F")
        np.fill_diagonal(damped, 1.0 + added)
        try:
            factor = cholesky(damped, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            continue
        if added or np.diagonal(factor).min(initial=1.0) ** 2 > SINGULAR:
            return factor, added
    raise ValueError(
        "The curvature is indefinite, so that no weight can be said to be optimal; "
        "take criterion='magnitude', and refit='fold'."
    )


class _Surgery:
    """The weights of one `Quadratic` that are left."""

    def __init__(self, quadratic, n_parts):
        self.standard, self.scale = _standardised(quadratic.curvature)
        has_curvature = np.diagonal(quadratic.curvature) > 0.0
        self.first = np.where(has_curvature, quadratic.weights * self.scale, 0.0)
        self.parts = quadratic.parts
        self.damping = quadratic.damping
        self.pending = np.empty((BLOCK, self.parts.size))
        self.place_of = np.full(n_parts, -1)
        self._start(np.arange(self.parts.size))

    def _start(self, kept):
        """Compute everything anew for the columns `kept` of H."""
        self.n_at_start = kept.size
        standard = self.standard[np.ix_(kept, kept)]
        factor, added = _factor(standard, self.damping)
        removed = np.setdiff1d(np.arange(self.parts.size), kept)
        moment = self.standard[np.ix_(kept, removed)] @ self.first[:, removed].T
        weights = self.first[:, kept] + cho_solve((factor, True), moment).T
        inverse = dpotri(factor, lower=1)[0].T  # the upper triangle, C-ordered
        inverse = np.triu(inverse) + np.triu(inverse, 1).T
        # [H^-1]_jj is never less than 1 / H_jj.
        self.floor = 1.0 / (1.0 + added)
        self._settle(kept, inverse, weights)

    def _settle(self, columns, inverse, weights):
        self.columns, self.inverse, self.weights = columns, inverse, weights
        self.diagonal = np.maximum(np.diagonal(inverse), self.floor)
        self.alive = np.ones(columns.size, dtype=bool)
        self.n_pending = 0
        self.place_of.fill(-1)
        self.place_of[self.parts[columns]] = np.arange(columns.size)

    def add_losses(self, losses):
        """Add to the `losses` of parts what the removal of each would cost here."""
        rises = 0.5 * np.sum(self.weights**2, axis=0) / self.diagonal
        losses[self.parts[self.columns]] += rises

    def put_weights(self, out):
        """Write the weights, in their own units, into zeros."""
        out[:, self.columns] = self.weights / self.scale[self.columns]

    def remove(self, part):
        """Remove a part, if there is something of it."""
        j = self.place_of[part]
        if j < 0:
            return
        earlier = self.pending[: self.n_pending, : self.columns.size]
        row = self.inverse[j] - earlier[:, j] @ earlier
        row[~self.alive] = 0.0
        row[j] = max(row[j], self.floor)
        row /= np.sqrt(row[j])
        self.weights -= np.multiply.outer(self.weights[:, j] / row[j], row)
        self.weights[:, j] = 0.0
        self.diagonal = np.maximum(self.diagonal - row**2, self.floor)
        self.alive[j] = False
        self.place_of[part] = -1
        self.pending[self.n_pending, : row.size] = row
        self.n_pending += 1
        if self.n_pending == BLOCK:
            self._shrink()

    def _shrink(self):
        """Apply what is pending, and leave out what is gone."""
        alive = np.flatnonzero(self.alive)
        columns = self.columns[alive]
        if 0 < 2 * alive.size <= self.n_at_start:
            self._start(columns)
            return
        rows = self.pending[: self.n_pending, alive]
        inverse = self.inverse[np.ix_(alive, alive)]
        inverse -= rows.T @ rows
        self._settle(columns, inverse, self.weights[:, alive])
