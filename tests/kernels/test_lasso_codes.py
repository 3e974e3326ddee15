"""The steps of the path of codes, each against its definition."""

import numpy as np
import pytest

from sparselearn._kernels import _lasso_path as path
from sparselearn._solvers import _lasso_coder as coder
from sparselearn._solvers._coding import Atoms
from sparselearn._solvers._lasso_coder import LassoCoder

K, P = 130, 40


@pytest.fixture
def atoms(rng):
    D = rng.standard_normal((K, P)) * rng.uniform(0.1, 5.0, (K, 1))
    D[7] = 2.0 * D[3]
    return Atoms(D)


def scratch():
    made = coder._scratch(LassoCoder()._penalty(K))
    made.bound[:] = 1.0
    return made


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_the_inverse_follows_the_active_atoms(rng, atoms, ridge):
    source, state = coder._all_products(atoms), scratch()
    weights, active = np.ones(K), []
    for _ in range(60):
        if active and rng.uniform() < 0.4:
            position = rng.integers(len(active))
            path._remove(weights, state, len(active), position)
            active[position] = active[-1]
            active.pop()
        else:
            j = rng.choice(np.setdiff1d(np.arange(K), [*active, 7]))
            # The sign that its direction will have.
            size = len(active)
            inside = atoms.gram[np.ix_(active, active)] + ridge * np.eye(size)
            along = atoms.gram[j, active] @ np.linalg.solve(
                inside, state.pull[:size].copy()
            )
            pull = -1.0 if along > 0.0 else 1.0
            assert path._append(source, atoms.squares[j], ridge, state, size, j, pull)
            active.append(j)
        size = len(active)
        assert list(state.active[:size]) == active
        assert set(np.flatnonzero(state.bound == np.inf)) == set(active)
        inverse = np.linalg.inv(
            atoms.gram[np.ix_(active, active)] + ridge * np.eye(size)
        )
        scale = np.abs(inverse).max(initial=0.0)
        np.testing.assert_allclose(
            state.inverse[:size, :size], inverse, atol=1e-8 * scale
        )
        np.testing.assert_allclose(
            state.direction[:size], inverse @ state.pull[:size], atol=1e-8 * scale
        )


def test_a_dependent_atom_does_not_join(atoms):
    source, state = coder._all_products(atoms), scratch()
    assert path._append(source, atoms.squares[3], 0.0, state, 0, 3, 1.0)
    before = state.inverse[0, 0]
    assert not path._append(source, atoms.squares[7], 0.0, state, 1, 7, 1.0)
    assert state.bound[7] == np.inf
    assert state.inverse[0, 0] == before
    # Where all curve it does.
    assert path._append(source, atoms.squares[7], 1.0, state, 0, 7, 1.0)
    path._remove(np.ones(K), state, 1, 0)
    assert not np.any(state.bound == np.inf)


@pytest.mark.parametrize("positive", [False, True])
def test_the_first_to_join(rng, positive):
    """Against all crossings."""
    joined = 0
    for _ in range(200):
        state = scratch()
        state.correlation[:] = rng.uniform(-0.9, 0.9, K)
        state.slope[:] = rng.uniform(-1.5, 1.5, K)
        state.bound[:] = rng.choice([1.0, 1.3, np.inf], K)
        crossings = []
        for sign in [1.0] if positive else [1.0, -1.0]:
            room = state.bound - sign * state.correlation
            speed = state.bound - sign * state.slope
            ok = np.isfinite(room) & (speed > 0.0)
            crossings.append(np.where(ok, room / np.where(ok, speed, 1.0), np.inf))
        first = np.min(crossings, axis=0)
        longest = rng.uniform(0.0, 0.5)
        j, step = path._first_to_join(state, 1.0, longest, 1e-13, positive)
        if first.min() < longest:
            assert j == np.argmin(first)
            assert step == pytest.approx(first.min(), rel=1e-12)
            joined += 1
        else:
            assert (j, step) == (-1, longest)
    assert 20 < joined < 200


@pytest.mark.parametrize("positive", [False, True])
def test_the_largest(rng, positive):
    r = rng.standard_normal(K)
    weights = rng.choice([0.0, 1.0, 2.0, np.inf], K)
    found, first = path.largest_of(r, weights, positive, 0.0)
    size = np.where(weights > 0.0, r if positive else np.abs(r), -1.0)
    ratio = size / np.where(weights > 0.0, weights, 1.0)
    assert found == ratio.max()
    assert first == np.argmax(ratio)
    assert path.largest_of(r, weights, positive, 10.0) == (10.0, -1)


def test_rows_of_the_gram_matrix_are_made(rng, atoms):
    """By the features that count, when they are first asked for."""
    source = coder._products_to_come(atoms)
    seen = rng.permutation(P)[:25]
    source.slots[:] = -1
    source.features[:25], source.filled[:] = seen, (0, 25)
    D = atoms.components[:, seen]
    for j, place in ((5, 0), (17, 1), (5, 0), (0, 2)):
        assert path.place_of(source, j) == place
        np.testing.assert_allclose(source.rows[place], D @ D[j], atol=1e-12)
