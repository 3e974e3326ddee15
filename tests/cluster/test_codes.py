"""What KMeansCoder makes of rows, and of codes, once it is fitted."""

import numpy as np
import pytest
import scipy.sparse as sp
from kmeans_cases import (
    CODERS,
    dense,
    every_coder,
    expected_codes,
    expected_rows,
    in_space,
    is_dense,
    make,
    name_of,
    signed_codes,
)
from reference import distances, line_distances, triangle_codes

from sparselearn.cluster import _learning


@every_coder
def test_codes_equal_their_twins(X, options):
    coder = make(**options).fit(X)
    codes = coder.transform(X)
    np.testing.assert_allclose(dense(codes), expected_codes(coder, X), atol=1e-8)
    assert sp.issparse(codes) == (not is_dense(options))
    nonzero = np.count_nonzero(dense(codes), axis=1)
    assert coder.n_nonzero_coefs_ == pytest.approx(nonzero.mean())
    assert coder.sparsity_ == pytest.approx(1 - np.mean(dense(codes) != 0))
    assert not np.signbit(dense(codes)[dense(codes) == 0.0]).any()
    if sp.issparse(codes):
        assert codes.has_canonical_format
        assert np.all(codes.data != 0.0)
        assert codes.indices.dtype == codes.indptr.dtype == np.int32
    again = make(**options, sparse_output=False).fit(X).transform(X)
    assert isinstance(again, np.ndarray)
    np.testing.assert_array_equal(again, dense(codes))


@pytest.mark.parametrize("encoder", ["topk", "llc"])
@pytest.mark.parametrize("n_nonzero", [None, 1, 3, 7, 1000])
def test_exactly_the_promised_nonzeros(rng, encoder, n_nonzero):
    X = rng.standard_normal((80, 5))
    coder = make(encoder=encoder, n_nonzero_coefs=n_nonzero).fit(X)
    promised = min(7, 5 if n_nonzero is None else n_nonzero)
    for storage in (np.asarray, sp.csr_array):
        lengths = np.diff(coder.transform(storage(X)).indptr)
        np.testing.assert_array_equal(lengths, promised)
    assert coder.n_nonzero_coefs_ == promised


def test_local_codes_sum_to_one(X):
    codes = make(encoder="llc").fit_transform(X)
    np.testing.assert_allclose(codes.sum(axis=1), 1.0, atol=1e-12)


def test_projections_on_nothing_are_no_entries(X):
    X[:9] = 0.0
    for options in ({}, {"spherical": True}, {"split_sign": True}):
        coder = make(encoder="topk", **options).fit(X)
        codes = coder.transform(X)
        assert codes[:9].nnz == 0
        assert coder.n_nonzero_coefs_ == pytest.approx(codes.nnz / len(X))


@pytest.mark.parametrize("whiten", [None, "zca"])
@pytest.mark.parametrize("spherical", [False, True])
def test_labels_inertia_and_counts(X, spherical, whiten):
    options = {"spherical": spherical, "whiten": whiten}
    coder = make(**options).fit(X)
    rows, centroids = in_space(coder, X)
    d = (line_distances if spherical else distances)(rows, centroids)
    np.testing.assert_array_equal(coder.labels_, d.argmin(axis=1))
    np.testing.assert_array_equal(coder.predict(X), coder.labels_)
    np.testing.assert_array_equal(make(**options).fit_predict(X), coder.labels_)
    assert coder.inertia_ == pytest.approx(np.sum(d.min(axis=1) ** 2), rel=1e-12)
    np.testing.assert_array_equal(coder.counts_, np.bincount(coder.labels_))
    weights = np.linspace(0, 1, len(X))
    assert coder.score(X) == pytest.approx(-coder.inertia_)
    assert coder.score(X, sample_weight=weights) == pytest.approx(
        -np.sum(weights * d.min(axis=1) ** 2), rel=1e-12
    )


def test_the_automatic_threshold_gives_the_density_asked_for(X):
    n_components = 20
    size = len(X) * n_components
    for n_nonzero, density in [(None, 0.1), (3, 0.15), (6, 0.3)]:
        for options in ({}, {"spherical": True}, {"split_sign": True}):
            options = {"encoder": "soft-threshold"} | options
            coder = make(n_components, n_nonzero_coefs=n_nonzero, **options).fit(X)
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
    monkeypatch.setattr(_learning, "THRESHOLD_PRODUCTS", 7 * 75)
    sampled = make(encoder="soft-threshold").fit(X)
    assert sampled.threshold_ != exact.threshold_
    assert sampled.sparsity_ == pytest.approx(exact.sparsity_, abs=0.05)


@pytest.mark.parametrize("encoder", ["soft-threshold", "topk"])
def test_a_centroid_of_no_length_has_no_direction(X, encoder):
    init = X[:3].copy()
    X[:50] = 0.0
    init[0] = 0.0
    coder = make(3, encoder=encoder, init=init, threshold=0.0).fit(X)
    coder.components_[0] = 0.0
    codes = coder.transform(X).toarray()
    assert not codes[:, 0].any()
    assert codes[:, 1:].any()
    rows = coder.inverse_transform(codes)
    assert np.isfinite(rows).all()


@every_coder
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_row_alone_is_coded_as_among_others(X, options, storage):
    coder = make(**options).fit(storage(X))
    codes = dense(coder.transform(storage(X)))
    for i in (0, 63, 64, 149):
        alone = dense(coder.transform(storage(X[i : i + 1])))
        np.testing.assert_allclose(alone, codes[i : i + 1], atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_distances_keep_their_digits_far_from_the_origin(X, dtype):
    X = (np.round(64 * X) / 64).astype(dtype)  # to have the same digits there
    far = X + dtype(4096.0)
    init = X[:7]
    near = make(init=init).fit(X)
    there = make(init=init + dtype(4096.0)).fit(far)
    there.components_ = near.components_ + dtype(4096.0)
    near.components_ = there.components_ - dtype(4096.0)
    for options in ({}, {"encoder": "llc"}):
        near.set_params(**options)
        there.set_params(**options)
        np.testing.assert_allclose(
            dense(there.transform(far)),
            dense(near.transform(X)),
            atol=1e-5 if dtype(0).nbytes == 4 else 1e-8,
        )


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_short_distance_of_long_rows_in_float32(X, storage):
    """Their squared lengths have fewer digits than it needs."""
    X = (100.0 * X[:40]).astype(np.float32)
    coder = make(40).fit(storage(X))
    expected = triangle_codes(X.astype(float), coder.components_.astype(float))
    scale = np.abs(X).max()
    np.testing.assert_allclose(coder.transform(storage(X)), expected, atol=1e-6 * scale)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
@pytest.mark.parametrize("options", CODERS[2:6], ids=name_of)
def test_squares_that_float32_cannot_hold(X, scale, options):
    plain = make(**options).fit(X.astype(np.float32))
    scaled = make(**options).fit(np.float32(scale) * X.astype(np.float32))
    codes = dense(scaled.transform(np.float32(scale) * X.astype(np.float32)))
    expected = dense(plain.transform(X.astype(np.float32)))
    unit = 1.0 if plain.whiten else scale
    np.testing.assert_allclose(codes / unit, expected, atol=2e-4)


def test_a_row_that_is_long_beyond_measure_in_float32(X):
    """Centroids and other rows are not."""
    X = X.astype(np.float32)
    coder = make().fit(X)
    X[3] *= np.float32(1e25)
    codes = coder.transform(X)
    expected = triangle_codes(X.astype(float), coder.components_.astype(float))
    np.testing.assert_allclose(codes, expected, rtol=1e-5, atol=1e-5)


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


@every_coder
def test_rows_of_zeros_in_sparse_data(X, options):
    X[::3] = 0.0
    coder = make(**options).fit(X)
    found = dense(coder.transform(sp.csr_array(X)))
    np.testing.assert_allclose(found, dense(coder.transform(X)), atol=1e-9)


# -- codes back to samples --------------------------------------------------------


@every_coder
def test_inverse_transform(X, options):
    weights = np.linspace(0.0, 1.0, len(X))
    coder = make(tol=0.0, **options).fit(X, sample_weight=weights)
    codes = coder.transform(X)
    found = coder.inverse_transform(codes)
    np.testing.assert_allclose(found, coder.inverse_transform(dense(codes)), atol=1e-12)
    np.testing.assert_allclose(
        found, expected_rows(coder, signed_codes(coder, X), X, weights), atol=1e-7
    )
    nothing = np.zeros((2, codes.shape[1]))
    expected = expected_rows(coder, np.zeros((2, 7)), X, weights)
    if coder.encoder != "llc":  # whose codes sum to one
        for storage in (np.asarray, sp.csr_array):
            found = coder.inverse_transform(storage(nothing))
            np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("whiten", [None, "zca"])
def test_a_hard_code_stands_for_its_centroid(X, whiten):
    coder = make(encoder="hard", whiten=whiten).fit(X)
    found = coder.inverse_transform(coder.transform(X))
    expected = coder.components_[coder.labels_]
    np.testing.assert_allclose(found, expected, atol=1e-12 * (whiten is not None))
    lines = make(encoder="hard", whiten=whiten, spherical=True).fit(X)
    found = lines.inverse_transform(lines.transform(X)) - (lines.mean_ if whiten else 0)
    expected = lines.components_[lines.labels_] * lines.gains_[lines.labels_][:, None]
    signs = np.sign(np.sum(found * expected, axis=1))
    np.testing.assert_allclose(found, expected * signs[:, None], atol=1e-12)


def test_all_projections_give_the_sample_back(rng):
    X = rng.standard_normal((30, 4)) + 3.0
    for options in ({"spherical": True}, {"split_sign": True}, {"whiten": "zca"}):
        coder = make(9, encoder="topk", n_nonzero_coefs=9, **options).fit(X)
        found = coder.inverse_transform(coder.transform(X))
        np.testing.assert_allclose(found, X, atol=1e-9)


def test_inverse_transform_refuses_what_is_no_code(X):
    coder = make().fit(X)
    with pytest.raises(ValueError, match="5 columns; transform gives 7"):
        coder.inverse_transform(X)
    with pytest.raises(ValueError, match=r"codes must be >= 0; got -1\.0"):
        coder.inverse_transform(-np.eye(7))
    split = make(encoder="topk", split_sign=True).fit(X)
    with pytest.raises(ValueError, match="7 columns; transform gives 14"):
        split.inverse_transform(np.eye(7))
    with pytest.raises(ValueError, match=r"codes must be >= 0; got -1\.0"):
        split.inverse_transform(-np.eye(14))
