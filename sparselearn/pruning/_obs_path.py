"""All models on the way from a fitted linear model to its constant."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import validate_params
from sparselearn._solvers._surgeon import eliminate
from sparselearn.pruning._adapters._linear import LinearAdapter
from sparselearn.pruning._criteria._surgeon import quadratics_of
from sparselearn.pruning._procedure import check_parts, observe
from sparselearn.pruning._refits._surgeon import constants_of, shortened

__all__ = ["ObsPath", "obs_path"]


@dataclass(frozen=True)
class ObsPath:
    """What :func:`obs_path` returns: a model for each number k of features.

    Attributes
    ----------
    order : ndarray of shape (n_features,)
        Features in the order in which they are removed.
    rises : ndarray of shape (n_features,)
        What the loss rises by as each goes.
    coefs : float64 ndarray of shape (n_features + 1, ...), then as ``coef_``
        ``coefs[k]`` has k features.
    intercepts : float64 ndarray of shape (n_features + 1, ...), then as ``intercept_``
    """

    order: np.ndarray
    rises: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray


@validate_params(
    {"X": ["array-like", "sparse matrix"], "sample_weight": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def obs_path(estimator, X, *, sample_weight=None):
    """Remove the features of a fitted linear model one by one, the least costly first.

    By optimal brain surgeon: each time the feature goes by which the loss rises least,
    and the others are corrected. It is what :func:`prune` does by ``criterion="obs"``,
    ``granularity="feature"`` and ``refit="obs"``, for all numbers of features at once:
    of least squares the path of backward elimination, each model the least-squares fit
    to its features. The time is in proportion to the cube of their number.

    Parameters
    ----------
    estimator : estimator
        A fitted linear model, of at most 4000 features; it is not changed.
    X : array-like or sparse array of shape (n_samples, n_features)
        The rows that it was fitted to, or others.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    path : ObsPath

    Raises
    ------
    TypeError
        If it is no linear model.
    ValueError
        If there are more than 4000 features.

    References
    ----------
    B. Hassibi, D. Stork, "Second order derivatives for network pruning: optimal brain
    surgeon", NeurIPS 1993.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LinearRegression
    >>> from sparselearn.pruning import obs_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = obs_path(LinearRegression().fit(X, y), X)
    >>> path.order
    array([0, 6, 9, 7, 5, 1, 4, 3, 8, 2])
    >>> path.coefs[2].nonzero()[0]
    array([2, 8])
    """
    check_parts(estimator, "feature")
    check_is_fitted(estimator)
    blocks, data = observe(estimator, X, sample_weight=sample_weight)
    if not isinstance(data.adapter, LinearAdapter):
        raise TypeError(
            f"obs_path is for linear models; got {type(data.estimator).__name__}."
        )
    (block,) = blocks
    n_inputs = len(block.matrix())
    pairs = quadratics_of(blocks, data)
    path = eliminate([quadratic for _, quadratic in pairs], n_inputs, keep_weights=True)
    coefs = path.weights[0]
    if len(pairs) > 1:
        coefs = np.concatenate(path.weights, axis=1)
    curvatures = [curvature for curvature, _ in pairs]
    dense = block.matrix().astype(np.float64)
    intercepts = np.empty((n_inputs + 1, dense.shape[1]))
    for step, coef in enumerate(coefs):
        left = np.ones(n_inputs, dtype=bool)
        left[path.order[:step]] = False
        cut = np.where(left[:, None], dense, 0.0)
        weights = shortened(block, curvatures, cut, coef.T, data)
        coefs[step] = weights.T
        intercepts[step] = constants_of(block, curvatures, weights)
    # By the number of features that are left; these are views.
    shape = block.weights.shape
    constants = shape[:-1] if block.intercept is None else np.shape(block.intercept)
    return ObsPath(
        path.order,
        path.rises,
        coefs[::-1].reshape(-1, *shape),
        intercepts[::-1].reshape(-1, *constants),
    )
