"""Dask collections as chunks of rows; dask is imported where there is one.

What an estimator does with rows is done to each chunk where it lies; only sums come to
the client. Chunks without rows add nothing, and an error names the chunk that it is of.
BLAS has one thread meanwhile: it is dask that spreads the work, and threads of this
process may be what it spreads it over.
"""

import functools
import sys
import uuid

import numpy as np

from sparselearn._compat import container_of
from sparselearn._parallel import ahead, bounded

__all__ = [
    "brought",
    "chunks_of",
    "folded",
    "is_collection",
    "lazily",
    "reduced",
    "row_like",
    "starts_of",
    "stream",
]


def is_collection(X):
    """Whether X is a dask array or data frame."""
    dask = sys.modules.get("dask")  # who has one has imported it
    return dask is not None and dask.is_dask_collection(X)


def chunks_of(X, *others):
    """Rows of X, and of what goes along with them, as delayed chunks.

    Parameters
    ----------
    X : dask array or data frame
        Chunks of an array that split its columns are joined.
    *others : array-like, dask collection or None
        With as many rows, such as y; in the same chunks, or with known numbers of rows.

    Returns
    -------
    list of tuples
        A chunk of X, and of each of `others` one, or None.

    Raises
    ------
    ValueError
        If rows can not be told to which chunk they belong.
    """
    parts = _apart(_delayed(_by_rows(X)))
    columns = [
        [None] * len(parts) if other is None else _alike(X, other, len(parts))
        for other in others
    ]
    return list(zip(parts, *columns))


def _by_rows(X):
    """X in chunks of whole rows."""
    n_dimensions = getattr(X, "ndim", 1)
    if n_dimensions < 2:
        raise ValueError("Expected 2D array, got a collection of one dimension.")
    if not hasattr(X, "rechunk"):
        return X
    return X.rechunk(dict.fromkeys(range(1, n_dimensions), -1))


def _delayed(X):
    return list(np.ravel(X.to_delayed()))


def _apart(parts):
    """Delayed chunks of one collection, each with its own part of the graph alone.

    Who asks for a few of them in each of many rounds would send the graph of all each
    time: of ten thousand chunks that takes a second.
    """
    from dask.core import get_dependencies
    from dask.delayed import Delayed
    from dask.utils import ensure_dict

    graph = ensure_dict(parts[0].dask)

    def own(key):
        found, ahead = {}, [key]
        while ahead:
            key = ahead.pop()
            # What workers hold already is in no graph.
            if key in graph and key not in found:
                found[key] = graph[key]
                ahead.extend(get_dependencies(graph, key))
        return found

    return [
        Delayed(part.key, own(part.key)) if part.key in graph else part
        for part in parts
    ]


def _rows(X):
    """How many rows each chunk has, or None."""
    if not hasattr(X, "chunks"):
        return None
    rows = X.chunks[0]
    return None if np.isnan(rows).any() else rows


def _alike(X, other, n_parts):
    """`other` in the chunks of X."""
    rows = _rows(X)
    if is_collection(other):
        other = other if getattr(other, "ndim", 1) < 2 else _by_rows(other)
        if rows is not None and _rows(other) is not None and _rows(other) != rows:
            if sum(rows) != sum(_rows(other)):
                raise ValueError(
                    f"X has {sum(rows)} rows, and what goes with them has "
                    f"{sum(_rows(other))}."
                )
            other = other.rechunk({0: rows})
        parts = _apart(_delayed(other))
        if len(parts) == n_parts:
            return parts
    elif rows is not None:
        other = np.asarray(other)
        if len(other) != sum(rows):
            raise ValueError(
                f"X has {sum(rows)} rows, and what goes with them has {len(other)}."
            )
        return np.split(other, np.cumsum(rows)[:-1])
    raise ValueError(
        f"X has {n_parts} chunks of unknown size: y and sample_weight must be dask "
        "collections in the same chunks; or call X.compute_chunk_sizes() first."
    )


def _named(function, number, X, *others, **told):
    """``function(X, *others, **told)`` of a chunk; None if it has no rows."""
    for other in others:
        if other is not None and len(other) != X.shape[0]:
            raise ValueError(
                f"Chunk {number} of X has {X.shape[0]} rows, and what goes with them "
                f"has {len(other)}."
            )
    if not X.shape[0]:
        return None
    try:
        return function(X, *others, **told)
    except ValueError as error:
        raise ValueError(f"In chunk {number}: {error}") from error
    except Exception as error:
        error.add_note(f"In chunk {number} of X.")
        raise


def _computed(*parts, **options):
    """What `dask.compute` gives.

    Raises
    ------
    RuntimeError
        If a cluster has dropped what these are made of.
    """
    import dask

    try:
        return bounded(dask.compute, *parts, **options)
    except Exception as error:
        distributed = sys.modules.get("distributed")
        if distributed is None or not isinstance(error, distributed.CancelledError):
            raise
        raise RuntimeError(
            "The cluster dropped rows or work of this fit. Rows that scatter put in "
            "the memory of one worker are lost with it: let X read its chunks, which "
            "can be read again, or scatter with broadcast=True. Or else it was told "
            "to cancel or to restart."
        ) from error


def _added(left, right):
    if left is None or right is None:
        return right if left is None else left
    return left + right


def reduced(function, chunks, notes=None, order=None, *, beside=False):
    """The sum of ``function(*chunk)``, formed where chunks lie, in a tree.

    The tree depends on the number of chunks alone: what workers there are, and which of
    them die, changes no more than the rounding of what a chunk gives.

    Parameters
    ----------
    function : callable
        It pickles, and gives something that can be added; None counts as nothing.
    chunks : list of tuples
        Of `chunks_of`.
    notes : sequence or dict, optional
        What else the function is told, as `note`: one for each chunk, by its number.
    order : sequence of int, optional
        Numbers of the chunks to read, in which order they are added; None is all. The
        others are left alone.
    beside : bool
        Whether the function gives two things: what is added, and what stays beside the
        chunk. None of it means that neither counts.

    Returns
    -------
    total : object
    kept : list
        If there is something `beside`: what stays, of each chunk, for `brought`. It
        goes when the list does.

    Raises
    ------
    ValueError
        If no chunk has rows.
    """
    import dask

    named = dask.delayed(_named, pure=False)
    function = dask.delayed(function, pure=False, traverse=False)  # sent once
    order = range(len(chunks)) if order is None else order
    key = f"chunk-{uuid.uuid4().hex}"  # what a cluster calls a task: where to look
    parts = [
        named(function, n, *chunks[n], **_told(notes, n), dask_key_name=(key, n, k))
        for k, n in enumerate(map(int, order))
    ]
    kept = []
    if beside:
        one_of = dask.delayed(_one_of, pure=False)
        parts, kept = zip(*[(one_of(part, 0), one_of(part, 1)) for part in parts])
    added = dask.delayed(_added, pure=False)
    while len(parts) > 1:
        pairs = [added(*parts[n : n + 2]) for n in range(0, len(parts) - 1, 2)]
        parts = pairs + list(parts[2 * len(pairs) :])
    if beside:  # the same run makes both
        total, *kept = bounded(dask.persist, *parts, *kept)
        parts = [total]
    try:
        (total,) = _computed(*parts)
    except BaseException:
        _dropped(*parts, *kept)
        raise
    if total is None:
        raise ValueError("X has no rows: a minimum of 1 is required.")
    return (total, kept) if beside else total


def _dropped(*parts):
    """End on a cluster what `persist` began, and a traceback would keep alive."""
    distributed = sys.modules.get("distributed")
    futures = [] if distributed is None else distributed.futures_of(parts)
    if futures:
        futures[0].client.cancel(futures)


def brought(kept):
    """What `reduced` has kept beside the chunks, brought here: a list."""
    return list(_computed(*kept))


def _one_of(pair, which):
    return None if pair is None else pair[which]


def _told(notes, number):
    return {} if notes is None else {"note": notes[number]}


def stream(function, chunks, order, notes=None):
    """Yield ``function(*chunk)`` of chunks that come here one after another.

    While a chunk is worked on the next one is fetched: two are here at most, if the
    caller lets go of what it was given before it asks for more.

    Parameters
    ----------
    function : callable
        Called here, in the thread of the caller.
    chunks, notes
        As of `reduced`.
    order : iterable of int
        Numbers of chunks, in the order in which they are to come; those without rows
        are passed over.
    """
    import dask

    # Asked here: a thread does not know what its caller is inside of.
    apart = [part for chunk in chunks for part in chunk if is_collection(part)]
    scheduler = dask.base.get_scheduler(collections=apart)

    def fetched(number):
        return number, _computed(*chunks[number], scheduler=scheduler)

    for number, chunk in ahead(fetched, order):
        found = [_named(function, number, *chunk, **_told(notes, number))]
        chunk = None  # what was made of it may be smaller
        if found[0] is not None:
            yield found.pop()  # and hold it no longer


def starts_of(X, chunks):
    """The number of the first row of each chunk of X, as `notes` for `reduced`.

    Where sizes are unknown rows are counted, in a round of its own.
    """
    import dask

    counts = _rows(X)
    if counts is None:
        count = dask.delayed(_count, pure=False)
        counts = _computed(*[count(part) for part, *_ in chunks])
    return np.cumsum([0, *counts], dtype=int)[:-1].tolist()


def _count(X):
    return X.shape[0]


def folded(function, state, chunks, order=None):
    """``state = function(state, *chunk)`` of one chunk after another, where it lies.

    The state goes from the client to a chunk and back; chunks stay, and no more than
    one is asked for at a time. Where there are no rows, or the function gives None, the
    state stays.

    Parameters
    ----------
    function : callable
    state : object
        Not None.
    chunks : list of tuples
    order : sequence of int, default=None
        Which chunk when; None is from the first to the last.

    Raises
    ------
    ValueError
        If no chunk gave a state.
    """
    import dask

    step = dask.delayed(_step, pure=False)
    found = None
    for n in range(len(chunks)) if order is None else order:
        held = dask.delayed(state, pure=False, traverse=False)
        (found_here,) = _computed(step(function, int(n), held, *chunks[n]))
        if found_here is not None:
            found = state = found_here
    if found is None:
        raise ValueError("X has no rows, or none with weight, to learn from.")
    return state


def _step(function, number, state, X, *others):
    return _named(functools.partial(function, state), number, X, *others)


def row_like(X):
    """A row of zeros with the names, dtype and width of the rows of a collection."""
    meta = _by_rows(X)._meta
    if hasattr(meta, "columns"):
        return meta.reindex([0]).astype(meta.dtypes).fillna(0)
    if np.isnan(X.shape[1:]).any():
        raise ValueError("X does not say how many columns it has.")
    return np.zeros((1, *X.shape[1:]), dtype=meta.dtype)


def lazily(method):
    """Let a method of rows, such as `predict`, take a dask collection too.

    It then returns a dask array that is not computed yet, a chunk for each of X.
    """

    @functools.wraps(method)
    def of_any(self, X, *args, **options):
        if not is_collection(X):
            return method(self, X, *args, **options)
        if _makes_frames(self, method.__name__):
            raise TypeError(
                f"{type(self).__name__} makes data frames, which are in memory, and X "
                "is a dask collection: set_output(transform='default') gives a dask "
                "array."
            )
        function = functools.partial(method, self, *args, **options)
        return _lazy(function, X)

    return of_any


def _makes_frames(estimator, method):
    """Whether scikit-learn makes a data frame of what `method` returns."""
    return method == "transform" and container_of(estimator) != "default"


def _lazy(function, X):
    import dask
    import dask.array as da

    # Of one row of zeros: what type, dtype and width there will be.
    empty = function(row_like(X))[:0]
    X = _by_rows(X)
    run = dask.delayed(_rows_of, pure=False)
    function = dask.delayed(function, pure=False, traverse=False)  # sent once
    parts = _delayed(X)
    rows = _rows(X) or (np.nan,) * len(parts)
    arrays = [
        da.from_delayed(
            run(function, n, part, empty), shape=(count, *empty.shape[1:]), meta=empty
        )
        for n, (part, count) in enumerate(zip(parts, rows))
    ]
    return da.concatenate(arrays, allow_unknown_chunksizes=True)


def _rows_of(function, number, X, empty):
    found = _named(function, number, X)
    return empty if found is None else found
