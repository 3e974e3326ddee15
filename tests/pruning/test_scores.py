"""Every criterion of networks is its definition, and holds to the laws of all."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sparselearn.neural_network import SparseAutoencoder
from sparselearn.pruning import importance
from sparselearn.pruning._criteria import CRITERIA, _backward, _layerwise
from tests import reference

DRAWN = {"random", "stability"}  # at random, a row: not the same in another order
ROWS = [
    (name, granularity)
    for name, row in CRITERIA.items()
    for granularity in ("element", "neuron", "feature")
    if getattr(row, granularity) is not None
]
every_row = pytest.mark.parametrize(("criterion", "granularity"), ROWS)
undrawn = pytest.mark.parametrize(
    ("criterion", "granularity"), [row for row in ROWS if row[0] not in DRAWN]
)


def by_criterion(granularity):
    names = [name for name, known in ROWS if known == granularity]
    return pytest.mark.parametrize("criterion", sorted(set(names) - {"random"}))


def network(rng, *, sizes=(6, 5, 4, 3), hidden="relu", output="softmax", dtype=float):
    """A perceptron as scikit-learn leaves it after a fit, but at once."""
    kind = MLPRegressor if output == "identity" else MLPClassifier
    net = kind(hidden_layer_sizes=sizes[1:-1], activation=hidden)
    shapes = list(itertools.pairwise(sizes))
    net.coefs_ = [rng.normal(size=shape).astype(dtype) for shape in shapes]
    net.intercepts_ = [rng.normal(size=k).astype(dtype) for k in sizes[1:]]
    net.n_layers_, net.n_outputs_ = len(sizes), sizes[-1]
    net.out_activation_ = output
    net.n_features_in_ = sizes[0]
    if kind is MLPClassifier:
        net.classes_ = np.arange(max(sizes[-1], 2))
    return net


def rows(rng, n=40, p=6):
    X = rng.normal(loc=0.3, size=(n, p))
    X[rng.random(X.shape) < 0.3] = 0.0
    return X


def targets(rng, net, n=40):
    if hasattr(net, "classes_"):
        return rng.choice(net.classes_, size=n)
    return rng.normal(size=(n, net.n_outputs_))


def twin_of(net, X, y, weights=None):
    weights = np.ones(len(X)) if weights is None else weights
    if hasattr(net, "classes_"):
        k = net.coefs_[-1].shape[1]
        one = y[:, None] == net.classes_
        y = one[:, 1:] if k == 1 else one
    activations = [net.activation] * (len(net.coefs_) - 1) + [net.out_activation_]
    return reference.Twin(
        net.coefs_, net.intercepts_, activations, X, np.asarray(y, float), weights
    )


def assert_close(found, expected, rtol=1e-9):
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())


# Of central differences.
TOLERANCES = {"obd": 1e-5, "taylor": 1e-5}


@undrawn
@pytest.mark.parametrize(
    ("hidden", "output", "n_outputs"),
    [
        ("relu", "softmax", 3),
        ("relu", "identity", 2),
        ("relu", "logistic", 1),
        ("tanh", "logistic", 1),
        ("logistic", "softmax", 3),
    ],
)
def test_is_its_definition(rng, criterion, granularity, hidden, output, n_outputs):
    if criterion == "apoz":
        hidden = "relu"
    net = network(rng, sizes=(6, 5, 4, n_outputs), hidden=hidden, output=output)
    X, y, weights = rows(rng), targets(rng, net), rng.integers(0, 4, size=40)
    found = importance(
        net,
        X,
        y,
        criterion=criterion,
        granularity=granularity,
        sample_weight=weights,
        random_state=0,
    )
    twin = reference.SCORES[criterion, granularity]
    rtol = TOLERANCES.get(criterion, 1e-9)
    assert_close(found, twin(twin_of(net, X, y, weights)), rtol)


@undrawn
def test_a_weight_is_so_many_rows_in_any_order(rng, criterion, granularity):
    net = network(rng)
    X, y, weights = rows(rng), targets(rng, net), rng.integers(0, 4, size=40)
    order = rng.permutation(np.repeat(np.arange(40), weights))
    how = {"criterion": criterion, "granularity": granularity, "random_state": 0}
    assert_close(
        importance(net, X, y, sample_weight=weights, **how),
        importance(net, X[order], y[order], **how),
    )


@every_row
def test_sparse_rows_are_dense_rows(rng, criterion, granularity):
    net = network(rng)
    X, y = rows(rng), targets(rng, net)
    how = {"criterion": criterion, "granularity": granularity, "random_state": 0}
    expected = importance(net, X, y, **how)
    for storage in (sp.csr_array, sp.csc_array, sp.csr_matrix):
        assert_close(importance(net, storage(X), y, **how), expected)
    X.flags.writeable = False
    assert_close(importance(net, X, y, **how), expected, rtol=0)


@every_row
def test_single_precision_agrees(rng, criterion, granularity):
    single = network(rng, dtype=np.float32)
    double = network(rng)
    double.coefs_ = [w.astype(float) for w in single.coefs_]
    double.intercepts_ = [b.astype(float) for b in single.intercepts_]
    X, y = rows(rng).astype(np.float32), targets(rng, single)
    how = {"criterion": criterion, "granularity": granularity, "random_state": 0}
    assert_close(
        importance(single, X, y, **how),
        importance(double, X.astype(float), y, **how),
        rtol=1e-4,
    )


@by_criterion("neuron")
def test_dead_units_are_worth_least(rng, criterion):
    net = network(rng, sizes=(6, 8, 5, 3))
    X, y = rows(rng), targets(rng, net)
    net.coefs_[0][:, 2] = 0.0
    net.intercepts_[0][2] = -1.0  # never active
    if criterion != "magnitude":  # which sees no data
        net.coefs_[1][:, 3] = -0.1
        net.intercepts_[1][3] = -1.0
    first, second = importance(
        net, X, y, criterion=criterion, granularity="neuron", random_state=0
    )
    assert first[2] == 0.0 < np.delete(first, 2).max()
    if criterion != "magnitude":
        assert second[3] == 0.0 < np.delete(second, 3).max()


@by_criterion("element")
def test_zero_weights_are_worth_nothing(rng, criterion):
    net = network(rng)
    net.coefs_[1][2, 1] = 0.0
    values = importance(
        net, rows(rng), targets(rng, net), criterion=criterion, random_state=0
    )
    assert values[1][2, 1] == 0.0
    assert np.count_nonzero(values[1]) > 1


def test_random_is_uniform_and_by_its_seed(rng):
    net = network(rng, sizes=(40, 50, 30, 3))
    draw = lambda seed: importance(net, criterion="random", random_state=seed)  # noqa: E731
    flat = np.concatenate([a.ravel() for a in draw(0)])
    assert 0.0 <= flat.min() < 0.01 < 0.99 < flat.max() < 1.0
    assert abs(flat.mean() - 0.5) < 0.03
    for a, b, c in zip(draw(0), draw(0), draw(1)):
        np.testing.assert_array_equal(a, b)
        assert not np.any(a == c)


def test_apoz_wants_units_that_can_be_off(rng):
    net = network(rng, hidden="tanh")
    with pytest.raises(ValueError, match=r"coefs_\[0\].*'tanh'.*'signal'"):
        importance(net, rows(rng), criterion="apoz", granularity="neuron")


def test_a_criterion_that_reads_targets_asks_for_them(rng):
    for name, row in CRITERIA.items():
        if row.needs_y:
            with pytest.raises(ValueError, match=f"{name}.* needs y"):
                importance(network(rng), rows(rng), criterion=name)


def test_stability_is_signal_to_noise(rng):
    net = network(rng)
    X, weights = rows(rng, n=200), rng.integers(1, 4, size=200)
    how = {"criterion": "stability", "granularity": "neuron"}
    found = importance(net, X, sample_weight=weights, random_state=0, **how)
    assert np.any(found[0] != importance(net, X, random_state=1, **how)[0])
    twin = twin_of(net, X, np.zeros(200, int), weights)
    noise = 0.1 * reference.spread(twin, X) * rng.normal(size=(300, 200, 6))
    noisy = [twin._replace(X=X + e).layers()[1:-1] for e in noise]
    for layer, (a, v) in enumerate(zip(twin.layers()[1:-1], twin.outgoing())):
        noise = twin.mean(np.var([draw[layer] for draw in noisy], axis=0))
        expected = reference.spread(twin, a) ** 2 / noise * v
        np.testing.assert_allclose(found[layer], expected, rtol=0.2)


@pytest.mark.parametrize("activation", ["relu", "topk", "sigmoid", "tanh"])
def test_units_of_a_code(rng, activation):
    """As of a network of one hidden layer; of top-k codes by what they are."""
    X = rng.normal(size=(80, 6))
    n_nonzero = {"n_nonzero_coefs": 2} if activation == "topk" else {}
    model = SparseAutoencoder(
        5, activation=activation, max_iter=2, random_state=0, **n_nonzero
    ).fit(X)
    how = {"granularity": "neuron", "random_state": 0}
    codes = model.transform(X)
    codes = codes.toarray() if sp.issparse(codes) else codes
    norms = np.sqrt((model.coefs_[1].astype(float) ** 2).sum(axis=1))
    (found,) = importance(model, X, criterion="signal", **how)
    np.testing.assert_allclose(found, codes.std(axis=0) * norms, rtol=1e-5)
    (entropy,) = importance(model, X, criterion="raw-entropy", **how)
    assert np.all(entropy >= 0.0)
    assert entropy.max() > 0.5
    draws = X + 0.1 * X.std(axis=0) * rng.normal(size=(200, *X.shape))
    noisy = [model.transform(x) for x in draws]
    noisy = [c.toarray() if sp.issparse(c) else c for c in noisy]
    noise = np.var(noisy, axis=0).mean(axis=0)
    (found,) = importance(model, X, criterion="stability", **how)
    np.testing.assert_allclose(found, codes.var(axis=0) / noise * norms, rtol=0.3)
    for storage in (sp.csr_array, sp.csc_array):
        (again,) = importance(model, storage(X), criterion="stability", **how)
        np.testing.assert_allclose(again, found, rtol=1e-6)


def test_many_outputs_are_drawn_without_bias(rng, monkeypatch):
    net = network(rng, sizes=(4, 5, 70))
    net.coefs_[-1] *= 0.3
    X = rows(rng, n=500, p=4)
    drawn = importance(net, X, criterion="obd", random_state=0)
    again = importance(net, X, criterion="obd", random_state=0)
    other = importance(net, X, criterion="obd", random_state=1)
    assert np.any(drawn[0] != other[0])
    monkeypatch.setattr(_backward, "MOST_OUTPUTS", 70)
    exact = importance(net, X, criterion="obd", random_state=0)
    for a, b, c in zip(drawn, again, exact):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=0.2, atol=0.02 * c.max())


def test_a_constant_unit_says_nothing(rng):
    net = network(rng, hidden="tanh")
    net.coefs_[0][:, 1] = 0.0
    for criterion in ("entropy", "raw-entropy", "signal", "stability"):
        values = importance(net, rows(rng), criterion=criterion, granularity="neuron")
        assert values[0][1] == 0.0, criterion


@pytest.mark.parametrize("power", [1e-6, 1e6])
@pytest.mark.parametrize("criterion", ["entropy", "stability", "signal", "obs", "lamp"])
def test_units_of_measure_only_scale(rng, criterion, power):
    """Of ReLU networks: inputs and constants in other units, so all in other units."""
    net = network(rng, output="identity")
    other = network(rng, output="identity")
    other.coefs_ = net.coefs_
    other.intercepts_ = [power * b for b in net.intercepts_]
    X = rows(rng)
    granularity = "element" if criterion in {"obs", "lamp"} else "neuron"
    how = {"criterion": criterion, "granularity": granularity, "random_state": 0}
    factor = {"signal": power}.get(criterion, 1.0)
    assert_close(
        importance(other, power * X, **how),
        [factor * values for values in importance(net, X, **how)],
        rtol=1e-6,
    )


def test_features_without_a_rule_of_their_own_go_by_a_norm(rng):
    net = network(rng)
    X = rows(rng)
    weights = importance(net, X, criterion="wanda")[0]
    (features,) = importance(net, X, criterion="wanda", granularity="feature")
    np.testing.assert_allclose(features, np.sqrt((weights**2).sum(axis=1)))


# Targets


def test_targets_are_coded_as_outputs(rng):
    net = network(rng)
    X = rows(rng)
    numbers = rng.integers(0, 3, size=40)
    expected = importance(net, X, numbers, criterion="taylor")
    net.classes_ = np.array(["a", "b", "c"])
    assert_close(
        importance(net, X, net.classes_[numbers], criterion="taylor"), expected
    )
    indicators = np.eye(3)[numbers]
    assert_close(importance(net, X, indicators, criterion="taylor"), expected)
    with pytest.raises(ValueError, match="y has 'd', which is none of the classes"):
        importance(net, X, np.repeat(["a", "d"], 20), criterion="taylor")
    with pytest.raises(ValueError, match=r"y has 2 targets a row; .* has 3 outputs"):
        importance(net, X, indicators[:, :2], criterion="taylor")
    with pytest.raises(ValueError, match="inconsistent"):
        importance(net, X, indicators[:7], criterion="taylor")


def test_decisions_are_one_and_minus_one(rng):
    X = rng.normal(size=(60, 4))
    y = np.where(X[:, 0] > 0.0, "yes", "no")
    model = RidgeClassifier(alpha=5.0).fit(X, y)
    (values,) = importance(model, X, y, criterion="taylor")
    signs = np.where(y == "yes", 1.0, -1.0)
    slopes = X.T @ (model.decision_function(X) - signs) / 60
    np.testing.assert_allclose(values, np.abs(model.coef_ * slopes), rtol=1e-9)


@pytest.mark.parametrize("criterion", ["obd", "taylor", "wanda", "lamp"])
def test_linear_models_are_networks_of_one_layer(rng, criterion):
    X = rng.normal(size=(60, 4))
    y = rng.integers(0, 3, size=60)
    model = LogisticRegression().fit(X, y)
    (values,) = importance(model, X, y, criterion=criterion)
    twin = reference.Twin(
        [model.coef_.T],
        [model.intercept_],
        ["softmax"],
        X,
        y[:, None] == np.arange(3),
        np.ones(60),
    )
    if criterion == "lamp":  # in the units of the outputs
        expected = reference.lamp_scores(model.coef_ * X.std(axis=0)).T
    else:
        (expected,) = reference.SCORES[criterion, "element"](twin)
    assert_close([values], [expected.T], rtol=1e-5)


def test_activations_without_a_derivative_are_named(rng):
    net = network(rng)
    net.activation = "step"
    with pytest.raises(ValueError, match=r"'step', of the units of coefs_\[0\]"):
        importance(net, rows(rng), criterion="obd")


def test_obs_refuses_what_does_not_fit(rng, monkeypatch):
    monkeypatch.setattr(_layerwise, "MAX_INPUTS", 5)
    with pytest.raises(ValueError, match=r"6 inputs of coefs_\[0\].*at most 5"):
        importance(network(rng), rows(rng), criterion="obs")


# Functions of the user's


def test_a_function_is_asked_for_importances(rng):
    net = network(rng)
    X, y, weights = rows(rng), targets(rng, net), rng.random(40)
    seen = []

    def by_position(*arguments):
        seen.append(arguments)
        return [np.arange(w.size).reshape(w.shape) for w in net.coefs_]

    found = importance(net, X, y, criterion=by_position, sample_weight=weights)
    assert_close(found, by_position())
    assert seen[0][0] is net
    for got, given in zip(seen[0][1:], (X, y, weights)):
        np.testing.assert_array_equal(got, given)
    found[0][:] = 7.0
    assert by_position()[0].max() != 7.0


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones(3),
        [np.ones((6, 5)), np.ones((5, 4))],
        [np.ones((6, 5)), np.ones((5, 4)), np.ones((3, 4))],
        [np.ones((6, 5)), np.ones((5, 4)), np.full((4, 3), np.nan)],
    ],
    ids=["no list", "a layer short", "turned", "NaN"],
)
def test_a_function_must_return_their_shapes(rng, wrong):
    with pytest.raises(ValueError, match=r"must return .*\(4, 3\)\]; got "):
        importance(network(rng), criterion=lambda *arguments: wrong)
