"""Products of a design with one or several vectors."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._solvers import _problem
from sparselearn._solvers._problem import make_problem, multiply
from sparselearn._validation import column_major


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("block", [1, 60, 10**6])
def test_they_are_products(storage, dtype, block, rng, monkeypatch):
    monkeypatch.setattr(_problem, "BLOCK", block)
    X = rng.standard_normal((20, 7)).astype(dtype)
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    problem = make_problem(
        column_major(storage(X)), np.full(1, 0.05), fit_intercept=True
    )
    U, W = rng.standard_normal((20, 3)), rng.standard_normal((4, 3))
    X = X.astype(float)
    exact = (X - X.mean(axis=0)).T @ U
    np.testing.assert_allclose(problem.correlation(U), exact, atol=1e-13)
    one = problem.correlation(np.ascontiguousarray(U[:, 0]))
    np.testing.assert_allclose(one, exact[:, 0], atol=1e-13)
    features = np.array([6, 0, 2, 3])
    product = multiply(problem.matrix, W, features)
    np.testing.assert_allclose(product, X[:, features] @ W, atol=1e-13)
    one = multiply(problem.matrix, W[:, 0], features)
    np.testing.assert_allclose(one, X[:, features] @ W[:, 0], atol=1e-13)


def test_large_means_cost_no_digits(rng):
    """Vectors that sum to 0 up to rounding: their sums times the means are not 0."""
    X = rng.standard_normal((50, 4))
    s = rng.uniform(size=50)
    s /= s.sum()
    problem = make_problem(column_major(X + 1e6), s, fit_intercept=True)
    Xc = X - s @ X
    U = s[:, None] * problem.centred_columns(np.arange(4))
    products = problem.correlation(U)
    np.testing.assert_allclose(products, Xc.T @ (s[:, None] * Xc), atol=1e-8)
