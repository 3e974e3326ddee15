"""Paths: each point is the solution that a single fit finds."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import sparse_regression
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from sparselearn.linear_model import (
    ElasticNet,
    Lasso,
    alpha_max,
    elastic_net_path,
    lasso_path,
)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(60, 12), (25, 40)])
def test_each_point_is_a_fit(rng, storage, positive, shape):
    X, y = sparse_regression(rng, *shape)
    weights = rng.uniform(size=shape[0])
    omega = rng.uniform(0.5, 2.0, shape[1])
    options = {"positive": positive, "penalty_weights": omega, "tol": 1e-13}
    X = storage(X)
    path = lasso_path(X, y, n_alphas=8, eps=0.02, sample_weight=weights, **options)
    assert isinstance(path.coefs, sp.csc_array)
    for k, alpha in enumerate(path.alphas):
        model = Lasso(alpha, **options).fit(X, y, weights)
        np.testing.assert_allclose(
            path.coefs[:, [k]].toarray()[:, 0], model.coef_, atol=1e-8
        )
        assert path.intercepts[k] == pytest.approx(model.intercept_, abs=1e-8)
        assert path.dual_gaps[k] <= 1e-13 * y.var()


def test_elastic_net_points(rng):
    X, y = sparse_regression(rng, 40, 15)
    path = elastic_net_path(X, y, l1_ratio=0.3, n_alphas=5, tol=1e-18)
    for k, alpha in enumerate(path.alphas):
        model = ElasticNet(alpha, l1_ratio=0.3, tol=1e-18).fit(X, y)
        np.testing.assert_allclose(path.coefs.toarray()[:, k], model.coef_, atol=1e-7)


def test_the_grid():
    X, y = load_diabetes(return_X_y=True)
    path = lasso_path(X, y, n_alphas=4, eps=0.01)
    np.testing.assert_allclose(path.alphas / alpha_max(X, y), np.geomspace(1, 0.01, 4))
    assert not path.coefs[:, [0]].toarray().any()
    assert path.coefs[:, [1]].toarray().any()
    assert path.n_iter[0] == 0
    given = lasso_path(X, y, alphas=[0.1, 10.0, 0.0, 1.0], tol=1e-4)
    np.testing.assert_array_equal(given.alphas, [10.0, 1.0, 0.1, 0.0])
    assert np.all(given.converged)
    flat = lasso_path(X, np.ones(y.size), n_alphas=3)
    assert not flat.coefs.nnz


def test_float32_is_kept(rng):
    X, y = sparse_regression(rng, 40, 15)
    path = lasso_path(X.astype(np.float32), y, n_alphas=3)
    assert path.coefs.dtype == path.intercepts.dtype == np.float32


def test_alpha_max_sees_weights_and_free_features(rng):
    X, y = sparse_regression(rng, 40, 15)
    weights, omega = rng.uniform(size=40), np.ones(15)
    omega[0] = 0.0
    options = {"sample_weight": weights, "penalty_weights": omega}
    largest = alpha_max(X, y, **options)

    def penalised(alpha):
        model = Lasso(alpha, penalty_weights=omega, tol=1e-14)
        return np.count_nonzero(model.fit(X, y, weights).coef_[1:])

    assert penalised(1.0001 * largest) == 0
    assert penalised(0.9999 * largest) == 1
    assert alpha_max(X, y, l1_ratio=0.5) == pytest.approx(2 * alpha_max(X, y))
    centred_y = y - y.mean()
    assert alpha_max(X, centred_y) == pytest.approx(alpha_max(X, y))
    assert alpha_max(X, y, fit_intercept=False) != pytest.approx(alpha_max(X, y))


def test_errors(rng):
    X, y = sparse_regression(rng, 20, 8)
    with pytest.raises(ValueError, match="l1_ratio=0 has no largest alpha"):
        elastic_net_path(X, y, l1_ratio=0.0)
    with pytest.raises(ValueError, match="alphas must be a non-empty sequence"):
        lasso_path(X, y, alphas=[-1.0])
    with pytest.raises(ValueError, match="'n_alphas' parameter of lasso_path"):
        lasso_path(X, y, n_alphas=0)
    with pytest.warns(ConvergenceWarning, match="2 of 3 alphas"):
        lasso_path(X, y, n_alphas=3, max_iter=1, tol=1e-30)
