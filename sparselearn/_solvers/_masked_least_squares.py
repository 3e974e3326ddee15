r"""Ridge least squares in which each output has inputs of its own.

For a matrix A of inputs and residuals R, in rows weighted by w of sum 1, and for each
output j a set S of inputs,

.. math:: \min_\delta \sum_i w_i \bigl( r_{ij} - a_{iS}^\top \delta \bigr)^2
    + \sum_{s \in S} \lambda_s \delta_s^2 .

Outputs of the same S share a factorisation.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dposv

__all__ = ["by_inputs", "by_rows", "gram"]

# Columns of a Gram matrix that are made at a time.
COLUMNS = 256


def gram(chunks, n_inputs, run):
    """The sum of ``a.T @ a`` over `chunks`, its lower triangle.

    Parameters
    ----------
    chunks : iterable of float64 ndarray (n_rows, n_inputs)
    n_inputs : int
    run : callable
        Of ``_parallel.team``.

    Returns
    -------
    gram : float64 ndarray (n_inputs, n_inputs)
    """
    total = np.zeros((n_inputs, n_inputs))
    starts = range(0, n_inputs, COLUMNS)
    for a in chunks:

        def add(start, a=a):
            block = slice(start, start + COLUMNS)
            total[start:, block] += a[:, start:].T @ a[:, block]

        run(add, starts)
    return total


def by_inputs(gram, cross, masks, ridge, run):
    """Solve by normal equations, one a set of inputs.

    Parameters
    ----------
    gram : float64 ndarray (n_inputs, n_inputs)
        ``A' W A``; only the lower triangle is read.
    cross : float64 ndarray (n_inputs, n_outputs)
        ``A' W R``.
    masks : bool ndarray (n_inputs, n_outputs)
    ridge : float64 ndarray (n_inputs,)
        The lambda above, positive.
    run : callable

    Returns
    -------
    delta : float64 ndarray (n_inputs, n_outputs)
        Zero where `masks` is False.
    """

    def solve(inputs, outputs):
        # Transposed it is in the order of LAPACK, and the lower triangle is the upper.
        system = np.take(np.take(gram, inputs, axis=0), inputs, axis=1).T
        system[np.diag_indices(inputs.size)] += ridge[inputs]
        return _positive(system, cross[np.ix_(inputs, outputs)])

    return _by_sets(solve, masks, run)


def by_rows(a, mean, roots, residuals, masks, ridge, run):
    r"""Solve by systems as large as there are rows, for fewer rows than inputs.

    With rows :math:`\tilde a_i = \sqrt{w_i} (a_i - m)`, and residuals likewise,

    .. math:: \delta = \Lambda^{-1} \tilde A_S^\top
        (I + \tilde A_S \Lambda^{-1} \tilde A_S^\top)^{-1} \tilde r .

    Parameters
    ----------
    a : float64 ndarray or csc_array (n_rows, n_inputs)
        Never centred.
    mean : float64 ndarray (n_inputs,)
    roots : float64 ndarray (n_rows,)
        Roots of the weights.
    residuals : float64 ndarray (n_rows, n_outputs)
        Without their mean.
    masks, ridge, run
        See :func:`by_inputs`.

    Returns
    -------
    delta : float64 ndarray (n_inputs, n_outputs)
    """
    right = roots[:, None] * residuals

    def solve(inputs, outputs):
        kept, centre, scale = a[:, inputs], mean[inputs], 1.0 / ridge[inputs]
        shift = kept @ (scale * centre)
        system = kept @ (kept * scale).T
        if sp.issparse(system):
            system = system.toarray()
        system += scale @ centre**2 - shift - shift[:, None]
        system *= roots * roots[:, None]
        system[np.diag_indices(roots.size)] += 1.0
        x = roots[:, None] * _positive(system.T, right[:, outputs])
        return scale[:, None] * (kept.T @ x - np.outer(centre, x.sum(axis=0)))

    return _by_sets(solve, masks, run)


def _by_sets(solve, masks, run):
    """Solve once for all outputs that have the same inputs."""
    sets = {}
    for output, column in enumerate(np.packbits(masks, axis=0).T):
        sets.setdefault(column.tobytes(), []).append(output)
    delta = np.zeros(masks.shape)

    def fill(outputs):
        inputs = np.flatnonzero(masks[:, outputs[0]])
        if inputs.size:
            delta[np.ix_(inputs, outputs)] = solve(inputs, outputs)

    run(fill, sets.values())
    return delta


def _positive(system, right):
    """Solve a positive definite system, its upper triangle given; both overwritten."""
    _, solution, _ = dposv(
        system, np.asfortranarray(right), lower=0, overwrite_a=1, overwrite_b=1
    )
    return solution
