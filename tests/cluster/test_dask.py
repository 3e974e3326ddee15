"""K-means of dask collections: what all rows give at once, by sums of chunks."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparselearn._solvers import _lloyd_rounds, _row_sample
from sparselearn._solvers._spread import Spread
from sparselearn.cluster import KMeansCoder

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

OPTIONS = {
    "plain": {},
    "spherical": {"spherical": True, "encoder": "topk", "n_nonzero_coefs": 2},
    "zca": {"whiten": "zca", "encoder": "soft-threshold"},
    "pca": {"whiten": "pca", "spherical": True, "init": "data"},
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def weights(rng):
    weights = rng.integers(0, 3, 150).astype(float)
    weights[20:40] = 0.0  # a whole chunk
    return weights


def coder(n_components=6, **options):
    own = {"tol": 0.0, "max_iter": 4, "random_state": 0}
    return KMeansCoder(n_components, **(own | options))


def chunked(X, size=20):
    return da.from_array(X, chunks=(size, *(2,) * (X.ndim - 1)))


def unknown(X):
    frame = dd.from_pandas(pd.DataFrame(np.asarray(X)), npartitions=4)
    return frame.to_dask_array() if X.ndim > 1 else frame.to_dask_array()[:, 0]


def of_sparse(X, size=40):
    parts = [sp.csr_array(X[i : i + size]) for i in range(0, len(X), size)]
    meta = sp.csr_array((0, X.shape[1]), dtype=X.dtype)
    lazy = [da.from_delayed(dask.delayed(p), p.shape, meta=meta) for p in parts]
    return da.concatenate(lazy)


CHUNKS = {
    "rows": chunked,
    "few rows": lambda X: da.from_array(X, chunks=((1, 2, 60, 1, 86), *X.shape[1:])),
    "empty": lambda X: da.from_array(X, chunks=((0, 70, 0, 80), *X.shape[1:])),
    "unknown": unknown,
}


def assert_same_fit(found, expected, atol=1e-9):
    """But for rounding all is the same."""
    for name in (
        "components_",
        "counts_",
        "gains_",
        "inertia_",
        "threshold_",
        "mean_",
        "whitening_",
        "n_nonzero_coefs_",
        "sparsity_",
        "n_iter_",
        "n_features_in_",
    ):
        a, b = getattr(found, name), getattr(expected, name)
        if b is None:
            assert a is None, name
        else:
            size = np.abs(b).max()
            np.testing.assert_allclose(a, b, atol=atol * size, rtol=0, err_msg=name)
    assert found.components_.dtype == expected.components_.dtype
    for a, b in zip(found._running, expected._running):
        np.testing.assert_allclose(a, b, atol=atol * np.abs(b).max(), rtol=0)


@every_option
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_a_fit_is_that_of_all_rows(X, weights, options, chunks):
    found = coder(**options).fit(chunks(X), sample_weight=chunks(weights))
    expected = coder(**options).fit(X, sample_weight=weights)
    assert_same_fit(found, expected)
    assert isinstance(found.labels_, da.Array)
    np.testing.assert_array_equal(found.labels_.compute(), expected.labels_)
    score = found.score(chunks(X), sample_weight=chunks(weights))
    np.testing.assert_allclose(score, expected.score(X, sample_weight=weights))
    np.testing.assert_allclose(found.score(chunks(X)), expected.score(X))


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_from_a_start_that_is_given(rng, monkeypatch, dtype, spherical):
    """Of more rows than are drawn, with products of all kinds, kept or not."""
    X = rng.standard_normal((1200, 20)) * np.r_[np.ones(4), np.full(16, 0.1)]
    X = X.astype(dtype)
    options = {"init": X[:9].astype(float), "spherical": spherical, "max_iter": 5}
    expected = coder(9, **options).fit(X)
    monkeypatch.setattr(_row_sample, "ROWS", 600)
    for kept in (2**30, 4 * 1200, 0):
        monkeypatch.setattr(_lloyd_rounds, "KEPT", kept)
        found = coder(9, **options).fit(chunked(X, 250))
        assert_same_fit(found, expected, atol=1e-9 if dtype == np.float64 else 1e-6)


def test_sparse_chunks(X, weights):
    for options in OPTIONS.values():
        found = coder(**options).fit(of_sparse(X), sample_weight=weights)
        expected = coder(**options).fit(sp.csr_array(X), sample_weight=weights)
        assert_same_fit(found, expected)
        assert found.score(of_sparse(X)) == pytest.approx(expected.score(X))


def test_frames_keep_their_names(X):
    frame = pd.DataFrame(X, columns=list("abcde"))
    found = coder().fit(dd.from_pandas(frame, npartitions=3))
    assert_same_fit(found, coder().fit(frame))
    assert list(found.feature_names_in_) == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        found.partial_fit(
            dd.from_pandas(frame.rename(columns={"a": "z"}), npartitions=3)
        )


def test_centroids_without_rows_move_to_the_worst_rows(X):
    """Also if the worst rows come several times, in several chunks."""
    rows = np.concatenate([X, np.tile(X[:5] + 40.0, (8, 1)), X[:9] - 60.0])
    init = np.concatenate([X[:2], np.full((6, 5), 1e3) + np.arange(6)[:, None]])
    for spherical in (False, True):
        options = {"init": init, "max_iter": 3, "spherical": spherical}
        found = coder(8, **options).fit(chunked(rows, 13))
        assert_same_fit(found, coder(8, **options).fit(rows))
        assert (found.counts_ > 0.0).all()


def test_batches_of_a_fit_learn(X, weights):
    options = {"batch_size": 16, "max_iter": 8, "tol": 1e-3}
    found = coder(**options).fit(chunked(X, 40), sample_weight=weights)
    again = coder(**options).fit(chunked(X, 40), sample_weight=weights)
    np.testing.assert_array_equal(found.components_, again.components_)
    other = coder(**options | {"random_state": 1, "init": found.components_})
    other.fit(chunked(X, 40), sample_weight=weights)
    assert np.any(other.components_ != found.components_)
    whole = coder(max_iter=1).fit(X, sample_weight=weights)
    assert found.inertia_ < 1.1 * whole.inertia_
    assert found.n_iter_ <= 8
    np.testing.assert_allclose(found.counts_.sum(), weights.sum())
    single = coder(batch_size=1, max_iter=1, init=X[:6])
    assert np.any(single.fit(chunked(X)).components_ != found.components_)


@every_option
def test_partial_fit_goes_from_chunk_to_chunk(X, weights, options):
    found, expected = coder(**options), coder(**options)
    for start in (0, 75):
        rows, some = X[start : start + 75], weights[start : start + 75]
        sizes = (0, 30, 45)
        parts = da.from_array(rows, chunks=(sizes, 2))
        found.partial_fit(parts, sample_weight=some)
        expected.partial_fit(rows[:30], sample_weight=some[:30])
        expected.partial_fit(rows[30:], sample_weight=some[30:])
    assert found.n_iter_ == 4
    for name in ("components_", "counts_", "labels_", "inertia_"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    fitted = coder(**options).fit(chunked(X, 50))
    in_memory = coder(**options).fit(X)
    assert_same_fit(fitted.partial_fit(chunked(X, 50)), in_memory_after(in_memory, X))


def in_memory_after(model, X):
    for start in range(0, 150, 50):
        model.partial_fit(X[start : start + 50])
    return model


def test_chunks_without_weight_are_passed_over(X, weights):
    found = coder().partial_fit(chunked(X, 20), sample_weight=chunked(weights, 20))
    expected = coder()
    for start in [0, *range(40, 150, 20)]:
        part = slice(start, start + 20)
        expected.partial_fit(X[part], sample_weight=weights[part])
    np.testing.assert_array_equal(found.components_, expected.components_)


def test_the_first_batch_is_of_as_many_chunks_as_it_takes(X):
    frame = pd.DataFrame(X, columns=list("abcde"))
    for rows, parts in [
        (X, chunked(X, 4)),
        (sp.csr_array(X), of_sparse(X, 4)),
        (frame, dd.from_pandas(frame, chunksize=4)),
    ]:
        weights = np.r_[0.0, 0.0, 2.0, 1.0, np.ones(146)]
        cut = [0, 8, *range(12, 150, 4), 150]
        expected, found = coder(), coder()
        for a, b in pairwise(cut):
            part = rows.iloc[a:b] if rows is frame else rows[a:b]
            expected.partial_fit(part, sample_weight=weights[a:b])
        lazy = (
            weights
            if rows is not frame
            else dd.from_pandas(pd.Series(weights), chunksize=4)
        )
        found.partial_fit(parts, sample_weight=lazy)
        np.testing.assert_array_equal(found.components_, expected.components_)
        assert found.n_iter_ == expected.n_iter_ == 37


def state_of(model):
    return {k: v for k, v in vars(model).items() if not k.startswith("_skl")}


def test_a_bad_chunk_changes_nothing(X):
    bad = X.copy()
    bad[33, 1] = np.nan
    fresh, fitted = coder(), coder().fit(X)
    wrong = [
        (chunked(bad), {}, r"In chunk 1: .*NaN"),
        (chunked(X[:, :1]), {}, r"n_components|1 features"),
        (chunked(X[:, 0]), {}, "Expected 2D"),
        (chunked(X), {"sample_weight": np.full(150, -1.0)}, "[Nn]egative"),
        (chunked(X), {"sample_weight": np.zeros(150)}, "weight|zero"),
        (chunked(X), {"sample_weight": np.ones(149)}, r"150 rows.*149"),
    ]
    for rows, options, words in wrong:
        for model, method in [
            (fresh, "fit"),
            (fresh, "partial_fit"),
            (fitted, "partial_fit"),
            (fitted, "score"),
        ]:
            if rows.shape[1:] == (1,) and model is fresh:
                continue
            before = state_of(model)
            with pytest.raises(ValueError, match=words):
                getattr(model, method)(rows, **options)
            after = state_of(model)
            assert after.keys() == before.keys()
            assert all(after[name] is before[name] for name in before)
    with pytest.raises(ValueError, match=r"n_components=6.*n_samples=4"):
        coder().fit(chunked(X[:4]))
    with pytest.raises(ValueError, match="shape"):
        coder(init=X[:5]).fit(chunked(X))
    with pytest.raises(ValueError, match="no rows"):
        coder().fit(da.from_array(X[:0]))
    fresh = coder()
    with pytest.raises(ValueError, match=r"n_components=6.*n_samples=5"):
        fresh.partial_fit(chunked(X[:5], 2))
    assert not hasattr(fresh, "components_")


def test_fewer_distinct_rows_than_centroids(X):
    rows = np.tile(X[:4], (10, 1))
    with pytest.warns(ConvergenceWarning, match="only 4 distinct samples"):
        found = coder().fit(chunked(rows, 7))
    assert found.inertia_ == pytest.approx(0.0, abs=1e-12)


def test_an_interrupted_fit_leaves_the_last_state(X, monkeypatch):
    model = coder().fit(X)
    before = state_of(model)
    calls = []

    def interrupted(*args, **options):
        calls.append(1)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return sums_of(*args, **options)

    sums_of = _lloyd_rounds.sums_of
    monkeypatch.setattr(_lloyd_rounds, "sums_of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(chunked(X))
    assert all(state_of(model)[name] is before[name] for name in before)


def test_labels_are_of_the_centroids_that_were_fitted(X):
    found = coder().fit(chunked(X))
    expected = found.labels_.compute()
    lazy = found.labels_
    found.partial_fit(X[:50] + 30.0)
    np.testing.assert_array_equal(lazy.compute(), expected)
    np.testing.assert_array_equal(
        coder().fit_predict(chunked(X)).compute(), coder().fit_predict(X)
    )
    lazy = coder().fit_transform(chunked(X))
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), coder().fit_transform(X), atol=1e-9)


def test_a_pickle_does_not_hold_the_rows(X):
    found = coder().fit(chunked(X))
    many = coder().fit(chunked(np.tile(X, (20, 1)), 400))
    size, other = len(pickle.dumps(found)), len(pickle.dumps(many))
    assert abs(size - other) < 100
    twin = pickle.loads(pickle.dumps(found))
    assert not hasattr(twin, "labels_")
    np.testing.assert_array_equal(twin.predict(X), found.labels_.compute())
    assert hasattr(pickle.loads(pickle.dumps(coder().fit(X))), "labels_")


@every_option
def test_the_bits_do_not_depend_on_the_scheduler(X, options):
    found = []
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            model = coder(**options).fit(chunked(X, 11))
            found.append(model.partial_fit(chunked(X, 70)))
    for name in ("components_", "counts_", "inertia_"):
        np.testing.assert_array_equal(*[getattr(model, name) for model in found])


def test_what_is_given_stays(X, weights):
    rows, some = X.copy(), weights.copy()
    given = clone(coder(init=X[:6].copy()))
    rows.flags.writeable = some.flags.writeable = False
    given.fit(chunked(rows), sample_weight=chunked(some))
    np.testing.assert_array_equal(given.init, X[:6])
    np.testing.assert_array_equal(rows, X)


# -- the sample that a start is drawn from --------------------------------------


def drawn_of(X, weights, sizes, **options):
    """What is drawn of rows in chunks of some sizes."""
    ends = np.cumsum(sizes)
    spread = sum_of(X, weights)
    parts = [
        _row_sample.draw_rows(
            X[a:b], weights[a:b], a, spread=spread, spherical=False, **options
        )
        for a, b in zip([0, *ends[:-1]], ends)
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def sum_of(X, weights):
    mean = weights @ X / weights.sum()
    return Spread(weights.sum(), mean, weights @ (X - mean) ** 2)


def test_a_draw_does_not_depend_on_the_chunks(X, weights):
    for rows in (X, sp.csr_array(X)):
        options = {"n_rows": 40, "seed": 2**62}
        spread = sum_of(X, weights)
        whole = _row_sample.draw_rows(
            rows, weights, 0, spread=spread, spherical=False, **options
        )
        parts = drawn_of(X, weights, [1, 2, 0, 77, 70], **options)
        found = whole.rows.toarray() if sp.issparse(whole.rows) else whole.rows
        np.testing.assert_array_equal(parts.rows, found)
        np.testing.assert_allclose(parts.weights, whole.weights)
        assert 20 < len(found) < 60


def test_all_rows_with_weight_may_be_wanted(X, weights):
    found = drawn_of(X, weights, [100, 50], n_rows=None, seed=None)
    np.testing.assert_array_equal(found.rows, X[weights > 0.0])
    np.testing.assert_array_equal(found.weights, weights[weights > 0.0])


def test_sums_over_a_draw_are_those_over_all_rows_in_the_mean(X, rng):
    weights = rng.uniform(0.1, 3.0, 150)
    X[7] += 50.0
    found = [drawn_of(X, weights, [150], n_rows=30, seed=seed) for seed in range(400)]
    sums = [np.r_[d.weights.sum(), d.weights @ (d.rows - X.mean(0))] for d in found]
    exact = np.r_[weights.sum(), weights @ (X - X.mean(0))]
    error = 5.0 * np.std(sums, axis=0) / 20.0 + 1e-9
    assert np.all(np.abs(np.mean(sums, axis=0) - exact) < error)
    # What lies far away is hardly ever missed: a share of 1 / 150 would be in 1 of 5.
    assert np.mean([(d.rows == X[7]).all(1).any() for d in found]) > 0.95


def test_far_heaps_are_found_in_many_rows(rng, monkeypatch):
    """Each of a few rows far away is where a centroid starts."""
    monkeypatch.setattr(_row_sample, "ROWS", 512)
    X = rng.standard_normal((6000, 3))
    far = 200.0 * np.eye(3)
    X[rng.choice(6000, 3, replace=False)] = far
    found = coder(6, max_iter=10).fit(chunked(X, 900)).components_
    nearest = np.linalg.norm(found[:, None] - far, axis=2).min(axis=0)
    assert nearest.max() < 1e-9
