"""Data are what they are said to be, and the same for the same random_state."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_sample_image

from sparselearn.datasets import (
    load_image_patches,
    make_sparse_coded_signal,
    make_sparse_regression,
)

# -- make_sparse_regression --------------------------------------------------------


def test_regression_is_the_model(seed):
    X, y, coef = make_sparse_regression(
        300, 40, n_informative=7, snr=4.0, random_state=seed
    )
    assert X.shape == (300, 40)
    assert X.flags.f_contiguous
    assert np.count_nonzero(coef) == 7
    noise = np.linalg.norm(y - X @ coef)
    assert np.linalg.norm(X @ coef) == pytest.approx(4.0 * noise)
    again = make_sparse_regression(300, 40, n_informative=7, snr=4.0, random_state=seed)
    for one, other in zip((X, y, coef), again):
        np.testing.assert_array_equal(one, other)
    _, y, coef = make_sparse_regression(random_state=seed, snr=None, n_informative=0)
    assert not y.any()
    assert not coef.any()


@pytest.mark.parametrize("correlation", [0.8, -0.5, 0.0])
def test_correlations_fall_off(seed, correlation):
    X, _, _ = make_sparse_regression(
        20000, 5, n_informative=1, correlation=correlation, random_state=seed
    )
    j = np.arange(5)
    expected = float(correlation) ** np.abs(j - j[:, None])
    np.testing.assert_allclose(X.T @ X / len(X), expected, atol=0.05)


def test_groups_are_used_as_a_whole(seed):
    _, _, coef = make_sparse_regression(
        50, 29, n_informative=3, group_size=4, random_state=seed
    )
    used = [coef[start : start + 4] != 0 for start in range(0, 29, 4)]
    assert sum(group.all() for group in used) == 3
    assert sum(group.any() for group in used) == 3


def test_sparse_regression(seed):
    X, y, coef = make_sparse_regression(
        400, 50, density=0.1, snr=None, random_state=seed
    )
    assert isinstance(X, sp.csc_array)
    assert X.has_canonical_format
    assert X.nnz / 20000 == pytest.approx(0.1, abs=0.02)
    np.testing.assert_allclose(y, X @ coef)


def test_regression_refuses():
    with pytest.raises(
        ValueError, match="n_informative=10 is more than there are features, 3"
    ):
        make_sparse_regression(20, 3)
    with pytest.raises(ValueError, match="groups of group_size=5, 2"):
        make_sparse_regression(20, 10, n_informative=3, group_size=5)
    with pytest.raises(ValueError, match="density"):
        make_sparse_regression(density=0.0)


# -- make_sparse_coded_signal ---------------------------------------------------------


@pytest.mark.parametrize("positive", [False, True])
def test_signal_is_codes_times_atoms(seed, positive):
    X, D, Z = make_sparse_coded_signal(
        200, n_components=30, n_features=12, positive=positive, random_state=seed
    )
    assert isinstance(Z, sp.csr_array)
    assert Z.shape == (200, 30)
    assert Z.has_canonical_format
    assert set(np.diff(Z.indptr)) == {3}
    assert bool(np.all(Z.data > 0)) == positive
    np.testing.assert_allclose(np.linalg.norm(D, axis=1), 1.0)
    np.testing.assert_allclose(X, Z.toarray() @ D)
    assert np.all(
        np.diff(Z.indptr) == [len(set(row)) for row in Z.indices.reshape(200, 3)]
    )
    usage = np.bincount(Z.indices, minlength=30)
    assert usage.min() > 0
    again = make_sparse_coded_signal(
        200, n_components=30, n_features=12, positive=positive, random_state=seed
    )
    np.testing.assert_array_equal(again[0], X)


def test_noise_is_a_share_of_the_signal(seed):
    X, D, Z = make_sparse_coded_signal(noise=0.1, random_state=seed)
    signal = Z @ D
    share = np.linalg.norm(X - signal) / np.linalg.norm(signal)
    assert share == pytest.approx(0.1)


def test_more_non_zeros_than_atoms(seed):
    _, _, Z = make_sparse_coded_signal(
        5, n_components=4, n_nonzero_coefs=9, random_state=seed
    )
    assert Z.nnz == 20


# -- load_image_patches -----------------------------------------------------------


@pytest.mark.parametrize("image", ["china", "flower"])
@pytest.mark.parametrize("color", [False, True])
def test_patches_are_cut_from_the_image(image, color):
    shape = (3, 5, 3) if color else (3, 5)
    X = load_image_patches(
        None, patch_size=(3, 5), image=image, color=color, remove_mean=False
    )
    pixels = load_sample_image(f"{image}.jpg") / 255.0
    if not color:
        pixels = pixels @ [0.299, 0.587, 0.114]
    n_rows, n_columns = 427 - 2, 640 - 4
    assert X.shape == (n_rows * n_columns, np.prod(shape))
    for row, column in ((0, 0), (17, 300), (n_rows - 1, n_columns - 1)):
        patch = X[row * n_columns + column].reshape(shape)
        np.testing.assert_allclose(
            patch, pixels[row : row + 3, column : column + 5], atol=1e-15
        )
    assert X.min() >= 0.0
    assert X.max() <= 1.0


def test_means_and_lengths(seed):
    options = {"n_patches": 400, "random_state": seed}
    plain = load_image_patches(**options, remove_mean=False)
    centred = load_image_patches(**options)
    np.testing.assert_allclose(
        centred, plain - plain.mean(axis=1, keepdims=True), atol=1e-12
    )
    unit = load_image_patches(**options, unit_norm=True)
    lengths = np.linalg.norm(unit, axis=1)
    flat = np.linalg.norm(centred, axis=1) < 1e-10
    np.testing.assert_allclose(lengths[~flat], 1.0)
    assert not unit[flat].any()
    colour = load_image_patches(**options, color=True).reshape(400, 64, 3)
    np.testing.assert_allclose(colour.mean(axis=1), 0.0, atol=1e-12)


def test_flat_patches_stay_zero():
    """The sky has some."""
    X = load_image_patches(None, patch_size=(2, 2), unit_norm=True)
    lengths = np.linalg.norm(X, axis=1)
    flat = lengths == 0.0
    assert flat.any()
    np.testing.assert_allclose(lengths[~flat], 1.0)


def test_patches_are_drawn_without_repeats(seed, monkeypatch):
    image = np.arange(6 * 7 * 3).reshape(6, 7, 3)
    monkeypatch.setattr("sklearn.datasets.load_sample_image", lambda name: image)
    options = {"patch_size": (3, 2), "remove_mean": False, "random_state": seed}
    full = load_image_patches(10**9, **options)
    np.testing.assert_array_equal(full, load_image_patches(None, **options))
    first = np.sort(full[:, 0])
    assert len(np.unique(first)) == 4 * 6
    drawn = load_image_patches(20, **options)[:, 0]
    assert len(np.unique(drawn)) == 20
    assert np.all(np.isin(drawn, first))
    assert not np.array_equal(drawn, np.sort(drawn))


@pytest.mark.parametrize("patch_size", [8, (8,), (8, 0), (8.0, 8.0), (8, 641)])
def test_patch_size_is_checked(patch_size):
    with pytest.raises(ValueError, match="patch_size"):
        load_image_patches(patch_size=patch_size)
