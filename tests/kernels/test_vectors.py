"""Instructions for whole vectors do what their plain twins do."""

import numpy as np
import pytest

from sparselearn._kernels._jit import kernel
from sparselearn._kernels._vectors import (
    LINE,
    STRIP,
    aligned,
    combine_rows,
    fetch,
    sum_rows,
    transpose_rows,
)

DTYPES = [np.float32, np.float64]


@kernel
def sums(index, value, begin, end, matrix, offset, stride, fresh, out, at):
    sum_rows(index, value, begin, end, matrix, offset, stride, fresh, out, at)


@kernel
def combined(index, value, n, matrix, width, fresh, out, at):
    combine_rows(index, value, n, matrix, width, fresh, out, at)


@kernel
def transposed(matrix, stride, first, n_rows, left, right, out, out_stride):
    transpose_rows(matrix, stride, first, n_rows, left, right, out, out_stride)


@kernel
def fetched(matrix):
    for row in range(matrix.shape[0] + 2):
        fetch(matrix, row)


def draw(rng, dtype):
    """Whole numbers, of which sums are exact."""
    matrix = rng.integers(-9, 9, 3000).astype(dtype)
    index = rng.integers(0, 20, 11).astype(np.int32)
    return matrix, index, rng.integers(-9, 9, 11).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("begin", "end"), [(0, 11), (3, 4), (5, 5)])
def test_sums_rows(begin, end, fresh, dtype, rng):
    """All of a strip, and nothing beside it."""
    matrix, index, value = draw(rng, dtype)
    lanes = STRIP // matrix.itemsize
    before = rng.integers(-9, 9, lanes + 9).astype(dtype)
    expected = before.copy()
    if fresh:
        expected[5 : 5 + lanes] = 0.0
    for k in range(begin, end):
        start = 13 + 100 * index[k]
        expected[5 : 5 + lanes] += value[k] * matrix[start : start + lanes]
    for function in (sums, sum_rows):
        out = before.copy()
        function(index, value, begin, end, matrix, 13, 100, fresh, out, 5)
        np.testing.assert_array_equal(out, expected)


def test_a_fresh_sum_forgets_what_is_not_a_number(rng):
    matrix, index, value = draw(rng, np.float64)
    for function in (sums, sum_rows):
        out = np.full(40, np.nan)
        function(index, value, 0, 3, matrix, 0, 40, True, out, 0)
        assert np.isfinite(out[:32]).all()
        assert np.isnan(out[32:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 15, 16, 63, 64, 100, 149])
def test_combines_rows_of_any_width(width, dtype, rng):
    """Strips, lines and what is left."""
    matrix, index, value = draw(rng, dtype)
    rows = matrix[: 20 * width].reshape(20, width)
    before = rng.integers(-9, 9, width + 5).astype(dtype)
    for n in (0, 1, 11):
        total = value[:n] @ rows[index[:n]]
        for fresh in (False, True):
            for function in (combined, combine_rows):
                out = before.copy()
                function(index, value, n, matrix, width, fresh, out, 3)
                start = 0.0 if fresh else before[3 : 3 + width]
                np.testing.assert_array_equal(out[3 : 3 + width], start + total)
                out[3 : 3 + width] = before[3 : 3 + width]
                np.testing.assert_array_equal(out, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_rows", [1, 16, 37])
def test_transposes_rows(n_rows, dtype, rng):
    """Some columns, whole blocks of them and what is left."""
    matrix = rng.integers(-9, 9, (40, 50)).astype(dtype)
    for left, right in [(0, 50), (3, 19), (7, 8)]:
        expected = matrix[2 : 2 + n_rows, left:right].T
        for function in (transposed, transpose_rows):
            out = np.full((50, 41), np.nan, dtype)
            flat = out.reshape(-1)
            function(matrix.reshape(-1), 50, 2, n_rows, left, right, flat, 41)
            np.testing.assert_array_equal(out[: right - left, :n_rows], expected)
            assert np.isnan(out[right - left :]).all()
            assert np.isnan(out[:, n_rows:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_aligned(dtype):
    assert aligned((0, 5), dtype).shape == (0, 5)
    for shape in [(3, 16), (7,)]:
        found = aligned(shape, dtype, 2.0)
        assert found.shape == shape
        assert found.dtype == dtype
        assert found.ctypes.data % LINE == 0
        assert (found == 2.0).all()


def test_fetching_changes_nothing(rng):
    matrix = rng.standard_normal((3, 40))
    before = matrix.copy()
    fetched(matrix)
    fetched(matrix[:0])
    np.testing.assert_array_equal(matrix, before)
