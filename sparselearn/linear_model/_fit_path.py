"""Fitted models at several alphas, or numbers of non-zeros, for little more than one.

A search over a model's sparsity asks for this, and for the alphas worth asking for.
"""

from copy import copy

from sklearn.base import clone

from sparselearn._parallel import team
from sparselearn.linear_model._base import SquaredLossRegressor
from sparselearn.linear_model._glm_regressors import GlmRegressor
from sparselearn.linear_model._logistic import SparseLogisticRegression
from sparselearn.linear_model._omp import OrthogonalMatchingPursuit
from sparselearn.linear_model._sparse_glm import SparseGLMRegressor

__all__ = ["FAMILIES", "fit_path", "has_path", "largest_alpha"]

FAMILIES = SquaredLossRegressor, GlmRegressor, SparseLogisticRegression


def has_path(model, parameter):
    """Whether `fit_path` fits such a model at several values of `parameter`."""
    if isinstance(model, OrthogonalMatchingPursuit):
        return parameter == "n_nonzero_coefs"
    is_path = isinstance(model, FAMILIES) and not isinstance(model, SparseGLMRegressor)
    # A model that chooses its own alpha has no such parameter.
    return is_path and parameter in _sizes(model)


def _sizes(model):
    return {"alpha", "n_nonzero_coefs"} & model.get_params(deep=False).keys()


def fit_path(model, parameter, values, X, y, sample_weight=None):
    """Copies of a model fitted with each of the values of a parameter.

    They are what ``clone(model).set_params(parameter=value).fit(X, y)`` is, to the
    model's `tol`, and but for what tells of the way there: `n_iter_`, `n_passes_` and
    the like are those of the path so far.

    Parameters
    ----------
    model : estimator
        For which `has_path` says yes; it is not changed.
    parameter : {"alpha", "n_nonzero_coefs"}
    values : sequence
        In any order.
    X, y, sample_weight
        As for ``model.fit``.

    Returns
    -------
    models : list of estimator
        In the order of `values`.

    Raises
    ------
    ValueError
        As ``model.fit``, if it does so at any of the values.

    Warns
    -----
    ConvergenceWarning
        For each model, as ``model.fit``.
    """
    first = clone(model)
    for value in values:
        first.set_params(**{parameter: value})
        first._validate_params()

    def make_twins():
        twins = [copy(first) for _ in values]
        for twin, value in zip(twins, values):
            setattr(twin, parameter, value)
        return twins

    if isinstance(model, OrthogonalMatchingPursuit):
        return first._fit_twins(make_twins, X, y, sample_weight)
    with team() as run:
        task = first._set_up(X, y, sample_weight, run)
        twins, penalty_at = make_twins(), task.penalty_at
        solved = first._with_shared_sums(task.problems, penalty_at(1.0), len(values))
        found = [first._solve_twins(twins, problem, penalty_at) for problem in solved]
    for twin, of_problems in zip(twins, zip(*found)):
        twin._store_twin(task, *zip(*of_problems))
    return twins


def largest_alpha(model, X, y, sample_weight=None):
    """The smallest alpha at which the penalised coefficients of `model` are all 0.

    Parameters
    ----------
    model : estimator
        For which ``has_path(model, "alpha")``; it is not changed.
    X, y, sample_weight
        As for ``model.fit``.

    Returns
    -------
    alpha : float or None
        The largest over the targets; None where the penalty makes no zeros.
    """
    model = clone(model)
    model._validate_params()
    if not model._selects:
        return None
    with team() as run:
        task = model._set_up(X, y, sample_weight, run)
        alphas = [model._largest_alpha(p, task.penalty_at) for p in task.problems]
    return float(max(alphas))
