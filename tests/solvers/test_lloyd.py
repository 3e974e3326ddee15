"""Training of centroids against plain loops, scikit-learn's KMeans, and its laws."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans

from sparselearn._kernels._tiles import multiplies_integers
from sparselearn._parallel import stream
from sparselearn._solvers import _centroid_batches as batches
from sparselearn._solvers import _frame, _lloyd, _nearest, _spread
from sparselearn._solvers._centroid_start import initial_centroids
from sparselearn._solvers._nearest import nearest_centroids
from sparselearn._validation import column_major
from tests import reference

SPHERICAL = pytest.mark.parametrize("spherical", [False, True])
KINDS = pytest.mark.parametrize("kind", ["dense", "sparse"])


def rows(X, dtype=np.float64, kind="dense"):
    X = np.asarray(X, dtype=dtype)
    return column_major((sp.csr_array(X) if kind == "sparse" else X).T).T


def unit_rows(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def blobs(rng, n=300, p=4, k=6):
    centres = 3.0 * rng.standard_normal((k, p))
    return centres[rng.integers(k, size=n)] + rng.standard_normal((n, p))


def learn(X, centroids, weights=None, *, spherical=False, max_iter=50, tol=0.0, **more):
    """The list of what there is after each pass."""
    weights = np.ones(X.shape[0]) if weights is None else weights
    options = {"spherical": spherical, "max_iter": max_iter, "tol": tol} | more
    return list(_lloyd.learn_centroids(X, weights, centroids, **options))


def assert_consistent(X, weights, found, spherical):
    """Labels, squares, counts and objective are those of the atoms."""
    X = X.toarray() if sp.issparse(X) else X
    errors = reference.centroid_errors(X, found.atoms, spherical=spherical)
    chosen = errors[np.arange(len(X)), found.labels]
    scale = np.square(X.astype(float)).sum(axis=1).max(initial=1e-300)
    np.testing.assert_allclose(found.squares, chosen, rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(chosen, errors.min(axis=1), atol=1e-12 * scale)
    counts = np.bincount(found.labels, weights, minlength=len(found.atoms))
    np.testing.assert_array_equal(found.counts, counts)
    assert found.objective == pytest.approx(weights @ found.squares)
    assert np.all(np.isfinite(found.atoms))


@SPHERICAL
@KINDS
def test_each_pass_is_that_of_the_plain_loop(rng, spherical, kind):
    X, weights = blobs(rng), rng.random(300)
    weights[::7] = 0.0
    damping = _lloyd.DAMPING * (weights @ np.sum(X**2, axis=1)) / 8
    atoms = X[:8]
    atoms = unit_rows(atoms) if spherical else atoms
    for found in learn(
        rows(X, kind=kind), atoms, weights, spherical=spherical, max_iter=6
    ):
        atoms = reference.lloyd_step(
            X, weights, atoms, spherical=spherical, damping=damping
        )
        np.testing.assert_allclose(found.atoms, atoms, rtol=1e-9, atol=1e-12)
        assert_consistent(X, weights, found, spherical)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_is_kmeans_of_scikit_learn(rng, weighted, dtype):
    X = rows(blobs(rng, n=600, p=5) + 10.0, dtype)
    weights = rng.random(600) if weighted else np.ones(600)
    peer = KMeans(12, init=X[:12], n_init=1, max_iter=300, tol=0.0)
    peer.fit(X, sample_weight=weights)
    found = learn(X, X[:12], weights, max_iter=300)[-1]
    assert found.converged
    assert found.atoms.dtype == dtype
    assert found.objective == pytest.approx(peer.inertia_, rel=1e-6)
    if dtype == np.float64:
        np.testing.assert_array_equal(found.labels, peer.labels_)
        np.testing.assert_allclose(found.atoms, peer.cluster_centers_, rtol=1e-9)


@SPHERICAL
@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_no_pass_raises_the_objective(rng, spherical, kind, weighted):
    X = rows(rng.standard_normal((200, 6)), kind=kind)
    weights = rng.random(200) if weighted else np.ones(200)
    # Some start where no row is.
    start = np.vstack([rng.standard_normal((15, 6)), np.full((5, 6), 100.0)])
    found = learn(X, start, weights, spherical=spherical)
    path = np.array([f.objective for f in found])
    assert np.all(np.diff(path) <= 1e-12 * path[0])
    assert path[-1] < 0.9 * path[0]
    assert np.all(found[-1].counts > 0.0)


@SPHERICAL
def test_damping_slows_and_does_not_harm(rng, spherical, monkeypatch):
    """Of directions alone; with a large one no pass raises the objective either."""
    X = rows(blobs(rng))
    first = learn(X, X[:8], spherical=spherical, max_iter=10)
    monkeypatch.setattr(_lloyd, "DAMPING", 10.0)
    damped = learn(X, X[:8], spherical=spherical, max_iter=10)
    if not spherical:
        np.testing.assert_array_equal(first[-1].atoms, damped[-1].atoms)
        return
    assert np.all(np.diff([f.objective for f in damped]) < 0.0)
    start = unit_rows(X[:8])
    assert (
        np.square(damped[0].atoms - start).sum()
        < 0.1 * np.square(first[0].atoms - start).sum()
    )


@SPHERICAL
@KINDS
@pytest.mark.parametrize("unit", [1e-12, 1e-6, 1e6])
def test_units_do_not_matter(rng, spherical, kind, unit):
    X, weights = blobs(rng), rng.random(300)
    start = np.vstack([X[:8], np.full((1, 4), 100.0)])
    one = learn(rows(X, kind=kind), start, weights, spherical=spherical)
    other = learn(
        rows(unit * X, kind=kind), unit * start, 1e-3 * weights, spherical=spherical
    )
    assert len(one) == len(other)
    np.testing.assert_array_equal(one[-1].labels, other[-1].labels)
    scale = 1.0 if spherical else unit
    np.testing.assert_allclose(other[-1].atoms, scale * one[-1].atoms, rtol=1e-7)


@SPHERICAL
@KINDS
def test_weights_are_repeats_and_order_does_not_matter(rng, spherical, kind):
    X, weights = blobs(rng, n=120), rng.integers(0, 4, 120)
    start = np.vstack([X[:8], np.full((1, 4), 100.0)])
    one = learn(rows(X, kind=kind), start, 1.0 * weights, spherical=spherical)
    order = rng.permutation(np.repeat(np.arange(120), weights))
    many = learn(rows(X[order], kind=kind), start, spherical=spherical)
    np.testing.assert_array_equal(many[-1].labels, one[-1].labels[order])
    np.testing.assert_allclose(many[-1].atoms, one[-1].atoms, rtol=1e-9, atol=1e-12)
    assert many[-1].objective == pytest.approx(one[-1].objective)
    assert len(many) == len(one)


@SPHERICAL
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@KINDS
def test_same_bits_for_any_threads(rng, spherical, dtype, kind, monkeypatch):
    monkeypatch.setattr(_nearest, "TASK", 64)
    monkeypatch.setattr(_spread, "MOST", 64)
    X, weights = rows(blobs(rng, n=1000), dtype, kind), rng.random(1000)
    start = np.asarray(X[:20].todense() if kind == "sparse" else X[:20])
    one = learn(X, start, weights, spherical=spherical)
    with stream(2) as run:
        two = learn(X, start, weights, spherical=spherical, run=run)
    assert len(one) == len(two)
    for a, b in zip(one[-1], two[-1]):
        np.testing.assert_array_equal(a, b)


@SPHERICAL
def test_float32_rows_are_treated_as_in_float64(rng, spherical):
    """But for the rounding of the atoms; the rows are far from 0, as pixels are."""
    X = (blobs(rng) + 100.0).astype(np.float32)
    one = learn(rows(X, np.float32), X[:8], spherical=spherical)[-1]
    two = learn(rows(X), X[:8], spherical=spherical)[-1]
    assert one.atoms.dtype == np.float32
    np.testing.assert_allclose(one.atoms, two.atoms, rtol=1e-4, atol=1e-5)
    assert one.objective == pytest.approx(two.objective, rel=1e-4)
    assert np.mean(one.labels == two.labels) > 0.99


@SPHERICAL
@KINDS
def test_sparse_is_dense(rng, spherical, kind):
    X = blobs(rng) * (rng.random((300, 4)) < 0.5)
    dense = learn(rows(X), X[:8] + 0.1, spherical=spherical)[-1]
    sparse = learn(rows(X, kind="sparse"), X[:8] + 0.1, spherical=spherical)[-1]
    np.testing.assert_array_equal(dense.labels, sparse.labels)
    np.testing.assert_allclose(dense.atoms, sparse.atoms, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        dense.squares, sparse.squares, rtol=1e-9, atol=1e-12 * np.square(X).sum()
    )


@SPHERICAL
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("whole", [False, True])
def test_rough_products_change_nothing(rng, spherical, dtype, whole, monkeypatch):
    """Not a bit: what fewer coordinates and integers leave open is measured."""
    if whole and not multiplies_integers():
        pytest.skip("the processor has no instructions for products of integers")
    X = blobs(rng, n=700, p=40, k=20) * np.linspace(1.0, 0.01, 40)
    chosen = []
    choose = _nearest.choose_products

    def spy(*args, **options):
        chosen.append(choose(*args, **options))
        return chosen[-1]

    monkeypatch.setattr(_frame, "multiplies_integers", lambda: whole)
    monkeypatch.setattr(_nearest, "choose_products", spy)
    few = learn(rows(X, dtype), X[:30], spherical=spherical)
    assert len(chosen) == 1
    assert (chosen[0]["integers"] is not None) == whole
    if not whole:
        assert 0 < chosen[0]["sketch"].basis.shape[1] < 30
    monkeypatch.setattr(_frame, "multiplies_integers", lambda: False)
    plain = {"integers": None, "sketch": None}
    monkeypatch.setattr(_nearest, "choose_products", lambda *_, **__: plain)
    every = learn(rows(X, dtype), X[:30], spherical=spherical)
    assert len(few) == len(every)
    for a, b in zip(few[-1], every[-1]):
        np.testing.assert_array_equal(a, b)


class Made:
    """Rows that are made when they are asked for, and counted."""

    def __init__(self, X):
        self.X, self.dtype, self.shape, self.most = X, X.dtype, X.shape, 0

    def __getitem__(self, which):
        found = self.X[which]
        self.most = max(self.most, len(found))
        return found


@SPHERICAL
def test_rows_may_be_made_when_they_are_asked_for(rng, spherical, monkeypatch):
    monkeypatch.setattr(_nearest, "TASK", 64)
    monkeypatch.setattr(_spread, "MOST", 64)
    X = rows(blobs(rng, n=1000, p=40, k=20) * np.linspace(1.0, 0.01, 40))
    made = Made(X)
    one = learn(X, X[:30], spherical=spherical)
    other = learn(made, X[:30], spherical=spherical)
    for a, b in zip(one[-1], other[-1]):
        np.testing.assert_array_equal(a, b)
    assert 0 < made.most <= 64
    one = start(X, 10, "k-means++", spherical=spherical)
    np.testing.assert_array_equal(
        one, start(made, 10, "k-means++", spherical=spherical)
    )
    one = nearest_centroids(X, one, spherical=spherical)
    assert np.all(one.labels >= 0)


@KINDS
def test_an_empty_centroid_moves_to_the_worst_rows(rng, kind):
    """Labels and squares are of the centroids after the move."""
    X = rng.standard_normal((50, 3))
    X[10], X[20], X[30] = [40.0, 0, 0], [0, 30.0, 0], [0, 30.0, 0]
    start = np.vstack([np.zeros(3), np.full((2, 3), 1e3)])
    first, *_, last = learn(rows(X, kind=kind), start)
    np.testing.assert_allclose(first.atoms[1:], X[[10, 20]])
    np.testing.assert_array_equal(first.labels[[10, 20, 30]], [1, 2, 2])
    assert not first.converged
    assert last.converged
    np.testing.assert_array_equal(last.counts, [47, 1, 2])
    assert_consistent(X, np.ones(50), first, False)


def test_rows_without_weight_attract_no_centroid(rng):
    X, weights = rng.standard_normal((50, 3)), np.ones(50)
    X[10], weights[10] = 40.0, 0.0
    found = learn(rows(X), np.vstack([X[:3], np.full((1, 3), 1e3)]), weights)[-1]
    assert np.abs(found.atoms).max() < 10.0
    assert np.all(found.counts > 0.0)


@SPHERICAL
@KINDS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fewer_different_rows_than_centroids(rng, spherical, kind, dtype):
    different = rng.standard_normal((3, 4))
    X = rows(different[rng.integers(3, size=40)], dtype, kind)
    start = rng.standard_normal((7, 4)) * 10.0
    found = learn(X, start, spherical=spherical)[-1]
    assert found.converged
    assert found.objective <= 1e-12 * 40
    assert np.count_nonzero(found.counts) == 3
    assert np.all(np.isfinite(found.atoms))


@SPHERICAL
@KINDS
def test_a_centroid_for_each_row(rng, spherical, kind):
    X = rng.standard_normal((9, 4))
    found = learn(rows(X, kind=kind), X, spherical=spherical)[-1]
    np.testing.assert_array_equal(found.labels, np.arange(9))
    np.testing.assert_allclose(found.squares, 0.0, atol=1e-14)


@SPHERICAL
@KINDS
@pytest.mark.parametrize("n", [1, 4])
def test_rows_of_zeros_and_one_row(rng, spherical, kind, n):
    X = rows(np.zeros((n, 3)), kind=kind)
    found = learn(X, rng.standard_normal((2, 3)), spherical=spherical)[-1]
    assert found.objective == 0.0 or not spherical
    assert np.all(np.isfinite(found.atoms))
    X = rows(rng.standard_normal((1, 3)), kind=kind)
    found = learn(X, rng.standard_normal((1, 3)), spherical=spherical, max_iter=200)[-1]
    assert found.objective == pytest.approx(0.0, abs=1e-12)


def test_tolerance_is_of_the_variance(rng):
    X = rows(rng.standard_normal((500, 4)) * 3.0 + 50.0)
    found = learn(X, X[:10])
    steps = [np.square(b.atoms - a.atoms).sum() for a, b in pairwise(found)]
    variance = X.var(axis=0).mean()
    tol = 1.0001 * steps[4] / variance
    enough = 2 + next(i for i, step in enumerate(steps) if step <= tol * variance)
    assert len(learn(X, X[:10], tol=tol)) == enough
    assert len(learn(X, X[:10], max_iter=3)) == 3
    assert not learn(X, X[:10], max_iter=3)[-1].converged


def test_what_is_given_stays(rng):
    X, weights, start = rows(blobs(rng)), rng.random(300), rng.standard_normal((5, 4))
    for values in (weights, start):
        values.flags.writeable = False
    found = learn(X, start, weights, max_iter=3)
    labels = found[0].labels.copy()
    assert np.any(found[0].labels != found[-1].labels)
    np.testing.assert_array_equal(found[0].labels, labels)


@SPHERICAL
@KINDS
def test_nearest_centroids(rng, spherical, kind):
    X, atoms = blobs(rng), rng.standard_normal((5, 4))
    atoms = unit_rows(atoms) if spherical else atoms
    found = nearest_centroids(rows(X, kind=kind), atoms, spherical=spherical)
    errors = reference.centroid_errors(X, atoms, spherical=spherical)
    np.testing.assert_array_equal(found.labels, errors.argmin(axis=1))
    np.testing.assert_allclose(found.squares, errors.min(axis=1), atol=1e-10)


# -- where they start --------------------------------------------------------


def start(X, n_components, init, seed=0, weights=None, **options):
    weights = np.ones(X.shape[0]) if weights is None else weights
    random_state = np.random.RandomState(seed)
    return initial_centroids(X, weights, n_components, init, random_state, **options)


def as_tuples(rows):
    return {tuple(np.round(row, 9)) for row in rows}


@SPHERICAL
@KINDS
@pytest.mark.parametrize("init", ["k-means++", "data"])
def test_starts_are_different_rows_with_weight(rng, spherical, kind, init):
    X = blobs(rng, n=30)
    X[5:15] = X[4]
    weights = rng.random(30)
    weights[:3] = 0.0
    found = start(
        rows(X, kind=kind), 18, init, weights=weights, spherical=spherical
    )  # as many as there are
    expected = np.vstack([X[4], X[3:4], X[15:]])
    if spherical:
        expected = unit_rows(expected)
        largest = np.abs(expected).argmax(axis=1)
        signs = np.sign(expected[np.arange(len(expected)), largest])
        expected *= signs[:, None]
    if len(expected) != 18:
        expected = expected[:18]
    assert as_tuples(found) <= as_tuples(expected) | as_tuples(found[17:])
    assert len(as_tuples(found)) >= 17


@KINDS
@SPHERICAL
def test_starts_are_far_apart(rng, spherical, kind):
    """One in each of well separated groups, which random rows would not be."""
    centres = 10.0 * np.eye(12)
    X = rows(np.repeat(centres, 20, axis=0) + 0.01 * rng.random((240, 12)), kind=kind)
    for seed in range(5):
        found = start(X, 12, "k-means++", seed, spherical=spherical)
        assert sorted(found.argmax(axis=1)) == list(range(12))


@SPHERICAL
@pytest.mark.parametrize("init", ["k-means++", "data"])
def test_too_few_rows_come_repeatedly(rng, spherical, init):
    X = rows(np.repeat(rng.standard_normal((2, 3)), 4, axis=0))
    found = start(X, 5, init, spherical=spherical)
    assert found.shape == (5, 3)
    assert len(as_tuples(found)) == 2
    found = start(rows(np.zeros((4, 3))), 2, init, spherical=spherical)
    np.testing.assert_array_equal(found, 0.0)


def test_a_start_that_is_given_is_copied(rng):
    given = rng.standard_normal((3, 4))
    found = start(rows(blobs(rng)), 3, given)
    np.testing.assert_array_equal(found, given)
    assert not np.shares_memory(found, given)
    found = start(rows(blobs(rng)), 3, given, spherical=True)
    np.testing.assert_allclose(found, unit_rows(given))


@SPHERICAL
@KINDS
def test_start_has_the_same_bits_for_any_threads(rng, spherical, kind, monkeypatch):
    monkeypatch.setattr(_nearest, "TASK", 64)
    X = rows(blobs(rng, n=500), kind=kind)
    one = start(X, 10, "k-means++", spherical=spherical)
    with stream(2) as run:
        two = start(X, 10, "k-means++", spherical=spherical, run=run)
    np.testing.assert_array_equal(one, two)


# -- by batches --------------------------------------------------------------


def run_batches(X, weights, state, size, spherical):
    random_state = np.random.RandomState(0)
    total = 0.0
    for i in range(0, X.shape[0], size):
        part = slice(i, i + size)
        batch = batches.update_centroids(
            X[part], weights[part], state, random_state, spherical=spherical
        )
        state, total = batch.state, total + batch.objective
    return state, total


@SPHERICAL
@KINDS
def test_batches_keep_sums_of_all_that_was_theirs(rng, spherical, kind):
    X, weights = blobs(rng), rng.random(300)
    weights[::5] = 0.0
    atoms = unit_rows(X[:6]) if spherical else X[:6].copy()
    state = batches.start_running(X[:6], spherical=spherical)
    found, objective = run_batches(rows(X, kind=kind), weights, state, 40, spherical)
    sums, counts, total = np.zeros((6, 4)), np.zeros(6), 0.0
    for i in range(0, 300, 40):
        part, w = X[i : i + 40], weights[i : i + 40]
        errors = reference.centroid_errors(part, atoms, spherical=spherical)
        labels = errors.argmin(axis=1)
        total += w @ errors.min(axis=1)
        sizes = np.sum(part * atoms[labels], axis=1) if spherical else 1.0
        np.add.at(sums, labels, (w * sizes)[:, None] * part)
        np.add.at(counts, labels, w)
        used = counts > 0.0
        means = unit_rows(sums[used]) if spherical else sums[used] / counts[used, None]
        atoms[used] = means
    np.testing.assert_allclose(found.atoms, atoms, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.counts, counts)
    masses = np.linalg.norm(sums, axis=1) if spherical else counts
    np.testing.assert_allclose(found.masses, masses)
    assert objective == pytest.approx(total)


@SPHERICAL
def test_a_state_pickles_and_goes_on(rng, spherical):
    X, weights = rows(blobs(rng)), np.ones(300)
    state = batches.start_running(X[:6], spherical=spherical)
    whole, _ = run_batches(X, weights, state, 50, spherical)
    half, _ = run_batches(X[:150], weights, state, 50, spherical)
    half = pickle.loads(pickle.dumps(half))
    both, _ = run_batches(X[150:], weights, half, 50, spherical)
    for a, b in zip(whole, both):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(state.counts, 0.0)


@SPHERICAL
@KINDS
def test_unused_centroids_move_to_rows(rng, spherical, kind):
    X = rows(blobs(rng), kind=kind)
    far = np.array([[1e3, 0, 0, 0]]) if not spherical else np.zeros((1, 4))
    state = batches.start_running(np.vstack([blobs(rng)[:5], far]), spherical=spherical)
    found, _ = run_batches(X, np.ones(300), state, 50, spherical)
    assert found.n_offered.min() > 0
    assert found.counts.min() > 0
    assert np.abs(found.atoms).max() < 100.0
    # Not before they have had a chance.
    few, _ = run_batches(X[:50], np.ones(50), state, 50, spherical)
    np.testing.assert_array_equal(few.atoms[5], far[0])


@SPHERICAL
def test_batches_of_no_weight_change_nothing(rng, spherical):
    X = rows(blobs(rng))
    state = batches.start_running(X[:4], spherical=spherical)
    found, objective = run_batches(X, np.zeros(300), state, 100, spherical)
    for a, b in zip(state, found):
        np.testing.assert_array_equal(a, b)
    assert objective == 0.0


@SPHERICAL
def test_passes_of_batches_come_near_to_what_all_rows_give(rng, spherical):
    X = rows(blobs(rng, n=2000))
    weights = np.ones(2000)
    goal = learn(X, X[:8], spherical=spherical, max_iter=300)[-1].objective
    state = batches.start_running(X[:8], spherical=spherical)
    options = {"batch_size": 100, "spherical": spherical}
    found = list(
        batches.learn_by_batches(
            X,
            weights,
            state,
            np.random.RandomState(0),
            max_iter=60,
            tol=1e-3,
            **options,
        )
    )
    assert found[-1].converged
    assert 5 < found[-1].n_iter < 60
    atoms = found[-1].state.atoms
    objective = nearest_centroids(X, atoms, spherical=spherical).squares.sum()
    assert objective < 1.1 * goal
