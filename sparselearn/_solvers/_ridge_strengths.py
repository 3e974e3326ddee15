r"""Ridge least squares of a strength that generalized cross-validation chooses.

For rows a with weights w of sum 1, and residuals r without their mean,

.. math:: \min_\delta \sum_i w_i \bigl( r_i - (a_i - m)^\top \delta \bigr)^2
    + t \sum_s \lambda_s \delta_s^2 ,

all strengths t by one decomposition.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh

__all__ = ["by_cross_validation"]

EPS = np.finfo(np.float64).eps
# What a degree of freedom counts. At 1 a fit that all but goes through the rows, by
# inputs that were chosen on them, may pass for the best one.
COST = 1.4
# Strengths, in units of the mean eigenvalue of the rows' inner products: from next to
# none to next to no change.
STRENGTHS = np.logspace(-6, 3, 19)


def by_cross_validation(a, mean, weights, residuals, ridge, *, centred):
    r"""Solve with the strength of the least generalized cross-validation error,

    .. math:: \sum_i w_i e_i(t)^2 / \bigl( 1 - 1.4 \, d(t) / n \bigr)^2 ,

    with e the errors of the fit, d its degrees of freedom and n the number of rows that
    have a weight; strengths with :math:`1.4 \, d \ge n` are out.

    Parameters
    ----------
    a : float64 ndarray or sparse array (n_rows, n_inputs)
        Never written to, and never centred where it is sparse.
    mean : float64 ndarray (n_inputs,)
        m above.
    weights : float64 ndarray (n_rows,)
    residuals : float64 ndarray (n_rows, n_outputs)
    ridge : float64 ndarray (n_inputs,)
        The lambda above, positive.
    centred : bool
        Whether a constant is fitted as well, which is a degree of freedom.

    Returns
    -------
    delta : float64 ndarray (n_inputs, n_outputs)
    strengths : float64 ndarray (n_outputs,)
        Each one's t; inf, and no change, where none is left.

    References
    ----------
    G. Golub, M. Heath, G. Wahba, "Generalized cross-validation as a method for choosing
    a good ridge parameter", Technometrics 1979. Y.-J. Kim, C. Gu, "Smoothing spline
    Gaussian regression: more scalable computation via efficient approximation", Journal
    of the Royal Statistical Society B 2004: 1.4.
    """
    roots = np.sqrt(weights)
    scaled = _Scaled(a, mean, roots, 1.0 / np.sqrt(ridge))
    right = roots[:, None] * residuals
    values, left = _left_vectors(scaled)
    delta = np.zeros((a.shape[1], right.shape[1]))
    strengths = np.full(right.shape[1], np.inf)
    if not values.size:
        return delta, strengths
    along = left.T @ right
    n_rows = np.count_nonzero(weights)
    best = np.full(right.shape[1], np.inf)
    unit = values.sum() / min(a.shape)
    chosen = np.zeros_like(along)
    for strength in unit * STRENGTHS[::-1]:
        shrunk = values / (values + strength)
        degrees = COST * (shrunk.sum() + centred)
        if degrees >= n_rows:
            break
        errors = right - left @ (shrunk[:, None] * along)
        error = np.einsum("ij,ij->j", errors, errors) / (1.0 - degrees / n_rows) ** 2
        better = error < best * (1.0 - 1e-12)
        best[better], strengths[better] = error[better], strength
        chosen[:, better] = along[:, better] / (values + strength)[:, None]
    delta[:] = scaled.transposed_times(left @ chosen)
    return delta, strengths


class _Scaled:
    r"""B: the rows :math:`\sqrt{w_i} (a_i - m) / \sqrt\lambda`, not formed."""

    def __init__(self, a, mean, roots, scale):
        self.centre, self.roots, self.scale = mean * scale, roots, scale
        self.columns = a.multiply(scale).tocsr() if sp.issparse(a) else a * scale
        self.is_wide = a.shape[0] < a.shape[1]

    def moments(self):
        """``B B'`` if there are fewer rows than inputs, else ``B' B``."""
        a, centre, roots = self.columns, self.centre, self.roots
        if self.is_wide:
            product = a @ a.T
            found = product.toarray() if sp.issparse(product) else product
            shift = a @ centre
            found += centre @ centre - shift[:, None] - shift
            found *= roots
            found *= roots[:, None]
            return found
        if sp.issparse(a):
            weighted = a.multiply(roots[:, None]).tocsr()
            shift = weighted.T @ roots
            found = (weighted.T @ weighted).toarray()
            total = roots @ roots
            found -= np.outer(shift, centre) + np.outer(centre, shift)
            found += total * np.outer(centre, centre)
            return found
        weighted = roots[:, None] * (a - centre)
        return weighted.T @ weighted

    def times(self, right):
        """``B @ right``"""
        return self.roots[:, None] * (self.columns @ right - self.centre @ right)

    def transposed_times(self, right):
        """``B' @ right``, over the roots of lambda: in units of `delta`."""
        right = self.roots[:, None] * right
        found = self.columns.T @ right - np.outer(self.centre, right.sum(axis=0))
        return self.scale[:, None] * found


def _left_vectors(scaled):
    """Squares of the singular values of B that are not 0, and its left vectors."""
    values, vectors = eigh(scaled.moments(), overwrite_a=True, check_finite=False)
    kept = values > values.size * EPS * max(values.max(initial=0.0), 0.0)
    values, vectors = values[kept], vectors[:, kept]
    if not scaled.is_wide:
        vectors = scaled.times(vectors) / np.sqrt(values)
    return values, vectors
