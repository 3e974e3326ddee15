"""Sparse autoencoders as two blocks, the encoder and the decoder."""

import copy

import numpy as np
import scipy.sparse as sp
from sklearn import config_context

from sparselearn.neural_network._design import wanted_nonzeros
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._blocks import Block

__all__ = ["AutoencoderAdapter"]

# A pre-activation at which the logistic function is exactly 0.
OFF = -1e4


class AutoencoderAdapter(Adapter):
    """Autoencoders of one layer: a hidden unit is one of the code.

    A unit that is removed keeps its place: its atom in `components_` and its column of
    codes are zero. Of a pruned autoencoder the state of training is dropped, in which
    the unit still is; `fit` and `partial_fit` begin anew.
    """

    granularities = ("neuron",)

    def check(self, estimator, granularity):
        if np.size(estimator.hidden_layer_sizes):
            raise TypeError(
                f"{type(estimator).__name__} with hidden_layer_sizes="
                f"{estimator.hidden_layer_sizes!r} cannot be pruned, only one with a "
                "single layer, whose units add up to what is rebuilt."
            )
        super().check(estimator, granularity)

    def read(self, estimator):
        activations = estimator.activation, _output(estimator)
        parts = zip(estimator.coefs_, estimator.intercepts_, activations)
        return [
            Block(f"coefs_[{layer}]", weights, intercept, False, False, activation)
            for layer, (weights, intercept, activation) in enumerate(parts)
        ]

    def usual_refit(self, estimator, refit):
        return "fold" if estimator.tied_weights else refit

    def write(self, estimator, blocks):
        encoder, decoder = (block.weights for block in blocks)
        if estimator.tied_weights and not _is_multiple(encoder.T, decoder):
            raise ValueError(
                "The decoder of an autoencoder with tied_weights=True is its encoder, "
                "and cannot be fitted alone; give refit='fold'."
            )
        removed = _put(estimator, blocks)
        estimator.components_ = decoder.copy()
        estimator.activation_rate_ = np.where(removed, 0.0, estimator.activation_rate_)
        estimator.dead_units_ = np.flatnonzero(estimator.activation_rate_ == 0.0)
        if estimator.activation not in {"sigmoid", "tanh"}:
            # A unit that is never 0 fires or not; of the others this is the number.
            estimator.n_nonzero_coefs_ = float(estimator.activation_rate_.sum())
            estimator.sparsity_ = 1.0 - estimator.n_nonzero_coefs_ / removed.size
        vars(estimator).pop("explained_variance_", None)
        self.forget_training(estimator)

    def counts(self, estimator, blocks):
        """Of units of the code."""
        encoder = blocks[0].weights
        n_units, n_kept = encoder.shape[1], np.count_nonzero(~_removed(blocks))
        return {
            "sparsity_": 1.0 - n_kept / n_units,
            "n_nonzero_coefs_": n_kept,
            "support_": np.flatnonzero(encoder.any(axis=1)),
        }

    def shrink(self, estimator, blocks, kept):
        """Codes get narrower, and `n_components` is how many columns are left."""
        (stays,) = kept
        if not stays.any():
            stays = np.arange(stays.size) == 0
        if estimator.n_nonzero_coefs is None and estimator.activation == "topk":
            # None is a share of the units: of those there were.
            estimator.n_nonzero_coefs = wanted_nonzeros(estimator, stays.size)
        encoder, decoder = blocks
        estimator.n_components = int(np.count_nonzero(stays))
        estimator.coefs_ = [
            np.ascontiguousarray(encoder.weights[:, stays]),
            np.ascontiguousarray(decoder.weights[stays]),
        ]
        estimator.intercepts_ = [encoder.intercept[stays], decoder.intercept]
        for name in ("thresholds_", "activation_rate_", "components_"):
            if getattr(estimator, name) is not None:
                setattr(estimator, name, getattr(estimator, name)[stays])
        estimator.dead_units_ = np.flatnonzero(estimator.activation_rate_ == 0.0)
        share = estimator.n_nonzero_coefs_ / estimator.n_components
        estimator.sparsity_ = 1.0 - share
        self.forget_training(estimator)

    def forget_training(self, estimator):
        for name in ("_kept", "_mass"):
            vars(estimator).pop(name, None)

    def inputs(self, estimator, blocks, X):
        yield X
        twin = copy.copy(estimator)
        _put(twin, blocks)
        for name in ("_sklearn_output_config", "feature_names_in_"):  # X has none
            vars(twin).pop(name, None)
        with config_context(transform_output="default"):
            codes = twin.transform(X)
        yield codes.toarray() if sp.issparse(codes) else codes


def _output(estimator):
    return "sigmoid" if estimator.loss == "cross_entropy" else "identity"


def _is_multiple(first, second):
    """Whether one array is the other times a number, up to rounding."""
    # Units of X are inside the weights, of encoder and decoder in opposite ways.
    sizes = [np.linalg.norm(array) for array in (first, second)]
    gap = np.linalg.norm(first * sizes[1] - second * sizes[0])
    return gap <= 1e-4 * sizes[0] * sizes[1]


def _removed(blocks):
    """Which units neither read nor are read."""
    encoder, decoder = (block.weights for block in blocks)
    return ~(encoder.any(axis=0) | decoder.any(axis=1))


def _put(estimator, blocks):
    """Set weights, so that codes are 0 of the units that are removed; these."""
    removed = _removed(blocks)
    estimator.coefs_ = [np.ascontiguousarray(block.weights) for block in blocks]
    first, last = (block.intercept for block in blocks)
    if estimator.activation == "sigmoid":
        first = np.where(removed, OFF, first).astype(first.dtype)
    estimator.intercepts_ = [first, last]
    if estimator.thresholds_ is not None:
        lows = np.maximum(estimator.thresholds_, 0.0)
        estimator.thresholds_ = np.where(removed, lows, estimator.thresholds_)
    return removed
