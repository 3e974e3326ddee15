"""Laws that hold for every linear model: one table of models, one test a law."""

import re
import warnings
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import elastic_net_objective, sparse_regression
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path
from sklearn.model_selection import GridSearchCV, KFold

from sparselearn.linear_model import (
    AdaptiveLasso,
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    Lasso,
    LassoCV,
    MCPRegressor,
    MultiTaskElasticNet,
    MultiTaskLasso,
    MultiTaskLassoCV,
    OrthogonalMatchingPursuit,
    SCADRegressor,
    SparseGroupLasso,
    SparseHuberRegressor,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    alpha_max,
    elastic_net_path,
    lasso_path,
)

EXACT = {"tol": 1e-13}
CV = {"alphas": [1.0, 0.3, 0.1], "cv": 3, **EXACT}
CONVEX = {
    "Lasso": Lasso(0.1, **EXACT),
    "positive": Lasso(0.1, positive=True, **EXACT),
    "ElasticNet": ElasticNet(0.1, **EXACT),
    "AdaptiveLasso": AdaptiveLasso(0.1, pilot="ridge", **EXACT),
    "MultiTaskLasso": MultiTaskLasso(0.1, **EXACT),
    "MultiTaskElasticNet": MultiTaskElasticNet(0.1, **EXACT),
    "LassoCV": LassoCV(**CV),
    "ElasticNetCV": ElasticNetCV(**CV),
    "MultiTaskLassoCV": MultiTaskLassoCV(**CV),
    "GroupLasso": GroupLasso(0.1, groups=3, **EXACT),
    "GroupLasso positive": GroupLasso(0.1, groups=3, positive=True, **EXACT),
    "SparseGroupLasso": SparseGroupLasso(0.1, groups=3, **EXACT),
    "GroupLassoCV": GroupLassoCV(groups=3, **CV),
}
FOLDED = {"MCP": MCPRegressor(0.1, **EXACT), "SCAD": SCADRegressor(0.1, **EXACT)}
SQUARED = CONVEX | FOLDED | {"OMP": OrthogonalMatchingPursuit(4)}
# Models of another loss, which say in tests of their own what constant targets and
# units of y are to them.
GENERALISED = {
    "Logistic": SparseLogisticRegression(0.02, **EXACT),
    "multinomial Logistic": SparseLogisticRegression(0.02, **EXACT),
    "ovr Logistic": SparseLogisticRegression(0.02, multi_class="ovr", **EXACT),
    "LogisticCV": SparseLogisticRegressionCV([0.1, 0.03], cv=3, **EXACT),
    "Poisson": SparsePoissonRegressor(0.1, **EXACT),
    "Huber": SparseHuberRegressor(0.1, **EXACT),
}
MODELS = SQUARED | GENERALISED
each_model = pytest.mark.parametrize("name", MODELS)
each_squared = pytest.mark.parametrize("name", SQUARED)
each_convex = pytest.mark.parametrize("name", CONVEX)
# With more rows than features sums over rows are formed, else working sets.
each_shape = pytest.mark.parametrize("shape", [(45, 8), (24, 40)], ids=str)


@pytest.fixture
def seed():
    """One, as the table of models is long."""
    return 0


def model_of(name, **parameters):
    return clone(MODELS[name]).set_params(**parameters)


def data_of(name, rng, shape):
    """X, and y of two targets, classes or counts where the model asks for them."""
    X, y = sparse_regression(rng, *shape)
    if "Multi" in name:
        return X, np.column_stack([y, np.abs(y)])
    if "Logistic" in name:
        shares = [0.5] if name in ("Logistic", "LogisticCV") else [0.3, 0.7]
        return X, 2.0 * np.digitize(y, np.quantile(y, shares))
    if name == "Poisson":
        return X, np.rint(np.exp((y - y.mean()) / y.std()))
    return X, y


def assert_same(found, expected, atol=1e-7, scale=1.0):
    np.testing.assert_allclose(found.coef_ / scale, expected.coef_, atol=atol)
    np.testing.assert_allclose(
        found.intercept_ / scale, expected.intercept_, atol=10 * atol
    )


@each_shape
@each_model
def test_weights_on_csc(rng, name, shape):
    """Weights act on the fit, not on the centring alone; with 64-bit indices too."""
    X, y = data_of(name, rng, shape)
    weights = rng.uniform(0.1, 3.0, len(y))
    expected = model_of(name).fit(X, y, weights)
    csc = sp.csc_array(X)
    wide = csc.copy()
    wide.indices, wide.indptr = csc.indices.astype("i8"), csc.indptr.astype("i8")
    for stored in (csc, wide, sp.csr_matrix(X)):
        assert_same(model_of(name).fit(stored, y, weights), expected)
    unweighted = model_of(name).fit(csc, y)
    assert np.max(np.abs(unweighted.coef_ - expected.coef_)) > 1e-3


@each_shape
@each_model
def test_weights_of_zero_are_absent_rows(rng, name, shape):
    X, y = data_of(name, rng, shape)
    weights = rng.uniform(0.1, 3.0, len(y))
    weights[1::4] = 0.0
    kept = weights > 0.0
    y[~kept] = 1e6
    folds = np.arange(len(y)) % 3
    model, other = model_of(name), model_of(name)
    if "CV" in name:
        model.set_params(cv=splits_of(folds))
        other.set_params(cv=splits_of(folds[kept]))
    other.fit(X[kept], y[kept], weights[kept])
    for stored in (X, sp.csc_array(X)):
        assert_same(model.fit(stored, y, weights), other)


def splits_of(folds):
    return [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(3)]


@each_model
def test_weights_that_are_all_alike_are_none(rng, name):
    """Ones, any one number, and proportions alone; and they are not written to."""
    X, y = data_of(name, rng, (45, 8))
    expected = model_of(name).fit(X, y)
    for weights in (np.ones(45), 123.0, np.full(45, 1e-9)):
        assert_same(model_of(name).fit(X, y, weights), expected)
    weights = rng.uniform(0.5, 2.0, 45)
    given, X_given, y_given = weights.copy(), X.copy(), y.copy()
    model = model_of(name).fit(X, y, weights)
    assert_same(model_of(name).fit(X, y, np.pi * weights), model)
    for array, copy in ((weights, given), (X, X_given), (y, y_given)):
        np.testing.assert_array_equal(array, copy)


@each_model
def test_weights_that_are_all_zero_are_refused(rng, name):
    X, y = data_of(name, rng, (45, 8))
    words = r"zero for every|at least one non-zero|no training row of positive"
    for stored in (X, sp.csc_array(X)):
        with pytest.raises(ValueError, match=words):
            model_of(name).fit(stored, y, np.zeros(45))


@each_shape
@each_squared
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_of_y(rng, name, shape, scale):
    X, y = data_of(name, rng, shape)
    expected = model_of(name).fit(X, y)
    model = model_of(name)
    if "CV" in name:
        model.set_params(alphas=np.multiply(CV["alphas"], scale))
    elif name != "OMP":
        model.set_params(alpha=0.1 * scale)
    if "ElasticNet" in name:
        # Of its two penalties only the first knows the scale of y.
        expected.set_params(l1_ratio=1.0).fit(X, y)
        model.set_params(l1_ratio=1.0)
    assert_same(model.fit(X, scale * y), expected, scale=scale)
    assert model.n_nonzero_coefs_ == expected.n_nonzero_coefs_


@each_shape
@each_model
def test_read_only_memory_maps(rng, name, shape, tmp_path):
    X, y = data_of(name, rng, shape)
    dtype = np.float64 if shape[0] > shape[1] else np.float32
    X, y = X.astype(dtype), y.astype(dtype)
    expected = model_of(name).fit(X, y)
    mapped = []
    for key, array in {"C": X, "F": np.asfortranarray(X), "y": y}.items():
        np.save(tmp_path / f"{key}.npy", array)
        mapped.append(np.load(tmp_path / f"{key}.npy", mmap_mode="r"))
    for stored in mapped[:2]:
        found = model_of(name).fit(stored, mapped[2])
        assert_same(found, expected, 1e-7 if dtype == np.float64 else 1e-5)
        assert found.coef_.dtype == dtype


@each_shape
@each_model
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_float32_with_a_tight_tol(rng, name, shape, storage):
    """Sums are in float64: the tolerance that float64 reaches, without a warning."""
    X, y = data_of(name, rng, shape)
    X = X.astype(np.float32)
    single = model_of(name).fit(storage(X), y.astype(np.float32))
    double = model_of(name).fit(storage(X.astype(float)), y.astype(np.float32))
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert_same(single, double, atol=2e-6)
    if name in CONVEX:
        assert np.max(single.dual_gap_) <= 1e-13 * np.sum(np.var(y, axis=0))
    if name in FOLDED:
        assert single.stationarity_ <= 1e-13


@each_model
def test_integers_and_lists(rng, name):
    X, y = data_of(name, rng, (45, 8))
    X, y = np.rint(3 * X).astype(int), np.rint(y).astype(int)
    expected = model_of(name).fit(X.astype(float), y.astype(float))
    for given in ((X, y), (X.tolist(), y.tolist())):
        found = model_of(name).fit(*given)
        np.testing.assert_array_equal(found.coef_, expected.coef_)
        assert found.coef_.dtype == np.float64


@each_shape
@each_squared
@pytest.mark.parametrize("value", [0.0, 0.1])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_constant_y_is_predicted(rng, name, shape, value, storage):
    X, y = data_of(name, rng, shape)
    y[:] = value
    parameters = {"alphas": 4} if "CV" in name else {}
    model = model_of(name, **parameters).fit(storage(X), y)
    assert not model.coef_.any()
    np.testing.assert_allclose(model.predict(X), y, rtol=1e-15)
    # A pilot by least squares counts as one.
    assert model.n_iter_ == (1 if name == "AdaptiveLasso" else 0)
    if name in CONVEX:
        assert np.max(model.dual_gap_) <= 1e-30


@each_model
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_constant_columns_have_no_coefficient(rng, name, storage):
    """Zeros, a number whose mean rounds, a large one; and nothing else but these."""
    X, y = data_of(name, rng, (45, 8))
    X[:, 1], X[:, 3], X[:, 6] = 0.0, 0.1, 1e8
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    model, other = model_of(name), model_of(name)
    if "Group" in name:
        model.set_params(groups=labels, penalty_weights=[1.0, 2.0, 1.5])
        other.set_params(groups=np.delete(labels, [1, 3, 6]))
        other.set_params(penalty_weights=[1.0, 2.0, 1.5])
    model.fit(storage(X), y)
    assert not model.coef_[..., [1, 3, 6]].any()
    if name == "SparseGroupLasso":  # whose L1 part goes by the root of the size
        return
    without = other.fit(np.delete(X, [1, 3, 6], axis=1), y)
    kept = np.delete(model.coef_, [1, 3, 6], axis=-1)
    np.testing.assert_allclose(kept, without.coef_, atol=1e-7)
    flat = model_of(name).fit(storage(X[:, [1, 3, 6]]), y)
    assert not flat.coef_.any()
    if name in SQUARED:
        np.testing.assert_allclose(flat.intercept_, np.mean(y, axis=0))


@each_convex
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_duplicate_columns_share(rng, name, storage):
    """The fit is that without the copy; with an L2 part both get the same."""
    X, y = data_of(name, rng, (45, 8))
    X[:, 5] = X[:, 0]
    model = model_of(name).fit(storage(X), y)
    if "ElasticNet" in name:
        first, second = model.coef_[..., 0], model.coef_[..., 5]
        np.testing.assert_allclose(first, second, rtol=1e-6)
        assert np.all(first != 0.0)
    elif "Group" in name:
        assert model.coef_[[0, 5]].any()
    elif name != "AdaptiveLasso":  # whose pilot shares the effect among both
        without = model_of(name).fit(np.delete(X, 5, axis=1), y)
        np.testing.assert_allclose(
            model.predict(X), without.predict(X[:, np.r_[:5, 6:8]]), atol=1e-6
        )


@each_convex
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_all_zero_data(rng, name, storage):
    y = data_of(name, rng, (12, 5))[1]
    model = model_of(name).fit(storage(np.zeros((12, 3))), np.zeros_like(y))
    assert not model.coef_.any()
    assert not model.predict(np.ones((2, 3))).any()
    constant = model_of(name).fit(storage(np.ones((12, 3))), np.ones_like(y))
    assert constant.coef_.shape == (*y.shape[1:], 3)
    assert not constant.coef_.any()


@each_shape
@each_convex
def test_identical_targets_have_identical_coefficients(rng, name, shape):
    if "CV" in name and "Multi" not in name:
        X, y = sparse_regression(rng, *shape)
        with pytest.raises(ValueError, match="1d array"):
            model_of(name).fit(X, np.column_stack([y, y]))
        return
    X, y = sparse_regression(rng, *shape)
    model = model_of(name).fit(X, np.column_stack([y, y]))
    np.testing.assert_allclose(model.coef_[0], model.coef_[1], atol=1e-12)
    if "Multi" not in name:
        alone = model_of(name).fit(X, y)
        np.testing.assert_allclose(model.coef_[1], alone.coef_, atol=1e-12)
        np.testing.assert_allclose(model.objective_, [alone.objective_] * 2)


@pytest.mark.parametrize("name", ["positive", "ElasticNet", "LassoCV", "ElasticNetCV"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@each_shape
def test_positive_with_intercept(rng, name, shape, storage):
    """The shift is the intercept's; where nothing may be positive all is 0."""
    X, y = sparse_regression(rng, *shape)
    free = model_of(name, positive=False).fit(storage(X), y)
    model = model_of(name, positive=True).fit(storage(X), y)
    assert free.coef_.min() < 0.0
    assert model.coef_.min() == 0.0
    assert model.coef_.max() > 0.0
    shifted = model_of(name, positive=True).fit(storage(X), y - 1e3)
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-7)
    assert shifted.intercept_ == pytest.approx(model.intercept_ - 1e3)
    down = model_of(name, positive=True).fit(
        storage(np.abs(X[:, :1])), -np.abs(X[:, 0])
    )
    assert not down.coef_.any()
    assert down.intercept_ == pytest.approx(-np.abs(X[:, 0]).mean())


def test_toy_answers():
    """By hand: a straight line through three points."""
    X, y = [[-1.0], [0.0], [1.0]], [-1, 0, 1]
    for alpha, coef in ((0.0, 1.0), (0.1, 0.85), (0.5, 0.25), (1.0, 0.0)):
        model = Lasso(alpha, **EXACT).fit(X, y)
        assert model.coef_ == pytest.approx(coef, abs=1e-12)
        np.testing.assert_allclose(model.predict([[2], [4]]), [2 * coef, 4 * coef])
    for l1_ratio in (0.3, 0.5, 1.0):
        model = ElasticNet(0.5, l1_ratio=l1_ratio, **EXACT).fit(X, y)
        exact = (2 / 3 - 0.5 * l1_ratio) / (2 / 3 + 0.5 * (1 - l1_ratio))
        assert model.coef_ == pytest.approx(exact)
    falling = [1, 0, -1]
    for model in (Lasso(0.1, positive=True), ElasticNet(0.1, positive=True)):
        assert model.fit(X, falling).coef_ == 0.0


def test_multi_task_numbers_of_another_solver():
    """A badly conditioned Vandermonde design, whose minimum is known to 13 digits."""
    X, Y = np.vander(np.arange(5), 4), np.arange(15).reshape(5, 3)
    model = MultiTaskLasso(0.1, **EXACT).fit(X, Y)
    assert model.objective_ == pytest.approx(0.4965993692547902, rel=1e-10)
    np.testing.assert_allclose(
        model.intercept_, np.arange(3) + 0.219942959407, rtol=1e-6
    )
    coef = [-0.032075014794, 0.25430904614, 2.44785152982, 0.0]
    np.testing.assert_allclose(model.coef_, [coef] * 3, rtol=1e-6)


def polished(X, y, weights, l1, l2, coef):
    """The exact minimiser with the support and signs of `coef`, and its intercept.

    By one linear system; that it is optimal is asserted here.
    """
    s = weights / weights.sum()
    Xc, yc = X - s @ X, y - s @ y
    A, signs = np.flatnonzero(coef), np.sign(coef[coef != 0.0])
    G = Xc[:, A].T @ (s[:, None] * Xc[:, A]) + l2 * np.eye(A.size)
    w = np.zeros(X.shape[1])
    w[A] = np.linalg.solve(G, Xc[:, A].T @ (s * yc) - l1 * signs)
    pull = Xc.T @ (s * (yc - Xc @ w)) - l2 * w
    np.testing.assert_array_equal(np.sign(w[A]), signs)
    assert np.all(np.abs(np.delete(pull, A)) < l1 * (1 + 1e-9))
    return w, s @ (y - X @ w)


PROBLEMS = {
    "tall": (200, 15, {}),
    "wide": (40, 120, {}),
    "correlated": (80, 60, {"effective_rank": 8}),
    "few rows": (8, 30, {}),
}


@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize("share", [0.5, 0.05])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_right_to_many_digits(rng, seed, problem, storage, share, l1_ratio):
    """Coefficients to 1e-7 where the support is well conditioned, objectives to 1e-10.

    Against an active-set solution by numpy, which starts from scikit-learn's support.
    """
    n, p, options = PROBLEMS[problem]
    X, y = make_regression(
        n, p, n_informative=6, noise=2.0, random_state=seed, **options
    )
    y = 10.0 * y / y.std()
    weights = rng.uniform(0.2, 2.0, n)
    alpha = share * alpha_max(X, y, l1_ratio=l1_ratio, sample_weight=weights)
    shared = {"alpha": alpha, "l1_ratio": l1_ratio}
    theirs = sklearn.linear_model.ElasticNet(tol=1e-12, max_iter=10**6, **shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y, weights)
    l1, l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    exact, intercept = polished(X, y, weights, l1, l2, theirs.coef_)
    ours = ElasticNet(tol=1e-14 if l1_ratio == 1.0 else 1e-18, **shared)
    with warnings.catch_warnings():
        # What the last digits of so small a gap are is rounding.
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours.fit(storage(X), y, weights)
    size = np.max(np.abs(exact))
    np.testing.assert_allclose(ours.coef_, exact, atol=1e-7 * size)
    assert ours.intercept_ == pytest.approx(intercept, abs=1e-7 * size)
    least, found = (
        elastic_net_objective(X, y, weights, w, b, l1, l2)
        for w, b in ((exact, intercept), (ours.coef_, ours.intercept_))
    )
    assert found == pytest.approx(least, rel=1e-10)
    assert ours.objective_ == pytest.approx(least, rel=1e-10)


@pytest.mark.parametrize("positive", [False, True])
@each_shape
def test_paths_are_those_of_least_angle_regression(rng, shape, positive):
    """Whose knots are exact: between them coefficients are straight lines."""
    X, y = sparse_regression(rng, *shape)
    Xc, yc = X - X.mean(axis=0), y - y.mean()
    knots, _, coefs = lars_path(Xc, yc, method="lasso", positive=positive)
    largest = alpha_max(X, y, positive=positive)
    assert knots[0] == pytest.approx(largest)
    path = lasso_path(X, y, n_alphas=6, eps=0.05, positive=positive, **EXACT)
    sparse_path = lasso_path(
        sp.csr_array(X), y, n_alphas=6, eps=0.05, positive=positive, **EXACT
    )
    np.testing.assert_allclose(
        sparse_path.coefs.toarray(), path.coefs.toarray(), atol=1e-8
    )
    for k, alpha in enumerate(path.alphas):
        exact = [np.interp(alpha, knots[::-1], row[::-1]) for row in coefs]
        np.testing.assert_allclose(path.coefs.toarray()[:, k], exact, atol=1e-7)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@each_shape
def test_alpha_max_is_the_smallest(
    rng, shape, storage, weighted, positive, fit_intercept
):
    X, y = sparse_regression(rng, *shape)
    weights = rng.uniform(0.1, 10.0, y.size) if weighted else None
    options = {"fit_intercept": fit_intercept, "positive": positive}
    for l1_ratio in (1.0, 0.3):
        largest = alpha_max(
            storage(X), y, l1_ratio=l1_ratio, sample_weight=weights, **options
        )
        model = ElasticNet(largest, l1_ratio=l1_ratio, **options)
        model.fit(storage(X), y, weights)
        assert model.n_iter_ == 0
        assert not model.coef_.any()
        model.set_params(alpha=0.99 * largest, tol=1e-10).fit(storage(X), y, weights)
        assert np.max(np.abs(model.coef_)) > 1e-4


@pytest.mark.parametrize("effective_rank", [None, 10])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_alpha_of_zero_is_least_squares(rng, seed, effective_rank, storage):
    X, y = make_regression(
        120, 40, n_informative=20, effective_rank=effective_rank, random_state=seed
    )
    weights = rng.uniform(0.01, 10.0, 120)
    exact = sklearn.linear_model.LinearRegression().fit(X, y, weights)
    several = np.column_stack([y, -y])
    for model in (Lasso(0.0), ElasticNet(0.0), MultiTaskLasso(0.0)):
        model.set_params(tol=1e-14)
        target = several if isinstance(model, MultiTaskLasso) else y
        model.fit(storage(X), target, weights)
        prediction = np.reshape(model.predict(X).T, (-1, 120))[0]
        np.testing.assert_allclose(prediction, exact.predict(X), atol=1e-5 * y.std())


@pytest.mark.parametrize("ridge_alpha", [1e-6, 0.1, 1.0, 1e6])
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_without_an_l1_part_it_is_ridge(rng, seed, storage, ridge_alpha, n_targets):
    X, y = make_regression(
        150, 40, n_targets=n_targets, effective_rank=10, random_state=seed
    )
    weights = rng.uniform(0.01, 10.0, 150)
    ridge = sklearn.linear_model.Ridge(ridge_alpha, solver="svd").fit(X, y, weights)
    kind = ElasticNet if n_targets == 1 else MultiTaskElasticNet
    model = kind(ridge_alpha / weights.sum(), l1_ratio=0.0, tol=1e-14)
    model.fit(storage(X), y, weights)
    atol = 1e-6 * np.max(np.abs(ridge.coef_))
    np.testing.assert_allclose(model.coef_, ridge.coef_, atol=atol)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, atol=atol)


@each_shape
@pytest.mark.parametrize(
    "name", [name for name in CONVEX | GENERALISED if "CV" not in name]
)
def test_warm_starts(rng, name, shape):
    """At the solution nothing is left to do; from anywhere else it is found again."""
    X, y = data_of(name, rng, shape)
    model = model_of(name, warm_start=True, tol=1e-10).fit(X, y)
    expected = clone(model).fit(X, y)
    pilot = 1 if name == "AdaptiveLasso" else 0
    first = model.n_iter_
    assert model.fit(X, y).n_iter_ == pilot < first
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    # Cold starts take the same rounds each time.
    assert expected.set_params(warm_start=False).fit(X, y).n_iter_ == first
    # Rounds cut short go on in the next fit.
    # Of descent alone, or of one class after another.
    many = "Group" in name or "multinomial" in name
    rounds = 10 if many else pilot + 1
    short = model_of(name, warm_start=True, max_iter=rounds, tol=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(40):
            short.fit(X, y)
    assert_same(short, expected, atol=1e-4)


FAR = [
    (name, shape)
    for name in CONVEX | GENERALISED
    if "CV" not in name
    for shape in ((45, 8), (24, 40))
]


@pytest.mark.parametrize(("name", "shape"), FAR)
def test_warm_starts_from_far_away(rng, name, shape):
    X, y = data_of(name, rng, shape)
    expected = model_of(name).fit(X, y)
    model = model_of(name, warm_start=True)
    model.coef_ = np.full_like(expected.coef_, 1e3)
    model.intercept_ = expected.intercept_
    assert_same(model.fit(X, y), expected, atol=1e-5)


# An elastic net's gap is of second order in its error: it may be as small as that.
@pytest.mark.parametrize("name", [n for n in CONVEX if "ElasticNet" not in n])
@each_shape
@pytest.mark.parametrize("tol", [0.0, 1e-30])
def test_the_warning_quotes_the_fit_at_hand(rng, name, shape, tol):
    """One warning, its rounds and its gap those of the solution at `alpha_`."""
    X, y = data_of(name, rng, shape)
    model = model_of(name, tol=tol, max_iter=2)
    if "CV" in name:
        model.set_params(alphas=np.geomspace(1.0, 1e-3, 12))
    else:
        model.set_params(alpha=1e-3)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    message = str(caught[0].message)
    found = re.search(r"after (\d+) epochs .* gap of (\S+) > tol=(\S+)\. ", message)
    rounds, relative, asked = map(float, found.groups())
    null = 0.5 * np.sum(np.var(y, axis=0))
    assert relative == pytest.approx(np.max(model.dual_gap_) / null, rel=0.01)
    assert asked == tol
    # A pilot is one more; so may be the last epoch of several tasks.
    assert rounds <= (3 if name == "AdaptiveLasso" or "Multi" in name else 2)
    if "CV" in name:
        assert model.n_iter_ > rounds
    else:
        assert model.n_iter_ == rounds


@pytest.mark.parametrize("kind", [LassoCV, partial(ElasticNetCV, l1_ratio=[0.3, 0.9])])
@each_shape
def test_cross_validation_is_a_grid_search(rng, kind, shape):
    X, y = sparse_regression(rng, *shape)
    alphas, cv = np.geomspace(1.0, 0.05, 4), KFold(3)
    model = kind(alphas, cv=cv, tol=1e-10).fit(X, y)
    ratios = getattr(model, "l1_ratio", [1.0])
    search = GridSearchCV(
        ElasticNet(tol=1e-10),
        {"alpha": alphas, "l1_ratio": ratios},
        cv=cv,
        scoring="neg_mean_squared_error",
    ).fit(X, y)
    assert model.alpha_ == search.best_params_["alpha"]
    assert getattr(model, "l1_ratio_", 1.0) == search.best_params_["l1_ratio"]
    best = search.best_estimator_
    np.testing.assert_allclose(model.coef_, best.coef_, atol=1e-4)


def test_low_noise_is_predicted(rng):
    """On rows that the choice of alpha has not seen."""
    X = rng.standard_normal((100, 200))
    y = X[:, :10] @ rng.standard_normal(10)
    both = np.column_stack([y, y[::-1] * 0.0 + X[:, 0]])
    for model in (LassoCV(20, cv=3), ElasticNetCV(20, cv=3, l1_ratio=[0.9, 1.0])):
        assert model.fit(X[:50], y[:50]).score(X[50:], y[50:]) > 0.95
    tasks = MultiTaskLassoCV(20, cv=3).fit(X[:50], both[:50])
    assert tasks.score(X[50:], both[50:]) > 0.95


def test_what_is_refused(rng):
    X, y = sparse_regression(rng, 20, 5)
    both = np.column_stack([y, y])
    for path in (lasso_path, elastic_net_path):
        with pytest.raises(ValueError, match="1d array"):
            path(X, both)
        with pytest.raises(TypeError, match="normalize"):
            path(X, y, normalize=True)
    with pytest.raises(ValueError, match=r"l1_ratio.* \(0"):
        ElasticNetCV(l1_ratio=0).fit(X, y)
    for kind in (LassoCV, ElasticNetCV):
        with pytest.raises(ValueError, match=r"alphas must be a non-empty sequence"):
            kind([1.0, -0.1]).fit(X, y)
        with pytest.raises(ValueError, match="could not convert string to float"):
            kind([1.0, "one"]).fit(X, y)


class TestRoutes:
    """`solver_used_`, `n_passes_` and `screened_share_` say what was done."""

    def test_tall(self, rng):
        X, y = sparse_regression(rng, 200, 10)
        both = np.column_stack([y, np.cos(y)])
        for model in (Lasso(0.1), ElasticNet(0.1), AdaptiveLasso(0.1), LassoCV(5)):
            model.fit(X, y)
            assert model.solver_used_ == "sums"
            assert model.n_passes_ == 1.0
            assert model.screened_share_ == 0.0
        assert Lasso(0.1).fit(X, both).n_passes_ == 1.0
        for model in (MultiTaskLasso(0.1), MultiTaskElasticNet(0.1)):
            model.fit(X, both)
            assert model.solver_used_ == "sums"
            assert model.n_passes_ >= 1.0
            assert model.screened_share_ == 0.0
        X[:, 3] = 2.0  # a constant column never enters
        assert Lasso(0.1).fit(X, y).screened_share_ == pytest.approx(0.1)

    @pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
    def test_wide(self, rng, storage):
        X, y = sparse_regression(rng, 40, 1000)
        both = np.column_stack([y, np.cos(y)])
        alpha = 0.3 * alpha_max(X, y)
        for model in (
            Lasso(alpha),
            ElasticNet(alpha, l1_ratio=0.9),
            MultiTaskLasso(alpha),
            LassoCV(5, eps=0.3, cv=3),
            MultiTaskLassoCV(5, eps=0.3, cv=3),
        ):
            model.fit(storage(X), both if "Multi" in type(model).__name__ else y)
            assert model.solver_used_ == "gram"
            assert 1.0 <= model.n_passes_ < 30.0
            assert 0.5 < model.screened_share_ < 1.0
            assert model.screened_share_ <= 1.0 - model.support_.size / 1000
        nothing = Lasso(1.01 * alpha_max(X, y)).fit(storage(X), y)
        assert nothing.n_passes_ == nothing.screened_share_ == 1.0
        several = Lasso(alpha).fit(storage(X), both)
        alone = [Lasso(alpha).fit(storage(X), y) for y in both.T]
        assert several.n_passes_ == sum(model.n_passes_ for model in alone)
        shares = [model.screened_share_ for model in alone]
        assert several.screened_share_ == pytest.approx(np.mean(shares))

    def test_sparse_with_many_active(self, rng):
        """A Gram matrix would cost more than descent on columns of few entries."""
        X = sp.random_array((3000, 1500), density=0.001, random_state=rng, format="csc")
        y = X @ rng.standard_normal(1500) + 0.1 * rng.standard_normal(3000)
        model = Lasso(1e-3 * alpha_max(X, y), tol=1e-4).fit(X, y)
        assert model.solver_used_ == "columns"
        assert model.screened_share_ < 0.5
        assert model.n_passes_ > 1.0


@pytest.mark.parametrize("which", ["X", "y"])
def test_numbers_whose_squares_are_not_finite_are_refused(which, rng):
    X, y = sparse_regression(rng, 30, 8)
    data = {"X": X, "y": y}
    data[which] = 1e200 * data[which]
    for model in (Lasso(0.1), LassoCV(5)):
        with pytest.raises(ValueError, match=f"{which} is too large"):
            model.fit(**data)
