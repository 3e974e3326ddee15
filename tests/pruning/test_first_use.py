"""What anyone tries first works as it comes, or says what to do instead."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDOneClassSVM
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sparselearn.neural_network import SparseAutoencoder, SparseMLPClassifier
from sparselearn.pruning import (
    Adapter,
    Block,
    Pruner,
    PrunerCV,
    export,
    importance,
    prune,
    pruning_path,
    register_adapter,
    shrink,
    sparsity_report,
)
from sparselearn.pruning._adapters import _registry

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    return rng.normal(size=(120, 6))


@pytest.fixture
def y(X):
    return (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


def n_nonzero(network):
    return sum(np.count_nonzero(weights) for weights in network.coefs_)


# "auto" knows what it may take


@pytest.mark.parametrize("activation", ["topk", "jumprelu"])
@pytest.mark.parametrize("tied_weights", [False, True])
def test_autoencoders_by_default(X, activation, tied_weights):
    autoencoder = SparseAutoencoder(
        5, activation=activation, tied_weights=tied_weights, max_iter=2, random_state=0
    )
    options = {"granularity": "neuron", "random_state": 0}
    pruner = Pruner(autoencoder, sparsity=0.4, **options).fit(X)
    assert pruner.n_nonzero_coefs_ == 3
    assert "obs" in pruner.strategy_results_["criterion"]
    assert pruner.refit_ == ("fold" if tied_weights else "lstsq")


def test_obs_of_a_code_does_not_ask_how_it_is_activated(X):
    """What reads a code is the decoder, whose loss is quadratic."""
    autoencoder = SparseAutoencoder(5, activation="topk", max_iter=2, random_state=0)
    autoencoder.fit(X)
    (values,) = importance(autoencoder, X, criterion="obs", granularity="neuron")
    H = np.cov(autoencoder.transform(X).toarray().T, ddof=0)
    H += 0.01 * np.diagonal(H).mean() * np.eye(5)
    rises = np.sum(autoencoder.coefs_[1].astype(float) ** 2, axis=1)
    rises /= 2 * np.diagonal(np.linalg.inv(H))
    assert values[rises.argmin()] == values.min()
    np.testing.assert_allclose(values.min(), rises.min(), rtol=1e-4)


@pytest.mark.parametrize("granularity", ["element", "feature"])
def test_a_network_without_hidden_units_is_no_linear_model(X, y, granularity):
    network = MLPClassifier((), max_iter=5, random_state=0)
    pruner = Pruner(network, granularity=granularity, sparsity=0.5, random_state=0)
    assert pruner.fit(X, y).n_nonzero_coefs_ == 3
    assert pruner.refit_ == "lstsq"
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(\) has no hidden"):
        pruner.set_params(granularity="neuron").fit(X, y)


class Scorecard(RegressorMixin, BaseEstimator):
    """A linear model of no library."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        self.points_ = np.linalg.lstsq(X, y)[0]
        return self

    def predict(self, X):
        return X @ self.points_


class ScorecardAdapter(Adapter):
    """As short as the documentation has it."""

    def read(self, estimator):
        return [Block("points_", estimator.points_, None, True, False)]

    def write(self, estimator, blocks):
        estimator.points_ = blocks[0].weights


def test_a_class_of_ones_own_needs_no_more_than_an_adapter(X, y, monkeypatch):
    monkeypatch.setattr(_registry, "_ADAPTERS", dict(_registry._ADAPTERS))
    register_adapter(Scorecard, ScorecardAdapter())
    y = X @ np.array([3.0, 2.0, 1.0, 0.0, 0.0, 0.0]) + 0.1 * y
    pruner = Pruner(Scorecard(), sparsity=0.5, random_state=0).fit(X, y)
    assert np.count_nonzero(pruner.estimator_.points_) == 3
    assert "obs" in pruner.strategy_results_["criterion"]
    assert PrunerCV(Scorecard(), cv=2, random_state=0).fit(X, y).score_ > 0.9
    np.testing.assert_array_equal(pruner.export().points_, pruner.estimator_.points_)


@pytest.mark.parametrize("wrong", [("Ridge", None), (Scorecard, ScorecardAdapter)])
def test_what_is_no_adapter_is_refused(wrong):
    with pytest.raises(TypeError, match=r"takes a class and an instance .*; got"):
        register_adapter(*wrong)


# Outlier detectors that are linear


def test_a_linear_outlier_detector(X):
    detector = SGDOneClassSVM(random_state=0).fit(X)
    pruned = prune(detector, X, sparsity=0.5)
    removed = detector.coef_ - pruned.coef_
    assert np.count_nonzero(removed) == 3
    shift = float((removed @ X.mean(axis=0)).item())
    np.testing.assert_allclose(pruned.offset_, detector.offset_ - shift)
    np.testing.assert_allclose(
        pruned.decision_function(X).mean(), detector.decision_function(X).mean()
    )
    pruner = Pruner(clone(detector), criterion="obs", sparsity=0.5).fit(X)
    pruner.partial_fit(X)
    assert not pruner.estimator_.coef_[~pruner.masks_[0]].any()
    assert pruner.n_nonzero_coefs_ == 3


# Nothing there to prune


@pytest.mark.parametrize("kind", [Pruner, PrunerCV])
def test_one_feature(X, y, kind):
    assert kind(LogisticRegression(), random_state=0).fit(X[:, :1], y).sparsity_ == 0


@pytest.mark.parametrize("kind", [DecisionTreeClassifier, RandomForestClassifier])
def test_trees_without_a_split(kind, y):
    X = np.ones((120, 3))
    few = {"n_estimators": 2} if kind is RandomForestClassifier else {}
    tree = Pruner(kind(**few, random_state=0), granularity="node", random_state=0)
    for pruner in (tree, clone(tree).set_params(sparsity=0.5), PrunerCV(tree, cv=2)):
        pruner.fit(X, y)
        assert pruner.sparsity_ == 0.0
        assert pruner.report(X, y).after.totals["n_weights"] == 0
        assert pruner.score(X, y) == pruner.unpruned_.score(X, y)
    path = pruning_path(kind(**few).fit(X, y), X, y, granularity="node")
    np.testing.assert_array_equal(path.sparsity, [0.0])


@pytest.mark.parametrize(
    ("estimator", "granularity"),
    [(DecisionTreeClassifier(), "node"), (SVC(), "support_vector")],
    ids=lambda x: type(x).__name__,
)
def test_nothing_left_is_reported(X, y, estimator, granularity):
    pruner = Pruner(estimator, granularity=granularity, n_nonzero_coefs=0).fit(X, y)
    assert pruner.report(X, y).after.totals["n_nonzero"] == 0
    assert pruner.report(X, y).scores["pruned"] == pytest.approx(
        max(y.mean(), 1 - y.mean()), abs=0.3
    )


# What was zero stays zero


@pytest.mark.parametrize("kind", [MLPClassifier, SparseMLPClassifier])
@pytest.mark.parametrize("refit", ["lstsq", "train"])
@pytest.mark.parametrize(
    "again",
    [
        {"granularity": "neuron", "criterion": "signal", "sparsity": 0.2},
        {"granularity": "feature", "criterion": "signal", "sparsity": 0.2},
        {"criterion": "wanda", "sparsity": 0.5},
    ],
    ids=lambda options: options.get("granularity", "element"),
)
def test_a_second_pruning_keeps_the_first(X, y, kind, refit, again):
    network = kind((8, 5), batch_size=30, max_iter=5, random_state=0).fit(X, y)
    once = prune(network, X, criterion="lamp", sparsity=0.8, refit="lstsq")
    twice = prune(once, X, y, refit=refit, refit_epochs=2, random_state=0, **again)
    for before, after in zip(once.coefs_, twice.coefs_):
        assert not after[before == 0].any()


def test_no_more_is_chosen_than_a_floor_lets_go(X, y):
    network = FrozenEstimator(MLPClassifier((5,), max_iter=5, random_state=0).fit(X, y))
    pruner = Pruner(network, criterion="magnitude", min_density=0.5)
    levels = [0, 0.2, 0.5, 0.8, 0.9]
    search = PrunerCV(pruner, sparsities=levels, tolerance=1.0, cv=2).fit(X, y)
    assert search.best_sparsity_ == 0.5
    assert search.sparsity_ == pytest.approx(17 / 35)


def test_masks_of_a_second_pruning_lie_within_the_first(X, y):
    network = MLPClassifier((8, 5), max_iter=5, random_state=0)
    pruner = Pruner(network, criterion="lamp", sparsity=0.8, random_state=0)
    first = [mask.copy() for mask in pruner.fit(X, y).masks_]
    n_kept = pruner.n_nonzero_coefs_
    pruner.partial_fit(X, y).set_params(sparsity=0.3).prune(X, y).partial_fit(X, y)
    for earlier, later in zip(first, pruner.masks_):
        assert not (later & ~earlier).any()
    assert pruner.n_nonzero_coefs_ == n_nonzero(pruner.estimator_) == n_kept
    # A new fit begins anew.
    assert pruner.fit(X, y).n_nonzero_coefs_ > n_kept


# Rows that are no arrays


def test_pipelines_are_exported_without_rows(X, y):
    """What comes before the last step may want texts, or data frames."""
    frame = pd.DataFrame(X, columns=list("abcdef"))
    texts = ["sun rain " + ("snow" if label else "wind") for label in y]
    columns = make_column_transformer((StandardScaler(), ["a", "b"]), ("drop", ["c"]))
    named = StandardScaler().set_output(transform="pandas")
    for first, rows in ((columns, frame), (named, frame), (TfidfVectorizer(), texts)):
        model = make_pipeline(first, LogisticRegression()).fit(rows, y)
        pruned = prune(model, rows, sparsity=0.5)
        for form in ("dense", "csr", "shrunk"):
            exported = export(pruned, form)
            np.testing.assert_array_equal(exported.predict(rows), pruned.predict(rows))


def test_names_of_features_are_no_matter_to_codes(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    autoencoder = SparseAutoencoder(5, max_iter=2, random_state=0).fit(frame)
    pruned = prune(autoencoder, frame, granularity="neuron", sparsity=0.4)
    assert pruned.feature_names_in_.tolist() == list("abcdef")


# A pruner is what it has made


def test_functions_take_pruners(X, y):
    network = MLPClassifier((8,), max_iter=5, random_state=0)
    pruner = Pruner(network, criterion="lamp", sparsity=0.8, random_state=0)
    pruner.fit(X, y)
    inner = pruner.estimator_
    piped = make_pipeline(StandardScaler(), clone(pruner)).fit(X, y)
    assert (
        repr(sparsity_report(pruner)).split("bytes_pickle")[0]
        == repr(sparsity_report(inner)).split("bytes_pickle")[0]
    )
    assert sparsity_report(piped).totals["sparsity"] == piped[-1].sparsity_
    for given, wanted in ((pruner, inner), (piped, piped[-1].estimator_)):
        for made in (
            prune(given, X, sparsity=0, refit="none"),
            shrink(given),
            export(given, "dense", X),
        ):
            last = made[-1] if given is piped else made
            assert type(last) is MLPClassifier
            assert n_nonzero(last) <= n_nonzero(wanted)
            np.testing.assert_array_equal(made.predict(X), given.predict(X))
    for found, wanted in zip(importance(pruner, X), importance(inner, X)):
        np.testing.assert_array_equal(found, wanted)
    paths = [pruning_path(one, X, y, sparsities=[0, 0.9]) for one in (pruner, inner)]
    np.testing.assert_array_equal(paths[0].score, paths[1].score)
    before = [weights.copy() for weights in inner.coefs_]
    frozen = clone(pruner).set_params(estimator=FrozenEstimator(pruner), sparsity=0.9)
    assert frozen.fit(X, y).n_nonzero_coefs_ < pruner.n_nonzero_coefs_
    for old, weights in zip(before, pruner.estimator_.coefs_):
        np.testing.assert_array_equal(weights, old)
    with pytest.raises(NotFittedError):
        prune(clone(pruner), X)


def test_units_then_features(X, y):
    network = MLPClassifier((8,), max_iter=5, random_state=0)
    inner = Pruner(network, granularity="neuron", criterion="signal", sparsity=0.5)
    outer = Pruner(inner, granularity="feature", criterion="signal", n_nonzero_coefs=4)
    fitted = outer.set_params(random_state=0, estimator__random_state=0).fit(X, y)
    step = prune(clone(inner).fit(X, y), X, granularity="feature", criterion="signal",
                 n_nonzero_coefs=4, refit="lstsq")  # fmt: skip
    assert type(fitted.estimator_) is MLPClassifier
    for ours, theirs in zip(fitted.estimator_.coefs_, step.coefs_):
        np.testing.assert_array_equal(ours, theirs)
    assert not hasattr(inner, "estimator_")


# Errors that tell what to do


@pytest.mark.parametrize(
    ("estimator", "way_out"),
    [
        (GridSearchCV(Ridge(), {}), "best_estimator_"),
        (TransformedTargetRegressor(Ridge()), r"TransformedTargetRegressor\(Pruner"),
        (CalibratedClassifierCV(LinearSVC()), r"CalibratedClassifierCV\(Pruner"),
        (BaggingClassifier(LinearSVC()), r"BaggingClassifier\(Pruner"),
        (VotingClassifier([("svc", LinearSVC())]), "around each"),
        (IsolationForest(), "fewer trees"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_is_around_estimators_says_where_a_pruner_goes(X, y, estimator, way_out):
    with pytest.raises(TypeError, match=f"{type(estimator).__name__} .*{way_out}"):
        Pruner(estimator).fit(X, y)


class Unfittable(LogisticRegression):
    """Time is not to be spent on it."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("it was fitted")


@pytest.mark.parametrize("kind", [Pruner, PrunerCV])
def test_what_cannot_be_is_told_before_anything_is_fitted(X, y, kind):
    for params, message in (
        ({"criterion": "entropy"}, "criterion='entropy' does not know"),
        ({"layer_sparsity": [0.5]}, "layer_sparsity=.* says in numbers"),
    ):
        pruner = Pruner(Unfittable(), **params)
        if kind is PrunerCV:
            pruner = PrunerCV(pruner)
        elif "criterion" not in params:
            pruner.set_params(tolerance=0.1)
        with pytest.raises(ValueError, match=message):
            pruner.fit(X, y)
    with pytest.raises(ValueError, match=r"'scoring' parameter .* Got 'acc'"):
        kind(Unfittable(), scoring="acc").fit(X, y)
    with pytest.raises(ValueError, match=r"numbers of samples: \[120, 5\]"):
        kind(Unfittable()).fit(X, y, sample_weight=np.ones(5))


def test_what_contradicts_itself_is_refused(X, y):
    network = MLPClassifier((5,), max_iter=5, random_state=0).fit(X, y)
    for params, message in (
        ({"layer_sparsity": {0: 0.1, "coefs_[0]": 0.9}}, "two numbers for layer 0"),
        ({"layer_sparsity": {0: 0.9}, "exclude": (-2,)}, r"exclude=\(-2,\) leaves"),
    ):
        with pytest.raises(ValueError, match=message):
            prune(network, X, **params)
    with pytest.raises(ValueError, match=r"granularity=\(2, 4\) says"):
        pruning_path(network, X, granularity=(2, 4))
    once = PrunerCV(Ridge(), tolerance="1se", cv=ShuffleSplit(1, random_state=0))
    with pytest.raises(ValueError, match="has a single one"):
        once.fit(X, y)
    pruner = Pruner(Ridge(), sparsity=0.5, criterion="magnitude").fit(X, y)
    with pytest.raises(ValueError, match="need X"):
        pruner.report(y=y)
