"""What the kernels of K-means prove is what float64 finds."""

import numpy as np
import pytest
from reference import centroid_errors

from sparselearn._kernels import _lloyd as kernels
from sparselearn._solvers._nearest import Assignment, make_targets

DTYPES = [np.float32, np.float64]
SPHERICAL = [False, True]


def unit_rows(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def read_only(X, dtype=np.float64):
    X = np.array(X, dtype=dtype, order="C")
    X.flags.writeable = False
    return X


def bounds_of(X, centroids, spherical):
    """What `two_nearest` writes, with the bounds by the definition."""
    targets = make_targets(centroids, spherical=spherical, like=X)
    n_rows = len(X)
    centred = np.full(X.shape, np.nan, dtype=X.dtype)
    lengths, best, second = np.full((3, n_rows), np.nan, dtype=X.dtype)
    kernels.centre(X, targets.shift, targets.scale, centred, lengths)
    products = targets.rough @ centred.T
    labels = np.full(n_rows, -7, dtype=np.int32)
    given = products, targets.halves, targets.errors, lengths, spherical
    kernels.two_nearest(*given, best, second, labels)
    values = np.abs(products) if spherical else products
    bounds = targets.halves[:, None] - values - np.outer(targets.errors, lengths)
    return targets, lengths, bounds, best, second, labels


@pytest.mark.parametrize("dtype", DTYPES)
def test_centre(rng, dtype):
    X = read_only(rng.standard_normal((9, 5)) + 3.0, dtype)
    shift = rng.standard_normal(5).astype(dtype)
    centred, lengths = np.full_like(X, np.nan), np.full(9, np.nan, dtype)
    kernels.centre(X, shift, dtype(0.25), centred, lengths)
    np.testing.assert_allclose(centred, (X - shift) / 4.0, rtol=1e-6)
    np.testing.assert_allclose(lengths, np.linalg.norm(centred, axis=1), rtol=1e-6)


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_components", [1, 2, 7])
def test_two_nearest(rng, dtype, spherical, n_components):
    X = read_only(rng.standard_normal((50, 4)), dtype)
    centroids = rng.standard_normal((n_components, 4))
    centroids = unit_rows(centroids) if spherical else centroids
    *_, bounds, best, second, labels = bounds_of(X, centroids, spherical)
    padded = np.sort(np.vstack([bounds, np.full(50, np.inf)]), axis=0)
    tol = 1e-5 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(best, padded[0], rtol=tol, atol=tol)
    np.testing.assert_allclose(second, padded[1], rtol=tol, atol=tol)
    chosen = bounds[labels, np.arange(50)]
    np.testing.assert_allclose(chosen, padded[0], rtol=tol, atol=tol)


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_bounds_are_below_what_they_bound(rng, spherical, far):
    """In float32, of many features, from an origin that may be far away."""
    X = read_only(rng.standard_normal((200, 300)) + far, np.float32)
    centroids = X[rng.choice(200, 30, replace=False)].astype(np.float64)
    centroids = unit_rows(centroids) if spherical else centroids
    targets, lengths, bounds, *_ = bounds_of(X, centroids, spherical)
    rows = targets.scale * (X.astype(np.float64) - targets.shift)
    moved = targets.scale * (centroids - targets.shift)
    exact = -np.abs(moved @ rows.T)
    if not spherical:
        exact = 0.5 * np.sum(moved**2, axis=1)[:, None] - moved @ rows.T
    slack = 2.0 * np.outer(targets.errors, lengths) + targets.slacks[:, None]
    assert np.all(bounds <= exact)
    assert np.all(exact <= bounds + slack)


def assign(X, centroids, spherical):
    found = Assignment.empty(len(X))
    found.labels[:] = -7
    for values in found[1:]:
        values[:] = np.nan
    make_targets(centroids, spherical=spherical, like=X).assign(X, found)
    return found


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e15])
def test_assignment_is_exact(rng, dtype, spherical, unit):
    X = read_only(unit * rng.standard_normal((700, 6)), dtype)
    centroids = unit * rng.standard_normal((9, 6))
    centroids = unit_rows(centroids) if spherical else centroids
    labels, squares, sizes = assign(X, centroids, spherical)
    errors = centroid_errors(X, centroids, spherical=spherical)
    np.testing.assert_array_equal(labels, errors.argmin(axis=1))
    np.testing.assert_allclose(squares, errors.min(axis=1), rtol=1e-10)
    if spherical:
        expected = np.sum(X.astype(np.float64) * centroids[labels], axis=1)
        np.testing.assert_allclose(sizes, expected, rtol=1e-9, atol=1e-14 * unit)


@pytest.mark.parametrize("spherical", SPHERICAL)
def test_products_of_float32_cannot_tell_and_labels_are_exact(rng, spherical):
    """Centroids so close to one another that their products round to the same."""
    one = unit_rows(rng.standard_normal((1, 40)))
    centroids = one + 1e-9 * rng.standard_normal((8, 40))
    centroids = unit_rows(centroids) if spherical else centroids
    X = read_only(one + 0.1 * rng.standard_normal((300, 40)), np.float32)
    labels, _, _ = assign(X, centroids, spherical)
    if spherical:
        exact = -np.abs(X.astype(np.float64) @ centroids.T)
    else:
        exact = centroid_errors(X, centroids)
    np.testing.assert_array_equal(labels, exact.argmin(axis=1))
    assert np.unique(labels).size > 1


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.parametrize("dtype", DTYPES)
def test_first_of_equals_and_rows_that_are_centroids(rng, dtype, spherical):
    centroids = read_only(rng.integers(-3, 4, (6, 5)), dtype).astype(np.float64)
    centroids[0] = 1.0
    if spherical:
        centroids = unit_rows(centroids).astype(dtype).astype(np.float64)
    centroids[4] = centroids[1]
    X = read_only(centroids[[4, 0, 1, 5, 4]], dtype)
    labels, squares, _ = assign(X, centroids, spherical)
    np.testing.assert_array_equal(labels, [1, 0, 1, 5, 1])
    np.testing.assert_allclose(squares, 0.0, atol=1e-12 if spherical else 0.0)


def test_a_row_too_long_for_float32_is_measured_in_float64(rng):
    X = rng.standard_normal((20, 3))
    X[3] *= 1e30
    X[7, 0] = -1e38
    X = read_only(X, np.float32)
    centroids = rng.standard_normal((5, 3))
    labels, squares, _ = assign(X, centroids, False)
    errors = centroid_errors(X, centroids)
    np.testing.assert_allclose(squares, errors.min(axis=1), rtol=1e-10)
    assert labels.min() >= 0


@pytest.mark.parametrize("spherical", SPHERICAL)
def test_squared_errors(rng, spherical):
    X = read_only(rng.standard_normal((30, 4)), np.float32)
    centroids = X[:5].astype(np.float64)
    centroids = unit_rows(centroids) if spherical else centroids
    errors = np.full((5, 30), np.nan)
    kernels.squared_errors(X, centroids, spherical, errors)
    expected = centroid_errors(X, centroids, spherical=spherical).T
    np.testing.assert_allclose(errors, expected, rtol=1e-10, atol=1e-25)


def test_sums_of_labels(rng):
    X = read_only(rng.standard_normal((30, 4)))
    weights, labels = rng.random(30), rng.integers(-1, 3, 30, dtype=np.int32)
    sums = rng.standard_normal((3, 4))
    expected = [s + weights[labels == j] @ X[labels == j] for j, s in enumerate(sums)]
    kernels.add_rows(X, weights, labels, sums)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-14)
