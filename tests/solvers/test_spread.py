"""Laws of all sums with a mean: those of parts are those of the whole."""

import functools
import operator

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import xlogy

from sparselearn._parallel import bounded, stream
from sparselearn._solvers import _spread
from sparselearn._solvers._moments import batch_moments
from sparselearn._solvers._score_sums import ErrorSums
from sparselearn._solvers._spread import covariance_of, is_constant, spread_of
from sparselearn._validation import column_major
from sparselearn.decomposition._sums import FeatureSums
from sparselearn.linear_model._deviance import DevianceSums

PARTS = [slice(0, 7), slice(7, 7), slice(7, 8), slice(8, 30), slice(30, 50)]
FAR = 1e8


def targets_of(X):
    """What some sums have beside X."""
    X = X[:, :2].toarray() if sp.issparse(X) else X[:, :2]
    return X.astype(np.float64) * [2.0, -1.0]


def moments_of(X, weights):
    if not weights.any():
        return None
    return batch_moments(column_major(X), targets_of(X), weights)


def errors_of(X, weights):
    y = targets_of(X)
    return ErrorSums.of(y, y + 0.5, weights)


def means_of(X, weights):
    return FeatureSums.of(X, weights)


def deviances_of(X, weights):
    y = targets_of(X)[:, 0] ** 2
    return DevianceSums.of(y, y + 0.5, weights)


SQUARES = {
    "spread": spread_of,
    "covariance": covariance_of,
    "moments": moments_of,
    "errors": errors_of,
}
SUMS = SQUARES | {"means": means_of, "deviances": deviances_of}
EACH = pytest.mark.parametrize("of", SUMS.values(), ids=SUMS)
EACH_OF_SQUARES = pytest.mark.parametrize("of", SQUARES.values(), ids=SQUARES)
SPARSE = pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])


@pytest.fixture
def _short_chunks(monkeypatch):
    monkeypatch.setattr(_spread, "CHUNK", 16)
    monkeypatch.setattr(_spread, "NUMBERS", 64)


@pytest.fixture
def X(rng):
    X = rng.standard_normal((50, 4)) @ rng.standard_normal((4, 4))
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    return X


@pytest.fixture
def weights(rng):
    weights = rng.integers(0, 4, 50).astype(float)
    weights[30:] = 0.0  # a whole part
    return weights


def stored(X, sparse):
    return sp.csr_array(X) if sparse else X


def by_definition(of, X, weights):
    """All that the sums of dense rows have, by name."""

    def about_mean(a):
        return a - weights @ a / weights.sum()

    def scatter(a, b):
        return (weights[:, None] * about_mean(a)).T @ about_mean(b)

    y, total = targets_of(X), weights.sum()
    x_mean, y_mean = weights @ X / total, weights @ y / total
    x_scatter, y_square = scatter(X, X), np.diagonal(scatter(y, y))
    if of is moments_of:
        return {
            "weight": total,
            "x_mean": x_mean,
            "y_mean": y_mean,
            "scatter": x_scatter,
            "cross": scatter(X, y),
            "square": y_square,
        }
    if of is errors_of:
        return {
            "weight": total,
            "mean": y_mean,
            "scatter": y_square,
            "error": np.full(2, 0.25 * total),
        }
    if of is means_of:
        return {"masses": np.full(X.shape[1], total), "mean": x_mean}
    if of is deviances_of:
        y = y[:, 0] ** 2
        mean = weights @ y / total
        spread, error = (
            weights @ (xlogy(y, y) - xlogy(y, m) - y + m) for m in (mean, y + 0.5)
        )
        return {"weight": total, "mean": mean, "spread": spread, "error": error}
    if of is spread_of:
        x_scatter = np.diagonal(x_scatter)
    return {"weight": total, "mean": x_mean, "scatter": x_scatter}


def entries(sums):
    if isinstance(sums, ErrorSums):
        return sums.targets._asdict() | {"error": sums.error}
    return sums._asdict() if isinstance(sums, tuple) else vars(sums)


def assert_same(found, expected, rtol=1e-12):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        atol = rtol * np.abs(value).max()
        np.testing.assert_allclose(
            found[name], value, rtol=rtol, atol=atol, err_msg=name
        )
        assert np.asarray(found[name]).dtype == np.float64


def added(parts):
    """As chunks are added up: those without weight may have no sums."""
    return functools.reduce(operator.add, [part for part in parts if part is not None])


@EACH
@SPARSE
@pytest.mark.usefixtures("_short_chunks")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_they_are_what_they_say(of, X, weights, sparse, dtype):
    X = X.astype(dtype)
    found = entries(of(stored(X, sparse), weights))
    assert_same(found, by_definition(of, X.astype(np.float64), weights))


@EACH
@SPARSE
@pytest.mark.usefixtures("_short_chunks")
def test_those_of_parts_add_up_in_any_order(of, X, weights, sparse):
    rows = stored(X, sparse)
    parts = [of(rows[part], weights[part]) for part in PARTS]
    known = [part for part in parts if part is not None]
    before = [{k: np.copy(v) for k, v in entries(part).items()} for part in known]
    whole = entries(of(rows, weights))
    assert_same(entries(added(parts)), whole)
    assert_same(entries(added(parts[::-1])), whole)
    assert_same(entries(added([added(parts[:3]), added(parts[3:])])), whole)
    for part, values in zip(known, before, strict=True):
        assert_same(entries(part), values, rtol=0.0)


@EACH
@SPARSE
@pytest.mark.usefixtures("_short_chunks")
def test_a_weight_is_how_often_a_row_occurs(of, X, weights, sparse):
    rows = stored(X, sparse)
    often = np.repeat(np.arange(50), weights.astype(int))
    expected = entries(of(rows[often], np.ones(often.size)))
    assert_same(entries(of(rows, weights)), expected)


@EACH
@SPARSE
def test_one_row_has_no_scatter(of, X, sparse):
    found = entries(of(stored(X[:1], sparse), np.full(1, 3.0)))
    assert np.all(found["masses" if of is means_of else "weight"] == 3.0)
    for name in {"scatter", "cross", "square", "spread"} & found.keys():
        assert not np.any(found[name]), name


@EACH
@SPARSE
def test_zeros(of, sparse):
    found = entries(of(stored(np.zeros((5, 4)), sparse), np.ones(5)))
    assert_same(found, by_definition(of, np.zeros((5, 4)), np.ones(5)), rtol=0.0)


@EACH_OF_SQUARES
@SPARSE
@pytest.mark.usefixtures("_short_chunks")
@pytest.mark.parametrize("scale", [2.0**-200, 1.0, 2.0**200])
def test_far_from_the_origin(of, X, weights, sparse, scale):
    """X + 1e8 has eight digits less than X; those that are left stay, in any unit."""
    far = X + FAR
    near = far - FAR  # exactly
    rows = stored(scale * far, sparse)
    found = entries(added([of(rows[part], weights[part]) for part in PARTS]))
    expected = by_definition(of, near, weights)
    for name in {"scatter", "cross", "square"} & found.keys():
        atol = 1e-7 * np.abs(expected[name]).max()
        np.testing.assert_allclose(
            found[name] / scale**2, expected[name], rtol=0.0, atol=atol, err_msg=name
        )
    for name in {"mean", "x_mean", "y_mean"} & found.keys():
        exact = by_definition(of, far, weights)[name]
        np.testing.assert_allclose(found[name] / scale, exact, rtol=1e-15)


@EACH_OF_SQUARES
@SPARSE
def test_what_is_constant_is_found_to_be(of, sparse, rng):
    """However many rows there are: also where their mean is rounded a lot."""
    X = np.full((2**19, 2), 0.1)
    X[:, 1] = rng.standard_normal(len(X))
    X[:, 1] *= 2**-10
    rows, weights = stored(X, sparse), np.ones(len(X))
    halves = [slice(0, 300_000), slice(300_000, None)]
    for sums in (of(rows, weights), added([of(rows[h], weights[h]) for h in halves])):
        found = entries(sums)
        mean = found["mean"] if "mean" in found else found["x_mean"]
        squares = found["scatter"]
        if squares.ndim == 2:
            squares = np.diagonal(squares)
        constant = is_constant(squares / found["weight"], mean)
        assert list(constant) == [True, False]
        if of is moments_of:
            constant = is_constant(found["square"] / found["weight"], found["y_mean"])
            assert list(constant) == [True, False]


@SPARSE
@pytest.mark.usefixtures("_short_chunks")
@pytest.mark.parametrize("of", [spread_of, covariance_of])
def test_threads_give_the_same_bits_and_symmetry(of, X, sparse):
    rows, weights = stored(X, sparse), np.linspace(0.0, 1.0, 50)
    with stream(2) as run:
        found = of(rows, weights, run)
    assert all(map(np.array_equal, found, bounded(of, rows, weights)))
    assert np.array_equal(found.scatter, found.scatter.T)


def test_sizes_of_a_spread(X):
    """Those that thresholds are relative to."""
    X = X + 3.0
    found = spread_of(X)
    assert found.variance == pytest.approx(X.var(axis=0).sum())
    assert found.energy == pytest.approx((X**2).sum() / 50)
    np.testing.assert_allclose(found.deviations, X.std(axis=0))
    assert found.size(np.float64) == pytest.approx(np.sqrt(X.var(axis=0).mean()))
    nearly = spread_of(1e5 + 1e-3 * X)
    assert nearly.size(np.float64) == pytest.approx(1e-3 * found.size(np.float64))
    assert nearly.size(np.float32) == 1.0
