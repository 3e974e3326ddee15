"""Whatever has been fitted encodes and predicts the chunks of a dask collection."""

import numpy as np
import pytest
import scipy.sparse as sp

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
