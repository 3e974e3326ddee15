"""What can be pruned is, wherever its weights are; the rest is refused by name."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lars,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    RANSACRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

import sparselearn.linear_model
from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning import (
    Adapter,
    Block,
    Pruner,
    prune,
    register_adapter,
)
from sparselearn.pruning._adapters import _registry
from sparselearn.pruning._wrappers import last_step

REGRESSORS = [
    ElasticNet(alpha=0.01),
    HuberRegressor(max_iter=1000),
    Lars(),
    LinearRegression(),
    LinearSVR(max_iter=100_000),
    Ridge(),
    SGDRegressor(random_state=0),
    sparselearn.linear_model.Lasso(alpha=0.01),
]
CLASSIFIERS = [LinearSVC(), LogisticRegression(), SGDClassifier(random_state=0)]


@pytest.fixture
def X(rng):
    return rng.normal(loc=1.0, size=(60, 4))


@pytest.fixture
def y(X, rng):
    return X @ [2.0, 0.0, -1.0, 0.1] + 0.05 * rng.normal(size=len(X))


@pytest.mark.parametrize("estimator", REGRESSORS, ids=lambda e: type(e).__name__)
def test_regressors_predict_by_what_is_left(X, y, estimator):
    pruner = Pruner(estimator, n_nonzero_coefs=2).fit(X, y)
    np.testing.assert_array_equal(pruner.get_support(indices=True), [0, 2])
    np.testing.assert_allclose(pruner.predict(X).mean(), y.mean(), atol=0.1)
    moved = X.copy()
    moved[:, [1, 3]] = 99.0
    np.testing.assert_array_equal(pruner.predict(moved), pruner.predict(X))


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers_decide_by_what_is_left(X, y, estimator, n_classes):
    labels = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    pruner = Pruner(estimator, sparsity=0.5).fit(X, labels)
    (mask,) = pruner.masks_
    assert mask.shape == pruner.estimator_.coef_.shape
    assert mask.sum() == mask.size / 2
    np.testing.assert_array_equal(pruner.estimator_.coef_ != 0, mask)
    np.testing.assert_array_equal(pruner.classes_, np.arange(n_classes))
    assert pruner.score(X, labels) > 1.2 / n_classes


def test_link_functions_stay_outside(X, y):
    counts = np.exp(y / 4)
    model = PoissonRegressor().fit(X, counts)
    pruned = prune(model, X, n_nonzero_coefs=2)
    gap = np.log(model.predict(X)) - np.log(pruned.predict(X))
    np.testing.assert_allclose(gap.mean(), 0.0, atol=1e-12)


@pytest.mark.parametrize("kind", [Lasso, sparselearn.linear_model.Lasso])
def test_one_feature(kind):
    x = np.linspace(0.0, 1.0, 10)[:, None]
    y = 3.0 * x[:, 0] + 1.0
    model = kind(alpha=1e-3).fit(x, y)
    kept = prune(model, x, n_nonzero_coefs=1)
    np.testing.assert_array_equal(kept.predict(x), model.predict(x))
    empty = prune(model, x, n_nonzero_coefs=0)
    np.testing.assert_allclose(empty.predict(x), y.mean())


def test_sparsified_coefficients_stay_sparse(X, y):
    labels = np.digitize(y, [-1.0, 1.0])
    model = LogisticRegression().fit(X, labels)
    dense = prune(model, X, sparsity=0.5)
    sparse = prune(model.sparsify(), X, sparsity=0.5)
    assert isinstance(sparse.coef_, type(model.coef_))
    assert sp.issparse(sparse.coef_)
    assert sparse.coef_.nnz == 6
    np.testing.assert_array_equal(sparse.coef_.toarray(), dense.coef_)
    np.testing.assert_allclose(
        sparse.predict_proba(X), dense.predict_proba(X), rtol=1e-12
    )


def test_memory_order_of_weights_stays(X, y):
    model = Ridge().fit(X, np.column_stack([y, -y, y]))
    model.coef_ = np.asfortranarray(model.coef_)
    assert prune(model, X, sparsity=0.5).coef_.flags.f_contiguous


def test_own_counts_of_our_models_follow(X, y):
    model = sparselearn.linear_model.Lasso(alpha=1e-4).fit(X, y)
    assert model.sparsity_ == 0.0
    pruned = prune(model, X, sparsity=0.5)
    assert pruned.sparsity_ == 0.5
    assert pruned.n_nonzero_coefs_ == 2
    np.testing.assert_array_equal(pruned.support_, [0, 2])
    np.testing.assert_array_equal(pruned.get_support(), [True, False, True, False])


@pytest.mark.parametrize(
    "estimator",
    [
        LinearDiscriminantAnalysis(),  # its transform does not use coef_
        GradientBoostingRegressor(),
        PCA(),
        make_pipeline(StandardScaler(), GaussianNB()),
        FrozenEstimator(GaussianNB()),
        make_pipeline(StandardScaler(), FrozenEstimator(GradientBoostingRegressor())),
        make_pipeline(StandardScaler(), "passthrough"),
        Ridge,
        None,
    ],
    ids=str,
)
def test_the_rest_is_refused_before_it_is_fitted(X, y, monkeypatch, estimator):
    final = last_step(estimator)
    if hasattr(final, "fit"):
        monkeypatch.setattr(type(final), "fit", None, raising=False)
    with pytest.raises(TypeError, match="MLPClassifier") as error:
        Pruner(estimator).fit(X, y)
    assert type(final).__name__ in str(error.value)
    assert "register_adapter" in str(error.value)


def test_linear_model_without_coefficients_is_refused(X, y):
    ransac = RANSACRegressor(random_state=0)
    with pytest.raises(TypeError, match=r"RANSACRegressor\(Pruner\(...\)\)"):
        Pruner(ransac).fit(X, y)

    class Quiet(Ridge):
        def fit(self, X, y):
            super().fit(X, y)
            del self.intercept_
            return self

    with pytest.raises(TypeError, match=r"Quiet .*it has no intercept_"):
        Pruner(Quiet(), sparsity=0.5).fit(X, y)


def test_functions_refuse_too(X, y):
    with pytest.raises(TypeError, match="GaussianNB cannot be pruned"):
        prune(GaussianNB().fit(X, y > 0), X, sparsity=0.5)
    with pytest.raises(NotFittedError):
        prune(Ridge(), X, sparsity=0.5)


class TwoMaps(BaseEstimator):
    """z = (X A) B, of no library."""

    def fit(self, X, y):
        self.A_ = np.linalg.svd(X, full_matrices=False)[2].T[:, :2]
        self.B_ = np.linalg.lstsq(X @ self.A_, y)[0]
        return self

    def predict(self, X):
        return X @ self.A_ @ self.B_


class TwoMapsAdapter(Adapter):
    def read(self, estimator):
        return [
            Block("A_", estimator.A_, None, False, True),
            Block("B_", estimator.B_, None, False, False),
        ]

    def write(self, estimator, blocks):
        estimator.A_, estimator.B_ = (block.weights for block in blocks)

    def inputs(self, estimator, blocks, X):
        yield X
        yield X @ blocks[0].weights


def test_registered_adapters_serve_subclasses(X, y, monkeypatch):
    monkeypatch.setattr(_registry, "_ADAPTERS", dict(_registry._ADAPTERS))
    register_adapter(TwoMaps, TwoMapsAdapter())

    class Special(TwoMaps):
        pass

    pruner = Pruner(Special(), sparsity=0.4, criterion="magnitude", refit="fold")
    pruner.fit(X, y)
    assert [mask.shape for mask in pruner.masks_] == [(4, 2), (2,)]
    assert sum(mask.sum() for mask in pruner.masks_) == 6
    scale = X.std(axis=0)[:, None]
    fitted = TwoMaps().fit(X, y)
    np.testing.assert_allclose(pruner.importances_[0], np.abs(fitted.A_) * scale)
    np.testing.assert_allclose(pruner.importances_[1], np.abs(fitted.B_))
    assert not hasattr(pruner, "predict_proba")


def test_calibration_checks_X(X, y):
    network = MLPRegressor(
        hidden_layer_sizes=(3,), solver="lbfgs", max_iter=5000, random_state=0
    )
    network.fit(X, y)
    with pytest.raises(ValueError, match="3 features"):
        prune(network, X[:, :3], sparsity=0.5)
    X = X.copy()
    X[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        prune(network, X, sparsity=0.5)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "logistic", "tanh"])
def test_perceptrons_of_this_package_are_pruned_and_train_on(X, y, activation):
    network = SparseMLPRegressor(
        (6, 3), activation=activation, max_iter=20, batch_size=20, random_state=0
    )
    pruner = Pruner(network, sparsity=0.6, criterion="magnitude", refit="fold")
    pruner.fit(X, y)
    fitted = pruner.estimator_
    assert isinstance(fitted, SparseMLPRegressor)
    assert fitted.sparsity_ == pruner.sparsity_ == 0.6
    np.testing.assert_array_equal(fitted.support_, pruner.support_)
    # The mean is folded into the intercepts: no output moves on average.
    dense = network.fit(X, y).predict(X)
    np.testing.assert_allclose(pruner.predict(X).mean(), dense.mean(), rtol=1e-6)
    before = fitted.predict(X)
    fitted.set_masks(pruner.masks_).partial_fit(X, y).partial_fit(X, y)
    assert fitted.sparsity_ == 0.6
    for weights, mask in zip(fitted.coefs_, pruner.masks_):
        np.testing.assert_array_equal(weights != 0.0, mask)
    assert np.mean((fitted.predict(X) - y) ** 2) < np.mean((before - y) ** 2)


def test_a_classifier_of_this_package_is_pruned(X, y):
    network = SparseMLPClassifier((6,), max_iter=5, random_state=0)
    fitted = network.fit(X, y > np.median(y))
    pruned = prune(fitted, X, n_nonzero_coefs=12)
    assert pruned.n_nonzero_coefs_ == 12
    assert fitted.sparsity_ == 0.0
    assert pruned.predict_proba(X).shape == (60, 2)
