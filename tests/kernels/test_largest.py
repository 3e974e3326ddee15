"""The largest of a row, without a sort: equal to their twin, which sorts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sparselearn._kernels import _largest

INTEGERS = {np.dtype(np.float32): np.int32, np.dtype(np.float64): np.int64}


def keys_of(values):
    keys = values.view(INTEGERS[values.dtype]).copy()
    _largest.order_keys(keys)
    return keys


def compressed(ranks, values, n_nonzero, *, only_positive):
    """What `keep_largest` writes: indices and values of each row."""
    n_rows, n_components = ranks.shape
    counts = np.full(n_rows, n_components)
    if only_positive:
        counts = np.count_nonzero(ranks, axis=1)
    starts = np.concatenate(([0], np.cumsum(np.minimum(counts, n_nonzero))))
    data = np.full(starts[-1] + 1, np.nan, dtype=values.dtype)
    indices = np.full(starts[-1] + 1, -1, dtype=np.int32)
    keys = keys_of(ranks)
    scratch = np.empty(n_components, keys.dtype), np.empty(n_components, np.int32)
    _largest.keep_largest(keys, values, counts, starts, *scratch, data, indices)
    return [(indices[a:b], data[a:b]) for a, b in pairwise(starts)]


def expected(ranks, values, n_nonzero, *, only_positive):
    for rank, row in zip(ranks, values):
        order = np.argsort(-rank, kind="stable")[:n_nonzero]
        kept = np.sort(order[rank[order] > 0.0] if only_positive else order)
        yield kept, row[kept]


def check(ranks, values, n_nonzero, **options):
    found = compressed(ranks, values, n_nonzero, **options)
    wanted = expected(ranks, values, n_nonzero, **options)
    for (indices, data), (places, numbers) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(indices, places)
        np.testing.assert_array_equal(data, numbers)


def numbers(rng, levels):
    """Rows of any scale, with ties if there are but few levels, and rows of zeros."""
    values = rng.uniform(-1.0, 1.0, (60, 20))
    if levels is not None:
        values = np.round(values * levels) + 0.0
    values *= 10.0 ** rng.integers(-9, 9, (60, 1))
    values[::7] = 0.0
    values[5] = 3.0
    return values


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_nonzero", [1, 2, 5, 19, 20, 99])
@pytest.mark.parametrize("levels", [2, 4, None], ids=["binary", "ties", "distinct"])
def test_keep_largest(rng, n_nonzero, levels, dtype):
    """Of all numbers, of those that are positive, and by absolute values."""
    values = numbers(rng, levels).astype(dtype)
    check(values, values, n_nonzero, only_positive=False)
    positive = np.maximum(values, 0.0)
    check(positive, positive, n_nonzero, only_positive=True)
    check(np.abs(values), values, n_nonzero, only_positive=True)


LARGEST = np.finfo(float).max
anything = st.one_of(
    st.floats(-LARGEST, LARGEST),
    st.sampled_from(
        [0.0, 5e-324, 1e-323, -1e-300, 1.0, -1.0, np.nextafter(1.0, 2.0), LARGEST]
    ),
)


@example(values=np.array([[LARGEST, LARGEST], [1.0, -1.0]]), n_nonzero=1)
@example(values=np.array([[-LARGEST, LARGEST, -LARGEST]]), n_nonzero=2)
@settings(max_examples=200, deadline=None)
@given(
    values=hnp.arrays(
        float, hnp.array_shapes(min_dims=2, max_dims=2), elements=anything
    ),
    n_nonzero=st.integers(1, 8),
)
def test_keep_largest_at_any_scale(values, n_nonzero):
    """A cut is found between neighbouring numbers, large, small and denormal."""
    values = values + 0.0  # -0.0 and 0.0 have an order of their own
    check(values, values, n_nonzero, only_positive=False)
    check(np.abs(values), values, n_nonzero, only_positive=True)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_keys_have_the_order_of_numbers(dtype):
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    rising = [-np.inf, -huge, -1.0, -tiny, 0.0, tiny, 1.0, huge, np.inf]
    keys = keys_of(np.array([rising], dtype=dtype))[0]
    assert np.all(keys[1:] > keys[:-1])
    assert keys[0] > np.iinfo(keys.dtype).min
    assert keys[4] == 0
