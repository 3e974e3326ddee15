"""Codes by hard thresholding: against the slow twin, and what no step betters."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import awkward_atoms, hard_thresholding

from sparselearn._solvers._coding import Atoms, stack_rows
from sparselearn._solvers._iht_coder import IHTCoder

K, P, N = 14, 9, 40

signs = pytest.mark.parametrize("positive", [False, True])


@pytest.fixture
def atoms(rng):
    """Of all lengths; two are equal, one is a sum of others, one is 0."""
    D = awkward_atoms(rng, K, P)
    D[8] = D[1] - D[2]
    return D


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((N, P))
    X[4] = 0.0
    return X


def dense(codes):
    return stack_rows(codes.data, codes.indices, codes.lengths, K).toarray()


@signs
@pytest.mark.parametrize("n_nonzero", [1, 3, 6])
def test_the_code_of_each_row(atoms, rows, positive, n_nonzero):
    codes = IHTCoder(n_nonzero, positive=positive).encode(rows, Atoms(atoms))
    steps = []
    for i, (x, z) in enumerate(zip(rows, dense(codes))):
        slow, n_steps = hard_thresholding(atoms, x, n_nonzero, positive=positive)
        steps.append(n_steps)
        np.testing.assert_allclose(z, slow, atol=1e-8)
        error = np.sum((x - slow @ atoms) ** 2)
        assert codes.errors[i] == pytest.approx(error, rel=1e-9, abs=1e-15)
    assert (max(steps) > 1) == (n_nonzero > 1)
    np.testing.assert_array_equal(codes.status, 0)
    assert codes.lengths.max() <= n_nonzero


@signs
def test_errors_fall_from_step_to_step(atoms, rows, positive):
    errors, late = [], []
    for max_iter in range(1, 30):
        coder = IHTCoder(3, positive=positive, max_iter=max_iter)
        codes = coder.encode(rows, Atoms(atoms))
        errors.append(codes.errors)
        late.append(codes.status == 1)
    assert np.all(np.diff(errors, axis=0) <= 0.0)
    assert late[0].any()
    assert not late[-1].any()
    # It says that it is late as long as it is, and once more to find that out.
    for before, after, was_late in zip(errors, errors[1:], late):
        assert not np.any((after < before) & ~was_late)


@signs
def test_a_short_step_changes_no_support(atoms, rows, positive):
    """What Blumensath and Davies prove of a limit: it is a fixed point."""
    D = atoms / np.where(atoms.any(axis=1), np.linalg.norm(atoms, axis=1), 1.0)[:, None]
    Z = dense(IHTCoder(3, positive=positive).encode(rows, Atoms(D)))
    step = 0.99 / np.linalg.norm(D, 2) ** 2
    U = Z + step * (rows - Z @ D) @ D.T
    size = U if positive else np.abs(U)
    for z, u in zip(Z, size):
        if np.count_nonzero(z) == 3:
            assert u[z != 0.0].min() >= u[z == 0.0].max() - 1e-9


def test_orthogonal_atoms_are_kept_by_size(rng):
    """Then one step is the best of all codes."""
    Q, _ = np.linalg.qr(rng.standard_normal((P, P)))
    X = rng.standard_normal((N, P))
    codes = IHTCoder(4).encode(X, Atoms(Q))
    found = stack_rows(codes.data, codes.indices, codes.lengths, P).toarray()
    products = X @ Q.T
    cut = np.sort(np.abs(products), axis=1)[:, -4, None]
    expected = np.where(np.abs(products) >= cut, products, 0.0)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@signs
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_do_not_matter(atoms, rows, positive, factor):
    """Neither those of the rows nor those of any atom."""
    coder = IHTCoder(3, positive=positive)
    codes = dense(coder.encode(rows, Atoms(atoms)))
    scaled = dense(coder.encode(factor * rows, Atoms(atoms)))
    np.testing.assert_allclose(scaled, factor * codes, rtol=1e-7, atol=1e-9 * factor)
    units = np.where(np.arange(K) % 2 == 0, factor, 1.0)
    scaled = dense(coder.encode(rows, Atoms(units[:, None] * atoms)))
    np.testing.assert_allclose(units * scaled, codes, rtol=1e-7, atol=1e-9)


def test_stored_rows_and_single_precision(atoms, rows):
    coder = IHTCoder(3)
    expected = coder.encode(rows, Atoms(atoms))
    stored = coder.encode(sp.csr_array(rows), Atoms(atoms))
    np.testing.assert_allclose(dense(stored), dense(expected), atol=1e-10)
    single = coder.encode(rows.astype(np.float32), Atoms(atoms.astype(np.float32)))
    np.testing.assert_allclose(dense(single), dense(expected), atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 40)])
def test_small_and_odd_shapes(rng, shape):
    D, x = rng.standard_normal(shape), rng.standard_normal((1, shape[1]))
    codes = IHTCoder(7).encode(x, Atoms(D))
    slow, _ = hard_thresholding(D, x[0], min(shape))
    found = stack_rows(codes.data, codes.indices, codes.lengths, shape[0]).toarray()
    np.testing.assert_allclose(found[0], slow, atol=1e-10)
