"""The kernels that make codes from products equal their twins."""

import numpy as np
import pytest
from reference import distances, signed_triangle_codes, triangle_codes

from sparselearn._kernels import _assignment


def squares(rows):
    return np.sum(rows**2, axis=1)


def nearest(X, centroids):
    labels = np.full(len(X), -1, dtype=np.int32)
    _assignment.nearest(X @ centroids.T, squares(centroids), labels)
    return labels


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def triangle(X, centroids, *, small=1e-6, rounding=1e-12, is_line=False):
    """Codes and their numbers, of the dtype of X; lines are along `centroids`."""
    kind = X.dtype.type
    products, counts = X @ centroids.T, np.full(len(X), -1)
    lengths = squares(centroids)
    if is_line:
        products **= 2
        lengths[:] = 0.0
    parts = products, squares(X), lengths, kind(1.0 if is_line else 2.0), X, centroids
    _assignment.triangle(*parts, is_line, kind(small), kind(rounding), counts)
    return products, counts


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


@pytest.mark.parametrize("n_components", [2, 3, 8, 21])
def test_triangle_of_lines(rng, n_components):
    X = rng.standard_normal((40, 4))
    directions = unit(rng.standard_normal((n_components, 4)))
    codes, counts = triangle(X, directions, is_line=True)
    expected = np.abs(signed_triangle_codes(X, directions))
    np.testing.assert_allclose(codes, expected, atol=1e-13)
    np.testing.assert_array_equal(counts, np.count_nonzero(codes, axis=1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("is_line", [False, True])
def test_triangle_of_a_row_that_is_a_centroid(rng, dtype, is_line):
    """A distance of 0 has all its digits, where half of those of products cancel."""
    centroids = rng.standard_normal((30, 5)).astype(dtype)
    X = centroids
    if is_line:
        centroids = unit(centroids)
        X = centroids * rng.uniform(-9.0, 9.0, (30, 1)).astype(dtype)
    twin = np.abs if is_line else np.asarray
    codes, _ = triangle(X, centroids, small=1e-3, rounding=1e-6, is_line=is_line)
    reference = signed_triangle_codes if is_line else triangle_codes
    expected = twin(reference(X.astype(float), centroids.astype(float)))
    digits = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(codes, expected, atol=digits * np.abs(X).max())
    rough, _ = triangle(X, centroids, small=0.0, rounding=1e-6, is_line=is_line)
    assert np.abs(rough - expected).max() > 10.0 * np.abs(codes - expected).max()


@pytest.mark.parametrize("n_components", [1, 3, 7, 10])
def test_triangle_of_rows_equally_far_from_all_is_empty(rng, n_components):
    """Rounding of the mean makes no codes."""
    lengths = np.full(n_components, 1.0)
    row_lengths = rng.uniform(0.1, 9.0, 200)
    codes, counts = np.zeros((200, n_components)), np.full(200, -1)
    parts = codes, row_lengths, lengths, 2.0, np.empty((200, 0)), np.empty((9, 0))
    _assignment.triangle(*parts, False, 1e-6, 1e-12, counts)
    assert not codes.any()
    assert not counts.any()


@pytest.mark.parametrize("threshold", [0.0, 0.5, 100.0])
def test_soft_threshold(rng, threshold):
    products = np.round(rng.standard_normal((30, 9)), 1)
    codes, counts = products.copy(), np.full(30, -1)
    _assignment.soft_threshold(codes, threshold, counts)
    np.testing.assert_array_equal(codes, np.maximum(0.0, products - threshold))
    np.testing.assert_array_equal(counts, np.sum(products > threshold, axis=1))
