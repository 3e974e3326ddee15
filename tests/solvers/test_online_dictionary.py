"""Online dictionary learning against a loop that sums everything anew."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._solvers._coding import Atoms
from sparselearn._solvers._dictionary import AtomSet
from sparselearn._solvers._online_dictionary import OnlineDictionary, learn_dictionary
from sparselearn._solvers._threshold_coder import ThresholdCoder
from tests import reference

UNIT = AtomSet()
CODER = ThresholdCoder(n_nonzero=2)


def encoder(coder=CODER, chunk=7):
    def encode(rows, atoms):
        for start in range(0, rows.shape[0], chunk):
            yield coder.encode_rows(rows[start : start + chunk], atoms)

    return encode


def unit_rows(rows):
    return rows / np.sqrt(np.sum(rows**2, axis=1))[:, None]


def new_state(rng, K, p, *, batch_size=10, atom_set=UNIT):
    atoms = atom_set.project(np.abs(rng.standard_normal((K, p))))[0]
    return OnlineDictionary(atoms, atom_set, batch_size, np.random.RandomState(0))


def learn(state, X, weights=None, encode=None, **options):
    weights = np.ones(X.shape[0]) if weights is None else weights
    samples = np.arange(X.shape[0])
    encode = encoder() if encode is None else encode
    return list(state.learn(X, samples, weights, encode, **options))


def dense(codes, K):
    Z = np.zeros((codes.lengths.size, K))
    Z[np.repeat(np.arange(codes.lengths.size), codes.lengths), codes.indices] = (
        codes.data
    )
    return Z


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_one_pass_against_the_slow_loop(rng, storage):
    K, p, n = 5, 8, 213
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.8)
    weights = rng.random(n)
    state = new_state(rng, K, p)

    def code(x, atoms):
        c = atoms @ x / np.sum(atoms**2, axis=1)
        c[np.argsort(-np.abs(c), kind="stable")[2:]] = 0.0
        return c

    wanted = reference.online_dictionary(X, weights, state.atoms, code, 10)
    learn(state, storage(X), weights)
    assert state.n_replaced == 0
    assert state.n_seen == n
    np.testing.assert_allclose(state.atoms, wanted, rtol=1e-8, atol=1e-10)


def test_the_window_is_of_two_passes_in_the_end(rng):
    """Then its sums are those of the samples coded in it, and of no other."""
    X = rng.standard_normal((40, 4))
    state = new_state(rng, 5, 4, batch_size=8)
    last = []
    for _ in range(20):
        batches = learn(state, X, longest=40)
        last = [*last, batches][-2:]
    Z = np.concatenate([dense(codes, 5) for pass_ in last for _, codes in pass_])
    Z = Z[-40 - state.n_newer :]
    seen = np.concatenate([X, X])[-40 - state.n_newer :]
    np.testing.assert_allclose(state.total.products, Z.T @ Z, atol=1e-10)
    np.testing.assert_allclose(state.total.moments, Z.T @ seen, atol=1e-10)
    np.testing.assert_allclose(state.total.usage, np.sum(Z != 0.0, 0), atol=1e-10)


def test_chunks_do_not_matter_beyond_rounding(rng):
    X = rng.standard_normal((60, 4))
    state = new_state(rng, 6, 4)
    other = copy.deepcopy(state)
    learn(state, X)
    learn(other, X, encode=encoder(chunk=1000))
    np.testing.assert_allclose(state.atoms, other.atoms, rtol=1e-9, atol=1e-10)


def test_weights_are_repeats_and_0_is_absence(rng):
    X = rng.standard_normal((10, 4))
    weights = np.array([2.0, 0, 1, 1, 3, 0, 1, 1, 2, 1])
    state = new_state(rng, 6, 4, batch_size=20)
    other = copy.deepcopy(state)
    learn(state, X, weights)
    learn(other, np.repeat(X, weights.astype(int), axis=0))
    np.testing.assert_allclose(state.total.products, other.total.products, atol=1e-12)
    np.testing.assert_allclose(state.total.usage, other.total.usage)
    np.testing.assert_allclose(state.atoms, other.atoms, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cut", [30, 70])
def test_goes_on_from_a_pickle_as_if_it_had_not_stopped(rng, cut):
    X = rng.standard_normal((100, 4))
    state = new_state(rng, 30, 4)
    state.atoms[7] = state.atoms[3]  # so that random numbers are drawn
    other = copy.deepcopy(state)
    learn(state, X)
    learn(other, X[:cut])
    other = pickle.loads(pickle.dumps(other))
    learn(other, X[cut:])
    assert state.n_replaced == other.n_replaced > 0
    np.testing.assert_array_equal(state.atoms, other.atoms)
    np.testing.assert_array_equal(state.total.products, other.total.products)


def test_gaps_are_filled_by_what_the_code_makes_of_them(rng):
    X = rng.standard_normal((12, 6))
    X[rng.random(X.shape) < 0.3] = np.nan
    state = new_state(rng, 4, 6, batch_size=12)
    D = state.atoms.copy()
    ((_, codes),) = learn(state, X)
    Z = dense(codes, 4)
    filled = np.where(np.isnan(X), Z @ D, X)
    np.testing.assert_allclose(state.total.moments, Z.T @ filled, atol=1e-12)


@pytest.mark.parametrize("atom_set", [AtomSet(True), AtomSet(False, 0.5)])
def test_atoms_stay_in_their_set(rng, atom_set):
    state = new_state(rng, 5, 4, atom_set=atom_set)
    before = state.atoms.copy()
    learn(state, rng.standard_normal((50, 4)))
    assert np.all(np.any(state.atoms != before, axis=1))
    gauges = [reference.elastic_net_gauge(a, atom_set.l1_ratio) for a in state.atoms]
    np.testing.assert_allclose(gauges, 1.0)
    assert state.atoms.min() >= 0.0 or not atom_set.positive


# -- dead atoms ---------------------------------------------------------------


def test_a_twin_gives_way_and_leaves_its_uses_to_the_other(rng):
    X = 5.0 * rng.standard_normal((50, 12))
    state = new_state(rng, 4, 12, batch_size=50)
    state.atoms[:] = unit_rows(rng.standard_normal((4, 12)))
    state.atoms[2] = -state.atoms[0]
    D = state.atoms.copy()
    coder = ThresholdCoder(n_nonzero=3)
    Z = dense(coder.encode(X, Atoms(D)), 4)
    learn(state, X, encode=encoder(coder))
    assert state.n_replaced == 1
    kept, lost = (0, 2) if np.sum(Z[:, 0] ** 2) >= np.sum(Z[:, 2] ** 2) else (2, 0)
    merged = Z.copy()
    merged[:, kept] -= merged[:, lost]
    merged[:, lost] = 0.0
    np.testing.assert_allclose(state.total.products, merged.T @ merged, atol=1e-9)
    np.testing.assert_allclose(state.total.moments, merged.T @ X, atol=1e-9)
    cosines = unit_rows(X) @ state.atoms[lost]
    assert np.max(cosines) == pytest.approx(1.0)  # a sample
    assert np.abs(state.atoms[lost] @ D[kept]) < 0.99


def test_an_unused_atom_has_its_chances_before_it_gives_way(rng):
    """Samples of two features; an atom of the third."""
    X = rng.standard_normal((200, 3)) * np.array([1.0, 1.0, 0.0])
    state = new_state(rng, 3, 3)
    state.atoms[:] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    encode = encoder(ThresholdCoder(n_nonzero=1))
    learn(state, X[:60], encode=encode)  # 20 uses of the mean atom
    assert state.n_replaced == 0
    np.testing.assert_array_equal(state.atoms[2], [0.0, 0.0, 1.0])
    learn(state, X[60:80], encode=encode)
    assert state.n_replaced == 1
    assert state.atoms[2, 2] == 0.0


def test_nothing_takes_the_place_of_an_atom_where_no_sample_has_an_error(rng):
    X = np.array([[1.0, 0.0], [-2.0, 0.0]])
    state = new_state(rng, 3, 2, batch_size=2)
    state.atoms[:] = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    for _ in range(50):
        learn(state, X, encode=encoder(ThresholdCoder(n_nonzero=1)))
    assert state.n_replaced == 0
    np.testing.assert_array_equal(state.atoms[2], [0.0, 1.0])


def test_without_codes_atoms_stay(rng):
    state = new_state(rng, 5, 4)
    before = state.atoms.copy()
    learned = run(state, rng.standard_normal((30, 4)), coder=ThresholdCoder(1e3))
    np.testing.assert_array_equal(state.atoms, before)
    assert learned.converged
    assert learned.n_iter == 1
    assert learned.n_replaced == 0


# -- passes -------------------------------------------------------------------


def run(state, X, *, coder=CODER, max_iter=7, tol=0.0, shuffle=True, n_batches=None):
    counted = iter(range(10**9))
    *_, learned = learn_dictionary(
        state,
        X,
        np.arange(X.shape[0]),
        np.ones(X.shape[0]),
        encoder(coder),
        max_iter=max_iter,
        tol=tol,
        shuffle=shuffle,
        go_on=lambda: n_batches is None or next(counted) < n_batches,
    )
    return learned


def test_passes_end_when_asked_to(rng):
    X = rng.standard_normal((50, 6))
    all_passes = run(new_state(rng, 4, 6), X)
    assert all_passes.n_iter == len(all_passes.objective_path) == 7
    assert all_passes.converged
    short = run(new_state(rng, 4, 6), X, tol=1e-9, max_iter=3)
    assert short.n_iter == 3
    assert not short.converged
    steady = run(new_state(rng, 4, 6), X, tol=0.5, max_iter=50)
    assert steady.n_iter == 6
    assert steady.converged
    state = new_state(rng, 4, 6)
    timed = run(state, X, tol=1e-9, n_batches=3)
    assert timed.converged
    assert state.n_seen == 40


def test_each_pass_has_its_own_order_if_shuffled(rng):
    X = rng.standard_normal((20, 6))
    orders = []

    class Spy(ThresholdCoder):
        def encode(self, rows, atoms):
            orders[-1].extend(np.argmax(rows @ X.T, axis=1))
            return super().encode(rows, atoms)

    X = unit_rows(X)
    for shuffle in [True, False]:
        orders.append([])
        run(new_state(rng, 4, 6), X, coder=Spy(), max_iter=2, shuffle=shuffle)
    shuffled = np.reshape(orders[0], (2, 20))
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), [np.arange(20)] * 2)
    assert np.any(shuffled[0] != shuffled[1])
    np.testing.assert_array_equal(orders[1], [*range(20)] * 2)


def test_objectives_are_means_of_each_pass(rng):
    X = rng.standard_normal((25, 6))
    state = new_state(rng, 4, 6)
    other = copy.deepcopy(state)
    path = run(state, X, max_iter=2, shuffle=False).objective_path
    for value in path:
        batches = learn(other, X, longest=25)
        errors = np.concatenate([codes.errors for _, codes in batches])
        assert value == pytest.approx(0.5 * np.mean(errors))
