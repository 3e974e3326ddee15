"""Metrics are their formulas, in every storage, and leave what they measure alone."""

from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.metrics import f1_score, r2_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.metrics import (
    explained_variance,
    hoyer_sparsity,
    match_atoms,
    sparsity,
    support_f1,
)
from sparselearn.pruning import Pruner

SPARSE = [
    sp.csr_array,
    sp.csc_array,
    sp.coo_array,
    sp.lil_array,
    sp.dok_array,
    sp.bsr_array,
    sp.dia_array,
    sp.csr_matrix,
]


@pytest.fixture
def X(rng):
    X = rng.normal(loc=[0.0, 5.0, -100.0, 1.0], size=(30, 4))
    X[rng.random(X.shape) < 0.4] = 0.0
    X[3] = 0.0
    return X


def with_stored_zeros():
    """[[3, 0, 0], [0, 2, 0]], the 3 as 1 + 2, a 0 stored, another as 4 - 4."""
    parts = ([1.0, 2.0, 0.0, 2.0, 4.0, -4.0], [0, 0, 1, 1, 2, 2], [0, 3, 6])
    return sp.csr_array(parts, shape=(2, 3))


# sparsity


def test_sparsity_counts_exact_zeros(X):
    expected = np.mean(X == 0)
    assert 0.3 < expected < 0.5
    assert sparsity(X) == expected
    assert type(sparsity(X)) is float
    assert sparsity(X[0].tolist()) == np.mean(X[0] == 0)
    assert sparsity([0.0, -0.0, 1e-300, np.nan]) == 0.5
    assert sparsity([False, True, True, True]) == 0.25


@pytest.mark.parametrize("storage", SPARSE)
def test_sparsity_of_sparse_arrays(X, storage):
    assert sparsity(storage(X)) == np.mean(X == 0)


def test_stored_zeros_are_zeros():
    X = with_stored_zeros()
    assert sparsity(X) == 4 / 6
    assert sparsity(X.tocsc()) == 4 / 6
    coo = sp.coo_array(X, copy=True)
    assert sparsity(coo) == 4 / 6
    for array in (X, coo):  # as they were
        np.testing.assert_array_equal(array.data, [1.0, 2.0, 0.0, 2.0, 4.0, -4.0])
    assert sparsity(sp.csr_array((2, 5))) == 1.0


def test_sparsity_of_estimators(X, rng):
    y = X[:, 2] + rng.normal(size=len(X))
    lasso = Lasso(alpha=3.0).fit(X, y)
    assert 0 < sparsity(lasso) == np.mean(lasso.coef_ == 0)
    assert sparsity(make_pipeline(StandardScaler(), lasso)) == sparsity(lasso)
    pruner = Pruner(Lasso(alpha=1e-3), sparsity=0.75).fit(X, y)
    assert sparsity(pruner) == pruner.sparsity_ == 0.75
    logistic = LogisticRegression(max_iter=5000).fit(X, y > np.median(y))
    logistic.coef_[0, 1] = 0.0
    assert sparsity(logistic) == sparsity(logistic.sparsify()) == 0.25
    network = MLPRegressor(
        hidden_layer_sizes=(3,), solver="lbfgs", max_iter=2000, random_state=0
    ).fit(StandardScaler().fit_transform(X), y / 100)
    assert sparsity(network) == 0.0
    network.coefs_[1][:] = 0.0
    assert sparsity(network) == 3 / (4 * 3 + 3)


def test_sparsity_refuses():
    with pytest.raises(TypeError, match="KNeighborsRegressor has no sparsity_"):
        sparsity(KNeighborsRegressor())
    with pytest.raises(TypeError, match="fit it first"):
        sparsity(Lasso())
    with pytest.raises(ValueError, match="no entries"):
        sparsity(np.zeros((0, 3)))


# hoyer_sparsity


def hoyer(x):
    root = np.sqrt(x.size)
    return (root - np.abs(x).sum() / np.sqrt((x**2).sum())) / (root - 1)


def test_hoyer_is_the_formula(X):
    assert hoyer_sparsity(X) == pytest.approx(hoyer(X), rel=1e-12)
    assert type(hoyer_sparsity(X)) is float
    assert hoyer_sparsity(X[0]) == pytest.approx(hoyer(X[0]), rel=1e-12)
    by_row = [1.0 if not row.any() else hoyer(row) for row in X]
    np.testing.assert_allclose(hoyer_sparsity(X, axis=1), by_row, rtol=1e-12)
    by_column = [hoyer(column) for column in X.T]
    np.testing.assert_allclose(hoyer_sparsity(X, axis=0), by_column, rtol=1e-12)


@pytest.mark.parametrize("storage", SPARSE)
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_hoyer_of_sparse_arrays(X, storage, axis):
    np.testing.assert_allclose(
        hoyer_sparsity(storage(X), axis=axis), hoyer_sparsity(X, axis=axis), rtol=1e-12
    )


def test_hoyer_of_duplicate_entries():
    X = with_stored_zeros()
    assert hoyer_sparsity(X) == pytest.approx(hoyer(X.toarray()), rel=1e-12)
    assert X.nnz == 6


def test_hoyer_at_its_ends():
    assert hoyer_sparsity([0, 0, -7, 0]) == 1.0
    assert hoyer_sparsity([3.0, -3.0, 3.0]) == 0.0
    assert hoyer_sparsity(np.zeros(4)) == 1.0
    np.testing.assert_array_equal(hoyer_sparsity(sp.csr_array((3, 2)), axis=0), [1, 1])


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e8, 1e300])
def test_hoyer_does_not_depend_on_scale(X, scale):
    for axis in (None, 0, 1):
        np.testing.assert_allclose(
            hoyer_sparsity(X * scale, axis=axis),
            hoyer_sparsity(X, axis=axis),
            rtol=1e-12,
        )


def test_hoyer_refuses(X):
    with pytest.raises(ValueError, match="at least 2"):
        hoyer_sparsity([1.0])
    with pytest.raises(ValueError, match="at least 2"):
        hoyer_sparsity(X[:, :1], axis=1)
    with pytest.raises(ValueError, match="axis=2"):
        hoyer_sparsity(X, axis=2)
    with pytest.raises(ValueError, match="axis=1 for an X of 1"):
        hoyer_sparsity(X[0], axis=1)
    with pytest.raises(ValueError, match="NaN"):
        hoyer_sparsity([np.nan, 1.0])


# explained_variance


def test_explained_variance_is_r2_weighted_by_variance(X, rng):
    X_hat = X + rng.normal(size=X.shape)
    expected = r2_score(X, X_hat, multioutput="variance_weighted")
    assert explained_variance(X, X_hat) == pytest.approx(expected, rel=1e-12)
    assert type(explained_variance(X, X_hat)) is float


def test_explained_variance_about_a_given_mean(X, rng):
    X_hat = X + rng.normal(size=X.shape)
    mean = rng.normal(size=X.shape[1])
    expected = 1 - ((X - X_hat) ** 2).sum() / ((X - mean) ** 2).sum()
    for storage in (np.asarray, *SPARSE):
        value = explained_variance(storage(X), X_hat, mean=mean)
        assert value == pytest.approx(expected, rel=1e-12)
    assert explained_variance(X, np.tile(mean, (len(X), 1)), mean=mean) == 0.0


@pytest.mark.parametrize("storage", SPARSE)
def test_explained_variance_of_sparse_arrays(X, rng, storage):
    X_hat = np.where(rng.random(X.shape) < 0.5, X, 0.0)
    expected = explained_variance(X, X_hat)
    for a, b in (
        (X, storage(X_hat)),
        (storage(X), X_hat),
        (storage(X), storage(X_hat)),
    ):
        assert explained_variance(a, b) == pytest.approx(expected, rel=1e-12)


def test_explained_variance_of_duplicate_entries():
    X, X_hat = with_stored_zeros(), np.ones((2, 3))
    expected = explained_variance(X.toarray(), X_hat)
    assert explained_variance(X, X_hat) == pytest.approx(expected, rel=1e-12)
    assert X.nnz == 6


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_explained_variance_of_constants(storage):
    X = np.tile([0.1, 0.3, 1e8 / 3], (1001, 1))
    assert explained_variance(storage(X), X) == 1.0
    assert explained_variance(storage(X), X + 1.0) == 0.0


def test_explained_variance_sums_in_float64(rng):
    X = (1e4 + rng.normal(size=(2000, 3))).astype(np.float32)
    X_hat = X + rng.normal(size=X.shape).astype(np.float32) / 10
    expected = explained_variance(X.astype(float), X_hat.astype(float))
    assert explained_variance(X, X_hat) == expected


def test_explained_variance_refuses(X):
    with pytest.raises(ValueError, match=r"\(30, 4\) and X_hat \(29, 4\)"):
        explained_variance(X, X[1:])
    with pytest.raises(ValueError, match="mean has shape"):
        explained_variance(X, X, mean=0.0)
    with pytest.raises(ValueError, match=r"X_hat contains NaN"):
        explained_variance(X, np.full_like(X, np.nan))


# support_f1


def test_support_f1_is_f1_of_the_supports(X, rng):
    other = np.where(rng.random(X.shape) < 0.5, 1.0, 0.0)
    expected = f1_score((X != 0).ravel(), (other != 0).ravel())
    assert support_f1(X, other) == pytest.approx(expected, rel=1e-12)
    assert support_f1(X[0], other[0]) == pytest.approx(
        f1_score(X[0] != 0, other[0] != 0), rel=1e-12
    )
    for storage in SPARSE:
        for a, b in ((storage(X), other), (X, storage(other))):
            assert support_f1(a, b) == pytest.approx(expected, rel=1e-12)


def test_support_f1_at_its_ends():
    assert support_f1([1, 0, -2], [5, 0, 1e-300]) == 1.0
    assert support_f1([1, 0, 1], [0, 1, 0]) == 0.0
    assert support_f1([0, 0], [0, 0]) == 1.0
    assert support_f1([0, 0], [0, 1]) == 0.0


def test_support_f1_of_stored_zeros():
    X = with_stored_zeros()
    assert support_f1(X, X.toarray()) == 1.0
    assert X.nnz == 6


def test_support_f1_refuses():
    with pytest.raises(ValueError, match=r"\(2,\) and estimated \(1, 2\)"):
        support_f1([1, 0], [[1, 0]])


# match_atoms


def test_match_undoes_order_sign_and_scale(rng):
    D = rng.standard_normal((9, 12))
    order, signs = rng.permutation(9), rng.choice([-1.0, 1.0], size=9)
    found = (D * signs[:, None] * rng.uniform(1e-3, 1e3, size=(9, 1)))[order]
    match = match_atoms(D, found)
    np.testing.assert_array_equal(order[match.indices], np.arange(9))
    np.testing.assert_array_equal(match.signs, signs)
    np.testing.assert_allclose(match.cosines, 1.0, rtol=1e-12)
    assert np.all(match.cosines <= 1.0)
    assert match.recovered == 1.0


def test_match_is_the_best_of_all(rng):
    """Against every permutation; the greedy choice is not always it."""
    for _ in range(20):
        D, found = rng.standard_normal((5, 3)), rng.standard_normal((5, 3))
        cosines = np.abs(D @ found.T) / np.outer(
            np.linalg.norm(D, axis=1), np.linalg.norm(found, axis=1)
        )
        best = max(permutations(range(5)), key=lambda p: cosines[range(5), p].sum())
        match = match_atoms(D, found, threshold=0.7)
        np.testing.assert_array_equal(match.indices, best)
        np.testing.assert_allclose(match.cosines, cosines[range(5), best])
        assert match.recovered == np.mean(match.cosines > 0.7)
        np.testing.assert_array_equal(
            match.signs, np.sign(np.sum(D * found[match.indices], axis=1))
        )


def test_match_of_more_and_of_fewer_atoms(rng):
    D = rng.standard_normal((6, 8))
    more = match_atoms(D, np.vstack([rng.standard_normal((3, 8)), D]))
    np.testing.assert_array_equal(more.indices, np.arange(3, 9))
    assert more.recovered == 1.0
    fewer = match_atoms(D, D[[4, 1]])
    np.testing.assert_array_equal(fewer.indices, [-1, 1, -1, -1, 0, -1])
    np.testing.assert_array_equal(fewer.signs, [0, 1, 0, 0, 1, 0])
    np.testing.assert_allclose(fewer.cosines, [0, 1, 0, 0, 1, 0], rtol=1e-12)
    assert fewer.recovered == pytest.approx(2 / 6)


@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e200])
def test_match_of_tiny_huge_and_zero_atoms(rng, scale):
    D = rng.standard_normal((4, 5))
    D[2] = 0.0
    match = match_atoms(scale * D, D[::-1])
    np.testing.assert_array_equal(match.indices, [3, 2, 1, 0])
    np.testing.assert_allclose(match.cosines, [1, 1, 0, 1], rtol=1e-12)


def test_match_leaves_its_inputs(rng):
    D = rng.standard_normal((4, 5))
    D.flags.writeable = False
    assert match_atoms(D, D.astype(np.float32)).recovered == 1.0


def test_match_refuses(rng):
    D = rng.standard_normal((4, 5))
    with pytest.raises(ValueError, match="D_true has 5 features and D_found 4"):
        match_atoms(D, D[:, :4])
    with pytest.raises(ValueError, match="D_found contains NaN"):
        match_atoms(D, np.full_like(D, np.nan))
