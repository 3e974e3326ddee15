"""Rows of X in batches: gathered, densified, shifted and scaled into one buffer."""

import mmap

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._training import Batch

__all__ = ["BLOCK", "Rows", "batches", "is_mapped", "shuffled"]

# Rows of a memory map that are read together: a random order of single rows would
# read every page of the file once a row. And blocks whose rows are mixed: files are
# often sorted, and a batch should not be of one class.
BLOCK = 512
MIXED = 16


class Rows:
    """Rows of X as a learner sees them.

    .. math:: (x - shift) * scale

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features)
    shift : ndarray (n_features,) or None
    scale : float
    dtype : dtype, optional
        Of what is gathered; None is that of X.
    """

    def __init__(self, X, *, shift=None, scale=1.0, dtype=None):
        self.X = X
        self.shift = None if shift is None else np.asarray(shift, dtype or X.dtype)
        self.scale = scale
        self.dtype = np.dtype(dtype or X.dtype)

    def __len__(self):
        return self.X.shape[0]

    def gather(self, places, out):
        """Write the rows at `places` to `out` (n_places, n_features)."""
        if sp.issparse(self.X):
            found = self.X[places]
            found.toarray(out=out) if found.dtype == out.dtype else np.copyto(
                out, found.toarray()
            )
        elif self.X.dtype == out.dtype:
            np.take(self.X, places, axis=0, out=out, mode="clip")
        else:
            out[...] = self.X[places]
        if self.shift is not None:
            out -= self.shift
        if self.scale != 1.0:
            out *= self.scale
        return out


def is_mapped(X):
    """Whether the numbers of X, an ndarray, lie in a file."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return isinstance(X, mmap.mmap)


def shuffled(places, random_state, *, block=None):
    """`places` in a random order.

    With a `block`, blocks of so many are put in a random order, and then those of some
    neighbours are mixed: that many places of a file are near one another.
    """
    if block is None or block >= places.size:
        return random_state.permutation(places)
    starts = random_state.permutation(np.arange(0, places.size, block))
    groups = [starts[i : i + MIXED] for i in range(0, starts.size, MIXED)]
    return np.concatenate(
        [
            random_state.permutation(
                np.concatenate([places[start : start + block] for start in group])
            )
            for group in groups
        ]
    )


def batches(rows, order, batch_size, *, targets=None, weights=None):
    """The batches of one epoch, and the share of it that is behind each.

    Parameters
    ----------
    rows : Rows
    order : ndarray of int
    batch_size : int
    targets : ndarray (n_rows, n_outputs), optional
        None: the rows are their own targets.
    weights : ndarray (n_rows,), optional

    Yields
    ------
    batch : Batch
    share : float
    """
    size = min(batch_size, order.size)
    buffer = np.empty((size, rows.X.shape[1]), dtype=rows.dtype)
    for start in range(0, order.size, size):
        places = order[start : start + size]
        found = rows.gather(places, buffer[: places.size])
        yield (
            Batch(
                found,
                found if targets is None else targets[places],
                None if weights is None else weights[places],
            ),
            start / order.size,
        )
