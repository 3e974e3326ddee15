"""Selection probabilities count halves, and the number of false ones is bounded."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import selections_on_path
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SequentialFeatureSelector,
    f_regression,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.feature_selection import StabilitySelector, false_positive_bound
from sparselearn.feature_selection._halves import split_halves
from sparselearn.linear_model import (
    ElasticNet,
    GroupLasso,
    Lasso,
    OrthogonalMatchingPursuit,
    SparseLogisticRegression,
    SparsePoissonRegressor,
)


class Recorder(BaseEstimator):
    """Finds the features important that its rows say, and keeps the rows."""

    seen = []

    def fit(self, X, y, sample_weight=None):
        Recorder.seen.append((X, y, sample_weight))
        self.feature_importances_ = X.max(axis=0)
        return self


@pytest.fixture
def recorded():
    Recorder.seen.clear()
    return Recorder.seen


@pytest.fixture
def X(rng):
    return rng.normal(size=(60, 12))


@pytest.fixture
def y(X, rng):
    return X[:, [1, 4]] @ [2.0, -1.5] + 0.5 * rng.normal(size=len(X))


def test_probabilities_count_selections(X, y, recorded):
    selector = StabilitySelector(Recorder(), n_selected=3, n_pairs=7, random_state=0)
    selector.fit(X, y)
    assert len(recorded) == 14
    counts = np.zeros(12)
    for part, _, _ in recorded:
        counts[np.argsort(part.max(axis=0))[-3:]] += 1
    np.testing.assert_allclose(selector.selection_probabilities_, counts / 14)
    np.testing.assert_array_equal(
        selector.support_, np.flatnonzero(counts / 14 >= 0.75)
    )
    # Of 14 halves, 11 are the least that are 75%.
    assert selector.expected_false_positives_ == pytest.approx(3**2 / (8 / 14 * 12))
    order = [np.argsort(-part.max(axis=0)) for part, _, _ in recorded]
    for k, column in enumerate(selector.selection_paths_.toarray().T):
        firsts = np.concatenate([features[: k + 1] for features in order])
        np.testing.assert_allclose(column, np.bincount(firsts, minlength=12) / 14)
    assert not hasattr(selector, "alphas_")


def test_halves_are_disjoint_and_weights_go_along(X, y, rng, recorded):
    weight = rng.random(60)
    StabilitySelector(Recorder(), n_pairs=2).fit(X, y, sample_weight=weight)
    for first, second in (recorded[:2], recorded[2:]):
        rows = [
            np.flatnonzero(np.isin(X[:, 0], part[0][:, 0])) for part in (first, second)
        ]
        np.testing.assert_array_equal(np.sort(np.concatenate(rows)), np.arange(60))
        for (part, targets, w), mine in zip((first, second), rows):
            np.testing.assert_array_equal(part, X[mine])
            np.testing.assert_array_equal(targets, y[mine])
            np.testing.assert_array_equal(w, weight[mine])


@pytest.mark.parametrize("n", [4, 7, 30, 61])
def test_halves_share_out_every_class(rng, n):
    labels = rng.choice(["a", "b", "c"], size=n, p=[0.7, 0.2, 0.1])
    for _ in range(5):
        first, second = split_halves(labels, rng)
        assert len(first) == len(second) == n // 2
        assert not set(first) & set(second)
        for label in "abc":
            assert (
                abs(np.sum(labels[first] == label) - np.sum(labels[second] == label))
                <= 2
            )


def test_a_row_is_as_often_in_either_half(rng):
    counts = np.zeros(10)
    for _ in range(2000):
        counts[split_halves(np.zeros(10), rng)[0]] += 1
    np.testing.assert_allclose(counts / 2000, 0.5, atol=0.06)


@pytest.mark.parametrize("assumption", ["none", "unimodal", "r-concave"])
def test_two_of_three_give_the_third(X, y, assumption):
    def fitted(**params):
        how = {"assumption": assumption, "n_pairs": 5}
        return StabilitySelector(LinearRegression(), **how, **params).fit(X, y)

    def bound(q, threshold):
        how = {"assumption": assumption, "n_pairs": 5, "threshold": threshold}
        return false_positive_bound(q, 12, **how)

    for most, threshold in [(1.0, 0.75), (2.5, 0.9), (1e6, 0.75)]:
        found = fitted(expected_false_positives=most, threshold=threshold)
        q = found.n_selected_
        assert bound(q, threshold) <= most
        assert q == 12 or bound(q + 1, threshold) > most
        assert found.threshold_ == threshold
        # OLS finds all features important.
        assert found.expected_false_positives_ == pytest.approx(bound(q, threshold))
    for most, q in [(1.0, 2), (2.0, 4), (12.0, 12)]:
        found = fitted(expected_false_positives=most, n_selected=q)
        assert found.n_selected_ == q
        assert bound(q, found.threshold_) <= most
        below = found.threshold_ - 0.1
        assert below <= 0.5 or bound(q, below) > most
    assert fitted(threshold=0.9, n_selected=3).expected_false_positives_ == (
        pytest.approx(bound(3, 0.9))
    )
    assert fitted(n_selected=3).threshold_ == 0.75
    assert fitted().n_selected_ == fitted(expected_false_positives=1.0).n_selected_
    assert fitted(n_selected=99).n_selected_ == 12


def test_what_cannot_be_had_is_refused(X, y):
    with pytest.raises(ValueError, match=r"up to 8\.33 may be false"):
        StabilitySelector(Ridge(), n_selected=10, expected_false_positives=0.5).fit(
            X, y
        )
    selector = StabilitySelector(Ridge(), threshold=0.6, expected_false_positives=0.01)
    with pytest.raises(ValueError, match="even with n_selected=1 of 12 features"):
        selector.fit(X, y)


def test_features_without_importance_are_not_selected(X, y):
    X = X.copy()
    X[:, 3:] = 0.0
    selector = StabilitySelector(LinearRegression(), n_selected=8, n_pairs=3).fit(X, y)
    np.testing.assert_array_equal(selector.selection_probabilities_[3:], 0.0)
    # Of 6 halves, 5 are the least that are 75%.
    assert selector.expected_false_positives_ == pytest.approx(3**2 / (4 / 6 * 12))


def test_finds_what_matters_in_whatever_units(X, y, rng):
    scale = 10.0 ** rng.uniform(-6, 6, size=12)
    for data in (X, X * scale, sp.csr_array(X * scale), (X * scale).astype(np.float32)):
        selector = StabilitySelector(
            LinearRegression(), n_selected=2, n_pairs=10, random_state=0
        ).fit(data, y)
        np.testing.assert_array_equal(selector.support_, [1, 4])
        assert selector.transform(data).shape == (60, 2)


def test_falsely_selected_are_fewer_than_the_bound(rng):
    """Over draws of pure noise, all of whose features are equally likely."""
    found, bounds = [], []
    for _ in range(40):
        X, y = rng.normal(size=(30, 10)), rng.normal(size=30)
        selector = StabilitySelector(
            Ridge(), threshold=0.6, n_selected=2, n_pairs=5, random_state=0
        ).fit(X, y)
        found.append(selector.n_nonzero_coefs_)
        bounds.append(selector.expected_false_positives_)
    assert 0.0 < np.mean(found) < np.mean(bounds) == pytest.approx(2.0)


def test_classes_outputs_and_forests(X, y):
    labels = np.digitize(y, [-1.0, 1.0])
    Y = np.column_stack([X[:, 2], X[:, 5] + X[:, 7]])
    how = {"n_pairs": 3, "random_state": 0}
    several = StabilitySelector(Ridge(), n_selected=3, **how).fit(X, Y)
    np.testing.assert_array_equal(several.support_, [2, 5, 7])
    logistic = StabilitySelector(LogisticRegression(), n_selected=2, **how)
    np.testing.assert_array_equal(logistic.fit(X, labels).support_, [1, 4])
    forest = ExtraTreesRegressor(n_estimators=20, random_state=0)
    trees = StabilitySelector(forest, n_selected=1, **how).fit(X, y)
    np.testing.assert_array_equal(trees.support_, [1])


def test_any_number_of_threads_gives_the_same(X, y):
    one, two = (
        StabilitySelector(
            Ridge(), n_selected=5, n_pairs=4, random_state=3, n_jobs=n
        ).fit(X, y)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(
        one.selection_probabilities_, two.selection_probabilities_
    )
    other = StabilitySelector(Ridge(), n_selected=5, n_pairs=4, random_state=4)
    other.fit(X, y)
    assert np.any(other.selection_probabilities_ != one.selection_probabilities_)


def test_search_over_the_threshold_in_a_pipeline(X, y):
    pipeline = make_pipeline(
        StabilitySelector(Ridge(), n_selected=3, n_pairs=2), LinearRegression()
    )
    search = GridSearchCV(pipeline, {"stabilityselector__threshold": [0.6, 0.75]}, cv=2)
    assert search.fit(X, y).score(X, y) > 0.5


def test_metadata_are_routed(X, y, rng, recorded):
    weight = rng.random(60)
    with config_context(enable_metadata_routing=True):
        inner = Recorder().set_fit_request(sample_weight=True)
        StabilitySelector(inner, n_pairs=1).fit(X, y, sample_weight=weight)
        assert sum(w.sum() for _, _, w in recorded) == pytest.approx(weight.sum())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"expected_false_positives": 1.0, "n_selected": 3, "threshold": 0.7},
            "two of them give the third",
        ),
        ({"assumption": "concave"}, "assumption"),
        ({"method": "paths"}, "method"),
        ({"method": "path"}, "needs an estimator with a path"),
        ({"threshold": 0.5}, "threshold"),
        ({"threshold": 1.1}, "threshold"),
        ({"expected_false_positives": 0.0}, "expected_false_positives"),
        ({"n_selected": 0}, "n_selected"),
        ({"n_pairs": 0}, "n_pairs"),
    ],
)
def test_wrong_parameters_are_named(X, y, params, message):
    with pytest.raises(ValueError, match=message):
        StabilitySelector(Ridge(), **params).fit(X, y)


def test_what_says_nothing_of_features_is_refused(X, y):
    with pytest.raises(ValueError, match="KNeighborsRegressor has none"):
        StabilitySelector(KNeighborsRegressor()).fit(X, y)


# -- paths --------------------------------------------------------------------


def halves_of(n_samples, n_pairs, seed):
    rng = np.random.RandomState(seed)
    strata = np.zeros(n_samples)
    pairs = [split_halves(strata, rng) for _ in range(n_pairs)]
    return [half for pair in pairs for half in pair]


def coefs_at(estimator, alphas, X, y, **params):
    """A fit at every alpha, (n_features, n_alphas)."""
    fits = [clone(estimator).set_params(alpha=alpha) for alpha in alphas]
    fits = [fit.fit(X, y, **params) for fit in fits]
    return np.array([np.linalg.norm(np.atleast_2d(f.coef_), axis=0) for f in fits]).T


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_selected", [3, 12])
@pytest.mark.parametrize("grid", ["given", "own"])
@pytest.mark.parametrize(
    "estimator",
    [
        Lasso(tol=1e-10),
        ElasticNet(l1_ratio=0.7, tol=1e-10),
        Lasso(tol=1e-10, positive=True, fit_intercept=False),
        GroupLasso(groups=3, tol=1e-10),
    ],
    ids=["lasso", "elastic_net", "positive", "group"],
)
def test_paths_are_fits_at_every_alpha(
    X, y, rng, estimator, grid, n_selected, weighted
):
    X = X * 10.0 ** rng.uniform(-1, 1, size=12)
    alphas = np.geomspace(3.0, 0.01, 15) if grid == "given" else 25
    params = {"sample_weight": rng.random(60)} if weighted else {}
    how = {"n_pairs": 3, "random_state": 1, "alphas": alphas}
    selector = StabilitySelector(estimator, n_selected=n_selected, **how)
    selector.fit(X, y, **params)
    masks, sizes = [], []
    for rows in halves_of(60, 3, 1):
        own = {name: w[rows] for name, w in params.items()}
        coefs = coefs_at(estimator, selector.alphas_, X[rows], y[rows], **own)
        w = own.get("sample_weight", np.ones(30))
        mean = np.average(X[rows], axis=0, weights=w) * estimator.fit_intercept
        spreads = np.sqrt(np.average((X[rows] - mean) ** 2, axis=0, weights=w))
        masks.append(selections_on_path(coefs, spreads, n_selected))
        sizes.append(masks[-1].any(axis=1).sum())
    if grid == "given":
        n_steps = selector.alphas_.size
        np.testing.assert_array_equal(selector.alphas_, alphas[:n_steps])
        assert n_steps == 15 or n_selected == 3  # all halves have their first 3
    if n_selected == 3 or grid == "given":  # else halves end at alphas of their own
        expected = np.mean(masks, axis=0)
        np.testing.assert_allclose(selector.selection_paths_.toarray(), expected)
        np.testing.assert_allclose(
            selector.selection_probabilities_, expected.max(axis=1)
        )
        assert selector.expected_false_positives_ == pytest.approx(
            false_positive_bound(np.mean(sizes), 12, n_pairs=3)
        )


def test_own_alphas_begin_where_the_first_half_does(X, y):
    selector = StabilitySelector(Lasso(), n_pairs=4, alphas=30, random_state=0)
    selector.fit(X, y)
    first = selector.selection_paths_.toarray()[:, 0]
    assert first.max() > 0.0
    ratios = selector.alphas_[1:] / selector.alphas_[:-1]
    np.testing.assert_allclose(ratios, 1e-3 ** (1 / 29))


def test_a_path_has_no_use_for_alpha(X, y):
    one, other = (
        StabilitySelector(Lasso(a), n_selected=3, n_pairs=2, random_state=0).fit(X, y)
        for a in (1e-4, 1e4)
    )
    np.testing.assert_array_equal(
        one.selection_paths_.toarray(), other.selection_paths_.toarray()
    )
    fitted = StabilitySelector(Lasso(1e4), method="fit", n_pairs=2).fit(X, y)
    assert not fitted.selection_probabilities_.any()
    assert fitted.expected_false_positives_ == 0.0
    assert not hasattr(fitted, "alphas_")


def test_greedy_path_is_its_order(X, y):
    omp = OrthogonalMatchingPursuit()
    selector = StabilitySelector(omp, n_selected=4, n_pairs=3, random_state=2)
    counts = np.zeros((12, 4))
    for rows in halves_of(60, 3, 2):
        for k in range(4):
            fit = clone(omp).set_params(n_nonzero_coefs=k + 1).fit(X[rows], y[rows])
            counts[fit.coef_ != 0.0, k] += 1
    selector.fit(X, y)
    np.testing.assert_allclose(selector.selection_paths_.toarray(), counts / 6)
    with pytest.raises(ValueError, match="is of one target; y has 2"):
        selector.fit(X, np.column_stack([y, y]))


def test_paths_of_classes_counts_and_targets(X, y, rng):
    """Those of the generalised models, and one alpha for several targets."""
    how = {"n_selected": 3, "n_pairs": 3, "random_state": 0, "alphas": 20}
    logistic = SparseLogisticRegression(tol=1e-9)
    labels = np.digitize(y, [-1.0, 1.0])
    for targets in (labels == 2, labels):
        found = StabilitySelector(logistic, **how).fit(X, targets)
        shares = np.zeros((12, found.alphas_.size))
        generator = np.random.RandomState(0)
        pairs = [split_halves(targets, generator) for _ in range(3)]
        for rows in [half for pair in pairs for half in pair]:
            part = X[rows], targets[rows]
            coefs = coefs_at(logistic, found.alphas_, *part)
            shares += selections_on_path(coefs, part[0].std(axis=0), 3) / 6
        np.testing.assert_allclose(found.selection_paths_.toarray(), shares)
    counts = rng.poisson(np.exp(0.5 * y))
    poisson = StabilitySelector(SparsePoissonRegressor(), **how).fit(X, counts)
    assert {1, 4} <= set(np.argsort(poisson.selection_probabilities_)[-3:])
    Y = np.column_stack([X[:, 2], X[:, 5] + X[:, 7]])
    several = StabilitySelector(Lasso(), **how).fit(X, Y)
    np.testing.assert_array_equal(several.support_, [2, 5, 7])


def test_paths_in_whatever_form_and_units(X, y):
    how = {"n_selected": 4, "n_pairs": 4, "random_state": 0, "alphas": 30}
    selector = StabilitySelector(Lasso(), **how)
    expected = selector.fit(X, y).selection_paths_.toarray()
    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    for data in (frozen, sp.csr_array(X), sp.csc_array(X), 1e6 * X, 1e-6 * X):
        found = selector.fit(data, y).selection_paths_.toarray()
        np.testing.assert_array_equal(found, expected)
    found = selector.fit(X, 1e-6 * y).selection_paths_.toarray()
    np.testing.assert_array_equal(found, expected)
    found = selector.fit(X.astype(np.float32), y)
    np.testing.assert_allclose(found.selection_paths_.toarray(), expected, atol=0.13)


def test_paths_are_the_same_from_any_number_of_threads(X, y):
    one, two = (
        StabilitySelector(Lasso(), n_pairs=4, random_state=3, n_jobs=n).fit(X, y)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one.alphas_, two.alphas_)
    np.testing.assert_array_equal(
        one.selection_paths_.toarray(), two.selection_paths_.toarray()
    )


def test_nothing_to_select(X):
    selector = StabilitySelector(Lasso(), n_pairs=2).fit(X, np.ones(60))
    assert selector.selection_paths_.shape == (12, 1)
    assert not selector.selection_probabilities_.any()
    assert selector.expected_false_positives_ == 0.0


def test_one_warning_of_paths_cut_short(X, y):
    selector = StabilitySelector(Lasso(max_iter=1, tol=0.0), n_selected=11, n_pairs=2)
    with pytest.warns(ConvergenceWarning, match="of 4 halves") as caught:
        selector.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("alphas", [[], [1.0, 0.0], [[1.0]], [-1.0]])
def test_alphas_are_positive(X, y, alphas):
    with pytest.raises(ValueError, match="alphas must be an int or a non-empty"):
        StabilitySelector(Lasso(), alphas=alphas).fit(X, y)


def test_fewer_false_ones_than_any_bound_on_paths(rng):
    """Features of pure noise are exchangeable: all are selected by chance alone."""
    found, bounds = [], []
    for k in range(25):
        X, y = rng.normal(size=(40, 20)), rng.normal(size=40)
        how = {"threshold": 0.6, "n_selected": 5, "n_pairs": 10, "random_state": k}
        selector = StabilitySelector(Lasso(), **how).fit(X, y)
        found.append(selector.n_nonzero_coefs_)
        bounds.append(selector.expected_false_positives_)
    concave = false_positive_bound(
        5, 20, threshold=0.6, n_pairs=10, assumption="r-concave"
    )
    assert 0.0 < np.mean(found) < concave < np.mean(bounds)
    assert np.mean(bounds) == pytest.approx(5 * 5 / (20 * 0.2))


# -- selectors and pipelines --------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        SelectKBest(f_regression, k=5),
        RFE(LinearRegression(), n_features_to_select=3),
        SelectFromModel(LinearRegression(), max_features=4),
        SequentialFeatureSelector(LinearRegression(), n_features_to_select=2, cv=2),
        make_pipeline(StandardScaler(), Ridge()),
        make_pipeline(StandardScaler(), SelectKBest(f_regression, k=3)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_selectors_of_scikit_learn(X, y, estimator):
    how = {"n_pairs": 3, "random_state": 0}
    selector = StabilitySelector(estimator, n_selected=2, **how).fit(X, y)
    np.testing.assert_array_equal(selector.support_, [1, 4])
    assert selector.selection_probabilities_.sum() == pytest.approx(2.0)


def test_a_choice_without_an_order_cannot_be_cut(X, y):
    chosen = SequentialFeatureSelector(LinearRegression(), n_features_to_select=3, cv=2)
    with pytest.raises(ValueError, match="let it select 2 at most"):
        StabilitySelector(chosen, n_selected=2, n_pairs=1).fit(X, y)
