"""From the flat parameters of an estimator to a coder: one function a method."""

import numpy as np

from sparselearn._solvers._group_coder import GroupCoder
from sparselearn._solvers._lasso_coder import LassoCoder
from sparselearn._solvers._threshold_coder import ThresholdCoder

__all__ = ["METHODS", "make_coder"]

# A tenth of the smallest alpha that makes a row's code 0, where no alpha is given.
RELATIVE_ALPHA = 0.1
# The relative duality gap where no tol is given.
GAP = 1e-6


def _alpha(parameters):
    """The given alpha and whether it is relative, or the default."""
    if parameters.alpha is None:
        return {"alpha": RELATIVE_ALPHA, "relative": True}
    relative = parameters.alpha_mode == "relative"
    return {"alpha": float(parameters.alpha), "relative": relative}


def _threshold(parameters, *, hard=False):
    options = {"alpha": 0.0}
    if parameters.alpha is not None or parameters.n_nonzero_coefs is None:
        options = _alpha(parameters)
    return ThresholdCoder(
        **options,
        hard=hard,
        n_nonzero=parameters.n_nonzero_coefs,
        positive=parameters.positive,
    )


def _hard_threshold(parameters):
    return _threshold(parameters, hard=True)


def _gap(parameters):
    return GAP if parameters.tol is None else float(parameters.tol)


def _lasso(parameters):
    options = {"alpha": 0.0}
    if parameters.alpha is not None or parameters.n_nonzero_coefs is None:
        options = _alpha(parameters)
    weights = parameters.penalty_weights
    if weights is not None:
        weights = np.array(weights, dtype=np.float64)
    return LassoCoder(
        **options,
        n_nonzero=parameters.n_nonzero_coefs,
        l1_ratio=float(parameters.l1_ratio),
        positive=parameters.positive,
        penalty_weights=weights,
        tol=_gap(parameters),
        max_iter=parameters.max_iter,
    )


def _group_lasso(parameters):
    if parameters.groups is None:
        raise ValueError(
            "method='group-lasso' needs groups: a list of lists of atoms, an array "
            "with a label for each atom, or how many neighbours are a group."
        )
    if parameters.n_nonzero_coefs is not None:
        raise ValueError(
            f"n_nonzero_coefs={parameters.n_nonzero_coefs} with method='group-lasso': "
            "groups are chosen by alpha."
        )
    return GroupCoder(
        _hashable(parameters.groups),
        **_alpha(parameters),
        positive=parameters.positive,
        tol=_gap(parameters),
        max_iter=parameters.max_iter,
    )


def _hashable(groups):
    """Lists and arrays as tuples, to any depth."""
    if isinstance(groups, np.ndarray):
        groups = groups.tolist()
    if isinstance(groups, list | tuple):
        return tuple(map(_hashable, groups))
    return groups


METHODS = {
    "lasso": _lasso,
    "group-lasso": _group_lasso,
    "threshold": _threshold,
    "hard-threshold": _hard_threshold,
}


def make_coder(parameters):
    """The coder that an estimator's parameters describe.

    Parameters
    ----------
    parameters : SparseCoder

    Returns
    -------
    Coder
    """
    return METHODS[parameters.method](parameters)
