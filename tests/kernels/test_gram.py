"""The Gram kernels against their slow twins."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, coordinate_descent

from sparselearn import penalties
from sparselearn._kernels._design import ROWS
from sparselearn._kernels._gram import (
    correlate_gram,
    descend_gram,
    gather_centred,
    gather_triangle,
    gram_rows_compressed,
    gram_rows_dense,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major


@pytest.fixture(params=[False, True], ids=["plain", "weighted"])
def weights(request, rng):
    weights = rng.uniform(0.1, 1.0, 15) if request.param else np.ones(15)
    weights /= weights.sum()
    return weights if request.param else weights[:1]


@pytest.fixture
def X(rng):
    X = rng.standard_normal((15, 6)) + 2.0
    X[:, 4] = X[:, 1]
    X[rng.uniform(size=X.shape) < 0.4] = 0.0
    return X


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_epochs", [1, 4])
def test_descent_takes_the_same_steps(X, weights, positive, n_epochs):
    s = np.broadcast_to(weights, (15,))
    _, Xc = centred(X, s, True)
    y = np.sin(np.arange(15.0))
    y -= s @ y
    # The working set holds three columns, in an order of its own.
    features = np.array([3, 0, 1])
    omega = np.array([1.0, 0.5, 9.0, 2.0, 9.0, 9.0])
    penalty = penalties.WeightedElasticNet(0.04, 0.5, omega, positive)
    columns = Xc[:, features]
    gram = columns.T @ (s[:, None] * columns)
    coef, correlation = np.zeros(3), columns.T @ (s * y)
    done = descend_gram(gram, penalty, features, coef, correlation, n_epochs, -1.0)
    l1 = l2 = 0.02 * omega[features]
    slow = coordinate_descent(
        columns, y, s, l1, l2, positive=positive, n_epochs=n_epochs
    )
    assert done == n_epochs
    np.testing.assert_allclose(coef, slow, atol=1e-12)
    residual = y - columns @ coef
    np.testing.assert_allclose(correlation, columns.T @ (s * residual), atol=1e-12)


def test_descent_ends_when_steps_are_worth_little(rng):
    A = rng.standard_normal((30, 5))
    gram, moment = A.T @ A, 50.0 * np.ones(5)
    ends = []
    for tol in (1e-2, 1e-20):
        coef, correlation = np.zeros(5), moment.copy()
        state = np.arange(5), coef, correlation
        ends.append(descend_gram(gram, penalties.L1(1.0), *state, 500, tol))
    assert ends[0] < ends[1] < 500
    signs = np.sign(coef)
    np.testing.assert_allclose(coef, np.linalg.solve(gram, moment - signs), atol=1e-8)


def test_centred_columns_are_gathered(X, weights):
    s = np.broadcast_to(weights, (15,))
    means, Xc = centred(X, s, True)
    root = np.sqrt(weights)
    out = np.empty((7, 3), order="F")
    features = np.array([4, 0, 2])
    gather_centred(np.asfortranarray(X), means, root, features, 5, out)
    expected = (np.sqrt(s)[:, None] * Xc)[5:12][:, features]
    np.testing.assert_allclose(out, expected, atol=1e-15)


def test_compressed_products(X, weights):
    s = np.broadcast_to(weights, (15,))
    _, Xc = centred(X, s, True)
    design = make_problem(
        column_major(sp.csc_array(X)), weights, fit_intercept=True
    ).design
    new, features = np.array([5, 1]), np.array([0, 2, 5, 1])
    out = np.full((2, 4), np.nan)
    gram_rows_compressed(design, new, features, out)
    expected = Xc[:, new].T @ (s[:, None] * Xc[:, features])
    np.testing.assert_allclose(out, expected, atol=1e-14)


@pytest.mark.parametrize("n_new", range(1, 10))
@pytest.mark.parametrize("n_features", [1, 2, 7, 8])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dense_products(n_new, n_features, dtype, rng):
    """They add up, over blocks of rows."""
    for n in (5, ROWS + 3):
        X = (rng.standard_normal((n, 10)) + 2.0).astype(dtype)
        means = X.mean(axis=0).astype(np.float64)
        features = rng.permutation(10)[:n_features]
        new, out = rng.standard_normal((n_new, n)), rng.standard_normal((n_new, 9))
        before = out.copy()
        values = np.asfortranarray(X)
        gram_rows_dense(values, means, new, features, out[:, :n_features])
        expected = new @ (X.astype(np.float64)[:, features] - means[features])
        np.testing.assert_allclose(
            out[:, :n_features], before[:, :n_features] + expected, atol=1e-11
        )
        np.testing.assert_array_equal(out[:, n_features:], before[:, n_features:])


@pytest.mark.parametrize("n_active", range(7))
def test_products_with_what_is_active(rng, n_active):
    gram = np.cov(rng.standard_normal((8, 20)))
    moment, coef = rng.standard_normal(6), np.zeros(6)
    active = rng.permutation(6)[:n_active]
    coef[active] = rng.standard_normal(n_active)
    out = np.full(6, np.nan)
    correlate_gram(gram, moment, coef, active, out)
    np.testing.assert_allclose(out, moment - gram[:6, :6] @ coef, atol=1e-14)
    bend, triangle = rng.standard_normal(n_active), np.zeros((n_active, n_active))
    gather_triangle(gram, active, bend, triangle)
    expected = np.tril(gram[np.ix_(active, active)] - np.diag(bend))
    np.testing.assert_allclose(triangle, expected, atol=1e-15)
