"""Pooling: one row of numbers a cell, of the codes of all rows that are in it.

Rows come in chunks, so that their codes are never held all at a time. Sums are made in
float64, in the order of the rows.
"""

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels import _pooling as kernels

__all__ = ["POOLINGS", "Pool"]

POOLINGS = ("sum", "mean", "max")


class Pool:
    """The sum, mean or maximum of codes over the rows of each cell.

    Parameters
    ----------
    kind : {"sum", "mean", "max"}
    n_cells, n_codes : int

    A cell of no rows is 0, whatever the kind.
    """

    def __init__(self, kind, n_cells, n_codes):
        self.kind = kind
        self.sizes = np.zeros(n_cells, dtype=np.int64)
        start = -np.inf if kind == "max" else 0.0
        self.values = np.full((n_cells, n_codes), start)
        self._counts = None

    def add(self, codes, cells):
        """Add some rows.

        Parameters
        ----------
        codes : ndarray or csr_array (n_rows, n_codes), float32 or float64
        cells : int64 ndarray (n_rows,)
        """
        self.sizes += np.bincount(cells, minlength=self.sizes.size)
        largest = self.kind == "max"
        if not sp.issparse(codes):
            pool = kernels.largest_dense if largest else kernels.add_dense
            pool(_frozen(codes), cells, self.values)
            return
        indices = _frozen(codes.indices.astype(np.int32, copy=False))
        parts = _frozen(codes.data), indices, codes.indptr.astype(np.int64)
        if not largest:
            kernels.add_sparse(*parts, cells, self.values)
            return
        if self._counts is None:
            self._counts = np.zeros(self.values.shape, dtype=np.int32)
        kernels.largest_sparse(*parts, cells, self.values, self._counts)

    def result(self):
        """The pooled codes: float64 ndarray (n_cells, n_codes)."""
        sizes = self.sizes[:, None]
        if self.kind == "mean":
            return self.values / np.maximum(sizes, 1)
        if self._counts is not None:
            np.maximum(self.values, 0.0, out=self.values, where=self._counts < sizes)
        self.values[self.sizes == 0] = 0.0
        return self.values


def _frozen(array):
    """`array` as kernels know it: contiguous, and read-only."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
