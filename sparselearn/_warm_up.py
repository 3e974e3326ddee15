"""Compile ahead of time what a service will need."""

import numpy as np
import scipy.sparse as sp

__all__ = ["warm_up"]


def warm_up(dtypes=("float64", "float32")):
    """Compile the kernels of every estimator, and cache them on disk if that can be.

    A kernel is compiled at its first use for each dtype and storage of X, which takes
    a second or so, once per machine; a service or a container image may prefer to have
    that behind it. The cache lies where numba's does (``NUMBA_CACHE_DIR``).

    Parameters
    ----------
    dtypes : sequence of {"float64", "float32"}, default=("float64", "float32")
        Dtypes of X to compile for, each for dense and sparse X.

    Examples
    --------
    >>> import sparselearn
    >>> sparselearn.warm_up(dtypes=["float64"])
    """
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(12, 3))
    y = X @ np.array([1.0, 0.0, -1.0])
    for dtype in dtypes:
        dense = X.astype(dtype)
        for data in (dense, sp.csr_array(dense)):
            for estimator in _one_of_each():
                estimator.fit(data, y)
                if hasattr(estimator, "transform"):
                    estimator.transform(data)


def _one_of_each():
    """Estimators that together use every kernel and every spec."""
    from sparselearn.cluster import KMeansCoder
    from sparselearn.linear_model import ElasticNet, Lasso

    weights = [1.0, 2.0, 0.0]
    yield Lasso(alpha=0.01)
    yield Lasso(alpha=0.01, penalty_weights=weights)
    yield ElasticNet(alpha=0.01)
    yield ElasticNet(alpha=0.01, penalty_weights=weights)
    for encoder in ("hard", "triangle", "soft-threshold"):
        yield KMeansCoder(2, encoder=encoder, n_nonzero_coefs=1, random_state=0)
