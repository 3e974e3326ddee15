"""Kernel support vector machines as one block on similarities to support vectors."""

from itertools import combinations

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier
from sklearn.metrics.pairwise import pairwise_kernels

from sparselearn._compat import keep_support, kernel_parameters
from sparselearn._parallel import row_chunks
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._blocks import Block
from sparselearn.pruning._curvature import Curvature

__all__ = ["KernelMachineAdapter"]

CHUNK_VECTORS = 1024  # support vectors whose kernel with all is held at a time
FEW_VECTORS = 64  # of which only the kernel with themselves is wanted
# Enough for a Cholesky factor; more would not keep the function, as a projection does.
DAMPING = 1e-8
LINEAR_TWINS = {
    "NuSVC": "LinearSVC",
    "NuSVR": "LinearSVR",
    "OneClassSVM": "SGDOneClassSVM",
    "SVC": "LinearSVC",
    "SVR": "LinearSVR",
}


class KernelMachineAdapter(Adapter):
    """``z = K(x, v) A + b`` with the support vectors v and their coefficients A.

    A has a column for each decision: one, or, of K > 2 classes, one a pair of classes,
    in which only the vectors of these two classes count. So a vector has K - 1
    coefficients, which go together.
    """

    granularities = ("support_vector",)

    def check(self, estimator, granularity):
        kernel = estimator.kernel
        name = type(estimator).__name__
        if callable(kernel) or kernel == "precomputed":
            raise TypeError(
                f"{name} with kernel={kernel!r} cannot be pruned: its predict wants "
                "the kernel with every training row, whichever support it. Give the "
                "kernel by name."
            )
        if granularity not in self.granularities:
            linear = LINEAR_TWINS.get(name)
            is_linear = kernel == "linear" and linear is not None
            way_out = f", or fit a {linear}, which has" if is_linear else ""
            raise TypeError(
                f"{name} has no weights of features to prune by "
                f"granularity={granularity!r}: it predicts by its support vectors. "
                f"Give granularity='support_vector'{way_out}."
            )

    def read(self, estimator):
        return [
            Block(
                name="dual_coef_",
                weights=_decisions(estimator, estimator.dual_coef_),
                intercept=estimator.intercept_,
                inputs_last=True,
                scale_aware=False,
            )
        ]

    def write(self, estimator, blocks):
        (block,) = blocks
        kept = block.matrix().any(axis=1)
        dual_coef = _duals(estimator, block.weights)
        if np.any(_decisions(estimator, dual_coef) != block.weights):
            raise ValueError(
                f"A decision between two classes of {type(estimator).__name__} is by "
                "their own support vectors, and this refit gave it others; give "
                "refit='obs'."
            )
        keep_support(estimator, kept, dual_coef[:, kept], block.intercept)

    def counts(self, estimator, blocks):
        """Of support vectors; features are those that the kernel reads."""
        n_before, n_after = len(blocks[0].matrix()), estimator.support_.size
        n_read = estimator.n_features_in_ if n_after else 0
        return {
            "sparsity_": (n_before - n_after) / n_before,
            "n_nonzero_coefs_": n_after,
            "support_": np.arange(n_read),
        }

    def inputs(self, estimator, blocks, X):
        yield pairwise_kernels(
            X, estimator.support_vectors_, **kernel_parameters(estimator)
        )

    def curvatures(self, estimator, blocks, data):
        """The kernel matrix: the distance of two functions in its Hilbert space.

        The constant does not change, as it is no part of that space.
        """
        (block,) = blocks
        n_vectors, n_outputs = block.matrix().shape
        found = []
        for outputs, inputs in _pairs(estimator, n_vectors, n_outputs):
            form = KernelCurvature(estimator, inputs)
            centre = np.zeros(inputs.size)
            found.append(Curvature(outputs, inputs, form, centre, DAMPING))
        return found


class KernelCurvature:
    """The kernel among some support vectors; see `Curvature` for its methods."""

    def __init__(self, estimator, inputs):
        self.vectors = estimator.support_vectors_[inputs]
        self.parameters = kernel_parameters(estimator)

    def _kernel(self, places, others=slice(None)):
        return pairwise_kernels(
            self.vectors[places], self.vectors[others], **self.parameters
        )

    def block(self, places):
        """Kernels among the vectors at `places`."""
        return self._kernel(places, places)

    def diagonal(self):
        """Kernels of the vectors with themselves."""
        chunks = row_chunks(self.vectors.shape[0], FEW_VECTORS)
        return np.concatenate(
            [np.diagonal(self._kernel(rows, rows)) for rows in chunks]
        )

    def product(self, weights):
        """``K @ weights``, by some rows of K at a time."""
        chunks = row_chunks(self.vectors.shape[0], CHUNK_VECTORS)
        return np.concatenate([self._kernel(rows) @ weights for rows in chunks])


def _pairs(estimator, n_vectors, n_outputs):
    """The columns and the rows of A that belong together."""
    if n_outputs == 1:
        yield np.arange(1), np.arange(n_vectors)
        return
    of_class = _class_of(estimator)
    n_classes = estimator.classes_.size
    for k, pair in enumerate(combinations(range(n_classes), 2)):
        yield np.array([k]), np.flatnonzero(np.isin(of_class, pair))


def _class_of(estimator):
    """The class, by its number, of each support vector."""
    counts = estimator.n_support_
    return np.repeat(np.arange(counts.size), counts)


def _decisions(estimator, dual_coef):
    """Coefficients of shape (n_decisions, n_vectors), zeros where there are none."""
    dual_coef = dual_coef.toarray() if sp.issparse(dual_coef) else dual_coef
    if not is_classifier(estimator) or estimator.classes_.size == 2:
        return dual_coef
    return np.stack(
        [
            np.where(of_first, dual_coef[j - 1], np.where(of_second, dual_coef[i], 0.0))
            for i, j, of_first, of_second in _classes_of_pairs(estimator)
        ]
    )


def _duals(estimator, decisions):
    """The same as scikit-learn has them: of class i in row j - 1, of j in row i."""
    if len(decisions) == 1:
        return decisions
    dual_coef = np.zeros((estimator.classes_.size - 1, decisions.shape[1]))
    pairs = _classes_of_pairs(estimator)
    for (i, j, of_first, of_second), row in zip(pairs, decisions):
        dual_coef[j - 1, of_first] = row[of_first]
        dual_coef[i, of_second] = row[of_second]
    return dual_coef


def _classes_of_pairs(estimator):
    """Pairs of classes in the order of decisions, and which vectors are theirs."""
    of_class = _class_of(estimator)
    for i, j in combinations(range(estimator.classes_.size), 2):
        yield i, j, of_class == i, of_class == j
