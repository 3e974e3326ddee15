"""Laws of KMeansCoder."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from kmeans_cases import dense, every_coder, is_dense, make
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn._solvers import _batches, _distinct_rows, _maps
from sparselearn.cluster import KMeansCoder, _coding, _learning


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

    map_chunks = _coding.map_chunks
    monkeypatch.setattr(_coding, "map_chunks", spy)
    make(n_jobs=2).fit(X).transform(X)
    assert asked
    assert set(asked) == {2}


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
    if "threshold" in options:
        options = options | {"threshold": options["threshold"] * scale}
    scaled = make(**options).fit(scale * X)
    largest = np.abs(plain.components_).max()
    unit = scale if plain.whiten or not plain.spherical else 1.0
    np.testing.assert_allclose(
        scaled.components_ / unit, plain.components_, rtol=0, atol=1e-11 * largest
    )
    unit = 1.0 if plain.encoder in ("hard", "llc") or plain.whiten else scale
    np.testing.assert_allclose(
        dense(scaled.transform(scale * X)) / unit,
        dense(plain.transform(X)),
        rtol=0,
        atol=1e-10,
    )


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
        {"spherical": True},
        {"n_nonzero_coefs": 2},
        {"whiten": "zca"},
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


def test_parameters_of_some_codes_change_them(X):
    soft = {"encoder": "soft-threshold", "whiten": "pca"}
    before = make(**soft).fit_transform(X).toarray()
    for change in ({"threshold": 1.0}, {"whiten_eps": 1.0}, {"split_sign": True}):
        after = make(**soft | change).fit_transform(X).toarray()
        assert before.shape != after.shape or np.abs(before - after).max() > 1e-3
    assert isinstance(make(**soft, sparse_output=False).fit_transform(X), np.ndarray)


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
    with pytest.raises(ValueError, match=r"'llc'.*spherical=True.*spherical=False"):
        make(encoder="llc", spherical=True).fit(X)
    for encoder in ("hard", "triangle"):
        match = f"split_sign=True.*encoder='{encoder}'.*spherical=False"
        with pytest.raises(ValueError, match=match):
            make(encoder=encoder, split_sign=True).fit(X)
    with pytest.raises(ValueError, match="'whiten' parameter"):
        make(whiten="white").fit(X)
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
    if not coder.spherical:
        np.testing.assert_array_equal(coder.components_, X[:1])
    assert coder.inertia_ <= 1e-28
    codes = coder.transform(X)
    assert np.isfinite(dense(codes)).all()
    found = coder.inverse_transform(codes)
    if coder.encoder == "triangle" and coder.spherical and not coder.whiten:
        X = np.zeros_like(X)  # the one line is no nearer than the mean one
    np.testing.assert_allclose(found, X, atol=1e-12)


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
    def interrupt(rows, coding):
        raise KeyboardInterrupt

    coder, new = make().fit(X), make()
    before = pickle.dumps(coder)
    monkeypatch.setattr(_coding.solver, "code_lengths", interrupt)
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
    codes, names = dense(coder.transform(X)), coder.get_feature_names_out()
    assert len(names) == codes.shape[1]
    with config_context(transform_output=library):
        frames = [coder.transform(X), coder.fit_transform(X)]
    frames.append(clone(coder.set_output(transform=library)).fit_transform(X))
    for frame in frames:
        assert type(frame).__module__.startswith(library)
        assert list(frame.columns) == list(names)
        np.testing.assert_array_equal(frame.to_numpy(), codes)
    coder.set_output(transform="default")
    assert sp.issparse(coder.transform(X)) == (not is_dense(options))


def test_feature_names(X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcde"))
    coder = make().fit(frame)
    assert list(coder.feature_names_in_) == list("abcde")
    names = [f"kmeanscoder{j}" for j in range(7)]
    assert list(coder.get_feature_names_out()) == names
    coder = make(encoder="topk", split_sign=True).fit(frame)
    both = [f"{name}_{sign}" for sign in ("positive", "negative") for name in names]
    assert list(coder.get_feature_names_out()) == both
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
    X, y = (data[:900] for data in load_digits(return_X_y=True))
    model = Pipeline(
        [
            ("standardscaler", StandardScaler()),
            ("kmeanscoder", KMeansCoder(100, max_iter=10, random_state=0)),
            ("ridgeclassifier", RidgeClassifier(10.0)),
        ]
    )
    search = GridSearchCV(
        model,
        {"kmeanscoder__n_nonzero_coefs": [8, 32, 10000]},
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
        n_jobs=2,
        error_score="raise",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.fit(X, y)
    assert search.best_score_ >= 0.93
    coder = search.best_estimator_["kmeanscoder"]
    kept = search.best_params_["kmeanscoder__n_nonzero_coefs"]
    assert coder.n_nonzero_coefs_ <= kept


# -- memory maps too large to be copied -------------------------------------------


@pytest.fixture
def mapped(X, tmp_path, monkeypatch):
    """A map of rows, some of them twice, that counts as large."""
    monkeypatch.setattr(_maps, "LARGEST_COPY", 100)
    return memmap(np.concatenate([X, X[:20], X[5:9]]), tmp_path)


@every_coder
def test_a_large_map_is_learned_from_where_it_lies(mapped, options):
    coder = make(**options)
    weights = np.tile([0.0, 1.0, 2.0], len(mapped))[: len(mapped)]
    for own in (None, weights):
        expected = clone(coder).fit(np.array(mapped), sample_weight=own)
        found = clone(coder).fit(mapped, sample_weight=own)
        np.testing.assert_allclose(
            found.components_, expected.components_, rtol=1e-9, atol=1e-9
        )
        np.testing.assert_array_equal(found.labels_, expected.labels_)
        assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-9)
        np.testing.assert_allclose(
            dense(found.transform(mapped)),
            dense(expected.transform(np.array(mapped))),
            atol=1e-9,
        )


def test_a_large_map_in_columns_is_turned(mapped, tmp_path):
    path = tmp_path / "F.npy"
    np.save(path, np.asfortranarray(mapped))
    coder = make()
    expected = clone(coder).fit(mapped)
    found = clone(coder).fit(np.load(path, mmap_mode="r"))
    np.testing.assert_array_equal(found.components_, expected.components_)


def test_batches_of_a_large_map_are_of_neighbours(rng, mapped, tmp_path, monkeypatch):
    asked = []

    class Watched(_maps.ChosenRows):
        def __getitem__(self, rows):
            asked.append(rows)
            return super().__getitem__(rows)

    monkeypatch.setattr(_learning, "ChosenRows", Watched)
    monkeypatch.setattr(_learning, "BLOCK", 4)
    monkeypatch.setattr(_batches, "MIXED", 2)
    X = memmap(rng.standard_normal((64, 5)), tmp_path)
    make(batch_size=8, max_iter=2, tol=0.0).fit(X)
    batches = [rows for rows in asked if isinstance(rows, np.ndarray)]
    assert len(batches) == 16
    # Of two blocks of four rows each, and each pass of all of them.
    assert all(np.count_nonzero(np.diff(rows) != 1) <= 1 for rows in batches)
    for k in (0, 8):
        rows = np.concatenate(batches[k : k + 8])
        np.testing.assert_array_equal(np.sort(rows), np.arange(64))
        assert np.any(np.diff(rows) < 0)


def test_a_large_map_starts_from_some_of_its_rows(mapped, monkeypatch):
    monkeypatch.setattr(_learning, "STARTERS", 4)
    monkeypatch.setattr(_learning, "STARTING_NUMBERS", 0)
    seen = []

    def start(X, weights, *args, **options):
        seen.append((X.shape, weights.size))
        return initial_centroids(X, weights, *args, **options)

    initial_centroids = _learning.initial_centroids
    monkeypatch.setattr(_learning, "initial_centroids", start)
    coder = make(n_components=3).fit(mapped)
    assert seen == [((12, mapped.shape[1]), 12)]
    assert coder.counts_.sum() == len(mapped)
