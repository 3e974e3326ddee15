"""Codes under a penalty of groups: certified from x, D and z."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import code_errors, group_code_gap, group_descent

from sparselearn._solvers._coding import Atoms, stack_rows
from sparselearn._solvers._group_coder import GroupCoder
from sparselearn._solvers._lasso_coder import LassoCoder

K, P, N = 12, 8, 25
# In no order; atom 5 is in none, a group of its own.
GROUPS = ((7, 0, 3), (1, 2), (4, 10, 11), (6, 8, 9))
ALL = [*map(list, GROUPS), [5]]

signs = pytest.mark.parametrize("positive", [False, True])


@pytest.fixture
def D(rng):
    """Atoms of all lengths; two of one group are equal, one is 0."""
    D = rng.standard_normal((K, P)) * rng.uniform(0.3, 3.0, (K, 1))
    D[8], D[2] = D[6], 0.0
    return D


@pytest.fixture
def X(rng):
    X = rng.standard_normal((N, P))
    X[4] = 0.0
    return X


def dense(codes):
    found = stack_rows(codes.data, codes.indices, codes.lengths, K)
    assert found.has_sorted_indices
    return found.toarray()


def strengths(X, D, alpha, relative, positive):
    """lambda_g of each row."""
    roots = np.sqrt([len(group) for group in ALL])
    C = X @ D.T
    C = np.maximum(C, 0.0) if positive else C
    pulls = np.stack([np.linalg.norm(C[:, g], axis=1) for g in ALL], axis=1)
    level = (pulls / roots).max(axis=1) if relative else np.ones(len(X))
    return alpha * level[:, None] * roots


@signs
@pytest.mark.parametrize(("alpha", "relative"), [(0.5, False), (0.1, True)])
def test_certified_by_hand(X, D, positive, alpha, relative):
    coder = GroupCoder(GROUPS, alpha, relative, positive, tol=1e-9, max_iter=10**5)
    codes = coder.encode(X, Atoms(D))
    Z = dense(codes)
    assert not np.any(codes.status)
    lams = strengths(X, D, alpha, relative, positive)
    np.testing.assert_allclose(codes.errors, code_errors(X, Z, D), atol=1e-12)
    n_zero = 0
    for x, z, lam, penalty in zip(X, Z, lams, codes.penalties):
        assert not positive or np.all(z >= 0.0)
        lengths = np.array([np.linalg.norm(z[group]) for group in ALL])
        np.testing.assert_allclose(penalty, lam @ lengths, rtol=1e-9)
        n_zero += np.count_nonzero(lengths == 0.0)
        gap = group_code_gap(x, D, z, ALL, lam, positive=positive)
        assert abs(gap) <= 2e-9 * 0.5 * x @ x
        slow = group_descent(
            D.T, x, np.ones(P), ALL, lam, np.zeros(len(ALL)), positive=positive
        )
        np.testing.assert_allclose(z @ D, slow @ D, atol=1e-4)
    assert N < n_zero < N * len(ALL)


def test_groups_of_one_are_the_lasso(X, D):
    D = np.delete(D, [2, 8], axis=0)
    one = GroupCoder(tuple(range(10)), 0.3, tol=1e-12, max_iter=10**5)
    found, lasso = (c.encode(X, Atoms(D)) for c in (one, LassoCoder(0.3)))
    np.testing.assert_allclose(found.errors, lasso.errors, atol=1e-5)
    np.testing.assert_array_equal(found.lengths, lasso.lengths)
    np.testing.assert_allclose(found.data, lasso.data, atol=1e-4)


def test_labels_are_lists(X, D):
    labels = np.full(K, 9)
    for number, group in enumerate(GROUPS):
        labels[list(group)] = number
    by_lists = GroupCoder(GROUPS, 0.3).encode(X, Atoms(D))
    by_labels = GroupCoder(tuple(labels.tolist()), 0.3).encode(X, Atoms(D))
    np.testing.assert_array_equal(by_lists.indices, by_labels.indices)
    np.testing.assert_allclose(by_lists.data, by_labels.data, atol=1e-12)


@signs
def test_the_smallest_alpha_of_empty_codes(X, D, positive):
    X = np.delete(X, 4, axis=0)
    roots = np.sqrt([len(group) for group in ALL])
    level = (strengths(X, D, 1.0, True, positive) / roots)[:, 0]
    for x, alpha in zip(X, level):
        for factor, empty in ((1.0 + 1e-9, True), (1.0 - 1e-4, False)):
            coder = GroupCoder(GROUPS, factor * alpha, positive=positive, tol=1e-12)
            found = coder.encode(x[None], Atoms(D))
            assert (found.lengths[0] == 0) == empty
    at_all = GroupCoder(GROUPS, 1.0, relative=True, positive=positive)
    codes = at_all.encode(X, Atoms(D))
    # Rounding may leave what is no penalty, and no error, at all.
    np.testing.assert_allclose(codes.errors, np.sum(X**2, axis=1))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@signs
def test_units_do_not_matter(X, D, scale, positive):
    options = {"positive": positive, "tol": 1e-12, "max_iter": 10**5}
    whole = dense(GroupCoder(GROUPS, 0.3, **options).encode(X, Atoms(D)))
    coder = GroupCoder(GROUPS, 0.3 * scale, **options)
    fit = dense(coder.encode(scale * X, Atoms(D))) @ D / scale
    np.testing.assert_allclose(fit, whole @ D, atol=1e-5)
    fit = dense(coder.encode(X, Atoms(scale * D))) @ D * scale
    np.testing.assert_allclose(fit, whole @ D, atol=1e-5)


@signs
def test_without_a_penalty_it_is_least_squares(rng, positive):
    D, X = rng.standard_normal((6, P)), rng.standard_normal((N, P))
    coder = GroupCoder(((0, 3), (1, 2)), 0.0, positive=positive, max_iter=10**5)
    codes = coder.encode(X, Atoms(D))
    assert not np.any(codes.status)
    Z = stack_rows(codes.data, codes.indices, codes.lengths, 6).toarray()
    R = (X - Z @ D) @ D.T
    if positive:
        R = np.where(Z > 0.0, R, np.maximum(R, 0.0))
    np.testing.assert_allclose(R, 0.0, atol=1e-4)


def test_forms_of_rows_and_missing_entries(rng, X, D):
    coder, atoms = GroupCoder(GROUPS, 0.3), Atoms(D)
    whole = coder.encode(X, atoms)
    sparse = coder.encode(sp.csr_array(X), atoms)
    np.testing.assert_allclose(dense(sparse), dense(whole), atol=1e-12)
    single = coder.encode(X.astype(np.float32), atoms)
    np.testing.assert_allclose(dense(single) @ D, dense(whole) @ D, atol=1e-3)
    X = X.copy()
    X[rng.uniform(size=X.shape) < 0.3] = np.nan
    codes = coder.encode_observed(X, atoms)
    lams = strengths(np.nan_to_num(X), D, 0.3, False, False)
    for x, z, lam in zip(X, dense(codes), lams):
        seen = ~np.isnan(x)
        gap = group_code_gap(x[seen], D[:, seen], z, ALL, lam)
        assert abs(gap) <= 1e-6 * 0.5 * x[seen] @ x[seen]


def test_out_of_iterations(X, D):
    codes = GroupCoder(GROUPS, 0.05, max_iter=1).encode(X, Atoms(D))
    lam = strengths(X, D, 0.05, False, False)[0]
    gaps = [group_code_gap(x, D, z, ALL, lam) for x, z in zip(X, dense(codes))]
    missed = gaps > 1e-6 * 0.5 * np.sum(X**2, axis=1)
    np.testing.assert_array_equal(codes.status, missed)
    assert missed.any()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (((0, 1), (1, 2)), "atom 1 is in group 0 and in group 1"),
        (((0, 12),), "has atom 12; the dictionary has 12 atoms"),
        (((0,), ()), "group 1 must be a non-empty list of atoms"),
        ((0, 1, 1), "must have one for each atom"),
    ],
)
def test_errors_of_groups(X, D, groups, message):
    with pytest.raises(ValueError, match=message):
        GroupCoder(groups).encode(X, Atoms(D))


def test_atoms_that_depend_on_those_of_other_groups(rng, X, D):
    """Sweep by sweep most rows would miss the gap."""
    D = D[:, :6] + 0.0
    D[4], D[11] = -2.0 * D[0], D[1] + D[6] + 1e-3 * D[9]
    codes = GroupCoder(GROUPS, 0.05, tol=1e-8, max_iter=1000).encode(X[:, :6], Atoms(D))
    assert not np.any(codes.status)
