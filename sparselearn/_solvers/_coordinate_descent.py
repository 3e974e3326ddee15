"""Working sets and coordinate descent, stopped by a duality gap.

1. Certify the coefficients: one pass over X gives the gap and all correlations.
2. If gap <= tol * (objective of w = 0), stop.
3. Let the working set be the support, its earlier members, and the features that
   violate optimality most, at most as many again.
4. Descend on the working set until a step is worth little against the gap; go to 1.

(Johnson and Guestrin, 2015; Massias, Gramfort and Salmon, 2018.)
"""

from dataclasses import dataclass

import numpy as np

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import descend
from sparselearn._kernels._jit import for_specs, registered
from sparselearn._solvers._certificates import Certificate, Certifier

__all__ = ["Solution", "solve"]

SMALLEST_WORKING_SET = 10
MAX_EPOCHS_A_ROUND = 1000


@dataclass(frozen=True)
class Solution:
    """Coefficients with their certificate.

    Attributes
    ----------
    coef : float64 ndarray (n_features,)
    certificate : Certificate
    n_iter : int
        Epochs of descent over the working set.
    converged : bool
        Whether the gap met the tolerance.
    """

    coef: np.ndarray
    certificate: Certificate
    n_iter: int
    converged: bool


def solve(
    problem, penalty, *, tol, max_iter, start=None, candidates=None, certifier=None
):
    """Minimise the squared loss plus `penalty`.

    Parameters
    ----------
    problem : Problem
        With a target.
    penalty : spec
        Convex, with `prox`, `value`, `conjugate`, `dual_scale` and
        `subdifferential_distance` registered; TypeError otherwise.
    tol : float
        Stop at a duality gap of `tol` times the objective of w = 0.
    max_iter : int
        At most so many epochs.
    start : ndarray (n_features,), optional
        Where to start; not written to.
    candidates : ndarray of int, optional
        Features likely to be active, the first working set.
    certifier : Certifier, optional
        One that serves several penalties.

    Returns
    -------
    Solution
    """
    require_formulas(penalty)
    n_features = problem.curvature.size
    coef = np.zeros(n_features) if start is None else start.astype(np.float64)
    coef[problem.curvature == 0.0] = 0.0
    certify = certifier or Certifier(problem, penalty)
    epochs = for_specs(descend, penalty)
    target_gap = tol * problem.null_value

    certificate = certify(penalty, coef)
    working = np.zeros(n_features, dtype=bool)
    if candidates is not None:
        working[candidates] = True
    n_iter, precision = 0, 1e-2
    while certificate.gap > target_gap and n_iter < max_iter:
        grown = _grow(working, problem, penalty, coef, certificate.correlation)
        if not grown:
            precision *= 0.1
        u = problem.weights * certificate.residual
        done, _ = epochs(
            problem.design,
            penalty,
            problem.curvature,
            np.flatnonzero(working),
            coef,
            u,
            0.0,
            min(max_iter - n_iter, MAX_EPOCHS_A_ROUND),
            precision * max(certificate.gap, target_gap),
        )
        n_iter += done
        certificate = certify(penalty, coef)
    return Solution(coef, certificate, n_iter, bool(certificate.gap <= target_gap))


def _grow(working, problem, penalty, coef, correlation):
    """Add the worst violators to the mask `working`; return how many."""
    working |= coef != 0.0
    violation = penalties.subdifferential_distance(
        penalty, coef, correlation, slice(None)
    )
    violation[working | (problem.curvature == 0.0)] = 0.0
    # In units of the objective: a step along x_j gains violation^2 / (2 L_j).
    gain = violation**2 / np.where(problem.curvature > 0.0, problem.curvature, 1.0)
    room = max(SMALLEST_WORKING_SET, np.count_nonzero(coef), working.sum() // 2)
    worst = np.flatnonzero(gain)
    if worst.size > room:
        worst = worst[np.argpartition(gain[worst], -room)[-room:]]
    working[worst] = True
    return worst.size


def require_formulas(penalty):
    """Raise the TypeError that names what `penalty` lacks, before any kernel does."""
    for formula in (
        penalties.prox,
        penalties.value,
        penalties.conjugate,
        penalties.dual_scale,
        penalties.subdifferential_distance,
    ):
        if not registered(formula, type(penalty)):
            formula(penalty)
