r"""Codes under an L1 penalty.

.. math:: \min_z \tfrac12 \|x - D^T z\|^2
          + \alpha \bigl(\rho \sum_j w_j |z_j| + \tfrac{1 - \rho}2 \|z\|^2\bigr)

"""

from dataclasses import dataclass

import numpy as np

from sparselearn._kernels import _lasso_codes
from sparselearn._kernels._lasso_path import Penalty, Scratch, Source
from sparselearn._kernels._thresholds import compress
from sparselearn._solvers._coding import (
    Coder,
    Codes,
    aligned,
    squared_errors,
    stack_rows,
)

__all__ = ["LassoCoder", "codes_of"]

# A path with more non-zeros than this is left for descent. So the density of a row is
# found on the way, whatever other rows and threads do. With 60 non-zeros of 64 features
# the path still is many times faster.
ROOM = 256
# Squared errors below this share of ||x||^2 are computed anew: as a difference of
# products they are exact to rounding of ||x||^2 only.
SMALL_ERROR = 1e-6


@dataclass(frozen=True)
class LassoCoder(Coder):
    """Minimise half the squared error plus an L1 penalty.

    Parameters
    ----------
    alpha : float
        Strength of the penalty.
    relative : bool
        Whether `alpha` is a share of the least one that makes a row's code 0.
    n_nonzero : int or None
        Where the path of codes, from the largest penalty down to `alpha`, is about to
        have more non-zeros, it ends.
    l1_ratio : float
        Share of the L1 norm in the penalty, above 0; the rest is half the square.
    positive : bool
        Whether codes are >= 0.
    penalty_weights : ndarray (n_components,) or None
        w, from 0, not penalised, to inf, not used.
    tol : float
        Duality gap to reach, in units of half the row's squared length.
    max_iter : int
        Steps of the path, and sweeps of descent, at most.
    """

    alpha: float = 0.0
    relative: bool = False
    n_nonzero: int | None = None
    l1_ratio: float = 1.0
    positive: bool = False
    penalty_weights: np.ndarray | None = None
    tol: float = 1e-6
    max_iter: int = 1000

    def __post_init__(self):
        if self.n_nonzero is not None and self.l1_ratio < 1.0:
            raise ValueError(
                f"n_nonzero_coefs={self.n_nonzero} with l1_ratio={self.l1_ratio}: the "
                "path that has so many non-zeros is that of the L1 norm, l1_ratio=1."
            )
        weights = self.penalty_weights
        if weights is None:
            return
        if weights.ndim != 1 or not np.all(weights >= 0.0):
            raise ValueError(
                "penalty_weights must be numbers >= 0 (0: unpenalised, inf: dropped), "
                f"one for each atom; got {weights!r}."
            )
        if np.any(weights == 0.0):
            self._refuse_free()

    def _refuse_free(self):
        """Atoms without a penalty go with most options, not with all."""
        for given, what in (
            (self.n_nonzero is not None, "n_nonzero_coefs"),
            (self.relative and self.positive, "a relative alpha for positive codes"),
            (self.relative and self.l1_ratio < 1.0, "a relative alpha with l1_ratio"),
        ):
            if given:
                raise ValueError(
                    f"penalty_weights has zeros: {what} needs all to be above 0."
                )

    @property
    def has_objective(self):
        # Where a path ends early its penalty is of the row.
        return not self.relative and self.n_nonzero is None

    def prepare(self, atoms):
        _ = atoms.gram

    def encode(self, rows, atoms):
        data = (_all_products(atoms), atoms.squares)
        return self._encode_by(_lasso_codes.encode_rows, data, rows, atoms)

    def encode_observed(self, rows, atoms):
        """The codes of dense `rows` by what is not NaN in them.

        Of rows that lack the same entries there are seldom enough for the Gram matrix
        of what they have to pay: its rows are made as their atoms become active.
        """
        observed = ~np.isnan(rows)
        seen = np.where(observed, rows, 0.0)
        lengths = observed @ (atoms.components**2).T
        data = (observed, _products_to_come(atoms), lengths)
        kernel = _lasso_codes.encode_observed_rows
        return self._encode_by(kernel, data, seen, atoms, observed)

    def _encode_by(self, kernel, data, rows, atoms, observed=None):
        """`Codes` of rows by a kernel, with what it needs of atoms before all else."""
        products, squares = atoms.products(rows)
        penalty = self._penalty(atoms.size)
        found = np.empty((3, squares.size))
        kernel(
            *data,
            penalty,
            self.tol,
            self.max_iter,
            _scratch(penalty),
            products,
            squares,
            found,
        )
        return codes_of(products, found, rows, atoms, squares, observed)

    def _penalty(self, size):
        weights = self.penalty_weights
        if weights is None:
            weights = np.ones(size)
        elif weights.size != size:
            raise ValueError(
                f"penalty_weights has shape {weights.shape}; it must have one weight "
                f"for each atom, shape ({size},)."
            )
        return Penalty(
            weights,
            float(self.alpha),
            float(self.l1_ratio),
            self.relative,
            size if self.n_nonzero is None else min(self.n_nonzero, size),
            self.positive,
            bool(np.any(weights == 0.0)),
        )


def _all_products(atoms):
    return Source(
        rows=atoms.gram,
        slots=np.arange(atoms.size),
        transposed=np.empty((0, atoms.size)),
        features=np.empty(0, dtype=np.int64),
        factors=np.empty(0),
        filled=np.zeros(2, dtype=np.int64),
    )


def _products_to_come(atoms):
    n_features = atoms.components.shape[1]
    return Source(
        rows=aligned(atoms.size, atoms.size),  # of which few pages are touched
        slots=np.empty(atoms.size, dtype=np.int64),
        transposed=atoms.transposed,
        features=np.empty(n_features, dtype=np.int64),
        factors=np.empty(n_features),
        filled=np.zeros(2, dtype=np.int64),
    )


def _scratch(penalty):
    size = penalty.weights.size
    most = penalty.most if penalty.most < size else 0
    room = min(size, max(ROOM + np.count_nonzero(penalty.weights == 0.0), most))
    return Scratch(
        correlation=aligned(size),
        slope=aligned(size),
        bound=aligned(size),
        codes=np.zeros(size),
        active=np.empty(room, dtype=np.int64),
        places=np.empty(room, dtype=np.int64),
        inverse=aligned(room, room),
        pull=aligned(room),
        direction=aligned(room),
        coef=aligned(room),
        spare=aligned(2, room),
    )


def codes_of(dense, found, rows, atoms, squares, observed=None):
    """`Codes` of `dense` ones; `found` holds error, penalty and status of each row."""
    counts = np.count_nonzero(dense, axis=1)
    data = np.empty(counts.sum())
    indices = np.empty(data.size, dtype=np.int32)
    compress(dense, data, indices)
    errors, penalties, missed = found
    small = np.flatnonzero(errors < SMALL_ERROR * squares)
    if small.size:
        codes = stack_rows(data, indices, counts, atoms.size)[small]
        seen = None if observed is None else observed[small]
        errors[small] = squared_errors(rows[small], codes, atoms, seen)
    return Codes(data, indices, counts, errors, penalties, missed.astype(np.int8))
