"""Dask collections as chunks of rows; dask is imported where there is one.

What an estimator does with rows is done to each chunk where it lies; only sums come to
the client. Chunks without rows add nothing, and an error names the chunk that it is of.
"""

import functools
import sys

import numpy as np
from sklearn import get_config

__all__ = ["chunks_of", "is_collection", "lazily", "reduced"]


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
    if hasattr(X, "rechunk"):
        X = X.rechunk({1: -1})
    parts = _delayed(X)
    columns = [
        [None] * len(parts) if other is None else _alike(X, other, len(parts))
        for other in others
    ]
    return list(zip(parts, *columns))


def _delayed(X):
    return list(np.ravel(X.to_delayed()))


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
        if rows is not None and _rows(other) is not None and _rows(other) != rows:
            if sum(rows) != sum(_rows(other)):
                raise ValueError(
                    f"X has {sum(rows)} rows, and what goes with them has "
                    f"{sum(_rows(other))}."
                )
            other = other.rechunk({0: rows})
        parts = _delayed(other)
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


def _named(function, number, X, *others):
    """``function(X, *others)`` of a chunk; None if it has no rows."""
    for other in others:
        if other is not None and len(other) != X.shape[0]:
            raise ValueError(
                f"Chunk {number} of X has {X.shape[0]} rows, and what goes with them "
                f"has {len(other)}."
            )
    if not X.shape[0]:
        return None
    try:
        return function(X, *others)
    except ValueError as error:
        raise ValueError(f"In chunk {number}: {error}") from error


def _added(left, right):
    if left is None or right is None:
        return right if left is None else left
    return left + right


def reduced(function, chunks):
    """The sum of ``function(*chunk)``, formed where chunks lie, in a tree.

    The tree depends on the number of chunks alone, and so do the bits of the sum.

    Raises
    ------
    ValueError
        If no chunk has rows.
    """
    import dask

    named = dask.delayed(_named, pure=False)
    function = dask.delayed(function, pure=False, traverse=False)  # sent once
    parts = [named(function, n, *chunk) for n, chunk in enumerate(chunks)]
    added = dask.delayed(_added, pure=False)
    while len(parts) > 1:
        pairs = [added(*parts[n : n + 2]) for n in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[2 * len(pairs) :]
    (total,) = dask.compute(*parts)
    if total is None:
        raise ValueError("X has no rows: a minimum of 1 is required.")
    return total


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
    config = getattr(estimator, "_sklearn_output_config", {})
    container = config.get("transform", get_config()["transform_output"])
    return method == "transform" and container != "default"


def _lazy(function, X):
    import dask
    import dask.array as da

    if hasattr(X, "rechunk"):
        X = X.rechunk({1: -1})
    # Of one row of zeros: what type, dtype and width there will be.
    meta = X._meta
    if hasattr(meta, "columns"):
        row = meta.reindex([0]).astype(meta.dtypes).fillna(0)
    else:
        row = np.zeros((1, X.shape[1]), dtype=meta.dtype)
    empty = function(row)[:0]
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
