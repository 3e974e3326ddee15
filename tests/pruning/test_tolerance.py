"""How much is pruned within a tolerance, and by which strategy: both are validated."""

import warnings

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GroupKFold, PredefinedSplit, ShuffleSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sparselearn.pruning import Pruner, prune
from sparselearn.pruning._criteria import CRITERIA
from sparselearn.pruning._judge import (
    Departures,
    Judge,
    hold_out,
    is_bounded,
    mean_and_error,
    standard_error,
)
from sparselearn.pruning._procedure import observe
from sparselearn.pruning._refits import REFITS, Refit
from sparselearn.pruning._search import counts_down, most_sparse
from sparselearn.pruning._strategy import (
    CANDIDATES,
    CONTROL,
    Candidate,
    Stand,
    race,
    trains,
)
from tests.reference import naive_jackknife


@pytest.fixture
def problem(rng):
    """Ten features of falling weight, ten without any."""
    X = rng.normal(size=(400, 20))
    coef = np.append(2.0 ** -np.arange(10), np.zeros(10))
    return X, X @ coef + 0.05 * rng.normal(size=400)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y


# The search


def test_levels_fall_in_geometric_steps():
    for n_parts in (1, 2, 5, 30, 1000, 266_200):
        counts = counts_down(n_parts)
        assert all(0 < count < n_parts for count in counts)
        assert counts == sorted(set(counts), reverse=True)
        if n_parts >= 1000:
            assert len(counts) == 12
            np.testing.assert_allclose(np.diff(np.log(counts), 2), 0.0, atol=0.15)
        if 1 < n_parts <= 200:
            assert counts[-1] == 1


def test_search_finds_the_edge_of_a_monotone_score():
    for n_parts in (7, 50, 3000):
        for edge in (1, 2, n_parts // 3, n_parts - 1, n_parts):
            calls = []

            def score(n_kept, calls=calls, edge=edge):
                calls.append(n_kept)
                return float(n_kept >= edge)

            found = most_sparse(score, n_parts, 0.5)
            assert len(calls) == len(set(calls)) <= 16
            np.testing.assert_array_equal(found.n_kept, sorted(calls, reverse=True))
            if edge == n_parts:
                assert found.accepted == [] or n_parts == found.n_kept[0]
                continue
            assert found.accepted or edge > max(calls)
            if found.accepted:
                best = found.n_kept[found.accepted[0]]
                assert best >= edge
                assert best - edge <= max(1, 0.05 * edge) or best == calls[11]


def test_a_lonely_good_level_is_not_trusted():
    counts = counts_down(1000)
    good = {counts[0], counts[1], counts[6]}

    def score(n_kept):
        return 1.0 if n_kept in good or n_kept > counts[1] else 0.0

    found = most_sparse(score, 1000, 0.5)
    assert found.n_kept[found.accepted[0]] == counts[1]
    # Less sparse levels to step back to follow, densest last.
    assert list(found.n_kept[found.accepted]) == sorted(found.n_kept[found.accepted])


def test_search_with_scores_that_are_no_numbers():
    assert most_sparse(lambda n_kept: np.nan, 100, 0.5).accepted == []


# The judge


def test_standard_error_is_the_jackknife(rng, digits):
    X, y = digits[0][:95], digits[1][:95]
    model = LogisticRegression(max_iter=500).fit(*[a[500:900] for a in digits])
    replicates = Judge(model, None, X, y).replicates(model)
    expected = naive_jackknife(
        lambda rows: accuracy_score(y[rows], model.predict(X[rows])), 95
    )
    assert standard_error(replicates) == pytest.approx(expected, rel=1e-12)
    # Of a mean it is the textbook's.
    right = model.predict(X) == y
    assert standard_error(replicates) == pytest.approx(
        right.std() / np.sqrt(95), rel=0.6
    )


def test_judge_weighs_rows_where_the_metric_can(rng, problem):
    X, y = problem
    model = Ridge().fit(X[:50], y[:50])
    weight = rng.random(len(y))
    for scoring in (None, "r2"):
        found = Judge(model, scoring, X, y, weight)(model)
        assert found == r2_score(y, model.predict(X), sample_weight=weight)
    plain = Judge(model, "neg_max_error", X, y, weight)(model)
    assert plain == -np.abs(y - model.predict(X)).max()
    own = Judge(model, lambda model, X, y: float(y[0]), X, y, weight)(model)
    assert own == y[0]


def test_metrics_get_weights_as_an_array(problem):
    X, y = problem
    weight = [1.0, 2.0] * 200
    model = Ridge().fit(X, y)

    def total(model, X, y, sample_weight):
        return sample_weight.sum()

    judge = Judge(model, total, X, y, weight)
    assert judge(model) == 600.0
    assert judge(model, np.arange(3)) == 4.0


def test_bounded_scores():
    assert is_bounded(Ridge(), None)
    assert is_bounded(Ridge(), "r2")
    assert is_bounded(LogisticRegression(), "roc_auc_ovr")
    assert not is_bounded(Ridge(), "neg_mean_squared_error")
    assert not is_bounded(Ridge(), lambda model, X, y: 1.0)


def test_hold_out(rng):
    X = np.zeros((200, 1))
    y = np.repeat([0, 1], [180, 20])
    options = {"fraction": 0.1, "seed": 0}
    learn, apart, _ = hold_out(LogisticRegression(), X, y, **options)
    np.testing.assert_array_equal(np.sort(np.append(learn, apart)), np.arange(200))
    assert len(apart) == 20
    assert y[apart].sum() == 2
    groups = rng.integers(0, 30, size=200)
    learn, apart, _ = hold_out(Ridge(), X, y, groups=groups, **options)
    assert len(apart) > 0
    assert not set(groups[learn]) & set(groups[apart])
    # A class of one row cannot be in both parts; then classes are not looked at.
    y[:180] = np.arange(180) + 2
    assert len(hold_out(LogisticRegression(), X, y, **options)[1]) == 20
    assert hold_out(Ridge(), X[:90], y[:90], **options) is None
    fold = np.where(np.arange(200) < 7, 0, -1)
    learn, apart, _ = hold_out(Ridge(), X, y, cv=PredefinedSplit(fold), **options)
    np.testing.assert_array_equal(apart, np.arange(7))


@pytest.mark.parametrize("few_of_a_class", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_folds_where_few_rows_are_apart(grouped, few_of_a_class, rng):
    X = np.zeros((200, 1))
    y = np.repeat([0, 1], [197, 3] if few_of_a_class else [150, 50])
    groups = rng.integers(0, 30, size=200) if grouped else None
    options = {"fraction": 0.1, "seed": 0, "groups": groups}
    folds = hold_out(LogisticRegression(), X, y, **options).folds
    assert len(folds) == 5
    judged = np.concatenate([apart for _, apart in folds])
    np.testing.assert_array_equal(np.sort(judged), np.arange(200))
    for learned, apart in folds:
        assert not set(learned) & set(apart)
        if grouped:
            assert not set(groups[learned]) & set(groups[apart])
        elif not few_of_a_class:
            assert y[apart].sum() == 10
    # Rows that are enough serve by themselves, and so does a single split or group.
    split = hold_out(Ridge(), *np.zeros((2, 5000, 1)), fraction=0.1)
    assert len(split.folds) == 1
    assert split.folds[0][1] is split.apart
    one = ShuffleSplit(1, random_state=0)
    assert len(hold_out(Ridge(), X, y, cv=one, fraction=0.1).folds) == 1
    many = ShuffleSplit(9, random_state=0)
    assert len(hold_out(Ridge(), X, y, cv=many, fraction=0.1).folds) == 5


# Pruner


def test_tolerance_is_honoured_on_the_rows_apart(problem):
    X, y = problem
    for tolerance in (0.0, 0.001, 0.05, 0.5):
        pruner = Pruner(Ridge(), tolerance=tolerance, random_state=0).fit(X, y)
        learn, apart, _ = hold_out(Ridge(), X, y, fraction=0.1, seed=0)
        dense = Ridge().fit(X[learn], y[learn])
        assert pruner.base_score_ == dense.score(X[apart], y[apart])
        assert pruner.score_ == pruner.estimator_.score(X[apart], y[apart])
        assert pruner.score_ >= pruner.base_score_ - tolerance
        assert pruner.tolerance_ == tolerance
        np.testing.assert_array_equal(pruner.unpruned_.coef_, dense.coef_)
        masked = np.where(pruner.masks_[0], dense.coef_, 0.0)
        bare = clone(dense).fit(X[learn], y[learn])
        bare.coef_ = masked
        assert pruner.pruned_score_ == bare.score(X[apart], y[apart])


def test_more_tolerance_prunes_more(problem):
    X, y = problem
    sparsities = [
        Pruner(Ridge(), tolerance=tolerance, random_state=0).fit(X, y).sparsity_
        for tolerance in (1e-4, 1e-2, 0.1, 0.4)
    ]
    assert sparsities == sorted(sparsities)
    assert sparsities[0] >= 0.25
    assert sparsities[-1] == 0.95


def test_the_tolerance_unless_told(problem):
    X, y = problem
    assert Pruner(Ridge(), random_state=0).fit(X, y).tolerance_ == 0.01
    error = Pruner(Ridge(), scoring="neg_mean_squared_error", random_state=0).fit(X, y)
    assert error.base_score_ < 0
    assert error.tolerance_ == pytest.approx(-0.01 * error.base_score_)
    assert error.score_ >= error.base_score_ - error.tolerance_
    by_error = Pruner(Ridge(), tolerance="1se", random_state=0).fit(X, y)
    apart = hold_out(Ridge(), X, y, fraction=0.1, seed=0).apart
    judge = Judge(by_error.unpruned_, None, X[apart], y[apart])
    expected = standard_error(judge.replicates(by_error.unpruned_))
    assert by_error.tolerance_ == expected > 0


def test_path_is_what_was_tried(problem):
    X, y = problem
    pruner = Pruner(Ridge(), criterion="magnitude", refit="fold", random_state=0).fit(
        X, y
    )
    path = pruner.path_
    learn, apart, _ = hold_out(Ridge(), X, y, fraction=0.1, seed=0)
    assert path["score"][0] == pruner.base_score_
    assert np.all(np.diff(path["n_nonzero_coefs"]) < 0)
    np.testing.assert_allclose(path["sparsity"], 1 - path["n_nonzero_coefs"] / 20)
    for n_kept, score, threshold in zip(
        path["n_nonzero_coefs"], path["score"], path["threshold"]
    ):
        again = prune(pruner.unpruned_, X[learn], n_nonzero_coefs=n_kept)
        assert again.score(X[apart], y[apart]) == pytest.approx(score, rel=1e-12)
        kept = pruner.importances_[0] >= threshold
        assert kept.sum() == n_kept


def test_refits_that_train_are_validated_again(problem, monkeypatch):
    X, y = problem
    calls = []

    def spoil(estimator, masks, data, plan):
        calls.append(masks[0].sum())
        if len(calls) < 3:  # the two sparsest levels come out badly
            estimator.coef_ = 0.0 * estimator.coef_

    monkeypatch.setitem(REFITS, "spoil", Refit(of_estimator=spoil))
    pruner = Pruner(Ridge(), criterion="magnitude", refit="spoil", random_state=0)
    pruner._parameter_constraints = {}
    pruner.fit(X, y)
    assert len(calls) == 3
    assert calls == sorted(set(calls))
    assert pruner.masks_[0].sum() == calls[-1]
    assert pruner.score_ >= pruner.base_score_ - 0.01


def test_nothing_within_the_tolerance(rng):
    X = rng.normal(size=(300, 4))
    y = X @ [1.0, -1.0, 1.0, -1.0]
    with pytest.warns(UserWarning, match="not pruned") as caught:
        pruner = Pruner(LinearRegression(), tolerance=1e-6, random_state=0).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    assert pruner.sparsity_ == 0.0
    assert pruner.estimator_.coef_.tobytes() == pruner.unpruned_.coef_.tobytes()
    assert pruner.score_ == pruner.base_score_


def test_few_rows_serve_for_everything(problem):
    X, y = problem[0][:80], problem[1][:80]
    pruner = Pruner(Ridge(), tolerance=0.02).fit(X, y)
    np.testing.assert_array_equal(pruner.unpruned_.coef_, Ridge().fit(X, y).coef_)
    assert pruner.base_score_ == Ridge().fit(X, y).score(X, y)
    assert 0.25 <= pruner.sparsity_ < 1.0
    assert not hasattr(pruner, "strategy_results_")


def test_zeros_of_the_fit_cost_nothing(problem):
    X, y = problem
    pruner = Pruner(Lasso(alpha=0.01), tolerance=0.0, random_state=0).fit(X, y)
    assert pruner.sparsity_ >= (pruner.unpruned_.coef_ == 0).mean() > 0.3


def test_a_frozen_estimator_is_not_fitted(problem, digits):
    X, y = problem
    frozen = FrozenEstimator(Ridge().fit(X[:100], y[:100]))
    before = joblib.hash(frozen)
    pruner = Pruner(frozen, random_state=0).fit(X[100:], y[100:])
    assert pruner.unpruned_.coef_.tobytes() == frozen.estimator.coef_.tobytes()
    assert pruner.sparsity_ > 0.2
    # Without targets its own predictions are them.
    alone = Pruner(frozen, random_state=0).fit(X[100:])
    assert alone.base_score_ == 1.0
    assert 0.99 <= alone.score_ < 1.0
    assert joblib.hash(frozen) == before


def test_sample_weights_weigh_the_score(problem, rng):
    X, y = problem
    weight = rng.random(400) ** 3
    pruner = Pruner(Ridge(), random_state=0).fit(X, y, sample_weight=weight)
    learn, apart, _ = hold_out(Ridge(), X, y, fraction=0.1, seed=0)
    dense = Ridge().fit(X[learn], y[learn], weight[learn])
    assert pruner.base_score_ == dense.score(X[apart], y[apart], weight[apart])


def test_groups_and_splitters(problem, rng):
    X, y = problem
    groups = rng.integers(0, 10, size=400)
    whole = Pruner(Ridge(), random_state=0).fit(X, y, groups=groups)
    learn, apart, _ = hold_out(Ridge(), X, y, fraction=0.1, groups=groups, seed=0)
    expected = Ridge().fit(X[learn], y[learn]).score(X[apart], y[apart])
    assert whole.base_score_ == expected
    splitter = GroupKFold(5)
    learn, apart = next(splitter.split(X, y, groups))
    expected = Ridge().fit(X[learn], y[learn]).score(X[apart], y[apart])
    assert Pruner(Ridge(), cv=splitter).fit(X, y, groups=groups).base_score_ == expected
    with config_context(enable_metadata_routing=True):
        routed = Pruner(Ridge(), cv=splitter).fit(X, y, groups=groups)
        assert routed.base_score_ == expected
        assert Pruner(Ridge(), cv=ShuffleSplit(2, random_state=0)).fit(X, y).score_ > 0
        again = Pruner(Ridge(), random_state=0).fit(X, y, groups=groups)
        assert again.base_score_ == whole.base_score_
        with pytest.raises(UnsetMetadataPassedError):
            Pruner(Ridge(), cv=splitter).fit(X, y, groups=groups, sample_weight=y**2)


def test_validation_fraction_is_alive(problem):
    X, y = problem
    scores = {
        Pruner(Ridge(), validation_fraction=f, random_state=0).fit(X, y).base_score_
        for f in (0.1, 0.3)
    }
    assert len(scores) == 2


def test_keep_unpruned(problem):
    X, y = problem
    pruner = Pruner(Ridge(), sparsity=0.5).fit(X, y)
    assert pruner.unpruned_.coef_.all()
    assert not hasattr(pruner.set_params(keep_unpruned=False).fit(X, y), "unpruned_")
    assert not hasattr(pruner, "path_")


def test_stale_figures_do_not_stay(problem):
    X, y = problem
    pruner = Pruner(Ridge(), random_state=0).fit(X, y)
    assert {"path_", "score_", "strategy_results_"} <= vars(pruner).keys()
    pruner.set_params(sparsity=0.5, criterion="magnitude").fit(X, y)
    assert not {"path_", "score_", "strategy_results_"} & vars(pruner).keys()


def test_same_masks_for_any_number_of_jobs(digits):
    X, y = digits[0][:600], digits[1][:600]
    network = MLPClassifier((20,), solver="lbfgs", random_state=0)
    frozen = FrozenEstimator(network.fit(X, y))
    fits = [
        Pruner(frozen, random_state=0, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2)
    ]
    for one, two in zip(fits[0].masks_, fits[1].masks_):
        np.testing.assert_array_equal(one, two)
    for name in ("score", "threshold"):
        np.testing.assert_array_equal(fits[0].path_[name], fits[1].path_[name])
    ours, theirs = (dict(fit.strategy_results_, seconds=0) for fit in fits)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name])


# The strategy


def test_the_table_names_what_there_is():
    for key, rows in CANDIDATES.items():
        granularity = key.split()[-1]
        for row in rows:
            assert not CRITERIA[row.criterion].is_control
            assert not trains(row.refit)
            knows = getattr(CRITERIA[row.criterion], granularity)
            assert knows is not None or granularity == "feature"


def test_auto_is_validated_and_told(problem):
    X, y = problem
    pruner = Pruner(Ridge(), sparsity=0.6, random_state=0).fit(X, y)
    results = pruner.strategy_results_
    final = results["calibration_share"] == 1.0
    # All rows are fitted: only the calibration is without those that judge.
    assert pruner.unpruned_.coef_.tobytes() == Ridge().fit(X, y).coef_.tobytes()
    assert np.all(results["sparsity"] == 0.6)
    assert CONTROL in results["criterion"][final]
    assert set(results["criterion"][~final]) == {"magnitude", "obs", CONTROL}
    chosen = (results["criterion"] == pruner.criterion_) & final
    chosen &= results["refit"] == pruner.refit_
    best = results["score"][final & ~results["is_control"]].max()
    error = results["standard_error"][chosen].item()
    assert results["score"][chosen].item() >= best - error
    assert np.all(np.isfinite(results["standard_error"][final]))
    named = Pruner(
        Ridge(), sparsity=0.6, criterion=pruner.criterion_, refit=pruner.refit_
    ).fit(X, y)
    assert named.estimator_.coef_.tobytes() == pruner.estimator_.coef_.tobytes()


class Rigged:
    """Trials of a strategy that is worth what the test says."""

    n_parts = 10

    def __init__(self, worth):
        self.worth = worth

    def prune(self, n_kept):
        return self, self


class Distances:
    """Departures of rigged copies: as `worths` have them, the same for every row."""

    weights = np.full(4, 0.25)

    def __init__(self, distances=None):
        self.distances = distances or {}

    def __call__(self, pruned):
        return np.full(4, self.distances.get(pruned.worth, 0.0))


class Referee:
    def __init__(self, noise):
        self.noise = noise

    def __call__(self, estimator):
        return estimator.worth

    def replicates(self, estimator):
        return estimator.worth + self.noise * estimator.worth


def rigged_race(
    worths, noise=0.0, costs=(0, 0, 0, 0, 0, 0), distances=None, folds=(0.0,)
):
    """A race of candidates that are worth this, and in each fold so much more."""
    candidates = [
        Candidate("magnitude", f"refit {k}", cost)
        for k, (_, cost) in enumerate(zip(worths[:-1], costs))
    ]
    shares = []

    def stand(more):
        def start(candidate, share):
            if candidate.criterion == CONTROL:
                return Rigged(worths[-1] + more)
            shares.append(share)
            return Rigged(worths[int(candidate.refit.split()[1])] + more)

        judge = Referee(noise * np.linspace(-1, 1, 10))
        return Stand(start, judge, Distances(distances))

    stands = [stand(more) for more in folds]
    found = race(candidates, stands, [5], base=Rigged(1.0))
    return found, shares


def test_race_halves_and_finds_the_best():
    found, shares = rigged_race([0.1, 0.5, 0.3, 0.9, 0.2, 0.0])
    assert found.winner.refit == "refit 3"
    assert shares == [0.25] * 5 + [0.5] * 3 + [1.0] * 2
    assert found.beats_chance
    assert (found.results["criterion"] == CONTROL).sum() == 3


def test_ties_go_to_the_cheaper():
    found, _ = rigged_race([0.5, 0.5 - 1e-6, 0.0], noise=1.0, costs=(1, 0))
    assert found.winner.refit == "refit 1"
    found, _ = rigged_race([0.5, 0.3, 0.0], noise=0.1, costs=(1, 0))
    assert found.winner.refit == "refit 0"


def test_of_ties_those_that_depart_least_go_on():
    worths = [0.5, 0.5 + 1e-6, 0.5 - 1e-6, 0.5 + 2e-6, 0.1]
    far = {0.5: 0.3, 0.5 + 1e-6: 0.1, 0.5 - 1e-6: 0.2, 0.5 + 2e-6: 0.4}
    found, shares = rigged_race(worths, noise=1.0, distances=far)
    assert found.winner.refit == "refit 1"
    assert shares == [0.5] * 4 + [1.0] * 2
    last = found.results["calibration_share"] == 1.0
    assert set(found.results["refit"][last]) >= {"refit 1", "refit 2"}
    # A score that is surely better counts first, however far it departs.
    found, _ = rigged_race([0.5, 0.3, 0.0], noise=0.1, distances={0.5: 9.0})
    assert found.winner.refit == "refit 0"


def test_folds_are_taken_together():
    folds = (0.3, -0.1, 0.1)
    found, shares = rigged_race([0.5, 0.4, 0.0], noise=0.1, folds=folds)
    assert shares == [1.0] * 6
    results = found.results
    np.testing.assert_allclose(results["score"], np.array([0.5, 0.4, 0.0]) + 0.1)
    scores = 0.5 + np.array(folds)
    # The standard error of a mean of independent scores, up to the count of groups.
    each = [standard_error(s * (1 + 0.1 * np.linspace(-1, 1, 10))) for s in scores]
    wanted = np.linalg.norm(each) / 3 * np.sqrt(29 / 30 * 10 / 9)
    assert results["standard_error"][0] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("kind", "n_classes"),
    [(MLPClassifier, 3), (MLPClassifier, 2), (MLPRegressor, 0), (Ridge, 0)],
)
def test_departures_are_changes_of_outputs(kind, n_classes, rng):
    X, extra = rng.normal(size=(2, 60, 5))
    y = (X[:, 0] > 0).astype(int)
    if kind is not MLPClassifier:
        y = X[:, 0]
    elif n_classes == 3:
        y += X[:, 1] > 0
    options = {} if kind is Ridge else {"hidden_layer_sizes": (8,), "max_iter": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = kind(**options, random_state=0).fit(X, y)
    weights = np.repeat([2.0, 1.0, 0.0], [10, 40, 10])
    departures = Departures(*observe(model, extra, None, weights))
    assert np.abs(departures(observe(model, extra))).max() < 1e-15
    pruned = prune(model, X, sparsity=0.5, criterion="magnitude", refit="none")
    gaps = departures(observe(pruned, extra))

    def values(model):
        if kind is not MLPClassifier:
            return model.predict(extra)[:, None]
        z = np.log(model.predict_proba(extra))
        if n_classes == 2:
            return z[:, 1:] - z[:, :1]
        return z - z.mean(axis=1, keepdims=True)

    dense, repeated = values(model), np.repeat(np.arange(60), weights.astype(int))
    spread = dense[repeated].var(axis=0).sum()
    wanted = ((dense - values(pruned)) ** 2).sum(axis=1) / spread
    np.testing.assert_allclose(gaps, wanted, rtol=1e-8)
    mean, error = mean_and_error(departures.weights, gaps)
    assert mean == pytest.approx(wanted[repeated].mean())
    assert 0.0 < error < mean


def test_no_better_than_chance_is_told(problem, monkeypatch):
    assert not rigged_race([0.5, 0.4, 0.6])[0].beats_chance
    assert rigged_race([1.0, 1.0, 1.0])[0].beats_chance  # no harm, nothing to beat
    X, y = problem
    row = CRITERIA["magnitude"]
    worst = row._replace(
        element=lambda blocks, data: [-v for v in row.element(blocks, data)]
    )
    monkeypatch.setitem(CRITERIA, "magnitude", worst)
    rows = [Candidate("magnitude", "fold"), Candidate("magnitude", "none")]
    monkeypatch.setitem(CANDIDATES, "linear element", rows)
    for seed in range(5):  # of the draw that it is held against
        with pytest.warns(UserWarning, match="worse than 'random'") as caught:
            Pruner(Ridge(), sparsity=0.3, random_state=seed).fit(X, y)
        assert [warning.filename for warning in caught] == [__file__]


def test_auto_by_rule_without_rows_to_judge(problem):
    X, y = problem[0][:60], problem[1][:60]
    pruner = Pruner(Ridge(), sparsity=0.5).fit(X, y)
    first = CANDIDATES["linear element"][0]
    assert (pruner.criterion_, pruner.refit_) == (first.criterion, first.refit)
    assert not hasattr(pruner, "strategy_results_")
    by_count = Pruner(Ridge(), threshold=0.1).fit(*problem)
    assert not hasattr(by_count, "strategy_results_")


def test_auto_with_a_refit_of_ones_own(problem):
    pruner = Pruner(Ridge(), sparsity=0.5, refit="none", random_state=0).fit(*problem)
    assert pruner.refit_ == "none"
    assert set(pruner.strategy_results_["refit"]) == {"none"}
