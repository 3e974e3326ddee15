"""How many non-zeros a fitted pipeline has, and how it weighs its features."""

import numpy as np
import scipy.sparse as sp

__all__ = ["input_weights", "read_sparsity"]


def read_sparsity(pipeline):
    """The number of non-zeros of a fitted pipeline, and its share of zeros.

    Both are of the first step that has a sparsity of its own, else of the weights of
    the last one.
    """
    for _, step in pipeline.steps:
        parts = _parts(step, "sparsity_")
        if parts:
            zeros = np.mean([np.mean(part.sparsity_) for part in parts])
            return float(sum(p.n_nonzero_coefs_ for p in parts)), float(zeros)
    weights = np.concatenate([w.ravel() for w in _weights(pipeline[-1])])
    return float(np.count_nonzero(weights)), float(np.mean(weights == 0))


def _inside(estimator):
    """What a fitted estimator wraps."""
    if hasattr(estimator, "estimators_"):
        return list(np.ravel(estimator.estimators_))
    for name in ("regressor_", "estimator_"):
        if hasattr(estimator, name):
            return [getattr(estimator, name)]
    return []


def _parts(estimator, attribute):
    """The fitted estimators with `attribute`: this one, or those inside it."""
    if hasattr(estimator, attribute):
        return [estimator]
    return [p for inner in _inside(estimator) for p in _parts(inner, attribute)]


def _weights(estimator):
    """All arrays of weights of a fitted estimator."""
    layers = [w for part in _parts(estimator, "coefs_") for w in part.coefs_]
    coefs = layers or [part.coef_ for part in _parts(estimator, "coef_")]
    return [w.toarray() if sp.issparse(w) else np.asarray(w) for w in coefs]


def input_weights(pipeline, n_before):
    """Size of the weights on each prepared feature, over all outputs; or None.

    None where the model does not weigh prepared features, but codes, as more than one
    step follows the `n_before` of the preparation; or asks of them, as trees do.
    """
    if len(pipeline) > n_before + 1:
        return None
    weights = _weights(pipeline[-1])
    if not weights:
        return None
    if _parts(pipeline[-1], "coefs_"):
        return np.linalg.norm(weights[0], axis=1)
    return np.linalg.norm(np.vstack([np.atleast_2d(w) for w in weights]), axis=0)
