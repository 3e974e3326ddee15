"""The descent kernel and the design operations against their slow twins."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, coordinate_descent

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import column_curvatures, descend
from sparselearn._kernels._design import column_axpy, column_dot
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

STORAGES = {"dense": np.asarray, "sparse": sp.csc_array}


@pytest.fixture(params=["random", "one row", "one column", "constant and duplicate"])
def X(request, rng):
    if request.param == "one row":
        return rng.standard_normal((1, 4))
    if request.param == "one column":
        return rng.standard_normal((9, 1))
    X = rng.standard_normal((15, 6)) * (rng.uniform(size=(15, 6)) < 0.6)
    if request.param == "constant and duplicate":
        X[:, 1], X[:, 2] = 3.0, X[:, 0]
    return X


@pytest.fixture(params=[False, True], ids=["plain", "weighted"])
def weights(request, X, rng):
    n = X.shape[0]
    if not request.param:
        return np.full(1, 1.0 / n)
    weights = rng.uniform(0.1, 1.0, n)
    if n > 1:
        weights[0] = 0.0
    return weights / weights.sum()


def full(weights, n):
    return np.broadcast_to(weights, (n,))


@pytest.fixture(params=[np.float64, np.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


@pytest.fixture(params=STORAGES)
def problem(request, X, weights, dtype):
    stored = STORAGES[request.param](X.astype(dtype))
    return make_problem(column_major(stored), weights, fit_intercept=True)


def test_columns(problem, X, weights, dtype, rng):
    """Dot, axpy and curvature of the centred, weighted columns."""
    n, p = X.shape
    s = full(weights, n)
    X = X.astype(dtype).astype(np.float64)
    means, Xc = centred(X, s, True)
    np.testing.assert_allclose(problem.design.means, means, atol=1e-14)
    curvature = np.empty(p)
    column_curvatures(problem.design, curvature)
    np.testing.assert_allclose(curvature, s @ Xc**2, rtol=1e-10, atol=1e-14)
    u = rng.standard_normal(n)
    for j in range(p):
        dot = column_dot(problem.design, j, u - u.mean(), 0.0)
        np.testing.assert_allclose(dot, Xc[:, j] @ (u - u.mean()), atol=1e-12)
        moved = u.copy()
        total = column_axpy(problem.design, j, 0.7, moved, u.sum())
        # Dense designs centre what they add, compressed ones keep count of the sum.
        centred_step = moved - s * (total - u.sum())
        np.testing.assert_allclose(centred_step - u, 0.7 * s * Xc[:, j], atol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_epochs", [1, 3])
def test_descent_takes_the_same_steps(problem, X, weights, dtype, positive, n_epochs):
    n, p = X.shape
    s = full(weights, n)
    X = X.astype(dtype).astype(np.float64)
    _, Xc = centred(X, s, True)
    y = np.sin(np.arange(n) + 1.0)
    y -= s @ y
    penalty = penalties.ElasticNet(0.02, 0.5, positive)
    coef, u = np.zeros(p), s * y
    done, total = descend(
        problem.design,
        penalty,
        problem.curvature,
        np.arange(p),
        coef,
        u,
        0.0,
        n_epochs,
        -1.0,
    )
    Xc[:, problem.curvature == 0.0] = 0.0
    l1, l2 = np.full(p, 0.01), np.full(p, 0.01)
    slow = coordinate_descent(Xc, y, s, l1, l2, positive=positive, n_epochs=n_epochs)
    assert done == n_epochs
    np.testing.assert_allclose(coef, slow, atol=1e-10)
    residual = y - Xc @ coef
    np.testing.assert_allclose(u - s * total, s * residual, atol=1e-10)


def test_descent_visits_only_the_working_set(rng):
    X = column_major(rng.standard_normal((20, 5)))
    problem = make_problem(X, np.full(1, 1 / 20), fit_intercept=False)
    coef, u = np.zeros(5), rng.standard_normal(20) / 20
    active = np.array([1, 3])
    descend(
        problem.design,
        penalties.L1(0.0),
        problem.curvature,
        active,
        coef,
        u,
        0.0,
        9,
        0.0,
    )
    assert list(np.flatnonzero(coef)) == [1, 3]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("absent", [3.0, 0.0])
def test_a_constant_column_has_no_curvature(storage, absent, rng):
    """Where rows weigh; also if the weights sum to 1 only up to rounding."""
    for n in range(5, 60):
        weights = rng.uniform(0.1, 1.0, n)
        weights[:2] = 0.0
        weights /= weights.sum()
        X = np.full((n, 2), 3.0)
        X[:2, 0] = absent
        X[-1, 1] = 0.0
        stored = column_major(STORAGES[storage](X))
        curvature = make_problem(stored, weights, fit_intercept=True).curvature
        assert curvature[0] == 0.0
        assert curvature[1] > 0.0
