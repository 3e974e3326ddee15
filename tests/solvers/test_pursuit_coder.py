"""Codes by matching pursuit: against the slow twin, scikit-learn, and themselves."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from reference import awkward_atoms, matching_pursuit
from sklearn.linear_model import orthogonal_mp_gram

from sparselearn._solvers._coding import Atoms, Coder, stack_rows
from sparselearn._solvers._pursuit_coder import PursuitCoder

K, P, N = 14, 9, 30

both = pytest.mark.parametrize("optimised", [False, True])
signs = pytest.mark.parametrize("positive", [False, True])


@pytest.fixture
def atoms(rng):
    """Of all lengths; two are equal, one is 0."""
    return awkward_atoms(rng, K, P)


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((N, P))
    X[4] = 0.0
    return X


def dense(codes, n_components=K):
    found = stack_rows(codes.data, codes.indices, codes.lengths, n_components)
    assert found.has_sorted_indices
    return found.toarray()


def same(codes, others):
    for part, other in zip(codes, others):
        np.testing.assert_array_equal(part, other)


@both
@signs
@pytest.mark.parametrize(
    "options",
    [
        {"n_nonzero": 3},
        {"tol": 0.1},
        {"n_nonzero": 4, "tol": 0.3},
        {"alpha": 0.3},
        {"alpha": 0.05, "relative": True},
        {"n_nonzero": 2, "alpha": 0.1},
        {},
    ],
    ids=str,
)
def test_the_code_of_each_row(atoms, rows, optimised, positive, options):
    D, X = atoms, rows
    coder = PursuitCoder(**options, positive=positive, optimised=optimised)
    codes = coder.encode(X, Atoms(D))
    lengths = np.linalg.norm(D, axis=1)
    for i, (x, z) in enumerate(zip(X, dense(codes))):
        c = np.divide(D @ x, lengths, out=np.zeros(K), where=lengths > 0.0)
        alpha = options.get("alpha", 0.0)
        if options.get("relative"):
            alpha *= 0.5 * np.max(c if positive else np.abs(c)) ** 2
        slow, order = matching_pursuit(
            D.T,
            x,
            np.ones(P),
            options.get("n_nonzero", P),
            tol=options.get("tol", 0.0),
            worth=2.0 * alpha,
            positive=positive,
            optimised=optimised,
        )
        np.testing.assert_allclose(z, slow, atol=1e-8)
        assert codes.lengths[i] == len(order)
        error = np.sum((x - slow @ D) ** 2)
        assert codes.errors[i] == pytest.approx(error, rel=1e-6, abs=1e-15)
        assert codes.penalties[i] == pytest.approx(alpha * len(order))


def test_as_in_scikit_learn(rng):
    D = rng.standard_normal((40, 16))
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    X = rng.standard_normal((200, 16))
    expected = orthogonal_mp_gram(D @ D.T, D @ X.T, n_nonzero_coefs=6).T
    codes = PursuitCoder(n_nonzero=6).encode(X, Atoms(D))
    np.testing.assert_allclose(dense(codes, 40), expected, atol=1e-10)


@both
@signs
def test_all_levels_from_one_pass(atoms, rows, optimised, positive):
    """In any order, more than once, and more than there can be."""
    coder = PursuitCoder(positive=positive, optimised=optimised)
    levels = [4, 1, 8, 4, 100]
    together = coder.encode_levels(rows, Atoms(atoms), levels)
    for level, codes in zip(levels, together):
        alone = dataclasses.replace(coder, n_nonzero=level)
        same(codes, alone.encode(rows, Atoms(atoms)))


def test_levels_that_a_row_does_not_reach(atoms, rows):
    coder = PursuitCoder(tol=0.4, alpha=0.01, relative=True)
    together = coder.encode_levels(rows, Atoms(atoms), [1, 3, 8])
    assert np.any(together[1].lengths < 3)
    for level, codes in zip([1, 3, 8], together):
        alone = dataclasses.replace(coder, n_nonzero=level)
        same(codes, alone.encode(rows, Atoms(atoms)))


@both
def test_levels_of_a_pursuit_that_is_bound_to_signs(rng, optimised):
    """Where atoms leave, shorter codes are no parts of longer ones."""
    D, X = np.abs(rng.standard_normal((2, 200, P)))
    D = D[:K]
    coder = PursuitCoder(positive=True, optimised=optimised)
    together = coder.encode_levels(X, Atoms(D), range(1, 9))
    found = [dense(codes) != 0.0 for codes in together]
    assert any(np.any(short & ~longer) for short, longer in pairwise(found))
    for level, codes in enumerate(together, 1):
        alone = dataclasses.replace(coder, n_nonzero=level)
        same(codes, alone.encode(X, Atoms(D)))


@both
@signs
@pytest.mark.parametrize("share", [0.1, 0.7])
@pytest.mark.parametrize("options", [{"n_nonzero": 3}, {"tol": 0.4}, {"alpha": 0.2}])
def test_missing_entries(atoms, rng, optimised, positive, share, options):
    """As by atoms without them, mask by mask."""
    X = rng.standard_normal((60, P))
    X[rng.uniform(size=X.shape) < share] = np.nan
    X[3], X[5] = np.nan, 1.0
    coder = PursuitCoder(**options, positive=positive, optimised=optimised)
    codes = coder.encode_observed(X, Atoms(atoms))
    expected = Coder.encode_observed(coder, X, Atoms(atoms))
    np.testing.assert_array_equal(codes.indices, expected.indices)
    np.testing.assert_array_equal(codes.lengths, expected.lengths)
    np.testing.assert_array_equal(codes.status, expected.status)
    np.testing.assert_allclose(codes.data, expected.data, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(codes.errors, expected.errors, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(codes.penalties, expected.penalties)


def test_an_atom_that_is_all_but_missing(rng):
    """What little of it is observed has all its digits."""
    D = rng.standard_normal((K, P))
    D[2, 1:] *= 1e-7
    D[2, 0] = 1e3
    X = rng.standard_normal((20, 1)) * D[2] + 1e-9 * rng.standard_normal((20, P))
    X[:, 0] = np.nan
    codes = PursuitCoder(n_nonzero=1).encode_observed(X, Atoms(D))
    np.testing.assert_array_equal(codes.indices, 2)
    z, *_ = np.linalg.lstsq(D[2, 1:, None], X[:, 1:].T)
    np.testing.assert_allclose(codes.data, z.ravel(), rtol=1e-12)


@both
@signs
@pytest.mark.parametrize(
    "options",
    [{"n_nonzero": 3}, {"tol": 0.1}, {"alpha": 0.1, "relative": True}],
)
@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.parametrize("which", ["rows", "atoms"])
def test_units_do_not_matter(atoms, rows, optimised, positive, options, factor, which):
    coder = PursuitCoder(**options, positive=positive, optimised=optimised)
    codes = coder.encode(rows, Atoms(atoms))
    if which == "rows":
        scaled, change = coder.encode(factor * rows, Atoms(atoms)), factor
    else:
        scaled, change = coder.encode(rows, Atoms(factor * atoms)), 1.0 / factor
    np.testing.assert_array_equal(scaled.indices, codes.indices)
    np.testing.assert_array_equal(scaled.lengths, codes.lengths)
    np.testing.assert_array_equal(scaled.status, codes.status)
    np.testing.assert_allclose(scaled.data, change * codes.data, rtol=1e-7)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_stored_rows_and_single_precision(atoms, rows, index):
    coder = PursuitCoder(n_nonzero=3)
    X = np.where(np.abs(rows) < 0.5, 0.0, rows)
    expected = coder.encode(X, Atoms(atoms))
    stored = sp.csr_array(X)
    stored.indices = stored.indices.astype(index)
    stored.indptr = stored.indptr.astype(index)
    codes = coder.encode(stored, Atoms(atoms))
    np.testing.assert_array_equal(codes.indices, expected.indices)
    np.testing.assert_allclose(codes.data, expected.data, atol=1e-12)
    single = coder.encode(X.astype(np.float32), Atoms(atoms.astype(np.float32)))
    np.testing.assert_array_equal(single.indices, expected.indices)
    np.testing.assert_allclose(single.data, expected.data, atol=1e-4)


@both
def test_an_exact_code_ends_with_it(rng, optimised):
    """Also where the stored error would be rounding of the squared length."""
    D, Z = rng.standard_normal((K, P)), np.zeros((N, K))
    Z[:, [2, 5]] = rng.uniform(1.0, 2.0, (N, 2))
    D[2] = 10.0 * np.eye(P)[0]  # no other atom competes with these two
    D[5] = 10.0 * np.eye(P)[1]
    X = Z @ D
    codes = PursuitCoder(optimised=optimised).encode(X, Atoms(D))
    np.testing.assert_allclose(dense(codes), Z, atol=1e-12)
    np.testing.assert_array_equal(codes.lengths, 2)
    np.testing.assert_array_equal(codes.status, 0)
    tiny = 1e-7 * rng.standard_normal(X.shape)
    codes = PursuitCoder(n_nonzero=2, optimised=optimised).encode(X + tiny, Atoms(D))
    errors = np.sum((X + tiny - dense(codes) @ D) ** 2, axis=1)
    np.testing.assert_allclose(codes.errors, errors, rtol=1e-6)
    single = PursuitCoder(optimised=optimised).encode(X.astype(np.float32), Atoms(D))
    np.testing.assert_array_equal(single.lengths, 2)
    np.testing.assert_array_equal(single.status, 0)


def test_status_tells_of_what_no_atom_explains(rng):
    D = rng.standard_normal((3, P))
    X = rng.standard_normal((5, P))
    X[1], X[2] = 0.0, D[0] - D[2]
    expected = [2, 0, 0, 2, 2]
    for coder in (
        PursuitCoder(n_nonzero=3, tol=1e-3, positive=True),
        PursuitCoder(tol=1e-3),
    ):
        status = coder.encode(X, Atoms(D)).status
        if coder.positive:
            status, wanted = status[[0, 1, 3, 4]], [expected[i] for i in (0, 1, 3, 4)]
            fitted = PursuitCoder(n_nonzero=3, positive=True).encode(X, Atoms(D))
            wanted = np.where(fitted.lengths[[0, 1, 3, 4]] == 3, 0, wanted)
            np.testing.assert_array_equal(status, wanted)
        else:
            np.testing.assert_array_equal(status, expected)
    D[1] = D[0]
    codes = PursuitCoder(n_nonzero=3).encode(X, Atoms(D))
    np.testing.assert_array_equal(codes.lengths, [2, 0, 2, 2, 2])
    np.testing.assert_array_equal(codes.status, expected)
    codes = PursuitCoder(alpha=1e-9).encode(X, Atoms(D))
    np.testing.assert_array_equal(codes.status, 0)


@both
@signs
def test_the_least_alpha_that_leaves_nothing(atoms, rows, optimised, positive):
    def lengths(alpha):
        coder = PursuitCoder(
            alpha=alpha, relative=True, positive=positive, optimised=optimised
        )
        return coder.encode(rows, Atoms(atoms)).lengths

    np.testing.assert_array_equal(lengths(1.0), 0)
    np.testing.assert_array_equal(lengths(0.999) > 0, np.any(rows != 0.0, axis=1))


@both
@signs
def test_no_objective_is_above_that_of_no_code(atoms, rows, optimised, positive):
    for alpha in (0.01, 0.1, 0.5):
        coder = PursuitCoder(
            alpha=alpha, relative=True, positive=positive, optimised=optimised
        )
        codes = coder.encode(rows, Atoms(atoms))
        null = 0.5 * np.sum(rows**2, axis=1)
        assert np.all(0.5 * codes.errors + codes.penalties <= null)
        # What is left out is not worth it: one atom more would cost more.
        longer = coder.encode_levels(rows, Atoms(atoms), range(1, P + 1))
        best = [0.5 * c.errors + c.penalties for c in longer]
        assert np.all(best[-1] <= np.min(best, axis=0) + 1e-12)


@both
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (5, 1), (3, 40)])
def test_small_and_odd_shapes(rng, optimised, shape):
    """One atom, one feature, one row; more non-zeros wanted than can be."""
    D, x = rng.standard_normal(shape), rng.standard_normal((1, shape[1]))
    codes = PursuitCoder(n_nonzero=7, optimised=optimised).encode(x, Atoms(D))
    slow, order = matching_pursuit(
        D.T, x[0], np.ones(shape[1]), min(shape), optimised=optimised
    )
    assert codes.lengths[0] == len(order)
    np.testing.assert_allclose(dense(codes, shape[0])[0], slow, atol=1e-10)


def test_read_only_rows_stay_as_they_are(atoms, rows):
    X, D = rows.copy(), atoms.copy()
    X.flags.writeable = D.flags.writeable = False
    expected = PursuitCoder(n_nonzero=3).encode(rows, Atoms(atoms))
    same(PursuitCoder(n_nonzero=3).encode(X, Atoms(D)), expected)
    np.testing.assert_array_equal(X, rows)
    gaps = np.where(X > 1.0, np.nan, X)
    gaps.flags.writeable = False
    before = gaps.copy()
    PursuitCoder(n_nonzero=3).encode_observed(gaps, Atoms(D))
    np.testing.assert_array_equal(gaps, before)
