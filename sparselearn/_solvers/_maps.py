"""Memory maps: arrays whose numbers lie in a file, which may be larger than memory.

Numbers of a file are read through the page cache, which the system takes back when
memory is short; a copy of them in memory of the process it can not. So a large map is
never copied whole: where an algorithm reads columns and the file has rows, or the
other way round, it is turned into a temporary file.
"""

import mmap
import os
import tempfile

import numpy as np

__all__ = ["ChosenRows", "in_order", "is_large_map", "is_mapped"]

# Maps of up to so many bytes may be copied: that is faster.
LARGEST_COPY = 2**27
# Numbers that are turned at a time: they stay in the cache.
BLOCK = 2**16
MEBIBYTE = 2**20


def is_mapped(X):
    """Whether the numbers of X, an ndarray, lie in a file.

    A copy of a memory map is of the same class, but not mapped: what counts is whose
    memory it is.
    """
    owner = X if isinstance(X, np.ndarray) else None
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = getattr(owner, "base", None)
    return owner is not None


def is_large_map(X):
    """Whether X is a memory map that must not be copied."""
    return is_mapped(X) and X.nbytes > LARGEST_COPY


def in_order(X, order):
    """X in the order "C" or "F" if it is a large memory map; else as it is.

    A map of two dimensions whose numbers lie otherwise is turned into a temporary file,
    which has no name and goes with the array.

    Raises
    ------
    OSError
        If there is no room for it, or no folder that can be written to.
    """
    if not is_large_map(X) or X.ndim != 2 or X.flags[f"{order}_CONTIGUOUS"]:
        return X
    by_rows = order == "C"
    found = _temporary(X.shape if by_rows else X.shape[::-1], X.dtype)
    turned = found if by_rows else found.T
    # Along the rows of the file that is read, however it is to be read from then on.
    source, target = (X.T, turned.T) if by_rows else (X, turned)
    step = max(1, BLOCK // source.shape[1])
    for start in range(0, source.shape[0], step):
        target[start : start + step] = source[start : start + step]
    return turned


class ChosenRows:
    """Some rows of X, gathered when they are asked for; neighbours are not copied.

    Solvers that read slices of rows, or some rows, read it as an ndarray.

    Parameters
    ----------
    X : ndarray (n_rows, n_features)
        C-ordered and read-only, as its rows are.
    places : ndarray of int (n_chosen,)
        Best ascending, as they lie in the file.
    """

    def __init__(self, X, places):
        self._X, self._places = X, places
        self.dtype, self.shape = X.dtype, (places.size, X.shape[1])

    def __getitem__(self, rows):
        places = self._places[rows]
        if places.size and np.all(np.diff(places) == 1):
            return self._X[places[0] : places[-1] + 1]
        found = self._X[places]
        found.flags.writeable = False
        return found


def _temporary(shape, dtype):
    """A memory map of zeros in a temporary file."""
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        with tempfile.TemporaryFile(prefix="sparselearn-") as file:
            _reserve(file, size)
            return np.memmap(file, dtype=dtype, mode="r+", shape=shape)
    except OSError as error:
        raise OSError(
            error.errno,
            f"A memory map of {size // MEBIBYTE} MiB whose numbers lie in the other "
            "order than they are read in is turned into a temporary file, for which "
            f"there is no room in {tempfile.tempdir or 'any folder'!r} "
            f"({error.strerror}). Let the environment variable TMPDIR name a folder "
            "that has some, or save X in the other order.",
        ) from error


def _reserve(file, size):
    """Let the file have `size` bytes on the disk: to write to a map without a place
    there would end the process.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    zeros = bytes(min(size, MEBIBYTE))
    for start in range(0, size, MEBIBYTE):
        file.write(zeros[: size - start])
    file.flush()
