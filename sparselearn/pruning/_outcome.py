"""What can be had of a pruned estimator: undone, to ship, and in figures."""

from copy import deepcopy

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._export import export
from sparselearn.pruning._granularity import cut
from sparselearn.pruning._procedure import observe
from sparselearn.pruning._report import report_on
from sparselearn.pruning._wrappers import last_step

__all__ = ["ResultsMixin"]


def _keeps_unpruned(pruner):
    check_is_fitted(pruner)
    if not hasattr(pruner, "unpruned_"):
        raise AttributeError("There is nothing to restore: keep_unpruned=False.")
    return True


class ResultsMixin:
    """`restore`, `export` and `report` of what a pruner has fitted."""

    @available_if(_keeps_unpruned)
    def restore(self):
        """A copy of the estimator as it was before it was pruned.

        Returns
        -------
        estimator : estimator
        """
        return deepcopy(self.unpruned_)

    def export(self, format="dense", X=None):
        """The pruned estimator to predict with, see :func:`sparselearn.pruning.export`.

        Parameters
        ----------
        format : {"dense", "csr", "shrunk"}, default="dense"
        X : array-like or sparse array of shape (n_samples, n_features), default=None
            Rows on which predictions are compared.

        Returns
        -------
        estimator : estimator
        """
        return export(self._fitted(), format, X)

    def report(self, X=None, y=None):
        """Sizes and scores before and after.

        Parameters
        ----------
        X, y : array-like, default=None
            Rows to measure scores and the time of `predict` on; without them scores are
            those of `fit`, if it validated.

        Returns
        -------
        report : PruningReport
        """
        pruned = self._fitted()
        if X is None and y is not None:
            raise ValueError("Scores on y need X, its rows: give both, or neither.")
        unpruned = getattr(self, "unpruned_", None)
        names = {"dense": "base_score_", "masked": "pruned_score_", "pruned": "score_"}
        scores = {
            name: getattr(self, attribute)
            for name, attribute in names.items()
            if hasattr(self, attribute)
        }
        if y is not None and hasattr(pruned, "score"):
            scores = {}
            if unpruned is not None:
                scores["dense"] = unpruned.score(X, y)
                masked = self._masked()
                if masked is not None:
                    scores["masked"] = masked.score(X, y)
                if self._finished is not None:
                    finished = self._with_blocks(self._finished)
                    scores["finished"] = finished.score(X, y)
            scores["pruned"] = pruned.score(X, y)
        return report_on(unpruned, pruned, scores, X)

    def _masked(self):
        """The unpruned estimator without the weights that were removed."""
        blocks = observe(self.unpruned_, None).blocks
        shapes = [block.weights.shape for block in blocks]
        if shapes != [np.shape(mask) for mask in self.masks_]:  # it was shrunk
            return None
        return self._with_blocks(cut(blocks, self.masks_))

    def _with_blocks(self, blocks):
        """The unpruned estimator with other blocks in the place of its own."""
        estimator = self.restore()
        final = last_step(estimator)
        adapter_of(final).write(final, blocks)
        return estimator
