"""What a pruner does after `fit`, or instead of it: train on, and prune."""

from contextlib import nullcontext
from copy import deepcopy

from sklearn import get_config
from sklearn.base import clone
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import fit_context
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._delegates import delegated
from sparselearn.pruning._granularity import cut
from sparselearn.pruning._procedure import check_parts
from sparselearn.pruning._wrappers import thawed

__all__ = ["LaterMixin"]


class LaterMixin:
    """`partial_fit` and `prune` of a pruner."""

    @delegated("partial_fit")
    def partial_fit(self, X, y=None, sample_weight=None, **partial_fit_params):
        """Train on a batch; weights that were pruned are exactly 0 afterwards.

        Perceptrons hold them there at every step of the call. Linear models of
        stochastic gradients, and networks of which training has been forgotten, as by
        `export`, may move them on the way, and they are set to 0 at its end.

        Before :meth:`fit` or :meth:`prune` nothing is pruned: this only trains. A call
        that fails, or is interrupted, changes nothing.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
        y : array-like, default=None
        sample_weight : array-like of shape (n_samples,), default=None
        **partial_fit_params : dict
            Such as `classes`, passed to the estimator's `partial_fit`; with metadata
            routing enabled, where requested.

        Returns
        -------
        self : Pruner
        """
        check_parts(self.estimator, self.granularity)
        if sample_weight is not None:
            partial_fit_params["sample_weight"] = sample_weight
        if get_config()["enable_metadata_routing"]:
            classes = partial_fit_params.pop("classes", None)
            routed = process_routing(self, "partial_fit", **partial_fit_params)
            partial_fit_params = dict(routed.estimator.partial_fit)
            if classes is not None:
                partial_fit_params["classes"] = classes
        if hasattr(self, "estimator_"):
            estimator = deepcopy(self.estimator_)
        else:
            estimator = thawed(clone(self.estimator))
        masks = getattr(self, "masks_", None)
        adapter = adapter_of(estimator)
        holding = nullcontext() if masks is None else adapter.holding(estimator, masks)
        with holding:
            estimator.partial_fit(X, y, **partial_fit_params)
        blocks = adapter.read(estimator)
        if masks is not None:
            blocks = cut(blocks, masks)
            adapter.write(estimator, blocks)
        self.estimator_ = estimator
        self._count(estimator, blocks)
        return self

    @fit_context(prefer_skip_nested_validation=False)
    def prune(self, X, y=None, sample_weight=None, groups=None):
        """Prune what `partial_fit` has trained, as :meth:`fit` prunes what it fits.

        What was pruned before stays so.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
            Rows for calibration and for validation.
        y : array-like, default=None
        sample_weight, groups : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : Pruner
        """
        check_is_fitted(self)
        plan, tolerance = self._plan()
        seed, split = self._split(X, y, tolerance, groups=groups)
        estimator = deepcopy(self.estimator_)
        within = getattr(self, "masks_", None)
        rows = X, y, sample_weight
        self._prune_fitted(estimator, rows, split, seed, plan, tolerance, within)
        return self
