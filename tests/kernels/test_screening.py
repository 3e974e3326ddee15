"""What is read and what is not, against numpy."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred

from sparselearn._kernels._screening import combine_centres, extrapolate, refresh
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
    combine_centres(weights, centres, now, products, first, second, distances)
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
            # Never nearer than it is.
            assert size <= distances[a, b] <= size + 1e-5


def test_extrapolation_is_along_lines(rng):
    """Where there are no two alphas, a correlation stays."""
    current, known = rng.standard_normal(5), rng.standard_normal((2, 5))
    last, before = np.array([0, 1, 1, 2, 0]), np.array([1, 0, 1, 0, 2])
    alphas, out = np.array([3.0, 2.0, np.inf]), np.full(5, np.nan)
    extrapolate(current, known, last, before, alphas, -0.5, out)
    slope = (known[0] - known[1]) * np.array([1.0, -1.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(out, current - 0.5 * slope, rtol=1e-14)
    extrapolate(current, known, last, before, alphas, -np.inf, out)
    np.testing.assert_array_equal(out, current)


@pytest.mark.parametrize("most", [P, 4, 0])
@pytest.mark.parametrize("piece", [(0, P), (3, 10), (6, 6)])
def test_it_reads_what_may_exceed_its_limit(problem, most, piece, rng):
    X = problem.matrix.toarray() if sp.issparse(problem.matrix) else problem.matrix
    _, Xc = centred(X, problem.weights, True)
    u = problem.weights * rng.standard_normal(N)
    known, limits = 0.1 * rng.standard_normal((2, P)), rng.uniform(0.05, 0.5, P)
    last, before = rng.integers(0, 3, P), rng.integers(0, 3, P)
    first, second = rng.uniform(0.5, 1.0, (2, 3, 3))
    distances, lengths = rng.uniform(0.0, 0.2, (3, 3)), np.sqrt(problem.curvature)
    old_known, old_last, old_before = known.copy(), last.copy(), before.copy()

    start, stop = piece
    inside = (np.arange(P) >= start) & (np.arange(P) < stop)
    # What is of a residual that is overwritten now is not known any more.
    lost = inside & (before == 1)
    pair = last, np.where(lost, last, before)
    older = np.where(lost, known[0], known[1])
    guess = first[pair] * known[0] + second[pair] * older
    reach = np.abs(guess) + lengths * distances[pair]
    read = inside & ((reach >= limits) | (last == 1))
    if np.count_nonzero(read) > most:
        read = inside
    state = limits, lengths, known, last, before, first, second, distances
    out = np.full(P, np.nan)
    n_read = refresh(problem.design, u, u.sum(), *state, 1, most, start, stop, out)

    assert n_read == np.count_nonzero(read)
    exact = Xc.T @ u
    np.testing.assert_allclose(out[read], exact[read], atol=1e-13)
    np.testing.assert_allclose(out[inside & ~read], guess[inside & ~read], rtol=1e-14)
    assert np.all(np.isnan(out[~inside]))
    np.testing.assert_array_equal(known[0, read], out[read])
    np.testing.assert_array_equal(last[read], 1)
    kept = read & (old_last != 1)
    np.testing.assert_array_equal(known[1, kept], old_known[0, kept])
    np.testing.assert_array_equal(before[kept], old_last[kept])
    np.testing.assert_array_equal(known[0, ~read], old_known[0, ~read])
    np.testing.assert_array_equal(last[~read], old_last[~read])
    np.testing.assert_array_equal(before[~inside], old_before[~inside])
