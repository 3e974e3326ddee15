"""Second derivatives of a loss in the weights of one affine map, by parts of them."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from sparselearn._parallel import row_chunks

__all__ = ["Curvature", "InputCurvature"]

CHUNK_ROWS = 4096  # rows whose columns are copied at a time
# The spread of a constant column is not 0 but the rounding error of its mean.
CONSTANT = (64 * np.finfo(np.float64).eps) ** 2
SPARSE_CONSTANT = 64 * np.finfo(np.float64).eps  # of a difference of large numbers


class Curvature(NamedTuple):
    """The curvature H that some outputs of a block share.

    Parameters
    ----------
    outputs : int ndarray
        Which columns of the block's matrix.
    inputs : int ndarray
        Which rows of it they have weights for; H is of these.
    form : object
        ``form.block(places)`` is H among some of the inputs, by their places in
        `inputs`, as a new array; ``form.product(weights)`` is ``H @ weights``; where
        these are support vectors, ``form.diagonal()`` is the diagonal of H.
    centre : float64 ndarray, shaped like `inputs`
        What the constant of the outputs gains by a unit less of each weight; zeros
        where there must be none.
    damping : float
        What is added to H where it is singular, in units of its diagonal.
    """

    outputs: np.ndarray
    inputs: np.ndarray
    form: object
    centre: np.ndarray
    damping: float


class InputCurvature:
    r"""``H = sum_i d_i (a_i - m)(a_i - m)' + ridge I`` of inputs a.

    Parameters
    ----------
    a : ndarray or sparse array of shape (n_rows, n_inputs)
        Sparse inputs are centred implicitly.
    weights : float64 ndarray of shape (n_rows,)
        d, the second derivatives of the rows' losses in the output, weighted.
    centred : bool
        Whether there is an intercept, which is optimal for any weights; then m is the
        mean of a under d, else 0.
    ridge : float
    """

    def __init__(self, a, weights, *, centred, ridge=0.0):
        self.a = sp.csc_array(a) if sp.issparse(a) else a
        self.weights = weights
        self.ridge = ridge
        total = weights.sum()
        self.total = total
        self.centre = np.zeros(a.shape[1])
        if centred and total > 0.0:
            self.centre = self.a.T @ (weights / total)

    def block(self, places):
        """H among the inputs at `places`."""
        means = self.centre[places]
        if sp.issparse(self.a):
            columns = self.a[:, places].astype(np.float64)
            raw = (
                columns.T @ columns.multiply(self.weights[:, None]).tocsc()
            ).toarray()
            gram = raw - self.total * np.outer(means, means)
            still = np.diagonal(gram) <= SPARSE_CONSTANT * np.diagonal(raw)
        else:
            gram = np.zeros((len(places), len(places)))
            for rows in row_chunks(self.a.shape[0], CHUNK_ROWS):
                columns = self.a[rows][:, places] - means
                columns *= np.sqrt(self.weights[rows])[:, None]
                gram += columns.T @ columns
            still = np.diagonal(gram) <= CONSTANT * self.total * means**2
        gram[still] = gram[:, still] = 0.0
        gram[np.diag_indices_from(gram)] += self.ridge
        return gram

    def product(self, weights):
        """``H @ weights`` for weights of shape (n_inputs, n_outputs)."""
        z = self.a @ weights - self.centre @ weights
        z *= self.weights[:, None]
        pulled = np.multiply.outer(self.centre, z.sum(axis=0))
        return self.a.T @ z - pulled + self.ridge * weights
