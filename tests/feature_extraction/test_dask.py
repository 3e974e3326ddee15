"""Dask collections: whitening by sums of chunks; who reads images and bags says so."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from sparselearn.feature_extraction import BagEncoder, PatchEncoder, ZCAWhitening

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

FITTED = ["components_", "inverse_components_", "mean_", "covariance_", "variances_"]


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def X(rng):
    X = rng.standard_normal((60, 5)) @ rng.standard_normal((5, 5)) + 2.0
    X[rng.random(X.shape) < 0.3] = 0.0
    return X


@pytest.fixture
def weights(rng):
    weights = rng.integers(0, 3, 60).astype(float)
    weights[10:20] = 0.0  # a whole chunk
    return weights


def chunked(X):
    return da.from_array(X, chunks=(10, *(3,) * (X.ndim - 1)))


def assert_same_fit(found, expected):
    assert found.n_features_in_ == expected.n_features_in_
    assert found.components_.dtype == expected.components_.dtype
    np.testing.assert_allclose(found.weight_, expected.weight_)
    for name in FITTED:
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, atol=1e-9 * np.abs(b).max(), err_msg=name)


def test_a_fit_is_that_of_all_rows(X, weights):
    found = ZCAWhitening().fit(chunked(X), sample_weight=chunked(weights))
    assert_same_fit(found, ZCAWhitening().fit(X, sample_weight=weights))
    assert_same_fit(ZCAWhitening().fit(chunked(X)), ZCAWhitening().fit(X))


def test_a_chain_of_collections_and_arrays(X):
    found = ZCAWhitening().partial_fit(chunked(X)).partial_fit(X[:9])
    found.partial_fit(da.from_array(X[9:30], chunks=((0, 11, 10), 5)))
    assert_same_fit(found, ZCAWhitening().fit(X[np.r_[0:60, 0:30]]))
    assert found.weight_ == 90.0


def test_sparse_chunks_and_frames(X):
    parts = [sp.csr_array(X[:25]), sp.csr_array(X[25:])]
    lazy = da.concatenate(
        [
            da.from_delayed(dask.delayed(p), p.shape, meta=sp.csr_array((0, 5)))
            for p in parts
        ]
    )
    assert_same_fit(ZCAWhitening().fit(lazy), ZCAWhitening().fit(X))
    frame = pd.DataFrame(X.astype(np.float32), columns=list("abcde"))
    found = ZCAWhitening().fit(dd.from_pandas(frame, npartitions=4))
    expected = ZCAWhitening().fit(X.astype(np.float32))
    assert found.components_.dtype == np.float32
    np.testing.assert_allclose(found.components_, expected.components_, rtol=1e-4)
    assert list(found.feature_names_in_) == list("abcde")
    renamed = dd.from_pandas(frame.rename(columns={"a": "z"}), npartitions=4)
    with pytest.raises(ValueError, match="feature names"):
        found.partial_fit(renamed)


def test_a_bad_chunk_changes_nothing(X):
    bad = X.copy()
    bad[33, 1] = np.nan
    model = ZCAWhitening()
    with pytest.raises(ValueError, match=r"In chunk 3: .*NaN"):
        model.fit(chunked(bad))
    assert not hasattr(model, "n_features_in_")
    model.fit(X)
    before = clone(model).fit(X)
    for wrong, words in [
        (chunked(bad), "In chunk 3"),
        (chunked(X[:, :4]), "4 features"),
        (chunked(X[:, 0]), "Expected 2D"),
    ]:
        with pytest.raises(ValueError, match=words):
            model.partial_fit(wrong)
        assert_same_fit(model, before)
    with pytest.raises(ValueError, match="zero"):
        ZCAWhitening().fit(chunked(X), sample_weight=chunked(np.zeros(60)))


def test_the_bits_do_not_depend_on_the_scheduler(X):
    found = []
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            found.append(ZCAWhitening().fit(chunked(X)).covariance_)
    np.testing.assert_array_equal(*found)


def test_images_and_bags_are_not_brought_here(rng):
    images = rng.random((6, 8, 8))
    lazy = da.from_array(images, chunks=(4, 4, 8))
    encoder = PatchEncoder(patch_size=3, random_state=0)
    with pytest.raises(TypeError, match="partial_fit with one chunk after another"):
        encoder.fit(lazy)
    encoder.fit(images)
    np.testing.assert_allclose(
        encoder.transform(lazy).compute(), encoder.transform(images), rtol=1e-5
    )
    with pytest.raises(TypeError, match="whole bags"):
        BagEncoder().fit(da.from_array(images[:, 0], chunks=(2, 8)))
