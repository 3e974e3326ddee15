"""Images to pooled codes of their patches."""

from copy import deepcopy
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.random import sample_without_replacement
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._dask import lazily
from sparselearn._parallel import row_chunks
from sparselearn._solvers._patches import (
    cut_patches,
    mean_contrast,
    normalise_contrast,
    patch_grid,
)
from sparselearn._solvers._pooling import POOLINGS, Pool
from sparselearn._validation import check_weights
from sparselearn.cluster import KMeansCoder
from sparselearn.feature_extraction._coders import (
    checked_coder,
    count_distinct,
    encoded,
    fresh_coder,
    in_blocks,
    learn,
    learns_in_batches,
    names_of_codes,
    nonzeros_of,
    returns_sparse,
)
from sparselearn.feature_extraction._images import check_images, pair

__all__ = ["PatchEncoder"]

PATCH_SIDE = 6
N_CODES = 256
# Numbers in the patches, or in their codes, that a thread makes at a time.
NUMBERS = 2**20


class PatchEncoder(TransformerMixin, BaseEstimator):
    r"""Features of images: codes of all their patches, pooled over a few cells.

    `fit` draws patches at random places of random images and lets the `coder` learn
    from them. `transform` encodes all patches of an image, p of them in the cell C of
    a grid laid over the image, and pools the codes f of each cell,

    .. math::
        F_C = \sum_{p \in C} f\left(
        \frac{x_p - \bar x_p}{\sqrt{\operatorname{var}(x_p) + c}} \right),

    where :math:`\bar x_p` and var are mean and variance of the numbers of a patch. A
    linear classifier of F_C for all cells is that of Coates, Lee and Ng.

    Parameters
    ----------
    coder : estimator, default=None
        Makes the code f of a patch, as a row of its numbers: any transformer, such as
        :class:`~sparselearn.cluster.KMeansCoder` or
        :class:`~sparselearn.decomposition.SparseCoder`, or a Pipeline that ends with
        one. It is cloned. None means a ``KMeansCoder`` of 256 centroids of patches that
        it whitens.
    patch_size : int or (int, int), default=None
        Height and width of a patch, in pixels. None means 6, and less only where the
        image is smaller.
    stride : int or (int, int), default=1
        Pixels from one patch to the next.
    image_shape : (height, width) or (height, width, n_channels), default=None
        How flat rows of X are images, line by line, channels last. None takes rows as
        square images of one channel; and if their length is no square number, as
        signals, images of one line.
    n_patches : int, default=100_000
        How many patches, all different in place or image, `fit` and each `partial_fit`
        draw for the coder to learn from; all if that is more than there are, or for
        None.
    contrast_eps : float >= 0, default=0.01
        The constant c above, as a share of the mean variance of the patches drawn.
        It keeps patches that are nearly flat, and show noise, small. Patches that are
        flat become 0. None leaves all patches as they are.
    pooling : {"sum", "mean", "max"}, default="sum"
        What is made of the codes in a cell.
    grid : int or (int, int), default=2
        How many cells there are, vertically and horizontally: 2 gives quadrants, 1 the
        whole image. There are no more than patches.
    sparse_output : bool, default=True
        Whether the result is sparse if the coder's codes are. Under
        ``set_output(transform="pandas")`` it is dense.
    random_state : int, RandomState instance or None, default=None
        Draws the patches, and is that of the default coder.
    n_jobs : int, default=None
        Threads, each with some images; the same bits for any number, if the coder
        keeps that. None means 1 unless in a :func:`joblib.parallel_config` context, -1
        all cores. While the coder learns its own `n_jobs` counts.

    Attributes
    ----------
    coder_ : estimator
        The coder that has learned from patches.
    components_ : ndarray of shape (n_codes, n_patch_features)
        Those of the coder, if it has any: in units of the normalised patches.
    image_shape_ : (height, width, n_channels)
    patch_shape_ : (height, width, n_channels)
    contrast_ : float or None
        The constant c.
    n_codes_ : int
        Numbers in the code of a patch.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of the code of a patch drawn by the last fit.
    sparsity_ : float
        The share of zeros in these.
    n_features_in_ : int
        Numbers of an image.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        If X is a data frame.

    Raises
    ------
    TypeError
        If `coder` is no estimator, or has no method that is needed.
    ValueError
        For patches larger than the images, an `image_shape` that does not fit X, NaN or
        infinity in X.

    References
    ----------
    Coates, Lee and Ng (2011), An analysis of single-layer networks in unsupervised
    feature learning.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.cluster import KMeansCoder
    >>> from sparselearn.feature_extraction import PatchEncoder
    >>> X, y = load_digits(return_X_y=True)
    >>> coder = KMeansCoder(50, n_nonzero_coefs=5, random_state=0)
    >>> encoder = PatchEncoder(coder, patch_size=4, n_patches=5000, random_state=0)
    >>> encoder.fit_transform(X).shape, encoder.sparsity_
    ((1797, 200), 0.9)
    """

    _parameter_constraints = {
        "coder": [None, object],  # `fresh_coder` says what it must be
        "patch_size": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "stride": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "image_shape": ["array-like", None],
        "n_patches": [Interval(Integral, 1, None, closed="left"), None],
        "contrast_eps": [Interval(Real, 0, None, closed="left"), None],
        "pooling": [StrOptions(set(POOLINGS))],
        "grid": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "sparse_output": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        coder=None,
        *,
        patch_size=None,
        stride=1,
        image_shape=None,
        n_patches=100_000,
        contrast_eps=0.01,
        pooling="sum",
        grid=2,
        sparse_output=True,
        random_state=None,
        n_jobs=None,
    ):
        self.coder = coder
        self.patch_size = patch_size
        self.stride = stride
        self.image_shape = image_shape
        self.n_patches = n_patches
        self.contrast_eps = contrast_eps
        self.pooling = pooling
        self.grid = grid
        self.sparse_output = sparse_output
        self.random_state = random_state
        self.n_jobs = n_jobs

    _for_collections = (
        "Let fit draw its patches from some of the images, X[:1000].compute(), or call "
        "partial_fit with one chunk after another; transform takes all images, lazily."
    )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # -- learning -------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None):
        """Draw patches, and let the coder learn from them.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width), \
                (n_images, height, width, n_channels) or (n_images, n_features)
            Images, or flat rows, see `image_shape`; these may be sparse. Whole numbers
            of 16 bits or less, as of pictures, are taken as float32.
        y : array-like of shape (n_images,), default=None
            Given to the coder for each patch, that of its image.
        sample_weight : array-like of shape (n_images,), default=None
            Non-negative, not all zero. A patch has the weight of its image where the
            coder learns, and in the mean variance; images of weight 0 have none drawn.
            The coder must take weights; of a Pipeline its last step, and others that do
            get them too.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        random_state = check_random_state(self.random_state)
        return self._learn("fit", X, y, sample_weight, random_state, goes_on=False)

    @available_if(learns_in_batches)
    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Let the coder, which must have ``partial_fit``, learn from some more images.

        Each call draws `n_patches`. The shape of images and the constant `contrast_`
        are those of the first call, or of `fit`. A call that fails changes nothing, if
        the coder keeps that.

        Parameters
        ----------
        X : as for `fit`
        y : array-like of shape (n_images,), default=None
        sample_weight : array-like of shape (n_images,), default=None

        Returns
        -------
        self : object
            Fitted estimator.
        """
        # Its own generator, which a pickle can hold, and which a failure leaves alone.
        random_state = deepcopy(getattr(self, "_random_state", None))
        if random_state is None:
            seed = check_random_state(self.random_state).randint(2**31)
            random_state = np.random.RandomState(seed)
        goes_on = hasattr(self, "coder_")
        self._learn("partial_fit", X, y, sample_weight, random_state, goes_on=goes_on)
        self._random_state = random_state
        return self

    def _learn(self, method, X, y, sample_weight, random_state, *, goes_on):
        coder = self.coder_ if goes_on else self.coder
        if coder is not None:
            checked_coder(coder, needs=(method, "transform"))
        image_shape = self.image_shape_ if goes_on else self.image_shape
        images = check_images(self, X, image_shape, reset=not goes_on)
        patch_size = (
            self.patch_shape_[:2] if goes_on else self._size_in(images.image_shape)
        )
        grid = self._grid(images.image_shape, patch_size)
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, images)
        rows, which = self._draw(images, sample_weight, grid, random_state)
        labels = weights = None
        if y is not None:
            check_consistent_length(images, y)
            labels = np.asarray(y)[which]
        if sample_weight is not None:
            weights = sample_weight[which]
        contrast = self.contrast_ if goes_on else self.contrast_eps
        if not goes_on and contrast is not None:
            contrast = contrast * mean_contrast(rows, weights)
        normalise_contrast(rows, contrast)
        if not goes_on:
            if coder is None:
                coder = self._default_coder(count_distinct(rows, weights), random_state)
            coder = fresh_coder(coder)
        learn(coder, method, rows, labels, weights)
        n_codes = encoded(coder, rows[:1]).shape[1]
        n_nonzero_coefs, sparsity = nonzeros_of(coder, rows, weights)

        # All at the end: an interrupted fit leaves the attributes of the last one.
        self.coder_ = coder
        self.image_shape_ = images.image_shape
        self.patch_shape_ = (*patch_size, images.image_shape[2])
        self.contrast_ = contrast
        self.n_codes_ = n_codes
        self.n_nonzero_coefs_ = n_nonzero_coefs
        self.sparsity_ = sparsity
        return self

    def _default_coder(self, n_distinct, random_state):
        return KMeansCoder(
            min(N_CODES, n_distinct),
            whiten="zca",
            random_state=random_state.randint(2**31),
            n_jobs=self.n_jobs,
        )

    def _size_in(self, image_shape):
        """The size of a patch, which must be inside the image."""
        sides = image_shape[:2]
        if self.patch_size is None:
            return tuple(min(PATCH_SIDE, side) for side in sides)
        size = pair("patch_size", self.patch_size)
        if any(a > b for a, b in zip(size, sides)):
            raise ValueError(
                f"patch_size={self.patch_size} is larger than the images, of "
                f"{sides[0]} x {sides[1]} pixels; give a smaller patch_size, or, if "
                "flat rows are images of another shape, image_shape."
            )
        return size

    def _grid(self, image_shape, patch_size):
        stride, cells = pair("stride", self.stride), pair("grid", self.grid)
        return patch_grid(image_shape, patch_size, stride, cells)

    def _draw(self, images, weights, grid, random_state):
        """Patches of the images as they are, and of which image each is."""
        present = np.arange(len(images))
        if weights is not None:
            present = np.flatnonzero(weights)
        total = present.size * grid.n_patches
        chosen = np.arange(total)
        if self.n_patches is not None and self.n_patches < total:
            chosen = np.sort(
                sample_without_replacement(
                    total, self.n_patches, random_state=random_state
                )
            )
        which, places = np.divmod(chosen, grid.n_patches)
        which = present[which]
        rows = np.empty((which.size, grid.n_features), dtype=images.dtype)
        # As many patches at a time as are in some images.
        used, image = np.unique(which, return_inverse=True)
        for some in row_chunks(used.size, max(1, NUMBERS // images.size)):
            part = slice(*np.searchsorted(image, [some.start, some.stop]))
            taken = images.take(used[some])
            cut_patches(taken, image[part] - some.start, places[part], grid, rows[part])
        return rows, which

    # -- images to features -----------------------------------------------------

    @lazily
    def transform(self, X):
        """Encode images.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width), \
                (n_images, height, width, n_channels) or (n_images, n_features)
            Of the shape that images had in `fit`.

        Returns
        -------
        features : csr_array or ndarray of shape (n_images, n_cells * n_codes)
            The pooled codes of all cells, line by line. float64 for images of it,
            float32 for those of smaller numbers.
        """
        check_is_fitted(self, "coder_")
        images = check_images(self, X, self.image_shape_, reset=False)
        grid = self._grid(self.image_shape_, self.patch_shape_[:2])
        # One patch shows what the coder gives: a matter of its parameters only.
        first = self._encoded(images.take(slice(0, 1)), slice(0, 1), grid)[0]
        n_codes = first.shape[1]
        # Rows that are encoded at a time, which are of one image at least if they can.
        n_rows = max(1, NUMBERS // max(n_codes, grid.n_features))
        batches = row_chunks(len(images), max(1, n_rows // grid.n_patches))

        def features_of(batch):
            taken = images.take(batch)
            pool = Pool(self.pooling, len(taken) * grid.n_cells, n_codes)
            for rows in row_chunks(len(taken) * grid.n_patches, n_rows):
                pool.add(*self._encoded(taken, rows, grid))
            return pool.result().reshape(len(taken), -1)

        return in_blocks(
            features_of,
            batches,
            (len(images), grid.n_cells * n_codes),
            images.dtype,
            self.n_jobs,
            sparse=sp.issparse(first) and returns_sparse(self),
        )

    def _encoded(self, taken, rows, grid):
        """Codes of the patches `rows` of some images, all in order, and their cells."""
        which, places = np.divmod(np.arange(rows.start, rows.stop), grid.n_patches)
        patches = cut_patches(taken, which, places, grid)
        normalise_contrast(patches, self.contrast_)
        cells = which * grid.n_cells + grid.cells[places]
        return encoded(self.coder_, patches), cells

    @property
    def components_(self):
        """The `components_` of the coder."""
        if "coder_" not in vars(self):
            raise AttributeError("components_: PatchEncoder is not fitted.")
        return self.coder_.components_

    @property
    def _n_features_out(self):
        grid = self._grid(self.image_shape_, self.patch_shape_[:2])
        return grid.n_cells * self.n_codes_

    def get_feature_names_out(self, input_features=None):
        """Names of the features: of the code, and line and column of the cell.

        As in "kmeanscoder7_cell0_1".

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        feature_names_out : ndarray of str
        """
        check_is_fitted(self, "coder_")
        codes = names_of_codes(self.coder_, self.n_codes_, "patchencoder")
        grid = self._grid(self.image_shape_, self.patch_shape_[:2])
        cells = [f"_cell{row}_{column}" for row, column in np.ndindex(grid.cell_shape)]
        return np.array([name + cell for cell in cells for name in codes], dtype=object)
