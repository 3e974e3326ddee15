"""Rows of X in batches: gathered, densified, shifted and scaled into one buffer."""

import numpy as np
import scipy.sparse as sp

from sparselearn._solvers._training import Batch

__all__ = ["Rows", "batches", "shuffled"]

# Rows of a memory map that are read together: a random order of single rows would
# read every page of the file once a row.
BLOCK = 4096


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
            self.X[places].toarray(out=out) if out.dtype == self.X.dtype else np.copyto(
                out, self.X[places].toarray()
            )
        else:
            np.take(self.X, places, axis=0, out=out, mode="clip")
        if self.shift is not None:
            out -= self.shift
        if self.scale != 1.0:
            out *= self.scale
        return out


def shuffled(n_rows, random_state, *, block=None):
    """A random order of the rows; of blocks and inside them, if `block` is given."""
    if block is None or block >= n_rows:
        return random_state.permutation(n_rows)
    starts = random_state.permutation(np.arange(0, n_rows, block))
    parts = [
        start + random_state.permutation(min(block, n_rows - start)) for start in starts
    ]
    return np.concatenate(parts)


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
