"""What is read and what is not, against numpy."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred

from sparselearn._kernels._screening import extrapolate, measure_distances, refresh
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
def test_distances(weighted, rng):
    residual, centres = rng.standard_normal(N), rng.standard_normal((3, N))
    centres[1] = residual
    weights = rng.uniform(size=N) if weighted else np.full(1, 0.5)
    out = np.full(3, np.nan)
    measure_distances(residual, weights, centres, out)
    expected = np.sqrt(np.sum(weights * (residual - centres) ** 2, axis=1))
    np.testing.assert_allclose(out, expected, rtol=1e-13)
    assert out[1] == 0.0


def test_extrapolation_is_along_lines(rng):
    """And where there is no alpha, a correlation stays."""
    values, slopes = rng.standard_normal((2, 5))
    origin, alphas = np.array([0, 1, 1, 2, 0]), np.array([3.0, 2.0, np.inf])
    out = np.full(5, np.nan)
    extrapolate(values, slopes, origin, alphas, 1.5, out)
    step = np.array([-1.5, -0.5, -0.5, 0.0, -1.5])
    np.testing.assert_allclose(out, values + step * slopes, rtol=1e-14)


@pytest.mark.parametrize("most", [P, 4, 0])
@pytest.mark.parametrize("piece", [(0, P), (3, 10), (6, 6)])
@pytest.mark.parametrize("each", [False, True])
def test_it_reads_what_may_exceed_its_limit(problem, most, piece, each, rng):
    X = problem.matrix.toarray() if sp.issparse(problem.matrix) else problem.matrix
    _, Xc = centred(X, problem.weights, True)
    u = problem.weights * rng.standard_normal(N)
    values, slopes = 0.1 * rng.standard_normal((2, P))
    limits = rng.uniform(0.05, 0.5, P) if each else np.full(1, 0.2)
    lengths, distances = np.sqrt(problem.curvature), np.array([0.2, 0.0, 0.05])
    origin, alphas = rng.integers(0, 3, P), np.array([3.0, 2.0, 4.0])
    old = values.copy(), slopes.copy(), origin.copy()

    start, stop = piece
    inside = (np.arange(P) >= start) & (np.arange(P) < stop)
    reach = np.abs(values) + lengths * distances[origin]
    read = inside & ((reach >= limits) | (origin == 1))
    if np.count_nonzero(read) > most:
        read = inside
    state = limits, lengths, values, slopes, origin, alphas, distances
    n_read = refresh(problem.design, u, u.sum(), *state, 1, most, start, stop)

    assert n_read == np.count_nonzero(read)
    exact = Xc.T @ u
    np.testing.assert_allclose(values[read], exact[read], atol=1e-13)
    np.testing.assert_array_equal(origin[read], 1)
    for new, before in zip((values, slopes, origin), old):
        np.testing.assert_array_equal(new[~read], before[~read])
    step = alphas[1] - alphas[old[2]]
    moved = read & (step != 0.0)
    slope = (exact - old[0])[moved] / step[moved]
    np.testing.assert_allclose(slopes[moved], slope, atol=1e-12)
    np.testing.assert_array_equal(slopes[~moved], old[1][~moved])
