"""Sweeps of K-SVD against their slow twins."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import code_errors, ksvd_sweep

from sparselearn._kernels._ksvd import sweep, sweep_sparse

N, P, K = 60, 7, 10


@pytest.fixture
def problem(rng):
    """X, weights, codes and atoms: one row without a code, one of zeros, one weight 0,
    equal atoms, one atom that is not used."""
    D = rng.standard_normal((K, P))
    D[3] = D[2]
    D /= np.linalg.norm(D, axis=1)[:, None]
    Z = rng.standard_normal((N, K)) * (rng.uniform(size=(N, K)) < 0.3)
    Z[:, 5] = 0.0
    Z[4] = 0.0
    X = Z @ D + 0.5 * rng.standard_normal((N, P))
    X[9] = 0.0
    weights = rng.uniform(0.5, 2.0, N)
    weights[11] = 0.0
    return X, weights, Z, D


def by_atoms(codes):
    """How the kernels find the entries of each atom."""
    where = sp.csr_array(
        (np.arange(codes.nnz), codes.indices, codes.indptr), shape=codes.shape
    ).tocsc()
    return where.indptr, where.indices, where.data


def run(problem, *, positive=False, positive_atoms=False, sparse=False):
    X, weights, Z, D = problem
    codes, atoms = sp.csr_array(Z), D.copy()
    options = positive, positive_atoms
    if not sparse:
        R = X - Z @ D
        sweep(
            R,
            weights,
            codes.data,
            *by_atoms(codes),
            atoms,
            np.full(P, np.nan),
            *options,
        )
        np.testing.assert_allclose(R, X - codes.toarray() @ atoms, atol=1e-12)
        return codes.toarray(), atoms
    rows = sp.csr_array(X)
    sweep_sparse(
        (rows.data, rows.indices, rows.indptr),
        weights,
        (codes.data, codes.indices, codes.indptr),
        *by_atoms(codes),
        atoms,
        np.full(P, np.nan),
        np.full(K, np.nan),
        np.full(K, np.nan),
        *options,
    )
    return codes.toarray(), atoms


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("positive_atoms", [False, True])
def test_the_same_sweep(problem, sparse, positive, positive_atoms):
    X, weights, Z, D = problem
    if positive:
        Z = np.abs(Z)
    if positive_atoms:
        D = np.abs(D)
    problem = X, weights, Z, D
    options = {"positive": positive, "positive_atoms": positive_atoms}
    slow = ksvd_sweep(*problem, **options)
    for fast, expected in zip(run(problem, sparse=sparse, **options), slow):
        np.testing.assert_allclose(fast, expected, atol=1e-10)


@pytest.mark.parametrize("sparse", [False, True])
def test_sweeps_of_one_atom_lead_to_the_singular_pair(problem, sparse):
    """The first ones of K-SVD as Aharon, Elad and Bruckstein (2006) describe it."""
    X, weights, Z, D = problem
    Z[:, 1:] = 0.0
    slow_Z, slow_D = ksvd_sweep(*problem, exact=True)
    for _ in range(300):
        Z, D = run((X, weights, Z, D), sparse=sparse)
    sign = np.sign(D[0] @ slow_D[0])
    np.testing.assert_allclose(D[0], sign * slow_D[0], atol=1e-6)
    np.testing.assert_allclose(Z[:, 0], sign * slow_Z[:, 0], atol=1e-6)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("positive_atoms", [False, True])
def test_no_sweep_raises_the_error(problem, positive, positive_atoms):
    X, weights, Z, D = problem
    Z = np.abs(Z) if positive else Z
    D = np.abs(D) if positive_atoms else D
    before = weights @ code_errors(X, Z, D)
    for _ in range(20):
        Z, D = run((X, weights, Z, D), positive=positive, positive_atoms=positive_atoms)
        after = weights @ code_errors(X, Z, D)
        assert after <= before * (1 + 1e-14)
        before = after


def test_what_is_not_used_stays(problem):
    _X, _weights, _Z, D = problem
    _, atoms = run(problem)
    np.testing.assert_array_equal(atoms[5], D[5])
    np.testing.assert_allclose(np.linalg.norm(atoms, axis=1), 1.0)


def test_where_nothing_is_left_an_atom_stays(problem):
    """An atom that only rows without weight use, or rows that are 0."""
    X, _, Z, D = problem
    Z, atoms = run((X, np.zeros(N), Z, D))
    np.testing.assert_array_equal(atoms, D)
