"""Laws of every loss, by finite differences and by brute force."""

import numpy as np
import pytest
from reference import minimise_on_grid

from sparselearn import losses

LOSSES = [losses.Quadratic()]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


@every_loss
def test_derivatives(loss, rng):
    y, z, h = rng.standard_normal(20), rng.standard_normal(20), 1e-5
    up, down = losses.value(loss, y, z + h), losses.value(loss, y, z - h)
    np.testing.assert_allclose(
        losses.gradient(loss, y, z), (up - down) / (2 * h), rtol=1e-6, atol=1e-9
    )
    rise = losses.gradient(loss, y, z + h) - losses.gradient(loss, y, z - h)
    np.testing.assert_allclose(losses.curvature(loss, y, z), rise / (2 * h), rtol=1e-6)


@every_loss
def test_conjugate_is_the_supremum(loss, rng):
    for y, v in rng.standard_normal((20, 2)):
        _, lowest = minimise_on_grid(
            lambda z, y=y, v=v: losses.value(loss, y, z) - v * z
        )
        assert losses.conjugate(loss, y, v) == pytest.approx(-lowest, abs=1e-6)


@every_loss
def test_fenchel_gap_is_the_sum_that_it_stands_for(loss, rng):
    y, z, v = rng.standard_normal((3, 50))
    direct = losses.value(loss, y, z) + losses.conjugate(loss, y, v) - v * z
    np.testing.assert_allclose(losses.fenchel_gap(loss, y, z, v), direct, atol=1e-12)
    slope = losses.gradient(loss, y, z)
    np.testing.assert_allclose(losses.fenchel_gap(loss, y, z, slope), 0.0, atol=1e-15)
