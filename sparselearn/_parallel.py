"""Threads: the only place that starts them, and bounds those of BLAS while they run.

Kernels release the GIL, so work is spread over chunks of rows, targets or folds in
threads that share their arrays. Neither the chunks nor the number of BLAS threads
inside one depend on `n_jobs`, hence neither do the bits of a result.
"""

import contextlib
import contextvars
import functools
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import ThreadpoolController

__all__ = [
    "ahead",
    "bounded",
    "map_chunks",
    "map_jobs",
    "map_threads",
    "row_chunks",
    "stream",
    "team",
]


@functools.cache
def _thread_pools():
    # Finding the loaded libraries takes milliseconds, bounding them microseconds.
    return ThreadpoolController()


class _OneBlasThread:
    """One BLAS thread while any thread is inside; the limit is of the process.

    The first to enter sets it and the last to leave restores it, so that fits in
    threads of the user's do not restore one another's bound. Entering gives the number
    of threads BLAS had, for the one who may use them: 1 to all but the first.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._limit = None

    def __enter__(self):
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return 1
            pools = _thread_pools().select(user_api="blas")
            n_threads = max((pool["num_threads"] for pool in pools.info()), default=1)
            self._limit = pools.limit(limits=1)
            return n_threads

    def __exit__(self, *exception):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._limit.restore_original_limits()


_one_blas_thread = _OneBlasThread()


def map_threads(function, items, n_jobs=None):
    """``[function(item) for item in items]``, in up to `n_jobs` threads.

    Parameters
    ----------
    function : callable
        Spends its time in kernels, BLAS or other code that releases the GIL.
    items : sequence
    n_jobs : int or None
        None means 1, or what an enclosing ``joblib.parallel_config`` says; -1 means
        all cores.

    Returns
    -------
    results : list
        In the order of `items`.
    """
    items = list(items)
    n_threads = min(joblib.effective_n_jobs(n_jobs), len(items))
    with _one_blas_thread:
        if n_threads <= 1:
            return [function(item) for item in items]
        # joblib looks for results every hundredth of a second: as long as some calls.
        with ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(function, items))


@contextlib.contextmanager
def team():
    """Give a ``run(function, items)``: `map_threads`, for steps of a millisecond.

    Its threads, opened once, are as many as BLAS would use, and BLAS has one meanwhile:
    threads that wait for one another cost a small factorisation more than it takes,
    while a pass over a large X is done in half the time by two. Inside other threads
    of this module there is one.
    """
    with _one_blas_thread as n_threads:
        if n_threads == 1:
            yield lambda function, items: [function(item) for item in items]
            return
        with ThreadPoolExecutor(n_threads) as pool:

            def run(function, items):
                items = list(items)
                if len(items) == 1:  # to hand it over would take longer
                    return [function(items[0])]
                return list(pool.map(function, items))

            yield run


@contextlib.contextmanager
def stream(n_jobs=None):
    """Give a ``run(function, items)`` that yields results while others are made.

    Results come in the order of `items`. The threads, `n_jobs` as in `map_threads`, are
    opened once, for many calls of a millisecond; BLAS has one meanwhile. If there
    are several, ``run.n_threads``, so many items and no more run at the same time, and
    ``run.together(function, n_parts)`` calls it with 0, 1, ...: 0 in the caller's
    thread, which begins at once and need not be woken at the end.
    """
    n_threads = joblib.effective_n_jobs(n_jobs)
    with _one_blas_thread:
        if n_threads <= 1:
            yield map
            return
        with ThreadPoolExecutor(n_threads) as pool:

            def run(function, items):
                if len(items) == 1:  # to hand it over would take longer
                    return map(function, items)
                return pool.map(function, items)

            def together(function, n_parts):
                others = [pool.submit(function, part) for part in range(1, n_parts)]
                function(0)
                for other in others:
                    other.result()

            run.n_threads = n_threads
            run.together = together
            yield run


def ahead(function, items):
    """Yield ``function(item)`` for each of `items`; a thread makes the next meanwhile.

    There are two results at most, if the caller lets go of one before asking for the
    next. What is being made when the caller stops early is not waited for.
    """
    items = iter(items)
    pool = ThreadPoolExecutor(1)

    def begun():
        for item in items:
            return pool.submit(contextvars.copy_context().run, function, item)

    try:
        coming = begun()
        while coming is not None:
            found = [coming.result()]
            coming = begun()
            yield found.pop()  # and hold it no longer
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def bounded(function, *args, **kwargs):
    """``function(*args, **kwargs)`` with one BLAS thread."""
    with _one_blas_thread:
        return function(*args, **kwargs)


def map_jobs(function, jobs, n_jobs=None, *, in_threads=False):
    """Yield ``function(*job)`` for each of `jobs`, in workers of joblib.

    For coarse work of estimators of any kind. Each job has one BLAS thread, so that its
    bits do not depend on how many run at the same time.

    Parameters
    ----------
    function : callable
        Pickled, as jobs are, where workers are processes.
    jobs : sequence of tuple
    n_jobs : int or None
        As in `map_threads`.
    in_threads : bool
        Whether threads do, where no backend is asked for: of work in kernels they
        share the arrays.

    Yields
    ------
    result
        In the order of `jobs`.
    """
    prefer = "threads" if in_threads else None
    run = Parallel(n_jobs, prefer=prefer, return_as="generator")
    return run(delayed(bounded)(function, *job) for job in jobs)


def row_chunks(n_rows, size):
    """Slices of `size` rows that cover ``range(n_rows)``, the last one shorter."""
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def map_chunks(function, n_rows, size, n_jobs=None):
    """``function(rows)`` for each slice of :func:`row_chunks`, as `map_threads`."""
    return map_threads(function, row_chunks(n_rows, size), n_jobs)
