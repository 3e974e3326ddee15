"""What a Newton step needs of rows and columns, against the formulas in numpy."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import row_conjugates, row_losses, row_slopes

from sparselearn import losses
from sparselearn._kernels._glm import (
    chosen_curvatures,
    chosen_products,
    gap_between,
    measure_rows,
    slope_at,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

DELTA = 0.7
SPECS = {
    "logistic": losses.Logistic(),
    "poisson": losses.Poisson(),
    "huber": losses.Huber(DELTA),
}
each_kind = pytest.mark.parametrize("kind", SPECS)


def rows_of(kind, rng, n, spread=2.0):
    """Targets, predictors and weights of n rows, the second weighing nothing."""
    z = spread * rng.standard_normal(n)
    if kind == "logistic":
        y = rng.choice([0.0, 1.0, 0.3], n)
    elif kind == "poisson":
        y = rng.poisson(2.0, n).astype(float)
    else:
        y = rng.standard_normal(n)
    weights = rng.uniform(0.1, 2.0, n)
    weights[1:2] = 0.0
    return y, z, weights / weights.sum()


def bends(kind, y, z):
    """Second derivatives by their formulas."""
    if kind == "poisson":
        return np.exp(z)
    if kind == "huber":
        return (np.abs(y - z) <= DELTA) * 1.0
    return 1.0 / (2.0 + 2.0 * np.cosh(z))


@each_kind
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("n", [1, 12])
def test_rows(kind, weighted, n, rng):
    y, z, s = rows_of(kind, rng, n)
    if not weighted:
        s = np.full(n, 1.0 / n)
    given = s if weighted else s[:1]
    residual, curvature = np.full((2, n), np.nan)
    pieces = [(0, n // 2), (n // 2, n)]
    total = sum(
        measure_rows(SPECS[kind], y, z, given, *piece, residual, curvature)
        for piece in pieces
    )
    matter = s > 0.0
    assert total == pytest.approx(s @ row_losses(kind, y, z, DELTA))
    expected = -row_slopes(kind, y, z, DELTA) * matter
    np.testing.assert_allclose(residual, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(curvature, bends(kind, y, z) * matter, rtol=1e-12)

    shift = 0.4
    sums = np.sum(
        [slope_at(SPECS[kind], y, z, given, shift, *piece) for piece in pieces], axis=0
    )
    slopes = row_slopes(kind, y, z + shift, DELTA)
    moved = [s @ slopes, s @ np.abs(slopes), s @ bends(kind, y, z + shift)]
    np.testing.assert_allclose(sums, moved, rtol=1e-12, atol=1e-15)

    theta, scale = -row_slopes(kind, y, z - 0.3, DELTA), 0.6
    v = -scale * theta
    gap = row_losses(kind, y, z, DELTA) + row_conjugates(kind, y, v, DELTA) - v * z
    found = sum(
        gap_between(SPECS[kind], y, z, theta, scale, given, *piece) for piece in pieces
    )
    assert found == pytest.approx(s @ gap)


@each_kind
def test_rows_of_extreme_predictions(kind):
    """At 1e3 of either sign: the ends of the losses, exactly; nothing is nan."""
    y, z, s = np.array([0.0, 1.0, 0.0, 1.0]), np.array([-1e3, -1e3, 1e3, 1e3]), [0.25]
    residual, curvature = np.full((2, 4), np.nan)
    total = measure_rows(SPECS[kind], y, z, np.array(s), 0, 4, residual, curvature)
    assert not np.any(np.isnan([total, *residual, *curvature]))
    if kind == "logistic":
        assert total == 500.0
        np.testing.assert_array_equal(residual, [0.0, 1.0, -1.0, 0.0])
        np.testing.assert_array_equal(curvature, 0.0)
    elif kind == "poisson":
        assert total == np.inf
        np.testing.assert_array_equal(residual, [0.0, 1.0, -np.inf, -np.inf])
        np.testing.assert_array_equal(curvature, [0.0, 0.0, np.inf, np.inf])
    else:
        assert total == pytest.approx(0.7 * (1e3 - 0.35))
        np.testing.assert_array_equal(residual, [0.7, 0.7, -0.7, -0.7])
        np.testing.assert_array_equal(curvature, 0.0)


@each_kind
def test_rows_that_weigh_nothing_count_for_nothing(kind):
    """Whatever their predictions are: 0 times infinity is 0 here."""
    y, s = np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.4, 0.6])
    for z in (np.array([1e3, 0.5, -0.2]), np.array([np.inf, 0.5, -0.2])):
        residual, curvature = np.full((2, 3), np.nan)
        total = measure_rows(SPECS[kind], y, z, s, 0, 3, residual, curvature)
        alone = np.full((2, 2), np.nan)
        rest = y[1:], z[1:], s[1:]
        assert total == measure_rows(SPECS[kind], *rest, 0, 2, *alone)
        np.testing.assert_array_equal(residual, [0.0, *alone[0]])
        np.testing.assert_array_equal(curvature, [0.0, *alone[1]])
        sums = slope_at(SPECS[kind], y, z, s, 0.1, 0, 3)
        assert sums == slope_at(SPECS[kind], *rest, 0.1, 0, 2)
        gap = gap_between(SPECS[kind], y, z, residual, 0.5, s, 0, 3)
        assert gap == gap_between(SPECS[kind], y[1:], z[1:], alone[0], 0.5, s[1:], 0, 2)


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_chosen_columns(storage, dtype, rng):
    X = rng.standard_normal((15, 6)) * (rng.uniform(size=(15, 6)) < 0.6)
    X = X.astype(dtype)
    s = rng.uniform(0.1, 1.0, 15)
    s /= s.sum()
    design = make_problem(column_major(storage(X)), s, fit_intercept=True).design
    features, u = np.array([4, 0, 5]), rng.standard_normal(15)
    centred = X.astype(float) - s @ X.astype(float)
    out = np.empty(3)
    chosen_products(design, features, u, np.sum(u), out)
    np.testing.assert_allclose(out, centred[:, features].T @ u, rtol=1e-6, atol=1e-12)
    bent = np.full(6, np.nan)
    chosen_curvatures(design, features, bent)
    np.testing.assert_allclose(bent[features], s @ centred[:, features] ** 2, rtol=1e-6)
    assert np.all(np.isnan(bent[[1, 2, 3]]))
