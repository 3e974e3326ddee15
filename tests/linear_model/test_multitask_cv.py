"""The multi-task Lasso cross-validated: errors, choice, and the laws of its input."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.linear_model
from reference import sparse_regression
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    ShuffleSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn._solvers import _cross_validation
from sparselearn.linear_model import LassoCV, MultiTaskLasso, MultiTaskLassoCV

STORAGES = {"dense": np.asarray, "csr": sp.csr_array, "csc": sp.csc_matrix}
each_storage = pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
SPLITTERS = {
    "blocks": KFold(4),
    "overlapping": ShuffleSplit(3, test_size=0.3, random_state=0),
    "partial": ShuffleSplit(2, test_size=0.2, train_size=0.6, random_state=0),
}


@pytest.fixture(params=[(60, 12), (30, 40)], ids=str)
def data(request, rng):
    return tasks(rng, *request.param)


@pytest.fixture
def weights(data, rng):
    weights = rng.uniform(0.1, 2.0, len(data[1]))
    weights[::9] = 0.0
    return weights


def tasks(rng, n_samples, n_features):
    """Three targets of other scales, whose error falls and rises along the path."""
    X, y = sparse_regression(rng, n_samples, n_features)
    other = X[:, 0] - X[:, 6] + rng.standard_normal(n_samples) + 2.0
    return X, np.column_stack([y, other, 2.0 * np.cos(y)])


def folds_of(labels):
    """The splits that leave out the rows of one label after another."""
    return [
        (np.flatnonzero(labels != k), np.flatnonzero(labels == k))
        for k in np.unique(labels)
    ]


def errors_by_hand(X, Y, alphas, splits, weights=None, **options):
    """Fit by fold and alpha, predict, average: what the path stands for."""
    weights = np.ones(len(Y)) if weights is None else weights
    errors = np.empty((len(alphas), len(splits)))
    for fold, (train, test) in enumerate(splits):
        for k, alpha in enumerate(alphas):
            model = MultiTaskLasso(alpha, tol=1e-13, **options)
            model.fit(X[train], Y[train], weights[train])
            squares = (Y[test] - model.predict(X[test])) ** 2
            errors[k, fold] = np.average(
                np.mean(squares, axis=1), weights=weights[test]
            )
    return errors


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_scikit_learn(data, fit_intercept):
    """Theirs takes neither sparse X nor weights."""
    X, Y = data
    shared = {"cv": KFold(4), "fit_intercept": fit_intercept}
    ours = MultiTaskLassoCV(12, eps=1e-2, tol=1e-14, **shared).fit(X, Y)
    theirs = sklearn.linear_model.MultiTaskLassoCV(
        alphas=ours.alphas_, tol=1e-14, max_iter=10**5, **shared
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, Y)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert ours.alpha_ == theirs.alpha_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("weighted", [False, True])
@each_storage
def test_errors_are_those_of_single_fits(data, weights, splitter, weighted, storage):
    X, Y = data
    weights = weights if weighted else None
    omega = np.linspace(0.5, 2.0, X.shape[1])
    omega[:2] = 0.0, np.inf
    alphas, cv = [1.0, 0.2, 0.0], SPLITTERS[splitter]
    if X.shape[1] > len(Y):
        alphas.pop()  # its solutions are many
    model = MultiTaskLassoCV(alphas, cv=cv, penalty_weights=omega, tol=1e-13)
    model.fit(storage(X), Y, weights)
    splits = list(cv.split(X))
    expected = errors_by_hand(X, Y, alphas, splits, weights, penalty_weights=omega)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-6)
    folds = [weights[test].sum() for _, test in splits] if weighted else None
    means = np.average(expected, axis=1, weights=folds)
    assert model.alpha_ == alphas[np.argmin(means)]


@each_storage
def test_errors_by_blocks_of_rows(data, weights, storage, monkeypatch):
    X, Y = data
    model = MultiTaskLassoCV(4, cv=3).fit(storage(X), Y, weights)
    monkeypatch.setattr(_cross_validation, "BLOCK", 3 * 4 * 3)
    blocks = MultiTaskLassoCV(4, cv=3).fit(storage(X), Y, weights)
    np.testing.assert_allclose(blocks.mse_path_, model.mse_path_, rtol=1e-12)


def test_one_task_is_the_lasso(data, weights):
    X, Y = data
    shared = {"alphas": 8, "selection": "1se", "cv": 4, "tol": 1e-13}
    several = MultiTaskLassoCV(**shared).fit(X, Y[:, :1], weights)
    one = LassoCV(**shared).fit(X, Y[:, 0], weights)
    np.testing.assert_allclose(several.alphas_, one.alphas_)
    np.testing.assert_allclose(several.mse_path_, one.mse_path_, rtol=1e-6)
    assert several.alpha_ == pytest.approx(one.alpha_)
    np.testing.assert_allclose(several.coef_[0], one.coef_, atol=1e-6)


def test_the_final_fit_and_the_path(data, weights):
    """Each point of the path is a fit; the certificate is that of the chosen one."""
    X, Y = data
    model = MultiTaskLassoCV(6, tol=1e-13).fit(X, Y, weights)
    assert len(model.coef_path_) == 6
    for alpha, coef in zip(model.alphas_, model.coef_path_):
        single = MultiTaskLasso(alpha, tol=1e-13).fit(X, Y, weights)
        assert coef.format == "csr"
        np.testing.assert_allclose(coef.toarray(), single.coef_, atol=1e-6)
    single = MultiTaskLasso(model.alpha_, tol=1e-13).fit(X, Y, weights)
    np.testing.assert_allclose(model.coef_, single.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, single.intercept_, atol=1e-6)
    np.testing.assert_array_equal(model.support_, single.support_)
    assert model.objective_ == pytest.approx(single.objective_, rel=1e-10)
    means = weights @ Y / weights.sum()
    null = weights @ np.sum((Y - means) ** 2, axis=1) / weights.sum() / 2
    assert 0.0 <= model.dual_gap_ <= 1e-13 * null


def test_the_grid_begins_where_coefficients_do(data, weights):
    X, Y = data
    omega = np.linspace(0.5, 2.0, X.shape[1])
    model = MultiTaskLassoCV(5, eps=0.01, penalty_weights=omega).fit(X, Y, weights)
    at = [
        MultiTaskLasso(scale * model.alphas_[0], penalty_weights=omega, tol=1e-13)
        for scale in (1.001, 0.999)
    ]
    assert [m.fit(X, Y, weights).support_.size for m in at] == [0, 1]
    np.testing.assert_allclose(
        model.alphas_, np.geomspace(1, 0.01, 5) * model.alphas_[0]
    )


def test_weights_are_repeated_rows(rng):
    """In the grid, in training, in the errors and in their mean over folds."""
    X, Y = tasks(rng, 60, 10)
    counts = rng.integers(0, 3, 60)
    labels = np.arange(60) % 3
    options = {"alphas": 8, "tol": 1e-13}
    weighted = MultiTaskLassoCV(cv=folds_of(labels), **options).fit(X, Y, counts)
    repeated = MultiTaskLassoCV(cv=folds_of(np.repeat(labels, counts)), **options).fit(
        np.repeat(X, counts, axis=0), np.repeat(Y, counts, axis=0), np.ones(sum(counts))
    )
    np.testing.assert_allclose(weighted.alphas_, repeated.alphas_)
    np.testing.assert_allclose(weighted.mse_path_, repeated.mse_path_, rtol=1e-6)
    assert weighted.alpha_ == pytest.approx(repeated.alpha_)
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-6)


def test_weight_zero_is_an_absent_row(data, weights):
    X, Y = data
    X, Y = X.copy(), Y.copy()
    labels, present = np.arange(len(Y)) % 3, weights > 0.0
    X[~present], Y[~present] = 1e3, -1e5
    model = MultiTaskLassoCV(6, cv=folds_of(labels), tol=1e-13).fit(X, Y, weights)
    other = MultiTaskLassoCV(6, cv=folds_of(labels[present]), tol=1e-13)
    other.fit(X[present], Y[present], weights[present])
    np.testing.assert_allclose(model.alphas_, other.alphas_)
    np.testing.assert_allclose(model.mse_path_, other.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-6)


def test_turning_the_targets_changes_nothing(data):
    """Neither the penalty nor the mean error over targets knows their axes."""
    X, Y = data
    turn = np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 1.5 + np.eye(3))[0]
    model = MultiTaskLassoCV(6, tol=1e-13).fit(X, Y)
    turned = MultiTaskLassoCV(6, tol=1e-13).fit(X, Y @ turn)
    np.testing.assert_allclose(turned.mse_path_, model.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(turned.coef_, turn.T @ model.coef_, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scale_equivariance(data, scale):
    X, Y = data
    model = MultiTaskLassoCV(6, tol=1e-12).fit(X, Y)
    on_Y = MultiTaskLassoCV(6, tol=1e-12).fit(X, Y * scale)
    on_X = MultiTaskLassoCV(6, tol=1e-12).fit(X * scale, Y)
    np.testing.assert_allclose(on_Y.mse_path_, model.mse_path_ * scale**2, rtol=1e-5)
    np.testing.assert_allclose(on_X.mse_path_, model.mse_path_, rtol=1e-5)
    np.testing.assert_allclose(on_X.alpha_, model.alpha_ * scale)


def test_every_storage_gives_the_same(data, weights, tmp_path):
    """Dense, sparse, C-ordered, memory-mapped and read-only; never written."""
    X, Y = data
    expected = MultiTaskLassoCV(6, tol=1e-13).fit(X, Y, weights)
    np.save(tmp_path / "X.npy", np.asfortranarray(X))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    csc = sp.csc_array(X)
    for part in (csc.data, csc.indices, csc.indptr):
        part.flags.writeable = False
    for other in (np.ascontiguousarray(X), mapped, sp.csr_array(X), csc):
        before = other.copy()
        found = MultiTaskLassoCV(6, tol=1e-13).fit(other, Y, weights)
        np.testing.assert_allclose(found.mse_path_, expected.mse_path_, rtol=1e-6)
        np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-7)
        assert abs(other - before).max() == 0.0


@each_storage
def test_float32_is_kept_and_agrees(data, storage):
    X, Y = data
    X = X.astype(np.float32)
    single = MultiTaskLassoCV(6).fit(storage(X), Y.astype(np.float32))
    double = MultiTaskLassoCV(6).fit(storage(X.astype(np.float64)), Y)
    dtypes = {part.dtype for part in (single.coef_, single.intercept_)}
    assert dtypes | {coef.dtype for coef in single.coef_path_} == {np.dtype("f4")}
    assert single.mse_path_.dtype == np.float64
    np.testing.assert_allclose(single.mse_path_, double.mse_path_, rtol=1e-4)
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)


@each_storage
def test_same_bits_for_any_n_jobs(data, weights, storage):
    X, Y = data
    one, two = (
        MultiTaskLassoCV(6, n_jobs=n).fit(storage(X), Y, weights) for n in (1, 2)
    )
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_one_standard_error(data, weights):
    """The largest alpha within it, so never a smaller one than the best."""
    X, Y = data
    for given in (None, weights):
        least = MultiTaskLassoCV(15).fit(X, Y, given)
        sparser = MultiTaskLassoCV(15, selection="1se").fit(X, Y, given)
        folds = None
        if given is not None:
            folds = [weights[test].sum() for _, test in KFold(5).split(X)]
        means = np.average(least.mse_path_, axis=1, weights=folds)
        best = np.argmin(means)
        limit = means[best] + least.mse_path_[best].std(ddof=1) / np.sqrt(5)
        assert sparser.alpha_ == least.alphas_[means <= limit].max()
        assert sparser.alpha_ >= least.alpha_ == least.alphas_[best]


def test_folds_count_by_the_weight_of_their_rows(rng):
    """All alike without sample weights; the large fold here asks for more alpha."""
    X, Y = tasks(rng, 60, 10)
    Y[35:] = Y.mean(axis=0) + 0.3 * (Y[35:] - Y.mean(axis=0))
    train, tests = np.arange(30), (np.arange(30, 35), np.arange(35, 60))
    model = MultiTaskLassoCV(15, cv=[(train, test) for test in tests])
    alike, by_rows = (clone(model).fit(X, Y, w) for w in (None, np.ones(60)))
    np.testing.assert_allclose(by_rows.mse_path_, alike.mse_path_, rtol=1e-6)
    assert by_rows.alpha_ > 1.1 * alike.alpha_
    for fitted, folds in ((alike, [1, 1]), (by_rows, [5, 25])):
        means = np.average(fitted.mse_path_, axis=1, weights=folds)
        assert fitted.alpha_ == fitted.alphas_[np.argmin(means)]


def test_refit_undoes_the_shrinkage(data, weights):
    X, Y = data
    shrunk = MultiTaskLassoCV(8, selection="1se").fit(X, Y, weights)
    model = MultiTaskLassoCV(8, selection="1se", refit_support="ols")
    model.fit(X, Y, weights)
    chosen = shrunk.support_
    exact = sklearn.linear_model.LinearRegression().fit(X[:, chosen], Y, weights)
    np.testing.assert_array_equal(model.support_, chosen)
    np.testing.assert_allclose(model.coef_[:, chosen], exact.coef_, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, exact.intercept_, atol=1e-6)
    np.testing.assert_array_equal(model.mse_path_, shrunk.mse_path_)


def test_groups_and_routing(rng):
    X, Y = tasks(rng, 60, 10)
    groups = np.arange(60) // 12
    model = MultiTaskLassoCV(5, cv=GroupKFold(5)).fit(X, Y, groups=groups)
    listed = MultiTaskLassoCV(5, cv=list(GroupKFold(5).split(X, Y, groups))).fit(X, Y)
    np.testing.assert_array_equal(model.mse_path_, listed.mse_path_)
    with pytest.raises(TypeError, match=r"MultiTaskLassoCV\.fit got colour"):
        MultiTaskLassoCV().fit(X, Y, colour=1)
    weights = rng.uniform(size=60)
    with sklearn.config_context(enable_metadata_routing=True):
        cv = GroupKFold(5).set_split_request(groups=True)
        routed = MultiTaskLassoCV(5, cv=cv).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        piped = make_pipeline(scaler, routed)
        piped.fit(X, Y, groups=groups, sample_weight=weights)
    scaled = piped[0].transform(X)
    expected = MultiTaskLassoCV(5, cv=GroupKFold(5))
    expected.fit(scaled, Y, weights, groups=groups)
    np.testing.assert_array_equal(piped[-1].mse_path_, expected.mse_path_)


def test_in_a_grid_in_a_pipeline(rng):
    X, Y = tasks(rng, 60, 12)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MultiTaskLassoCV(12, eps=0.02, cv=3)),
        {"multitasklassocv__selection": ["min", "1se"]},
        cv=3,
        n_jobs=2,
    ).fit(X, Y)
    best = search.best_estimator_
    alone = clone(best[-1]).fit(best[0].transform(X), Y)
    np.testing.assert_array_equal(alone.coef_, best[-1].coef_)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] != scores[1]
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))


def test_leave_one_out_and_data_without_signal(rng):
    X, Y = tasks(rng, 12, 7)
    model = MultiTaskLassoCV(4, cv=LeaveOneOut(), tol=1e-13).fit(X, Y)
    splits = list(LeaveOneOut().split(X))
    expected = errors_by_hand(X, Y, model.alphas_, splits)
    np.testing.assert_allclose(model.mse_path_, expected, rtol=1e-5)
    flat = MultiTaskLassoCV(4).fit(X, np.full((12, 2), [1.0, 0.1]))
    assert not flat.coef_.any()
    np.testing.assert_allclose(flat.intercept_, [1.0, 0.1])
    assert np.all(flat.mse_path_ < 1e-30)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("alphas", [0.3, 0.1]),
        ("eps", 0.5),
        ("cv", [(np.arange(8), np.arange(8, 60))]),
        ("selection", "1se"),
        ("penalty_weights", np.arange(12.0)),
        ("fit_intercept", False),
        ("refit_support", "ols"),
        ("refit_support", "ridge"),
        ("tol", 1.0),
    ],
)
def test_each_parameter_is_alive(parameter, value):
    X, Y = tasks(np.random.default_rng(0), 60, 12)
    base = MultiTaskLassoCV(12, eps=0.02).fit(X, Y)
    other = clone(base).set_params(**{parameter: value}).fit(X, Y)
    assert np.max(np.abs(base.coef_ - other.coef_)) > 1e-6


def test_unconverged_warns_once_with_both_numbers(data):
    model = MultiTaskLassoCV([1e-3, 1e-4], tol=1e-30, max_iter=3)
    with pytest.warns(ConvergenceWarning, match=r"epochs.*> tol=1.00e-30") as caught:
        model.fit(*data)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("kind", "empty"), [("training", 0), ("test", 1)])
def test_a_fold_without_weight_is_named(data, kind, empty):
    X, Y = data
    everyone = np.arange(len(Y))
    halves = everyone[: len(Y) // 2], everyone[len(Y) // 2 :]
    weights = np.ones(len(Y))
    weights[halves[empty]] = 0.0
    model = MultiTaskLassoCV(5, cv=[(everyone, everyone), halves])
    with pytest.raises(ValueError, match=f"Fold 1 has no {kind} row of positive"):
        model.fit(X, Y, weights)


def test_errors_say_what_is_allowed(data):
    X, Y = data
    with pytest.raises(ValueError, match=r"needs y of shape .* single .* LassoCV, or"):
        MultiTaskLassoCV().fit(X, Y[:, 0])
    with pytest.raises(ValueError, match=r"alphas must be a non-empty sequence"):
        MultiTaskLassoCV([0.1, -1.0]).fit(X, Y)
    with pytest.raises(ValueError, match="'selection' parameter of MultiTaskLassoCV"):
        MultiTaskLassoCV(selection="best").fit(X, Y)
    with pytest.raises(ValueError, match=r"penalty_weights has shape \(3,\)"):
        MultiTaskLassoCV(penalty_weights=np.ones(3)).fit(X, Y)
    assert not {"n_nonzero_coefs", "warm_start"} & set(MultiTaskLassoCV().get_params())
