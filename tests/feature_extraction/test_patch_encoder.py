"""PatchEncoder against loops over patches, and the laws of an estimator."""

import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import (
    DiscriminativeDictionaryLearning,
    MiniBatchDictionaryLearning,
    SparseCoder,
)
from sparselearn.feature_extraction import PatchEncoder, ZCAWhitening, _patch_encoder
from tests import reference

KMEANS = KMeansCoder(6, random_state=0)
SPARSE = KMeansCoder(6, n_nonzero_coefs=2, random_state=0)


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch):
    """Several batches of images, and images of several parts."""
    monkeypatch.setattr(_patch_encoder, "NUMBERS", 300)


@pytest.fixture
def images(rng):
    return rng.standard_normal((12, 9, 8)) + np.linspace(0.0, 5.0, 8)


def signed_coder(rng, n_features):
    """Codes of both signs, sparse."""
    atoms = rng.standard_normal((7, n_features))
    return SparseCoder(atoms, method="omp", n_nonzero_coefs=2)


def encoder(coder=KMEANS, **options):
    return PatchEncoder(coder, **{"patch_size": 3, "random_state": 0} | options)


def dense(features):
    return features.toarray() if sp.issparse(features) else features


def by_loops(images, model):
    def encode(patches):
        return dense(model.coder_.transform(patches))

    def both(value):
        return (value, value) if np.ndim(value) == 0 else tuple(value)

    options = both(model.stride), both(model.grid), model.pooling, model.contrast_
    size = model.patch_shape_[:2]
    if images.ndim == 3:
        images = images[..., None]
    return np.array(
        [reference.patch_features(im, encode, size, *options) for im in images]
    )


class Recorder(TransformerMixin, BaseEstimator):
    """Keeps what it is given; a code is the patch itself."""

    def fit(self, X, y=None):
        self.seen_, self.y_ = X.copy(), y
        return self

    def transform(self, X):
        return X


# -- features ---------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["sum", "mean", "max"])
@pytest.mark.parametrize(
    "make", [lambda r, p: KMEANS, lambda r, p: PCA(4), signed_coder]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patch_size": (2, 4), "stride": (3, 2), "grid": (3, 2)},
        {"contrast_eps": None, "grid": 1},
        {"patch_size": (9, 8), "grid": 4},
        {"contrast_eps": 0.0, "stride": 6, "grid": (1, 9)},
    ],
)
def test_features_are_those_of_loops(images, rng, make, pooling, options):
    size = np.broadcast_to(options.get("patch_size", 3), 2)
    model = encoder(make(rng, size.prod()), pooling=pooling, **options).fit(images)
    found, expected = model.transform(images), by_loops(images, model)
    np.testing.assert_allclose(dense(found), expected, atol=1e-10)
    assert np.abs(expected).max() > 0.1 or size.prod() == 72
    assert found.shape == (12, len(model.get_feature_names_out()))


def test_channels(rng):
    images = rng.standard_normal((5, 6, 7, 3))
    model = encoder(patch_size=(2, 3)).fit(images)
    np.testing.assert_allclose(model.transform(images), by_loops(images, model))
    assert model.components_.shape == (6, 18)
    assert model.patch_shape_ == (2, 3, 3)


def test_a_large_image_is_encoded_in_parts(rng):
    """A batch is one image, whose patches come by several chunks, or a few of it."""
    images = rng.standard_normal((2, 40, 30))
    for pooling in ("sum", "max"):
        model = encoder(SPARSE, pooling=pooling).fit(images)
        found = model.transform(images).toarray()
        np.testing.assert_allclose(found, by_loops(images, model), atol=1e-10)


@pytest.mark.parametrize("pooling", ["sum", "mean", "max"])
def test_sparse_codes_of_one_sign(images, pooling):
    """Where all codes of a cell are below 0 and stored, so is their maximum."""

    class Minus(Recorder):
        def transform(self, X):
            return sp.csr_array(-np.abs(X))

    model = encoder(Minus(), pooling=pooling, contrast_eps=None).fit(images)
    found = model.transform(images)
    np.testing.assert_allclose(found.toarray(), by_loops(images, model))
    assert found.max() < 0.0


# -- what the coder learns from -----------------------------------------------------


def all_patches(images, size=(3, 3)):
    return np.array(
        [
            p.ravel()
            for im in images
            for _, _, p in reference.patches_of(im, size, (1, 1))
        ]
    )


def test_the_coder_learns_from_all_patches(images):
    patches = all_patches(images)
    raw = encoder(Recorder(), n_patches=None, contrast_eps=None).fit(images)
    np.testing.assert_array_equal(raw.coder_.seen_, patches)
    model = encoder(Recorder(), n_patches=10**6, contrast_eps=0.2).fit(images)
    assert model.contrast_ == pytest.approx(0.2 * patches.var(axis=1).mean())
    expected = [reference.contrast(p, model.contrast_) for p in patches]
    np.testing.assert_allclose(model.coder_.seen_, expected)


def test_patches_are_drawn_once_each_and_everywhere(images):
    options = {"contrast_eps": None, "n_patches": 200}
    model = encoder(Recorder(), **options).fit(images, np.arange(12))
    seen = model.coder_.seen_
    patches = all_patches(images)
    places = [np.flatnonzero((patches == row).all(axis=1)).item() for row in seen]
    assert len(set(places)) == 200
    which, where = np.divmod(places, 42)
    np.testing.assert_array_equal(model.coder_.y_, which)
    assert len(set(which)) == 12
    assert len(set(where)) > 35
    again = encoder(Recorder(), **options).fit(images).coder_.seen_
    np.testing.assert_array_equal(again, seen)
    other = encoder(Recorder(), **options, random_state=1).fit(images).coder_.seen_
    assert not np.array_equal(other, seen)


def test_flat_patches_are_zero(images, rng):
    """Whatever rounding says of them, and however small the constant."""
    images[:9] = rng.random((9, 1, 1)) * 10.0 ** np.arange(-24, 30, 6)[:, None, None]
    for dtype in (np.float64, np.float32):
        for eps in (0.0, 1e-20):
            # Of seven numbers the mean is not always what all of them are.
            model = encoder(Recorder(), patch_size=7, contrast_eps=eps, grid=1)
            model.fit(images.astype(dtype))
            features = model.transform(images.astype(dtype))
            assert np.all(features[:9] == 0.0)
            assert np.all(features[9:] != 0.0)
            assert np.all(np.isfinite(features))
    blank = encoder(Recorder()).fit(np.zeros((2, 5, 5)))
    assert np.all(blank.transform(np.zeros((1, 5, 5))) == 0.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patch_size", 4),
        ("stride", 2),
        ("n_patches", 20),
        ("contrast_eps", 1.0),
        ("contrast_eps", None),
        ("pooling", "max"),
        ("grid", 1),
        ("coder", KMeansCoder(3, random_state=0)),
        ("sparse_output", False),
        ("random_state", 1),
    ],
)
def test_each_parameter_is_alive(images, name, value):
    base = encoder(SPARSE, n_patches=100)
    one = base.fit_transform(images)
    other = clone(base).set_params(**{name: value}).fit_transform(images)
    if name == "sparse_output":
        np.testing.assert_array_equal(one.toarray(), other)
    else:
        assert one.shape != other.shape or not np.allclose(dense(one), dense(other))


# -- images in and features out -----------------------------------------------------


def test_every_storage_gives_the_same(images, tmp_path):
    images[np.abs(images) < 1.0] = 0.0
    model = encoder().fit(images)
    expected = model.transform(images)
    rows = images.reshape(12, -1)
    np.save(tmp_path / "X.npy", images)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    wide = np.repeat(images, 2, axis=2)[:, :, ::2]
    for stored in (mapped, np.asfortranarray(images), wide, images[..., None]):
        np.testing.assert_array_equal(model.transform(stored), expected)
        again = encoder().fit(stored)
        np.testing.assert_array_equal(again.transform(stored), expected)
    flat = encoder(image_shape=(9, 8))
    for stored in (rows, np.asfortranarray(rows), sp.csr_matrix(rows), rows.tolist()):
        np.testing.assert_array_equal(flat.fit_transform(stored), expected)
        np.testing.assert_array_equal(model.transform(stored), expected)
    np.testing.assert_array_equal(flat.transform(images), expected)


def test_dtypes(rng):
    """Pictures of bytes become float32, whole numbers of more bits float64."""
    images = rng.integers(0, 256, (6, 8, 8)).astype(np.uint8)
    expected = encoder().fit_transform(images.astype(np.float64))
    assert expected.dtype == np.float64
    for dtype in (np.uint8, np.int16, np.float16, np.float32, ">f4"):
        model = encoder().fit(images.astype(dtype))
        found = model.transform(images.astype(dtype))
        assert found.dtype == model.components_.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-3 * expected.max())
    np.testing.assert_array_equal(encoder().fit_transform(images.astype(int)), expected)


@pytest.mark.parametrize(
    ("n_features", "image_shape"), [(64, (8, 8, 1)), (10, (1, 10, 1)), (1, (1, 1, 1))]
)
def test_flat_rows_without_a_shape(rng, n_features, image_shape):
    model = PatchEncoder(KMeansCoder(2, random_state=0), random_state=0)
    rows = np.sign(rng.standard_normal((20, n_features))) + rng.random(n_features)
    model.set_params(contrast_eps=None).fit(rows)
    assert model.image_shape_ == image_shape
    size = tuple(min(6, side) for side in image_shape[:2])
    assert model.patch_shape_ == (*size, 1)
    expected = by_loops(rows.reshape(20, *image_shape), model)
    np.testing.assert_allclose(model.transform(rows), expected)


def test_output_and_names(images):
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    model = encoder(SPARSE, grid=(1, 2)).fit(images)
    codes = model.transform(images)
    assert sp.issparse(codes)
    names = [f"kmeanscoder{j}_cell0_{c}" for c in range(2) for j in range(6)]
    assert list(model.get_feature_names_out()) == names
    for container in ("pandas", "polars"):
        frame = clone(model).set_output(transform=container).fit_transform(images)
        assert list(frame.columns) == names
        np.testing.assert_array_equal(frame.to_numpy(), codes.toarray())
        for n_jobs in (1, 2):
            model.set_params(n_jobs=n_jobs)
            with sklearn.config_context(transform_output=container):
                frame = model.transform(images)
            np.testing.assert_array_equal(frame.to_numpy(), codes.toarray())
    nameless = encoder(Recorder(), grid=1).fit(images)
    assert nameless.get_feature_names_out()[-1] == "patchencoder8_cell0_0"


def test_a_coder_that_gives_data_frames(images):
    """Its output for users is not that for pooling."""
    pytest.importorskip("pandas")
    framed = clone(SPARSE).set_output(transform="pandas")
    found = encoder(framed).fit_transform(images)
    np.testing.assert_array_equal(
        found.toarray(), encoder(SPARSE).fit_transform(images).toarray()
    )


# -- laws ---------------------------------------------------------------------------


@pytest.mark.parametrize("coder", [KMEANS, SPARSE])
@pytest.mark.parametrize("pooling", ["sum", "max"])
def test_threads_give_the_same_bits(images, coder, pooling):
    one, two = (
        dense(encoder(coder, pooling=pooling, n_jobs=n).fit_transform(images))
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)
    with joblib.parallel_config("threading", n_jobs=2):
        three = dense(encoder(coder, pooling=pooling).fit_transform(images))
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(images, scale):
    expected = encoder().fit_transform(images)
    found = encoder().fit_transform(scale * images)
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    raw = encoder(contrast_eps=None)
    expected = raw.fit_transform(images)
    np.testing.assert_allclose(raw.fit_transform(scale * images), scale * expected)


def test_brightness_and_order_of_images_do_not_matter(images, rng):
    model = encoder().fit(images)
    expected = model.transform(images)
    np.testing.assert_allclose(model.transform(images + 7.0), expected, rtol=1e-7)
    order = rng.permutation(12)
    np.testing.assert_allclose(model.transform(images[order]), expected[order])
    np.testing.assert_allclose(model.transform(images[3:4]), expected[3:4])


def test_nothing_of_the_users_changes(images):
    coder = clone(KMEANS)
    before = images.copy()
    encoder(coder).fit_transform(images)
    np.testing.assert_array_equal(images, before)
    assert not hasattr(coder, "components_")


def test_sparsity_is_that_of_codes_of_patches(images):
    """Of those that the coder learned from; not of the pooled ones."""
    for coder in (SPARSE, make_pipeline(ZCAWhitening(), SPARSE)):
        model = encoder(coder, n_patches=None, contrast_eps=None).fit(images)
        codes = model.coder_.transform(all_patches(images))
        assert model.n_nonzero_coefs_ == pytest.approx(codes.nnz / codes.shape[0])
        assert model.sparsity_ == pytest.approx(1.0 - model.n_nonzero_coefs_ / 6.0)
    model = encoder(MiniBatchKMeans(4, random_state=0)).fit(images)
    assert model.n_nonzero_coefs_ == 4.0
    assert model.sparsity_ == 0.0


def test_shorter_codes_without_learning_again(images):
    model = encoder(n_patches=None).fit(images)
    model.coder_.set_params(n_nonzero_coefs=1)
    found = model.transform(images)
    assert sp.issparse(found)
    np.testing.assert_allclose(found.toarray(), by_loops(images, model))


# -- learning in batches ------------------------------------------------------------


def batch_coder():
    return MiniBatchDictionaryLearning(
        5, method="omp", n_nonzero_coefs=1, batch_size=50, random_state=0
    )


def test_partial_fit_gives_the_coder_patches_of_each_batch(images):
    model = encoder(batch_coder(), n_patches=None, contrast_eps=None)
    twin = batch_coder()
    for batch in (images[:5], images[5:6], images[6:]):
        model.partial_fit(batch)
        twin.partial_fit(all_patches(batch))
        model = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(model.components_, twin.components_, rtol=1e-9)


def test_partial_fit_draws_anew_and_repeats_itself(images):
    def chain(seed):
        model = encoder(batch_coder(), n_patches=60, random_state=seed)
        for _ in range(3):
            model.partial_fit(images)
        return model.components_

    np.testing.assert_array_equal(chain(0), chain(0))
    assert not np.allclose(chain(0), chain(1))


def test_partial_fit_on_a_bad_batch_changes_nothing(images):
    model = encoder(batch_coder(), n_patches=60).partial_fit(images)
    before = pickle.dumps(model)
    for bad in (images[:, :4], images * np.nan, images[:, 0]):
        with pytest.raises(ValueError, match=r"shape|NaN|features"):
            model.partial_fit(bad)
    with pytest.raises(ValueError, match="inconsistent"):
        model.partial_fit(images, np.zeros(3))  # after patches have been drawn
    assert pickle.dumps(model) == before
    contrast = model.contrast_
    model.partial_fit(images * 3.0)
    assert model.contrast_ == contrast


def test_partial_fit_needs_a_coder_that_has_it(images):
    whitened = encoder(make_pipeline(ZCAWhitening(), KMEANS))
    assert not hasattr(whitened, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as error:
        whitened.partial_fit(images)
    assert "Pipeline" in str(error.value.__cause__)
    assert not hasattr(PatchEncoder("lasso"), "partial_fit")


def test_an_interrupted_fit_leaves_the_last_one(images):
    class Interrupted(Recorder):
        def fit(self, X, y=None):
            raise KeyboardInterrupt

    model = encoder().fit(images)
    expected = model.transform(images)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(coder=Interrupted(), contrast_eps=None).fit(images)
    np.testing.assert_array_equal(model.transform(images), expected)


# -- weights of images --------------------------------------------------------------


class WeighedRecorder(Recorder):
    """Keeps the weights too."""

    def fit(self, X, y=None, sample_weight=None):
        self.weights_ = sample_weight
        return super().fit(X, y)

    def get_feature_names_out(self, input_features=None):
        return input_features


@pytest.fixture
def weights(rng):
    return rng.permutation(np.repeat([0.0, 1.0, 2.0], 4))


def test_a_patch_has_the_weight_of_its_image(images, weights):
    model = encoder(WeighedRecorder(), n_patches=None, contrast_eps=0.2)
    coder = model.fit(images, np.arange(12), sample_weight=weights).coder_
    present = np.flatnonzero(weights)
    np.testing.assert_array_equal(coder.y_, np.repeat(present, 42))
    np.testing.assert_array_equal(coder.weights_, np.repeat(weights[present], 42))
    variances = all_patches(images).var(axis=1)
    mean = np.average(variances, weights=np.repeat(weights, 42))
    assert model.contrast_ == pytest.approx(0.2 * mean)
    assert model.fit(images).coder_.weights_ is None


@pytest.mark.parametrize("steps", [[], [ZCAWhitening(eps=0.1)]])
def test_weights_are_repeated_images(images, weights, steps):
    """Where all patches are taken, and whoever learns from them."""
    coder = make_pipeline(
        *steps, KMeansCoder(5, init=all_patches(images)[:5], max_iter=3)
    )
    model = encoder(coder, n_patches=None)
    weighed = clone(model).fit(images, sample_weight=weights)
    repeated = clone(model).fit(np.repeat(images, weights.astype(int), axis=0))
    unweighed = clone(model).fit(images)
    expected = dense(repeated.transform(images))
    np.testing.assert_allclose(dense(weighed.transform(images)), expected, atol=1e-9)
    assert abs(dense(unweighed.transform(images)) - expected).max() > 0.1
    # Of other coders sparsity is measured.
    for coder in (PCA(2), MiniBatchKMeans(2)):
        assert model.set_params(coder=coder).fit(images).sparsity_ == 0.0


def test_images_of_weight_zero_are_absent(images, weights):
    """To the bit, also where patches are drawn."""
    model, present = encoder(n_patches=60), weights > 0.0
    weighed = clone(model).fit(images, sample_weight=np.where(present, 1.0, 0.0))
    without = clone(model).fit(images[present], sample_weight=np.ones(present.sum()))
    np.testing.assert_array_equal(weighed.components_, without.components_)
    assert weighed.contrast_ == without.contrast_


def test_partial_fit_weighs_images(images, weights):
    model = encoder(batch_coder(), n_patches=None, contrast_eps=None)
    model.partial_fit(images, sample_weight=weights)
    twin = batch_coder().partial_fit(
        all_patches(images[weights > 0]),
        sample_weight=np.repeat(weights[weights > 0], 42),
    )
    np.testing.assert_allclose(model.components_, twin.components_, rtol=1e-9)
    before = pickle.dumps(model)
    for bad in (weights[:5], -weights, 0 * weights):
        with pytest.raises(ValueError, match=r"[Ss]ample.weight"):
            model.partial_fit(images, sample_weight=bad)
    assert pickle.dumps(model) == before


def test_a_coder_that_takes_no_weights(images, weights):
    for coder in (PCA(2), make_pipeline(ZCAWhitening(), PCA(2))):
        with pytest.raises(ValueError, match=r"sample_weight .*fit of coder=.*PCA"):
            encoder(coder).fit(images, sample_weight=weights)


def test_weights_are_routed(images, weights):
    """In a pipeline around it, and to the steps of one that is its coder."""
    y = np.arange(12) % 2
    expected = encoder().fit(images, sample_weight=weights).components_
    coder = make_pipeline(ZCAWhitening(), WeighedRecorder())
    with sklearn.config_context(enable_metadata_routing=True):
        model = encoder(image_shape=(9, 8)).set_fit_request(sample_weight=True)
        classifier = RidgeClassifier().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(model, classifier)
        pipeline.fit(images.reshape(12, -1), y, sample_weight=weights)
        np.testing.assert_array_equal(pipeline[0].components_, expected)
        coder[0].set_fit_request(sample_weight=False)
        coder[1].set_fit_request(sample_weight=True)
        model = encoder(coder, n_patches=None).fit(images, sample_weight=weights)
        seen = model.coder_[-1].weights_
        np.testing.assert_array_equal(seen, np.repeat(weights[weights > 0], 42))


# -- in the company of others -------------------------------------------------------


def test_pipelines_as_coders_and_around(images):
    y = (images.mean(axis=(1, 2)) > images.mean()).astype(int)
    coder = make_pipeline(ZCAWhitening(), clone(SPARSE))
    model = encoder(coder, contrast_eps=None, image_shape=(9, 8))
    pipeline = make_pipeline(model, StandardScaler(with_mean=False), RidgeClassifier())
    names = [
        "patchencoder__coder__kmeanscoder__n_nonzero_coefs",
        "patchencoder__pooling",
    ]
    search = GridSearchCV(pipeline, dict(zip(names, [[1, 3], ["sum", "max"]])), cv=2)
    search.fit(images.reshape(12, -1), y)
    assert search.best_params_[names[0]] in (1, 3)
    fitted = search.best_estimator_[0]
    np.testing.assert_allclose(
        dense(fitted.transform(images)), by_loops(images, fitted), atol=1e-9
    )


def test_a_coder_that_is_supervised(images):
    y = np.repeat(["a", "b"], 6)
    coder = DiscriminativeDictionaryLearning(
        4, n_nonzero_coefs=1, tol=0.5, random_state=0
    )
    model = encoder(coder).fit(images, y)
    assert list(model.coder_.classes_) == ["a", "b"]
    with pytest.raises(ValueError, match="inconsistent"):
        encoder(coder).fit(images, y[:5])


def test_digits():
    """Better than pixels, for a linear classifier."""
    X, y = load_digits(return_X_y=True)
    train, test = slice(0, 600), slice(600, 1200)
    model = PatchEncoder(
        KMeansCoder(40, random_state=0, max_iter=10),
        patch_size=4,
        n_patches=3000,
        random_state=0,
    )
    scores = []
    for Z in (X, model.fit(X[train]).transform(X)):
        scores.append(RidgeClassifier().fit(Z[train], y[train]).score(Z[test], y[test]))
    assert scores[1] > scores[0] + 0.03


# -- errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch_size": 10}, r"patch_size=10 .* 9 x 8 pixels.*image_shape"),
        ({"patch_size": (1, 2, 3)}, r"patch_size=\(1, 2, 3\) must be .*two of them"),
        ({"stride": (0, 1)}, r"stride=\(0, 1\) must be a whole number >= 1"),
        ({"grid": (1.5, 2)}, r"grid=\(1.5, 2\) must be"),
        ({"image_shape": (8, 9)}, r"shape \(9, 8\), but image_shape=\(8, 9\)"),
        ({"image_shape": (72,)}, r"image_shape=\(72,\) must be \(height, width\)"),
        ({"pooling": "median"}, "pooling"),
        ({"coder": "kmeans"}, "coder='kmeans' is no estimator"),
        ({"coder": KMeansCoder}, "is no estimator"),
        ({"coder": RidgeClassifier()}, "no method transform"),
    ],
)
def test_errors_say_what_is_allowed(images, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        encoder(**options).fit(images)


def test_errors_of_wrong_images(images):
    rows = images.reshape(12, -1)
    with pytest.raises(ValueError, match=r"\(8, 8\) has 64 numbers, .* 72 features"):
        encoder(image_shape=(8, 8)).fit(rows)
    with pytest.raises(ValueError, match="1 x 72 pixels"):
        encoder().fit(rows)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        encoder().fit(rows[0])
    with pytest.raises(ValueError, match="images must be"):
        encoder().fit(images[None, None])
    with pytest.raises(ValueError, match="NaN"):
        encoder().fit(images * np.nan)
    model = encoder().fit(images)
    with pytest.raises(ValueError, match=r"\(8, 8\).*expected"):
        model.transform(images[:, :8])
    with pytest.raises(ValueError, match="64 features"):
        model.transform(rows[:, :64])
