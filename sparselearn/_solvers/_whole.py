"""Rows and centroids in small integers, whose products bound how near one is."""

from collections import deque

import numpy as np

from sparselearn._kernels import _whole as kernels
from sparselearn._kernels._tiles import TILE_COLUMNS
from sparselearn._solvers._frame import BLOCK, Coordinates
from sparselearn._solvers._slices import slices

__all__ = ["WholeTargets", "keep_whole", "whole_rows"]


def whole_rows(n_rows, frame):
    """`WholeRows` to be overwritten."""
    n_lanes = -(-frame.n_coordinates // frame.integers.n_in_lane)
    return kernels.WholeRows(
        np.zeros((n_rows, n_lanes), dtype=np.int32),
        np.empty((n_rows, 4), dtype=np.float32),
        np.empty(n_rows, dtype=np.float32),
    )


def keep_whole(rows, frame, known, room):
    """Write to `known`, `WholeRows`, some rows; `room` is for coordinates of `BLOCK`.

    Coordinates that are left over in a lane are 0 as they were.
    """
    integers = frame.integers
    for block in slices(0, rows.shape[0], BLOCK):
        lanes, terms, lengths = known.part(block)
        found = room.part(slice(0, lengths.size))
        frame.coordinates(rows[block], found)
        kernels.round_rows(
            found.values,
            found.reaches,
            integers.top(frame.n_coordinates),
            integers.offset,
            lanes.view(integers.dtype),
            terms,
        )
        lengths[:] = found.lengths


class WholeTargets:
    """Centroids, as dense rows are held against them by integers.

    Parameters
    ----------
    centroids : array (n_components, n_features)
    frame : Frame
    """

    def __init__(self, centroids, frame):
        self.frame = frame
        self.centroids = np.ascontiguousarray(centroids, dtype=np.float64)
        self.panels = self._make_panels(*frame.targets(self.centroids))
        self._scratch = deque()

    def _make_panels(self, squares, moved, reaches):
        frame, integers = self.frame, self.frame.integers
        n_components, n_coordinates = moved.shape
        n_panels = -(-n_components // TILE_COLUMNS)
        n_lanes = -(-n_coordinates // integers.n_in_lane)
        whole, units, lengths, share = integers.round(moved)
        lanes = np.zeros(
            (n_panels * TILE_COLUMNS, n_lanes * integers.n_in_lane),
            dtype=integers.signed,
        )
        lanes[:n_components, :n_coordinates] = whole
        starts = lanes.sum(axis=1, dtype=np.int32) * np.int32(-integers.offset)
        terms = np.zeros((4, n_panels * TILE_COLUMNS), dtype=np.float32)
        terms[3, n_components:] = -np.inf
        terms[:3, :n_components] = units, lengths, reaches
        if not frame.spherical:
            terms[3, :n_components] = (frame.rounding - 0.5) * squares

        def by_panels(values):
            shape = len(values), n_panels, TILE_COLUMNS
            return np.ascontiguousarray(values.reshape(shape).transpose(1, 0, 2))

        return kernels.Panels(
            by_panels(np.ascontiguousarray(lanes.view(np.int32).T)),
            starts.reshape(n_panels, TILE_COLUMNS),
            by_panels(terms),
            share,
        )

    def assign(self, rows, found, known=None):
        """Write to `found`, an `Assignment`, what is nearest to each of some rows.

        The faster the better the labels are that it holds already. `known` are the
        `WholeRows` of the rows, if they are kept.
        """
        frame = self.frame
        room, coordinates, whole = scratch = self._borrow(rows.shape[0])
        if known is None:
            known = whole.part(slice(0, rows.shape[0]))
            keep_whole(rows, frame, known, coordinates)
        kernels.settle_whole(
            rows,
            self.centroids,
            known,
            self.panels,
            room,
            frame.integers.offset > 0,
            frame.scale,
            frame.rounding,
            frame.spherical,
            *found,
        )
        self._scratch.append(scratch)

    def _borrow(self, n_rows):
        """Room for so many rows, to be given back."""
        try:
            scratch = self._scratch.pop()
        except IndexError:  # as many as there are threads
            scratch = None
        if scratch is None or len(scratch[2].lengths) < n_rows:
            scratch = (
                kernels.Room.of(len(self.panels.lanes)),
                Coordinates.empty(BLOCK, self.frame),
                whole_rows(n_rows, self.frame),
            )
        return scratch
