"""Importances are their formulas, in any storage of X."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, Ridge, RidgeClassifier
from sklearn.neural_network import MLPRegressor

from sparselearn.pruning import importance


@pytest.fixture
def X(rng):
    """Far from centred, with zeros, in units of their own."""
    X = rng.normal(
        loc=[0.0, 5.0, -300.0, 0.0], scale=[1.0, 0.1, 40.0, 3.0], size=(50, 4)
    )
    X[rng.random(X.shape) < 0.3] = 0.0
    return X


@pytest.fixture
def Y(rng):
    return rng.normal(size=(50, 3))


def test_magnitude_of_a_linear_model(X, Y):
    model = Ridge().fit(X, Y)
    (values,) = importance(model, X)
    np.testing.assert_allclose(values, np.abs(model.coef_) * X.std(axis=0), rtol=1e-12)
    assert values.shape == model.coef_.shape

    model = Ridge().fit(X, Y[:, 0])
    (values,) = importance(model, X)
    np.testing.assert_allclose(values, np.abs(model.coef_) * X.std(axis=0), rtol=1e-12)


def test_magnitude_of_a_classifier_has_a_row_a_class(X, Y):
    model = RidgeClassifier().fit(X, Y.argmax(axis=1))
    (values,) = importance(model, X)
    np.testing.assert_allclose(values, np.abs(model.coef_) * X.std(axis=0), rtol=1e-12)


def test_magnitude_of_a_perceptron_is_of_the_weights_alone(X, Y):
    model = MLPRegressor(
        hidden_layer_sizes=(5, 2), solver="lbfgs", max_iter=3000, random_state=0
    )
    model.fit(X / 100, Y[:, 0])
    for values, weights in zip(importance(model), model.coefs_):
        np.testing.assert_array_equal(values, np.abs(weights))


@pytest.mark.parametrize(
    "storage", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_equals_dense(X, Y, rng, storage, weighted):
    weight = rng.random(len(X)) if weighted else None
    model = Ridge().fit(X, Y)
    (dense,) = importance(model, X, sample_weight=weight)
    (sparse,) = importance(model, storage(X), sample_weight=weight)
    np.testing.assert_allclose(sparse, dense, rtol=1e-12)


def test_duplicate_and_explicit_zero_entries_of_sparse_X():
    dense = np.array([[3.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    parts = ([1.0, 2.0, 0.0, 2.0, 1.0], [0, 0, 1, 1, 0], [0, 3, 4, 5])
    X = sp.csr_array(parts, shape=dense.shape)
    model = LinearRegression().fit(dense, [1.0, 2.0, 4.0])
    (values,) = importance(model, X)
    np.testing.assert_allclose(values, np.abs(model.coef_) * dense.std(axis=0))
    assert X.nnz == 5  # as it was


def test_weights_equal_repeated_rows(X, Y, rng):
    counts = rng.integers(0, 4, size=len(X))
    model = Ridge().fit(X, Y)
    for rows in (X, sp.csr_array(X)):
        (weighted,) = importance(model, rows, sample_weight=counts)
        (repeated,) = importance(model, np.repeat(X, counts, axis=0))
        np.testing.assert_allclose(weighted, repeated, rtol=1e-12)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_spread_is_not_lost_beside_a_large_mean(rng, storage):
    X = 1e8 + rng.normal(size=(1000, 1))
    model = LinearRegression().fit(X, X[:, 0])
    model.coef_ = np.ones(1)
    (values,) = importance(model, storage(X))
    np.testing.assert_allclose(values, X.std(axis=0), rtol=1e-6)


def test_more_rows_than_fit_in_one_chunk(rng):
    X = rng.normal(loc=3.0, size=(10_000, 2))
    model = LinearRegression().fit(X, X @ [1.0, 2.0])
    (values,) = importance(model, X)
    np.testing.assert_allclose(values, np.abs(model.coef_) * X.std(axis=0), rtol=1e-12)


def test_float32_agrees_with_float64(X, Y):
    model = Ridge().fit(X.astype(np.float32), Y.astype(np.float32))
    assert model.coef_.dtype == np.float32
    (values,) = importance(model, X.astype(np.float32))
    assert values.dtype == np.float64
    np.testing.assert_allclose(
        values, np.abs(model.coef_.astype(float)) * X.std(axis=0), rtol=1e-4
    )


def test_a_linear_model_needs_X(X, Y):
    with pytest.raises(ValueError, match="X is needed"):
        importance(Ridge().fit(X, Y))


def test_importance_changes_nothing(X, Y):
    model = Ridge().fit(X, Y)
    before = model.coef_.copy()
    importance(model, X)[0][:] = 0.0
    np.testing.assert_array_equal(model.coef_, before)
