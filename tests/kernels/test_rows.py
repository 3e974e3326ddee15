"""Sums of rows, and blocks that are transposed, are what plain numpy makes."""

import numpy as np
import pytest

from sparselearn._kernels._jit import kernel
from sparselearn._kernels._rows import combine_rows, fetch, transpose_rows

DTYPES = [np.float32, np.float64]


@kernel
def combined(index, value, n, matrix, width, is_first, out, at):
    combine_rows(index, value, n, matrix, width, is_first, out, at)


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
@pytest.mark.parametrize("width", [1, 15, 16, 63, 64, 100, 149])
def test_combines_rows_of_any_width(width, dtype, rng):
    """Panels, vectors and what is left; nothing beside it, nor what is no number."""
    matrix, index, value = draw(rng, dtype)
    rows = matrix[: 20 * width].reshape(20, width)
    before = rng.integers(-9, 9, width + 5).astype(dtype)
    for n in (0, 1, 11):
        total = value[:n] @ rows[index[:n]]
        for is_first in (False, True):
            for function in (combined, combine_rows):
                out = before.copy()
                if is_first:
                    out[3 : 3 + width] = np.nan
                function(index, value, n, matrix, width, is_first, out, 3)
                start = 0.0 if is_first else before[3 : 3 + width]
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


def test_fetching_changes_nothing(rng):
    matrix = rng.standard_normal((3, 40))
    before = matrix.copy()
    fetched(matrix)
    fetched(matrix[:0])
    np.testing.assert_array_equal(matrix, before)
