"""Multi-task Lasso and elastic net: right answers, and the laws of their input."""

import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import (
    centred,
    multi_task_lasso_gap,
    multi_task_objective,
    sparse_regression,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.linear_model import (
    ElasticNet,
    Lasso,
    MultiTaskElasticNet,
    MultiTaskLasso,
)

STORAGES = {"dense": np.asarray, "csr": sp.csr_array, "csc": sp.csc_matrix}
each_storage = pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)


@pytest.fixture(params=[(60, 12), (25, 40)], ids=str)
def data(request, rng):
    X, y = sparse_regression(rng, *request.param)
    other = X[:, 0] - X[:, 6] + rng.standard_normal(y.size) + 2.0
    return X, np.column_stack([y, other, np.cos(y)])


@pytest.fixture
def weights(data, rng):
    weights = rng.uniform(0.1, 2.0, len(data[1]))
    weights[:3] = 0.0
    return weights


def largest_alpha(X, Y):
    correlations = (X - X.mean(axis=0)).T @ (Y - Y.mean(axis=0)) / len(Y)
    return np.max(np.linalg.norm(correlations, axis=1))


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@each_storage
def test_equals_scikit_learn(data, storage, l1_ratio, fit_intercept):
    """Theirs takes neither sparse X nor weights."""
    X, Y = data
    shared = {"alpha": 0.1 * largest_alpha(X, Y), "fit_intercept": fit_intercept}
    if l1_ratio == 1.0:
        theirs, ours = sklearn.linear_model.MultiTaskLasso, MultiTaskLasso
    else:
        theirs, ours = sklearn.linear_model.MultiTaskElasticNet, MultiTaskElasticNet
    theirs, ours = theirs(tol=1e-15, max_iter=10**5, **shared), ours(**shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, Y)
    ours.set_params(tol=1e-14 if l1_ratio == 1.0 else 1e-20).fit(storage(X), Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-7)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-7)
    assert 0 < ours.support_.size < X.shape[1]


@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@each_storage
def test_one_task_is_the_lasso(data, weights, storage, l1_ratio):
    X, Y = data
    y = Y[:, :1]
    omega = np.linspace(0.0, 2.0, X.shape[1])
    shared = {"penalty_weights": omega, "l1_ratio": l1_ratio, "tol": 1e-14}
    several = MultiTaskElasticNet(0.1, **shared).fit(storage(X), y, weights)
    one = ElasticNet(0.1, **shared).fit(storage(X), y[:, 0], weights)
    np.testing.assert_allclose(several.coef_[0], one.coef_, atol=1e-6)
    assert several.intercept_[0] == pytest.approx(one.intercept_, abs=1e-6)
    assert several.objective_ == pytest.approx(one.objective_, rel=1e-10)


def test_tasks_share_their_support(data):
    """Unlike independent Lassos: a row is zero for all targets or for none."""
    X, Y = data
    alpha = 0.1 * largest_alpha(X, Y)
    model = MultiTaskLasso(alpha).fit(X, Y)
    used = model.coef_ != 0.0
    np.testing.assert_array_equal(used.all(axis=0), used.any(axis=0))
    apart = Lasso(alpha).fit(X, Y).coef_ != 0.0
    assert np.any(apart.all(axis=0) != apart.any(axis=0))


@each_storage
def test_every_storage_gives_the_same(data, weights, storage):
    X, Y = data
    expected = MultiTaskLasso(0.1, tol=1e-13).fit(X, Y, weights)
    found = MultiTaskLasso(0.1, tol=1e-13).fit(storage(X), Y, weights)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-8)
    np.testing.assert_allclose(found.intercept_, expected.intercept_, atol=1e-8)
    np.testing.assert_allclose(
        found.predict(storage(X)), expected.predict(X), atol=1e-7
    )


def test_memory_maps_and_odd_layouts(data, tmp_path):
    """Read-only, memory-mapped, C-ordered, strided: read as they are, never written."""
    X, Y = data
    for dtype in (np.float64, np.float32):
        kept, target = np.asfortranarray(X, dtype=dtype), Y.astype(dtype)
        expected = MultiTaskLasso(0.1, tol=1e-12).fit(kept, target)
        joblib.dump(kept, tmp_path / "X")
        mapped = joblib.load(tmp_path / "X", mmap_mode="r")
        target.flags.writeable = False
        strided = np.repeat(kept, 2, axis=0)[::2]
        csc = sp.csc_array(kept)
        wide = csc.copy()
        wide.indices, wide.indptr = csc.indices.astype("i8"), csc.indptr.astype("i8")
        for part in (csc.data, csc.indices, csc.indptr):
            part.flags.writeable = False
        for other in (mapped, strided, np.ascontiguousarray(kept), csc, wide):
            before = other.copy()
            found = MultiTaskLasso(0.1, tol=1e-12).fit(other, target)
            np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)
            assert found.coef_.dtype == found.predict(other).dtype == dtype
            assert abs(other - before).max() == 0.0


def test_float32_agrees_with_float64(data):
    X, Y = data
    double = MultiTaskElasticNet(0.1, tol=1e-12).fit(X, Y)
    single = MultiTaskElasticNet(0.1, tol=1e-12).fit(X.astype(np.float32), Y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)
    assert single.dual_gap_ <= 1e-10


@each_storage
def test_weights_are_repeated_rows(data, storage, rng):
    X, Y = data
    counts = rng.integers(0, 4, len(Y))
    repeated = storage(np.repeat(X, counts, axis=0)), np.repeat(Y, counts, axis=0)
    model = MultiTaskLasso(0.1, tol=1e-13).fit(storage(X), Y, counts)
    other = clone(model).fit(*repeated)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, other.intercept_, atol=1e-8)
    scaled = clone(model).fit(storage(X), Y, 7.5 * counts)
    np.testing.assert_allclose(model.coef_, scaled.coef_, atol=1e-8)


@each_storage
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_scale_equivariance(data, storage, scale):
    X, Y = data
    alpha = 0.1 * largest_alpha(X, Y)
    model = MultiTaskLasso(alpha, tol=1e-12).fit(storage(X), Y)
    on_Y = MultiTaskLasso(alpha * scale, tol=1e-12).fit(storage(X), Y * scale)
    on_X = MultiTaskLasso(alpha * scale, tol=1e-12).fit(storage(X * scale), Y)
    np.testing.assert_allclose(on_Y.coef_, model.coef_ * scale, atol=1e-7 * scale)
    np.testing.assert_allclose(on_X.coef_, model.coef_ / scale, atol=1e-7 / scale)
    assert list(on_Y.support_) == list(on_X.support_) == list(model.support_)


def test_turning_the_targets_turns_the_coefficients(data):
    """The penalty knows the length of a row only."""
    X, Y = data
    turn = np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 1.5 + np.eye(3))[0]
    model = MultiTaskLasso(0.2, tol=1e-13).fit(X, Y)
    turned = MultiTaskLasso(0.2, tol=1e-13).fit(X, Y @ turn)
    np.testing.assert_allclose(turned.coef_, turn.T @ model.coef_, atol=1e-7)


def test_shift_of_columns_moves_only_the_intercept(data):
    X, Y = data
    model = MultiTaskLasso(0.1, tol=1e-10).fit(X, Y)
    shifted = MultiTaskLasso(0.1, tol=1e-10).fit(X + 1e5, Y - 1e5)
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-5)
    np.testing.assert_allclose(shifted.predict(X + 1e5), model.predict(X) - 1e5)


def test_row_order_does_not_matter(data, weights, rng):
    X, Y = data
    order = rng.permutation(len(Y))
    model = MultiTaskLasso(0.1, tol=1e-13).fit(X, Y, weights)
    other = MultiTaskLasso(0.1, tol=1e-13).fit(X[order], Y[order], weights[order])
    np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-8)


@each_storage
def test_the_certificate_is_honest(data, storage):
    """`dual_gap_` recomputed by hand; the tolerance is met, relative to the null."""
    X, Y = data
    null = 0.5 * np.sum(np.var(Y, axis=0))
    for tol in (1e-2, 1e-5, 1e-8):
        model = MultiTaskLasso(0.1, tol=tol).fit(storage(X), Y)
        s = np.full(len(Y), 1 / len(Y))
        _, Xc = centred(X, s, True)
        gap = multi_task_lasso_gap(Xc, Y - Y.mean(axis=0), s, model.coef_.T, 0.1)
        assert model.dual_gap_ == pytest.approx(gap, abs=1e-13 * null)
        assert model.dual_gap_ <= tol * null
        objective = multi_task_objective(
            X, Y, s, model.coef_.T, model.intercept_, 0.1, 0.0
        )
        assert model.objective_ == pytest.approx(objective)


def test_unconverged_warns_once_with_both_numbers(data):
    model = MultiTaskLasso(1e-4, tol=1e-30, max_iter=3)
    with pytest.warns(ConvergenceWarning, match=r"epochs.*> tol=1.00e-30") as caught:
        model.fit(*data)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@each_storage
def test_nothing_to_do_takes_no_iterations(data, storage):
    X, Y = data
    largest = largest_alpha(X, Y) * (1 + 1e-12)
    for model in (MultiTaskLasso(largest), MultiTaskElasticNet(largest, l1_ratio=1.0)):
        model.fit(storage(X), Y)
        assert model.n_iter_ == 0
        assert not model.coef_.any()
        assert model.sparsity_ == 1.0
        np.testing.assert_allclose(model.intercept_, Y.mean(axis=0))
    constant = MultiTaskLasso(0.1).fit(storage(X), np.full(Y.shape, 0.1))
    assert constant.n_iter_ == 0
    assert not constant.coef_.any()


@each_storage
def test_constant_and_duplicate_columns(data, storage):
    X, Y = data
    X = X.copy()
    X[:, 6], X[:, 7] = 0.1, X[:, 0]
    model = MultiTaskLasso(0.05, tol=1e-12).fit(storage(X), Y)
    assert not model.coef_[:, 6].any()
    without = MultiTaskLasso(0.05, tol=1e-12)
    without.fit(storage(np.delete(X, [6, 7], axis=1)), Y)
    assert model.objective_ == pytest.approx(without.objective_, rel=1e-10)


def test_penalty_weights(data):
    """They rescale columns; 0 leaves a feature free, inf drops it."""
    X, Y = data
    p = X.shape[1]
    omega = np.linspace(0.5, 2.0, p)
    weighted = MultiTaskLasso(0.1, penalty_weights=omega, tol=1e-13).fit(X, Y)
    rescaled = MultiTaskLasso(0.1, tol=1e-13).fit(X / omega, Y)
    np.testing.assert_allclose(weighted.coef_, rescaled.coef_ / omega, atol=1e-7)

    omega = np.ones(p)
    omega[[0, 3]] = 0.0
    free = MultiTaskLasso(
        10 * largest_alpha(X, Y), penalty_weights=omega, tol=1e-13
    ).fit(X, Y)
    least_squares = sklearn.linear_model.LinearRegression().fit(X[:, [0, 3]], Y)
    assert list(free.support_) == [0, 3]
    np.testing.assert_allclose(free.coef_[:, [0, 3]], least_squares.coef_, atol=1e-6)

    omega = np.ones(p)
    omega[0] = np.inf
    dropped = MultiTaskLasso(0.1, penalty_weights=omega, tol=1e-13).fit(X, Y)
    without = MultiTaskLasso(0.1, tol=1e-13).fit(X[:, 1:], Y)
    assert not dropped.coef_[:, 0].any()
    np.testing.assert_allclose(dropped.coef_[:, 1:], without.coef_, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_without_an_l1_part_it_is_ridge_regression(alpha):
    X, y = sparse_regression(np.random.default_rng(0), 60, 12)
    Y = np.column_stack([y, np.cos(y)])
    model = MultiTaskElasticNet(alpha, l1_ratio=0.0, tol=1e-14).fit(X, Y)
    ridge = sklearn.linear_model.Ridge(alpha * 60).fit(X, Y)
    np.testing.assert_allclose(model.coef_, ridge.coef_, atol=1e-6)


def test_warm_start_goes_on_from_the_last_fit(data):
    X, Y = data
    options = {"tol": 1e-12, "max_iter": 10**5}
    model = MultiTaskLasso(0.1, warm_start=True, **options).fit(X, Y)
    first = model.n_iter_
    assert model.fit(X, Y).n_iter_ <= 1 < first
    cold = MultiTaskLasso(0.03, **options).fit(X, Y)
    warm = model.set_params(alpha=0.03).fit(X, Y)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-7)
    # Other data of another width start afresh.
    assert model.fit(X[:, :7], Y).coef_.shape == (3, 7)


@each_storage
def test_n_nonzero_coefs_counts_features(data, storage):
    X, Y = data
    for wanted in (0, 1, 3):
        model = MultiTaskLasso(n_nonzero_coefs=wanted, tol=1e-12).fit(storage(X), Y)
        assert model.support_.size <= wanted
        assert model.n_nonzero_coefs_ == 3 * model.support_.size
        less = MultiTaskLasso(0.999 * model.alpha_, tol=1e-12).fit(X, Y)
        assert less.support_.size > wanted
        same = MultiTaskLasso(model.alpha_, tol=1e-12).fit(X, Y)
        np.testing.assert_allclose(same.coef_, model.coef_, atol=1e-7)
    everything = MultiTaskLasso(n_nonzero_coefs=10**6).fit(storage(X), Y)
    assert everything.alpha_ == pytest.approx(1e-3 * largest_alpha(X, Y))


@each_storage
def test_refit_undoes_the_shrinkage(data, weights, storage):
    X, Y = data
    model = MultiTaskLasso(n_nonzero_coefs=4, refit_support="ols")
    model.fit(storage(X), Y, weights)
    shrunk = MultiTaskLasso(n_nonzero_coefs=4).fit(X, Y, weights)
    chosen = shrunk.support_
    exact = sklearn.linear_model.LinearRegression().fit(X[:, chosen], Y, weights)
    np.testing.assert_allclose(model.coef_[:, chosen], exact.coef_, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, atol=1e-7)
    assert list(model.support_) == list(chosen)
    ridge = clone(model).set_params(refit_support="ridge").fit(X, Y, weights)
    assert np.linalg.norm(ridge.coef_) < np.linalg.norm(model.coef_)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("alpha", 0.5),
        ("l1_ratio", 0.1),
        ("penalty_weights", np.arange(12.0)),
        ("n_nonzero_coefs", 2),
        ("fit_intercept", False),
        ("refit_support", "ols"),
        ("tol", 1.0),
    ],
)
def test_each_parameter_is_alive(parameter, value):
    X, y = sparse_regression(np.random.default_rng(0), 60, 12)
    Y = np.column_stack([y, np.cos(y)])
    base = MultiTaskElasticNet(0.1).fit(X, Y)
    other = MultiTaskElasticNet(0.1).set_params(**{parameter: value}).fit(X, Y)
    assert np.max(np.abs(base.coef_ - other.coef_)) > 1e-6


def test_errors_say_what_is_allowed(data):
    X, Y = data
    with pytest.raises(ValueError, match="'alpha' parameter of MultiTaskLasso must"):
        MultiTaskLasso(-1.0).fit(X, Y)
    with pytest.raises(ValueError, match=r"needs y of shape .*\. For a single target"):
        MultiTaskLasso().fit(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"zero for every|at least one non-zero"):
        MultiTaskLasso().fit(X, Y, np.zeros(len(Y)))
    with pytest.raises(ValueError, match=r"penalty_weights has shape \(3,\)"):
        MultiTaskLasso(penalty_weights=np.ones(3)).fit(X, Y)
    with pytest.raises(ValueError, match="l1_ratio=0 makes no coefficient zero"):
        MultiTaskElasticNet(l1_ratio=0.0, n_nonzero_coefs=2).fit(X, Y)


def test_sparse_coef_and_support(data):
    X, Y = data
    model = MultiTaskLasso(0.2).fit(X, Y)
    assert model.sparse_coef_.nnz == model.n_nonzero_coefs_
    np.testing.assert_array_equal(model.sparse_coef_.toarray(), model.coef_)
    np.testing.assert_array_equal(
        model.get_support(), np.any(model.coef_ != 0.0, axis=0)
    )


def test_in_a_grid(rng):
    X, y = sparse_regression(rng, 60, 12)
    Y = np.column_stack([y, 2.0 - y])
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MultiTaskLasso()),
        {"multitasklasso__n_nonzero_coefs": [1, 6, 100]},
        cv=3,
        n_jobs=2,
    ).fit(X, Y)
    assert search.best_score_ > 0.8
    assert search.best_params_["multitasklasso__n_nonzero_coefs"] > 1
