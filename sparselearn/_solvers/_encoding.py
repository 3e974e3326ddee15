"""Pre-activations of a batch: by a product of matrices, or over what is not zero."""

import numpy as np

from sparselearn._kernels._differences import (
    Differences,
    list_differences,
    multiply_differences,
)
from sparselearn._kernels._vectors import PANEL, VECTOR, aligned_zeros
from sparselearn._solvers._slices import slices

__all__ = ["Encoding"]

# Rows that are listed together, and units that meet them at least and, unless there are
# more, in so many parts.
ROWS = 32
UNITS = 128
PARTS = 8
# Units of a part of a product of matrices at least: products with fewer are slow.
PRODUCTS = 512
# Features of a tile at most, about: so many panels are at home in the second cache.
SPAN = 400
# Lists are faster where less than this share of the entries differ, less those of so
# many rows: as long it takes to transpose the weights.
FEW = 0.5
TRANSPOSED = 8


class Encoding:
    """Products of rows with the weights of units.

    Parameters
    ----------
    background : ndarray (n_features,)
        What most entries of rows are, of the dtype of all: those that differ are listed
        if they are few.
    """

    def __init__(self, background):
        self.background = background
        n_features = background.size
        n_spans = max(1, -(-n_features // SPAN))
        lanes = VECTOR // background.itemsize
        self._span = lanes * -(-n_features // (n_spans * lanes))
        self._listed = None

    def multiply(self, rows, encoder, out, run):
        """Write ``rows @ encoder.T`` to `out`.

        Parameters
        ----------
        rows : ndarray (n_rows, n_features), C-ordered
        encoder : ndarray (n_units, n_features), C-ordered
        out : ndarray (n_rows, n_units)
        run : callable
            Of ``_parallel.stream``.
        """
        few = self._list(rows, run)

        def part(units):
            if few:
                self._multiply_listed(encoder, units, out)
            else:
                np.matmul(rows, encoder[units].T, out=out[:, units])

        size = -(-len(encoder) // PARTS)
        size = UNITS * -(-size // UNITS) if few else max(PRODUCTS, size)
        list(run(part, slices(0, len(encoder), size)))

    def _multiply_listed(self, encoder, units, out):
        n_lanes = PANEL // out.itemsize
        tile = aligned_zeros(self._span * n_lanes, out.dtype)
        sums = aligned_zeros((len(out) + 1) * n_lanes, out.dtype)
        multiply_differences(
            self._listed, self._span, encoder, units.start, units.stop, out, tile, sums
        )

    def _list(self, rows, run):
        """List entries of rows that differ from the background, if they are few."""
        n_rows, n_features = rows.shape
        share = FEW - TRANSPOSED / n_rows
        if share <= 0.0:
            return False
        self._make_room(n_rows)

        def part(some):
            # Each row has room for all that it has. The background comes before.
            first = (1 + some.start) * n_features
            return list_differences(
                rows[some],
                self.background,
                self._span,
                first,
                int(share * (some.stop - some.start) * n_features),
                self._listed.index,
                self._listed.value,
                self._listed.begin[1 + some.start : 1 + some.stop],
                np.empty_like(self.background),
            )

        return all(list(run(part, slices(0, n_rows, ROWS))))

    def _make_room(self, n_rows):
        """Room for the differences of so many rows; the background is listed."""
        if self._listed is not None and len(self._listed.begin) > n_rows:
            return
        n_features = self.background.size
        size = (n_rows + 1) * n_features + VECTOR  # what is listed comes in vectors
        listed = Differences(
            np.empty(size, dtype=np.int32),
            np.empty(size, dtype=self.background.dtype),
            np.empty((n_rows + 1, -(-n_features // self._span) + 1), dtype=np.int64),
        )
        list_differences(
            self.background[None],
            np.zeros_like(self.background),
            self._span,
            0,
            n_features,
            listed.index,
            listed.value,
            listed.begin[:1],
            np.empty_like(self.background),
        )
        self._listed = listed
