"""Dictionaries of dask collections: rounds of chunks are batches in memory."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparselearn._solvers._coding import Atoms
from sparselearn._solvers._dictionary import AtomSet, Drawn, draw
from sparselearn._solvers._first_atoms import initial_atoms
from sparselearn.decomposition import (
    KSVD,
    DictionaryLearning,
    MiniBatchDictionaryLearning,
    SparseCoder,
)
from sparselearn.decomposition import _rounds as rounds
from sparselearn.decomposition._methods import make_coder
from tests import reference

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

N, P, K = 110, 6, 8
CODERS = {
    "lasso": {},
    "alpha": {"alpha": 0.05, "positive": True},
    "omp": {"method": "omp", "n_nonzero_coefs": 2},
    "threshold": {"method": "threshold", "n_nonzero_coefs": 3},
}
every_coder = pytest.mark.parametrize("options", CODERS.values(), ids=CODERS)


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def X(rng):
    return reference.planted_dictionary(rng, p=P, K=K, n=N, k=2, noise=0.05)[0]


def learner(**options):
    options = {"batch_size": 20, "max_iter": 3, "tol": 0.0, "random_state": 0} | options
    return MiniBatchDictionaryLearning(K, **options)


def chunked(X, rows=20):
    return da.from_array(X, chunks=(rows, *X.shape[1:]))


def delayed_chunks(parts, shape, meta):
    """A dask array of parts that are called for; `shape` has that of a part."""
    lazy = [dask.delayed(part, pure=False)() for part in parts]
    arrays = [da.from_delayed(one, shape, meta=meta) for one in lazy]
    return da.concatenate(arrays, allow_unknown_chunksizes=True)


def unknown(X):
    """A dask array that does not know how many rows its chunks have."""
    parts = [X[i : i + 20] for i in range(0, len(X), 20)]
    given = [lambda part=part: part for part in parts]
    return delayed_chunks(given, (np.nan, *X.shape[1:]), X[:0])


FIGURES = [
    "components_",
    "mean_",
    "objective_path_",
    "n_iter_",
    "n_replaced_",
    "atom_usage_",
    "n_nonzero_coefs_",
    "sparsity_",
    "objective_",
    "explained_variance_",
    "coherence_",
    "n_components_",
    "n_features_in_",
]


def assert_same(found, expected, atol=1e-8):
    for name in FIGURES:
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=atol, err_msg=name
        )
    assert found.components_.dtype == expected.components_.dtype
    names = [getattr(e, "feature_names_in_", None) for e in (found, expected)]
    np.testing.assert_array_equal(*names)


# -- rounds are batches ------------------------------------------------------------


@every_coder
@pytest.mark.parametrize("init", ["data", "k-means++"])
@pytest.mark.parametrize("rows", [20, 10, 7])
def test_a_fit_in_order_is_that_in_memory(X, rng, options, init, rows):
    """Rounds of one, two and three chunks are batches, drawn starts and all."""
    size = rows * -(-20 // rows)
    options = {"shuffle": False, "init": init, "batch_size": size, **options}
    weights = rng.random(N) + 0.1
    found = learner(**options).fit(chunked(X, rows), sample_weight=weights)
    expected = learner(**options).fit(X, sample_weight=weights)
    assert_same(found, expected)
    score = found.score(chunked(X, rows), sample_weight=chunked(weights, rows))
    assert score == pytest.approx(expected.score(X, sample_weight=weights), rel=1e-10)


def test_rows_without_a_weight_are_absent(X, rng):
    """Junk in each chunk, and a chunk of nothing else."""
    parts, weights = [], []
    for part in np.split(X, range(20, N, 20)):
        parts.append(np.vstack([part, rng.standard_normal((3, P))]))
        weights.append(np.r_[rng.random(len(part)) + 0.1, np.zeros(3)])
    parts.insert(2, rng.standard_normal((4, P)))
    weights.insert(2, np.zeros(4))
    sizes = tuple(map(len, parts))
    given = da.from_array(np.vstack(parts), chunks=(sizes, P))
    mass = np.concatenate(weights)
    options = {"shuffle": False, "max_iter": 2}
    for given_mass in [mass, da.from_array(mass, chunks=(sizes,))]:
        found = learner(**options).fit(given, sample_weight=given_mass)
        expected = learner(**options).fit(X, sample_weight=mass[mass > 0.0])
        assert_same(found, expected)


@every_coder
def test_a_chain_of_collections_and_arrays(X, options):
    found, expected = learner(**options), learner(**options)
    for rows, of in [
        (slice(0, 60), chunked),
        (slice(60, 75), np.asarray),
        (slice(75, N), chunked),
    ]:
        found = pickle.loads(pickle.dumps(found)).partial_fit(of(X[rows]))
        expected.partial_fit(X[rows])
        assert_same(found, expected)
    assert found._online.n_seen == N


def test_fit_goes_on_by_partial_fit(X):
    found = learner(shuffle=False).fit(chunked(X)).partial_fit(chunked(X[:40]))
    expected = learner(shuffle=False).fit(X).partial_fit(X[:40])
    assert_same(found, expected)


def test_each_pass_has_an_order_of_its_own(X, rng):
    """A pass is one in memory over the chunks in an order that the seed decides."""
    options = {"init": rng.standard_normal((K, P)), "batch_size": 40, "max_iter": 1}
    state = learner(**options)._new_state(None, P, np.random.RandomState(0))
    chunks, order = np.split(X, range(20, N, 20)), np.arange(6)
    state.random_state.shuffle(order)
    coder = make_coder(SparseCoder(method="lasso"))
    for numbers in np.split(order, 3):
        rows = np.vstack([chunks[n] for n in numbers])
        state.batch_size = len(rows)
        batch = rows, np.arange(len(rows)), np.ones(len(rows))
        list(state.learn(*batch, rounds.batch_encoder(coder, map)))
    found = learner(**options).fit(chunked(X))
    cosines = np.abs(found.components_ @ state.atoms.T)
    np.testing.assert_allclose(cosines.max(axis=1), 1.0, atol=1e-8)
    again = learner(**options).fit(chunked(X))
    np.testing.assert_array_equal(found.components_, again.components_)


@pytest.mark.parametrize("missing", [False, True])
def test_atoms_that_are_replaced_are_those_in_memory(X, rng, missing):
    """Twins among the first atoms give way to badly coded samples, filled in."""
    init = np.repeat(rng.standard_normal((2, P)), 4, axis=0)
    options = {"init": init, "shuffle": False, "method": "omp", "n_nonzero_coefs": 2}
    if missing:
        X[rng.random(X.shape) < 0.15] = np.nan
        coder = SparseCoder(method="omp", n_nonzero_coefs=2, missing="mask")
        options = {"init": init, "shuffle": False, "coder": coder}
    found = learner(**options).fit(chunked(X, 10))
    assert_same(found, learner(**options).fit(X))
    assert found.n_replaced_ > 0
    assert found.score(chunked(X, 7)) == pytest.approx(found.score(X), rel=1e-10)


def test_it_stops_where_the_fit_in_memory_does(X):
    options = {"shuffle": False, "tol": 1e-2, "max_iter": 100}
    found = learner(**options).fit(chunked(X))
    assert_same(found, learner(**options).fit(X))
    assert found.n_iter_ < 100
    late = learner(max_time=1e-9, max_iter=100).fit(chunked(X))
    assert late.n_iter_ == 1
    assert late._online.n_seen == 20  # after one round


def test_singular_vectors_of_drawn_samples(X):
    """Of fewer than a thousand samples all are drawn."""
    rows = rounds.RowsElsewhere(learner(), chunked(X), None, reset=True)
    random_state = np.random.RandomState(0)
    atoms = initial_atoms(rows, 4, "svd", AtomSet(), random_state)
    vectors = np.linalg.svd(X)[2][:4]
    np.testing.assert_allclose(np.abs(np.sum(atoms * vectors, axis=1)), 1.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_drawn_of_parts_is_what_is_drawn_of_all(rng, weighted):
    mass = rng.random(50) + 0.1 if weighted else np.ones(50)
    together, apart = np.random.RandomState(3), np.random.RandomState(3)
    found = None
    for first, last in [(0, 7), (7, 8), (8, 33), (33, 50)]:
        part = Drawn.of(mass[first:last], 9, apart, largest=mass.max(), first=first)
        found = part if found is None else found + part
    np.testing.assert_array_equal(found.places, draw(mass, 9, together))


# -- chunks of all kinds -----------------------------------------------------------

KINDS = {
    "unknown": unknown,
    "columns too": lambda X: da.from_array(X, chunks=(20, 4)),
    "empty": lambda X: da.concatenate([chunked(X[:0]), chunked(X)]),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_chunks_of_all_kinds(X, kind):
    found = learner(shuffle=False).fit(kind(X))
    assert_same(found, learner(shuffle=False).fit(X))


def test_single_rows(X):
    options = {"shuffle": False, "batch_size": 11, "max_iter": 1}
    found = learner(**options).fit(da.from_array(X[:22], chunks=(1, P)))
    assert_same(found, learner(**options).fit(X[:22]))


def test_sparse_chunks_stay_sparse(X, monkeypatch):
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    parts = [lambda i=i: sp.csr_array(X[i : i + 22]) for i in range(0, N, 22)]
    lazy = delayed_chunks(parts, (22, P), sp.csr_array((0, P)))
    options = {"shuffle": False, "batch_size": 22}
    found = learner(**options).fit(lazy)
    assert_same(found, learner(**options).fit(sp.csr_array(X)))
    assert found.score(lazy) == pytest.approx(found.score(X), rel=1e-10)


def test_frames_keep_their_names(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frames = dd.from_pandas(frame, chunksize=22)
    options = {"shuffle": False, "batch_size": 22}
    for method in ["fit", "partial_fit"]:
        found = getattr(learner(**options), method)(frames)
        assert_same(found, getattr(learner(**options), method)(frame))
        assert list(found.feature_names_in_) == list("abcdef")
    before = pickle.dumps(found)
    with pytest.raises(ValueError, match=r"In chunk \d: .*feature names"):
        found.partial_fit(dd.from_pandas(frame[list("abcdfe")], chunksize=22))
    assert pickle.dumps(found) == before
    assert not hasattr(found.fit(chunked(X)), "feature_names_in_")


def test_the_dtype_is_kept(X):
    single = chunked(X.astype(np.float32))
    found = learner(shuffle=False).fit(single)
    assert found.components_.dtype == found.transform(single).dtype == np.float32
    expected = learner(shuffle=False).fit(X.astype(np.float32))
    assert_same(found, expected, atol=1e-5)


def test_codes_are_made_when_asked_for(X):
    lazy = learner(n_nonzero_coefs=2).fit_transform(chunked(X))
    assert isinstance(lazy, da.Array)
    expected = learner(n_nonzero_coefs=2).fit(chunked(X)).transform(X)
    np.testing.assert_allclose(lazy.compute().toarray(), expected.toarray())


# -- what is read, and where -------------------------------------------------------


def test_a_round_reads_its_chunks_alone_and_once(X, rng):
    """Each chunk is read once a pass, once before and once after."""
    reads = []

    def part(k):
        reads.append(k)
        return X[20 * k : 20 * k + 20]

    parts = [lambda k=k: part(k) for k in range(5)]
    options = {"init": rng.standard_normal((K, P)), "max_iter": 3, "shuffle": False}
    model = learner(**options).fit(delayed_chunks(parts, (20, P), X[:0]))
    assert model.n_replaced_ == 0
    assert reads[5:20] == [*range(5)] * 3
    assert sorted(reads) == sorted([*range(5)] * 5)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_bits_depend_neither_on_threads_nor_on_the_scheduler(X, n_jobs):
    expected = learner(batch_size=40).fit(chunked(X))
    with dask.config.set(scheduler="threads", num_workers=2):
        found = learner(batch_size=40, n_jobs=n_jobs).fit(chunked(X))
    for name in FIGURES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_atoms_that_were_sent_are_aligned(rng):
    atoms = Atoms(rng.standard_normal((9, P)))
    gram = atoms.gram
    sent = pickle.loads(pickle.dumps(atoms))
    assert "gram" in vars(sent)
    assert sent.gram.ctypes.data % 64 == 0
    np.testing.assert_array_equal(sent.gram, gram)


# -- errors ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_error_names_the_chunk_and_changes_nothing(X, method):
    model, new = learner().fit(X), learner()
    before, unfitted = pickle.dumps(model), pickle.dumps(new)
    X[85, 2] = np.nan
    for estimator in [model, new]:
        with pytest.raises(ValueError, match=r"In chunk 4: .*NaN"):
            getattr(estimator, method)(chunked(X))
        with pytest.raises(ValueError, match="no rows"):
            getattr(estimator, method)(chunked(X[:0]))
        with pytest.raises(ValueError, match=r"(?i)weight"):
            getattr(estimator, method)(chunked(X[:80]), sample_weight=np.zeros(80))
    assert pickle.dumps(model) == before
    assert pickle.dumps(new) == unfitted


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interrupt_leaves_the_last_good_state(X, method, monkeypatch):
    model = learner().fit(X)
    before = pickle.dumps(model)
    whole = rounds.code_rows

    def interrupted(rows, *args):
        if rows[0, 0] == X[60, 0]:
            raise KeyboardInterrupt
        return whole(rows, *args)

    monkeypatch.setattr(rounds, "code_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(chunked(X))
    assert pickle.dumps(model) == before


def test_chunks_of_other_features_are_told(X):
    parts = [lambda: X[:20], lambda: X[20:40, :5]]
    odd = delayed_chunks(parts, (20, P), X[:0])
    with pytest.raises(ValueError, match=r"numbers of features: chunk 0 .*6.*chunk 1"):
        learner().fit(odd)
    with pytest.raises(ValueError, match=r"In chunk \d: X has 5 features.*6"):
        learner().fit(X).partial_fit(chunked(X[:, :5]))


@pytest.mark.parametrize("estimator", [DictionaryLearning(), KSVD()], ids=repr)
def test_batch_learners_say_who_learns_from_chunks(X, estimator):
    with pytest.raises(TypeError, match=r"MiniBatchDictionaryLearning"):
        estimator.fit(chunked(X))
    with pytest.raises(TypeError, match=r"transform then takes all"):
        SparseCoder(X[:5]).fit(chunked(X))


def test_warns_once_at_who_called(X):
    with pytest.warns(ConvergenceWarning, match="All codes are zero") as caught:
        learner(alpha=1e6).fit(chunked(X))
    with pytest.warns(ConvergenceWarning, match="All codes are zero") as more:
        learner(alpha=1e6).partial_fit(chunked(X))
    with pytest.warns(ConvergenceWarning, match="max_iter=2") as late:
        learner(tol=1e-12, max_iter=2).fit(chunked(X))
    coder = SparseCoder(X[:9], method="lasso", alpha=1e-3, max_iter=1).fit(X[:1])
    with pytest.warns(ConvergenceWarning, match=r"codes of \d+ of 110") as missed:
        coder.score(chunked(X))
    for record in [caught, more, late, missed]:
        assert [w.filename for w in record] == [__file__]


def test_held_out_entries_are_in_memory(X):
    with pytest.raises(ValueError, match=r"held_out needs X in memory"):
        learner().fit(X).score(chunked(X), held_out=np.ones(X.shape, dtype=bool))
