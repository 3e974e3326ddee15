"""Gram products when they are asked for, and targets that share them."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, matching_pursuit, sparse_regression

from sparselearn._solvers import _omp
from sparselearn._solvers._omp import GramRows, Matcher
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major


def problem_of(X, weights, *, intercept=True):
    return make_problem(column_major(X), weights, fit_intercept=intercept)


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 50, 30)
    weights = rng.uniform(size=50)
    weights[:2] = 0.0
    return X, y, weights / weights.sum()


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [True, False])
def test_rows_are_gram_products(data, storage, dtype, intercept):
    X, _, weights = data
    X = X.astype(dtype)
    _, Xc = centred(X.astype(float), weights, intercept)
    expected = Xc.T @ (weights[:, None] * Xc)
    rows = GramRows(problem_of(storage(X), weights, intercept=intercept))
    rows.form(np.array([4]))
    rows.form(np.array([9, 0, 29]))
    assert list(rows.slots[[4, 9, 0, 29, 1]]) == [0, 1, 2, 3, -1]
    np.testing.assert_allclose(rows.rows[:4], expected[[4, 9, 0, 29]], atol=1e-13)
    rows.form_all()
    np.testing.assert_allclose(rows.rows[rows.slots], expected, atol=1e-13)


def test_a_constant_column_is_never_chosen(rng):
    """Though of sparse columns with weights the curvature is rounding, not 0."""
    for _ in range(30):
        weights = rng.uniform(size=40)
        X, y = sparse_regression(rng, 40, 8)
        X[:, 3] = 2.0
        design = problem_of(sp.csc_array(X), weights / weights.sum())
        code = Matcher(design, most=8).solve(design.with_target(y))
        assert sorted(code.order) == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("ahead", [1, 3, 100])
@pytest.mark.parametrize("most", [2, 30])
@pytest.mark.parametrize("positive", [False, True])
def test_any_way_to_form_them_gives_the_same(
    data, storage, ahead, most, positive, monkeypatch
):
    X, y, weights = data
    monkeypatch.setattr(_omp, "AHEAD", ahead)
    design = problem_of(storage(X), weights)
    matcher = Matcher(design, most=most, positive=positive)
    assert (matcher.gram.n_formed == 30) == (most == 30)
    _, Xc = centred(X, weights, True)
    for target in (y, np.sin(y), y):
        code = matcher.solve(design.with_target(target))
        slow, order = matching_pursuit(
            Xc, target - weights @ target, weights, most, positive=positive
        )
        np.testing.assert_allclose(code.coef, slow, atol=1e-8)
        assert list(code.order) == list(order)


def test_targets_share_rows_until_these_are_too_many(data, monkeypatch):
    X, y, weights = data
    design = problem_of(X[:20], weights[:20] / weights[:20].sum())
    matcher = Matcher(design, most=4)
    problem = design.with_target(y[:20])
    first = matcher.solve(problem)
    formed, rows = matcher.gram.n_formed, matcher.gram
    second = matcher.solve(problem)
    assert matcher.gram is rows
    assert rows.n_formed == formed
    monkeypatch.setattr(_omp, "KEPT", 10)
    third = matcher.solve(problem)
    assert matcher.gram is not rows
    for other in (second, third):
        np.testing.assert_allclose(other.coef, first.coef, rtol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
def test_room_grows_with_the_pursuit(rng, positive, monkeypatch):
    monkeypatch.setattr(_omp, "AHEAD", 1)
    X, y = sparse_regression(rng, 30, 60)
    design = problem_of(X, np.full(1, 1 / 30))
    matcher = Matcher(design, most=25, positive=positive)
    code = matcher.solve(design.with_target(y))
    s = np.full(30, 1 / 30)
    _, Xc = centred(X, s, True)
    slow, order = matching_pursuit(Xc, y - y.mean(), s, 25, positive=positive)
    assert len(order) > 8
    assert list(code.order) == list(order)
    np.testing.assert_allclose(code.coef, slow, rtol=1e-6, atol=1e-8)


def test_larger_room_keeps_what_is_in_use(rng):
    state = Matcher(problem_of(np.eye(4), np.full(1, 0.25)), most=3)._state(np.ones(4))
    for part in state[2:]:
        part[...] = rng.permutation(part.size).reshape(part.shape) + 1
    larger = _omp._enlarged(state, 2, 5)
    np.testing.assert_array_equal(larger.basis[:2], state.basis[:2])
    np.testing.assert_array_equal(larger.factor[:2, :2], state.factor[:2, :2])
    np.testing.assert_array_equal(larger.steps[:2], state.steps[:2])
    np.testing.assert_array_equal(larger.chosen[:2], state.chosen[:2])
    np.testing.assert_array_equal(larger.coef[:, :2], state.coef[:, :2])
    assert larger.basis.shape == (5, 4)
    assert larger.correlation is state.correlation


def test_least_squares_beyond_the_gram_matrix(rng):
    """Two columns apart by 1e-4: the normal equations alone lose half the digits."""
    X = rng.standard_normal((100, 3))
    X[:, 1] = X[:, 0] + 1e-4 * X[:, 1]
    y = X @ [1.0, -2.0, 3.0] + 0.1 * rng.standard_normal(100)
    design = problem_of(X, np.full(1, 0.01), intercept=False)
    code = Matcher(design, most=3).solve(design.with_target(y))
    exact = np.linalg.lstsq(X, y)[0]
    np.testing.assert_allclose(code.coef, exact, rtol=1e-11)
