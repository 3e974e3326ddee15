"""Changes of the support: the factor follows, and the end is the optimum."""

import numpy as np
import pytest
from reference import best_on_gram

from sparselearn._kernels import _support
from sparselearn._kernels._support import (
    Quadratic,
    Support,
    join,
    join_many,
    leave,
    settle,
)

# Of the largest correlation; what is solved for is known to about as much.
ROUNDING = 1e-9


def quadratic(gram, moment, l1, *, l2=0.0, positive=False, extra=0):
    """A problem in a buffer with room for `extra` more features, which is not read."""
    m = moment.size
    buffer = np.full((m + extra, m + extra), np.nan)
    buffer[:m, :m] = gram
    l1, l2 = (np.broadcast_to(x, m).astype(np.float64) for x in (l1, l2))
    scale = np.abs(moment).max(initial=0.0)
    floor = np.maximum(1e-10 * l1, 1e-12 * scale)
    return Quadratic(buffer, moment, l1, l2, floor, positive)


def empty_support(room):
    return Support(
        order=np.zeros(room, dtype=np.int64),
        signs=np.zeros(room),
        factor=np.full((room, room), np.nan),
        spare=np.full((3, room), np.nan),
    )


def start(problem, rng=None):
    """An empty support; or, with `rng`, an arbitrary one, signs and sizes too."""
    m = problem.moment.size
    support, size, coef = empty_support(problem.gram.shape[0]), 0, np.zeros(m)
    for j in [] if rng is None else rng.permutation(m)[: 2 * m // 3]:
        if join(problem, support, size, j):
            sign = 1.0 if problem.positive else rng.choice([-1.0, 1.0])
            support.signs[j], coef[j] = sign, sign * rng.uniform(0.0, 2.0)
            size += 1
    return support, size, coef


def assert_factor(problem, support, size):
    """``L L' = G_AA + diag(l2_A)``."""
    inside = support.order[:size]
    L = np.tril(support.factor[:size, :size])
    expected = problem.gram[np.ix_(inside, inside)] + np.diag(problem.l2[inside])
    scale = np.max(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(L @ L.T, expected, atol=1e-12 * scale)
    assert np.all(np.diagonal(L) > 0.0)


def assert_consistent(problem, support, size, coef, correlation):
    """The support is a set, has a factor, and coefficients are 0 off it."""
    m = problem.moment.size
    inside = support.order[:size]
    assert sorted(inside) == list(np.flatnonzero(support.signs))
    assert np.all(np.isin(np.flatnonzero(coef), inside))
    assert_factor(problem, support, size)
    gram = problem.gram[:m, :m]
    scale = np.abs(problem.moment).max(initial=0.0)
    np.testing.assert_allclose(
        correlation, problem.moment - gram @ coef, atol=1e-11 * scale
    )


def assert_optimal(problem, support, size, coef, correlation):
    """The optimality conditions, from their definition; signs are the coefficients'."""
    assert_consistent(problem, support, size, coef, correlation)
    m = problem.moment.size
    pull = problem.moment - problem.gram[:m, :m] @ coef - problem.l2 * coef
    atol = ROUNDING * np.abs(problem.moment).max(initial=0.0)
    active = coef != 0.0
    aim = problem.l1 * np.sign(coef)
    np.testing.assert_allclose(pull[active], aim[active], atol=atol)
    outward = pull if problem.positive else np.abs(pull)
    assert np.all(outward[~active] <= problem.l1[~active] + atol)
    assert not problem.positive or np.all(coef >= 0.0)
    held = (problem.l1 > 0.0) | problem.positive
    np.testing.assert_array_equal(np.sign(coef)[held], support.signs[:m][held])


def objective(problem, coef):
    m = problem.moment.size
    value = 0.5 * coef @ (problem.gram[:m, :m] @ coef) - problem.moment @ coef
    on = coef != 0.0
    penalty = problem.l1[on] * np.abs(coef[on]) + 0.5 * problem.l2[on] * coef[on] ** 2
    return value + np.sum(penalty)


def columns(kind, rng):
    """Columns of five features."""
    X = rng.standard_normal((3 if kind == "few rows" else 20, 5))
    if kind == "alike":
        X += 3.0 * rng.standard_normal((20, 1))
    elif kind == "twins":
        X[:, 3], X[:, 4] = X[:, 1], -X[:, 0]
    elif kind == "sum":
        X[:, 2] = X[:, 0] + X[:, 1]
    elif kind == "empty":
        X[:, [1, 3]] = 0.0
    return X


KINDS = ["plain", "alike", "few rows", "twins", "sum", "empty"]


def problem_of(X, rng, share, **options):
    """With a signal in all columns, and an l1 of `share` of the largest correlation."""
    y = X @ rng.standard_normal(X.shape[1]) + 0.3 * rng.standard_normal(X.shape[0])
    moment = X.T @ y / y.size
    omega = options.pop("omega", 1.0)
    l1 = share * np.abs(moment).max() * omega
    return quadratic(X.T @ X / y.size, moment, l1, **options)


# -- the factor ---------------------------------------------------------------


@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_the_factor_follows_the_support(l2, rng):
    """However features join and leave: first, last or from between."""
    X = rng.standard_normal((30, 9))
    problem = quadratic(X.T @ X, np.ones(9), 1.0, l2=l2 * np.arange(9.0), extra=3)
    support, inside = empty_support(12), []
    for _ in range(150):
        if inside and (len(inside) == 9 or rng.uniform() < 0.45):
            place = int(rng.integers(len(inside)))
            leave(support, len(inside), place)
            del inside[place]
        else:
            j = int(rng.choice(np.setdiff1d(np.arange(9), inside)))
            assert join(problem, support, len(inside), j)
            inside.append(j)
        assert list(support.order[: len(inside)]) == inside
        assert_factor(problem, support, len(inside))


def test_what_depends_on_the_support_does_not_join(rng):
    """Its row, ``L l = G_Aj``, is left behind the factor, which stays as it was."""
    X = rng.standard_normal((20, 5)) * [1.0, 1e3, 1e-3, 1e2, 1.0]
    X[:, 3] = X[:, 0] - 2.0 * X[:, 1]
    X[:, 4] = 0.0
    problem = quadratic(X.T @ X, np.ones(5), 1.0)
    support = empty_support(5)
    for size, j in enumerate([0, 2, 1]):
        assert join(problem, support, size, j)
    for j in (3, 4):
        assert not join(problem, support, 3, j)
        L, row = np.tril(support.factor[:3, :3]), support.factor[3, :3]
        np.testing.assert_allclose(L @ row, problem.gram[[0, 2, 1], j], rtol=1e-12)
        assert_factor(problem, support, 3)
        assert list(support.order[:3]) == [0, 2, 1]
    ridge = problem._replace(l2=np.full(5, 0.1 * problem.gram[3, 3]))
    assert join(ridge, empty_support(5), 0, 4)
    assert join(ridge, support, 3, 3)


@pytest.mark.parametrize("n_inside", [0, 2, 5])
@pytest.mark.parametrize("n_new", [0, 1, 4, 5, 11])
def test_many_join_as_one_by_one(n_inside, n_new, rng):
    """Those that depend on others stay outside, wherever they stand."""
    X = rng.standard_normal((30, 16))
    X[:, 6], X[:, 9] = 2.0 * X[:, 5], X[:, 0]
    X[:, 12], X[:, 14] = X[:, 5] - X[:, 7], 0.0
    problem = quadratic(X.T @ X, np.ones(16), 1.0)
    new, signs = np.arange(5, 5 + n_new), rng.choice([-1.0, 1.0], n_new)
    sizes, supports = [], []
    for many in (True, False):
        support, size = empty_support(16), 0
        for j in range(n_inside):
            size += join(problem, support, size, j)
        if many:
            size = join_many(problem, support, size, new, signs)
        else:
            for j, sign in zip(new, signs):
                if join(problem, support, size, j):
                    support.signs[j], size = sign, size + 1
        assert_factor(problem, support, size)
        sizes.append(size)
        supports.append(support)
    assert sizes[0] == sizes[1]
    np.testing.assert_array_equal(supports[0].signs, supports[1].signs)
    for support in supports:
        support.order[sizes[0] :] = 0
    np.testing.assert_array_equal(supports[0].order, supports[1].order)


# -- the optimum --------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.4])
@pytest.mark.parametrize("weighting", ["none", "free and barred"])
def test_it_settles_at_the_optimum(kind, positive, ridge, weighting, rng):
    """From nothing and from any support; no other support has a smaller objective."""
    X = columns(kind, rng)
    omega = np.ones(5)
    if weighting != "none":
        omega = np.array([1.0, 0.0, 2.0, 1e200, 0.5])
    for share in (0.5, 0.01):
        problem = problem_of(X, rng, share, omega=omega, positive=positive, extra=2)
        l2 = np.where(omega < 1e100, ridge * problem.l1, 0.0)
        problem = problem._replace(l2=l2)
        best = objective(problem, best_on_gram(*problem[:4], positive=positive))
        for begin in (None, rng):
            support, size, coef = start(problem, begin)
            correlation = np.full(5, np.nan)
            size, _, settled = settle(problem, support, size, coef, correlation, 200)
            assert settled
            assert_optimal(problem, support, size, coef, correlation)
            assert objective(problem, coef) == pytest.approx(best, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("shape", [(60, 25), (15, 30)])
@pytest.mark.parametrize("positive", [False, True])
def test_a_support_of_many_settles(shape, positive, rng):
    """Warm, along decreasing l1, up to as many features as rows."""
    X = rng.standard_normal(shape) + rng.standard_normal((shape[0], 1))
    X[:, 7], X[:, 8] = X[:, 3] + X[:, 4], -X[:, 2]
    y = X @ rng.standard_normal(shape[1])
    moment = X.T @ y
    problem = quadratic(X.T @ X, moment, 0.0, positive=positive)
    support, size, coef = start(problem)
    correlation = np.zeros(shape[1])
    for share in np.geomspace(1.0, 1e-3, 12):
        l1 = np.full(shape[1], share * np.abs(moment).max())
        problem = problem._replace(l1=l1, floor=1e-10 * l1)
        size, _, settled = settle(problem, support, size, coef, correlation, 200)
        assert settled
        assert_optimal(problem, support, size, coef, correlation)
        assert size <= shape[0]


def test_rounds_are_counted_and_limited(rng):
    """What comes back early is a support with a factor, and goes on from there."""
    X = rng.standard_normal((60, 25)) + rng.standard_normal((60, 1))
    problem = problem_of(X, rng, 0.02)
    support, size, coef = start(problem)
    correlation = np.zeros(25)
    _, needed, settled = settle(problem, *start(problem), correlation.copy(), 200)
    assert settled
    assert needed > 2
    for n in range(needed):
        assert not settled or n == 0
        size, n_rounds, settled = settle(problem, support, size, coef, correlation, 1)
        assert n_rounds == 1
        assert_consistent(problem, support, size, coef, correlation)
    assert settled
    assert_optimal(problem, support, size, coef, correlation)


def test_what_is_expected_joins_first(rng):
    """With the correlations of a solution nearby one round is enough."""
    X = rng.standard_normal((60, 25))
    problem = problem_of(X, rng, 0.5)
    support, size, coef = start(problem)
    expected = np.zeros(25)
    _, cold, settled = settle(problem, support, size, coef, expected, 200)
    assert settled
    assert cold > 1
    assert 2 <= np.count_nonzero(coef) <= 10
    expected += 1e-3 * np.sign(coef)
    support, size, again = start(problem)
    size, n_rounds, settled = settle(problem, support, size, again, expected, 200)
    assert settled
    assert n_rounds == 1
    np.testing.assert_allclose(again, coef, atol=1e-12)
    assert_optimal(problem, support, size, again, expected)


def test_an_unpenalised_coefficient_changes_sign_in_its_place(rng):
    X = rng.standard_normal((20, 3))
    moment = X.T @ (X @ np.array([-2.0, 3.0, 1.0]))
    problem = quadratic(X.T @ X, moment, [0.0, 1e-3, 0.0])
    support, size, coef = start(problem)
    for j in range(3):
        assert join(problem, support, size, j)
        support.signs[j], size = 1.0, size + 1
    correlation = np.zeros(3)
    size, _, settled = settle(problem, support, size, coef, correlation, 1)
    assert settled
    assert size == 3
    assert_optimal(problem, support, size, coef, correlation)


# -- one at a time ------------------------------------------------------------


def plain(compiled):
    """The Python function of a kernel, also where kernels are not compiled."""
    return getattr(compiled, "py_func", compiled)


@pytest.fixture
def calls(monkeypatch):
    """The calls to each step of `settle`, with what they returned."""
    seen = {"_solve_on_support": [], "_take_in": [], "_exchange": []}

    def spy(name):
        step = plain(getattr(_support, name))

        def spied(*args):
            result = step(*args)
            seen[name].append((args[-1], result))
            return result

        monkeypatch.setattr(_support, name, spied)

    for name in seen:
        spy(name)
    return seen


def test_where_the_objective_does_not_fall_it_goes_one_at_a_time(calls):
    """Supports that alternate for ever if all features join and leave that ask to."""
    X = np.array([[2.0, -2.0, -3.0, -1.0], [-1.0, 2.0, 0.0, -3.0]])
    problem = quadratic(
        X.T @ X + 0.01 * np.eye(4), np.array([-3.0, 2.0, 6.0, 4.0]), 1.0
    )
    support, size, coef = start(problem)
    correlation = np.zeros(4)
    size, _, settled = plain(settle)(problem, support, size, coef, correlation, 50)
    careful = [args for args, _ in calls["_solve_on_support"]]
    assert not careful[0]
    assert careful[-1] is True
    assert settled
    assert_optimal(problem, support, size, coef, correlation)
    best = objective(problem, best_on_gram(*problem[:4], positive=False))
    assert objective(problem, coef) == pytest.approx(best, rel=1e-12)


def leave_one_by_one(gram, target, coef, inside):
    """Go to the solution, stop at the first 0 on the way, leave that out; again."""
    coef, inside = coef.copy(), list(inside)
    while inside:
        aim = np.linalg.solve(gram[np.ix_(inside, inside)], target[inside])
        here = coef[inside]
        crosses = here * aim <= 0.0
        if not crosses.any():
            coef[inside] = aim
            break
        steps = np.where(crosses, here / np.where(crosses, here - aim, 1.0), np.inf)
        k = int(np.argmin(steps))
        coef[inside] = here + steps[k] * (aim - here)
        coef[inside[k]] = 0.0
        del inside[k]
    return coef, inside


def test_one_at_a_time_coefficients_leave_where_they_reach_zero(rng):
    n_left = []
    for _ in range(20):
        X = rng.standard_normal((12, 7)) + 2.0 * rng.standard_normal((12, 1))
        problem = quadratic(X.T @ X, X.T @ rng.standard_normal(12), 0.5)
        support, size, coef = start(problem)
        for j in range(7):
            assert join(problem, support, size, j)
            size += 1
        coef[:] = rng.standard_normal(7)
        support.signs[:] = np.sign(coef)
        target = problem.moment - problem.l1 * support.signs
        expected, inside = leave_one_by_one(problem.gram, target, coef, range(7))
        size = _support._solve_on_support(problem, support, size, coef, True)
        np.testing.assert_allclose(coef, expected, atol=1e-10)
        assert sorted(support.order[:size]) == inside
        assert_factor(problem, support, size)
        n_left.append(7 - size)
    assert max(n_left) > 2


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_feature_takes_the_place_of_one_it_depends_on(calls, sign):
    """Two rows, three features: the one left out comes in, another goes."""
    X = np.array([[2.0, -1.0, -2.0], [-1.0, 0.0, 2.0]]) * sign
    problem = quadratic(X.T @ X, X.T @ np.array([0.0, -4.0]), 1.0)
    support, size, coef = start(problem)
    correlation = np.zeros(3)
    size, _, settled = plain(settle)(problem, support, size, coef, correlation, 50)
    assert [done for _, (_, done) in calls["_exchange"]] == [True]
    assert settled
    assert_optimal(problem, support, size, coef, correlation)
    best = objective(problem, best_on_gram(*problem[:4], positive=False))
    assert objective(problem, coef) == pytest.approx(best, rel=1e-12)


def test_an_exchange_leaves_the_fit_and_lowers_the_penalty(rng):
    """By as much as the correlation exceeds l1, times the coefficient that it gives."""
    x, z = rng.standard_normal((2, 20))
    X = np.column_stack([x, z, 2.0 * x + 2.0 * z])
    problem = quadratic(X.T @ X, X.T @ (3.0 * x + 5.0 * z), 1.0)
    support, size, coef = start(problem)
    for j in (0, 1):
        assert join(problem, support, size, j)
        support.signs[j], size = 1.0, size + 1
    coef[:2] = [3.0, 5.0]
    assert not join(problem, support, size, 2)
    fit, before = X @ coef, coef.copy()
    size, joined = _support._exchange(problem, support, size, 2, 1.0, coef)
    assert joined
    assert list(support.order[:size]) == [1, 2]
    np.testing.assert_allclose(coef, [0.0, 2.0, 1.5], atol=1e-12)
    np.testing.assert_allclose(X @ coef, fit, atol=1e-12)
    assert np.abs(coef).sum() < np.abs(before).sum()
    assert_factor(problem, support, size)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 40])
def test_the_worst_come_first_and_of_equals_the_first(rng, n):
    features = np.sort(rng.permutation(3 * n)[:n])
    for n_values in (2, 1000):
        gains = rng.integers(n_values, size=n).astype(np.float64)
        expected = features[np.argsort(-gains, kind="stable")]
        for room in {0, min(n, 1), n // 2, n}:
            found = features.copy()
            _support._put_worst_first(found, gains.copy(), n, room)
            np.testing.assert_array_equal(found[:room], expected[:room])
            np.testing.assert_array_equal(np.sort(found), features)
