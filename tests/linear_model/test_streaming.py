"""A chain of batches is one fit to all rows."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from reference import sparse_regression
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sparselearn._solvers import _spread
from sparselearn._solvers._moments import batch_moments, moments_of
from sparselearn._validation import column_major
from sparselearn.linear_model import (
    ElasticNet,
    GroupLasso,
    Lasso,
    LassoCV,
    SparseGroupLasso,
    _streaming,
)

TIGHT = {"tol": 1e-14}
MODELS = {
    "Lasso": Lasso(0.05, **TIGHT),
    "without intercept": Lasso(0.05, fit_intercept=False, **TIGHT),
    "positive": Lasso(0.05, positive=True, **TIGHT),
    "of a size": Lasso(n_nonzero_coefs=4, **TIGHT),
    "refitted": Lasso(0.1, refit_support="ols", **TIGHT),
    "weighted": ElasticNet(0.05, penalty_weights=[0, 1, 2, 3, np.inf] * 3, **TIGHT),
    "ridge": ElasticNet(0.05, l1_ratio=0.0, **TIGHT),
    "GroupLasso": GroupLasso(0.05, groups=3, **TIGHT),
    "SparseGroupLasso": SparseGroupLasso(0.05, groups=3, **TIGHT),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 90, 15)
    X = X * (rng.random(X.shape) < 0.6) + 3.0 * (np.arange(15) == 2)
    weights = rng.uniform(0.5, 2.0, 90)
    weights[::7] = 0.0
    return X, y + 20.0, weights


def batches(n_rows, rng, n_batches=6):
    """Slices of random lengths, the first of a single row."""
    inner = np.sort(rng.choice(np.arange(2, n_rows), n_batches - 2, replace=False))
    return [slice(*pair) for pair in pairwise([0, 1, *inner, n_rows])]


def chain(model, X, y, parts, weights=None):
    model = clone(model)
    for part in parts:
        own = None if weights is None else weights[part]
        model.partial_fit(X[part], y[part], sample_weight=own)
    return model


def assert_same_model(found, expected, atol=1e-9):
    for name in ("coef_", "intercept_", "alpha_", "objective_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=atol, err_msg=name
        )
    np.testing.assert_array_equal(found.support_, expected.support_)


@each_model
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array, sp.csc_array])
def test_a_chain_is_one_fit(rng, data, model, storage):
    X, y, weights = data
    weights[0] = 1.0
    found = chain(model, storage(X), y, batches(90, rng), weights)
    assert_same_model(found, clone(model).fit(X, y, sample_weight=weights))
    assert found.n_samples_seen_ == 90
    assert found.dual_gap_ <= 1e-14 * np.mean(y**2)


def test_of_a_batch_without_weights_each_row_counts_once(rng, data):
    X, y, weights = data
    model = Lasso(0.05, **TIGHT).partial_fit(X[:40], y[:40])
    model.partial_fit(X[40:], y[40:], sample_weight=weights[40:])
    weights[:40] = 1.0
    assert_same_model(model, Lasso(0.05, **TIGHT).fit(X, y, sample_weight=weights))


def test_the_order_of_batches_does_not_matter(rng, data):
    X, y, _ = data
    parts = batches(90, rng)
    model = MODELS["Lasso"]
    assert_same_model(chain(model, X, y, parts[::-1]), chain(model, X, y, parts))


@each_model
def test_merged_is_as_if_one_had_seen_all(data, model):
    X, y, _ = data
    left = chain(model, X, y, [slice(0, 20), slice(20, 50)])
    right = chain(model, X, y, [slice(50, 90)])
    before = right.coef_.copy()
    sent = pickle.loads(pickle.dumps(right))
    assert left.merge(sent) is left
    assert_same_model(left, clone(model).fit(X, y))
    assert left.n_samples_seen_ == 90
    np.testing.assert_array_equal(right.coef_, before)
    assert right.n_samples_seen_ == 40


def test_several_targets(rng, data):
    X, y, _ = data
    Y = np.column_stack([y, X[:, 1], rng.standard_normal(90)])
    found = chain(MODELS["Lasso"], X, Y, batches(90, rng))
    assert found.coef_.shape == (3, 15)
    assert_same_model(found, clone(MODELS["Lasso"]).fit(X, Y))


def test_far_from_zero_nothing_is_lost(rng, data):
    """Sums are about means, so that a distance of 1e6 costs no digits of products."""
    X, y, _ = data
    far = X + 1e6
    for storage in (np.asarray, sp.csr_array):
        found = chain(MODELS["Lasso"], storage(far), y, batches(90, rng))
        near = clone(MODELS["Lasso"]).fit(X, y)
        np.testing.assert_allclose(found.coef_, near.coef_, atol=1e-8)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scales(rng, data, scale):
    X, y, _ = data
    parts = batches(90, rng)
    found = chain(Lasso(0.05 * scale**2, **TIGHT), scale * X, scale * y, parts)
    unit = chain(Lasso(0.05, **TIGHT), X, y, parts)
    np.testing.assert_allclose(found.coef_, unit.coef_, atol=1e-10)


def test_float32_rows_have_sums_of_float64(rng, data):
    X, y, _ = data
    found = chain(MODELS["Lasso"], X.astype(np.float32), y, batches(90, rng))
    assert found.coef_.dtype == np.float32
    expected = clone(MODELS["Lasso"]).fit(X.astype(np.float32).astype(float), y)
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_sparse_sums_are_those_of_rows(rng, density):
    X = rng.standard_normal((30, 5)) * (rng.random((30, 5)) < density) + (density == 1)
    y, weights = rng.standard_normal((30, 2)), rng.uniform(size=30)
    found = batch_moments(column_major(sp.csc_array(X)), y, weights)
    expected = moments_of(column_major(X), y, weights)
    for name, value in vars(expected).items():
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-12)


def test_a_column_that_is_nearly_constant_has_its_variance(rng, monkeypatch):
    X = np.column_stack([1e5 + rng.standard_normal(50), rng.standard_normal(50)])
    y, stored = np.zeros((50, 1)), column_major(sp.csc_array(X))
    found = batch_moments(stored, y, np.ones(1)).scatter
    expected = np.cov(X.T, bias=True) * 50
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-8)
    # The other way would have lost digits.
    monkeypatch.setattr(_spread, "CANCELLED", 0.0)
    lost = batch_moments(stored, y, np.ones(1)).scatter
    assert abs(lost[0, 0] - expected[0, 0]) > 1e-8 * expected[0, 0]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (lambda X, y: (X[:, 1:], y), "features"),
        (lambda X, y: (np.where(X > 1, np.nan, X), y), "NaN"),
        (lambda X, y: (X, np.column_stack([y, y])), "Columns of y"),
        (lambda X, y: (X, y, np.zeros(90)), "zero"),
    ],
)
def test_a_bad_batch_changes_nothing(data, bad, words):
    X, y, _ = data
    model = Lasso(0.05).partial_fit(X, y)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match=words):
        model.partial_fit(*bad(X, y))
    assert pickle.dumps(model) == before


def test_an_interrupt_leaves_the_last_good_state(data, monkeypatch):
    X, y, _ = data
    model = Lasso(0.05).partial_fit(X, y)
    before = pickle.dumps(model)

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Lasso, "_solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X[:5], y[:5])
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("model", [Lasso(1e-3), LassoCV([1e-3], cv=2)], ids=repr)
def test_one_warning_where_the_user_called(data, model):
    X, y, _ = data
    model = clone(model).set_params(tol=1e-30, max_iter=1)
    for call in (model.partial_fit, clone(model).partial_fit):
        with pytest.warns(ConvergenceWarning) as caught:
            call(X, y)
        assert [w.filename for w in caught] == [__file__]
    with pytest.warns(ConvergenceWarning) as caught:
        model.merge(call.__self__)
    assert [w.filename for w in caught] == [__file__]


def test_fit_ends_a_chain_and_the_next_batch_begins_one(data):
    X, y, _ = data
    model = Lasso(0.05, **TIGHT).partial_fit(X[:50], y[:50]).fit(X[50:], y[50:])
    expected = clone(model).fit(X[50:], y[50:])
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    with pytest.raises(ValueError, match="two models"):
        model.merge(Lasso().partial_fit(X, y))
    model.partial_fit(X, y)
    assert model.n_samples_seen_ == 90
    assert_same_model(model, expected.fit(X, y))


def test_merge_wants_two_that_fit(data):
    X, y, _ = data
    model = Lasso(0.05).partial_fit(X, y)
    for other in (Lasso(), Lasso().fit(X, y)):
        with pytest.raises(ValueError, match="two models"):
            model.merge(other)
    with pytest.raises(
        ValueError, match="Numbers of features differ: earlier 15, now 14"
    ):
        model.merge(Lasso().partial_fit(X[:, 1:], y))
    with pytest.raises(ValueError, match="two models"):
        Lasso().merge(model)


def test_sums_that_are_too_large_are_refused(data, monkeypatch):
    X, y, _ = data
    monkeypatch.setattr(_streaming, "LARGEST", 8 * 15**2 - 1)
    model = Lasso()
    with pytest.raises(ValueError, match=r"15 x 15 numbers.*in place"):
        model.partial_fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    monkeypatch.setattr(_streaming, "LARGEST", 8 * 15**2)
    model.partial_fit(X, y)
