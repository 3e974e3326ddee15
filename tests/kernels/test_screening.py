"""What is read and what is not, against numpy."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred

from sparselearn._kernels._screening import (
    approaching,
    combine_centres,
    expect,
    read,
    renew,
    screen,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

N, P = 40, 13


@pytest.fixture(params=["dense", np.int32, np.int64])
def problem(request, rng):
    X = rng.standard_normal((N, P)) + 1.0
    X[rng.uniform(size=X.shape) < 0.4] = 0.0
    X[:, 5] = 0.0
    weights = rng.uniform(size=N)
    weights[:3] = 0.0
    weights /= weights.sum()
    if request.param == "dense":
        return make_problem(column_major(X), weights, fit_intercept=True)
    stored = column_major(sp.csc_array(X))
    problem = make_problem(stored, weights, fit_intercept=True)
    design = problem.design._replace(
        indices=stored.indices.astype(request.param),
        indptr=stored.indptr.astype(request.param),
    )
    return replace(problem, design=design)


@pytest.mark.parametrize("weighted", [False, True])
def test_combinations_are_the_nearest(weighted, rng):
    """Of every two centres; of two in one direction the first serves alone."""
    centres = rng.standard_normal((5, N))
    centres[3] = -2.0 * centres[1]
    centres[4] = 0.0
    weights = rng.uniform(size=N) if weighted else np.full(1, 0.5)
    products = (centres * weights) @ centres.T
    now = 2
    products[now] = products[:, now] = np.nan
    first, second, distances = np.empty((3, 5, 5))
    uses = np.ones(5, dtype=np.int64)
    state = products, first, second, distances
    combine_centres(weights, centres, uses, now, *state)
    np.testing.assert_allclose(products, (centres * weights) @ centres.T, atol=1e-13)
    root = np.sqrt(np.broadcast_to(weights, (N,)))
    for a in range(5):
        for b in range(5):
            pair = np.column_stack([centres[a], centres[b]])
            best = np.linalg.lstsq(root[:, None] * pair, root * centres[now])[0]
            left = root * (centres[now] - pair @ best)
            found = centres[now] - first[a, b] * centres[a] - second[a, b] * centres[b]
            size = np.linalg.norm(root * found)
            if np.any(centres[a]):
                assert size == pytest.approx(np.linalg.norm(left), abs=1e-6)
            # Never nearer than it is; what it replaces is not known any more.
            assert size <= distances[a, b]
            if a == now:
                assert distances[a, b] == np.inf
            else:
                assert distances[a, b] <= size + 1e-5
    # What nobody uses is left as it is.
    uses[:2], centres[1] = 0, np.nan
    old = products.copy()
    combine_centres(weights, centres, uses, now, *state)
    np.testing.assert_array_equal(products, old)
    assert np.all(np.isfinite(distances[3:]))


@pytest.mark.parametrize("own", [False, True])
def test_what_approaches_its_bound(own, rng):
    """As it went from one of the residuals that it is known of to the other."""
    n = 60
    current, known = rng.standard_normal(n), rng.standard_normal((2, n))
    last, before = rng.integers(0, 3, (2, n)).astype(np.uint8)
    alphas, step = np.array([3.0, 2.0, np.inf]), -0.5
    # Along lines where there are two alphas; elsewhere correlations stay.
    slopes = np.array([[0.0, -0.5, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.0]])
    bounds = rng.uniform(0.5, 1.5, n if own else 1)
    outside = np.arange(n) % 3 > 0
    found, ahead = np.full(n, -1), np.full(n, np.nan)
    n_found = approaching(
        current, known, last, before, alphas, step, bounds, outside, found, ahead
    )
    expected = current + slopes[last, before] * (known[0] - known[1])
    chosen = np.flatnonzero((np.abs(expected) > bounds) & outside)
    assert 0 < chosen.size < np.count_nonzero(outside)
    np.testing.assert_array_equal(found[:n_found], chosen)
    np.testing.assert_allclose(ahead[:n_found], expected[chosen], rtol=1e-14)
    features, out = rng.permutation(n)[:7], np.full(7, np.nan)
    state = current, known, last, before, alphas
    expect(*state, step, features, out)
    np.testing.assert_allclose(out, expected[features], rtol=1e-14)
    expect(*state, -np.inf, features, out)
    np.testing.assert_array_equal(out, current[features])


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("active", [[], [0, 4], [12], list(range(P))])
def test_it_reads_what_may_exceed_its_limit(problem, own, active, rng):
    X = problem.matrix.toarray() if sp.issparse(problem.matrix) else problem.matrix
    _, Xc = centred(X, problem.weights, True)
    u = problem.weights * rng.standard_normal(N)
    known, limits = 0.1 * rng.standard_normal((2, P)), np.full(1, 0.2)
    if own:
        limits = rng.uniform(0.05, 0.5, P)
    last, before = rng.integers(0, 3, (2, P)).astype(np.uint8)
    last[:3], before[:3] = [1, 0, 1], [1, 1, 0]
    uses = np.bincount(np.concatenate([last, before]), minlength=3)
    first, second = rng.uniform(0.5, 1.0, (2, 3, 3))
    distances, lengths = rng.uniform(0.0, 0.2, (3, 3)), np.sqrt(problem.curvature)
    distances[1] = np.inf
    active = np.array(active, dtype=np.int64)
    old_known, old_last, old_before = known.copy(), last.copy(), before.copy()

    # What is of a residual that is overwritten now is not known any more.
    lost = before == 1
    pair = last, np.where(lost, last, before)
    older = np.where(lost, known[0], known[1])
    guess = first[pair] * known[0] + second[pair] * older
    finite = np.where(last == 1, 0.0, distances[pair])
    stale = (last == 1) | (lengths * finite + np.abs(guess) >= limits)
    stale[active] = True
    out, found = np.full(P, np.nan), np.full(P, -1)
    state = known, last, before, uses
    n_stale = screen(
        limits, lengths, active, *state, first, second, distances, 1, out, found
    )
    read_ones = np.flatnonzero(stale)
    np.testing.assert_array_equal(found[:n_stale], read_ones)
    np.testing.assert_allclose(out, guess, rtol=1e-14)
    assert np.all(before[lost] == old_last[lost])

    fresh = np.full(n_stale, np.nan)
    read(problem.design, read_ones, u, u.sum(), fresh)
    np.testing.assert_allclose(fresh, (Xc.T @ u)[read_ones], atol=1e-13)
    renew(read_ones, fresh, 1, *state, out)
    np.testing.assert_array_equal(out[stale], fresh)
    np.testing.assert_allclose(out[~stale], guess[~stale], rtol=1e-14)
    np.testing.assert_array_equal(known[0, stale], fresh)
    np.testing.assert_array_equal(last[stale], 1)
    kept = stale & (old_last != 1)
    np.testing.assert_array_equal(known[1, kept], old_known[0, kept])
    np.testing.assert_array_equal(before[kept], old_last[kept])
    np.testing.assert_array_equal(known[0, ~stale], old_known[0, ~stale])
    np.testing.assert_array_equal(last[~stale], old_last[~stale])
    untouched = ~stale & ~lost
    np.testing.assert_array_equal(before[untouched], old_before[untouched])
    counted = np.bincount(np.concatenate([last, before]), minlength=3)
    np.testing.assert_array_equal(uses, counted)
