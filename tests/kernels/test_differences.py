"""A product over what differs from a background is the product of matrices."""

import numpy as np
import pytest

from sparselearn._kernels._differences import (
    Differences,
    list_differences,
    multiply_differences,
)
from sparselearn._kernels._vectors import PANEL, VECTOR


def draw(rng, dtype, n_rows, n_features):
    """Rows of mostly a background, whole numbers; the first one is no more."""
    background = rng.integers(-3, 4, n_features).astype(dtype)
    differs = rng.random((n_rows, n_features)) < 0.3
    differs[0], differs[-1, -1] = False, True
    rows = np.where(differs, background + rng.integers(1, 5, differs.shape), background)
    return rows.astype(dtype), background, differs


def listed(rows, background, span, first, most=10**6):
    n_spans = -(-rows.shape[1] // span)
    size = first + rows.size + VECTOR
    index, value = np.full(size, -1, np.int32), np.full(size, np.nan, rows.dtype)
    begin = np.full((len(rows), n_spans + 1), -1)
    args = rows, background, span, first, most, index, value, begin
    few = list_differences(*args, np.empty_like(background))
    return few, Differences(index, value, begin)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("span", [4, 10, 100])
def test_lists_what_differs(span, dtype, rng):
    rows, background, differs = draw(rng, dtype, 7, 23)
    few, (index, value, begin) = listed(rows, background, span, 5)
    assert few
    assert begin[0, 0] == 5
    assert begin[-1, -1] == 5 + differs.sum()
    np.testing.assert_array_equal(begin[1:, 0], begin[:-1, -1])
    found = np.tile(background, (7, 1))
    for i in range(7):
        for k in range(begin.shape[1] - 1):
            part = slice(begin[i, k], begin[i, k + 1])
            assert (np.diff(index[part]) > 0).all()
            found[i, k * span + index[part]] += value[part]
    np.testing.assert_array_equal(found, rows)


def test_says_where_too_much_differs(rng):
    rows, background, differs = draw(rng, np.float64, 7, 23)
    n = differs.sum()
    assert listed(rows, background, 10, 0, n)[0]
    assert not listed(rows, background, 10, 0, n - 1)[0]
    assert not listed(rows + 0.5, background, 10, 0, n)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("span", [16, 100])
@pytest.mark.parametrize("units", [(0, 150), (3, 40), (64, 65), (9, 9)])
def test_multiplies(units, span, dtype, rng):
    """Some of the units, panels of them and what is left; others are not touched."""
    start, stop = units
    rows, background, _ = draw(rng, dtype, 7, 41)
    W = rng.integers(-9, 9, (150, 41)).astype(dtype)
    of_background = listed(background[None], np.zeros_like(background), span, 0)[1]
    of_rows = listed(rows, background, span, 41)[1]
    both = Differences(
        *(np.append(a[:41], b[41:]) for a, b in zip(of_background[:2], of_rows[:2])),
        np.vstack([of_background.begin, of_rows.begin]),
    )
    lanes = PANEL // rows.itemsize
    out = np.full((7, 150), np.nan, dtype)
    tile, sums = np.full(span * lanes, np.nan, dtype), np.full(8 * lanes, np.nan, dtype)
    multiply_differences(both, span, W, start, stop, out, tile, sums)
    np.testing.assert_array_equal(out[:, start:stop], rows @ W[start:stop].T)
    assert np.isnan(np.delete(out, np.s_[start:stop], axis=1)).all()
