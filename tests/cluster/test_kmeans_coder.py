"""Laws of KMeansCoder."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from reference import (
    distances,
    hard_codes,
    keep_largest,
    shortest_rows,
    soft_threshold_codes,
    triangle_codes,
)
from sklearn import config_context
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn._solvers import _distinct_rows
from sparselearn.cluster import KMeansCoder
from sparselearn.cluster import _coding as module
from sparselearn.cluster import _learning as learning

CODERS = [
    {"encoder": "hard"},
    {"encoder": "triangle"},
    {"encoder": "triangle", "n_nonzero_coefs": 3},
    {"encoder": "soft-threshold"},
    {"encoder": "soft-threshold", "n_nonzero_coefs": 2},
    {"encoder": "soft-threshold", "threshold": 0.5},
]
every_coder = pytest.mark.parametrize(
    "options", CODERS, ids=lambda options: "-".join(map(str, options.values()))
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """So that little data fills several, the last one in part."""
    monkeypatch.setattr(module, "CHUNK", 64)


@pytest.fixture
def X(rng):
    """Three heaps, some zeros."""
    centres = rng.normal(scale=3.0, size=(3, 5))
    X = centres[rng.integers(3, size=150)] + rng.standard_normal((150, 5))
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    return X


def make(n_components=7, **options):
    options = {"random_state": 0} | options
    return KMeansCoder(n_components, **options)


def dense(codes):
    return codes.toarray() if sp.issparse(codes) else codes


def memmap(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


def long_indices(X):
    X = sp.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def unsorted(X):
    """Entries of a row in falling order, each in two halves."""
    X = sp.csr_array(X)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    order = np.lexsort((-X.indices, rows))
    data, indices = np.repeat(X.data[order] / 2, 2), np.repeat(X.indices[order], 2)
    return sp.csr_array((data, indices, 2 * X.indptr), shape=X.shape)


# -- codes are what they are said to be ---------------------------------------


@every_coder
def test_codes_equal_their_twins(X, options):
    coder = make(**options).fit(X)
    codes = coder.transform(X)
    centroids = coder.components_
    if coder.encoder == "hard":
        expected = hard_codes(X, centroids)
    elif coder.encoder == "triangle":
        expected = triangle_codes(X, centroids)
    else:
        expected = soft_threshold_codes(X, centroids, coder.threshold_)
    expected = keep_largest(expected, coder.n_nonzero_coefs or coder.n_components)
    np.testing.assert_allclose(dense(codes), expected, atol=1e-12)
    is_sparse = options != {"encoder": "triangle"}
    assert sp.issparse(codes) == is_sparse
    nonzero = np.count_nonzero(dense(codes), axis=1)
    assert coder.n_nonzero_coefs_ == pytest.approx(nonzero.mean())
    assert coder.sparsity_ == pytest.approx(1 - np.mean(dense(codes) != 0))
    if is_sparse:
        assert codes.has_canonical_format
        assert np.all(codes.data > 0.0)
        assert codes.indices.dtype == codes.indptr.dtype == np.int32
        again = make(**options, sparse_output=False).fit(X).transform(X)
        np.testing.assert_array_equal(again, codes.toarray())


def test_labels_inertia_and_counts(X):
    coder = make().fit(X)
    d = distances(X, coder.components_)
    np.testing.assert_array_equal(coder.labels_, d.argmin(axis=1))
    np.testing.assert_array_equal(coder.predict(X), coder.labels_)
    np.testing.assert_array_equal(make().fit_predict(X), coder.labels_)
    assert coder.inertia_ == pytest.approx(np.sum(d.min(axis=1) ** 2), rel=1e-12)
    np.testing.assert_array_equal(coder.counts_, np.bincount(coder.labels_))
    weights = np.linspace(0, 1, len(X))
    assert coder.score(X) == pytest.approx(-coder.inertia_)
    assert coder.score(X, sample_weight=weights) == pytest.approx(
        -np.sum(weights * d.min(axis=1) ** 2), rel=1e-12
    )


def test_centroids_are_those_of_scikit_learn(X):
    """From the same start, and with an inertia as good from another."""
    init = X[:7]
    ours = make(init=init, tol=0.0).fit(X)
    theirs = KMeans(7, init=init, n_init=1, max_iter=100, tol=0.0).fit(X)
    np.testing.assert_allclose(ours.components_, theirs.cluster_centers_, atol=1e-10)
    assert ours.score(X) == pytest.approx(theirs.score(X), rel=1e-12)


def test_the_automatic_threshold_gives_the_density_asked_for(X):
    n_components = 20
    size = len(X) * n_components
    for n_nonzero, density in [(None, 0.1), (3, 0.15), (6, 0.3)]:
        coder = make(
            n_components, encoder="soft-threshold", n_nonzero_coefs=n_nonzero
        ).fit(X)
        coder.set_params(n_nonzero_coefs=None)
        assert coder.transform(X).nnz == pytest.approx(density * size, abs=1)
    weights = np.where(X[:, 0] > 0, 5.0, 0.5)
    weighted = make(n_components, encoder="soft-threshold")
    weighted.fit(X, sample_weight=weights)
    assert weighted.sparsity_ == pytest.approx(0.9, abs=5.0 / size)
    all_of_them = make(4, encoder="soft-threshold", n_nonzero_coefs=9).fit(X)
    assert all_of_them.threshold_ == 0.0


def test_the_automatic_threshold_of_a_sample(X, monkeypatch):
    exact = make(encoder="soft-threshold").fit(X)
    monkeypatch.setattr(learning, "THRESHOLD_PRODUCTS", 7 * 75)
    sampled = make(encoder="soft-threshold").fit(X)
    assert sampled.threshold_ != exact.threshold_
    assert sampled.sparsity_ == pytest.approx(exact.sparsity_, abs=0.05)


def test_a_centroid_of_no_length_has_no_soft_code(X):
    init = X[:3].copy()
    X[:50] = 0.0
    init[0] = 0.0
    coder = make(3, encoder="soft-threshold", init=init, threshold=0.0).fit(X)
    coder.components_[0] = 0.0
    codes = coder.transform(X).toarray()
    assert not codes[:, 0].any()
    assert codes[:, 1:].any()


# -- the same answer, however it is asked for -----------------------------------


@every_coder
def test_storages(X, options, tmp_path):
    coder = make(**options)
    reference = clone(coder).fit(X)
    codes = dense(reference.transform(X))
    same = {
        "fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "memmap": memmap(X, tmp_path),
        "list": X.tolist(),
    }
    for name, data in same.items():
        again = clone(coder).fit(data)
        np.testing.assert_array_equal(again.components_, reference.components_, name)
        np.testing.assert_array_equal(dense(again.transform(data)), codes, name)
    storages = [sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_matrix]
    for storage in [*storages, long_indices, unsorted]:
        data = storage(X)
        again = clone(coder).fit(data)
        np.testing.assert_allclose(again.components_, reference.components_, atol=1e-9)
        np.testing.assert_allclose(dense(again.transform(data)), codes, atol=1e-9)
        np.testing.assert_allclose(dense(reference.transform(data)), codes, atol=1e-9)
        np.testing.assert_array_equal(again.labels_, reference.labels_)
        assert again.inertia_ == pytest.approx(reference.inertia_, rel=1e-9)


def test_storages_of_mini_batches(X):
    coder = make(batch_size=50, max_iter=5)
    reference = clone(coder).fit(X)
    again = clone(coder).fit(sp.csc_array(X))
    np.testing.assert_allclose(again.components_, reference.components_, atol=1e-9)
    np.testing.assert_array_equal(again.labels_, reference.labels_)


@every_coder
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_float32(X, options, storage):
    X = X.astype(np.float32)
    double = make(**options).fit(storage(X.astype(float)))
    single = make(**options).fit(storage(X))
    assert single.components_.dtype == single.transform(storage(X)).dtype == np.float32
    scale = np.abs(X).max()
    assert np.abs(single.components_ - double.components_).max() <= 1e-4 * scale
    codes = dense(double.transform(storage(X.astype(float))))
    difference = np.abs(dense(single.transform(storage(X))) - codes)
    # A choice that hangs on the last digit of a centroid may fall otherwise.
    assert np.mean(difference.max(axis=1) > 1e-4 * scale) < 0.01
    assert single.inverse_transform(single.transform(storage(X))).dtype == np.float32


@every_coder
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_threads_change_no_bit(X, options, storage):
    X = storage(X)
    one, two = make(**options, n_jobs=1).fit(X), make(**options, n_jobs=2).fit(X)
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.labels_, two.labels_)
    assert (one.inertia_, one.threshold_) == (two.inertia_, two.threshold_)
    np.testing.assert_array_equal(dense(one.transform(X)), dense(two.transform(X)))


def test_n_jobs_reaches_the_threads(X, monkeypatch):
    asked = []

    def spy(function, n_rows, size, n_jobs):
        asked.append(n_jobs)
        return map_chunks(function, n_rows, size, n_jobs)

    map_chunks = module.map_chunks
    monkeypatch.setattr(module, "map_chunks", spy)
    make(n_jobs=2).fit(X).transform(X)
    assert asked
    assert set(asked) == {2}


@every_coder
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_row_alone_is_coded_as_among_others(X, options, storage):
    coder = make(**options).fit(storage(X))
    codes = dense(coder.transform(storage(X)))
    for i in (0, 63, 64, 149):
        alone = dense(coder.transform(storage(X[i : i + 1])))
        np.testing.assert_allclose(alone, codes[i : i + 1], atol=1e-12)


@every_coder
def test_fit_transform_is_fit_and_transform(X, options):
    weights = np.linspace(0.0, 1.0, len(X))
    together = make(**options).fit_transform(X, sample_weight=weights)
    apart = make(**options).fit(X, sample_weight=weights).transform(X)
    np.testing.assert_array_equal(dense(together), dense(apart))


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("init", ["k-means++", "data", "array"])
@pytest.mark.parametrize("batch_size", [None, 64])
def test_weights_are_repeated_rows_in_any_order(X, rng, storage, init, batch_size):
    """To the bit: what is learned depends on the distinct rows alone."""
    weights = rng.integers(0, 4, len(X))
    repeated = rng.permutation(np.repeat(X, weights, axis=0))
    coder = make(
        encoder="soft-threshold",
        init=X[:7] if init == "array" else init,
        batch_size=batch_size,
    )
    ours = clone(coder).fit(storage(X), sample_weight=weights)
    theirs = clone(coder).fit(storage(repeated))
    np.testing.assert_array_equal(ours.components_, theirs.components_)
    np.testing.assert_array_equal(ours.counts_, theirs.counts_)
    assert ours.threshold_ == theirs.threshold_
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-12)
    assert ours.sparsity_ == pytest.approx(theirs.sparsity_, rel=1e-12)
    assert ours.n_nonzero_coefs_ == pytest.approx(theirs.n_nonzero_coefs_)


def test_weights_matter_by_their_proportions(X):
    weights = np.linspace(0.1, 1.0, len(X))
    plain = make().fit(X, sample_weight=weights)
    for scale in (2.0**-1000, 2.0**1000):
        data = X.astype(np.float32)
        scaled = make().fit(data, sample_weight=weights * scale)
        expected = make().fit(data, sample_weight=weights)
        np.testing.assert_array_equal(scaled.components_, expected.components_)
        np.testing.assert_array_equal(scaled.labels_, expected.labels_)
    assert np.abs(make().fit(X).components_ - plain.components_).max() > 1e-3


@every_coder
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_scale_equivariance(X, options, scale):
    plain = make(**options).fit(X)
    if isinstance(options.get("threshold"), float):
        options = options | {"threshold": options["threshold"] * scale}
    scaled = make(**options).fit(scale * X)
    largest = np.abs(plain.components_).max()
    np.testing.assert_allclose(
        scaled.components_ / scale, plain.components_, rtol=0, atol=1e-12 * largest
    )
    unit = 1.0 if plain.encoder == "hard" else scale
    np.testing.assert_allclose(
        dense(scaled.transform(scale * X)) / unit,
        dense(plain.transform(X)),
        rtol=0,
        atol=1e-11 * largest,
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distances_keep_their_digits_far_from_the_origin(X, dtype):
    X = (np.round(64 * X) / 64).astype(dtype)  # to have the same digits there
    far = X + dtype(4096.0)
    init = X[:7]
    near = make(init=init).fit(X)
    there = make(init=init + dtype(4096.0)).fit(far)
    there.components_ = near.components_ + dtype(4096.0)
    near.components_ = there.components_ - dtype(4096.0)
    np.testing.assert_allclose(
        there.transform(far),
        near.transform(X),
        atol=1e-5 if dtype(0).nbytes == 4 else 1e-10,
    )


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_short_distance_of_long_rows_in_float32(X, storage):
    """Their squared lengths have fewer digits than it needs."""
    X = (100.0 * X[:40]).astype(np.float32)
    coder = make(40).fit(storage(X))
    expected = triangle_codes(X.astype(float), coder.components_.astype(float))
    scale = np.abs(X).max()
    np.testing.assert_allclose(coder.transform(storage(X)), expected, atol=1e-6 * scale)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_equal_rows_are_found_wherever_they_are(rng, storage):
    rows = rng.standard_normal((10, 67))
    rows[:, 5] = 0.0
    X = storage(rows[rng.integers(10, size=203)])
    for some in (X, X[:1], X[:64], X[150:]):
        keys = _distinct_rows.project(some, rng.standard_normal(67))
        assert np.unique(keys).size == np.unique(dense(some), axis=0).shape[0]


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_rows_of_one_key_are_still_told_apart(storage):
    X = storage(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [5.0, 5.0]]))
    keys, weights = np.array([1.0, 1.0, 1.0, 0.0]), np.array([1.0, 2.0, 4.0, 8.0])
    chosen, masses = _distinct_rows.distinct_rows(X, weights, keys)
    assert chosen.tolist() == [3, 0, 1]
    assert masses.tolist() == [8.0, 1.0, 6.0]


# -- parameters are alive --------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"n_components": 6},
        {"encoder": "hard"},
        {"n_nonzero_coefs": 2},
        {"init": "data"},
        {"max_iter": 1},
        {"tol": 1.0},
        {"batch_size": 50},
        {"random_state": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_parameters_change_codes(X, change):
    base = {"n_components": 7, "n_nonzero_coefs": 3}
    before = dense(make(**base).fit_transform(X))
    after = dense(make(**(base | change)).fit_transform(X))
    assert before.shape != after.shape or np.abs(before - after).max() > 1e-3


def test_more_nonzeros_than_components_are_all(X):
    few = make(encoder="triangle").fit(X)
    many = make(encoder="triangle", n_nonzero_coefs=1000).fit(X)
    np.testing.assert_array_equal(many.transform(X).toarray(), few.transform(X))
    assert many.sparsity_ == few.sparsity_


def test_sparse_output_is_never_decided_by_the_data(X):
    """A code without a zero is still sparse, where the method may make zeros."""
    codes = make(1, encoder="hard").fit(X).transform(X)
    assert sp.issparse(codes)
    assert codes.nnz == len(X)
    assert isinstance(
        make().fit(sp.csr_array(X)).transform(sp.csr_array(X)), np.ndarray
    )


# -- codes back to samples --------------------------------------------------------


@every_coder
def test_inverse_transform(X, options):
    coder = make(**options).fit(X)
    codes = coder.transform(X)
    found = coder.inverse_transform(codes)
    np.testing.assert_allclose(found, coder.inverse_transform(dense(codes)), atol=1e-12)
    if coder.encoder == "hard":
        np.testing.assert_array_equal(found, coder.components_[coder.labels_])
    full = dense(codes).any(axis=1)
    shares = dense(codes)[full]
    if coder.encoder == "soft-threshold":
        expected = shortest_rows(shares, coder.components_, coder.threshold_)
    else:
        shares /= shares.sum(axis=1, keepdims=True)
        expected = shares @ coder.components_
    np.testing.assert_allclose(found[full], expected, atol=1e-8)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_an_empty_code_is_the_training_mean(X, storage):
    weights = np.linspace(0.0, 1.0, len(X))
    coder = make(tol=0.0).fit(X, sample_weight=weights)
    found = coder.inverse_transform(storage(np.zeros((2, 7))))
    mean = np.average(X, axis=0, weights=weights)
    np.testing.assert_allclose(found, [mean, mean], atol=1e-10)


def test_inverse_transform_refuses_what_is_no_code(X):
    coder = make().fit(X)
    with pytest.raises(ValueError, match="5 columns; transform gives 7"):
        coder.inverse_transform(X)
    with pytest.raises(ValueError, match=r"codes must be >= 0; got -1\.0"):
        coder.inverse_transform(-np.eye(7))


# -- bad and poor data --------------------------------------------------------------


def test_errors_name_the_parameter(X):
    with pytest.raises(ValueError, match=r"n_components=8 .*n_samples=5 .*\[1, 5\]"):
        make(8).fit(X[:5])
    weights = np.zeros(len(X))
    with pytest.raises(ValueError, match=r"sample_weight is zero|non-zero number"):
        make().fit(X, sample_weight=weights)
    weights[:3] = 1.0
    with pytest.raises(ValueError, match="n_samples=3 "):
        make().fit(X, sample_weight=weights)
    weights[0] = -1.0
    with pytest.raises(ValueError, match=r"[Nn]egative values"):
        make().fit(X, sample_weight=weights)
    with pytest.raises(ValueError, match=r"init has shape \(3, 5\).*\(7, 5\)"):
        make(init=X[:3]).fit(X)
    with pytest.raises(ValueError, match="init contains NaN"):
        make(init=np.full((7, 5), np.nan)).fit(X)
    with pytest.raises(ValueError, match=r"4 features.*5 features"):
        make().fit(X).transform(X[:, :4])
    with pytest.raises(ValueError, match="'encoder' parameter"):
        make(encoder="softmax").fit(X)
    with pytest.raises(ValueError, match="'threshold' parameter"):
        make(threshold=-1.0).fit(X)
    with pytest.raises(ValueError, match="'n_nonzero_coefs' parameter"):
        make(n_nonzero_coefs=0).fit(X)
    coder = make().fit(X).set_params(encoder="soft-threshold")
    with pytest.raises(ValueError, match="encoder='soft-threshold' was set after fit"):
        coder.transform(X)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("batch_size", [None, 10])
def test_fewer_distinct_rows_than_centroids(X, storage, batch_size):
    few = storage(np.tile(X[:3], (5, 1)))
    with pytest.warns(
        ConvergenceWarning, match=r"n_components=7.* 3 distinct"
    ) as found:
        coder = make(encoder="hard", batch_size=batch_size).fit(few)
    assert len(found) == 1
    assert found[0].filename == __file__
    assert coder.inertia_ == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(
        coder.inverse_transform(coder.transform(few)), dense(few), atol=1e-12
    )


def test_as_many_centroids_as_rows(X):
    coder = make(30, encoder="hard").fit(X[:30])
    assert coder.inertia_ <= 1e-24
    assert np.unique(coder.labels_).size == 30


@every_coder
@pytest.mark.parametrize("rows", ["zeros", "ones"])
def test_all_rows_the_same(options, rows):
    X = np.full((9, 4), float(rows == "ones"))
    coder = make(1, **options).fit(X)
    np.testing.assert_array_equal(coder.components_, X[:1])
    assert coder.inertia_ == 0.0
    assert np.isfinite(dense(coder.transform(X))).all()
    np.testing.assert_allclose(coder.inverse_transform(coder.transform(X)), X)


@every_coder
def test_rows_of_zeros_in_sparse_data(X, options):
    X[::3] = 0.0
    coder = make(**options).fit(X)
    found = dense(coder.transform(sp.csr_array(X)))
    np.testing.assert_allclose(found, dense(coder.transform(X)), atol=1e-9)


def test_nothing_passed_in_is_changed(X):
    init, weights = X[:7].copy(), np.ones(len(X))
    given = [X.copy(), init.copy(), weights.copy()]
    coder = make(init=init).fit(X, sample_weight=weights)
    codes = coder.transform(X)
    kept = codes.copy()
    coder.inverse_transform(codes)
    for now, before in zip([X, init, weights, codes], [*given, kept]):
        np.testing.assert_array_equal(now, before)


def test_an_interrupted_fit_leaves_the_last_state(X, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    coder, new = make().fit(X), make()
    before = pickle.dumps(coder)
    monkeypatch.setattr(module.solver, "code_lengths", interrupt)
    for victim in (coder.set_params(random_state=3), new):
        with pytest.raises(KeyboardInterrupt):
            victim.fit(X)
    assert pickle.dumps(coder.set_params(random_state=0)) == before
    with pytest.raises(NotFittedError):
        new.transform(X)


# -- among scikit-learn's tools -------------------------------------------------------


@every_coder
def test_copies_code_the_same(X, options, tmp_path):
    coder = make(**options).fit(X)
    codes = dense(coder.transform(X))
    path = tmp_path / "coder.joblib"
    joblib.dump(coder, path)
    copies = [pickle.loads(pickle.dumps(coder)), joblib.load(path, mmap_mode="r")]
    copies.append(clone(coder).fit(X))
    for copy in copies:
        np.testing.assert_array_equal(dense(copy.transform(X)), codes)


def test_skops_round_trip(X):
    skops = pytest.importorskip("skops.io")
    coder = make(n_nonzero_coefs=2).fit(X)
    data = skops.dumps(coder)
    unknown = skops.get_untrusted_types(data=data)
    assert unknown == ["sparselearn.cluster._kmeans_coder.KMeansCoder"]
    again = skops.loads(data, trusted=unknown)
    np.testing.assert_array_equal(
        again.transform(X).toarray(), coder.transform(X).toarray()
    )


@every_coder
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(X, options, library):
    pytest.importorskip(library)
    coder = make(**options).fit(X)
    codes = dense(coder.transform(X))
    with config_context(transform_output=library):
        frames = [coder.transform(X), coder.fit_transform(X)]
    frames.append(clone(coder.set_output(transform=library)).fit_transform(X))
    for frame in frames:
        assert type(frame).__module__.startswith(library)
        assert list(frame.columns) == [f"kmeanscoder{j}" for j in range(7)]
        np.testing.assert_array_equal(frame.to_numpy(), codes)
    coder.set_output(transform="default")
    assert sp.issparse(coder.transform(X)) == (options != {"encoder": "triangle"})


def test_feature_names(X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    coder = make().fit(frame)
    assert list(coder.feature_names_in_) == list("abcde")
    assert list(coder.get_feature_names_out()) == [f"kmeanscoder{j}" for j in range(7)]
    with pytest.raises(ValueError, match="feature names"):
        coder.transform(frame[["b", "a", "c", "d", "e"]])


def test_sample_weight_is_routed(X, rng):
    weights = rng.uniform(size=len(X))
    y = (X[:, 0] > 0).astype(int)
    with config_context(enable_metadata_routing=True):
        coder = make(n_nonzero_coefs=2).set_fit_request(sample_weight=True)
        model = make_pipeline(
            coder, LogisticRegression().set_fit_request(sample_weight=False)
        )
        model.fit(X, y, sample_weight=weights)
    expected = make(n_nonzero_coefs=2).fit(X, sample_weight=weights)
    np.testing.assert_array_equal(model[0].components_, expected.components_)


def only_few_rows(densify):
    def guarded(self, *args, **kwargs):
        assert min(self.shape) <= 3, "densified"
        return densify(self, *args, **kwargs)

    return guarded


@pytest.mark.parametrize("batch_size", [None, 20])
def test_text_stays_sparse(monkeypatch, batch_size):
    """No more rows than there are centroids are ever written out."""
    topics = ["apple pear plum", "iron zinc lead", "oak elm ash"]
    texts = [f"{topic} word{i}" for i in range(20) for topic in topics]
    words = TfidfVectorizer().fit_transform(texts)
    for kind in (sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix):
        for name in ("toarray", "todense"):
            monkeypatch.setattr(kind, name, only_few_rows(getattr(kind, name)))
    coder = make(3, encoder="soft-threshold", batch_size=batch_size).fit(words)
    labels = coder.predict(words)
    for topic in range(3):
        assert np.unique(labels[topic::3]).size == 1
    assert sp.issparse(coder.transform(words))
    assert coder.score(words) == pytest.approx(-coder.inertia_)


def test_grid_search_over_sparsity_on_digits():
    X, y = load_digits(return_X_y=True)
    model = Pipeline(
        [
            ("standardscaler", StandardScaler()),
            ("kmeanscoder", KMeansCoder(500, max_iter=20, random_state=0)),
            ("logisticregression", LogisticRegression(C=0.5, max_iter=200)),
        ]
    )
    search = GridSearchCV(
        model,
        {"kmeanscoder__n_nonzero_coefs": [16, 32, 64, 10000]},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        n_jobs=2,
        error_score="raise",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X, y)
    assert search.best_score_ >= 0.97
    coder = search.best_estimator_["kmeanscoder"]
    kept = search.best_params_["kmeanscoder__n_nonzero_coefs"]
    assert coder.n_nonzero_coefs_ <= kept
