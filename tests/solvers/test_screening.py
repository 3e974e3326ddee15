"""Correlations that are not read are below their threshold, wherever a path goes."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import centred, sparse_regression

from sparselearn import penalties
from sparselearn._solvers import _screening
from sparselearn._solvers._certificates import Fit, critical_alpha
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._screening import CENTRES, Correlations
from sparselearn._solvers._squared_loss import Solver
from sparselearn._validation import column_major

N, P = 40, 80
NONE = np.empty(0, dtype=np.int64)


def problem_of(X, y, weights, *, storage=np.asarray, intercept=True):
    X = column_major(storage(X))
    return make_problem(X, weights, fit_intercept=intercept).with_target(y)


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, N, P)
    return X, y, np.full(1, 1.0 / N)


def exact(problem, residual):
    """The correlations of all features in numpy."""
    X = problem.matrix.toarray() if sp.issparse(problem.matrix) else problem.matrix
    s = np.broadcast_to(problem.weights, residual.shape)
    _, Xc = centred(X.astype(np.float64), s, problem.fit_intercept)
    return Xc.T @ (s * residual)


def penalty_of(kind, rng):
    """Of alpha 1; it is scaled along the path."""
    omega = rng.uniform(0.5, 2.0, P)
    omega[[6, 9]] = np.inf
    return {
        "L1": penalties.L1(1.0),
        "positive": penalties.L1(1.0, True),
        "elastic net": penalties.ElasticNet(1.0, 0.6),
        "weighted": penalties.WeightedL1(1.0, omega),
        "weighted net": penalties.WeightedElasticNet(1.0, 0.5, omega, True),
    }[kind]


@pytest.fixture
def updates(monkeypatch):
    """Checks each update against numpy; the share of features that it did not read."""
    shares, update = [], Correlations.update

    def checked(self, residual, penalty, active=NONE):
        values = update(self, residual, penalty, active)
        problem = self.problem
        full = exact(problem, residual)
        unread = self._last != self._now
        limits = np.broadcast_to(penalties.threshold(penalty, slice(None)), full.shape)
        scale = np.sqrt(2.0 * problem.null_value * problem.curvature)
        assert np.all(np.abs(full)[unread] < limits[unread])
        assert np.all(np.abs(values)[unread] < limits[unread])
        assert np.all(np.abs(values - full)[~unread] <= 1e-10 * scale[~unread])
        known = np.concatenate([self._last, self._before])
        np.testing.assert_array_equal(self._uses, np.bincount(known, minlength=CENTRES))
        shares.append(np.mean(unread))
        return values

    monkeypatch.setattr(Correlations, "update", checked)
    return shares


@pytest.mark.parametrize(
    "kind", ["L1", "positive", "elastic net", "weighted", "weighted net"]
)
@pytest.mark.parametrize(
    "case", ["plain", "rows weigh", "large means", "float32", "sparse", "pieces"]
)
def test_what_is_not_read_does_not_matter(kind, case, data, updates, rng, monkeypatch):
    """Nor to the certificate, which is that of all correlations."""
    X, y, weights = data
    storage = sp.csc_array if case == "sparse" else np.asarray
    if case == "rows weigh":
        weights = rng.uniform(size=N)
        weights[:5] = 0.0
        weights /= weights.sum()
    elif case == "large means":
        X = X + 1e3 * rng.uniform(size=P)
    elif case == "float32":
        X = X.astype(np.float32)
    elif case == "pieces":
        monkeypatch.setattr(_screening, "WORTH_SPREADING", 0)
    problem = problem_of(X, y, weights, storage=storage)
    unit = penalty_of(kind, rng)
    solver = Solver(problem, unit, n_solves=30)
    for alpha in critical_alpha(problem, unit) * np.geomspace(0.95, 0.05, 25):
        penalty = unit._replace(alpha=alpha)
        solution = solver.solve(penalty, tol=1e-12, max_iter=1000)
        assert solution.converged
        full = solver.certifier(penalty, solution.coef)
        assert solution.certificate.gap == pytest.approx(
            full.gap, abs=1e-12 * problem.null_value
        )
        assert full.gap <= 2e-12 * problem.null_value
    assert len(updates) > CENTRES
    assert np.mean(updates) > 0.3


@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_any_coefficients_and_penalties_will_do(storage, data, updates, rng):
    """The gap need not be small, if what is active exceeds its threshold."""
    problem = problem_of(*data, storage=storage)
    certifier = Solver(problem, penalties.L1(1.0)).certifier
    omega = rng.uniform(0.5, 2.0, P)
    omega[:2], omega[2:5] = np.inf, 1e-6
    largest = critical_alpha(problem, penalties.L1(1.0))
    start = exact(problem, problem.target)
    correlations = Correlations(problem, start, problem.target, largest)
    coef = np.zeros(P)
    for step in range(3 * CENTRES):
        coef[rng.integers(2, 5)] += 0.1 * rng.standard_normal()
        penalty = penalties.WeightedL1(largest * rng.uniform(0.8, 2.0), omega)
        residual = problem.residual(coef)
        if step % 7 == 6:
            # The next one sets out from here, and from nothing before.
            full = exact(problem, residual)
            correlations.replace(full, residual, penalty.alpha)
            continue
        values = correlations.update(residual, penalty)
        square = np.sum(problem.weights * residual**2)
        found = certifier.bound(penalty, coef, Fit(values, square, residual, values, 0))
        full = certifier(penalty, coef)
        assert found.gap == pytest.approx(full.gap, rel=1e-9)
    assert 0.0 < np.mean(updates) < 1.0


def test_what_is_replaced_is_where_distances_start(data, updates):
    """From a residual of 0 back to the null model, whose residual was kept before."""
    problem = problem_of(*data)
    start = exact(problem, problem.target)
    largest = np.abs(start).max()
    correlations = Correlations(problem, start, problem.target, largest)
    nothing = np.zeros(N)
    correlations.replace(np.zeros(P), nothing, 0.1 * largest)
    correlations.update(problem.target, penalties.L1(0.5 * largest))
    assert len(updates) == 1


def test_free_features_are_always_read(data, rng):
    """Their threshold is 0."""
    problem = problem_of(*data)
    omega = np.ones(P)
    omega[[3, 50]] = 0.0
    correlations = Correlations(
        problem, exact(problem, problem.target), problem.target, 1.0
    )
    for size in (1e-3, 1e-6):
        coef = size * rng.standard_normal(P)
        residual = problem.residual(coef)
        penalty = penalties.WeightedL1(100.0, omega)
        before = correlations.n_passes
        values = correlations.update(residual, penalty, NONE)
        np.testing.assert_allclose(
            values[[3, 50]], exact(problem, residual)[[3, 50]], atol=1e-13
        )
        assert correlations.n_passes == pytest.approx(before + 2 / P)


def test_passes_are_columns_read(data):
    """The null model is one; what moves much is read again, what does not is not."""
    problem = problem_of(*data)
    start = exact(problem, problem.target)
    largest = np.abs(start).max()
    correlations = Correlations(problem, start.copy(), problem.target, largest)
    assert correlations.n_passes == 1.0
    assert correlations.complete
    high = penalties.L1(10.0 * largest)
    correlations.update(problem.target, high, NONE)
    assert correlations.n_passes == 1.0
    assert not correlations.complete
    correlations.update(problem.target, penalties.L1(1e-9 * largest), NONE)
    assert correlations.n_passes == pytest.approx(2.0)
    correlations.replace(start.copy(), problem.target, largest)
    assert correlations.n_passes == pytest.approx(3.0)
    assert correlations.complete


def test_scattered_columns_are_read_all_at_once_if_they_are_many(data):
    """Where X is sparse: a quarter of them here and there cost as much as all."""
    X, y, weights = data
    for storage, expected in ((np.asarray, 31 / P), (sp.csc_array, 1.0)):
        problem = problem_of(X, y, weights, storage=storage)
        values = exact(problem, problem.target)
        omega = np.full(P, 1e9)
        omega[:31] = 0.0
        correlations = Correlations(problem, values, problem.target, 1.0)
        correlations.update(problem.target, penalties.WeightedL1(1.0, omega), NONE)
        assert correlations.n_passes == pytest.approx(1.0 + expected)


@pytest.mark.parametrize("how", ["update", "replace"])
def test_expected_is_exact_where_the_support_stays(how, data):
    """Correlations are linear in alpha there."""
    problem = problem_of(*data)
    largest = critical_alpha(problem, penalties.L1(1.0))
    solutions = []
    alphas = largest * np.array([0.2, 0.1995, 0.199])
    for alpha in alphas:
        penalty = penalties.L1(alpha)
        solution = Solver(problem, penalty).solve(penalty, tol=1e-14, max_iter=1000)
        solutions.append(solution.coef)
    for coef in solutions[1:]:
        np.testing.assert_array_equal(np.sign(coef), np.sign(solutions[0]))
    residuals = [problem.residual(coef) for coef in solutions]
    start = exact(problem, problem.target)
    correlations = Correlations(problem, start, problem.target, largest)
    tiny, everyone = 1e-9 * largest, np.arange(P)
    for alpha, residual in zip(alphas[:2], residuals):
        if how == "replace":
            correlations.replace(exact(problem, residual), residual, alpha)
        else:
            # A ratio this small has all features read.
            penalty = penalties.ElasticNet(alpha, tiny)
            correlations.update(residual, penalty, NONE)
    found = correlations.expected(alphas[2], everyone)
    np.testing.assert_allclose(found, exact(problem, residuals[2]), atol=1e-10)
    # At the alpha of the last ones it is what they are.
    np.testing.assert_array_equal(
        correlations.expected(alphas[1], everyone), correlations.values
    )
    # What is not inside already, and is about to exceed a bound.
    outside, bound = everyone % 2 == 0, penalties.L1(0.5 * alphas[2])
    features, ahead = correlations.approaching(alphas[2], bound, outside)
    np.testing.assert_array_equal(
        features, np.flatnonzero((np.abs(found) > bound.alpha) & outside)
    )
    np.testing.assert_allclose(ahead, found[features], rtol=1e-14)
    assert 0 < features.size < P // 2


def test_without_an_alpha_correlations_are_expected_to_stay(data):
    problem = problem_of(*data)
    start = exact(problem, problem.target)
    correlations = Correlations(problem, start.copy(), problem.target, None)
    everyone = np.arange(P)
    np.testing.assert_array_equal(correlations.expected(0.3, everyone), start)
    other = problem.residual(np.ones(P))
    correlations.replace(exact(problem, other), other, 0.5)
    np.testing.assert_array_equal(
        correlations.expected(0.3, everyone), correlations.values
    )


def test_active_features_are_always_read(data, rng):
    """However far below the threshold: certificates use their correlations."""
    problem = problem_of(*data)
    start = exact(problem, problem.target)
    correlations = Correlations(problem, start, problem.target, 1.0)
    active = np.array([4, 17])
    penalty = penalties.L1(1e3)
    for size in (0.3, 0.6):
        coef = np.zeros(P)
        coef[active] = size
        residual = problem.residual(coef)
        values = correlations.update(residual, penalty, active)
        full = exact(problem, residual)
        np.testing.assert_allclose(values[active], full[active], atol=1e-12)
    assert not np.allclose(values, full)


def test_where_the_support_stays_nothing_else_is_read(data):
    """However often: residuals that many features know of are kept."""
    problem = problem_of(*data)
    start = exact(problem, problem.target)
    largest = np.abs(start).max()
    correlations = Correlations(problem, start, problem.target, largest)
    active = np.array([4, 17])
    # Far from parallel to the target, and from there on along a line.
    residuals = np.sin(np.arange(2.0 * N)).reshape(2, N)
    residuals -= residuals.mean(axis=1, keepdims=True)
    all_read = penalties.ElasticNet(largest, 1e-9)
    for residual in residuals:
        correlations.update(residual, all_read, active)
    before = correlations.n_passes
    for step in range(4 * CENTRES):
        penalty = penalties.L1((100.0 - step) * largest)
        residual = residuals[1] + 0.1 * step * (residuals[1] - residuals[0])
        full = exact(problem, residual)
        if step > 1:
            # What is active is known of the last two, and so is where it goes.
            found = correlations.expected(penalty.alpha, active)
            np.testing.assert_allclose(found, full[active], atol=1e-11)
        values = correlations.update(residual, penalty, active)
        np.testing.assert_allclose(values, full, atol=1e-11)
    assert correlations.n_passes - before == pytest.approx(8 * CENTRES / P)


def test_the_last_two_residuals_are_never_replaced(data):
    """Else the one that the fewest features know of."""
    problem = problem_of(*data)
    start = exact(problem, problem.target)
    correlations = Correlations(problem, start, problem.target, 1.0)
    correlations._uses[:] = 100
    correlations._uses[[3, 5, 7]] = 1, 2, 50
    correlations._now, correlations._previous = 3, 5
    assert correlations._next_centre() == 7
    assert (correlations._now, correlations._previous) == (7, 3)
    assert correlations._next_centre() == 5
