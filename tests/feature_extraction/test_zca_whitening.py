"""ZCAWhitening: the laws of an estimator, and the definition."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sparselearn._solvers import _spread
from sparselearn.feature_extraction import ZCAWhitening, _zca_whitening

FITTED = ["components_", "inverse_components_", "mean_", "covariance_", "variances_"]


@pytest.fixture
def X(rng):
    X = rng.standard_normal((150, 5)) @ rng.standard_normal((5, 5)) + 2.0
    X[rng.random(X.shape) < 0.3] = 0.0
    return X


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    monkeypatch.setattr(_spread, "CHUNK", 64)
    monkeypatch.setattr(_zca_whitening, "CHUNK", 64)


def assert_same_fit(found, expected, rtol=1e-9):
    for name in FITTED:
        a, b = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(a, b, atol=rtol * np.abs(b).max(), err_msg=name)


def test_the_covariance_is_the_identity(X):
    model = ZCAWhitening(eps=0.0).fit(X)
    Z = model.transform(X)
    np.testing.assert_allclose(np.cov(Z.T, bias=True), np.eye(5), atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(Z), X, atol=1e-9)
    np.testing.assert_allclose(model.covariance_, np.cov(X.T, bias=True))
    np.testing.assert_allclose(model.components_, model.components_.T)
    assert model.weight_ == 150


def test_it_is_pca_turned_back(X):
    """scikit-learn's whitened PCA, but for its other denominator."""
    pca = PCA(whiten=True).fit(X)
    expected = np.sqrt(150 / 149) * pca.transform(X) @ pca.components_
    found = ZCAWhitening(eps=0.0).fit_transform(X)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_each_parameter_is_alive(X):
    default = ZCAWhitening().fit_transform(X)
    for options in ({"eps": 0.5}, {"n_components": 2}):
        assert not np.allclose(ZCAWhitening(**options).fit_transform(X), default)
    few = ZCAWhitening(n_components=2).fit(X)
    assert np.linalg.matrix_rank(few.transform(X), tol=1e-9) == 2
    assert_same_fit(ZCAWhitening(n_components=9).fit(X), ZCAWhitening().fit(X))


def test_every_storage_gives_the_same(X, tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = ZCAWhitening().fit(X)
    expected = model.transform(X)
    wide = np.repeat(X, 2, axis=1)
    long_indices = sp.csr_matrix(X)
    long_indices.indices = long_indices.indices.astype(np.int64)
    long_indices.indptr = long_indices.indptr.astype(np.int64)
    rows = [np.asfortranarray(X), wide[:, ::2], mapped]
    for stored in [*rows, sp.csr_array(X), sp.csc_matrix(X), long_indices]:
        other = ZCAWhitening().fit(stored)
        assert_same_fit(other, model)
        found = other.transform(stored)
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_single_precision(X, storage):
    single = storage(X.astype(np.float32))
    model, other = ZCAWhitening().fit(X), ZCAWhitening().fit(single)
    found = other.transform(single)
    assert found.dtype == other.components_.dtype == np.float32
    np.testing.assert_allclose(found, model.transform(X), atol=1e-4)
    assert other.inverse_transform(found).dtype == np.float32
    np.testing.assert_allclose(other.inverse_transform(found), X, atol=1e-4)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_weights_are_repeats(X, rng, storage):
    weights = rng.integers(0, 3, 150)
    order = rng.permutation(np.repeat(np.arange(150), weights))
    weighted = ZCAWhitening().fit(storage(X), sample_weight=weights)
    assert_same_fit(ZCAWhitening().fit(storage(X[order])), weighted)
    assert weighted.weight_ == weights.sum()


def test_partial_fit_is_fit(X, rng):
    weights = rng.uniform(size=150)
    model = ZCAWhitening(n_components=3)
    for batch in (slice(0, 1), slice(1, 70), slice(70, 150)):
        model.partial_fit(X[batch], sample_weight=weights[batch])
        model = pickle.loads(pickle.dumps(model))
    assert_same_fit(model, ZCAWhitening(n_components=3).fit(X, sample_weight=weights))
    before = {name: np.copy(getattr(model, name)) for name in FITTED}
    for bad in (X[:, :4], np.full((2, 5), np.nan)):
        with pytest.raises(ValueError, match=r"4 features|NaN"):
            model.partial_fit(bad)
    assert all(np.array_equal(getattr(model, k), v) for k, v in before.items())
    model.fit(X)  # starts anew
    assert model.weight_ == 150


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(X, scale):
    expected = ZCAWhitening().fit_transform(X)
    found = ZCAWhitening().fit_transform(scale * X)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_threads_give_the_same_bits(X):
    one, two = (ZCAWhitening(n_jobs=n).fit(X) for n in (1, 2))
    for name in FITTED:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    Z = one.transform(X)
    np.testing.assert_array_equal(one.inverse_transform(Z), two.inverse_transform(Z))


def test_patches_of_no_mean(rng):
    """Of rank one less than they have pixels: nothing of rounding is blown up."""
    patches = extract_patches_2d(rng.random((20, 20)), (3, 3)).reshape(-1, 9)
    patches -= patches.mean(axis=1, keepdims=True)
    for dtype in (np.float64, np.float32):
        Z = ZCAWhitening(eps=0.0).fit_transform(patches.astype(dtype))
        spectrum = np.linalg.eigvalsh(np.cov(Z.T, bias=True))
        np.testing.assert_allclose(spectrum, [0.0] + [1.0] * 8, atol=1e-4)


def test_degenerate_data(X):
    X[:, 2] = 7.0
    np.testing.assert_array_equal(ZCAWhitening().fit_transform(X)[:, 2], 0.0)
    np.testing.assert_array_equal(ZCAWhitening().fit_transform(X[:1]), np.zeros((1, 5)))
    assert np.all(ZCAWhitening().fit(X[:3]).variances_[2:] == 0.0)
    with pytest.raises(ValueError, match="weight"):
        ZCAWhitening().fit(X, sample_weight=np.zeros(150))
    with pytest.raises(ValueError, match="transform gives 5"):
        ZCAWhitening().fit(X).inverse_transform(X[:, :3])


def test_names_and_frames(X):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = ZCAWhitening().set_output(transform="pandas").fit(frame)
    assert list(model.transform(frame).columns) == list("abcde")
    assert list(model.get_feature_names_out()) == list("abcde")


def test_in_a_search(X):
    y = (X[:, 0] * X[:, 1] > 1.0).astype(int)
    pipeline = make_pipeline(ZCAWhitening(), RidgeClassifier())
    search = GridSearchCV(pipeline, {"zcawhitening__eps": [0.0, 1.0]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.3
    assert clone(search.best_estimator_[0]).get_params()["eps"] in (0.0, 1.0)
