"""Matching pursuit, multi-task models and the adaptive Lasso, against twins."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import (
    block_descent,
    centred,
    matching_pursuit,
    multi_task_lasso_gap,
    sparse_regression,
)

from sparselearn.linear_model import (
    AdaptiveLasso,
    Lasso,
    MultiTaskElasticNet,
    MultiTaskLasso,
    OrthogonalMatchingPursuit,
)

STORAGES = [np.asarray, sp.csr_array]


@pytest.fixture(params=[(60, 12), (25, 40)], ids=str)
def data(request, rng):
    X, y = sparse_regression(rng, *request.param)
    weights = rng.uniform(0.1, 2.0, y.size)
    weights[:2] = 0.0
    return X, y, weights


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("positive", [False, True])
def test_matching_pursuit_takes_the_same_steps(data, storage, positive):
    X, y, weights = data
    s = weights / weights.sum()
    _, Xc = centred(X, s, True)
    for k in (1, 3, 6):
        model = OrthogonalMatchingPursuit(k, positive=positive)
        model.fit(storage(X), y, weights)
        slow, _ = matching_pursuit(Xc, y - s @ y, s, k, positive=positive)
        np.testing.assert_allclose(model.coef_, slow, atol=1e-8)
        assert model.n_nonzero_coefs_ <= k


def test_matching_pursuit_equals_scikit_learn(rng):
    X = rng.standard_normal((80, 30))
    X = (X - X.mean(0)) / X.std(0)
    y = X[:, :4] @ [3.0, -2.0, 1.5, 1.0] + 0.3 * rng.standard_normal(80)
    ours = OrthogonalMatchingPursuit(8).fit(X, y)
    theirs = sklearn.linear_model.OrthogonalMatchingPursuit(n_nonzero_coefs=8).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    assert ours.intercept_ == pytest.approx(theirs.intercept_)


def test_matching_pursuit_passes_over_dependent_columns(rng):
    X = rng.standard_normal((30, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(30)
    both = OrthogonalMatchingPursuit(6).fit(np.hstack([X, X]), y)
    one = OrthogonalMatchingPursuit(3).fit(X, y)
    np.testing.assert_allclose(both.predict(np.hstack([X, X])), one.predict(X))
    assert both.n_nonzero_coefs_ == 3


def test_matching_pursuit_stops_at_a_relative_residual(data):
    X, y, _ = data
    for scale in (1e-9, 1.0, 1e9):
        model = OrthogonalMatchingPursuit(tol=0.3).fit(X, scale * y)
        left = np.var(scale * y - model.predict(X)) / np.var(scale * y)
        fewer = OrthogonalMatchingPursuit(max(model.n_nonzero_coefs_ - 1, 1)).fit(X, y)
        assert left <= 0.3
        if model.n_nonzero_coefs_ > 1:
            assert np.var(y - fewer.predict(X)) / np.var(y) > 0.3


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_multi_task_equals_its_twin(data, storage, l1_ratio):
    X, y, weights = data
    Y = np.column_stack([y, np.cos(y), 0.5 * y + 1.0])
    s = weights / weights.sum()
    _, Xc = centred(X, s, True)
    Yc = Y - s @ Y
    tol = 1e-13 if l1_ratio == 1.0 else 1e-18
    model = MultiTaskElasticNet(0.3, l1_ratio=l1_ratio, tol=tol, max_iter=10**5)
    model.fit(storage(X), Y, weights)
    p = X.shape[1]
    l1, l2 = np.full(p, 0.3 * l1_ratio), np.full(p, 0.3 * (1 - l1_ratio))
    slow = block_descent(Xc, Yc, s, l1, l2, n_epochs=3000)
    np.testing.assert_allclose(model.coef_, slow.T, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, s @ (Y - X @ model.coef_.T))


def test_multi_task_certificate_and_special_cases(data):
    X, y, _ = data
    Y = np.column_stack([y, np.sin(y)])
    s = np.full(y.size, 1 / y.size)
    _, Xc = centred(X, s, True)
    model = MultiTaskLasso(0.2, tol=1e-4).fit(X, Y)
    Yc = Y - Y.mean(axis=0)
    gap = multi_task_lasso_gap(Xc, Yc, s, model.coef_.T, 0.2)
    null = 0.5 * np.sum(s[:, None] * Yc**2)
    assert model.dual_gap_ == pytest.approx(gap, abs=1e-13 * null)
    assert model.dual_gap_ <= 1e-4 * null
    one = MultiTaskLasso(0.1, tol=1e-12).fit(X, y[:, None])
    lasso = Lasso(0.1, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(one.coef_[0], lasso.coef_, atol=1e-6)
    assert not MultiTaskLasso(1e6).fit(X, Y).coef_.any()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_adaptive_lasso_ignores_the_units_of_columns(data, scale):
    X, y, _ = data
    model = AdaptiveLasso(0.05, pilot="ridge", tol=1e-12).fit(X, y)
    factors = np.where(np.arange(X.shape[1]) % 2, scale, 1.0)
    other = AdaptiveLasso(0.05, pilot="ridge", tol=1e-12).fit(X * factors, y)
    np.testing.assert_allclose(other.coef_ * factors, model.coef_, atol=1e-6)


def test_adaptive_lasso_is_a_weighted_lasso(data):
    X, y, _ = data
    model = AdaptiveLasso(0.05, pilot="ridge", tol=1e-12).fit(X, y)
    lasso = Lasso(0.05, penalty_weights=model.penalty_weights_, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-8)
    assert np.ptp(model.penalty_weights_) > 0.0
