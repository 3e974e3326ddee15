"""Statistics of codes, and the atoms they ask for, against their definitions."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._kernels import _dictionary as kernels
from tests import reference


def sparse_codes(rng, n, K):
    Z = rng.standard_normal((n, K)) * (rng.random((n, K)) < 0.3)
    Z[0] = 0.0
    return Z, sp.csr_array(Z)


@pytest.mark.parametrize(("n", "K", "p"), [(30, 7, 5), (1, 1, 1), (4, 9, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_statistics_add_weighted_outer_products(rng, n, K, p, dtype, index_dtype):
    Z, codes = sparse_codes(rng, n, K)
    X = (rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.6)).astype(dtype)
    X.flags.writeable = False
    weights = rng.random(n)
    parts = (codes.data, codes.indices.astype(np.int32), codes.indptr.astype(np.int64))
    A, B, C = np.ones((K, K)), np.ones((K, p)), np.ones((K, p))
    kernels.add_products(*parts, weights, A)
    kernels.add_dense_moments(*parts, weights, X, B)
    rows = sp.csr_array(X)
    kernels.add_sparse_moments(
        *parts,
        weights,
        rows.data,
        rows.indices.astype(index_dtype),
        rows.indptr.astype(index_dtype),
        C,
    )
    W = np.diag(weights)
    np.testing.assert_allclose(A, 1.0 + Z.T @ W @ Z, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(B, 1.0 + Z.T @ W @ X.astype(float), atol=1e-12)
    np.testing.assert_allclose(C, B, rtol=1e-12, atol=1e-12)


def project(v, rho, positive):
    atoms, usable = np.array([v]), np.empty(1, dtype=np.bool_)
    kernels.project_atoms(atoms, positive, rho, np.empty(v.size), usable)
    return atoms[0] if usable[0] else None


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("p", [1, 2, 30])
def test_unit_sphere_is_scaled_to(rng, positive, p):
    v = rng.standard_normal(p)
    v[0] = 1.0
    wanted = np.maximum(v, 0.0) if positive else v
    wanted = wanted / np.sqrt(np.sum(wanted**2))
    for unit in [1.0, 1e-200, 1e200]:
        np.testing.assert_allclose(project(unit * v, 0.0, positive), wanted, rtol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("rho", [0.05, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("p", [1, 2, 30])
@pytest.mark.parametrize("length", [0.01, 1.0, 3.0, 1000.0])
def test_elastic_net_sphere(rng, positive, rho, p, length):
    v = length * rng.standard_normal(p)
    v[0] = length
    found = project(v, rho, positive)
    assert reference.elastic_net_gauge(found, rho) == pytest.approx(1.0, rel=1e-12)
    wanted = reference.nearest_on_elastic_net_ball(v, rho, positive=positive)
    if reference.elastic_net_gauge(wanted, rho) > 1.0 - 1e-9:
        np.testing.assert_allclose(found, wanted, atol=1e-9)
    else:  # inside: on the ray
        cosine = found @ wanted / np.sqrt(found @ found * (wanted @ wanted))
        assert cosine == pytest.approx(1.0, rel=1e-12)


def test_elastic_net_of_equal_entries():
    found = project(np.array([2.0, -2.0, 2.0, 0.0]), 1.0, False)
    np.testing.assert_allclose(found, np.array([1.0, -1.0, 1.0, 0.0]) / 3.0)


@pytest.mark.parametrize("rho", [0.0, 0.5])
@pytest.mark.parametrize("v", [[0.0, 0.0], [-1.0, -2.0], [-1.0, 0.0]])
def test_no_point_is_nearest_to_nothing(rho, v):
    v = np.array(v)
    before = v.copy()
    assert project(v, rho, True) is None
    np.testing.assert_array_equal(v, before)


def statistics(rng, K, p):
    Z, _ = sparse_codes(rng, 3 * K, K)
    Z[:, K // 2] = 0.0  # an atom that no sample uses
    X = rng.standard_normal((3 * K, p))
    return Z.T @ Z, Z.T @ X


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("rho", [0.0, 0.4])
@pytest.mark.parametrize(("K", "p"), [(9, 4), (3, 1), (5, 12)])
def test_atoms_move_one_after_the_other(rng, positive, rho, K, p):
    A, B = statistics(rng, K, p)
    start = np.abs(rng.standard_normal((K, p)))
    start /= np.sqrt(np.sum(start**2, axis=1))[:, None]
    atoms, rest = start.copy(), B - A @ start
    kernels.update_atoms(rest, A, atoms, 0.0, positive, rho, np.empty((2, p)))
    wanted = reference.update_atoms_one_by_one(
        start, A, B, lambda v: project(v, rho, positive)
    )
    np.testing.assert_allclose(atoms, wanted, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(rest, B - A @ atoms, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(atoms[K // 2], start[K // 2])


def test_atoms_below_the_floor_stay(rng):
    A, B = statistics(rng, 6, 4)
    start = rng.standard_normal((6, 4))
    atoms, floor = start.copy(), np.median(np.diagonal(A))
    kernels.update_atoms(B - A @ start, A, atoms, floor, False, 0.0, np.empty((2, 4)))
    moved = np.any(atoms != start, axis=1)
    np.testing.assert_array_equal(moved, np.diagonal(A) > floor)


def test_twins_are_the_same_but_for_sign_and_length(rng):
    atoms = rng.standard_normal((8, 12))
    atoms[5] = -3.0 * atoms[2] + 1e-3 * atoms[0]
    atoms[7] = atoms[2]
    atoms[6] = 0.0
    gram = atoms @ atoms.T
    twins = np.empty(8, dtype=np.int64)
    kernels.find_twins(gram, np.diagonal(gram).copy(), 0.99, twins)
    np.testing.assert_array_equal(twins, [-1, -1, -1, -1, -1, 2, -1, 2])


def test_nearest_cosines(rng):
    atoms = rng.standard_normal((8, 5))
    atoms[3] = 0.0
    gram = atoms @ atoms.T
    squares = np.diagonal(gram)
    inverses = np.divide(1.0, squares, out=np.zeros(8), where=squares > 0.0)
    cosines = np.empty(8)
    kernels.nearest_cosines(gram, inverses, cosines)
    lengths = np.sqrt(np.where(squares > 0.0, squares, 1.0))
    wanted = np.abs(gram) / np.outer(lengths, lengths) * (1.0 - np.eye(8))
    np.testing.assert_allclose(cosines, wanted.max(axis=1), atol=1e-12)
    kernels.nearest_cosines(gram[:1, :1].copy(), inverses[:1], cosines[:1])
    assert cosines[0] == 0.0
