"""What does nothing is removed, and training goes on as if it had never been there."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.pruning import Adapter, Pruner, prune, shrink
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._cleanup import clean_up, silent_units
from sparselearn.pruning._procedure import observe

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ACTIVATIONS = ["relu", "tanh", "logistic", "identity"]


@pytest.fixture
def X(rng):
    return rng.normal(size=(60, 5))


@pytest.fixture
def y(X):
    return X @ [1.0, -2.0, 0.5, 0.0, 1.0] + 1.0


def network_of(kind, X, y, **options):
    options = {"max_iter": 4, "batch_size": 20, "random_state": 0} | options
    network = kind(hidden_layer_sizes=(8, 6), **options)
    return network.fit(X, y > 0 if "Classifier" in kind.__name__ else y)


def hollowed(network):
    """A chain of units that do nothing, of both kinds; only a fixpoint finds all."""
    network.coefs_[1][2] = 0.0  # nothing reads unit 2 of the first layer
    network.coefs_[0][:, 4] = 0.0  # unit 4 reads nothing
    network.intercepts_[0][4] = 0.7
    network.coefs_[1][:, 1] = 0.0
    network.coefs_[1][4, 1] = 0.3  # reads but the constant: a constant too
    network.coefs_[2][3] = 0.0  # idle, and so is what only it reads:
    network.coefs_[1][6] = 0.0
    network.coefs_[1][6, 3] = 2.0
    return network


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", [MLPRegressor, MLPClassifier, SparseMLPRegressor])
def test_predictions_stay(X, y, kind, activation):
    network = hollowed(network_of(kind, X, y, activation=activation))
    smaller = shrink(network)
    assert [W.shape for W in smaller.coefs_] == [(5, 5), (5, 4), (4, 1)]
    assert tuple(smaller.hidden_layer_sizes) == (5, 4)
    method = "predict_proba" if kind is MLPClassifier else "predict"
    wanted, found = (getattr(e, method)(X) for e in (network, smaller))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert [W.shape for W in network.coefs_] == [(5, 8), (8, 6), (6, 1)]


def test_a_layer_keeps_a_unit_and_its_constant(X, y):
    network = network_of(MLPRegressor, X, y)
    network.coefs_[1][:] = 0.0
    network.intercepts_[1][:] = 0.4
    smaller = shrink(network)
    assert [W.shape for W in smaller.coefs_] == [(5, 1), (1, 1), (1, 1)]
    np.testing.assert_allclose(smaller.predict(X), network.predict(X), rtol=1e-12)


def test_what_is_in_use_is_kept(X, y):
    network = network_of(MLPRegressor, X, y)
    network.coefs_[0][3] = 0.0
    smaller = shrink(network)
    for before, after in zip(network.coefs_, smaller.coefs_):
        np.testing.assert_array_equal(after, before)
    np.testing.assert_array_equal(smaller.feature_support_, [1, 1, 1, 0, 1])
    assert smaller.n_features_in_ == 5


def test_clean_up_changes_nothing_it_is_given(X, y):
    network = hollowed(network_of(MLPRegressor, X, y))
    blocks = adapter_of(network).read(network)
    before = copy.deepcopy(blocks)
    _, kept = clean_up(blocks)
    assert [stays.sum() for stays in kept] == [5, 4]
    for old, new in zip(before, blocks):
        np.testing.assert_array_equal(old.weights, new.weights)
        np.testing.assert_array_equal(old.intercept, new.intercept)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", [MLPRegressor, SparseMLPRegressor])
def test_training_goes_on_with_the_memory_of_the_rest(X, y, kind, solver):
    network = network_of(kind, X, y, solver=solver, shuffle=False, alpha=0.0)
    # A unit that is zero and that nothing reads has no gradient: without it the steps
    # of the others are the same.
    for W, place in ((network.coefs_[0], np.s_[:, 2]), (network.coefs_[1], np.s_[2])):
        W[place] = 0.0
    network.intercepts_[0][2] = -1.0
    masks = [W != 0.0 for W in network.coefs_]
    if kind is SparseMLPRegressor:
        network.set_masks(masks)
    else:
        for memory in ("ms", "vs", "velocities"):
            for arrays in [getattr(network._optimizer, memory, None)]:
                if arrays is not None:
                    arrays[0][:, 2] = arrays[1][2] = arrays[3][2] = 0.0
    smaller = pickle.loads(pickle.dumps(copy.deepcopy(shrink(network))))
    wanted = network.partial_fit(X, y).partial_fit(X, y)
    found = smaller.partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_allclose(
        found.coefs_[0], np.delete(wanted.coefs_[0], 2, axis=1), rtol=1e-10
    )
    np.testing.assert_allclose(found.predict(X), wanted.predict(X), rtol=1e-10)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    "kind", [MLPClassifier, MLPRegressor, SparseMLPClassifier, SparseMLPRegressor]
)
def test_what_is_smaller_trains_on_and_clones(X, y, kind, solver):
    network = network_of(kind, X, y, solver=solver, warm_start=True)
    pruned = prune(network, X, granularity="neuron", scope="layer", sparsity=0.5)
    smaller = shrink(pruned)
    sizes = [W.shape[1] for W in smaller.coefs_[:-1]]
    assert sum(sizes) == 7
    targets = y > 0 if "Classifier" in kind.__name__ else y
    for estimator in (smaller, copy.deepcopy(smaller)):
        before = estimator.predict(X)
        if solver != "lbfgs":
            estimator.partial_fit(X, targets)
        estimator.fit(X, targets)
        assert [W.shape[1] for W in estimator.coefs_[:-1]] == sizes
        assert np.any(estimator.predict(X) != before) or "Classifier" in kind.__name__
    fresh = clone(smaller).fit(X, targets)
    assert [W.shape[1] for W in fresh.coefs_[:-1]] == sizes


def test_early_stopping_keeps_its_best(X, y):
    network = network_of(MLPRegressor, X, y, early_stopping=True, warm_start=True)
    smaller = shrink(
        prune(network, X, granularity="neuron", scope="layer", sparsity=0.5)
    )
    smaller.fit(X, y)
    assert [W.shape for W in smaller._best_coefs] == [W.shape for W in smaller.coefs_]


def test_masks_of_this_package_are_sliced(X, y):
    network = network_of(SparseMLPRegressor, X, y)
    pruner = Pruner(network, granularity="neuron", scope="layer", sparsity=0.5).fit(
        X, y
    )
    held = pruner.estimator_.set_masks(pruner.masks_)
    smaller = shrink(held)
    assert [m.shape for m in smaller.masks_] == [W.shape for W in smaller.coefs_]
    assert all(mask.all() for mask in smaller.masks_)


def test_the_last_step_of_a_pipeline_and_frozen_ones(X, y):
    network = network_of(MLPRegressor, X, y)
    pruned = prune(network, X, granularity="neuron", scope="layer", sparsity=0.5)
    whole = make_pipeline(StandardScaler(), pruned)
    whole[0].fit(X)
    for wrapped in (whole, FrozenEstimator(pruned)):
        smaller = shrink(wrapped)
        last = smaller[-1] if wrapped is whole else smaller
        assert sum(W.shape[1] for W in last.coefs_[:-1]) == 7
        np.testing.assert_allclose(smaller.predict(X), wrapped.predict(X), rtol=1e-12)


def test_a_linear_model_has_no_units(X, y):
    pruned = prune(Ridge().fit(X, y), X, n_nonzero_coefs=2)
    smaller = shrink(pruned)
    np.testing.assert_array_equal(smaller.coef_, pruned.coef_)
    np.testing.assert_array_equal(smaller.feature_support_, pruned.coef_ != 0)
    assert not hasattr(pruned, "feature_support_")


def test_silent_units_are_told_but_stay(X, y):
    network = network_of(MLPRegressor, X, y)
    network.intercepts_[0][3] = -1e6
    blocks, data = observe(network, X)
    assert 3 in silent_units(blocks, data)[0]
    assert shrink(network).coefs_[0].shape == (5, 8)
    weights = np.ones(len(X))
    weights[0] = 0.0  # a row of no weight makes no unit speak
    loud = X.copy()
    network.intercepts_[0][3] = -20.0
    loud[0] = 1e3 * network.coefs_[0][:, 3]
    for weight, silent in ((None, False), (weights, True)):
        blocks, data = observe(network, loud, sample_weight=weight)
        assert (3 in silent_units(blocks, data)[0]) == silent


@pytest.mark.parametrize("model", [RandomForestRegressor(3, random_state=0), SVR()])
def test_what_has_no_units_is_copied(X, y, model):
    model.fit(X, y)
    smaller = shrink(model)
    assert smaller is not model
    assert not hasattr(smaller, "feature_support_")
    np.testing.assert_array_equal(smaller.predict(X), model.predict(X))


def test_units_that_cannot_be_removed_say_so(X, y, monkeypatch):
    network = hollowed(network_of(MLPRegressor, X, y))
    monkeypatch.setattr(type(adapter_of(network)), "shrink", Adapter.shrink)
    with pytest.raises(TypeError, match="MLPRegressor cannot be removed"):
        shrink(network)


def test_units_that_compete_stay(X):
    # Of these the largest of a row count: without a unit others would be among them.
    model = SparseAutoencoder(6, n_nonzero_coefs=2, max_iter=2, random_state=0).fit(X)
    model.coefs_[-1][3] = 0.0
    np.testing.assert_array_equal(shrink(model).components_, model.components_)
