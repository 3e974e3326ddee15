r"""A trained autoencoder as a function of rows: codes, and back, in units of X.

Training sees rows that are centred and scaled, :math:`(x - m) / \sigma`. `fold` brings
what it has learned into units of X, so that nothing but affine layers is left. Where
all activations before the output are such that g(c p) = c g(p) for c > 0, codes get the
unit of X,

.. math:: b_l \leftarrow \sigma b_l, \quad b_1 \leftarrow b_1 - W_1^T m, \quad
          b_L \leftarrow b_L + m, \quad \theta \leftarrow \sigma \theta,

and weights stay as they are; otherwise codes have none, and

.. math:: W_1 \leftarrow W_1 / \sigma, \quad b_1 \leftarrow b_1 - W_1^T m, \quad
          W_L \leftarrow \sigma W_L, \quad b_L \leftarrow \sigma b_L + m.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._kernels._refine import refine_rows
from sparselearn._solvers._coding import stack_rows
from sparselearn._solvers._score_sums import ReconstructionSums
from sparselearn._solvers._selections import keep_above, keep_top

__all__ = [
    "CHUNK",
    "Autoencoder",
    "Survey",
    "fold",
    "survey",
]

# Rows encoded at a time, always: fewer are filled up, since BLAS takes other routes for
# other shapes and a row's code would depend, in its last digit, on how many others
# there are.
CHUNK = 128

# Activations of codes that leave exact zeros.
SELECTIONS = ("topk", "batchtopk", "jumprelu", "relu")
# Above which a unit without exact zeros fires.
FIRES = 0.5


class Autoencoder(NamedTuple):
    """Layers that encode rows, and layers that decode codes.

    Attributes
    ----------
    coefs : tuple of ndarray (n_in, n_out)
        Of all layers; C-ordered.
    intercepts : tuple of ndarray (n_out,)
    n_encoding : int
        Layers before the code, which are ReLU except the last.
    activation : str
        Of the code.
    n_nonzero : int
        How many "topk" keeps.
    thresholds : ndarray (n_components,) or None
        Of "batchtopk" and "jumprelu".
    output : {"identity", "sigmoid"}
    refine : {"ols", "nnls", None}
        How values on the support of a code are fitted anew, in one layer.
    """

    coefs: tuple
    intercepts: tuple
    n_encoding: int
    activation: str
    n_nonzero: int | None
    thresholds: np.ndarray | None
    output: str
    refine: str | None = None

    @property
    def selects(self):
        """Whether codes have exact zeros."""
        return self.activation in SELECTIONS

    @property
    def n_components(self):
        return self.coefs[self.n_encoding].shape[0]

    def encode(self, rows):
        """Codes of at most `CHUNK` rows, (n_rows, n_components).

        Parameters
        ----------
        rows : ndarray or csr_array (n_rows, n_features)
            Of the dtype of `coefs`.

        Returns
        -------
        codes : csr_array if the activation selects, else ndarray
        """
        n_rows = rows.shape[0]
        last = self.n_encoding - 1
        values = _filled_up(rows)
        for layer in range(last):
            values = values @ self.coefs[layer]
            values += self.intercepts[layer]
            np.maximum(values, 0.0, out=values)
        values = (values @ self.coefs[last])[:n_rows]
        if self.selects:
            return self._select(values, self.intercepts[last], rows)
        values += self.intercepts[last]
        if self.activation == "tanh":
            return np.tanh(values, out=values)
        return sigmoid(values)

    def _select(self, products, bias, rows):
        if self.activation == "topk":
            kept = keep_top(products, bias, self.n_nonzero)
        else:
            lows = np.zeros_like(bias) if self.thresholds is None else self.thresholds
            kept = keep_above(products, bias, lows)
        codes = stack_rows(*kept, self.n_components)
        if self.refine is None:
            return codes
        rows = rows.toarray() if sp.issparse(rows) else rows
        goals = rows - np.float64(self.intercepts[-1])
        positive = self.refine == "nnls"
        data, indices, lengths = kept
        refine_rows(goals, indices, lengths, self.coefs[-1], positive, data)
        codes.eliminate_zeros()
        return codes

    def decode(self, codes):
        """Rows of at most `CHUNK` codes, a C-ordered ndarray or a csr_array."""
        n_rows = codes.shape[0]
        values = _filled_up(codes)
        for layer in range(self.n_encoding, len(self.coefs)):
            values = values @ self.coefs[layer]
            values += self.intercepts[layer]
            if layer < len(self.coefs) - 1:
                np.maximum(values, 0.0, out=values)
        return (sigmoid(values) if self.output == "sigmoid" else values)[:n_rows]

    def components(self, found):
        """What each unit adds to a reconstruction: (n_components, n_features).

        In one layer the weights of the decoder; in several what rows become when one
        unit alone is on, at 1 where codes are never 0, else at its mean over the rows
        of the `Survey` `found` by which it fires.
        """
        if self.n_encoding == 1:
            return self.coefs[1].copy()
        sizes = np.ones(self.n_components)
        if self.selects:
            np.divide(found.sizes, found.fired, out=sizes, where=found.fired > 0.0)
        codes = np.diag(sizes).astype(self.coefs[0].dtype)
        parts = [codes[at : at + CHUNK] for at in range(0, len(codes), CHUNK)]
        rows = np.concatenate([self.decode(part) for part in parts])
        return rows - self.decode(np.zeros_like(codes[:1]))


def _filled_up(rows):
    """`rows` and zeros, `CHUNK` rows in all."""
    missing = CHUNK - rows.shape[0]
    if missing == 0:
        return rows
    if sp.issparse(rows):
        starts = np.pad(rows.indptr, (0, missing), mode="edge")
        shape = (CHUNK, rows.shape[1])
        return sp.csr_array((rows.data, rows.indices, starts), shape=shape, copy=False)
    return np.concatenate([rows, np.zeros((missing, rows.shape[1]), rows.dtype)])


def sigmoid(p):
    """The logistic function, in place."""
    p *= 0.5
    np.tanh(p, out=p)
    p += 1.0
    p *= 0.5
    return p


def fold(coefs, intercepts, thresholds, mean, sigma, *, homogeneous, dtype):
    """The layers in units of X; see the head of this file.

    Parameters
    ----------
    coefs, intercepts : sequences of ndarray
        For rows ``(x - mean) / sigma``.
    thresholds : ndarray (n_components,) or None
    mean : float64 ndarray (n_features,)
    sigma : float
    homogeneous : bool
    dtype : dtype
        Of what comes out.

    Returns
    -------
    coefs, intercepts : tuple of ndarray
        Copies.
    thresholds : ndarray or None
    """
    coefs = [np.array(W, dtype=np.float64) for W in coefs]
    intercepts = [np.array(b, dtype=np.float64) for b in intercepts]
    if homogeneous:
        intercepts = [sigma * b for b in intercepts]
        thresholds = None if thresholds is None else sigma * np.float64(thresholds)
    else:
        coefs[0] = coefs[0] / sigma
        coefs[-1] = coefs[-1] * sigma
        intercepts[-1] = sigma * intercepts[-1]
    intercepts[0] = intercepts[0] - mean @ coefs[0]
    intercepts[-1] = intercepts[-1] + mean
    return (
        tuple(np.ascontiguousarray(W, dtype=dtype) for W in coefs),
        tuple(b.astype(dtype) for b in intercepts),
        None if thresholds is None else thresholds.astype(dtype),
    )


def _squares(rows):
    return np.einsum("ij,ij->i", rows, rows, dtype=np.float64)


class Survey(NamedTuple):
    """Weighted sums over rows of what an autoencoder makes of them.

    Attributes
    ----------
    mass : float
        Of the rows.
    fired : float64 ndarray (n_components,)
        Mass of the rows by which each unit fires: its code is not 0, or is above 1/2 in
        size where none ever is 0.
    sizes : float64 ndarray (n_components,)
        Sums of the codes.
    n_nonzero : float
        Sum of the numbers of non-zeros.
    errors : ReconstructionSums
    """

    mass: float
    fired: np.ndarray
    sizes: np.ndarray
    n_nonzero: float
    errors: ReconstructionSums

    def __add__(self, other):
        """Those of both."""
        return Survey(*(left + right for left, right in zip(self, other)))


def survey(model, rows, weights, mean):
    """The `Survey` of at most `CHUNK` rows."""
    codes = model.encode(rows)
    found = model.decode(codes)
    rows = rows.toarray() if sp.issparse(rows) else rows
    fired, sizes, lengths = _totals(codes, weights)
    return Survey(
        weights.sum(),
        fired,
        sizes,
        weights @ lengths,
        ReconstructionSums(
            *[weights @ _squares(rows - fit) for fit in (found, mean, 0.0)]
        ),
    )


def _totals(codes, weights):
    """Weighted, by unit, how many rows fire it and sums; non-zeros by row."""
    if not sp.issparse(codes):
        fires = np.abs(codes) > FIRES
        return weights @ fires, weights @ codes, np.count_nonzero(codes, axis=1)
    lengths = np.diff(codes.indptr)
    mass = np.repeat(weights, lengths)
    n_components = codes.shape[1]
    fired = np.bincount(codes.indices, mass, n_components)
    return fired, np.bincount(codes.indices, mass * codes.data, n_components), lengths
