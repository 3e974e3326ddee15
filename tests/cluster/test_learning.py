"""How KMeansCoder learns: all at a time, batch by batch, in a whitened space."""

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from kmeans_cases import dense, in_space, make
from reference import distances, line_distances
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.exceptions import NotFittedError

from sparselearn import _compat
from sparselearn.cluster import KMeansCoder, _learning
from sparselearn.feature_extraction import ZCAWhitening

SPACES = [
    {},
    {"whiten": "zca"},
    {"spherical": True},
    {"spherical": True, "whiten": "pca"},
]
every_space = pytest.mark.parametrize(
    "space", SPACES, ids=["plain", "zca", "lines", "lines-pca"]
)
storages = pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])


def same_state(ours, theirs, digits=0.0):
    for name in ("components_", "counts_", "gains_", "threshold_", "whitening_"):
        a, b = getattr(ours, name), getattr(theirs, name)
        if a is None:
            assert b is None
        else:
            np.testing.assert_allclose(a, b, rtol=0, atol=digits, err_msg=name)


# -- all at a time -------------------------------------------------------------------


def test_centroids_are_those_of_scikit_learn(X):
    init = X[:7]
    ours = make(init=init, tol=0.0).fit(X)
    theirs = KMeans(7, init=init, n_init=1, max_iter=100, tol=0.0).fit(X)
    np.testing.assert_allclose(ours.components_, theirs.cluster_centers_, atol=1e-10)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-12)


@every_space
def test_more_passes_are_no_worse(X, space):
    coders = [make(max_iter=k, tol=0.0, **space).fit(X) for k in (1, 2, 5, 20)]
    inertias = [coder.inertia_ for coder in coders]
    assert all(b <= a * (1.0 + 1e-12) for a, b in pairwise(inertias))
    assert inertias[-1] < 0.99 * inertias[0]


@every_space
def test_centroids_are_where_their_samples_want_them(X, space):
    """Means of them, or the direction that explains the most of them."""
    coder = make(tol=0.0, max_iter=1000, **space).fit(X)
    rows, centroids = in_space(coder, X)
    for j, centroid in enumerate(centroids):
        some = rows[coder.labels_ == j]
        if coder.spherical:
            along = np.linalg.norm(some @ centroid)
            assert along == pytest.approx(np.linalg.svd(some)[1][0], rel=1e-6)
            gain = np.mean(np.abs(some @ centroid))
            assert coder.gains_[j] == pytest.approx(gain)
        else:
            np.testing.assert_allclose(centroid, some.mean(axis=0), atol=1e-12)
    assert (coder.gains_ is None) == (not coder.spherical)


@pytest.mark.parametrize("batch_size", [None, 50])
def test_directions_point_to_where_most_samples_are(X, batch_size):
    options = {"spherical": True, "whiten": "zca", "batch_size": batch_size}
    coder = make(max_iter=5, **options).fit(X)
    again = make(max_iter=1, init=-coder.components_, **options).fit(X)
    for one in (coder, again):
        rows, centroids = in_space(one, X)
        sizes = (rows @ centroids.T)[np.arange(len(X)), one.labels_]
        assert np.bincount(one.labels_, sizes, minlength=7).min() >= -1e-9


def test_spherical_centroids_are_of_length_1(X):
    for options in ({}, {"batch_size": 50, "max_iter": 5}):
        coder = make(spherical=True, **options).fit(X.astype(np.float32))
        lengths = np.linalg.norm(coder.components_, axis=1)
        np.testing.assert_allclose(lengths, 1.0, atol=1e-6)


# -- whitening -----------------------------------------------------------------------


@storages
def test_whitening_is_that_of_the_transformer(X, storage):
    weights = np.linspace(0.0, 2.0, len(X))
    other = ZCAWhitening(eps=0.3).fit(storage(X), sample_weight=weights)
    zca = make(whiten="zca", whiten_eps=0.3).fit(storage(X), sample_weight=weights)
    np.testing.assert_allclose(zca.mean_, other.mean_, atol=1e-12)
    np.testing.assert_allclose(zca.whitening_, other.components_, atol=1e-10)
    whitened = other.transform(X)
    alone = make(init=zca.whitened_components_, max_iter=1, tol=0.0)
    alone.fit(whitened, sample_weight=weights)
    np.testing.assert_allclose(alone.components_, zca.whitened_components_, atol=1e-3)
    zca.set_params(encoder="triangle")
    expected = alone.transform(whitened)
    alone.components_ = zca.whitened_components_
    np.testing.assert_allclose(zca.transform(X), alone.transform(whitened), atol=1e-9)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("whiten", ["zca", "pca"])
def test_whitened_samples_have_no_covariance(X, whiten):
    coder = make(whiten=whiten, whiten_eps=0.0).fit(X)
    rows, centroids = in_space(coder, X)
    np.testing.assert_allclose(np.cov(rows.T, bias=True), np.eye(5), atol=1e-10)
    # And back.
    back = centroids @ coder.inverse_whitening_.T + coder.mean_
    np.testing.assert_allclose(coder.components_, back, atol=1e-10)
    product = coder.whitening_ @ coder.inverse_whitening_
    np.testing.assert_allclose(product, np.eye(5), atol=1e-10)


@pytest.mark.parametrize("spherical", [False, True])
def test_both_whitenings_make_the_same_codes(X, spherical):
    """One is the other, turned. That of directions without variance has no axes."""
    X = np.column_stack([X, X[:, 0] + X[:, 1], np.ones(len(X))])
    options = {"spherical": spherical, "tol": 0.0}
    zca, pca = (make(whiten=kind, **options).fit(X) for kind in ("zca", "pca"))
    assert zca.whitening_.shape == (7, 7)
    assert pca.whitening_.shape == (5, 7)
    np.testing.assert_allclose(zca.components_, pca.components_, atol=1e-8)
    np.testing.assert_allclose(zca.transform(X), pca.transform(X), atol=1e-8)


def test_whitening_is_forgotten_by_the_next_fit(X):
    coder = make(whiten="zca").fit(X).set_params(whiten=None).fit(X)
    np.testing.assert_array_equal(coder.transform(X), make().fit(X).transform(X))
    for name in ("mean_", "whitening_", "inverse_whitening_", "whitened_components_"):
        assert getattr(coder, name) is None


@every_space
def test_init_is_in_the_units_of_components(X, space):
    """So that one coder starts where another has stopped."""
    first = make(tol=0.0, max_iter=1000, **space).fit(X)
    second = make(init=first.components_, max_iter=1, **space).fit(X)
    np.testing.assert_allclose(second.components_, first.components_, atol=1e-6)
    assert second.inertia_ <= first.inertia_ * (1.0 + 1e-9)


# -- batch by batch ------------------------------------------------------------------


@every_space
@storages
def test_one_call_is_a_chain_of_its_batches(X, space, storage):
    """From the second call on: the first says what to start with."""
    X = storage(X)
    coder = make(encoder="soft-threshold", threshold=0.5, batch_size=30, **space)
    first = coder.fit(X[:40]) if space.get("spherical") else coder.partial_fit(X[:40])
    whole, chain = copy.deepcopy(first), copy.deepcopy(first)
    whole.partial_fit(X[40:])
    for start in range(40, 150, 30):
        chain.partial_fit(X[start : start + 30])
    np.testing.assert_array_equal(whole.components_, chain.components_)
    np.testing.assert_array_equal(whole.whitening_, first.whitening_)
    assert np.abs(whole.components_ - first.components_).max() > 1e-3
    # Counts are of labels after each call.
    assert whole.counts_.sum() == chain.counts_.sum() == 150
    assert (whole.n_iter_, chain.n_iter_) == (first.n_iter_ + 1, first.n_iter_ + 4)
    assert whole.labels_.size == 110


@every_space
def test_a_chain_is_one_pass_of_fit(X, space):
    """Over the same distinct rows, in the order that `fit` draws."""
    init = make(**space, max_iter=1).fit(X).components_
    coder = make(init=init, batch_size=20, max_iter=1, tol=0.0, **space)
    fitted = clone(coder).fit(X)
    weights = np.ones(len(X))
    chosen, masses = coder._distinct(X, weights)
    random_state = np.random.RandomState(0)
    random_state.randint(2**32, dtype=np.uint32)
    order = random_state.permutation(chosen.size)
    chain = clone(coder)
    if "whiten" in space:  # which the first call learns, here of all
        chain.partial_fit(X[chosen], sample_weight=masses)
        chain._running = tuple(start_of(chain, init))
    for start in range(0, order.size, 20):
        rows = np.sort(order[start : start + 20])
        chain.partial_fit(X[chosen[rows]], sample_weight=masses[rows])
    found, expected = chain.components_, fitted.components_
    if coder.spherical:  # which ends where most samples of all are, or of the last call
        found = found * np.sign(np.sum(found * expected, axis=1))[:, None]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def start_of(coder, init):
    """What batches start from, in the space that the coder has learned."""
    space = coder._codebook().whitening
    rows = init if coder.spherical else init - space.mean
    return _learning.start_running(rows @ space.matrix, spherical=coder.spherical)


@storages
def test_partial_fit_goes_on_after_fit(X, storage):
    """Centroids of `fit` weigh what they were made of."""
    coder = make(3, tol=0.0).fit(storage(X))
    before, counts = coder.components_.copy(), coder.counts_.copy()
    row = before[[0]] + 0.01
    coder.partial_fit(storage(row))
    expected = (counts[0] * before[0] + row[0]) / (counts[0] + 1.0)
    np.testing.assert_allclose(coder.components_[0], expected, atol=1e-12)
    np.testing.assert_allclose(coder.components_[1:], before[1:], atol=1e-12)
    assert coder.counts_[0] == counts[0] + 1.0


@every_space
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit_learns(rng, space, dtype):
    centres = rng.normal(scale=5.0, size=(7, 5))
    X = centres[rng.integers(7, size=600)] + 0.1 * rng.standard_normal((600, 5))
    X = X.astype(dtype)
    coder = make(**space)
    for start in range(0, 600, 60):
        coder.partial_fit(X[start : start + 60])
    assert coder.components_.dtype == dtype
    assert coder.transform(X).dtype == dtype
    best = make(**space).fit(X)
    assert -coder.score(X) <= 3.0 * best.inertia_
    rows, centroids = in_space(coder, X)
    d = (line_distances if coder.spherical else distances)(rows, centroids)
    np.testing.assert_array_equal(coder.labels_, d[540:].argmin(axis=1))


def test_a_pickle_goes_on(X):
    for options in ({}, {"spherical": True, "whiten": "zca"}):
        coder = make(20, **options).partial_fit(X[:50])
        again = pickle.loads(pickle.dumps(coder))
        for start in (50, 100):
            batch = X[start : start + 50]
            same_state(coder.partial_fit(batch), again.partial_fit(batch))


@storages
def test_partial_fit_has_the_same_bits_for_any_threads(X, storage):
    one, two = (make(n_jobs=k, encoder="soft-threshold") for k in (1, 2))
    for start in range(0, 150, 50):
        batch = storage(X[start : start + 50])
        same_state(one.partial_fit(batch), two.partial_fit(batch))


def test_weights_of_a_batch_are_repeated_rows(X, rng):
    weights = rng.integers(0, 4, 150)
    ours, theirs = make(init=X[:7]), make(init=X[:7])
    for start in (0, 50, 100):
        part, of_part = X[start : start + 50], weights[start : start + 50]
        ours.partial_fit(part, sample_weight=of_part)
        theirs.partial_fit(np.repeat(part, of_part, axis=0))
    same_state(ours, theirs, digits=1e-12)


def test_a_bad_batch_changes_nothing(X):
    coder = make(encoder="soft-threshold").partial_fit(X[:50])
    before = pickle.dumps(coder)
    bad = X[50:].copy()
    bad[3, 2] = np.nan
    for batch, weights in ((bad, None), (X[:, :3], None), (X, -np.ones(150))):
        with pytest.raises(ValueError, match=r"NaN|features|[Nn]egative"):
            coder.partial_fit(batch, sample_weight=weights)
    assert pickle.dumps(coder) == before


def test_an_interrupted_batch_changes_nothing(X, monkeypatch):
    def interrupt(X, coding, n_jobs):
        raise KeyboardInterrupt

    coder, new = make().partial_fit(X[:50]), make()
    before = pickle.dumps(coder)
    monkeypatch.setattr(_learning, "count_codes", interrupt)
    for victim in (coder, new):
        with pytest.raises(KeyboardInterrupt):
            victim.partial_fit(X[50:])
    assert pickle.dumps(coder) == before
    with pytest.raises(NotFittedError):
        new.transform(X)


def test_the_first_batch_has_enough_samples(X):
    with pytest.raises(ValueError, match=r"n_components=7 .*n_samples=5 "):
        make().partial_fit(X[:5])
    coder = make(init=X[:7]).partial_fit(X[7:9])
    assert coder.labels_.size == 2
    coder = make().partial_fit(X[:7]).partial_fit(X[:1])
    assert coder.labels_.size == 1


def test_a_fit_forgets_what_batches_have_taught(X):
    coder = make().partial_fit(X[:50])
    np.testing.assert_array_equal(coder.fit(X).transform(X), make().fit(X).transform(X))
    assert coder.counts_.sum() == len(X)


@pytest.mark.parametrize("batch_size", [None, 50])
@pytest.mark.skipif(_compat.CallbackSupportMixin is None, reason="scikit-learn < 1.9")
def test_callbacks_hear_of_passes_and_may_end_them(X, batch_size):
    class Recorder:
        def __init__(self):
            self.inertias = []

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            if context.task_name != "pass":
                return False
            self.inertias.append(-fitted_estimator.score(X))
            return len(self.inertias) == 2

        def teardown(self, estimator, context):
            pass

    recorder = Recorder()
    options = {"batch_size": batch_size, "tol": 0.0, "encoder": "soft-threshold"}
    told = make(max_iter=10, **options).set_callbacks(recorder).fit(X)
    alone = make(max_iter=2, **options).fit(X)
    assert told.n_iter_ == 2
    same_state(told, alone)
    assert recorder.inertias[1] == -alone.score(X)
    assert recorder.inertias[0] > recorder.inertias[1]


def test_sparse_rows_are_whitened_a_chunk_at_a_time(rng, monkeypatch):
    X = rng.standard_normal((9000, 3)) * (rng.uniform(size=(9000, 3)) < 0.5)
    largest = []
    whiten = _learning.WhitenedRows.__getitem__

    def spied(self, rows):
        found = whiten(self, rows)
        largest.append(len(found))
        return found

    monkeypatch.setattr(_learning.WhitenedRows, "__getitem__", spied)
    coder = make(whiten="zca", max_iter=3).fit(sp.csr_array(X))
    assert 1000 < max(largest) < 5000
    dense_coder = make(whiten="zca", max_iter=3).fit(X)
    np.testing.assert_allclose(coder.components_, dense_coder.components_, atol=1e-9)
    np.testing.assert_allclose(
        dense(coder.transform(sp.csr_array(X))), dense_coder.transform(X), atol=1e-9
    )


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_what_the_last_pass_found_is_what_predict_finds(rng, spherical, repeats, kind):
    """To the bit, with passes left or without, of rows that are distinct or not."""
    X = np.repeat(
        rng.standard_normal((90, 4)) * (rng.random((90, 4)) < 0.7), repeats, 0
    )
    X = kind(rng.permutation(X).astype(np.float32))
    for max_iter in (1, 100):
        model = KMeansCoder(7, spherical=spherical, max_iter=max_iter, random_state=0)
        model.fit(X)
        np.testing.assert_array_equal(model.labels_, model.predict(X))
        assert model.inertia_ == -model.score(X)
