"""How steady a unit is when the data are noisy: "stability"."""

import itertools

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks
from sparselearn.pruning._blocks import ACTIVATIONS, forward
from sparselearn.pruning._criteria._parts import hidden, outgoing_norms

__all__ = ["stability"]

NOISE = 0.1  # times the standard deviation of a feature
N_DRAWS = 10
CHUNK_ROWS = 512  # noise is drawn for so many rows at a time
MOST = 1e9  # signal-to-noise ratio


def stability(blocks, data):
    """``var(a_j) / mean(var(a_j | x + 0.1 std(x) e)) ||W_out[j, :]||``.

    The variance of a unit over the rows, to that which normal noise on the features
    makes in it at a row, over ten draws a row, averaged. Noise comes to the first
    hidden layer as ``0.1 (std(x) e) W``, normal again, and is drawn there: so X is
    not made dense, and a wide one costs no more than a narrow one. Where the units are
    no function of pre-activations alone it is added to some rows at a time.
    """
    signals = [data.std(a) ** 2 for a in hidden(blocks, data)]
    noises = _noises(blocks, data)
    ratios = [
        np.minimum(np.divide(s, n, out=np.full_like(s, MOST), where=n > s / MOST), MOST)
        * (s > 0.0)
        for s, n in zip(signals, noises)
    ]
    return [r * v for r, v in zip(ratios, outgoing_norms(blocks))]


def _noises(blocks, data):
    """Mean variances of units over the draws at a row."""
    draw = _drawer(blocks, data)
    x = next(data.inputs(blocks))
    totals = [np.zeros(block.matrix().shape[1]) for block in blocks[:-1]]
    for rows in row_chunks(x.shape[0], CHUNK_ROWS):
        noisy = draw(x[rows])
        means = [0.0] * len(totals)
        squares = [0.0] * len(totals)
        for n in range(1, N_DRAWS + 1):
            for layer, a in enumerate(noisy()):
                step = a - means[layer]
                means[layer] = means[layer] + step / n
                squares[layer] = squares[layer] + step * (a - means[layer])
        for total, square in zip(totals, squares):
            total += data.weights[rows] @ square / (N_DRAWS - 1)
    return totals


def _drawer(blocks, data):
    """``draw(x)()``: the hidden layers of some rows, noise in x, anew at every call."""
    first, *rest = blocks
    rng = data.generator()
    spread = NOISE * data.std(next(data.inputs(blocks)))
    if data.adapter.is_feed_forward:
        # With R'R = W'W, e R is distributed as e W.
        weights = spread[:, None] * first.matrix().astype(np.float64)
        root = np.linalg.qr(weights, mode="r")

        def draw(x):
            z = np.asarray(x @ first.matrix() + first.constants(), dtype=np.float64)
            act = ACTIVATIONS[first.activation]
            size = len(z), len(root)
            return lambda: forward(rest, act(z + rng.standard_normal(size) @ root))

    else:

        def draw(x):
            x = x.toarray() if sp.issparse(x) else x

            def noisy():
                moved = x + (spread * rng.standard_normal(x.shape)).astype(x.dtype)
                inputs = data.adapter.inputs(data.estimator, blocks, moved)
                return itertools.islice(inputs, 1, None)

            return noisy

    return draw
