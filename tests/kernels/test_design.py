"""Several columns at a time, as one at a time."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred

from sparselearn._kernels._coordinate_descent import add_product
from sparselearn._kernels._design import ROWS, columns_dot
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

STORAGES = {"dense": np.asarray, "sparse": sp.csc_array}
# In blocks of four, and what is left over; also none.
CHOICES = [[], [3], [4, 0], [2, 5, 1], [6, 1, 0, 3], [0, 2, 4, 6, 1], range(7)]


def design_of(X, storage, dtype, weights, intercept):
    stored = column_major(STORAGES[storage](X.astype(dtype)))
    return make_problem(stored, weights, fit_intercept=intercept).design


def columns(n, rng):
    X = rng.standard_normal((n, 7)) + 2.0
    X[rng.uniform(size=X.shape) < 0.5] = 0.0
    X[:, 4] = 0.0
    return X.astype(np.float32)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_columns_dot(storage, dtype, weighted, intercept, rng):
    """Of the centred columns with u, whose sum may be anything if they are sparse."""
    n, X = 9, columns(9, rng)
    weights = rng.uniform(size=n) if weighted else np.ones(n)
    weights /= weights.sum()
    given = weights if weighted else weights[:1]
    design = design_of(X, storage, dtype, given, intercept)
    _, Xc = centred(X.astype(float), weights, intercept)
    u = weights * rng.standard_normal(n)
    exact = Xc.T @ u
    for choice in CHOICES:
        features = np.array(choice, dtype=np.int64)
        out = np.full(features.size, np.nan)
        columns_dot(design, features, u, u.sum(), out)
        np.testing.assert_allclose(out, exact[features], atol=1e-13)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [9, ROWS + 5])
def test_add_columns(storage, dtype, n, rng):
    """Of the columns as they are: means and weights play no part."""
    X = columns(n, rng)
    design = design_of(X, storage, dtype, np.full(1, 1.0 / n), True)
    for choice in CHOICES:
        features = np.array(choice, dtype=np.int64)
        coef, out = rng.standard_normal(features.size), rng.standard_normal(n)
        expected = out + X.astype(float)[:, features] @ coef
        add_product(design, features, coef, out)
        np.testing.assert_allclose(out, expected, atol=1e-12)
