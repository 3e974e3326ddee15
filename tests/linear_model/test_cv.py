"""Cross-validated paths: the errors, the choice, and who takes part in it."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from reference import sparse_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.linear_model import ElasticNetCV, Lasso, LassoCV, alpha_max, lasso_path

# With more rows than features folds are solved from sums over rows, else by rows.
SHAPES = [(90, 15), (40, 70)]


@pytest.fixture(params=SHAPES, ids=str)
def data(request, rng):
    return sparse_regression(rng, *request.param)


def errors_by_hand(X, y, alphas, splits, weights=None, **options):
    """Fit by fold and alpha, predict, average: what the path stands for."""
    weights = np.ones(y.size) if weights is None else weights
    errors = np.empty((len(alphas), len(splits)))
    for fold, (train, test) in enumerate(splits):
        for k, alpha in enumerate(alphas):
            model = Lasso(alpha, tol=1e-11, **options)
            model.fit(X[train], y[train], weights[train])
            errors[k, fold] = np.average(
                (y[test] - model.predict(X[test])) ** 2, weights=weights[test]
            )
    return errors


SPLITTERS = {
    "blocks": KFold(4),
    "shuffled": KFold(4, shuffle=True, random_state=0),
    "overlapping": ShuffleSplit(3, test_size=0.3, random_state=0),
    "partial": ShuffleSplit(2, test_size=0.2, train_size=0.5, random_state=0),
}


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_errors_are_those_of_single_fits(data, rng, splitter, weighted, fit_intercept):
    X, y = data
    weights = rng.uniform(0.1, 2.0, y.size) if weighted else None
    alphas = alpha_max(X, y) * np.array([0.5, 0.1, 0.02])
    cv = SPLITTERS[splitter]
    options = {"fit_intercept": fit_intercept}
    model = LassoCV(alphas, cv=cv, tol=1e-11, **options).fit(X, y, weights)
    expected = errors_by_hand(X, y, alphas, list(cv.split(X)), weights, **options)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-6)
    tests = [test for _, test in cv.split(X)]
    tested = [weights[test].sum() for test in tests] if weighted else None
    means = np.average(expected, axis=1, weights=tested)
    assert model.alpha_ == model.alphas_[np.argmin(means)]


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_sparse_and_options(data, storage):
    X, y = data
    omega = np.linspace(0.5, 2.0, X.shape[1])
    omega[0] = 0.0
    options = {"penalty_weights": omega, "positive": True}
    alphas = np.array([1.0, 0.1])
    model = LassoCV(alphas, cv=KFold(3), tol=1e-11, **options).fit(storage(X), y)
    expected = errors_by_hand(X, y, alphas, list(KFold(3).split(X)), **options)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-6)


def test_equals_scikit_learn(data):
    X, y = data
    ours = LassoCV(30, cv=5, tol=1e-10).fit(X, y)
    theirs = sklearn.linear_model.LassoCV(
        alphas=ours.alphas_, cv=5, tol=1e-10, max_iter=10**5
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-4)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)


def test_the_final_fit_and_the_path(data):
    X, y = data
    model = LassoCV(20, tol=1e-10).fit(X, y)
    single = Lasso(model.alpha_, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, single.coef_, atol=1e-6)
    assert model.intercept_ == pytest.approx(single.intercept_)
    assert model.dual_gap_ <= 1e-10 * y.var() / 2
    path = lasso_path(X, y, n_alphas=20, tol=1e-10)
    np.testing.assert_allclose(model.alphas_, path.alphas)
    np.testing.assert_allclose(
        model.coef_path_.toarray(), path.coefs.toarray(), atol=1e-6
    )


def test_weights_are_repeated_rows(rng):
    """In the grid, in training, in the errors and in their mean over folds."""
    X, y = sparse_regression(rng, 60, 10)
    counts = rng.integers(0, 3, 60)
    fold = np.arange(60) % 3
    weighted = LassoCV(10, cv=_by(fold), tol=1e-11).fit(X, y, counts)
    repeated = LassoCV(10, cv=_by(np.repeat(fold, counts)), tol=1e-11).fit(
        np.repeat(X, counts, axis=0), np.repeat(y, counts)
    )
    np.testing.assert_allclose(weighted.alphas_, repeated.alphas_)
    np.testing.assert_allclose(weighted.mse_path_, repeated.mse_path_, rtol=1e-7)


def _by(fold):
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]


def test_one_standard_error(data):
    X, y = data
    least = LassoCV(30).fit(X, y)
    sparser = LassoCV(30, selection="1se").fit(X, y)
    means = least.mse_path_.mean(axis=1)
    best = np.argmin(means)
    limit = means[best] + least.mse_path_[best].std(ddof=1) / np.sqrt(5)
    assert sparser.alpha_ == least.alphas_[means <= limit].max()
    assert sparser.alpha_ > least.alpha_


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_for_any_n_jobs(rng, shape):
    X, y = sparse_regression(rng, *shape)
    one, two = (LassoCV(15, n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_elastic_net_chooses_its_ratio(data):
    X, y = data
    ratios = [0.2, 0.7, 1.0]
    model = ElasticNetCV(15, l1_ratio=ratios, tol=1e-10).fit(X, y)
    assert model.mse_path_.shape == (3, 15, 5)
    assert model.alphas_.shape == (3, 15)
    for row, ratio in enumerate(ratios):
        alone = ElasticNetCV(15, l1_ratio=ratio, tol=1e-10).fit(X, y)
        np.testing.assert_allclose(model.mse_path_[row], alone.mse_path_, rtol=1e-6)
    means = model.mse_path_.mean(axis=2)
    assert model.l1_ratio_ == ratios[np.unravel_index(means.argmin(), means.shape)[0]]
    assert model.get_params()["l1_ratio"] is ratios
    with pytest.raises(ValueError, match="l1_ratio must be in"):
        ElasticNetCV(l1_ratio=[0.5, 2.0]).fit(X, y)


def test_float32_and_memory_maps(data, tmp_path):
    X, y = data
    single = X.astype(np.float32)
    np.save(tmp_path / "X.npy", np.asfortranarray(single))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = LassoCV(8).fit(mapped, y)
    assert model.coef_.dtype == model.coef_path_.dtype == np.float32
    double = LassoCV(8).fit(single.astype(np.float64), y)
    np.testing.assert_allclose(model.mse_path_, double.mse_path_, rtol=1e-4)


def test_groups_and_routing(rng):
    X, y = sparse_regression(rng, 60, 10)
    groups = np.arange(60) // 12
    model = LassoCV(5, cv=GroupKFold(5)).fit(X, y, groups=groups)
    listed = LassoCV(5, cv=list(GroupKFold(5).split(X, y, groups))).fit(X, y)
    np.testing.assert_array_equal(model.mse_path_, listed.mse_path_)
    with pytest.raises(TypeError, match=r"LassoCV\.fit got colour"):
        LassoCV().fit(X, y, colour=1)
    weights = rng.uniform(size=60)
    with sklearn.config_context(enable_metadata_routing=True):
        cv = GroupKFold(5).set_split_request(groups=True)
        routed = LassoCV(5, cv=cv).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        piped = make_pipeline(scaler, routed)
        piped.fit(X, y, groups=groups, sample_weight=weights)
    scaled = piped[0].transform(X)
    expected = LassoCV(5, cv=GroupKFold(5)).fit(scaled, y, weights, groups=groups)
    np.testing.assert_array_equal(piped[-1].mse_path_, expected.mse_path_)


def test_leave_one_out_and_a_fold_without_signal(rng):
    X, y = sparse_regression(rng, 12, 5)
    model = LassoCV(5, cv=LeaveOneOut()).fit(X, y)
    assert model.mse_path_.shape == (5, 12)
    assert np.all(np.isfinite(model.mse_path_))
    flat = LassoCV(5).fit(X, np.ones(12))
    assert not flat.coef_.any()
    # A column that is constant in training cannot be used there.
    X[:-1, 2] = 7.0
    constant = LassoCV(5, cv=[(np.arange(11), [11])], eps=1e-6).fit(X, y)
    by_hand = errors_by_hand(X, y, constant.alphas_, [(np.arange(11), np.array([11]))])
    np.testing.assert_allclose(constant.mse_path_, by_hand, rtol=1e-2)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("kind", "empty"), [("training", 0), ("test", 1)])
def test_a_fold_without_weight_is_named(rng, shape, kind, empty):
    X, y = sparse_regression(rng, *shape)
    halves = np.arange(y.size // 2), np.arange(y.size // 2, y.size)
    weights = np.ones(y.size)
    weights[halves[empty]] = 0.0
    everyone = np.arange(y.size)
    model = LassoCV(5, cv=[(everyone, everyone), halves])
    with pytest.raises(ValueError, match=f"Fold 1 has no {kind} row of positive"):
        model.fit(X, y, weights)
