"""Units of an autoencoder's code are removed, with their atoms."""

import pickle

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.neural_network import SparseAutoencoder
from sparselearn.pruning import Pruner, export, importance, prune, shrink

UNITS = {"granularity": "neuron", "criterion": "signal"}
ACTIVATIONS = ["topk", "batchtopk", "jumprelu", "relu", "sigmoid", "tanh"]


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(6, 10))
    codes = rng.exponential(size=(300, 6)) * (rng.random((300, 6)) < 0.4)
    return codes @ atoms + 1.0 + 0.05 * rng.normal(size=(300, 10))


def learn(X, activation="topk", **params):
    asked = {"n_nonzero_coefs": 3} if activation not in {"sigmoid", "tanh"} else {}
    learner = SparseAutoencoder(
        12, activation=activation, max_iter=8, batch_size=32, random_state=0, **asked
    )
    return learner.set_params(**params).fit(X)


def dense(codes):
    return codes.toarray() if hasattr(codes, "toarray") else codes


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("tied", [False, True])
def test_removed_units_have_neither_atoms_nor_codes(X, activation, tied):
    model = learn(X, activation, tied_weights=tied)
    before = pickle.dumps(model)
    pruned = prune(model, X, n_nonzero_coefs=5, **UNITS)
    assert pickle.dumps(model) == before
    (worth,) = importance(model, X, **UNITS)
    kept = np.zeros(12, dtype=bool)
    kept[np.argsort(-worth, kind="stable")[:5]] = True
    codes = dense(pruned.transform(X))
    assert codes.shape == (300, 12)
    assert pruned.components_.shape == (12, 10)
    assert not codes[:, ~kept].any()
    assert not pruned.components_[~kept].any()
    np.testing.assert_array_equal(pruned.components_[kept], model.components_[kept])
    np.testing.assert_allclose(
        pruned.inverse_transform(codes),
        codes @ pruned.components_ + pruned.intercepts_[1],
        rtol=1e-6,
    )
    assert set(np.flatnonzero(~kept)) <= set(pruned.dead_units_)
    again = pickle.loads(pickle.dumps(pruned))
    np.testing.assert_array_equal(dense(again.transform(X)), codes)
    if activation not in {"topk", "batchtopk"}:
        # Units of these do not compete: what is kept stays as it was.
        np.testing.assert_allclose(codes[:, kept], dense(model.transform(X))[:, kept])
        if activation in {"relu", "jumprelu"}:
            fires = np.count_nonzero(codes) / len(X)
            assert pruned.n_nonzero_coefs_ == pytest.approx(fires)
            assert pruned.sparsity_ == pytest.approx(1 - fires / 12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_mean_of_what_is_removed_is_in_the_constant(X, activation):
    model = learn(X, activation)
    pruned = prune(model, X, sparsity=0.7, **UNITS)
    left = prune(model, X, sparsity=0.7, refit="none", **UNITS)

    def rebuilt(autoencoder):
        return autoencoder.inverse_transform(autoencoder.transform(X))

    mean = rebuilt(model).mean(axis=0)
    np.testing.assert_allclose(rebuilt(pruned).mean(axis=0), mean, atol=1e-9)
    assert np.abs(rebuilt(left).mean(axis=0) - mean).max() > 1e-3


def test_least_squares_beats_the_fold_and_signal_beats_chance(X):
    model = learn(X, "relu", max_iter=30)
    scores = {
        (criterion, refit): prune(
            model,
            X,
            criterion=criterion,
            granularity="neuron",
            refit=refit,
            sparsity=0.5,
            random_state=0,
        ).score(X)
        for criterion in ("signal", "entropy", "magnitude", "random")
        for refit in ("fold", "lstsq")
    }
    for criterion in ("signal", "entropy", "magnitude", "random"):
        assert scores[criterion, "lstsq"] > scores[criterion, "fold"]
    assert scores["signal", "lstsq"] > scores["random", "lstsq"]


def test_sparsity_zero_is_the_identity(X):
    model = learn(X)
    pruned = prune(model, X, sparsity=0.0, **UNITS)
    np.testing.assert_array_equal(dense(pruned.transform(X)), dense(model.transform(X)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_shrinking_leaves_out_the_columns(X, activation):
    asked = {} if activation in {"sigmoid", "tanh"} else {"n_nonzero_coefs": 3}
    model = learn(X, activation, **asked)
    pruned = prune(model, X, n_nonzero_coefs=5, **UNITS)
    smaller = shrink(pruned)
    kept = pruned.components_.any(axis=1)
    codes = dense(smaller.transform(X))
    assert smaller.n_components == codes.shape[1] == 5
    np.testing.assert_allclose(
        codes, dense(pruned.transform(X))[:, kept], rtol=1e-10, atol=1e-12
    )
    np.testing.assert_array_equal(smaller.components_, pruned.components_[kept])
    np.testing.assert_allclose(
        smaller.inverse_transform(smaller.transform(X)),
        pruned.inverse_transform(pruned.transform(X)),
        rtol=1e-9,
    )
    assert smaller.activation_rate_.size == 5
    assert len(smaller.get_feature_names_out()) == 5


def test_exported_without_what_it_trains_on(X):
    model = learn(X)
    exported = export(model)
    assert len(pickle.dumps(exported)) < 0.7 * len(pickle.dumps(model))
    np.testing.assert_array_equal(
        dense(exported.transform(X)), dense(model.transform(X))
    )


def test_a_share_of_the_units_stays_that_of_all(X):
    """`n_nonzero_coefs=None` is one unit in 32, of those that there were."""
    model = learn(X, n_nonzero_coefs=None, n_components=96)
    pruned = prune(model, X, sparsity=0.5, **UNITS)
    smaller = shrink(pruned)
    np.testing.assert_allclose(
        dense(smaller.transform(X)),
        dense(pruned.transform(X))[:, pruned.components_.any(axis=1)],
    )
    with pytest.warns(UserWarning, match="Pruning removed every weight"):
        nothing = prune(model, X, n_nonzero_coefs=0, **UNITS)
    nothing = shrink(nothing)
    assert not dense(nothing.transform(X)).any()


def test_as_a_transformer_of_a_pipeline(X):
    names = make_pipeline(StandardScaler(), learn(X))
    pruner = Pruner(names, n_nonzero_coefs=4, **UNITS).fit(X)
    codes = dense(pruner.transform(X))
    assert np.count_nonzero(codes.any(axis=0)) <= 4
    assert pruner.sparsity_ == pytest.approx(8 / 12)
    assert pruner.n_nonzero_coefs_ == 4
    frozen = Pruner(FrozenEstimator(learn(X)), n_nonzero_coefs=4, **UNITS).fit(X)
    assert np.count_nonzero(np.asarray(dense(frozen.transform(X))).any(axis=0)) <= 4


def test_calibration_does_not_depend_on_the_container(X):
    model = learn(X)
    (plain,) = importance(model, X, **UNITS)
    model.set_output(transform="pandas")
    (framed,) = importance(model, X, **UNITS)
    np.testing.assert_array_equal(framed, plain)


def test_a_pruned_autoencoder_learns_anew(X):
    pruned = prune(learn(X), X, sparsity=0.5, **UNITS)
    pruned.fit(X)
    fresh = learn(X)
    np.testing.assert_array_equal(pruned.components_, fresh.components_)


def test_what_cannot_be_pruned_is_refused(X):
    deep = SparseAutoencoder(6, hidden_layer_sizes=(8,))
    with pytest.raises(TypeError, match=r"hidden_layer_sizes=.*single layer"):
        Pruner(deep, **UNITS).fit(X)
    with pytest.raises(ValueError, match="pruned by 'neuron'"):
        Pruner(SparseAutoencoder(6)).fit(X)
    tied = learn(X, tied_weights=True)
    with pytest.raises(ValueError, match="refit='fold'"):
        prune(tied, X, sparsity=0.5, refit="lstsq", **UNITS)
    with pytest.raises(ValueError, match="'topk'"):
        prune(learn(X), X, criterion="obd", granularity="neuron", sparsity=0.5)
