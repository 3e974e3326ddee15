"""Generalised linear problems: solutions against a slow twin, certificates by hand."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from reference import (
    glm_gap,
    glm_objective,
    proximal_gradient,
    row_slopes,
    sparse_regression,
)

from sparselearn import losses, penalties
from sparselearn._solvers import _curved, _multinomial_gram, _newton
from sparselearn._solvers._glm import GlmCertifier, GlmProblem
from sparselearn._solvers._glm_solver import GlmSolver
from sparselearn._solvers._multinomial import (
    MultinomialCertifier,
    MultinomialProblem,
    MultinomialSolver,
)
from sparselearn._solvers._multinomial_gram import step_on_gram
from sparselearn._solvers._path import solve_path
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

DELTA = 1.5
SPECS = {
    "logistic": losses.Logistic(),
    "poisson": losses.Poisson(),
    "huber": losses.Huber(DELTA),
}
KINDS = [*SPECS, "softmax"]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_shape = pytest.mark.parametrize("shape", [(60, 8), (30, 40)], ids=str)
each_storage = pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])


@pytest.fixture
def seed():
    """One, as there are many kinds of problems."""
    return 0


def data_of(kind, rng, shape=(60, 8)):
    """X, y and weights, some of them 0; of "softmax" y has a column a class."""
    X, z = sparse_regression(rng, *shape)
    z = (z - z.mean()) / z.std()
    n = len(z)
    if kind == "logistic":
        y = (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-2.0 * z))) * 1.0
    elif kind == "poisson":
        y = rng.poisson(np.exp(z)).astype(float)
    elif kind == "huber":
        y = 5.0 * z + rng.standard_t(1.5, n)
    else:
        Z = np.column_stack([z, np.full(n, 0.3), -z]) + rng.gumbel(size=(n, 3))
        y = np.asfortranarray(np.eye(3)[np.argmax(Z, axis=1)])
    weights = rng.uniform(0.1, 2.0, n)
    weights[::7] = 0.0
    return X, y, weights / weights.sum()


def problem_of(kind, X, y, weights, *, intercept=True):
    design = make_problem(column_major(X), weights, fit_intercept=intercept)
    if kind == "softmax":
        return MultinomialProblem(design, y)
    return GlmProblem(design, SPECS[kind], y)


def solver_of(problem, penalty, **options):
    multi = isinstance(problem, MultinomialProblem)
    return (MultinomialSolver if multi else GlmSolver)(problem, penalty, **options)


def certifier_of(problem, penalty):
    if isinstance(problem, MultinomialProblem):
        if hasattr(penalty, "weights"):
            weights = np.tile(penalty.weights, problem.n_classes)
            penalty = penalty._replace(weights=weights)
        return MultinomialCertifier(problem, penalty), penalty
    return GlmCertifier(problem, penalty), penalty


def solve(problem, penalty, *, tol=1e-13, max_iter=10**5, **options):
    return solver_of(problem, penalty, **options).solve(
        penalty, tol=tol, max_iter=max_iter
    )


def shaped(problem, coef):
    multi = isinstance(problem, MultinomialProblem)
    return coef.reshape(problem.n_classes, -1) if multi else coef


# -- solutions -------------------------------------------------------------------

WEIGHTS = np.array([0.0, 1.0, 0.5, 0.0, 2.0, np.inf, 1.0, 1.0])
PENALTIES = {
    "lasso": (1.0, False, False, True),
    "positive": (1.0, False, True, True),
    "free": (1.0, True, False, True),
    "free, positive": (1.0, True, True, True),
    "elastic": (0.5, False, False, True),
    "elastic, free, positive": (0.5, True, True, True),
    "ridge": (0.0, False, False, True),
    "ridge, free": (0.0, True, False, True),
    "ridge, positive": (0.0, False, True, True),
    "no intercept": (1.0, False, False, False),
    "no intercept, free": (0.7, True, False, False),
}


@each_kind
@each_shape
@pytest.mark.parametrize("name", PENALTIES)
def test_solutions_are_those_of_the_twin(kind, shape, name, rng):
    l1_ratio, weighted, positive, intercept = PENALTIES[name]
    X, y, s = data_of(kind, rng, shape)
    omega = np.ones(shape[1])
    if weighted:
        omega[:8] = WEIGHTS
    alpha = 0.05
    penalty = penalties.WeightedElasticNet(alpha, l1_ratio, omega, positive)
    problem = problem_of(kind, X, y, s, intercept=intercept)
    found = solve(problem, penalty)
    assert found.converged
    finite = np.minimum(omega, 1e200)
    l1, l2 = alpha * l1_ratio * finite, alpha * (1.0 - l1_ratio) * finite
    options = {"fit_intercept": intercept, "positive": positive, "delta": DELTA}
    coef, b = proximal_gradient(kind, X, y, s, l1, l2, **options)
    ours = shaped(problem, found.coef)
    objectives = [
        glm_objective(kind, X, y, s, *solution, l1, l2, DELTA)
        for solution in ((ours, found.intercept), (coef, b))
    ]
    assert found.certificate.objective == pytest.approx(objectives[0], rel=1e-12)
    assert objectives[0] <= objectives[1] + 1e-10 * abs(objectives[1])
    assert objectives[1] <= objectives[0] + 1e-10 * abs(objectives[0])
    if kind == "softmax" and weighted and positive:
        # Of unpenalised coefficients only differences between classes matter.
        coef = coef - (omega == 0.0) * coef.min(axis=0)
    size = np.max(np.abs(coef))
    np.testing.assert_allclose(ours, coef, atol=(1e-7 if l1_ratio else 1e-6) * size)
    assert np.all(ours[..., np.isinf(omega)] == 0.0)
    assert not positive or ours.min() >= 0.0


@each_kind
@each_storage
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
def test_columns_and_gram_agree(kind, storage, l1_ratio, rng, monkeypatch):
    X, y, s = data_of(kind, rng, (40, 60))
    penalty = penalties.ElasticNet(0.03, l1_ratio)
    tight = {"tol": 1e-13 if l1_ratio == 1.0 else 1e-18, "max_iter": 10**6}
    with_gram = solve(problem_of(kind, storage(X), y, s), penalty)
    assert with_gram.route.solver == "gram"
    monkeypatch.setattr(_newton, "LARGEST_GRAM", 0)
    by_columns = solve(problem_of(kind, storage(X), y, s), penalty, **tight)
    assert by_columns.route.solver == "columns"
    np.testing.assert_allclose(by_columns.coef, with_gram.coef, atol=1e-6)


@each_kind
def test_spread_over_threads_and_in_pieces(kind, rng, monkeypatch):
    """Rows, columns and classes in pieces give what they give at once."""
    from sparselearn._solvers import _glm

    X, y, s = data_of(kind, rng)
    penalty = penalties.L1(0.03)
    expected = solve(problem_of(kind, X, y, s), penalty)
    monkeypatch.setattr(_glm, "WORTH_SPREADING", 1)
    monkeypatch.setattr(_newton, "WORTH_SPREADING", 1)
    monkeypatch.setattr(_curved, "BLOCK", 10)
    found = solve(problem_of(kind, X, y, s), penalty)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-10)


@each_kind
@each_storage
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_steps_in_one_kernel(kind, storage, positive, intercept, rng, monkeypatch):
    """They are the steps that are taken one by one, with the same models."""
    X, y, s = data_of(kind, rng, (50, 30))
    weights = np.where(np.arange(30) == 3, 0.0, 1.0)
    problem = problem_of(kind, storage(X), y, s, intercept=intercept)
    paths, curves = [], []

    def counted(self, penalty, rows, curve=_newton.NewtonWorkingSet._curve):
        curves[-1] += 1
        curve(self, penalty, rows)

    monkeypatch.setattr(_newton.NewtonWorkingSet, "_curve", counted)
    for few in (0, 10**6):
        monkeypatch.setattr(_newton, "FEW_ROWS", few)
        curves.append(0)
        alphas = np.geomspace(0.2, 0.01, 8)
        paths.append(
            solve_path(
                problem,
                lambda alpha: penalties.WeightedL1(alpha, weights, positive),
                alphas,
                tol=1e-12,
                max_iter=10**5,
            )
        )
    one_by_one, at_once = paths
    assert np.all(at_once.converged)
    assert curves[0] > 1
    # Classes also end by other steps, sooner or later.
    share = 0.3 if kind == "softmax" else 0.2
    assert abs(curves[0] - curves[1]) <= share * curves[0] + 1
    difference = (at_once.coefs - one_by_one.coefs).toarray()
    np.testing.assert_allclose(difference, 0.0, atol=1e-6)


# -- certificates ----------------------------------------------------------------


@each_kind
@each_storage
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [True, False])
def test_lasso_gap_by_hand(kind, storage, dtype, intercept, rng):
    X, y, s = data_of(kind, rng)
    X = X.astype(dtype)
    problem = problem_of(kind, storage(X), y, s, intercept=intercept)
    X = X.astype(float)
    size = problem.curvature.size
    coef = 0.2 * rng.standard_normal(size) * (rng.uniform(size=size) < 0.5)
    certifier, penalty = certifier_of(problem, penalties.L1(0.05))
    if kind == "softmax":
        rows = problem.rows(coef, np.zeros(3))
        fit = certifier.fit(rows)
    else:
        fit = certifier.measure(coef)
    b, found = fit.rows.intercept, certifier.bound(penalty, coef, fit)
    w = shaped(problem, coef)
    if intercept:
        # At the best intercept the slopes sum to 0, which the dual point has to.
        slopes = row_slopes(kind, y, X @ w.T + b, DELTA)
        np.testing.assert_allclose(s @ slopes, 0.0, atol=1e-13)
    else:
        assert not np.any(b)
    gap = glm_gap(kind, X, y, s, w, b, 0.05, DELTA)
    assert found.gap == pytest.approx(gap, rel=1e-9)
    objective = glm_objective(kind, X, y, s, w, b, 0.05, 0.0, DELTA)
    assert found.objective == pytest.approx(objective, rel=1e-12)


@each_kind
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4, 0.0])
@pytest.mark.parametrize("weighting", ["none", "free", "free, positive"])
def test_the_gap_bounds_the_suboptimality(kind, l1_ratio, weighting, rng):
    """P(w) - min P <= gap for any w, and the gap closes towards the minimum."""
    X, y, s = data_of(kind, rng)
    problem = problem_of(kind, X, y, s)
    omega = np.ones(8) if weighting == "none" else np.abs(WEIGHTS)
    omega[5] = 1.0
    positive = "positive" in weighting
    plain = penalties.WeightedElasticNet(0.05, l1_ratio, omega, positive)
    best = solve(problem, plain)
    certifier, penalty = certifier_of(problem, plain)
    least, gaps = best.certificate.objective, []
    for size in (1.0, 0.1, 1e-2, 1e-3, 1e-5, 0.0):
        coef = best.coef + size * rng.standard_normal(best.coef.size)
        coef = np.maximum(coef, 0.0) if positive else coef
        rows = problem.rows(coef, best.intercept)
        if kind == "softmax":
            fit = certifier.fit(rows)
        else:
            fit = certifier.fit(problem.correlation(s * rows.residual), rows)
        found = certifier.bound(penalty, coef, fit)
        assert found.gap >= found.objective - least - 1e-14
        gaps.append(found.gap)
    assert gaps[-1] <= 1e-12 * problem.null_value
    # Near the minimum it is no worse than the L1 norm times what is left of the slope.
    assert gaps[-2] <= 1e-3 * max(problem.null_value, 1.0)


@each_kind
def test_null_value_is_half_the_null_deviance(kind, rng):
    X, y, s = data_of(kind, rng)
    problem = problem_of(kind, X, y, s)
    mean = s @ y
    if kind == "poisson":
        ratio = np.where(y > 0.0, y, 1.0) / mean
        expected = s @ (y * np.log(ratio) - (y - mean))
    elif kind == "logistic":
        expected = -mean * np.log(mean) - (1.0 - mean) * np.log(1.0 - mean)
    elif kind == "softmax":
        expected = -mean @ np.log(mean)
    else:
        _, b = proximal_gradient(kind, X[:, :0], y, s, 0.0, 0.0, delta=DELTA)
        expected = glm_objective(kind, X[:, :0], y, s, np.zeros(0), b, 0, 0, DELTA)
    assert problem.null_value == pytest.approx(expected)


# -- the ends of a path ----------------------------------------------------------


@each_kind
@each_storage
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_alpha_max_is_the_smallest(kind, storage, positive, weighted, rng):
    """From the gradient at the fitted null model, free features in it."""
    X, y, s = data_of(kind, rng)
    omega = WEIGHTS if weighted else np.ones(8)
    problem = problem_of(kind, storage(X), y, s)
    unit = penalties.WeightedL1(1.0, omega, positive)
    largest = solver_of(problem, unit).alpha_max
    free = omega == 0.0
    null, b = proximal_gradient(
        kind, X[:, free], y, s, 0.0, 0.0, positive=positive, delta=DELTA
    )
    slopes = row_slopes(kind, y, X[:, free] @ null.T + b, DELTA)
    pull = -(s * slopes.T) @ X
    pull = pull if positive else np.abs(pull)
    expected = np.max(pull[..., ~free] / omega[~free])
    assert largest == pytest.approx(expected, rel=1e-6)

    # At it nothing moves, and no round is run; a little below it something does.
    solver = solver_of(problem, unit)
    found = solver.solve(unit._replace(alpha=largest), tol=1e-9, max_iter=10**4)
    assert found.n_iter == 0
    assert found.converged
    assert not np.any(shaped(problem, found.coef)[..., ~free])
    below = solver.solve(unit._replace(alpha=0.98 * largest), tol=1e-12, max_iter=10**4)
    assert np.max(np.abs(shaped(problem, below.coef)[..., ~free])) > 1e-5


@each_kind
@each_storage
def test_above_alpha_max_it_is_the_null_model(kind, storage, rng):
    X, y, s = data_of(kind, rng)
    found = solve(problem_of(kind, storage(X), y, s), penalties.L1(1e3))
    assert found.n_iter == 0
    assert not np.any(found.coef)
    mean = s @ y
    if kind == "poisson":
        assert found.intercept == pytest.approx(np.log(mean), rel=1e-12)
    elif kind == "logistic":
        assert found.intercept == pytest.approx(np.log(mean / (1 - mean)), rel=1e-12)
    elif kind == "softmax":
        logs = np.log(mean)
        np.testing.assert_allclose(found.intercept, logs - logs.mean(), atol=1e-12)
    assert found.certificate.gap <= 1e-14


@each_kind
def test_alpha_of_zero(kind, rng):
    """No penalty: the slope along every column is 0, however that is come by."""
    X, y, s = data_of(kind, rng)
    problem = problem_of(kind, X, y, s)
    for penalty in (
        penalties.L1(0.0),
        penalties.ElasticNet(0.0, 0.5),
        penalties.WeightedL1(1.0, np.zeros(8)),
    ):
        found = solve(problem, penalty)
        assert found.converged
        z = X @ shaped(problem, found.coef).T + found.intercept
        slopes = row_slopes(kind, y, z, DELTA)
        np.testing.assert_allclose((s * slopes.T) @ X, 0.0, atol=1e-7)
        np.testing.assert_allclose(s @ slopes, 0.0, atol=1e-12)


@each_kind
@pytest.mark.parametrize("order", [(0.3, 0.01, 0.01, 0.1, 2.0, 0.03)])
def test_the_order_of_penalties_does_not_matter(kind, order, rng):
    """Up, down or repeated: what is kept from one to the next is right for each."""
    X, y, s = data_of(kind, rng, (40, 60))
    problem = problem_of(kind, X, y, s)
    solver = solver_of(problem, penalties.L1(1.0))
    for alpha in order:
        penalty = penalties.L1(alpha)
        found = solver.solve(penalty, tol=1e-12, max_iter=10**5)
        assert found.converged
        fresh = solve(problem, penalty, tol=1e-12)
        np.testing.assert_allclose(found.coef, fresh.coef, atol=1e-6)


@each_kind
def test_a_path_is_its_single_fits(kind, rng):
    X, y, s = data_of(kind, rng, (40, 60))
    problem = problem_of(kind, X, y, s)
    alphas = solver_of(problem, penalties.L1(1.0)).alpha_max * np.geomspace(1, 0.05, 8)
    path = solve_path(
        problem,
        penalties.L1,
        alphas,
        tol=1e-12,
        max_iter=10**5,
    )
    assert np.all(path.converged)
    for k, alpha in enumerate(alphas):
        alone = solve(problem, penalties.L1(alpha), tol=1e-12)
        coef = path.coefs[:, [k]].toarray()[:, 0]
        np.testing.assert_allclose(coef, alone.coef, atol=1e-6)
        np.testing.assert_allclose(path.intercepts[k], alone.intercept, atol=1e-6)


# -- where to start --------------------------------------------------------------


@each_kind
def test_a_start_is_used_only_if_it_is_better_than_nothing(kind, rng):
    X, y, s = data_of(kind, rng)
    problem = problem_of(kind, X, y, s)
    penalty = penalties.L1(0.02)
    best = solve(problem, penalty)
    again = solve(problem, penalty, tol=1e-8, start=(best.coef, best.intercept))
    assert again.n_iter == 0
    np.testing.assert_array_equal(again.coef, best.coef)
    for far in (1e3, -1e3, 1e6):
        start = (np.full(best.coef.shape, far), best.intercept)
        solver = solver_of(problem, penalty, start=start)
        assert not solver.coef.any()
        found = solver.solve(penalty, tol=1e-13, max_iter=10**5)
        assert found.converged
        np.testing.assert_allclose(found.coef, best.coef, atol=1e-7)


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("far", [1e3, -1e3, 1e6])
def test_the_best_intercept_is_found_from_far_away(kind, far, rng):
    """Where predictions overflow at first, or have no curvature."""
    X, y, s = data_of(kind, rng)
    coef = 0.1 * rng.standard_normal(8)
    near = problem_of(kind, X, y, s).rows(coef)
    X[:, 0] += far / coef[0]
    found = problem_of(kind, X, y, s).rows(coef)
    assert found.intercept == pytest.approx(near.intercept - far, abs=1e-6)
    assert found.value == pytest.approx(near.value, rel=1e-6)


# -- hard data -------------------------------------------------------------------


@each_kind
@each_storage
def test_constant_columns_have_no_coefficient(kind, storage, rng):
    X, y, s = data_of(kind, rng)
    X[:, 1], X[:, 3], X[:, 6] = 0.0, 0.1, 1e8
    for penalty in (penalties.L1(0.03), penalties.L1(0.0)):
        problem = problem_of(kind, storage(X), y, s)
        found = shaped(problem, solve(problem, penalty).coef)
        assert not np.any(found[..., [1, 3, 6]])
        kept = problem_of(kind, np.delete(X, [1, 3, 6], axis=1), y, s)
        without = shaped(kept, solve(kept, penalty).coef)
        found = np.delete(found, [1, 3, 6], axis=-1)
        np.testing.assert_allclose(found, without, atol=1e-7)


@each_kind
@each_storage
@pytest.mark.parametrize("alpha", [0.0, 0.02])
def test_dependent_columns(kind, storage, alpha, rng):
    """Copies and sums of columns: certified, and no better than without them."""
    X, y, s = data_of(kind, rng)
    more = np.hstack([X, X[:, :3], X[:, :2] @ [[0.5], [0.5]]])
    problem = problem_of(kind, storage(more), y, s)
    found = solve(problem, penalties.L1(alpha), tol=1e-10)
    assert found.converged
    alone = solve(problem_of(kind, X, y, s), penalties.L1(alpha))
    assert found.certificate.objective <= alone.certificate.objective + 1e-10
    w = shaped(problem, found.coef)
    value = glm_objective(kind, more, y, s, w, found.intercept, alpha, 0.0, DELTA)
    assert found.certificate.objective == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize(("l1_ratio", "most"), [(1.0, 0), (1.0, 99), (0.9, 99)])
def test_classes_coupled_along_dependent_columns(l1_ratio, most, rng, monkeypatch):
    """Where moving some classes at once changes the penalty alone, or hardly more.

    The former is also seen where there is no room for the whole matrix.
    """
    monkeypatch.setattr(_multinomial_gram, "MOST", most)
    X, y, s = data_of("softmax", rng, (300, 20))
    X[:, 14:] = X[:, :8] @ rng.standard_normal((8, 6))
    problem = problem_of("softmax", X, y, s)
    for alpha in (1e-2, 1e-3, 1e-4):
        found = solve(problem, penalties.ElasticNet(alpha, l1_ratio), tol=1e-9)
        assert found.converged


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_steps_by_the_whole_matrix(l1_ratio, positive, intercept, rng):
    """Newton's: from nothing a few of them are at the minimum."""
    X, y, s = data_of("softmax", rng)
    problem = problem_of("softmax", X, y, s, intercept=intercept)
    penalty = penalties.ElasticNet(0.02, l1_ratio, positive)
    best = solve(problem, penalty).certificate.objective
    coef, rows = np.zeros(24), problem.rows(np.zeros(24), np.zeros(3))
    values = []
    for _ in range(8):
        n_epochs, rows = step_on_gram(
            problem, coef, rows, penalty, np.arange(24), 1e-20, 1000
        )
        z = X @ coef.reshape(3, 8).T + rows.intercept
        np.testing.assert_allclose(rows.predictor, z, atol=1e-12)
        values.append(rows.value + np.sum(penalties.value(penalty, coef, slice(None))))
        assert n_epochs > 0
    assert values[0] > best + 1e-6
    assert values[-1] == pytest.approx(best, rel=1e-13)
    assert not positive or coef.min() == 0.0


def test_columns_of_few_entries_that_tell_classes(rng):
    """Their rows lose all curvature while others keep theirs, and gain it again."""
    X = np.where(rng.uniform(size=(400, 200)) < 0.01, 20.0, 0.0)
    z = X @ np.linspace(-1.0, 1.0, 200)
    codes = np.digitize(z, np.quantile(z, [0.3, 0.6]))
    y = np.asfortranarray(np.eye(3)[codes])
    omega = np.minimum(np.linspace(0.0, 1.0, 200), 0.5)
    problem = problem_of("softmax", sp.csc_array(X), y, np.full(400, 1 / 400))
    for alpha in (1e-2, 1e-3):
        assert solve(problem, penalties.WeightedL1(alpha, omega), tol=1e-6).converged


def test_unpenalised_coefficients_of_classes_are_centred(rng):
    """They are defined up to a number for all classes; so are the predictors."""
    X, y, s = data_of("softmax", rng)
    problem = problem_of("softmax", X, y, s)
    for positive in (False, True):
        penalty = penalties.WeightedL1(0.02, WEIGHTS, positive)
        found = solve(problem, penalty)
        free = shaped(problem, found.coef)[:, WEIGHTS == 0.0]
        centre = free.min(axis=0) if positive else free.mean(axis=0)
        np.testing.assert_allclose(centre, 0.0, atol=1e-12)
        w = shaped(problem, found.coef)
        rows = problem.rows(found.coef, found.intercept)
        np.testing.assert_allclose(rows.predictor, X @ w.T + found.intercept, atol=1e-9)
        value = glm_objective(
            "softmax",
            X,
            y,
            s,
            w,
            found.intercept,
            0.02 * np.minimum(WEIGHTS, 1e200),
            0.0,
        )
        assert found.certificate.objective == pytest.approx(value, rel=1e-13)


@pytest.mark.parametrize("scale", [1e-3, 1e-2, 1.0, 1e6])
def test_huber_with_outliers_everywhere(scale, rng):
    """Hardly a residual within delta, or none: towards least absolute deviations."""
    X, y, s = data_of("huber", rng)
    delta = scale * DELTA
    design = make_problem(column_major(X), s, fit_intercept=True)
    problem = GlmProblem(design, losses.Huber(delta), y)
    largest = GlmSolver(problem, penalties.L1(1.0)).alpha_max
    for share in (1.01, 0.5, 0.05):
        found = solve(problem, penalties.L1(share * largest), tol=1e-9)
        assert found.converged
        assert np.any(found.coef) == (share < 1.0)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("case", ["large", "huge", "few", "one", "far apart", "small"])
def test_poisson_counts(case, intercept, rng):
    """Counts whose first steps overflow, of hardly any events, or of tiny rates."""
    X, y, s = data_of("poisson", rng)
    if case == "large":
        y = rng.poisson(np.exp(np.minimum(8.0 + 3.0 * np.log1p(y), 16.0))) * 1.0
    elif case == "huge":
        y = y * 1e12
    elif case == "few":
        y = np.zeros(60)
        y[[5, 6, 8]] = 1.0
    elif case == "one":
        y = np.zeros(60)
        y[5] = 1e6
    elif case == "far apart":
        X = 100.0 * X
    else:
        y = y * 1e-12
    problem = problem_of("poisson", X, y, s, intercept=intercept)
    largest = GlmSolver(problem, penalties.L1(1.0)).alpha_max
    for share in (0.5, 0.01):
        found = solve(problem, penalties.L1(share * largest), tol=1e-8)
        assert found.converged
        assert np.any(found.coef)


@each_kind
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6])
def test_units_of_X(kind, scale, rng):
    X, y, s = data_of(kind, rng)
    expected = solve(problem_of(kind, X, y, s), penalties.L1(0.05))
    problem = problem_of(kind, scale * X, y, s)
    found = solve(problem, penalties.L1(0.05 * scale))
    np.testing.assert_allclose(scale * found.coef, expected.coef, atol=1e-7)
    np.testing.assert_allclose(found.intercept, expected.intercept, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_units_of_y(scale, rng):
    """For Huber with its delta; counts times a number shift the intercept."""
    X, y, s = data_of("huber", rng)
    expected = solve(problem_of("huber", X, y, s), penalties.L1(0.3))
    design = make_problem(column_major(X), s, fit_intercept=True)
    problem = GlmProblem(design, losses.Huber(DELTA * scale), scale * y)
    found = solve(problem, penalties.L1(0.3 * scale))
    np.testing.assert_allclose(found.coef / scale, expected.coef, atol=1e-7)
    assert found.n_iter == expected.n_iter
    X, y, s = data_of("poisson", rng)
    expected = solve(problem_of("poisson", X, y, s), penalties.L1(0.1), tol=1e-11)
    problem = problem_of("poisson", X, scale * y, s)
    found = solve(problem, penalties.L1(0.1 * scale), tol=1e-11)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-5)
    assert found.intercept == pytest.approx(expected.intercept + np.log(scale))


@each_kind
@pytest.mark.parametrize("intercept", [True, False])
def test_one_row_or_two(kind, intercept, rng):
    X, y, _ = data_of(kind, rng)
    n = 1 if kind in ("poisson", "huber") else 2
    X = X[:n]
    y = np.array([3.0]) if n == 1 else np.array([0.0, 1.0])
    if kind == "softmax":
        y = np.asfortranarray(np.eye(3)[:2])
    for alpha in (0.0, 1e-3):
        penalty = penalties.L1(alpha)
        problem = problem_of(kind, X, y, np.full(n, 1 / n), intercept=intercept)
        found = solve(problem, penalty, tol=1e-8)
        assert np.all(np.isfinite(found.coef))
        if n == 1 and intercept:
            assert not np.any(found.coef)
        else:
            assert np.any(found.coef)
        assert found.converged


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
@pytest.mark.parametrize("sure", [30.0, 300.0, 700.0, 730.0, 740.0, 1e4])
@pytest.mark.parametrize("positive", [False, True])
def test_certificates_where_curvature_underflows(kind, sure, positive, rng):
    """A free feature that tells some rows, however sure of them it is: no nan."""
    X, _, s = data_of(kind, rng)
    codes = rng.integers(2, size=60)
    X[:, 0] = 0.0
    X[10:15, 0], codes[10:15] = 1.0, 1
    y = codes * 1.0 if kind == "logistic" else np.asfortranarray(np.eye(2)[codes])
    problem = problem_of(kind, X, y, s)
    omega = np.append(0.0, np.ones(7))
    plain = penalties.WeightedL1(0.1, omega, positive)
    certifier, penalty = certifier_of(problem, plain)
    coef = np.zeros(problem.curvature.size)
    coef[0] = sure
    if kind == "softmax":
        coef[[0, 8]] = 0.0, sure
        fit = certifier.fit(problem.rows(coef, np.zeros(2)))
    else:
        fit = certifier.measure(coef)
    found = certifier.bound(penalty, coef, fit)
    assert found.gap >= 0.0
    assert np.isfinite(found.objective)
    again = solve(problem, plain, tol=1e-6, start=(coef, fit.rows.intercept))
    assert np.all(np.isfinite(again.coef))


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_separable_classes(kind, rng):
    """With a penalty there is a minimum; without one, coefficients stay finite."""
    X, _, s = data_of(kind, rng)
    cuts = [0.0] if kind == "logistic" else [-0.5, 0.5]
    codes = np.digitize(X[:, 0], cuts)
    y = codes * 1.0 if kind == "logistic" else np.asfortranarray(np.eye(3)[codes])
    for penalty in (
        penalties.L1(1e-2),
        penalties.L1(1e-6),
        penalties.L1(0.0),
        penalties.WeightedL1(0.1, [0.0, *np.ones(7)]),
    ):
        problem = problem_of(kind, X, y, s)
        found = solve(problem, penalty, tol=1e-6)
        assert np.all(np.isfinite(found.coef))
        assert np.all(np.isfinite(found.intercept))
        z = X @ shaped(problem, found.coef).T + found.intercept
        chosen = z > 0.0 if kind == "logistic" else np.argmax(z, axis=1)
        assert np.mean(chosen == codes) > 0.9
        if penalty.alpha == 1e-2:
            assert found.converged


@pytest.mark.parametrize("kind", ["logistic", "softmax"])
@pytest.mark.parametrize("rare", [1.0, 1e-4, 1e-8])
def test_a_class_of_one_sample(kind, rare, rng):
    """And one that weighs next to nothing."""
    X, y, _ = data_of("logistic", rng)
    s, one = np.full(60, 1.0), 7
    s[one] = rare
    codes = np.where(np.arange(60) == one, 2, y)
    if kind == "logistic":
        y = (codes == 2) * 1.0
    else:
        y = np.asfortranarray(np.eye(3)[codes.astype(int)])
    problem = problem_of(kind, X, y, s / s.sum())
    largest = solver_of(problem, penalties.L1(1.0)).alpha_max
    for share in (0.3, 0.1, 1e-3):
        found = solve(problem, penalties.L1(share * largest), tol=1e-6)
        assert found.converged
        assert np.any(found.coef)


@each_kind
def test_rows_of_weight_zero_may_be_anything(kind, rng):
    X, y, s = data_of(kind, rng)
    kept = s > 0.0
    expected = solve(problem_of(kind, X[kept], y[kept], s[kept]), penalties.L1(0.03))
    for size in (1e3, 1e100):
        X[~kept] = size
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = solve(problem_of(kind, X, y, s), penalties.L1(0.03))
        np.testing.assert_allclose(found.coef, expected.coef, atol=1e-8)


def test_offsets_are_added_to_the_predictor(rng):
    """A feature of coefficient 1 may as well be an offset."""
    X, y, s = data_of("poisson", rng)
    design = make_problem(column_major(X), s, fit_intercept=True)
    offset = rng.standard_normal(60)
    problem = GlmProblem(design, losses.Poisson(), y, offset)
    found = solve(problem, penalties.L1(0.05))
    more = np.column_stack([X, offset])

    def value(coef):
        return glm_objective(
            "poisson", more, y, s, coef, found.intercept, np.append([0.05] * 8, 0), 0
        )

    here = value(np.append(found.coef, 1.0))
    assert found.certificate.objective == pytest.approx(here, rel=1e-12)
    for _ in range(20):
        step = 1e-4 * rng.standard_normal(8)
        assert value(np.append(found.coef + step, 1.0)) >= here
