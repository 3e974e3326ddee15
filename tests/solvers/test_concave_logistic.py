"""Folded concave penalties of the logistic and the soft-max loss: paths and steps."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import (
    folded_logistic,
    folded_penalty,
    mcp,
    row_losses,
    row_slopes,
    scad,
    sparse_regression,
)

from sparselearn import losses, penalties
from sparselearn._solvers import _newton
from sparselearn._solvers._concave_glm import (
    ConcaveGlmSolver,
    ConcaveMultinomialSolver,
    certify_glm,
)
from sparselearn._solvers._concave_working_set import ConcaveWorkingSet, Pieces
from sparselearn._solvers._folded_concave import solve_concave
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._multinomial import MultinomialProblem
from sparselearn._solvers._multinomial_newton import _derivatives
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

FORMULAS = {penalties.MCP: mcp, penalties.SCAD: scad}
each_kind = pytest.mark.parametrize("kind", FORMULAS)
each_shape = pytest.mark.parametrize("shape", [(90, 12), (60, 80)], ids=str)
each_storage = pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])


@pytest.fixture
def seed():
    """One, as there are many kinds of problems."""
    return 0


def data_of(rng, shape, n_classes=2):
    """X, y with a column a class if there are more than two, and weights."""
    X, z = sparse_regression(rng, *shape)
    z = (z - z.mean()) / z.std()
    weights = rng.uniform(0.1, 2.0, len(z))
    weights[::9] = 0.0
    if n_classes == 2:
        y = (rng.uniform(size=len(z)) < 1.0 / (1.0 + np.exp(-2.0 * z))) * 1.0
    else:
        Z = np.column_stack([z, np.full(len(z), 0.3), -z])
        Z = Z + 0.7 * rng.gumbel(size=Z.shape)
        y = np.asfortranarray(np.eye(3)[np.argmax(Z, axis=1)])
    return X, y, weights / weights.sum()


def problem_of(X, y, weights, *, intercept=True):
    design = make_problem(column_major(X), weights, fit_intercept=intercept)
    if y.ndim == 2:
        return MultinomialProblem(design, y)
    return GlmProblem(design, losses.Logistic(), y)


def penalty_of(kind, problem, alpha, gamma=3.7, *, omega=None, positive=False):
    curvature = problem.columns.curvature
    omega = np.ones(curvature.size) if omega is None else omega
    return kind(alpha, gamma, omega, curvature / 4.0, positive)


def solver_of(problem, penalty):
    multi = isinstance(problem, MultinomialProblem)
    return (ConcaveMultinomialSolver if multi else ConcaveGlmSolver)(problem, penalty)


def share_of(kind, problem, share, **options):
    """The penalty at a share of the alpha at which all is 0."""
    largest = solver_of(problem, penalty_of(kind, problem, 1.0, **options)).alpha_max
    return penalty_of(kind, problem, share * largest, **options)


def solve(problem, penalty, **options):
    return solve_concave(problem, penalty, **{"tol": 1e-9, "max_iter": 10**5} | options)


# -- against the twin ------------------------------------------------------------


@each_kind
@each_storage
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_where_it_is_convex_it_is_the_minimum(kind, storage, intercept, positive, rng):
    X, y, s = data_of(rng, (90, 12))
    problem = problem_of(storage(X), y, s, intercept=intercept)
    gamma, omega = 60.0, rng.uniform(0.5, 2.0, 12)
    omega[0] = 0.0
    options = {"omega": omega, "positive": positive, "gamma": gamma}
    penalty = share_of(kind, problem, 0.2, **options)
    found = solve(problem, penalty)
    assert found.converged
    coef, b = folded_logistic(
        X,
        y,
        s,
        penalty.alpha * omega,
        gamma,
        FORMULAS[kind],
        fit_intercept=intercept,
        positive=positive,
    )
    assert np.count_nonzero(coef) > 2
    np.testing.assert_allclose(found.coef, coef, atol=1e-6)
    assert found.intercept == pytest.approx(b, abs=1e-6)
    value = s @ row_losses("logistic", y, X @ coef + b)
    value += folded_penalty(
        X,
        s,
        coef,
        penalty.alpha * omega,
        gamma,
        FORMULAS[kind],
        fit_intercept=intercept,
    )
    assert found.objective == pytest.approx(value, rel=1e-10)


@each_kind
@each_shape
@pytest.mark.parametrize("by_columns", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.15])
def test_points_are_those_that_the_twin_stays_at(
    kind, shape, by_columns, share, rng, monkeypatch
):
    if by_columns:
        monkeypatch.setattr(_newton, "LARGEST_GRAM", 0)
    X, y, s = data_of(rng, shape)
    problem = problem_of(X, y, s)
    penalty = share_of(kind, problem, share)
    found = solve(problem, penalty)
    assert found.converged
    assert found.route.solver == ("columns" if by_columns else "gram")
    coef, b = folded_logistic(
        X,
        y,
        s,
        np.full(shape[1], penalty.alpha),
        3.7,
        FORMULAS[kind],
        coef=found.coef,
        intercept=found.intercept,
        n_steps=3,
    )
    np.testing.assert_allclose(found.coef, coef, atol=1e-7)
    assert found.intercept == pytest.approx(b, abs=1e-7)
    assert np.any(found.coef)


# -- the certificate -------------------------------------------------------------


def slope_of(kind, size, l1, c, gamma):
    """The derivative of the penalty, as the documentation writes it."""
    if kind is penalties.MCP:
        return np.maximum(l1 - c / gamma * size, 0.0)
    beyond = np.maximum(size - l1 / np.where(c > 0.0, c, 1.0), 0.0)
    return np.maximum(l1 - c / (gamma - 1.0) * beyond, 0.0)


@each_kind
@each_storage
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_certificate_by_hand(kind, storage, n_classes, intercept, rng):
    """Of any coefficients and any intercept."""
    X, y, s = data_of(rng, (60, 12), n_classes)
    X[:, 4] = 7.0
    problem = problem_of(storage(X), y, s, intercept=intercept)
    omega = rng.uniform(0.5, 2.0, 12)
    penalty = penalty_of(kind, problem, 0.03, omega=omega)
    K = 1 if n_classes == 2 else 3
    w = 0.3 * rng.standard_normal((K, 12)) * (rng.uniform(size=(K, 12)) < 0.5)
    w[:, 4] = 0.0
    for b in (np.zeros(K), rng.standard_normal(K) * intercept):
        coef, offset = (w[0], b[0]) if K == 1 else (w.ravel(), b)
        objective, violation = certify_glm(problem, penalty, coef, offset)
        name = "logistic" if K == 1 else "softmax"
        z = (X @ w.T + b)[:, 0] if K == 1 else X @ w.T + b
        Xc = X - s @ X * intercept
        L = s @ Xc**2
        L[4] = 0.0 if intercept else L[4]
        varies = L > 0.0
        if intercept:
            null = s @ y - y
        else:
            null = (1 / 2 if K == 1 else 1 / 3) - y
        slopes = np.reshape(row_slopes(name, y, z).T, (K, -1))
        pull = -(s * slopes) @ Xc
        unit = np.abs((s * np.reshape(null.T, (K, -1))) @ Xc)[:, varies]
        unit = np.max(unit / np.sqrt(L[varies]))
        l1 = 0.03 * omega
        off = np.where(
            w == 0.0,
            np.maximum(np.abs(pull) - l1, 0.0),
            np.abs(pull - np.sign(w) * slope_of(kind, np.abs(w), l1, L / 4.0, 3.7)),
        )
        expected = np.max(off[:, varies] / np.sqrt(L[varies])) / unit
        if intercept:
            expected = max(expected, np.max(np.abs(slopes @ s)) / unit)
        assert violation == pytest.approx(expected, rel=1e-9)
        value = s @ row_losses(name, y, z)
        for one in w:
            value += folded_penalty(
                X, s, one, l1, 3.7, FORMULAS[kind], fit_intercept=intercept
            )
        assert objective == pytest.approx(value, rel=1e-11)


@each_kind
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_wrong_intercept_is_a_violation(kind, n_classes, rng):
    """Where the penalty leaves no feature a say, the certificate is of it alone."""
    X, y, s = data_of(rng, (60, 12), n_classes)
    problem = problem_of(X, y, s)
    penalty = share_of(kind, problem, 10.0)
    null = problem.null.intercept
    coef = np.zeros(problem.curvature.size)
    assert certify_glm(problem, penalty, coef, null)[1] < 1e-12
    off = np.array([1e-3, 0.0, 0.0]) if n_classes == 3 else 1e-3
    mean = s @ y
    bend = (mean * (1.0 - mean))[..., None].ravel()[0]
    unit = solver_of(problem, penalty)._unit
    violation = certify_glm(problem, penalty, coef, null + off)[1]
    assert violation == pytest.approx(1e-3 * bend / unit, rel=1e-2)


@each_kind
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_solver_measures_what_is_certified(kind, n_classes, intercept, rng):
    X, y, s = data_of(rng, (60, 80), n_classes)
    problem = problem_of(X, y, s, intercept=intercept)
    omega = np.ones(80)
    omega[[1, 3]] = 0.0
    for most in (3, 6, 30, 10**5):
        penalty = share_of(kind, problem, 0.2, omega=omega)
        found = solve(problem, penalty, tol=1e-7, max_iter=most)
        data = penalty, found.coef, found.intercept
        objective, violation = certify_glm(problem, *data)
        assert found.objective == pytest.approx(objective, rel=1e-12)
        assert found.violation == pytest.approx(violation, rel=1e-4, abs=1e-13)
        assert found.converged == (most == 10**5)


# -- paths -----------------------------------------------------------------------


@each_kind
@each_shape
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_objective_falls_at_every_alpha(kind, shape, n_classes, rng, monkeypatch):
    """No step is taken that raises it, also where the model is not convex."""
    X, y, s = data_of(rng, shape, n_classes)
    problem = problem_of(X, y, s)
    values = []
    base = ConcaveMultinomialSolver if n_classes == 3 else ConcaveGlmSolver
    minimise = base._minimise

    def watched(self, penalty, *args):
        before = self.objective(penalty)
        n_epochs = minimise(self, penalty, *args)
        values.append((before, self.objective(penalty)))
        return n_epochs

    monkeypatch.setattr(base, "_minimise", watched)
    found = solve(problem, share_of(kind, problem, 0.02, gamma=2.1))
    assert found.converged
    assert len(values) > 10
    for before, after in values:
        assert after <= before + 1e-12


@each_kind
@each_shape
@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_infinite_gamma_is_the_l1_penalty(kind, shape, n_classes, rng):
    from sparselearn._solvers._path import make_solver

    X, y, s = data_of(rng, shape, n_classes)
    problem = problem_of(X, y, s)
    omega = rng.uniform(0.5, 2.0, shape[1])
    omega[[0, 2]] = 0.0, np.inf
    for positive in (False, True):
        options = {"omega": omega, "positive": positive, "gamma": np.inf}
        penalty = share_of(kind, problem, 0.1, **options)
        found = solve(problem, penalty, tol=1e-10)
        twin = penalties.WeightedL1(penalty.alpha, omega, positive)
        lasso = make_solver(problem, twin).solve(twin, tol=1e-14, max_iter=10**5)
        np.testing.assert_allclose(found.coef, lasso.coef, atol=1e-7)
        np.testing.assert_allclose(found.intercept, lasso.intercept, atol=1e-7)
        assert found.objective == pytest.approx(lasso.certificate.objective, rel=1e-12)


@each_kind
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_without_a_coefficient_are_factored_too(kind, n_classes, rng):
    """On the way classes come by their first coefficients one after another."""
    X, y, s = data_of(rng, (60, 80), n_classes)
    problem = problem_of(X, y, s)
    for share in (1.01, 0.9, 0.6, 0.3):
        found = solve(problem, share_of(kind, problem, share), tol=1e-7)
        assert found.converged
        assert np.any(found.coef) == (share < 1.0)
        assert found.n_iter > 0 or share > 1.0


# -- steps -----------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("positive", [False, True])
def test_derivatives_off_zero(kind, positive, rng):
    X, y, s = data_of(rng, (40, 12))
    penalty = penalty_of(kind, problem_of(X, y, s), 0.2, 2.5, positive=positive)
    j, h = np.arange(12), 1e-6
    for size in (0.05, 0.4, 1.0, 3.0, 30.0):
        w = (
            size
            * rng.uniform(0.5, 1.5, 12)
            * (1.0 if positive else rng.choice([-1, 1]))
        )
        first, second = _derivatives(penalty, w, j)
        up, down = (penalties.value(penalty, w + d, j) for d in (h, -h))
        np.testing.assert_allclose(first, (up - down) / (2 * h), atol=1e-8)
        up, down = (_derivatives(penalty, w + d, j)[0] for d in (h, -h))
        np.testing.assert_allclose(second, (up - down) / (2 * h), atol=1e-7)


def pieces_of(kind, rng, *, gamma=2.5, positive=False):
    """A working set of nearly dependent columns, and its pieces."""
    X = rng.standard_normal((40, 12))
    X[:, 6:] = X[:, :6] + 1e-3 * rng.standard_normal((40, 6))
    y = X @ np.where(np.arange(12) < 4, 2.0, 0.0) + rng.standard_normal(40)
    design = make_problem(column_major(X), np.full(1, 1 / 40), fit_intercept=True)
    problem = design.with_target(y)
    moment = problem.correlation(problem.weights * problem.target)
    working = ConcaveWorkingSet(problem, moment)
    working.grow(np.arange(12))
    penalty = kind(0.3, gamma, np.ones(12), problem.curvature, positive)
    return Pieces(working, penalty, moment), penalty


@each_kind
def test_directions_lead_downhill(kind, rng):
    """Also where the pieces at hand bend by more than the Gram matrix."""
    pieces, _ = pieces_of(kind, rng)
    n_saddles = 0
    for _ in range(30):
        w = rng.standard_normal(12)
        correlation = pieces.correlation(w)
        active = np.arange(12)
        direction = pieces._direction(w, correlation, active)
        value = pieces.objective(w, correlation)
        there = w + 1e-7 / np.max(np.abs(direction)) * direction
        assert pieces.objective(there, pieces.correlation(there)) < value
        bent, _ = pieces._piece(np.abs(w), active)
        hessian = pieces.gram[:12, :12] - np.diag(np.where(bent, pieces.bend, 0.0))
        n_saddles += np.linalg.eigvalsh(hessian)[0] < 0.0
    assert n_saddles > 10


@each_kind
@pytest.mark.parametrize("positive", [False, True])
def test_the_lowest_point_of_a_line(kind, positive, rng):
    """No other point of a fine grid is lower, and it is one of the line."""
    pieces, _ = pieces_of(kind, rng, positive=positive)
    for trial in range(20):
        w = rng.standard_normal(12) * (rng.uniform(size=12) < 0.7)
        w = np.abs(w) if positive else w
        active = np.flatnonzero(w)
        correlation = pieces.correlation(w)
        if trial % 2:
            direction = pieces._direction(w, correlation, active)
        else:
            direction = rng.standard_normal(active.size)
        start = pieces.objective(w, correlation)
        found = pieces._lowest(w[active], correlation, active, direction)
        least = start
        if found is not None:
            here = w.copy()
            here[active] = found
            least = pieces.objective(here, pieces.correlation(here))
            assert least < start
            moved = found - w[active]
            share = moved @ direction / (direction @ direction)
            np.testing.assert_allclose(moved, share * direction, atol=1e-12)
        reach = 50.0 / np.max(np.abs(direction))
        for t in np.concatenate(
            [np.linspace(0, reach, 300), np.geomspace(1e-4, 1, 50)]
        ):
            there = w.copy()
            there[active] += t * direction
            if not positive or there.min() >= 0.0:
                value = pieces.objective(there, pieces.correlation(there))
                assert least <= value + 1e-10 * abs(value)


@each_kind
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("gamma", [2.5, 20.0])
def test_downhill_on_nearly_dependent_columns(kind, positive, gamma, rng):
    """To where descent stays, with a factor of a thousand between curvatures."""
    pieces, _ = pieces_of(kind, rng, gamma=gamma, positive=positive)
    w = np.where(np.arange(12) % 6 < 4, 1.0, 0.0)
    value = pieces.objective(w, pieces.correlation(w))
    assert pieces.go_downhill(w, 500) < 500
    correlation = pieces.correlation(w)
    assert pieces.objective(w, correlation) < value
    stays = w.copy()
    pieces.descend(stays, correlation, 0.0, 10, 10)
    np.testing.assert_allclose(stays, w, atol=1e-6)


@each_kind
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("gamma", [2.5, 20.0])
def test_nearly_dependent_columns(kind, n_classes, gamma, rng):
    X, y, s = data_of(rng, (120, 20), n_classes)
    X[:, 10:] = X[:, :10] + 1e-3 * rng.standard_normal((120, 10))
    problem = problem_of(X, y, s)
    for share in (0.3, 0.05):
        found = solve(
            problem,
            share_of(kind, problem, share, gamma=gamma),
            tol=1e-6,
            max_iter=10**4,
        )
        assert found.converged
