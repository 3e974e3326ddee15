"""K-SVD as an estimator."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from sparselearn.decomposition import KSVD, SparseCoder


def planted(seed, n=1500, p=20, n_atoms=50, k=3, noise=0.1):
    """Rows of k of 50 atoms, and noise of a tenth of their length."""
    rng = np.random.default_rng(seed)
    D = rng.standard_normal((n_atoms, p))
    D /= np.linalg.norm(D, axis=1)[:, None]
    Z = np.zeros((n, n_atoms))
    for row in Z:
        row[rng.choice(n_atoms, k, replace=False)] = rng.standard_normal(k)
    X = Z @ D
    return X + noise * np.std(X) * rng.standard_normal(X.shape), D


@pytest.mark.parametrize("method", ["omp", "ormp"])
def test_planted_atoms_are_found(method):
    shares = []
    for seed in range(5):
        X, D = planted(seed)
        model = KSVD(
            50, method=method, n_nonzero_coefs=3, tol=1e-4, random_state=seed
        ).fit(X)
        shares.append(np.mean(np.abs(D @ model.components_.T).max(axis=1) > 0.99))
    assert np.mean(shares) >= 0.93


def test_an_error_to_reach():
    """A coder that stops at an error: codes as sparse as that permits."""
    X, _ = planted(0, n=300)
    coder = SparseCoder(method="omp", tol=0.1)
    model = KSVD(50, coder=coder, tol=0.01, random_state=0).fit(X)
    errors = np.sum((X - model.inverse_transform(model.transform(X))) ** 2, axis=1)
    assert np.all(errors <= 0.1 * np.sum(X**2, axis=1) * (1.0 + 1e-9))
    start = SparseCoder(X[:50], method="omp", tol=0.1).fit(X)
    assert model.n_nonzero_coefs_ < 0.8 * start.n_nonzero_coefs_


def test_a_price_for_each_atom():
    X, _ = planted(0, n=300)
    coder = SparseCoder(method="omp", alpha=0.05)
    model = KSVD(50, coder=coder, tol=0.01, random_state=0).fit(X)
    assert np.all(np.diff(model.objective_path_) <= 0.0)
    codes = model.transform(X)
    errors = np.sum((X - model.inverse_transform(codes)) ** 2, axis=1)
    expected = np.mean(0.5 * errors + 0.05 * np.diff(codes.indptr))
    np.testing.assert_allclose(model.objective_, expected)


def test_grid_without_targets():
    X, _ = planted(0, n=200)
    search = GridSearchCV(
        KSVD(30, tol=0.05, random_state=0), {"n_nonzero_coefs": [1, 3]}, cv=2
    ).fit(X)
    assert search.best_params_ == {"n_nonzero_coefs": 3}


def test_what_coders_it_takes():
    X, _ = planted(0, n=60)
    soft = SparseCoder(method="threshold", alpha=0.1)
    with pytest.raises(ValueError, match="method='threshold'"):
        KSVD(coder=soft).fit(X)
    with pytest.raises(ValueError, match="n_nonzero_coefs=2 was given, and a coder"):
        KSVD(coder=SparseCoder(), n_nonzero_coefs=2).fit(X)
    hard = SparseCoder(method="hard-threshold", n_nonzero_coefs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = KSVD(20, coder=hard, max_iter=5).fit(X)
    assert np.all(np.diff(model.objective_path_) <= 0.0)
