"""Where patches are in images, and patches as rows of numbers."""

import math
from typing import NamedTuple

import numpy as np

from sparselearn._kernels import _patches as kernels

__all__ = [
    "PatchGrid",
    "cut_patches",
    "mean_contrast",
    "normalise_contrast",
    "patch_grid",
]


class PatchGrid(NamedTuple):
    """Where the patches of an image are, and in which cell each is.

    Attributes
    ----------
    image_shape : (height, width, n_channels)
    patch_size : (height, width)
    tops, lefts : int64 ndarray (n_patches,)
        The upper left pixel of each patch, line by line.
    cells : int64 ndarray (n_patches,)
        The number of its cell, line by line.
    cell_shape : (int, int)
        How many cells there are in both directions.
    """

    image_shape: tuple
    patch_size: tuple
    tops: np.ndarray
    lefts: np.ndarray
    cells: np.ndarray
    cell_shape: tuple

    @property
    def n_patches(self):
        """Patches of an image."""
        return self.tops.size

    @property
    def n_features(self):
        """Numbers of a patch."""
        return math.prod(self.patch_size) * self.image_shape[2]

    @property
    def n_cells(self):
        """Cells of an image."""
        return math.prod(self.cell_shape)


def patch_grid(image_shape, patch_size, stride, cell_shape):
    """The `PatchGrid` of patches that are `stride` apart, all inside the image.

    Parameters
    ----------
    image_shape : (height, width, n_channels)
    patch_size, stride, cell_shape : (int, int)
        Vertically, horizontally. There are no more cells than patches.
    """
    places, parts, shape = [], [], []
    for side, size, step, n_cells in zip(image_shape, patch_size, stride, cell_shape):
        starts = np.arange(0, side - size + 1, step)
        n_cells = min(n_cells, starts.size)
        places.append(starts)
        parts.append(np.arange(starts.size) * n_cells // starts.size)
        shape.append(n_cells)
    tops, lefts = (grid.ravel() for grid in np.meshgrid(*places, indexing="ij"))
    rows, columns = (grid.ravel() for grid in np.meshgrid(*parts, indexing="ij"))
    cells = rows * shape[1] + columns
    return PatchGrid(image_shape, patch_size, tops, lefts, cells, tuple(shape))


def cut_patches(images, which, places, grid, rows=None):
    """Patches as rows, of the dtype of the images.

    Parameters
    ----------
    images : ndarray (n_images, height, width * n_channels), float32 or float64
        C-ordered and read-only.
    which : int64 ndarray (n_patches,)
        The image of each patch.
    places : int64 ndarray (n_patches,)
        Where in the image, by its number in the `grid`.
    grid : PatchGrid
    rows : ndarray (n_patches, n_features), default=None
        To write to, C-ordered; None makes it.

    Returns
    -------
    rows : ndarray (n_patches, n_features)
    """
    if rows is None:
        rows = np.empty((which.size, grid.n_features), dtype=images.dtype)
    lefts = grid.lefts[places] * grid.image_shape[2]
    kernels.cut(images, which, grid.tops[places], lefts, grid.patch_size[0], rows)
    return rows


def mean_contrast(rows, weights=None):
    """The mean, over patches, of the variance between the numbers of a patch."""
    variances = np.empty(rows.shape[0])
    kernels.contrasts(rows, variances)
    return float(np.average(variances, weights=weights))


def normalise_contrast(rows, constant):
    """Take its mean off each patch, in place, and divide it by its contrast.

    That is the root of its variance plus `constant`; None leaves patches as they are.
    """
    if constant is not None:
        kernels.normalise(rows, float(constant))
