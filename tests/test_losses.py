"""Laws of every loss, by finite differences and by brute force."""

import numpy as np
import pytest
from reference import minimise_on_grid

from sparselearn import losses
from sparselearn._kernels._jit import kernel

LOSSES = [
    losses.Quadratic(),
    losses.Logistic(),
    losses.Poisson(),
    losses.Huber(0.7),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def targets(loss, rng, size):
    """Targets of the kind that `loss` is for."""
    if isinstance(loss, losses.Logistic):
        return rng.choice([0.0, 1.0, 0.3], size)
    if isinstance(loss, losses.Poisson):
        return rng.poisson(2.0, size).astype(float)
    return rng.standard_normal(size)


def slopes(loss, y, rng):
    """Points of the domain of the conjugate, its ends among them."""
    lower, upper = {
        losses.Quadratic: (-3.0 + 0.0 * y, 3.0 + 0.0 * y),
        losses.Logistic: (-y, 1.0 - y),
        losses.Poisson: (-y, 3.0 + 0.0 * y),
        losses.Huber: (-0.7 + 0.0 * y, 0.7 + 0.0 * y),
    }[type(loss)]
    share = rng.uniform(size=y.size)
    share[:2] = 0.0, 1.0
    return (1.0 - share) * lower + share * upper


@every_loss
def test_derivatives(loss, rng):
    y, z, h = targets(loss, rng, 20), rng.standard_normal(20), 1e-5
    up, down = losses.value(loss, y, z + h), losses.value(loss, y, z - h)
    np.testing.assert_allclose(
        losses.gradient(loss, y, z), (up - down) / (2 * h), rtol=1e-6, atol=1e-9
    )
    rise = losses.gradient(loss, y, z + h) - losses.gradient(loss, y, z - h)
    np.testing.assert_allclose(
        losses.curvature(loss, y, z), rise / (2 * h), rtol=1e-6, atol=1e-10
    )


@every_loss
def test_safe_steps_never_raise_the_loss(loss, rng):
    """A parabola of this curvature is above the loss; for Poisson, a step is safe."""
    z = np.concatenate([5.0 * rng.standard_normal(20), [-40.0, 0.0, 40.0]])
    y = targets(loss, rng, z.size)
    y[:3] = 1.0
    slope, value = losses.gradient(loss, y, z), losses.value(loss, y, z)
    bend = losses.safe_curvature(loss, y, z)
    step = -slope / bend
    assert np.all(losses.value(loss, y, z + step) <= value * (1 + 1e-12) + 1e-12)
    if not isinstance(loss, losses.Poisson):
        d = np.linspace(-100.0, 100.0, 2001)[:, None]
        parabola = value + slope * d + 0.5 * bend * d**2
        above = parabola - losses.value(loss, y, z + d)
        assert np.min(above) >= -1e-10
    # And no more than it takes: somewhere near, it is the curvature itself.
    near = y if isinstance(loss, losses.Huber) else np.zeros(z.size)
    if isinstance(loss, losses.Poisson):
        near = np.log(np.maximum(y, 1.0))
        y = np.maximum(y, 1.0)
    np.testing.assert_allclose(
        losses.safe_curvature(loss, y, near), losses.curvature(loss, y, near)
    )


@every_loss
def test_conjugate_is_the_supremum(loss, rng):
    several = targets(loss, rng, 20)
    for y, v in zip(several, slopes(loss, several, rng)):

        def less_linear(z, y=y, v=v):
            return losses.value(loss, y, z) - v * z

        _, lowest = minimise_on_grid(less_linear, lower=-40.0, upper=40.0)
        assert losses.conjugate(loss, y, v) == pytest.approx(-lowest, abs=1e-6)


@every_loss
def test_outside_its_domain_the_conjugate_is_infinite(loss):
    if isinstance(loss, losses.Quadratic):
        return
    outside = {losses.Logistic: (-1.1, 0.1), losses.Poisson: (-1.1,)}
    for v in outside.get(type(loss), (-0.8, 0.8)):
        assert losses.conjugate(loss, 1.0, v) == np.inf
        assert losses.fenchel_gap(loss, 1.0, 0.3, v) == np.inf


@every_loss
def test_fenchel_gap_is_the_sum_that_it_stands_for(loss, rng):
    y, z = targets(loss, rng, 50), 3.0 * rng.standard_normal(50)
    v = slopes(loss, y, rng)
    direct = losses.value(loss, y, z) + losses.conjugate(loss, y, v) - v * z
    np.testing.assert_allclose(losses.fenchel_gap(loss, y, z, v), direct, atol=1e-12)
    slope = losses.gradient(loss, y, z)
    np.testing.assert_allclose(losses.fenchel_gap(loss, y, z, slope), 0.0, atol=2e-14)


@every_loss
def test_gradients_are_in_the_domain_of_the_conjugate(loss, rng):
    """Also scaled towards 0, as dual points are, and of any prediction."""
    z = np.concatenate([rng.standard_normal(40), [-700.0, -40.0, 0.0, 40.0, 700.0]])
    y = targets(loss, rng, z.size)
    for scale in (1.0, 1.0 - 1e-9, 0.5, 0.0):
        v = scale * losses.gradient(loss, y, z)
        assert np.all(np.isfinite(losses.conjugate(loss, y, v)))
        assert np.all(losses.fenchel_gap(loss, y, z, v) >= 0.0)


@every_loss
def test_extreme_predictions(loss):
    """Values, slopes and curvatures are right where exp would overflow, or is 0."""
    for y in (0.0, 1.0):
        z = np.array([-1e3, 1e3])
        with np.errstate(over="ignore"):
            value = losses.value(loss, y, z)
            gradient = losses.gradient(loss, y, z)
            curvature = losses.curvature(loss, y, z)
        assert not np.any(np.isnan([value, gradient, curvature]))
        if isinstance(loss, losses.Logistic):
            np.testing.assert_array_equal(value, np.array([y, 1.0 - y]) * 1e3)
            np.testing.assert_array_equal(gradient, [-y, 1.0 - y])
            np.testing.assert_array_equal(curvature, 0.0)
        if isinstance(loss, losses.Huber):
            distance = np.abs(z - y)
            np.testing.assert_allclose(value, 0.7 * (distance - 0.35))
            np.testing.assert_array_equal(gradient, [-0.7, 0.7])
        if isinstance(loss, losses.Poisson):
            np.testing.assert_array_equal(value, [y * 1e3, np.inf])


def test_small_probabilities_keep_their_digits():
    """The slope of a confident success is that of 1 - p, which is not 1 less p."""
    loss, z = losses.Logistic(), np.array([30.0, 50.0, 300.0])
    np.testing.assert_allclose(losses.gradient(loss, 1.0, z), -np.exp(-z), rtol=1e-12)
    np.testing.assert_allclose(losses.gradient(loss, 0.0, -z), np.exp(-z), rtol=1e-12)


@kernel
def all_formulas(loss, y, z, v, out):
    for i in range(y.size):
        out[0, i] = losses.value(loss, y[i], z[i])
        out[1, i] = losses.gradient(loss, y[i], z[i])
        out[2, i] = losses.curvature(loss, y[i], z[i])
        out[3, i] = losses.conjugate(loss, y[i], v[i])
        out[4, i] = losses.fenchel_gap(loss, y[i], z[i], v[i])


@every_loss
def test_compiled_scalars_equal_numpy_arrays(loss, rng):
    y, z = targets(loss, rng, 30), 3.0 * rng.standard_normal(30)
    v, out = slopes(loss, y, rng), np.empty((5, 30))
    all_formulas(loss, y, z, v, out)
    expected = [
        losses.value(loss, y, z),
        losses.gradient(loss, y, z),
        losses.curvature(loss, y, z),
        losses.conjugate(loss, y, v),
        losses.fenchel_gap(loss, y, z, v),
    ]
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-13)
