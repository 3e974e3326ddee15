"""The kernels that make codes from products equal their twins."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import distances, keep_largest, triangle_codes

from sparselearn._kernels import _assignment


def squares(rows):
    return np.sum(rows**2, axis=1)


def nearest(X, centroids):
    labels = np.full(len(X), -1, dtype=np.int32)
    _assignment.nearest(X @ centroids.T, squares(centroids), labels)
    return labels


def triangle(X, centroids):
    codes, counts = X @ centroids.T, np.full(len(X), -1)
    _assignment.triangle(codes, squares(X), squares(centroids), counts)
    return codes, counts


def compressed(codes, n_nonzero, dtype=np.float64):
    """What `keep_largest` writes, as a dense array, and its indices."""
    counts = np.count_nonzero(codes, axis=1)
    starts = np.concatenate(([0], np.cumsum(np.minimum(counts, n_nonzero))))
    data = np.full(starts[-1], np.nan, dtype=dtype)
    indices = np.full(starts[-1], -1, dtype=np.int32)
    n_components = codes.shape[1]
    values = np.empty(n_components)
    places = np.empty(n_components, dtype=np.int32)
    _assignment.keep_largest(codes, counts, starts, values, places, data, indices)
    dense = np.zeros(codes.shape, dtype=dtype)
    dense[np.repeat(np.arange(len(codes)), np.diff(starts)), indices] = data
    return dense, [indices[a:b] for a, b in pairwise(starts)]


@pytest.mark.parametrize("n_components", [1, 2, 3, 4, 5, 8, 11])
def test_nearest(rng, n_components):
    X = rng.standard_normal((50, 3))
    centroids = rng.standard_normal((n_components, 3))
    expected = np.argmin(distances(X, centroids), axis=1)
    np.testing.assert_array_equal(nearest(X, centroids), expected)


@pytest.mark.parametrize("n_components", [2, 5, 9])
def test_nearest_is_the_first_among_equals(rng, n_components):
    """Whole numbers, so that equals are equal to the bit."""
    X = rng.integers(0, 3, (50, 2)).astype(float)
    centroids = rng.integers(0, 3, (n_components, 2)).astype(float)
    centroids[-1] = centroids[0]
    expected = np.argmin(np.round(distances(X, centroids) ** 2), axis=1)
    np.testing.assert_array_equal(nearest(X, centroids), expected)


@pytest.mark.parametrize("n_components", [2, 3, 8, 21])
def test_triangle(rng, n_components):
    X = rng.standard_normal((40, 4))
    centroids = rng.standard_normal((n_components, 4))
    codes, counts = triangle(X, centroids)
    np.testing.assert_allclose(codes, triangle_codes(X, centroids), atol=1e-13)
    np.testing.assert_array_equal(counts, np.count_nonzero(codes, axis=1))


def test_triangle_of_a_row_that_is_a_centroid(rng):
    """A squared distance that rounds below 0 is 0."""
    centroids = rng.standard_normal((30, 5)) * 100.0
    codes, _ = triangle(centroids, centroids)
    expected = triangle_codes(centroids, centroids)
    np.testing.assert_allclose(codes, expected, atol=1e-4)
    np.testing.assert_array_equal(np.argmax(codes, axis=1), np.arange(30))


@pytest.mark.parametrize("n_components", [1, 3, 7, 10])
def test_triangle_of_rows_equally_far_from_all_is_empty(rng, n_components):
    """Rounding of the mean makes no codes."""
    lengths = np.full(n_components, 1.0)
    row_lengths = rng.uniform(0.1, 9.0, 200)
    codes, counts = np.zeros((200, n_components)), np.full(200, -1)
    _assignment.triangle(codes, row_lengths, lengths, counts)
    assert not codes.any()
    assert not counts.any()


@pytest.mark.parametrize("threshold", [0.0, 0.5, 100.0])
def test_soft_threshold(rng, threshold):
    products = np.round(rng.standard_normal((30, 9)), 1)
    codes, counts = products.copy(), np.full(30, -1)
    _assignment.soft_threshold(codes, threshold, counts)
    np.testing.assert_array_equal(codes, np.maximum(0.0, products - threshold))
    np.testing.assert_array_equal(counts, np.sum(products > threshold, axis=1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_nonzero", [1, 2, 5, 19, 20, 99])
@pytest.mark.parametrize("levels", [2, 4, None], ids=["binary", "ties", "distinct"])
def test_keep_largest(rng, n_nonzero, levels, dtype):
    codes = rng.uniform(-1.0, 1.0, (60, 20))
    if levels is not None:
        codes = np.round(codes * levels)
    codes = np.maximum(0.0, codes) * 10.0 ** rng.integers(-9, 9, (60, 1))
    codes[::7] = 0.0
    codes[5] = 3.0
    found, indices = compressed(codes, n_nonzero, dtype)
    expected = keep_largest(codes, n_nonzero).astype(dtype)
    np.testing.assert_array_equal(found, expected)
    for row, places in zip(expected, indices):
        np.testing.assert_array_equal(places, np.flatnonzero(row))


LARGEST = np.finfo(float).max
nonnegative = st.one_of(
    st.floats(0.0, LARGEST),
    st.sampled_from(
        [0.0, 5e-324, 1e-323, 1e-300, 1.0, np.nextafter(1.0, 2.0), LARGEST]
    ),
)


@example(codes=np.array([[LARGEST, LARGEST], [1.0, 1.0]]), n_nonzero=1)
@settings(max_examples=200, deadline=None)
@given(
    codes=hnp.arrays(
        float, hnp.array_shapes(min_dims=2, max_dims=2), elements=nonnegative
    ),
    n_nonzero=st.integers(1, 8),
)
def test_keep_largest_at_any_scale(codes, n_nonzero):
    """A cut is found between neighbouring numbers, large, small and denormal."""
    found, _ = compressed(codes, n_nonzero)
    np.testing.assert_array_equal(found, keep_largest(codes, n_nonzero))
