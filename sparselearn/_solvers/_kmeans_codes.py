"""Codes of rows by centroids: one matrix product a chunk of rows, then a kernel.

A chunk is a thousand rows or fewer, whose products stay in a cache. To add an encoder:
a kernel that turns products into codes, and a row of `ENCODERS`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sparselearn._kernels import _assignment, _largest, _local_systems
from sparselearn._solvers._codebook import (
    LONG,
    SHORT,
    Codebook,
    Directions,
    Distances,
    Nearest,
)
from sparselearn._solvers._coding import stack_rows
from sparselearn._solvers._lloyd import directions

__all__ = [
    "ENCODERS",
    "Coding",
    "Encoder",
    "code_lengths",
    "decode",
    "dense_codes",
    "make_coding",
    "sparse_codes",
    "threshold_at",
]

# Values that differ by less than this share are the same but for rounding.
ROUNDING = 1e-12
# Squared distances below such a share of the squared length of a row are formed anew:
# more than three of the digits of their roots are lost.
SMALL = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-6}
# What "llc" adds to the diagonal of its system, as a share of the trace (Wang et al.).
LOCAL_SHARE = 1e-4
# The same where rows are found by projections, which have the digits of the codes.
PROJECTED_SHARE = {np.dtype(np.float32): 1e-6, np.dtype(np.float64): 1e-13}


class Everywhere(NamedTuple):
    """Codes of some rows by all centroids.

    Attributes
    ----------
    values : ndarray (n_rows, n_components)
    ranks : ndarray (n_rows, n_components)
        Which entries are the largest: the values themselves, or their absolute ones.
    counts : int64 ndarray (n_rows,)
        How many entries may be kept. The others have the least rank, which is 0.
    """

    values: np.ndarray
    ranks: np.ndarray
    counts: np.ndarray


class Picked(NamedTuple):
    """Codes of some rows as parts of compressed rows."""

    data: np.ndarray
    indices: np.ndarray
    lengths: np.ndarray


class Encoder(NamedTuple):
    """A kind of codes.

    Attributes
    ----------
    prepare : callable
        ``prepare(book, like)`` is what rows of the kind of X, `like`, are held against.
    encode : callable
        ``encode(rows, coding, out)`` gives `Everywhere`, whose values may be those of
        the array `out`, or `Picked`.
    decode : callable
        ``decode(codes, book, threshold)`` gives the rows that a csr_array of codes
        stands for, in the space of the centroids.
    n_nonzero : int or None
        Entries of a code if no number is asked for; None for all that are not zero.
    one_sided : bool
        Whether codes by centroids that are no directions are never negative.
    """

    prepare: Callable
    encode: Callable
    decode: Callable
    n_nonzero: int | None = None
    one_sided: bool = False


class Coding(NamedTuple):
    """How rows of one kind become codes.

    Attributes
    ----------
    encoder : Encoder
    book : Codebook
    n_nonzero : int
        Entries that a code keeps, at most n_components.
    threshold : float or None
        For "soft-threshold".
    signed : bool
        Whether a negative projection counts as much as a positive one.
    prepared : Nearest, Directions or Distances
    """

    encoder: Encoder
    book: Codebook
    n_nonzero: int
    threshold: float | None
    signed: bool
    prepared: NamedTuple


# -- rows to codes -------------------------------------------------------------------


def _with_signs(sizes, signs, counts):
    """Codes of `sizes` >= 0, with the signs of what they were made of, if any."""
    if signs is None:
        return Everywhere(sizes, sizes, counts)
    values = np.copysign(sizes, signs, out=signs)
    values += values.dtype.type(0.0)  # no -0.0
    return Everywhere(values, sizes, counts)


def _hard(rows, coding, out):
    found = coding.prepared.assigned(rows)
    data = np.copysign(1.0, found.sizes)
    return Picked(data, found.labels, np.ones(data.size, dtype=np.int64))


def _triangle(rows, coding, out):
    distances = coding.prepared
    products, squares, near = distances.products(rows, out)
    longest = squares.max(initial=0.0)
    if products.dtype == np.float32 and not SHORT**2 < longest < LONG**2:
        distances = Distances.of(coding.book, rows, exact=True)
        products, squares, near = distances.products(rows)
    kind = products.dtype.type
    signs = None
    if distances.is_line:
        signs = products.copy()
        np.square(products, out=products)
    counts = np.empty(squares.size, dtype=np.int64)
    rounding = 4.0 * np.finfo(kind).eps * np.sqrt(distances.atoms.shape[1])
    _assignment.triangle(
        products,
        squares,
        distances.lengths,
        kind(1.0 if distances.is_line else 2.0),
        near,
        distances.atoms,
        distances.is_line,
        kind(SMALL[products.dtype]),
        kind(max(ROUNDING, rounding)),
        counts,
    )
    return _with_signs(products, signs, counts)


def _soft_threshold(rows, coding, out):
    products = coding.prepared.products(rows, out)
    signs = None
    if coding.signed:
        signs = products.copy()
        np.abs(products, out=products)
    counts = np.empty(products.shape[0], dtype=np.int64)
    threshold = products.dtype.type(coding.threshold)
    _assignment.soft_threshold(products, threshold, counts)
    return _with_signs(products, signs, counts)


def _topk(rows, coding, out):
    values = coding.prepared.products(rows, out)
    if coding.signed:
        return Everywhere(values, np.abs(values), np.count_nonzero(values, axis=1))
    return Everywhere(values, values, np.full(values.shape[0], values.shape[1]))


def _llc(rows, coding, out):
    distances = coding.prepared
    products, squares, _ = distances.products(rows)
    nearness = 2.0 * products - distances.lengths
    counts = np.full(squares.size, nearness.shape[1])
    _, places, lengths = _largest_of(
        Everywhere(nearness, nearness, counts), coding.n_nonzero
    )
    shape = squares.size, coding.n_nonzero
    weights = np.empty(shape)
    _local_systems.local_weights(
        products,
        squares,
        distances.atoms,
        places.reshape(shape),
        LOCAL_SHARE,
        np.empty((shape[1], shape[1])),
        weights,
    )
    return Picked(weights.ravel(), places, lengths)


def _largest_of(codes, n_nonzero):
    """The `n_nonzero` largest entries of each row of `Everywhere`, as `Picked`."""
    values, ranks, counts = codes
    keys = ranks.view(np.int32 if ranks.dtype == np.float32 else np.int64)
    if keys.min(initial=0) < 0:  # else they have the order already
        keys = keys.copy()
        _largest.order_keys(keys)
    lengths = np.minimum(counts, n_nonzero)
    starts = np.zeros(lengths.size + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    data = np.empty(starts[-1] + 1, dtype=values.dtype)
    indices = np.empty(starts[-1] + 1, dtype=np.int32)
    kept = np.empty(values.shape[1], dtype=keys.dtype)
    places = np.empty(values.shape[1], dtype=np.int32)
    _largest.keep_largest(keys, values, counts, starts, kept, places, data, indices)
    return Picked(data[:-1], indices[:-1], lengths)


# -- codes to rows -------------------------------------------------------------------


def _mixture(codes, book, threshold):
    """The mean of the centroids, weighted by the code; times their gains, if any."""
    atoms = book.atoms
    if book.spherical:
        atoms *= book.gains[:, None]
    mass = np.asarray(abs(codes).sum(axis=1, dtype=np.float64)).ravel()
    empty = mass == 0.0
    rows = codes @ atoms / np.where(empty, 1.0, mass)[:, None]
    rows[empty] = book.mean
    return rows


def _weighted_sum(codes, book, threshold):
    return codes @ book.atoms


def _shortest(codes, book, threshold):
    """The shortest rows of those that have the projections that a code tells of."""
    sizes = 0.0 if threshold is None else threshold
    rows = np.empty((codes.shape[0], book.centroids.shape[1]))
    longest = int(np.diff(codes.indptr).max(initial=0))
    _local_systems.shortest_rows(
        codes.data + np.copysign(sizes, codes.data, dtype=np.float64),
        codes.indices.astype(np.int32),
        codes.indptr.astype(np.int64),
        directions(book.centroids),
        PROJECTED_SHARE[codes.dtype],
        np.empty((longest, longest)),
        np.empty(longest),
        rows,
    )
    rows[np.diff(codes.indptr) == 0] = book.mean
    return rows


# -- what estimators call --------------------------------------------------------------


def _exact_distances(book, like):
    # Systems of near centroids are of differences of products.
    return Distances.of(book, like, exact=True)


ENCODERS = {
    "hard": Encoder(Nearest.of, _hard, _mixture, one_sided=True),
    "triangle": Encoder(Distances.of, _triangle, _mixture, one_sided=True),
    "soft-threshold": Encoder(Directions.of, _soft_threshold, _shortest),
    "topk": Encoder(Directions.of, _topk, _shortest, n_nonzero=5),
    "llc": Encoder(_exact_distances, _llc, _weighted_sum, n_nonzero=5),
}


def make_coding(encoder, book, *, n_nonzero=None, threshold=None, signed=False, like):
    """The `Coding` of rows of the kind of X, `like`, by the encoder of that name.

    `n_nonzero` may be more than there are centroids; None is the encoder's default.
    """
    encoder = ENCODERS[encoder]
    n_nonzero = encoder.n_nonzero if n_nonzero is None else n_nonzero
    n_nonzero = min(n_nonzero or book.n_components, book.n_components)
    prepared = encoder.prepare(book, like)
    return Coding(encoder, book, n_nonzero, threshold, signed, prepared)


def code_lengths(rows, coding):
    """How many non-zeros the code of each row has."""
    if isinstance(coding.prepared, Nearest):  # of the nearest centroid alone
        return np.ones(rows.shape[0], dtype=np.int64)
    codes = coding.encoder.encode(rows, coding, None)
    if isinstance(codes, Everywhere) and codes.counts.min() < codes.values.shape[1]:
        return np.minimum(codes.counts, coding.n_nonzero)
    return _picked(codes, coding).lengths


def _picked(codes, coding):
    """Codes as `Picked`, without entries of 0."""
    if isinstance(codes, Everywhere):
        codes = _largest_of(codes, coding.n_nonzero)
    data, indices, lengths = codes
    present = data != 0.0
    if present.all():
        return codes
    rows = np.repeat(np.arange(lengths.size), lengths)
    lengths = np.bincount(rows[present], minlength=lengths.size)
    return Picked(data[present], indices[present], lengths)


def sparse_codes(rows, coding, dtype):
    """Codes of `rows` as `Picked`, with data of `dtype`."""
    codes = _picked(coding.encoder.encode(rows, coding, None), coding)
    return codes._replace(data=codes.data.astype(dtype, copy=False))


def dense_codes(rows, coding, out):
    """Write the codes of `rows` to `out` (n_rows, n_components)."""
    codes = coding.encoder.encode(rows, coding, out)
    if isinstance(codes, Everywhere) and coding.n_nonzero == out.shape[1]:
        if codes.values is not out:
            out[:] = codes.values
        return
    out[:] = stack_rows(*_picked(codes, coding), out.shape[1]).toarray()


def decode(codes, encoder, book, threshold=None):
    """What a csr_array of codes by `encoder` stands for: float64 rows (n_rows, p)."""
    rows = ENCODERS[encoder].decode(codes, book, threshold)
    return rows if book.whitening is None else book.whitening.undo(rows)


def threshold_at(values, weights, share):
    """A t >= 0 that `share` of the mass of `values` exceeds, or the most below it.

    Parameters
    ----------
    values : ndarray (n_rows, n_components)
    weights : ndarray (n_rows,)
        The mass of each value of a row.
    share : float in [0, 1]

    Returns
    -------
    t : float
        Half-way between two values that differ by more than rounding, so that no
        code hangs on how a product is summed.
    """
    rounding = max(ROUNDING, 16.0 * np.finfo(values.dtype).eps)
    rows, columns = np.nonzero(values > 0.0)
    positive = values[rows, columns].astype(np.float64)
    order = np.argsort(-positive)
    positive = positive[order]
    mass = np.cumsum(weights[rows[order]])
    allowed = share * values.shape[1] * weights.sum() * (1.0 + ROUNDING)
    position = np.searchsorted(mass, allowed, side="right")
    if position == positive.size:
        return 0.0
    below = positive[position] * (1.0 + rounding)
    above = positive[:position]
    above = above[above > below]
    return float(0.5 * (below + above[-1])) if above.size else float(below)
