"""Masks keep exactly as many weights as asked for, the same ones every time."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from sparselearn.pruning import Block, Pruner, prune
from sparselearn.pruning._masks import make_masks

# Few distinct values: most weights tie.
BLOCKS = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=3
).map(lambda blocks: [np.array(block, dtype=float) for block in blocks])


def kept(masks):
    return sum(int(mask.sum()) for mask in masks)


@settings(deadline=None)
@given(importances=BLOCKS, sparsity=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_sparsity_is_exact_under_ties(scope, importances, sparsity):
    n_total = sum(block.size for block in importances)
    masks, _ = make_masks(importances, scope=scope, sparsity=sparsity)
    assert kept(masks) == n_total - round(sparsity * n_total)


@settings(deadline=None)
@given(importances=BLOCKS, n_nonzero_coefs=st.integers(0, 50))
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_count_is_exact_and_clipped(scope, importances, n_nonzero_coefs):
    n_total = sum(block.size for block in importances)
    masks, _ = make_masks(importances, scope=scope, n_nonzero_coefs=n_nonzero_coefs)
    assert kept(masks) == min(n_nonzero_coefs, n_total)


@settings(deadline=None)
@given(importances=BLOCKS)
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_masks_are_nested(scope, importances):
    n_total = sum(block.size for block in importances)
    smaller, _ = make_masks(importances, scope=scope, n_nonzero_coefs=0)
    for n in range(1, n_total + 1):
        larger, _ = make_masks(importances, scope=scope, n_nonzero_coefs=n)
        for inner, outer in zip(smaller, larger):
            assert np.all(outer[inner])
        smaller = larger


def test_of_equals_the_first_are_kept():
    importances = [np.array([1.0, 2.0, 1.0]), np.array([[1.0, 3.0], [1.0, 1.0]])]
    masks, threshold = make_masks(importances, scope="global", n_nonzero_coefs=4)
    np.testing.assert_array_equal(masks[0], [True, True, True])
    np.testing.assert_array_equal(masks[1], [[False, True], [False, False]])
    assert threshold == 1.0


@settings(deadline=None)
@given(importances=BLOCKS)
def test_global_keeps_nothing_below_what_it_drops(importances):
    n_total = sum(block.size for block in importances)
    masks, threshold = make_masks(
        importances, scope="global", n_nonzero_coefs=n_total // 2
    )
    flat = np.concatenate(importances)
    mask = np.concatenate(masks)
    assert flat[mask].min(initial=np.inf) == threshold
    assert flat[~mask].max(initial=-np.inf) <= threshold


def test_layers_get_the_same_sparsity(rng):
    importances = [10.0**k * rng.random(n) for k, n in enumerate((100, 30, 7))]
    for sparsity in (0.1, 0.5, 0.9):
        masks, _ = make_masks(importances, scope="layer", sparsity=sparsity)
        # One share t, of which each layer keeps round(t * n) weights.
        lower = max((mask.sum() - 0.5) / mask.size for mask in masks)
        upper = min((mask.sum() + 0.5) / mask.size for mask in masks)
        assert lower <= 1 - sparsity <= upper
        for mask, block in zip(masks, importances):
            np.testing.assert_array_equal(mask, block >= np.sort(block)[-mask.sum()])


def test_global_does_not_care_for_layers(rng):
    importances = [rng.random(50), 1.0 + rng.random(50)]
    masks, _ = make_masks(importances, scope="global", sparsity=0.5)
    assert not masks[0].any()
    assert masks[1].all()


def test_threshold_keeps_what_reaches_it():
    masks, threshold = make_masks(
        [np.array([0.5, 1.0, 2.0])], scope="global", threshold=1
    )
    np.testing.assert_array_equal(masks[0], [False, True, True])
    assert threshold == 1.0


def test_nothing_kept_has_an_infinite_threshold():
    _, threshold = make_masks([np.ones(3)], scope="global", n_nonzero_coefs=0)
    assert threshold == np.inf


# Of each output


def subject_of(importances, inputs_last=False):
    """What was scored, as far as masks ask."""
    blocks = [
        Block(f"coefs_[{k}]", values, None, inputs_last, False)
        for k, values in enumerate(importances)
    ]
    return SimpleNamespace(blocks=blocks)


TABLES = st.lists(
    st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 999)),
    min_size=1,
    max_size=3,
).map(
    lambda shapes: [
        np.random.default_rng(seed).integers(0, 3, size=(n, k)).astype(float)
        for n, k, seed in shapes
    ]
)


@settings(deadline=None)
@given(importances=TABLES, sparsity=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("inputs_last", [False, True])
def test_outputs_are_pruned_alike(importances, sparsity, inputs_last):
    subject = subject_of(importances, inputs_last)
    masks, _ = make_masks(
        importances, scope="output", sparsity=sparsity, subject=subject
    )
    n_total = sum(values.size for values in importances)
    assert kept(masks) == n_total - round(sparsity * n_total)
    for mask, values, block in zip(masks, importances, subject.blocks):
        mask, values = block.by_input(mask), block.by_input(values)
        # Within a layer no output has two weights more than another.
        assert np.ptp(mask.sum(axis=0)) <= 1
        for chosen, column in zip(mask.T, values.T):
            assert column[chosen].min(initial=np.inf) >= column[~chosen].max(
                initial=-np.inf
            )


def test_scope_output_is_of_weights(X_and_network):
    X, network = X_and_network
    with pytest.raises(ValueError, match=r"scope='output'.*'element'.*'neuron'"):
        prune(network, X, granularity="neuron", scope="output")


@settings(deadline=None)
@given(
    importances=TABLES,
    pattern=st.tuples(st.integers(1, 3), st.integers(2, 5)).filter(
        lambda p: p[0] < p[1]
    ),
)
@pytest.mark.parametrize("inputs_last", [False, True])
def test_a_pattern_is_kept_in_every_group(importances, pattern, inputs_last):
    subject = subject_of(importances, inputs_last)
    masks, threshold = make_masks(importances, granularity=pattern, subject=subject)
    n_kept, n_group = pattern
    for mask, values, block in zip(masks, importances, subject.blocks):
        mask, values = block.by_input(mask), block.by_input(values)
        for start in range(0, len(mask), n_group):
            group = mask[start : start + n_group]
            assert np.all(group.sum(axis=0) == min(n_kept, len(group)))
            for chosen, part in zip(group.T, values[start : start + n_group].T):
                assert part[chosen].min() >= part[~chosen].max(initial=-np.inf)
    assert threshold == min(v[m].min() for v, m in zip(importances, masks))


def test_a_pattern_of_a_linear_model(rng):
    X = rng.normal(size=(50, 6))
    model = Ridge().fit(X, X @ [1.0, 3.0, 2.0, 5.0, 6.0, 4.0])
    pruned = prune(model, X, granularity=(1, 3))
    np.testing.assert_array_equal(pruned.coef_.nonzero()[0], [1, 4])


@pytest.mark.parametrize(
    "pattern", [(2, 2), (0, 4), (5, 4), (1.0, 2), (1,), (1, 2, 3), ("a", 2)]
)
def test_patterns_that_are_none_are_refused(X_and_network, pattern):
    X, network = X_and_network
    with pytest.raises(ValueError, match=r"1 <= N < M"):
        Pruner(network, granularity=pattern).fit(X, X[:, 0])


def test_a_pattern_says_how_much(X_and_network):
    X, network = X_and_network
    with pytest.raises(ValueError, match="says how much"):
        prune(network, X, granularity=(2, 4), sparsity=0.5)


# Within earlier masks, above a floor, without some layers


@settings(deadline=None)
@given(importances=BLOCKS, data=st.data())
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_nothing_grows_again(scope, importances, data):
    within = [
        np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
        for n in (block.size for block in importances)
    ]
    n = data.draw(st.integers(0, 40))
    masks, _ = make_masks(importances, scope=scope, n_nonzero_coefs=n, within=within)
    assert kept(masks) == min(n, kept(within))
    for mask, earlier in zip(masks, within):
        assert np.all(earlier[mask])
    masks, _ = make_masks(importances, scope=scope, threshold=1.0, within=within)
    for mask, earlier, block in zip(masks, within, importances):
        np.testing.assert_array_equal(mask, earlier & (block >= 1.0))


@settings(deadline=None)
@given(
    importances=BLOCKS,
    sparsity=st.floats(0, 1, exclude_max=True),
    density=st.floats(0, 1),
)
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_every_layer_keeps_its_least_share(scope, importances, sparsity, density):
    masks, _ = make_masks(
        importances, scope=scope, sparsity=sparsity, min_density=density
    )
    floors = [int(np.ceil(density * b.size - 1e-9)) for b in importances]
    n_total = sum(block.size for block in importances)
    assert kept(masks) == max(n_total - round(sparsity * n_total), sum(floors))
    for mask, block, floor in zip(masks, importances, floors):
        assert mask.sum() >= floor
        assert block[mask].min(initial=np.inf) >= block[~mask].max(initial=-np.inf)


def test_a_floor_goes_before_a_threshold():
    masks, _ = make_masks([np.array([1.0, 3.0, 2.0])], threshold=9.0, min_density=0.5)
    np.testing.assert_array_equal(masks[0], [False, True, True])


@pytest.mark.parametrize("which", [[1], [-2], ["coefs_[1]"]])
def test_what_is_excluded_stays_whole(rng, which):
    importances = [rng.random((4, 5)), np.zeros((5, 3)), rng.random((3, 2))]
    masks, threshold = make_masks(
        importances, exclude=which, sparsity=0.5, subject=subject_of(importances)
    )
    assert masks[1].all()
    assert masks[0].sum() + masks[2].sum() == 26 // 2
    assert threshold > 0.0
    masks, _ = make_masks(
        importances,
        exclude=which,
        granularity=(1, 2),
        subject=subject_of(importances),
    )
    assert masks[1].all()
    assert masks[0].sum() == 10


@pytest.mark.parametrize("which", ["coefs_[3]", 3, -4, 0.5])
def test_layers_that_are_none_are_named(rng, which):
    importances = [rng.random((4, 5)), rng.random((5, 3)), rng.random((3, 2))]
    with pytest.raises(ValueError, match=r"exclude has .*-3, ..., 2, 'coefs_\[0\]'"):
        make_masks(
            importances, exclude=[which], sparsity=0.5, subject=subject_of(importances)
        )


def test_something_must_be_left_to_prune():
    with pytest.raises(ValueError, match="nothing to prune"):
        make_masks([np.ones(3), np.ones(2)], exclude=(0, 1), sparsity=0.5)


@pytest.fixture
def X_and_network(rng):
    X = rng.normal(size=(40, 8))
    network = MLPRegressor(
        hidden_layer_sizes=(6, 4), solver="lbfgs", max_iter=2000, random_state=0
    )
    return X, network.fit(X, X[:, 0])


def test_floors_and_layers_of_an_estimator(X_and_network):
    X, network = X_and_network
    network.coefs_[2] *= 1e-3
    how = {"criterion": "magnitude", "sparsity": 0.9, "refit": "none"}
    with pytest.warns(UserWarning, match=r"coefs_\[2\].*min_density"):
        assert not prune(network, X, **how).coefs_[2].any()
    floor = prune(network, X, min_density=0.25, **how)
    assert np.count_nonzero(floor.coefs_[2]) == 1
    whole = prune(network, X, exclude=["coefs_[2]"], **how)
    np.testing.assert_array_equal(whole.coefs_[2], network.coefs_[2])
    assert sum(map(np.count_nonzero, whole.coefs_[:2])) == 72 - round(0.9 * 72)
    half = prune(network, X, granularity=(2, 4))
    assert [np.count_nonzero(w) for w in half.coefs_] == [24, 16, 2]
    units = prune(network, X, granularity="neuron", exclude=[-1], sparsity=0.5)
    assert np.count_nonzero(units.coefs_[1].any(axis=0)) == 4
    assert np.count_nonzero(units.coefs_[1].any(axis=1)) == 3
