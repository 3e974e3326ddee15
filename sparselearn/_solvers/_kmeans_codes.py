"""Codes of rows by centroids: one matrix product a block of rows, then a kernel.

Everything here is computed in float64, whatever the dtype of the rows: the length
of a difference, as ``||x||^2 - 2 x'c + ||c||^2``, would lose half of the digits of
float32. A block is a few hundred rows, dense or sparse; sparse ones stay so.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _assignment
from sparselearn._solvers._coding import stack_rows

__all__ = [
    "Codebook",
    "Coding",
    "centroid_book",
    "code_lengths",
    "dense_codes",
    "direction_book",
    "distinct_rows",
    "make_coding",
    "nearest",
    "nearest_and_squares",
    "products",
    "project",
    "sparse_codes",
    "threshold_at",
]


# Products that differ by less than this share are the same but for rounding.
ROUNDING = 1e-12


def project(rows, direction):
    """``rows @ direction`` in float64: the same bits for equal rows, wherever."""
    rows = rows.astype(np.float64, copy=False)
    if sp.issparse(rows):
        return rows @ direction
    # A dense product may sum the last rows of a block in another order.
    return (rows * direction).sum(axis=1)


def distinct_rows(X, weights, keys):
    """Where X has its distinct rows, in an order that only their values decide.

    K-means of these, weighted by `masses`, is the same to the bit for repeated rows
    as for rows of whole weights, with rows of no weight or without them, and in
    whatever order they came.

    Parameters
    ----------
    X : ndarray or csr_array (n_samples, n_features)
    weights : ndarray (n_samples,)
        Rows of weight 0 are left out.
    keys : ndarray (n_samples,)
        Numbers that are equal for equal rows, and else different almost surely.

    Returns
    -------
    chosen : ndarray of int
        The first of the rows that are the same.
    masses : ndarray
        The summed weight of these.
    """
    order = np.argsort(keys, kind="stable")
    order = order[weights[order] > 0.0]
    sorted_keys = keys[order]
    is_first = np.concatenate(([True], sorted_keys[1:] != sorted_keys[:-1]))
    suspects = np.flatnonzero(~is_first)
    if suspects.size:
        differences = X[order[suspects]] != X[order[suspects - 1]]
        is_first[suspects] = differences.sum(axis=1) > 0
    starts = np.flatnonzero(is_first)
    return order[starts], np.add.reduceat(weights[order], starts)


class Codebook(NamedTuple):
    """What rows are multiplied by.

    Attributes
    ----------
    atoms : float64 ndarray (n_features, n_components)
    lengths : float64 ndarray (n_components,)
        Squared lengths of the atoms.
    shift : float64 ndarray (n_features,) or None
        What to take off dense rows first.
    """

    atoms: np.ndarray
    lengths: np.ndarray
    shift: np.ndarray | None


def _book(atoms, shift, sparse):
    lengths = np.einsum("ij,ij->i", atoms, atoms)
    # scipy's product of a sparse and a dense matrix wants the latter C-ordered.
    atoms = np.ascontiguousarray(atoms.T) if sparse else atoms.T
    return Codebook(atoms, lengths, shift)


def centroid_book(centroids, *, sparse):
    """The `Codebook` for distances to `centroids` (n_components, n_features).

    Dense rows are measured from the mean of the centroids: distances stay, and
    no digits are lost where all data are far from the origin.
    """
    atoms = np.asarray(centroids, dtype=np.float64)
    if sparse:
        return _book(atoms, None, sparse)
    shift = atoms.mean(axis=0)
    return _book(atoms - shift, shift, sparse)


def direction_book(centroids, *, sparse):
    """The `Codebook` of `centroids` scaled to length 1, those of no length to 0."""
    atoms = np.asarray(centroids, dtype=np.float64)
    length = np.sqrt(np.einsum("ij,ij->i", atoms, atoms))
    tiny = length <= 1e-12 * length.max()
    atoms = atoms / np.where(tiny, 1.0, length)[:, None]
    atoms[tiny] = 0.0
    return _book(atoms, None, sparse)


def products(rows, book):
    """The rows less the shift, times the atoms; and their squared lengths.

    Returns
    -------
    inner : float64 ndarray (n_rows, n_components)
        C-ordered, for a kernel to overwrite.
    lengths : float64 ndarray (n_rows,)
    """
    if sp.issparse(rows):
        rows = rows.astype(np.float64)
        return rows @ book.atoms, rows.power(2).sum(axis=1)
    rows = rows.astype(np.float64) if book.shift is None else rows - book.shift
    return rows @ book.atoms, np.einsum("ij,ij->i", rows, rows)


def nearest(rows, book):
    """The nearest centroid of each row: int32 ndarray (n_rows,)."""
    return _nearest(products(rows, book)[0], book)


def _nearest(inner, book):
    labels = np.empty(inner.shape[0], dtype=np.int32)
    _assignment.nearest(inner, book.lengths, labels)
    return labels


def nearest_and_squares(rows, book):
    """The nearest centroid of each row, and the squared distance to it.

    Returns
    -------
    labels : int32 ndarray (n_rows,)
    squares : float64 ndarray (n_rows,)
    """
    inner, lengths = products(rows, book)
    labels = _nearest(inner, book)
    if sp.issparse(rows):
        chosen = inner[np.arange(labels.size), labels]
        return labels, np.maximum(0.0, lengths - 2.0 * chosen + book.lengths[labels])
    # By differences: 0 for a row that is a centroid, whatever its length.
    residuals = rows - book.shift - book.atoms.T[labels]
    return labels, np.einsum("ij,ij->i", residuals, residuals)


class Coding(NamedTuple):
    """How rows become codes.

    Attributes
    ----------
    encoder : {"hard", "triangle", "soft-threshold"}
    book : Codebook
    threshold : float or None
        For "soft-threshold".
    n_nonzero : int
        The most positive codes that a row keeps.
    """

    encoder: str
    book: Codebook
    threshold: float | None
    n_nonzero: int


def make_coding(centroids, encoder, *, threshold=None, n_nonzero=None, sparse):
    """The `Coding` of dense or `sparse` rows by `centroids`."""
    make_book = direction_book if encoder == "soft-threshold" else centroid_book
    n_nonzero = centroids.shape[0] if n_nonzero is None else n_nonzero
    return Coding(encoder, make_book(centroids, sparse=sparse), threshold, n_nonzero)


def _encode(rows, coding):
    """All codes of `rows` (float64), and how many of each row are positive."""
    encoder, book, threshold, _ = coding
    codes, lengths = products(rows, book)
    counts = np.empty(lengths.size, dtype=np.int64)
    if encoder == "hard":
        labels = _nearest(codes, book)
        codes[:] = 0.0
        codes[np.arange(labels.size), labels] = 1.0
        counts[:] = 1
    elif encoder == "triangle":
        _assignment.triangle(codes, lengths, book.lengths, counts)
    else:
        _assignment.soft_threshold(codes, threshold, counts)
    return codes, counts


def code_lengths(rows, coding):
    """How many non-zeros the code of each row has."""
    return np.minimum(_encode(rows, coding)[1], coding.n_nonzero)


def sparse_codes(rows, coding, dtype):
    """Codes of `rows` as parts of compressed rows: data, indices, lengths of rows."""
    if coding.encoder == "hard":
        labels = nearest(rows, coding.book)
        return np.ones(labels.size, dtype), labels, np.ones(labels.size, np.int64)
    codes, counts = _encode(rows, coding)
    kept = np.minimum(counts, coding.n_nonzero)
    starts = np.zeros(kept.size + 1, dtype=np.int64)
    np.cumsum(kept, out=starts[1:])
    data = np.empty(starts[-1], dtype=dtype)
    indices = np.empty(starts[-1], dtype=np.int32)
    values = np.empty(codes.shape[1])
    places = np.empty(codes.shape[1], dtype=np.int32)
    _assignment.keep_largest(codes, counts, starts, values, places, data, indices)
    return data, indices, kept


def dense_codes(rows, coding, dtype):
    """Codes of `rows` as an ndarray (n_rows, n_components) of float64 or `dtype`."""
    n_components = coding.book.lengths.size
    if coding.n_nonzero < n_components:
        return stack_rows(*sparse_codes(rows, coding, dtype), n_components).toarray()
    return _encode(rows, coding)[0]


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
    rows, columns = np.nonzero(values > 0.0)
    positive = values[rows, columns]
    order = np.argsort(-positive)
    positive = positive[order]
    mass = np.cumsum(weights[rows[order]])
    allowed = share * values.shape[1] * weights.sum() * (1.0 + ROUNDING)
    position = np.searchsorted(mass, allowed, side="right")
    if position == positive.size:
        return 0.0
    below = positive[position] * (1.0 + ROUNDING)
    above = positive[:position]
    above = above[above > below]
    return float(0.5 * (below + above[-1])) if above.size else float(below)
