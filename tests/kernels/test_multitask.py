"""Descent on rows of coefficients against its slow twin."""

import numpy as np
import pytest
from reference import block_descent

from sparselearn import penalties
from sparselearn._kernels._gram import descend_gram
from sparselearn._kernels._multitask import descend_rows


@pytest.fixture
def problem(rng):
    """Six columns, one of them constant (0), and three targets."""
    X = rng.standard_normal((15, 6)) * [1.0, 3.0, 0.3, 1.0, 1.0, 0.0]
    s = rng.uniform(0.1, 1.0, 15)
    return X, rng.standard_normal((15, 3)), s / s.sum()


def larger(gram):
    """The matrix as a working set stores it, in the corner of an array."""
    storage = np.full((gram.shape[0] + 3,) * 2, np.nan)
    storage[: gram.shape[0], : gram.shape[0]] = gram
    return storage


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("n_epochs", [1, 4])
def test_descent_takes_the_same_steps(problem, l1_ratio, n_epochs):
    X, Y, s = problem
    # The working set holds four columns, in an order of its own.
    features = np.array([3, 5, 0, 1])
    omega = np.array([1.0, 0.5, 9.0, 2.0, 9.0, 9.0])
    penalty = penalties.WeightedElasticNet(0.1, l1_ratio, omega)
    columns = X[:, features]
    gram = columns.T @ (s[:, None] * columns)
    W, g = np.zeros((4, 3)), columns.T @ (s[:, None] * Y)
    done = descend_rows(larger(gram), penalty, features, W, g, n_epochs, -1.0, False)
    l1, l2 = 0.1 * l1_ratio * omega[features], 0.1 * (1 - l1_ratio) * omega[features]
    slow = block_descent(columns, Y, s, l1, l2, n_epochs=n_epochs)
    assert done == n_epochs
    np.testing.assert_allclose(W, slow, atol=1e-12)
    residual = Y - columns @ W
    np.testing.assert_allclose(g, columns.T @ (s[:, None] * residual), atol=1e-12)


def test_one_task_is_descent_on_coefficients(problem):
    X, Y, s = problem
    gram, features = X.T @ (s[:, None] * X), np.arange(6)
    penalty = penalties.L1(0.05)
    W, w = np.zeros((6, 1)), np.zeros(6)
    G = X.T @ (s[:, None] * Y[:, :1])
    g = G[:, 0].copy()
    descend_rows(gram, penalty, features, W, G, 3, -1.0, False)
    descend_gram(gram, penalty, features, w, g, 3, -1.0)
    np.testing.assert_allclose(W[:, 0], w, atol=1e-14)
    np.testing.assert_allclose(G[:, 0], g, atol=1e-14)


def test_descent_may_end_when_no_row_comes_or_goes(rng):
    A = rng.standard_normal((30, 5))
    gram, moment = A.T @ A, 50.0 * np.ones((5, 2))
    ends = []
    for until_settled in (True, False):
        W, g = np.zeros((5, 2)), moment.copy()
        features, penalty = np.arange(5), penalties.L1(1.0)
        ends.append(
            descend_rows(gram, penalty, features, W, g, 500, 1e-20, until_settled)
        )
    # In the first epoch rows come.
    assert 1 < ends[0] < ends[1] < 500
