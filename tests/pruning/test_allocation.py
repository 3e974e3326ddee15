"""Sparsity is shared out by the rule, to the last weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPRegressor

from sparselearn.pruning import Pruner, importance, prune
from sparselearn.pruning._allocation import ALLOCATIONS, LEVELS
from sparselearn.pruning._criteria import score_parts
from sparselearn.pruning._masks import make_masks
from sparselearn.pruning._procedure import observe
from tests.pruning.test_scores import network, rows

RNG = np.random.default_rng(0)
NETWORK = network(RNG, sizes=(9, 7, 5, 3))
SUBJECT = observe(NETWORK, rows(RNG, n=30, p=9))
SIZES = np.array([63, 35, 15])


def masks_of(**how):
    granularity = how.get("granularity", "element")
    criterion = "wanda" if granularity == "element" else "signal"
    importances = score_parts(criterion, granularity, *SUBJECT)
    return make_masks(importances, subject=SUBJECT, **how)[0]


def kept(masks):
    return np.array([int(mask.sum()) for mask in masks])


@settings(deadline=None, max_examples=25)
@given(n=st.integers(0, 120))
@pytest.mark.parametrize("scope", ["global", "output"])
@pytest.mark.parametrize("rule", [*ALLOCATIONS, {0: 0.5}, {"coefs_[2]": 0.0}])
def test_totals_are_exact_and_masks_nested(rule, scope, n):
    how = {"scope": scope, "layer_sparsity": rule}
    low, high = 0, SIZES.sum()
    if isinstance(
        rule, dict
    ):  # these have the first layer at 31 weights, the last at 15
        low, high = (31, 81) if 0 in rule else (15, 113)
    n = min(max(n, low), high - 1)
    smaller = masks_of(n_nonzero_coefs=n, **how)
    larger = masks_of(n_nonzero_coefs=n + 1, **how)
    assert kept(smaller).sum() == n
    assert kept(larger).sum() == n + 1
    for inner, outer in zip(smaller, larger):
        assert np.all(outer[inner])


@settings(deadline=None, max_examples=25)
@given(n=st.integers(0, 12))
@pytest.mark.parametrize("rule", ["uniform", "sensitivity", {0: 0.5}])
def test_units_are_shared_out_too(rule, n):
    if isinstance(rule, dict):
        n = min(max(n, 3), 8)
    masks = masks_of(granularity="neuron", layer_sparsity=rule, n_nonzero_coefs=n)
    assert kept(masks).sum() == n
    assert not isinstance(rule, dict) or kept(masks)[0] == 3


def test_uniform_is_scope_layer():
    for sparsity in (0.1, 0.5, 0.9):
        one = masks_of(layer_sparsity="uniform", sparsity=sparsity)
        other = masks_of(scope="layer", sparsity=sparsity)
        for a, b in zip(one, other):
            np.testing.assert_array_equal(a, b)


def test_erk_follows_the_sum_of_the_sides():
    densities = np.array([(9 + 7) / 63, (7 + 5) / 35, (5 + 3) / 15])
    for n in (12, 30, 60):
        found = kept(masks_of(layer_sparsity="erk", n_nonzero_coefs=n))
        factor = n / (densities * SIZES).sum()
        np.testing.assert_allclose(found, factor * densities * SIZES, atol=1.0)
    # At 87 % the last layer would be above 1: it is whole, and the others share.
    found = kept(masks_of(layer_sparsity="erk", n_nonzero_coefs=87))
    assert found[2] == 15
    ratio = (found[0] / 63) / (found[1] / 35)
    assert ratio == pytest.approx(densities[0] / densities[1], rel=0.05)


def test_owl_keeps_layers_with_outliers_denser(rng):
    net = network(rng, sizes=(40, 30, 20, 10))
    X = rng.normal(size=(50, 40))
    net.coefs_ = [
        np.where(rng.random(w.shape) < s, 1e2, 1.0) * w
        for w, s in zip(net.coefs_, (0.0, 0.02, 0.3))
    ]
    subject = observe(net, X)
    scores = score_parts("wanda", "element", *subject)
    outliers = np.array([np.mean(a > 5.0 * a.mean()) for a in scores])
    assert np.ptp(outliers) > 0.01
    scaled = (outliers - outliers.min()) / np.ptp(outliers) * 2.0 * 0.08
    # The paper's densities where it has 30 % left: those of the code of its authors.
    sizes = np.array([w.size for w in net.coefs_])
    density = 0.3 + scaled - scaled.mean()
    n = round((density * sizes).sum())
    masks, _ = make_masks(
        scores, layer_sparsity="owl", subject=subject, n_nonzero_coefs=n
    )
    np.testing.assert_allclose(kept(masks), density * sizes, atol=1.0)
    few, _ = make_masks(scores, layer_sparsity="owl", subject=subject, sparsity=0.99)
    assert kept(few).min() > 0
    # Layers without outliers are all alike.
    net.coefs_ = [np.ones_like(w) for w in net.coefs_]
    net.intercepts_ = [np.ones_like(b) for b in net.intercepts_]
    subject = observe(net, np.ones((5, 40)))
    masks, _ = make_masks(
        net.coefs_, layer_sparsity="owl", subject=subject, sparsity=0.5
    )
    np.testing.assert_array_equal(kept(masks), sizes / 2)


def outputs_of(net, X):
    for w, b in zip(net.coefs_[:-1], net.intercepts_[:-1]):
        X = np.maximum(X @ w + b, 0.0)
    return X @ net.coefs_[-1] + net.intercepts_[-1]


@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
def test_sensitivity_takes_what_the_outputs_miss_least(rng, output):
    """The sum of what layers alone cost is no larger than that of any other counts."""
    net = network(rng, sizes=(9, 7, 5, 3), output=output)
    X = rows(rng, n=30, p=9)
    weights = rng.integers(1, 4, size=30)
    values = importance(net, X, criterion="wanda", sample_weight=weights)
    subject = observe(net, X, None, weights)
    dense = outputs_of(net, X)
    costs = []
    for layer, scores in enumerate(values):
        order = np.argsort(scores.ravel())
        row = []
        for level in LEVELS:
            w = net.coefs_[layer].copy()
            w.ravel()[order[: round(level * w.size)]] = 0.0
            whole = net.coefs_[layer]
            net.coefs_[layer] = w
            loss = divergence(output, dense, outputs_of(net, X))
            net.coefs_[layer] = whole
            row.append(np.average(loss, weights=weights))
        costs.append(row)
    for sparsity in (0.3, 0.6, 0.9):
        masks, _ = make_masks(
            values, layer_sparsity="sensitivity", subject=subject, sparsity=sparsity
        )
        shares = 1.0 - kept(masks) / SIZES
        found = sum(np.interp(s, LEVELS, convex(c)) for s, c in zip(shares, costs))
        # One weight in so few moves the cost by some per cent.
        for _ in range(200):
            other = rng.dirichlet(np.ones(3)) * round(sparsity * SIZES.sum()) / SIZES
            if other.max() <= 1.0:
                cost = sum(
                    np.interp(s, LEVELS, convex(c)) for s, c in zip(other, costs)
                )
                assert found <= 1.15 * cost


def divergence(output, dense, pruned):
    if output == "identity":
        return 0.5 * ((dense - pruned) ** 2).sum(axis=1)
    if output == "logistic":
        p, q = (1 / (1 + np.exp(-z)) for z in (dense, pruned))
        both = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        return both.sum(axis=1)
    p, q = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in (dense, pruned))
    return (p * np.log(p / q)).sum(axis=1)


def convex(costs):
    """The largest convex function below `costs`: at each level the least chord."""
    below = []
    for t in LEVELS:
        chords = [
            costs[i]
            if LEVELS[i] == LEVELS[j]
            else costs[i]
            + (t - LEVELS[i]) * (costs[j] - costs[i]) / (LEVELS[j] - LEVELS[i])
            for i in range(len(LEVELS))
            for j in range(i, len(LEVELS))
            if LEVELS[i] <= t <= LEVELS[j]
        ]
        below.append(min(chords))
    return np.array(below)


def test_sensitivity_empties_a_layer_without_effect_first(rng):
    net = network(rng, sizes=(9, 7, 7, 3), output="identity")
    net.coefs_[1] *= 1e-4
    net.coefs_[1] += np.eye(7)  # all but an identity, on what is positive already
    net.intercepts_[1][:] = 0.0
    net.coefs_[0][:, 3:] = 0.0
    X = rows(rng, n=30, p=9)
    pruned = prune(
        net,
        X,
        criterion="wanda",
        layer_sparsity="sensitivity",
        sparsity=0.5,
        refit="none",
    )
    assert np.count_nonzero(pruned.coefs_[1]) <= 0.35 * 49
    others = np.count_nonzero(pruned.coefs_[0]), np.count_nonzero(pruned.coefs_[2])
    assert sum(others) > 0.5 * (63 + 21)


# Numbers


def test_numbers_are_sparsities_of_layers():
    found = kept(masks_of(layer_sparsity=[0.5, 0.2, 0.0]))
    np.testing.assert_array_equal(found, [31, 28, 15])
    found = kept(masks_of(layer_sparsity={-1: 0.4}))
    np.testing.assert_array_equal(found, [63, 35, 9])
    found = kept(masks_of(layer_sparsity={"coefs_[1]": 0.8}, sparsity=0.5))
    assert found[1] == 7
    assert found.sum() == 113 - round(0.5 * 113)
    found = kept(
        masks_of(layer_sparsity=[0.5, None, None], sparsity=0.6, scope="layer")
    )
    assert found[0] == 31
    assert found.sum() == 113 - round(0.6 * 113)
    assert abs(found[1] / 35 - found[2] / 15) < 0.05
    found = kept(masks_of(layer_sparsity={0: 0.9}, min_density=0.5, sparsity=0.8))
    np.testing.assert_array_equal(found, [6, 18, 8])


def test_numbers_keep_the_most_important():
    scores = score_parts("wanda", "element", *SUBJECT)
    masks = masks_of(layer_sparsity={0: 0.5})
    assert scores[0][masks[0]].min() > scores[0][~masks[0]].max()


@pytest.mark.parametrize(
    ("rule", "more", "message"),
    [
        ([0.5, 0.5], {}, "2 entries for 3 layers"),
        ({"coefs_[7]": 0.5}, {}, "layer_sparsity has 'coefs_"),
        ({0: 1.0}, {}, r"in \[0, 1\); got 1.0 for layer 0"),
        ({0: "half"}, {}, "got 'half'"),
        ([0.5, 0.5, 0.5], {"sparsity": 0.9}, "are to be kept"),
        ({0: 0.0}, {"n_nonzero_coefs": 62}, "leaves between 63 and 113 of 113"),
    ],
)
def test_numbers_that_cannot_be_are_refused(rule, more, message):
    with pytest.raises(ValueError, match=message):
        masks_of(layer_sparsity=rule, **more)


@pytest.mark.parametrize("rule", ["erk", "owl"])
def test_rules_of_weights_do_not_take_units(rule):
    with pytest.raises(ValueError, match=f"'{rule}' is for granularity='element'"):
        masks_of(granularity="neuron", layer_sparsity=rule, sparsity=0.5)


def test_through_the_public_door(rng):
    X = rng.normal(size=(40, 8))
    net = MLPRegressor(
        hidden_layer_sizes=(6, 4), solver="lbfgs", max_iter=2000, random_state=0
    )
    net.fit(X, X[:, 0])
    pruned = prune(net, X, layer_sparsity={1: 0.75})
    assert [np.count_nonzero(w) for w in pruned.coefs_] == [48, 6, 4]
    pruned = prune(net, X, layer_sparsity=[0.5, 0.5, 0.5])
    assert [np.count_nonzero(w) for w in pruned.coefs_] == [24, 12, 2]
    found = {
        rule: tuple(
            np.count_nonzero(w)
            for w in prune(net, X, layer_sparsity=rule, sparsity=0.5).coefs_
        )
        for rule in (None, *ALLOCATIONS)
    }
    assert {sum(counts) for counts in found.values()} == {38}
    assert len(set(found.values())) >= 4
    with pytest.raises(ValueError, match="says which weights"):
        prune(net, X, layer_sparsity="erk", threshold=0.5)


@pytest.mark.parametrize(
    "params",
    [
        {"layer_sparsity": "erk", "sparsity": 0.6},
        {"layer_sparsity": "sensitivity", "sparsity": 0.6, "criterion": "wanda"},
        {"layer_sparsity": {"coefs_[0]": 0.5}},
        {"scope": "output", "sparsity": 0.6},
        {"min_density": 0.6, "sparsity": 0.5},
        {"exclude": ("coefs_[1]",), "sparsity": 0.8},
        {"granularity": (1, 2)},
        {"criterion": "random", "sparsity": 0.5, "random_state": 3},
    ],
    ids=lambda params: next(iter(params)),
)
def test_pruner_prunes_as_the_function(rng, params):
    """Each parameter reaches the masks, and changes them."""
    X = rng.normal(size=(40, 8))
    net = MLPRegressor(
        hidden_layer_sizes=(6, 4), solver="lbfgs", max_iter=2000, random_state=0
    )
    net.fit(X, X[:, 0])
    net.coefs_[1] *= 0.5  # so that ranking all together does not prune all alike
    net.coefs_[2] *= 10.0
    pruner = clone(Pruner(FrozenEstimator(net), refit="fold", **params)).fit(X)
    pruned = prune(net, X, refit="fold", **params)
    plain = prune(net, X, refit="fold", sparsity=params.get("sparsity", 0.5))
    for found, expected in zip(pruner.estimator_.coefs_, pruned.coefs_):
        np.testing.assert_array_equal(found, expected)
    pairs = zip(pruned.coefs_, plain.coefs_)
    assert any(np.any((a != 0) != (b != 0)) for a, b in pairs)
