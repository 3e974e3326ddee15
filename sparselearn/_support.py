"""Which features an estimator uses, as a mask or as indices."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

__all__ = ["SupportMixin"]


class SupportMixin:
    """`get_support` of an estimator that has, fitted, `support_`."""

    def get_support(self, indices=False):
        """Which features are used: those with a weight other than 0 for any output.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return indices rather than a mask.

        Returns
        -------
        support : ndarray
            Mask of shape (n_features,), or the indices.
        """
        check_is_fitted(self)
        if indices:
            return self.support_
        mask = np.zeros(self._n_supportable, dtype=bool)
        mask[self.support_] = True
        return mask

    @property
    def _n_supportable(self):
        """How many features there are of which `support_` has some."""
        return self.n_features_in_
