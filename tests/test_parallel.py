"""Threads: order, exceptions, BLAS bounds that are restored, bits that do not move."""

import threading

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from sparselearn._parallel import map_chunks, map_threads, row_chunks


def blas_threads():
    """Of each BLAS but those on OpenMP, which other packages may have brought along.

    These say how many threads the thread that asks would use, not what the limit is.
    """
    return [
        pool["num_threads"]
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and pool.get("threading_layer") != "openmp"
    ]


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_results_keep_their_order(n_jobs):
    assert map_threads(lambda i: i * i, range(7), n_jobs) == [i * i for i in range(7)]
    assert map_threads(abs, [], n_jobs) == []


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_blas_is_bounded_inside_and_restored_outside(n_jobs):
    before = blas_threads()
    inside = map_threads(lambda _: blas_threads(), range(2), n_jobs)
    assert all(count == 1 for counts in inside for count in counts)
    with pytest.raises(ZeroDivisionError):
        map_threads(lambda i: 1 // i, [1, 0], n_jobs)
    assert blas_threads() == before


def test_chunks_cover_the_rows_once_for_any_n_jobs():
    for n_rows in (0, 1, 9, 10, 11):
        rows = [i for chunk in row_chunks(n_rows, 5) for i in range(n_rows)[chunk]]
        assert rows == list(range(n_rows))
    X = np.random.default_rng(0).standard_normal((1000, 50))
    one, two = (
        np.concatenate(map_chunks(lambda rows: X[rows] @ X[0], 1000, 64, n_jobs))
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_an_enclosing_joblib_context_is_heard():
    def meet(_):
        # Passed by two threads that are here at once, and by no other.
        return meeting.wait(timeout=60)

    meeting = threading.Barrier(2)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert sorted(map_threads(meet, range(2))) == [0, 1]
    own = threading.get_ident()
    assert map_threads(lambda _: threading.get_ident(), range(4)) == [own] * 4
