"""Rows of X in batches: gathered, densified, shifted and scaled into one buffer."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels._vectors import aligned_zeros
from sparselearn._solvers._training import Batch

__all__ = [
    "BLOCK",
    "Noise",
    "OneHot",
    "Pass",
    "Rows",
    "flat",
    "is_plain",
    "shuffled",
]

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

    @property
    def is_plain(self):
        """Whether these are rows of X as they lie there, but for shift and scale."""
        return is_plain(self.X, self.dtype)

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
        return self._shift_and_scale(out)

    def _shift_and_scale(self, out):
        if self.shift is not None:
            out -= self.shift
        if self.scale != 1.0:
            out *= self.scale
        return out

    @property
    def zeros(self):
        """What a row of zeros becomes, (n_features,)."""
        return self._shift_and_scale(np.zeros(self.X.shape[1], dtype=self.dtype))


class OneHot:
    """A one-hot matrix, whose rows are made where they are asked for.

    Parameters
    ----------
    codes : ndarray of int (n_rows,)
        The column of the one in each row.
    n_columns : int
    dtype : dtype
    """

    def __init__(self, codes, n_columns, dtype):
        self.codes = codes
        self.dtype = np.dtype(dtype)
        self.shape = codes.size, n_columns

    def __len__(self):
        return self.shape[0]

    def take(self, places):
        """Some rows, not made yet."""
        return OneHot(self.codes[places], self.shape[1], self.dtype)

    def __getitem__(self, places):
        codes = self.codes[places]
        rows = np.zeros((codes.size, self.shape[1]), dtype=self.dtype)
        rows[np.arange(codes.size), codes] = 1.0
        return rows


def is_plain(X, dtype):
    """Whether X lies row by row in an array of `dtype`, as kernels read it."""
    return isinstance(X, np.ndarray) and X.dtype == dtype and X.flags.c_contiguous


class _Memory:
    """The memory of `array`, a contiguous one, as one that numpy believes writable."""

    def __init__(self, array):
        self._array = array  # whose memory must live on
        start = array.__array_interface__["data"][0]
        self.__array_interface__ = array.__array_interface__ | {"data": (start, False)}


def flat(array, dtype):
    """`array` in one dimension, row by row, of the type kernels are compiled for.

    They do not write into rows and targets, but are compiled for arrays that may be
    written: for others too would take as long again.
    """
    array = np.ascontiguousarray(array, dtype=dtype)
    if not array.flags.writeable:
        array = _Memory(array)
    return np.asarray(array).reshape(-1)


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


class Noise(NamedTuple):
    """Normal noise for rows, as a learner sees them; targets have none.

    Attributes
    ----------
    deviation : float
        Of each entry.
    random_state : RandomState
        Seeds each batch: what remembers it goes on with the noise of the next one.
    """

    deviation: float
    random_state: np.random.RandomState

    def added_to(self, rows, size):
        """Other rows, with noise that is drawn for `size` of them at a time."""
        noisy = rows.copy()
        for start in range(0, len(rows), size):
            part = noisy[start : start + size]
            seed = self.random_state.randint(2**32, dtype=np.uint32)
            # In double precision, so that rows of either have the same noise.
            drawn = np.random.default_rng(seed).standard_normal(part.shape)
            drawn *= self.deviation
            part += drawn
        return noisy


class Pass:
    """One pass over rows in batches, the last of which may be smaller.

    It iterates over pairs of a `Batch` and the share of the pass that is behind it.
    `rows` of a batch is a buffer, which the next one overwrites.

    Parameters
    ----------
    rows : Rows
    order : ndarray of int
    batch_size : int
    targets : ndarray or OneHot (n_rows, n_outputs), optional
        None: the rows are their own targets.
    weights : ndarray (n_rows,), optional
    noise : Noise, optional
        Of rows; where they are their own targets these stay clean. Batches are then to
        be taken in order, each once.
    """

    def __init__(
        self, rows, order, batch_size, *, targets=None, weights=None, noise=None
    ):
        self.rows, self.order = rows, order
        self.size = min(batch_size, order.size)
        self.targets, self.weights, self.noise = targets, weights, noise
        self._buffer = np.empty((0, rows.X.shape[1]), dtype=rows.dtype)

    def __len__(self):
        return -(-self.order.size // self.size) if self.size else 0

    def __iter__(self):
        for number in range(len(self)):
            yield self.batch(number), self.share(number)

    @property
    def is_plain(self):
        """Whether kernels can gather rows and targets."""
        targets = self.rows.X if self.targets is None else self.targets
        made = isinstance(targets, OneHot)
        plain = made or is_plain(targets, self.rows.dtype)
        return plain and self.rows.is_plain and self.noise is None

    def share(self, number):
        """The share of the pass that is behind batch `number` when it begins."""
        return number * self.size / self.order.size

    def alike(self, number):
        """So many batches have the size of batch `number`, from that on."""
        return max(1, self.order.size // self.size - number)

    def places(self, number, n_batches=1):
        """The places of some batches' rows."""
        return self.order[number * self.size : (number + n_batches) * self.size]

    def mass(self, number, n_batches):
        """The sum of the weights of some batches' rows."""
        places = self.places(number, n_batches)
        return places.size if self.weights is None else self.weights[places].sum()

    def batch(self, number, n_batches=1):
        """Some batches as one."""
        places = self.places(number, n_batches)
        if places.size > len(self._buffer):
            shape = (places.size, self.rows.X.shape[1])
            self._buffer = aligned_zeros(shape, self.rows.dtype)
        found = self.rows.gather(places, self._buffer[: places.size])
        return Batch(
            found if self.noise is None else self.noise.added_to(found, self.size),
            found if self.targets is None else self.targets[places],
            None if self.weights is None else self.weights[places],
        )
