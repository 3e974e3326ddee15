"""Steps of optimisers against their definitions; proximal ones by brute force."""

import numpy as np
import pytest
import reference

from sparselearn._kernels import _adam
from sparselearn._kernels._jit import kernel
from sparselearn._solvers._optimizers import Adam, Momentum

NO_MASK = np.zeros(0, dtype=bool)


@kernel
def improve(rule, l1, values, first, second, gradient, mask):
    _adam.improve(rule, l1, values, first, second, gradient, mask)


def step(optimizer, rate, gradient, l1=0.0, mask=NO_MASK):
    improve(
        optimizer.next_rule(rate),
        gradient.dtype.type(l1),
        optimizer.values,
        optimizer.first,
        optimizer.second,
        gradient,
        mask,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.9), (0.5, 0.99999)])
def test_adam(rng, betas, dtype):
    """In single precision too no factor is off by more than rounding."""
    size, eps = 137, np.finfo(dtype).eps
    optimizer = Adam(
        rng.normal(size=size).astype(dtype), beta_1=betas[0], beta_2=betas[1]
    )
    here = optimizer.values.astype(np.float64)
    gradients = rng.normal(size=(20, size)) * 10.0 ** rng.uniform(-3, 3, size)
    for gradient in gradients.astype(dtype):
        step(optimizer, 1e-2, gradient)
    exact = gradients.astype(dtype).astype(np.float64)
    expected = reference.adam_steps(here, exact, 1e-2, *betas, 1e-8)
    np.testing.assert_allclose(optimizer.values, expected, rtol=0, atol=60 * eps)
    mean = np.zeros(size)
    for gradient in exact:
        mean += (1.0 - betas[1]) * (gradient**2 - mean)
    np.testing.assert_allclose(optimizer.second, mean, rtol=30 * eps)


def test_proximal_step_is_a_minimum(rng):
    """No weight near by makes s (w - u)^2 / (2 rate) + l1 |w| smaller."""
    rate, l1, size = 0.01, 0.3, 40
    plain, sparse = (Adam(np.zeros(size)) for _ in "12")
    start = rng.normal(size=size) * 0.02
    for optimizer in (plain, sparse):
        optimizer.values[:] = start
    gradient = rng.normal(size=size)
    step(plain, rate, gradient)
    step(sparse, rate, gradient, l1)
    u, w = plain.values, sparse.values
    rule = Adam(np.zeros(1)).next_rule(rate)
    s = np.sqrt(plain.second) + rule.epsilon

    def cost(weights):
        return s * (weights - u) ** 2 / (2.0 * rule.rate) + l1 * np.abs(weights)

    grid = np.linspace(-0.2, 0.2, 4001)[:, None]
    best = grid[np.argmin(cost(grid), axis=0), 0]
    np.testing.assert_allclose(w, best, rtol=0, atol=1.01e-4)
    assert 0 < np.count_nonzero(w == 0.0) < size


@pytest.mark.parametrize("optimizer", [Adam, Momentum])
def test_masks(rng, optimizer):
    """What is masked is zero afterwards, whatever it was, and so are its moments."""
    size = 50
    mask = rng.random(size) < 0.5
    free, held = (optimizer(np.ones(size)) for _ in "12")
    for moments in (held.first, held.second):
        moments[:] = 1.0
    for moments in (free.first, free.second):
        moments[:] = 1.0
    gradient = rng.normal(size=size)
    step(free, 0.1, gradient)
    step(held, 0.1, gradient, mask=mask)
    for name in ("values", "first", "second"):
        found, expected = getattr(held, name), getattr(free, name)
        if found.size:
            np.testing.assert_array_equal(found, np.where(mask, expected, 0.0))
