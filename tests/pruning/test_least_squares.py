"""Least squares gives the weights that are left what was lost, and no other any."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor

from sparselearn._parallel import team
from sparselearn._solvers._masked_least_squares import by_inputs, by_rows
from sparselearn.pruning import prune
from sparselearn.pruning._refits._least_squares import RIDGE
from tests.reference import masked_ridge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    mixed = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6))
    return mixed + [2.0, -1.0, 4.0, 0.0, 3.0, 0.5]


@pytest.fixture
def Y(X, rng):
    return X @ rng.normal(size=(6, 3)) + 7.0 + 0.1 * rng.normal(size=(60, 3))


@pytest.fixture
def network(X, Y):
    return MLPRegressor(
        hidden_layer_sizes=(9, 7), activation="tanh", max_iter=3, random_state=0
    ).fit(X, Y)


def acts(network, X):
    """Inputs of every layer, and what the last one gives."""
    found = [X]
    for layer, (W, b) in enumerate(zip(network.coefs_, network.intercepts_)):
        z = found[-1] @ W + b
        found.append(np.tanh(z) if layer + 1 < len(network.coefs_) else z)
    return found


@pytest.mark.parametrize("n_rows", [50, 8])
def test_both_systems_solve_the_problem(rng, n_rows):
    a = rng.normal(size=(n_rows, 11)) + rng.normal(size=11)
    residuals = rng.normal(size=(n_rows, 5))
    weights = rng.random(n_rows)
    weights /= weights.sum()
    masks = rng.random((11, 5)) < 0.6
    masks[:, 1] = False
    masks[:, 4] = masks[:, 3]  # solved together
    ridge = 0.1 + rng.random(11)
    mean = weights @ a
    residuals -= weights @ residuals
    wanted = masked_ridge(a - mean, residuals, masks, ridge, weights)
    centred = a - mean
    gram = np.tril(centred.T @ (weights[:, None] * centred))
    cross = centred.T @ (weights[:, None] * residuals)
    with team() as run:
        found = by_inputs(gram, cross, masks, ridge, run)
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
        for storage in (np.asarray, sp.csc_array):
            found = by_rows(
                storage(a), mean, np.sqrt(weights), residuals, masks, ridge, run
            )
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    assert not wanted[~masks].any()


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("n_rows", [60, 4])
@pytest.mark.parametrize("constant", [True, False])
def test_a_linear_model_is_the_formula(X, Y, rng, storage, n_rows, constant):
    model = Ridge(fit_intercept=constant).fit(X, Y)
    weights = rng.random(n_rows)
    rows = X[:n_rows]
    pruned = prune(
        model, storage(rows), sparsity=0.3, refit="lstsq", sample_weight=weights
    )
    cut = prune(
        model,
        storage(rows),
        sparsity=0.3,
        refit="none",
        sample_weight=weights,
    )
    weights /= weights.sum()
    mean = weights @ rows if constant else np.zeros(6)
    a = rows - mean
    gap = rows @ (model.coef_ - cut.coef_).T
    offset = weights @ gap if constant else 0.0
    delta = masked_ridge(
        a, gap - offset, cut.coef_.T != 0, RIDGE * (weights @ a**2), weights
    )
    np.testing.assert_allclose(pruned.coef_, cut.coef_ + delta.T, rtol=1e-7)
    shift = offset - mean @ delta
    np.testing.assert_allclose(pruned.intercept_, model.intercept_ + shift, rtol=1e-7)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_network_is_the_formula_layer_by_layer(network, X, storage):
    pruned = prune(network, storage(X), sparsity=0.6, refit="lstsq")
    before, after = acts(network, X), acts(pruned, X)
    weights = np.full(len(X), 1 / len(X))
    for layer, W in enumerate(network.coefs_):
        mask = pruned.coefs_[layer] != 0.0
        mean = after[layer].mean(axis=0)
        a = after[layer] - mean
        kept = np.where(mask, W, 0.0)
        gap = before[layer] @ W - after[layer] @ kept
        offset = gap.mean(axis=0)
        used = mask.any(axis=1)
        ridge = np.full(len(W), RIDGE * (a**2).mean(axis=0)[used].mean())
        if layer == 0:
            # Inputs that only outputs read which lost nothing do not count.
            assert not mask.all(axis=0).any()
        delta = masked_ridge(a, gap - offset, mask, ridge, weights)
        np.testing.assert_allclose(pruned.coefs_[layer], kept + delta, rtol=1e-7)
        np.testing.assert_allclose(
            pruned.intercepts_[layer],
            network.intercepts_[layer] + offset - mean @ delta,
            rtol=1e-7,
        )


@pytest.mark.parametrize("granularity", ["element", "neuron", "feature"])
def test_outputs_are_nearer_than_by_folding(network, X, granularity):
    options = {"criterion": "wanda" if granularity == "element" else "magnitude"}
    wanted = network.predict(X)
    errors = {
        refit: np.mean(
            (
                prune(
                    network,
                    X,
                    sparsity=0.5,
                    granularity=granularity,
                    refit=refit,
                    **options,
                ).predict(X)
                - wanted
            )
            ** 2
        )
        for refit in ("fold", "lstsq")
    }
    assert errors["lstsq"] < 0.8 * errors["fold"]


def test_what_lost_nothing_stays_to_the_bit(X, Y):
    model = LinearRegression().fit(X, Y)
    model.coef_[1] *= 1e3  # the output of the most important weights
    pruned = prune(model, X, n_nonzero_coefs=8, refit="lstsq")
    np.testing.assert_array_equal(pruned.coef_[1], model.coef_[1])
    assert pruned.intercept_[1] == model.intercept_[1]
    assert np.count_nonzero(pruned.coef_) == 8
    assert np.count_nonzero(pruned.coef_ != model.coef_) == 12


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_features_and_targets_do_not_matter(X, Y, scale):
    units = np.array([1.0, scale, 1.0, scale, 1.0, 1.0])
    model = LinearRegression().fit(X, Y)
    other = copy.deepcopy(model)
    other.coef_ = other.coef_ / units * scale
    other.intercept_ = other.intercept_ * scale
    pruned = prune(model, X, sparsity=0.5, refit="lstsq")
    scaled = prune(other, X * units, sparsity=0.5, refit="lstsq")
    np.testing.assert_allclose(scaled.predict(X * units), pruned.predict(X) * scale)


def test_a_twin_of_what_is_removed_takes_over(X, Y):
    X = np.column_stack([X, X[:, 0]])
    model = LinearRegression().fit(X, Y)
    model.coef_[:, 0] = 5.0
    model.coef_[:, 6] = 0.01  # least important, so it goes: column 0 takes over
    pruned = prune(model, X, n_nonzero_coefs=18, refit="lstsq")
    assert not pruned.coef_[:, 6].any()
    gap = np.abs(pruned.predict(X) - model.predict(X)).max()
    folded = prune(model, X, n_nonzero_coefs=18).predict(X)
    assert gap < 0.05 * np.abs(folded - model.predict(X)).max()


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_constant_inputs_are_the_intercepts(X, Y, storage):
    X = X.copy()
    X[:, 2] = 41.7
    X[:, 3] = 0.0
    model = LinearRegression().fit(X, Y)
    model.coef_[:, 2:4] = 5.0
    pruned = prune(
        model, storage(X), granularity="feature", sparsity=0.8, refit="lstsq",
        criterion=lambda e, X, y, w: [np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])],
    )  # fmt: skip
    np.testing.assert_array_equal(pruned.coef_[:, 2], model.coef_[:, 2])
    gap = model.predict(X) - pruned.predict(X)
    np.testing.assert_allclose(gap.mean(axis=0), 0.0, atol=1e-10)


def test_dead_units_stay_dead_and_float32_stays(X, Y):
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    network = MLPRegressor(hidden_layer_sizes=(9, 7), max_iter=3, random_state=0).fit(
        X, Y
    )
    for refit in ("fold", "lstsq"):
        pruned = prune(network, X, granularity="neuron", sparsity=0.5, refit=refit)
        dead = ~pruned.coefs_[0].any(axis=0)
        assert dead.any()
        assert not pruned.intercepts_[0][dead].any()
        for W, b in zip(pruned.coefs_, pruned.intercepts_):
            assert W.dtype == b.dtype == np.float32


def test_float32_agrees_with_float64(network, X, Y):
    single = prune(network, X.astype(np.float32), sparsity=0.5, refit="lstsq")
    double = prune(network, X, sparsity=0.5, refit="lstsq")
    for a, b in zip(single.coefs_, double.coefs_):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_a_row_of_weight_two_is_two_rows(network, X):
    weights = np.where(np.arange(len(X)) < 10, 2.0, 1.0)
    weighted = prune(network, X, sparsity=0.5, refit="lstsq", sample_weight=weights)
    repeated = prune(network, np.vstack([X, X[:10]]), sparsity=0.5, refit="lstsq")
    for a, b in zip(weighted.coefs_, repeated.coefs_):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_nothing_to_prune_is_the_identity(network, X):
    pruned = prune(network, X, sparsity=0.0, refit="lstsq")
    for a, b in zip(pruned.coefs_, network.coefs_):
        np.testing.assert_array_equal(a, b)
