"""Pre-activations of rows with many zeros, and of others."""

import numpy as np
import pytest

from sparselearn._parallel import stream
from sparselearn._solvers import _encoding
from sparselearn._solvers._encoding import Encoding

N, P, M = 70, 37, 300


def draw(rng, share, dtype=np.float64, n_rows=N, n_features=P):
    """Rows of which a share differs from the background."""
    background = rng.standard_normal(n_features).astype(dtype)
    rows = np.tile(background, (n_rows, 1))
    differs = rng.random(rows.shape) < share
    rows[differs] = rng.standard_normal(differs.sum())
    return rows, background


def multiply(encoding, rows, W, run=map):
    out = np.full((len(rows), len(W)), np.nan, rows.dtype)
    encoding.multiply(rows, W, out, run)
    return out


@pytest.fixture
def listing(monkeypatch):
    """Collects whether products were over lists."""
    said, decide = [], Encoding._list

    def spy(self, rows, run):
        said.append(decide(self, rows, run))
        return said[-1]

    monkeypatch.setattr(Encoding, "_list", spy)
    return said


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 5), (np.float64, 13)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_lists_give_the_product(scale, dtype, digits, listing, rng):
    """Of batches of several sizes, by one encoder after another."""
    rows, background = draw(rng, 0.2, dtype)
    rows, background = rows * dtype(scale), background * dtype(scale)
    encoding = Encoding(background)
    for n_rows in (40, N, 40):
        W = rng.standard_normal((M, P)).astype(dtype)
        found = multiply(encoding, rows[:n_rows], W)
        expected = rows[:n_rows].astype(float) @ W.T.astype(float)
        np.testing.assert_allclose(found, expected, atol=10.0**-digits * 10 * scale)
    assert listing == [True] * 3


@pytest.mark.parametrize("n_features", [1, 399, 401, 1000])
def test_spans_cover_all_features(n_features, listing, rng):
    rows, background = draw(rng, 0.2, n_features=n_features)
    W = rng.standard_normal((9, n_features))
    encoding = Encoding(background)
    np.testing.assert_allclose(multiply(encoding, rows, W), rows @ W.T, atol=1e-11)
    assert listing == [True]


def test_rows_without_zeros_are_multiplied_as_matrices(listing, rng):
    """Bit for bit; and so are rows with some zeros, and a few rows."""
    rows, background = draw(rng, 0.2)
    W = rng.standard_normal((M, P))
    others = rng.standard_normal((N, P))
    many = draw(rng, 0.6)[0]
    for some in (others, many, rows[: 2 * _encoding.TRANSPOSED]):
        found = multiply(Encoding(background), some, W)
        np.testing.assert_allclose(found, some @ W.T, atol=1e-13)
    # One part of the rows decides for all.
    mixed = np.concatenate([rows, others])
    found = multiply(Encoding(background), mixed, W)
    np.testing.assert_allclose(found, mixed @ W.T, atol=1e-13)
    assert listing == [False] * 4


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_threads_change_no_bit(share, rng):
    rows, background = draw(rng, share, np.float32, n_rows=200)
    W = rng.standard_normal((1300, P)).astype(np.float32)
    found = []
    for n_jobs in (1, 2):
        with stream(n_jobs) as run:
            found.append(multiply(Encoding(background), rows, W, run))
    np.testing.assert_array_equal(*found)
