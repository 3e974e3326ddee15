"""Selection probabilities count fits, and the number of false ones is bounded."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from sparselearn.feature_selection import StabilitySelector
from sparselearn.feature_selection._stability_selector import _halves


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
    assert selector.expected_false_ == pytest.approx(3**2 / (0.5 * 12))


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
        first, second = _halves(labels, rng)
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
        counts[_halves(np.zeros(10), rng)[0]] += 1
    np.testing.assert_allclose(counts / 2000, 0.5, atol=0.06)


def test_the_bound_gives_the_number_to_select(X, y):
    for bound, threshold in [(1.0, 0.75), (2.5, 0.9), (0.01, 0.6), (1e6, 0.75)]:
        selector = StabilitySelector(
            LinearRegression(), expected_false=bound, threshold=threshold, n_pairs=2
        ).fit(X, y)
        q = selector.n_selected_
        rises = (2 * threshold - 1) * 12
        assert q == 1 or q**2 / rises <= bound
        assert q == 12 or (q + 1) ** 2 / rises > bound
    default = StabilitySelector(LinearRegression(), n_pairs=2).fit(X, y)
    assert default.n_selected_ == int(np.sqrt(0.5 * 12))


def test_features_without_importance_are_not_selected(X, y):
    X = X.copy()
    X[:, 3:] = 0.0
    selector = StabilitySelector(LinearRegression(), n_selected=8, n_pairs=3).fit(X, y)
    np.testing.assert_array_equal(selector.selection_probabilities_[3:], 0.0)
    assert selector.expected_false_ == pytest.approx(3**2 / (0.5 * 12))


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
        bounds.append(selector.expected_false_)
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
        ({"expected_false": 1.0, "n_selected": 3}, "Give one of"),
        ({"threshold": 0.5}, "threshold"),
        ({"threshold": 1.1}, "threshold"),
        ({"expected_false": 0.0}, "expected_false"),
        ({"n_selected": 0}, "n_selected"),
        ({"n_pairs": 0}, "n_pairs"),
    ],
)
def test_wrong_parameters_are_named(X, y, params, message):
    with pytest.raises(ValueError, match=message):
        StabilitySelector(Ridge(), **params).fit(X, y)


def test_what_says_nothing_of_features_is_refused(X, y):
    with pytest.raises(ValueError, match="KNeighborsRegressor has neither"):
        StabilitySelector(KNeighborsRegressor()).fit(X, y)
