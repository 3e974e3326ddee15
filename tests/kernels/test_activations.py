"""Activations and losses against their definitions, in both precisions."""

import numpy as np
import pytest
import reference

from sparselearn._kernels import _activations
from sparselearn._kernels._jit import kernel

KINDS = {
    "identity": _activations.IDENTITY,
    "relu": _activations.RELU,
    "sigmoid": _activations.SIGMOID,
    "tanh": _activations.TANH,
}
# In steps of the precision, and of values of size 1 where they are absolute.
STEPS = 4
EXTREMES = [-1e30, -120.0, -87.4, -1e-3, 0.0, 1e-3, 88.5, 120.0, 1e30]


@kernel
def activate(kind, row, bias):
    _activations.activate(kind, row, bias)


@kernel
def multiply_by_slope(kind, delta, row):
    _activations.multiply_by_slope(kind, delta, row)


@kernel
def loss_and_slope(loss, kind, row, target, share, delta):
    return _activations.loss_and_slope(loss, kind, row, target, share, delta)


def values(rng, dtype, size=203):
    return np.concatenate([rng.normal(0.0, 5.0, size), EXTREMES]).astype(dtype)


both = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@both
@pytest.mark.parametrize("name", KINDS)
def test_activations(rng, name, dtype):
    p = values(rng, dtype)
    bias = rng.normal(size=p.size).astype(dtype)
    row = p.copy()
    activate(KINDS[name], row, bias)
    with np.errstate(over="ignore"):
        shifted = (p + bias).astype(np.float64)
        expected = reference.NETWORK_ACTIVATIONS[name](shifted)
    eps = np.finfo(dtype).eps
    assert row.dtype == dtype
    np.testing.assert_allclose(row, expected, rtol=STEPS * eps, atol=STEPS * eps)


@both
def test_small_sigmoids_are_relatively_right(rng, dtype):
    """Nothing is lost towards 0, as far as the precision's exponents go."""
    p = -80.0 * rng.random(200).astype(dtype)
    row = p.copy()
    activate(_activations.SIGMOID, row, np.zeros_like(p))
    expected = 1.0 / (1.0 + np.exp(-p.astype(np.longdouble)))
    error = np.abs(row / expected - 1.0)
    assert error.max() <= 8 * np.finfo(dtype).eps


@pytest.mark.parametrize("name", KINDS)
def test_slopes(rng, name):
    """The derivative, known from the value, by finite differences."""
    p, zero = rng.normal(0.0, 3.0, 101), np.zeros(101)
    p[np.abs(p) < 1e-3] = 1.0  # relu's kink
    row, delta = p.copy(), rng.normal(size=101)
    given = delta.copy()
    activate(KINDS[name], row, zero)
    multiply_by_slope(KINDS[name], delta, row)
    step = 1e-6
    function = reference.NETWORK_ACTIVATIONS[name]
    slope = (function(p + step) - function(p - step)) / (2.0 * step)
    np.testing.assert_allclose(delta, given * slope, rtol=1e-7, atol=1e-9)


CASES = {
    "squared_error": (_activations.SQUARED_ERROR, ["identity", "sigmoid"]),
    "cross_entropy": (_activations.CROSS_ENTROPY, ["sigmoid", "softmax"]),
}
PAIRS = [(loss, name) for loss, (_, names) in CASES.items() for name in names]
OUTPUTS = KINDS | {"softmax": _activations.SOFTMAX}


@both
@pytest.mark.parametrize(("loss", "name"), PAIRS)
@pytest.mark.parametrize("size", [1, 2, 3, 31, 64, 101, 784])
def test_losses(rng, loss, name, size, dtype):
    """Value and derivative of any number of outputs, far from 0 too."""
    p = rng.normal(0.0, 10.0, size).astype(dtype)
    target = rng.random(size).astype(dtype)
    if name == "softmax":
        target = np.eye(size, dtype=dtype)[rng.integers(size)]
    share = dtype(0.37)
    row, delta = p.copy(), np.empty_like(p)
    found = loss_and_slope(CASES[loss][0], OUTPUTS[name], row, target, share, delta)
    exact, t = p.astype(np.float64)[None], target.astype(np.float64)[None]
    expected = reference.network_losses(exact, t, name, loss)[0]
    precision = np.finfo(dtype).eps
    # The sum of what is added up, in absolute value, is what rounding is relative to.
    total = expected + np.abs(exact).sum()
    assert abs(found - expected) <= 8 * precision * total
    step = 1e-5
    for j in range(min(size, 20)):
        ends = np.repeat(exact, 2, axis=0)
        ends[:, j] += step, -step
        values = reference.network_losses(ends, np.repeat(t, 2, axis=0), name, loss)
        slope = 0.37 * (values[0] - values[1]) / (2.0 * step)
        scale = max(1.0, np.abs(ends).max())
        noise = 1e-8 + np.finfo(np.float64).eps * total / step
        assert abs(delta[j] - slope) <= 8 * precision * scale + noise


def test_log_of_product_does_not_overflow():
    """Logits of 0 make all factors 2: the largest product there is."""
    for size in (31, 63, 127, 255, 1023, 4095):
        row = np.zeros(size, dtype=np.float32)
        loss = loss_and_slope(
            _activations.CROSS_ENTROPY,
            _activations.SIGMOID,
            row,
            np.zeros_like(row),
            np.float32(1.0),
            np.empty_like(row),
        )
        np.testing.assert_allclose(loss, size * np.log(2.0), rtol=1e-5)
