"""Training what is left: zeros stay, labels are learned; and pruning by steps."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import (
    LogisticRegression,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning import Pruner, prune
from sparselearn.pruning._schedules import counts_of, rates_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = [MLPClassifier, MLPRegressor, SparseMLPClassifier, SparseMLPRegressor]
OPTIONS = {"scope": "layer", "sparsity": 0.6, "refit": "train", "random_state": 0}


@pytest.fixture
def X(rng):
    return rng.normal(size=(120, 5))


@pytest.fixture
def y(X):
    return np.abs(X[:, 0]) + X @ [1.0, -2.0, 0.5, 0.0, 1.0]


def network_of(kind, **options):
    options = {"max_iter": 5, "batch_size": 20, "random_state": 0} | options
    options.setdefault("learning_rate_init", 0.02)  # Adam goes on with three times it
    return kind(hidden_layer_sizes=(10, 6), **options)


def targets_of(kind, y, n_classes=2):
    if "Regressor" in kind.__name__:
        return y
    return np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))


def loss_of(estimator, X, y):
    if hasattr(estimator, "predict_proba"):
        return -np.log(estimator.predict_proba(X)[np.arange(len(X)), y]).mean()
    return np.mean((estimator.predict(X) - y) ** 2)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_gives_back_what_was_lost(X, y, kind, solver):
    y = targets_of(kind, y, 3)
    estimator = network_of(kind, solver=solver)
    losses = {}
    for refit in ("lstsq", "train"):
        pruner = Pruner(estimator, refit_epochs=12, **OPTIONS | {"refit": refit})
        fitted = pruner.fit(X, y).estimator_
        losses[refit] = loss_of(fitted, X, y)
        assert type(fitted) is kind
        assert fitted.get_params() == estimator.get_params()
        for weights, mask in zip(fitted.coefs_, pruner.masks_):
            assert not weights[~mask].any()
            assert weights[mask].all()
    assert losses["train"] < 0.98 * losses["lstsq"]
    again = pickle.loads(pickle.dumps(pruner)).predict(X)
    np.testing.assert_array_equal(again, pruner.predict(X))


@pytest.mark.parametrize("kind", [MLPClassifier, SparseMLPClassifier])
def test_early_stopping_does_not_forbid_it(X, y, kind):
    y = targets_of(kind, y)
    network = network_of(kind, early_stopping=True).fit(X, y)
    pruned = prune(network, X, y, refit_epochs=3, **OPTIONS)
    assert pruned.early_stopping
    assert loss_of(pruned, X, y) < loss_of(network, X, y)


@pytest.mark.parametrize("kind", [MLPRegressor, SparseMLPRegressor])
def test_the_history_goes_on(X, y, kind):
    network = network_of(kind).fit(X, y)
    before = list(network.loss_curve_)
    pruned = prune(network, X, y, refit_epochs=3, **OPTIONS)
    sparsity = np.mean([(W == 0).sum() for W in pruned.coefs_]) * 3 / 116
    assert list(pruned.loss_curve_[:5]) == before
    assert pruned.n_iter_ == len(pruned.loss_curve_) == 8
    assert pruned.loss_ == pruned.loss_curve_[-1]
    assert list(network.loss_curve_) == before
    if kind is SparseMLPRegressor:
        assert {len(values) for values in pruned.history_.values()} == {8}
        assert pruned.history_["learning_rate"][5:] == pytest.approx([0.06, 0.04, 0.02])
        assert np.all(np.diff(pruned.history_["seconds"]) > 0.0)
        pruned.partial_fit(X, y)  # with its masks
        assert pruned.sparsity_ == sparsity
    else:
        assert pruned.t_ == network.t_ + 3 * len(X)
        pruned.partial_fit(X, y)


def test_epochs_and_seeds_matter_and_threads_do_not(X, y):
    network = network_of(MLPRegressor).fit(X, y)
    ours = network_of(SparseMLPRegressor).fit(X, y)

    def trained(network, refit_epochs=2, random_state=0):
        options = {"refit_epochs": refit_epochs, "random_state": random_state}
        return prune(network, X, y, **OPTIONS | options).predict(X)

    wanted = trained(network)
    np.testing.assert_array_equal(trained(network), wanted)
    assert np.any(trained(network, refit_epochs=3) != wanted)
    assert np.any(trained(network, random_state=1) != wanted)
    many = copy.deepcopy(ours).set_params(n_jobs=2)
    np.testing.assert_array_equal(trained(many), trained(ours))
    alone = prune(network, X, y, **OPTIONS | {"refit": "lstsq"}).predict(X)
    np.testing.assert_array_equal(trained(network, refit_epochs=0), alone)


def test_labels_weights_and_sparse_rows(X, y):
    Y = np.column_stack([y > 0, y > 1]).astype(int)
    network = network_of(MLPClassifier).fit(X, Y)
    weights = np.where(np.arange(len(X)) < 60, 1.0, 0.0)
    options = OPTIONS | {"refit_epochs": 2}
    whole = prune(network, X, Y, sample_weight=weights, **options)
    assert whole.predict(X).shape == (120, 2)
    other = np.where(weights[:, None] > 0.0, Y, 1 - Y)  # labels of absent rows
    same = prune(network, X, other, sample_weight=weights, **options)
    np.testing.assert_array_equal(whole.coefs_[0], same.coefs_[0])
    stored = prune(network, sp.csr_array(X), Y, sample_weight=weights, **options)
    np.testing.assert_allclose(stored.coefs_[0], whole.coefs_[0], rtol=1e-8)


def test_balanced_classes_stay_balanced(X, y):
    labels = (y > np.quantile(y, 0.9)).astype(int)
    balanced = network_of(SparseMLPClassifier, class_weight="balanced").fit(X, labels)
    options = OPTIONS | {"refit_epochs": 2}
    found = prune(balanced, X, labels, **options)
    assert found.class_weight == "balanced"
    as_dict = copy.deepcopy(balanced)
    as_dict.set_params(class_weight={0: 60 / 108, 1: 60 / 12})
    same = prune(as_dict, X, labels, **options)
    np.testing.assert_allclose(found.coefs_[0], same.coefs_[0], rtol=1e-6)
    plain = copy.deepcopy(balanced).set_params(class_weight=None)
    assert np.any(prune(plain, X, labels, **options).coefs_[0] != found.coefs_[0])


@pytest.mark.parametrize("model", [SGDClassifier(), SGDRegressor()])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_linear_models_train_by_partial_fit(X, y, model, storage):
    y = np.digitize(y, [0.0, 1.0]) if isinstance(model, SGDClassifier) else y
    model.set_params(random_state=0, max_iter=3, tol=None)
    model.fit(X[:30], y[:30])
    weights = np.ones(len(X))
    pruned = prune(
        model, storage(X), y, sparsity=0.4, refit="train", sample_weight=weights
    )
    few = prune(model, X, sparsity=0.4, refit="lstsq")
    np.testing.assert_array_equal(pruned.coef_ == 0.0, few.coef_ == 0.0)
    assert pruned.score(X, y) > few.score(X, y)


def test_what_cannot_be_trained_says_so(X, y):
    with pytest.raises(TypeError, match=r"Ridge cannot be trained .*'lstsq'"):
        prune(Ridge().fit(X, y), X, y, refit="train")
    network = network_of(MLPRegressor).fit(X, y)
    with pytest.raises(ValueError, match="needs X and y"):
        prune(network, X, refit="train")
    counts = MLPRegressor(loss="poisson", max_iter=3).fit(X, np.abs(y))
    with pytest.raises(ValueError, match="poisson"):
        prune(counts, X, np.abs(y), refit="train")


def test_the_last_step_of_a_pipeline_trains_on_what_it_sees(X, y):
    whole = make_pipeline(StandardScaler(), network_of(MLPRegressor)).fit(5 * X, y)
    found = prune(whole, 5 * X, y, **OPTIONS)
    alone = prune(whole[-1], whole[0].transform(5 * X), y, **OPTIONS)
    np.testing.assert_array_equal(found[-1].coefs_[0], alone.coefs_[0])


# -- schedules -----------------------------------------------------------------


def test_counts_of_schedules():
    assert counts_of("one-shot", 8, 100, 10) == []
    assert counts_of("geometric", 3, 1000, 1) == [100, 10]
    assert counts_of("cubic", 2, 100, 20) == [100 - round(80 * 0.875)]
    assert counts_of(lambda t: t, 4, 100, 20) == [80, 60, 40]
    assert counts_of("geometric", 2, 100, 0) == [10]
    assert counts_of("cubic", 1, 100, 20) == []
    with pytest.raises(ValueError, match="from 0 to 1"):
        counts_of(lambda t: 2.0, 4, 100, 20)


@pytest.mark.parametrize("n_epochs", [0, 1, 2, 7, 10, 30])
@pytest.mark.parametrize("n_steps", [1, 2, 8])
def test_a_third_of_the_epochs_is_last(n_epochs, n_steps):
    rates = rates_of(n_epochs, n_steps)
    assert len(rates) == n_steps
    assert sum(map(len, rates)) == n_epochs
    assert 3 * len(rates[-1]) >= n_epochs
    falling = rates[-1]
    assert np.all(np.diff(falling) < 0.0)
    assert np.all(falling > 0.0)
    assert all((steady == 1.0).all() for steady in rates[:-1])


@pytest.mark.parametrize("schedule", ["geometric", "cubic", lambda t: t])
@pytest.mark.parametrize("refit", ["none", "fold", "lstsq", "train"])
def test_steps_end_where_one_shot_does(X, y, schedule, refit, monkeypatch):
    network = network_of(MLPRegressor).fit(X, y)
    seen = []

    def criterion(estimator, X, y, sample_weight):
        seen.append([W != 0.0 for W in estimator.coefs_])
        return [np.abs(W) for W in estimator.coefs_]

    pruned = prune(
        network,
        X,
        y,
        criterion=criterion,
        sparsity=0.7,
        refit=refit,
        schedule=schedule,
        n_steps=3,
        refit_epochs=4,
    )
    n_weights = sum(W.size for W in network.coefs_)
    kept = [W != 0.0 for W in pruned.coefs_]
    assert sum(mask.sum() for mask in kept) == n_weights - round(0.7 * n_weights)
    assert len(seen) == 3  # each step scores what the one before has left
    for earlier, later in zip(seen, [*seen[1:], kept]):
        for before, after in zip(earlier, later):
            assert not (after & ~before).any()
        assert sum(m.sum() for m in later) < sum(m.sum() for m in earlier)


def test_label_free_steps_aim_at_the_dense_network(X, y):
    network = network_of(MLPRegressor, max_iter=40).fit(X, y)
    options = {"sparsity": 0.5, "refit": "lstsq", "criterion": "wanda"}
    wanted = network.predict(X)
    once = prune(network, X, **options)
    steps = prune(network, X, schedule="cubic", n_steps=4, **options)
    none = prune(network, X, **options | {"refit": "none"})
    gaps = [np.mean((e.predict(X) - wanted) ** 2) for e in (once, steps, none)]
    assert gaps[1] < gaps[2]
    assert np.any(once.coefs_[0] != steps.coefs_[0])


def test_steps_need_a_number(X, y):
    network = network_of(MLPRegressor).fit(X, y)
    with pytest.raises(ValueError, match="schedule='cubic' needs sparsity"):
        prune(network, X, granularity=(1, 2), schedule="cubic")


def test_excluded_layers_and_neurons_by_steps(X, y):
    network = network_of(MLPRegressor).fit(X, y)
    options = {"schedule": "geometric", "n_steps": 3, "refit": "lstsq"}
    pruned = prune(network, X, exclude=[0], sparsity=0.5, **options)
    assert pruned.coefs_[0].all()
    assert sum((W == 0).sum() for W in pruned.coefs_) == round(0.5 * 66)
    pruner = Pruner(
        network, granularity="neuron", sparsity=0.5, scope="layer", **options
    ).fit(X, y)
    alive = [mask.any(axis=0).sum() for mask in pruner.masks_[:-1]]
    assert alive == [5, 3]


def test_a_classifier_of_two_classes(X, y):
    model = LogisticRegression().fit(X, y > 0)
    pruned = prune(model, X, sparsity=0.4, refit="lstsq", schedule="cubic", n_steps=2)
    assert np.count_nonzero(pruned.coef_) == 3
