"""Memory for codes: where vectors that are read in step lie."""

import numpy as np
import pytest

from sparselearn._solvers._coding import apart, spread_rows

PAGE, LINE = 4096, 64


def distances(rows):
    """How far neighbours lie from one another, modulo a page, on the nearer side."""
    starts = np.array([row.ctypes.data for row in rows])
    assert not np.any(starts % LINE)
    steps = np.diff(starts) % PAGE
    return np.minimum(steps, PAGE - steps)


@pytest.mark.parametrize("size", [0, 1, 250, 256, 440, 511, 512, 513, 1000, 1024])
def test_neighbours_share_no_set_of_the_cache(size):
    vectors = apart(4, size)
    assert all(v.shape == (size,) and v.flags.c_contiguous for v in vectors)
    assert np.all(distances(vectors) >= LINE)
    rows = spread_rows(10, size)
    assert rows.flags.c_contiguous
    assert rows.shape[1] >= size
    assert np.all(distances(rows) >= LINE)
    # They are apart in memory, too.
    for k, v in enumerate([*vectors, *rows]):
        v[:] = k
    for k, v in enumerate([*vectors, *rows]):
        assert np.all(v == k)
