"""How steady a unit is when the data are noisy: "stability"."""

import numpy as np

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
    not made dense, and a wide one costs no more than a narrow one.
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
    first, *rest = blocks
    if first.activation not in ACTIVATIONS:
        raise ValueError(
            "criterion='stability' adds noise to units one by one, and those of "
            f"{first.name}, activation {first.activation!r}, depend on one another or "
            "on thresholds; criterion='signal' takes any activation."
        )
    x = next(data.inputs(blocks))
    spread = NOISE * data.std(x)[:, None] * first.matrix().astype(np.float64)
    # With R'R = spread' spread, e R is distributed as e spread.
    root = np.linalg.qr(spread, mode="r")
    act = ACTIVATIONS[first.activation]
    rng = data.generator()
    totals = [np.zeros(block.matrix().shape[1]) for block in blocks[:-1]]
    for rows in row_chunks(x.shape[0], CHUNK_ROWS):
        z = np.asarray(x[rows] @ first.matrix() + first.constants(), dtype=np.float64)
        means = [0.0] * len(totals)
        squares = [0.0] * len(totals)
        for n in range(1, N_DRAWS + 1):
            noisy = act(z + rng.standard_normal((len(z), len(root))) @ root)
            for layer, a in enumerate(forward(rest, noisy)):
                step = a - means[layer]
                means[layer] = means[layer] + step / n
                squares[layer] = squares[layer] + step * (a - means[layer])
        for total, square in zip(totals, squares):
            total += data.weights[rows] @ square / (N_DRAWS - 1)
    return totals
