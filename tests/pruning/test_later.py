"""After pruning: trained on with nothing revived, undone, shrunk, shipped, reported."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
import skops.io
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from sparselearn.neural_network import SparseMLPClassifier
from sparselearn.pruning import Pruner, prune, sparsity_report


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


LEARNERS = [
    SGDClassifier(random_state=0),
    MLPClassifier((12,), solver="adam", random_state=0),
    MLPClassifier((12,), solver="sgd", random_state=0),
    MLPClassifier((12,), solver="sgd", nesterovs_momentum=False, random_state=0),
    SparseMLPClassifier((12,), batch_size=50, random_state=0),
]


def weights(estimator):
    return getattr(estimator, "coefs_", None) or [estimator.coef_]


@pytest.mark.parametrize("learner", LEARNERS, ids=repr)
def test_nothing_is_revived(digits, learner):
    X, y = digits
    pruner = Pruner(learner, sparsity=0.8, criterion="magnitude", random_state=0)
    pruner.partial_fit(X, y, classes=np.arange(10))
    assert not hasattr(pruner, "masks_")
    plain = clone(learner).partial_fit(X, y, classes=np.arange(10))
    for ours, theirs in zip(weights(pruner.estimator_), weights(plain)):
        np.testing.assert_array_equal(ours, theirs)
    pruner.prune(X, y)
    masks = copy.deepcopy(pruner.masks_)
    before = copy.deepcopy(weights(pruner.estimator_))
    for _ in range(5):
        pruner.partial_fit(X, y)
        for mask, W in zip(masks, weights(pruner.estimator_)):
            assert not W[~mask].any()
    assert pruner.n_nonzero_coefs_ == sum(
        np.count_nonzero(W) for W in weights(pruner.estimator_)
    )
    assert any(np.any(a != b) for a, b in zip(before, weights(pruner.estimator_)))


@pytest.mark.parametrize("options", [{"solver": "adam"}, {"solver": "sgd"}], ids=str)
def test_perceptrons_hold_zeros_at_every_step(digits, options):
    """A call of many batches is as many calls of one batch, zeros set after each."""
    X, y = digits
    network = MLPClassifier(
        (12,), batch_size=50, shuffle=False, max_iter=5, random_state=0, **options
    )
    pruner = Pruner(network, sparsity=0.8, criterion="magnitude", refit="fold")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pruner.fit(X, y)
    twin = copy.deepcopy(pruner.estimator_)
    pruner.partial_fit(X, y)
    for start in range(0, 600, 50):
        twin.partial_fit(X[start : start + 50], y[start : start + 50])
        for W, mask in zip(twin.coefs_, pruner.masks_):
            W[~mask] = 0.0
    for W, wanted in zip(pruner.estimator_.coefs_, twin.coefs_):
        np.testing.assert_allclose(W, wanted, rtol=1e-9, atol=1e-12)
    assert type(pruner.estimator_._optimizer) is type(twin._optimizer)


def test_a_bad_batch_changes_nothing(digits):
    X, y = digits
    pruner = Pruner(SGDClassifier(random_state=0), sparsity=0.5).fit(X, y)
    before = joblib.hash(vars(pruner))
    with pytest.raises(ValueError, match="NaN"):
        pruner.partial_fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="features"):
        pruner.partial_fit(X[:, :3], y)
    assert joblib.hash(vars(pruner)) == before


def test_partial_fit_is_there_where_it_is():
    assert hasattr(Pruner(SGDRegressor()), "partial_fit")
    assert not hasattr(Pruner(Ridge()), "partial_fit")


def test_partial_fit_routes_weights(digits, rng):
    X, y = digits
    weight = rng.random(len(X))
    learner = SGDRegressor(random_state=0)
    plain = Pruner(learner, sparsity=0.5).partial_fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        asking = learner.set_partial_fit_request(sample_weight=True)
        routed = Pruner(asking, sparsity=0.5).partial_fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(routed.estimator_.coef_, plain.estimator_.coef_)


def test_restore(digits):
    X, y = digits
    pruner = Pruner(SGDClassifier(random_state=0), sparsity=0.9).fit(X, y)
    plain = SGDClassifier(random_state=0).fit(X, y)
    restored = pruner.restore()
    assert restored.coef_.tobytes() == plain.coef_.tobytes()
    restored.coef_[:] = 0.0
    assert pruner.restore().coef_.any()
    pruner.set_params(keep_unpruned=False).fit(X, y)
    assert not hasattr(pruner, "restore")


def test_shrink(digits):
    X, y = digits
    network = SparseMLPClassifier((30, 20), batch_size=50, max_iter=10, random_state=0)
    options = {"granularity": "neuron", "sparsity": 0.6, "criterion": "signal"}
    whole = Pruner(network, refit="lstsq", **options).fit(X, y)
    small = Pruner(network, refit="lstsq", shrink=True, **options).fit(X, y)
    sizes = [W.shape for W in small.estimator_.coefs_]
    assert sum(shape[1] for shape in sizes[:-1]) <= 20
    np.testing.assert_allclose(
        small.predict_proba(X), whole.predict_proba(X), rtol=1e-4, atol=1e-6
    )
    assert [mask.shape for mask in small.masks_] == sizes
    small.partial_fit(X, y)
    assert [W.shape for W in small.estimator_.coefs_] == sizes
    assert set(small.report(X, y).scores) == {"dense", "pruned"}


def test_export_and_report(digits):
    X, y = digits
    pruner = Pruner(
        LogisticRegression(max_iter=500), sparsity=0.9, criterion="magnitude"
    ).fit(X, y)
    csr = pruner.export("csr", X)
    np.testing.assert_array_equal(csr.predict(X), pruner.predict(X))
    assert len(pickle.dumps(csr)) < 0.5 * len(pickle.dumps(pruner.estimator_))
    report = pruner.report(X, y)
    masked = prune(pruner.unpruned_, X, sparsity=0.9, refit="none")
    assert report.scores == {
        "dense": pruner.unpruned_.score(X, y),
        "masked": masked.score(X, y),
        "pruned": pruner.score(X, y),
    }
    assert report.before.totals["n_nonzero"] == pruner.unpruned_.coef_.nonzero()[0].size
    assert report.after.totals["n_nonzero"] == 64
    assert report.after.totals["seconds"] > 0
    assert report.after.blocks == sparsity_report(pruner.estimator_, X).blocks
    assert "score, masked" in repr(report)
    assert "64" in repr(report)
    assert pruner.report().scores == {}
    validated = Pruner(Ridge(), random_state=0).fit(X, y).report().scores
    assert set(validated) == {"dense", "masked", "pruned"}


def test_report_tells_what_training_added(digits):
    X, y = digits
    network = SparseMLPClassifier((30, 20), batch_size=50, max_iter=10, random_state=0)
    options = {"sparsity": 0.9, "criterion": "wanda"}
    pruner = Pruner(network, refit="train", refit_epochs=3, random_state=0, **options)
    scores = pruner.fit(X, y).report(X, y).scores
    finished = prune(pruner.unpruned_, X, refit="lstsq", **options)
    assert scores["finished"] == finished.score(X, y)
    assert list(scores) == ["dense", "masked", "finished", "pruned"]
    assert scores["pruned"] == pruner.score(X, y) > scores["masked"]


@pytest.mark.parametrize("stage", ["before", "trained", "pruned", "after"])
def test_copies_in_every_state(digits, stage):
    X, y = digits
    pruner = Pruner(SGDClassifier(random_state=0), sparsity=0.5, random_state=0)
    if stage != "before":
        pruner.partial_fit(X, y, classes=np.arange(10))
    if stage in ("pruned", "after"):
        pruner.prune(X, y)
    if stage == "after":
        pruner.partial_fit(X, y)
    dumped = skops.io.dumps(pruner)
    trusted = skops.io.get_untrusted_types(data=dumped)
    for twin in (
        copy.deepcopy(pruner),
        pickle.loads(pickle.dumps(pruner)),
        skops.io.loads(dumped, trusted=trusted),
    ):
        twin.partial_fit(X, y, classes=np.arange(10))
        expected = copy.deepcopy(pruner).partial_fit(X, y, classes=np.arange(10))
        np.testing.assert_array_equal(twin.estimator_.coef_, expected.estimator_.coef_)
    assert not hasattr(clone(pruner), "estimator_")


def test_grid_over_criterion_and_sparsity(digits):
    X, y = digits
    frozen = FrozenEstimator(LogisticRegression(max_iter=500).fit(X[:300], y[:300]))
    before = joblib.hash(frozen)
    grid = {"criterion": ["magnitude", "obs"], "sparsity": [0.5, 0.9]}
    search = GridSearchCV(Pruner(frozen, random_state=0), grid, cv=2, n_jobs=2)
    search.fit(X[300:], y[300:])
    assert joblib.hash(frozen) == before
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) > 2
    assert search.best_estimator_.criterion_ == search.best_params_["criterion"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sparsity_zero_is_the_identity_with_every_default(digits):
    X, y = digits
    for estimator in (
        LogisticRegression(max_iter=500),
        Ridge(),
        MLPClassifier((10,), max_iter=5, random_state=0),
    ):
        pruner = Pruner(estimator, sparsity=0.0, random_state=0).fit(X, y)
        plain = clone(estimator).fit(X, y)
        for ours, theirs in zip(weights(pruner.estimator_), weights(plain)):
            assert ours.tobytes() == theirs.tobytes()
