"""Dense networks: gradients by finite differences, and the laws of a learner."""

import pickle

import numpy as np
import pytest
import reference

from sparselearn._parallel import stream
from sparselearn._solvers import _lbfgs
from sparselearn._solvers._network import (
    Adam,
    CodeLayer,
    DenseLearner,
    FullBatch,
    Momentum,
    Network,
    NetworkSpec,
    glorot,
    layer_values,
)
from sparselearn._solvers._training import Batch

WIDE = 130  # outputs of a first layer from which on lists of entries are used


def make_rows(rng, n_rows, n_features, dtype=np.float64, density=1.0):
    X = rng.random((n_rows, n_features)) * (rng.random((n_rows, n_features)) < density)
    return X.astype(dtype)


def make_learner(rng, spec, *, dtype=np.float64, optimizer=Adam, **parameters):
    network = Network(spec.sizes, dtype, tied=spec.tied)
    glorot(network, spec.activations, np.random.RandomState(rng.integers(2**31)))
    network.values += (0.05 * rng.standard_normal(network.values.size)).astype(dtype)
    return DenseLearner(spec, network, optimizer(network.values), **parameters)


def objective(learner, batch, select=None):
    spec, network = learner.spec, learner.network
    code = None if spec.code is None else spec.code[:4]
    return reference.network_objective(
        batch.rows,
        batch.targets,
        np.ones(len(batch.rows)) if batch.weights is None else batch.weights,
        network.weights,
        network.biases,
        spec.activations,
        spec.loss,
        l2=learner.l2,
        n_own=network.n_own,
        code=code,
        select=select,
    )


def slope(learner, function, direction, step=1e-5):
    """The derivative of `function` by the parameters along `direction`."""
    values = learner.network.values
    here = values.copy()
    found = []
    for sign in (1, -1):
        values[:] = here + sign * step * direction
        found.append(function())
    values[:] = here
    return (found[0] - found[1]) / (2.0 * step)


def assert_gradient(rng, learner, batch, select=None, rtol=1e-6):
    """Along random directions, of the whole and of each layer alone."""
    loss = learner.loss_and_gradient(batch)
    gradient = learner.gradient.copy()
    masks = [np.ones(gradient.size)]
    for place in sorted({at for pair in learner.network.places for at in pair}):
        masks.append((np.arange(gradient.size) >= place).astype(float))
    for mask in masks:
        direction = mask * rng.standard_normal(gradient.size)
        expected = slope(learner, lambda: objective(learner, batch, select), direction)
        scale = np.linalg.norm(gradient * mask)
        assert abs(gradient @ direction - expected) <= rtol * max(scale, 1e-3)
    weights = np.ones(len(batch.rows)) if batch.weights is None else batch.weights
    plain = learner.spec._replace(code=None)
    logits = reference.network_layers(
        batch.rows,
        learner.network.weights,
        learner.network.biases,
        plain.activations,
        select,
    )[-1]
    losses = reference.network_losses(
        logits, batch.targets, plain.activations[-1], plain.loss
    )
    np.testing.assert_allclose(loss, weights @ losses, rtol=1e-12)


OUTPUTS = [
    ("squared_error", "identity"),
    ("squared_error", "sigmoid"),
    ("cross_entropy", "sigmoid"),
    ("cross_entropy", "softmax"),
]
HIDDEN = [(), ("relu",), ("sigmoid", "tanh"), ("identity", "relu", "sigmoid")]


@pytest.mark.parametrize("hidden", HIDDEN, ids="-".join)
@pytest.mark.parametrize(("loss", "output"), OUTPUTS)
def test_gradient(rng, hidden, loss, output):
    sizes = (7, *range(6, 6 - len(hidden), -1), 4)
    spec = NetworkSpec(sizes, (*hidden, output), loss)
    learner = make_learner(rng, spec, l2=0.3)
    targets = make_rows(rng, 75, 4)
    if output == "softmax":
        targets = np.eye(4)[rng.integers(0, 4, 75)]
    batch = Batch(make_rows(rng, 75, 7), targets, rng.random(75))
    assert_gradient(rng, learner, batch)


CODES = [
    ("sigmoid", "kl"),
    ("sigmoid", "l1"),
    ("tanh", "l1"),
    ("relu", "l1"),
    ("identity", "l1"),
]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("hidden", [(), (8,), (9, 8)], ids=len)
@pytest.mark.parametrize(("activation", "penalty"), CODES)
@pytest.mark.parametrize(("loss", "output"), OUTPUTS[:3])
def test_gradient_of_codes(rng, tied, hidden, activation, penalty, loss, output):
    """An autoencoder of any depth with a penalty of its code, tied or not."""
    sizes = (7, *hidden, 5, *hidden[::-1], 7)
    depth = len(hidden)
    activations = ["tanh"] * (2 * depth + 1) + [output]
    activations[depth] = activation
    code = CodeLayer(depth, penalty, 0.4, 0.1)
    spec = NetworkSpec(sizes, tuple(activations), loss, code, tied)
    learner = make_learner(rng, spec, l2=0.2)
    X = make_rows(rng, 70, 7)
    assert_gradient(rng, learner, Batch(X, X, rng.random(70)))


@pytest.mark.parametrize("density", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("n_rows", [1, 40, 130])
def test_rows_of_zeros(rng, density, n_rows):
    """The gradient of lists of entries, or where they are many, is that of products."""
    spec = NetworkSpec((90, WIDE, 3), ("tanh", "identity"), "squared_error")
    learner = make_learner(rng, spec)
    X = make_rows(rng, n_rows, 90, density=density)
    batch = Batch(X, make_rows(rng, n_rows, 3), rng.random(n_rows))
    assert_gradient(rng, learner, batch)
    assert learner._work.lists.few.all() == (density < 0.2)


def top_of(n_kept):
    """Keeps the positive ones of the `n_kept` largest of each row."""

    def select(values):
        cut = np.sort(values, axis=1)[:, [-n_kept]]
        return np.where((values >= cut) & (values > 0.0), values, 0.0)

    return select


def top_of_batch(n_kept):
    def select(values):
        cut = np.sort(values, axis=None)[-n_kept * len(values)]
        return np.where((values >= cut) & (values > 0.0), values, 0.0)

    return select


SELECTIONS = {"topk": top_of(2), "batchtopk": top_of_batch(2)}


@pytest.mark.parametrize("activation", SELECTIONS)
@pytest.mark.parametrize("hidden", [(), (8,)], ids=len)
def test_selected_codes(rng, activation, hidden):
    """The largest stay, of a row or of a batch; the gradient is that of what stays."""
    depth = len(hidden)
    sizes = (7, *hidden, 6, *hidden[::-1], 7)
    activations = ["tanh"] * (2 * depth + 1) + ["identity"]
    activations[depth] = activation
    code = CodeLayer(depth, n_nonzero=2)
    spec = NetworkSpec(sizes, tuple(activations), "squared_error", code)
    learner = make_learner(rng, spec)
    X = make_rows(rng, 70, 7) - 0.5

    def select(layer, values):
        return SELECTIONS[activation](values) if layer == depth else values

    assert_gradient(rng, learner, Batch(X, X), select)
    learner.step(Batch(X, X), 1e-3, map)
    assert learner.n_nonzero <= 2.0
    if activation == "batchtopk":
        assert learner.n_nonzero == 2.0
        assert (learner.thresholds == learner._work.limit[0]).all()


def test_equal_codes(rng):
    """Among equals "topk" keeps those of lower index."""
    code = CodeLayer(0, n_nonzero=2)
    spec = NetworkSpec((3, 5, 3), ("topk", "identity"), "squared_error", code)
    learner = make_learner(rng, spec)
    learner.network.values[:] = 1.0
    X = np.ones((2, 3))
    learner.loss_and_gradient(Batch(X, X))
    gradient = Network(spec.sizes, np.float64)
    gradient.values[:] = learner.gradient
    assert (gradient.biases[0] != 0).tolist() == [True, True, False, False, False]


def test_thresholds(rng):
    """Codes that jump: of the weights the gradient is exact, of thresholds by ramps."""
    alpha, width = 0.3, 0.4
    code = CodeLayer(0, alpha=alpha)
    spec = NetworkSpec((7, 6, 7), ("jumprelu", "identity"), "squared_error", code)
    learner = make_learner(rng, spec)
    X = make_rows(rng, 70, 7) - 0.3
    batch = Batch(X, X, rng.random(70))
    learner.step(batch, 0.0, map)
    learner._numbers["width"] = width
    theta = learner.thresholds
    theta[:] = rng.random(6) * 0.2

    weights, biases = learner.network.weights, learner.network.biases
    share = batch.weights / batch.weights.sum()
    p = X @ weights[0] + biases[0]
    z = np.where(p > theta, p, 0.0)
    slope_of_z = (share[:, None] * (z @ weights[1] + biases[1] - X)) @ weights[1].T
    near = np.abs(p - theta) < width / 2
    pulls = -(near * (theta * slope_of_z + alpha * share[:, None]) / width).sum(axis=0)
    learner.loss_and_gradient(batch)
    np.testing.assert_allclose(learner._work.pulls.sum(axis=0), pulls, rtol=1e-10)
    to_first = X.T @ (slope_of_z * (p > theta))
    n_first = weights[0].size
    np.testing.assert_allclose(
        learner.gradient[:n_first], to_first.ravel(), rtol=1e-9, atol=1e-12
    )
    before = theta.copy()
    learner.step(batch, 0.05, map)
    moved = np.sign(before - learner.thresholds)
    assert (moved == np.sign(pulls))[before > 0.06].all()
    assert (learner.thresholds >= 0.0).all()


@pytest.mark.parametrize(
    ("activation", "penalty"), [("relu", "l1"), ("jumprelu", None)]
)
def test_wanted_nonzeros(rng, activation, penalty):
    """The weight of the penalty is sought that holds the number of non-zeros."""
    code = CodeLayer(1, penalty, None, n_nonzero=3.0)
    activations = ("tanh", activation, "tanh", "identity")
    spec = NetworkSpec((10, 14, 12, 14, 10), activations, "squared_error", code)
    learner = make_learner(rng, spec)
    X = rng.standard_normal((200, 4)) @ rng.standard_normal((4, 10))
    counts = []
    for _ in range(600):
        learner.step(Batch(X, X), 3e-3, map)
        counts.append(learner.n_nonzero)
    assert abs(np.mean(counts[-100:]) - 3.0) < 0.45


def deep_spec(n_features=20, *, alpha=0.1):
    code = CodeLayer(1, "kl", alpha, 0.1)
    activations = ("relu", "sigmoid", "relu", "sigmoid")
    sizes = (n_features, 16, 8, 16, n_features)
    return NetworkSpec(sizes, activations, "cross_entropy", code)


def trained(rng, learner, batches, run=map):
    for batch in batches:
        learner.step(batch, 1e-2, run)
    return learner.network.values


def some_batches(seed, dtype=np.float64, n_features=20, density=1.0):
    rng = np.random.default_rng(seed)
    for n_rows in (200, 64, 130, 3):
        X = make_rows(rng, n_rows, n_features, dtype, density)
        yield Batch(X, X, rng.random(n_rows))


@pytest.mark.parametrize("wide", [False, True])
def test_threads(seed, wide):
    """The same bits for any number of threads, of sums, lists and thresholds too."""
    spec = deep_spec()
    if wide:
        code = CodeLayer(0, n_nonzero=20.5)
        spec = NetworkSpec((60, WIDE, 60), ("batchtopk", "identity"), "squared_error")
        spec = spec._replace(code=code)
    found = []
    for n_jobs in (1, 2, 3):
        learner = make_learner(np.random.default_rng(seed), spec)
        batches = some_batches(seed, n_features=spec.sizes[0], density=0.1)
        with stream(n_jobs) as run:
            assert getattr(run, "n_threads", 1) == n_jobs
            trained(None, learner, batches, run)
        found.append(learner.state())
    for other in found[1:]:
        for name, value in found[0].items():
            np.testing.assert_array_equal(value, other[name])


def test_a_step_is_adam_on_the_gradient(rng):
    learner = make_learner(rng, deep_spec(), l2=0.1)
    here = learner.network.values.copy()
    gradients = []
    for batch in some_batches(0):
        learner.loss_and_gradient(batch)
        gradients.append(learner.gradient)
        learner.step(batch, 1e-2, map)
    expected = reference.adam_steps(here, gradients, 1e-2, 0.9, 0.999, 1e-8)
    np.testing.assert_allclose(learner.network.values, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wide", [False, True])
def test_single_precision(seed, wide):
    spec = deep_spec()
    if wide:
        code = CodeLayer(0, "l1", 0.1)
        spec = NetworkSpec((60, WIDE, 60), ("sigmoid", "sigmoid"), "cross_entropy")
        spec = spec._replace(code=code)
    found = []
    for dtype in (np.float64, np.float32):
        learner = make_learner(np.random.default_rng(seed), spec)
        network = Network(spec.sizes, dtype)
        network.values[:] = learner.network.values.astype(np.float32)
        learner = DenseLearner(spec, network, Adam(network.values, epsilon=1e-3))
        batches = some_batches(seed, dtype, spec.sizes[0], density=0.1)
        found.append(trained(None, learner, batches))
    assert found[1].dtype == np.float32
    np.testing.assert_allclose(found[1], found[0], rtol=1e-4, atol=1e-5)


def test_weights_are_repeats(rng):
    spec = deep_spec()
    learner = make_learner(rng, spec, l2=0.1)
    X = make_rows(rng, 40, 20)
    counts = rng.integers(0, 4, 40)
    loss = learner.loss_and_gradient(Batch(X, X, counts.astype(float)))
    gradient = learner.gradient
    X = np.repeat(X, counts, axis=0)
    np.testing.assert_allclose(learner.loss_and_gradient(Batch(X, X)), loss, rtol=1e-12)
    np.testing.assert_allclose(learner.gradient, gradient, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("activation", ["sigmoid", "topk", "batchtopk", "jumprelu"])
def test_restored_state_goes_on_to_the_same_bits(rng, activation):
    code = CodeLayer(0, n_nonzero=3, alpha=None if activation == "jumprelu" else 0.0)
    spec = NetworkSpec((20, 16, 20), (activation, "identity"), "squared_error", code)
    learner = make_learner(rng, spec)
    trained(rng, learner, some_batches(1))
    state = pickle.loads(pickle.dumps(learner.state()))
    expected = trained(rng, learner, some_batches(2)).copy()
    end = learner.state()
    again = make_learner(rng, spec)
    trained(rng, again, some_batches(3))
    again.restore(state)
    np.testing.assert_array_equal(trained(rng, again, some_batches(2)), expected)
    for name, value in again.state().items():
        np.testing.assert_array_equal(value, end[name])
    copied = pickle.loads(pickle.dumps(learner))
    np.testing.assert_array_equal(copied.network.values, expected)


@pytest.mark.parametrize("optimizer", [Adam, Momentum])
def test_masks(rng, optimizer):
    """What is masked is and stays zero, its moments too."""
    spec = NetworkSpec((20, 9, 4), ("relu", "identity"), "squared_error")
    masks = [rng.random((20, 9)) < 0.5, None]
    learner = make_learner(rng, spec, optimizer=optimizer, masks=masks)
    dropped = ~masks[0].ravel()
    assert not learner.network.values[: dropped.size][dropped].any()
    for batch in some_batches(0):
        learner.step(batch._replace(targets=batch.rows[:, :4].copy()), 1e-2, map)
    assert not learner.network.values[: dropped.size][dropped].any()
    assert not learner.optimizer.first[: dropped.size][dropped].any()
    assert learner.network.values[: dropped.size][~dropped].all()


def test_l1_stops_at_a_stationary_point(rng):
    """At exact zeros the gradient is at most l1, elsewhere l1 in size."""
    spec = NetworkSpec((6, 3), ("identity",), "squared_error")
    l1 = 0.15
    learner = make_learner(rng, spec, l1=l1)
    X = rng.standard_normal((90, 6))
    targets = X[:, :3] * np.array([1.0, 0.3, 0.02]) + 0.1
    batch = Batch(X, targets)
    for step in range(3000):
        learner.step(batch, 0.02 * (1.0 - step / 3000), map)
    learner.loss_and_gradient(batch)
    weights = learner.network.values[:18]
    slope = learner.gradient[:18]
    zero = weights == 0.0
    assert 12 <= zero.sum() < 18
    assert (np.abs(slope[zero]) <= l1 * 1.001).all()
    np.testing.assert_allclose(slope[~zero], -l1 * np.sign(weights[~zero]), rtol=1e-3)
    assert learner.network.values[18:].all()  # biases are not penalised


def test_momentum(rng):
    """Velocities as scikit-learn's MLP has them."""
    for nesterov in (True, False):
        learner = make_learner(rng, deep_spec())
        network = learner.network
        optimizer = Momentum(network.values, momentum=0.8, nesterov=nesterov)
        learner = DenseLearner(deep_spec(), network, optimizer)
        values, velocity = network.values.copy(), 0.0
        for batch in some_batches(0):
            learner.loss_and_gradient(batch)
            g = learner.gradient
            velocity = 0.8 * velocity - 0.1 * g
            values = values + (0.8 * velocity - 0.1 * g if nesterov else velocity)
            learner.step(batch, 0.1, map)
            np.testing.assert_allclose(network.values, values, rtol=1e-9, atol=1e-12)


def test_a_row_does_not_depend_on_others(rng):
    for dtype in (np.float32, np.float64):
        spec = NetworkSpec((50, 33, 7), ("relu", "softmax"), "cross_entropy")
        network = make_learner(rng, spec, dtype=dtype).network
        X = make_rows(rng, 300, 50, dtype)
        found = layer_values(spec, network, X, -1)
        expected = reference.network_layers(
            X, network.weights, network.biases, spec.activations
        )[-1]
        expected = np.exp(expected) / np.exp(expected).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        for i in (0, 1, 17, 63, 64, 255, 256, 299):
            alone = layer_values(spec, network, X[i : i + 1], 1)
            np.testing.assert_array_equal(alone[0], found[i])


def test_interrupted_step_ends(rng):
    """Where one thread fails the others, who wait for it, are let go."""
    learner = make_learner(rng, deep_spec())
    batch = next(some_batches(0))
    with stream(2) as run:

        def failing(function, items):
            def first_only(item):
                if item == 1:
                    raise KeyboardInterrupt
                return function(item)

            return run(first_only, items[::-1])

        failing.n_threads = 2
        with pytest.raises(KeyboardInterrupt):
            learner.step(batch, 1e-2, failing)
        learner.step(batch, 1e-2, run)
    assert np.isfinite(learner.network.values).all()


# -- L-BFGS -------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [None, "kl", "l1"])
@pytest.mark.parametrize("tied", [False, True])
def test_full_objective(rng, penalty, tied):
    """Value and gradient on batches are those on all rows."""
    code = CodeLayer(1, penalty, 0.4, 0.1)
    activations = ("tanh", "sigmoid", "tanh", "sigmoid")
    spec = NetworkSpec((7, 6, 5, 6, 7), activations, "cross_entropy", code, tied)
    learner = make_learner(rng, spec, l2=0.3, optimizer=FullBatch)
    X, w = make_rows(rng, 90, 7), rng.random(90)

    def batches():
        for rows in (slice(0, 40), slice(40, 90)):
            yield Batch(X[rows], X[rows], w[rows]), 0.0

    full = _lbfgs.Objective(learner, batches, map)
    values = learner.network.values.copy()
    expected = objective(learner, Batch(X, X, w))
    np.testing.assert_allclose(full(values), expected, rtol=1e-12)
    learner.loss_and_gradient(Batch(X, X, w))
    np.testing.assert_allclose(
        full.gradient(values), learner.gradient, rtol=1e-9, atol=1e-12
    )


def test_lbfgs(rng):
    """It reaches the minimum of a convex objective, and ends there."""
    spec = NetworkSpec((5, 3), ("softmax",), "cross_entropy")
    learner = make_learner(rng, spec, l2=1.0, optimizer=FullBatch)
    X = rng.standard_normal((80, 5))
    targets = np.eye(3)[rng.integers(0, 3, 80)]
    batches = lambda: iter([(Batch(X, targets), 0.0)])  # noqa: E731
    epochs = list(_lbfgs.minimize(learner, batches, n_epochs=200, run=map))
    assert len(epochs) < 100
    values = [epoch.figures["objective"] for epoch in epochs]
    assert (np.diff(values) <= 0.0).all()
    learner.loss_and_gradient(Batch(X, targets))
    assert np.abs(learner.gradient).max() < 1e-6
    losses = learner.loss_and_gradient(Batch(X, targets)) / 80
    np.testing.assert_allclose(epochs[-1].loss, losses, rtol=1e-9)
