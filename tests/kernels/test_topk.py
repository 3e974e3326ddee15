"""Kernels of sparse codes: which units are kept, what they rebuild, unit by unit."""

import numpy as np
import pytest

from sparselearn._kernels._topk import (
    add_bias,
    by_unit,
    logistic_errors,
    reconstruct,
    squared_errors,
    write_above,
)

N, M, P = 12, 9, 7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_writes_what_exceeds(dtype, rng):
    products = rng.standard_normal((N, M)).astype(dtype)
    bias = rng.standard_normal(M).astype(dtype)
    lows = rng.standard_normal(M).astype(dtype)
    lows[2], lows[5] = 1e3, -1e3
    wanted = products + bias
    wanted[3, 4] = products[3, 4] = lows[4]  # equal is not above
    products[3, 4] -= bias[4]
    lows[4] = products[3, 4] + bias[4]
    counts = np.empty(N, dtype=np.int64)
    add_bias(products, bias, lows, counts)
    mask = products > lows
    assert not mask[3, 4]
    np.testing.assert_allclose(products, wanted, rtol=1e-6)
    np.testing.assert_array_equal(counts, mask.sum(axis=1))
    data, indices = np.empty(mask.sum() + 1, dtype), np.empty(mask.sum() + 1, np.int32)
    write_above(products, lows, data, indices)
    np.testing.assert_array_equal(data[:-1], products[mask])
    np.testing.assert_array_equal(indices[:-1], np.nonzero(mask)[1])


def random_codes(rng):
    mask = rng.random((N, M)) < 0.4
    mask[[0, 5, N - 1]] = False
    mask[:, [0, 3, M - 1]] = False
    codes = np.where(mask, rng.standard_normal((N, M)), 0.0)
    indices = np.nonzero(mask)[1].astype(np.int32)
    return codes, mask, (codes[mask], indices, mask.sum(axis=1))


def test_rebuilds_rows(rng):
    codes, _, parts = random_codes(rng)
    decoder, bias = rng.standard_normal((M, P)), rng.standard_normal(P)
    out = np.full((N, P), np.nan)
    reconstruct(*parts, decoder, bias, out)
    np.testing.assert_allclose(out, codes @ decoder + bias, atol=1e-12)


def test_sorts_by_unit(rng):
    """Units without pairs at both ends and between, rows ascending in each."""
    codes, mask, parts = random_codes(rng)
    n_pairs = parts[0].size
    starts = np.full(M + 1, -1)
    rows, values = np.empty(n_pairs, dtype=np.int32), np.empty(n_pairs)
    by_unit(*parts, starts, rows, values)
    np.testing.assert_array_equal(starts, np.append(0, np.cumsum(mask.sum(axis=0))))
    np.testing.assert_array_equal(rows, np.nonzero(mask.T)[1])
    np.testing.assert_array_equal(values, codes.T[mask.T])


def test_sorts_no_pairs():
    starts = np.full(M + 1, -1)
    nothing = np.empty(0, dtype=np.int32)
    by_unit(np.empty(0), nothing, np.zeros(N, int), starts, nothing, np.empty(0))
    assert not starts.any()


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 5), (np.float64, 12)])
def test_errors_and_losses(dtype, digits, rng):
    """Half squares; and logistic losses, from logits that overflow an exponential."""
    outputs = rng.standard_normal((N, P)).astype(dtype)
    outputs[0] = [-1000.0, 1000.0, 0.0, -0.0, 90.0, -90.0, 1e-4]
    targets = rng.random((N, P)).astype(dtype)
    targets[0] = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.5]
    shares = rng.random(N).astype(dtype)
    exact, o, t = {}, outputs.astype(np.float64), targets.astype(np.float64)
    exact[squared_errors] = 0.5 * np.sum((o - t) ** 2, axis=1), o - t
    with np.errstate(over="ignore"):
        slope = 1.0 / (1.0 + np.exp(-o)) - t
    exact[logistic_errors] = np.sum(np.logaddexp(0.0, o) - o * t, axis=1), slope
    for kernel, (losses, slopes) in exact.items():
        out, found = outputs.copy(), np.empty(N)
        kernel(out, targets, shares, found)
        np.testing.assert_allclose(found, losses, rtol=10.0**-digits)
        np.testing.assert_allclose(
            out, shares[:, None] * slopes, rtol=10.0**-digits, atol=10.0**-digits
        )
