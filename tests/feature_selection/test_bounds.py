"""The bounds of Shah and Samworth against linear programs, and published numbers."""

import numpy as np
import pytest
from reference import largest_tails
from scipy.optimize import linprog

from sparselearn.feature_selection import false_positive_bound
from sparselearn.feature_selection._bounds import (
    ASSUMPTIONS,
    _tail,
    largest_number,
    lowest_threshold,
)

# What the R package stabs prints in its tests (0.6-4), for p = 100, B = 50, tau = 0.6.
PUBLISHED = {
    "none": {1: 0.05, 2: 0.2, 3: 0.45, 5: 1.25, 10: 5.0},
    "unimodal": {1: 0.02631579, 2: 0.1052632, 5: 0.6578947, 10: 2.631579},
    "r-concave": {2: 0.03342845, 3: 0.08691176, 5: 0.2605329, 10: 1.141338},
}


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_published_numbers(assumption):
    for q, published in PUBLISHED[assumption].items():
        bound = false_positive_bound(q, 100, threshold=0.6, assumption=assumption)
        # Where stabs seeks a maximum numerically it stops a little below.
        assert published * (1 - 1e-6) <= bound <= published * (1 + 1e-3)


def test_published_thresholds_and_numbers():
    assert lowest_threshold(0.2, 7, 200, 50, "r-concave") == 0.62
    assert lowest_threshold(0.2, 7, 200, 50, "unimodal") == 0.81
    assert lowest_threshold(0.2, 3, 10, 50, "unimodal") == 0.96
    assert largest_number(0.2, 200, 0.6, 50, "r-concave") == 6
    assert largest_number(0.2, 200, 0.6, 50, "unimodal") == 3


def most_probable(n, t, mean, mode=None):
    """The largest P(X >= t) on 0, ..., n with that mean, perhaps rising to a mode."""
    i = np.arange(n + 1.0)
    less, most = [i], [mean * n]
    if mode is not None:
        slope = np.diff(np.eye(n + 1), axis=0)  # f(i + 1) - f(i)
        slope[:mode] *= -1.0
        less, most = np.vstack([i, slope]), [mean * n, *np.zeros(n)]
    found = linprog(
        -1.0 * (i >= t), less, most, np.ones((1, n + 1)), [1.0], bounds=(0, 1)
    )
    return 0.0 if found.fun is None else -found.fun  # no such distribution


@pytest.mark.parametrize("n_pairs", [4, 11])
def test_linear_programs_do_not_exceed_the_bounds(n_pairs):
    """p = 1 feature, of probability theta: both fits of a pair select it in theta^2."""
    B = n_pairs
    for theta in (0.1, 0.3, 0.5):
        for hits in range(B + 1, 2 * B + 1):
            how = {"threshold": hits / (2 * B), "n_pairs": B}
            # A bound for p features that are alike is p times that of one.
            bounds = {
                a: false_positive_bound(1000 * theta, 1000, assumption=a, **how) / 1000
                for a in ("none", "unimodal")
            }
            t = hits - B
            worst = most_probable(B, t, theta**2)
            assert worst == pytest.approx(bounds["none"])
            worst = max(most_probable(B, t, theta**2, m) for m in range(B + 1))
            assert worst <= bounds["unimodal"] * (1 + 1e-9)
            if theta < 0.5:  # there the bound is the best there is
                assert worst == pytest.approx(bounds["unimodal"])


@pytest.mark.parametrize("r", [-0.5, -0.25, -2.0])
@pytest.mark.parametrize(("n", "mean"), [(6, 0.15), (9, 0.04), (5, 0.3)])
def test_tail_is_the_largest_of_its_family(n, mean, r):
    brute = largest_tails(mean, n, r)
    for t in range(int(2 * n * mean) + 1, n + 1):
        assert _tail(mean, t, n, r) == pytest.approx(brute[t], rel=0.01)
        assert _tail(mean, t, n, r) >= brute[t] * (1 - 1e-9)


@pytest.mark.parametrize("r", [-0.5, -0.25])
def test_no_r_concave_distribution_has_a_larger_tail(rng, r):
    n = 12
    i = np.arange(n + 1.0)
    nearest = 0.0
    for _ in range(80):
        k = rng.integers(1, n + 1)
        kinks, ups = rng.integers(0, n, size=2), rng.exponential(size=2)
        g = 10.0 ** rng.uniform(-4, 2) + rng.choice([0.0, 1.0]) * i
        for kink, up in zip(kinks, ups * rng.choice([0.0, 1.0], size=2)):
            g = g + up * np.abs(i - kink)
        f = np.where(i <= k, g ** (1.0 / r), 0.0)
        f /= f.sum()
        mean = f @ i / n
        for t in range(1, n + 1):
            tail, bound = f[t:].sum(), _tail(mean, t, n, r)
            assert tail <= bound * (1 + 1e-6) + 1e-14
            if 1e-14 < bound < 1.0:
                nearest = max(nearest, tail / bound)
    assert nearest > 0.8  # the draws come near to it


def test_each_assumption_bounds_lower():
    for q in (1, 4, 15, 40):
        for threshold in (0.55, 0.7, 0.9, 1.0):
            none, unimodal, concave = (
                false_positive_bound(q, 50, threshold=threshold, assumption=a)
                for a in ASSUMPTIONS
            )
            assert 0.0 < concave <= unimodal <= none <= 50
    assert false_positive_bound(0, 5, assumption="r-concave") == 0.0


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_inverses_are_the_extremes(assumption):
    p, B = 40, 7
    for bound in (0.5, 1.0, 4.0, 100.0):
        for threshold in (0.6, 0.75, 1.0):
            q = largest_number(bound, p, threshold, B, assumption)
            how = {"threshold": threshold, "n_pairs": B, "assumption": assumption}
            assert q == 1 or false_positive_bound(q, p, **how) <= bound
            assert q == p or false_positive_bound(q + 1, p, **how) > bound
        for q in (1, 5, 12):
            lowest = lowest_threshold(bound, q, p, B, assumption)
            how = {"n_pairs": B, "assumption": assumption}
            if lowest is None:
                assert false_positive_bound(q, p, threshold=1.0, **how) > bound
                continue
            assert false_positive_bound(q, p, threshold=lowest, **how) <= bound
            below = lowest - 0.5 / B
            if below > 0.5:
                assert false_positive_bound(q, p, threshold=below, **how) > bound


def test_thresholds_between_two_shares_are_the_upper_one():
    """Shares of 8 fits are multiples of 1/8."""
    for threshold in (0.626, 0.7, 0.75, 0.75000000000001):
        assert false_positive_bound(3, 30, threshold=threshold, n_pairs=4) == (
            pytest.approx(9 / 30 / 0.5)
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_selected": -1}, "n_selected"),
        ({"n_features": 0}, "n_features"),
        ({"threshold": 0.5}, "threshold"),
        ({"n_pairs": 0}, "n_pairs"),
        ({"assumption": "concave"}, "assumption"),
    ],
)
def test_wrong_parameters_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        false_positive_bound(**{"n_selected": 3, "n_features": 9} | change)
