"""BagEncoder against bincount and loops, and the laws of an estimator."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import MiniBatchDictionaryLearning, SparseCoder
from sparselearn.feature_extraction import BagEncoder, ZCAWhitening, _bag_encoder
from tests import reference

KMEANS = KMeansCoder(5, random_state=0)
POOLINGS = ["bow", "vlad", "sum", "mean", "max"]
every_pooling = pytest.mark.parametrize("pooling", POOLINGS)


@pytest.fixture(autouse=True)
def _few_at_a_time(monkeypatch):
    """Several batches of bags, and bags of several parts."""
    monkeypatch.setattr(_bag_encoder, "NUMBERS", 60)


@pytest.fixture
def X(rng):
    return rng.standard_normal((130, 3)) + 4.0


@pytest.fixture
def groups(rng):
    """Bags of very different sizes, in any order."""
    return np.array(["d", "a", "c", "b"])[rng.choice(4, 130, p=[0.7, 0.2, 0.08, 0.02])]


def dense(features):
    return features.toarray() if sp.issparse(features) else features


def separate(X, groups):
    return [X[groups == label] for label in np.unique(groups)]


def by_loops(bags, model):
    """What the features of the bags are; those of VLAD normalised."""
    coder = model.coder_
    rows = []
    for bag in bags:
        if model.pooling == "bow":
            row = np.bincount(coder.predict(bag), minlength=5)
        elif model.pooling == "vlad":
            row = reference.vlad(bag, coder.components_)
        else:
            row = getattr(np, model.pooling)(dense(coder.transform(bag)), axis=0)
        rows.append(row)
    return np.array(rows)


@every_pooling
def test_features_are_those_of_loops(X, groups, pooling):
    model = BagEncoder(KMEANS, pooling=pooling)
    found = model.fit_transform(X, groups=groups)
    assert sp.issparse(found) == (pooling == "bow")
    np.testing.assert_allclose(dense(found), by_loops(separate(X, groups), model))
    assert list(model.groups_) == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(model.coder_.components_, KMEANS.fit(X).components_)
    assert found.shape == (4, len(model.get_feature_names_out()))


@pytest.mark.parametrize("pooling", ["sum", "mean", "max"])
def test_sparse_codes_of_both_signs(X, groups, rng, pooling):
    atoms = rng.standard_normal((6, 3))
    coder = SparseCoder(atoms, method="omp", n_nonzero_coefs=1)
    model = BagEncoder(coder, pooling=pooling).fit(X)
    found = model.transform(X, groups)
    assert sp.issparse(found)
    expected = by_loops(separate(X, groups), model)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)
    assert model.n_nonzero_coefs_ == 1.0
    assert model.sparsity_ == pytest.approx(5 / 6)


@every_pooling
def test_every_way_to_give_bags(X, groups, pooling):
    model = BagEncoder(KMEANS, pooling=pooling).fit(X)
    expected = dense(model.transform(X, groups))
    bags = separate(X, groups)
    with_empty = [bags[0], [], *bags[1:], np.empty((0, 3))]
    for given in (
        bags,
        tuple(bag.tolist() for bag in bags),
        [sp.csr_array(bag) for bag in bags],
    ):
        np.testing.assert_allclose(dense(model.transform(given)), expected)
        again = BagEncoder(KMEANS, pooling=pooling)
        np.testing.assert_allclose(
            dense(again.fit_transform(given)).shape, expected.shape
        )
        np.testing.assert_array_equal(again.groups_, np.arange(4))
    found = dense(model.transform(with_empty))
    np.testing.assert_allclose(found[[0, 2, 3, 4]], expected)
    assert np.all(found[[1, 5]] == 0.0)
    assert np.all(dense(model.transform([np.empty((0, 3))])) == 0.0)
    cube = X[:120].reshape(10, 12, 3)
    np.testing.assert_allclose(
        dense(model.transform(cube)), dense(model.transform(list(cube)))
    )
    objects = np.empty(4, dtype=object)
    objects[:] = bags
    np.testing.assert_allclose(dense(model.transform(objects)), expected)
    # Without groups each row is a bag.
    np.testing.assert_allclose(
        dense(model.transform(X)), dense(model.transform(X, np.arange(130)))
    )


def power(v):
    roots = np.sign(v) * np.sqrt(np.abs(v))
    return roots / np.linalg.norm(roots)


@pytest.mark.parametrize(
    ("normalize", "formula"),
    [
        ("l1", lambda v: v / np.abs(v).sum()),
        ("l2", lambda v: v / np.linalg.norm(v)),
        ("power", power),
        (None, lambda v: v),
    ],
)
@every_pooling
def test_normalization(X, groups, pooling, normalize, formula):
    model = BagEncoder(KMEANS, pooling=pooling, normalize=None).fit(X)
    plain = dense(model.transform(X, groups))
    if pooling == "vlad":
        assert plain.min() < 0.0
    model.set_params(normalize=normalize)
    found = dense(model.transform(X, groups))
    np.testing.assert_allclose(found, np.apply_along_axis(formula, 1, plain))


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@every_pooling
def test_units_do_not_matter(X, groups, pooling, scale):
    expected = dense(BagEncoder(KMEANS, pooling=pooling).fit_transform(X, None, groups))
    found = BagEncoder(KMEANS, pooling=pooling).fit_transform(scale * X, None, groups)
    factor = 1.0 if pooling in ("bow", "vlad") else scale
    np.testing.assert_allclose(dense(found), factor * expected, rtol=1e-6)


@every_pooling
def test_storage_dtype_and_order(X, groups, rng, pooling):
    X = np.where(X > 4.0, X, 0.0)
    expected = dense(BagEncoder(KMEANS, pooling=pooling).fit_transform(X, None, groups))
    for stored in (np.asfortranarray(X), sp.csr_matrix(X), sp.csc_array(X)):
        found = BagEncoder(KMEANS, pooling=pooling).fit_transform(stored, None, groups)
        # Signed roots make 1e-8 of 1e-16, which is what rounding leaves.
        np.testing.assert_allclose(dense(found), expected, atol=1e-6)
    single = X.astype(np.float32)
    found = BagEncoder(KMEANS, pooling=pooling).fit_transform(single, None, groups)
    assert found.dtype == np.float32
    tolerance = 1e-3 if pooling == "vlad" else 1e-4 * expected.max()
    np.testing.assert_allclose(dense(found), expected, atol=tolerance)
    order = rng.permutation(130)
    model = BagEncoder(KMEANS, pooling=pooling).fit(X)
    found = dense(model.transform(X[order], groups[order]))
    np.testing.assert_allclose(found, dense(model.transform(X, groups)))


@every_pooling
def test_threads_give_the_same_bits(X, groups, pooling):
    one, two = (
        dense(
            BagEncoder(KMEANS, pooling=pooling, n_jobs=n).fit_transform(X, None, groups)
        )
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_other_coders(X, groups):
    model = BagEncoder(KMeans(5, n_init=1, random_state=0), pooling="vlad")
    found = model.fit_transform(X, groups=groups)
    centroids = model.coder_.cluster_centers_
    expected = [reference.vlad(bag, centroids) for bag in separate(X, groups)]
    np.testing.assert_allclose(found, expected)
    # VLAD of what the last step of a pipeline sees.
    whitening, words = ZCAWhitening(), clone(KMEANS)
    piped = BagEncoder(make_pipeline(whitening, words), pooling="vlad")
    Z = whitening.fit_transform(X)
    expected = BagEncoder(KMEANS, pooling="vlad").fit_transform(Z, groups=groups)
    np.testing.assert_allclose(piped.fit_transform(X, groups=groups), expected)
    assert not hasattr(words, "components_")
    reduced = BagEncoder(make_pipeline(PCA(2), words), pooling="vlad").fit(X)
    assert reduced.transform(X, groups).shape == (4, 10)
    assert reduced.get_feature_names_out()[-1] == "kmeanscoder4_x1"


def test_the_default_coder(X):
    one, two = (BagEncoder(random_state=s).fit(X).coder_ for s in (0, 1))
    assert one.n_components == 64
    assert not np.allclose(one.components_, two.components_)
    assert BagEncoder().fit(X[:7]).coder_.n_components == 7


def test_sparsity_is_that_of_codes_of_descriptors(X):
    for pooling in ("bow", "vlad"):
        model = BagEncoder(KMEANS, pooling=pooling).fit(X)
        assert (model.n_nonzero_coefs_, model.sparsity_) == (1.0, 0.8)
    model = BagEncoder(KMEANS, pooling="max").fit(X)
    assert model.n_nonzero_coefs_ == model.coder_.n_nonzero_coefs_


def test_output_and_names(X, groups):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["u", "v", "w"])
    model = BagEncoder(KMEANS).set_output(transform="pandas")
    found = model.fit_transform(frame, groups=pd.Series(groups))
    assert list(found.columns) == [f"kmeanscoder{j}" for j in range(5)]
    assert list(found.index) == ["a", "b", "c", "d"]
    assert list(model.transform(frame[::-1]).index) == list(range(130))[::-1]
    expected = BagEncoder(KMEANS).fit_transform(X, groups=groups)
    np.testing.assert_array_equal(found.to_numpy(), expected.toarray())
    dense_one = BagEncoder(KMEANS, sparse_output=False).fit_transform(X, None, groups)
    np.testing.assert_array_equal(dense_one, expected.toarray())
    names = BagEncoder(KMEANS, pooling="vlad").fit(frame).get_feature_names_out()
    assert list(names[[0, 5, 14]]) == [
        "kmeanscoder0_u",
        "kmeanscoder1_w",
        "kmeanscoder4_w",
    ]


def test_partial_fit(X, groups):
    def learner():
        return MiniBatchDictionaryLearning(
            4, method="omp", n_nonzero_coefs=1, batch_size=20, random_state=0
        )

    model, twin = BagEncoder(learner(), pooling="max"), learner()
    for batch in (slice(0, 40), slice(40, 130)):
        model.partial_fit(X[batch], groups=groups[batch])
        twin.partial_fit(X[batch])
        model = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(model.coder_.components_, twin.components_)
    before = pickle.dumps(model)
    for bad in (X[:, :2], X * np.nan):
        with pytest.raises(ValueError, match=r"2 features|NaN"):
            model.partial_fit(bad)
    assert pickle.dumps(model) == before
    assert not hasattr(BagEncoder(KMeans(2)), "partial_fit")


@every_pooling
def test_weights_are_repeated_descriptors(X, groups, pooling, rng):
    """Where the coder learns; what is pooled is the same."""
    coder = KMeansCoder(5, init=X[:5], max_iter=2)
    weights = rng.integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    model = BagEncoder(coder, pooling=pooling)
    repeated = clone(model).fit(X[rows], groups=groups[rows])
    expected = dense(repeated.transform(X, groups=groups))
    found = clone(model).fit_transform(X, groups=groups, sample_weight=weights)
    np.testing.assert_allclose(dense(found), expected, atol=1e-9)
    again = clone(model).fit(X, groups=groups, sample_weight=weights)
    np.testing.assert_array_equal(again.coder_.components_, repeated.coder_.components_)
    plain = clone(model).fit(X).coder_.components_
    assert abs(plain - again.coder_.components_).max() > 1e-3


def test_weights_of_descriptors_of_separate_bags(X, groups, rng):
    weights = rng.random(len(X))
    order = np.argsort(groups, kind="stable")
    whole = BagEncoder(KMEANS).fit(X[order], sample_weight=weights)
    parts = BagEncoder(KMEANS).fit(separate(X, groups), sample_weight=weights)
    np.testing.assert_array_equal(whole.coder_.components_, parts.coder_.components_)
    with pytest.raises(ValueError, match="sample_weight"):
        parts.fit(separate(X, groups), sample_weight=np.ones(4))
    with pytest.raises(ValueError, match="fit of coder=PCA"):
        BagEncoder(PCA(2), pooling="sum").fit(X, sample_weight=weights)


def test_in_a_pipeline(rng):
    """Bags of two kinds that differ in which corners are full, not in their means."""
    corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]])
    kinds = rng.integers(0, 2, 30)
    bags = [
        corners[2 * kind + rng.integers(0, 2, 25)] + 0.1 * rng.standard_normal((25, 2))
        for kind in kinds
    ]
    coder = KMeansCoder(6, random_state=0)
    for pooling in ("bow", "mean"):
        pipeline = make_pipeline(BagEncoder(coder, pooling=pooling), RidgeClassifier())
        assert cross_val_score(pipeline, bags, kinds, cv=3).min() > 0.9
        pipeline.fit(np.array(bags), kinds)
        assert pipeline.score(np.array(bags), kinds) > 0.9


def test_groups_are_routed(X, groups):
    with sklearn.config_context(enable_metadata_routing=True):
        model = BagEncoder(KMEANS)
        model.set_fit_request(groups=True).set_transform_request(groups=True)
        pipeline = make_pipeline(model, RidgeClassifier())
        y = [0, 0, 1, 1]
        pipeline.fit(X, y, groups=groups)
        assert pipeline[0].transform(X, groups).shape == (4, 5)
        assert pipeline.predict(X, groups=groups).shape == (4,)


def test_an_interrupted_fit_leaves_the_last_one(X, groups, monkeypatch):
    model = BagEncoder(KMEANS).fit(X)
    expected = model.transform(X, groups)

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(_bag_encoder, "learn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:60])
    np.testing.assert_array_equal(
        model.transform(X, groups).toarray(), expected.toarray()
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": [1, 2]}, "inconsistent"),
        ({"groups": [np.nan] * 130}, "groups contains NaN"),
        ({"groups": ["a", 1] * 65}, "all numbers or all str"),
        ({"X": [np.ones((2, 3)), np.ones((2, 4))]}, r"X\[1\] has shape \(2, 4\)"),
        ({"X": [np.ones((2, 3)), np.ones(3)]}, r"X\[1\] has shape \(3,\)"),
        ({"X": [np.ones((2, 3))], "groups": [0, 1]}, "either"),
        ({"X": [np.empty((0, 3))]}, "0 sample"),
        ({"X": np.ones(3)}, "Expected 2D array"),
    ],
)
def test_errors_of_wrong_bags(X, given, message):
    if "groups" in given and "a" in given["groups"]:
        given = {"groups": np.array(given["groups"], dtype=object)}
    with pytest.raises(ValueError, match=message):
        BagEncoder(KMEANS).fit(**({"X": X} | given))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coder": "kmeans"}, "is no estimator"),
        ({"coder": PCA(2)}, "no method predict"),
        ({"coder": RidgeClassifier(), "pooling": "max"}, "no method transform"),
        ({"pooling": "fisher"}, "pooling"),
        ({"normalize": "l3"}, "normalize"),
    ],
)
def test_errors_say_what_is_allowed(X, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        BagEncoder(**options).fit(X)
    classifier = RidgeClassifier().fit(X, X[:, 0] > 4)
    with pytest.raises(TypeError, match="no components_ or cluster_centers_"):
        _bag_encoder._centroids(classifier)
