"""The size of weights: "magnitude" and "lamp"."""

import numpy as np

from sparselearn.pruning._criteria._parts import outgoing_norms

__all__ = [
    "lamp",
    "magnitude",
    "magnitude_of_units",
    "magnitude_of_vectors",
    "shares_of_layer",
]


def magnitude(blocks, data):
    """``|w_ij|``, times ``std(a_i)`` where the inputs have units of their own.

    So a linear model's coefficient counts in units of its output, and its rank does
    not change with the unit in which a feature is measured.
    """
    importances = [np.abs(block.weights.astype(np.float64)) for block in blocks]
    if any(block.scale_aware for block in blocks):
        for block, a, values in zip(blocks, data.inputs(blocks), importances):
            if block.scale_aware:
                last = block.by_input(values).T  # a view, the inputs last
                last *= data.std(a)
    return importances


def magnitude_of_units(blocks, data):
    """``||W_in[:, j]|| ||W_out[j, :]||``, over the mean of that in the layer.

    No scaling of a ReLU unit changes it: c relu(z) with outgoing weights divided by c
    is the same unit. The mean is there because norms grow with the number of weights:
    without it a small layer would be emptied first. Needs no data.
    """
    products = [
        np.linalg.norm(block.matrix().astype(np.float64), axis=0) * outgoing
        for block, outgoing in zip(blocks[:-1], outgoing_norms(blocks))
    ]
    return [values / (values.mean() or 1.0) for values in products]


def magnitude_of_vectors(blocks, data):
    """``|alpha_i| sqrt(k(x_i, x_i))``: how long a support vector's term is.

    In the Hilbert space of the kernel; the root of the sum of squares, where a vector
    has coefficients in several decisions. Needs no data.
    """
    matrix = blocks[0].matrix()
    squares = np.zeros(len(matrix))
    for curvature in data.adapter.curvatures(data.estimator, blocks, data):
        own = matrix[np.ix_(curvature.inputs, curvature.outputs)]
        # A kernel that is not positive definite may give negative squares.
        lengths = np.maximum(curvature.form.diagonal(), 0.0)
        squares[curvature.inputs] += lengths * np.sum(own**2, axis=1)
    return [np.sqrt(squares)]


def lamp(blocks, data):
    """Layer-adaptive magnitudes, which compare across layers.

    With the weights of a layer in ascending order of their magnitudes m,

        score_u = m_u² / sum_{v >= u} m_v²,

    the share of what is left of the layer that goes with the weight, so that the
    largest weight of every layer scores 1. m is that of :func:`magnitude`.

    References
    ----------
    J. Lee, S. Park, S. Mo, S. Ahn, J. Shin, "Layer-adaptive sparsity for the
    magnitude-based pruning", ICLR 2021.
    """
    return [shares_of_layer(values, 2) for values in magnitude(blocks, data)]


def shares_of_layer(values, power):
    """``v^power / sum u^power`` over the `values` u of a layer that are not below v."""
    flat = values.ravel()
    largest = flat.max(initial=0.0)
    if largest == 0.0:
        return values
    terms = (flat / largest) ** power  # no overflow, in whatever units
    # Of equals the first is kept, as in ranking: it comes last here.
    descending = np.argsort(-flat, kind="stable")
    shares = np.empty_like(flat)
    shares[descending] = terms[descending] / np.cumsum(terms[descending])
    return shares.reshape(values.shape)
