"""Orthogonal matching pursuit: right answers, and the laws of its input."""

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import centred, matching_pursuit, sparse_regression
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.linear_model import OrthogonalMatchingPursuit as OMP

STORAGES = {"dense": np.asarray, "csr": sp.csr_array, "csc": sp.csc_matrix}
each_storage = pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)


@pytest.fixture(params=[(60, 12), (25, 40)], ids=str)
def data(request, rng):
    return sparse_regression(rng, *request.param)


@pytest.fixture
def weights(data, rng):
    weights = rng.uniform(0.1, 2.0, data[1].size)
    weights[:3] = 0.0
    return weights


@each_storage
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_nonzero_coefs", [1, 5, 10])
def test_equals_scikit_learn(
    data, weights, storage, fit_intercept, weighted, n_nonzero_coefs
):
    """On centred columns of unit length, whose scale it does not see."""
    X, y = data
    s = weights if weighted else np.ones(y.size)
    s = s / s.sum()
    means, Xc = centred(X, s, fit_intercept)
    A = np.sqrt(s)[:, None] * Xc
    lengths = np.linalg.norm(A, axis=0)
    target = np.sqrt(s) * (y - s @ y * fit_intercept)
    theirs = sklearn.linear_model.OrthogonalMatchingPursuit(
        n_nonzero_coefs=n_nonzero_coefs, fit_intercept=False
    ).fit(A / lengths, target)
    ours = OMP(n_nonzero_coefs, fit_intercept=fit_intercept)
    ours.fit(storage(X), y, weights if weighted else None)
    np.testing.assert_allclose(ours.coef_, theirs.coef_ / lengths, atol=1e-8)
    intercept = s @ y - means @ ours.coef_ if fit_intercept else 0.0
    assert ours.intercept_ == pytest.approx(intercept, abs=1e-9)
    assert ours.n_nonzero_coefs_ == ours.n_iter_ == n_nonzero_coefs


@each_storage
@pytest.mark.parametrize("positive", [False, True])
def test_equals_its_twin_on_degenerate_columns(data, weights, storage, positive):
    """Duplicate, dependent and constant columns, for as long as there is something."""
    X, y = data
    X = X.copy()
    X[:, 6], X[:, 7], X[:, 8], X[:, 9] = X[:, 0], X[:, 0] + X[:, 1], 2.0, 0.0
    s = weights / weights.sum()
    model = OMP(X.shape[1], positive=positive).fit(storage(X), y, weights)
    _, Xc = centred(X, s, True)
    Xc[:, 8] = 0.0
    slow, order = matching_pursuit(Xc, y - s @ y, s, min(X.shape), positive=positive)
    assert list(model.active_order_) == list(order)
    scale = np.sqrt(s @ Xc**2)
    np.testing.assert_allclose(model.coef_ * scale, slow * scale, atol=1e-6)
    assert not model.coef_[[8, 9]].any()


def test_memory_maps_and_odd_layouts(data, tmp_path):
    """Read-only, memory-mapped, C-ordered, strided: read as they are, never written."""
    X, y = data
    for dtype, atol in ((np.float64, 1e-12), (np.float32, 1e-5)):
        kept = np.asfortranarray(X, dtype=dtype)
        expected = OMP(4).fit(kept, y)
        joblib.dump(kept, tmp_path / "X")
        mapped = joblib.load(tmp_path / "X", mmap_mode="r")
        frozen = kept.copy(order="F")
        frozen.flags.writeable = False
        strided = np.repeat(kept, 2, axis=0)[::2]
        csc = sp.csc_array(kept)
        wide = csc.copy()
        wide.indices, wide.indptr = csc.indices.astype("i8"), csc.indptr.astype("i8")
        for part in (csc.data, csc.indices, csc.indptr):
            part.flags.writeable = False
        for other in (mapped, frozen, strided, np.ascontiguousarray(kept), csc, wide):
            before = other.copy()
            found = OMP(4).fit(other, y)
            np.testing.assert_allclose(found.coef_, expected.coef_, atol=atol)
            assert found.coef_.dtype == found.predict(other).dtype == dtype
            assert abs(other - before).max() == 0.0


def test_float32_agrees_with_float64(data):
    X, y = data
    double, single = OMP(5).fit(X, y), OMP(5).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)


@each_storage
def test_weights_are_repeated_rows(data, storage, rng):
    X, y = data
    counts = rng.integers(0, 4, y.size)
    model = OMP(4).fit(storage(X), y, counts)
    repeated = storage(np.repeat(X, counts, axis=0)), np.repeat(y, counts)
    np.testing.assert_allclose(model.coef_, clone(model).fit(*repeated).coef_)
    scaled = clone(model).fit(storage(X), y, 7.5 * counts)
    np.testing.assert_allclose(model.coef_, scaled.coef_)


@each_storage
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_units_do_not_matter(data, storage, positive, scale):
    """Of y, of X, or of a single column: no absolute tolerance, no favour."""
    X, y = data
    p = X.shape[1]
    model = OMP(5, positive=positive).fit(storage(X), y)
    on_y = clone(model).fit(storage(X), y * scale)
    np.testing.assert_allclose(on_y.coef_, model.coef_ * scale, rtol=1e-9)
    for factors in (np.full(p, scale), np.where(np.arange(p) % 2, scale, 1.0)):
        on_X = clone(model).fit(storage(X * factors), y)
        np.testing.assert_allclose(on_X.coef_ * factors, model.coef_, rtol=1e-9)


def test_shift_of_columns_moves_only_the_intercept(data):
    X, y = data
    model = OMP(5).fit(X, y)
    shifted = OMP(5).fit(X + 1e5, y - 1e5)
    np.testing.assert_allclose(shifted.coef_, model.coef_, rtol=1e-6)
    np.testing.assert_allclose(shifted.predict(X + 1e5), model.predict(X) - 1e5)


def test_row_order_does_not_matter(data, weights, rng):
    X, y = data
    order = rng.permutation(y.size)
    model = OMP(5).fit(X, y, weights)
    other = OMP(5).fit(X[order], y[order], weights[order])
    np.testing.assert_allclose(other.coef_, model.coef_)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_tol_is_a_share_of_the_null_model(data, weights, scale):
    """The first that explains enough: 1 - R2, in whatever units."""
    X, y = data

    def left(model):
        return 1.0 - model.score(X, scale * y, weights)

    for tol in (0.5, 0.1):
        model = OMP(tol=tol).fit(X, scale * y, weights)
        k = model.n_nonzero_coefs_
        fewer = OMP(k - 1).fit(X, scale * y, weights)
        assert left(model) <= tol < left(fewer)
    # Whichever comes first.
    assert OMP(2, tol=1e-3).fit(X, y).n_nonzero_coefs_ == 2
    assert OMP(10, tol=1.0).fit(X, y).n_nonzero_coefs_ == 0


def test_default_and_clipped_numbers(data):
    X, y = data
    n, p = X.shape
    assert OMP().fit(X, y).n_nonzero_coefs_ == p // 10
    assert OMP().fit(X[:, :5], y).n_nonzero_coefs_ == 1
    everything = OMP(10**6).fit(X, y)
    assert everything.n_nonzero_coefs_ == min(n - 1, p)
    nothing = OMP(0).fit(X, y)
    assert nothing.sparsity_ == 1.0
    assert nothing.active_order_.size == 0
    assert nothing.intercept_ == pytest.approx(y.mean())
    constant = OMP(5).fit(X, np.full(y.size, 0.1))
    assert not constant.coef_.any()
    assert constant.n_iter_ == 0


@each_storage
def test_choice_ends_where_only_rounding_is_left(rng, storage):
    """Of a noiseless combination it finds its features, and no others."""
    X = rng.standard_normal((60, 20))
    coef = np.zeros(20)
    coef[[3, 11, 17]] = 2.0, -1.0, 1e-4
    model = OMP(15).fit(storage(X), X @ coef + 5.0)
    assert sorted(model.active_order_) == [3, 11, 17]
    np.testing.assert_allclose(model.coef_, coef, atol=1e-12)
    assert model.intercept_ == pytest.approx(5.0)


def test_the_order_is_that_of_smaller_models(data):
    X, y = data
    order = OMP(8).fit(X, y).active_order_
    for k in range(1, 8):
        smaller = OMP(k).fit(X, y)
        assert list(smaller.active_order_) == list(order[:k])
        assert set(smaller.support_) == set(order[:k])


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_positive(data, weights, storage):
    """On its support it is non-negative least squares, with nothing at 0."""
    X, y = data
    s = weights / weights.sum()
    _, Xc = centred(X, s, True)
    root = np.sqrt(s)
    for k in (3, 8):
        model = OMP(k, positive=True).fit(storage(X), y, weights)
        chosen = model.active_order_
        exact, _ = nnls(root[:, None] * Xc[:, chosen], root * (y - s @ y))
        np.testing.assert_allclose(model.coef_[chosen], exact, atol=1e-8)
        assert model.coef_[chosen].min() > 0.0
        assert model.n_nonzero_coefs_ == chosen.size <= k


@each_storage
@pytest.mark.parametrize("positive", [False, True])
def test_targets_are_independent(data, weights, storage, positive):
    X, y = data
    both = np.column_stack([y, np.cos(y), y])
    together = OMP(4, positive=positive).fit(storage(X), both, weights)
    assert together.coef_.shape == (3, X.shape[1])
    for k in range(3):
        alone = OMP(4, positive=positive).fit(storage(X), both[:, k], weights)
        np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=1e-12)
        assert together.intercept_[k] == pytest.approx(alone.intercept_)
        np.testing.assert_array_equal(together.active_order_[k], alone.active_order_)
    assert together.predict(storage(X)).shape == both.shape
    union = np.unique(np.concatenate(together.active_order_))
    np.testing.assert_array_equal(together.get_support(indices=True), union)
    assert together.sparse_coef_.nnz == together.n_nonzero_coefs_


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("n_nonzero_coefs", 2),
        ("tol", 0.5),
        ("fit_intercept", False),
        ("positive", True),
    ],
)
def test_each_parameter_is_alive(parameter, value):
    X, y = sparse_regression(np.random.default_rng(0), 60, 12)
    base = OMP(6).fit(X, y)
    other = OMP(6).set_params(**{parameter: value}).fit(X, y)
    assert np.max(np.abs(base.coef_ - other.coef_)) > 1e-6


def test_errors_say_what_is_allowed(data):
    X, y = data
    with pytest.raises(ValueError, match="'n_nonzero_coefs' parameter of Orthogonal"):
        OMP(-1).fit(X, y)
    with pytest.raises(ValueError, match="'tol' parameter of Orthogonal"):
        OMP(tol=-0.1).fit(X, y)
    with pytest.raises(ValueError, match=r"zero for every|at least one non-zero"):
        OMP().fit(X, y, np.zeros(y.size))


def test_in_a_grid_of_sparsities():
    X, y = sparse_regression(np.random.default_rng(0), 60, 12)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), OMP()),
        {"orthogonalmatchingpursuit__n_nonzero_coefs": [0, 1, 5, 10**6]},
        cv=3,
        n_jobs=2,
    ).fit(X, y)
    assert search.best_params_["orthogonalmatchingpursuit__n_nonzero_coefs"] == 5
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))


@each_storage
def test_all_features_are_least_squares(rng, storage):
    """Of several targets; a `tol` of 0 asks for no less."""
    X, y = sparse_regression(rng, 30, 8)
    both = np.column_stack([y, np.cos(y), np.abs(y)])
    exact = sklearn.linear_model.LinearRegression().fit(X, both)
    for model in (OMP(8), OMP(tol=0.0)):
        model.fit(storage(X), both)
        np.testing.assert_allclose(model.coef_, exact.coef_, atol=1e-9)
        np.testing.assert_allclose(model.intercept_, exact.intercept_)


def test_features_are_told_apart_from_their_order(rng):
    """The stronger one is chosen first, wherever it stands; of twins one does."""
    X = np.linalg.qr(rng.standard_normal((60, 20)))[0]
    model = OMP(2, fit_intercept=False).fit(X, X[:, 0] * 0.5 + X[:, 17])
    assert list(model.active_order_) == [17, 0]
    np.testing.assert_allclose(model.coef_[[17, 0]], [1.0, 0.5])
    X[:, 1] = X[:, 0]
    twins = OMP(2, fit_intercept=False).fit(X, X[:, 0] + X[:, 1])
    assert twins.n_nonzero_coefs_ == 1
    np.testing.assert_allclose(twins.coef_[[0, 1]].sum(), 2.0)
