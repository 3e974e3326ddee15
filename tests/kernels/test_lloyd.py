"""What the kernels of K-means prove is what float64 finds."""

import numpy as np
import pytest
from reference import centroid_errors

from sparselearn._kernels import _lloyd as kernels
from sparselearn._solvers import _sketch
from sparselearn._solvers._nearest import Assignment, Coordinates, rows_near

DTYPES = [np.float32, np.float64]
SPHERICAL = [False, True]


def unit_rows(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def read_only(X, dtype=np.float64):
    X = np.array(X, dtype=dtype, order="C")
    X.flags.writeable = False
    return X


@pytest.mark.parametrize("dtype", DTYPES)
def test_centre(rng, dtype):
    X = read_only(rng.standard_normal((9, 5)) + 3.0, dtype)
    shift = rng.standard_normal(5).astype(dtype)
    centred, lengths = np.full_like(X, np.nan), np.full(9, np.nan, dtype)
    kernels.centre(X, shift, dtype(0.25), centred, lengths)
    np.testing.assert_allclose(centred, (X - shift) / 4.0, rtol=1e-6)
    np.testing.assert_allclose(lengths, np.linalg.norm(centred, axis=1), rtol=1e-6)


def held(X, centroids, spherical, sketched):
    rows = rows_near(X, centroids, spherical=spherical)
    if sketched:
        rows.sketch(centroids, run=map)
    return rows


def least_bounds(X, centroids, spherical, sketched):
    """What products stand for, in the dtype of the rows, and what it is exactly."""
    rows = held(X, centroids, spherical, sketched)
    frame, targets, known = rows.frame, rows.targets(centroids), rows.known
    if not sketched:
        known = Coordinates.empty(len(X), frame.n_coordinates, X.dtype)
        frame.coordinates(X, known)
    bounds = known.values @ targets.coordinates.T
    moved = X.astype(np.float64)
    if spherical:
        reaches = np.outer(known.reaches, targets.reaches[: len(centroids)])
        return np.abs(bounds) + reaches, np.abs(frame.scale * (moved @ centroids.T))
    moved, centroids = frame.moved(moved), frame.moved(centroids)
    return bounds, moved @ centroids.T - 0.5 * np.sum(centroids**2, axis=1)


@pytest.fixture
def eager(monkeypatch):
    """A sketch of half the coordinates, whatever it is good for."""
    monkeypatch.setattr(_sketch, "SHARES", [0.5])
    monkeypatch.setattr(_sketch, "ENOUGH", np.inf)


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.parametrize("far", [0.0, 1e4])
@pytest.mark.parametrize("sketched", [False, True])
@pytest.mark.usefixtures("eager")
def test_products_bound_what_they_stand_for(rng, spherical, far, sketched):
    """In float32, of many features, from an origin that may be far away."""
    X = rng.standard_normal((200, 60)) * np.linspace(1.0, 0.05, 60) + far
    X = read_only(X, np.float32)
    centroids = X[rng.choice(200, 30, replace=False)].astype(np.float64)
    centroids = unit_rows(centroids) if spherical else centroids
    bounds, exact = least_bounds(X, centroids, spherical, sketched)
    assert np.all(bounds >= exact)
    if not sketched:
        assert np.all(bounds <= exact + 1e-3 * np.abs(exact).max())
    elif not (spherical and far):  # there is something that it leaves
        assert np.mean(bounds > exact + 1e-3 * np.abs(exact).max()) > 0.5


def assign(X, centroids, spherical, sketched=False, labels=None):
    found = Assignment.empty(len(X))
    if labels is not None:
        found.labels[:] = labels
    for values in found[1:]:
        values[:] = np.nan
    rows = held(X, centroids, spherical, sketched)
    assert sketched == (rows.frame.sketch is not None)
    rows.targets(centroids).assign(X, found, rows.known)
    return found


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("sketched", [False, True])
@pytest.mark.parametrize("n_components", [1, 9, 150])
@pytest.mark.usefixtures("eager")
def test_assignment_is_exact(rng, dtype, spherical, unit, sketched, n_components):
    """Whatever the labels that it begins with."""
    X = read_only(unit * rng.standard_normal((700, 9)), dtype)
    centroids = unit * rng.standard_normal((n_components, 9))
    centroids = unit_rows(centroids) if spherical else centroids
    before = rng.integers(n_components, size=700)
    labels, squares, sizes = assign(X, centroids, spherical, sketched, before)
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
    before = rng.integers(6, size=5)
    labels, squares, _ = assign(X, centroids, spherical, labels=before)
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
@pytest.mark.parametrize("n_features", [4, 150])
def test_least_errors(rng, spherical, n_features):
    X = read_only(rng.standard_normal((30, n_features)), np.float32)
    centroids = X[:5].astype(np.float64)
    centroids = unit_rows(centroids) if spherical else centroids
    errors, closest = np.full((5, 30), np.nan), n_features * 4.0 * rng.random(30)
    closest[::3] = np.inf
    kernels.least_errors(X, centroids, spherical, closest, errors)
    expected = centroid_errors(X, centroids, spherical=spherical).T
    expected = np.minimum(expected, closest)
    np.testing.assert_allclose(errors, expected, rtol=1e-10, atol=1e-25)
    assert 0 < np.mean(expected == closest) < 1


def test_sums_of_labels(rng):
    X = read_only(rng.standard_normal((30, 4)))
    weights, labels = rng.random(30), rng.integers(-1, 3, 30, dtype=np.int32)
    sums = rng.standard_normal((3, 4))
    expected = [s + weights[labels == j] @ X[labels == j] for j, s in enumerate(sums)]
    kernels.add_rows(X, weights, labels, sums)
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-14)
