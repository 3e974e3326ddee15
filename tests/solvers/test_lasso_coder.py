"""Codes under an L1 penalty: certified from x, D and z, whatever the engine."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from reference import awkward_atoms, code_gap, code_objective, coordinate_descent
from scipy.optimize import nnls
from sklearn.decomposition import sparse_encode

from sparselearn._solvers import _lasso_coder as module
from sparselearn._solvers._coding import Atoms, Coder, stack_rows
from sparselearn._solvers._lasso_coder import LassoCoder

K, P, N = 14, 9, 30

signs = pytest.mark.parametrize("positive", [False, True])
engines = pytest.mark.parametrize("room", [256, 1], ids=["path", "descent"])


@pytest.fixture
def D(rng):
    """Atoms of all lengths, more than features; two are equal, one is 0."""
    return awkward_atoms(rng, K, P)


@pytest.fixture
def X(rng, D):
    """Rows of few atoms and noise; one is 0, one is an atom."""
    Z = rng.standard_normal((N, K)) * (rng.uniform(size=(N, K)) < 0.3)
    X = Z @ D + 0.5 * rng.standard_normal((N, P))
    X[4], X[5] = 0.0, D[2]
    return X


@pytest.fixture(autouse=True)
def _room(request, monkeypatch):
    """Where the path has no room for two atoms, descent takes over."""
    if "room" in request.fixturenames:
        monkeypatch.setattr(module, "ROOM", request.getfixturevalue("room"))


def dense(codes, n_components=K):
    found = stack_rows(codes.data, codes.indices, codes.lengths, n_components)
    assert found.has_sorted_indices
    return found.toarray()


def same(codes, others):
    for part, other in zip(codes, others):
        np.testing.assert_array_equal(part, other)


def critical(X, D, weights, positive):
    """The smallest alpha that makes a row's code 0."""
    C = X @ D.T
    C = C if positive else np.abs(C)
    return np.max(np.maximum(C, 0.0) / weights, axis=1)


WEIGHTS = {
    "equal": np.ones(K),
    "unequal": np.linspace(0.5, 2.0, K)[::-1],
    "dropped": np.where(np.arange(K) % 5 == 1, np.inf, 1.0),
    "free": np.where(np.arange(K) % 6 == 1, 0.0, 1.5),
}


@engines
@signs
@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
@pytest.mark.parametrize(("alpha", "relative"), [(0.4, False), (0.2, True)])
def test_certified_by_hand(X, D, room, positive, weights, l1_ratio, alpha, relative):
    w, free = WEIGHTS[weights], weights == "free"
    options = {"l1_ratio": l1_ratio, "positive": positive, "penalty_weights": w}
    if relative and free and (positive or l1_ratio < 1.0):
        with pytest.raises(ValueError, match="penalty_weights has zeros: a relative a"):
            LassoCoder(alpha, relative, **options)
        return
    codes = LassoCoder(alpha, relative, tol=1e-9, max_iter=5000, **options).encode(
        X, Atoms(D)
    )
    Z = dense(codes)
    assert not np.any(codes.status)
    alphas = np.full(N, alpha)
    if relative and free:
        rest = X - X @ np.linalg.pinv(D[w == 0.0]) @ D[w == 0.0]
        alphas = alpha * critical(rest[:, :], D[w > 0.0], w[w > 0.0], positive)
    elif relative:
        alphas = alpha * critical(X, D, w, positive) / l1_ratio
    for x, z, a, error, penalty in zip(X, Z, alphas, codes.errors, codes.penalties):
        if not x.any():
            assert not z.any()
            continue
        l1, l2 = a * l1_ratio * w, a * (1.0 - l1_ratio)
        assert not np.any(z[w == np.inf])
        assert not positive or np.all(z >= 0.0)
        if free and positive:  # no dual point is at hand
            if x[0] > 0.0:  # for half of them: it takes long
                continue
            ones, strengths = np.ones(P), (l1, np.full(K, l2))
            slow = coordinate_descent(D.T, x, ones, *strengths, positive=True)
            gap = code_objective(x, D, z, l1, l2) - code_objective(x, D, slow, l1, l2)
            assert gap <= 1e-8 * x @ x
        else:
            gap = code_gap(x, D, z, l1, l2, positive=positive)
            assert abs(gap) <= 2e-9 * 0.5 * x @ x
        np.testing.assert_allclose(error, np.sum((x - z @ D) ** 2), atol=1e-13 * x @ x)
        expected = code_objective(x, D, z, l1, l2) - 0.5 * np.sum((x - z @ D) ** 2)
        np.testing.assert_allclose(penalty, expected, rtol=1e-9)


@signs
def test_path_and_descent_agree(X, D, positive, monkeypatch):
    coder = LassoCoder(0.3, positive=positive, tol=1e-13, max_iter=100000)
    path = coder.encode(X, Atoms(D))
    monkeypatch.setattr(module, "ROOM", 1)
    descent = coder.encode(X, Atoms(D))
    assert np.any(path.data[: descent.data.size] != descent.data[: path.data.size])
    objectives = [0.5 * c.errors + c.penalties for c in (path, descent)]
    scale = np.maximum(np.sum(X**2, axis=1), 1.0)
    np.testing.assert_allclose(objectives[0] / scale, objectives[1] / scale, atol=1e-12)


@signs
def test_against_scikit_learn(rng, positive):
    D = rng.standard_normal((20, 8))
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    X = rng.standard_normal((25, 8))
    codes = LassoCoder(0.2, positive=positive).encode(X, Atoms(D))
    # Not "lasso_cd": in older versions it ends a hundredth away.
    Z = sparse_encode(X, D, algorithm="lasso_lars", alpha=0.2, positive=positive)
    np.testing.assert_allclose(dense(codes, 20), Z, atol=1e-5)


@signs
@pytest.mark.parametrize("n_nonzero", [1, 3, 6])
def test_the_path_ends_before_it_has_more(X, D, positive, n_nonzero):
    """Codes are exact at some lambda, and just below it the next atom is in."""
    D = np.delete(D, [7, 9], axis=0)  # without ties
    codes = LassoCoder(n_nonzero=n_nonzero, positive=positive).encode(X, Atoms(D))
    Z, n_more = dense(codes, 12), 0
    assert not np.any(codes.status)
    assert np.all(codes.lengths <= n_nonzero)
    for x, z, error, penalty in zip(X, Z, codes.errors, codes.penalties):
        if not z.any():
            assert critical(x[None], D, 1.0, positive)[0] == 0.0
            continue
        level = penalty / np.abs(z).sum()
        if level == 0.0:  # the end of the path, with fewer
            least = nnls(D.T, x)[1] if positive else 0.0
            np.testing.assert_allclose(np.sqrt(error), least, atol=1e-6)
            continue
        gap = code_gap(x, D, z, np.full(12, level), 0.0, positive=positive)
        assert abs(gap) <= 1e-10 * x @ x
        lower = LassoCoder(0.999 * level, positive=positive).encode(x[None], Atoms(D))
        n_more += lower.lengths[0] > n_nonzero
    assert n_more > 1


def test_a_path_may_end_at_alpha_first(X, D):
    few, whole = LassoCoder(0.5, n_nonzero=2), LassoCoder(0.5)
    limited, free = few.encode(X, Atoms(D)), whole.encode(X, Atoms(D))
    ends = free.lengths <= 2
    assert 0 < np.count_nonzero(ends) < N
    np.testing.assert_allclose(dense(limited)[ends], dense(free)[ends], atol=1e-12)
    assert np.all(limited.lengths <= 2)
    more = LassoCoder(0.5, n_nonzero=1000).encode(X, Atoms(D))
    np.testing.assert_allclose(dense(more), dense(free), atol=1e-12)


def test_coefficients_leave_on_the_way(rng):
    """A path that drops atoms; the code at each lambda is that of a new start."""
    D = rng.standard_normal((40, 6)) + 1.0
    X = rng.standard_normal((200, 6))
    atoms = Atoms(D)
    left = 0
    high = dense(LassoCoder(0.5).encode(X, atoms), 40)
    low = LassoCoder(0.02).encode(X, atoms)
    left = np.count_nonzero((high != 0.0) & (dense(low, 40) == 0.0))
    assert left > 20
    for x, z in zip(X, dense(low, 40)):
        assert abs(code_gap(x, D, z, np.full(40, 0.02), 0.0)) <= 1e-10 * x @ x


@engines
@signs
def test_without_a_penalty_it_is_least_squares(rng, room, positive):
    """More atoms than features explain all, fewer what they can."""
    for K in (6, 14):
        D, X = rng.standard_normal((K, P)), rng.standard_normal((N, P))
        codes = LassoCoder(0.0, positive=positive, max_iter=10**5).encode(X, Atoms(D))
        assert not np.any(codes.status)
        if positive:
            best = np.array([nnls(D.T, x)[1] for x in X]) ** 2
        else:
            best = np.sum((X - X @ np.linalg.pinv(D) @ D) ** 2, axis=1)
        np.testing.assert_allclose(codes.errors, best, atol=1e-9)
        np.testing.assert_allclose(codes.penalties, 0.0, atol=1e-12)


@engines
@signs
def test_a_large_alpha_gives_empty_codes(X, D, room, positive):
    X = X[np.max(X @ D.T, axis=1) > 0.0]
    alphas = critical(X, D, np.ones(K), positive)
    for x, alpha in zip(X, alphas):
        for factor, empty in ((1.0 + 1e-9, True), (1.0 - 1e-9, False)):
            coder = LassoCoder(factor * alpha, positive=positive)
            found = coder.encode(x[None], Atoms(D))
            assert (found.lengths[0] == 0) == empty
    at_all = LassoCoder(1.0, relative=True, positive=positive).encode(X, Atoms(D))
    assert not at_all.lengths.any()
    np.testing.assert_allclose(at_all.errors, np.sum(X**2, axis=1))
    assert not at_all.penalties.any()


@engines
@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_units_do_not_matter(X, D, room, scale, l1_ratio):
    """Of samples and, by the scaled penalty, of atoms."""
    whole = dense(LassoCoder(0.4, l1_ratio=l1_ratio).encode(X, Atoms(D)))
    coder = LassoCoder(0.4 * scale, l1_ratio=1.0)
    if l1_ratio == 1.0:
        scaled = dense(coder.encode(scale * X, Atoms(D)))
        np.testing.assert_allclose(scaled / scale, whole, atol=1e-9)
        scaled = dense(coder.encode(X, Atoms(scale * D)))
        np.testing.assert_allclose(scaled * scale, whole, atol=1e-9)
    share = LassoCoder(0.2, relative=True, l1_ratio=l1_ratio)
    base = dense(share.encode(X, Atoms(D)))
    if l1_ratio == 1.0:
        scaled = dense(share.encode(scale * X, Atoms(D)))
        np.testing.assert_allclose(scaled / scale, base, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 6), (3, 2)])
@signs
def test_small_shapes(rng, shape, positive):
    D, X = rng.standard_normal(shape), rng.standard_normal((1, shape[1]))
    codes = LassoCoder(0.1, positive=positive).encode(X, Atoms(D))
    z = dense(codes, shape[0])[0]
    gap = code_gap(X[0], D, z, np.full(shape[0], 0.1), 0.0, positive=positive)
    assert abs(gap) <= 1e-6 * 0.5 * X[0] @ X[0]


def test_ties_everywhere():
    """Counts and orthogonal atoms, twice each: joins and leaves at the same lambda."""
    D = np.vstack([np.eye(4), np.eye(4), np.ones((1, 4))])
    X = np.array(np.meshgrid(*4 * [[-1.0, 0.0, 2.0]])).reshape(4, -1).T
    codes = LassoCoder(0.25).encode(X, Atoms(D))
    assert not np.any(codes.status)
    for x, z in zip(X, dense(codes, 9)):
        gap = code_gap(x, D, z, np.full(9, 0.25), 0.0)
        assert abs(gap) <= 1e-6 * 0.5 * x @ x


def test_forms_of_rows(X, D):
    coder, atoms = LassoCoder(0.3), Atoms(D)
    whole = coder.encode(X, atoms)
    held = X.copy()
    held.flags.writeable = False
    same(whole, coder.encode(held, atoms))
    for kind in (np.int32, np.int64):
        rows = sp.csr_array(X)
        rows.indices, rows.indptr = rows.indices.astype(kind), rows.indptr.astype(kind)
        found = coder.encode(rows, atoms)
        np.testing.assert_allclose(dense(found), dense(whole), atol=1e-12)
        np.testing.assert_allclose(found.errors, whole.errors, atol=1e-12)
    single = coder.encode(X.astype(np.float32), atoms)
    np.testing.assert_allclose(dense(single), dense(whole), atol=1e-4)
    # No row depends on another.
    for i in range(0, N, 7):
        alone = coder.encode(X[i : i + 1], atoms)
        np.testing.assert_allclose(dense(alone)[0], dense(whole)[i], atol=1e-12)


@engines
@signs
@pytest.mark.parametrize(
    "options",
    [{"alpha": 0.3}, {"alpha": 0.2, "relative": True}, {"n_nonzero": 3}],
    ids=str,
)
def test_observed_rows(rng, X, D, room, positive, options):
    """As by the atoms without the features that a row lacks."""
    X = X.copy()
    X[rng.uniform(size=X.shape) < 0.3] = np.nan
    X[3], X[6] = np.nan, X[7]
    coder = LassoCoder(positive=positive, tol=1e-12, max_iter=10**5, **options)
    found, slow = (
        encode(coder, X, Atoms(D))
        for encode in (LassoCoder.encode_observed, Coder.encode_observed)
    )
    np.testing.assert_array_equal(found.status, slow.status)
    np.testing.assert_allclose(found.errors, slow.errors, atol=1e-8)
    np.testing.assert_allclose(found.penalties, slow.penalties, rtol=1e-8, atol=1e-9)
    if room > 1:  # where atoms are equal codes of one worth differ
        fitted = [np.abs(dense(codes) @ D) for codes in (found, slow)]
        np.testing.assert_allclose(*fitted, atol=1e-8)


def test_weights_of_observed_rows(rng, X, D):
    X = X.copy()
    X[rng.uniform(size=X.shape) < 0.3] = np.nan
    for weights in WEIGHTS.values():
        coder = LassoCoder(0.3, penalty_weights=weights, tol=1e-11, l1_ratio=0.9)
        found, slow = (
            encode(coder, X, Atoms(D))
            for encode in (LassoCoder.encode_observed, Coder.encode_observed)
        )
        np.testing.assert_allclose(found.errors, slow.errors, atol=1e-8)
        np.testing.assert_allclose(found.penalties, slow.penalties, rtol=1e-8)


def test_out_of_iterations(X, D):
    codes = LassoCoder(0.05, max_iter=1).encode(X, Atoms(D))
    gaps = np.array(
        [code_gap(x, D, z, np.full(K, 0.05), 0.0) for x, z in zip(X, dense(codes))]
    )
    missed = gaps > 1e-6 * 0.5 * np.sum(X**2, axis=1)
    np.testing.assert_array_equal(codes.status, missed)
    assert missed.any()
    path = LassoCoder(n_nonzero=4, max_iter=2).encode(X, Atoms(D))
    assert np.count_nonzero(path.status) > N / 2


def test_tolerance_is_alive(X, D, monkeypatch):
    monkeypatch.setattr(module, "ROOM", 1)
    exact = LassoCoder(0.05, tol=1e-13, max_iter=10**5).encode(X, Atoms(D))
    best = 0.5 * exact.errors + exact.penalties
    lost = []
    for tol in (1e-2, 1e-5):
        codes = LassoCoder(0.05, tol=tol).encode(X, Atoms(D))
        lost.append(0.5 * codes.errors + codes.penalties - best)
        assert np.all(lost[-1] <= tol * 0.5 * np.sum(X**2, axis=1) + 1e-12)
    assert lost[0].sum() > 1e-3 > 10 * abs(lost[1].sum())


def test_small_errors_are_errors(D):
    """Not the rounding of differences of products."""
    X = 1e3 * np.random.default_rng(0).standard_normal((5, K)) @ D
    codes = LassoCoder(1e-9, relative=True).encode(X, Atoms(D))
    errors = np.sum((X - dense(codes) @ D) ** 2, axis=1)
    assert np.all(errors < 1e-9 * np.sum(X**2, axis=1))
    np.testing.assert_allclose(codes.errors, errors, rtol=1e-3)


def test_errors_of_parameters(X, D):
    with pytest.raises(ValueError, match=r"has shape \(3,\); it must have one w"):
        LassoCoder(penalty_weights=np.ones(3)).encode(X, Atoms(D))
    for wrong in (np.full(K, -1.0), np.full(K, np.nan), np.ones((2, K))):
        with pytest.raises(ValueError, match="penalty_weights must be numbers >= 0 "):
            LassoCoder(penalty_weights=wrong)
    with pytest.raises(ValueError, match="n_nonzero_coefs=2 with l1_ratio="):
        LassoCoder(n_nonzero=2, l1_ratio=0.5)
    with pytest.raises(ValueError, match="has zeros: n_nonzero_coefs needs all"):
        LassoCoder(n_nonzero=2, penalty_weights=np.zeros(K))


def test_what_it_says_of_itself():
    assert LassoCoder(0.1).has_objective
    assert not LassoCoder(0.1, relative=True).has_objective
    assert not LassoCoder(n_nonzero=2).has_objective
    assert not LassoCoder(0.1).counts_only
    assert dataclasses.replace(LassoCoder(0.1), alpha=0.2).alpha == 0.2
