"""Which parameter of an estimator says how sparse it is, and which values to try."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn import decomposition, linear_model, svm
from sklearn.pipeline import Pipeline
from sklearn.svm import l1_min_c
from sklearn.utils.class_weight import compute_sample_weight

from sparselearn._solvers._path import alpha_grid
from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import SparseCoder
from sparselearn.decomposition._learner import DictionaryLearner
from sparselearn.linear_model import (
    OrthogonalMatchingPursuit,
    SparseLogisticRegression,
    alpha_max,
)
from sparselearn.linear_model import _fit_path as linear
from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.pruning import Pruner

__all__ = ["LARGER_IS_SPARSER", "grid_of", "parameter_of"]

# Whether of a parameter, or a figure, of that name larger values are sparser.
LARGER_IS_SPARSER = {
    "C": False,
    "alpha": True,
    "group_l1": True,
    "l1": True,
    "n_nonzero": False,
    "n_nonzero_coefs": False,
    "sparsity": True,
    "threshold": True,
    "transform_alpha": True,
    "transform_n_nonzero_coefs": False,
}
# The smallest alpha over the largest, and the largest C over the smallest.
EPS = 1e-3
EPS_OF_CLASSES = 1e-2
# The smallest density of a pruned model.
LEAST_DENSITY = 0.01


class _Family(NamedTuple):
    """Estimators with the same parameter of sparsity.

    Parameters
    ----------
    classes : tuple of type
    parameter : callable
        ``parameter(estimator)``; None where this one makes no zeros.
    grid : callable or None
        ``grid(estimator, parameter, n_values, X, y, params)``: values to try, or None,
        also for a parameter that it does not know.
    """

    classes: tuple
    parameter: Callable
    grid: Callable | None = None


# -- parameters ---------------------------------------------------------------


def _always(name):
    return lambda estimator: name


def _of_own_linear(model):
    if linear.has_path(model, "n_nonzero_coefs") and model.n_nonzero_coefs is not None:
        return "n_nonzero_coefs"
    return "alpha" if linear.has_path(model, "alpha") else None


def _of_coder(coder):
    if getattr(coder, "coder", None) is not None:
        return f"coder__{_of_coder(coder.coder)}"
    by_alpha = coder.alpha is not None or coder.method == "group-lasso"
    return "alpha" if by_alpha and coder.n_nonzero_coefs is None else "n_nonzero_coefs"


def _of_network(network):
    return "group_l1" if network.group_l1 else "l1"


def _of_pruner(pruner):
    given = ("n_nonzero_coefs", "threshold")
    return next((n for n in given if getattr(pruner, n) is not None), "sparsity")


def _of_margin(model):
    """That of a model with `C`, if its penalty is the L1 one."""
    penalty = getattr(model, "penalty", None)
    ratio = getattr(model, "l1_ratio", None) or 0.0
    # Since 1.8, LogisticRegression says it by `l1_ratio` alone.
    sparse = penalty == "l1" or (ratio > 0.0 and penalty not in ("l2", None))
    return "C" if sparse else None


def _of_descent(model):
    return "alpha" if model.penalty in ("l1", "elasticnet") else None


def _of_transform(coder):
    by_alpha = coder.transform_alpha is not None
    return "transform_alpha" if by_alpha else "transform_n_nonzero_coefs"


# -- grids --------------------------------------------------------------------


def _alphas(model, parameter, n_values, X, y, params):
    if parameter != "alpha":
        return _sizes(model, parameter, n_values, X, y, params)
    if not linear.has_path(model, "alpha"):
        return None
    largest = linear.largest_alpha(model, X, y, **params)
    if largest is None:
        return None
    has_classes = hasattr(type(model), "predict_proba")
    eps = EPS_OF_CLASSES if has_classes else EPS
    return alpha_grid(largest, n_values, eps).tolist()


def _sizes(model, parameter, n_values, X, y, params):
    """Numbers of features, in geometric steps from 1 to half the rows or all."""
    if parameter != "n_nonzero_coefs":
        return None
    n_rows, n_features = X.shape if hasattr(X, "shape") else np.shape(X)
    most = max(min(n_rows // 2, n_features), 1)
    return np.unique(np.geomspace(1, most, n_values).round().astype(int)).tolist()


def _shares(pruner, parameter, n_values, X, y, params):
    """Densities in geometric steps; what a weight has to be worth is not known."""
    if parameter != "sparsity":
        return None
    return (1.0 - np.geomspace(1.0, LEAST_DENSITY, n_values)).tolist()


def _alphas_of_lasso(model, parameter, n_values, X, y, params):
    options = {"fit_intercept": model.fit_intercept, "positive": model.positive}
    ratio = getattr(model, "l1_ratio", 1.0)
    if parameter != "alpha" or not ratio:
        return None
    largest = alpha_max(X, y, l1_ratio=ratio, **options, **params)
    return alpha_grid(largest, n_values, EPS).tolist()


def _margins(model, parameter, n_values, X, y, params):
    if parameter != "C":
        return None
    has_log_loss = isinstance(model, linear_model.LogisticRegression)
    if has_log_loss and model.solver != "liblinear":
        least = _least_margin(model, X, y, **params)
    else:  # liblinear, which penalises the intercept
        loss = "log" if has_log_loss else "squared_hinge"
        options = {
            "fit_intercept": model.fit_intercept,
            "intercept_scaling": model.intercept_scaling,
        }
        least = l1_min_c(X, y, loss=loss, **options)
    return np.geomspace(least, least / EPS, n_values).tolist()


def _least_margin(model, X, y, sample_weight=None):
    """The largest C that leaves no feature, in units of our alpha's."""
    twin = SparseLogisticRegression(
        l1_ratio=getattr(model, "l1_ratio", None) or 1.0,
        class_weight=model.class_weight,
        fit_intercept=model.fit_intercept,
    )
    weights = compute_sample_weight(model.class_weight, y)
    total = np.sum(weights if sample_weight is None else weights * sample_weight)
    return 1.0 / (linear.largest_alpha(twin, X, y, sample_weight) * total)


_OWN_NETWORKS = SparseMLPClassifier, SparseMLPRegressor
_LASSOS = linear_model.Lasso, linear_model.ElasticNet
_BY_ALPHA = (
    linear_model.MultiTaskLasso,
    linear_model.MultiTaskElasticNet,
    linear_model.LassoLars,
    decomposition.SparsePCA,
    decomposition.MiniBatchSparsePCA,
)
_BY_SIZE = linear_model.OrthogonalMatchingPursuit, linear_model.Lars
_BY_TRANSFORM = (
    decomposition.SparseCoder,
    decomposition.DictionaryLearning,
    decomposition.MiniBatchDictionaryLearning,
)

# The first that fits; of subclasses, before their bases.
FAMILIES = (
    _Family((OrthogonalMatchingPursuit,), _always("n_nonzero_coefs"), _sizes),
    _Family(linear.FAMILIES, _of_own_linear, _alphas),
    _Family((SparseCoder, DictionaryLearner), _of_coder),
    _Family((KMeansCoder, SparseAutoencoder), _always("n_nonzero_coefs")),
    _Family(_OWN_NETWORKS, _of_network),
    _Family((Pruner,), _of_pruner, _shares),
    _Family(_BY_ALPHA, _always("alpha")),
    _Family(_LASSOS, _always("alpha"), _alphas_of_lasso),
    _Family(_BY_SIZE, _always("n_nonzero_coefs"), _sizes),
    _Family((linear_model.LogisticRegression, svm.LinearSVC), _of_margin, _margins),
    _Family((linear_model.SGDClassifier, linear_model.SGDRegressor), _of_descent),
    _Family(_BY_TRANSFORM, _of_transform),
)


def _family_of(estimator):
    return next((row for row in FAMILIES if isinstance(estimator, row.classes)), None)


def parameter_of(estimator):
    """The parameter of an estimator that says how sparse it is, or None.

    Of a pipeline, that of the last of its steps that has one.
    """
    if not isinstance(estimator, Pipeline):
        family = _family_of(estimator)
        return None if family is None else family.parameter(estimator)
    for name, step in reversed(estimator.steps):
        found = parameter_of(step)
        if found is not None:
            return f"{name}__{found}"
    return None


def grid_of(estimator, parameter, n_values, X, y, params):
    """Values to try, or None where data do not tell.

    Parameters
    ----------
    estimator : estimator
        Itself, not a pipeline.
    parameter : str
    n_values : int
        About how many.
    X, y
        What it is fitted to.
    params : dict
        Of its `fit`.

    Returns
    -------
    values : list or None
    """
    family = _family_of(estimator)
    if family is None or family.grid is None:
        return None
    return family.grid(estimator, parameter, n_values, X, y, params)
