"""Folding gives intercepts that are exact where they can be, and optimal elsewhere."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import LinearSVR

from sparselearn.pruning import prune


@pytest.fixture
def X(rng):
    return rng.normal(loc=[2.0, -1.0, 40.0, 0.5, 3.0], size=(80, 5))


@pytest.fixture
def y(X, rng):
    return X @ [1.0, 0.3, 0.2, -2.0, 0.01] + 7.0 + 0.1 * rng.normal(size=len(X))


def pre_activations(network, X):
    """Slow twin of the forward pass: what each layer gives before its activation."""
    act = {"relu": lambda z: z * (z > 0), "tanh": np.tanh, "identity": lambda z: z}
    act["logistic"] = lambda z: 1 / (1 + np.exp(-z))
    zs = []
    for W, b in zip(network.coefs_, network.intercepts_):
        X = (act[network.activation](zs[-1]) if zs else X) @ W + b
        zs.append(X)
    return zs


def test_fold_is_the_formula(X, y):
    model = Ridge().fit(X, y)
    pruned = prune(model, X, sparsity=0.6)
    removed = model.coef_ - pruned.coef_
    assert np.count_nonzero(removed) == 3
    np.testing.assert_allclose(
        pruned.intercept_, model.intercept_ + removed @ X.mean(axis=0), rtol=1e-12
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_fold_is_the_least_squares_constant(X, y, rng, weighted, storage):
    Y = np.column_stack([y, X[:, 1] - y])
    weight = rng.random(len(X)) if weighted else None
    model = Ridge().fit(X, Y)
    pruned = prune(model, storage(X), sparsity=0.5, sample_weight=weight)
    gap = model.predict(X) - pruned.predict(X)
    assert np.abs(gap).max() > 0.1
    # The mean is what minimises a sum of squares over a constant.
    np.testing.assert_allclose(np.average(gap, axis=0, weights=weight), 0, atol=1e-12)


def test_fold_of_a_classifier_keeps_mean_decisions(X, y):
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    model = LogisticRegression(max_iter=5000).fit(X, labels)
    pruned = prune(model, X, n_nonzero_coefs=5)
    assert np.count_nonzero(pruned.coef_) == 5
    np.testing.assert_allclose(
        pruned.decision_function(X).mean(axis=0),
        model.decision_function(X).mean(axis=0),
        rtol=1e-10,
    )


def test_fold_is_exact_for_constant_features(X, y):
    X = X.copy()
    X[:, 2] = 41.7
    model = LinearRegression().fit(X, y)
    model.coef_[2] = 5.0  # as after a fit to data where it did vary
    pruned = prune(model, X, n_nonzero_coefs=4)
    assert pruned.coef_[2] == 0.0
    np.testing.assert_allclose(pruned.predict(X), model.predict(X), rtol=1e-12)


def test_none_leaves_the_intercept(X, y):
    model = Ridge().fit(X, y)
    assert prune(model, X, sparsity=0.6, refit="none").intercept_ == model.intercept_


def test_no_intercept_stays_no_intercept(X, y):
    model = Ridge(fit_intercept=False).fit(X, y)
    pruned = prune(model, X, sparsity=0.6)
    assert pruned.intercept_ == 0.0
    assert np.count_nonzero(pruned.coef_) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_and_shapes_of_intercepts_stay(X, y, dtype):
    X, y = X.astype(dtype), y.astype(dtype)
    models = [
        Ridge().fit(X, y),
        Ridge().fit(X, y[:, None]),
        LinearRegression().fit(X, np.column_stack([y, y])),
        LinearSVR(max_iter=100_000, tol=1e-2).fit(X, y),
    ]
    for model in models:
        pruned = prune(model, X, sparsity=0.6)
        for name in ("coef_", "intercept_"):
            before, after = getattr(model, name), getattr(pruned, name)
            assert np.shape(after) == np.shape(before), model
            assert np.asarray(after).dtype == np.asarray(before).dtype, model
        assert np.any(pruned.intercept_ != model.intercept_)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fold_keeps_the_mean_of_every_pre_activation(
    X, y, rng, activation, scope, storage
):
    network = MLPRegressor(
        hidden_layer_sizes=(12, 6), activation=activation, random_state=0, max_iter=5
    ).fit(X, y)
    weight = rng.random(len(X))
    pruned = prune(network, storage(X), sparsity=0.5, scope=scope, sample_weight=weight)
    left = prune(network, sparsity=0.5, scope=scope, refit="none")
    pairs = zip(
        pre_activations(network, X),
        pre_activations(pruned, X),
        pre_activations(left, X),
    )
    for dense, folded, unfolded in pairs:
        mean = np.average(dense, axis=0, weights=weight)
        np.testing.assert_allclose(
            np.average(folded, axis=0, weights=weight), mean, rtol=1e-9, atol=1e-12
        )
        assert not np.allclose(np.average(unfolded, axis=0, weights=weight), mean)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fold_is_exact_for_constant_units(X, y):
    network = MLPClassifier(hidden_layer_sizes=(6, 4), random_state=0, max_iter=5)
    network.fit(X, y > np.median(y))
    # Unit 1 of the first hidden layer ignores its input: it is relu(0.8) always.
    network.coefs_[0][:, 1] = 0.0
    network.intercepts_[0][1] = 0.8
    network.coefs_[1][1] = 1e-3  # the least important weights that are not zero
    n_zero = X.shape[1] + 4
    n_total = sum(W.size for W in network.coefs_)
    pruned = prune(network, X, n_nonzero_coefs=n_total - n_zero)
    assert not pruned.coefs_[1][1].any()
    np.testing.assert_allclose(
        pruned.predict_proba(X), network.predict_proba(X), rtol=1e-12
    )


def test_fold_needs_X():
    X = np.random.default_rng(0).normal(size=(40, 3))
    network = MLPRegressor(
        hidden_layer_sizes=(3,), solver="lbfgs", max_iter=5000, random_state=0
    )
    network.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="refit='none'"):
        prune(network, sparsity=0.5)
