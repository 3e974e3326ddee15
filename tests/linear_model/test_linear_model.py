"""Lasso and ElasticNet: right answers, and the laws of their input."""

import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from reference import centred, elastic_net_objective, lasso_gap, sparse_regression
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.linear_model import ElasticNet, Lasso, alpha_max

STORAGES = {
    "dense": np.asarray,
    "fortran": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "csr_matrix": sp.csr_matrix,
    "coo": sp.coo_array,
}
SHAPES = [(60, 12), (25, 40)]


@pytest.fixture(params=SHAPES, ids=str)
def data(request, rng):
    return sparse_regression(rng, *request.param)


@pytest.fixture
def sample_weight(data, rng):
    weights = rng.uniform(0.1, 2.0, data[0].shape[0])
    weights[:3] = 0.0
    return weights


def scikit_learn_twin(X, y, sample_weight, **parameters):
    twin = sklearn.linear_model.ElasticNet(tol=1e-15, max_iter=200000, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return twin.fit(X, y, sample_weight)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_equals_scikit_learn(
    data, sample_weight, storage, weighted, l1_ratio, positive, fit_intercept
):
    X, y = data
    weights = sample_weight if weighted else None
    shared = {
        "alpha": 0.05 * alpha_max(X, y),
        "l1_ratio": l1_ratio,
        "positive": positive,
        "fit_intercept": fit_intercept,
    }
    # The elastic net's gap is of second order in the error, the Lasso's of first.
    tol = 1e-14 if l1_ratio == 1.0 else 1e-20
    ours = ElasticNet(tol=tol, **shared).fit(STORAGES[storage](X), y, weights)
    theirs = scikit_learn_twin(X, y, weights, **shared)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-8)
    assert ours.n_nonzero_coefs_ < X.shape[1]


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_gives_the_same(data, sample_weight, storage):
    X, y = data
    alpha = 0.1 * alpha_max(X, y)
    expected = Lasso(alpha, tol=1e-13).fit(X, y, sample_weight)
    found = Lasso(alpha, tol=1e-13).fit(STORAGES[storage](X), y, sample_weight)
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-9)
    assert found.intercept_ == pytest.approx(expected.intercept_, abs=1e-9)
    predictions = found.predict(STORAGES[storage](X))
    np.testing.assert_allclose(predictions, expected.predict(X), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_maps_and_odd_layouts(data, dtype, tmp_path):
    """Read-only, memory-mapped, strided, unaligned: read as they are, never written."""
    X, y = data
    X = np.asfortranarray(X, dtype=dtype)
    y = y.astype(dtype)
    expected = Lasso(0.1, tol=1e-12).fit(X, y)
    joblib.dump(X, tmp_path / "X")
    mapped = joblib.load(tmp_path / "X", mmap_mode="r")
    frozen = X.copy(order="F")
    frozen.flags.writeable = False
    strided = np.repeat(X, 2, axis=0)[::2]
    unaligned = np.empty(X.nbytes + 1, np.uint8)[1:].view(dtype)
    unaligned = unaligned.reshape(X.shape, order="F")
    unaligned[:] = X
    csc = sp.csc_array(X)
    for part in (csc.data, csc.indices, csc.indptr):
        part.flags.writeable = False
    for other in (mapped, frozen, strided, unaligned, csc):
        before = other.copy()
        found = Lasso(0.1, tol=1e-12).fit(other, y)
        np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)
        assert found.coef_.dtype == dtype
        assert abs(other - before).max() == 0.0


def test_sparse_index_types_and_duplicate_entries(data):
    X, y = data
    csc = sp.csc_array(X)
    expected = Lasso(0.1, tol=1e-13).fit(csc, y)
    wide = csc.copy()
    wide.indices, wide.indptr = csc.indices.astype("i8"), csc.indptr.astype("i8")
    halves = sp.coo_array(
        (
            np.concatenate([csc.tocoo().data * 0.25, csc.tocoo().data * 0.75]),
            (np.tile(csc.tocoo().row, 2), np.tile(csc.tocoo().col, 2)),
        ),
        shape=X.shape,
    )
    unsummed = sp.csc_array(X.shape)
    parts = [sp.csc_array(X[:, [j]]) for j in range(X.shape[1])]
    unsummed = sp.csc_array(
        (
            np.concatenate([0.5 * np.tile(p.data, 2) for p in parts]),
            np.concatenate([np.tile(p.indices, 2) for p in parts]),
            np.cumsum([0] + [2 * p.nnz for p in parts]),
        ),
        shape=X.shape,
    )
    stored = unsummed.data.copy()
    for other in (wide, halves, unsummed):
        found = Lasso(0.1, tol=1e-13).fit(other, y)
        np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-9)
    np.testing.assert_array_equal(unsummed.data, stored)


def test_float32_agrees_with_float64(data):
    X, y = data
    double = ElasticNet(0.1, tol=1e-12).fit(X, y)
    single = ElasticNet(0.1, tol=1e-12).fit(X.astype(np.float32), y.astype(np.float32))
    assert single.coef_.dtype == np.float32
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)
    np.testing.assert_allclose(single.dual_gap_, 0.0, atol=1e-10)


@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_weights_are_repeated_rows(data, storage, rng):
    X, y = data
    counts = rng.integers(0, 4, X.shape[0])
    store = STORAGES[storage]
    repeated = store(np.repeat(X, counts, axis=0)), np.repeat(y, counts)
    model = Lasso(0.1, tol=1e-13).fit(store(X), y, counts)
    np.testing.assert_allclose(
        model.coef_, clone(model).fit(*repeated).coef_, atol=1e-9
    )
    # The scale of the weights does not matter.
    np.testing.assert_allclose(
        model.coef_, clone(model).fit(store(X), y, 7.5 * counts).coef_, atol=1e-9
    )


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_scale_equivariance(data, scale, storage):
    """X -> a X and y -> b y map the solution and the gap; no absolute tolerance."""
    X, y = data
    store = STORAGES[storage]
    alpha = 0.1 * alpha_max(X, y)
    model = Lasso(alpha, tol=1e-12).fit(store(X), y)
    on_y = Lasso(alpha * scale, tol=1e-12).fit(store(X), y * scale)
    on_X = Lasso(alpha * scale, tol=1e-12).fit(store(X * scale), y)
    np.testing.assert_allclose(on_y.coef_, model.coef_ * scale, atol=1e-9 * scale)
    np.testing.assert_allclose(on_X.coef_, model.coef_ / scale, atol=1e-9 / scale)
    assert on_y.n_nonzero_coefs_ == on_X.n_nonzero_coefs_ == model.n_nonzero_coefs_


def test_shift_of_columns_moves_only_the_intercept(data):
    """Centring is implicit, and exact where means are large against the spread."""
    X, y = data
    # X + 1e5 itself is X to 1e-11 only.
    model = Lasso(0.1, tol=1e-10).fit(X, y)
    shifted = Lasso(0.1, tol=1e-10).fit(X + 1e5, y - 1e5)
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-6)
    np.testing.assert_allclose(shifted.predict(X + 1e5), model.predict(X) - 1e5)


def test_row_order_does_not_matter(data, sample_weight, rng):
    X, y = data
    order = rng.permutation(y.size)
    model = Lasso(0.1, tol=1e-13).fit(X, y, sample_weight)
    other = Lasso(0.1, tol=1e-13).fit(X[order], y[order], sample_weight[order])
    np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-9)


@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_the_certificate_is_honest(data, storage):
    """`dual_gap_` recomputed by hand; the tolerance is met, relative to the null."""
    X, y = data
    for tol in (1e-2, 1e-5, 1e-8):
        model = Lasso(0.05, tol=tol).fit(STORAGES[storage](X), y)
        weights = np.full(y.size, 1 / y.size)
        _, Xc = centred(X, weights, True)
        gap = lasso_gap(Xc, y - y.mean(), weights, model.coef_, 0.05)
        assert model.dual_gap_ == pytest.approx(gap, abs=1e-14 * y.var())
        assert model.dual_gap_ <= tol * 0.5 * y.var()
        objective = elastic_net_objective(
            X, y, weights, model.coef_, model.intercept_, 0.05, 0.0
        )
        assert model.objective_ == pytest.approx(objective)


def test_unconverged_warns_once_with_both_numbers(data):
    X, y = data
    model = Lasso(1e-4, tol=1e-30, max_iter=3)
    with pytest.warns(ConvergenceWarning, match=r"epochs.*> tol=1.00e-30") as caught:
        model.fit(X, np.column_stack([y, y**2]))
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("storage", ["dense", "csr"])
@pytest.mark.parametrize("positive", [False, True])
def test_nothing_to_do_takes_no_iterations(data, storage, positive):
    X, y = data
    X = STORAGES[storage](X)
    largest = alpha_max(X, y, positive=positive)
    for alpha in (largest, 2 * largest):
        model = Lasso(alpha, positive=positive).fit(X, y)
        assert model.n_iter_ == 0
        assert not model.coef_.any()
        assert model.sparsity_ == 1.0
        assert model.intercept_ == pytest.approx(y.mean())
    constant = Lasso(0.1, positive=positive).fit(X, np.full(y.size, 0.1))
    assert constant.n_iter_ == 0
    assert not constant.coef_.any()
    assert alpha_max(X, np.full(y.size, 0.1)) == 0.0


@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_constant_and_duplicate_columns(data, storage):
    X, y = data
    X = X.copy()
    X[:, 6], X[:, 7] = 0.1, X[:, 0]
    model = Lasso(0.05, tol=1e-12).fit(STORAGES[storage](X), y)
    assert model.coef_[6] == 0.0
    without = Lasso(0.05, tol=1e-12).fit(STORAGES[storage](np.delete(X, [6, 7], 1)), y)
    assert model.objective_ == pytest.approx(without.objective_, rel=1e-10)


def test_penalty_weights(data):
    """They rescale columns; 0 leaves a feature free, inf drops it."""
    X, y = data
    p = X.shape[1]
    omega = np.linspace(0.5, 2.0, p)
    weighted = Lasso(0.1, penalty_weights=omega, tol=1e-13).fit(X, y)
    rescaled = Lasso(0.1, tol=1e-13).fit(X / omega, y)
    np.testing.assert_allclose(weighted.coef_, rescaled.coef_ / omega, atol=1e-8)

    omega = np.ones(p)
    omega[[0, 3]] = 0.0
    free = Lasso(10 * alpha_max(X, y), penalty_weights=omega, tol=1e-13).fit(X, y)
    least_squares = sklearn.linear_model.LinearRegression().fit(X[:, [0, 3]], y)
    assert list(free.support_) == [0, 3]
    np.testing.assert_allclose(free.coef_[[0, 3]], least_squares.coef_, atol=1e-6)

    omega = np.ones(p)
    omega[0] = np.inf
    dropped = Lasso(0.1, penalty_weights=omega, tol=1e-13).fit(X, y)
    without = Lasso(0.1, tol=1e-13).fit(X[:, 1:], y)
    assert dropped.coef_[0] == 0.0
    np.testing.assert_allclose(dropped.coef_[1:], without.coef_, atol=1e-9)


@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_targets_are_independent(data, sample_weight, storage):
    X, y = data
    X = STORAGES[storage](X)
    both = np.column_stack([y, np.cos(y)])
    together = Lasso(0.05, tol=1e-12).fit(X, both, sample_weight)
    assert together.coef_.shape == (2, X.shape[1])
    for k in range(2):
        alone = Lasso(0.05, tol=1e-12).fit(X, both[:, k], sample_weight)
        np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=1e-13)
        assert together.intercept_[k] == pytest.approx(alone.intercept_, abs=1e-13)
    assert together.predict(X).shape == both.shape
    np.testing.assert_array_equal(
        together.get_support(indices=True), np.flatnonzero(together.get_support())
    )


def test_warm_start_goes_on_from_the_last_fit(data):
    X, y = data
    model = Lasso(0.05, tol=1e-12, max_iter=100000, warm_start=True).fit(X, y)
    first = model.n_iter_
    assert model.fit(X, y).n_iter_ <= 1 < first
    cold = Lasso(0.02, tol=1e-12, max_iter=100000).fit(X, y)
    np.testing.assert_allclose(
        model.set_params(alpha=0.02).fit(X, y).coef_, cold.coef_, atol=1e-8
    )
    # Other data of another width start afresh.
    assert model.fit(X[:, :7], y).coef_.shape == (7,)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("alpha", 0.5),
        ("penalty_weights", np.arange(12.0)),
        ("fit_intercept", False),
        ("positive", True),
        ("tol", 1.0),
        ("l1_ratio", 0.1),
    ],
)
def test_each_parameter_is_alive(parameter, value):
    X, y = sparse_regression(np.random.default_rng(0), 60, 12)
    base = ElasticNet(0.1).fit(X, y)
    other = ElasticNet(0.1).set_params(**{parameter: value}).fit(X, y)
    assert np.max(np.abs(base.coef_ - other.coef_)) > 1e-6


def test_errors_say_what_is_allowed(data):
    X, y = data
    with pytest.raises(ValueError, match="'alpha' parameter of Lasso must be a float"):
        Lasso(-1.0).fit(X, y)
    with pytest.raises(ValueError, match=r"zero for every|at least one non-zero"):
        Lasso().fit(X, y, np.zeros(y.size))
    with pytest.raises(ValueError, match=r"penalty_weights has shape \(3,\)"):
        Lasso(penalty_weights=np.ones(3)).fit(X, y)
    with pytest.raises(ValueError, match="penalty_weights must be >= 0"):
        Lasso(penalty_weights=-np.ones(X.shape[1])).fit(X, y)
    with pytest.raises(ValueError, match="contains NaN"):
        Lasso().fit(np.full_like(X, np.nan), y)


def test_sparse_coef(data):
    X, y = data
    model = Lasso(0.1).fit(X, y)
    assert model.sparse_coef_.nnz == model.n_nonzero_coefs_
    np.testing.assert_array_equal(model.sparse_coef_.toarray()[0], model.coef_)


def test_in_scikit_learn_compositions():
    """Pipeline, grid search, transformed target, column transformer, selection."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Lasso()),
        {"lasso__alpha": np.geomspace(0.1, 30, 5)},
        cv=3,
        n_jobs=2,
    ).fit(X, y)
    assert search.best_score_ > 0.45
    target = TransformedTargetRegressor(Lasso(0.001), func=np.log, inverse_func=np.exp)
    by_hand = np.exp(Lasso(0.001).fit(X, np.log(y)).predict(X))
    np.testing.assert_allclose(target.fit(X, y).predict(X), by_hand)
    columns = ColumnTransformer(
        [("scaled", StandardScaler(), ["bmi", "bp"])], remainder="passthrough"
    ).set_output(transform="pandas")
    piped = make_pipeline(columns, Lasso(0.1)).fit(X, y)
    names = piped[-1].feature_names_in_
    assert {"scaled__bmi", "remainder__age"} <= set(names)
    chosen = SelectFromModel(Lasso(1.0)).set_output(transform="pandas").fit(X, y)
    assert list(chosen.transform(X).columns) == ["bmi", "bp", "s5"]


def test_sample_weight_is_routed(rng):
    X, y = sparse_regression(rng, 60, 12)
    weights = rng.uniform(size=60)
    weights[:20] = 0.0
    with sklearn.config_context(enable_metadata_routing=True):
        lasso = Lasso(0.1).set_fit_request(sample_weight=True)
        piped = make_pipeline(StandardScaler(with_mean=False), lasso)
        piped[0].set_fit_request(sample_weight=False)
        piped.fit(X, y, sample_weight=weights)
    scaled = piped[0].transform(X)
    expected = Lasso(0.1).fit(scaled, y, weights)
    np.testing.assert_array_equal(piped[-1].coef_, expected.coef_)


@pytest.mark.parametrize("storage", ["dense", "csr"])
def test_n_nonzero_coefs_gives_the_largest_that_fits(data, storage):
    """At most so many, and a slightly smaller alpha has more."""
    X, y = data
    X = STORAGES[storage](X)
    for wanted in (0, 1, 3, 6):
        model = Lasso(n_nonzero_coefs=wanted, tol=1e-12).fit(X, y)
        assert model.n_nonzero_coefs_ <= wanted
        less = Lasso(0.999 * model.alpha_, tol=1e-12).fit(X, y)
        assert less.n_nonzero_coefs_ > wanted
        same = Lasso(model.alpha_, tol=1e-12).fit(X, y)
        np.testing.assert_allclose(same.coef_, model.coef_, atol=1e-7)
    everything = Lasso(n_nonzero_coefs=10**6).fit(X, y)
    assert everything.alpha_ == pytest.approx(1e-3 * alpha_max(X, y))


def test_n_nonzero_coefs_is_for_each_target(data):
    X, y = data
    model = Lasso(n_nonzero_coefs=3).fit(X, np.column_stack([y, 100 * np.cos(y)]))
    counts = np.count_nonzero(model.coef_, axis=1)
    assert np.all((counts <= 3) & (counts > 0))
    assert model.alpha_.shape == (2,)


@pytest.mark.parametrize("storage", ["dense", "csr"])
@pytest.mark.parametrize("positive", [False, True])
def test_refit_undoes_the_shrinkage(data, sample_weight, storage, positive):
    X, y = data
    options = {"n_nonzero_coefs": 5, "positive": positive}
    model = Lasso(refit_support="ols", **options)
    model.fit(STORAGES[storage](X), y, sample_weight)
    shrunk = Lasso(**options).fit(X, y, sample_weight)
    chosen = shrunk.support_
    exact = sklearn.linear_model.LinearRegression(positive=positive)
    exact.fit(X[:, chosen], y, sample_weight)
    np.testing.assert_allclose(model.coef_[chosen], exact.coef_, atol=1e-7)
    assert model.intercept_ == pytest.approx(exact.intercept_)
    assert not np.delete(model.coef_, chosen).any()
    assert model.dual_gap_ == pytest.approx(shrunk.dual_gap_, abs=1e-9)
    ridge = Lasso(refit_support="ridge", **options).fit(X, y, sample_weight)
    assert np.linalg.norm(ridge.coef_) < np.linalg.norm(model.coef_)
    errors = [
        np.average((y - m.predict(X)) ** 2, weights=sample_weight)
        for m in (model, ridge, shrunk)
    ]
    assert errors[0] < min(errors[1:])


@pytest.mark.parametrize(
    "model",
    [
        Lasso(0.05),
        Lasso(n_nonzero_coefs=3),
        Lasso(0.05, refit_support="ols"),
        ElasticNet(0.05, positive=True),
        ElasticNet(0.05, fit_intercept=False),
    ],
    ids=str,
)
def test_targets_that_share_sums_are_fitted_as_each_alone(model, rng):
    """Where there are many rows, one set of sums serves all; constant targets too."""
    X = rng.standard_normal((400, 12)) + 3.0
    Y = X @ rng.standard_normal((12, 4)) + rng.standard_normal((400, 4)) + 5.0
    Y[:, 2] = 7.25
    weights = rng.integers(0, 3, 400)
    together = clone(model).fit(X, Y, weights)
    assert together.solver_used_ == "sums"
    for k, y in enumerate(Y.T):
        alone = clone(model).fit(X, y, weights)
        np.testing.assert_allclose(together.coef_[k], alone.coef_, atol=1e-10)
        np.testing.assert_allclose(together.intercept_[k], alone.intercept_, atol=1e-9)
    assert not (model.fit_intercept and together.coef_[2].any())
