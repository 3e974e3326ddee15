"""What a pruned estimator does as the estimator inside it does."""

import warnings

from sklearn import get_config
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sparselearn._dask import is_collection, lazily
from sparselearn._scoring import score_chunks
from sparselearn._solvers._score_sums import AccuracySums, ErrorSums
from sparselearn._support import SupportMixin
from sparselearn._validation import refuse_collection
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._shrink import shrink_in_place
from sparselearn.pruning._wrappers import PrunesMixin, last_step, with_last_step

__all__ = ["DelegatesMixin", "delegated"]

OURS = "sparselearn."
# Of methods that score all rows at a time, the same by sums.
SUMS = {ClassifierMixin.score: AccuracySums, RegressorMixin.score: ErrorSums}


def delegated(name):
    """Whether the estimator inside has the method `name`, for `available_if`."""

    def check(pruner):
        # Its own AttributeError says more than False would.
        getattr(getattr(pruner, "estimator_", pruner.estimator), name)
        return True

    return available_if(check)


class DelegatesMixin(PrunesMixin, SupportMixin):
    """Methods and attributes of `estimator_`, as far as it has them.

    For a meta-estimator that has `estimator`, and whose `fit` ends with `_store`.
    """

    @property
    def n_features_in_(self):
        """Number of features seen by `fit`."""
        return self._fitted().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features seen by `fit`."""
        return self._fitted().feature_names_in_

    @property
    def classes_(self):
        """Classes that the estimator was fitted to."""
        return self._fitted().classes_

    def _fitted(self):
        check_is_fitted(self)
        return self.estimator_

    def _predicting(self):
        """`estimator_`, or a twin that predicts the same in less time."""
        estimator = self._fitted()
        quick = adapter_of(last_step(estimator)).predicting
        return with_last_step(estimator, quick)

    @property
    def _n_supportable(self):
        return self._n_read  # by the last step of a pipeline

    @delegated("predict")
    @lazily
    def predict(self, X):
        """Predict by the pruned estimator."""
        return self._predicting().predict(X)

    @delegated("predict_proba")
    @lazily
    def predict_proba(self, X):
        """Probabilities of the classes by the pruned estimator."""
        return self._predicting().predict_proba(X)

    @delegated("predict_log_proba")
    @lazily
    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes by the pruned estimator."""
        return self._predicting().predict_log_proba(X)

    @delegated("decision_function")
    @lazily
    def decision_function(self, X):
        """Decision function of the pruned estimator."""
        return self._fitted().decision_function(X)

    @delegated("transform")
    @lazily
    def transform(self, X):
        """Transform by the pruned estimator."""
        return self._fitted().transform(X)

    @delegated("inverse_transform")
    @lazily
    def inverse_transform(self, X):
        """Undo `transform`, by the pruned estimator."""
        return self._fitted().inverse_transform(X)

    @delegated("get_feature_names_out")
    def get_feature_names_out(self, input_features=None):
        """Names of the features that `transform` gives."""
        return self._fitted().get_feature_names_out(input_features)

    @delegated("score_samples")
    @lazily
    def score_samples(self, X):
        """Scores of the rows by the pruned estimator."""
        return self._fitted().score_samples(X)

    @delegated("score")
    def score(self, X, y=None, **score_params):
        """Score of the pruned estimator, as it scores itself.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
            Or a dask array or data frame, if the estimator is of this package, or is
            scored by its accuracy or R2: then a few sums come from each chunk.
        y : array-like, default=None
        **score_params : dict
            Passed to the estimator's `score`, such as `sample_weight`; with metadata
            routing enabled, where requested.

        Returns
        -------
        score : float
        """
        estimator = self._predicting()
        if is_collection(X) and not type(estimator).__module__.startswith(OURS):
            sums = SUMS.get(type(estimator).score)
            if sums is None:
                refuse_collection(X, self)
            return score_chunks(estimator, sums, X, y, **score_params)
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "score", **score_params)
            score_params = routed.estimator.score
        return estimator.score(X, y, **score_params)

    def __sklearn_tags__(self):
        tags = get_tags(self.estimator)
        tags.array_api_support = False  # masks and means are numpy's
        return tags

    def _count(self, estimator, blocks):
        """Set the counts of non-zero weights."""
        final = last_step(estimator)
        vars(self).update(adapter_of(final).counts(final, blocks))
        n_inputs = len(blocks[0].by_input(blocks[0].weights))
        self._n_read = getattr(final, "n_features_in_", n_inputs)

    def _store(self, outcome, unpruned, *, shrink=False, within=None):
        """Set the fitted attributes; `within` are earlier masks, which still hold."""
        estimator, pruned, plan, figures, words = outcome
        masks, blocks = pruned.masks, pruned.blocks
        if within is not None:
            masks = [mask & earlier for mask, earlier in zip(masks, within)]
        if shrink:
            masks = _without(blocks, masks, shrink_in_place(estimator))
            blocks = adapter_of(last_step(estimator)).read(last_step(estimator))
        fitted = {
            "estimator_": estimator,
            "masks_": masks,
            "importances_": pruned.importances,
            "threshold_": pruned.threshold,
            "criterion_": plan.criterion,
            "refit_": plan.refit,
            **figures,
        }
        self._finished = None
        if unpruned is not None:
            fitted["unpruned_"] = unpruned
            self._finished = pruned.finished
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        vars(self).update(fitted)
        self._count(estimator, blocks)
        for word in words[:1]:
            warnings.warn(word, stacklevel=5)  # whoever called `fit`: it is decorated


def _without(blocks, masks, kept):
    """Masks of weights without the hidden units that are no longer there."""
    found = []
    for layer, (block, mask) in enumerate(zip(blocks, masks)):
        mask = block.by_input(mask)
        if layer:
            mask = mask[kept[layer - 1]]
        if layer < len(kept):
            mask = mask[:, kept[layer]]
        found.append(block.by_input(mask))
    return found
