"""Patches of images as rows, and their contrast."""

import math

from sparselearn._kernels._jit import REASSOCIATE, inlined, kernel

__all__ = ["contrasts", "cut", "normalise"]

# A patch whose standard deviation is below this share of its mean is flat.
FLAT = 1e-12


@kernel
def cut(images, which, tops, lefts, height, rows):
    """Write patch i, from image `which[i]` at `tops[i]` and `lefts[i]`, to `rows[i]`.

    `images` (n_images, image_height, image_width) are C-ordered, and so are rows
    (n_patches, height * width). Channels are as so many times the columns, so that a
    line of a patch is a run of numbers.
    """
    width = rows.shape[1] // height
    for i in range(rows.shape[0]):
        image = images[which[i]]
        left = lefts[i]
        for a in range(height):
            line = image[tops[i] + a]
            start = a * width
            for b in range(width):
                rows[i, start + b] = line[left + b]


@inlined(fastmath=REASSOCIATE)
def _mean_and_variance(row):
    """Mean and variance of the numbers in `row`, summed in float64; 0 if it is flat."""
    size = row.shape[0]
    total = 0.0
    for k in range(size):
        total += row[k]
    mean = total / size
    total = 0.0
    for k in range(size):
        total += (row[k] - mean) ** 2
    variance = total / size
    if variance <= (FLAT * mean) ** 2:
        variance = 0.0
    return mean, variance


@kernel(fastmath=REASSOCIATE)
def contrasts(rows, variances):
    """Write to `variances` those of each of `rows`, between its own numbers."""
    for i in range(rows.shape[0]):
        _, variances[i] = _mean_and_variance(rows[i])


@kernel(fastmath=REASSOCIATE)
def normalise(rows, constant):
    """Overwrite each of `rows` by its contrast (Coates and Ng, 2012, section 2) ::

        (x - mean(x)) / sqrt(variance(x) + constant)

    A flat row becomes 0.
    """
    for i in range(rows.shape[0]):
        row = rows[i]
        mean, variance = _mean_and_variance(row)
        scale = 1.0 / math.sqrt(variance + constant) if variance > 0.0 else 0.0
        for k in range(row.shape[0]):
            row[k] = (row[k] - mean) * scale
