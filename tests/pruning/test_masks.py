"""Masks keep exactly as many weights as asked for, the same ones every time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparselearn.pruning._masks import SCOPES, make_masks

# Few distinct values: most weights tie.
BLOCKS = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=3
).map(lambda blocks: [np.array(block, dtype=float) for block in blocks])


def kept(masks):
    return sum(int(mask.sum()) for mask in masks)


@given(importances=BLOCKS, sparsity=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("scope", list(SCOPES))
def test_sparsity_is_exact_under_ties(scope, importances, sparsity):
    n_total = sum(block.size for block in importances)
    masks, _ = make_masks(importances, scope=scope, sparsity=sparsity)
    assert kept(masks) == n_total - round(sparsity * n_total)


@given(importances=BLOCKS, n_nonzero_coefs=st.integers(0, 50))
@pytest.mark.parametrize("scope", list(SCOPES))
def test_count_is_exact_and_clipped(scope, importances, n_nonzero_coefs):
    n_total = sum(block.size for block in importances)
    masks, _ = make_masks(importances, scope=scope, n_nonzero_coefs=n_nonzero_coefs)
    assert kept(masks) == min(n_nonzero_coefs, n_total)


@given(importances=BLOCKS)
@pytest.mark.parametrize("scope", list(SCOPES))
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
