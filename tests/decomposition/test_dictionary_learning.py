"""Batch dictionary learning as an estimator, with penalised codes."""

import numpy as np
import pytest
from sklearn.decomposition import sparse_encode
from sklearn.model_selection import GridSearchCV

from sparselearn.decomposition import DictionaryLearning, SparseCoder

N, P, K = 100, 8, 12


@pytest.fixture
def X(rng):
    """Rows of few directions and noise; one is 0, two are the same."""
    codes = rng.standard_normal((N, K)) * (rng.uniform(size=(N, K)) < 0.25)
    X = codes @ rng.standard_normal((K, P)) + 0.1 * rng.standard_normal((N, P))
    X[3] = 0.0
    X[5] = X[4]
    return X


CODERS = [
    SparseCoder(method="lasso", alpha=0.3),
    SparseCoder(method="lasso", alpha=0.3, l1_ratio=0.5, positive=True),
    SparseCoder(method="lasso", alpha=0.3, penalty_weights=np.linspace(0.5, 2.0, K)),
    SparseCoder(method="group-lasso", alpha=0.3, groups=np.arange(K) // 3),
    SparseCoder(method="omp", alpha=0.2),
    SparseCoder(method="iht", n_nonzero_coefs=3),
    SparseCoder(method="threshold", alpha=0.2),
]
every_coder = pytest.mark.parametrize("coder", CODERS, ids=repr)
every_update = pytest.mark.parametrize("update", ["bcd", "mod"])


@every_coder
@every_update
@pytest.mark.parametrize("positive_atoms", [False, True])
def test_the_objective_never_rises(X, coder, update, positive_atoms):
    model = DictionaryLearning(
        K,
        coder=coder,
        update=update,
        positive_atoms=positive_atoms,
        tol=0.01,
        random_state=0,
    ).fit(np.abs(X) if positive_atoms else X)
    path = model.objective_path_
    assert np.all(np.diff(path) <= 0.0)
    assert path[-1] <= path[0]
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1.0)


@every_update
def test_the_objective_of_a_lasso_is_that(X, update):
    """Codes of the last atoms, by scikit-learn, and the objective from its formula."""
    model = DictionaryLearning(
        K, alpha=0.3, update=update, tol=0.001, random_state=0
    ).fit(X)
    Z = sparse_encode(X, model.components_, algorithm="lasso_lars", alpha=0.3)
    error = np.sum((X - Z @ model.components_) ** 2, axis=1)
    expected = np.mean(0.5 * error + 0.3 * np.abs(Z).sum(axis=1))
    np.testing.assert_allclose(model.objective_, expected, rtol=1e-4)
    np.testing.assert_allclose(model.objective_path_[-1], expected, rtol=1e-4)


def test_atoms_are_the_best_for_their_codes(X):
    """At the end no atom can move on the sphere to where the error is smaller."""
    model = DictionaryLearning(
        K, alpha=0.3, tol=1e-7, max_iter=3000, random_state=0
    ).fit(X)
    D, Z = model.components_, model.transform(X).toarray()
    for j in range(K):
        pull = Z[:, j] @ (X - Z @ D + np.outer(Z[:, j], D[j]))
        np.testing.assert_allclose(pull / np.linalg.norm(pull), D[j], atol=2e-2)


def test_a_relative_alpha(X):
    model = DictionaryLearning(K, tol=0.01, random_state=0).fit(X)
    coder = SparseCoder(method="lasso", alpha=0.1, alpha_mode="relative")
    same = DictionaryLearning(K, coder=coder, tol=0.01, random_state=0).fit(X)
    np.testing.assert_array_equal(model.components_, same.components_)
    scaled = DictionaryLearning(K, tol=0.01, random_state=0).fit(1e6 * X)
    np.testing.assert_allclose(scaled.components_, model.components_, atol=1e-7)


def test_grid_without_targets(X):
    model = DictionaryLearning(K, tol=0.05, random_state=0)
    search = GridSearchCV(model, {"alpha": [0.1, 0.5, 3.0]}, cv=2).fit(X)
    assert search.best_params_["alpha"] < 3.0


def test_alpha_too_large(X):
    with pytest.warns(match="All codes are zero"):
        model = DictionaryLearning(K, alpha=1e3, random_state=0).fit(X)
    np.testing.assert_allclose(model.objective_, 0.5 * np.mean(np.sum(X**2, axis=1)))
