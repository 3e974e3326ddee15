"""Predictions of many rows by pruned perceptrons: those of the estimator itself."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning import Pruner, _forward
from sparselearn.pruning._adapters import _perceptron

N_ROWS, N_FEATURES = 700, 40
METHODS = ("predict", "predict_proba", "predict_log_proba")
KINDS = {
    "classes": (MLPClassifier, lambda z: np.digitize(z[:, 0], [-0.5, 0.5]), "relu"),
    "words": (MLPClassifier, lambda z: np.where(z[:, 0] > 0, "b", "a"), "tanh"),
    "labels": (MLPClassifier, lambda z: (z > 0).astype(int), "logistic"),
    "number": (MLPRegressor, lambda z: z[:, 0], "relu"),
    "numbers": (MLPRegressor, lambda z: z, "identity"),
}


def pruner_of(
    kind,
    rng,
    *,
    sparsity=0.95,
    dtype=np.float64,
    wrap=None,
    criterion="wanda",
    **options,
):
    """A pruned network of which most inputs are unused, and rows to predict."""
    cls, target, activation = KINDS[kind]
    X = rng.normal(size=(N_ROWS, N_FEATURES)).astype(dtype)
    X[:, 6:] *= 1e-3  # what "wanda" finds to matter little, whatever the weights
    y = target(X[:, :3])
    network = cls(
        hidden_layer_sizes=(60,), activation=activation, max_iter=2, random_state=0
    )
    estimator = network if wrap is None else wrap(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X[:200], y[:200])
    pruner = Pruner(
        FrozenEstimator(estimator),
        sparsity=sparsity,
        criterion=criterion,
        min_density=0.02,
        refit="lstsq",
        random_state=0,
        **options,
    )
    return pruner.fit(X[:200], y[:200]), X, y


@pytest.fixture
def passes(monkeypatch):
    """Numbers of rows that went through the maps in blocks."""
    seen, own = [], _perceptron.predicted

    def spy(blocks, X, check):
        seen.append(len(X))
        return own(blocks, X, check)

    monkeypatch.setattr(_perceptron, "predicted", spy)
    return seen


@pytest.fixture(autouse=True)
def as_if_large(monkeypatch):
    """Passes in blocks, though these networks are small."""
    monkeypatch.setattr(_forward, "PRODUCTS", 1)


def same(pruner, X, y=None, rtol=1e-10):
    """Hold all that a pruner says of rows against its estimator."""
    for method in METHODS:
        if hasattr(pruner.estimator_, method):
            wanted = getattr(pruner.estimator_, method)(X)
            found = getattr(pruner, method)(X)
            assert found.dtype == wanted.dtype
            assert found.shape == wanted.shape
            if wanted.dtype.kind == "f":
                assert_allclose(found, wanted, rtol=rtol, atol=rtol)
            else:
                assert_array_equal(found, wanted)
    if y is not None:
        wanted = pruner.estimator_.score(X, y)
        assert pruner.score(X, y) == pytest.approx(wanted, rel=rtol)


@pytest.mark.parametrize("sparsity", [0.0, 0.95])
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_the_estimator(kind, sparsity, rng, passes):
    pruner, X, y = pruner_of(kind, rng, sparsity=sparsity)
    same(pruner, X, y)
    assert set(passes) == {N_ROWS}


@pytest.mark.parametrize(
    "wrap", [None, lambda n: make_pipeline(StandardScaler(with_std=False), n)]
)
def test_float32_and_pipelines(wrap, rng, passes):
    pruner, X, y = pruner_of("classes", rng, dtype=np.float32, wrap=wrap)
    same(pruner, X, y, rtol=1e-5)
    assert passes


def test_shrunk_networks(rng, passes):
    options = {"granularity": "neuron", "shrink": True, "criterion": "signal"}
    pruner, X, y = pruner_of("classes", rng, sparsity=0.5, **options)
    assert pruner.estimator_.coefs_[0].shape == (N_FEATURES, 30)
    same(pruner, X, y)
    assert passes


def test_small_networks_are_left_to_the_estimator(rng, passes, monkeypatch):
    pruner, X, y = pruner_of("classes", rng)
    n_products = sum(weights.size for weights in pruner.estimator_.coefs_)
    monkeypatch.setattr(_forward, "PRODUCTS", N_ROWS * n_products + 1)
    same(pruner, X, y)
    assert not passes
    monkeypatch.setattr(_forward, "PRODUCTS", N_ROWS * n_products)
    same(pruner, X, y)
    assert passes


@pytest.mark.parametrize(
    "layout",
    [
        lambda X: np.asfortranarray(X),
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X),
        lambda X: (10 * X).astype(np.int64),
        lambda X: X.astype(np.float32),
    ],
)
def test_layouts_and_types_of_rows(layout, rng, passes):
    pruner, X, _ = pruner_of("classes", rng)
    same(pruner, layout(X), rtol=1e-5)
    assert passes


def test_rows_are_only_read(rng):
    pruner, X, _ = pruner_of("number", rng)
    before = X.copy()
    X.flags.writeable = False
    same(pruner, X)
    assert_array_equal(X, before)


def test_few_rows_and_sparse_rows_are_left_to_the_estimator(rng, passes):
    pruner, X, _ = pruner_of("classes", rng)
    same(pruner, X[:100])
    same(pruner, sp.csr_array(X))
    assert not passes


def test_so_are_weights_without_their_zeros(rng, passes):
    pruner, X, _ = pruner_of("classes", rng)
    pruner.estimator_ = pruner.export("csr", X)
    same(pruner, X)
    assert not passes


def test_no_weight_at_all(rng):
    pruner, X, _ = pruner_of("classes", rng)
    network = pruner.estimator_
    network.coefs_[0] = np.zeros_like(network.coefs_[0])
    same(pruner, X)
    assert len(np.unique(pruner.predict(X))) == 1


def message(method, X):
    with pytest.raises(ValueError) as caught:
        method(X)
    return str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, N_ROWS - 1])
def test_rows_that_are_not_finite_are_refused(value, row, rng, passes):
    pruner, X, _ = pruner_of("number", rng)
    X[row, 7] = value
    found = message(pruner.predict, X)
    assert found == message(pruner.estimator_.predict, X)
    assert passes


def test_rows_are_not_checked_if_they_are_said_to_be_finite(rng):
    pruner, X, _ = pruner_of("number", rng)
    before = pruner.predict(X)
    X[0, 0] = np.nan
    with config_context(assume_finite=True):
        assert_array_equal(pruner.predict(X)[1:], before[1:])


def test_large_numbers_are_finite(rng):
    pruner, X, _ = pruner_of("words", rng, dtype=np.float32)
    X[3:6, 0] = np.finfo(np.float32).max / 2  # whose sum is not
    pruner.estimator_.coefs_[0][0] = 0.0
    assert_array_equal(pruner.predict(X), pruner.estimator_.predict(X))


@pytest.mark.parametrize(
    "bad", [lambda X: X[:, 1:], lambda X: X[0], lambda X: [["a"] * N_FEATURES] * 600]
)
def test_other_bad_rows_are_refused_alike(bad, rng):
    pruner, X, _ = pruner_of("classes", rng)
    assert message(pruner.predict, bad(X)) == message(pruner.estimator_.predict, bad(X))


def test_names_are_held_against_those_of_fit(rng):
    pruner, X, _ = pruner_of("classes", rng)
    network = pruner.estimator_
    network.feature_names_in_ = np.array([f"f{j}" for j in range(N_FEATURES)], object)
    wrong = pd.DataFrame(X, columns=[f"g{j}" for j in range(N_FEATURES)])
    assert message(pruner.predict, wrong) == message(network.predict, wrong)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        pruner.predict(X)


def test_same_bits_for_any_number_of_threads(rng):
    pruner, X, _ = pruner_of("numbers", rng, dtype=np.float32)
    found = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            found.append(pruner.predict(X))
    assert_array_equal(*found)


# -- networks of this package, which leave out unused inputs by themselves ------


def masked(cls, rng, n_used, dtype=np.float64):
    """A network of which only some inputs are used, and rows."""
    X = rng.normal(size=(N_ROWS, N_FEATURES)).astype(dtype)
    X[:, 6:] *= 1e-3  # what "wanda" finds to matter little, whatever the weights
    network = cls(hidden_layer_sizes=(60, 5), max_iter=1, random_state=0, batch_size=50)
    y = X[:, 0] > 0.0 if cls is SparseMLPClassifier else X[:, 0]
    network.fit(X[:200], y[:200])
    masks = [np.ones(w.shape, bool) for w in network.coefs_]
    masks[0][n_used:] = False
    return network.set_masks(masks), X


@pytest.mark.parametrize("n_used", [0, 1, 10, N_FEATURES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_own_networks_read_used_inputs_only(n_used, dtype, rng):
    network, X = masked(SparseMLPRegressor, rng, n_used, dtype)
    a = X.astype(np.float64)
    for layer, (W, b) in enumerate(zip(network.coefs_, network.intercepts_)):
        a = a @ W + b
        a = np.maximum(a, 0.0) if layer < 2 else a
    rtol = 1e-4 if dtype is np.float32 else 1e-12
    found = network.predict(X)
    assert found.dtype == dtype
    assert_allclose(found, a[:, 0], rtol=rtol, atol=rtol)
    assert_array_equal(network.predict(X[690:691]), found[690:691])
    assert_array_equal(network.predict(sp.csr_array(X)), found)


@pytest.mark.parametrize("n_used", [10, N_FEATURES])
@pytest.mark.parametrize("storage", [np.array, sp.csr_array])
@pytest.mark.parametrize("row", [0, 100, N_ROWS - 1])
def test_own_networks_refuse_what_is_not_finite(n_used, storage, row, rng):
    network, X = masked(SparseMLPClassifier, rng, n_used)
    X[row, N_FEATURES - 1] = np.nan  # read by a weight or not
    with pytest.raises(ValueError, match="Input X contains NaN"):
        network.predict(storage(X))
    with config_context(assume_finite=True):
        network.predict(storage(X))


def test_own_networks_take_large_numbers(rng):
    network, X = masked(SparseMLPRegressor, rng, N_FEATURES, np.float32)
    X[3:6, 0] = np.finfo(np.float32).max / 2  # whose sum is not finite
    network.coefs_[0][0] = 0.0
    found = network.predict(X)
    X[3:6, 0] = 0.0
    assert_array_equal(found, network.predict(X))
