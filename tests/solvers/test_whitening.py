"""Whitening against its definition, and covariances that are summed by chunks."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._parallel import bounded, stream
from sparselearn._solvers import _spread, _whitening
from sparselearn._solvers._spread import Covariance, covariance_of
from sparselearn._solvers._whitening import whitening

KINDS = pytest.mark.parametrize("kind", _whitening.KINDS)


@pytest.fixture
def X(rng):
    return rng.standard_normal((200, 6)) @ rng.standard_normal((6, 6)) + 5.0


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    monkeypatch.setattr(_spread, "CHUNK", 64)


def by_definition(X, weights):
    mean = weights @ X / weights.sum()
    centred = X - mean
    return mean, centred.T @ (weights[:, None] * centred)


def assert_same(found, expected, rtol=1e-10):
    for name, a, b in zip(found._fields, found, expected, strict=True):
        atol = rtol * np.abs(b).max()
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("sparse", [False, True])
def test_covariance(X, rng, sparse):
    weights = rng.integers(0, 3, 200).astype(float)
    weights[64:128] = 0.0  # a whole chunk
    if sparse:
        X[rng.random(X.shape) < 0.7] = 0.0
    rows = sp.csr_array(X) if sparse else X
    found = covariance_of(rows, weights)
    assert_same(found, (weights.sum(), *by_definition(X, weights)))
    repeated = np.repeat(np.arange(200), weights.astype(int))
    assert_same(covariance_of(rows[repeated]), found)


def test_covariances_join(X):
    whole = covariance_of(X)
    parts = [covariance_of(X[:7]), covariance_of(X[7:8]), covariance_of(X[8:])]
    before = [np.copy(part.scatter) for part in parts]
    joined = Covariance.of_none(6)
    for part in parts:
        joined = joined + part
    assert_same(joined, whole)
    assert all(map(np.array_equal, before, [part.scatter for part in parts]))


def test_covariance_far_from_the_origin(X):
    """In units in which the mean is 1e7 deviations, nine digits of it are left."""
    near, far = covariance_of(X), covariance_of(X + 1e7)
    np.testing.assert_allclose(far.scatter, near.scatter, rtol=1e-6, atol=1e-4)


def test_threads_give_the_same_bits(X):
    with stream(2) as run:
        found = covariance_of(X, None, run)
    expected = bounded(covariance_of, X)
    assert all(map(np.array_equal, found, expected))


@KINDS
def test_whitened_rows_have_the_identity_as_covariance(X, kind):
    made = whitening(covariance_of(X), kind, eps=0.0)
    rows = made.apply(X)
    np.testing.assert_allclose(np.cov(rows.T, bias=True), np.eye(6), atol=1e-8)
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-8)
    np.testing.assert_allclose(made.undo(rows), X, atol=1e-8)


@KINDS
def test_eps_is_a_share_of_the_mean_variance(X, kind):
    """Directions of variance v are left with v / (v + eps mean(v))."""
    eps = 0.3
    made = whitening(covariance_of(X), kind, eps=eps)
    variances = np.linalg.eigvalsh(np.cov(X.T, bias=True))
    left = variances / (variances + eps * variances.mean())
    found = np.linalg.eigvalsh(np.cov(made.apply(X).T, bias=True))
    np.testing.assert_allclose(found, left, rtol=1e-8)
    np.testing.assert_allclose(made.variances, variances[::-1], rtol=1e-8)
    np.testing.assert_allclose(made.undo(made.apply(X)), X, atol=1e-8)


def test_zca_is_symmetric_and_pca_is_ordered(X):
    covariance = covariance_of(X)
    zca = whitening(covariance, "zca").matrix
    np.testing.assert_allclose(zca, zca.T, atol=1e-12)
    assert np.linalg.eigvalsh(zca).min() > 0.0
    pca = whitening(covariance, "pca", eps=0.0)
    variances = (X - X.mean(axis=0)) @ pca.matrix / np.linalg.norm(pca.matrix, axis=0)
    assert np.all(np.diff(variances.var(axis=0)) < 0.0)
    largest = np.abs(pca.matrix).argmax(axis=0)
    assert np.all(pca.matrix[largest, np.arange(6)] > 0.0)


@KINDS
def test_few_components(X, kind):
    full, few = (
        whitening(covariance_of(X), kind, eps=0.0, n_components=k) for k in (None, 2)
    )
    assert few.matrix.shape == ((6, 2) if kind == "pca" else (6, 6))
    assert np.linalg.matrix_rank(few.matrix) == 2
    # What is left is the best approximation of rank 2.
    left = few.undo(few.apply(X)) - X
    variances = full.variances[2:].sum()
    np.testing.assert_allclose((left**2).sum() / 200, variances, rtol=1e-8)
    many = whitening(covariance_of(X), kind, eps=0.0, n_components=99)
    assert_same(many, full)


@KINDS
@pytest.mark.parametrize("eps", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sparse", [False, True])
def test_deficient_rank(X, kind, eps, dtype, sparse):
    """Constant features, copies of others and fewer rows than features: finite, 0."""
    X[:, 1], X[:, 2] = 0.1, X[:, 3]
    for rows in (X[:4], X, X[:1], X[[0, 0, 0]], np.full((5, 6), 0.1), np.zeros((5, 6))):
        rows = rows.astype(dtype)
        stored = sp.csr_array(rows) if sparse else rows
        made = whitening(covariance_of(stored), kind, eps=eps, dtype=dtype)
        centred = rows.astype(float) - rows.astype(float).mean(axis=0)
        rank = np.linalg.matrix_rank(centred, tol=1e-5)
        assert np.linalg.matrix_rank(made.matrix, tol=1e-9) == rank
        assert np.all(np.isfinite(made.matrix))
        assert np.all(made.matrix[1] == 0.0)
        found = made.apply(stored)
        assert found.dtype == dtype
        covariance = np.cov(found.T.astype(float), bias=True)
        if eps == 0.0:
            spectrum = np.sort(np.linalg.eigvalsh(covariance))[::-1]
            np.testing.assert_allclose(spectrum, np.arange(6) < rank, atol=1e-3)
        np.testing.assert_allclose(made.undo(found), rows, atol=1e-3, rtol=1e-3)


@KINDS
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(X, kind, scale):
    one = whitening(covariance_of(X), kind)
    other = whitening(covariance_of(scale * X), kind)
    np.testing.assert_allclose(other.apply(scale * X), one.apply(X), atol=1e-9)


@KINDS
def test_sparse_rows_and_single_precision(X, kind):
    X[np.abs(X) < 3.0] = 0.0
    made = whitening(covariance_of(X), kind)
    rows = made.apply(X)
    np.testing.assert_allclose(made.apply(sp.csr_array(X)), rows, atol=1e-12)
    for single in (X.astype(np.float32), sp.csr_array(X.astype(np.float32))):
        found = made.apply(single)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, rows, atol=1e-4 * np.abs(rows).max())
