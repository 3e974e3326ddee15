"""Laws of every penalty, by brute force and by definition."""

import inspect
import pickle
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import mcp, minimise_on_grid, scad

from sparselearn import penalties
from sparselearn._kernels._jit import for_specs, kernel
from sparselearn._solvers._engine import require_formulas

WEIGHTS = [0.0, 0.5, 2.0]
PENALTIES = [
    penalty
    for positive in (False, True)
    for penalty in (
        penalties.L1(0.7, positive),
        penalties.WeightedL1(0.7, WEIGHTS, positive),
        penalties.ElasticNet(0.7, 0.3, positive),
        penalties.ElasticNet(0.7, 0.0, positive),
        penalties.WeightedElasticNet(0.7, 0.3, WEIGHTS, positive),
    )
]
FOLDED = [
    kind(0.7, gamma, WEIGHTS, [0.5, 2.0, 1.0], positive)
    for positive in (False, True)
    for kind in (penalties.MCP, penalties.SCAD)
    for gamma in (2.2, 3.7)
]
every_folded = pytest.mark.parametrize("penalty", FOLDED, ids=repr)
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
numbers = st.floats(-4.0, 4.0)
coordinates = st.integers(0, 2)


def extended_value(penalty, w, j):
    """h_j over the whole line: inf outside the domain."""
    inside = (w >= 0.0) | (not penalty.positive)
    return np.where(inside, penalties.value(penalty, w, j), np.inf)


@every_penalty
@settings(max_examples=25, deadline=None)
@given(z=numbers, step=st.floats(0.1, 3.0), j=coordinates)
def test_prox_is_the_minimiser(penalty, z, step, j):
    found = penalties.prox(penalty, z, step, j)
    best, _ = minimise_on_grid(
        lambda w: 0.5 * (w - z) ** 2 + step * extended_value(penalty, w, j)
    )
    assert abs(found - best) < 2e-4


@every_penalty
@settings(max_examples=25, deadline=None)
@given(v=numbers, j=coordinates)
def test_conjugate_is_the_supremum(penalty, v, j):
    found = float(penalties.conjugate(penalty, v, j))
    _, lowest = minimise_on_grid(
        lambda w: extended_value(penalty, w, j) - v * w, lower=-100, upper=100
    )
    if np.isfinite(found):
        assert found == pytest.approx(-lowest, abs=1e-3)
    else:  # unbounded: the grid's end is the best of it
        _, further = minimise_on_grid(
            lambda w: extended_value(penalty, w, j) - v * w, lower=-200, upper=200
        )
        assert further < lowest or abs(v) - penalties.threshold(penalty, j) < 1e-6


@every_penalty
@settings(max_examples=50, deadline=None)
@given(w=numbers, v=numbers, j=coordinates)
def test_fenchel_gap_is_the_sum_that_it_stands_for(penalty, w, v, j):
    w = abs(w) if penalty.positive else w
    direct = penalties.value(penalty, w, j) + penalties.conjugate(penalty, v, j) - v * w
    found = penalties.fenchel_gap(penalty, w, v, j)
    assert found >= 0.0
    # Conjugates allow for rounding of 1e-12 at the ends of their domain.
    np.testing.assert_allclose(found, direct, rtol=1e-9, atol=1e-11)


@every_penalty
@settings(max_examples=50, deadline=None)
@given(z=numbers, step=st.floats(0.1, 3.0), j=coordinates)
def test_prox_satisfies_its_own_optimality(penalty, z, step, j):
    """w = prox(z) iff (z - w) / step is a subgradient at w."""
    w = penalties.prox(penalty, z, step, j)
    slope = (z - w) / step
    assert penalties.subdifferential_distance(penalty, w, slope, j) < 1e-9


@every_penalty
@settings(max_examples=25, deadline=None)
@given(g=numbers, j=coordinates)
def test_subdifferential_distance_at_zero(penalty, g, j):
    """Subgradients at 0 lie below the penalty everywhere: g w <= h(w)."""
    distance = penalties.subdifferential_distance(penalty, 0.0, g, j)
    threshold = penalties.threshold(penalty, j)
    low = -np.inf if penalty.positive else -threshold
    assert distance == pytest.approx(max(g - threshold, low - g, 0.0))


@every_penalty
def test_dual_scale_brings_l1_into_the_domain(penalty, rng):
    g = 3.0 * rng.standard_normal(3)
    w = np.zeros(3)
    scale = penalties.dual_scale(penalty, w, g, slice(None))
    assert np.all(scale <= 1.0)
    assert np.all(np.isfinite(penalties.conjugate(penalty, scale * g, slice(None))))


@kernel
def all_formulas(penalty, w, z, g, j):
    return (
        penalties_value(penalty, w, j),
        penalties_prox(penalty, z, 0.5, j),
        penalties_distance(penalty, w, g, j),
        penalties_conjugate(penalty, g, j),
        penalties_gap(penalty, w, g, j),
        penalties_scale(penalty, w, g, j),
    )


penalties_value = penalties.value
penalties_prox = penalties.prox
penalties_distance = penalties.subdifferential_distance
penalties_conjugate = penalties.conjugate
penalties_gap = penalties.fenchel_gap
penalties_scale = penalties.dual_scale


@every_penalty
def test_compiled_scalars_equal_numpy_arrays(penalty, rng):
    """One source serves both: all coordinates at once, or each in a kernel."""
    w = np.array([0.0, 1.2, 0.3]) if penalty.positive else np.array([0.0, -1.2, 0.3])
    z, g = rng.standard_normal(3), rng.standard_normal(3)
    everything = slice(None)
    at_once = (
        penalties.value(penalty, w, everything),
        penalties.prox(penalty, z, 0.5, everything),
        penalties.subdifferential_distance(penalty, w, g, everything),
        penalties.conjugate(penalty, g, everything),
        penalties.fenchel_gap(penalty, w, g, everything),
        penalties.dual_scale(penalty, w, g, everything),
    )
    compiled = for_specs(all_formulas, penalty)
    for j in range(3):
        one = compiled(penalty, w[j], z[j], g[j], j)
        np.testing.assert_allclose(one, [values[j] for values in at_once], rtol=1e-15)


@kernel
def folded_formulas(penalty, w, z, step, g, j):
    return (
        penalties_value(penalty, w, j),
        penalties_prox(penalty, z, step, j),
        penalties_distance(penalty, w, g, j),
        penalties_threshold(penalty, j),
    )


penalties_threshold = penalties.threshold


class TestFoldedConcave:
    """MCP and SCAD, which have no conjugate."""

    @every_folded
    def test_value_is_the_textbook_s_on_features_of_unit_variance(self, penalty):
        formula = mcp if type(penalty) is penalties.MCP else scad
        w = np.linspace(0.0, 6.0, 301)
        for j, curvature in enumerate(penalty.curvatures):
            sd, lam = np.sqrt(curvature), 0.7 * WEIGHTS[j]
            expected = formula(sd * w, lam / sd, penalty.gamma)
            for sign in (1.0, -1.0):
                found = penalties.value(penalty, sign * w, np.full(w.size, j))
                np.testing.assert_allclose(found, expected, atol=1e-14)

    @every_folded
    @pytest.mark.parametrize("j", range(3))
    @pytest.mark.parametrize("step", [0.1, 0.45, 0.9, 2.0, 30.0])
    def test_prox_is_the_global_minimiser(self, penalty, step, j):
        """Also where the problem is not convex, and at the edges of the pieces."""
        l1, straight, bend = penalties.pieces(penalty, j)
        end = straight + l1 / bend
        edges = np.array([step * l1, straight, straight + step * l1, end])
        edges = np.concatenate([edges, edges * (1 + 1e-9), edges * (1 - 1e-9)])
        grid = np.linspace(0.0 if penalty.positive else -12.0, 12.0, 24001)
        h = penalties.value(penalty, grid, np.full(grid.size, j))
        for z in np.concatenate([edges, -edges, np.linspace(-9.0, 9.0, 41)]):
            found = penalties.prox(penalty, z, step, j)
            at_grid = 0.5 * (grid - z) ** 2 + step * h
            at_found = 0.5 * (found - z) ** 2 + step * penalties.value(
                penalty, found, j
            )
            assert found >= 0.0 or not penalty.positive
            assert at_found <= at_grid.min() + 1e-12
            if step * bend < 0.9:  # unique, and the objective not flat
                assert abs(found - grid[np.argmin(at_grid)]) < 2e-3
            distance = penalties.subdifferential_distance(
                penalty, found, (z - found) / step, j
            )
            assert distance < 1e-12 * (1.0 + abs(z) / step)

    @every_folded
    def test_value_is_differentiable_off_zero(self, penalty):
        """Its slope is the one subgradient, and is continuous across the pieces."""
        w, eps = np.linspace(1e-3, 6.0, 977), 1e-6
        for j in range(3):
            where = np.full(w.size, j)
            above = penalties.value(penalty, w + eps, where)
            below = penalties.value(penalty, w - eps, where)
            slope = (above - below) / (2 * eps)
            distance = penalties.subdifferential_distance(penalty, w, slope, where)
            assert np.max(distance) < 1e-5
            further = penalties.subdifferential_distance(penalty, w, slope + 0.5, where)
            np.testing.assert_allclose(further, 0.5, atol=1e-5)
            assert np.max(np.abs(np.diff(slope))) < 0.1
            assert np.all(np.diff(slope) <= 1e-8)

    @every_folded
    @settings(max_examples=25, deadline=None)
    @given(g=numbers, j=coordinates)
    def test_subdifferential_distance_at_zero(self, penalty, g, j):
        """The slopes to either side bound the subgradients."""
        rise = penalties.value(penalty, 1e-9, j) / 1e-9
        assert rise == pytest.approx(penalties.threshold(penalty, j), abs=1e-7)
        low = -np.inf if penalty.positive else -rise
        distance = penalties.subdifferential_distance(penalty, 0.0, g, j)
        assert distance == pytest.approx(max(g - rise, low - g, 0.0), abs=1e-7)

    @every_folded
    @pytest.mark.parametrize("step", [0.3, 5.0])
    def test_compiled_scalars_equal_numpy_arrays(self, penalty, rng, step):
        w = np.array([0.0, 1.2, 9.0]) * (1.0 if penalty.positive else -1.0)
        z, g = 3.0 * rng.standard_normal(3), rng.standard_normal(3)
        everything = slice(None)
        at_once = (
            penalties.value(penalty, w, everything),
            penalties.prox(penalty, z, step, everything),
            penalties.subdifferential_distance(penalty, w, g, everything),
            penalties.threshold(penalty, everything),
        )
        for j in range(3):
            one = folded_formulas(penalty, w[j], z[j], step, g[j], j)
            expected = [values[j] for values in at_once]
            np.testing.assert_allclose(one, expected, rtol=1e-14)

    @pytest.mark.parametrize("kind", [penalties.MCP, penalties.SCAD])
    @pytest.mark.parametrize("positive", [False, True])
    def test_an_infinite_gamma_is_the_l1_norm(self, kind, positive, rng):
        weights = [0.0, 0.5, 2.0, np.inf]
        folded = kind(0.7, np.inf, weights, [0.5, 2.0, 1.0, 0.0], positive)
        plain = penalties.WeightedL1(0.7, weights, positive)
        j = np.arange(4)
        for _ in range(20):
            z, g = 5.0 * rng.standard_normal((2, 4))
            w = np.abs(z) * (j < 3)
            for step in (0.1, 40.0):
                np.testing.assert_allclose(
                    penalties.prox(folded, z, step, j),
                    penalties.prox(plain, z, step, j),
                    rtol=1e-14,
                )
            for formula in (penalties.value, penalties.subdifferential_distance):
                more = () if formula is penalties.value else (g,)
                np.testing.assert_allclose(
                    formula(folded, w, *more, j),
                    formula(plain, w, *more, j),
                    rtol=1e-14,
                )

    @pytest.mark.parametrize("kind", [penalties.MCP, penalties.SCAD])
    def test_infinite_weights_and_columns_without_curvature(self, kind):
        """No overflow, no division by zero; 0 stays 0."""
        penalty = kind(1.0, 3.0, [np.inf, 1.0, np.inf], [2.0, 0.0, 0.0])
        j = np.arange(3)
        for step in (1.0, 10.0):
            found = penalties.prox(penalty, np.full(3, 1e6), step, j)
            np.testing.assert_array_equal(found, [0.0, 1e6 - step, 0.0])
        assert not penalties.value(penalty, np.zeros(3), j).any()
        distance = penalties.subdifferential_distance(
            penalty, np.zeros(3), np.full(3, 1e6), j
        )
        np.testing.assert_array_equal(distance, [0.0, 1e6 - 1.0, 0.0])

    @every_folded
    def test_nothing_certifies_it(self, penalty):
        with pytest.raises(TypeError, match="conjugate has no formula for"):
            require_formulas(penalty)


def test_infinite_weight_keeps_at_zero():
    penalty = penalties.WeightedElasticNet(1.0, 0.5, [np.inf, 1.0])
    assert penalties.prox(penalty, 1e6, 1.0, 0) == 0.0
    assert penalties.conjugate(penalty, 1e6, 0) == 0.0
    assert penalties.value(penalty, 0.0, 0) == 0.0
    assert penalties.subdifferential_distance(penalty, 0.0, 1e6, 0) == 0.0


def test_specs_are_of_one_type_whatever_made_them():
    """An int alpha or a list of weights would compile a second kernel."""
    assert type(penalties.L1(1).alpha) is float
    spec = penalties.WeightedL1(1, range(3), np.True_)
    assert spec.weights.dtype == np.float64
    assert not spec.weights.flags.writeable
    assert spec.positive is True
    assert pickle.loads(pickle.dumps(penalties.L1(0.5))) == penalties.L1(0.5)


def test_specs_say_their_fields():
    assert list(inspect.signature(penalties.L1).parameters) == ["alpha", "positive"]


def test_a_spec_does_not_freeze_the_users_array():
    weights = np.ones(3)
    penalties.WeightedL1(1.0, weights)
    weights[0] = 2.0


PAIR = penalties.Groups([2, 0, 1], [0, 1, 3])
GROUPED = [
    kind
    for positive in (False, True)
    for kind in (
        penalties.GroupL2(0.8, PAIR, [1.0, 1.5], positive),
        penalties.SparseGroup(0.8, 0.4, PAIR, [1.0, 1.5], positive),
        penalties.SparseGroup(0.8, 1.0, PAIR, [1.0, 1.5], positive),
    )
]
every_group_penalty = pytest.mark.parametrize("penalty", GROUPED)


def pairs_on_grid(penalty):
    """Points w of the domain of a group of two, and the penalty there."""
    line = np.linspace(-3.0, 3.0, 241)
    w = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    w = w[w.min(axis=1) >= 0.0] if penalty.positive else w
    return w, np.array([penalties.value(penalty, pair, 1) for pair in w])


@every_group_penalty
def test_values_of_groups(penalty):
    w = np.array([3.0, 4.0])
    share = getattr(penalty, "l1_ratio", 0.0)
    expected = 1.2 * ((1.0 - share) * 5.0 + share * 7.0 / np.sqrt(2.0))
    assert penalties.value(penalty, w, 1) == pytest.approx(expected)
    assert penalties.value(penalty, w[:1], 0) == pytest.approx(2.4)


@every_group_penalty
def test_prox_of_groups_is_the_minimiser(penalty, rng):
    w, values = pairs_on_grid(penalty)
    for _ in range(8):
        z = 1.5 * rng.standard_normal(2)
        costs = 0.5 * np.sum((w - z) ** 2, axis=1) + 0.7 * values
        found = penalties.prox(penalty, z, 0.7, 1)
        np.testing.assert_allclose(found, w[np.argmin(costs)], atol=0.02)


@every_group_penalty
def test_conjugates_of_groups(penalty, rng):
    """By brute force: 0 where no w has w' v > h(w), else inf; so is the dual norm."""
    w, values = pairs_on_grid(penalty)
    seen = set()
    for _ in range(40):
        v = rng.standard_normal(2)
        best = np.max(w @ v - values)
        conjugate = penalties.conjugate(penalty, v, 1)
        seen.add(conjugate)
        assert conjugate == (0.0 if best <= 1e-9 else np.inf)
        norm = penalties.dual_norm(penalty, v, 1)
        assert (norm <= 1.0) == (best <= 1e-9)
        on = np.any(w != 0.0, axis=1)
        directly = max(np.max((w[on] @ v) / values[on]), 0.0)
        assert norm == pytest.approx(directly, rel=2e-3)
        scale = penalties.dual_scale(penalty, np.zeros(2), v, 1)
        assert scale == pytest.approx(1.0 / max(norm, 1.0), rel=1e-12)
    assert seen == {0.0, np.inf}


@every_group_penalty
def test_gaps_of_groups_are_the_sum_without_cancellation(penalty, rng):
    for _ in range(20):
        w = np.abs(rng.standard_normal(2)) * rng.integers(0, 2, 2)
        w = w if penalty.positive else w * rng.choice([-1.0, 1.0], 2)
        v = rng.standard_normal(2)
        v /= max(penalties.dual_norm(penalty, v, 1), 1.0)
        direct = penalties.value(penalty, w, 1) - w @ v
        found = penalties.fenchel_gap(penalty, w, v, 1)
        assert found == pytest.approx(direct, abs=1e-14)
        assert found >= 0.0
    assert penalties.fenchel_gap(penalty, w, np.full(2, 9.0), 1) == np.inf


@every_group_penalty
def test_distances_of_groups(penalty, rng):
    """(z - prox(z)) / step is a subgradient; at 0 it is the distance from their set."""
    for _ in range(20):
        z = 1.5 * rng.standard_normal(2)
        w = penalties.prox(penalty, z, 0.7, 1)
        slope = (z - w) / 0.7
        assert penalties.subdifferential_distance(penalty, w, slope, 1) < 1e-9
        off = np.array([0.3, -0.2])
        distance = penalties.subdifferential_distance(penalty, w, slope + off, 1)
        if np.all(w != 0.0):
            assert distance == pytest.approx(np.linalg.norm(off))
        # With v in place of z a step of prox of length 1 goes that far.
        away = np.linalg.norm(penalties.prox(penalty, z, 1.0, 1))
        at_0 = penalties.subdifferential_distance(penalty, np.zeros(2), z, 1)
        assert at_0 == pytest.approx(away)


def test_groups_dropped_and_free():
    penalty = penalties.SparseGroup(1.0, 0.5, PAIR, [np.inf, 0.0])
    v = np.array([1e6])
    assert penalties.prox(penalty, v, 1.0, 0) == 0.0
    assert penalties.dual_scale(penalty, np.zeros(1), v, 0) == 1.0
    assert penalties.value(penalty, np.zeros(1), 0) == 0.0
    np.testing.assert_array_equal(penalties.prox(penalty, np.ones(2), 1.0, 1), 1.0)
    assert penalties.dual_norm(penalty, np.ones(2), 1) == np.inf
    assert penalties.dual_norm(penalty, np.zeros(2), 1) == 0.0


class Bridge(NamedTuple):
    """Not a registered penalty."""

    alpha: float


def test_an_unknown_penalty_is_refused_by_name():
    with pytest.raises(TypeError, match="prox has no formula for Bridge; it has one"):
        penalties.prox(Bridge(1.0), 1.0, 1.0, 0)
    with pytest.raises(TypeError, match="one for ElasticNet, GroupL2, L1, "):
        require_formulas(Bridge(1.0))
    with pytest.raises(Exception, match="value has no formula for Bridge"):
        for_specs(all_formulas, Bridge(1.0))(Bridge(1.0), 1.0, 1.0, 1.0, 0)
