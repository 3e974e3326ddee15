"""Threads: the only place that starts them, and bounds those of BLAS while they run.

Kernels release the GIL, so work is spread over chunks of rows, targets or folds in
threads that share their arrays. Neither the chunks nor the number of BLAS threads
inside one depend on `n_jobs`, hence neither do the bits of a result.

Jobs of estimators, such as the folds of a search, go to workers of any backend of
joblib. On a cluster of dask what all jobs share is sent to each worker once, and a job
is done by the thread that it came to: jobs are what the cluster is for.
"""

import contextlib
import contextvars
import functools
import os
import pickle
import re
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import joblib
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import ThreadpoolController

__all__ = [
    "Shared",
    "ahead",
    "bounded",
    "map_chunks",
    "map_jobs",
    "map_threads",
    "row_chunks",
    "sending_told",
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
            _let_any_thread_limit(pools)
            self._limit = pools.limit(limits=1)
            _let_any_thread_limit(pools)
            return n_threads

    def __exit__(self, *exception):
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                pools = _thread_pools()
                _let_any_thread_limit(pools)
                self._limit.restore_original_limits()
                _let_any_thread_limit(pools)


def _let_any_thread_limit(pools):
    """Free limits for the one who asks: the lock above is what keeps threads apart.

    To threadpoolctl >= 3.8, they are of the thread that set one first; what others ask
    for is silently not done, be it to bound BLAS or to restore it.
    """
    for pool in pools.lib_controllers:
        if hasattr(pool, "clear_controlling_thread"):
            pool.clear_controlling_thread(force=True)


_one_blas_thread = _OneBlasThread()

LOSSES = 5  # times that data of jobs are lost with a worker before it is an error


def _cluster():
    """The client of the cluster of dask that is joblib's backend here, or None."""
    return getattr(get_active_backend()[0], "client", None)


def _is_task():
    """Whether this thread is doing a task of a cluster."""
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def _count_threads(n_jobs):
    """How many threads of this process `n_jobs` means, from 1 up."""
    if _cluster() is None:
        return joblib.effective_n_jobs(n_jobs)
    if _is_task():
        return 1
    # joblib would say how many threads the workers have, whatever the number.
    usual = get_active_backend()[1] if n_jobs is None else n_jobs
    with joblib.parallel_config("threading"):
        return joblib.effective_n_jobs(usual)


def map_threads(function, items, n_jobs=None):
    """``[function(item) for item in items]``, in up to `n_jobs` threads.

    Parameters
    ----------
    function : callable
        Spends its time in kernels, BLAS or other code that releases the GIL.
    items : sequence
    n_jobs : int or None
        None means 1, or what an enclosing ``joblib.parallel_config`` says; -1 means
        all cores. Where the backend is a cluster, these are threads of this process
        all the same, and in a task of it any number means 1.

    Returns
    -------
    results : list
        In the order of `items`.
    """
    items = list(items)
    n_threads = min(_count_threads(n_jobs), len(items))
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
    n_threads = _count_threads(n_jobs)
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


class Shared:
    """What jobs have in common, such as the data: for one call of `map_jobs` or more.

    Parameters
    ----------
    content : object
        Pickled, where workers are processes.
    """

    def __init__(self, content):
        self.content = content
        self._sent = None

    def __reduce__(self):
        return Shared, (self.content,)

    def on(self, client):
        """A reference to a copy on one worker, from which others get theirs.

        What dask takes for its size is that of this object, without the content: jobs
        do not queue up where the copy is. To copy it to all workers ahead of the jobs
        would not end if one of them dies meanwhile.
        """
        n_lost = 0
        while self._sent is None:
            try:
                self._sent = client.scatter(self, hash=False)
            except OSError:  # the worker died that was to get it
                n_lost += 1
                if n_lost == LOSSES:
                    raise
                time.sleep(0.1 * n_lost)
        return self._sent

    def lost(self):
        """What was sent is gone: send it anew."""
        self._sent = None


def map_jobs(function, shared, jobs, n_jobs=None, *, in_threads=False):
    """Yield ``function(shared.content, *job)`` for each of `jobs`, in joblib's workers.

    For coarse work of estimators of any kind. Each job has one BLAS thread, so that its
    bits do not depend on how many run at the same time; on a cluster, one thread.

    Parameters
    ----------
    function : callable
        Of a module: pickled, as jobs are, where workers are processes.
    shared : Shared
        The workers of a cluster get it once, those of other backends with each job, its
        arrays of more than a megabyte as memory maps.
    jobs : sequence of tuple
        Short ones.
    n_jobs : int or None
        As joblib understands it.
    in_threads : bool
        Whether threads do, where no backend is asked for: of work in kernels they
        share the arrays.

    Yields
    ------
    result
        In the order of `jobs`.
    """
    jobs = list(jobs)
    prefer = "threads" if in_threads else None
    client = _cluster()
    if client is not None and _is_task():
        yield from (_do(function, shared, job) for job in jobs)
        return
    lazy = getattr(get_active_backend(prefer)[0], "supports_return_generator", False)
    run = Parallel(n_jobs, prefer=prefer, return_as="generator" if lazy else "list")
    n_done, n_lost = 0, 0
    while n_done < len(jobs):
        sent = shared
        # With one worker joblib sends nothing.
        if client is not None and joblib.effective_n_jobs(n_jobs) > 1:
            sent = shared.on(client)
        # A tuple joblib leaves as it is; arrays it would scatter, each to one worker,
        # with which they would be lost.
        calls = [delayed(_do)(function, sent, tuple(job)) for job in jobs[n_done:]]
        try:
            with sending_told():
                for result in run(calls):
                    yield result
                    n_done += 1
        except CancelledError:
            # The worker died that had the only copy.
            n_lost += 1
            if client is None or n_lost == LOSSES:
                raise
            shared.lost()


@contextlib.contextmanager
def sending_told():
    """Say what is wrong where joblib cannot write the arrays that processes are sent.

    Raises
    ------
    OSError
        Naming the folder, in place of joblib's word that a task does not pickle.
    """
    try:
        yield
    except pickle.PicklingError as error:
        # Of what was raised in its thread joblib has the text, and nothing else.
        text = str(error.__cause__)
        fault = re.search(r"^\w*Error: \[Errno (\d+)\] (.*)$", text, re.MULTILINE)
        if fault is None or "memmapping" not in text:
            raise
        folder = os.environ.get("JOBLIB_TEMP_FOLDER")
        raise OSError(
            int(fault[1]),
            "Processes cannot be sent their arrays, which joblib keeps in files: "
            f"{fault[2]}. JOBLIB_TEMP_FOLDER, a folder with room for them, is "
            f"{folder or 'not set'}; joblib.parallel_config('threading') needs none",
        ) from error


def _do(function, shared, job):
    with contextlib.ExitStack() as stack:
        stack.enter_context(_one_blas_thread)
        if _cluster() is not None:
            stack.enter_context(joblib.parallel_config("sequential", n_jobs=1))
        if not isinstance(shared, Shared):
            # One worker was left when joblib counted: it does the jobs here.
            shared = shared.result()
        return function(shared.content, *job)


def row_chunks(n_rows, size):
    """Slices of `size` rows that cover ``range(n_rows)``, the last one shorter."""
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def map_chunks(function, n_rows, size, n_jobs=None):
    """``function(rows)`` for each slice of :func:`row_chunks`, as `map_threads`."""
    return map_threads(function, row_chunks(n_rows, size), n_jobs)
