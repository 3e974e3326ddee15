"""Dask collections: sums of chunks where they lie, and predictions when asked for."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import sparse_regression
from sklearn.base import clone

from sparselearn._dask import chunks_of, reduced
from sparselearn.linear_model import (
    ElasticNet,
    GroupLasso,
    Lasso,
    SparsePoissonRegressor,
)
from sparselearn.linear_model._deviance import DevianceSums

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

TIGHT = {"tol": 1e-14}
MODELS = [
    Lasso(0.05, **TIGHT),
    ElasticNet(0.05, fit_intercept=False, **TIGHT),
    GroupLasso(0.05, groups=3, refit_support="ols", **TIGHT),
]
each_model = pytest.mark.parametrize("model", MODELS, ids=repr)


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 60, 12)
    return X, y + 3.0, rng.uniform(0.5, 2.0, 60)


def unknown(X):
    """A dask array that does not know how many rows its chunks have."""
    frame = dd.from_pandas(pd.DataFrame(np.asarray(X)), npartitions=4)
    return frame.to_dask_array()


CHUNKS = {
    "rows": lambda X: da.from_array(X, chunks=(7, *X.shape[1:])),
    "single rows": lambda X: da.from_array(X, chunks=((1,) * 60, *X.shape[1:])),
    "columns too": lambda X: da.from_array(X, chunks=(20, *(5,) * (X.ndim - 1))),
    "empty": lambda X: da.from_array(X, chunks=((0, 9, 0, 51), *X.shape[1:])),
    "unknown": lambda X: unknown(X) if X.ndim > 1 else unknown(X)[:, 0],
}


def assert_same_model(found, expected):
    for name in ("coef_", "intercept_", "objective_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-9, err_msg=name
        )
    assert found.n_features_in_ == expected.n_features_in_


@each_model
@pytest.mark.parametrize("chunked", CHUNKS.values(), ids=CHUNKS)
def test_a_fit_is_that_of_all_rows(data, model, chunked):
    X, y, weights = data
    found = clone(model).fit(*map(chunked, (X, y)), sample_weight=chunked(weights))
    expected = clone(model).fit(X, y, sample_weight=weights)
    assert_same_model(found, expected)
    lazy = found.predict(chunked(X))
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), expected.predict(X), atol=1e-9)
    score = found.score(*map(chunked, (X, y)), sample_weight=chunked(weights))
    np.testing.assert_allclose(score, expected.score(X, y, sample_weight=weights))


def test_y_may_be_here_if_rows_are_counted(data):
    X, y, weights = data
    chunked = CHUNKS["rows"](X)
    found = Lasso(0.05, **TIGHT).fit(chunked, y, sample_weight=weights)
    assert_same_model(found, Lasso(0.05, **TIGHT).fit(X, y, sample_weight=weights))
    with pytest.raises(ValueError, match=r"60 rows.*59"):
        Lasso().fit(chunked, y[1:])
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        Lasso().fit(CHUNKS["unknown"](X), y)


def test_y_in_other_chunks_is_brought_to_those_of_X(data):
    X, y, _ = data
    found = Lasso(0.05, **TIGHT).fit(CHUNKS["rows"](X), da.from_array(y, chunks=11))
    assert_same_model(found, Lasso(0.05, **TIGHT).fit(X, y))
    with pytest.raises(ValueError, match=r"60 rows.*59"):
        Lasso().fit(CHUNKS["rows"](X), da.from_array(y[1:], chunks=11))


def test_frames_keep_their_names(data):
    X, y, _ = data
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(12)])
    frames = dd.from_pandas(frame, npartitions=3)
    targets = dd.from_pandas(pd.Series(y), npartitions=3)
    found = Lasso(0.05, **TIGHT).fit(frames, targets)
    expected = Lasso(0.05, **TIGHT).fit(frame, y)
    assert_same_model(found, expected)
    np.testing.assert_array_equal(found.feature_names_in_, frame.columns)
    predicted = found.predict(frames).compute()
    np.testing.assert_allclose(predicted, expected.predict(frame))


def test_several_targets(data):
    X, y, _ = data
    Y = np.column_stack([y, X[:, 1]])
    chunked = CHUNKS["rows"]
    found = Lasso(0.05, **TIGHT).fit(chunked(X), chunked(Y))
    expected = Lasso(0.05, **TIGHT).fit(X, Y)
    assert_same_model(found, expected)
    assert found.predict(chunked(X)).shape == (60, 2)
    score = found.score(chunked(X), chunked(Y))
    np.testing.assert_allclose(score, expected.score(X, Y))


def test_a_chain_of_collections_and_arrays(data):
    X, y, _ = data
    model = Lasso(0.05, **TIGHT).partial_fit(*map(CHUNKS["rows"], (X, y)))
    model.partial_fit(X[:10], y[:10])
    model.partial_fit(da.from_array(X[10:20]), da.from_array(y[10:20]))
    twice = np.r_[0:60, 0:20]
    assert_same_model(model, Lasso(0.05, **TIGHT).fit(X[twice], y[twice]))
    assert model.n_samples_seen_ == 80


def test_a_prediction_has_the_dtype_of_its_chunks(data):
    X, y, _ = data
    model = Lasso(0.05).fit(X.astype(np.float32), y.astype(np.float32))
    lazy = model.predict(CHUNKS["rows"](X.astype(np.float32)))
    assert lazy.dtype == lazy.compute().dtype == np.float32
    assert lazy.chunks == ((7,) * 8 + (4,),)


def test_sparse_chunks(data):
    X, y, _ = data
    chunks = [sp.csr_array(X[:25]), sp.csr_array(X[25:])]
    lazy = da.concatenate(
        [
            da.from_delayed(dask.delayed(c), c.shape, meta=sp.csr_array((0, 12)))
            for c in chunks
        ]
    )
    found = Lasso(0.05, **TIGHT).fit(lazy, da.from_array(y, chunks=((25, 35),)))
    assert_same_model(found, Lasso(0.05, **TIGHT).fit(X, y))
    np.testing.assert_allclose(found.predict(lazy).compute(), found.predict(X))


@pytest.mark.parametrize(
    ("row", "words"), [(3, r"In chunk 0: .*NaN"), (30, r"In chunk 4: .*NaN")]
)
def test_an_error_names_the_chunk(data, row, words):
    X, y, _ = data
    X[row, 2] = np.nan
    model = Lasso()
    with pytest.raises(ValueError, match=words):
        model.fit(*map(CHUNKS["rows"], (X, y)))
    assert not hasattr(model, "coef_")
    with pytest.raises(ValueError, match=words):
        Lasso().fit(np.nan_to_num(X), y).predict(CHUNKS["rows"](X)).compute()


def test_nothing_at_all_is_refused(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="no rows"):
        Lasso().fit(da.from_array(X[:0]), da.from_array(y[:0]))


def test_the_bits_do_not_depend_on_the_scheduler(data):
    X, y, _ = data
    found = []
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            found.append(Lasso(0.05).fit(*map(CHUNKS["rows"], (X, y))).coef_)
    np.testing.assert_array_equal(*found)


def test_tasks_are_called_after_their_chunks(data):
    """A cluster names the task of which workers die."""
    X, y, _ = data
    keys = []
    with dask.callbacks.Callback(pretask=lambda key, *others: keys.append(key)):
        Lasso(0.05).fit(*map(CHUNKS["rows"], (X, y)))
    chunks = [key[1] for key in keys if key[0].startswith("chunk-")]
    assert sorted(chunks) == list(range(9))


def test_any_error_of_a_chunk_says_in_which(data):
    X, y, _ = data

    def fail(X, y):
        if X[0, 0]:
            raise MemoryError("too much")

    X[:, 0], X[7, 0] = 0.0, 1.0
    with pytest.raises(MemoryError, match="too much") as caught:
        reduced(fail, chunks_of(*map(CHUNKS["rows"], (X, y))))
    assert caught.value.__notes__ == ["In chunk 1 of X."]


@pytest.mark.parametrize("chunked", CHUNKS.values(), ids=CHUNKS)
def test_explained_deviance_of_counts(data, rng, chunked):
    X, _, weights = data
    y = rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    model = SparsePoissonRegressor(0.05).fit(X, y)
    score = model.score(*map(chunked, (X, y)), sample_weight=chunked(weights))
    expected = model.score(X, y, sample_weight=weights)
    assert score == pytest.approx(expected, rel=1e-10)
    with pytest.raises(ValueError, match=r"In chunk \d+: y must be .*-1"):
        model.score(*map(CHUNKS["rows"], (X, y - 1.0)))


def test_deviance_of_nothing_but_the_mean():
    """Counts that are all the same vary by nothing, and a mean of 0 is one too."""
    for count in [0.0, 3.0]:
        y = np.full(5, count)
        same = DevianceSums.of(y[:2], y[:2]) + DevianceSums.of(y[2:], y[2:])
        assert same.score() == 1.0
        assert (same + DevianceSums.of(y, y + 1.0)).score() == 0.0
    assert DevianceSums.of(y, y, np.zeros(5)) is None
