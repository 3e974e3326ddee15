"""Which weights of a perceptron are zero: counted, and held."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from sparselearn._support import SupportMixin

__all__ = ["MaskMixin"]


class MaskMixin(SupportMixin):
    """What is zero in `coefs_`, and `set_masks`, which holds weights at zero.

    The figures are read from `coefs_`, whoever has set these: training or pruning.
    """

    def set_masks(self, masks):
        """Set weights to zero, and hold them there through all further training.

        `partial_fit`, and `fit` with `warm_start`, leave these weights at exactly 0.
        A `fit` from the beginning forgets the masks. Intercepts are never held.

        Parameters
        ----------
        masks : list of array-like of bool, or None
            One for each of `coefs_`, of its shape; False is held at zero. Such are the
            `masks_` of a :class:`~sparselearn.pruning.Pruner`. None lets all weights
            go.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the masks are not of the shapes of `coefs_`, or hold no bools.
        """
        check_is_fitted(self)
        if masks is not None:
            weights = self._weights()
            masks = _check_masks(masks, weights)
            self.coefs_ = [np.where(m, w, 0) for m, w in zip(masks, weights)]
        self.masks_ = masks
        return self

    @property
    def n_nonzero_coefs_(self):
        """Number of weights that are not zero; intercepts do not count."""
        return int(sum(np.count_nonzero(w) for w in self._weights()))

    @property
    def sparsity_(self):
        """Share of exact zeros among all weights."""
        n_weights = sum(w.size for w in self._weights())
        return (n_weights - self.n_nonzero_coefs_) / n_weights

    @property
    def layer_sparsity_(self):
        """Share of exact zeros in each of `coefs_`."""
        weights = self._weights()
        return np.array([(w.size - np.count_nonzero(w)) / w.size for w in weights])

    @property
    def active_units_(self):
        """Of each hidden layer, the units that any weight leads to."""
        hidden = self._weights()[:-1]
        return [np.flatnonzero((w != 0.0).any(axis=0)) for w in hidden]

    @property
    def support_(self):
        """Features that a weight of the first layer reads."""
        return np.flatnonzero((self._weights()[0] != 0.0).any(axis=1))

    def _weights(self):
        check_is_fitted(self)
        return [w.toarray() if sp.issparse(w) else w for w in self.coefs_]


def _check_masks(masks, weights):
    """Copies of `masks`, held against the shapes of `weights`."""
    masks = [np.array(mask) for mask in masks]
    shapes = [mask.shape for mask in masks]
    wanted = [w.shape for w in weights]
    if shapes != wanted:
        raise ValueError(f"masks have shapes {shapes}; those of coefs_ are {wanted}.")
    for layer, mask in enumerate(masks):
        if mask.dtype != bool:
            raise ValueError(
                f"masks[{layer}] has dtype {mask.dtype}; it must be bool, False where "
                "a weight is held at zero."
            )
    return masks
