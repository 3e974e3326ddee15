"""Linear models as one block on the features."""

from sklearn.base import is_classifier

from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._adapters._registry import refusal
from sparselearn.pruning._blocks import Block, counts, dense, stored_like

__all__ = ["LinearAdapter"]


class LinearAdapter(Adapter):
    """Linear models: ``coef_`` of shape (n_features,) or (n_outputs, n_features)."""

    def read(self, estimator):
        missing = [a for a in ("coef_", "intercept_") if not hasattr(estimator, a)]
        if missing:
            raise TypeError(refusal(estimator, f" (it has no {missing[0]})"))
        # A constant that the user ruled out must not come in by the back door.
        constant = getattr(estimator, "fit_intercept", True)
        return [
            Block(
                name="coef_",
                weights=dense(estimator.coef_),
                intercept=estimator.intercept_ if constant else None,
                inputs_last=True,
                scale_aware=True,
                activation=_link(estimator),
            )
        ]

    def write(self, estimator, blocks):
        (block,) = blocks
        estimator.coef_ = stored_like(estimator.coef_, block.weights)
        if block.intercept is not None:
            estimator.intercept_ = block.intercept
        if hasattr(estimator, "sparsity_"):  # it counts its own, as this package's do
            vars(estimator).update(counts(blocks))


def _link(estimator):
    """Key of `ACTIVATIONS`: how the linear model turns z into what it predicts."""
    if not is_classifier(estimator) or not hasattr(estimator, "predict_proba"):
        return "identity"
    return "logistic" if len(estimator.classes_) == 2 else "softmax"
