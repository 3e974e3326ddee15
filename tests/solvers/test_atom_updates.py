"""Updates of atoms against their slow twins, and the laws that all of them keep."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import code_errors, ksvd_sweep, optimal_directions

from sparselearn._solvers._atom_updates import (
    DescentUpdate,
    KSVDUpdate,
    LeastSquaresUpdate,
    entries_by_atoms,
    residuals,
)
from sparselearn._solvers._coding import Codes, stack_rows
from sparselearn._solvers._dictionary import AtomSet

N, P, K = 50, 6, 9


def codes_of(Z, X, D):
    """Dense codes as `Codes`, with the errors they have."""
    stacked = sp.csr_array(Z)
    return Codes(
        stacked.data,
        stacked.indices.astype(np.int32),
        np.diff(stacked.indptr).astype(np.int64),
        code_errors(X, Z, D),
        np.zeros(X.shape[0]),
        np.zeros(X.shape[0], dtype=np.int8),
    )


def dense(codes):
    return stack_rows(codes.data, codes.indices, codes.lengths, K).toarray()


@pytest.fixture
def problem(rng):
    """X, weights, atoms and codes: a row of zeros, one without a code, equal atoms, and
    one atom that is not used."""
    D = rng.standard_normal((K, P))
    D[3] = D[2]
    D /= np.linalg.norm(D, axis=1)[:, None]
    Z = rng.standard_normal((N, K)) * (rng.uniform(size=(N, K)) < 0.3)
    Z[:, 5] = 0.0
    Z[4] = 0.0
    X = Z @ D + 0.5 * rng.standard_normal((N, P))
    X[9] = 0.0
    return X, rng.uniform(0.5, 2.0, N), D, Z


SETS = [AtomSet(), AtomSet(positive=True)]
UPDATES = [
    *(DescentUpdate(atom_set) for atom_set in SETS),
    *(LeastSquaresUpdate(atom_set) for atom_set in SETS),
    *(LeastSquaresUpdate(atom_set, scale_codes=True) for atom_set in SETS),
    KSVDUpdate(),
    KSVDUpdate(positive_atoms=True),
    KSVDUpdate(positive=True, positive_atoms=True),
]
every_update = pytest.mark.parametrize("update", UPDATES, ids=repr)


def ready(update, problem):
    """The problem, with the signs that the update keeps."""
    X, weights, D, Z = problem
    atom_set = getattr(update, "atom_set", None)
    if getattr(update, "positive_atoms", False) or (atom_set and atom_set.positive):
        D = np.abs(D)
    if getattr(update, "positive", False):
        Z = np.abs(Z)
    return X, weights, D, Z


def run(update, X, weights, D, Z):
    frozen = X.copy() if not sp.issparse(X) else X
    if not sp.issparse(X):
        frozen.flags.writeable = False
    full = X.toarray() if sp.issparse(X) else X
    codes = codes_of(Z, full, D)
    kept = D.copy(), codes.data.copy()
    atoms, found = update(frozen, weights, D, codes)
    np.testing.assert_array_equal(D, kept[0])
    np.testing.assert_array_equal(codes.data, kept[1])
    return atoms, dense(found), found


@every_update
@pytest.mark.parametrize("gaps", [False, True])
def test_errors_fall_and_are_what_is_said(update, problem, gaps, rng):
    X, weights, D, Z = ready(update, problem)
    if gaps:
        X = np.where(rng.uniform(size=X.shape) < 0.2, np.nan, X)
    before = weights @ code_errors(X, Z, D)
    for _ in range(5):
        D, Z, codes = run(update, X, weights, D, Z)
        np.testing.assert_allclose(codes.errors, code_errors(X, Z, D), atol=1e-12)
        after = weights @ codes.errors
        assert after < before * (1 + 1e-14)
        before = after
    np.testing.assert_allclose(np.linalg.norm(D, axis=1), 1.0)


@every_update
def test_sparse_is_dense(update, problem):
    X, weights, D, Z = ready(update, problem)
    X = np.where(np.abs(X) > 0.5, X, 0.0)
    for found, expected in zip(
        run(update, sp.csr_array(X), weights, D, Z), run(update, X, weights, D, Z)
    ):
        if isinstance(found, np.ndarray):
            np.testing.assert_allclose(found, expected, atol=1e-10)


@every_update
def test_a_weight_of_two_is_a_row_that_occurs_twice(update, problem):
    X, _, D, Z = ready(update, problem)
    counts = np.arange(N) % 3 + 1
    atoms, _, _ = run(update, X, counts.astype(float), D, Z)
    rows = np.repeat(np.arange(N), counts)
    repeated, _, _ = run(update, X[rows], np.ones(rows.size), D, Z[rows])
    np.testing.assert_allclose(atoms, repeated, atol=1e-10)


@every_update
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(update, problem, scale):
    X, weights, D, Z = ready(update, problem)
    atoms, codes, _ = run(update, X, weights, D, Z)
    scaled_atoms, scaled, _ = run(update, X * scale, weights, D, Z * scale)
    np.testing.assert_allclose(scaled_atoms, atoms, atol=1e-12)
    np.testing.assert_allclose(scaled / scale, codes, atol=1e-12)


@every_update
def test_one_feature_and_one_row(update):
    for X in (np.array([[2.0], [-3.0]]), np.array([[1.0, 2.0]])):
        D = np.full((1, X.shape[1]), X.shape[1] ** -0.5)
        Z = np.ones((X.shape[0], 1))
        codes = codes_of(Z, X, D)
        atoms, found = update(X, np.ones(X.shape[0]), D, codes)
        np.testing.assert_allclose(np.linalg.norm(atoms), 1.0)
        assert found.errors.sum() <= codes.errors.sum()


def test_least_squares_is_that(problem):
    X, weights, D, Z = problem
    Z[:, 3] = 0.0  # of two equal atoms only the sum would be determined
    slow_Z, slow_D = optimal_directions(X, weights, Z, D)
    update = LeastSquaresUpdate(AtomSet(), scale_codes=True)
    atoms, codes, _ = run(update, X, weights, D, Z)
    np.testing.assert_allclose(atoms, slow_D, atol=1e-10)
    np.testing.assert_allclose(codes, slow_Z, atol=1e-10)


def test_least_squares_of_singular_codes(problem):
    X, weights, D, Z = problem
    Z[:, 3] = Z[:, 2]
    slow_Z, slow_D = optimal_directions(X, weights, Z, D)
    update = LeastSquaresUpdate(AtomSet(), scale_codes=True)
    atoms, codes, _ = run(update, X, weights, D, Z)
    np.testing.assert_allclose(codes @ atoms, slow_Z @ slow_D, atol=1e-6)


def test_codes_stay_where_their_entries_are_penalised(problem):
    X, weights, D, Z = problem
    for update in (DescentUpdate(AtomSet()), LeastSquaresUpdate(AtomSet())):
        _, codes, _ = run(update, X, weights, D, Z)
        np.testing.assert_array_equal(codes, Z)


def test_ksvd_fills_gaps_by_the_codes(problem, rng):
    X, weights, D, Z = problem
    X = np.where(rng.uniform(size=X.shape) < 0.2, np.nan, X)
    filled = np.where(np.isnan(X), Z @ D, X)
    slow_Z, slow_D = ksvd_sweep(filled, weights, Z, D)
    atoms, codes, _ = run(KSVDUpdate(), X, weights, D, Z)
    np.testing.assert_allclose(atoms, slow_D, atol=1e-10)
    np.testing.assert_allclose(codes, slow_Z, atol=1e-10)


def test_signs_are_kept(problem):
    update = KSVDUpdate(positive=True, positive_atoms=True)
    X, weights, D, Z = ready(update, problem)
    atoms, codes, _ = run(update, X, weights, D, Z)
    assert atoms.min() >= 0.0
    assert codes.min() >= 0.0
    atoms, _, _ = run(UPDATES[1], X, weights, D, Z)
    assert atoms.min() >= 0.0


def test_residuals_and_entries(problem, rng):
    X, _, D, Z = problem
    X = np.where(rng.uniform(size=X.shape) < 0.2, np.nan, X)
    expected = np.nan_to_num(X - Z @ D)
    np.testing.assert_allclose(residuals(X, sp.csr_array(Z), D), expected)
    codes = sp.csr_array(Z)
    firsts, rows, places = entries_by_atoms(codes)
    for j in range(K):
        mine = slice(firsts[j], firsts[j + 1])
        np.testing.assert_array_equal(rows[mine], np.flatnonzero(Z[:, j]))
        np.testing.assert_array_equal(codes.data[places[mine]], Z[rows[mine], j])
