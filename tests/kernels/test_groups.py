"""Descent on groups: each block against a slow minimiser, each loop against others."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from reference import group_descent, prox_of_group

from sparselearn import penalties
from sparselearn._kernels import _blocks
from sparselearn._kernels._blocks import descend_groups
from sparselearn._kernels._coordinate_descent import descend
from sparselearn._kernels._design import Dense, columns_axpy
from sparselearn._kernels._groups import (
    certify_groups,
    correlate,
    descend_columns,
    pulls_on_groups,
)
from sparselearn._solvers._group_working_set import GroupWorkingSet
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major

# An order of its own; column 4 is constant, and group 2 has more columns than rows.
GROUPS = penalties.Groups(
    np.array([3, 1, 0, 4, 2, *range(5, 25)]), np.array([0, 2, 4, 5, 25])
)
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.5])


def penalty_of(kind, alpha=0.1, weights=WEIGHTS):
    positive = "positive" in kind
    if "sparse" in kind:
        return penalties.SparseGroup(alpha, 0.4, GROUPS, weights, positive)
    return penalties.GroupL2(alpha, GROUPS, weights, positive)


KINDS = ["plain", "sparse", "positive", "sparse positive"]
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def data(rng):
    X = rng.standard_normal((15, 25)) * rng.uniform(0.3, 3.0, 25)
    X[:, 4] = 2.5
    s = rng.uniform(0.1, 1.0, 15)
    return X, X[:, :3] @ [1.0, -2.0, 1.0] + rng.standard_normal(15), s / s.sum()


def working_set(data, penalty, storage=np.asarray):
    """All groups but group 2, the last one first, and their blocks."""
    X, y, s = data
    problem = make_problem(column_major(storage(X)), s, fit_intercept=True)
    problem = problem.with_target(y)
    moment = problem.correlation(problem.weights * problem.target)
    exact = not penalty.positive and isinstance(penalty, penalties.GroupL2)
    working = GroupWorkingSet(problem, moment, GROUPS, exact)
    working.grow(np.array([3, 0]))
    working.grow(np.array([1]))
    return working


@each_kind
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_a_block_is_solved_as_a_whole(data, kind, weight):
    """Alone, in one step where that is exact; where it is not, in some."""
    X, y, s = data
    penalty = penalty_of(kind, weights=np.r_[weight, WEIGHTS[1:]])
    working = working_set(data, penalty)
    blocks, _ = working.blocks(penalty)
    n_epochs = 1 if kind == "plain" else 300
    coef, correlation = np.zeros(24), working.moment[working.features].copy()
    first, last = blocks.starts[1], blocks.starts[2]  # group 0
    descend_groups(
        working.columns.storage,
        blocks,
        np.array([1]),
        coef,
        correlation,
        n_epochs,
        -1.0,
        False,
    )
    lam, mu = penalties.group_strengths(penalty, np.array([0]))
    own = np.array([3, 1])
    Xc = X[:, own] - s @ X[:, own]
    slow = group_descent(
        Xc, y - s @ y, s, [np.arange(2)], lam, mu, positive=penalty.positive
    )
    np.testing.assert_allclose(coef[first:last], slow, atol=1e-12)
    assert np.all(np.delete(coef, np.arange(first, last)) == 0.0)


@each_kind
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
def test_columns_and_gram_take_the_same_steps(data, kind, storage):
    penalty = penalty_of(kind)
    working = working_set(data, penalty, storage)
    problem, features = working.problem, working.features
    blocks, _ = working.blocks(penalty)
    visits = np.array([0, 2])
    v, g = np.zeros(24), working.moment[features].copy()
    descend_groups(working.columns.storage, blocks, visits, v, g, 3, -1.0, False)
    w, pull = np.zeros(24), np.empty(24)
    u, total = problem.weights * problem.target, 0.0
    n_epochs, total = descend_columns(
        problem.design, features, blocks, visits, w, u, total, 3, -1.0, pull
    )
    assert n_epochs == 3
    assert w.any()
    np.testing.assert_allclose(w, v, atol=1e-12)
    correlate(problem.design, features, u, total, pull)
    np.testing.assert_allclose(pull, g, atol=1e-12)
    assert v[np.flatnonzero(features == 4)] == 0.0
    coef = np.zeros(25)
    coef[features] = w
    expected = problem.weights * problem.residual(coef)
    np.testing.assert_allclose(u - problem.weights * total, expected, atol=1e-12)


@each_kind
def test_descent_minimises(data, kind):
    X, y, s = data
    penalty = penalty_of(kind)
    working = working_set(data, penalty)
    blocks, _ = working.blocks(penalty)
    w, g = np.zeros(24), working.moment[working.features].copy()
    everyone = np.arange(3)
    n_epochs = descend_groups(
        working.columns.storage, blocks, everyone, w, g, 100_000, 1e-26, False
    )
    assert n_epochs < 100_000
    Xc = (X - s @ X)[:, working.features]
    Xc[:, working.features == 4] = 0.0
    ends = blocks.starts
    groups = [np.arange(a, b) for a, b in pairwise(ends)]
    slow = group_descent(
        Xc, y - s @ y, s, groups, blocks.lam, blocks.mu, positive=penalty.positive
    )
    np.testing.assert_allclose(Xc @ w, Xc @ slow, atol=1e-8)
    np.testing.assert_allclose(w, slow, atol=1e-6)


def test_descent_may_end_when_nothing_comes_or_goes(data):
    penalty = penalty_of("plain", alpha=0.01)
    working = working_set(data, penalty)
    blocks, _ = working.blocks(penalty)
    ends = []
    for settling in (True, False):
        w, g = np.zeros(24), working.moment[working.features].copy()
        n_epochs = descend_groups(
            working.columns.storage, blocks, np.arange(3), w, g, 9000, 1e-6, settling
        )
        ends.append(n_epochs)
    # In the first epoch groups come.
    assert 1 < ends[0] < ends[1] < 9000


def test_groups_of_one_are_coordinates(data):
    X, y, s = data
    alone = penalties.Groups(np.arange(25), np.arange(26))
    penalty = penalties.GroupL2(0.1, alone, np.ones(25))
    problem = make_problem(column_major(X), s, fit_intercept=True).with_target(y)
    working = GroupWorkingSet(problem, np.zeros(25), alone, True)
    working.grow(np.arange(25))
    blocks, _ = working.blocks(penalty)
    w, v = np.zeros(25), np.zeros(25)
    u, other = (problem.weights * problem.target for _ in range(2))
    everyone = np.arange(25)
    descend_columns(
        problem.design, everyone, blocks, everyone, w, u, 0.0, 2, -1.0, np.empty(25)
    )
    descend(
        problem.design,
        penalties.L1(0.1),
        problem.curvature,
        everyone,
        v,
        other,
        0.0,
        2,
        -1.0,
    )
    np.testing.assert_allclose(w, v, atol=1e-12)


@pytest.mark.parametrize("spread", [0.0, 8.0])
@pytest.mark.parametrize("guess", [0.0, 1e-9, 1e9])
def test_the_length_of_a_block(rng, spread, guess):
    """From any guess, for eigenvalues of any spread; some of them 0."""
    d = 10.0 ** rng.uniform(-spread, 0.0, 6)
    d[2] = 0.0
    for lam in (1e-6, 0.1, 0.9):
        v = rng.standard_normal(6) * (d > 0.0)
        v /= np.linalg.norm(v)
        h = _blocks._root(d, v, lam, 1.0, guess)
        assert np.sum((v / (d * h + lam)) ** 2) == pytest.approx(1.0, rel=1e-9)


@each_kind
def test_a_proximal_step_is_that_of_the_penalty(data, kind, rng):
    penalty = penalty_of(kind)
    working = working_set(data, penalty)
    blocks, _ = working.blocks(penalty)
    if blocks.exact:
        return
    coef, pull = np.abs(rng.standard_normal(2)), rng.standard_normal(2)
    own = slice(blocks.places[1], blocks.places[2])
    gram, change = blocks.matrices[own], np.empty(2)
    largest = np.linalg.eigvalsh(gram.reshape(2, 2))[-1]
    lam, mu = blocks.lam[1], blocks.mu[1]
    positive = penalty.positive
    _blocks._proximal_steps(
        gram, largest, lam, mu, positive, coef, pull, change, np.empty((2, 2)), 1
    )
    z, step = coef + pull / largest, 1.0 / largest
    expected = penalties.prox(penalty, z, step, 0)
    np.testing.assert_allclose(coef + change, expected, atol=1e-14)
    slow = prox_of_group(z, step * lam, step * mu, positive=positive)
    np.testing.assert_allclose(expected, slow, atol=1e-14)


@each_kind
def test_certificates_go_group_by_group(kind, rng):
    penalty = penalty_of(kind)
    w, v = np.abs(rng.standard_normal((2, 25)))
    terms, norms, distances = np.empty((3, 4)), np.empty(4), np.empty(4)
    scale = certify_groups(penalty, w, v, terms)
    pulls_on_groups(penalty, v, norms, distances)
    assert scale == pytest.approx(1.0 / np.max(norms))
    for g, (a, b) in enumerate(pairwise(GROUPS.starts)):
        own = GROUPS.features[a:b]
        zero = np.zeros(own.size)
        one = (
            penalties.value(penalty, w[own], g),
            penalties.dual_scale(penalty, w[own], v[own], g),
            penalties.fenchel_gap(penalty, w[own], scale * v[own], g),
            penalties.dual_norm(penalty, v[own], g),
            penalties.subdifferential_distance(penalty, zero, v[own], g),
        )
        np.testing.assert_allclose([*terms[:, g], norms[g], distances[g]], one)


@pytest.mark.parametrize("n_columns", [1, 3, 4, 7])
@pytest.mark.parametrize("weighted", [True, False])
def test_several_columns_at_once(data, n_columns, weighted, rng):
    X, _, s = data
    s = s if weighted else np.full(1, 1 / 15)
    means = rng.standard_normal(25)
    design = Dense(column_major(X), s, means)
    features, steps = rng.permutation(25)[:n_columns], rng.standard_normal(n_columns)
    u = rng.standard_normal(15)
    expected = u + s * ((X - means)[:, features] @ steps)
    assert columns_axpy(design, features, steps, u, 0.5) == 0.5
    np.testing.assert_allclose(u, expected, atol=1e-12)
