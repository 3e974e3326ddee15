"""Linear models as one block on the features."""

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, logsumexp, softmax
from sklearn.base import is_classifier
from sklearn.linear_model import (
    GammaRegressor,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)

from sparselearn._compat import n_rows_of, rows_of
from sparselearn._parallel import row_chunks
from sparselearn.linear_model import SparsePoissonRegressor
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._adapters._registry import refusal
from sparselearn.pruning._blocks import Block, counts, dense, stored_like
from sparselearn.pruning._curvature import Curvature, InputCurvature

__all__ = ["LinearAdapter", "OneClassAdapter"]

DAMPING = 0.01
BATCH = 200  # rows after which what is pruned is zero again


class LinearAdapter(Adapter):
    """Linear models: ``coef_`` of shape (n_features,) or (n_outputs, n_features)."""

    granularities = ("element", "feature")
    constant, sign = "intercept_", 1

    def read(self, estimator):
        named = ("coef_", self.constant)
        missing = [name for name in named if not hasattr(estimator, name)]
        if missing:
            raise TypeError(refusal(estimator, f" (it has no {missing[0]})"))
        # A constant that the user ruled out must not come in by the back door.
        is_free = getattr(estimator, "fit_intercept", True)
        constant = getattr(estimator, self.constant)
        return [
            Block(
                name="coef_",
                weights=dense(estimator.coef_),
                intercept=self.sign * constant if is_free else None,
                inputs_last=True,
                scale_aware=True,
                activation=_link(estimator),
            )
        ]

    def write(self, estimator, blocks):
        (block,) = blocks
        estimator.coef_ = stored_like(estimator.coef_, block.weights)
        if block.intercept is not None:
            setattr(estimator, self.constant, self.sign * block.intercept)
        if hasattr(estimator, "sparsity_"):  # it counts its own, as this package's do
            vars(estimator).update(counts(blocks))

    def curvatures(self, estimator, blocks, data):
        """Of the loss over its sum of weights, with the model's own ridge penalty.

        One for all outputs, where the second derivatives of the loss are the same for
        all rows; else one an output.
        """
        (block,) = blocks
        (a,) = data.inputs(blocks)
        n_inputs, n_outputs = block.matrix().shape
        ridge = np.broadcast_to(_ridge(estimator, data.total_weight), n_outputs)
        slopes = self.output_curvature(estimator, block, a)
        groups = np.arange(n_outputs)[:, None]
        if slopes is None and np.all(ridge == ridge[0]):
            groups = np.arange(n_outputs)[None]
        found = []
        for outputs in groups:
            weights = data.weights
            if slopes is not None:
                weights = weights * slopes[:, outputs[0]]
            form = InputCurvature(
                a,
                weights,
                centred=block.intercept is not None,
                ridge=ridge[outputs[0]],
            )
            inputs = np.arange(n_inputs)
            found.append(Curvature(outputs, inputs, form, form.centre, DAMPING))
        return found

    def train(self, estimator, masks, X, y, sample_weight, *, rates, seed):
        if not hasattr(estimator, "partial_fit"):
            options = {"rates": rates, "seed": seed}
            super().train(estimator, masks, X, y, sample_weight, **options)
        old = estimator.coef_
        if sp.issparse(old):
            estimator.coef_ = dense(old)
        rng = np.random.default_rng(seed)
        for _ in rates:  # their own schedule goes on
            order = rng.permutation(n_rows_of(X))
            for rows in row_chunks(order.size, BATCH):
                some = order[rows]
                weights = {}
                if sample_weight is not None:
                    weights["sample_weight"] = rows_of(sample_weight, some)
                estimator.partial_fit(rows_of(X, some), rows_of(y, some), **weights)
                estimator.coef_[~masks[0]] = 0.0
        estimator.coef_ = stored_like(old, estimator.coef_)

    def compress(self, estimator):
        # Of one dimension where it has one: of two, predictions would be columns.
        estimator.coef_ = sp.csr_array(dense(estimator.coef_))

    def has_link(self, estimator):
        """Whether it predicts something else than the linear function itself."""
        return _power_of_mean(estimator) is not None or _link(estimator) != "identity"

    def output_curvature(self, estimator, block, a):
        """Second derivatives of each row's loss in each output; None where all are 1.

        Those that are expected under the fitted model, which are never negative. Losses
        without any, such as the hinge, are taken as squared.
        """
        power = _power_of_mean(estimator)
        if block.activation == "identity" and power is None:
            return None
        z = a @ block.matrix().astype(np.float64) + block.constants()
        if power is not None:
            return np.exp(power * z)
        is_binary = block.activation == "logistic"
        probabilities = expit(z) if is_binary else softmax(z, axis=1)
        return probabilities * (1.0 - probabilities)

    def curved_losses(self, estimator, before, after):
        power = _power_of_mean(estimator)
        if power is not None:
            return _tweedie_losses(power, np.exp(before), after).sum(axis=1)
        link = _link(estimator)
        if link == "identity":
            return None
        if link == "logistic":
            return (np.logaddexp(0.0, after) - expit(before) * after).sum(axis=1)
        total = logsumexp(after, axis=1)
        return total - (softmax(before, axis=1) * after).sum(axis=1)


class OneClassAdapter(LinearAdapter):
    """Linear outlier detectors, which decide by what is above an offset."""

    constant, sign = "offset_", -1


def _tweedie_losses(power, targets, z):
    """Losses whose curvature at the target is ``mean**power``; the mean is exp(z)."""
    first = z if power == 0.0 else np.exp(power * z) / power
    if power == 1.0:
        return first - targets * z
    return first - targets * np.exp((power - 1.0) * z) / (power - 1.0)


def _link(estimator):
    """Key of `ACTIVATIONS`: how the linear model turns z into what it predicts."""
    if not is_classifier(estimator) or not hasattr(estimator, "predict_proba"):
        return "identity"
    return "logistic" if len(estimator.classes_) == 2 else "softmax"


def _power_of_mean(estimator):
    """p, where the loss has the curvature mean**p, and log(mean) is linear."""
    if isinstance(estimator, (PoissonRegressor, SparsePoissonRegressor)):
        return 1.0
    if isinstance(estimator, GammaRegressor):
        return 0.0
    if isinstance(estimator, TweedieRegressor):
        is_log = estimator.link == "log" or (
            estimator.link == "auto" and estimator.power > 0
        )
        return 2.0 - estimator.power if is_log else None
    return None


def _ridge(estimator, total):
    """The weight of ``||w||² / 2`` beside the mean loss; `total` is the rows' weight.

    One number, or one an output.
    """
    alpha = getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0))
    l1_ratio = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", None))
    if isinstance(estimator, (Ridge, RidgeClassifier, RidgeCV, RidgeClassifierCV)):
        return np.asarray(alpha) / total
    if isinstance(estimator, LogisticRegression):
        C = estimator.C_ if hasattr(estimator, "C_") else estimator.C
        return _share_of_l2(estimator.penalty, l1_ratio) / (np.ravel(C) * total)
    if isinstance(estimator, (SGDClassifier, SGDRegressor)):
        return alpha * _share_of_l2(estimator.penalty, l1_ratio)
    if isinstance(estimator, (PoissonRegressor, GammaRegressor, TweedieRegressor)):
        return alpha
    is_mixture = np.ndim(alpha) == 0 and isinstance(l1_ratio, (int, float))
    return alpha * (1.0 - l1_ratio) if is_mixture else 0.0


def _share_of_l2(penalty, l1_ratio):
    if penalty in (None, "l1"):
        return 0.0
    if penalty == "l2":
        return 1.0
    return 1.0 - np.array([ratio or 0.0 for ratio in np.ravel(l1_ratio)])
