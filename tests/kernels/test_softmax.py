"""The soft-max over rows, against its formulas in numpy."""

import numpy as np
import pytest
from reference import row_conjugates, row_losses, row_slopes
from scipy.special import logsumexp

from sparselearn._kernels._softmax import (
    class_gap,
    class_slopes,
    log_sum_of_others,
    measure_classes,
)


def rows_of(rng, n, n_classes=4, spread=2.0):
    """One-hot classes, predictors and weights of n rows; the second weighs nothing."""
    Y = np.eye(n_classes)[rng.integers(n_classes, size=n)]
    Z = spread * rng.standard_normal((n, n_classes))
    s = rng.uniform(0.1, 2.0, n)
    s[1:2] = 0.0
    return np.asfortranarray(Y), np.asfortranarray(Z), s / s.sum()


def empty(n, n_classes):
    return [np.full((n, n_classes), np.nan, order="F") for _ in range(2)]


@pytest.mark.parametrize("n", [1, 12])
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [True, False])
def test_rows(n, n_classes, weighted, rng):
    Y, Z, s = rows_of(rng, n, n_classes)
    if not weighted:
        s = np.full(n, 1.0 / n)
    given = s if weighted else s[:1]
    residual, curvature = empty(n, n_classes)
    pieces = [(0, n // 2), (n // 2, n)]
    total = sum(
        measure_classes(Y, Z, given, *piece, residual, curvature) for piece in pieces
    )
    matter = (s > 0.0)[:, None]
    slopes = row_slopes("softmax", Y, Z)
    P = Y + slopes
    assert total == pytest.approx(s @ row_losses("softmax", Y, Z))
    np.testing.assert_allclose(residual, -slopes * matter, atol=1e-14)
    np.testing.assert_allclose(curvature, P * (1.0 - P) * matter, atol=1e-14)

    slope, hessian = np.empty(n_classes), np.empty((n_classes, n_classes))
    class_slopes(residual, Y, given, slope, hessian)
    np.testing.assert_allclose(slope, -s @ slopes, atol=1e-14)
    expected = np.diag(s @ P) - (s[:, None] * P).T @ P
    np.testing.assert_allclose(hessian, expected, atol=1e-14)

    theta, scale = np.asfortranarray(-row_slopes("softmax", Y, Z - Y)), 0.6
    v = -scale * theta
    gap = row_losses("softmax", Y, Z) + row_conjugates("softmax", Y, v)
    gap -= np.sum(v * Z, axis=1)
    assert class_gap(Y, Z, theta, scale, given) == pytest.approx(s @ gap)

    out = np.empty(n)
    for k in range(n_classes):
        log_sum_of_others(Z, k, out)
        others = logsumexp(np.delete(Z, k, axis=1), axis=1)
        np.testing.assert_allclose(out, others, rtol=1e-13)


def test_the_gap_closes_at_the_optimum_only(rng):
    """It is a divergence: 0 at theta = y - p, and infinite outside the simplex."""
    Y, Z, s = rows_of(rng, 12)
    residual, curvature = empty(12, 4)
    measure_classes(Y, Z, s, 0, 12, residual, curvature)
    assert class_gap(Y, Z, residual, 1.0, s) == pytest.approx(0.0, abs=1e-15)
    assert class_gap(Y, Z, residual, 0.9, s) > 1e-4
    assert class_gap(Y, Z, residual, 1.5, s) == np.inf
    residual[1] = 5.0  # a row that weighs nothing
    assert class_gap(Y, Z, residual, 1.0, s) == pytest.approx(0.0, abs=1e-15)


def test_rows_of_extreme_predictions():
    """Right where exp overflows; small probabilities keep their digits."""
    Y = np.asfortranarray(np.eye(3)[[0, 1, 1]])
    Z = np.asfortranarray([[1e3, -1e3, 0.0], [1e3, -1e3, 0.0], [0.0, 40.0, 1.0]])
    residual, curvature = empty(3, 3)
    total = measure_classes(Y, Z, np.array([1 / 3]), 0, 3, residual, curvature)
    assert total == pytest.approx(2e3 / 3)
    np.testing.assert_array_equal(residual[:2], [[0, 0, 0], [-1, 1, 0]])
    np.testing.assert_array_equal(curvature[:2], 0.0)
    small = np.exp([-40.0, -39.0])
    np.testing.assert_allclose(residual[2], [-small[0], small.sum(), -small[1]])
    np.testing.assert_allclose(curvature[2], [small[0], small.sum(), small[1]])
    out = np.empty(3)
    log_sum_of_others(Z, 0, out)
    np.testing.assert_allclose(out, [0.0, 0.0, 40.0], atol=1e-12)
    assert class_gap(Y, Z, residual, 1.0, np.array([1 / 3])) == 0.0


def test_rows_that_weigh_nothing_count_for_nothing(rng):
    Y, Z, s = rows_of(rng, 5)
    Z[1] = [np.inf, 1e3, np.inf, 0.0]
    residual, curvature = empty(5, 4)
    total = measure_classes(Y, Z, s, 0, 5, residual, curvature)
    kept = np.array([0, 2, 3, 4])
    Y0, Z0 = np.asfortranarray(Y[kept]), np.asfortranarray(Z[kept])
    alone = empty(4, 4)
    assert total == measure_classes(Y0, Z0, s[kept], 0, 4, *alone)
    np.testing.assert_array_equal(residual[kept], alone[0])
    np.testing.assert_array_equal(residual[1], 0.0)
    np.testing.assert_array_equal(curvature[1], 0.0)
    gap = class_gap(Y, Z, residual, 0.5, s)
    assert gap == class_gap(Y0, Z0, alone[0], 0.5, s[kept])
