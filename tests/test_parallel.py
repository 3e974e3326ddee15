"""Threads: order, exceptions, BLAS bounds that are restored, bits that do not move."""

import contextvars
import threading
import weakref

import joblib
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from sparselearn._parallel import (
    Shared,
    ahead,
    bounded,
    map_chunks,
    map_jobs,
    map_threads,
    row_chunks,
)


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


class Load:
    """Something that can be counted while it is there."""

    def __init__(self, number):
        self.number = number


def test_the_next_result_is_made_ahead_and_no_other():
    alive, begun = weakref.WeakSet(), [threading.Event() for _ in range(5)]

    def load(number):
        begun[number].set()
        found = Load(number)
        alive.add(found)
        return found

    numbers = []
    for found in ahead(load, iter(range(5))):
        numbers.append(found.number)
        if found.number < 4:
            assert begun[found.number + 1].wait(timeout=60)
        assert not any(event.is_set() for event in begun[found.number + 2 :])
        assert len(alive) <= 2
        del found
    assert numbers == [0, 1, 2, 3, 4]
    assert list(ahead(load, [])) == []


def test_who_stops_early_waits_for_nothing():
    let_go = threading.Event()

    def slow(number):
        assert number < 2  # no more is begun
        return number if number == 0 else let_go.wait(timeout=60)

    results = ahead(slow, range(9))
    assert next(results) == 0
    results.close()  # while the next one waits for us
    let_go.set()


def test_errors_and_contexts_come_through():
    where = contextvars.ContextVar("where", default="nowhere")
    where.set("here")
    assert list(ahead(lambda _: where.get(), range(2))) == ["here", "here"]
    results = ahead(lambda number: 1 // number, [1, 0, 1])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def scaled(shared, number):
    return shared * number, blas_threads()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_jobs_share_what_they_share_and_keep_their_order(n_jobs):
    jobs = [(number,) for number in range(9)]
    found = list(map_jobs(scaled, Shared(3), jobs, n_jobs, in_threads=True))
    assert [product for product, _ in found] == [3 * number for number in range(9)]
    assert list(map_jobs(scaled, Shared(3), [], n_jobs)) == []


def test_blas_is_bounded_and_restored_by_whichever_thread():
    """Also where one has bounded it and another one restores it."""
    before = blas_threads()
    seen = []

    def stay(came, leave):
        bounded(lambda: (came.set(), leave.wait(60), seen.append(blas_threads())))

    for _ in range(3):
        events = [(threading.Event(), threading.Event()) for _ in range(2)]
        threads = [threading.Thread(target=stay, args=pair) for pair in events]
        for thread, (came, _) in zip(threads, events):
            thread.start()
            assert came.wait(60)
        for thread, (_, leave) in zip(threads, events):
            leave.set()
            thread.join()
        seen.extend(bounded(lambda: [blas_threads()]))
        assert blas_threads() == before
    assert len(seen) == 9
    assert all(count == 1 for counts in seen for count in counts)
