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

from sparselearn._kernels import _thresholds as kernels
from sparselearn._solvers._coding import stack_rows

__all__ = [
    "CHUNK",
    "Autoencoder",
    "Survey",
    "center_and_spread",
    "explained",
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
    """

    coefs: tuple
    intercepts: tuple
    n_encoding: int
    activation: str
    n_nonzero: int | None
    thresholds: np.ndarray | None
    output: str

    @property
    def selects(self):
        """Whether codes have exact zeros."""
        return self.activation in SELECTIONS

    @property
    def n_components(self):
        return self.coefs[self.n_encoding].shape[0]

    def encode(self, rows):
        """Codes of at most `CHUNK` rows: an ndarray (n_rows, n_components)."""
        n_rows = rows.shape[0]
        if n_rows < CHUNK:
            rows = _filled_up(rows)
        for layer in range(self.n_encoding):
            rows = rows @ self.coefs[layer]
            rows += self.intercepts[layer]
            if layer < self.n_encoding - 1:
                np.maximum(rows, 0.0, out=rows)
        return self._activate(rows)[:n_rows]

    def _activate(self, p):
        if self.activation == "tanh":
            return np.tanh(p, out=p)
        if self.activation == "sigmoid":
            return sigmoid(p)
        if self.thresholds is not None:
            return np.where(p > self.thresholds, p, p.dtype.type(0.0))
        np.maximum(p, 0.0, out=p)
        if self.activation == "topk" and self.n_nonzero < p.shape[1]:
            counts = np.count_nonzero(p, axis=1)
            kernels.keep_top(p, np.empty(self.n_nonzero, p.dtype), counts)
        return p

    def decode(self, codes):
        """Rows of at most `CHUNK` codes, a C-ordered ndarray or a csr_array."""
        n_rows = codes.shape[0]
        if n_rows < CHUNK:
            codes = _filled_up(codes)
        for layer in range(self.n_encoding, len(self.coefs)):
            codes = codes @ self.coefs[layer]
            codes += self.intercepts[layer]
            if layer < len(self.coefs) - 1:
                np.maximum(codes, 0.0, out=codes)
        return (sigmoid(codes) if self.output == "sigmoid" else codes)[:n_rows]

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

    def reconstruct(self, codes):
        """`decode` of dense codes, by way of sparse ones where that is less work."""
        few = np.count_nonzero(codes) < codes.size / 8
        return self.decode(
            stack(*compressed(codes), self.n_components) if few else codes
        )


def _filled_up(rows):
    """`rows` and zeros, `CHUNK` rows in all."""
    missing = CHUNK - rows.shape[0]
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


def compressed(codes):
    """The non-zeros of dense codes: their values, columns, and numbers by row."""
    lengths = np.count_nonzero(codes, axis=1)
    n_nonzero = int(lengths.sum())
    data = np.empty(n_nonzero, dtype=codes.dtype)
    indices = np.empty(n_nonzero, dtype=np.int32)
    kernels.compress(codes, data, indices)
    return data, indices, lengths


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


def center_and_spread(X, weights, chunks):
    """The mean row of X, and the root of the mean variance of a feature, or 1.

    Parameters
    ----------
    X : ndarray or csr_array (n_rows, n_features)
    weights : float64 ndarray (n_rows,)
    chunks : sequence of slice

    Returns
    -------
    mean : float64 ndarray (n_features,)
    sigma : float
    """
    total = weights.sum()
    if sp.issparse(X):
        mean = X.T @ weights / total
        inside = np.repeat(weights, np.diff(X.indptr))
        stored = inside @ (X.data - mean[X.indices]) ** 2
        outside = total - np.bincount(X.indices, inside, minlength=mean.size)
        scatter = stored + np.maximum(outside, 0.0) @ mean**2
    else:
        mean = sum(weights[rows] @ X[rows] for rows in chunks) / total
        # What the mean has been rounded by is the mean of what is left.
        mean += sum(weights[rows] @ (X[rows] - mean) for rows in chunks) / total
        scatter = sum(weights[rows] @ _squares(X[rows] - mean) for rows in chunks)
    size = np.sqrt(scatter / (total * mean.size))
    # Of a constant X nothing is left but rounding.
    rounding = 64 * np.finfo(X.dtype).eps * np.sqrt(mean @ mean / mean.size)
    return mean, float(size) if size > rounding else 1.0


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
    error, variation, square : float
        Sums of squares: of what the reconstruction misses, of X about the mean, of X.
    """

    mass: float
    fired: np.ndarray
    sizes: np.ndarray
    n_nonzero: float
    error: float
    variation: float
    square: float


def survey(model, rows, weights, mean):
    """The `Survey` of at most `CHUNK` rows."""
    codes = model.encode(rows)
    found = model.reconstruct(codes)
    rows = rows.toarray() if sp.issparse(rows) else rows
    fires = codes != 0.0 if model.selects else np.abs(codes) > FIRES
    return Survey(
        weights.sum(),
        weights @ fires,
        weights @ codes,
        weights @ np.count_nonzero(codes, axis=1),
        weights @ _squares(rows - found),
        weights @ _squares(rows - mean),
        weights @ _squares(rows),
    )


def explained(found):
    """R2 about the mean, weighted by variance, of a `Survey`."""
    if found.variation == 0.0:
        # An error of so small a share of all is rounding.
        return float(found.error <= 64.0 * np.finfo(np.float64).eps * found.square)
    return float(1.0 - found.error / found.variation)


def stack(data, indices, lengths, n_components):
    """The csr_array of `compressed` codes."""
    return stack_rows(data, indices, lengths, n_components)
