"""Images as users give them, and as kernels read them."""

import math

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from sparselearn._validation import read_only, refuse_collection, validate_data

__all__ = ["Images", "check_images", "pair"]


def pair(name, value):
    """`value`, a number or two of them, as a tuple (vertical, horizontal)."""
    try:
        numbers = (value, value) if np.ndim(value) == 0 else tuple(value)
        whole = [int(number) for number in numbers]
    except (TypeError, ValueError):
        whole = numbers = ()
    if len(whole) != 2 or min(whole) < 1 or any(a != b for a, b in zip(whole, numbers)):
        raise ValueError(
            f"{name}={value!r} must be a whole number >= 1, or two of them: "
            "(vertical, horizontal)."
        )
    return tuple(whole)


class Images:
    """Images in whatever storage, of which a few at a time become an array of floats.

    Parameters
    ----------
    X : ndarray or csr_array, of any number of dimensions
        One image for each index along the first.
    image_shape : (height, width, n_channels)
    """

    def __init__(self, X, image_shape):
        self._X = X
        self.image_shape = image_shape

    def __len__(self):
        return self._X.shape[0]

    @property
    def size(self):
        """Numbers of an image."""
        return math.prod(self.image_shape)

    @property
    def dtype(self):
        """That of the floats: float32 where it holds the numbers of X, else float64."""
        given = self._X.dtype
        single = given.itemsize <= (4 if given.kind == "f" else 2)
        return np.dtype(np.float32 if single else np.float64)

    def take(self, which):
        """The images `which`: (n_images, height, width * n_channels), read-only."""
        taken = self._X[which]
        if sp.issparse(taken):
            taken = taken.toarray()
        height, width, n_channels = self.image_shape
        taken = np.require(taken, dtype=self.dtype, requirements=["C", "A"])
        return read_only(taken.reshape(-1, height, width * n_channels))


def check_images(estimator, X, image_shape=None, *, reset):
    """X as `Images`; sets or holds the number of features as `validate_data` does.

    Parameters
    ----------
    X : array-like of 2 dimensions, flat rows, which may be sparse; of 3 or 4, images
    image_shape : (height, width) or (height, width, n_channels), default=None
        None takes it from X: flat rows are square images if that can be, else of one
        line.
    """
    refuse_collection(X, estimator)
    if getattr(X, "ndim", None) is None:
        X = np.asarray(X)
    if X.ndim <= 2:
        X = validate_data(
            estimator, X, accept_sparse="csr", dtype="numeric", reset=reset
        )
        X = sp.csr_array(X) if sp.issparse(X) else X
        return Images(X, _shape_of_rows(X.shape[1], image_shape))
    X = check_array(X, dtype="numeric", allow_nd=True)
    shape = X.shape[1:] if X.ndim == 4 else (*X.shape[1:], 1)
    if X.ndim > 4:
        raise ValueError(
            f"X has shape {X.shape}; images must be (n_images, height, width) or "
            "(n_images, height, width, n_channels), or flat rows with image_shape."
        )
    wanted = shape if image_shape is None else _full_shape(image_shape)
    if wanted != shape:
        raise ValueError(
            f"X has images of shape {X.shape[1:]}, but image_shape={image_shape} is "
            "expected. Give X as it is in fit, or leave image_shape out."
        )
    # Of this array only the shape is looked at.
    rows = np.broadcast_to(0.0, (X.shape[0], math.prod(shape)))
    validate_data(estimator, rows, skip_check_array=True, reset=reset)
    return Images(X, shape)


def _full_shape(image_shape):
    """`image_shape` with the number of channels."""
    try:
        shape = tuple(int(side) for side in image_shape)
    except (TypeError, ValueError):
        shape = ()
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise ValueError(
            f"image_shape={image_shape!r} must be (height, width) or (height, width, "
            "n_channels), each >= 1."
        )
    return shape if len(shape) == 3 else (*shape, 1)


def _shape_of_rows(n_features, image_shape):
    if image_shape is None:
        side = math.isqrt(n_features)
        return (side, side, 1) if side**2 == n_features else (1, n_features, 1)
    shape = _full_shape(image_shape)
    if math.prod(shape) != n_features:
        raise ValueError(
            f"image_shape={tuple(image_shape)} has {math.prod(shape)} numbers, but the "
            f"rows of X have {n_features} features; these must be equal."
        )
    return shape
