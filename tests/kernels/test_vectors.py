"""Loops on vectors against the plain Python that says what they compute."""

import numpy as np
import pytest

from sparselearn._kernels import _vectors
from sparselearn._kernels._jit import kernel

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@kernel
def combine(index, value, begin, end, matrix, offset, stride, out, at, width, is_first):
    _vectors.combine(
        index, value, begin, end, matrix, offset, stride, out, at, width, is_first
    )


@kernel
def pack(row, first, index, value, at):
    return _vectors.pack(row, first, index, value, at)


@kernel
def pack_columns(rows, at, stride, n_rows, n_columns, first, index, value, room, count):
    _vectors.pack_columns(
        rows, at, stride, n_rows, n_columns, first, index, value, room, count
    )


@DTYPES
@pytest.mark.parametrize("is_first", [False, True])
@pytest.mark.parametrize("share", [0.25, 0.6, 0.97, 1.0])
def test_combine(rng, dtype, is_first, share):
    """Of widths from a vector to a panel, in the middle of what stays as it is."""
    width = int(share * _vectors.PANEL) // np.dtype(dtype).itemsize
    stride = width + 5
    matrix = rng.standard_normal(9 * stride).astype(dtype)
    index = rng.integers(0, 9, 30).astype(np.int32)
    value = rng.standard_normal(30).astype(dtype)
    out = rng.standard_normal(width + 7).astype(dtype)
    if is_first:
        out[3 : 3 + width] = np.nan
    for begin, end in [(4, 29), (4, 4)]:
        expected, found = out.copy(), out.copy()
        places = begin, end, matrix, 2, stride
        _vectors.combine(index, value, *places, expected, 3, width, is_first)
        combine(index, value, *places, found, 3, width, is_first)
        tolerance = 30 * np.finfo(dtype).eps
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def of_zeros(rng, shape, dtype):
    """Numbers of which half are zero, one of them negative, and one is nan."""
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.5)
    X.flat[0], X.flat[1] = np.nan, -0.0
    return X.astype(dtype)


@DTYPES
@pytest.mark.parametrize("size", [1, 5, 16, 40])
def test_pack(rng, dtype, size):
    row = of_zeros(rng, max(size, 2), dtype)[:size]
    lanes = _vectors.VECTOR // row.itemsize
    for first in range(0, size, lanes):
        index = np.zeros(3 + lanes, dtype=np.int32)
        value = np.zeros(3 + lanes, dtype=dtype)
        n = pack(row, first, index, value, 3)
        part = row[first : first + lanes]
        (places,) = np.nonzero(part)
        assert n == places.size
        np.testing.assert_array_equal(index[3 : 3 + n], first + places)
        np.testing.assert_array_equal(value[3 : 3 + n], part[places])
        assert not index[:3].any()
        assert not value[:3].any()
        twin = np.zeros_like(index), np.zeros_like(value)
        assert _vectors.pack(row, first, *twin, 3) == n
        np.testing.assert_array_equal(twin[0][: 3 + n], index[: 3 + n])
        np.testing.assert_array_equal(twin[1][: 3 + n], value[: 3 + n])


@DTYPES
@pytest.mark.parametrize("missing", [(0, 0), (1, 0), (0, 3)])
def test_pack_columns(rng, dtype, missing):
    """What columns have had before stays, and whole squares are as parts of them."""
    lanes = _vectors.VECTOR // np.dtype(dtype).itemsize
    n_rows, n_columns = lanes - missing[0], lanes - missing[1]
    X = of_zeros(rng, (lanes, lanes + 3), dtype)
    room = 2 * lanes
    count = np.arange(lanes) % 3
    index = np.full(lanes * room, -1, dtype=np.int32)
    value = np.full(lanes * room, -1.0, dtype=dtype)
    twin = index.copy(), value.copy(), count.copy()
    before = count.copy()
    rest = X.reshape(-1), 0, lanes + 3, n_rows, n_columns, 50
    pack_columns(*rest, index, value, room, count)
    _vectors.pack_columns(*rest, *twin[:2], room, twin[2])
    np.testing.assert_array_equal(count, twin[2])
    for j in range(n_columns):
        (places,) = np.nonzero(X[:n_rows, j])
        begin, end = room * j + before[j], room * j + count[j]
        np.testing.assert_array_equal(index[begin:end], 50 + places)
        np.testing.assert_array_equal(value[begin:end], X[places, j])
        assert (index[room * j : begin] == -1).all()
        np.testing.assert_array_equal(twin[0][room * j : end], index[room * j : end])


@DTYPES
def test_aligned_zeros(dtype):
    found = _vectors.aligned_zeros((3, 5), dtype)
    assert found.shape == (3, 5)
    assert found.dtype == dtype
    assert found.ctypes.data % _vectors.VECTOR == 0
    assert found.flags.c_contiguous
    assert found.flags.writeable
    assert not found.any()
