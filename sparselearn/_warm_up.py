"""Compile ahead of time what a service will need."""

import itertools
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags

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
    from sparselearn.linear_model import GroupLasso

    rng = np.random.default_rng(0)
    # Tall, wide and nearly empty data take different routes.
    tall, wide = rng.uniform(size=(60, 12)), rng.uniform(size=(20, 60))
    empty = np.where(rng.uniform(size=(400, 200)) < 0.01, 20.0, 0.0)
    for dtype in dtypes:
        for X in (tall, wide, sp.csr_array(wide), sp.csr_array(empty)):
            X = X.astype(dtype)
            y = X @ np.linspace(-1.0, 1.0, X.shape[1])
            for estimator in _one_of_each(X.shape[1]):
                for target in _targets_for(estimator, y):
                    _use(estimator, X, target)
        X = rng.standard_normal((40, 8)).astype(dtype)
        _use_coders(X, rng)
        _use_centroids(X)
        _use_perceptrons(wide.astype(dtype))
        _use_trees(tall.astype(dtype))
        X = rng.uniform(size=(40, 8)) * (rng.random((40, 8)) < 0.2)
        for autoencoder in _autoencoders():
            _use(autoencoder, X.astype(dtype))
        # A group of so many columns that no Gram matrix is formed.
        X = rng.uniform(size=(10, 600)).astype(dtype)
        for storage in (np.asarray, sp.csr_array):
            GroupLasso(alpha=1e-3, groups=600).fit(storage(X), X[:, 0])


def _use(estimator, X, y=None):
    with warnings.catch_warnings():
        # What comes out does not matter, only what it takes.
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y)
        if hasattr(estimator, "transform"):
            estimator.transform(X)
        if hasattr(estimator, "coefs_") and hasattr(estimator, "predict"):
            estimator.predict(X)


def _use_centroids(X):
    """K-means codes of every kind, and what they stand for."""
    from sparselearn.cluster import KMeansCoder
    from sparselearn.cluster._kmeans_coder import ENCODERS

    sparse = sp.csr_array(np.where(X > 0.5, X, 0.0))
    for encoder, spherical in itertools.product(ENCODERS, (False, True)):
        if encoder == "llc" and spherical:
            continue
        options = {"encoder": encoder, "spherical": spherical, "n_nonzero_coefs": 2}
        for more in ({}, {"whiten": "zca", "batch_size": 20}):
            coder = KMeansCoder(4, max_iter=2, random_state=0, **options, **more)
            for rows in (X, sparse):
                _use(coder, rows)
                coder.inverse_transform(coder.transform(rows))


def _use_coders(X, rng):
    """Codes by every method, with all signs and without, with and without gaps."""
    from sparselearn.decomposition import SparseCoder
    from sparselearn.decomposition._methods import METHODS, USES

    atoms = rng.standard_normal((12, X.shape[1]))
    sparse = sp.csr_array(np.where(X > 0.5, X, 0.0))
    gaps = np.where(rng.uniform(size=X.shape) < 0.1, np.nan, X)
    for method in METHODS:
        options = {"groups": np.arange(12) // 3, "n_nonzero_coefs": 2}
        options = {k: v for k, v in options.items() if k in USES[method]}
        settings = [options, {**options, "positive": True}]
        if {"n_nonzero_coefs", "alpha"} <= USES[method]:
            relative = {"alpha": 0.1, "alpha_mode": "relative"}
            settings += [relative, {**relative, "positive": True}]
        for chosen in settings:
            coder = SparseCoder(atoms, method=method, missing="mask", **chosen)
            for rows in (X, sparse, gaps):
                _use(coder, rows)
    for learner in _learners():
        for rows in (X, sparse):
            _use(learner, rows, np.arange(X.shape[0]) % 2)


def _learners():
    """Learners of dictionaries that together use every kernel."""
    from sparselearn.decomposition import (
        KSVD,
        DictionaryLearning,
        DiscriminativeDictionaryLearning,
        MiniBatchDictionaryLearning,
    )

    common = {"n_nonzero_coefs": 2, "max_iter": 2, "random_state": 0}
    for positive in (False, True):
        signs = {"positive": positive, "positive_atoms": positive}
        yield KSVD(4, **signs, **common)
        for update in ("bcd", "mod"):
            yield DictionaryLearning(4, method="omp", update=update, **signs, **common)
        yield MiniBatchDictionaryLearning(4, method="omp", **signs, **common)
    yield MiniBatchDictionaryLearning(4, method="omp", atom_l1_ratio=0.5, **common)
    yield DiscriminativeDictionaryLearning(4, **common)


def _autoencoders():
    """Autoencoders that together use every kernel; their batches are always dense."""
    from sparselearn.neural_network import SparseAutoencoder

    for loss in ("squared_error", "cross_entropy"):
        common = {"loss": loss, "max_iter": 2, "random_state": 0}
        for activation in ("topk", "batchtopk", "jumprelu", "relu"):
            options = {"activation": activation, "n_nonzero_coefs": 2, **common}
            # Few pairs of rows and units, and then many; and all layers in full.
            yield SparseAutoencoder(64, revive="resample", **options)
            yield SparseAutoencoder(4, **options)
            yield SparseAutoencoder(4, hidden_layer_sizes=6, **options)
        for solver in ("adam", "lbfgs"):
            yield SparseAutoencoder(4, activation="sigmoid", solver=solver, **common)
    yield SparseAutoencoder(4, n_nonzero_coefs=2, refine="ols", max_iter=1)


def _use_perceptrons(X):
    """Perceptrons that together use every kernel; activations share theirs."""
    from sparselearn.neural_network import SparseMLPClassifier

    y = np.arange(len(X)) % 3
    options = {"hidden_layer_sizes": (4,), "max_iter": 1, "refit_epochs": 1}
    # A refit has masks; L1 and whole units have kernels of their own.
    for solver, penalty in (("adam", 1e-3), ("sgd", 1e-3), ("lbfgs", 0.0)):
        network = SparseMLPClassifier(
            solver=solver, l1=penalty, group_l1=penalty, **options
        )
        _use(network, X, y)


def _use_trees(X):
    """A tree that loses its weakest links."""
    from sklearn.tree import DecisionTreeRegressor

    from sparselearn.pruning import prune

    tree = DecisionTreeRegressor(random_state=0).fit(X, X[:, 0])
    prune(tree, X, granularity="node", criterion="ccp", sparsity=0.5, refit="none")


def _targets_for(estimator, y):
    """Of `y`, what `estimator` fits: classes, counts, or two targets where it can."""
    if is_classifier(estimator):
        return [np.digitize(y, np.quantile(y, q)) for q in ([0.5], [0.3, 0.6])]
    tags = get_tags(estimator).target_tags
    if tags.positive_only:
        return [np.abs(y)]
    return [y if tags.single_output else np.column_stack([y, y])]


def _one_of_each(n_features):
    """Estimators that together use every kernel and every spec."""
    from sparselearn.cluster import KMeansCoder
    from sparselearn.feature_extraction import PatchEncoder
    from sparselearn.linear_model import (
        ElasticNet,
        GroupLasso,
        Lasso,
        MCPRegressor,
        MultiTaskElasticNet,
        MultiTaskLasso,
        OrthogonalMatchingPursuit,
        SCADRegressor,
        SparseGroupLasso,
        SparseHuberRegressor,
        SparseLogisticRegression,
        SparsePoissonRegressor,
    )

    weights = np.linspace(1.0, 2.0, n_features)
    for lasso, elastic_net in (
        (Lasso, ElasticNet),
        (MultiTaskLasso, MultiTaskElasticNet),
    ):
        yield lasso(alpha=0.01)
        yield lasso(alpha=0.01, penalty_weights=weights)
        yield elastic_net(alpha=0.01)
        yield elastic_net(alpha=0.01, penalty_weights=weights)
    yield MCPRegressor(alpha=0.01)
    yield SCADRegressor(alpha=0.01)
    yield GroupLasso(alpha=0.01, groups=3)
    yield SparseGroupLasso(alpha=0.01, groups=3)
    for generalised in (
        SparseLogisticRegression,
        SparsePoissonRegressor,
        SparseHuberRegressor,
    ):
        yield generalised(alpha=0.01)
        # Unpenalised features are fitted alone first.
        yield generalised(alpha=0.01, penalty_weights=np.minimum(weights - 1.0, 0.5))
    for penalty in ("mcp", "scad"):
        yield SparseLogisticRegression(alpha=0.01, penalty=penalty, max_iter=500)
    yield OrthogonalMatchingPursuit(2)
    for pooling in ("sum", "max"):
        for n_nonzero_coefs in (None, 1):  # dense codes, and sparse ones
            coder = KMeansCoder(2, n_nonzero_coefs=n_nonzero_coefs, random_state=0)
            yield PatchEncoder(coder, pooling=pooling, random_state=0)
