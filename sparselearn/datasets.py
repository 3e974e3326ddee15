"""Data to try sparse models on: drawn with a known answer, or cut from images."""

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sparselearn._compat import Interval, StrOptions, validate_params

__all__ = ["load_image_patches", "make_sparse_coded_signal", "make_sparse_regression"]

_COUNT = [Interval(Integral, 1, None, closed="left")]
# Weights of red, green and blue in brightness (ITU-R BT.601).
LUMA = np.array([0.299, 0.587, 0.114])


@validate_params(
    {
        "n_samples": _COUNT,
        "n_features": _COUNT,
        "n_informative": [Interval(Integral, 0, None, closed="left")],
        "correlation": [Interval(Real, -1, 1, closed="neither")],
        "group_size": _COUNT,
        "snr": [Interval(Real, 0, None, closed="neither"), None],
        "density": [Interval(Real, 0, 1, closed="right"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_sparse_regression(
    n_samples=100,
    n_features=200,
    *,
    n_informative=10,
    correlation=0.0,
    group_size=1,
    snr=3.0,
    density=None,
    random_state=None,
):
    r"""Draw a linear model of few features, whose columns may be correlated.

    .. math:: y = X w + \varepsilon, \quad
              \|X w\| = \mathrm{snr} \; \|\varepsilon\|

    The rows of X are normal, with the correlation :math:`\rho^{|j - l|}` between
    features j and l; the non-zeros of w are normal too, and stand anywhere.

    Parameters
    ----------
    n_samples : int, default=100
    n_features : int, default=200
    n_informative : int, default=10
        Non-zeros of w; of groups, how many of them are used.
    correlation : float in (-1, 1), default=0.0
        The :math:`\rho` above, the correlation of neighbours.
    group_size : int, default=1
        The features of a group are so many neighbours: all of them are used, or none.
        The last group may have fewer.
    snr : float > 0, default=3.0
        The signal's length over the noise's. None is no noise.
    density : float in (0, 1], default=None
        Give X as a CSC array, in which each entry is kept with this probability, or
        is 0. None gives an ndarray.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), Fortran-ordered, or csc_array
    y : ndarray of shape (n_samples,)
    coef : ndarray of shape (n_features,)
        The w above.

    Raises
    ------
    ValueError
        If there are fewer features, or groups, than `n_informative`.

    Examples
    --------
    >>> from sparselearn.datasets import make_sparse_regression
    >>> from sparselearn.linear_model import Lasso
    >>> from sparselearn.metrics import support_f1
    >>> X, y, coef = make_sparse_regression(
    ...     200, 500, n_informative=5, correlation=0.5, snr=10, random_state=0
    ... )
    >>> model = Lasso(n_nonzero_coefs=5).fit(X, y)
    >>> support_f1(coef, model.coef_)
    1.0
    """
    n_groups = -(-n_features // group_size)
    if n_informative > n_groups:
        kind = "features" if group_size == 1 else f"groups of group_size={group_size}"
        raise ValueError(
            f"n_informative={n_informative} is more than there are {kind}, {n_groups}."
        )
    rng = check_random_state(random_state)
    X = _autoregressive(rng, n_samples, n_features, correlation, density)
    used = np.repeat(np.arange(n_groups), group_size)[:n_features]
    used = np.isin(used, rng.permutation(n_groups)[:n_informative])
    coef = np.zeros(n_features)
    coef[used] = rng.standard_normal(np.count_nonzero(used))
    y = X @ coef
    if snr is not None:
        noise = rng.standard_normal(n_samples)
        y += noise * (np.linalg.norm(y) / (snr * np.linalg.norm(noise)))
    return X, y, coef


def _autoregressive(rng, n_samples, n_features, correlation, density):
    """Columns ``x_j = rho x_{j-1} + sqrt(1 - rho²) e_j``, some entries of them."""
    X = np.empty((n_samples, n_features), order="F") if density is None else None
    columns = []
    last = None
    for j in range(n_features):
        column = rng.standard_normal(n_samples)
        if last is not None:
            column = correlation * last + np.sqrt(1.0 - correlation**2) * column
        last = column
        if density is None:
            X[:, j] = column
        else:
            rows = np.flatnonzero(rng.random_sample(n_samples) < density)
            columns.append((column[rows], rows))
    if density is None:
        return X
    data, rows = map(np.concatenate, zip(*columns))
    starts = np.cumsum([0, *(rows.size for _, rows in columns)])
    return sp.csc_array((data, rows, starts), shape=(n_samples, n_features))


@validate_params(
    {
        "n_samples": _COUNT,
        "n_components": _COUNT,
        "n_features": _COUNT,
        "n_nonzero_coefs": _COUNT,
        "noise": [Interval(Real, 0, None, closed="left")],
        "positive": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_sparse_coded_signal(
    n_samples=1500,
    *,
    n_components=50,
    n_features=20,
    n_nonzero_coefs=3,
    noise=0.0,
    positive=False,
    random_state=None,
):
    r"""Draw samples that are sums of few atoms of a dictionary.

    .. math:: X = Z D + E

    Atoms, the rows of D, are directions drawn uniformly; each row of Z has
    `n_nonzero_coefs` normal entries, at random places. Samples are rows, unlike in
    older versions of scikit-learn's function of this name.

    Parameters
    ----------
    n_samples : int, default=1500
    n_components : int, default=50
        The number of atoms.
    n_features : int, default=20
    n_nonzero_coefs : int, default=3
        Non-zeros of each code; more than there are atoms is the same as all.
    noise : float >= 0, default=0.0
        The noise E is normal, and has this share of the length of Z D, as a whole.
    positive : bool, default=False
        Whether codes are the magnitudes of normal entries.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    dictionary : ndarray of shape (n_components, n_features)
        Atoms of length 1.
    codes : csr_array of shape (n_samples, n_components)

    Examples
    --------
    Which atoms made a sample is found by pursuit:

    >>> from sparselearn.datasets import make_sparse_coded_signal
    >>> from sparselearn.decomposition import sparse_encode
    >>> from sparselearn.metrics import support_f1
    >>> X, D, codes = make_sparse_coded_signal(
    ...     n_samples=100, n_features=40, random_state=0
    ... )
    >>> found = sparse_encode(X, D, n_nonzero_coefs=3)
    >>> support_f1(codes, found) > 0.99
    True
    """
    rng = check_random_state(random_state)
    dictionary = rng.standard_normal((n_components, n_features))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    size = min(n_nonzero_coefs, n_components)
    places = [rng.permutation(n_components)[:size] for _ in range(n_samples)]
    values = rng.standard_normal((n_samples, size))
    codes = sp.csr_array(
        (
            np.abs(values).ravel() if positive else values.ravel(),
            np.sort(places, axis=1).ravel().astype(np.int32),
            np.arange(0, n_samples * size + 1, size, dtype=np.int32),
        ),
        shape=(n_samples, n_components),
    )
    X = codes @ dictionary
    if noise:
        error = rng.standard_normal(X.shape)
        X += error * (noise * np.linalg.norm(X) / np.linalg.norm(error))
    return X, dictionary, codes


@validate_params(
    {
        "n_patches": [*_COUNT, None],
        "patch_size": ["array-like"],
        "image": [StrOptions({"china", "flower"})],
        "color": ["boolean"],
        "remove_mean": ["boolean"],
        "unit_norm": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_image_patches(
    n_patches=10000,
    *,
    patch_size=(8, 8),
    image="china",
    color=False,
    remove_mean=True,
    unit_norm=False,
    random_state=None,
):
    """Patches of a photograph that comes with scikit-learn, each a row.

    Parameters
    ----------
    n_patches : int, default=10000
        How many of the overlapping patches to draw, none twice; if there are fewer, all
        of them. None takes all, row by row.
    patch_size : (int, int), default=(8, 8)
        Height and width, in pixels.
    image : {"china", "flower"}, default="china"
        A temple below a sky, or a flower; each of 427 x 640 pixels.
    color : bool, default=False
        Whether to keep red, green and blue, or to take the brightness only.
    remove_mean : bool, default=True
        Whether to subtract from each patch its mean; in colour that of each channel.
    unit_norm : bool, default=False
        Whether to divide each patch by its length, after that. Patches of which nothing
        is left stay zero.
    random_state : int, RandomState instance or None, default=None
        Draws the patches, if not all are taken.

    Returns
    -------
    X : ndarray of shape (n_patches, height * width) or (n_patches, height * width * 3)
        Pixels from 0 to 1, before means and lengths; row by row, and the channels of a
        pixel side by side, so that ``X[i].reshape(8, 8)`` or ``reshape(8, 8, 3)`` is
        an image.

    Raises
    ------
    ValueError
        If a patch is larger than the image.
    ImportError
        Without Pillow, which reads the image.

    Examples
    --------
    >>> from sparselearn.datasets import load_image_patches
    >>> X = load_image_patches(500, unit_norm=True, random_state=0)
    >>> X.shape
    (500, 64)
    """
    size = np.asarray(patch_size)
    if size.shape != (2,) or size.dtype.kind not in "iu" or size.min() < 1:
        raise ValueError(f"patch_size={patch_size!r} must be two integers >= 1.")
    # Here, because it reads sound and the web too, and takes a tenth of an import.
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image(f"{image}.jpg") / 255.0
    if np.any(size > pixels.shape[:2]):
        raise ValueError(
            f"patch_size={patch_size!r} exceeds the image, {pixels.shape[:2]}."
        )
    pixels = pixels if color else (pixels @ LUMA)[:, :, None]
    # (rows, columns, channels, height, width): views of all patches
    views = np.lib.stride_tricks.sliding_window_view(pixels, tuple(size), axis=(0, 1))
    n_places = views.shape[0] * views.shape[1]
    places = np.arange(n_places)
    if n_patches is not None and n_patches < n_places:
        places = check_random_state(random_state).permutation(n_places)[:n_patches]
    patches = views[np.unravel_index(places, views.shape[:2])]
    if remove_mean:
        patches = patches - patches.mean(axis=(2, 3), keepdims=True)
    X = np.moveaxis(patches, 1, 3).reshape(places.size, -1)
    if unit_norm:
        lengths = np.linalg.norm(X, axis=1, keepdims=True)
        # What is left of a patch of one colour is the rounding of its mean.
        flat = lengths <= 1e-12 * np.sqrt(X.shape[1])
        X = np.where(flat, 0.0, X / np.where(flat, 1.0, lengths))
    return X
