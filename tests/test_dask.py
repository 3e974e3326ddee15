"""Whatever has been fitted encodes and predicts the chunks of a dask collection."""

import time
import weakref

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn import _dask
from sparselearn._dask import chunks_of, folded, reduced, starts_of, stream
from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import (
    DiscriminativeDictionaryLearning,
    MiniBatchDictionaryLearning,
)
from sparselearn.feature_extraction import ZCAWhitening
from sparselearn.linear_model import (
    Lasso,
    SparseHuberRegressor,
    SparseLogisticRegression,
    SparsePoissonRegressor,
)
from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.pruning import Pruner

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

ESTIMATORS = {
    KMeansCoder(4, n_nonzero_coefs=2, random_state=0): ["transform", "predict"],
    KMeansCoder(4, encoder="triangle", random_state=0): ["transform"],
    MiniBatchDictionaryLearning(4, n_nonzero_coefs=2, tol=1.0, random_state=0): [
        "transform"
    ],
    DiscriminativeDictionaryLearning(4, alpha=0.1, max_iter=2, random_state=0): [
        "predict",
        "decision_function",
    ],
    ZCAWhitening(): ["transform", "inverse_transform"],
    SparseAutoencoder(4, n_nonzero_coefs=2, max_iter=2, random_state=0): [
        "transform",
        "score_samples",
    ],
    SparseMLPClassifier((3,), max_iter=2, tol=1e9, random_state=0): [
        "predict",
        "predict_proba",
    ],
    SparseMLPRegressor((3,), max_iter=2, tol=1e9, random_state=0): ["predict"],
    SparseLogisticRegression(0.01): [
        "predict",
        "decision_function",
        "predict_proba",
        "predict_log_proba",
    ],
    SparsePoissonRegressor(0.1): ["predict"],
    SparseHuberRegressor(0.1): ["predict"],
}


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def seen(X, note=None):
    return [(float(X[0, 0]), note)]


@pytest.mark.parametrize("made", ["array", "sums", "frame"])
def test_each_chunk_has_its_part_of_the_graph_alone(made):
    """What is sent for a chunk does not grow with how many others there are."""
    sizes = []
    for n_chunks in (4, 40):
        X = da.from_array(np.arange(2.0 * n_chunks).reshape(-1, 1), chunks=(2, 1))
        if made == "sums":
            X = X + X.sum() * da.ones_like(X)
        if made == "frame":
            X = dd.from_pandas(pd.DataFrame(X.compute()), npartitions=n_chunks)
        parts = [part for part, _ in _dask.chunks_of(X, None)]
        sizes.append([len(part.dask) for part in parts])
        found = np.vstack(dask.compute(*parts))
        np.testing.assert_array_equal(found, np.asarray(X.compute()))
    few, many = sizes
    if made == "sums":  # what each depends on goes with it
        assert min(many) > 40
    else:
        assert max(many) == max(few) < 4


def test_what_stays_beside_chunks_is_made_once():
    made = []

    def both(X):
        made.append(X[0])
        return (X.sum(), X[:1]) if X[0] else None

    make = dask.delayed(lambda k: np.full(2, k), pure=False)
    chunks = [(make(k),) for k in (0, 1, 2, 3)]
    total, kept = _dask.reduced(both, chunks, order=[3, 0, 1], beside=True)
    assert total == 8
    assert sorted(made) == [0, 1, 3]
    left = [None if part is None else part.tolist() for part in _dask.brought(kept)]
    assert left == [[3], None, [1]]
    assert len(made) == 3


def test_a_sum_of_some_chunks_reads_no_others():
    """Chunk k is of rows of k; the one that may not be read is its last."""

    def made(k):
        assert k < 3
        return np.full((2, 1), float(k))

    make = dask.delayed(made, pure=False)
    chunks = [(make(k),) for k in range(4)]
    notes = {0: "a", 1: "b", 2: "c"}
    found = _dask.reduced(seen, chunks, notes, order=np.array([2, 0, 1]))
    assert found == [(2.0, "c"), (0.0, "a"), (1.0, "b")]
    assert _dask.reduced(seen, chunks, order=[1]) == [(1.0, None)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 6)).astype(np.float32)
    return X, np.arange(50) % 3


CASES = [(e, method) for e, methods in ESTIMATORS.items() for method in methods]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("estimator", "method"), CASES, ids=lambda v: str(v)[:40])
def test_chunk_by_chunk_is_all_at_once(data, estimator, method):
    X, y = data
    call = getattr(estimator.fit(X, y), method)
    expected = call(X)
    chunks = da.concatenate([da.from_array(X[:0]), da.from_array(X, chunks=(17, 4))])
    lazy = call(chunks)
    assert isinstance(lazy, da.Array)
    assert lazy.shape == expected.shape
    assert lazy.dtype == expected.dtype
    found = lazy.compute()
    assert type(found) is type(expected) is type(lazy._meta)
    if sp.issparse(found):
        found, expected = found.toarray(), expected.toarray()
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    else:
        np.testing.assert_array_equal(found, expected)


def test_frames_go_in_with_their_names(data):
    X, _ = data
    frame = pd.DataFrame(X, columns=list("abcdef"))
    coder = KMeansCoder(4, n_nonzero_coefs=2, random_state=0).fit(frame)
    lazy = coder.transform(dd.from_pandas(frame, npartitions=3))
    assert type(lazy._meta) is sp.csr_array
    expected = coder.transform(frame).toarray()
    np.testing.assert_allclose(lazy.compute().toarray(), expected)
    wrong = dd.from_pandas(frame[list("abcdeg")[:5]], npartitions=3)
    with pytest.raises(ValueError, match="feature names"):
        coder.transform(wrong)


def test_codes_go_on_to_a_model_without_being_here(data):
    """A lazy matrix of codes is what another model fits to."""
    X, _ = data
    coder = KMeansCoder(4, n_nonzero_coefs=2, random_state=0).fit(X)
    chunks = da.from_array(X, chunks=(20, 6))
    target = X[:, 0].astype(np.float64)
    model = Lasso(1e-3, tol=1e-13)
    found = model.fit(coder.transform(chunks), da.from_array(target, chunks=20)).coef_
    expected = Lasso(1e-3, tol=1e-13).fit(coder.transform(X), target).coef_
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_data_frames_are_not_made_of_a_collection(data):
    X, _ = data
    coder = KMeansCoder(4, random_state=0).fit(X).set_output(transform="pandas")
    with pytest.raises(TypeError, match=r"KMeansCoder.*set_output"):
        coder.transform(da.from_array(X, chunks=(20, 6)))


def in_parts(data):
    """The same rows, the numbers in chunks known and unknown; one chunk is empty."""
    X, _ = data
    known = da.from_array(X, chunks=((0, 17, 17, 16), (4, 2)))
    frames = dd.from_pandas(pd.DataFrame(X), npartitions=4)
    return [known, frames, frames.to_dask_array()]


def test_rows_are_numbered_whether_their_chunks_are_counted_or_not(data):
    X, _ = data

    def placed(rows, note):
        found = np.zeros(X.shape)
        found[note : note + len(rows)] = rows
        return found

    for parts in in_parts(data):
        chunks = chunks_of(parts)
        found = reduced(placed, chunks, starts_of(parts, chunks))
        np.testing.assert_array_equal(found, X)


def test_a_fold_goes_from_chunk_to_chunk_in_order(data):
    X, _ = data
    parts = da.from_array(X, chunks=((0, 17, 17, 16), 6))

    def last(seen, rows):
        return None if len(rows) < 17 else [*seen, float(rows[0, 0])]

    expected = X[[17, 0], 0].tolist()
    assert folded(last, [], chunks_of(parts), [3, 2, 0, 1]) == expected
    assert folded(last, [], chunks_of(parts)) == expected[::-1]
    with pytest.raises(ValueError, match="no rows"):
        folded(last, [], chunks_of(parts[:0]))

    def refuse(seen, rows):
        raise ValueError("of a kind.")

    with pytest.raises(ValueError, match=r"In chunk 2: of a kind"):
        folded(refuse, [], chunks_of(parts), [2])


def total(X, y, *, note=0):
    """Of the sums of both and a note, in a list, so that order is seen."""
    return [float(X.sum() + y.sum() + note)]


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_a_function_is_told_of_its_chunk(scheduler):
    X, y = np.arange(12.0).reshape(6, 2), 100.0 * np.arange(6)
    chunks = chunks_of(da.from_array(X, chunks=((2, 0, 3, 1), 1)), y)
    notes = [1000.0, 2000.0, 3000.0, 4000.0]
    sums = [6.0 + 100.0, None, 39.0 + 900.0, 21.0 + 500.0]
    with dask.config.set(scheduler=scheduler):
        assert reduced(total, chunks) == [sums[0], sums[2], sums[3]]
        told = reduced(total, chunks, notes)
        assert told == [1106.0, 3939.0, 4521.0]
        found = list(stream(total, chunks, [3, 1, 0, 2, 2], notes))
    assert found == [[4521.0], [1106.0], [3939.0], [3939.0]]


class Counted(np.ndarray):
    """An array that weak references may count."""


def test_two_chunks_of_a_stream_are_here():
    loaded = []

    @dask.delayed
    def load(number):
        found = np.full((3, 2), float(number)).view(Counted)
        loaded.append(weakref.ref(found))
        return found

    def alive():
        return [found for found in loaded if found() is not None]

    parts = [da.from_delayed(load(n), (3, 2), dtype=float) for n in range(6)]
    chunks = chunks_of(da.concatenate(parts))
    number = -1
    for found in stream(lambda X: X, chunks, range(6)):
        number += 1
        assert (np.asarray(found) == number).all()
        del found
        # That was let go, and another one is on its way, or here.
        assert len(alive()) <= 1
        while len(loaded) < min(number + 2, 6):
            time.sleep(0.001)
        assert len(alive()) <= 1
    assert number == 5 == len(loaded) - 1


def test_an_error_in_a_stream_names_the_chunk():
    def refuse(X):
        if X[0, 0] == 2.0:
            raise ValueError("no twos")
        return X

    X = np.repeat(np.arange(4.0), 3)[:, None]
    chunks = chunks_of(da.from_array(X, chunks=(3, 1)))
    arriving = stream(refuse, chunks, [3, 2, 1])
    assert next(arriving)[0, 0] == 3.0
    with pytest.raises(ValueError, match="In chunk 2: no twos"):
        next(arriving)


@pytest.mark.parametrize(
    "estimator",
    [
        SparseHuberRegressor(0.1),
        Pruner(Ridge(), criterion="magnitude", sparsity=0.5, refit="none"),
        Pruner(LogisticRegression(), criterion="magnitude", sparsity=0.5, refit="none"),
        Pruner(Lasso(1e-3), criterion="magnitude", sparsity=0.5, refit="none"),
    ],
    ids=lambda estimator: str(estimator)[:35],
)
def test_a_score_by_sums_is_that_of_all_rows(data, estimator):
    X, y = data
    chunked = da.from_array(X, chunks=(17, 6)), da.from_array(y, chunks=17)
    weights = np.linspace(0.5, 1.5, 50)
    model = estimator.fit(X, y)
    found = model.score(*chunked, sample_weight=weights)
    assert found == pytest.approx(model.score(X, y, sample_weight=weights), rel=1e-6)


def test_a_pruned_pipeline_is_scored_in_memory(data):
    X, y = data
    inner = make_pipeline(StandardScaler(), Ridge())
    model = Pruner(inner, criterion="magnitude", sparsity=0.5, refit="none").fit(X, y)
    with pytest.raises(TypeError, match=r"Pruner needs these rows in memory"):
        model.score(da.from_array(X), da.from_array(y))
