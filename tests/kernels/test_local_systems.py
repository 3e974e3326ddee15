"""Small systems: weights of near centroids, and rows from projections."""

import numpy as np
import pytest
from reference import local_codes, shortest_rows

from sparselearn._kernels import _local_systems

SHARE = 1e-4


def weights_of(X, centroids, n_nonzero):
    """Codes of all centroids, as an ndarray."""
    d = np.linalg.norm(X[:, None] - centroids[None], axis=2)
    places = np.argsort(d, axis=1, kind="stable")[:, :n_nonzero].astype(np.int32)
    weights = np.full(places.shape, np.nan)
    parts = X @ centroids.T, np.sum(X**2, axis=1), centroids, places
    system = np.full((n_nonzero, n_nonzero), np.nan)
    _local_systems.local_weights(*parts, SHARE, system, weights)
    codes = np.zeros((len(X), len(centroids)))
    np.put_along_axis(codes, places, weights, axis=1)
    return codes


@pytest.mark.parametrize("n_nonzero", [1, 2, 5, 12])
@pytest.mark.parametrize("n_features", [1, 3, 20])
def test_weights_are_least_squares(rng, n_nonzero, n_features):
    X = rng.standard_normal((30, n_features))
    centroids = rng.standard_normal((12, n_features))
    codes = weights_of(X, centroids, n_nonzero)
    np.testing.assert_allclose(codes, local_codes(X, centroids, n_nonzero), atol=1e-8)
    np.testing.assert_allclose(codes.sum(axis=1), 1.0, atol=1e-12)


def test_weights_of_rows_at_centroids(rng):
    """One of them, two that are the same, and a row all of whose centroids it is."""
    centroids = rng.standard_normal((6, 3))
    centroids[1] = centroids[0]
    X = centroids[[0, 3]]
    codes = weights_of(X, centroids, 3)
    np.testing.assert_allclose(codes, local_codes(X, centroids, 3), atol=1e-6)
    assert codes[0, 0] == pytest.approx(codes[0, 1])
    codes = weights_of(X[:1], centroids, 2)
    np.testing.assert_array_equal(codes[0], [0.5, 0.5, 0.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_weights_have_no_unit(rng, scale):
    X, centroids = rng.standard_normal((30, 4)), rng.standard_normal((9, 4))
    codes = weights_of(X, centroids, 5)
    scaled = weights_of(scale * X, scale * centroids, 5)
    np.testing.assert_allclose(scaled, codes, atol=1e-8)


def rows_of(codes, directions, share=1e-13):
    lengths = np.count_nonzero(codes, axis=1)
    places = np.nonzero(codes)[1].astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.full((len(codes), directions.shape[1]), np.nan)
    size = lengths.max()
    scratch = np.full((size, size), np.nan), np.full(size, np.nan)
    data = codes[codes != 0.0]
    _local_systems.shortest_rows(
        data, places, starts, directions, share, *scratch, rows
    )
    return rows


def test_shortest_rows_are_least_squares(rng):
    directions = rng.standard_normal((9, 20))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    codes = rng.standard_normal((30, 9)) * (rng.uniform(size=(30, 9)) < 0.4)
    rows = rows_of(codes, directions)
    np.testing.assert_allclose(rows, shortest_rows(codes, directions), atol=1e-9)
    # They have the projections.
    products = np.where(codes != 0.0, rows @ directions.T, 0.0)
    np.testing.assert_allclose(products, codes, atol=1e-9)


def test_shortest_rows_of_too_many_directions(rng):
    """More than dimensions, some of them twice, and one of length 0."""
    directions = rng.standard_normal((9, 4))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    directions[1] = directions[0]
    directions[8] = 0.0
    X = rng.standard_normal((30, 4))
    np.testing.assert_allclose(rows_of(X @ directions.T, directions), X, atol=1e-9)
