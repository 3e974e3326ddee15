"""Features and hidden units are removed whole, and counted as one."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor

from sparselearn.pruning import importance, prune
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._granularity import cut, weight_masks


@pytest.fixture
def X(rng):
    return rng.normal(size=(60, 5))


@pytest.fixture
def network(X):
    network = MLPRegressor(
        hidden_layer_sizes=(4, 3), solver="lbfgs", max_iter=2000, random_state=0
    )
    return network.fit(X, np.sin(X[:, :2]))


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_a_feature_is_worth_the_norm_of_its_weights(X, rng, n_outputs):
    Y = np.squeeze(X[:, :n_outputs] + 0.1 * rng.normal(size=(len(X), n_outputs)))
    model = Ridge().fit(X, Y)
    (by_weight,) = importance(model, X)
    (by_feature,) = importance(model, X, granularity="feature")
    expected = np.linalg.norm(np.atleast_2d(by_weight), axis=0)
    np.testing.assert_allclose(by_feature, expected, rtol=1e-12)

    pruned = prune(model, X, granularity="feature", n_nonzero_coefs=2)
    kept = np.atleast_2d(pruned.coef_).any(axis=0)
    assert np.flatnonzero(kept).tolist() == sorted(np.argsort(-by_feature)[:2])


def test_a_unit_goes_with_its_weights_and_its_constant(network):
    blocks = adapter_of(network).read(network)
    kept = [np.array([True, False, True, True]), np.array([True, True, False])]
    pruned = cut(blocks, weight_masks("neuron", blocks, kept))
    for layer, mask in enumerate(kept):
        assert not pruned[layer].weights[:, ~mask].any()
        assert not pruned[layer].intercept[~mask].any()
        assert not pruned[layer + 1].weights[~mask].any()
    first, middle, last = network.coefs_
    np.testing.assert_array_equal(pruned[0].weights[:, kept[0]], first[:, kept[0]])
    both = np.ix_(kept[0], kept[1])
    np.testing.assert_array_equal(pruned[1].weights[both], middle[both])
    np.testing.assert_array_equal(pruned[2].weights[kept[1]], last[kept[1]])
    np.testing.assert_array_equal(pruned[2].intercept, network.intercepts_[2])


def test_a_feature_of_a_network_is_a_row_of_its_first_weights(X, network):
    pruned = prune(network, X, granularity="feature", n_nonzero_coefs=3)
    assert (pruned.coefs_[0] != 0).any(axis=1).sum() == 3
    np.testing.assert_array_equal(pruned.coefs_[1], network.coefs_[1])


def test_units_are_ranked_by_layer_unless_told(X, network):
    """A layer whose units are read loudly keeps no more of them for it."""
    network.coefs_[2] *= 100.0
    options = {"granularity": "neuron", "criterion": "signal", "n_nonzero_coefs": 5}

    def kept(**scope):
        pruned = prune(network, X, **options, **scope)
        return [int(W.any(axis=0).sum()) for W in pruned.coefs_[:-1]]

    assert kept() == kept(scope="layer") == [3, 2]
    assert kept(scope="global") == [2, 3]


def test_what_does_not_know_units_says_what_does(X, network):
    with pytest.raises(ValueError, match="does not know granularity='neuron'"):
        prune(network, X, criterion="wanda", granularity="neuron", sparsity=0.5)


def test_a_linear_model_has_no_units(X):
    model = LinearRegression().fit(X, X[:, 0])
    blocks = adapter_of(model).read(model)
    assert weight_masks("neuron", blocks, [])[0].all()
    with pytest.raises(ValueError, match="means nothing for LinearRegression"):
        prune(model, X, granularity="neuron")
