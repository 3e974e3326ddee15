"""Multilayer perceptrons as one block a layer."""

from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._blocks import Block, dense, stored_like

__all__ = ["MLPAdapter"]


class MLPAdapter(Adapter):
    """Multilayer perceptrons: ``coefs_[l]`` of shape (n_inputs, n_outputs)."""

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
