"""Atoms to start from, kept apart and in order."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._solvers import _dictionary as solver
from sparselearn._solvers._dictionary import AtomSet
from sparselearn._solvers._first_atoms import Samples, initial_atoms
from tests import reference

UNIT = AtomSet()
INITS = ["data", "k-means++", "svd"]


def start(X, n_components, init, *, weights=None, atom_set=UNIT, seed=0):
    weights = np.ones(X.shape[0]) if weights is None else weights
    random_state = np.random.RandomState(seed)
    samples = Samples.of(X, weights)
    return initial_atoms(samples, n_components, init, atom_set, random_state)


def lengths(atoms):
    return np.sqrt(np.sum(atoms**2, axis=1))


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize(
    ("n", "p", "K"), [(40, 6, 5), (3, 6, 10), (1, 4, 3), (20, 1, 1)]
)
def test_starts_have_length_1_and_no_twins(rng, init, n, p, K):
    X = rng.standard_normal((n, p))
    X[0] = 5.0 * X[-1]
    atoms = start(X, K, init)
    assert atoms.shape == (K, p)
    np.testing.assert_allclose(lengths(atoms), 1.0, rtol=1e-12)
    assert K == 1 or solver.coherence(atoms) <= solver.SAME
    np.testing.assert_array_equal(atoms, start(X, K, init))
    assert np.any(atoms != start(X, K, init, seed=1)) or p == 1 or init == "svd"


@pytest.mark.parametrize("init", ["data", "k-means++"])
def test_starts_are_distinct_samples_that_are_not_zero(rng, init):
    X = rng.standard_normal((5, 6))
    X = np.concatenate([X, np.zeros((30, 6)), 1e-20 * X, -2.0 * X])
    atoms = start(X, 5, init)
    cosines = np.abs(atoms @ (X[:5] / lengths(X[:5])[:, None]).T)
    np.testing.assert_allclose(np.sort(cosines.max(axis=0)), 1.0)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("atom_set", [UNIT, AtomSet(True), AtomSet(False, 0.3)])
def test_starts_do_not_depend_on_units_storage_or_weights_scale(rng, init, atom_set):
    X = rng.standard_normal((30, 6)) * (rng.random((30, 6)) < 0.7)
    weights = rng.random(30) + 0.1
    atoms = start(X, 9, init, weights=weights, atom_set=atom_set)
    for unit in [1e-6, 1e6]:
        again = start(unit * X, 9, init, weights=unit * weights, atom_set=atom_set)
        np.testing.assert_allclose(again, atoms, rtol=1e-8, atol=1e-10)
    again = start(sp.csr_array(X), 9, init, weights=weights, atom_set=atom_set)
    np.testing.assert_allclose(again, atoms, rtol=1e-8, atol=1e-10)
    gauges = [reference.elastic_net_gauge(atom, atom_set.l1_ratio) for atom in atoms]
    np.testing.assert_allclose(gauges, 1.0)
    assert atoms.min() >= 0.0 or not atom_set.positive


def test_samples_of_more_weight_come_first(rng):
    X = rng.standard_normal((50, 20))
    weights = np.full(50, 1e-12)
    weights[[3, 41]] = 1.0
    cosines = np.abs(start(X, 2, "data", weights=weights) @ X.T) / lengths(X)
    assert set(np.argmax(cosines, axis=1)) == {3, 41}


def test_far_samples_leave_no_cluster_out(rng):
    """One sample in a hundred points elsewhere: drawn by what others leave of it."""
    X = np.tile(np.eye(3)[0], (300, 1)) + 0.01 * rng.standard_normal((300, 3))
    X[::100] = np.eye(3)[1] + 0.01 * rng.standard_normal((3, 3))
    found = [np.abs(start(X, 2, "k-means++", seed=k)[:, 1]).max() for k in range(20)]
    assert np.mean(np.array(found) > 0.9) == 1.0


def test_singular_vectors_are_the_best_atoms_for_one_coefficient_each(rng):
    X = rng.standard_normal((50, 4)) * np.array([10.0, 5.0, 1.0, 0.1])
    expected = np.linalg.svd(X)[2][:2]
    np.testing.assert_allclose(np.abs(np.sum(start(X, 2, "svd") * expected, 1)), 1.0)


def test_given_atoms_are_copied_and_scaled(rng):
    init = np.asfortranarray(rng.standard_normal((4, 3)))
    init[2] = 0.0
    before = init.copy()
    atoms = start(rng.standard_normal((9, 3)), 4, init)
    np.testing.assert_array_equal(init, before)
    assert not np.shares_memory(atoms, init)
    np.testing.assert_allclose(lengths(atoms), 1.0)
    kept = [0, 1, 3]
    np.testing.assert_allclose(atoms[kept], init[kept] / lengths(init[kept])[:, None])


@pytest.mark.parametrize("init", INITS)
def test_nothing_to_start_from(init):
    atoms = start(np.zeros((5, 3)), 2, init)
    np.testing.assert_allclose(lengths(atoms), 1.0)


@pytest.mark.parametrize(("K", "p"), [(70, 9), (32, 5), (3, 2)])
def test_blocks_of_atoms_are_updated_as_one(rng, K, p):
    Z = rng.standard_normal((200, K)) * (rng.random((200, K)) < 0.1)
    A, B = Z.T @ Z, Z.T @ rng.standard_normal((200, p))
    atoms = UNIT.project(rng.standard_normal((K, p)))[0]
    wanted = reference.update_atoms_one_by_one(
        atoms, A, B, lambda v: v / np.sqrt(np.sum(v**2))
    )
    solver.update_dictionary(atoms, A, B, UNIT)
    np.testing.assert_allclose(atoms, wanted, rtol=1e-9, atol=1e-10)


# -- atoms kept apart ---------------------------------------------------------


def test_dead_are_the_unused_and_the_less_used_of_twins(rng):
    atoms = UNIT.project(rng.standard_normal((7, 30)))[0]
    atoms[3] = -atoms[1]
    atoms[5] = atoms[2]
    energies = np.array([1.0, 2.0, 0.5, 1.5, 1e-9, 0.7, 1.0])
    for unit in [1e-12, 1.0, 1e12]:
        dead, heirs = solver.dead_atoms(atoms @ atoms.T, unit * energies)
        np.testing.assert_array_equal(dead, [2, 3, 4])
        np.testing.assert_array_equal(heirs, [5, 1, -1])
    young = np.arange(7) != 4
    dead, _ = solver.dead_atoms(atoms @ atoms.T, energies, young)
    np.testing.assert_array_equal(dead, [2, 3])


def test_how_near_is_too_near_depends_on_the_others(rng):
    """A cosine of .93 is of twins among 20 directions in space, not among 12 lines."""
    atoms = UNIT.project(rng.standard_normal((20, 60)))[0]
    across = atoms[1] - (atoms[0] @ atoms[1]) * atoms[0]
    across /= np.linalg.norm(across)
    atoms[1] = -0.93 * atoms[0] + np.sqrt(1 - 0.93**2) * across
    energies = np.arange(20.0, 0.0, -1.0)
    np.testing.assert_array_equal(solver.dead_atoms(atoms @ atoms.T, energies)[0], [1])
    angles = np.arange(12) * np.pi / 12
    lines = np.column_stack([np.cos(angles), np.sin(angles)])
    assert solver.coherence(lines) > 0.96
    assert solver.dead_atoms(lines @ lines.T, energies[:12])[0].size == 0


def test_of_many_that_are_the_same_one_stays(rng):
    atoms = np.tile(UNIT.project(rng.standard_normal((1, 4)))[0], (5, 1))
    for energies in [np.arange(1.0, 6.0), np.arange(6.0, 1.0, -1.0), rng.random(5) + 1]:
        dead, heirs = solver.dead_atoms(atoms @ atoms.T, energies)
        assert dead.size == 4
        np.testing.assert_array_equal(heirs, np.argmax(energies))


def test_badly_coded_samples(rng):
    errors = np.concatenate([np.zeros(50), rng.random(49) + 1.0, [1e9]])
    squares = np.full(100, 2e9)
    weights = np.ones(100)
    weights[60] = 0.0
    draws = np.array(
        [
            solver.badly_coded(errors, squares, weights, 3, np.random.RandomState(k))
            for k in range(400)
        ]
    )
    assert draws.min() >= 50
    assert not np.any(draws == 60)
    assert all(len(set(draw)) == 3 for draw in draws)
    # The outlier counts no more than the worst of the others: it would else be in
    # every draw, and is in about 3 draws of 49.
    assert np.mean(np.any(draws == 99, axis=1)) < 0.2


def test_no_sample_is_badly_coded():
    def draw(errors, weights):
        squares = np.array([2e-6, 1e6])
        errors, weights = np.array(errors), np.array(weights)
        return solver.badly_coded(errors, squares, weights, 5, np.random.RandomState(0))

    assert draw([1e-20, 1e-8], [1.0, 1.0]).size == 0
    assert draw([0.0, 1.0], [1.0, 0.0]).size == 0
    np.testing.assert_array_equal(draw([1e-20, 1e-5], [1.0, 1.0]), [1])
    np.testing.assert_array_equal(draw([1e-8, 1e-8], [1.0, 1.0]), [0])


def test_new_atoms_repeat_none():
    others = np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    atoms = np.array([[-3, 0.1, 0], [0, 1, 1], [0, 2, 2.1], [0.5, 1, 0]], dtype=float)
    np.testing.assert_array_equal(solver.new_atoms(atoms, others), atoms[[1, 3]])
    assert solver.new_atoms(atoms[:0], others).shape == (0, 3)


# -- atoms in order -----------------------------------------------------------


def test_canonical_order_and_signs():
    atoms = np.array([[0.6, -0.8], [-1.0, 0.0], [np.sqrt(0.5), -np.sqrt(0.5)]])
    atoms[2, 1] *= 1.0 + 1e-15
    usage = np.array([1.0, 3.0, 1.0])
    order, signs = solver.canonical(usage, atoms, keep_signs=False)
    np.testing.assert_array_equal(order, [1, 0, 2])
    np.testing.assert_array_equal(signs, [-1.0, -1.0, 1.0])
    _, signs = solver.canonical(usage, atoms, keep_signs=True)
    np.testing.assert_array_equal(signs, 1.0)


def test_coherence():
    atoms = np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    assert solver.coherence(atoms) == pytest.approx(0.6)
    assert solver.coherence(-1e-30 * atoms) == pytest.approx(0.6)
    assert solver.coherence(atoms[:1]) == 0.0
