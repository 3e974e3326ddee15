"""Copies of one model that differ in how sparse they are, fitted in one pass.

A family has the problems of a fit, from `_set_up`, in a `Task`; solves them for all
twins, by `_solve_twins`; and sets a twin's attributes, by `_store_twin`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sparselearn._solvers._path import make_solver

__all__ = ["Task", "solve_twins"]


class Task(NamedTuple):
    """What a fit has to solve, whatever its alpha.

    Parameters
    ----------
    problems : list
        One for each target, or class.
    penalty_at : callable
        alpha -> penalty.
    dtype : dtype
        That of X, and of coefficients.
    single : bool
        Whether there is one target, without an axis.
    """

    problems: list
    penalty_at: Callable
    dtype: np.dtype
    single: bool


def solve_twins(twins, problem, penalty_at, *, make=make_solver, solve=None):
    """Solve one problem for all twins: down one path of their alphas.

    Parameters
    ----------
    twins : list of estimator
        They differ in `alpha` or in `n_nonzero_coefs`.
    problem
    penalty_at : callable
    make : callable
        As `make_solver`.
    solve : callable, optional
        ``solve(twin, problem, penalty_at, start)`` for numbers of non-zeros, each of
        which has a path of its own; None is ``type(twin)._solve``.

    Returns
    -------
    found : list of (float, Solution)
        The alpha in use and the solution of each twin.
    """
    if any(twin.n_nonzero_coefs is not None for twin in twins):
        solve = solve or type(twins[0])._solve
        return [solve(twin, problem, penalty_at, None) for twin in twins]
    found, solver = [None] * len(twins), None
    for k in np.argsort([-twin.alpha for twin in twins], kind="stable"):
        twin = twins[k]
        penalty = penalty_at(twin.alpha)
        # At alpha = 0 every feature is unpenalised: a problem of another kind.
        if solver is None or twin.alpha == 0.0:
            start = None if solver is None else solver.start
            solver = make(problem, penalty, start=start, n_solves=len(twins))
        solution = solver.solve(penalty, tol=twin.tol, max_iter=twin.max_iter)
        found[k] = twin.alpha, solution
    return found
