"""The atoms of a dictionary, as images or as the features that they are made of."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from sparselearn.inspection._style import FAINT, MUTED, PALETTE, axes, cut

__all__ = ["AtomsDisplay"]

MAX_NAME = 20  # letters of a feature's name; half a panel holds so many
MAX_PANELS = 12  # atoms drawn as bars, unless they are asked for by number


class AtomsDisplay:
    """Atoms as a sheet of images, or as bars of their largest features.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    components : array-like of shape (n_components, n_features)
        The atoms.
    image_shape : (height, width) or (height, width, 3), default=None
        Atoms are images of this shape, row by row, grey or in colour. None draws bars.
    feature_names : sequence of str of shape (n_features,), default=None
        Names for the bars. None means "x0", "x1", ...

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    image_ : matplotlib AxesImage or None
        The sheet of images: one artist, whose array has NaN between atoms.
    bars_ : list of matplotlib BarContainer
        One for each atom drawn as bars, the largest magnitude first.
    labels_ : list of list of matplotlib Text
        The names at the bars.

    Raises
    ------
    ValueError
        If `image_shape` or `feature_names` do not have as many entries as atoms have.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.cluster import KMeansCoder
    >>> from sparselearn.inspection import AtomsDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> coder = KMeansCoder(40, random_state=0).fit(X)
    >>> AtomsDisplay.from_estimator(coder, image_shape=(8, 8))  # doctest: +SKIP
    """

    def __init__(self, components, *, image_shape=None, feature_names=None):
        self.components = components
        self.image_shape = image_shape
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls, estimator, *, image_shape=None, feature_names=None, **kwargs
    ):
        """Draw the `components_` of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator with `components_`, or Pipeline that ends in one
            A dictionary, K-means codes, but also scikit-learn's PCA or NMF.
        image_shape : (height, width) or (height, width, 3), default=None
            None draws bars.
        feature_names : sequence of str of shape (n_features,), default=None
            None means those that the estimator was fitted with, if any.
        **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : AtomsDisplay
        """
        last = estimator
        if isinstance(estimator, Pipeline):
            last = estimator[-1]
            if feature_names is None and hasattr(estimator, "feature_names_in_"):
                feature_names = estimator[:-1].get_feature_names_out()
        check_is_fitted(last, "components_")
        if feature_names is None:
            feature_names = getattr(last, "feature_names_in_", None)
        display = cls(
            last.components_, image_shape=image_shape, feature_names=feature_names
        )
        return display.plot(**kwargs)

    def plot(
        self,
        ax=None,
        *,
        atoms=None,
        n_columns=None,
        common_scale=False,
        n_features=6,
        cmap=None,
    ):
        """Draw the atoms, in their order, from left to right and downwards.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        atoms : array-like of int, default=None
            Which atoms, in which order, say ``np.argsort(-coder.atom_usage_)``. None
            means all images, or the first 12 atoms as bars.
        n_columns : int, default=None
            Atoms side by side; None makes the sheet about square.
        common_scale : bool, default=False
            Whether colours and lengths of bars compare between atoms; else each atom is
            drawn over its largest magnitude.
        n_features : int, default=6
            Bars of an atom, at most: its largest non-zero features.
        cmap : str or matplotlib Colormap, default=None
            Of grey images. None means white to black if no pixel is negative; else red
            for negative and blue for positive pixels, white where they are 0.

        Returns
        -------
        self
        """
        components = check_array(self.components, dtype=np.float64)
        self._check_shapes(components)
        limit = MAX_PANELS if self.image_shape is None else None
        chosen = np.arange(components.shape[0])[:limit]
        if atoms is not None:
            chosen = np.arange(components.shape[0])[np.asarray(atoms)]
        drawn = _scaled(components[chosen], common_scale)
        if n_columns is None:
            square = int(np.ceil(np.sqrt(chosen.size)))
            n_columns = max(1, square if self.image_shape else min(3, square))
        self.image_, self.bars_, self.labels_ = None, [], []
        n_features = min(n_features, components.shape[1])
        n_rows = -(-chosen.size // n_columns)
        if self.image_shape is None:
            size = (max(4.0, 3.6 * n_columns), 0.5 + n_rows * (0.6 + 0.25 * n_features))
            self.ax_ = axes(ax, figsize=size)
            self._draw_bars(drawn, chosen, n_columns, n_features)
        else:
            self.ax_ = axes(ax)
            self._draw_images(drawn, n_columns, cmap)
        self.figure_ = self.ax_.figure
        self.ax_.set_axis_off()
        return self

    def _check_shapes(self, components):
        n_features = components.shape[1]
        shape = self.image_shape
        if shape is not None:
            colours = shape[2:] in ((), (3,))
            if len(shape) < 2 or not colours or np.prod(shape) != n_features:
                raise ValueError(
                    f"image_shape={shape} does not fit atoms of {n_features} features; "
                    "it must be (height, width), or (height, width, 3) for colours, "
                    "with that product."
                )
        names = self.feature_names
        if names is not None and len(names) != n_features:
            raise ValueError(
                f"feature_names has {len(names)} names; atoms have {n_features} "
                "features."
            )

    def _draw_images(self, atoms, n_columns, cmap):
        from matplotlib import colormaps, colors

        signed = bool(atoms.min(initial=0.0) < 0.0)
        images = atoms.reshape(-1, *self.image_shape)
        if images.ndim == 4:
            images = 0.5 + 0.5 * images if signed else images
            sheet = _sheet(images, n_columns)
            gaps = np.isnan(sheet).any(axis=2)
            sheet[gaps] = colors.to_rgb(FAINT)
            self.image_ = self.ax_.imshow(sheet, interpolation="nearest")
            return
        if cmap is None:
            cmap = "RdBu" if signed else "gray_r"
        if isinstance(cmap, str):
            cmap = colormaps[cmap]
        self.image_ = self.ax_.imshow(
            _sheet(images, n_columns),
            cmap=cmap.with_extremes(bad=FAINT),
            vmin=-1.0 if signed else 0.0,
            vmax=1.0,
            interpolation="nearest",
        )

    def _draw_bars(self, atoms, numbers, n_columns, n_features):
        n_rows = -(-numbers.size // n_columns)
        names = self.feature_names
        if names is None:
            names = [f"x{j}" for j in range(atoms.shape[1])]
        for k, (atom, number) in enumerate(zip(atoms, numbers)):
            row, column = divmod(k, n_columns)
            place = (
                (column + 0.03) / n_columns,
                1.0 - (row + 0.97) / n_rows,
                0.94 / n_columns,
                0.8 / n_rows,
            )
            panel = self.ax_.inset_axes(place)
            largest = np.argsort(-np.abs(atom), kind="stable")[:n_features]
            largest = largest[atom[largest] != 0.0]
            bars, labels = _bars(panel, atom[largest], [names[j] for j in largest])
            panel.set_ylim(n_features - 0.5, -0.5)
            panel.set_title(f"Atom {number}", fontsize=11)
            self.bars_.append(bars)
            self.labels_.append(labels)


def _scaled(atoms, common):
    """`atoms` over the largest magnitude, of each or of all."""
    peaks = np.abs(atoms).max(axis=None if common else 1, keepdims=True, initial=0.0)
    return atoms / np.where(peaks > 0.0, peaks, 1.0)


def _sheet(images, n_columns):
    """One array of all images, with NaN between them and where there are none."""
    n, height, width, *channels = images.shape
    gap = max(1, min(height, width) // 8)
    n_rows = -(-n // n_columns)
    sheet = np.full(
        (
            n_rows * (height + gap) - gap,
            n_columns * (width + gap) - gap,
            *channels,
        ),
        np.nan,
    )
    for k, image in enumerate(images):
        row, column = divmod(k, n_columns)
        top, left = row * (height + gap), column * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def _bars(ax, values, names):
    """Horizontal bars from a line in the middle, each named on its empty side."""
    colours = [PALETTE[0] if value > 0.0 else PALETTE[1] for value in values]
    bars = ax.barh(np.arange(values.size), values, color=colours, height=0.75)
    ax.axvline(0.0, color=MUTED, linewidth=0.8)
    ax.set(xlim=(-1.05, 1.05), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    labels = [
        ax.text(
            -0.04 if value > 0.0 else 0.04,
            k,
            cut(str(name), MAX_NAME),
            ha="right" if value > 0.0 else "left",
            va="center",
            fontsize=10,
            parse_math=False,  # a dollar in a name is a dollar
        )
        for k, (value, name) in enumerate(zip(values, names))
    ]
    return bars, labels
