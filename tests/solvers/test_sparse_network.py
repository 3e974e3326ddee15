"""Penalties that make zeros: where training stands still, the objective does."""

import numpy as np
import pytest

from sparselearn._kernels._unit_norms import shrink_units
from sparselearn._solvers._network import Adam, Momentum, Network, NetworkSpec, glorot
from sparselearn._solvers._sparse_network import PenalisedLearner
from sparselearn._solvers._training import Batch
from tests import reference

SPEC = NetworkSpec((6, 5, 3), ("tanh", "softmax"), "cross_entropy")


def shrink(U, second, rate, epsilon, strength):
    """What the kernel makes of U."""
    number = U.dtype.type
    W = U.copy()
    shrink_units(
        W.reshape(-1),
        second.reshape(-1),
        number(rate),
        number(epsilon),
        strength,
        U.shape[1],
        np.full((4, U.shape[1]), np.nan),
    )
    return W


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_units_shrink_to_the_minimum(rng, dtype, scale):
    U = scale * rng.standard_normal((7, 9))
    second = rng.gamma(0.2, size=U.shape)  # over many orders of magnitude
    second[:, 0] = 0.3
    U[:, 1], U[2, 2], U[:, 3] = 0.0, 0.0, 0.0
    U[1, 3] = scale
    U, second = U.astype(dtype), second.astype(dtype)
    metric = (np.sqrt(second.astype(float)) + 1e-3) / 0.1
    removed = set()
    for share in (0.01, 0.3, 0.99, 1.01, 3.0):
        strength = share * np.median(np.linalg.norm(metric * U, axis=0))
        W = shrink(U, second, 0.1, 1e-3, strength)
        expected = reference.shrunk_units(U.astype(float), metric, strength)
        np.testing.assert_allclose(W, expected, rtol=1e-4, atol=1e-6 * scale)
        removed.add(int(np.sum(~W.any(axis=0))))
    assert len(removed) > 2


def at_rest(rng, make, rate, n_steps=6000, **penalties):
    """A network trained on one batch until nothing moves, and its smooth gradient."""
    X = rng.standard_normal((30, 6))
    T = np.eye(3)[(X[:, 0] > 0.3).astype(int) + (X[:, 1] > 0.5)]
    network = Network(SPEC.sizes, np.float64)
    glorot(network, SPEC.activations, np.random.RandomState(0))
    learner = PenalisedLearner(SPEC, network, make(network.values), **penalties)
    batch = Batch(X, T, rng.integers(1, 4, 30).astype(float))
    for step in range(n_steps):
        learner.step(batch, rate * min(1.0, 2.0 - 2.0 * step / n_steps), map)
    learner.loss_and_gradient(batch)
    gradient = Network(SPEC.sizes, np.float64)
    gradient.values[:] = learner.gradient
    return network, gradient


optimisers = pytest.mark.parametrize(
    ("make", "rate"),
    [
        (Adam, 0.01),
        (lambda values: Momentum(values, momentum=0.9), 0.1),
        (lambda values: Momentum(values, momentum=0.5, nesterov=False), 0.3),
        (lambda values: Momentum(values, momentum=0.0), 1.0),
    ],
)


@optimisers
def test_at_rest_minus_the_gradient_is_a_subgradient_of_l1(rng, make, rate):
    network, gradient = at_rest(rng, make, rate, l2=0.5, l1=0.02)
    zeros = np.concatenate([(w == 0.0).ravel() for w in network.weights])
    assert 0.1 < zeros.mean() < 0.9
    for w, g in zip(network.weights, gradient.weights):
        kept = w != 0.0
        np.testing.assert_allclose(-g[kept], 0.02 * np.sign(w[kept]), atol=4e-4)
        assert np.abs(g).max() < 0.0204
    np.testing.assert_allclose(np.concatenate(gradient.biases), 0.0, atol=4e-4)


@optimisers
def test_at_rest_it_is_one_of_the_norms_of_units(rng, make, rate):
    l1, group = 0.004, 0.02
    network, gradient = at_rest(rng, make, rate, l1=l1, group_l1=group)
    w, g = network.weights[0], gradient.weights[0]
    removed = ~w.any(axis=0)
    assert 0 < removed.sum() < w.shape[1]
    strength = group * np.sqrt(len(w))
    kept = w[:, ~removed]
    slope = l1 * np.sign(kept) + strength * kept / np.linalg.norm(kept, axis=0)
    off = np.abs(-g[:, ~removed] - slope)
    assert off[kept != 0.0].max() < 4e-4
    # What is left of the gradient of a removed unit after l1 is within the ball.
    left = np.maximum(np.abs(g[:, removed]) - l1, 0.0)
    assert np.linalg.norm(left, axis=0).max() < strength * 1.01
    # The last layer has no group penalty.
    w, g = network.weights[1][~removed], gradient.weights[1][~removed]
    np.testing.assert_allclose(-g, l1 * np.sign(w), atol=l1 * 1.05)


@pytest.mark.parametrize("make", [Adam, Momentum])
def test_zeros_that_are_held_stay(rng, make):
    X = rng.standard_normal((20, 6))
    T = np.eye(3)[rng.integers(0, 3, 20)]
    network = Network(SPEC.sizes, np.float64)
    glorot(network, SPEC.activations, np.random.RandomState(0))
    masks = [rng.random(w.shape) < 0.5 for w in network.weights]
    learner = PenalisedLearner(SPEC, network, make(network.values), masks=masks, l1=0.1)
    for _ in range(3):
        learner.step(Batch(X, T, None), 0.01, map)
    for w, mask in zip(network.weights, masks):
        assert not w[~mask].any()
        assert w[mask].any()
    learner.hold_zeros()
    before = [w != 0.0 for w in network.weights]
    figures = learner.end_epoch(map)
    n_zeros = sum(int(np.sum(~kept)) for kept in before)
    assert figures["penalty"] == 0.0
    assert figures["sparsity"] == pytest.approx(n_zeros / (6 * 5 + 5 * 3))
    for _ in range(5):
        learner.step(Batch(X, T, None), 0.05, map)
    for w, kept in zip(network.weights, before):
        np.testing.assert_array_equal(w != 0.0, kept)


def test_the_penalty_of_the_history_is_that_of_the_weights(rng):
    network = Network(SPEC.sizes, np.float32)
    glorot(network, SPEC.activations, np.random.RandomState(0))
    learner = PenalisedLearner(
        SPEC, network, Adam(network.values), l1=0.3, group_l1=0.2
    )
    first, last = network.weights
    expected = 0.3 * (np.abs(first).sum() + np.abs(last).sum())
    expected += 0.2 * np.sqrt(6) * np.linalg.norm(first, axis=0).sum()
    assert learner.end_epoch(map)["penalty"] == pytest.approx(expected, rel=1e-5)
