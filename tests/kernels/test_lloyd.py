"""What the kernels of K-means prove is what float64 finds."""

import numpy as np
import pytest
from reference import centroid_errors

from sparselearn._kernels import _lloyd as kernels
from sparselearn._kernels import _whole
from sparselearn._kernels._jit import kernel
from sparselearn._kernels._tiles import bound_products, multiplies_integers
from sparselearn._solvers import _frame, _sketch
from sparselearn._solvers._nearest import Assignment, Coordinates, rows_near
from sparselearn._solvers._sketch import BYTES, SHORTS
from sparselearn._solvers._whole import keep_whole, whole_rows

DTYPES = [np.float32, np.float64]
SPHERICAL = [False, True]
KINDS = [None, SHORTS, BYTES]


@kernel
def bounded_by(
    are_bytes,
    are_sizes,
    rows,
    places,
    factors,
    first,
    panel,
    starts,
    terms,
    limits,
    bounds,
    near,
):
    bound_products(
        are_bytes,
        are_sizes,
        rows,
        places,
        factors,
        first,
        panel,
        starts,
        terms,
        limits,
        bounds,
        near,
    )


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


@pytest.fixture(params=KINDS, ids=["floats", "shorts", "bytes"])
def integers(request, monkeypatch):
    """What coordinates are rounded to, or None: whatever it is good for."""
    kind = request.param
    if kind is None:
        monkeypatch.setattr(_frame, "multiplies_integers", lambda: False)
    elif not multiplies_integers():
        pytest.skip("the processor has no instructions for products of integers")
    else:
        monkeypatch.setattr(_frame, "SHORTS", kind._replace(price=1e-9))
        monkeypatch.setattr(_frame, "BYTES", kind._replace(price=1e-9))
        monkeypatch.setattr(_sketch, "DEAR", 0.0)
    return kind


def held(X, centroids, spherical, sketched):
    rows = rows_near(X, centroids, spherical=spherical)
    if sketched:
        rows.keep(centroids, run=map)
    return rows


def float_bounds(rows, X, targets):
    frame, known = rows.frame, rows.known
    if known is None:
        known = Coordinates.empty(len(X), frame)
        frame.coordinates(X, known)
    bounds = known.values @ targets.coordinates.T
    if frame.spherical:
        reaches = np.outer(known.reaches, targets.reaches[: len(targets.centroids)])
        bounds = np.abs(bounds) + reaches
    return bounds


def whole_bounds(rows, X, targets):
    """By the integers themselves, in the plain way."""
    frame, known = rows.frame, rows.known
    if known is None:
        known = whole_rows(len(X), frame)
        keep_whole(X, frame, known, Coordinates.empty(len(X), frame))
    kind, panels = frame.integers, targets.panels
    z = known.lanes.view(kind.dtype).astype(np.float64)[:, : frame.n_coordinates]
    lanes, starts, terms, share = panels
    columns = np.ascontiguousarray(lanes.transpose(0, 2, 1)).view(kind.signed)
    columns = columns.reshape(-1, columns.shape[2])[:, : frame.n_coordinates]
    sums = z @ columns.T.astype(np.float64) + starts.ravel()
    unit, error, size, reach = known.terms.T[:, :, None]
    units, sizes, reaches, halves = terms.transpose(1, 0, 2).reshape(4, -1)
    bounds = unit * units * (np.abs(sums) if frame.spherical else sums)
    bounds += (error + share * size) * sizes + reach * reaches + halves
    return bounds[:, : len(targets.centroids)]


def least_bounds(X, centroids, spherical, sketched):
    """What products stand for, in the dtype of the rows, and what it is exactly."""
    rows = held(X, centroids, spherical, sketched)
    frame, targets = rows.frame, rows.targets(centroids)
    bound = float_bounds if frame.integers is None else whole_bounds
    bounds, moved = bound(rows, X, targets), X.astype(np.float64)
    if spherical:
        return bounds, np.abs(frame.scale * (moved @ centroids.T))
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
def test_products_bound_what_they_stand_for(rng, spherical, far, sketched, integers):
    """In float32 or integers, of many features, from an origin that may be far away."""
    X = rng.standard_normal((200, 60)) * np.linspace(1.0, 0.05, 60) + far
    X = read_only(X, np.float32)
    centroids = X[rng.choice(200, 30, replace=False)].astype(np.float64)
    centroids = unit_rows(centroids) if spherical else centroids
    bounds, exact = least_bounds(X, centroids, spherical, sketched)
    assert np.all(bounds >= exact)
    loose = 3e-2 if integers is BYTES else 1e-3
    if not sketched:
        assert np.all(bounds <= exact + loose * np.abs(exact).max())
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
@pytest.mark.usefixtures("eager", "integers")
def test_assignment_is_exact(rng, dtype, spherical, unit, sketched, n_components):
    """Whatever the labels that it begins with, and where there are none."""
    X = read_only(unit * rng.standard_normal((700, 9)), dtype)
    centroids = unit * rng.standard_normal((n_components, 9))
    centroids = unit_rows(centroids) if spherical else centroids
    before = rng.integers(-1, n_components, size=700)
    labels, squares, sizes = assign(X, centroids, spherical, sketched, before)
    errors = centroid_errors(X, centroids, spherical=spherical)
    np.testing.assert_array_equal(labels, errors.argmin(axis=1))
    np.testing.assert_allclose(squares, errors.min(axis=1), rtol=1e-10)
    if spherical:
        expected = np.sum(X.astype(np.float64) * centroids[labels], axis=1)
        np.testing.assert_allclose(sizes, expected, rtol=1e-9, atol=1e-14 * unit)


@pytest.mark.parametrize("spherical", SPHERICAL)
@pytest.mark.usefixtures("integers")
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
@pytest.mark.usefixtures("integers")
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


@pytest.mark.usefixtures("integers")
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


@pytest.mark.skipif(not multiplies_integers(), reason="no instructions for them")
@pytest.mark.parametrize("are_bytes", [False, True])
@pytest.mark.parametrize("are_sizes", [False, True])
def test_products_of_integers(rng, are_bytes, are_sizes):
    """Compiled as in plain numpy: the largest numbers, and rows in any order."""
    n_lanes, big = 7, 127 if are_bytes else 8000
    kinds = (np.uint8, np.int8) if are_bytes else (np.int16, np.int16)
    n = n_lanes * (4 if are_bytes else 2)
    rows = rng.integers(
        0 if are_bytes else -big, 2 * big if are_bytes else big, (20, n)
    )
    rows[3] = 255 if are_bytes else -big
    panel = rng.integers(-big, big + 1, (n, _whole.TILE_COLUMNS))
    panel[:, 5] = -big
    lanes = rows.astype(kinds[0]).view(np.int32)
    packed = np.ascontiguousarray(panel.T.astype(kinds[1])).view(np.int32).T
    starts = rng.integers(-1000, 1000, _whole.TILE_COLUMNS, dtype=np.int32)
    factors, limits = rng.random((11, 3)).astype(np.float32), np.zeros(11, np.float32)
    limits[:] = np.quantile(rows @ panel, 0.7) * factors[:, 0] / 2
    terms = rng.standard_normal((4, _whole.TILE_COLUMNS)).astype(np.float32)
    terms[3, 9] = np.nan
    places = np.array([3, 0, 19, 7, 7, 4, 12, 1])
    found = []
    for run in (bounded_by, bounded_by.py_func):
        bounds = np.zeros((11, _whole.TILE_COLUMNS), np.float32)
        near = np.zeros(11, np.int32)
        run(
            are_bytes,
            are_sizes,
            lanes,
            places,
            factors,
            2,
            np.ascontiguousarray(packed),
            starts,
            terms,
            limits,
            bounds,
            near,
        )
        found.append((bounds, near))
    sums = rows[places] @ panel + starts
    sums = np.abs(sums) if are_sizes else sums
    f = factors[2:10].T[:, :, None]
    expected = f[0] * terms[0] * sums + f[1] * terms[1] + f[2] * terms[2] + terms[3]
    for bounds, near in found:
        np.testing.assert_allclose(bounds[2:10], expected, rtol=1e-5, atol=1e-2)
        reached = ~(bounds[2:10] < limits[2:10, None])
        bits = near[2:10, None] >> np.arange(32) & 1
        np.testing.assert_array_equal(bits, reached)
        assert 0.1 < np.mean(reached) < 0.9
        assert np.all(reached[:, 9])
        for part in (bounds, near):
            assert not part[:2].any()
            assert not part[10:].any()


@pytest.mark.skipif(not multiplies_integers(), reason="no instructions for them")
@pytest.mark.parametrize("spherical", SPHERICAL)
def test_the_kind_of_products_is_that_of_the_rows(rng, spherical):
    """Bytes where they tell centroids apart; what is finer where they do not."""
    X = rng.standard_normal((400, 60))
    kinds = {}
    for spread in (1.0, 0.02, 1e-6):
        # From one row that all are near, or from what is far from all others.
        Y = spread * X
        Y[::10] = Y[::10] + 1.0 if spherical else X[::10]
        Y = read_only(Y + 1.0 if spherical else Y)
        centroids = unit_rows(Y[:200]) if spherical else Y[:200]
        rows = rows_near(Y, centroids, spherical=spherical)
        rows.keep(centroids, run=map)
        kinds[spread] = rows.frame.integers
    assert kinds[1.0] == BYTES
    assert kinds[1e-6] is None
