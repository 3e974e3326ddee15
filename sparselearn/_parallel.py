"""Threads: the only place that starts them, and bounds those of BLAS while they run.

Kernels release the GIL, so work is spread over chunks of rows, targets or folds in
threads that share their arrays. Neither the chunks nor the number of BLAS threads
inside one depend on `n_jobs`, hence neither do the bits of a result.
"""

import functools

import joblib
from threadpoolctl import ThreadpoolController

__all__ = ["bounded", "map_chunks", "map_threads", "row_chunks"]


@functools.cache
def _thread_pools():
    # Finding the loaded libraries takes milliseconds, bounding them microseconds.
    return ThreadpoolController()


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
    with _thread_pools().limit(limits=1, user_api="blas"):
        if n_threads <= 1:
            return [function(item) for item in items]
        parallel = joblib.Parallel(n_jobs=n_threads, require="sharedmem")
        return parallel(joblib.delayed(function)(item) for item in items)


def bounded(function, *args, **kwargs):
    """``function(*args, **kwargs)`` with one BLAS thread.

    Threads that wait for one another cost a small factorisation more than it takes.
    """
    with _thread_pools().limit(limits=1, user_api="blas"):
        return function(*args, **kwargs)


def row_chunks(n_rows, size):
    """Slices of `size` rows that cover ``range(n_rows)``, the last one shorter."""
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def map_chunks(function, n_rows, size, n_jobs=None):
    """``function(rows)`` for each slice of :func:`row_chunks`, as `map_threads`."""
    return map_threads(function, row_chunks(n_rows, size), n_jobs)
