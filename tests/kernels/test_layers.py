"""Products in pieces, and lists of entries, against the products of numpy."""

import numpy as np
import pytest

from sparselearn._kernels import _layers, _machine, _sparse_rows
from sparselearn._kernels._jit import kernel
from sparselearn._solvers import _workspace
from sparselearn._solvers._network_spec import Network


@kernel
def product(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    _layers.product(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc)


@kernel
def bias_gradient(layers, n_rows, deltas, add, out):
    _layers.bias_gradient(layers, 0, n_rows, deltas, add, out)


@kernel
def list_nonzeros(rows, n_features, n_rows, lists):
    return _sparse_rows.list_nonzeros(rows, n_features, 0, n_rows, lists)


@kernel
def product_of_lists(lists, n_rows, weights, n_out, out):
    _sparse_rows.product_of_lists(lists, 0, n_rows, weights, n_out, out)


@kernel
def gradient_of_lists(lists, rows, n_features, n_rows, start, stop, delta, n_out, out):
    _sparse_rows.keep_deltas(lists, delta, n_out, 0, n_rows)
    _sparse_rows.gradient_of_lists(
        lists, 0, rows, n_features, n_rows, start, stop, n_out, out
    )


@kernel
def claim(claims, place, number):
    return _machine.claim(claims, place, number)


SHAPES = [(1, 1, 1), (64, 10, 784), (70, 130, 520), (33, 1, 2000), (130, 70, 257)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("trans_a", [False, True])
@pytest.mark.parametrize("trans_b", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_products_in_pieces(rng, shape, trans_a, trans_b, beta):
    """Of parts of larger arrays, where pieces are cut and where they are not."""
    m, n, k = shape
    a = rng.standard_normal((k, m + 3) if trans_a else (m, k + 3))
    b = rng.standard_normal((n, k + 2) if trans_b else (k, n + 2))
    c = rng.standard_normal((m, n + 1))
    left = a[:, :m].T if trans_a else a[:, :k]
    right = b[:, :k].T if trans_b else b[:, :n]
    expected = c.copy()
    expected[:, :n] = left @ right + beta * c[:, :n]
    if beta == 0.0:
        c[:, :n] = np.nan  # is overwritten
    flat = [x.reshape(-1) for x in (a, b, c)]
    steps = [x.shape[1] for x in (a, b, c)]
    product(
        trans_a, trans_b, *shape, flat[0], steps[0], flat[1], steps[1], beta, *flat[2:],
        steps[2],
    )  # fmt: skip
    np.testing.assert_allclose(c, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n_rows", [1, 3, 4, 9])
@pytest.mark.parametrize("add", [False, True])
def test_bias_gradient(rng, n_rows, add):
    layers = np.zeros((1, 8), dtype=np.int64)
    layers[0, :2] = 4, 7
    deltas, out = rng.standard_normal((n_rows, 7)), rng.standard_normal(7)
    expected = deltas.sum(axis=0) + (out if add else 0.0)
    bias_gradient(layers, n_rows, deltas.reshape(-1), add, out)
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-14)


def make_lists(n_rows, n_features, n_out=_layers.THIN):
    sizes = (n_features, n_out, 1)
    return _workspace.new_lists(Network(sizes, np.float64), n_rows, 1, 1)


SPAN, HELD, DEPTH = _sparse_rows.SPAN, _sparse_rows.HELD, _sparse_rows.DEPTH


@pytest.mark.parametrize("n_features", [4, 50, SPAN, SPAN + 1, 2 * SPAN + 40])
@pytest.mark.parametrize("n_rows", [12, DEPTH, DEPTH + 5])
@pytest.mark.parametrize("n_out", [_layers.THIN, 41, 993])
def test_lists(rng, n_features, n_rows, n_out):
    """Rows of few entries, one of them full: not more than a fourth altogether."""
    X = np.zeros((n_rows, n_features))
    X[7] = rng.standard_normal(n_features)
    X[0, -1] = X[11, 0] = X[-1, n_features // 2] = 2.0
    many = rng.random(X.shape) < 0.2
    if many.mean() + 2.0 / n_rows < 0.25:
        X[many] = rng.standard_normal(many.sum())
    lists = make_lists(n_rows, n_features, n_out)
    assert list_nonzeros(X.reshape(-1), n_features, n_rows, lists)
    weights = rng.standard_normal((n_features, n_out))
    out = np.full((n_rows, n_out), np.nan)  # is overwritten
    product_of_lists(lists, n_rows, weights.reshape(-1), n_out, out.reshape(-1))
    np.testing.assert_allclose(out, X @ weights, rtol=1e-12, atol=1e-13)
    delta = rng.standard_normal((n_rows, n_out))
    for start in range(0, n_features, HELD + 16):
        stop = min(start + HELD + 16, n_features)
        found = np.full((stop - start, n_out), np.nan)
        places = delta.reshape(-1), n_out, found.reshape(-1)
        gradient_of_lists(
            lists, X.reshape(-1), n_features, n_rows, start, stop, *places
        )
        expected = X[:, start:stop].T @ delta
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_features", [3, 16, 50, 64])
def test_lists_hold_a_fourth(n_features):
    """As many entries as they have room for, wherever these are, and not one more."""
    n_rows = 8
    most = n_rows * (n_features // _sparse_rows.RARITY)
    for first in (0, n_rows * n_features - most - 1):
        X = np.zeros(n_rows * n_features)
        X[first : first + most] = 1.0
        lists = make_lists(n_rows, n_features)
        assert list_nonzeros(X, n_features, n_rows, lists)
        assert lists.begin[-1, -1] == most
        X[first : first + most + 1] = 1.0
        assert not list_nonzeros(X, n_features, n_rows, lists)


def test_claims():
    claims = np.zeros(2, dtype=np.int64)
    calls = [(0, 0), (0, 0), (1, 0), (0, 1), (1, 0), (1, 2), (0, 1)]
    found = [claim(claims, *call) for call in calls]
    assert found == [True, False, True, True, False, False, False]
