"""Multilayer perceptrons as one block a layer."""

from contextlib import nullcontext

import numpy as np
import scipy.sparse as sp

from sparselearn import _compat
from sparselearn._compat import n_rows_of
from sparselearn._validation import finite_check
from sparselearn.neural_network._fine_tuning import continued, fine_tuned
from sparselearn.neural_network._slicing import forget_training, keep_units
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._blocks import Block, dense, stored_like
from sparselearn.pruning._cleanup import sliced
from sparselearn.pruning._forward import fewest_rows, predicted

__all__ = ["MLPAdapter", "SparseMLPAdapter"]


class MLPAdapter(Adapter):
    """Multilayer perceptrons: ``coefs_[l]`` of shape (n_inputs, n_outputs)."""

    def check(self, estimator, granularity):
        if granularity == "neuron" and np.size(estimator.hidden_layer_sizes) == 0:
            raise ValueError(
                f"{type(estimator).__name__} with hidden_layer_sizes="
                f"{estimator.hidden_layer_sizes!r} has no hidden units to prune by "
                "granularity='neuron'; give 'element' or 'feature'."
            )
        super().check(estimator, granularity)

    def read(self, estimator):
        n_hidden = len(estimator.coefs_) - 1
        activations = [estimator.activation] * n_hidden + [estimator.out_activation_]
        return [
            Block(
                name=f"coefs_[{layer}]",
                weights=dense(weights),
                intercept=intercept,
                inputs_last=False,
                scale_aware=False,
                activation=activation,
            )
            for layer, (weights, intercept, activation) in enumerate(
                zip(estimator.coefs_, estimator.intercepts_, activations)
            )
        ]

    def write(self, estimator, blocks):
        estimator.coefs_ = [
            stored_like(old, block.weights)
            for old, block in zip(estimator.coefs_, blocks)
        ]
        estimator.intercepts_ = [block.intercept for block in blocks]

    def train(self, estimator, masks, X, y, sample_weight, **options):
        twin = fine_tuned(estimator, masks, X, y, sample_weight, **options)
        self.write(estimator, self.read(twin))
        losses = twin.loss_curve_
        estimator.n_iter_ += len(losses)
        estimator.loss_ = losses[-1]
        if hasattr(estimator, "loss_curve_"):  # not after L-BFGS
            estimator.loss_curve_ = [*estimator.loss_curve_, *losses]
            estimator.t_ += len(losses) * n_rows_of(X)
            if estimator.best_loss_ is not None:
                estimator.best_loss_ = min(estimator.best_loss_, *losses)

    def holding(self, estimator, masks):
        return _compat.held_at_zero(estimator, masks)

    def predicting(self, estimator):
        if any(sp.issparse(weights) for weights in estimator.coefs_):
            return estimator  # their product is another
        blocks = self.read(estimator)

        def through(X):
            return predicted(blocks, X, finite_check(estimator))

        return _compat.with_forward_pass(estimator, through, fewest_rows(blocks))

    def shrink(self, estimator, blocks, kept):
        coefs, intercepts = self._smaller(estimator, blocks, kept)
        _compat.keep_units(estimator, coefs, intercepts, kept)

    def _smaller(self, estimator, blocks, kept):
        weights = sliced([block.weights for block in blocks], kept)
        intercepts = sliced([block.intercept for block in blocks], kept)
        coefs = [stored_like(old, new) for old, new in zip(estimator.coefs_, weights)]
        return coefs, intercepts

    def forget_training(self, estimator):
        _compat.forget_training(estimator)

    def compress(self, estimator):
        estimator.coefs_ = [sp.csr_array(weights) for weights in estimator.coefs_]


class SparseMLPAdapter(MLPAdapter):
    """Those of this package, which hold masks and an optimiser of their own."""

    def train(self, estimator, masks, X, y, sample_weight, **options):
        twin = fine_tuned(estimator, masks, X, y, sample_weight, **options)
        history = continued(estimator.history_, twin.history_)
        n_epochs = len(history["loss"])
        for name in ("coefs_", "intercepts_", "masks_", "_past"):
            setattr(estimator, name, getattr(twin, name))
        estimator.history_ = history
        estimator.n_iter_ = estimator.best_epoch_ = n_epochs

    def holding(self, estimator, masks):
        return nullcontext(estimator.set_masks(masks))

    def predicting(self, estimator):
        return estimator  # it leaves out unused inputs by itself

    def shrink(self, estimator, blocks, kept):
        keep_units(estimator, *self._smaller(estimator, blocks, kept), kept)

    def forget_training(self, estimator):
        forget_training(estimator)
