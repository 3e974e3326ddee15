"""From the flat parameters of an estimator to a coder: one function a method."""

from numbers import Real

import numpy as np

from sparselearn._solvers._group_coder import GroupCoder
from sparselearn._solvers._iht_coder import IHTCoder
from sparselearn._solvers._lasso_coder import LassoCoder
from sparselearn._solvers._pursuit_coder import PursuitCoder
from sparselearn._solvers._threshold_coder import ThresholdCoder

__all__ = ["METHODS", "USES", "make_coder"]

# A tenth of the smallest alpha that makes a row's code 0, where no alpha is given.
RELATIVE_ALPHA = 0.1
# Non-zeros of a greedy code of which nothing else is asked.
N_NONZERO = 10
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


def _pursuit(parameters, *, optimised=False):
    n_nonzero, alpha = parameters.n_nonzero_coefs, parameters.alpha
    if n_nonzero is None and alpha is None and parameters.tol is None:
        n_nonzero = N_NONZERO
    options = {} if alpha is None else _alpha(parameters)
    return PursuitCoder(
        n_nonzero,
        **options,
        tol=parameters.tol,
        positive=parameters.positive,
        optimised=optimised,
    )


def _optimised_pursuit(parameters):
    return _pursuit(parameters, optimised=True)


def _iht(parameters):
    return IHTCoder(
        parameters.n_nonzero_coefs or N_NONZERO,
        positive=parameters.positive,
        max_iter=parameters.max_iter,
    )


def _gap(parameters):
    return GAP if parameters.tol is None else float(parameters.tol)


def _lasso(parameters):
    options = {"alpha": 0.0}
    if parameters.n_nonzero_coefs is None:
        options = _alpha(parameters)
    elif parameters.alpha is not None:
        raise ValueError(
            f"alpha={parameters.alpha} and n_nonzero_coefs="
            f"{parameters.n_nonzero_coefs} with method='lasso': each says where on the "
            "path the code is. Give one of them."
        )
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
            "method='group-lasso' needs groups: a list of lists of atoms, or an "
            "array with a label for each atom."
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
    "omp": _pursuit,
    "ormp": _optimised_pursuit,
    "iht": _iht,
    "lasso": _lasso,
    "group-lasso": _group_lasso,
    "threshold": _threshold,
    "hard-threshold": _hard_threshold,
}


# Which of the parameters that mean nothing to some methods mean something to each.
USES = {
    "omp": {"n_nonzero_coefs", "alpha", "tol"},
    "ormp": {"n_nonzero_coefs", "alpha", "tol"},
    "iht": {"n_nonzero_coefs"},
    "lasso": {"n_nonzero_coefs", "alpha", "tol", "l1_ratio", "penalty_weights"},
    "group-lasso": {"alpha", "tol", "groups"},
    "threshold": {"n_nonzero_coefs", "alpha"},
    "hard-threshold": {"n_nonzero_coefs", "alpha"},
}
# Their values where they are not given.
UNUSED = {
    "alpha": None,
    "n_nonzero_coefs": None,
    "tol": None,
    "l1_ratio": 1.0,
    "penalty_weights": None,
    "groups": None,
}


def make_coder(parameters):
    """The coder that an estimator's parameters describe.

    Parameters
    ----------
    parameters : SparseCoder

    Returns
    -------
    Coder

    Raises
    ------
    ValueError
        If a parameter is given that means nothing to the method.
    """
    method = parameters.method
    for name in UNUSED.keys() - USES[method]:
        value = getattr(parameters, name)
        silent = isinstance(value, Real) and value == UNUSED[name]
        if value is not None and not silent:
            others = sorted(other for other, used in USES.items() if name in used)
            raise ValueError(
                f"method={method!r} does not use {name}, got {name}={value!r}. "
                f"Methods that use it: {', '.join(map(repr, others))}."
            )
    return METHODS[method](parameters)
