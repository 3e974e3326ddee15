"""One layout comes out, whatever comes in; nothing that came in is changed."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._validation import (
    check_penalty_weights,
    column_major,
    read_only,
    row_weights,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dense_columns(dtype, rng):
    X = rng.standard_normal((6, 4)).astype(dtype)
    fortran = np.asfortranarray(X)
    for given in (X, fortran, np.repeat(X, 2, axis=1)[:, ::2]):
        got = column_major(given)
        assert got.flags.f_contiguous
        assert not got.flags.writeable
        assert given.flags.writeable
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, given)
    assert np.shares_memory(column_major(fortran), fortran)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_sparse_columns(index_dtype, rng):
    X = sp.csc_array(rng.standard_normal((6, 4)) * (rng.uniform(size=(6, 4)) < 0.5))
    given = sp.csc_array(
        (X.data, X.indices.astype(index_dtype), X.indptr.astype(index_dtype)), X.shape
    )
    got = column_major(given)
    for part in (got.data, got.indices, got.indptr):
        assert not part.flags.writeable
    assert got.indices.dtype == got.indptr.dtype == np.int32
    assert given.indices.dtype == index_dtype
    assert np.shares_memory(got.data, given.data)
    np.testing.assert_array_equal(got.toarray(), X.toarray())


def test_duplicate_entries_are_summed_in_a_copy():
    given = sp.csc_array(
        (np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2)
    )
    got = column_major(given)
    np.testing.assert_array_equal(got.toarray(), [[0.0, 1.0], [2.0, 0.0]])
    assert given.data.size == 3


def test_row_weights_sum_to_one(rng):
    X = rng.standard_normal((4, 2))
    np.testing.assert_array_equal(row_weights(None, X), [0.25])
    np.testing.assert_allclose(row_weights([1, 0, 2, 1], X), [0.25, 0, 0.5, 0.25])
    np.testing.assert_allclose(row_weights(3.0, X), np.full(4, 0.25))
    with pytest.raises(ValueError, match="egative"):
        row_weights([-1, 1, 1, 1], X)


def test_penalty_weights():
    assert check_penalty_weights(None, 3) is None
    got = check_penalty_weights([0, 1, np.inf], 3)
    np.testing.assert_array_equal(got, [0.0, 1.0, np.inf])
    for bad in ([1, 2], [[1, 2, 3]], [1, -1, 0], [1, np.nan, 0]):
        with pytest.raises(ValueError, match="penalty_weights"):
            check_penalty_weights(bad, 3)


def test_read_only_leaves_the_array_writeable():
    array = np.ones(3)
    view = read_only(array)
    assert array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 2.0


def test_a_function_of_rows_refuses_a_collection():
    da = pytest.importorskip("dask.array")
    from sparselearn.linear_model import lasso_path

    with pytest.raises(TypeError, match=r"needs these rows in memory.*dask Array"):
        lasso_path(da.ones((6, 2)), np.arange(6.0))
